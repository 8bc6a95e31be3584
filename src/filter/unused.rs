//! What the SDK's traits bring and nobody calls here.
//!
//! Some eighty methods of `Context`, `RootContext` and `HttpContext` call the host, and panic on what
//! they do not expect. [`crate::host`] is used instead, but a vtable keeps every method of its
//! trait in the module. So each is replaced by one that does nothing, which makes the module 9 KB
//! smaller and leaves no way to reach a call that panics.

/// The host calls of any context, as methods that do nothing.
macro_rules! no_context {
    () => {
        fn get_current_time(&self) -> ::std::time::SystemTime {
            ::std::time::SystemTime::UNIX_EPOCH
        }
        fn get_property(&self, _: Vec<&str>) -> Option<::proxy_wasm::types::Bytes> {
            None
        }
        fn set_property(&self, _: Vec<&str>, _: Option<&[u8]>) {}
        fn get_shared_data(&self, _: &str) -> (Option<::proxy_wasm::types::Bytes>, Option<u32>) {
            (None, None)
        }
        fn set_shared_data(
            &self,
            _: &str,
            _: Option<&[u8]>,
            _: Option<u32>,
        ) -> Result<(), ::proxy_wasm::types::Status> {
            Err(::proxy_wasm::types::Status::InternalFailure)
        }
        fn remove_shared_data(
            &self,
            _: &str,
            _: Option<u32>,
        ) -> Result<(), ::proxy_wasm::types::Status> {
            Err(::proxy_wasm::types::Status::InternalFailure)
        }
        fn register_shared_queue(&self, _: &str) -> u32 {
            0
        }
        fn resolve_shared_queue(&self, _: &str, _: &str) -> Option<u32> {
            None
        }
        fn dequeue_shared_queue(
            &self,
            _: u32,
        ) -> Result<Option<::proxy_wasm::types::Bytes>, ::proxy_wasm::types::Status> {
            Err(::proxy_wasm::types::Status::InternalFailure)
        }
        fn enqueue_shared_queue(
            &self,
            _: u32,
            _: Option<&[u8]>,
        ) -> Result<(), ::proxy_wasm::types::Status> {
            Err(::proxy_wasm::types::Status::InternalFailure)
        }
        fn get_http_call_response_headers(&self) -> Vec<(String, String)> {
            Vec::new()
        }
        fn get_http_call_response_headers_bytes(
            &self,
        ) -> Vec<(String, ::proxy_wasm::types::Bytes)> {
            Vec::new()
        }
        fn get_http_call_response_header(&self, _: &str) -> Option<String> {
            None
        }
        fn get_http_call_response_header_bytes(
            &self,
            _: &str,
        ) -> Option<::proxy_wasm::types::Bytes> {
            None
        }
        fn get_http_call_response_body(
            &self,
            _: usize,
            _: usize,
        ) -> Option<::proxy_wasm::types::Bytes> {
            None
        }
        fn get_http_call_response_trailers(&self) -> Vec<(String, String)> {
            Vec::new()
        }
        fn get_http_call_response_trailers_bytes(
            &self,
        ) -> Vec<(String, ::proxy_wasm::types::Bytes)> {
            Vec::new()
        }
        fn get_http_call_response_trailer(&self, _: &str) -> Option<String> {
            None
        }
        fn get_http_call_response_trailer_bytes(
            &self,
            _: &str,
        ) -> Option<::proxy_wasm::types::Bytes> {
            None
        }
        fn get_grpc_call_response_body(
            &self,
            _: usize,
            _: usize,
        ) -> Option<::proxy_wasm::types::Bytes> {
            None
        }
        fn cancel_grpc_call(&self, _: u32) {}
        fn get_grpc_stream_initial_metadata(&self) -> Vec<(String, ::proxy_wasm::types::Bytes)> {
            Vec::new()
        }
        fn get_grpc_stream_initial_metadata_value(
            &self,
            _: &str,
        ) -> Option<::proxy_wasm::types::Bytes> {
            None
        }
        fn send_grpc_stream_message(&self, _: u32, _: Option<&[u8]>, _: bool) {}
        fn get_grpc_stream_message(
            &mut self,
            _: usize,
            _: usize,
        ) -> Option<::proxy_wasm::types::Bytes> {
            None
        }
        fn get_grpc_stream_trailing_metadata(&self) -> Vec<(String, ::proxy_wasm::types::Bytes)> {
            Vec::new()
        }
        fn get_grpc_stream_trailing_metadata_value(
            &self,
            _: &str,
        ) -> Option<::proxy_wasm::types::Bytes> {
            None
        }
        fn cancel_grpc_stream(&self, _: u32) {}
        fn close_grpc_stream(&self, _: u32) {}
        fn get_grpc_status(&self) -> (u32, Option<String>) {
            (0, None)
        }
        fn call_foreign_function(
            &self,
            _: &str,
            _: Option<&[u8]>,
        ) -> Result<Option<::proxy_wasm::types::Bytes>, ::proxy_wasm::types::Status> {
            Err(::proxy_wasm::types::Status::InternalFailure)
        }
        fn done(&self) {}
    };
}

/// The host calls of a root context, as methods that do nothing.
macro_rules! no_root_context {
    () => {
        fn get_vm_configuration(&self) -> Option<::proxy_wasm::types::Bytes> {
            None
        }
        fn get_plugin_configuration(&self) -> Option<::proxy_wasm::types::Bytes> {
            None
        }
        fn set_tick_period(&self, _: ::std::time::Duration) {}
    };
}

/// The host calls of a stream, as methods that do nothing.
macro_rules! no_http_context {
    () => {
        fn get_http_request_headers(&self) -> Vec<(String, String)> {
            Vec::new()
        }
        fn get_http_request_headers_bytes(&self) -> Vec<(String, ::proxy_wasm::types::Bytes)> {
            Vec::new()
        }
        fn get_http_request_header(&self, _: &str) -> Option<String> {
            None
        }
        fn get_http_request_header_bytes(&self, _: &str) -> Option<::proxy_wasm::types::Bytes> {
            None
        }
        fn set_http_request_header(&self, _: &str, _: Option<&str>) {}
        fn set_http_request_header_bytes(&self, _: &str, _: Option<&[u8]>) {}
        fn add_http_request_header(&self, _: &str, _: &str) {}
        fn add_http_request_header_bytes(&self, _: &str, _: &[u8]) {}
        fn remove_http_request_header(&self, _: &str) {}
        fn get_http_request_body(&self, _: usize, _: usize) -> Option<::proxy_wasm::types::Bytes> {
            None
        }
        fn set_http_request_body(&self, _: usize, _: usize, _: &[u8]) {}
        fn get_http_request_trailers(&self) -> Vec<(String, String)> {
            Vec::new()
        }
        fn get_http_request_trailers_bytes(&self) -> Vec<(String, ::proxy_wasm::types::Bytes)> {
            Vec::new()
        }
        fn get_http_request_trailer(&self, _: &str) -> Option<String> {
            None
        }
        fn get_http_request_trailer_bytes(&self, _: &str) -> Option<::proxy_wasm::types::Bytes> {
            None
        }
        fn set_http_request_trailer(&self, _: &str, _: Option<&str>) {}
        fn set_http_request_trailer_bytes(&self, _: &str, _: Option<&[u8]>) {}
        fn add_http_request_trailer(&self, _: &str, _: &str) {}
        fn add_http_request_trailer_bytes(&self, _: &str, _: &[u8]) {}
        fn remove_http_request_trailer(&self, _: &str) {}
        fn resume_http_request(&self) {}
        fn reset_http_request(&self) {}
        fn get_http_response_headers(&self) -> Vec<(String, String)> {
            Vec::new()
        }
        fn get_http_response_headers_bytes(&self) -> Vec<(String, ::proxy_wasm::types::Bytes)> {
            Vec::new()
        }
        fn get_http_response_header(&self, _: &str) -> Option<String> {
            None
        }
        fn get_http_response_header_bytes(&self, _: &str) -> Option<::proxy_wasm::types::Bytes> {
            None
        }
        fn set_http_response_header(&self, _: &str, _: Option<&str>) {}
        fn set_http_response_header_bytes(&self, _: &str, _: Option<&[u8]>) {}
        fn add_http_response_header(&self, _: &str, _: &str) {}
        fn add_http_response_header_bytes(&self, _: &str, _: &[u8]) {}
        fn remove_http_response_header(&self, _: &str) {}
        fn get_http_response_body(&self, _: usize, _: usize) -> Option<::proxy_wasm::types::Bytes> {
            None
        }
        fn set_http_response_body(&self, _: usize, _: usize, _: &[u8]) {}
        fn get_http_response_trailers(&self) -> Vec<(String, String)> {
            Vec::new()
        }
        fn get_http_response_trailers_bytes(&self) -> Vec<(String, ::proxy_wasm::types::Bytes)> {
            Vec::new()
        }
        fn get_http_response_trailer(&self, _: &str) -> Option<String> {
            None
        }
        fn get_http_response_trailer_bytes(&self, _: &str) -> Option<::proxy_wasm::types::Bytes> {
            None
        }
        fn set_http_response_trailer(&self, _: &str, _: Option<&str>) {}
        fn set_http_response_trailer_bytes(&self, _: &str, _: Option<&[u8]>) {}
        fn add_http_response_trailer(&self, _: &str, _: &str) {}
        fn add_http_response_trailer_bytes(&self, _: &str, _: &[u8]) {}
        fn remove_http_response_trailer(&self, _: &str) {}
        fn resume_http_response(&self) {}
        fn reset_http_response(&self) {}
    };
}

pub(crate) use {no_context, no_http_context, no_root_context};
