//! The real module in a small host: what holds natively holds in the .wasm, and no host and no
//! client makes it panic.

mod chance;
mod faults;
mod golden;
mod life;
mod vectors;

use std::sync::OnceLock;

use harness::wasm_host::{Headers, Program, WasmHost};
use serde_json::Value;

/// A fresh VM with the real module in it.
fn host() -> WasmHost {
    static PROGRAM: OnceLock<Program> = OnceLock::new();
    let program = PROGRAM
        .get_or_init(|| Program::compile(&harness::module::bytes()).expect("the module is wasm"));
    program.start().unwrap_or_else(|failure| panic!("{failure}"))
}

/// A fresh VM that runs a policy.
fn running(policy: &Value) -> WasmHost {
    let mut host = host();
    let accepted =
        host.configure(policy.to_string().as_bytes()).unwrap_or_else(|failure| panic!("{failure}"));
    assert!(accepted, "{:#?}", host.logs());
    host
}

/// Headers from pairs of name and bytes.
fn headers(pairs: &[(String, Vec<u8>)]) -> Headers {
    pairs.iter().fold(Headers::new(), |headers, (name, value)| headers.with(name, value))
}

/// The policy that most tests use.
fn checkout() -> Value {
    serde_json::json!({"version": 1, "splits": [{
        "name": "checkout", "key": [{"header": "x-user-id"}, {"cookie": "uid"}], "baseline": "stable",
        "match": [{"path": {"prefix": "/api"}}],
        "variants": [{"name": "stable", "cluster": "checkout-v1", "weight": 50},
                     {"name": "canary", "cluster": "checkout-v2", "weight": 50}],
    }]})
}
