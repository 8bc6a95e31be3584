//! Weights over time: a pure function of schedule and clock.

use crate::ids::{List, VariantId};
use crate::policy::Weight;
use crate::units::{Millis, Moment};

/// A schedule of weights. Before its start the variants' own weights are in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ramp {
    /// When it begins.
    pub start: Moment,
    /// Between two points the weights move in a straight line, rather than in steps. The first
    /// line goes from the variants' own weights at the start to the first step.
    pub linear: bool,
    /// When the schedule stands still, not before the start: from then on the weights stay as they
    /// are at that moment. `None` = it goes on.
    pub pause: Option<Moment>,
    /// Weights from a time on. The last ones stay.
    pub steps: Steps,
}

/// The steps of a schedule: at least one, each later than the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Steps {
    before: Vec<RampStep>,
    last: RampStep,
}

impl Steps {
    /// These steps; `None` where there are none, or one is not later than the one before.
    pub fn new(mut steps: Vec<RampStep>) -> Option<Self> {
        let ascending = steps.is_sorted_by(|earlier, later| earlier.after < later.after);
        let last = steps.pop().filter(|_| ascending)?;
        Some(Self { before: steps, last })
    }

    /// All of them, in the order of their times.
    pub fn iter(&self) -> impl Iterator<Item = &RampStep> {
        self.before.iter().chain([&self.last])
    }

    /// How many there are.
    pub const fn count(&self) -> usize {
        self.before.len().saturating_add(1)
    }

    /// How long it takes from the start to the last step.
    pub const fn length(&self) -> Millis {
        self.last.after
    }
}

/// One point of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RampStep {
    /// How long after the start.
    pub after: Millis,
    /// One weight for each variant of the split.
    pub weights: List<VariantId, Weight>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_there_and_in_the_order_of_their_times() {
        let steps = |times: &[u64]| {
            let step =
                |time: &u64| RampStep { after: Millis::new(*time), weights: List::default() };
            Steps::new(times.iter().map(step).collect())
        };
        assert_eq!((steps(&[]), steps(&[1, 1]), steps(&[0, 2, 1])), (None, None, None));
        let steps = steps(&[0, 1, 2]).unwrap();
        assert_eq!((steps.count(), steps.length()), (3, Millis::new(2)));
        let times: Vec<_> = steps.iter().map(|step| step.after.get()).collect();
        assert_eq!(times, [0, 1, 2]);
    }
}
