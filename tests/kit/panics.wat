;; A plugin that does nothing, but traps on a request with the header x-panic, as a Rust module does that panics.
(module
  (import "env" "proxy_get_header_map_value"
    (func $header (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "x-panic")
  (func (export "proxy_abi_version_0_2_1"))
  ;; Where the host may write: always the same place, nothing is kept.
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    ;; Map 0 is the request's headers. The host writes the value's address to 32 and its length to 36.
    (i32.store (i32.const 36) (i32.const 0))
    (drop (call $header (i32.const 0) (i32.const 16) (i32.const 7) (i32.const 32) (i32.const 36)))
    (if (i32.load (i32.const 36)) (then unreachable))
    (i32.const 0)))
