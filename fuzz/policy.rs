//! Policies of the conformance vectors, each with some bytes in the place of others: what is deep
//! in a policy, any bytes alone would not reach. One that is accepted reads as it is written.
#![no_main]

use std::sync::LazyLock;

use engine::plan::Plan;
use engine::policy;
use harness::vectors;
use libfuzzer_sys::fuzz_target;
use policy_text::canonical::to_value;

static POLICIES: LazyLock<Vec<String>> =
    LazyLock::new(|| vectors::all().into_iter().map(|vector| vector.policy.to_string()).collect());

fuzz_target!(|input: (u8, u16, u8, &[u8])| {
    let (which, at, length, bytes) = input;
    let mut text = POLICIES[usize::from(which) % POLICIES.len()].clone().into_bytes();
    let at = usize::from(at) % text.len();
    let end = text.len().min(at + usize::from(length));
    text.splice(at..end, bytes.iter().copied());
    let Some(policy) = policy::from_json(&text).policy else { return };
    let again = policy::check(&to_value(&policy));
    assert_eq!(again.policy.as_ref(), Some(&policy), "{:#?}", again.diagnostics);
    let _plan = Plan::new(policy);
});
