//! The Envoy shell of traffic-split: reads requests, lets the engine decide, applies the effects.
//! No rule of the business lives here. `host.rs` alone calls the host.

#![expect(missing_docs, reason = "the SDK's macro makes the module's entry point, undocumented")]

mod active;
#[cfg(feature = "count-allocations")]
mod allocations;
mod guard;
mod header_map;
mod host;
mod last_good;
mod metrics;
mod request;
mod root;
mod stream;
mod unused;

use proxy_wasm::traits::RootContext;

proxy_wasm::main! {{
    host::log_to_host();
    proxy_wasm::set_root_context(|_| -> Box<dyn RootContext> { Box::new(root::Root::default()) });
}}
