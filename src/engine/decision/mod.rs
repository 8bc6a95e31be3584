//! One request -> what each split decides, and why. Deciding and explaining are one function,
//! [`judge`], with an observer that costs nothing where nobody looks.

mod explain;
mod key;
mod observe;
mod reason;

pub use explain::{Explanation, Step};
pub use observe::Observer;
pub use reason::Reason;

use crate::matching::{self, Request};
use crate::plan::hash::Hash;
use crate::plan::{Plan, SplitPlan};
use crate::policy::OnMissingKey;

/// What differs from call to call besides the request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context {
    /// A random number, new for each request; used where the policy asks for chance.
    pub random: u64,
}

/// What one split decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Index in [`Plan::splits`].
    pub split: usize,
    /// Index in the split's variants.
    pub variant: usize,
    /// Why.
    pub reason: Reason,
}

impl Plan {
    /// Decides every split for a request, in order; splits that do not apply add nothing. Clears
    /// `decisions` first, and allocates only where it must grow.
    pub fn decide<R: Request + ?Sized>(
        &self,
        request: &R,
        context: &Context,
        decisions: &mut Vec<Decision>,
    ) {
        decisions.clear();
        judge(self, request, context, &mut |decision| decisions.push(decision));
    }

    /// Decides and tells how, for people.
    pub fn explain<R: Request + ?Sized>(&self, request: &R, context: &Context) -> Explanation {
        let mut explanation = Explanation::default();
        judge(self, request, context, &mut explanation);
        explanation
    }
}

/// Judges every split of a plan for one request.
pub fn judge<R: Request + ?Sized, O: Observer>(
    plan: &Plan,
    request: &R,
    context: &Context,
    observer: &mut O,
) {
    for (index, split) in plan.splits.iter().enumerate() {
        observer.split(index);
        if let Some((variant, reason)) = judge_split(plan.kill, split, request, context, observer) {
            observer.decided(Decision { split: index, variant, reason });
        }
    }
}

/// The order of judgement: match, kill, overrides, weights.
fn judge_split<R: Request + ?Sized, O: Observer>(
    kill: bool,
    split: &SplitPlan,
    request: &R,
    context: &Context,
    observer: &mut O,
) -> Option<(usize, Reason)> {
    if let Some(list) = &split.matches
        && !observer.matches(list, request)
    {
        return None;
    }
    // A killed split still serves its baseline, and so keeps users who match it off the route's
    // fallback, which may be anything.
    if kill {
        return Some((split.baseline, Reason::Killed));
    }
    let forced = split.overrides.iter().find(|forced| matching::any(&forced.matches, request));
    if let Some(forced) = forced {
        return Some((forced.variant, Reason::Override));
    }
    let Some((source, key)) = key::find(&split.key, request) else {
        observer.no_key();
        return match split.on_missing_key {
            OnMissingKey::Baseline => Some((split.baseline, Reason::NoKey)),
            OnMissingKey::Random => Some(weigh(split, context.random, Reason::Random, observer)),
            OnMissingKey::Skip => None,
        };
    };
    let hash = Hash::new(&split.salt_prefix, key);
    observer.key(source, key, hash);
    Some(weigh(split, hash.h2, Reason::Split, observer))
}

/// The variant that the weights give to a number; the baseline where every weight is 0.
fn weigh<O: Observer>(
    split: &SplitPlan,
    h2: u64,
    reason: Reason,
    observer: &mut O,
) -> (usize, Reason) {
    observer.race(&split.race, h2);
    match split.race.winner(h2) {
        Some(variant) => (variant, reason),
        None => (split.baseline, Reason::Fallback),
    }
}

#[cfg(test)]
mod tests;
