//! Names with a number each.

use std::collections::BTreeMap;

/// A map from names to numbers, most often their places in a list.
///
/// The one sorted map of the engine: every type of map or set, and every type that is sorted, would
/// bring its own copy of the machinery into the module.
#[derive(Default)]
pub(super) struct NameMap<'n>(BTreeMap<&'n str, usize>);

impl<'n> NameMap<'n> {
    /// Puts a name in. Where it was there already, it gets the new number; returns the one before.
    #[inline(never)]
    pub(super) fn insert(&mut self, name: &'n str, number: usize) -> Option<usize> {
        self.0.insert(name, number)
    }

    /// The number of a name.
    #[inline(never)]
    pub(super) fn number(&self, name: &str) -> Option<usize> {
        self.0.get(name).copied()
    }

    /// The names with their numbers, by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'n str, usize)> {
        self.0.iter().map(|(name, number)| (*name, *number))
    }
}
