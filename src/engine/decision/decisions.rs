//! The outcome of a judgement.

use smallvec::SmallVec;

use crate::ids::{SplitId, VariantId};
use crate::reason::Reason;

/// What one split decided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Decision {
    /// The split.
    pub split: SplitId,
    /// The variant that is served.
    pub variant: VariantId,
    /// Why.
    pub reason: Reason,
    /// The user is new: the key was made just now, and a cookie must keep it.
    pub new_key: bool,
    /// A sticky cookie must keep the variant.
    pub hold: bool,
    /// A copy of the request goes to the split's mirror.
    pub mirror: bool,
}

/// What all splits decided.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decisions {
    list: SmallVec<[Decision; 4]>,
    unknown: SmallVec<[SplitId; 4]>,
    /// Somebody wanted to force a variant without knowing the secret.
    pub force_refused: bool,
}

impl Decisions {
    /// Those of the splits that apply, in order.
    #[inline]
    pub fn list(&self) -> &[Decision] {
        &self.list
    }

    /// The splits that may apply or not: it depends on facts that are unknown. None for a request
    /// that is there.
    pub fn unknown(&self) -> &[SplitId] {
        &self.unknown
    }

    /// The decision of a split; `None` where it does not apply, or that is unknown.
    #[inline]
    pub fn of(&self, split: SplitId) -> Option<&Decision> {
        self.list().iter().find(|decision| decision.split == split)
    }

    pub(super) fn new(force_refused: bool) -> Self {
        Self { force_refused, ..Self::default() }
    }

    #[inline]
    pub(super) fn push(&mut self, decision: Decision) {
        self.list.push(decision);
    }

    pub(super) fn push_unknown(&mut self, split: SplitId) {
        self.unknown.push(split);
    }
}
