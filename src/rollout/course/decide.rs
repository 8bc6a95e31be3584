//! What is to be done: the one rule of rollouts.
//!
//! In this order: abort, somebody else's edit, harm (on any sample), proxies, a sample ratio mismatch, no data, paused,
//! time, responses, safe, queries, approval. Whatever is not known holds; only harm and people go back.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::seen::{Counted, Seen};
use super::state::State;
use super::watch::Gate;
use crate::file::Rollout;
use crate::verdict::Verdict;

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Decision {
    /// Go on to a step, from 0.
    Advance {
        /// Which.
        step: usize,
    },
    /// Stay where it is.
    Hold {
        /// Why.
        why: Held,
    },
    /// Back to the last step that was proven, and pause; `None` = to where it began.
    Retreat {
        /// Which.
        step: Option<usize>,
    },
    /// Back to 0, and the end.
    Rollback {
        /// Why.
        why: Back,
    },
    /// The end; the policy stays as it is.
    Ended {
        /// How.
        end: End,
    },
}

/// Why a rollout stays where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Held {
    /// What was decided is not done yet: it failed, and is tried again.
    Applying,
    /// Not all proxies run the step's policy.
    Proxies {
        /// So many do.
        current: u32,
        /// Of so many.
        all: u32,
    },
    /// The policy's file cannot be read, or is not valid.
    Unreadable,
    /// Users are not spread over the variants as the weights say.
    SampleRatio,
    /// Nobody has counts.
    NoData {
        /// Why.
        why: String,
    },
    /// Somebody paused it, or it went back.
    Paused,
    /// The step's time is not over.
    Time {
        /// So many milliseconds are left.
        left: u64,
    },
    /// Too few responses of the challenger.
    Responses {
        /// So many are left.
        left: u64,
    },
    /// Neither harm nor safety is proven.
    Early {
        /// Of which gate.
        gate: Gate,
    },
    /// The same, for longer than the file allows.
    Inconclusive {
        /// Of which gate.
        gate: Gate,
    },
    /// A query's number is out of its bounds, or missing.
    Query {
        /// Its name.
        name: String,
    },
    /// Somebody has to approve.
    Approval,
}

/// Why a rollout goes back to 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Back {
    /// The challenger is proven to have more errors.
    Errors,
    /// It is proven to be slow more often.
    Slow,
    /// Somebody aborted it.
    Abort,
}

impl Back {
    /// How the rollout ends.
    pub const fn end(self) -> End {
        match self {
            Self::Errors | Self::Slow => End::RolledBack,
            Self::Abort => End::Aborted,
        }
    }
}

/// How a rollout ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The last step is proven.
    Done,
    /// The challenger did harm, and has weight 0.
    RolledBack,
    /// Somebody aborted it, and the challenger has weight 0.
    Aborted,
    /// Somebody else changed the policy, and it is as they left it.
    Drifted,
}

impl End {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Done, Self::RolledBack, Self::Aborted, Self::Drifted];

    /// As in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::RolledBack => "rolled_back",
            Self::Aborted => "aborted",
            Self::Drifted => "drifted",
        }
    }
}

/// What is to be done now. `state` has taken in `seen`.
pub fn decide(rollout: &Rollout, state: &State, seen: &Seen, now: u64) -> Decision {
    if let Some(end) = state.ended {
        return Decision::Ended { end };
    }
    // What somebody else wrote is never written over, not even by an abort: the challenger's weight is theirs now.
    let ours = |policy: &String| {
        *policy == state.policy || state.moving.as_ref().is_some_and(|to| *policy == to.policy)
    };
    let edited = seen.policy.as_ref().is_some_and(|policy| !ours(policy));
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
        return Some(Held::Proxies { current: seen.proxies.current, all: seen.proxies.all });
    };
    if state.is_mismatch() {
        return Some(Held::SampleRatio);
    }
    if let Counted::Nothing { why } = &seen.counted {
        return Some(Held::NoData { why: why.clone() });
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

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Advance { step } => write!(f, "advance to step {}", step.saturating_add(1)),
            Self::Hold { why } => write!(f, "hold: {why}"),
            Self::Retreat { step: Some(step) } => {
                write!(f, "retreat to step {}", step.saturating_add(1))
            }
            Self::Retreat { step: None } => f.write_str("retreat to where it began"),
            Self::Rollback { why: Back::Errors } => f.write_str("roll back: more errors, proven"),
            Self::Rollback { why: Back::Slow } => f.write_str("roll back: slow more often, proven"),
            Self::Rollback { why: Back::Abort } => f.write_str("roll back: aborted"),
            Self::Ended { end } => f.write_str(match end {
                End::Done => "done",
                End::RolledBack => "rolled back",
                End::Aborted => "aborted",
                End::Drifted => "stopped: somebody else changed the policy",
            }),
        }
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |gate: &Gate| match gate {
            Gate::Errors => "errors",
            Gate::Slow => "slow responses",
        };
        match self {
            Self::Applying => f.write_str("the policy is being applied"),
            Self::Proxies { all: 0, .. } => f.write_str("no proxy shows a policy"),
            Self::Proxies { current, all } => {
                write!(f, "{current} of {all} proxies run the policy")
            }
            Self::Unreadable => f.write_str("the policy's file cannot be read, or is not valid"),
            Self::SampleRatio => {
                f.write_str("users are not spread as the weights say (sample ratio mismatch)")
            }
            Self::NoData { why } => write!(f, "no data: {why}"),
            Self::Paused => f.write_str("paused"),
            Self::Time { left } => write!(f, "{} s of the step's time left", left.div_ceil(1000)),
            Self::Responses { left } => write!(f, "{left} responses of the challenger are missing"),
            Self::Early { gate } => write!(f, "too early to say of {}", name(gate)),
            Self::Inconclusive { gate } => write!(f, "still nothing proven of {}", name(gate)),
            Self::Query { name } => {
                write!(f, "query `{name}` is out of its bounds, or has no number")
            }
            Self::Approval => f.write_str("waits for an approval"),
        }
    }
}
