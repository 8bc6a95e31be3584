//! Numbers with a unit. What a number counts is its type, so that none is taken for another, and
//! none is out of its range.

use std::num::NonZeroU32;

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

/// A moment: milliseconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Moment {
    /// So many milliseconds after the first moment of 1970.
    pub const fn new(milliseconds: u64) -> Self {
        Self(milliseconds)
    }

    /// The milliseconds since 1970.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The time since another moment; `None` where that comes later.
    pub fn since(self, earlier: Self) -> Option<Millis> {
        self.0.checked_sub(earlier.0).map(Millis)
    }

    /// The moment so much later; the last there is where that is beyond it.
    pub const fn after(self, time: Millis) -> Self {
        Self(self.0.saturating_add(time.0))
    }

    /// The moment so much earlier; the first of 1970 where that is before it.
    pub const fn before(self, time: Millis) -> Self {
        Self(self.0.saturating_sub(time.0))
    }
}

/// A stretch of time in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(u64);

impl Millis {
    /// So many.
    pub const fn new(milliseconds: u64) -> Self {
        Self(milliseconds)
    }

    /// How many.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// A stretch of time in whole seconds, never 0, as browsers count the life of a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seconds(NonZeroU32);

impl Seconds {
    /// So many; `None` for 0.
    pub const fn new(seconds: u32) -> Option<Self> {
        match NonZeroU32::new(seconds) {
            Some(seconds) => Some(Self(seconds)),
            None => None,
        }
    }

    /// A time that is a whole number of seconds and not 0.
    pub fn whole(time: Millis) -> Option<Self> {
        let seconds = u32::try_from(time.0 / 1_000).ok()?;
        time.0.is_multiple_of(1_000).then(|| Self::new(seconds))?
    }

    /// How many.
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

impl From<Seconds> for Millis {
    fn from(seconds: Seconds) -> Self {
        Self(u64::from(seconds.get()).wrapping_mul(1_000))
    }
}

/// How many times as often: above 1, up to 1,000, in units of 0.0001.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ratio(u32);

impl Ratio {
    /// Units in a ratio of 1.
    pub const UNITS_PER_ONE: u32 = 10_000;
    /// The largest, in whole numbers.
    pub const MAX: u32 = 1_000;
    /// One and a half times as often.
    pub const ONE_AND_A_HALF: Self = Self(15_000);
    /// Twice as often.
    pub const TWO: Self = Self(20_000);

    /// So many units of 0.0001; `None` for a ratio of 1 or less, or above the largest.
    pub const fn from_units(units: u32) -> Option<Self> {
        let largest = Self::MAX.saturating_mul(Self::UNITS_PER_ONE);
        if units > Self::UNITS_PER_ONE && units <= largest { Some(Self(units)) } else { None }
    }

    /// How many units of 0.0001.
    pub const fn units(self) -> u32 {
        self.0
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

    #[test]
    fn only_whole_seconds_are_seconds() {
        let seconds = |time| Seconds::whole(Millis::new(time)).map(Seconds::get);
        let found = [0, 1, 999, 1_000, 1_001, 90_000, u64::MAX].map(seconds);
        assert_eq!(found, [None, None, None, Some(1), None, Some(90), None]);
        let last = Seconds::new(u32::MAX).unwrap();
        assert_eq!(Seconds::whole(last.into()), Some(last));
    }

    #[test]
    fn a_ratio_is_above_one() {
        let units = |units| Ratio::from_units(units).map(Ratio::units);
        let found = [0, 10_000, 10_001, 15_000, 10_000_000, 10_000_001].map(units);
        assert_eq!(found, [None, None, Some(10_001), Some(15_000), Some(10_000_000), None]);
    }

    #[test]
    fn moments_have_time_between_them() {
        let (early, late) = (Moment::new(5), Moment::new(7));
        assert_eq!((late.since(early), early.since(late)), (Some(Millis::new(2)), None));
        assert_eq!((early.after(Millis::new(2)), late.since(late)), (late, Some(Millis::new(0))));
    }
}
