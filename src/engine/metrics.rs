//! The finite list of a plan's metrics, with labels in their names. Made from the plan alone:
//! a proxy never frees a statistic, so nothing a client sends may name one.

use crate::decision::{Decision, Decisions, Tripped};
use crate::guard::{Guards, SplitGuard};
use crate::ids::{List, MetricId, SplitId, VariantId, VariantSet};
use crate::outcome::Class;
use crate::plan::{Plan, SplitPlan};
use crate::policy::{Assignment, OnMissingKey, Outcomes, Policy, Split};
use crate::reason::Reason;
use crate::units::Moment;

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

const SPLIT: &str = "split";
const VARIANT: &str = "variant";
const REASON: &str = "reason";
const CLASS: &str = "class";

/// The metrics of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metrics {
    definitions: List<MetricId, MetricDefinition>,
    /// For each split its variants; none of a split that is not enabled.
    splits: List<SplitId, List<VariantId, VariantMetrics>>,
    /// For each split that generates keys.
    new_keys: List<SplitId, Option<MetricId>>,
    force_refused: Option<MetricId>,
    count_outcomes: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct VariantMetrics {
    /// For each reason; `None` where it cannot occur.
    requests: [Option<MetricId>; Reason::ALL.len()],
    /// `None` where the filter does not count how requests end.
    outcomes: Option<OutcomeMetrics>,
    weight: MetricId,
    /// Where a failure of its users is evidence.
    bad_keys: Option<MetricId>,
    /// Where the split has a guard.
    keys: Option<MetricId>,
    /// Where its guard can take it out.
    tripped: Option<MetricId>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct OutcomeMetrics {
    /// For each class.
    responses: [MetricId; Class::ALL.len()],
    duration: MetricId,
}

impl Metrics {
    /// Counter: decisions, by split, variant and reason.
    pub const REQUESTS: &str = "traffic_split_requests_total";
    /// Counter: responses, by split, variant and class.
    pub const RESPONSES: &str = "traffic_split_responses_total";
    /// Histogram: durations in milliseconds, by split and variant.
    pub const DURATION: &str = "traffic_split_request_duration_milliseconds";
    /// Gauge: the share of new users in millionths, by split and variant; 0 while it is out of service.
    pub const WEIGHT: &str = "traffic_split_weight";
    /// Counter: users whose request failed, each once in a while, by split and variant: those whom the weights gave it.
    pub const BAD_KEYS: &str = "traffic_split_bad_keys_total";
    /// Counter: users whom the weights gave the variant, each once in a while and worker, by split and variant; of
    /// splits with a guard.
    pub const KEYS: &str = "traffic_split_keys_total";
    /// Gauge: 1 while the guard has taken the variant out of service, by split and variant.
    pub const TRIPPED: &str = "traffic_split_tripped";
    /// Counter: users who were given a generated key, by split.
    pub const NEW_KEYS: &str = "traffic_split_new_keys_total";
    /// Counter: requests that wanted to force a variant without knowing the secret.
    pub const FORCE_REFUSED: &str = "traffic_split_force_refused_total";
    /// Gauge: the hash of the policy that is running, 52 bits.
    pub const POLICY_HASH: &str = "traffic_split_policy_hash";
    /// Counter: configurations that were refused.
    pub const CONFIG_ERRORS: &str = "traffic_split_config_errors_total";
    /// Counter: calls that the host refused.
    pub const HOST_ERRORS: &str = "traffic_split_host_errors_total";
    /// The labels of all of them.
    pub const LABELS: [&str; 4] = [SPLIT, VARIANT, REASON, CLASS];
    /// Gauge: 1 while a policy is refused that no good one has followed; the last good one serves.
    pub const POLICY_REFUSED: &str = "traffic_split_policy_refused";
    /// What every proxy has, whatever the policy.
    pub const OF_EVERY_PROXY: [&str; 4] =
        [Self::POLICY_HASH, Self::POLICY_REFUSED, Self::CONFIG_ERRORS, Self::HOST_ERRORS];

    /// The metrics of a plan.
    pub fn new(plan: &Plan) -> Self {
        let mut defined = Definitions::default();
        let mut splits = plan.policy.splits.map(|_| List::default());
        let mut new_keys = plan.policy.splits.map(|_| None);
        let guards = Guards::new(plan);
        for (id, split, prepared) in plan.enabled() {
            let of_variant = |(variant, v): (VariantId, &crate::policy::Variant)| {
                let labels = [(SPLIT, split.name.as_str()), (VARIANT, v.name.as_str())];
                let mut metrics = defined.variant(plan.policy.outcomes, labels, |reason| {
                    can_decide(&plan.policy, split, prepared, variant, reason)
                });
                let guard = guards.of(id);
                let mut where_it =
                    |is: bool, kind, name| is.then(|| defined.add(kind, &labels, name));
                let judges = guard.is_some_and(SplitGuard::judges);
                metrics.bad_keys = where_it(guard.is_some(), MetricKind::Counter, Self::BAD_KEYS);
                metrics.keys = where_it(judges, MetricKind::Counter, Self::KEYS);
                let judged = judges && split.is_judged(variant);
                metrics.tripped = where_it(judged, MetricKind::Gauge, Self::TRIPPED);
                metrics
            };
            splits[id] = split.variants.pairs().map(of_variant).collect();
            if prepared.generated.is_some() {
                let labels = [(SPLIT, split.name.as_str())];
                let counter = defined.add(MetricKind::Counter, &labels, Self::NEW_KEYS);
                new_keys[id] = Some(counter);
            }
        }
        let force_refused = plan.policy.force.is_some();
        let force_refused =
            force_refused.then(|| defined.add(MetricKind::Counter, &[], Self::FORCE_REFUSED));
        let count_outcomes = plan.policy.outcomes == Outcomes::Filter;
        Self { definitions: defined.list, splits, new_keys, force_refused, count_outcomes }
    }

    /// Every metric of the plan.
    pub const fn definitions(&self) -> &List<MetricId, MetricDefinition> {
        &self.definitions
    }

    /// The counters to increment for the decisions on a request, each by 1.
    pub fn decided(&self, decisions: &Decisions) -> impl Iterator<Item = MetricId> {
        let refused = self.force_refused.filter(|_| decisions.force_refused);
        let list = || decisions.list().iter().filter(|decision| !decision.counted);
        let requests = list().filter_map(|decision| self.request(decision));
        requests.chain(list().filter_map(|decision| self.new_key(decision))).chain(refused)
    }

    fn request(&self, decision: &Decision) -> Option<MetricId> {
        self.variant(decision).requests.get(decision.reason as usize).copied().flatten()
    }

    fn new_key(&self, decision: &Decision) -> Option<MetricId> {
        self.new_keys[decision.split].filter(|_| decision.new_key)
    }

    /// Whether the end of a request counts for these decisions.
    pub fn count_outcome(&self, decisions: &Decisions) -> bool {
        self.count_outcomes && decisions.have_outcome()
    }

    /// The counter of a response, and the histogram of its duration; `None` where another counts them.
    pub fn responded(&self, decision: &Decision, class: Class) -> Option<(MetricId, MetricId)> {
        let metrics = self.variant(decision).outcomes.as_ref()?;
        let [informational, success, redirection, client_error, server_error, none, abort] =
            metrics.responses;
        let counter = match class {
            Class::Informational => informational,
            Class::Success => success,
            Class::Redirection => redirection,
            Class::ClientError => client_error,
            Class::ServerError => server_error,
            Class::None => none,
            Class::Abort => abort,
        };
        Some((counter, metrics.duration))
    }

    /// The counter of users of the variant; `None` where they are not counted.
    pub fn keys(&self, decision: &Decision) -> Option<MetricId> {
        self.variant(decision).keys
    }

    /// The counter of users of the variant whose requests failed; `None` where they are not counted.
    pub fn bad_keys(&self, decision: &Decision) -> Option<MetricId> {
        self.variant(decision).bad_keys
    }

    /// The gauges to set when the plan begins to serve, and when variants of a split are out of service or in again:
    /// each with its value.
    pub fn tripped(
        &self,
        split: SplitId,
        out: VariantSet,
    ) -> impl Iterator<Item = (MetricId, u64)> {
        let variants = self.splits[split].pairs();
        variants.filter_map(move |(id, metrics)| Some((metrics.tripped?, out.has(id).into())))
    }

    /// The gauges to set when the plan begins to serve, and again while it has a ramp, or when a variant is out of
    /// service or in again: each variant's share of new users in millionths at a time.
    pub fn shares(
        &self,
        plan: &Plan,
        now: Moment,
        tripped: &Tripped,
    ) -> impl Iterator<Item = (MetricId, u64)> {
        let splits = self.splits.pairs().zip(&plan.splits);
        splits.flat_map(move |((id, metrics), split)| {
            let out = tripped.of(id).without(plan.policy.splits[id].baseline);
            let shares = split.weights_at(now).without(out).shares();
            metrics.pairs().map(move |(variant, m)| (m.weight, shares[variant]))
        })
    }

    fn variant(&self, decision: &Decision) -> &VariantMetrics {
        &self.splits[decision.split][decision.variant]
    }
}

/// Collects definitions.
#[derive(Default)]
struct Definitions {
    list: List<MetricId, MetricDefinition>,
}

impl Definitions {
    fn add(&mut self, kind: MetricKind, labels: &[(&str, &str)], name: &str) -> MetricId {
        let labels: String =
            labels.iter().map(|(label, value)| format!("{label}=.={value};.;")).collect();
        self.list.push(MetricDefinition { kind, name: format!("{labels}{name}") })
    }

    fn variant(
        &mut self,
        outcomes: Outcomes,
        labels @ [split, variant]: [(&str, &str); 2],
        can_decide: impl Fn(Reason) -> bool,
    ) -> VariantMetrics {
        VariantMetrics {
            requests: Reason::ALL.map(|reason| {
                let labels = [split, variant, (REASON, reason.as_str())];
                can_decide(reason)
                    .then(|| self.add(MetricKind::Counter, &labels, Metrics::REQUESTS))
            }),
            outcomes: (outcomes == Outcomes::Filter).then(|| OutcomeMetrics {
                responses: Class::ALL.map(|class| {
                    let labels = [split, variant, (CLASS, class.as_str())];
                    self.add(MetricKind::Counter, &labels, Metrics::RESPONSES)
                }),
                duration: self.add(MetricKind::Histogram, &labels, Metrics::DURATION),
            }),
            weight: self.add(MetricKind::Gauge, &labels, Metrics::WEIGHT),
            bad_keys: None,
            keys: None,
            tripped: None,
        }
    }
}

/// Whether a variant can be served for this reason; a test against the naive model holds this to
/// what the judgement does.
fn can_decide(
    policy: &Policy,
    split: &Split,
    prepared: &SplitPlan,
    variant: VariantId,
    reason: Reason,
) -> bool {
    let weighs = prepared.race.runs(variant);
    let baseline = variant == split.baseline;
    let by_chance = split.assignment == Assignment::Random;
    match reason {
        Reason::Killed => policy.kill && baseline,
        _ if policy.kill => false,
        Reason::Split => weighs && !by_chance,
        Reason::Override => {
            policy.force.is_some() || split.overrides.iter().any(|o| o.variant == Some(variant))
        }
        Reason::Sticky => split.sticky.is_some(),
        Reason::Holdout => policy.holdout.is_some() && baseline,
        Reason::NoKey => baseline && !by_chance && split.on_missing_key == OnMissingKey::Baseline,
        Reason::Random => weighs && (by_chance || split.on_missing_key == OnMissingKey::Random),
        // Of the users of one challenger some may be another's then.
        Reason::Tripped => split.guard.is_some() && (baseline || split.variants.len() > 2),
        // With a ramp every weight may be 0 for a while.
        Reason::Fallback => baseline && (prepared.race.is_empty() || split.ramp.is_some()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Id as _;
    use crate::policy;

    /// Names and shares.
    fn metrics(extra: &str) -> Vec<(String, Option<u64>)> {
        let text = format!(
            r#"{{"version": 1, "splits": [{{"name": "checkout", "key": [{{"header": "u"}}], "baseline": "stable",
            "variants": [{{"name": "stable", "weight": 99.5}}, {{"name": "canary", "weight": 0.5}}]{extra}}}]}}"#
        );
        let plan = Plan::new(policy::from_json(text.as_bytes()).policy.unwrap());
        let metrics = Metrics::new(&plan);
        let share = |id| {
            metrics
                .shares(&plan, Moment::default(), Tripped::NONE)
                .find(|(i, _)| *i == id)
                .map(|(_, share)| share)
        };
        metrics.definitions().pairs().map(|(id, d)| (d.name.clone(), share(id))).collect()
    }

    #[test]
    fn names_carry_labels_in_the_form_that_proxies_extract() {
        let names: Vec<_> = metrics("").into_iter().map(|(name, _)| name).collect();
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
        let named = |metrics: &[(String, Option<u64>)], text: &str| {
            metrics.iter().filter(|(name, _)| name.contains(text)).count()
        };
        let plain = metrics("");
        assert_eq!(named(&plain, "reason=.=override"), 0);
        assert_eq!(named(&plain, "reason=.=killed"), 0);
        assert_eq!(named(&plain, "reason=.=split"), 2);
        assert_eq!(named(&plain, "reason=.=no_key"), 1);
        let random = metrics(r#", "on_missing_key": "random""#);
        assert_eq!(named(&random, "reason=.=random"), 2);
        assert_eq!(named(&random, "reason=.=no_key"), 0);
    }

    #[test]
    fn a_guard_has_its_own() {
        let own = |extra: &str| {
            let names = metrics(extra).into_iter().map(|(name, _)| name);
            let variant = |name: &str| name.replacen("split=.=checkout;.;variant=.=", "", 1);
            let of = [
                Metrics::BAD_KEYS,
                Metrics::KEYS,
                Metrics::TRIPPED,
                "tripped;.;traffic_split_requests_total",
            ];
            let own = names.filter(|name| of.iter().any(|of| name.ends_with(of)));
            own.map(|name| variant(&name).replace(";.;", " ")).collect::<Vec<_>>()
        };
        let without =
            ["stable traffic_split_bad_keys_total", "canary traffic_split_bad_keys_total"];
        assert_eq!(own(""), without, "failing users are counted in any case");
        let with = [
            "stable reason=.=tripped traffic_split_requests_total",
            "stable traffic_split_bad_keys_total",
            "stable traffic_split_keys_total",
            "canary traffic_split_bad_keys_total",
            "canary traffic_split_keys_total",
            "canary traffic_split_tripped",
        ];
        assert_eq!(own(r#", "guard": {"errors": {}}"#), with);
        assert_eq!(own(r#", "assignment": "random""#), [""; 0], "no user keeps a variant");
    }

    #[test]
    fn what_is_out_of_service_shows_in_its_gauges() {
        let text = r#"{"version": 1, "splits": [{"name": "s", "key": [{"header": "u"}], "baseline": "a",
            "guard": {"errors": {}}, "weight_total": "any",
            "variants": [{"name": "a", "weight": 60}, {"name": "b", "weight": 20}, {"name": "c", "weight": 20}]}]}"#;
        let plan = Plan::new(policy::from_json(text.as_bytes()).policy.unwrap());
        let metrics = Metrics::new(&plan);
        let out = VariantSet::NONE.with(VariantId::at(1)).with(VariantId::at(0));
        let mut tripped = Tripped::default();
        tripped.set(SplitId::FIRST, out);
        let shares = metrics.shares(&plan, Moment::default(), &tripped).map(|(_, share)| share);
        assert_eq!(shares.collect::<Vec<_>>(), [750_000, 0, 250_000], "the baseline never is");
        let gauges = metrics.tripped(SplitId::FIRST, out).map(|(id, value)| {
            let name = &metrics.definitions()[id].name;
            (name.contains("variant=.=b"), value)
        });
        assert_eq!(gauges.collect::<Vec<_>>(), [(true, 1), (false, 0)]);
    }

    #[test]
    fn weights_are_shares_of_new_users_in_millionths() {
        let shares = |extra: &str| {
            metrics(extra).into_iter().filter_map(|(_, share)| share).collect::<Vec<_>>()
        };
        assert_eq!(shares(""), [995_000, 5_000]);
        assert_eq!(shares(r#", "enabled": false"#), [0; 0]);
        let text = r#"{"version": 1, "splits": [{"name": "s", "key": [{"header": "u"}], "baseline": "a",
            "sticky": {"secret": "0123456789abcdef"}, "variants": [{"name": "a", "weight": 95},
            {"name": "b", "weight": 5, "drain": true}]}]}"#;
        let plan = Plan::new(policy::from_json(text.as_bytes()).policy.unwrap());
        let draining: Vec<_> = Metrics::new(&plan)
            .shares(&plan, Moment::default(), Tripped::NONE)
            .map(|(_, s)| s)
            .collect();
        assert_eq!(draining, [1_000_000, 0], "a variant that drains admits nobody");
    }
}
