//! What a configuration means, prepared once and shared with the streams that began under it.

use std::hash::{BuildHasher, RandomState};

use engine::decision::Context;
use engine::metrics::Metrics;
use engine::plan::Plan;
use engine::policy::Policy;
use engine::units::Moment;

use crate::guard::{Guarding, Of};
use crate::host;
use crate::metrics::{MetricIds, counted};

/// A policy in force.
pub(crate) struct Active {
    pub(crate) plan: Plan,
    pub(crate) metrics: Metrics,
    pub(crate) ids: MetricIds,
    pub(crate) guarding: Guarding,
    /// The hash of the policy.
    pub(crate) hash: u64,
    /// Whether deciding reads the time.
    reads_time: bool,
    /// A keyed hash with a random key: of a number that never comes twice, it is a random number.
    /// `None` where the policy asks for no chance.
    random: Option<RandomState>,
}

impl Active {
    /// Prepares a policy, and defines its metrics at the host.
    pub(crate) fn new(policy: Policy, hash: u64) -> Self {
        let plan = Plan::new(policy);
        let metrics = Metrics::new(&plan);
        Self {
            guarding: Guarding::new(&plan, hash),
            ids: MetricIds::define(metrics.definitions()),
            metrics,
            hash,
            reads_time: plan.reads_time(),
            random: plan.reads_chance().then(RandomState::new),
            plan,
        }
    }

    /// What a decision for this stream may depend on besides its request. Ids of streams count up,
    /// and none comes twice in a VM.
    pub(crate) fn context(&self, stream: u32) -> Context {
        let random = self.random.as_ref();
        let random = random.map_or([0; 2], |r| [0_u8, 1].map(|which| r.hash_one((stream, which))));
        Context { now: self.now(), random }
    }

    /// What the guards need of the policy.
    pub(crate) const fn of(&self) -> Of<'_> {
        Of { plan: &self.plan, metrics: &self.metrics, ids: &self.ids }
    }

    /// Shows the weights in force now, and what is out of service.
    pub(crate) fn show(&self) {
        let tripped = self.guarding.tripped();
        for (id, share) in self.metrics.shares(&self.plan, self.now(), &tripped) {
            self.ids.record(id, share);
        }
        self.guarding.show(self.of());
    }

    /// The time, where it is read; 1970 where it is not, or the host does not tell.
    fn now(&self) -> Moment {
        if !self.reads_time {
            return Moment::default();
        }
        counted(host::now()).unwrap_or_default()
    }
}
