//! Nothing a client sends and no status of the host makes the module panic.

use harness::wasm_host::{Headers, Program, Response, Status, WasmHost};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A policy that makes use of all that a host can do: clock, properties, cookies, own responses.
fn everything() -> Value {
    let ramp = json!({"start": "2020-01-01T00:00:00Z", "steps": [
        {"after": "0s", "weights": {"stable": 50, "canary": 50}}]});
    json!({"version": 1, "baggage": true, "vary": true, "response_variant_header": "x-v",
    "client_ip": {"trusted_hops": 0},
    "force": {"secret": {"header": "x-proof", "value": "0123456789abcdef"}},
    "splits": [
        {"name": "checkout", "baseline": "stable", "ramp": ramp, "sticky": {"secret": "0123456789abcdef"},
         "guard": {"errors": {"ratio": 1.5}, "slow": {"over": "1ms", "ratio": 2}, "release": "1s"},
         "key": [{"header": "x-user-id"}, {"jwt": {"provider": "p", "claim": "sub"}}, {"cookie": "uid"},
                 {"generate": {"cookie": "uid"}}],
         "mirror": {"cluster": "shadow", "percent": 100},
         "variants": [
            {"name": "stable", "cluster": "checkout-v1", "weight": 50,
             "request_headers": {"set": [{"name": "x-s", "value": "1"}], "add": [{"name": "x-a", "value": "1"}], "remove": ["x-other"]},
             "response_headers": {"set": [{"name": "x-s", "value": "1"}], "add": [{"name": "x-a", "value": "1"}], "remove": ["x-other"]}},
            {"name": "canary", "cluster": "checkout-v2", "weight": 50,
             "rewrite": {"host": "b.test", "path_prefix": {"from": "/api", "to": "/v2"}}}]},
        {"name": "address", "baseline": "a", "key": [{"client_ip": true}], "match": [{"source_ip": ["0.0.0.0/0"]}],
         "variants": [{"name": "a", "weight": 100}]},
        {"name": "closed", "baseline": "a", "assignment": "random", "match": [{"path": {"prefix": "/closed"}}],
         "variants": [{"name": "a", "weight": 100, "respond": {"status": 503, "body": "closed"}}]},
    ]})
}

/// A user, a new visitor, one who is told that it is closed, one who forces without the secret, a gRPC call.
fn requests() -> [Headers; 5] {
    let api = || {
        Headers::get("shop.example.com", "/api").with("x-split-cluster", "x").with("x-other", "1")
    };
    [
        api().with("x-user-id", "ada"),
        api().with("cookie", "a=1").with("baggage", "k=v"),
        Headers::get("shop.example.com", "/closed"),
        api().with("x-split-force", "checkout=canary"),
        api().with("x-user-id", "bob").with("content-type", "application/grpc"),
    ]
}

#[test]
fn no_status_of_any_host_call_panics() {
    let calls = Program::compile(&harness::module::bytes()).unwrap().host_calls();
    assert!(calls.iter().any(|call| call == "proxy_get_header_map_pairs"), "{calls:?}");
    for call in calls.iter().filter(|call| call.starts_with("proxy_")) {
        for status in Status::FAILURES {
            // Once from the start, and once while a configuration is in force.
            for from_the_start in [true, false] {
                let mut host = super::host();
                let policy = everything().to_string();
                host.set_property(&["source", "address"], "10.0.0.1:80");
                if from_the_start {
                    host.fail(call, status);
                }
                let place = format!("{call} returns {status:?}");
                host.configure(policy.as_bytes())
                    .unwrap_or_else(|failure| panic!("{place}: {failure}"));
                host.fail(call, status);
                for request in requests() {
                    // A good end, and a bad one.
                    for status in [200, 500] {
                        if let Err(failure) = host.exchange(&request, &Response::status(status)) {
                            assert!(failure.to_string().contains("a test"), "{place}: {failure}");
                        }
                    }
                }
                host.tick().unwrap_or_else(|failure| panic!("{place}: {failure}"));
                host.configure(policy.as_bytes())
                    .unwrap_or_else(|failure| panic!("{place}: {failure}"));
            }
        }
    }
}

#[test]
fn the_policy_of_these_tests_makes_use_of_the_host() {
    let mut host = super::running(&everything());
    host.set_property(&["source", "address"], "10.0.0.1:80");
    let counted = |host: &WasmHost, part: &str| -> u64 {
        let all = host.metrics().iter().filter(|(name, _)| name.contains(part));
        all.map(|(_, value)| value.count()).sum()
    };
    let answers =
        requests().map(|request| host.exchange(&request, &Response::status(200)).unwrap());
    assert!(answers[1].1.headers.all("set-cookie").count() == 2, "an id and a variant to keep");
    assert_eq!(answers[2].0.local_reply.as_ref().map(|reply| reply.status), Some(503));
    assert_eq!(counted(&host, "split=.=address;.;variant=.=a;.;reason=.=split"), 5);
    assert_eq!(counted(&host, "traffic_split_force_refused_total"), 1);
    assert_eq!(counted(&host, "traffic_split_host_errors_total"), 0);
}

#[test]
fn a_client_cannot_force_a_cluster_where_headers_cannot_be_read() {
    let mut host = super::running(&super::checkout());
    host.fail("proxy_get_header_map_pairs", Status::InternalFailure);
    let forged = Headers::get("shop.example.com", "/api").with("x-split-cluster", "secret");
    let (asked, _) = host.exchange(&forged, &Response::status(200)).unwrap();
    assert_eq!(asked.headers.text("x-split-cluster"), None);
    assert!(host.metrics()["traffic_split_host_errors_total"].count() >= 1);
}

#[test]
fn random_assignment_varies_from_request_to_request_and_keeps_shares() {
    let mut policy = super::checkout();
    policy["splits"][0]["on_missing_key"] = "random".into();
    let mut host = super::running(&policy);
    let mut canaries = 0;
    for _ in 0..1_000 {
        let (asked, _) =
            host.exchange(&Headers::get("a.test", "/api"), &Response::status(200)).unwrap();
        canaries +=
            usize::from(asked.headers.text("x-split-cluster").as_deref() == Some("checkout-v2"));
    }
    assert!((420..580).contains(&canaries), "{canaries}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_of_a_client_end_the_vm(
        requests in prop::collection::vec(prop::collection::vec(
            (prop::sample::select(vec!["x-user-id", "cookie", "x-split-cluster", "x-other", "baggage", "x-proof", "x-split-force"]),
             // No proxy lets line breaks and NUL into a header.
             prop::collection::vec((1_u8..=255).prop_filter("a line break", |b| !b"\r\n".contains(b)), 0..80)), 0..8), 1..16),
    ) {
        let mut host = super::running(&everything());
        for pairs in requests {
            let request = pairs.iter().fold(Headers::get("a.test", "/api"), |h, (n, v)| h.with(n, v));
            host.exchange(&request, &Response::status(200)).map_err(|f| TestCaseError::fail(f.to_string()))?;
        }
    }
}
