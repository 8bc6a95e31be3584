//! `outcomes: envoy`: Envoy's stats access logger counts how requests end as the filter would, request by request.

use std::collections::BTreeMap;
use std::time::Duration;

use lab::{Behavior, Request, Stats};
use serde_json::{Value, json};

use crate::bench::{Bench, DURATION, HOST_ERRORS, REQUESTS, RESPONSES, split_for, user};

const CLASSES: [&str; 7] = ["1xx", "2xx", "3xx", "4xx", "5xx", "none", "abort"];
const SPLITS: [&str; 3] = ["checkout", "search", "banner"];
const VARIANTS: [&str; 2] = ["stable", "canary"];

/// One split of a host of its own, one of another, and one that is met together with both.
fn policy(outcomes: &str) -> Value {
    let everywhere = json!({"match": [{"path": {"prefix": "/cart"}}],
        "variants": [{"name": "stable", "weight": 50}, {"name": "canary", "weight": 50}]});
    json!({"version": 1, "outcomes": outcomes, "splits": [
        split_for("checkout.test", 50.0, json!({})),
        split_for("search.test", 50.0, json!({})),
        split_for("banner", 50.0, everywhere),
    ]})
}

/// What is counted of a variant.
type Counts = BTreeMap<(&'static str, &'static str), ([u64; CLASSES.len()], u64, u64)>;

fn counts(stats: &Stats) -> Counts {
    let variants = SPLITS.into_iter().flat_map(|split| VARIANTS.map(|variant| (split, variant)));
    let of = |(split, variant)| {
        let labels = [("split", split), ("variant", variant)];
        let [s, v] = labels;
        let classes = CLASSES.map(|class| stats.sum(RESPONSES, &[s, v, ("class", class)]));
        let durations = stats.histogram(DURATION, &labels).count();
        ((split, variant), (classes, durations, stats.sum(REQUESTS, &labels)))
    };
    variants.map(of).collect()
}

/// Each status, a variant that cannot be reached, a client that leaves, a request of no split, one that forges the header;
/// after each step what is counted by then.
fn course(bench: &Bench) -> Vec<Counts> {
    let request = |number: u32, host: &str, path: &str| {
        let mut request = user(number).host(host);
        request.path = path.to_owned();
        request
    };
    let everybody = |path: &str| -> Vec<Request> {
        let hosts = ["checkout.test", "search.test", "other.test"];
        (0..12).flat_map(|number| hosts.map(|host| request(number, host, path))).collect()
    };
    let mut seen = Vec::new();
    let mut step = |ended: &mut u64, expected: u64| {
        *ended += expected;
        let wanted = *ended;
        let all = |stats: &Stats| {
            let found = counts(stats);
            found.values().map(|(_, durations, _)| durations).sum::<u64>() == wanted
        };
        let stats = bench.stats_when(all).unwrap();
        assert_eq!(stats.sum(HOST_ERRORS, &[]), 0);
        seen.push(counts(&stats));
    };
    let canary = bench.upstream("checkout-v2").unwrap();
    let mut ended = 0;
    for status in [200, 204, 302, 404, 429, 500, 503] {
        canary.set(Behavior { status, ..Behavior::default() }).unwrap();
        // Of two hosts each request is in two splits, of the third in one; /off is in none on that host.
        bench.load(everybody("/cart"), 4).unwrap();
        step(&mut ended, 12 * 5);
        bench.load(everybody("/off"), 4).unwrap();
        step(&mut ended, 12 * 2);
    }
    canary.set(Behavior { refuse: true, ..Behavior::default() }).unwrap();
    bench.load(everybody("/cart"), 4).unwrap();
    step(&mut ended, 12 * 5);
    canary.set(Behavior { delay: Duration::from_secs(600), ..Behavior::default() }).unwrap();
    let on_canary = (0..)
        .map(|number| request(number, "checkout.test", "/off"))
        .find(|request| {
            let found = crate::native::Native::new(&policy("filter")).cluster(request);
            found == "checkout-v2"
        })
        .unwrap();
    for request in [on_canary.clone(), on_canary.http2()] {
        bench.abandon(&request, Duration::from_millis(300)).unwrap();
        step(&mut ended, 1);
    }
    let forged = request(1, "other.test", "/off").header("x-split-variant", "checkout=canary");
    bench.send(&forged).unwrap();
    bench
        .send(&request(1, "other.test", "/cart").header("x-split-variant", "search=canary"))
        .unwrap();
    step(&mut ended, 1);
    seen
}

#[test]
fn envoy_counts_each_end_of_a_request_as_the_filter_does() {
    let [by_filter, by_envoy] = ["filter", "envoy"].map(|outcomes| Bench::start(&policy(outcomes)));
    let (filter, envoy) = (course(&by_filter), course(&by_envoy));
    for (step, (filter, envoy)) in filter.iter().zip(&envoy).enumerate() {
        assert_eq!(filter, envoy, "step {step}, by class {CLASSES:?}, durations, decisions");
    }
    let last = envoy.last().unwrap();
    let (classes, ..) = last[&("checkout", "canary")];
    let seen = CLASSES.into_iter().zip(classes).filter(|(_, count)| *count > 0).map(|(c, _)| c);
    // 1xx is no end, and none is what hardly ever happens: Envoy answers itself where the variant does not.
    assert_eq!(seen.collect::<Vec<_>>(), ["2xx", "3xx", "4xx", "5xx", "abort"]);
    assert_eq!(filter.len(), envoy.len());
}

#[test]
fn nobody_counts_where_outcomes_are_off_and_decisions_are_counted_all_the_same() {
    let bench = Bench::start(&policy("off"));
    for number in 0..10 {
        assert_eq!(bench.send(&user(number).host("checkout.test")).unwrap().status, 200);
    }
    let stats = bench.stats_when(|stats| stats.sum(REQUESTS, &[]) == 20).unwrap();
    assert_eq!(stats.sum(REQUESTS, &[]), 20);
    assert_eq!(stats.sum(RESPONSES, &[]), 0);
    assert_eq!(stats.histogram(DURATION, &[]).count(), 0);
}
