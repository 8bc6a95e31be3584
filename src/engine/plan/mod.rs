//! The compiled form of a policy, built once per configuration: everything that can be prepared
//! is prepared here, so that deciding only reads bytes and does whole-number arithmetic.

mod index;
mod race;
pub mod ramp;
pub mod set_cookie;
pub mod sticky;
mod weights;

pub use index::Index;
pub use race::{Draw, Race};
pub use weights::WeightsNow;

use crate::hash;
use crate::matching::{Match, Scope};
use crate::metrics::Metrics;
use crate::policy::{
    Assignment, HeaderEdits, KeySource, MirrorBy, OnMissingKey, Policy, Respond, Rewrite, Secret,
    SecretSource, Slice, Split, Variant, Weight,
};
use ramp::RampPlan;
use set_cookie::SetCookie;
use sticky::StickyPlan;

/// A compiled policy.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Request header that names the upstream cluster; lower case.
    pub cluster_header: String,
    /// Request header that lists the variants; `None` = off.
    pub variant_header: Option<String>,
    /// Response header that lists the variants; `None` = off.
    pub response_variant_header: Option<String>,
    /// Request header that names the cluster of a mirror.
    pub mirror_header: String,
    /// Whether variants go on in the W3C `baggage`.
    pub baggage: bool,
    /// The value that every response's `vary` gets; `None` = off.
    pub vary: Option<String>,
    /// What matching needs to know besides the request.
    pub scope: Scope,
    /// Who may force variants.
    pub force: Option<ForcePlan>,
    /// Users never exposed.
    pub holdout: Option<HoldoutPlan>,
    /// Every split serves its baseline.
    pub kill: bool,
    /// The enabled splits, in the order written.
    pub splits: Vec<SplitPlan>,
    /// Finds the splits a request can meet.
    pub index: Index,
    /// Every metric this plan can count, and where.
    pub metrics: Metrics,
}

/// Who may force variants.
#[derive(Debug, Clone)]
pub struct ForcePlan {
    /// Request header that names the variants wanted.
    pub header: String,
    /// Where the secret is.
    pub secret_in: SecretSource,
    /// The secret.
    pub secret: Secret,
}

/// A compiled holdout.
#[derive(Debug, Clone)]
pub struct HoldoutPlan {
    /// Salt and separator.
    pub salt_prefix: Box<[u8]>,
    /// Buckets below this are held out.
    pub buckets: u16,
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
    /// Whether the key or chance decides.
    pub assignment: Assignment,
    /// Salt and separator.
    pub salt_prefix: Box<[u8]>,
    /// The first word of the salt's hash: makes chance independent from split to split.
    pub salt_word: u64,
    /// Index of the variant served when in doubt.
    pub baseline: usize,
    /// The outcomes, in the order written.
    pub variants: Vec<VariantPlan>,
    /// The variants' own weights.
    pub weights: Vec<Weight>,
    /// Weights over time.
    pub ramp: Option<RampPlan>,
    /// The variants that can win.
    pub race: Race,
    /// Forced variants, in order.
    pub overrides: Vec<OverridePlan>,
    /// The layer and the split's share of it.
    pub layer: Option<LayerPlan>,
    /// Keeps a user's first variant.
    pub sticky: Option<StickyPlan>,
    /// Copies of requests.
    pub mirror: Option<MirrorPlan>,
    /// Variants of earlier splits that a user must have.
    pub requires: Vec<RequirementPlan>,
    /// The cookie of a generated key, if one is generated.
    pub generated: Option<SetCookie>,
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
    /// Edits of the request's headers.
    pub request_headers: HeaderEdits,
    /// Edits of the response's headers.
    pub response_headers: HeaderEdits,
    /// Answered by the proxy itself.
    pub respond: Option<Respond>,
    /// Changes of host and path.
    pub rewrite: Rewrite,
}

/// A compiled override.
#[derive(Debug, Clone)]
pub struct OverridePlan {
    /// For which requests.
    pub matches: Vec<Match>,
    /// Index of the variant; `None` = the split does not apply.
    pub variant: Option<usize>,
}

/// A split's place in a layer.
#[derive(Debug, Clone)]
pub struct LayerPlan {
    /// One bit for each layer.
    pub bit: u64,
    /// The layer's salt and separator.
    pub salt_prefix: Box<[u8]>,
    /// Which users; `None` = all, with a key or without.
    pub slice: Option<Slice>,
}

/// A compiled mirror.
#[derive(Debug, Clone)]
pub struct MirrorPlan {
    /// Where copies go.
    pub cluster: String,
    /// Salt, `/mirror` and separator.
    pub salt_prefix: Box<[u8]>,
    /// Buckets below this are copied.
    pub buckets: u16,
    /// Whether the share is of users or of requests.
    pub by: MirrorBy,
}

/// A variant that a user must have.
#[derive(Debug, Clone, Copy)]
pub struct RequirementPlan {
    /// Index in [`Plan::splits`]; `None` = that split is not enabled, so nobody has it.
    pub split: Option<usize>,
    /// Index in that split's variants.
    pub variant: usize,
}

impl Plan {
    /// Compiles a checked policy.
    pub fn compile(policy: &Policy) -> Self {
        Self::of(policy.clone())
    }

    /// Compiles a checked policy that is not needed any more: its parts are moved, not copied, which
    /// also keeps the code for copying them out of the module.
    pub fn of(mut policy: Policy) -> Self {
        let splits = std::mem::take(&mut policy.splits);
        let enabled = |(index, split): (usize, &Split)| split.enabled.then_some(index);
        let order: Vec<usize> = splits.iter().enumerate().filter_map(enabled).collect();
        let active = splits.into_iter().filter(|split| split.enabled);
        let splits: Vec<_> = active.map(|split| SplitPlan::of(&policy, split, &order)).collect();
        Self {
            metrics: Metrics::of(&splits, &policy),
            vary: policy.variant_header.clone().filter(|_| policy.vary),
            cluster_header: policy.cluster_header,
            variant_header: policy.variant_header,
            response_variant_header: policy.response_variant_header,
            mirror_header: policy.mirror_header,
            baggage: policy.baggage,
            scope: Scope { trusted_hops: policy.trusted_hops },
            kill: policy.kill,
            index: Index::new(&splits),
            force: policy.force.map(|force| ForcePlan {
                header: force.header,
                secret_in: force.secret_in,
                secret: force.secret,
            }),
            holdout: policy.holdout.map(|holdout| HoldoutPlan {
                salt_prefix: hash::prefix(&holdout.salt),
                buckets: holdout.buckets,
            }),
            splits,
        }
    }

    /// Whether deciding reads the time.
    pub fn reads_time(&self) -> bool {
        self.splits.iter().any(|split| split.ramp.is_some())
    }
}

impl SplitPlan {
    /// `order`: the indices in the policy of the splits that are enabled.
    fn of(policy: &Policy, split: Split, order: &[usize]) -> Self {
        let weights: Vec<_> = split.variants.iter().map(|v| v.weight).collect();
        let layer = split.layer.and_then(|index| {
            let bit = u32::try_from(index).ok().and_then(|index| 1_u64.checked_shl(index))?;
            let salt_prefix = hash::prefix(&policy.layers.get(index)?.salt);
            Some(LayerPlan { bit, salt_prefix, slice: split.slice })
        });
        let generated = split.key.iter().find_map(|source| match source {
            KeySource::Generate(cookie) => Some(SetCookie::new(cookie)),
            _ => None,
        });
        let race = Race::new(&split.variants, |index| {
            let ever = split.ramp.iter().flat_map(|ramp| &ramp.steps).map(|step| &step.weights);
            let mut all = ever.chain([&weights]).filter_map(|weights| weights.get(index));
            all.any(|weight| !weight.is_zero())
        });
        let names: Vec<&str> = split.variants.iter().map(|v| v.name.as_str()).collect();
        let sticky = split.sticky.map(|sticky| StickyPlan::new(&split.name, &sticky, &names));
        let variant = |v: Variant| VariantPlan {
            tag: format!("{}={}", split.name, v.name),
            name: v.name,
            cluster: v.cluster,
            request_headers: v.request_headers,
            response_headers: v.response_headers,
            respond: v.respond,
            rewrite: v.rewrite,
        };
        let forced =
            |o: crate::policy::Override| OverridePlan { matches: o.matches, variant: o.variant };
        let required = |required: crate::policy::Requirement| RequirementPlan {
            split: order.iter().position(|index| *index == required.split),
            variant: required.variant,
        };
        Self {
            variants: split.variants.into_iter().map(variant).collect(),
            name: split.name,
            matches: split.matches,
            key: split.key,
            on_missing_key: split.on_missing_key,
            assignment: split.assignment,
            salt_prefix: hash::prefix(&split.salt),
            salt_word: hash::first_word(split.salt.as_bytes()),
            baseline: split.baseline,
            ramp: split.ramp.map(|ramp| RampPlan::new(&ramp, &weights)),
            race,
            weights,
            overrides: split.overrides.into_iter().map(forced).collect(),
            layer,
            sticky,
            mirror: split.mirror.map(|mirror| MirrorPlan {
                cluster: mirror.cluster,
                salt_prefix: hash::prefix(&format!("{}/mirror", split.salt)),
                buckets: mirror.buckets,
                by: mirror.by,
            }),
            requires: split.requires.into_iter().map(required).collect(),
            generated,
        }
    }
}
