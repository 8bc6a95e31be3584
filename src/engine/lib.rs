//! The decision engine of traffic-split: policy text -> policy -> plan -> (facts ->) decision -> effects.
//!
//! Pure: no clock, no randomness, no I/O. What changes from call to call (the request, the time, a
//! random number) is an argument, and what must be asked of whoever runs the engine is one trait,
//! [`host::Host`]; so the filter in Envoy and `splitctl` on a laptop give the same answer bit for bit.
//!
//! ```
//! use engine::{decision::{self, Context, Nobody}, plan::Plan, policy};
//!
//! let text = br#"{"version": 1, "splits": [{
//!     "name": "checkout", "key": [{"header": "x-user-id"}], "baseline": "stable",
//!     "variants": [{"name": "stable", "cluster": "checkout-v1", "weight": 95},
//!                  {"name": "canary", "cluster": "checkout-v2", "weight": 5}]}]}"#;
//! let plan = Plan::new(policy::from_json(text).policy.expect("the policy is valid"));
//!
//! let request = [("x-user-id", "ada")];
//! let facts = plan.facts(request.as_slice());
//! let decisions = decision::decide(&plan, &facts, &Context::default(), &mut Nobody);
//! assert_eq!(decisions.list()[0].reason.as_str(), "split");
//! ```
//!
//! Who may know whom: each of these may use those before it, and none after it (a test reads the
//! imports).

// Leaves: numbers with a unit, the contract of the hash, closed lists, ids, bytes on the wire.
pub mod units;
mod wire;
mod words;

pub mod hash;
pub mod ids;
pub mod outcome;
pub mod reason;

// Needs the finalizer of `hash`.
mod fast_hash;

// What is asked of the host: reads claims from the wire.
pub mod host;

// The stages, in the order of the flow.
pub mod matching;

pub mod policy;

pub mod plan;

pub mod decision;

pub mod guard;

pub mod metrics;

pub mod effects;
