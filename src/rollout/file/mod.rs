//! A rollout file: what an operator wrote, checked.

mod against;
mod problem;
mod read;
mod schema;

use engine::policy::Weight;

pub use against::{Facts, check_against};
pub use problem::{Code, Problem};
pub use read::read;
pub use schema::schema;

/// A rollout: one challenger of one split, step by step.
#[derive(Debug, Clone, PartialEq)]
pub struct Rollout {
    /// The policy's file, as written: from the folder of the rollout's file.
    pub policy: String,
    /// The split's name.
    pub split: String,
    /// The variant whose weight rises. The baseline gives what it gets.
    pub challenger: String,
    /// The steps, their weights rising; at least one.
    pub steps: Vec<Step>,
    /// By how much the weight may rise at once, at most.
    pub max_step: Option<Weight>,
    /// What has to be proven before the next step.
    pub gates: Gates,
    /// What to do where nothing is proven.
    pub inconclusive: Inconclusive,
    /// Where the counts come from.
    pub counts: CountsFrom,
    /// The proxies that have to run a policy before a step's clock starts, by their admin interfaces. Empty: those that
    /// `counts` knows.
    pub proxies: Vec<String>,
    /// How a policy gets to the proxies.
    pub apply: Apply,
    /// A command that gets each event as JSON on its standard input; its words.
    pub on_event: Vec<String>,
}

/// A weight for at least so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The challenger's weight.
    pub weight: Weight,
    /// How long at least, in milliseconds, from when every proxy runs it.
    pub hold: u64,
    /// Whether somebody has to approve of what comes after it.
    pub approval: bool,
}

/// What has to be proven.
#[derive(Debug, Clone, PartialEq)]
pub struct Gates {
    /// The part of healthy rollouts that may be rolled back falsely, and the part of bad steps that may pass: 0.000001 to 0.5.
    pub alpha: f64,
    /// Errors: how many times the baseline's at most, and which part at most.
    pub errors: Limit,
    /// Slow responses: the same, slower than so many milliseconds.
    pub slow: Option<Slow>,
    /// Whether users have to be spread over the variants as the weights say.
    pub sample_ratio: bool,
    /// So many responses of the challenger at least, in each step.
    pub responses: u64,
    /// Queries, such as conversions per visit, compared as they are: no statistic.
    pub queries: Vec<Query>,
}

/// How often something bad may happen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// So many times as often as to the baseline, at most: 1.01 to 1000.
    pub ratio: f64,
    /// Or to this part, at most: 0.000001 to 0.5.
    pub part: Option<f64>,
}

/// A bound of durations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slow {
    /// Slower than this is bad, in milliseconds.
    pub over: u64,
    /// How often it may be.
    pub limit: Limit,
}

/// A number of each variant, compared with the baseline's.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// Its name, in decisions.
    pub name: String,
    /// PromQL with one row for each variant, by the label `variant`.
    pub query: String,
    /// The challenger's, over the baseline's, at least.
    pub at_least: Option<f64>,
    /// And at most.
    pub at_most: Option<f64>,
}

/// What to do where nothing is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inconclusive {
    /// After so long in a step, in milliseconds; `None` = never.
    pub after: Option<u64>,
    /// Whether to go back to the last weight that was proven, or stay.
    pub retreat: bool,
}

/// Where counts come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountsFrom {
    /// Who has them.
    pub source: Source,
    /// How often somebody looks, in milliseconds.
    pub every: u64,
}

/// Who has the counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A Prometheus, and the matchers of its series: `job="edge"`.
    Prometheus {
        /// Its address.
        url: String,
        /// Matchers without braces; empty for none.
        matching: String,
    },
    /// The proxies themselves, by their admin interfaces.
    Proxies(Vec<String>),
}

/// How a policy gets to the proxies. It is written to its file in any case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Apply {
    /// Something else watches the file.
    File,
    /// As an ECDS file.
    Ecds(String),
    /// By a command; its words.
    Command(Vec<String>),
}

impl Rollout {
    /// The longest that a look may be away from the one before it.
    pub const SLOWEST: u64 = 3_600_000;
    /// The shortest.
    pub const FASTEST: u64 = 200;
    /// How often somebody looks where the file does not say, in milliseconds.
    pub const EVERY: u64 = 10_000;
    /// How many steps there may be.
    pub const MOST_STEPS: usize = 100;
    /// How many times as often something bad may happen where the file does not say.
    pub const RATIO: f64 = 1.5;
    /// The alpha where the file does not say.
    pub const ALPHA: f64 = 0.05;
    /// The least responses where the file does not say.
    pub const RESPONSES: u64 = 100;
}

#[cfg(test)]
mod tests;
