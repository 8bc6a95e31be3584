//! What is seen at one look, as a log keeps it.

use serde::{Deserialize, Serialize};

use super::watch::Pair;

/// Everything that a decision may hang on, besides what was seen before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// The hash of the policy in its file, as 13 hexadecimal digits; `None` where the file cannot be read or is not valid.
    pub policy: Option<String>,
    /// The proxies.
    pub proxies: Proxies,
    /// What was counted, or why nothing was.
    pub counted: Counted,
    /// What the queries said, in the order of the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queries: Vec<QuerySeen>,
}

/// Which policy proxies run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proxies {
    /// How many there are, those that do not answer among them.
    pub all: u32,
    /// How many run the policy of the file.
    pub current: u32,
}

impl Proxies {
    /// Whether there are some, and all run it.
    pub const fn are_current(self) -> bool {
        self.all > 0 && self.current >= self.all
    }
}

/// What was counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Counted {
    /// Nobody had counts.
    Nothing {
        /// Why.
        why: String,
    },
    /// Cumulative counts of the two variants.
    Counts {
        /// All events and the bad ones.
        errors: Pair,
        /// Whether `errors` are users, each counted once, rather than requests.
        users: bool,
        /// All responses and the slow ones, where that is a gate and somebody counts them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        slow: Option<Pair>,
        /// Users who came to the baseline and the challenger, where they are counted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keys: Option<[u64; 2]>,
        /// On how many proxies the split's guard has the challenger out of service.
        #[serde(default, skip_serializing_if = "is_none")]
        tripped: u64,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it so")]
const fn is_none(count: &u64) -> bool {
    *count == 0
}

/// What a query said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuerySeen {
    /// Its name.
    pub name: String,
    /// The baseline's number; `None` without one.
    pub baseline: Option<f64>,
    /// The challenger's.
    pub challenger: Option<f64>,
}

impl QuerySeen {
    /// The challenger's over the baseline's; `None` where one is missing, no number or not above 0.
    pub fn ratio(&self) -> Option<f64> {
        let (baseline, challenger) = (self.baseline?, self.challenger?);
        let ratio = challenger / baseline;
        (baseline > 0.0 && ratio.is_finite() && ratio >= 0.0).then_some(ratio)
    }
}
