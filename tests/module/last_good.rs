//! Refused policies: what serves instead, in this VM and in those beside it, whatever the host does.

use std::time::Duration;

use harness::module::host_beside;
use harness::wasm_host::{Headers, Level, Program, Response, Status, WasmHost};
use harness::wire::wire_struct;
use serde_json::{Value, json};

const REFUSED: &str = "traffic_split_policy_refused";

fn bad() -> Value {
    let mut policy = super::checkout();
    policy["splits"][0]["variants"][0]["weight"] = json!(60);
    policy
}

/// The policy of these tests with all users in one of its clusters.
fn all_at(variant: usize) -> Value {
    let mut policy = super::checkout();
    for (index, weight) in [(variant, 100), (1 - variant, 0)] {
        policy["splits"][0]["variants"][index]["weight"] = json!(weight);
    }
    policy
}

fn accepts(host: &mut WasmHost, policy: &Value) -> bool {
    host.configure(policy.to_string().as_bytes()).unwrap_or_else(|failure| panic!("{failure}"))
}

fn request() -> Headers {
    Headers::get("shop.example.com", "/api/cart").with("x-user-id", "ada")
}

fn cluster(host: &mut WasmHost) -> Option<String> {
    let (asked, _) = host.exchange(&request(), &Response::status(200)).unwrap();
    asked.headers.text("x-split-cluster").map(|name| name.to_string())
}

fn gauge(host: &WasmHost, name: &str) -> u64 {
    host.metrics()[name].count()
}

fn said(host: &WasmHost, text: &str) -> bool {
    host.logs().iter().any(|(_, message)| message.contains(text))
}

#[test]
fn where_none_was_ever_good_nothing_happens_but_that_no_client_chooses() {
    let mut named = bad();
    named["cluster_header"] = json!("X-To");
    named["mirror_header"] = json!("x-copy");
    named["force"] =
        json!({"header": "x-take", "secret": {"header": "x-proof", "value": "0123456789abcdef"}});
    let by_default = ["x-split-cluster", "x-split-mirror", "x-split-variant", "x-split-force"];
    let names = [["x-to", "x-copy", "x-take", "x-proof"], by_default].concat();
    let cases: [(Vec<u8>, &[&str]); 5] = [
        (named.to_string().into_bytes(), &names),
        (wire_struct(&named), &names),
        (bad().to_string().into_bytes(), &by_default),
        (b"{\"version\": 1, ".to_vec(), &by_default),
        (b"\n\xff\xff".to_vec(), &by_default),
    ];
    for (configuration, guarded) in cases {
        let text = String::from_utf8_lossy(&configuration).into_owned();
        let mut host = super::host();
        assert!(host.configure(&configuration).unwrap(), "{text}");
        let forged = guarded.iter().fold(request(), |all, name| all.with(name, "checkout-v2"));
        let (asked, answered) = host.exchange(&forged, &Response::status(200)).unwrap();
        assert_eq!(asked.headers, request(), "{text}");
        assert_eq!(answered.headers, Response::status(200).headers, "{text}");
        assert!(asked.local_reply.is_none() && asked.filter_state.is_empty(), "{text}");
        assert_eq!((gauge(&host, REFUSED), gauge(&host, "traffic_split_policy_hash")), (1, 0));
        assert_eq!(gauge(&host, "traffic_split_host_errors_total"), 0, "{text}");
        assert!(said(&host, "serves nothing: no split applies"), "{:?}", host.logs());

        assert!(accepts(&mut host, &all_at(1)));
        assert_eq!(cluster(&mut host).as_deref(), Some("checkout-v2"), "{text}");
        assert_eq!(gauge(&host, REFUSED), 0, "{text}");
    }
}

#[test]
fn a_vm_that_starts_with_a_refused_policy_serves_by_what_another_one_stored() {
    let first = super::running(&all_at(1));
    let hash = gauge(&first, "traffic_split_policy_hash");
    let mut second = host_beside(&first);
    assert!(accepts(&mut second, &bad()));
    assert_eq!(cluster(&mut second).as_deref(), Some("checkout-v2"));
    assert_eq!((gauge(&second, REFUSED), gauge(&second, "traffic_split_policy_hash")), (1, hash));
    assert!(said(&second, &format!("serves on: {hash:013x}")), "{:?}", second.logs());
}

#[test]
fn a_vm_with_a_refused_policy_follows_the_last_good_one_of_the_others() {
    let mut first = super::running(&all_at(1));
    let mut second = host_beside(&first);
    assert!(accepts(&mut second, &bad()));
    assert_eq!(cluster(&mut second).as_deref(), Some("checkout-v2"));
    first.advance(Duration::from_secs(1));
    assert!(accepts(&mut first, &all_at(0)));
    // Not in force yet, so not good.
    second.tick().unwrap();
    assert_eq!(cluster(&mut second).as_deref(), Some("checkout-v2"));
    first.tick().unwrap();
    second.tick().unwrap();
    assert_eq!(cluster(&mut second).as_deref(), Some("checkout-v1"));
}

#[test]
fn a_policy_that_the_host_does_not_store_is_offered_again_by_ticks_and_by_no_request() {
    let mut host = super::host();
    host.fail("proxy_set_shared_data", Status::InternalFailure);
    assert!(accepts(&mut host, &all_at(1)));
    let errors = |host: &WasmHost| gauge(host, "traffic_split_host_errors_total");
    assert_eq!(cluster(&mut host).as_deref(), Some("checkout-v2"));
    let before = errors(&host);
    for _ in 0..3 {
        assert_eq!(cluster(&mut host).as_deref(), Some("checkout-v2"));
    }
    assert_eq!(errors(&host), before, "a request cost a call that fails");
    host.tick().unwrap();
    assert!(errors(&host) > before);
    host.fail("proxy_set_shared_data", Status::Ok);
    host.tick().unwrap();
    let mut second = host_beside(&host);
    assert!(accepts(&mut second, &bad()));
    assert_eq!(cluster(&mut second).as_deref(), Some("checkout-v2"));
}

#[test]
fn plugins_of_another_name_or_root_have_a_last_good_policy_of_their_own() {
    let first = super::running(&all_at(1));
    for property in ["plugin_name", "plugin_root_id"] {
        let mut second = host_beside(&first);
        second.set_property(&[property], "another");
        assert!(accepts(&mut second, &bad()));
        assert_eq!(cluster(&mut second), None, "{property}");
    }
}

#[test]
fn a_policy_that_was_superseded_before_it_was_in_force_is_never_the_last_good_one() {
    let mut host = super::running(&all_at(1));
    host.advance(Duration::from_secs(1));
    assert!(accepts(&mut host, &all_at(0)));
    assert!(accepts(&mut host, &bad()));
    for _ in 0..3 {
        assert_eq!(cluster(&mut host).as_deref(), Some("checkout-v2"));
        host.tick().unwrap();
    }
}

#[test]
fn where_this_module_cannot_read_the_last_good_policy_the_host_refuses() {
    let mut host = super::running(&all_at(1));
    let text = all_at(1).to_string().into_bytes();
    let stored: Vec<_> = host.shared().into_iter().filter(|(_, value)| *value == text).collect();
    assert_eq!(stored.len(), 1, "the policy is stored once");
    host.share(&stored[0].0, br#"{"version": 2}"#);
    let mut second = host_beside(&host);
    assert!(!accepts(&mut second, &bad()));
    assert!(said(&second, "is for another release"), "{:?}", second.logs());
    // A good one it takes all the same.
    assert!(accepts(&mut second, &all_at(0)));
    assert_eq!(cluster(&mut second).as_deref(), Some("checkout-v1"));
}

#[test]
fn who_wants_the_host_to_refuse_says_so_in_the_environment() {
    for (value, refuses) in [("reject", true), ("Reject", false), ("", false)] {
        let mut host = super::host();
        host.set_environment("OTHER", "reject");
        host.set_environment("TRAFFIC_SPLIT_ON_REFUSED_POLICY", value);
        assert_eq!(accepts(&mut host, &bad()), !refuses, "{value}");
        assert!(accepts(&mut host, &all_at(1)), "{value}");
        assert_eq!(accepts(&mut host, &bad()), !refuses, "{value}");
        assert_eq!(cluster(&mut host).as_deref(), Some("checkout-v2"), "{value}");
        let counted = gauge(&host, "traffic_split_config_errors_total");
        assert_eq!(counted, 2, "{value}");
        let errors = host.logs().iter().filter(|(level, _)| *level == Level::Error);
        assert!(errors.count() >= 4, "{:?}", host.logs());
    }
}

#[test]
fn a_configuration_that_was_superseded_shows_no_weights_any_more() {
    let ramping = super::ramping();
    let canary =
        |host: &WasmHost| gauge(host, "split=.=checkout;.;variant=.=canary;.;traffic_split_weight");
    let mut host = super::host();
    host.set_time(super::RAMP_START + Duration::from_secs(3_600));
    assert!(accepts(&mut host, &ramping));
    assert_eq!(canary(&host), 100_000);
    // As long as this stream lives, its configuration does, and has ticks.
    let open = host.request(&request()).unwrap();
    host.advance(Duration::from_secs(3_600));
    assert!(accepts(&mut host, &super::checkout()));
    for _ in 0..3 {
        host.tick().unwrap();
        assert_eq!(canary(&host), 500_000);
    }
    // A refused one on top of it: the last good one's weights.
    assert!(accepts(&mut host, &bad()));
    host.tick().unwrap();
    assert_eq!(canary(&host), 500_000);
    host.respond(open.stream, &Response::status(200)).unwrap();
    host.finish(open.stream).unwrap();
    host.tick().unwrap();
    assert_eq!(canary(&host), 500_000);
}

#[test]
fn a_ramp_of_the_last_good_policy_goes_on() {
    let ramping = super::ramping();
    let mut host = super::host();
    host.set_time(super::RAMP_START);
    assert!(accepts(&mut host, &ramping));
    assert!(accepts(&mut host, &bad()));
    for hours in 0..=10 {
        host.tick().unwrap();
        let canary = gauge(&host, "split=.=checkout;.;variant=.=canary;.;traffic_split_weight");
        assert_eq!(canary, hours * 100_000);
        host.advance(Duration::from_secs(3_600));
    }
    assert_eq!(cluster(&mut host).as_deref(), Some("checkout-v2"));
}

#[test]
fn no_status_of_any_host_call_panics_while_a_policy_is_refused() {
    let calls = Program::compile(&harness::module::bytes()).unwrap().host_calls();
    for call in calls.iter().filter(|call| call.starts_with("proxy_")) {
        for status in Status::FAILURES {
            // From the start; from the refused policy on.
            for from in [0, 1] {
                let place = format!("{call} returns {status:?} from {from} on");
                let mut host = super::host();
                for (step, policy) in [all_at(1), bad()].iter().enumerate() {
                    if step == from {
                        host.fail(call, status);
                    }
                    accepts(&mut host, policy);
                    // Where nothing was accepted there is nothing to ask.
                    if let Err(failure) = host.exchange(&request(), &Response::status(200)) {
                        assert!(failure.to_string().contains("a test"), "{place}: {failure}");
                    }
                    host.tick().unwrap_or_else(|failure| panic!("{place}: {failure}"));
                }
                let mut second = host_beside(&host);
                second.fail(call, status);
                accepts(&mut second, &bad());
                second.tick().unwrap_or_else(|failure| panic!("{place}: {failure}"));
                // All is well again with the next good policy, once the host is.
                host.fail(call, Status::Ok);
                host.advance(Duration::from_secs(1));
                assert!(accepts(&mut host, &all_at(0)), "{place}");
                assert_eq!(cluster(&mut host).as_deref(), Some("checkout-v1"), "{place}");
                accepts(&mut host, &bad());
                assert_eq!(cluster(&mut host).as_deref(), Some("checkout-v1"), "{place}");
            }
        }
    }
}
