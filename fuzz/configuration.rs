//! Any bytes as the plugin's configuration: JSON, and a Struct in protobuf's wire format (which
//! begins with a line feed).
#![no_main]

use engine::plan::Plan;
use engine::policy::{self, Severity};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let checked = policy::from_configuration(bytes);
    let refused = checked.diagnostics.iter().any(|d| d.severity == Severity::Error);
    assert_eq!(checked.policy.is_none(), refused);
    if let Some(policy) = checked.policy {
        let _plan = Plan::new(policy);
    }
});
