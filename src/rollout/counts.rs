//! Cumulative counters, as they are scraped or exported -> what came between two looks.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What came of one variant between two looks: so many events (users, requests), so many of them bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Reading", into = "Reading")]
pub struct Delta {
    total: u64,
    bad: u64,
}

impl Delta {
    /// No event.
    pub const NONE: Self = Self { total: 0, bad: 0 };

    /// So many events, so many of them bad.
    ///
    /// # Errors
    /// When more are bad than there are.
    pub const fn new(total: u64, bad: u64) -> Result<Self, CountsError> {
        if bad > total { Err(CountsError::MoreBad { total, bad }) } else { Ok(Self { total, bad }) }
    }

    /// All events.
    pub const fn total(self) -> u64 {
        self.total
    }

    /// Those that are bad.
    pub const fn bad(self) -> u64 {
        self.bad
    }

    /// Those that are not.
    pub const fn good(self) -> u64 {
        self.total.saturating_sub(self.bad)
    }

    /// The part that is bad, 0 to 1; `None` of no events.
    pub fn ratio(self) -> Option<f64> {
        (self.total > 0).then(|| self.bad as f64 / self.total as f64)
    }

    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        let bad = self.bad.saturating_add(other.bad);
        let total = self.total.saturating_add(other.total);
        Self { total, bad }
    }
}

/// Two counters of one variant as they stand: nothing is said about how they fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// All events.
    pub total: u64,
    /// Those that are bad.
    pub bad: u64,
}

impl TryFrom<Reading> for Delta {
    type Error = CountsError;

    fn try_from(reading: Reading) -> Result<Self, CountsError> {
        Self::new(reading.total, reading.bad)
    }
}

impl From<Delta> for Reading {
    fn from(delta: Delta) -> Self {
        Self { total: delta.total, bad: delta.bad }
    }
}

/// Why counts are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountsError {
    /// More bad events than events.
    MoreBad {
        /// All events.
        total: u64,
        /// Those that are bad.
        bad: u64,
    },
    /// The same, of one of the variants of a look.
    MoreBadOf {
        /// The place of the variant.
        variant: usize,
        /// All its events since the last look.
        total: u64,
        /// Those that are bad.
        bad: u64,
    },
    /// A look that is not after the one before it, in milliseconds.
    OutOfOrder {
        /// The time of the look before.
        after: u64,
        /// The time of this one.
        time: u64,
    },
    /// Not one reading for each variant.
    Variants {
        /// How many variants there are.
        expected: usize,
        /// How many readings came.
        found: usize,
    },
}

impl fmt::Display for CountsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MoreBad { total, bad } | Self::MoreBadOf { total, bad, .. } => {
                write!(f, "`{bad}` bad events, and only `{total}` events")
            }
            Self::OutOfOrder { after, time } => {
                write!(f, "a look at `{time}` ms, which is not after the last one at `{after}` ms")
            }
            Self::Variants { expected, found } => {
                write!(f, "`{found}` readings for `{expected}` variants")
            }
        }
    }
}

impl std::error::Error for CountsError {}

/// A counter that only grows, but begins again at 0 when its process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Counter {
    last: Option<u64>,
}

impl Counter {
    /// A counter that was 0 when the run began: all that it shows is of the run.
    pub const ZERO: Self = Self { last: Some(0) };
    /// A counter that ran before: its first reading is where the run begins.
    pub const RUNNING: Self = Self { last: None };

    /// What was added since the last reading. A counter that shows less than before has begun again.
    pub const fn advance(&mut self, reading: u64) -> u64 {
        let added = match self.last {
            None => 0,
            Some(last) if reading >= last => reading.saturating_sub(last),
            Some(_) => reading,
        };
        self.last = Some(reading);
        added
    }
}

/// Whether the two counters of a variant are read at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scraped {
    /// They are: more bad events than events is a mistake.
    Together,
    /// They are not, so that a bad event can show before it shows among all: then the look waits for the next one, of
    /// all variants alike.
    Apart,
}

/// The counters of all variants of a split, read at the same times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    scraped: Scraped,
    last: Option<u64>,
    variants: Vec<Counters>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counters {
    total: Counter,
    bad: Counter,
    waiting: Reading,
}

impl Counts {
    /// For so many variants, whose counters begin as told: [`Counter::ZERO`] or [`Counter::RUNNING`].
    pub fn new(variants: usize, begin: Counter, scraped: Scraped) -> Self {
        let counters = Counters { total: begin, bad: begin, waiting: Reading::default() };
        Self { scraped, last: None, variants: vec![counters; variants] }
    }

    /// The counters as they stand at a time (milliseconds since 1970), one reading for each variant: what came of each
    /// since the last look. `None` where the look waits for the next one.
    ///
    /// # Errors
    /// When the time is not after the last one, a variant is missing, or more events are bad than there are. Then the
    /// look counts for nothing.
    pub fn look(
        &mut self,
        time: u64,
        readings: &[Reading],
    ) -> Result<Option<Vec<Delta>>, CountsError> {
        if let Some(after) = self.last.filter(|after| time <= *after) {
            return Err(CountsError::OutOfOrder { after, time });
        }
        let (expected, found) = (self.variants.len(), readings.len());
        if expected != found {
            return Err(CountsError::Variants { expected, found });
        }
        let mut next = self.clone();
        next.last = Some(time);
        let mut deltas = Vec::with_capacity(expected);
        let mut wait = false;
        for (variant, (counters, reading)) in next.variants.iter_mut().zip(readings).enumerate() {
            let Counters { total, bad, waiting } = counters;
            // Of counters that are read together one process is the source, and begins both again.
            if self.scraped == Scraped::Together
                && (total.last > Some(reading.total) || bad.last > Some(reading.bad))
            {
                (*total, *bad) = (Counter::ZERO, Counter::ZERO);
            }
            waiting.total = waiting.total.saturating_add(total.advance(reading.total));
            waiting.bad = waiting.bad.saturating_add(bad.advance(reading.bad));
            match Delta::try_from(*waiting) {
                Ok(delta) => deltas.push(delta),
                Err(_) if self.scraped == Scraped::Apart => wait = true,
                Err(_) => {
                    let Reading { total, bad } = *waiting;
                    return Err(CountsError::MoreBadOf { variant, total, bad });
                }
            }
        }
        if !wait {
            next.variants.iter_mut().for_each(|counters| counters.waiting = Reading::default());
        }
        *self = next;
        Ok((!wait).then_some(deltas))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readings(list: &[(u64, u64)]) -> Vec<Reading> {
        list.iter().map(|(total, bad)| Reading { total: *total, bad: *bad }).collect()
    }

    fn deltas(list: &[(u64, u64)]) -> Vec<Delta> {
        list.iter().map(|(total, bad)| Delta::new(*total, *bad).unwrap()).collect()
    }

    #[test]
    fn a_counter_that_shows_less_has_begun_again() {
        let mut counter = Counter::ZERO;
        assert_eq!([5, 5, 9, 3, 4].map(|n| counter.advance(n)), [5, 0, 4, 3, 1]);
        let mut counter = Counter::RUNNING;
        assert_eq!([500, 501].map(|n| counter.advance(n)), [0, 1]);
    }

    #[test]
    fn looks_are_what_came_between_them() {
        let mut counts = Counts::new(2, Counter::ZERO, Scraped::Together);
        let first = counts.look(1, &readings(&[(100, 1), (10, 0)])).unwrap();
        assert_eq!(first, Some(deltas(&[(100, 1), (10, 0)])));
        // The first one's process began again, which its number of bad events alone does not show.
        let second = counts.look(2, &readings(&[(50, 1), (30, 2)])).unwrap();
        assert_eq!(second, Some(deltas(&[(50, 1), (20, 2)])));
        let mut running = Counts::new(1, Counter::RUNNING, Scraped::Together);
        assert_eq!(running.look(1, &readings(&[(900, 9)])).unwrap(), Some(vec![Delta::NONE]));
    }

    #[test]
    fn a_look_that_is_refused_counts_for_nothing() {
        let mut counts = Counts::new(1, Counter::ZERO, Scraped::Together);
        counts.look(5, &readings(&[(10, 1)])).unwrap();
        let before = counts.clone();
        for (time, of, error) in [
            (5, &[(20, 1)][..], CountsError::OutOfOrder { after: 5, time: 5 }),
            (4, &[(20, 1)], CountsError::OutOfOrder { after: 5, time: 4 }),
            (6, &[], CountsError::Variants { expected: 1, found: 0 }),
            (6, &[(11, 4)], CountsError::MoreBadOf { variant: 0, total: 1, bad: 3 }),
        ] {
            assert_eq!(counts.look(time, &readings(of)), Err(error));
            assert_eq!(counts, before);
        }
    }

    #[test]
    fn counters_that_are_scraped_apart_wait_all_together() {
        let mut counts = Counts::new(2, Counter::ZERO, Scraped::Apart);
        assert_eq!(counts.look(1, &readings(&[(100, 1), (2, 3)])).unwrap(), None);
        let next = counts.look(2, &readings(&[(200, 2), (9, 3)])).unwrap();
        assert_eq!(next, Some(deltas(&[(200, 2), (9, 3)])));
        assert_eq!(
            counts.look(3, &readings(&[(200, 2), (9, 3)])).unwrap(),
            Some(vec![Delta::NONE; 2])
        );
    }

    #[test]
    fn more_bad_events_than_events_are_no_state_either() {
        let wrong = serde_json::from_str::<Delta>(r#"{"total": 1, "bad": 2}"#).unwrap_err();
        assert!(wrong.to_string().contains("`2` bad events, and only `1` events"), "{wrong}");
    }
}
