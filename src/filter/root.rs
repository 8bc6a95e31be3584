//! One configuration of the filter: its policy compiled, its metrics defined.

use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;

use engine::plan::Plan;
use engine::policy::{self, Checked, Severity};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

use crate::host;
use crate::metrics::{MetricIds, count_refused, define_common, show_policy_hash};
use crate::stream::Stream;

/// What a configuration means, shared with the streams that began under it.
pub(crate) struct Active {
    pub(crate) plan: Plan,
    pub(crate) metrics: MetricIds,
    /// Where this configuration's random numbers begin.
    pub(crate) seed: u64,
}

/// The root context: the host makes a new one for each configuration.
#[derive(Default)]
pub(crate) struct Root {
    active: Option<Rc<Active>>,
}

impl Context for Root {}

impl RootContext for Root {
    /// Returns `false` for a policy that is refused: then the host does not start, or keeps the
    /// configuration before.
    fn on_configure(&mut self, _size: usize) -> bool {
        define_common();
        let text = match host::configuration() {
            Ok(text) => text,
            Err(status) => {
                log::error!("the plugin configuration cannot be read: {status:?}");
                count_refused();
                return false;
            }
        };
        let Checked { policy, diagnostics, hash } = policy::from_configuration(&text);
        for diagnostic in &diagnostics {
            match diagnostic.severity {
                Severity::Error => log::error!("{diagnostic}"),
                Severity::Warning => log::warn!("{diagnostic}"),
            }
        }
        let Some(policy) = policy else {
            log::error!(
                "policy refused: see the errors above; an earlier policy, if there is one, stays in force"
            );
            count_refused();
            return false;
        };
        let plan = Plan::compile(&policy);
        let metrics = MetricIds::define(plan.metrics.definitions());
        for (index, weight) in plan.weights() {
            metrics.record(index, weight);
        }
        show_policy_hash(hash);
        log::info!("policy {hash:013x} in force, splits: {}", plan.splits.len());
        // A new `RandomState` has new random keys, so an empty hash under it is a random number.
        let seed = RandomState::new().hash_one(0);
        self.active = Some(Rc::new(Active { plan, metrics, seed }));
        true
    }

    fn create_http_context(&self, context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream::new(self.active.clone(), context_id)))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
