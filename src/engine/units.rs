//! Numbers with a unit. What a number counts is its type, so that none is taken for another, and
//! none is out of its range.

/// A user's number for one purpose: 0..=9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bucket(u16);

impl Bucket {
    /// That of a word of a hash, or of chance: `(word * 10000) >> 64`.
    pub const fn of(word: u64) -> Self {
        Self(((word as u128).wrapping_mul(Buckets::ALL.0 as u128) >> 64) as u16)
    }

    /// The number.
    pub const fn number(self) -> u16 {
        self.0
    }
}

/// So many buckets, counted from the first: hundredths of a percent, 0..=10000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Buckets(u16);

impl Buckets {
    /// No bucket.
    pub const NONE: Self = Self(0);
    /// Every bucket.
    pub const ALL: Self = Self(10_000);

    /// So many; `None` where there are not as many.
    pub const fn new(count: u16) -> Option<Self> {
        if count <= Self::ALL.0 { Some(Self(count)) } else { None }
    }

    /// How many.
    pub const fn count(self) -> u16 {
        self.0
    }

    /// Whether a bucket is one of them.
    pub const fn hold(self, bucket: Bucket) -> bool {
        bucket.0 < self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_cover_their_whole_range() {
        for (word, number) in [(0, 0), (1 << 63, 5_000), (u64::MAX, 9_999)] {
            assert_eq!(Bucket::of(word).number(), number);
        }
        assert!(Buckets::ALL.hold(Bucket::of(u64::MAX)) && !Buckets::NONE.hold(Bucket::of(0)));
        assert_eq!((Buckets::new(10_000), Buckets::new(10_001)), (Some(Buckets::ALL), None));
    }
}
