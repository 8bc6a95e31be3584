//! Variants that are said to be out of service: `canary`, or `checkout/canary`.

use anyhow::ensure;
use engine::decision::Tripped;
use engine::policy::{Policy, Split};

use crate::verdict::find_variant;

/// Finds the variants in their splits.
///
/// # Errors
/// When one of them cannot be out.
pub(super) fn find(policy: &Policy, names: &[String]) -> anyhow::Result<Tripped> {
    let mut tripped = Tripped::default();
    for name in names {
        let (id, split, variant) = find_variant(policy, name)?;
        let Split { name, variants, baseline, .. } = split;
        let variant_name = &variants[variant].name;
        ensure!(
            variant != *baseline,
            "`{variant_name}` is the baseline of `{name}`, which never trips"
        );
        ensure!(
            split.guard.is_some(),
            "split `{name}` has no `guard`, so that nothing in it trips"
        );
        tripped.set(id, tripped.of(id).with(variant));
    }
    Ok(tripped)
}
