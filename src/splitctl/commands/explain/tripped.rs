//! Variants that are said to be out of service: `canary`, or `checkout/canary`.

use anyhow::{anyhow, bail, ensure};
use engine::decision::Tripped;
use engine::ids::{SplitId, VariantId};
use engine::policy::{Policy, Split};

use crate::verdict::find_split;

/// Finds the variants in their splits.
///
/// # Errors
/// When one of them cannot be out.
pub(super) fn find(policy: &Policy, names: &[String]) -> anyhow::Result<Tripped> {
    let mut tripped = Tripped::default();
    for name in names {
        let (id, split, variant) = find_one(policy, name)?;
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

fn find_one<'p>(policy: &'p Policy, name: &str) -> anyhow::Result<(SplitId, &'p Split, VariantId)> {
    let named = |split: &Split, wanted: &str| split.variants.find(|v| v.name == wanted);
    if let Some((split, variant)) = name.split_once('/') {
        let (id, split) = find_split(policy, split)?;
        let found = named(split, variant);
        let found =
            found.ok_or_else(|| anyhow!("split `{}` has no variant `{variant}`", split.name))?;
        return Ok((id, split, found));
    }
    let with = policy.splits.pairs().filter_map(|(id, s)| Some((id, s, named(s, name)?)));
    match with.collect::<Vec<_>>().as_slice() {
        [] => bail!("no split of the policy has a variant `{name}`"),
        [one] => Ok(*one),
        [(_, split, _), ..] => {
            bail!("several splits have a variant `{name}`: write `{}/{name}`", split.name)
        }
    }
}
