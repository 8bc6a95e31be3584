//! Decisions -> what the host must do, as values: the filter applies them, `splitctl` prints them.

mod baggage;
mod target;

use std::borrow::Cow;

use crate::decision::{Context, Decision, Decisions, Lines, generated_id};
use crate::ids::{HeaderSlot, MetricId};
use crate::metrics::Metrics;
use crate::outcome::Class;
use crate::plan::{Plan, Questions, SplitPlan};
use crate::policy::{HeaderEdits, Respond, Split, Variant};

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
    /// Edits of the request's headers, in order.
    pub headers: Vec<HeaderEdit<'p>>,
    /// The variants served, `checkout=canary, search=b`, for access logs and tracing (filter
    /// state `wasm.traffic_split`); `None` where no split applied.
    pub state: Option<Cow<'p, str>>,
    /// The proxy answers itself, and the request does not go on.
    pub respond: Option<&'p Respond>,
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
    prepared: &'p SplitPlan,
    variant: &'p Variant,
    tag: &'p str,
}

impl<'p> Served<'p> {
    fn by(plan: &'p Plan, decision: &Decision) -> Self {
        let (split, prepared) = (&plan.policy.splits[decision.split], &plan.splits[decision.split]);
        let variant = &split.variants[decision.variant];
        Self { split, prepared, variant, tag: &prepared.tags[decision.variant] }
    }
}

/// The effects of decisions on their request, of which `lines` are the headers that the plan asks
/// for. Headers that the filter owns never pass from a client: they are set, or removed where the
/// client sent them.
pub fn on_request<'p>(
    plan: &'p Plan,
    lines: &Lines<'_>,
    decisions: &Decisions,
) -> RequestEffects<'p> {
    let list = decisions.list();
    let served = || list.iter().map(|decision| Served::by(plan, decision));
    let state = join(served().map(|served| served.tag));
    let mut headers = Vec::with_capacity(2);
    for Served { variant, .. } in served() {
        push_edits(&mut headers, &variant.request_headers);
        target::push_rewrite(&mut headers, &variant.rewrite, lines);
    }
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
        own(slot, state.clone().map(into_bytes));
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
    RequestEffects { headers, state, respond }
}

/// Whether decisions have anything to edit in their response.
pub fn edits_response(plan: &Plan, decisions: &Decisions) -> bool {
    plan.policy.response_variant_header.is_some()
        || decisions.list().iter().any(|decision| {
            plan.policy.vary
                || decision.new_key
                || decision.hold
                || Served::by(plan, decision).variant.response_headers != HeaderEdits::default()
        })
}

/// The edits of the response's headers: the variant's own, the variant header, `vary`, and cookies
/// that keep a new key or a variant (at most one of a name). `context` is that of the decision.
pub fn on_response<'p>(
    plan: &'p Plan,
    decisions: &Decisions,
    context: &Context,
) -> Vec<HeaderEdit<'p>> {
    const SET_COOKIE: &str = "set-cookie";
    let list = decisions.list();
    let served = || list.iter().map(|decision| Served::by(plan, decision));
    let mut headers = Vec::new();
    for Served { variant, .. } in served() {
        push_edits(&mut headers, &variant.response_headers);
    }
    if let Some(name) = &plan.policy.response_variant_header {
        headers.push(match join(served().map(|served| served.tag)) {
            Some(tags) => HeaderEdit::Set { name, value: into_bytes(tags) },
            None => HeaderEdit::Remove { name },
        });
    }
    let vary = plan.policy.variant_header.as_deref();
    if let (Some(vary), true, false) = (vary, plan.policy.vary, list.is_empty()) {
        headers.push(HeaderEdit::Add { name: "vary", value: bytes_of(vary) });
    }
    let mut kept: Vec<&str> = Vec::new();
    let mut keep = |name: &'p str, value: Cow<'p, [u8]>| {
        if !kept.contains(&name) {
            kept.push(name);
            headers.push(HeaderEdit::Add { name: SET_COOKIE, value });
        }
    };
    for (decision, Served { prepared, .. }) in list.iter().zip(served()) {
        if let (Some(generated), true) = (&prepared.generated, decision.new_key) {
            let id = generated_id(generated.word(), context);
            let value = generated.render(&String::from_utf8_lossy(&id));
            keep(generated.name(), Cow::Owned(value.into_bytes()));
        }
        if let (Some(sticky), true) = (&prepared.sticky, decision.hold) {
            keep(sticky.cookie_name(), bytes_of(sticky.set_cookie(decision.variant)));
        }
    }
    headers
}

/// The effects of a response's end on the statistics of the variants served. `status` is `None`
/// where no response came.
pub fn on_end(
    metrics: &Metrics,
    decisions: &Decisions,
    status: Option<u16>,
) -> impl Iterator<Item = EndEffect> {
    let class = status.map_or(Class::None, Class::from_status);
    decisions.list().iter().map(move |decision| {
        let (counter, histogram) = metrics.responded(decision, class);
        EndEffect { counter, histogram }
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

fn push_edits<'p>(headers: &mut Vec<HeaderEdit<'p>>, edits: &'p HeaderEdits) {
    headers.extend(edits.remove.iter().map(|name| HeaderEdit::Remove { name }));
    let set =
        |(name, value): &'p (String, String)| HeaderEdit::Set { name, value: bytes_of(value) };
    headers.extend(edits.set.iter().map(set));
    let add =
        |(name, value): &'p (String, String)| HeaderEdit::Add { name, value: bytes_of(value) };
    headers.extend(edits.add.iter().map(add));
}

fn join<'p>(mut tags: impl Iterator<Item = &'p str>) -> Option<Cow<'p, str>> {
    let mut all = Cow::Borrowed(tags.next()?);
    for tag in tags {
        let text = all.to_mut();
        text.push_str(", ");
        text.push_str(tag);
    }
    Some(all)
}

#[cfg(test)]
mod tests;
