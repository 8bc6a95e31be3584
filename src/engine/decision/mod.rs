//! Facts in, decision out: what each split decides, and why. Deciding and explaining are one
//! function, [`decide`], with an observer that costs nothing where nobody looks; and a request, a
//! record of one and a bare key are one thing to it, [`Facts`].

mod bare;
mod decisions;
mod earlier;
mod facts;
mod force;
mod key;
mod lines;
mod memo;
mod preflight;
mod request;
mod split;
mod step;
mod tripped;

pub use bare::{KeyFacts, Population};
pub use decisions::{Decision, Decisions};
pub use earlier::Earlier;
pub use facts::{Facts, Found, Key, Whose};
pub use force::Forced;
pub use key::generated_id;
pub use lines::Lines;
pub use request::RequestFacts;
pub use step::{Explanation, Step, Tried, Weighed};
pub use tripped::Tripped;

use crate::host::Host;
use crate::ids::SplitId;
use crate::plan::Plan;
use crate::units::Moment;

/// What differs from call to call besides the request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Context {
    /// The time; read only where the policy has a ramp.
    pub now: Moment,
    /// Random numbers, new for each request; used where the policy asks for chance.
    pub random: [u64; 2],
}

/// Sees each step of a judgement.
pub trait Observer {
    /// Whether every split is to be shown, also those that an index would pass over.
    const WATCHES: bool;

    /// A split is about to be judged.
    fn split(&mut self, id: SplitId);

    /// Something happened; made only for those who look.
    fn step(&mut self, step: impl FnOnce() -> Step);
}

/// Nobody looks.
#[derive(Debug)]
pub struct Nobody;

impl Observer for Nobody {
    const WATCHES: bool = false;

    fn split(&mut self, _id: SplitId) {}

    fn step(&mut self, _step: impl FnOnce() -> Step) {}
}

/// Decides every split, in order; those that do not apply add nothing. This is the one place of the
/// order of judgement. Allocates nothing in the common case: at most four splits that apply, keys from headers
/// and cookies, no more than a few cookies and lists of keys that are asked for, values on one line.
pub fn decide<F: Facts, O: Observer>(
    plan: &Plan,
    facts: &F,
    context: &Context,
    observer: &mut O,
) -> Decisions {
    let mut judgement = split::Judgement::new(plan, facts, context, observer);
    facts.candidates(plan, O::WATCHES, |id| judgement.judge(id));
    judgement.done()
}

/// Decides and tells how, for people.
pub fn explain<F: Facts>(plan: &Plan, facts: &F, context: &Context) -> Explanation {
    let mut explanation = Explanation::default();
    explanation.decisions = decide(plan, facts, context, &mut explanation);
    explanation
}

impl Plan {
    /// The facts of a request, as far as this plan asks for them.
    #[inline]
    pub fn facts<'f, H: Host + ?Sized>(&'f self, host: &'f H) -> RequestFacts<'f, H> {
        RequestFacts::new(&self.questions, host)
    }
}

#[cfg(test)]
mod request_tests;
#[cfg(test)]
mod tests;
