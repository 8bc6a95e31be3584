//! Decisions -> what the host must do, as values: the filter applies them, `splitctl` prints them.

mod baggage;
mod target;

use std::borrow::Cow;

use crate::decision::{Context, Decision, Decisions, generated_id};
use crate::matching::Request;
use crate::metrics::{Class, MetricIndex};
use crate::plan::{Plan, SplitPlan, VariantPlan};
use crate::policy::{HeaderEdits, Respond, SecretSource};

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
    /// Counters to increment by 1.
    pub counters: Vec<MetricIndex>,
    /// The variants served, `checkout=canary, search=b`, for access logs and tracing (filter
    /// state `wasm.traffic_split`); `None` where no split applied.
    pub state: Option<Cow<'p, str>>,
    /// The proxy answers itself, and the request does not go on.
    pub respond: Option<&'p Respond>,
}

/// What the host must do when a request is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseEffect {
    /// Counter to increment by 1.
    pub counter: MetricIndex,
    /// Histogram to record the duration in, in milliseconds.
    pub histogram: MetricIndex,
}

impl Plan {
    /// The effects of decisions on their request. Headers that the filter owns never pass from a
    /// client: they are set, or removed where the client sent them.
    pub fn request_effects<'p, R: Request + ?Sized>(
        &'p self,
        request: &R,
        decisions: &Decisions,
    ) -> RequestEffects<'p> {
        let list = decisions.list.as_slice();
        let served = || list.iter().filter_map(|decision| self.served(decision));
        let state = join(served().map(|(_, variant)| variant.tag.as_str()));
        let mut headers = Vec::with_capacity(2);
        for (_, variant) in served() {
            push_edits(&mut headers, &variant.request_headers);
            target::push_rewrite(&mut headers, &variant.rewrite, request);
        }
        let cluster = served().find_map(|(_, variant)| variant.cluster.as_deref());
        let mirror = list.iter().filter(|decision| decision.mirror);
        let mirror = mirror
            .filter_map(|decision| self.served(decision))
            .find_map(|(split, _)| split.mirror.as_ref());
        let mut own = |name: &'p str, value: Option<Cow<'p, [u8]>>| match value {
            Some(value) => headers.push(HeaderEdit::Set { name, value }),
            None if request.header_lines(name).next().is_some() => {
                headers.push(HeaderEdit::Remove { name });
            }
            None => {}
        };
        own(&self.cluster_header, cluster.map(bytes_of));
        if let Some(name) = &self.variant_header {
            own(name, state.clone().map(into_bytes));
        }
        own(&self.mirror_header, mirror.map(|mirror| bytes_of(&mirror.cluster)));
        if let Some(force) = &self.force {
            own(&force.header, None);
            if let SecretSource::Header(name) = &force.secret_in {
                own(name, None);
            }
        }
        if self.baggage && !list.is_empty() {
            let variants =
                served().map(|(split, variant)| (split.name.as_str(), variant.name.as_str()));
            let value = baggage::with_members(request.header_lines(baggage::HEADER), variants);
            headers.push(HeaderEdit::Set { name: baggage::HEADER, value: Cow::Owned(value) });
        }
        let requests = list.iter().filter_map(|decision| self.metrics.request(decision));
        let new_keys = list.iter().filter(|decision| decision.new_key);
        let new_keys = new_keys.filter_map(|decision| self.metrics.new_key(decision.split));
        let refused = self.metrics.force_refused().filter(|_| decisions.force_refused);
        RequestEffects {
            headers,
            counters: requests.chain(new_keys).chain(refused).collect(),
            state,
            respond: served().find_map(|(_, variant)| variant.respond.as_ref()),
        }
    }

    /// Whether decisions have anything to edit in their response.
    pub fn edits_response(&self, decisions: &Decisions) -> bool {
        self.vary.is_some()
            || (self.response_variant_header.is_some())
            || decisions.list.iter().any(|decision| {
                decision.new_key
                    || decision.hold
                    || self.served(decision).is_some_and(|(_, variant)| {
                        variant.response_headers != HeaderEdits::default()
                    })
            })
    }

    /// The edits of the response's headers: the variant's own, the variant header, `vary`, and
    /// cookies that keep a new key or a variant (at most one of a name). `context` is that of the
    /// decision.
    pub fn response_edits<'p>(
        &'p self,
        decisions: &Decisions,
        context: &Context,
    ) -> Vec<HeaderEdit<'p>> {
        const SET_COOKIE: &str = "set-cookie";
        let list = decisions.list.as_slice();
        let served = || list.iter().filter_map(|decision| self.served(decision));
        let mut headers = Vec::new();
        for (_, variant) in served() {
            push_edits(&mut headers, &variant.response_headers);
        }
        if let Some(name) = &self.response_variant_header {
            headers.push(match join(served().map(|(_, variant)| variant.tag.as_str())) {
                Some(tags) => HeaderEdit::Set { name, value: into_bytes(tags) },
                None => HeaderEdit::Remove { name },
            });
        }
        if let Some(vary) = self.vary.as_deref().filter(|_| !list.is_empty()) {
            headers.push(HeaderEdit::Add { name: "vary", value: bytes_of(vary) });
        }
        let mut kept: Vec<&str> = Vec::new();
        for decision in list {
            let Some((split, _)) = self.served(decision) else { continue };
            if let Some(cookie) = split.generated.as_ref().filter(|_| decision.new_key)
                && !kept.contains(&cookie.name())
            {
                kept.push(cookie.name());
                let id = generated_id(cookie.name(), context);
                let value = cookie.render(&String::from_utf8_lossy(&id));
                headers.push(HeaderEdit::Add {
                    name: SET_COOKIE,
                    value: Cow::Owned(value.into_bytes()),
                });
            }
            if let Some(sticky) = split.sticky.as_ref().filter(|_| decision.hold)
                && !kept.contains(&sticky.cookie_name())
            {
                kept.push(sticky.cookie_name());
                let value = bytes_of(sticky.set_cookie(decision.variant));
                headers.push(HeaderEdit::Add { name: SET_COOKIE, value });
            }
        }
        headers
    }

    /// The effects of a response's end on the statistics of the variants served. `status` is `None`
    /// where no response came.
    pub fn response_effects(
        &self,
        decisions: &Decisions,
        status: Option<u16>,
    ) -> impl Iterator<Item = ResponseEffect> {
        let class = status.map_or(Class::None, Class::of);
        decisions.list.iter().filter_map(move |decision| {
            let (counter, histogram) = self.metrics.response(decision, class)?;
            Some(ResponseEffect { counter, histogram })
        })
    }

    /// The request headers that the filter owns: they never pass from a client.
    pub fn control_headers(&self) -> impl Iterator<Item = &str> {
        let force = self.force.as_ref();
        let secret = force.and_then(|force| match &force.secret_in {
            SecretSource::Header(name) => Some(name.as_str()),
            SecretSource::Cookie(_) => None,
        });
        let owned = [
            Some(self.cluster_header.as_str()),
            self.variant_header.as_deref(),
            Some(self.mirror_header.as_str()),
            force.map(|force| force.header.as_str()),
            secret,
        ];
        owned.into_iter().flatten()
    }

    /// The split and variant that a decision names.
    pub fn served(&self, decision: &Decision) -> Option<(&SplitPlan, &VariantPlan)> {
        let split = self.splits.get(decision.split)?;
        Some((split, split.variants.get(decision.variant)?))
    }
}

/// The duration of a request for its histogram: whole milliseconds, rounded to the nearest.
pub const fn milliseconds(nanoseconds: u64) -> u64 {
    nanoseconds.saturating_add(500_000) / 1_000_000
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
