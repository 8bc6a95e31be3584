//! The compiled form of a policy, built once per configuration: everything that can be prepared
//! is prepared here, so that deciding only reads bytes and does whole-number arithmetic.
//!
//! A plan is the checked policy and, beside each of its parts, what is prepared for it.

mod entry;
mod index;
mod questions;
mod race;
mod ramp;
mod set_cookie;
mod split;
mod sticky;
mod varies;
mod weights;

pub use entry::Asked;
pub use index::Index;
pub use questions::{KeySlot, Names, Questions, Salt};
pub use race::Race;
pub use ramp::{Position, RampPlan};
pub use set_cookie::SetCookie;
pub use split::SplitPlan;
pub use sticky::StickyPlan;
pub use varies::Varies;
pub use weights::WeightsNow;

use crate::ids::{CookieSlot, HeaderSlot, List, SaltId, SplitId};
use crate::policy::{Assignment, MirrorBy, OnMissingKey, Policy, SecretSource, Split};
use questions::Asking;

/// A compiled policy.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The policy itself.
    pub policy: Policy,
    /// Every question that it asks of a request.
    pub questions: Questions,
    /// The request headers that the filter owns.
    pub own: OwnHeaders,
    /// The cookie that carries the secret of who may force.
    pub secret_cookie: Option<CookieSlot>,
    /// What the holdout hashes with, where there is one.
    pub holdout_salt: Option<SaltId>,
    /// What is prepared for each split, enabled or not.
    pub splits: List<SplitId, SplitPlan>,
    /// Finds the splits that a request can meet.
    pub index: Index,
}

/// The request headers that the filter owns: where a request has them.
#[derive(Debug, Clone)]
pub struct OwnHeaders {
    /// Names the upstream cluster.
    pub cluster: HeaderSlot,
    /// Lists the variants; `None` = off.
    pub variant: Option<HeaderSlot>,
    /// Names the cluster of a mirror.
    pub mirror: HeaderSlot,
    /// Names the variants that are forced; `None` = nobody may.
    pub force: Option<HeaderSlot>,
    /// Carries the secret of who may force.
    pub secret: Option<HeaderSlot>,
}

impl OwnHeaders {
    fn new(policy: &Policy, asking: &mut Asking) -> Self {
        let force = policy.force.as_ref();
        let secret = force.and_then(|force| match &force.secret_in {
            SecretSource::Header(name) => Some(asking.header(name)),
            SecretSource::Cookie(_) => None,
        });
        Self {
            cluster: asking.header(&policy.cluster_header),
            variant: policy.variant_header.as_ref().map(|name| asking.header(name)),
            mirror: asking.header(&policy.mirror_header),
            force: force.map(|force| asking.header(&force.header)),
            secret,
        }
    }
}

impl Plan {
    /// Compiles a checked policy.
    pub fn new(policy: Policy) -> Self {
        let mut asking = Asking::new(policy.trusted_hops);
        let own = OwnHeaders::new(&policy, &mut asking);
        let secret_cookie = policy.force.as_ref().and_then(|force| match &force.secret_in {
            SecretSource::Cookie(name) => Some(asking.cookie(name)),
            SecretSource::Header(_) => None,
        });
        let holdout = policy.holdout.as_ref();
        let holdout_salt = holdout.map(|holdout| asking.common_salt(&holdout.salt));
        let splits = policy.splits.map(|split| SplitPlan::new(&policy, split, &mut asking));
        Self {
            questions: asking.done(),
            own,
            secret_cookie,
            holdout_salt,
            index: Index::new(&policy),
            splits,
            policy,
        }
    }

    /// The enabled splits, in order: what the policy says and what is prepared.
    pub fn enabled(&self) -> impl Iterator<Item = (SplitId, &Split, &SplitPlan)> {
        let all = self.policy.splits.pairs().zip(&self.splits);
        all.filter(|((_, split), _)| split.enabled).map(|((id, split), plan)| (id, split, plan))
    }

    /// An enabled split by its name.
    pub fn find(&self, name: &str) -> Option<SplitId> {
        self.enabled().find(|(_, split, _)| split.name == name).map(|(id, ..)| id)
    }

    /// Whether deciding reads the time.
    pub fn reads_time(&self) -> bool {
        self.enabled().any(|(_, split, _)| split.ramp.is_some())
    }

    /// Whether deciding reads random numbers.
    pub fn reads_chance(&self) -> bool {
        self.enabled().any(|(_, split, prepared)| {
            split.assignment == Assignment::Random
                || split.on_missing_key == OnMissingKey::Random
                || prepared.generated.is_some()
                || split.mirror.as_ref().is_some_and(|mirror| mirror.by == MirrorBy::Request)
        })
    }

    /// The names of the request headers that the filter owns: they never pass from a client.
    pub fn control_headers(&self) -> impl Iterator<Item = &str> {
        self.policy.owned_headers().map(|(_, name)| name)
    }
}
