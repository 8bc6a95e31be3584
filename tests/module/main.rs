//! The real module in a small host: what holds natively holds in the .wasm, and no host and no
//! client makes it panic.

mod allocations;
mod chance;
mod faults;
mod golden;
mod host_calls;
mod last_good;
mod life;
mod prices;

use harness::module::{host, running};
use serde_json::{Value, json};
use std::time::Duration;

/// The policy that most tests use.
fn checkout() -> Value {
    json!({"version": 1, "splits": [{
        "name": "checkout", "key": [{"header": "x-user-id"}, {"cookie": "uid"}], "baseline": "stable",
        "match": [{"path": {"prefix": "/api"}}],
        "variants": [{"name": "stable", "cluster": "checkout-v1", "weight": 50},
                     {"name": "canary", "cluster": "checkout-v2", "weight": 50}],
    }]})
}

/// When the ramp of [`ramping`] starts: 2026-11-20T12:00:00Z.
const RAMP_START: Duration = Duration::from_secs(1_795_176_000);

/// The same, from nobody to everybody within ten hours.
fn ramping() -> Value {
    let mut policy = checkout();
    policy["splits"][0]["ramp"] = json!({"start": "2026-11-20T12:00:00Z", "linear": true, "steps": [
        {"after": "0s", "weights": {"stable": 100, "canary": 0}},
        {"after": "10h", "weights": {"stable": 0, "canary": 100}}]});
    policy
}
