//! Typed places: which split, which variant, which question. An id is a place in one list, and only
//! the list of its kind takes it, so that no number is ever mistaken for another.

use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

/// A place in a [`List`] of its kind.
pub trait Id: Copy + Eq {
    /// The id of a place. A policy is limited so that every place of its lists has one, and a plan asks for
    /// fewer names than 2^32; a place beyond is the last.
    fn at(place: usize) -> Self;
    /// The place, counted from 0.
    fn place(self) -> usize;
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident($number:ty);)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($number);

        impl Id for $name {
            fn at(place: usize) -> Self {
                Self(<$number>::try_from(place).unwrap_or(<$number>::MAX))
            }

            fn place(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

ids! {
    /// A split of a policy and of its plan: both list all of them, in the order written.
    SplitId(u16);
    /// A variant of one split, in the order written.
    VariantId(u8);
    /// A layer of a policy; there are at most 64.
    LayerId(u8);
    /// A request header that a plan asks for.
    HeaderSlot(u32);
    /// A cookie that a plan asks for.
    CookieSlot(u32);
    /// A query parameter that a plan asks for.
    QuerySlot(u32);
    /// A claim that a plan asks for.
    ClaimSlot(u32);
    /// A list of key sources: splits that find their user alike share one.
    KeyId(u16);
    /// A metric of a plan.
    MetricId(u32);
    /// A salt: splits that draw the same numbers share one.
    SaltId(u16);
}

impl SplitId {
    /// The first split of a policy.
    pub const FIRST: Self = Self(0);
}

impl HeaderSlot {
    /// The slot of a header that every plan asks for.
    pub(crate) const fn common(place: u32) -> Self {
        Self(place)
    }
}

/// Some of the variants of one split; there are at most 64.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VariantSet(u64);

impl VariantSet {
    /// None of them.
    pub const NONE: Self = Self(0);

    /// Whether a variant is among them.
    pub const fn has(self, variant: VariantId) -> bool {
        self.0 & bit(variant) != 0
    }

    /// With this one too.
    #[must_use]
    pub const fn with(self, variant: VariantId) -> Self {
        Self(self.0 | bit(variant))
    }

    /// Without this one.
    #[must_use]
    pub const fn without(self, variant: VariantId) -> Self {
        Self(self.0 & !bit(variant))
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// A variant's bit.
const fn bit(variant: VariantId) -> u64 {
    1_u64.rotate_left(variant.0 as u32)
}

/// A list that is asked by ids of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<I, T> {
    items: Vec<T>,
    kind: PhantomData<I>,
}

impl<I, T> List<I, T> {
    /// A list of nothing.
    pub const EMPTY: Self = Self { items: Vec::new(), kind: PhantomData };
}

impl<I: Id, T> List<I, T> {
    /// How many there are.
    pub const fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Every item, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.items.iter()
    }

    /// Every item, in order, to be changed.
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, T> {
        self.items.iter_mut()
    }

    /// Every item with its id, in order.
    pub fn pairs(&self) -> impl DoubleEndedIterator<Item = (I, &T)> + ExactSizeIterator {
        self.items.iter().enumerate().map(|(place, item)| (I::at(place), item))
    }

    /// Every id, in order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = I> + use<I, T> {
        (0..self.items.len()).map(I::at)
    }

    /// The first id whose item is as wanted.
    pub fn find(&self, wanted: impl FnMut(&T) -> bool) -> Option<I> {
        self.items.iter().position(wanted).map(I::at)
    }

    /// Adds an item at the end.
    pub fn push(&mut self, item: T) -> I {
        let id = I::at(self.items.len());
        self.items.push(item);
        id
    }

    /// All items, as a plain list.
    pub fn as_slice(&self) -> &[T] {
        &self.items
    }

    /// The same ids for other items.
    pub fn map<'l, U>(&'l self, each: impl FnMut(&'l T) -> U) -> List<I, U> {
        self.items.iter().map(each).collect()
    }
}

impl<I: Id, T> Index<I> for List<I, T> {
    type Output = T;

    #[expect(
        clippy::indexing_slicing,
        reason = "ids are made by the list that they are asked of; a default for another list's would hide the mistake"
    )]
    fn index(&self, id: I) -> &T {
        &self.items[id.place()]
    }
}

impl<I: Id, T> IndexMut<I> for List<I, T> {
    #[expect(clippy::indexing_slicing, reason = "as above")]
    fn index_mut(&mut self, id: I) -> &mut T {
        &mut self.items[id.place()]
    }
}

impl<I, T> Default for List<I, T> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<I, T> From<Vec<T>> for List<I, T> {
    fn from(items: Vec<T>) -> Self {
        Self { items, kind: PhantomData }
    }
}

impl<I, T> FromIterator<T> for List<I, T> {
    fn from_iter<L: IntoIterator<Item = T>>(items: L) -> Self {
        Vec::from_iter(items).into()
    }
}

impl<'l, I, T> IntoIterator for &'l List<I, T> {
    type Item = &'l T;
    type IntoIter = std::slice::Iter<'l, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_asked_by_the_ids_it_gave() {
        let mut list: List<VariantId, &str> = List::default();
        let (a, b) = (list.push("a"), list.push("b"));
        assert_eq!((list[a], list[b], list.len()), ("a", "b", 2));
        assert_eq!(list.pairs().collect::<Vec<_>>(), [(a, &"a"), (b, &"b")]);
        assert_eq!(
            (list.find(|name| *name == "b"), list.find(|name| *name == "c")),
            (Some(b), None)
        );
    }

    #[test]
    fn a_set_has_the_variants_that_were_put_into_it() {
        let [first, last] = [0, 63].map(VariantId::at);
        let set = VariantSet::NONE.with(last).with(first);
        assert!(set.has(first) && set.has(last) && !set.has(VariantId::at(5)));
        assert!(set.without(first).without(last).is_empty() && !set.without(first).is_empty());
    }

    #[test]
    fn a_place_beyond_all_ids_is_the_last() {
        assert_eq!(VariantId::at(1_000).place(), 255);
    }
}
