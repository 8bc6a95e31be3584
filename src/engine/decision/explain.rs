//! A judgement step by step, for people.

use super::{Decision, Observer};
use crate::plan::Draw;

/// What happened in each split, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Explanation {
    /// One list of steps for each split of the plan.
    pub splits: Vec<Vec<Step>>,
}

/// One step of a judgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The entry of the match list that holds.
    Matched {
        /// Its index.
        entry: usize,
    },
    /// No entry holds; the condition of each that failed first.
    Unmatched {
        /// In words, one for each entry.
        unmet: Vec<String>,
    },
    /// An earlier split of the same layer applies to the user.
    LayerTaken,
    /// The user does not have a variant of an earlier split that is required.
    RequirementUnmet {
        /// Index in the split's `requires`.
        requirement: usize,
    },
    /// Whether the user is in the split's slice of its layer.
    Slice {
        /// The user's number in the layer; `None` without a key.
        bucket: Option<u16>,
        /// Whether the slice holds it.
        holds: bool,
    },
    /// Somebody who knows the secret forces a variant.
    Forced,
    /// The override that holds.
    Overridden {
        /// Its index.
        index: usize,
    },
    /// No key source had a key.
    NoKey,
    /// A key was found.
    Key {
        /// Index of its source.
        source: usize,
        /// The key.
        key: Vec<u8>,
        /// Made just now for a new visitor.
        generated: bool,
        /// The user's number 0..9999 in the split.
        bucket: u16,
    },
    /// Whether the user is held out of all splits.
    Holdout {
        /// The user's number in the holdout.
        bucket: u16,
        /// Whether the user is held out.
        held: bool,
    },
    /// What the sticky cookie says.
    Sticky {
        /// The variant held; `None` where there is no valid cookie.
        variant: Option<usize>,
        /// Whether it still counts: its weight is not 0.
        counts: bool,
    },
    /// What each variant with a weight drew.
    Race(Vec<Draw>),
    /// The outcome; without it the split does not apply.
    Decided(Decision),
}

impl Explanation {
    /// The decisions, in order: equal to what [`crate::plan::Plan::decide`] gives.
    pub fn decisions(&self) -> impl Iterator<Item = Decision> {
        self.splits.iter().flatten().filter_map(|step| match step {
            Step::Decided(decision) => Some(*decision),
            _ => None,
        })
    }
}

impl Observer for Explanation {
    const WATCHES: bool = true;

    fn split(&mut self) {
        self.splits.push(Vec::new());
    }

    fn step(&mut self, step: impl FnOnce() -> Step) {
        if let Some(steps) = self.splits.last_mut() {
            steps.push(step());
        }
    }
}
