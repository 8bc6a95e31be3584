//! The outcome of a judgement.

use smallvec::SmallVec;

use super::Forced;
use crate::ids::{SplitId, VariantId};
use crate::reason::Reason;
use crate::units::Bucket;

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
    /// An earlier leg of the same request decided it, and counted it.
    pub counted: bool,
    /// The hash of the user's key in the split; `None` where there is none, or nobody looked for it.
    pub user: Option<u64>,
}

impl Decision {
    /// The hash of the user's key, where the weights gave the user this variant, now or once: then what happens to the
    /// user says something about the variant. `None` for every other reason than `split` and `sticky`, and without a key.
    pub fn user_by_weight(&self) -> Option<u64> {
        self.user.filter(|_| matches!(self.reason, Reason::Split | Reason::Sticky))
    }

    /// The user's number 0..=9999 in the split; `None` where the user is not known.
    pub fn bucket(&self) -> Option<Bucket> {
        self.user.map(Bucket::of)
    }
}

/// What all splits decided.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decisions {
    list: SmallVec<[Decision; 4]>,
    unknown: Vec<SplitId>,
    /// What earlier legs of the request decided, of splits that this one does not meet.
    elsewhere: Vec<Decision>,
    /// What is forced; empty where nothing is.
    forced: Box<[u8]>,
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

    /// What earlier legs of the request decided, of splits that do not apply to this one: the client gets
    /// one answer for all of them.
    pub fn elsewhere(&self) -> &[Decision] {
        &self.elsewhere
    }

    /// Whether there is an outcome to count.
    pub fn have_outcome(&self) -> bool {
        !self.list.is_empty() || !self.elsewhere.is_empty()
    }

    /// What is forced, as `checkout=canary, search=b`; empty where nothing is.
    pub(super) fn forced(&self) -> &[u8] {
        &self.forced
    }

    pub(super) fn new(forced: Forced<'_>) -> Self {
        let (forced, force_refused) = match forced {
            Forced::Nothing => (Box::default(), false),
            Forced::These(list) => (list.into(), false),
            Forced::Refused => (Box::default(), true),
        };
        Self { forced, force_refused, ..Self::default() }
    }

    /// Ends the judgement: decisions of earlier legs that it did not meet are kept.
    pub(super) fn with_earlier(mut self, earlier: &[Decision]) -> Self {
        let unmet = earlier.iter().filter(|decision| self.of(decision.split).is_none());
        self.elsewhere = unmet.copied().collect();
        self
    }

    #[inline]
    pub(super) fn push(&mut self, decision: Decision) {
        self.list.push(decision);
    }

    pub(super) fn push_unknown(&mut self, split: SplitId) {
        self.unknown.push(split);
    }
}
