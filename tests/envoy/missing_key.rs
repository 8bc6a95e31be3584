//! Requests without a key: baseline, chance, or not part of the split.

use lab::{DEFAULT_CLUSTER, Options, Request};
use serde_json::{Value, json};

use crate::bench::{REQUESTS, Shared, lab, split_for};

fn policy() -> Value {
    json!({"version": 1, "splits": [
        split_for("default.test", 50.0, json!({})),
        split_for("baseline.test", 50.0, json!({"on_missing_key": "baseline"})),
        split_for("random.test", 50.0, json!({"on_missing_key": "random"})),
        split_for("skip.test", 50.0, json!({"on_missing_key": "skip"})),
    ]})
}

static ENVOY: Shared = Shared::new(|| lab(&policy().to_string(), Options::default()));

/// Requests in which there is something, but no key.
fn keyless(host: &str) -> Vec<Request> {
    let request = || Request::get("/").host(host).echo();
    vec![
        request(),
        request().http2(),
        request().header("x-user-id", ""),
        request().header("cookie", "uid"),
        request().header("cookie", "uid="),
        request().header("cookie", "uid=\"\"; UID=1; xuid=2"),
        request().header("x-user-id", "").header("cookie", "a=uid=1"),
    ]
}

#[test]
fn the_baseline_is_served_by_default() {
    let bench = ENVOY.bench();
    for (split, host) in [("default", "default.test"), ("baseline", "baseline.test")] {
        for request in keyless(host) {
            let echo = bench.send(&request).unwrap().echo().unwrap();
            assert_eq!(echo.cluster, format!("{split}-v1"), "{request:?}");
            assert_eq!(echo.all("x-split-variant"), [format!("{split}=stable").as_bytes()]);
        }
        let labels = [("split", split), ("variant", "stable"), ("reason", "no_key")];
        let count = keyless(host).len() as u64;
        let stats = bench.stats_when(|stats| stats.sum(REQUESTS, &labels) == count).unwrap();
        assert_eq!(
            (stats.sum(REQUESTS, &labels), stats.sum(REQUESTS, &[("split", split)])),
            (count, count)
        );
    }
}

#[test]
fn a_split_can_be_skipped() {
    let bench = ENVOY.bench();
    for request in keyless("skip.test") {
        let echo = bench.send(&request).unwrap().echo().unwrap();
        assert_eq!(echo.cluster, DEFAULT_CLUSTER, "{request:?}");
        assert!(echo.all("x-split-cluster").is_empty() && echo.all("x-split-variant").is_empty());
    }
    assert_eq!(bench.stats().unwrap().sum(REQUESTS, &[("split", "skip")]), 0);
    let known = Request::get("/").host("skip.test").header("x-user-id", "ada");
    assert_ne!(bench.send(&known).unwrap().cluster(), Some(DEFAULT_CLUSTER));
}

#[test]
fn chance_can_decide_anew_for_every_request_and_keeps_the_shares() {
    const COUNT: usize = 1_000;
    let bench = ENVOY.bench();
    for (requests, connections) in
        [(keyless("random.test"), 8), (vec![Request::get("/").host("random.test")], 1)]
    {
        let requests: Vec<Request> = requests.into_iter().cycle().take(COUNT).collect();
        let answers = bench.load(requests, connections).unwrap();
        let canaries =
            answers.iter().filter(|answer| answer.cluster() == Some("random-v2")).count();
        // 6 standard deviations, because here no run is like the other.
        assert!((405..=595).contains(&canaries), "{canaries} of {COUNT}");
        let mut changes = answers.windows(2).filter(|pair| pair[0].cluster() != pair[1].cluster());
        assert!(changes.nth(300).is_some(), "the variants come in long runs");
    }
    let labels = [("split", "random"), ("reason", "random")];
    let stats = bench.stats_when(|stats| stats.sum(REQUESTS, &labels) == 2 * COUNT as u64).unwrap();
    assert_eq!(stats.sum(REQUESTS, &labels), 2 * COUNT as u64);
}
