//! What is to be done: the one rule of rollouts.
//!
//! In this order: somebody else's edit, abort, harm (on any sample), a guard that tripped, proxies, a sample ratio mismatch,
//! no data, paused, time, responses, safe, queries, approval. Whatever is not known holds; only harm, guards and people go back.

use super::decision::{Back, Decision, End, Held};
use super::seen::{Counted, Seen};
use super::state::State;
use super::watch::Gate;
use crate::file::Rollout;
use crate::verdict::Verdict;

/// What is to be done now. `state` has taken in `seen`.
pub fn decide(rollout: &Rollout, state: &State, seen: &Seen, now: u64) -> Decision {
    if let Some(end) = state.ended {
        return Decision::Ended { end };
    }
    // What somebody else wrote is never written over, not even by an abort: the challenger's weight is theirs now.
    let edited = seen.policy.as_ref().is_some_and(|policy| state.ours().all(|own| own != policy));
    if edited {
        return Decision::Ended { end: End::Drifted };
    }
    let moving_to_0 = state.moving.as_ref().is_some_and(|to| to.weight == 0);
    if state.aborted && !moving_to_0 {
        return Decision::Rollback { why: Back::Abort };
    }
    let harm = state.watches().find(|watch| watch.verdict() == Verdict::Harm);
    if let Some(watch) = harm.filter(|_| !moving_to_0) {
        let why = match watch.gate() {
            Gate::Errors => Back::Errors,
            Gate::Slow => Back::Slow,
        };
        return Decision::Rollback { why };
    }
    // Nobody gets it there any more, so that no evidence comes.
    // Until every proxy has the step, it may be of the policy before.
    let tripped = matches!(&seen.counted, Counted::Counts { tripped: 1.., .. });
    if tripped && state.step.is_some() && state.clock.is_some() && !moving_to_0 {
        return Decision::Rollback { why: Back::Guard };
    }
    match held(rollout, state, seen, now) {
        Some(Held::Inconclusive { .. })
            if rollout.inconclusive.retreat && state.step != state.proven =>
        {
            Decision::Retreat { step: state.proven }
        }
        Some(why) => Decision::Hold { why },
        None => {
            let next = state.step.map_or(0, |step| step.saturating_add(1));
            if next < rollout.steps.len() {
                Decision::Advance { step: next }
            } else {
                Decision::Ended { end: End::Done }
            }
        }
    }
}

/// Why it has to stay.
fn held(rollout: &Rollout, state: &State, seen: &Seen, now: u64) -> Option<Held> {
    if state.moving.is_some() {
        return Some(Held::Applying);
    }
    if seen.policy.is_none() {
        return Some(Held::Unreadable);
    }
    let Some(clock) = state.clock.filter(|_| seen.proxies.are_current()) else {
        if let (0, Counted::Nothing { why }) = (seen.proxies.all, &seen.counted) {
            // Whoever knows of no proxy and has no counts says more by why.
            return Some(Held::NoData { why: why.clone() });
        }
        return Some(Held::Proxies { current: seen.proxies.current, all: seen.proxies.all });
    };
    if state.is_mismatch() {
        return Some(Held::SampleRatio);
    }
    if let Counted::Nothing { why } = &seen.counted {
        return Some(Held::NoData { why: why.clone() });
    }
    if let (Some(slow), Counted::Counts { slow: None, .. }) = (rollout.gates.slow, &seen.counted) {
        let why = format!("nobody shows how many responses take longer than {} ms", slow.over);
        return Some(Held::NoData { why });
    }
    if state.paused {
        return Some(Held::Paused);
    }
    let step = rollout.steps.get(state.step?)?;
    let passed = now.saturating_sub(clock);
    let left = step.hold.saturating_sub(passed);
    if left > 0 {
        return Some(Held::Time { left });
    }
    if state.compares() {
        let late = rollout.inconclusive.after.is_some_and(|after| passed >= after);
        let least = state.errors.as_ref().map_or(0, |watch| watch.seen().total());
        let left = rollout.gates.responses.saturating_sub(least);
        if left > 0 && !late {
            return Some(Held::Responses { left });
        }
        let early = state.watches().find(|watch| watch.verdict() == Verdict::Early);
        let gate = early.map(|watch| watch.gate()).or((left > 0).then_some(Gate::Errors));
        if let Some(gate) = gate {
            return Some(if late { Held::Inconclusive { gate } } else { Held::Early { gate } });
        }
    }
    for query in &rollout.gates.queries {
        let found = seen.queries.iter().find(|found| found.name == query.name);
        let is_within = found.and_then(|found| found.ratio()).is_some_and(|ratio| {
            query.at_least.is_none_or(|least| ratio >= least)
                && query.at_most.is_none_or(|most| ratio <= most)
        });
        if !is_within && state.compares() {
            return Some(Held::Query { name: query.name.clone() });
        }
    }
    (step.approval && !state.approved).then_some(Held::Approval)
}
