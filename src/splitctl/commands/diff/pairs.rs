//! Which split of the new policy is which of the old one, and which variant is which.

use engine::decision::Population;
use engine::ids::VariantId;
use engine::policy::{Policy, Split};

use super::Side;

/// A split before and after; at least one of them is there.
#[derive(Clone, Copy)]
pub(super) struct Pair<'p> {
    pub(super) old: Option<&'p Split>,
    pub(super) new: Option<&'p Split>,
}

impl Pair<'_> {
    /// Whether it serves every user the same before and after, as far as that can be told without asking them: it
    /// says the same, and so do the splits that are judged with it.
    pub(super) fn is_same(&self, old: &Side, new: &Side) -> bool {
        let around = |policy: &Policy| (policy.kill, policy.trusted_hops, policy.holdout.clone());
        let judged = |side: &Side, split: Option<&Split>| {
            let population = Population::of(&side.plan, side.id(split)?);
            let judged = population.judged().iter().map(|id| {
                let split = &side.policy.splits[*id];
                let layer = split.layer.map(|layer| side.policy.layers[layer].clone());
                let names = |r: &engine::policy::Requirement| {
                    let required = &side.policy.splits[r.split];
                    (required.name.clone(), required.variants[r.variant].name.clone())
                };
                let requires: Vec<_> = split.requires.iter().map(names).collect();
                // Places in the policy may be others and mean the same.
                (Split { layer: None, requires: Vec::new(), ..split.clone() }, layer, requires)
            });
            Some(judged.collect::<Vec<_>>())
        };
        around(old.policy) == around(new.policy) && judged(old, self.old) == judged(new, self.new)
    }

    /// Its name; where it was renamed the new one.
    pub(super) fn name(&self) -> &str {
        self.new.or(self.old).map_or("", |split| &split.name)
    }

    /// The old variant that a new one is, as an index: by name, or one that was renamed.
    pub(super) fn old_variant(&self, new: VariantId) -> Option<VariantId> {
        let (old_split, new_split) = (self.old?, self.new?);
        let variant = &new_split.variants[new];
        let by_name = old_split.variants.find(|v| v.name == variant.name);
        by_name.or_else(|| {
            // A new name for the same cluster, where the old name is gone.
            let gone = |name: &str| new_split.variants.iter().all(|v| v.name != name);
            old_split
                .variants
                .find(|v| v.cluster.is_some() && v.cluster == variant.cluster && gone(&v.name))
        })
    }
}

/// All splits, in the order of the new policy, and then those that are gone. A split with a new name is the one
/// that is gone whose variants have the same names
/// and clusters.
pub(super) fn pairs<'p>(old: &'p Policy, new: &'p Policy) -> Vec<Pair<'p>> {
    let find = |policy: &'p Policy, name: &str| policy.splits.iter().find(|s| s.name == name);
    let mut gone: Vec<&Split> =
        old.splits.iter().filter(|split| find(new, &split.name).is_none()).collect();
    let mut pairs: Vec<Pair<'p>> = Vec::new();
    for split in &new.splits {
        let same = find(old, &split.name).or_else(|| {
            let renamed = gone.iter().position(|gone| variants(gone) == variants(split))?;
            Some(gone.remove(renamed))
        });
        pairs.push(Pair { old: same, new: Some(split) });
    }
    pairs.extend(gone.into_iter().map(|split| Pair { old: Some(split), new: None }));
    pairs
}

fn variants(split: &Split) -> Vec<(&str, Option<&str>)> {
    let variants = split.variants.iter();
    let mut variants: Vec<_> = variants.map(|v| (v.name.as_str(), v.cluster.as_deref())).collect();
    variants.sort_unstable();
    variants
}
