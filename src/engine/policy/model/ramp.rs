//! Weights over time: a pure function of schedule and clock.

use crate::ids::{List, VariantId};
use crate::policy::Weight;

/// A schedule of weights. Before its start the variants' own weights are in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ramp {
    /// When it begins, in milliseconds since 1970.
    pub start: u64,
    /// Weights from a time on, in the order of their times; never empty. The last ones stay.
    pub steps: Vec<RampStep>,
    /// Between two points the weights move in a straight line, rather than in steps. The first
    /// line goes from the variants' own weights at the start to the first step.
    pub linear: bool,
    /// When the schedule stands still, in milliseconds since 1970, not before the start: from then
    /// on the weights stay as they are at that moment. `None` = it goes on.
    pub pause: Option<u64>,
}

impl Ramp {
    /// How long it takes from the start to the last step, in milliseconds.
    pub fn length(&self) -> u64 {
        self.steps.last().map_or(0, |step| step.after)
    }
}

/// One point of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RampStep {
    /// Milliseconds after the start; more than those of the step before.
    pub after: u64,
    /// One weight for each variant of the split.
    pub weights: List<VariantId, Weight>,
}
