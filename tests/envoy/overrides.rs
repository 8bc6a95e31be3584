//! Forced variants, and policies or splits that are turned off.

use lab::{DEFAULT_CLUSTER, Request};
use serde_json::{Value, json};

use crate::bench::{Bench, REQUESTS, checkout, user};
use crate::native::Native;

fn with_overrides() -> Value {
    let mut policy = checkout(50.0);
    policy["splits"][0]["overrides"] = json!([
        {"match": [{"headers": [{"name": "x-api-tier", "exact": "premium"}]}], "variant": "stable"},
        {"match": [{"headers": [{"name": "x-canary", "exact": "true"}]}], "variant": "canary"},
    ]);
    policy
}

#[test]
fn an_override_forces_its_variant_whatever_the_weights_say() {
    let policy = with_overrides();
    let (bench, native) = (Bench::start(&policy), Native::new(&policy));
    let (stable, canary) = ("checkout-v1", "checkout-v2");
    let user_of = |cluster: &str| native.users_of(cluster, 0..100).remove(0);
    for own in [stable, canary] {
        let user = user_of(own);
        for (headers, served, reason) in [
            (&[][..], own, "split"),
            (&[("x-api-tier", "premium")], stable, "override"),
            (&[("x-canary", "true")], canary, "override"),
            // The first override that holds wins.
            (&[("x-canary", "true"), ("x-api-tier", "premium")], stable, "override"),
            // Values are compared exactly.
            (&[("x-canary", "True")], own, "split"),
            (&[("x-api-tier", "premium-plus")], own, "split"),
            (&[("x-api-tier", "basic"), ("x-api-tier", "premium")], own, "split"),
        ] {
            let request = headers
                .iter()
                .fold(user.clone(), |request, (name, value)| request.header(name, value));
            let expected = native.expect(&request);
            assert_eq!(
                (expected.cluster.as_deref(), expected.decisions[0][2].as_str()),
                (Some(served), reason)
            );
            for request in [request.clone(), request.http2()] {
                assert_eq!(bench.send(&request).unwrap().cluster(), Some(served), "{request:?}");
            }
        }
    }
    // An override needs no key.
    let nobody = Request::get("/").header("x-canary", "true");
    assert_eq!(bench.send(&nobody).unwrap().cluster(), Some(canary));
    let stats = bench.stats_after(29);
    assert_eq!(stats.sum(REQUESTS, &[("variant", "stable"), ("reason", "override")]), 8);
    assert_eq!(stats.sum(REQUESTS, &[("variant", "canary"), ("reason", "override")]), 5);
    assert_eq!(stats.sum(REQUESTS, &[("reason", "split")]), 16);
}

#[test]
fn a_killed_policy_serves_everybody_the_baseline_at_once_and_can_come_back() {
    let policy = with_overrides();
    let mut killed = policy.clone();
    killed["kill"] = json!(true);
    let (bench, native) = (Bench::start(&policy), Native::new(&policy));
    let canaries = native.users_of("checkout-v2", 0..100);
    assert!(canaries.len() > 20);
    let all_at = |cluster: &str| {
        let answers = bench.load(canaries.clone(), 4).unwrap();
        answers.iter().for_each(|answer| assert_eq!(answer.cluster(), Some(cluster)));
    };
    all_at("checkout-v2");

    bench.put(&killed);
    all_at("checkout-v1");
    // A rollback is a rollback: no override is stronger.
    let forced = user(1).header("x-canary", "true").echo();
    let echo = bench.send(&forced).unwrap().echo().unwrap();
    assert_eq!(
        (echo.cluster.as_str(), echo.all("x-split-variant")),
        ("checkout-v1", vec![&b"checkout=stable"[..]])
    );
    let count = canaries.len() as u64;
    let stats = bench.stats_after(2 * count + 1);
    assert_eq!(stats.sum(REQUESTS, &[("variant", "stable"), ("reason", "killed")]), count + 1);

    bench.put(&policy);
    all_at("checkout-v2");
}

#[test]
fn a_split_that_is_not_enabled_leaves_its_requests_to_the_default_route() {
    let mut policy = with_overrides();
    policy["splits"][0]["enabled"] = json!(false);
    let bench = Bench::start(&policy);
    for request in [user(1), user(2), user(3).header("x-canary", "true"), Request::get("/")] {
        let echo = bench.send(&request.echo()).unwrap().echo().unwrap();
        assert_eq!(echo.cluster, DEFAULT_CLUSTER);
        assert!(echo.all("x-split-cluster").is_empty() && echo.all("x-split-variant").is_empty());
    }
    assert_eq!(bench.stats().unwrap().sum(REQUESTS, &[]), 0);
}
