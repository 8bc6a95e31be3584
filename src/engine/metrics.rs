//! The finite list of a plan's metrics, with labels in their names. Made from the plan alone:
//! a proxy never frees a statistic, so nothing a client sends may name one.

use crate::decision::{Decision, Reason};
use crate::plan::{Plan, SplitPlan};
use crate::policy::{Assignment, OnMissingKey, Policy};

/// The kind of a metric, as proxy-wasm knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// Has a value.
    Gauge,
    /// Values whose distribution counts.
    Histogram,
}

/// One metric to define at the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricDefinition {
    /// Its kind.
    pub kind: MetricKind,
    /// Its whole name, labels included: `split=.=checkout;.;variant=.=canary;.;...`.
    pub name: String,
}

/// The class of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "1xx to 5xx, the names say it")]
pub enum Class {
    Informational,
    Success,
    Redirection,
    ClientError,
    ServerError,
    /// No response came.
    None,
}

impl Class {
    /// Every class with its label.
    pub const ALL: [(Self, &str); 6] = [
        (Self::Informational, "1xx"),
        (Self::Success, "2xx"),
        (Self::Redirection, "3xx"),
        (Self::ClientError, "4xx"),
        (Self::ServerError, "5xx"),
        (Self::None, "none"),
    ];

    /// The class of a status code; 0 or anything else odd is `None`.
    pub const fn of(status: u16) -> Self {
        match status {
            100..=199 => Self::Informational,
            200..=299 => Self::Success,
            300..=399 => Self::Redirection,
            400..=499 => Self::ClientError,
            500..=599 => Self::ServerError,
            _ => Self::None,
        }
    }
}

/// Index in [`Metrics::definitions`].
pub type MetricIndex = usize;

/// The metrics of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metrics {
    definitions: Vec<MetricDefinition>,
    /// For each split, for each variant.
    variants: Vec<Vec<VariantMetrics>>,
    /// For each split that generates keys.
    new_keys: Vec<Option<MetricIndex>>,
    force_refused: Option<MetricIndex>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct VariantMetrics {
    /// For each reason; `None` where it cannot occur.
    requests: [Option<MetricIndex>; Reason::ALL.len()],
    /// For each class.
    responses: [MetricIndex; Class::ALL.len()],
    duration: MetricIndex,
    weight: MetricIndex,
}

impl Metrics {
    /// The most metrics that one variant can have: every reason, every class, the duration and the weight.
    pub const PER_VARIANT_MAX: usize = Reason::ALL.len() + Class::ALL.len() + 2;
    /// Gauge: the hash of the policy that is running, 52 bits.
    pub const POLICY_HASH: &str = "traffic_split_policy_hash";
    /// Counter: configurations that were refused.
    pub const CONFIG_ERRORS: &str = "traffic_split_config_errors_total";
    /// Counter: calls that the host refused.
    pub const HOST_ERRORS: &str = "traffic_split_host_errors_total";
    /// Those three: every proxy has them, whatever the policy.
    pub const OF_EVERY_PROXY: [&str; 3] =
        [Self::POLICY_HASH, Self::CONFIG_ERRORS, Self::HOST_ERRORS];

    pub(crate) fn of(splits: &[SplitPlan], policy: &Policy) -> Self {
        let mut definitions = Vec::new();
        let mut define = |kind, labels: &[(&str, &str)], name: &str| {
            let labels: String =
                labels.iter().map(|(label, value)| format!("{label}=.={value};.;")).collect();
            definitions.push(MetricDefinition { kind, name: format!("{labels}{name}") });
            definitions.len().saturating_sub(1)
        };
        let mut variants = Vec::new();
        let mut new_keys = Vec::new();
        for split in splits {
            let mut of_split = Vec::new();
            for (index, variant) in split.variants.iter().enumerate() {
                let labels = [("split", split.name.as_str()), ("variant", variant.name.as_str())];
                let [s, v] = labels;
                let requests = Reason::ALL.map(|reason| {
                    split.can_decide(index, reason, policy).then(|| {
                        define(
                            MetricKind::Counter,
                            &[s, v, ("reason", reason.as_str())],
                            "traffic_split_requests_total",
                        )
                    })
                });
                let responses = Class::ALL.map(|(_, class)| {
                    define(
                        MetricKind::Counter,
                        &[s, v, ("class", class)],
                        "traffic_split_responses_total",
                    )
                });
                let duration = define(
                    MetricKind::Histogram,
                    &labels,
                    "traffic_split_request_duration_milliseconds",
                );
                let weight = define(MetricKind::Gauge, &labels, "traffic_split_weight");
                of_split.push(VariantMetrics { requests, responses, duration, weight });
            }
            variants.push(of_split);
            new_keys.push(split.generated.is_some().then(|| {
                let labels = [("split", split.name.as_str())];
                define(MetricKind::Counter, &labels, "traffic_split_new_keys_total")
            }));
        }
        let refused = policy.force.is_some();
        let force_refused =
            refused.then(|| define(MetricKind::Counter, &[], "traffic_split_force_refused_total"));
        Self { definitions, variants, new_keys, force_refused }
    }

    /// Every metric of the plan.
    pub fn definitions(&self) -> &[MetricDefinition] {
        &self.definitions
    }

    /// The counter of a decision.
    pub fn request(&self, decision: &Decision) -> Option<MetricIndex> {
        let of_variant = self.variant(decision.split, decision.variant)?;
        let reason = Reason::ALL.iter().position(|r| *r == decision.reason)?;
        of_variant.requests.get(reason).copied().flatten()
    }

    /// The counter of a response and the histogram of its duration.
    pub fn response(
        &self,
        decision: &Decision,
        class: Class,
    ) -> Option<(MetricIndex, MetricIndex)> {
        let of_variant = self.variant(decision.split, decision.variant)?;
        let class = Class::ALL.iter().position(|(c, _)| *c == class)?;
        Some((of_variant.responses.get(class).copied()?, of_variant.duration))
    }

    /// The counter of users who were given a generated key.
    pub fn new_key(&self, split: usize) -> Option<MetricIndex> {
        self.new_keys.get(split).copied().flatten()
    }

    /// The counter of requests that wanted to force a variant without knowing the secret.
    pub const fn force_refused(&self) -> Option<MetricIndex> {
        self.force_refused
    }

    fn variant(&self, split: usize, variant: usize) -> Option<&VariantMetrics> {
        self.variants.get(split)?.get(variant)
    }
}

impl SplitPlan {
    /// Whether a variant can be served for this reason.
    fn can_decide(&self, variant: usize, reason: Reason, policy: &Policy) -> bool {
        let kill = policy.kill;
        let weighs = self.race.runs(variant);
        let baseline = variant == self.baseline;
        let by_chance = self.assignment == Assignment::Random;
        match reason {
            Reason::Killed => kill && baseline,
            _ if kill => false,
            Reason::Split => weighs && !by_chance,
            Reason::Override => {
                policy.force.is_some() || self.overrides.iter().any(|o| o.variant == Some(variant))
            }
            Reason::Sticky => self.sticky.is_some(),
            Reason::Holdout => policy.holdout.is_some() && baseline,
            Reason::NoKey => {
                baseline && !by_chance && self.on_missing_key == OnMissingKey::Baseline
            }
            Reason::Random => weighs && (by_chance || self.on_missing_key == OnMissingKey::Random),
            // With a ramp every weight may be 0 for a while.
            Reason::Fallback => baseline && (self.race.is_empty() || self.ramp.is_some()),
        }
    }
}

impl Plan {
    /// The gauges to set when the plan begins to serve, and again while it has a ramp: each
    /// variant's share in millionths at a time in milliseconds since 1970.
    pub fn shares(&self, now: u64) -> impl Iterator<Item = (MetricIndex, u64)> {
        self.metrics.variants.iter().zip(&self.splits).flat_map(move |(metrics, split)| {
            let weights = split.weights_at(now);
            let share =
                move |(variant, m): (usize, &VariantMetrics)| (m.weight, weights.share(variant));
            metrics.iter().enumerate().map(share)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy;

    fn plan(extra: &str) -> Plan {
        let text = format!(
            r#"{{"version": 1, "splits": [{{"name": "checkout", "key": [{{"header": "u"}}], "baseline": "stable",
            "variants": [{{"name": "stable", "weight": 99.5}}, {{"name": "canary", "weight": 0.5}}]{extra}}}]}}"#
        );
        Plan::compile(&policy::from_json(text.as_bytes()).policy.unwrap())
    }

    #[test]
    fn names_carry_labels_in_the_form_that_proxies_extract() {
        let names: Vec<_> = plan("").metrics.definitions().iter().map(|d| d.name.clone()).collect();
        for name in [
            "split=.=checkout;.;variant=.=canary;.;reason=.=split;.;traffic_split_requests_total",
            "split=.=checkout;.;variant=.=stable;.;reason=.=no_key;.;traffic_split_requests_total",
            "split=.=checkout;.;variant=.=canary;.;class=.=5xx;.;traffic_split_responses_total",
            "split=.=checkout;.;variant=.=canary;.;traffic_split_request_duration_milliseconds",
            "split=.=checkout;.;variant=.=canary;.;traffic_split_weight",
        ] {
            assert!(names.iter().any(|n| n == name), "{name}");
        }
    }

    #[test]
    fn only_what_can_happen_is_defined() {
        let named = |plan: &Plan, text: &str| {
            plan.metrics.definitions().iter().filter(|d| d.name.contains(text)).count()
        };
        let plain = plan("");
        assert_eq!(named(&plain, "reason=.=override"), 0);
        assert_eq!(named(&plain, "reason=.=killed"), 0);
        assert_eq!(named(&plain, "reason=.=split"), 2);
        assert_eq!(named(&plain, "reason=.=no_key"), 1);
        let random = plan(r#", "on_missing_key": "random""#);
        assert_eq!(named(&random, "reason=.=random"), 2);
        assert_eq!(named(&random, "reason=.=no_key"), 0);
    }

    #[test]
    fn weights_are_shares_in_millionths() {
        let plan = plan("");
        let found: Vec<_> = plan
            .shares(0)
            .map(|(index, value)| {
                (plan.metrics.definitions()[index].name.contains("canary"), value)
            })
            .collect();
        assert_eq!(found, [(false, 995_000), (true, 5_000)]);
    }

    #[test]
    fn status_codes_fall_into_classes() {
        for (status, class) in [
            (100, "1xx"),
            (204, "2xx"),
            (301, "3xx"),
            (404, "4xx"),
            (503, "5xx"),
            (0, "none"),
            (600, "none"),
        ] {
            assert!(Class::ALL.contains(&(Class::of(status), class)), "{status}");
        }
    }
}
