//! One round: requests of many users for each split, and what Envoy counted of them.

use std::ops::ControlFlow;

use anyhow::Result;
use engine::ids::SplitId;
use engine::metrics::Metrics;
use engine::outcome::Class;
use engine::plan::Plan;
use engine::policy::{Outcomes, Policy, Split};
use engine::reason::Reason;
use lab::{Lab, Stats};

use super::sample;

/// Connections kept open to Envoy while requests are sent.
pub(super) const CONNECTIONS: usize = 16;

/// What one round showed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Report {
    pub(super) splits: Vec<SplitReport>,
}

/// A split in a round.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SplitReport {
    pub(super) name: String,
    /// What a reader should know besides the numbers.
    pub(super) note: Option<String>,
    /// Requests were not answered, or Envoy did not count them all.
    pub(super) failed: bool,
    pub(super) variants: Vec<Row>,
}

/// A variant in a round; all counts are Envoy's.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) variant: String,
    pub(super) cluster: Option<String>,
    /// The share that the policy gives it, 0 to 1.
    pub(super) configured: f64,
    /// The share it had of the decisions; nothing where there were none.
    pub(super) observed: Option<f64>,
    /// Whether the two agree; see [`within_4_sigma`].
    pub(super) within: Option<bool>,
    pub(super) requests: u64,
    /// For each of [`Class::ALL`]; `None` where nobody counts them.
    pub(super) responses: Option<[u64; Class::ALL.len()]>,
    /// Milliseconds.
    pub(super) p50: Option<f64>,
    /// Milliseconds.
    pub(super) p95: Option<f64>,
}

impl Report {
    /// Whether all shares are as configured.
    pub(super) fn is_fine(&self) -> bool {
        self.splits.iter().all(|split| {
            !split.failed && split.variants.iter().all(|row| row.within != Some(false))
        })
    }
}

/// Sends the requests and reads the statistics. `progress` is told the number of requests that are done, over
/// all splits, and can end the round: then there is no report.
pub(super) fn run(
    lab: &Lab,
    plan: &Plan,
    users: usize,
    progress: impl Fn(usize) -> ControlFlow<()> + Clone + Send + Sync + 'static,
) -> Result<Option<Report>> {
    let mut splits = Vec::new();
    let mut done_before = 0_usize;
    for (id, split) in plan.policy.splits.pairs() {
        if !split.enabled {
            splits.push(without_requests(&split.name, "it is not enabled"));
            continue;
        }
        let (reason, note) = if plan.policy.kill {
            (
                Reason::Killed,
                Some(
                    "the policy is killed: every split that applies serves its baseline".to_owned(),
                ),
            )
        } else if plan.splits[id].race.is_empty() {
            (
                Reason::Fallback,
                Some("no variant takes new users: they are served the baseline".to_owned()),
            )
        } else {
            (Reason::Split, not_only_weights(split))
        };
        let Some(sample) = sample::derive(plan, id, &[reason]) else {
            splits.push(without_requests(
                &split.name,
                "no request could be derived from its `match` that the weights decide, so none were sent",
            ));
            continue;
        };

        let before = lab.stats()?;
        let requests = sample.of_many(plan, id, users);
        let users = requests.len();
        let progress = progress.clone();
        let answers = lab.load_with(requests, CONNECTIONS, move |done| {
            progress(done_before.saturating_add(done))
        });
        done_before = done_before.saturating_add(users);
        if answers.iter().any(Option::is_none) {
            return Ok(None);
        }
        let failure = answers.iter().flatten().find_map(|answer| answer.as_ref().err());
        let answered = answers.iter().flatten().filter(|answer| answer.is_ok()).count() as u64;

        let labels = [("split", split.name.as_str())];
        let counted = |stats: &Stats| {
            let new = stats.since(&before);
            let counted = new.sum(Metrics::REQUESTS, &labels);
            if !counts_outcomes(&plan.policy) {
                return counted >= answered;
            }
            new.sum(Metrics::RESPONSES, &labels) >= answered
                && new.histogram(Metrics::DURATION, &labels).count() >= answered
        };
        let stats = lab.stats_when(counted)?.since(&before);
        let mut report = measure(plan, id, &stats, reason);
        report.note = note;
        let counted: u64 =
            report.variants.iter().fold(0, |sum, row| sum.saturating_add(row.requests));
        if let Some(error) = failure {
            report.failed = true;
            let failed = (users as u64).saturating_sub(answered);
            report.note = Some(format!("{failed} of {users} requests had no answer: {error:#}"));
        } else if counted != users as u64 {
            report.failed = true;
            report.note = Some(format!("envoy counted {counted} decisions for {users} requests"));
        }
        splits.push(report);
    }
    Ok(Some(Report { splits }))
}

/// What else than the weights decides for some users.
fn not_only_weights(split: &Split) -> Option<String> {
    let ramp = split.ramp.as_ref().map(|_| "its weights follow a ramp; shown are those of now");
    let slice = split.slice.map(|_| "only users in its slice of the layer take part");
    let notes: Vec<_> = ramp.into_iter().chain(slice).collect();
    (!notes.is_empty()).then(|| notes.join("; "))
}

fn without_requests(name: &str, why: &str) -> SplitReport {
    SplitReport {
        name: name.to_owned(),
        note: Some(why.to_owned()),
        failed: false,
        variants: Vec::new(),
    }
}

/// Reads a split's numbers from what Envoy counted while only its requests were sent.
fn measure(plan: &Plan, id: SplitId, stats: &Stats, reason: Reason) -> SplitReport {
    let split = &plan.policy.splits[id];
    let decided_for = |variant: &str| {
        let labels =
            [("split", split.name.as_str()), ("variant", variant), ("reason", reason.as_str())];
        stats.sum(Metrics::REQUESTS, &labels)
    };
    let decided: u64 =
        split.variants.iter().fold(0, |sum, v| sum.saturating_add(decided_for(&v.name)));
    let weights = plan.splits[id].weights_at(sample::now().now);
    let sum = split.variants.ids().fold(0_u64, |sum, v| sum.saturating_add(weights.admits(v)));
    let variants = split.variants.pairs().map(|(variant_id, variant)| {
        let configured = match reason {
            Reason::Split => weights.admits(variant_id) as f64 / sum as f64,
            _ if variant_id == split.baseline => 1.0,
            _ => 0.0,
        };
        let labels = [("split", split.name.as_str()), ("variant", variant.name.as_str())];
        let duration = stats.histogram(Metrics::DURATION, &labels);
        let [s, v] = labels;
        let here = decided_for(&variant.name);
        Row {
            variant: variant.name.clone(),
            cluster: variant.cluster.clone(),
            configured,
            observed: (decided > 0).then(|| here as f64 / decided as f64),
            within: (decided > 0).then(|| within_4_sigma(configured, here, decided)),
            requests: stats.sum(Metrics::REQUESTS, &labels),
            responses: counts_outcomes(&plan.policy).then(|| {
                Class::ALL
                    .map(|class| stats.sum(Metrics::RESPONSES, &[s, v, ("class", class.as_str())]))
            }),
            p50: duration.quantile(0.5),
            p95: duration.quantile(0.95),
        }
    });
    SplitReport {
        name: split.name.clone(),
        note: None,
        failed: false,
        variants: variants.collect(),
    }
}

/// Whether somebody counts how requests end.
fn counts_outcomes(policy: &Policy) -> bool {
    policy.outcomes != Outcomes::Off
}

/// Whether `count` of `all` users is what a share allows: within 4 standard deviations of the binomial
/// distribution, which chance leaves once in 16,000 times. One user more is allowed, because with very few
/// users the distribution is far from normal; a share of 0 or 1 must be met exactly.
fn within_4_sigma(share: f64, count: u64, all: u64) -> bool {
    let expected = share * all as f64;
    let variance = expected * (1.0 - share);
    let allowed = if variance == 0.0 { 0.0 } else { 4.0 * variance.sqrt() + 1.0 };
    (count as f64 - expected).abs() <= allowed
}

#[cfg(test)]
mod tests {
    use engine::policy;

    use super::*;

    #[test]
    fn shares_are_judged_by_their_spread() {
        for (share, count, all, within) in [
            (0.05, 500, 10_000, true),
            (0.05, 588, 10_000, true),
            (0.05, 589, 10_000, false),
            (0.05, 411, 10_000, false),
            (0.95, 9_500, 10_000, true),
            (0.0, 0, 10_000, true),
            (0.0, 1, 10_000, false),
            (1.0, 10_000, 10_000, true),
            (1.0, 9_999, 10_000, false),
            (0.05, 1, 1, true),
            (0.0001, 3, 10_000, true),
        ] {
            assert_eq!(within_4_sigma(share, count, all), within, "{share} {count} {all}");
        }
    }

    fn plan(weights: [u32; 2]) -> Plan {
        let text = format!(
            r#"{{"version": 1, "splits": [{{"name": "s", "key": [{{"header": "u"}}], "baseline": "a", "weight_total": "any",
               "variants": [{{"name": "a", "cluster": "one", "weight": {}}}, {{"name": "b", "weight": {}}}]}}]}}"#,
            weights[0], weights[1]
        );
        Plan::new(policy::from_json(text.as_bytes()).policy.unwrap())
    }

    fn stats(numbers: &[(&str, u64)]) -> Stats {
        let entries: Vec<_> = numbers
            .iter()
            .map(|(name, value)| {
                format!(r#"{{"name": "wasmcustom.split=.=s;.;{name}", "value": {value}}}"#)
            })
            .collect();
        Stats::parse(&format!(r#"{{"stats": [{}]}}"#, entries.join(","))).unwrap()
    }

    #[test]
    fn a_share_counts_what_the_weights_decided_and_requests_count_all() {
        let stats = stats(&[
            ("variant=.=a;.;reason=.=split;.;traffic_split_requests_total", 75),
            ("variant=.=b;.;reason=.=split;.;traffic_split_requests_total", 25),
            ("variant=.=b;.;reason=.=override;.;traffic_split_requests_total", 50),
            ("variant=.=b;.;class=.=5xx;.;traffic_split_responses_total", 3),
        ]);
        let report = measure(&plan([3, 1]), SplitId::FIRST, &stats, Reason::Split);
        let [a, b] = &report.variants[..] else { panic!("two variants") };
        assert_eq!(
            (a.configured, a.observed, a.within, a.requests),
            (0.75, Some(0.75), Some(true), 75)
        );
        assert_eq!((b.configured, b.observed, b.requests), (0.25, Some(0.25), 75));
        assert_eq!(b.responses, Some([0, 0, 0, 0, 3, 0, 0]));
        assert_eq!((a.p50, a.p95), (None, None));
    }

    #[test]
    fn no_users_are_no_failure() {
        let report = measure(&plan([3, 1]), SplitId::FIRST, &stats(&[]), Reason::Split);
        assert!(report.variants.iter().all(|row| row.observed.is_none() && row.within.is_none()));
        assert!(Report { splits: vec![report] }.is_fine());
    }

    #[test]
    fn without_weights_everybody_belongs_on_the_baseline() {
        let stats =
            stats(&[("variant=.=a;.;reason=.=fallback;.;traffic_split_requests_total", 10)]);
        let report = measure(&plan([0, 0]), SplitId::FIRST, &stats, Reason::Fallback);
        let shares: Vec<_> =
            report.variants.iter().map(|row| (row.configured, row.within)).collect();
        assert_eq!(shares, [(1.0, Some(true)), (0.0, Some(true))]);
    }
}
