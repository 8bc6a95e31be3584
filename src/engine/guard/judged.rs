//! What is judged: compiled from the policy, once per configuration.

use super::arithmetic::{ALTERNATIVES, alarm};
use crate::decision::Decision;
use crate::ids::{List, SplitId, VariantId};
use crate::outcome::Class;
use crate::plan::Plan;
use crate::policy::{Assignment, Outcomes, Policy, Release, Split};
use crate::units::{Millis, Ratio};

crate::words::words! {
    /// A kind of bad events. Each is judged by itself.
    Kind {
        /// The request failed: [`Class::is_bad`].
        Errors = "errors",
        /// It took too long.
        Slow = "slow",
    }
}

/// Something for each [`Kind`].
pub(super) type Kinds<T> = [T; Kind::ALL.len()];

/// The splits of a plan in which something is judged, or failing users are counted.
#[derive(Debug, Clone)]
pub struct Guards {
    splits: List<SplitId, Option<SplitGuard>>,
}

/// What is judged in one split.
#[derive(Debug, Clone)]
pub struct SplitGuard {
    pub(super) baseline: VariantId,
    pub(super) variants: usize,
    /// Those that can trip: never the baseline. Empty where failing users are only counted.
    pub(super) judged: Box<[VariantId]>,
    /// The permitted ratio of each kind that is judged.
    pub(super) permitted: Kinds<Option<Ratio>>,
    /// Requests that take this long are slow; `None` = not judged.
    pub(super) over: Option<Millis>,
    /// The sum at which a variant is out.
    pub(super) alarm: u64,
    /// How long the first trip lasts; `None` = until the policy changes.
    pub(super) release: Option<Millis>,
}

/// A bad event that is evidence.
#[derive(Debug, Clone, Copy)]
pub struct Bad<'g> {
    /// The guard of its split.
    pub guard: &'g SplitGuard,
    /// The split.
    pub split: SplitId,
    /// The variant that was served.
    pub variant: VariantId,
    /// The hash of the user's key.
    pub user: u64,
    /// Of which kinds it is.
    pub kinds: [bool; Kind::ALL.len()],
}

impl Guards {
    /// Compiles the guards of a plan.
    pub fn new(plan: &Plan) -> Self {
        let guard = |split: &Split| SplitGuard::new(&plan.policy, split);
        Self { splits: plan.policy.splits.map(guard) }
    }

    /// What is judged in a split; `None` where no user's failure would be evidence.
    pub fn of(&self, split: SplitId) -> Option<&SplitGuard> {
        self.splits[split].as_ref()
    }

    /// Each split, in order.
    pub(super) const fn splits(&self) -> &List<SplitId, Option<SplitGuard>> {
        &self.splits
    }

    /// A request that ended, as evidence; `None` where it is none: it went well, or the user is not one of those whom
    /// the weights gave their variant. `duration` is `None` where the clock failed.
    pub fn bad(
        &self,
        decision: &Decision,
        class: Class,
        duration: Option<Millis>,
    ) -> Option<Bad<'_>> {
        let guard = self.of(decision.split)?;
        let slow = guard.over.is_some_and(|over| duration >= Some(over));
        let kinds = [class.is_bad(), slow];
        let &Decision { split, variant, .. } = decision;
        let user = decision.user_by_weight().filter(|_| kinds != [false; 2])?;
        Some(Bad { guard, split, variant, user, kinds })
    }
}

impl SplitGuard {
    fn new(policy: &Policy, split: &Split) -> Option<Self> {
        // Only the first visit is by chance where a cookie keeps what that gave.
        let by_key = !split.key.is_empty()
            && (split.assignment == Assignment::Hash || split.sticky.is_some());
        let is_told = policy.outcomes == Outcomes::Filter;
        if !split.enabled || policy.kill || !by_key || !is_told {
            return None;
        }
        let guard = split.guard.as_ref();
        let slow = guard.and_then(|guard| guard.slow);
        let permitted = [guard.and_then(|guard| guard.errors), slow.map(|slow| slow.ratio)];
        let challenger = |id: &VariantId| guard.is_some() && split.is_judged(*id);
        let judged: Box<[VariantId]> = split.variants.ids().filter(challenger).collect();
        let kinds = permitted.iter().flatten().count();
        let judgements = judged.len().saturating_mul(kinds).saturating_mul(ALTERNATIVES.len());
        Some(Self {
            baseline: split.baseline,
            variants: split.variants.len(),
            judged,
            permitted,
            over: slow.map(|slow| slow.over),
            alarm: alarm(judgements as u64, guard.map_or(0, |guard| guard.false_trips)),
            release: guard.and_then(|guard| match guard.release {
                Release::Policy => None,
                Release::After(time) => Some(time),
            }),
        })
    }

    /// Whether any variant can trip.
    pub const fn judges(&self) -> bool {
        !self.judged.is_empty()
    }
}
