//! Configurations come and go, streams live through it, outcomes are counted.

use harness::wasm_host::{Headers, Level, MetricValue, Response};
use serde_json::json;

fn request(user: &str) -> Headers {
    Headers::get("shop.example.com", "/api/cart").with("x-user-id", user)
}

#[test]
fn an_empty_configuration_splits_nothing_and_still_guards_its_headers() {
    let mut host = super::host();
    assert!(host.configure(b"").unwrap());
    let forged = request("ada").with("x-split-cluster", "secret").with("x-split-variant", "a=b");
    let (asked, _) = host.exchange(&forged, &Response::status(200)).unwrap();
    assert_eq!(asked.headers.text("x-split-cluster"), None);
    assert_eq!(asked.headers.text("x-split-variant"), None);
}

#[test]
fn a_forged_header_on_several_lines_is_replaced_whole() {
    let mut host = super::running(&super::checkout());
    let forged = request("ada").with("x-split-cluster", "one").with("x-split-cluster", "two");
    let (asked, _) = host.exchange(&forged, &Response::status(200)).unwrap();
    let clusters: Vec<_> = asked.headers.all("x-split-cluster").collect();
    assert!(clusters == [b"checkout-v1"] || clusters == [b"checkout-v2"], "{clusters:?}");
}

#[test]
fn a_refused_policy_is_explained_and_the_one_before_goes_on() {
    let mut host = super::running(&super::checkout());
    let mut bad = super::checkout();
    bad["splits"][0]["variants"][0]["weight"] = json!(60);
    assert!(host.configure(bad.to_string().as_bytes()).unwrap(), "the host has nothing to reject");
    let errors: Vec<_> = host
        .logs()
        .iter()
        .filter(|(level, _)| *level == Level::Error)
        .map(|(_, m)| m.clone())
        .collect();
    assert!(
        errors[0].contains("error[weight_sum] splits[0].variants: the weights sum to 110, not 100"),
        "{errors:?}"
    );
    assert_eq!(host.metrics()["traffic_split_config_errors_total"], MetricValue::Counter(1));

    let (asked, _) = host.exchange(&request("ada"), &Response::status(200)).unwrap();
    assert!(asked.headers.text("x-split-cluster").is_some());

    let mut good = super::checkout();
    good["splits"][0]["variants"][0]["cluster"] = json!("checkout-v3");
    good["splits"][0]["variants"][1]["cluster"] = json!("checkout-v3");
    assert!(host.configure(good.to_string().as_bytes()).unwrap());
    let (asked, _) = host.exchange(&request("ada"), &Response::status(200)).unwrap();
    assert_eq!(asked.headers.text("x-split-cluster").as_deref(), Some("checkout-v3"));
}

#[test]
fn a_stream_keeps_the_configuration_it_began_with() {
    let mut host = super::running(&super::checkout());
    let open = host.request(&request("ada")).unwrap();
    let mut other = super::checkout();
    other["splits"][0]["name"] = json!("search");
    assert!(host.configure(other.to_string().as_bytes()).unwrap());
    host.respond(open.stream, &Response::status(503)).unwrap();
    host.finish(open.stream).unwrap();
    let counted = |split: &str| {
        let of_split =
            host.metrics().iter().filter(|(name, _)| name.contains(&format!("split=.={split};.;")));
        of_split
            .filter(|(name, _)| name.contains("class=.=5xx"))
            .map(|(_, value)| value.count())
            .sum::<u64>()
    };
    assert_eq!((counted("checkout"), counted("search")), (1, 0));
}

#[test]
fn a_thousand_configurations_add_no_statistics() {
    let mut host = super::running(&super::checkout());
    let names =
        |host: &harness::wasm_host::WasmHost| host.metrics().keys().cloned().collect::<Vec<_>>();
    let before = names(&host);
    for weight in 0..1_000 {
        let mut policy = super::checkout();
        policy["splits"][0]["variants"][0]["weight"] = json!(f64::from(weight) / 10.0 + 0.01);
        policy["splits"][0]["variants"][1]["weight"] = json!(99.99 - f64::from(weight) / 10.0);
        assert!(host.configure(policy.to_string().as_bytes()).unwrap(), "{:?}", host.logs().last());
    }
    assert_eq!(names(&host), before);
}

#[test]
fn the_weight_of_a_variant_that_is_gone_goes_to_zero() {
    let mut host = super::running(&super::checkout());
    let gauge = |host: &harness::wasm_host::WasmHost, variant: &str| {
        host.metrics()[&format!("split=.=checkout;.;variant=.={variant};.;traffic_split_weight")]
            .count()
    };
    assert_eq!((gauge(&host, "stable"), gauge(&host, "canary")), (500_000, 500_000));
    let mut without = super::checkout();
    without["splits"][0]["variants"] =
        json!([{"name": "stable", "cluster": "checkout-v1", "weight": 100}]);
    assert!(host.configure(without.to_string().as_bytes()).unwrap());
    host.tick().unwrap();
    assert_eq!((gauge(&host, "stable"), gauge(&host, "canary")), (1_000_000, 0));
}

#[test]
fn outcomes_are_counted_to_the_variant_that_was_served() {
    let mut host = super::running(&super::checkout());
    let asked = host.request(&request("ada")).unwrap();
    let tag = asked.headers.text("x-split-variant").unwrap();
    let variant = tag.strip_prefix("checkout=").unwrap();
    let response = Response { duration_ns: 12_600_000, ..Response::status(404) };
    host.respond(asked.stream, &response).unwrap();
    host.finish(asked.stream).unwrap();
    let labels = format!("split=.=checkout;.;variant=.={variant};.;");
    assert_eq!(
        host.metrics()[&format!("{labels}class=.=4xx;.;traffic_split_responses_total")].count(),
        1
    );
    assert_eq!(
        host.metrics()[&format!("{labels}traffic_split_request_duration_milliseconds")],
        MetricValue::Histogram(vec![13])
    );
}

#[test]
fn filter_state_is_left_where_the_policy_asks_for_it_or_has_no_variant_header() {
    let left = |change: fn(&mut serde_json::Value)| {
        let mut policy = super::checkout();
        change(&mut policy);
        let mut host = super::running(&policy);
        !host.request(&request("ada")).unwrap().filter_state.is_empty()
    };
    assert!(!left(|_| ()));
    assert!(left(|policy| policy["filter_state"] = json!(true)));
    assert!(left(|policy| policy["variant_header"] = json!(null)));
    assert!(left(|policy| policy["filter_state"] = json!("evidence")));
    assert!(!left(|policy| {
        policy["variant_header"] = json!(null);
        policy["filter_state"] = json!(false);
    }));
}

#[test]
fn a_client_that_goes_away_is_counted_as_an_abort() {
    let mut host = super::running(&super::checkout());
    let asked = host.request(&request("ada")).unwrap();
    host.finish(asked.stream).unwrap();
    let aborts: u64 = host
        .metrics()
        .iter()
        .filter(|(n, _)| n.contains("class=.=abort"))
        .map(|(_, v)| v.count())
        .sum();
    assert_eq!(aborts, 1);
}

#[test]
fn streams_that_never_had_headers_are_not_counted() {
    let mut host = super::running(&super::checkout());
    host.refused_request(&Headers::new(), &Response::status(400)).unwrap();
    let responses = host.metrics().iter().filter(|(n, _)| n.ends_with("responses_total"));
    assert_eq!(responses.map(|(_, v)| v.count()).sum::<u64>(), 0);
}
