//! The weights in force at a moment, and the shares of new users that they make.

use super::{Position, Race, RampPlan};
use crate::ids::{List, VariantId, VariantSet};
use crate::policy::Weight;
use crate::units::Moment;

/// The weights of a split at a moment.
#[derive(Debug, Clone, Copy)]
pub struct WeightsNow<'p> {
    base: &'p List<VariantId, Weight>,
    ramp: Option<(&'p RampPlan, Position)>,
    race: &'p Race,
    /// Those that are out of service.
    out: VariantSet,
}

impl<'p> WeightsNow<'p> {
    pub(super) fn new(
        base: &'p List<VariantId, Weight>,
        ramp: Option<&'p RampPlan>,
        race: &'p Race,
        now: Moment,
    ) -> Self {
        let ramp = ramp.map(|ramp| (ramp, ramp.position(now)));
        Self { base, ramp, race, out: VariantSet::NONE }
    }

    /// Weights that never change.
    pub const fn fixed(base: &'p List<VariantId, Weight>, race: &'p Race) -> Self {
        Self { base, ramp: None, race, out: VariantSet::NONE }
    }

    /// The same, where some variants are out of service: their weights are 0.
    #[must_use]
    pub const fn without(self, out: VariantSet) -> Self {
        Self { out, ..self }
    }

    /// A variant's weight, in units of 0.0001; 0 = off, also for those who hold it.
    pub fn of(&self, variant: VariantId) -> u64 {
        if self.out.has(variant) {
            return 0;
        }
        match &self.ramp {
            Some((ramp, position)) => ramp.weight(variant, *position),
            None => self.base[variant].units(),
        }
    }

    /// A variant's weight for users who hold none yet: that of one that drains is 0.
    pub fn admits(&self, variant: VariantId) -> u64 {
        if self.race.runs(variant) { self.of(variant) } else { 0 }
    }

    /// Each variant's share of new users in millionths, rounded down.
    pub fn shares(&self) -> List<VariantId, u64> {
        let mut admitted = self.base.map(|_| 0_u64);
        self.race.runners().for_each(|variant| admitted[variant] = self.of(variant));
        let sum = admitted.iter().fold(0_u64, |sum, weight| sum.saturating_add(*weight));
        // The largest weight, 10^13 units, times a million fits.
        let share = |weight: &u64| weight.saturating_mul(1_000_000).checked_div(sum).unwrap_or(0);
        admitted.map(share)
    }

    /// Where the moment is on the ramp; `None` where there is none.
    pub fn position(&self) -> Option<Position> {
        self.ramp.map(|(_, position)| position)
    }
}
