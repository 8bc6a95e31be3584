//! The policy: what the operator wrote, checked. Field names are those of the document.

mod cookie;
mod decoding;
mod guard;
mod ramp;
mod secret;
mod slice;

pub use cookie::{CookieOptions, SameSite};
pub use decoding::{Decoding, Encoding};
pub use guard::{Guard, Release, Slow};
pub use ramp::{Ramp, RampStep, Steps};
pub use secret::Secret;
pub use slice::Slice;

use super::Weight;
use crate::ids::{LayerId, List, SplitId, VariantId};
use crate::matching::Match;
use crate::units::Buckets;

/// A checked split policy, version 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Request header that names the upstream cluster; lower case.
    pub cluster_header: String,
    /// Request header that lists the variants, as `checkout=canary, search=b`; `None` = off.
    pub variant_header: Option<String>,
    /// Response header that lists the variants; `None` = off.
    pub response_variant_header: Option<String>,
    /// Request header that names the cluster a copy of the request goes to.
    pub mirror_header: String,
    /// Append the variants to the request's W3C `baggage`, as `split.checkout=canary`.
    pub baggage: bool,
    /// What is left in the stream's filter state, for access logs and traces. Where it is not written: nothing, or the
    /// variants where the variant header is off.
    pub filter_state: FilterState,
    /// Tell caches what a response depends on (see [`crate::plan::Varies`]), so that they keep variants apart.
    pub vary: bool,
    /// Where the client's address is found: 0 = the proxy's own view of it (`source.address`); N = the
    /// Nth from the right in `x-forwarded-for` as the filter sees it, which is Envoy's
    /// `xff_num_trusted_hops` plus 1.
    pub trusted_hops: u8,
    /// Who may force variants from outside; `None` = nobody.
    pub force: Option<Force>,
    /// Sets of splits that exclude each other.
    pub layers: List<LayerId, Layer>,
    /// Users never exposed to any split; `None` = nobody.
    pub holdout: Option<Holdout>,
    /// Every split that applies serves its baseline, whatever its overrides, cookies and weights say.
    pub kill: bool,
    /// Who counts how requests end.
    pub outcomes: Outcomes,
    /// Decision points, in the order written.
    pub splits: List<SplitId, Split>,
}

impl Policy {
    /// The default of `cluster_header`.
    pub const CLUSTER_HEADER: &str = "x-split-cluster";
    /// The default of `variant_header`.
    pub const VARIANT_HEADER: &str = "x-split-variant";
    /// The default of `mirror_header`.
    pub const MIRROR_HEADER: &str = "x-split-mirror";

    /// The headers that never pass from a client, each after the field that names it.
    pub fn owned_headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let force = self.force.as_ref();
        let secret = force.and_then(|force| match &force.secret_in {
            SecretSource::Header(name) => Some(name.as_str()),
            SecretSource::Cookie(_) => None,
        });
        let owned = [
            ("cluster_header", Some(self.cluster_header.as_str())),
            ("variant_header", self.variant_header.as_deref()),
            ("mirror_header", Some(self.mirror_header.as_str())),
            ("force", force.map(|force| force.header.as_str())),
            ("force", secret),
        ];
        owned.into_iter().filter_map(|(field, name)| Some((field, name?)))
    }
}

impl Default for Policy {
    /// A policy without splits: the meaning of an empty configuration.
    fn default() -> Self {
        Self {
            cluster_header: Self::CLUSTER_HEADER.into(),
            variant_header: Some(Self::VARIANT_HEADER.into()),
            response_variant_header: None,
            mirror_header: Self::MIRROR_HEADER.into(),
            baggage: false,
            filter_state: FilterState::Off,
            vary: false,
            trusted_hops: 0,
            force: None,
            layers: List::default(),
            holdout: None,
            kill: false,
            outcomes: Outcomes::default(),
            splits: List::default(),
        }
    }
}

/// What is left in the stream's filter state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FilterState {
    /// Nothing.
    #[default]
    Off,
    /// The variants, in `wasm.traffic_split`.
    Variants,
    /// The variants, and in `wasm.traffic_split_evidence` why each was served, with the user's bucket.
    Evidence,
}

impl FilterState {
    /// The text of the value that is more than yes or no.
    pub const EVIDENCE: &str = "evidence";

    /// What it means that nothing is written.
    pub const fn default_of(variant_header: Option<&String>) -> Self {
        if variant_header.is_some() { Self::Off } else { Self::Variants }
    }
}

/// Who counts how requests end: by class, and how long they took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Outcomes {
    /// The filter.
    #[default]
    Filter,
    /// Envoy's stats access logger, by the variant header, under the same names: `splitctl render envoy` adds it.
    Envoy,
    /// Nobody: Envoy's own statistics of clusters are enough.
    Off,
}

impl Outcomes {
    /// Each value with its text in a policy.
    pub const ALL: &[(&str, Self)] =
        &[("filter", Self::Filter), ("envoy", Self::Envoy), ("off", Self::Off)];
}

/// Who may force variants: a request that proves to know the secret may name them in a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Force {
    /// Request header that names the variants wanted, as `checkout=canary, search=b`.
    pub header: String,
    /// Where the secret is.
    pub secret_in: SecretSource,
    /// The secret itself.
    pub secret: Secret,
}

impl Force {
    /// The default of `header`.
    pub const HEADER: &str = "x-split-force";
}

/// Where a request carries a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// In this request header.
    Header(String),
    /// In this cookie.
    Cookie(String),
}

/// A set of splits of which at most one applies to a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Unique in the policy.
    pub name: String,
    /// Hashed with the key for slices; the name where none is written.
    pub salt: String,
}

/// Users who are served the baseline of every split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holdout {
    /// Who is held out.
    pub buckets: Buckets,
    /// Hashed with the key; `holdout` where none is written.
    pub salt: String,
}

impl Holdout {
    /// The default of `salt`.
    pub const SALT: &str = "holdout";
}

/// One decision point.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
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
    /// Whether the key or chance decides.
    pub assignment: Assignment,
    /// Hashed with the key; the name where none is written.
    pub salt: String,
    /// The variant served when in doubt.
    pub baseline: VariantId,
    /// The outcomes, in the order written.
    pub variants: List<VariantId, Variant>,
    /// What the weights must sum to.
    pub weight_total: WeightTotal,
    /// Forced variants; the first whose match holds wins.
    pub overrides: Vec<Override>,
    /// The layer that it is in; `None` = none.
    pub layer: Option<LayerId>,
    /// Which users of the layer; `None` = all.
    pub slice: Option<Slice>,
    /// Keeps a user's first variant by cookie; `None` = off.
    pub sticky: Option<Sticky>,
    /// Weights over time; `None` = always those of the variants.
    pub ramp: Option<Ramp>,
    /// Copies of requests; `None` = none.
    pub mirror: Option<Mirror>,
    /// Only users who have all of these.
    pub requires: Vec<Requirement>,
    /// Takes out a variant whose users fail; `None` = nothing does.
    pub guard: Option<Guard>,
}

impl Split {
    /// All weights that a variant has, before a ramp and in its steps.
    pub fn weights_of(&self, variant: VariantId) -> impl Iterator<Item = Weight> {
        let steps = self.ramp.iter().flat_map(|ramp| ramp.steps.iter());
        let own = self.variants[variant].weight;
        std::iter::once(own).chain(steps.map(move |step| step.weights[variant]))
    }

    /// Whether a guard can take a variant out: it has a weight at some time, and is not the baseline.
    pub fn is_judged(&self, variant: VariantId) -> bool {
        variant != self.baseline && !self.weights_of(variant).all(Weight::is_zero)
    }
}

impl Split {
    /// The cluster that stands in for a variant none of whose hosts can serve; `None` = no other one does.
    pub fn stand_in(&self, variant: VariantId) -> Option<&str> {
        let (of, baseline) = (&self.variants[variant], &self.variants[self.baseline]);
        let other =
            variant != self.baseline && of.cluster.is_some() && of.cluster != baseline.cluster;
        of.fallback.filter(|_| other).and(baseline.cluster.as_deref())
    }
}

/// One outcome of a split.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Variant {
    /// Unique in the split.
    pub name: String,
    /// The upstream cluster; `None` = the variant only tags.
    pub cluster: Option<String>,
    /// Its share; with 0 the weights and sticky cookies give it to nobody.
    pub weight: Weight,
    /// The largest weight it may be given.
    pub max_weight: Option<Weight>,
    /// Keeps those who hold it by sticky cookie, admits nobody new.
    pub drain: bool,
    /// Edits of the request's headers.
    pub request_headers: HeaderEdits,
    /// Edits of the response's headers.
    pub response_headers: HeaderEdits,
    /// Answered by the proxy itself.
    pub respond: Option<Respond>,
    /// Changes of host and path before the request goes on.
    pub rewrite: Rewrite,
    /// Who serves its requests where no host of its cluster can take them; `None` = nobody. The proxy's clusters and
    /// routes do it, which `splitctl render` makes: the filter names the variant's own cluster all the same.
    pub fallback: Option<Fallback>,
}

/// Who serves the requests of a variant none of whose hosts can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// The cluster of the split's baseline.
    Baseline,
}

impl Fallback {
    /// Each value with its text in a policy.
    pub const ALL: &[(&str, Self)] = &[("baseline", Self::Baseline)];
}

/// Edits of headers, applied in this order: remove, set, add (names in lower case).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeaderEdits {
    /// Headers that are replaced.
    pub set: Vec<(String, String)>,
    /// Headers that get one more line.
    pub add: Vec<(String, String)>,
    /// Headers that are taken away.
    pub remove: Vec<String>,
}

/// A response by the proxy itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Respond {
    /// 200 to 599.
    pub status: u16,
    /// Its text; may be empty.
    pub body: String,
}

/// Changes of a request's target.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rewrite {
    /// The new host.
    pub host: Option<String>,
    /// A path prefix (on segment borders) and what takes its place.
    pub path_prefix: Option<(String, String)>,
}

/// A forced variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// For which requests.
    pub matches: Vec<Match>,
    /// `None` = the split does not apply (`skip: true`).
    pub variant: Option<VariantId>,
}

/// Where a user's key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// This request header (lower case): its first line that is not empty.
    Header(String),
    /// This cookie: its first value that gives a text that is not empty.
    Cookie {
        /// Its name.
        name: String,
        /// How its value is decoded.
        decoding: Decoding,
    },
    /// This query parameter: its first value that is not empty, percent-decoded.
    Query(String),
    /// A claim of a token that `jwt_authn` has checked.
    Jwt {
        /// The `payload_in_metadata` of the provider.
        provider: String,
        /// The claim's name.
        claim: String,
    },
    /// The client's address without port.
    ClientIp,
    /// A new random id, kept in a cookie (which an earlier source reads).
    Generate(CookieOptions),
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

/// Whether the key or chance decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Assignment {
    /// One user, one variant.
    #[default]
    Hash,
    /// A variant drawn by weight, anew for each request.
    Random,
}

impl Assignment {
    /// Each value with its text in a policy.
    pub const ALL: &[(&str, Self)] = &[("hash", Self::Hash), ("random", Self::Random)];
}

/// Keeps a user's first variant by an authenticated cookie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sticky {
    /// The cookie.
    pub cookie: CookieOptions,
    /// Assignments of another epoch no longer count.
    pub epoch: u32,
    /// The key of the cookie's MAC.
    pub secret: Secret,
}

impl Sticky {
    /// The name of a split's cookie where the policy gives none.
    pub fn default_cookie(split: &str) -> String {
        format!("split-{split}")
    }
}

/// Copies of requests to another cluster; their answers are ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// Where copies go.
    pub cluster: String,
    /// How much.
    pub buckets: Buckets,
    /// Whether the share is of users or of requests.
    pub by: MirrorBy,
}

/// What a mirror's share is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MirrorBy {
    /// The same users always; 5 % are inside 10 %.
    #[default]
    User,
    /// Requests, by chance.
    Request,
}

impl MirrorBy {
    /// Each value with its text in a policy.
    pub const ALL: &[(&str, Self)] = &[("user", Self::User), ("request", Self::Request)];
}

/// A variant of an earlier split that a user must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requirement {
    /// The split, an earlier one.
    pub split: SplitId,
    /// The variant of that split.
    pub variant: VariantId,
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
