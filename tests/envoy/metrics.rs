//! What Prometheus reads: names and labels are a contract.

use std::collections::{BTreeMap, BTreeSet};

use engine::metrics::Metrics;
use lab::{Behavior, Lab, Options, Request};
use policy_text::source::Source;
use serde_json::{Value, json};
use splitctl::policy_file::PolicyFile;

use crate::bench::{
    Bench, CONFIG_ERRORS, DURATION, HOST_ERRORS, POLICY_HASH, REQUESTS, RESPONSES, WEIGHT,
    split_for, user,
};
use crate::native::Native;

/// A line of Prometheus' text format: name, labels, value.
#[derive(Debug, Clone, PartialEq)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

/// Reads Prometheus' text format, as far as Envoy writes it.
fn samples(text: &str) -> Vec<Sample> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (metric, value) = line.rsplit_once(' ').expect("a value");
            let (name, labels) =
                metric.strip_suffix('}').and_then(|m| m.split_once('{')).unwrap_or((metric, ""));
            let label = |pair: &str| {
                let (label, value) = pair.split_once("=\"").expect("a label");
                (label.to_owned(), value.trim_end_matches('"').to_owned())
            };
            let labels = labels.split(',').filter(|pair| !pair.is_empty()).map(label).collect();
            Sample { name: name.to_owned(), labels, value: value.parse().expect("a number") }
        })
        .collect()
}

/// The value of the one sample that has this name and just these labels.
fn value(samples: &[Sample], name: &str, labels: &[(&str, &str)]) -> f64 {
    let labels: BTreeMap<String, String> =
        labels.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    let found: Vec<_> = samples.iter().filter(|s| s.name == name && s.labels == labels).collect();
    assert_eq!(found.len(), 1, "{name} {labels:?}");
    found[0].value
}

fn policy() -> Value {
    let overrides = json!({"overrides": [
        {"match": [{"headers": [{"name": "x-canary", "exact": "true"}]}], "variant": "canary"}]});
    json!({"version": 1, "splits": [
        split_for("checkout.test", 12.5, overrides),
        // Names in every form that is allowed: a label may hold dots and dashes.
        split_for("se_arch.v2-b", 0.0001, json!({"match": [{"hosts": ["search.test"]}]})),
    ]})
}

fn requests() -> Vec<Request> {
    let canaries =
        (0..5).map(|number| user(number).host("checkout.test").header("x-canary", "true"));
    let nobody = (0..3).map(|_| Request::get("/").host("checkout.test"));
    let searches = (0..20).map(|number| user(number).host("search.test"));
    (0..80)
        .map(|number| user(number).host("checkout.test"))
        .chain(canaries)
        .chain(nobody)
        .chain(searches)
        .collect()
}

#[test]
fn prometheus_reads_every_metric_with_its_labels() {
    let (bench, native) = (Bench::start(&policy()), Native::new(&policy()));
    let users = requests();
    bench
        .upstream("checkout-v2")
        .unwrap()
        .set(Behavior { status: 500, ..Behavior::default() })
        .unwrap();
    bench.load(users.clone(), 4).unwrap();
    bench.stats_after(users.len() as u64);
    let samples = samples(&bench.prometheus().unwrap());

    let wanted = native.counts(&users);
    for ([split, variant, reason], count) in &wanted {
        let labels = [("split", split.as_str()), ("variant", variant), ("reason", reason)];
        assert_eq!(value(&samples, REQUESTS, &labels), *count as f64, "{labels:?}");
    }
    let all: f64 = samples.iter().filter(|s| s.name == REQUESTS).map(|s| s.value).sum();
    assert_eq!(all, users.len() as f64);

    let served = |split: &str, variant: &str| -> f64 {
        wanted
            .iter()
            .filter(|([s, v, _], _)| s == split && v == variant)
            .map(|(_, count)| *count as f64)
            .sum()
    };
    for (split, variant, class, weight) in [
        ("checkout", "stable", "2xx", 875_000.0),
        ("checkout", "canary", "5xx", 125_000.0),
        ("se_arch.v2-b", "stable", "2xx", 999_999.0),
        ("se_arch.v2-b", "canary", "2xx", 1.0),
    ] {
        let labels = [("split", split), ("variant", variant)];
        let count = served(split, variant);
        assert_eq!(
            value(&samples, RESPONSES, &[labels[0], labels[1], ("class", class)]),
            count,
            "{labels:?}"
        );
        assert_eq!(value(&samples, WEIGHT, &labels), weight, "{labels:?}");
        assert_eq!(value(&samples, &format!("{DURATION}_count"), &labels), count, "{labels:?}");
    }
    assert_eq!(value(&samples, POLICY_HASH, &[]), native.hash as f64);
    assert_eq!(value(&samples, CONFIG_ERRORS, &[]), 0.0);
    assert_eq!(value(&samples, HOST_ERRORS, &[]), 0.0);
}

#[test]
fn the_duration_histogram_has_buckets_from_half_a_millisecond_to_a_minute() {
    let bench = Bench::start(&policy());
    let users: Vec<_> = (0..50).map(|number| user(number).host("search.test")).collect();
    bench.load(users, 4).unwrap();
    bench.stats_after(50);
    let samples = samples(&bench.prometheus().unwrap());
    let buckets: Vec<(f64, f64)> = samples
        .iter()
        .filter(|s| s.name == format!("{DURATION}_bucket"))
        .filter(|s| s.labels["split"] == "se_arch.v2-b" && s.labels["variant"] == "stable")
        .map(|s| (s.labels["le"].replace("+Inf", "inf").parse().unwrap(), s.value))
        .collect();
    let bounds: Vec<f64> = buckets.iter().map(|(bound, _)| *bound).collect();
    assert!(bounds.is_sorted() && bounds.len() >= 10, "{bounds:?}");
    assert_eq!((bounds.first(), bounds.last()), (Some(&0.5), Some(&f64::INFINITY)));
    for bound in [1.0, 5.0, 10.0, 100.0, 1_000.0, 60_000.0] {
        assert!(bounds.contains(&bound), "{bounds:?}");
    }
    assert!(buckets.is_sorted_by(|a, b| a.1 <= b.1), "counts are cumulative: {buckets:?}");
    assert_eq!(buckets.last().map(|(_, count)| *count), Some(50.0));
}

#[test]
fn no_metric_has_another_name_and_no_label_is_left_in_a_name() {
    let bench = Bench::start(&policy());
    bench.load(requests(), 2).unwrap();
    bench.stats_after(requests().len() as u64);
    let text = bench.prometheus().unwrap();
    let histogram = ["_bucket", "_sum", "_count"].map(|part| format!("{DURATION}{part}"));
    let mut wanted: BTreeMap<&str, &[&str]> = BTreeMap::from([
        (REQUESTS, &["reason", "split", "variant"][..]),
        (RESPONSES, &["class", "split", "variant"]),
        (WEIGHT, &["split", "variant"]),
        (Metrics::BAD_KEYS, &["split", "variant"]),
        (POLICY_HASH, &[]),
        (Metrics::POLICY_REFUSED, &[]),
        (CONFIG_ERRORS, &[]),
        (HOST_ERRORS, &[]),
    ]);
    for (name, labels) in histogram.iter().zip([
        &["le", "split", "variant"][..],
        &["split", "variant"],
        &["split", "variant"],
    ]) {
        wanted.insert(name, labels);
    }
    let mut found: BTreeMap<String, BTreeSet<Vec<String>>> = BTreeMap::new();
    for sample in samples(&text) {
        // Envoy's own statistics about the filter have its name too.
        if sample.name.contains("split") && !sample.name.starts_with("envoy_") {
            found.entry(sample.name).or_default().insert(sample.labels.into_keys().collect());
        }
        assert!(
            !text.contains("wasmcustom") && !text.contains("=.="),
            "{}",
            names_with_split(&bench)
        );
    }
    let wanted: BTreeMap<String, BTreeSet<Vec<String>>> = wanted
        .into_iter()
        .map(|(name, labels)| {
            (name.to_owned(), BTreeSet::from([labels.iter().map(|l| (*l).to_owned()).collect()]))
        })
        .collect();
    assert_eq!(found, wanted);
}

fn names_with_split(lab: &Lab) -> String {
    lab.admin_text("/stats?filter=split").unwrap()
}

#[test]
fn every_metric_is_there_before_the_first_request() {
    let bench = Bench::with(&policy(), Options::default());
    let names = |lab: &Lab| -> BTreeSet<String> {
        let text = lab.admin_text("/stats?filter=wasmcustom").unwrap();
        text.lines()
            .filter_map(|line| line.rsplit_once(": "))
            .map(|(name, _)| name.to_owned())
            .collect()
    };
    let before = names(&bench);
    let said = PolicyFile::check(Source::new("policy.json", &policy().to_string()));
    assert_eq!(said.valid.map(|valid| valid.metrics()), Some(before.len()), "what splitctl says");
    bench.load(requests(), 4).unwrap();
    bench.stats_after(requests().len() as u64);
    assert_eq!(names(&bench), before, "a request defined a statistic");
}
