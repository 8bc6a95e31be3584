//! One request -> what each split decides, and why. Deciding and explaining are one function,
//! [`judge`], with an observer that costs nothing where nobody looks.

mod explain;
mod force;
mod key;
mod split;

pub use crate::reason::Reason;
pub use explain::{Explanation, Step};

pub(crate) use key::generated_id;

use crate::matching::Request;
use crate::plan::Plan;
use force::Forced;

/// What differs from call to call besides the request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Context {
    /// The time in milliseconds since 1970; read only where the policy has a ramp.
    pub now: u64,
    /// Random numbers, new for each request; used where the policy asks for chance.
    pub random: [u64; 2],
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
    /// Of those that apply, in order.
    pub list: Vec<Decision>,
    /// Somebody wanted to force a variant without knowing the secret.
    pub force_refused: bool,
}

/// Sees each step of a judgement.
pub trait Observer {
    /// Whether every split is to be shown, also those that an index would pass over.
    const WATCHES: bool;

    /// A split is about to be judged.
    fn split(&mut self);

    /// Something happened; made only for those who look.
    fn step(&mut self, step: impl FnOnce() -> Step);
}

/// Nobody looks.
struct Nobody;

impl Observer for Nobody {
    const WATCHES: bool = false;

    fn split(&mut self) {}

    fn step(&mut self, _step: impl FnOnce() -> Step) {}
}

impl Plan {
    /// Decides every split for a request, in order; splits that do not apply add nothing. Clears
    /// `decisions` first, and allocates only where its list must grow or where a key or a value is
    /// spread over several lines or percent-encoded.
    pub fn decide<R: Request + ?Sized>(
        &self,
        request: &R,
        context: &Context,
        decisions: &mut Decisions,
    ) {
        judge(self, request, context, decisions, &mut Nobody);
    }

    /// Decides and tells how, for people.
    pub fn explain<R: Request + ?Sized>(&self, request: &R, context: &Context) -> Explanation {
        let mut explanation = Explanation::default();
        judge(self, request, context, &mut Decisions::default(), &mut explanation);
        explanation
    }
}

/// Judges the splits of a plan for one request.
pub fn judge<R: Request + ?Sized, O: Observer>(
    plan: &Plan,
    request: &R,
    context: &Context,
    decisions: &mut Decisions,
    observer: &mut O,
) {
    decisions.list.clear();
    let forced = Forced::read(plan.force.as_ref(), request);
    decisions.force_refused = forced == Forced::Refused;
    let mut judgement = split::Judgement {
        plan,
        request,
        context,
        forced,
        layers_taken: 0,
        decided: &mut decisions.list,
        observer,
    };
    if O::WATCHES {
        (0..plan.splits.len()).for_each(|index| judgement.judge(index));
    } else {
        plan.index.candidates(request, |index| judgement.judge(index));
    }
}

#[cfg(test)]
mod tests;
