//! Rules over who counts how requests end.

use crate::policy::cursor::Cursor;
use crate::policy::{Code, Outcomes, Policy};

/// Warns where the one who is to count cannot.
pub(super) fn check(policy: &Policy, root: &Cursor) {
    if policy.outcomes == Outcomes::Envoy && policy.variant_header.is_none() {
        root.field("outcomes")
            .report(
                Code::UncountedOutcomes,
                "envoy's access logger counts by the variant header, which is off",
            )
            .help("leave `variant_header` on, or write `outcomes: filter`");
    }
}
