//! Whether users are spread over the variants as configured: a test for a sample ratio mismatch that may be looked at
//! at any time.
//!
//! The counts of users since the shares last changed have, under a Dirichlet distribution of shares around the
//! configured ones, a likelihood over that of the configured shares; its mean never grows where they hold (Lindon &
//! Malek, NeurIPS 2022). When the shares change the evidence so far is kept, and the next begins.

use std::fmt;
use std::num::NonZeroU32;

use libm::{exp, lgamma, log};
use serde::{Deserialize, Serialize};

/// How many users the distribution of shares is worth: shares that are off by some percent of themselves are looked for.
const PRIOR: f64 = 1_000.0;

/// Judges how users are spread over the variants. Users, never requests: of those one user makes many.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assignments {
    /// By how many each user may be counted, such as workers.
    counted_by: NonZeroU32,
    /// The logarithm of the evidence from before the shares changed, and the largest that it ever was.
    before: f64,
    largest: f64,
    weights: Vec<u64>,
    users: Vec<u64>,
}

/// Why assignments are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssignmentsError {
    /// No variant has a weight.
    NoWeight,
    /// Not one count for each variant.
    Variants {
        /// How many variants there are.
        expected: usize,
        /// How many counts came.
        found: usize,
    },
}

impl fmt::Display for AssignmentsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoWeight => f.write_str("no variant has a weight"),
            Self::Variants { expected, found } => {
                write!(f, "`{found}` counts for `{expected}` variants")
            }
        }
    }
}

impl std::error::Error for AssignmentsError {}

impl Assignments {
    /// A p below this is a mismatch.
    pub const MISMATCH: f64 = 0.001;

    /// Before any user. `weights` are those of all variants, in any unit; `counted_by` is how many count each user for
    /// themselves, such as the workers of a proxy: the same user counted again is no evidence.
    ///
    /// # Errors
    /// When no variant has a weight.
    pub fn new(weights: &[u64], counted_by: NonZeroU32) -> Result<Self, AssignmentsError> {
        let mut new =
            Self { counted_by, before: 0.0, largest: 0.0, weights: Vec::new(), users: Vec::new() };
        new.set_weights(weights)?;
        Ok(new)
    }

    /// Other weights from here on.
    ///
    /// # Errors
    /// When no variant has a weight; then nothing changes.
    pub fn set_weights(&mut self, weights: &[u64]) -> Result<(), AssignmentsError> {
        if weights.iter().all(|weight| *weight == 0) {
            return Err(AssignmentsError::NoWeight);
        }
        self.before = self.log_evidence();
        self.weights = weights.to_vec();
        self.users = vec![0; weights.len()];
        Ok(())
    }

    /// Takes in the users who came to each variant since the last look; the [`p`](Self::p) from then on.
    ///
    /// # Errors
    /// When there is not one count for each variant; then nothing changes.
    pub fn look(&mut self, users: &[u64]) -> Result<f64, AssignmentsError> {
        let (expected, found) = (self.weights.len(), users.len());
        if expected != found {
            return Err(AssignmentsError::Variants { expected, found });
        }
        for (sum, more) in self.users.iter_mut().zip(users) {
            *sum = sum.saturating_add(*more);
        }
        self.largest = self.largest.max(self.log_evidence());
        Ok(self.p())
    }

    /// The p-value, 0 to 1: where users are spread as configured it is ever below some number for at most that part of runs.
    pub fn p(&self) -> f64 {
        exp(-self.largest)
    }

    /// Whether users are proven to be spread in another way.
    pub fn is_mismatch(&self) -> bool {
        self.p() < Self::MISMATCH
    }

    /// The logarithm of the evidence against the configured shares now.
    fn log_evidence(&self) -> f64 {
        let all: f64 = self.weights.iter().map(|weight| *weight as f64).sum();
        let (mut evidence, mut users) = (self.before, 0.0);
        for (weight, count) in self.weights.iter().zip(&self.users) {
            let count = *count as f64 / f64::from(self.counted_by.get());
            users += count;
            if *weight == 0 {
                // Nobody new comes here; who does is of the weights before.
                users -= count;
                continue;
            }
            let share = *weight as f64 / all;
            let prior = PRIOR * share;
            evidence += lgamma(prior + count) - lgamma(prior) - count * log(share);
        }
        evidence + lgamma(PRIOR) - lgamma(PRIOR + users)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p(weights: &[u64], workers: u32, looks: &[&[u64]]) -> f64 {
        let mut all = Assignments::new(weights, NonZeroU32::new(workers).unwrap()).unwrap();
        looks.iter().map(|users| all.look(users).unwrap()).last().unwrap()
    }

    #[test]
    fn users_as_configured_are_no_mismatch() {
        assert_eq!(p(&[95, 5], 1, &[&[9_500, 500]]), 1.0);
        assert!(p(&[95, 5], 1, &[&[9_450, 550]]) > 0.05);
        assert_eq!(p(&[60, 30, 10, 0], 1, &[&[6_000, 3_000, 1_000, 70]]), 1.0);
    }

    #[test]
    fn users_who_are_missing_are_a_mismatch() {
        assert!(p(&[95, 5], 1, &[&[9_700, 300]]) < 1e-6);
        assert!(p(&[50, 50], 1, &[&[51_000, 49_000]]) < 1e-3);
    }

    #[test]
    fn what_was_proven_stays_proven_and_other_weights_begin_anew() {
        let mut all = Assignments::new(&[50, 50], NonZeroU32::MIN).unwrap();
        assert!(all.look(&[1_000, 700]).unwrap() < 1e-3);
        let proven = all.p();
        all.set_weights(&[80, 20]).unwrap();
        assert!(all.look(&[80_000, 20_000]).unwrap() <= proven && all.is_mismatch());
        let mut well = Assignments::new(&[50, 50], NonZeroU32::MIN).unwrap();
        well.look(&[1_000, 1_000]).unwrap();
        well.set_weights(&[80, 20]).unwrap();
        assert_eq!(well.look(&[8_000, 2_000]).unwrap(), 1.0);
    }

    #[test]
    fn one_user_counted_by_every_worker_is_one() {
        let once = p(&[50, 50], 1, &[&[600, 500]]);
        assert!((p(&[50, 50], 4, &[&[2_400, 2_000]]) - once).abs() < 1e-12);
        assert!(p(&[50, 50], 1, &[&[2_400, 2_000]]) < once);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let none = Assignments::new(&[0, 0], NonZeroU32::MIN).unwrap_err();
        assert_eq!(none.to_string(), "no variant has a weight");
        let mut all = Assignments::new(&[1, 1], NonZeroU32::MIN).unwrap();
        let error = all.look(&[1]).unwrap_err().to_string();
        assert_eq!(error, "`1` counts for `2` variants");
    }
}
