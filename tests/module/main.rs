//! The real module in a small host: what holds natively holds in the .wasm, and no host and no
//! client makes it panic.

mod chance;
mod faults;
mod golden;
mod last_good;
mod life;

use harness::module::{host, running};
use serde_json::Value;

/// The policy that most tests use.
fn checkout() -> Value {
    serde_json::json!({"version": 1, "splits": [{
        "name": "checkout", "key": [{"header": "x-user-id"}, {"cookie": "uid"}], "baseline": "stable",
        "match": [{"path": {"prefix": "/api"}}],
        "variants": [{"name": "stable", "cluster": "checkout-v1", "weight": 50},
                     {"name": "canary", "cluster": "checkout-v2", "weight": 50}],
    }]})
}
