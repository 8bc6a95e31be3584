//! Envoy never frees a statistic, so updates must not pile them up, and what is gone must not look
//! as if it were there.

use std::collections::BTreeSet;
use std::time::Duration;

use lab::{Behavior, Lab, Update};
use serde_json::{Value, json};

use crate::bench::{Bench, POLICY_HASH, REQUESTS, WEIGHT, checkout, split, user};
use crate::native::Native;

/// The name of every statistic that the filter has defined.
fn names(lab: &Lab) -> BTreeSet<String> {
    let text = lab.admin_text("/stats?filter=wasmcustom").unwrap();
    text.lines()
        .filter_map(|line| line.rsplit_once(": "))
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// A policy without the canary, and with a split that the other one has not.
fn other() -> Value {
    let mut alone = split("checkout", 0.0);
    alone["variants"] = json!([{"name": "stable", "cluster": "checkout-v1", "weight": 100}]);
    json!({"version": 1, "splits": [alone, split("search", 20.0)]})
}

/// Checks the gauges against the policy that is in force, waiting for workers that are behind.
fn assert_shows(bench: &Bench, policy: &Value, weights: [(&str, &str, u64); 4]) {
    let hash = Native::new(policy).hash;
    let weight = |stats: &lab::Stats, (split, variant, _): &(&str, &str, u64)| {
        stats.sum(WEIGHT, &[("split", split), ("variant", variant)])
    };
    let right = |stats: &lab::Stats| {
        stats.sum(POLICY_HASH, &[]) == hash
            && weights.iter().all(|wanted| weight(stats, wanted) == wanted.2)
    };
    let stats = bench.stats_when(right).unwrap();
    let found = weights.map(|wanted| (wanted.0, wanted.1, weight(&stats, &wanted)));
    assert_eq!(found, weights);
    assert_eq!(stats.sum(POLICY_HASH, &[]), hash);
}

/// Split, variant and weight in millionths under `checkout(5)`, and under [`other`].
const WITH_CANARY: [(&str, &str, u64); 4] = [
    ("checkout", "stable", 950_000),
    ("checkout", "canary", 50_000),
    ("search", "stable", 0),
    ("search", "canary", 0),
];
const WITHOUT_CANARY: [(&str, &str, u64); 4] = [
    ("checkout", "stable", 1_000_000),
    ("checkout", "canary", 0),
    ("search", "stable", 800_000),
    ("search", "canary", 200_000),
];

#[test]
fn many_updates_define_no_more_statistics_and_the_gauges_tell_the_policy_in_force() {
    let bench = Bench::start(&checkout(5.0));
    let background = bench.load_in_background((0..100).map(user).collect(), 4);
    assert_eq!(bench.stats().unwrap().sum(WEIGHT, &[("variant", "canary")]), 50_000);
    bench.put(&other());
    let both = names(&bench);
    assert!(
        both.iter().any(|name| name.contains("canary") && name.ends_with(REQUESTS)),
        "{both:?}"
    );
    for _ in 0..10 {
        bench.put(&checkout(5.0));
        bench.put(&other());
    }
    assert_shows(&bench, &other(), WITHOUT_CANARY);
    bench.put(&checkout(5.0));
    assert_shows(&bench, &checkout(5.0), WITH_CANARY);

    // Neither do weights that change, requests of any kind, or policies that are refused.
    for weight in 1..=5 {
        bench.put(&checkout(f64::from(weight) * 7.3));
        assert!(matches!(bench.apply("{\"version\": 2}").unwrap(), Update::Refused(_)));
    }
    for answer in background.finish() {
        assert_eq!(answer.unwrap().status, 200);
    }
    let strange = user(1).host("other.test").header("x-split-variant", "forged=forged");
    assert_eq!(bench.send(&strange).unwrap().status, 200);
    assert_eq!(names(&bench), both);
}

#[test]
fn gauges_are_right_where_a_request_outlives_two_updates() {
    let policy = checkout(5.0);
    let bench = Bench::start(&policy);
    // On every worker a request stays under the first policy for a while.
    for cluster in ["checkout-v1", "checkout-v2"] {
        let upstream = bench.upstream(cluster).unwrap();
        upstream.set(Behavior { delay: Duration::from_secs(2), ..Behavior::default() }).unwrap();
    }
    let in_flight = bench.load_in_background((0..8).map(user).collect(), 8);
    let asked = bench.stats_when(|stats| stats.sum(REQUESTS, &[]) >= 8).unwrap();
    assert!(asked.sum(REQUESTS, &[]) >= 8);
    bench.put(&other());
    assert_shows(&bench, &other(), WITHOUT_CANARY);
    bench.put(&policy);
    assert_shows(&bench, &policy, WITH_CANARY);
    bench.put(&other());
    assert!(in_flight.finish().into_iter().all(|answer| answer.unwrap().status == 200));
    assert_shows(&bench, &other(), WITHOUT_CANARY);
}
