//! What programs read of the answers.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::moment::Moment;

/// Shares of users.
#[derive(Debug, Serialize)]
pub(super) struct Shares<'a> {
    pub(super) users: u64,
    pub(super) at: Option<Moment>,
    pub(super) splits: Vec<SplitShares<'a>>,
}

/// The users of a split.
#[derive(Debug, Serialize)]
pub(super) struct SplitShares<'a> {
    pub(super) name: &'a str,
    pub(super) variants: Vec<VariantShare<'a>>,
    pub(super) chi_square: Option<f64>,
    pub(super) degrees_of_freedom: Option<u32>,
    pub(super) p: Option<f64>,
    pub(super) as_configured: Option<bool>,
    pub(super) not_in_split: u64,
    pub(super) holdout: u64,
    pub(super) killed: u64,
    pub(super) fallback: u64,
}

/// The users whom the weights gave to a variant; shares are from 0 to 1.
#[derive(Debug, Serialize)]
pub(super) struct VariantShare<'a> {
    pub(super) name: &'a str,
    pub(super) configured: f64,
    pub(super) observed: Option<f64>,
    pub(super) interval: Option<[f64; 2]>,
    pub(super) users: u64,
}

/// Weights over time.
#[derive(Debug, Serialize)]
pub(super) struct Course<'a> {
    pub(super) from: Moment,
    pub(super) to: Moment,
    pub(super) splits: Vec<SplitCourse<'a>>,
}

/// The weights of a split over time.
#[derive(Debug, Serialize)]
pub(super) struct SplitCourse<'a> {
    pub(super) name: &'a str,
    pub(super) points: Vec<Point<'a>>,
}

/// The weights at a time.
#[derive(Debug, Serialize)]
pub(super) struct Point<'a> {
    pub(super) time: Moment,
    pub(super) variants: Vec<Share<'a>>,
}

/// A variant's share of the weights, from 0 to 1.
#[derive(Debug, Serialize)]
pub(super) struct Share<'a> {
    pub(super) name: &'a str,
    pub(super) share: f64,
}

/// A line of a log; without a request where it cannot be read.
#[derive(Debug, Serialize)]
pub(super) struct Line<'a> {
    pub(super) line: u64,
    pub(super) request: Option<String>,
    pub(super) splits: Option<Vec<MetSplit<'a>>>,
}

/// A split that a logged request meets; without a variant where the log does not tell.
#[derive(Debug, Serialize)]
pub(super) struct MetSplit<'a> {
    pub(super) name: &'a str,
    pub(super) variant: Option<&'a str>,
    pub(super) reason: Option<&'a str>,
}

/// The sums of a log.
#[derive(Debug, Serialize)]
pub(super) struct Totals<'a> {
    pub(super) requests: u64,
    pub(super) unreadable: u64,
    /// The first line that cannot be read.
    pub(super) first_unreadable: Option<u64>,
    pub(super) no_split: u64,
    pub(super) splits: Vec<SplitTotals<'a>>,
    /// What the log names and the policy does not have, with the number of requests.
    pub(super) not_in_policy: &'a BTreeMap<String, u64>,
}

/// The logged requests that meet a split.
#[derive(Debug, Serialize)]
pub(super) struct SplitTotals<'a> {
    pub(super) name: &'a str,
    pub(super) requests: u64,
    /// Requests whose variant chance decided, by the key or without one: only they can be compared.
    pub(super) randomised: u64,
    pub(super) variants: Vec<VariantTotal<'a>>,
    pub(super) unknown: u64,
}

/// The logged requests of a variant; shares are from 0 to 1.
#[derive(Debug, Serialize)]
pub(super) struct VariantTotal<'a> {
    pub(super) name: &'a str,
    pub(super) requests: u64,
    /// By reason; `unknown` where the log has the variant alone.
    pub(super) reasons: BTreeMap<&'a str, u64>,
    pub(super) randomised: u64,
    /// Its share of the randomised requests; `None` = there are none.
    pub(super) share: Option<f64>,
    /// The share that its weight would give it.
    pub(super) configured: Option<f64>,
    /// By class of the response; empty where the log does not say.
    pub(super) classes: BTreeMap<&'a str, u64>,
    pub(super) p50_milliseconds: Option<u64>,
    pub(super) p95_milliseconds: Option<u64>,
}
