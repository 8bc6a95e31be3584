//! The conformance vectors through real Envoy, over both versions of HTTP.

use std::collections::BTreeMap;

use harness::vectors::{self, Case};
use serde_json::json;
use splitctl::lab::{Request, Stats};

use crate::bench::{Bench, REQUESTS};

#[test]
fn every_vector_holds_in_envoy() {
    let bench = Bench::start(&json!({"version": 1, "splits": []}));
    for vector in vectors::all() {
        bench.put(&vector.policy);
        let before = bench.stats().unwrap();
        let mut wanted = BTreeMap::new();
        for case in &vector.cases {
            let place = format!("{}: {}", vector.file, case.about);
            for request in [request(case), request(case).http2()] {
                let response = bench.send(&request).unwrap();
                let echo = response.echo().unwrap_or_else(|error| panic!("{place}: {error}"));
                for (name, value) in &case.upstream {
                    let value: Vec<&[u8]> = value.iter().map(Vec::as_slice).collect();
                    assert_eq!(echo.all(name), value, "{name}, {place}, {request:?}");
                }
                for decision in &case.decisions {
                    *wanted.entry(decision.clone()).or_insert(0) += 1;
                }
            }
        }
        let counted = |stats: &Stats| counts(&stats.since(&before));
        let stats = bench.stats_when(|stats| counted(stats) == wanted).unwrap();
        assert_eq!(counted(&stats), wanted, "{}", vector.file);
    }
}

/// How often each decision was counted, as `checkout=canary split`.
fn counts(stats: &Stats) -> BTreeMap<String, u64> {
    let requests = stats.numbers().filter(|(name, number)| name.metric == REQUESTS && *number > 0);
    let words = requests.map(|(name, number)| {
        let label = |label: &str| name.labels.get(label).map_or("?", String::as_str);
        (format!("{}={} {}", label("split"), label("variant"), label("reason")), number)
    });
    words.collect()
}

fn request(case: &Case) -> Request {
    let mut request = Request::get("/").echo();
    for (name, value) in &case.request {
        let text = || String::from_utf8(value.clone()).expect("pseudo-headers are text");
        match name.as_str() {
            ":method" => request.method = text(),
            ":authority" => request.host = text(),
            ":path" => request.path = text(),
            name => request = request.header(name, value),
        }
    }
    request
}
