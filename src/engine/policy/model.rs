//! The policy: what the operator wrote, checked. Field names are those of the document.

use super::Weight;
use crate::matching::{Match, ValueTest};

/// A checked split policy, version 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Request header that names the upstream cluster; lower case.
    pub cluster_header: String,
    /// Request header that lists the variants, as `checkout=canary, search=b`; `None` = off.
    pub variant_header: Option<String>,
    /// Every split serves its baseline, whatever else it says.
    pub kill: bool,
    /// Decision points, in the order written.
    pub splits: Vec<Split>,
}

impl Policy {
    /// The default of `cluster_header`.
    pub const CLUSTER_HEADER: &str = "x-split-cluster";
    /// The default of `variant_header`.
    pub const VARIANT_HEADER: &str = "x-split-variant";
}

impl Default for Policy {
    /// A policy without splits: the meaning of an empty configuration.
    fn default() -> Self {
        Self {
            cluster_header: Self::CLUSTER_HEADER.into(),
            variant_header: Some(Self::VARIANT_HEADER.into()),
            kill: false,
            splits: Vec::new(),
        }
    }
}

/// One decision point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Unique in the policy.
    pub name: String,
    /// `false`: as if the split were not written.
    pub enabled: bool,
    /// Who takes part; `None` = every request.
    pub matches: Option<Vec<Match>>,
    /// Where the user's key comes from, in order; the policy's `key` where the split has none.
    pub key: Vec<KeySource>,
    /// What happens to a request without a key.
    pub on_missing_key: OnMissingKey,
    /// Hashed with the key; the name where none is written.
    pub salt: String,
    /// Index in `variants` of the variant served when in doubt.
    pub baseline: usize,
    /// The outcomes, in the order written.
    pub variants: Vec<Variant>,
    /// What the weights must sum to.
    pub weight_total: WeightTotal,
    /// Forced variants; the first whose match holds wins.
    pub overrides: Vec<Override>,
}

/// One outcome of a split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// Unique in the split.
    pub name: String,
    /// The upstream cluster; `None` = the variant only tags.
    pub cluster: Option<String>,
    /// Its share.
    pub weight: Weight,
    /// The largest weight it may be given.
    pub max_weight: Option<Weight>,
}

/// A forced variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// For which requests.
    pub matches: Vec<Match>,
    /// Index in the split's `variants`.
    pub variant: usize,
}

/// Where a user's key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// This request header (lower case): its first line that is not empty.
    Header(String),
    /// This cookie: its first value that is not empty.
    Cookie(String),
}

/// What happens to a request without a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnMissingKey {
    /// It is served the baseline.
    #[default]
    Baseline,
    /// It is served a variant drawn at random by weight, anew for each request.
    Random,
    /// The split does not apply to it.
    Skip,
}

impl OnMissingKey {
    /// Each value with its text in a policy.
    pub const ALL: &[(&str, Self)] =
        &[("baseline", Self::Baseline), ("random", Self::Random), ("skip", Self::Skip)];
}

/// What the weights of a split must sum to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightTotal {
    /// Exactly this.
    Exactly(Weight),
    /// Anything; a variant's share is its weight over the sum.
    Any,
}

impl Default for WeightTotal {
    fn default() -> Self {
        Self::Exactly(Weight::HUNDRED)
    }
}

impl Split {
    /// Everything the split reads a header for: the names, with repetitions.
    pub fn headers_read(&self) -> impl Iterator<Item = &str> {
        let matches = self.matches.iter().flatten();
        matches
            .chain(self.overrides.iter().flat_map(|o| &o.matches))
            .flat_map(|m| &m.headers)
            .map(|test| test.name.as_str())
            .chain(self.key.iter().filter_map(|source| match source {
                KeySource::Header(name) => Some(name.as_str()),
                KeySource::Cookie(_) => None,
            }))
    }
}

/// Whether a value of this text can meet the test at all; used to derive sample requests.
impl ValueTest {
    /// A value that meets the test; `None` where only absence does.
    pub fn sample(&self) -> Option<Vec<u8>> {
        match self {
            Self::Exact(value) | Self::Prefix(value) => Some(value.to_vec()),
            Self::Present(true) => Some(b"1".to_vec()),
            Self::Present(false) => None,
            Self::In(values) => values.first().map(|v| v.to_vec()),
        }
    }
}
