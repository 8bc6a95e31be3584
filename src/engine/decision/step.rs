//! A judgement step by step, for people. The steps are complete: whoever shows them asks nothing
//! again.

use super::{Decision, Decisions, Observer};
use crate::ids::{SplitId, VariantId};
use crate::plan::Position;
use crate::units::Bucket;

/// What happened in each split that was judged, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Explanation {
    /// The splits, each with its steps.
    pub splits: Vec<(SplitId, Vec<Step>)>,
    /// The outcome.
    pub decisions: Decisions,
}

/// One step of a judgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The split is not enabled.
    Disabled,
    /// An earlier leg of the same request decided, and that stands.
    EarlierLeg,
    /// The match list was tried.
    Match(Tried),
    /// The user does not have a variant of an earlier split that is required.
    RequirementUnmet {
        /// The place in the split's `requires`.
        requirement: usize,
    },
    /// An earlier split of the same layer applies to the user.
    LayerTaken,
    /// Whether the user is in the split's slice of its layer.
    Slice {
        /// The user's number in the layer; `None` without a key.
        bucket: Option<Bucket>,
        /// Whether the slice holds it.
        holds: bool,
    },
    /// Every split serves its baseline.
    Killed,
    /// Somebody who knows the secret forces a variant.
    Forced {
        /// The variant.
        variant: VariantId,
    },
    /// Somebody who knows the secret wants a variant that the split does not have.
    ForcedUnknown {
        /// What was wanted.
        name: Vec<u8>,
    },
    /// An override was tried.
    Override {
        /// Its place in the split's `overrides`.
        index: usize,
        /// Whether it holds.
        tried: Tried,
        /// What it forces where it holds; `None` = the split does not apply.
        variant: Option<VariantId>,
    },
    /// The variant that an override names is out of service: the weights decide.
    Tripped {
        /// The variant.
        variant: VariantId,
    },
    /// No key source had a key.
    NoKey {
        /// It is a preflight: the key comes with the request that it announces.
        preflight: bool,
    },
    /// A key was found.
    Key {
        /// The place of its source in the split's `key`.
        source: usize,
        /// The key.
        key: Vec<u8>,
        /// Made just now for a new visitor.
        generated: bool,
        /// The user's number in the split.
        bucket: Bucket,
    },
    /// Whether the user is held out of all splits.
    Holdout {
        /// The user's number in the holdout.
        bucket: Bucket,
        /// Whether the user is held out.
        held: bool,
    },
    /// What the sticky cookie says.
    Sticky {
        /// The variant held; `None` where there is no valid cookie.
        variant: Option<VariantId>,
        /// Whether it still counts: its weight is not 0.
        counts: bool,
        /// It does not, because the variant is out of service.
        tripped: bool,
    },
    /// The variants were weighed.
    Weights {
        /// Where the moment is on the ramp; `None` where there is none.
        position: Option<Position>,
        /// Each variant, in order.
        weighed: Vec<Weighed>,
    },
    /// The proxy itself would answer with this variant, and it is a preflight: the split does not apply.
    NotAnswered {
        /// The variant.
        variant: VariantId,
    },
    /// It depends on what is not known: the split may apply to this request, or not.
    Unknown,
    /// The outcome; without it the split does not apply.
    Decided(Decision),
}

/// A list of match entries that was tried, entry by entry, up to the first that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// For each entry that did not hold, its first condition that was not met, in words.
    pub unmet: Vec<String>,
    /// Whether the entry after those holds.
    pub holds: bool,
}

/// What the weights gave to a variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weighed {
    /// The variant.
    pub variant: VariantId,
    /// Its weight now, in units of 0.0001.
    pub weight: u64,
    /// Its share of new users now, in millionths.
    pub share: u64,
    /// The user's number for it and what that costs (see [`crate::hash::cost`]); `None` for a
    /// variant that admits nobody now.
    pub draw: Option<(u64, u64)>,
    /// Whether it won.
    pub wins: bool,
    /// Whether it is out of service, so that its weight counts as 0.
    pub tripped: bool,
}

impl Explanation {
    /// The steps of a split; none where it was not judged.
    pub fn of(&self, split: SplitId) -> &[Step] {
        let judged = self.splits.iter().find(|(id, _)| *id == split);
        judged.map_or(&[], |(_, steps)| steps)
    }
}

impl Observer for Explanation {
    const WATCHES: bool = true;

    fn split(&mut self, id: SplitId) {
        self.splits.push((id, Vec::new()));
    }

    fn step(&mut self, step: impl FnOnce() -> Step) {
        if let Some((_, steps)) = self.splits.last_mut() {
            steps.push(step());
        }
    }
}
