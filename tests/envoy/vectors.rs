//! The conformance vectors through real Envoy, over both versions of HTTP.

use std::collections::BTreeMap;

use harness::vectors::{self, Case, assert_lines};
use lab::{Request, Response, Stats};
use serde_json::json;

use crate::bench::{Bench, HOST_ERRORS, REQUESTS};

#[test]
fn every_vector_holds_in_envoy() {
    let bench = Bench::start(&json!({"version": 1, "splits": []}));
    let mut ran = 0;
    for vector in vectors::all() {
        let cases: Vec<&Case> = vector.cases.iter().filter(|case| case.runs_in_envoy()).collect();
        if cases.is_empty() {
            continue;
        }
        bench.put(&vector.policy);
        let before = bench.stats().unwrap();
        let mut wanted = BTreeMap::new();
        for case in cases {
            let place = format!("{}: {}", vector.file, case.about);
            for request in [request(case), request(case).http2()] {
                let response = bench.send(&request).unwrap();
                check(case, &response, &format!("{place}, {request:?}"));
                for decision in &case.decisions {
                    *wanted.entry(decision.clone()).or_insert(0) += 1;
                }
            }
            ran += 1;
        }
        let counted = |stats: &Stats| counts(&stats.since(&before));
        let stats = bench.stats_when(|stats| counted(stats) == wanted).unwrap();
        assert_eq!(counted(&stats), wanted, "{}", vector.file);
        assert_eq!(stats.sum(HOST_ERRORS, &[]), 0, "{}", vector.file);
    }
    assert!(ran > 200, "only {ran} cases ran");
}

fn check(case: &Case, response: &Response, place: &str) {
    for (name, lines) in &case.response {
        let all = response.headers.iter().filter(|(n, _)| n == name);
        let found: Vec<&[u8]> = all.map(|(_, value)| value.as_slice()).collect();
        assert_lines(&found, lines, &format!("{name}, {place}"));
    }
    if let Some(reply) = &case.reply {
        let found = (response.status, response.text());
        assert_eq!(found, (reply.status, reply.body.clone()), "{place}");
        assert_eq!(response.cluster(), None, "no upstream answers: {place}");
        return;
    }
    let echo = response.echo().unwrap_or_else(|error| panic!("{place}: {error}"));
    for (name, lines) in &case.upstream {
        let found = match name.as_str() {
            ":path" => vec![echo.path.as_bytes()],
            ":authority" => echo.all("host"),
            name => echo.all(name),
        };
        assert_lines(&found, lines, &format!("{name}, {place}"));
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
