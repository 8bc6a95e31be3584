//! The weights in force at a moment.

use super::SplitPlan;
use super::ramp::{Position, RampPlan};
use crate::policy::Weight;

/// The weights of a split at a moment.
#[derive(Debug, Clone, Copy)]
pub struct WeightsNow<'p> {
    base: &'p [Weight],
    ramp: Option<(&'p RampPlan, Position)>,
}

impl<'p> WeightsNow<'p> {
    /// Weights that never change.
    pub const fn fixed(base: &'p [Weight]) -> Self {
        Self { base, ramp: None }
    }

    /// A variant's weight, in units of 0.0001; 0 = off.
    pub fn of(&self, variant: usize) -> u64 {
        match &self.ramp {
            Some((ramp, position)) => ramp.weight(variant, *position),
            None => self.base.get(variant).map_or(0, |weight| weight.units()),
        }
    }

    /// A variant's share of all weights in millionths, rounded down.
    pub fn share(&self, variant: usize) -> u64 {
        let sum = (0..self.base.len()).fold(0_u64, |sum, v| sum.saturating_add(self.of(v)));
        // The largest weight, 10^13 units, times a million fits.
        self.of(variant).saturating_mul(1_000_000).checked_div(sum).unwrap_or(0)
    }
}

impl SplitPlan {
    /// The weights at a time in milliseconds since 1970.
    pub fn weights_at(&self, now: u64) -> WeightsNow<'_> {
        let ramp = self.ramp.as_ref().map(|ramp| (ramp, ramp.position(now)));
        WeightsNow { base: &self.weights, ramp }
    }
}
