//! When a variant is taken out of service.

use crate::units::{Millis, Ratio};

/// Takes out a variant whose users fail more often than those of the baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guard {
    /// How many times as often its users may meet an error; `None` = not judged.
    pub errors: Option<Ratio>,
    /// When its requests are too slow; `None` = not judged.
    pub slow: Option<Slow>,
    /// The mean number of bad events between two false trips.
    pub false_trips: u64,
    /// When a variant is let in again.
    pub release: Release,
}

/// What slow is, and how much of it is permitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slow {
    /// A request that takes this long is slow; never 0.
    pub over: Millis,
    /// How many times as often its users may meet a slow one.
    pub ratio: Ratio,
}

/// When a variant that tripped is let in again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Release {
    /// With another policy.
    #[default]
    Policy,
    /// After this time, never 0; twice as long after each further trip, up to 64 times.
    After(Millis),
}

impl Release {
    /// The word of [`Self::Policy`].
    pub const POLICY: &str = "policy";
}

impl Guard {
    /// The default of `false_trips`.
    pub const FALSE_TRIPS: u64 = 1_000_000;

    /// The default of `errors.ratio`.
    pub const ERRORS: Ratio = Ratio::ONE_AND_A_HALF;
    /// The default of `slow.ratio`.
    pub const SLOW: Ratio = Ratio::TWO;
}
