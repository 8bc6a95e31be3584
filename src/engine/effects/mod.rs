//! Decisions -> what the host must do, as values: the filter applies them, `splitctl` prints them. Where several splits
//! want different things of one request the first in the list has its way: for the cluster, the mirror, the answer,
//! each part of the rewrite, and each header.

mod baggage;
mod caching;
mod edits;
mod evidence;
mod target;

pub use caching::Caching;
pub use edits::Edits;

use std::borrow::Cow;
use std::iter::once;

use crate::decision::{Context, Decision, Decisions, Facts as _, RequestFacts, generated_id};
use crate::host::Host;
use crate::ids::{HeaderSlot, MetricId};
use crate::metrics::Metrics;
use crate::outcome::Class;
use crate::plan::{Plan, Questions};
use crate::policy::{FilterState, HeaderEdits, Respond, Split, Variant};

/// An edit of headers. Names are in lower case; `:authority` and `:path` are among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderEdit<'p> {
    /// The header has this value and no other.
    Set {
        /// Its name.
        name: &'p str,
        /// Its value.
        value: Cow<'p, [u8]>,
    },
    /// The header has one more line.
    Add {
        /// Its name.
        name: &'p str,
        /// Its value.
        value: Cow<'p, [u8]>,
    },
    /// The header is not there.
    Remove {
        /// Its name.
        name: &'p str,
    },
}

/// What the host must do with a request before it goes on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequestEffects<'p> {
    /// Edits of the request's headers.
    pub headers: Edits<'p>,
    /// The variants served, `checkout=canary, search=b`, for access logs and tracing (filter
    /// state `wasm.traffic_split`); `None` where no split applied, or the policy wants none.
    pub state: Option<Cow<'p, str>>,
    /// Why, `checkout=canary;reason=split;bucket=1234, search=b;reason=no_key` (filter state
    /// `wasm.traffic_split_evidence`); `None` as before.
    pub evidence: Option<String>,
    /// The proxy answers itself, and the request does not go on.
    pub respond: Option<&'p Respond>,
    /// What the response must tell caches.
    pub caching: Caching,
    /// The hash of the path that goes on, where it is rewritten; else 0.
    pub rewrote: u64,
}

/// A response, and what was decided about its request.
#[derive(Debug, Clone, Copy)]
pub struct Answered<'a> {
    /// The decisions.
    pub decisions: &'a Decisions,
    /// The context in which they were made.
    pub context: &'a Context,
    /// What the request's effects say of caches.
    pub caching: &'a Caching,
    /// The status of the response; `None` where it is not known. Only [`reads_status`] needs it.
    pub status: Option<u16>,
}

/// What the host must do when a request is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndEffect {
    /// Counter to increment by 1.
    pub counter: MetricId,
    /// Histogram to record the duration in, in milliseconds.
    pub histogram: MetricId,
}

/// A decision in the words of the policy.
struct Served<'p> {
    split: &'p Split,
    variant: &'p Variant,
    tag: &'p str,
}

impl<'p> Served<'p> {
    fn by(plan: &'p Plan, decision: &Decision) -> Self {
        let (split, prepared) = (&plan.policy.splits[decision.split], &plan.splits[decision.split]);
        let variant = &split.variants[decision.variant];
        Self { split, variant, tag: &prepared.tags[decision.variant] }
    }
}

/// The effects of decisions on their request. Headers that the filter owns never pass from a client:
/// they are set, or removed where the client sent them.
pub fn on_request<'p, H: Host + ?Sized>(
    plan: &'p Plan,
    facts: &RequestFacts<'_, H>,
    decisions: &Decisions,
) -> RequestEffects<'p> {
    let lines = facts.lines();
    let list = decisions.list();
    let served = || list.iter().map(|decision| Served::by(plan, decision));
    let variants = join(served().map(|served| served.tag));
    let state = match plan.policy.filter_state {
        FilterState::Off => None,
        FilterState::Variants | FilterState::Evidence => variants.clone(),
    };
    let evidence = match plan.policy.filter_state {
        FilterState::Evidence => evidence::of(plan, list),
        FilterState::Off | FilterState::Variants => None,
    };
    let mut headers = Edits::default();
    let earlier = facts.earlier(plan);
    let earlier = earlier.filter(|earlier| earlier.wrote_path(lines.first(Questions::PATH)));
    let rewritten = earlier.is_some();
    // The lines that an earlier leg added are there still, and its path may be.
    let counted = || list.iter().map(|decision| decision.counted).zip(served());
    let edits = counted().map(|(counted, s)| (&s.variant.request_headers, !counted));
    edits::push_edits(&mut headers, edits);
    let rewrites = counted().map(|(counted, s)| (&s.variant.rewrite, !(counted && rewritten)));
    let path = target::push_rewrites(&mut headers, rewrites, lines);
    let rewrote = path.unwrap_or(earlier.map_or(0, |earlier| earlier.rewrote));
    let cluster = served().find_map(|served| served.variant.cluster.as_deref());
    let mirrored = list.iter().filter(|decision| decision.mirror);
    let mirror = mirrored.map(|decision| Served::by(plan, decision));
    let mirror = { mirror }.find_map(|served| served.split.mirror.as_ref());
    let mut own = |slot: HeaderSlot, value: Option<Cow<'p, [u8]>>| {
        let name = plan.questions.headers.name(slot);
        match value {
            Some(value) => headers.push(HeaderEdit::Set { name, value }),
            None if lines.has(slot) => headers.push(HeaderEdit::Remove { name }),
            None => {}
        }
    };
    own(plan.own.cluster, cluster.map(bytes_of));
    if let Some(slot) = plan.own.variant {
        own(slot, variants.map(into_bytes));
    }
    own(plan.own.mirror, mirror.map(|mirror| bytes_of(&mirror.cluster)));
    for slot in [plan.own.force, plan.own.secret].into_iter().flatten() {
        own(slot, None);
    }
    if plan.policy.baggage && !list.is_empty() {
        let variants = served().map(|s| (s.split.name.as_str(), s.variant.name.as_str()));
        let value = baggage::with_members(lines.all(Questions::BAGGAGE), variants);
        headers.push(HeaderEdit::Set { name: baggage::HEADER, value: Cow::Owned(value) });
    }
    let respond = served().find_map(|served| served.variant.respond.as_ref());
    let caching = if plan.policy.vary { Caching::new(plan, facts) } else { Caching::default() };
    RequestEffects { headers, state, evidence, respond, caching, rewrote }
}

/// Whether decisions have anything to edit in their response.
pub fn edits_response(plan: &Plan, decisions: &Decisions, caching: &Caching) -> bool {
    plan.policy.response_variant_header.is_some()
        || *caching != Caching::default()
        || with_elsewhere(decisions).any(|decision| decision.new_key || decision.hold)
        || decisions.list().iter().any(|decision| {
            Served::by(plan, decision).variant.response_headers != HeaderEdits::default()
        })
}

/// What the response's cookies are about: who was met on another leg of the request has no other response.
pub fn with_elsewhere(decisions: &Decisions) -> impl Iterator<Item = &Decision> {
    decisions.list().iter().chain(decisions.elsewhere())
}

/// Whether the edits of the response depend on its status, which a host need not read otherwise.
pub fn reads_status(decisions: &Decisions) -> bool {
    with_elsewhere(decisions).any(|decision| decision.hold)
}

/// The edits of the response's headers: the variant's own, the variant header, what caches must
/// know, and cookies that keep a new key or a variant (at most one of a name).
///
/// A response of class 5xx pins nobody to its variant: it may be the proxy's own, of a variant that
/// never answered. Whoever sets a cookie makes the response private, whatever else it says.
pub fn on_response<'p>(plan: &'p Plan, answered: &Answered<'p>) -> Edits<'p> {
    const SET_COOKIE: &str = "set-cookie";
    let Answered { decisions, context, caching, status } = *answered;
    let failed = status.map(Class::from_status) == Some(Class::ServerError);
    let list = decisions.list();
    let served = || list.iter().map(|decision| Served::by(plan, decision));
    let mut headers = Edits::default();
    edits::push_edits(
        &mut headers,
        served().map(|served| (&served.variant.response_headers, true)),
    );
    if let Some(name) = &plan.policy.response_variant_header {
        headers.push(match join(served().map(|served| served.tag)) {
            Some(tags) => HeaderEdit::Set { name, value: into_bytes(tags) },
            None => HeaderEdit::Remove { name },
        });
    }
    if let Some(vary) = &caching.vary {
        headers.push(HeaderEdit::Add { name: "vary", value: bytes_of(vary) });
    }
    let mut kept: Vec<&str> = Vec::new();
    let mut keep = |name: &'p str, value: Cow<'p, [u8]>| {
        if !kept.contains(&name) {
            kept.push(name);
            headers.push(HeaderEdit::Add { name: SET_COOKIE, value });
        }
    };
    for decision in with_elsewhere(decisions) {
        let prepared = &plan.splits[decision.split];
        if let (Some(generated), true) = (&prepared.generated, decision.new_key) {
            let id = generated_id(generated.word(), context);
            let value = generated.render(&String::from_utf8_lossy(&id));
            keep(generated.name(), Cow::Owned(value.into_bytes()));
        }
        if let (Some(sticky), true, false) = (&prepared.sticky, decision.hold, failed) {
            keep(sticky.cookie_name(), bytes_of(sticky.set_cookie(decision.variant)));
        }
    }
    if caching.private || !kept.is_empty() {
        headers.push(HeaderEdit::Add { name: "cache-control", value: bytes_of("private") });
    }
    headers
}

/// The effects of a request's end on the statistics of the variants served.
pub fn on_end(
    metrics: &Metrics,
    decisions: &Decisions,
    class: Class,
) -> impl Iterator<Item = EndEffect> {
    with_elsewhere(decisions).filter_map(move |decision| {
        let (counter, histogram) = metrics.responded(decision, class)?;
        Some(EndEffect { counter, histogram })
    })
}

const fn bytes_of(text: &str) -> Cow<'_, [u8]> {
    Cow::Borrowed(text.as_bytes())
}

fn into_bytes(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

fn join<'p>(mut words: impl Iterator<Item = &'p str>) -> Option<Cow<'p, str>> {
    let first = words.next()?;
    Some(match words.next() {
        None => Cow::Borrowed(first),
        Some(second) => Cow::Owned(listed(first, second, &mut words)),
    })
}

fn listed<'p>(first: &str, second: &'p str, rest: &mut dyn Iterator<Item = &'p str>) -> String {
    /// For a few tags or names of headers, so that most lists allocate once.
    const ROOM: usize = 96;
    let mut all = String::with_capacity(ROOM);
    all.push_str(first);
    for word in once(second).chain(rest) {
        all.push_str(", ");
        all.push_str(word);
    }
    all
}

#[cfg(test)]
mod tests;
