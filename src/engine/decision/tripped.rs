//! The variants that are out of service in this proxy, because of their guard.

use crate::ids::{Id as _, List, SplitId, VariantSet};

/// For each split the variants that are out; their weights count as 0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tripped {
    /// As far as there are any.
    splits: List<SplitId, VariantSet>,
}

impl Tripped {
    /// None of any split.
    pub const NONE: &Self = &Self { splits: List::EMPTY };

    /// Those of a split.
    pub fn of(&self, split: SplitId) -> VariantSet {
        self.splits.as_slice().get(split.place()).copied().unwrap_or_default()
    }

    /// These of a split are out now, and no others of it.
    pub fn set(&mut self, split: SplitId, variants: VariantSet) {
        while self.splits.len() <= split.place() {
            self.splits.push(VariantSet::NONE);
        }
        self.splits[split] = variants;
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.splits.iter().all(|variants| variants.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::VariantId;

    #[test]
    fn each_split_has_its_own() {
        let [first, third] = [0, 2].map(SplitId::at);
        let canary = VariantSet::NONE.with(VariantId::at(1));
        let mut tripped = Tripped::default();
        assert!(tripped.is_empty() && tripped.of(third).is_empty());
        tripped.set(third, canary);
        assert_eq!((tripped.of(first), tripped.of(third)), (VariantSet::NONE, canary));
        tripped.set(third, VariantSet::NONE);
        assert!(tripped.is_empty());
    }
}
