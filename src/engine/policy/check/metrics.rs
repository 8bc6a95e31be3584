//! How many metrics a policy makes: a proxy never frees one, and each is a time series or more for whoever watches.

use crate::policy::cursor::Cursor;
use crate::policy::{Code, Policy, limits};

/// Checks the number of variants over all splits; a split that is not enabled has no metrics.
pub(super) fn check(policy: &Policy, list: &Cursor) {
    let enabled = policy.splits.iter().filter(|split| split.enabled);
    let variants = enabled.fold(0_usize, |sum, split| sum.saturating_add(split.variants.len()));
    if variants > limits::VARIANTS_IN_ALL {
        let message = format!(
            "{variants} variants in all splits are more than {}, and each has up to {} metrics",
            limits::VARIANTS_IN_ALL,
            limits::METRICS_OF_A_VARIANT
        );
        list.report(Code::LimitExceeded, message)
            .help("give splits that are not in use `enabled: false`, or proxies only the splits they need");
    }
}
