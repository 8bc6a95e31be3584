//! The conformance vectors through the real module.

use std::time::Duration;

use harness::vectors::{self, Case, Reply, assert_lines};
use harness::wasm_host::{Headers, Outcome, Response, WasmHost};

#[test]
fn every_vector_holds_in_the_module() {
    for vector in vectors::all() {
        for case in vector.cases.iter().filter(|case| case.runs_in_the_module()) {
            let place = format!("{}: {}", vector.file, case.about);
            let mut host = super::running(&vector.policy);
            arrange(&mut host, case);
            let answer = case
                .answer
                .iter()
                .fold(Response::status(200), |answer, (name, value)| answer.with(name, value));
            let headers = case
                .request
                .iter()
                .fold(Headers::new(), |headers, (name, value)| headers.with(name, value));
            let (asked, answered) = host
                .exchange(&headers, &answer)
                .unwrap_or_else(|failure| panic!("{place}: {failure}"));
            assert_headers(&asked.headers, &case.upstream, &place);
            assert_headers(&answered.headers, &case.response, &place);
            assert_eq!(reply(&asked), case.reply, "{place}");
            let mut counted = counted(&host, "traffic_split_requests_total");
            let mut wanted: Vec<String> = case.decisions.iter().map(|d| counter(d)).collect();
            counted.sort();
            wanted.sort();
            assert_eq!(counted, wanted, "{place}");
            let refused = counted_in(&host, "traffic_split_force_refused_total");
            assert_eq!(refused, u64::from(case.refused), "{place}");
            assert_eq!(counted_in(&host, "traffic_split_host_errors_total"), 0, "{place}");
        }
    }
}

/// What surrounds the request: clock, connection, token.
fn arrange(host: &mut WasmHost, case: &Case) {
    if let Some(now) = case.now {
        host.set_time(Duration::from_millis(now));
    }
    if let Some(client) = &case.client {
        host.set_property(&["source", "address"], client);
    }
    for (provider, claim, value) in &case.jwt {
        let metadata = ["metadata", "filter_metadata", "envoy.filters.http.jwt_authn"];
        host.set_property(&[&metadata[..], &[provider, claim]].concat(), value);
    }
}

fn assert_headers(found: &Headers, wanted: &[(String, Vec<vectors::Line>)], place: &str) {
    for (name, lines) in wanted {
        let found: Vec<&[u8]> = found.all(name).collect();
        assert_lines(&found, lines, &format!("{name}, {place}"));
    }
}

fn reply(asked: &Outcome) -> Option<Reply> {
    let reply = asked.local_reply.as_ref()?;
    let body = String::from_utf8_lossy(&reply.body).into_owned();
    Some(Reply { status: u16::try_from(reply.status).expect("a status"), body })
}

/// The counters of a metric that are above 0, each as often as it counted.
fn counted(host: &WasmHost, metric: &str) -> Vec<String> {
    let all = host.metrics().iter().filter(|(name, _)| name.ends_with(metric));
    all.flat_map(|(name, value)| vec![name.clone(); value.count() as usize]).collect()
}

fn counted_in(host: &WasmHost, metric: &str) -> u64 {
    host.metrics().get(metric).map_or(0, |value| value.count())
}

/// The counter of a decision: `checkout=canary split`.
fn counter(decision: &str) -> String {
    let (tag, reason) = decision.split_once(' ').expect("`split=variant reason`");
    let (split, variant) = tag.split_once('=').expect("`split=variant`");
    format!(
        "split=.={split};.;variant=.={variant};.;reason=.={reason};.;traffic_split_requests_total"
    )
}
