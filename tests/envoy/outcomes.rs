//! What becomes of a request is counted to the variant that was served, whoever answered it.

use std::time::Duration;

use lab::{Behavior, Lab, Options, Request};
use serde_json::{Value, json};

use crate::bench::{Bench, DURATION, REQUESTS, RESPONSES, Shared, lab, split_for, user};
use crate::native::Native;

/// A split of its own for each test, so that all can run at once in one Envoy.
fn policy() -> Value {
    let splits = ["status.test", "dead.test", "gone.test", "slow.test"]
        .map(|host| split_for(host, 50.0, json!({})));
    json!({"version": 1, "splits": splits})
}

static ENVOY: Shared = Shared::new(|| lab(&policy().to_string(), Options::default()));

const CLASSES: [&str; 7] = ["1xx", "2xx", "3xx", "4xx", "5xx", "none", "abort"];

/// Users of a host, some for each variant.
fn users(host: &str) -> (Vec<Request>, usize) {
    let native = Native::new(&policy());
    let users: Vec<Request> = (0..40).map(|number| user(number).host(host)).collect();
    let is_canary = |user: &&Request| native.cluster(user).ends_with("-v2");
    let canaries = users.iter().filter(is_canary).count();
    assert!((10..30).contains(&canaries));
    (users, canaries)
}

/// Checks how many responses of each class a variant has, waiting until they are counted.
fn assert_counted(
    bench: &Bench<&'static Lab>,
    split: &str,
    variant: &str,
    classes: &[(&str, usize)],
) {
    let of_class = |class: &str| {
        classes.iter().find(|(name, _)| *name == class).map_or(0, |(_, count)| *count as u64)
    };
    let wanted = CLASSES.map(of_class);
    let labels = [("split", split), ("variant", variant)];
    let total: u64 = wanted.iter().sum();
    let found = |stats: &lab::Stats| {
        CLASSES.map(|class| stats.sum(RESPONSES, &[labels[0], labels[1], ("class", class)]))
    };
    let stats = bench
        .stats_when(|stats| {
            found(stats) == wanted && stats.histogram(DURATION, &labels).count() == total
        })
        .unwrap();
    assert_eq!(found(&stats), wanted, "{split}={variant}, by class {CLASSES:?}");
    assert_eq!(stats.histogram(DURATION, &labels).count(), total, "{split}={variant}, durations");
    assert_eq!(stats.sum(REQUESTS, &labels), total, "{split}={variant}, requests");
}

#[test]
fn each_status_is_counted_to_its_class_and_to_the_variant_that_gave_it() {
    let bench = ENVOY.bench();
    let (users, canaries) = users("status.test");
    let canary = bench.upstream("status-v2").unwrap();
    let statuses = [200, 204, 302, 404, 429, 500, 503];
    for status in statuses {
        canary.set(Behavior { status, ..Behavior::default() }).unwrap();
        let answers = bench.load(users.clone(), 4).unwrap();
        let found = answers.iter().filter(|answer| answer.cluster() == Some("status-v2"));
        assert_eq!(found.filter(|answer| answer.status == status).count(), canaries);
    }
    let classes =
        [("2xx", 2 * canaries), ("3xx", canaries), ("4xx", 2 * canaries), ("5xx", 2 * canaries)];
    assert_counted(&bench, "status", "canary", &classes);
    let stable = (users.len() - canaries) * statuses.len();
    assert_counted(&bench, "status", "stable", &[("2xx", stable)]);
}

#[test]
fn a_variant_that_cannot_be_reached_is_counted_with_the_answer_that_envoy_gives() {
    let bench = ENVOY.bench();
    let (users, canaries) = users("dead.test");
    let canary = bench.upstream("dead-v2").unwrap();
    canary.set(Behavior { refuse: true, ..Behavior::default() }).unwrap();
    let answers = bench.load(users.clone(), 4).unwrap();
    let refused =
        answers.iter().filter(|answer| answer.status == 503 && answer.cluster().is_none()).count();
    assert_eq!(refused, canaries);
    assert_counted(&bench, "dead", "canary", &[("5xx", canaries)]);
    assert_counted(&bench, "dead", "stable", &[("2xx", users.len() - canaries)]);

    canary.set(Behavior::default()).unwrap();
    assert!(bench.load(users.clone(), 4).unwrap().iter().all(|answer| answer.status == 200));
    assert_counted(&bench, "dead", "canary", &[("2xx", canaries), ("5xx", canaries)]);
}

#[test]
fn a_client_that_goes_away_is_counted_as_an_abort() {
    let bench = ENVOY.bench();
    let canary = bench.upstream("gone-v2").unwrap();
    canary.set(Behavior { delay: Duration::from_secs(600), ..Behavior::default() }).unwrap();
    let (users, _) = users("gone.test");
    let native = Native::new(&policy());
    let mut canaries = users.into_iter().filter(|user| native.cluster(user) == "gone-v2");
    for request in [canaries.next().unwrap(), canaries.next().unwrap().http2()] {
        bench.abandon(&request, Duration::from_millis(500)).unwrap();
    }
    assert_counted(&bench, "gone", "canary", &[("abort", 2)]);
    assert_counted(&bench, "gone", "stable", &[]);
}

#[test]
fn durations_are_those_of_the_variant_in_milliseconds() {
    let bench = ENVOY.bench();
    let (users, canaries) = users("slow.test");
    bench
        .upstream("slow-v2")
        .unwrap()
        .set(Behavior { delay: Duration::from_millis(300), ..Behavior::default() })
        .unwrap();
    assert!(bench.load(users.clone(), 20).unwrap().iter().all(|answer| answer.status == 200));
    assert_counted(&bench, "slow", "canary", &[("2xx", canaries)]);
    assert_counted(&bench, "slow", "stable", &[("2xx", users.len() - canaries)]);
    let stats = bench.stats().unwrap();
    let quantile = |variant: &str, part: f64| {
        stats
            .histogram(DURATION, &[("split", "slow"), ("variant", variant)])
            .quantile(part)
            .unwrap()
    };
    // Never early; how late depends on how busy the machine is.
    assert!(quantile("canary", 0.01) >= 300.0, "{}", quantile("canary", 0.01));
    assert!(quantile("canary", 0.5) < 3_000.0, "{}", quantile("canary", 0.5));
    assert!(quantile("stable", 0.5) < 300.0, "{}", quantile("stable", 0.5));
}
