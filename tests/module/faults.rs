//! Nothing a client sends and no status of the host makes the module panic.

use harness::wasm_host::{Headers, Program, Response, Status};
use proptest::prelude::*;

#[test]
fn no_status_of_any_host_call_panics() {
    let calls = Program::compile(&harness::module::bytes()).unwrap().host_calls();
    assert!(calls.iter().any(|call| call == "proxy_get_header_map_pairs"), "{calls:?}");
    for call in calls.iter().filter(|call| call.starts_with("proxy_")) {
        for status in Status::FAILURES {
            // Once from the start, and once while a configuration is in force.
            for from_the_start in [true, false] {
                let mut host = super::host();
                let policy = super::checkout().to_string();
                if from_the_start {
                    host.fail(call, status);
                }
                let place = format!("{call} returns {status:?}");
                host.configure(policy.as_bytes())
                    .unwrap_or_else(|failure| panic!("{place}: {failure}"));
                host.fail(call, status);
                let request = Headers::get("shop.example.com", "/api")
                    .with("x-user-id", "ada")
                    .with("x-split-cluster", "x");
                for _ in 0..2 {
                    if let Err(failure) = host.exchange(&request, &Response::status(200)) {
                        assert!(failure.to_string().contains("a test"), "{place}: {failure}");
                    }
                }
                host.configure(policy.as_bytes())
                    .unwrap_or_else(|failure| panic!("{place}: {failure}"));
            }
        }
    }
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
            (prop::sample::select(vec!["x-user-id", "cookie", "x-split-cluster", "x-other"]),
             prop::collection::vec(1_u8..=255, 0..80)), 0..8), 1..16),
    ) {
        let mut host = super::running(&super::checkout());
        for pairs in requests {
            let request = pairs.iter().fold(Headers::get("a.test", "/api"), |h, (n, v)| h.with(n, v));
            host.exchange(&request, &Response::status(200)).map_err(|f| TestCaseError::fail(f.to_string()))?;
        }
    }
}
