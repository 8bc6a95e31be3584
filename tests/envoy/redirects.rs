//! Redirects that Envoy follows itself: the same request of the same client runs through the filter again.

use lab::{Options, Request, Response};
use serde_json::{Value, json};

use crate::bench::{Bench, HOST_ERRORS, REQUESTS, checkout};

const NEW_KEYS: &str = "traffic_split_new_keys_total";

/// New visitors, half of them canaries, whose requests carry the variant in a line of a header.
fn policy() -> Value {
    let mut policy = checkout(50.0);
    policy["force"] = json!({"secret": {"header": "x-secret", "value": "0123456789abcdef"}});
    policy["splits"][0]["key"] = json!([{"cookie": "uid"}, {"generate": {"cookie": "uid"}}]);
    for variant in policy["splits"][0]["variants"].as_array_mut().unwrap() {
        let name = variant["name"].clone();
        variant["request_headers"] = json!({"add": [{"name": "x-added", "value": name}]});
    }
    policy
}

/// Asks for a page that leads to another: the cluster of the first leg, and the answer of the last.
fn follow(bench: &Bench, request: Request) -> (String, Response) {
    let answer = bench.send(&request.echo()).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let path = answer.echo().unwrap().path;
    let (_, from) = path.rsplit_once("?from=").unwrap_or_else(|| panic!("no redirect: {path}"));
    (from.to_owned(), answer)
}

#[test]
fn both_legs_of_a_request_are_served_by_one_variant_and_counted_once() {
    let bench = Bench::start(&policy());
    let mut seen = std::collections::BTreeSet::new();
    for version in [Request::get("/redirect/next"), Request::get("/redirect/next").http2()] {
        for _ in 0..20 {
            let (first, answer) = follow(&bench, version.clone());
            assert_eq!(answer.cluster(), Some(first.as_str()));
            let cookies = answer.headers.iter().filter(|(name, _)| name == "set-cookie");
            assert_eq!(cookies.count(), 1, "one new key");
            assert_eq!(answer.echo().unwrap().all("x-added").len(), 1);
            seen.insert(first);
        }
    }
    assert_eq!(seen.len(), 2, "visitors of both variants");
    let stats = bench.stats_after(40);
    assert_eq!((stats.sum(REQUESTS, &[]), stats.sum(NEW_KEYS, &[])), (40, 40));
    assert_eq!(stats.sum(HOST_ERRORS, &[]), 0);
}

#[test]
fn the_id_of_the_first_leg_is_the_one_that_the_visitor_keeps() {
    let bench = Bench::start(&policy());
    for _ in 0..20 {
        let (first, answer) = follow(&bench, Request::get("/redirect/redirect/next"));
        let cookie = String::from_utf8(answer.header("set-cookie").unwrap().to_vec()).unwrap();
        let known = Request::get("/").header("cookie", cookie.split(';').next().unwrap());
        assert_eq!(bench.send(&known).unwrap().cluster(), Some(first.as_str()), "{cookie}");
    }
}

#[test]
fn what_is_forced_stays_forced() {
    let bench = Bench::start(&policy());
    for variant in ["stable", "canary"] {
        for _ in 0..10 {
            let request = Request::get("/redirect/next")
                .header("x-secret", "0123456789abcdef")
                .header("x-split-force", format!("checkout={variant}"));
            let (first, answer) = follow(&bench, request);
            assert_eq!(answer.cluster(), Some(first.as_str()));
            assert_eq!(answer.echo().unwrap().all("x-added"), [variant.as_bytes()]);
        }
    }
}

#[test]
fn a_client_cannot_say_that_there_was_an_earlier_leg() {
    let bench = Bench::with(&policy(), Options { concurrency: 1, ..Options::default() });
    follow(&bench, Request::get("/redirect/next"));
    for number in 0..20 {
        let forged = Request::get("/")
            .header("x-envoy-original-url", "http://shop.example.com/")
            .header("x-split-variant", "checkout=canary")
            .header("x-split-cluster", "checkout-v2")
            .header("cookie", format!("uid=user-{number}"));
        let known = Request::get("/").header("cookie", format!("uid=user-{number}"));
        let clusters = [forged, known]
            .map(|request| bench.send(&request).unwrap().cluster().map(str::to_owned));
        assert_eq!(clusters[0], clusters[1]);
    }
    assert_eq!(bench.stats_after(41).sum(REQUESTS, &[]), 41);
}

#[test]
fn a_host_that_the_variant_wrote_does_not_end_what_the_first_leg_decided() {
    let mut policy = policy();
    policy["splits"][0]["match"] = json!([{"hosts": ["shop.example.com"]}]);
    for variant in policy["splits"][0]["variants"].as_array_mut().unwrap() {
        variant["rewrite"] = json!({"host": "new.example.com"});
    }
    let bench = Bench::start(&policy);
    for _ in 0..20 {
        let request = Request::get("/redirect/next").host("shop.example.com");
        let (first, answer) = follow(&bench, request);
        assert_eq!(answer.cluster(), Some(first.as_str()));
    }
}

#[test]
fn the_visitor_keeps_the_id_of_a_first_leg_that_led_elsewhere() {
    let mut policy = policy();
    policy["splits"][0]["match"] = json!([{"path": {"prefix": "/redirect"}}]);
    let bench = Bench::start(&policy);
    for number in 1..=10 {
        let (first, answer) = follow(&bench, Request::get("/redirect/next"));
        let cookie = String::from_utf8(answer.header("set-cookie").unwrap().to_vec()).unwrap();
        let known =
            Request::get("/redirect/next").header("cookie", cookie.split(';').next().unwrap());
        assert_eq!(follow(&bench, known).0, first, "{number}: {cookie}");
    }
    assert_eq!(bench.stats_after(20).sum(NEW_KEYS, &[]), 10);
}
