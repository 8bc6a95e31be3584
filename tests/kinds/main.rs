//! One rule, told in many ways: for random policies of every kind, `assign`, `simulate`, `diff` and
//! `explain`, the gauges of the weights and the filter itself tell the same of every user. Beside
//! them stands the naive model, which knows none of them.

mod bare;
mod coverage;
mod diff;
mod edit;
mod known;
mod requests;
mod rises;
mod tools;

use std::fmt;

use harness::generate::plain_policy;
use proptest::prelude::*;
use serde_json::Value;

/// A policy that a failure shows as a document.
#[derive(Clone)]
struct Policy(Value);

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Policy {
    fn splits(&self) -> &[Value] {
        self.0["splits"].as_array().map_or(&[], Vec::as_slice)
    }
}

fn policy() -> impl Strategy<Value = Policy> {
    plain_policy().prop_map(Policy)
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        // A policy of one or two splits says more than one of twelve, and is worth half a minute.
        max_shrink_iters: u32::MAX,
        max_shrink_time: 30_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// The name of a split or a variant.
fn name(of: &Value) -> &str {
    of["name"].as_str().expect("a name")
}
