//! One request through the filter.

use std::rc::Rc;
use std::str::FromStr;

use engine::decision::{self, Context as DecisionContext, Decisions, Earlier, Facts as _, Nobody};
use engine::effects::{self, Answered, Caching, HeaderEdit};
use engine::outcome::{Class, Ending, milliseconds};
use engine::units::Millis;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use crate::active::Active;
use crate::host::{self, Map};
use crate::metrics::{count_errors, counted};
use crate::request::{NOTE, Request};
use crate::unused::{no_context, no_http_context};

/// The name of the filter state, `wasm.traffic_split` to the host.
const STATE: &str = "traffic_split";
/// The same, `wasm.traffic_split_evidence` to the host.
const EVIDENCE: &str = "traffic_split_evidence";
/// The header or trailer with the status of a gRPC call.
const GRPC_STATUS: &str = "grpc-status";

/// A stream; keeps what was decided until its outcome is known.
pub(crate) struct Stream {
    /// The policy under which the stream began; `None` = none was ever good.
    active: Option<Rc<Active>>,
    /// Request headers that no client may send, besides those of the policy.
    strip: Rc<[String]>,
    id: u32,
    context: DecisionContext,
    decisions: Decisions,
    caching: Caching,
    /// The hash of the path that went on, where it was rewritten.
    rewrote: u64,
    /// When the request began, in nanoseconds of the monotonic clock; `None` where the host does not tell.
    began: Option<u64>,
    /// A response went by.
    answered: bool,
    /// Its status; `None` where none did, or nobody needs it.
    status: Option<u16>,
    /// It is a gRPC call whose outcome counts.
    is_grpc: bool,
    /// Its status; `None` until it came.
    grpc_status: Option<u32>,
}

impl Stream {
    pub(crate) fn new(active: Option<Rc<Active>>, strip: Rc<[String]>, id: u32) -> Self {
        Self {
            active,
            strip,
            id,
            context: DecisionContext::default(),
            decisions: Decisions::default(),
            caching: Caching::default(),
            rewrote: 0,
            began: None,
            answered: false,
            status: None,
            is_grpc: false,
            grpc_status: None,
        }
    }
}

impl Context for Stream {
    no_context! {}
}

impl HttpContext for Stream {
    no_http_context! {}

    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let Some(active) = &self.active else {
            remove_headers(self.strip.iter().map(String::as_str));
            return Action::Continue;
        };
        let plan = &active.plan;
        let request = match Request::read() {
            Ok(request) => request,
            Err(status) => {
                // Undecided, but a client's forged headers must not pass all the same.
                count_errors(Err(status));
                remove_headers(plan.control_headers());
                remove_headers(self.strip.iter().map(String::as_str));
                return Action::Continue;
            }
        };
        let tripped = active.guarding.tripped();
        let facts = plan.facts(&request).with_tripped(&tripped);
        let earlier = facts.earlier(plan);
        self.context = earlier.map_or_else(|| active.context(self.id), |earlier| earlier.context);
        self.decisions = decision::decide(plan, &facts, &self.context, &mut Nobody);
        if active.metrics.count_outcome(&self.decisions) {
            self.began = earlier.map(|earlier| earlier.began).or_else(clock);
            self.is_grpc = facts.is_grpc();
            active.guarding.expose(active.of(), &self.decisions);
        }
        let effects = effects::on_request(plan, &facts, &self.decisions);
        // Those that the policy owns it sets or removes itself.
        let others = self.strip.iter().map(String::as_str);
        remove_headers(others.filter(|name| plan.control_headers().all(|own| own != *name)));
        apply(Map::Request, &effects.headers);
        for counter in active.metrics.decided(&self.decisions) {
            active.ids.increment(counter);
        }
        (self.caching, self.rewrote) = (effects.caching, effects.rewrote);
        if let Some(state) = &effects.state {
            count_errors(host::set_state(STATE, state.as_bytes()));
        }
        if let Some(evidence) = &effects.evidence {
            count_errors(host::set_state(EVIDENCE, evidence.as_bytes()));
        }
        if let Some(respond) = effects.respond {
            let answered = host::respond(respond.status, &respond.body);
            count_errors(answered);
            if answered.is_ok() {
                return Action::Pause;
            }
        }
        Action::Continue
    }

    /// Also called for responses by the proxy itself.
    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        self.answered = true;
        if self.is_grpc {
            // A call that fails before any message has its status here.
            self.grpc_status = number_in(Map::Response, GRPC_STATUS);
        }
        // Also for the statistics: a header costs less than the property in the end.
        if self.began.is_some() && !self.is_grpc || effects::reads_status(&self.decisions) {
            self.status = number_in(Map::Response, ":status");
        }
        let Self { decisions, context, caching, status, .. } = &*self;
        if let Some(active) = &self.active
            && effects::edits_response(&active.plan, decisions, caching)
        {
            let answered = Answered { decisions, context, caching, status: *status };
            apply(Map::Response, &effects::on_response(&active.plan, &answered));
        }
        Action::Continue
    }

    /// Hardly any response has trailers, but those of gRPC calls.
    fn on_http_response_trailers(&mut self, _count: usize) -> Action {
        if self.is_grpc {
            self.grpc_status = number_in(Map::Trailers, GRPC_STATUS);
        }
        Action::Continue
    }
}

/// The end of the stream, whoever answered it. The host says it twice, to log and to delete; entering the VM costs as much as
/// a counter, so only the second is exported, which drops the stream. All that is known at the first is known then.
impl Drop for Stream {
    fn drop(&mut self) {
        let Some(active) = &self.active else { return };
        let Self { decisions, context, rewrote, began, .. } = &*self;
        if !decisions.have_outcome() {
            return;
        }
        if !self.answered && goes_on() {
            // The client has its answer from the next leg.
            let began = began.unwrap_or_default();
            if let Some(note) = Earlier::note(&active.plan, decisions, context, *rewrote, began) {
                count_errors(host::set_state(NOTE, &note));
            }
            return;
        }
        if !active.metrics.count_outcome(decisions) {
            return;
        }
        let duration = began.and_then(|began| clock()?.checked_sub(began)).map(milliseconds);
        let class = Class::of(self);
        for effect in effects::on_end(&active.metrics, decisions, class) {
            active.ids.increment(effect.counter);
            if let Some(milliseconds) = duration {
                active.ids.record(effect.histogram, milliseconds);
            }
        }
        active.guarding.end(active.of(), decisions, class, duration.map(Millis::new));
    }
}

impl Ending for Stream {
    fn answered(&self) -> bool {
        self.answered
    }

    fn status(&self) -> Option<u16> {
        self.status.or_else(|| number("response\0code")?.try_into().ok())
    }

    fn is_grpc(&self) -> bool {
        self.is_grpc
    }

    fn grpc_status(&self) -> Option<u32> {
        self.grpc_status
    }

    fn client_left(&self) -> bool {
        // Envoy's flags DC and DR: the client closed its connection, or its stream.
        const LEFT: u64 = 0x4000 | 0x1000_0000;
        number("response\0flags").is_some_and(|flags| flags & LEFT != 0)
    }
}

/// A property that is a number; `None` where there is none.
fn number(path: &str) -> Option<u64> {
    let bytes = counted(host::property(path)).flatten()?;
    Some(u64::from_le_bytes(*bytes.first_chunk()?))
}

/// Whether the proxy sends the request through all filters again: it follows a redirect itself, or
/// another filter begins the request anew. (No client can make it say so.)
fn goes_on() -> bool {
    let details = counted(host::property("response\0code_details")).flatten();
    details.as_deref() == Some(b"internal_redirect".as_slice())
}

/// The monotonic clock; `None` where the host does not tell.
fn clock() -> Option<u64> {
    counted(host::monotonic())
}

/// A header that is a number; `None` where it is not there, or the host does not tell.
fn number_in<N: FromStr>(map: Map, name: &str) -> Option<N> {
    let digits = counted(host::header(map, name)).flatten()?;
    str::from_utf8(&digits).ok()?.parse().ok()
}

fn remove_headers<'n>(names: impl Iterator<Item = &'n str>) {
    for name in names {
        count_errors(host::remove_header(Map::Request, name));
    }
}

fn apply(map: Map, edits: &[HeaderEdit]) {
    for edit in edits {
        count_errors(match edit {
            HeaderEdit::Set { name, value } => host::set_header(map, name, value),
            HeaderEdit::Add { name, value } => host::add_header(map, name, value),
            HeaderEdit::Remove { name } => host::remove_header(map, name),
        });
    }
}
