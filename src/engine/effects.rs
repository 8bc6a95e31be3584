//! Decisions -> what the host must do, as values: the filter applies them, `splitctl` prints them.

use std::borrow::Cow;

use crate::decision::Decision;
use crate::matching::Request;
use crate::metrics::{Class, MetricIndex};
use crate::plan::{Plan, VariantPlan};

/// An edit of the request's headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderEdit<'p> {
    /// The header has this value and no other.
    Set {
        /// Lower-case name.
        name: &'p str,
        /// Its value.
        value: Cow<'p, str>,
    },
    /// The header is not there.
    Remove {
        /// Lower-case name.
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
        decisions: &[Decision],
    ) -> RequestEffects<'p> {
        let served = || decisions.iter().filter_map(|decision| self.served(decision));
        let cluster = served().find_map(|variant| variant.cluster.as_deref());
        let state = join(served().map(|variant| variant.tag.as_str()));
        let mut headers = Vec::with_capacity(2);
        let mut own = |name: &'p str, value: Option<Cow<'p, str>>| match value {
            Some(value) => headers.push(HeaderEdit::Set { name, value }),
            None if request.header_lines(name).next().is_some() => {
                headers.push(HeaderEdit::Remove { name })
            }
            None => {}
        };
        own(&self.cluster_header, cluster.map(Cow::Borrowed));
        if let Some(name) = &self.variant_header {
            own(name, state.clone());
        }
        let counters =
            decisions.iter().filter_map(|decision| self.metrics.request(decision)).collect();
        RequestEffects { headers, counters, state }
    }

    /// The effects of a response's end on the statistics of the variants served. `status` is `None`
    /// where no response came.
    pub fn response_effects(
        &self,
        decisions: &[Decision],
        status: Option<u16>,
    ) -> impl Iterator<Item = ResponseEffect> {
        let class = status.map_or(Class::None, Class::of);
        decisions.iter().filter_map(move |decision| {
            let (counter, histogram) = self.metrics.response(decision, class)?;
            Some(ResponseEffect { counter, histogram })
        })
    }

    /// The headers that the filter owns.
    pub fn control_headers(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.cluster_header.as_str()).chain(self.variant_header.as_deref())
    }

    /// The variant that a decision names.
    pub fn served(&self, decision: &Decision) -> Option<&VariantPlan> {
        self.splits.get(decision.split)?.variants.get(decision.variant)
    }
}

/// The duration of a request for its histogram: whole milliseconds, rounded to the nearest.
pub const fn milliseconds(nanoseconds: u64) -> u64 {
    nanoseconds.saturating_add(500_000) / 1_000_000
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
mod tests {
    use super::*;
    use crate::decision::Context;
    use crate::policy;

    const POLICY: &str = r#"{"version": 1, "key": [{"header": "u"}], "splits": [
        {"name": "a", "match": [{"path": {"prefix": "/a"}}], "baseline": "on",
         "variants": [{"name": "on", "weight": 100}]},
        {"name": "b", "match": [{"path": {"prefix": "/a"}}, {"path": {"prefix": "/b"}}], "baseline": "on",
         "variants": [{"name": "on", "cluster": "b-on", "weight": 100}]},
        {"name": "c", "match": [{"path": {"prefix": "/a"}}], "baseline": "on",
         "variants": [{"name": "on", "cluster": "c-on", "weight": 100}]}]}"#;

    /// A header and its new value; `None` = removed.
    type Edit = (String, Option<String>);

    /// Edits, filter state, number of counters.
    fn headers_for(request: &[(&str, &str)]) -> (Vec<Edit>, Option<String>, usize) {
        let plan = Plan::compile(&policy::from_json(POLICY.as_bytes()).policy.unwrap());
        let mut decisions = Vec::new();
        plan.decide(request, &Context::default(), &mut decisions);
        let effects = plan.request_effects(request, &decisions);
        let edits = effects.headers.iter().map(|edit| match edit {
            HeaderEdit::Set { name, value } => (name.to_string(), Some(value.to_string())),
            HeaderEdit::Remove { name } => (name.to_string(), None),
        });
        (edits.collect(), effects.state.map(Cow::into_owned), effects.counters.len())
    }

    fn set(name: &str, value: &str) -> Edit {
        (name.into(), Some(value.into()))
    }

    #[test]
    fn the_first_split_that_names_a_cluster_sets_it_and_all_are_tagged() {
        let (headers, state, counters) = headers_for(&[(":path", "/a"), ("u", "ada")]);
        assert_eq!(
            headers,
            [set("x-split-cluster", "b-on"), set("x-split-variant", "a=on, b=on, c=on")]
        );
        assert_eq!(state.as_deref(), Some("a=on, b=on, c=on"));
        assert_eq!(counters, 3);
    }

    #[test]
    fn headers_that_a_client_forged_are_removed_where_nothing_matched() {
        let forged = [(":path", "/"), ("x-split-cluster", "secret"), ("x-split-variant", "a=on")];
        let (headers, state, counters) = headers_for(&forged);
        assert_eq!(headers, [("x-split-cluster".into(), None), ("x-split-variant".into(), None)]);
        assert_eq!((state, counters), (None, 0));
    }

    #[test]
    fn a_request_that_nothing_matched_is_left_alone() {
        assert_eq!(headers_for(&[(":path", "/"), ("u", "ada")]), (vec![], None, 0));
    }

    #[test]
    fn durations_round_to_the_nearest_millisecond() {
        for (nanoseconds, wanted) in
            [(0, 0), (499_999, 0), (500_000, 1), (1_499_999, 1), (u64::MAX, 18_446_744_073_709)]
        {
            assert_eq!(milliseconds(nanoseconds), wanted);
        }
    }
}
