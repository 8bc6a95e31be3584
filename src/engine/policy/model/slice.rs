//! Shares of a layer.

use crate::units::{Bucket, Buckets};

/// A split's share of its layer: the buckets `from <= bucket < to`. It holds somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    from: Buckets,
    to: Buckets,
}

impl Slice {
    /// All buckets of a layer.
    pub const WHOLE: Self = Self { from: Buckets::NONE, to: Buckets::ALL };

    /// The buckets of `to` that are not among those of `from`; `None` where there are none.
    pub fn new(from: Buckets, to: Buckets) -> Option<Self> {
        (from < to).then_some(Self { from, to })
    }

    /// Those below are before the slice.
    pub const fn from(self) -> Buckets {
        self.from
    }

    /// Those below are in the slice, or before it.
    pub const fn to(self) -> Buckets {
        self.to
    }

    /// Whether a user is in it.
    pub const fn holds(self, bucket: Bucket) -> bool {
        self.to.hold(bucket) && !self.from.hold(bucket)
    }

    /// Whether anybody is in both.
    pub fn overlaps(self, other: Self) -> bool {
        other.from < self.to && self.from < other.to
    }

    /// What is left of it without another one.
    pub fn without(self, other: Self) -> impl Iterator<Item = Self> {
        let before = Self::new(self.from, self.to.min(other.from));
        let after = Self::new(self.from.max(other.to), self.to);
        before.into_iter().chain(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(from: u16, to: u16) -> Option<Slice> {
        Slice::new(Buckets::new(from)?, Buckets::new(to)?)
    }

    #[test]
    fn a_slice_holds_from_its_first_bucket_to_before_its_end() {
        let slice = slice(1, 2).unwrap();
        let held: Vec<_> = (0..4_u64)
            .map(|n| Bucket::of(n * (u64::MAX / 10_000 + 1)))
            .filter(|bucket| slice.holds(*bucket))
            .map(Bucket::number)
            .collect();
        assert_eq!(held, [1]);
    }

    #[test]
    fn a_slice_of_nobody_is_none() {
        assert_eq!((slice(5, 5), slice(6, 5), slice(0, 10_001)), (None, None, None));
        assert_eq!(slice(0, 10_000), Some(Slice::WHOLE));
    }

    #[test]
    fn what_is_left_is_before_and_after() {
        let left = |other| Slice::WHOLE.without(other).collect::<Vec<_>>();
        let middle = slice(10, 20).unwrap();
        assert_eq!(left(middle), [slice(0, 10).unwrap(), slice(20, 10_000).unwrap()]);
        assert_eq!(left(Slice::WHOLE), []);
        assert!(middle.overlaps(Slice::WHOLE) && !middle.overlaps(slice(20, 30).unwrap()));
    }
}
