//! One configuration of the filter: its policy read, and in force or refused.

use std::rc::Rc;

use engine::policy::{self, Checked, Severity};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

use crate::active::Active;
use crate::host;
use crate::metrics::{count_errors, count_refused, define_common, show_policy_hash};
use crate::stream::Stream;
use crate::unused::{no_context, no_root_context};

/// How often the weights shown follow a ramp.
const TICK_MILLISECONDS: u32 = 1000;

/// The root context: the host makes a new one for each configuration.
#[derive(Default)]
pub(crate) struct Root {
    active: Option<Rc<Active>>,
}

impl Context for Root {
    no_context! {}
}

impl RootContext for Root {
    no_root_context! {}

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
        let active = Active::new(policy);
        active.show_weights();
        if active.reads_time() {
            count_errors(host::tick_every(TICK_MILLISECONDS));
        }
        show_policy_hash(hash);
        log::info!("policy {hash:013x} in force, splits: {}", active.plan.enabled().count());
        self.active = Some(Rc::new(active));
        true
    }

    fn on_tick(&mut self) {
        if let Some(active) = &self.active {
            active.show_weights();
        }
    }

    fn create_http_context(&self, context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream::new(self.active.clone(), context_id)))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
