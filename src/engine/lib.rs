//! The decision engine of traffic-split: policy text -> policy -> plan -> decision -> effects.
//!
//! Pure: no clock, no randomness, no I/O, no host. What changes from call to call (the request, a
//! random number) is an argument, so the filter in Envoy and `splitctl` on a laptop give the same
//! answer bit for bit.
//!
//! ```
//! use engine::{decision::{Context, Decisions}, plan::Plan, policy};
//!
//! let text = br#"{"version": 1, "splits": [{
//!     "name": "checkout", "key": [{"header": "x-user-id"}], "baseline": "stable",
//!     "variants": [{"name": "stable", "cluster": "checkout-v1", "weight": 95},
//!                  {"name": "canary", "cluster": "checkout-v2", "weight": 5}]}]}"#;
//! let checked = policy::from_json(text);
//! let plan = Plan::compile(&checked.policy.expect("the policy is valid"));
//!
//! let request = [("x-user-id", "ada")];
//! let mut decisions = Decisions::default();
//! plan.decide(&request[..], &Context::default(), &mut decisions);
//! assert_eq!(decisions.list[0].reason.as_str(), "split");
//! ```

pub mod decision;
pub mod effects;
pub mod hash;
pub mod matching;
pub mod metrics;
pub mod plan;
pub mod policy;
pub mod reason;
