//! How many metrics a policy makes: a proxy never frees one, and each is a time series or more for whoever watches.

use crate::outcome::Class;
use crate::policy::sink::{Path, Sink};
use crate::policy::{Code, Policy};
use crate::reason::Reason;

/// Variants that all enabled splits may have together: 80,000 metrics at most.
pub(super) const VARIANTS_IN_ALL_MAX: usize = 5_000;

/// The most metrics that one variant can have: every reason, every class, the duration and the weight.
pub(super) const PER_VARIANT_MAX: usize = Reason::ALL.len() + Class::ALL.len() + 2;

/// Checks the number of variants over all splits; a split that is not enabled has no metrics.
pub(super) fn check(policy: &Policy, sink: &mut Sink) {
    let enabled = policy.splits.iter().filter(|split| split.enabled);
    let variants = enabled.fold(0_usize, |sum, split| sum.saturating_add(split.variants.len()));
    if variants > VARIANTS_IN_ALL_MAX {
        let message = format!(
            "{variants} variants in all splits are more than {VARIANTS_IN_ALL_MAX}, and each has up to {} metrics",
            PER_VARIANT_MAX
        );
        sink.error(Code::LimitExceeded, &Path::Field(&Path::Root, "splits"), message)
            .help("give splits that are not in use `enabled: false`, or proxies only the splits they need");
    }
}
