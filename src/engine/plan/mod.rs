//! The compiled form of a policy, built once per configuration: everything that can be prepared
//! is prepared here, so that deciding only reads bytes and does whole-number arithmetic.

pub mod hash;
mod race;

pub use race::{Draw, Race};

use crate::matching::Match;
use crate::metrics::Metrics;
use crate::policy::{KeySource, OnMissingKey, Policy, Weight};

/// A compiled policy.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Request header that names the upstream cluster; lower case.
    pub cluster_header: String,
    /// Request header that lists the variants; `None` = off.
    pub variant_header: Option<String>,
    /// Every split serves its baseline.
    pub kill: bool,
    /// The enabled splits, in the order written.
    pub splits: Vec<SplitPlan>,
    /// Every metric this plan can count, and where.
    pub metrics: Metrics,
}

/// A compiled split.
#[derive(Debug, Clone)]
pub struct SplitPlan {
    /// Its name.
    pub name: String,
    /// Who takes part; `None` = every request.
    pub matches: Option<Vec<Match>>,
    /// Where the key comes from, in order.
    pub key: Vec<KeySource>,
    /// What happens without a key.
    pub on_missing_key: OnMissingKey,
    /// Salt and separator.
    pub salt_prefix: Box<[u8]>,
    /// Index of the variant served when in doubt.
    pub baseline: usize,
    /// The outcomes, in the order written.
    pub variants: Vec<VariantPlan>,
    /// The weights at work.
    pub race: Race,
    /// Forced variants, in order.
    pub overrides: Vec<OverridePlan>,
}

/// A compiled variant.
#[derive(Debug, Clone)]
pub struct VariantPlan {
    /// Its name.
    pub name: String,
    /// The upstream cluster; `None` = the variant only tags.
    pub cluster: Option<String>,
    /// `checkout=canary`: how headers and logs name it.
    pub tag: String,
    /// Its weight as configured.
    pub weight: Weight,
    /// Its share of the split's weights in millionths, rounded down.
    pub share: u64,
}

/// A compiled override.
#[derive(Debug, Clone)]
pub struct OverridePlan {
    /// For which requests.
    pub matches: Vec<Match>,
    /// Index of the variant.
    pub variant: usize,
}

impl Plan {
    /// Compiles a checked policy.
    pub fn compile(policy: &Policy) -> Self {
        let splits: Vec<_> =
            policy.splits.iter().filter(|s| s.enabled).map(SplitPlan::compile).collect();
        Self {
            cluster_header: policy.cluster_header.clone(),
            variant_header: policy.variant_header.clone(),
            kill: policy.kill,
            metrics: Metrics::of(&splits, policy.kill),
            splits,
        }
    }
}

impl SplitPlan {
    fn compile(split: &crate::policy::Split) -> Self {
        let sum: u64 = split.variants.iter().fold(0, |sum, v| sum.saturating_add(v.weight.units()));
        let share = |weight: Weight| {
            let share =
                u128::from(weight.units()).saturating_mul(1_000_000).checked_div(u128::from(sum));
            share.and_then(|s| u64::try_from(s).ok()).unwrap_or(0)
        };
        let variant = |v: &crate::policy::Variant| VariantPlan {
            name: v.name.clone(),
            cluster: v.cluster.clone(),
            tag: format!("{}={}", split.name, v.name),
            weight: v.weight,
            share: share(v.weight),
        };
        let forced = |o: &crate::policy::Override| OverridePlan {
            matches: o.matches.clone(),
            variant: o.variant,
        };
        Self {
            name: split.name.clone(),
            matches: split.matches.clone(),
            key: split.key.clone(),
            on_missing_key: split.on_missing_key,
            salt_prefix: hash::prefix(&split.salt),
            baseline: split.baseline,
            variants: split.variants.iter().map(variant).collect(),
            race: Race::new(&split.variants),
            overrides: split.overrides.iter().map(forced).collect(),
        }
    }
}
