//! One request through the filter.

use std::rc::Rc;

use engine::decision::{Context as DecisionContext, Decision};
use engine::effects::{HeaderEdit, milliseconds};
use engine::plan::hash::fmix64;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use crate::header_map::HeaderMap;
use crate::host;
use crate::metrics::count_errors;
use crate::root::Active;

/// The name of the filter state, `wasm.traffic_split` to the host.
const STATE: &str = "traffic_split";

/// A stream; keeps what was decided until its outcome is known.
pub(crate) struct Stream {
    /// The configuration under which the stream began; `None` = none was ever accepted.
    active: Option<Rc<Active>>,
    id: u32,
    decisions: Vec<Decision>,
}

impl Stream {
    pub(crate) const fn new(active: Option<Rc<Active>>, id: u32) -> Self {
        Self { active, id, decisions: Vec::new() }
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let Some(active) = &self.active else { return Action::Continue };
        let headers = match host::request_headers() {
            Ok(block) => HeaderMap::new(block),
            Err(status) => {
                // Undecided, but a client's forged headers must not pass all the same.
                count_errors(Err(status));
                for name in active.plan.control_headers() {
                    count_errors(host::remove_request_header(name));
                }
                return Action::Continue;
            }
        };
        // Stream ids count up and never come twice in a VM.
        let context = DecisionContext { random: fmix64(active.seed ^ u64::from(self.id)) };
        active.plan.decide(&headers, &context, &mut self.decisions);
        let effects = active.plan.request_effects(&headers, &self.decisions);
        for edit in &effects.headers {
            count_errors(match edit {
                HeaderEdit::Set { name, value } => host::set_request_header(name, value),
                HeaderEdit::Remove { name } => host::remove_request_header(name),
            });
        }
        for counter in &effects.counters {
            active.metrics.increment(*counter);
        }
        if let Some(state) = &effects.state {
            count_errors(host::set_state(STATE, state));
        }
        Action::Continue
    }

    /// The one moment at which every stream's outcome is known, whoever answered it.
    fn on_log(&mut self) {
        let Some(active) = self.active.as_ref().filter(|_| !self.decisions.is_empty()) else {
            return;
        };
        let read = |path| {
            host::number(path).unwrap_or_else(|status| {
                count_errors(Err(status));
                None
            })
        };
        let status = read("response\0code").and_then(|code| u16::try_from(code).ok());
        let duration = read("request\0duration");
        for effect in active.plan.response_effects(&self.decisions, status) {
            active.metrics.increment(effect.counter);
            if let Some(nanoseconds) = duration {
                active.metrics.record(effect.histogram, milliseconds(nanoseconds));
            }
        }
    }
}
