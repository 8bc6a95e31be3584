//! A normal day, on which nobody is called: two fleets, a night, a deployment, a ramp, a rollback, a brake, restarts, a new
//! variant, and the errors and the luck that every day has. Made by a small model, evaluated by Prometheus's own tool.

use std::collections::BTreeMap;
use std::f64::consts::PI;
use std::fmt::Write as _;

use crate::rules::holds;

/// Minutes of the day, which begins at midnight.
const DAY: usize = 24 * 60;

const fn at(hour: usize, minute: usize) -> usize {
    hour * 60 + minute
}

const VARIANTS: [&str; 3] = ["stable", "canary", "next"];

/// A proxy, in its time. It restarts in place, its counters at 0, where it is dark for some minutes.
struct Proxy {
    fleet: &'static str,
    instance: &'static str,
    lives: std::ops::Range<usize>,
    dark: std::ops::Range<usize>,
    /// How much later than the others it gets a policy, in minutes.
    late: usize,
}

const fn proxy(
    fleet: &'static str,
    instance: &'static str,
    lives: std::ops::Range<usize>,
    late: usize,
) -> Proxy {
    Proxy { fleet, instance, lives, dark: 0..0, late }
}

/// Production is deployed at 7, one proxy after the other; one restarts at 20:00. Staging has the same addresses.
fn proxies() -> Vec<Proxy> {
    vec![
        proxy("production", "10.0.0.1:9901", 0..at(7, 2), 0),
        proxy("production", "10.0.0.2:9901", 0..at(7, 5), 1),
        proxy("production", "10.0.0.3:9901", at(7, 0)..DAY, 2),
        Proxy {
            dark: at(20, 0)..at(20, 3),
            ..proxy("production", "10.0.0.4:9901", at(7, 3)..DAY, 3)
        },
        proxy("staging", "10.0.0.1:9901", 0..DAY, 0),
    ]
}

/// What a proxy runs: the policy's hash, weights in millionths, and whether the brake is on. `next` is new at 18:00.
fn policy(fleet: &str, minute: usize) -> (u64, [Option<u32>; 3], bool) {
    if fleet == "staging" {
        let half = [Some(500_000), Some(500_000), None];
        return (if minute < at(11, 0) { 11 } else { 12 }, half, false);
    }
    let canary = |weight: u32| [Some(1_000_000 - weight), Some(weight), None];
    let ramp = |minute: usize| {
        // From 5 to 50 % in four hours.
        let passed = u32::try_from(minute - at(9, 0)).unwrap();
        canary((50_000 + passed * 1_875).min(500_000))
    };
    match minute {
        ..540 => (1, canary(50_000), false),
        540..900 => (2, ramp(minute), false),
        // The rollback, and half an hour later less than before.
        900..960 => (1, canary(50_000), false),
        960..990 => (3, canary(100_000), false),
        // The brake for half an hour.
        990..1_020 => (4, canary(100_000), true),
        1_020..1_080 => (3, canary(100_000), false),
        _ => (5, [Some(890_000), Some(100_000), Some(10_000)], false),
    }
}

/// Requests per minute of a fleet. At night nearly none; staging has office hours.
fn requests(fleet: &str, minute: usize) -> f64 {
    let hour = minute as f64 / 60.0;
    let sun = |from: f64, to: f64| ((hour - from) / (to - from) * PI).sin().max(0.0);
    if fleet == "staging" {
        return if (9.0..18.0).contains(&hour) { 40.0 * sun(8.5, 18.5) } else { 0.0 };
    }
    let late = if hour < 4.0 { 60.0 * (1.0 - hour / 4.0) } else { 0.0 };
    2_000.0 * if hour > 5.0 { sun(5.0, 24.5).powi(2) } else { 0.0 } + late
}

/// Chance, but the same each day.
struct Chance(u64);

impl Chance {
    /// From 0 to 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// How many of rare events there are, `mean` in the mean.
    fn count(&mut self, mean: f64) -> u64 {
        if mean > 50.0 {
            let sum: f64 = (0..12).map(|_| self.next()).sum();
            return (mean + (sum - 6.0) * mean.sqrt()).round().max(0.0) as u64;
        }
        let (limit, mut product, mut count) = ((-mean).exp(), self.next(), 0);
        while product > limit {
            product *= self.next();
            count += 1;
        }
        count
    }
}

/// All series, each with its values of the day as promtool reads them.
#[derive(Default)]
struct Series(BTreeMap<String, Vec<Option<u64>>>);

impl Series {
    fn set(&mut self, name: &str, labels: &str, minute: usize, value: u64) {
        let series = self.0.entry(format!("{name}{{{labels}}}")).or_default();
        series.resize(minute, None);
        series.push(Some(value));
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (name, values) in &self.0 {
            let mut last = None;
            let written = values.iter().chain([&None]).map(|value| {
                // What ends is marked, as Prometheus marks it.
                let word = match (value, last) {
                    (Some(value), _) => value.to_string(),
                    (None, Some(_)) => "stale".to_owned(),
                    (None, None) => "_".to_owned(),
                };
                last = *value;
                word
            });
            let values = written.collect::<Vec<_>>().join(" ");
            let _in_memory = writeln!(text, "  - {{series: '{name}', values: '{values}'}}");
        }
        text
    }
}

/// The day. `failing` is the part of production's canary that fails from noon on: none, on a normal day.
fn day(failing: f64) -> String {
    let (mut series, mut chance) = (Series::default(), Chance(1));
    for proxy in proxies() {
        let place =
            format!("job=\"envoy\", cluster=\"{}\", instance=\"{}\"", proxy.fleet, proxy.instance);
        let mut counters: BTreeMap<String, u64> = BTreeMap::new();
        for minute in proxy.lives.clone() {
            let dark = proxy.dark.contains(&minute);
            series.set("up", &place, minute, u64::from(!dark));
            if dark {
                counters.clear();
                continue;
            }
            let (hash, weights, kill) = policy(proxy.fleet, minute.saturating_sub(proxy.late));
            series.set("traffic_split_policy_hash", &place, minute, hash);
            for zero in [
                "traffic_split_policy_refused",
                "traffic_split_config_errors_total",
                "traffic_split_host_errors_total",
                "traffic_split_force_refused_total",
                "envoy_wasm_traffic_split_vm_reload_success",
                "envoy_wasm_traffic_split_vm_reload_failure",
                "envoy_extension_config_discovery_http_filter_traffic_split_config_fail",
                "envoy_extension_config_discovery_http_filter_traffic_split_update_rejected",
            ] {
                series.set(zero, &place, minute, 0);
            }
            let reload = "envoy_extension_config_discovery_http_filter_traffic_split_config_reload";
            series.set(reload, &place, minute, hash);
            let alive = |p: &&Proxy| p.fleet == proxy.fleet && p.lives.contains(&minute);
            let alive = proxies().iter().filter(alive).count();
            for (variant, weight) in VARIANTS.into_iter().zip(weights) {
                let Some(weight) = weight else { continue };
                let labels = format!("{place}, split=\"checkout\", variant=\"{variant}\"");
                series.set("traffic_split_weight", &labels, minute, weight.into());
                let baseline = variant == "stable";
                let share = match (kill, baseline) {
                    (true, baseline) => f64::from(u8::from(baseline)),
                    (false, _) => f64::from(weight) / 1e6,
                };
                // A user makes five requests.
                let mean = requests(proxy.fleet, minute) / alive as f64 * share;
                let requests = 5 * chance.count(mean / 5.0);
                let ours = proxy.fleet == "production" && variant == "canary";
                let fails = if ours && minute >= at(12, 0) { failing } else { 0.0 };
                let failed = chance.count(requests as f64 * (0.000_5 + fails)).min(requests);
                let mut add = |name: &str, label: &str, count: u64| {
                    let counter = counters.entry(format!("{name}{variant}{label}")).or_default();
                    *counter += count;
                    let labels = if label.is_empty() {
                        labels.clone()
                    } else {
                        format!("{labels}, {label}")
                    };
                    series.set(name, &labels, minute, *counter);
                };
                let (split, killed) = if kill { (0, requests) } else { (requests, 0) };
                add("traffic_split_requests_total", "reason=\"split\"", split);
                // The brake's counter is there from its first minute on.
                if baseline && minute >= 990 {
                    add("traffic_split_requests_total", "reason=\"killed\"", killed);
                }
                if baseline {
                    add("traffic_split_requests_total", "reason=\"override\"", requests / 50);
                }
                add("traffic_split_responses_total", "class=\"2xx\"", requests - failed);
                add("traffic_split_responses_total", "class=\"5xx\"", failed);
                add("traffic_split_responses_total", "class=\"none\"", 0);
                let bucket = "traffic_split_request_duration_milliseconds_bucket";
                let slow = chance.count(requests as f64 * 0.08).min(requests);
                add(bucket, "le=\"25\"", requests - slow);
                add(bucket, "le=\"50\"", requests - slow / 3);
                add(bucket, "le=\"+Inf\"", requests);
            }
        }
    }
    series.text()
}

/// Cases for promtool: what is asked at a minute, and the rows that come back.
fn cases(failing: f64, minute: usize, asked: &[(&str, &str)]) -> String {
    let mut text = format!(
        "rule_files: [rules.yml]\nevaluation_interval: 1m\n\
        group_eval_order: [traffic_split_known, traffic_split_rates, traffic_split_comparisons, traffic_split_alerts]\n\
        tests:\n- interval: 1m\n  input_series:\n{}  promql_expr_test:\n",
        day(failing)
    );
    for (expr, samples) in asked {
        let _in_memory = writeln!(
            text,
            "  - {{expr: '{expr}', eval_time: {minute}m, exp_samples: [{samples}]}}"
        );
    }
    text
}

const BY: [&str; 2] = ["--by", "job,cluster"];

#[test]
fn on_a_normal_day_nobody_is_called() {
    let info = |alert: &str, labels: &str| {
        format!(
            "{{labels: \"{{alertname='{alert}', job='envoy', cluster='production', split='checkout'{labels}}}\", value: 1}}"
        )
    };
    let infos = [
        info("TrafficSplitKilled", ""),
        info("TrafficSplitWeightChanged", ", variant='stable'"),
        info("TrafficSplitWeightChanged", ", variant='canary'"),
    ];
    let told = "group without (alertstate, severity) (count_over_time(ALERTS{alertstate=\"firing\", severity=\"info\"}[24h]))";
    let called = "group by (alertname, severity, cluster, instance, variant) (count_over_time(ALERTS{alertstate=\"firing\", severity!=\"info\"}[24h]))";
    holds(&cases(0.0, DAY - 1, &[(called, ""), (told, &infos.join(", "))]), &BY);
}

/// The same day would have called somebody, had there been a reason.
#[test]
fn on_a_day_like_this_a_canary_that_fails_is_a_page() {
    let page = "{labels: \"{alertname='TrafficSplitErrorRatio', cluster='production', variant='canary'}\", value: 1}";
    let called = "group by (alertname, cluster, variant) (count_over_time(ALERTS{alertstate=\"firing\", severity=\"page\"}[24h]))";
    // As long as there are requests enough for the comparison with the baseline: one fault is one page.
    holds(&cases(0.03, at(15, 0), &[(called, page)]), &BY);
}
