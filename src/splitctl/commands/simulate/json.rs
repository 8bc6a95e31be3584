//! What programs read of the answers.

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
}

/// The sums of a log.
#[derive(Debug, Serialize)]
pub(super) struct Totals<'a> {
    pub(super) requests: u64,
    pub(super) unreadable: u64,
    pub(super) no_split: u64,
    pub(super) splits: Vec<SplitTotals<'a>>,
}

/// The logged requests that meet a split.
#[derive(Debug, Serialize)]
pub(super) struct SplitTotals<'a> {
    pub(super) name: &'a str,
    pub(super) requests: u64,
    pub(super) variants: Vec<VariantTotal<'a>>,
    pub(super) unknown: Option<u64>,
}

/// The logged requests of a variant.
#[derive(Debug, Serialize)]
pub(super) struct VariantTotal<'a> {
    pub(super) name: &'a str,
    pub(super) requests: u64,
}
