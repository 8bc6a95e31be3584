//! What can be decided, and in which words it is told.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::watch::Gate;

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
    /// Its split's guard took it out of service.
    Guard,
    /// Somebody aborted it.
    Abort,
}

impl Back {
    /// How the rollout ends.
    pub const fn end(self) -> End {
        match self {
            Self::Errors | Self::Slow | Self::Guard => End::RolledBack,
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
            Self::Rollback { why: Back::Guard } => f.write_str("roll back: its guard tripped"),
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
