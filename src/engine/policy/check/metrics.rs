//! How many metrics a policy makes: a proxy never frees one, and each is a time series or more for whoever watches.

use crate::metrics::Metrics;
use crate::policy::sink::{Path, Sink};
use crate::policy::{Code, Policy};

/// Variants that all enabled splits may have together: 80,000 metrics at most.
pub(super) const VARIANTS_IN_ALL_MAX: usize = 5_000;

/// Checks the number of variants over all splits; a split that is not enabled has no metrics.
pub(super) fn check(policy: &Policy, sink: &mut Sink) {
    let enabled = policy.splits.iter().filter(|split| split.enabled);
    let variants = enabled.fold(0_usize, |sum, split| sum.saturating_add(split.variants.len()));
    if variants > VARIANTS_IN_ALL_MAX {
        let message = format!(
            "{variants} variants in all splits are more than {VARIANTS_IN_ALL_MAX}, and each has up to {} metrics",
            Metrics::PER_VARIANT_MAX
        );
        sink.error(Code::LimitExceeded, &Path::Field(&Path::Root, "splits"), message)
            .help("give splits that are not in use `enabled: false`, or proxies only the splits they need");
    }
}
