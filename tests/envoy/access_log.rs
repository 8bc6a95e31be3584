//! The filter states `wasm.traffic_split` and `wasm.traffic_split_evidence` in Envoy's access log.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use lab::{Lab, Request};
use serde_json::{Value, json};

use crate::bench::{Bench, split_for, user};
use crate::native::Native;

/// The access log once it has that many entries, by path: Envoy writes it a little later, and not
/// in the order of the answers.
fn access_log(lab: &Lab, entries: usize) -> BTreeMap<String, Value> {
    let begin = Instant::now();
    loop {
        let log = lab.access_log().unwrap();
        if log.len() >= entries || begin.elapsed() > Duration::from_secs(10) {
            assert_eq!(log.len(), entries);
            return log.into_iter().map(|entry| (entry["path"].to_string(), entry)).collect();
        }
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn the_access_log_tells_every_split_and_its_variant() {
    let everywhere = json!({"match": [{"path": {"prefix": "/cart"}}],
        "variants": [{"name": "stable", "weight": 50}, {"name": "canary", "weight": 50}]});
    let policy = json!({"version": 1, "filter_state": true, "splits": [
        split_for("checkout.test", 50.0, json!({})),
        split_for("banner", 50.0, everywhere),
    ]});
    let (bench, native) = (Bench::start(&policy), Native::new(&policy));
    let mut requests = Vec::new();
    for number in 0..40 {
        for (host, path) in
            [("checkout.test", "cart/a"), ("other.test", "cart/b"), ("other.test", "c")]
        {
            let mut request = user(number).host(host);
            request.path = format!("/{path}{number}");
            requests.push(request);
        }
    }
    for request in &requests {
        assert_eq!(bench.send(request).unwrap().status, 200);
    }
    let log = access_log(&bench, requests.len());
    for request in &requests {
        let expected = native.expect(request);
        let entry = &log[&json!(request.path).to_string()];
        assert_eq!(entry["split"], json!(expected.state), "{entry}");
        assert_eq!(entry["cluster"], native.cluster(request), "{entry}");
        let route = if expected.cluster.is_some() { "by-cluster-header" } else { "default" };
        assert_eq!(entry["route"], route, "{entry}");
    }
    let states: Vec<_> = requests.iter().map(|request| native.expect(request).state).collect();
    for wanted in [Some("checkout=canary, banner=stable"), Some("banner=canary"), None] {
        assert!(states.iter().any(|state| state.as_deref() == wanted), "no user shows {wanted:?}");
    }
}

#[test]
fn the_access_log_tells_those_whom_chance_gave_their_variant_from_the_held_out_and_the_forced() {
    let forced = json!({"overrides": [{"match": [{"headers": [{"name": "x-canary", "exact": "true"}]}], "variant": "canary"}]});
    let policy = json!({"version": 1, "filter_state": "evidence", "holdout": {"percent": 30},
        "splits": [split_for("checkout.test", 50.0, forced)]});
    let (bench, native) = (Bench::start(&policy), Native::new(&policy));
    let mut requests = Vec::new();
    for number in 0..40 {
        let mut plain = user(number).host("checkout.test");
        plain.path = format!("/{number}");
        let mut forced = plain.clone().header("x-canary", "true");
        forced.path = format!("/forced/{number}");
        requests.extend([plain, forced]);
    }
    requests.push(Request::get("/nobody").host("checkout.test"));
    for request in &requests {
        assert_eq!(bench.send(request).unwrap().status, 200);
    }
    let log = access_log(&bench, requests.len());
    let mut reasons = BTreeMap::new();
    for request in &requests {
        let expected = native.expect(request);
        let entry = &log[&json!(request.path).to_string()];
        assert_eq!(entry["evidence"], json!(expected.evidence), "{entry}");
        assert!(!entry.to_string().contains("user-"), "a key in the log: {entry}");
        let evidence = expected.evidence.unwrap();
        let reason = evidence.split(';').nth(1).unwrap().to_owned();
        assert_eq!(evidence.contains(";bucket="), reason != "reason=no_key", "{evidence}");
        *reasons.entry(reason).or_insert(0) += 1;
    }
    let reason = |reason: &str| reasons.get(&format!("reason={reason}")).copied();
    assert_eq!((reason("override"), reason("no_key")), (Some(40), Some(1)));
    assert!(reason("holdout") > Some(3) && reason("split") > Some(15), "{reasons:?}");
    // A policy without evidence leaves none.
    bench.put(&json!({"version": 1, "splits": [split_for("checkout.test", 50.0, json!({}))]}));
    let mut request = user(1).host("checkout.test");
    request.path = "/without".into();
    bench.send(&request).unwrap();
    let log = access_log(&bench, requests.len() + 1);
    assert_eq!(log["\"/without\""]["evidence"], json!(null));
}

#[test]
fn requests_that_envoy_answers_itself_are_logged_with_their_variant() {
    let policy = json!({"version": 1, "filter_state": true, "splits": [split_for("checkout.test", 100.0, json!({}))]});
    let bench = Bench::start(&policy);
    let dead = bench.upstream("checkout-v2").unwrap();
    dead.set(lab::Behavior { refuse: true, ..Default::default() }).unwrap();
    assert_eq!(bench.send(&user(1).host("checkout.test")).unwrap().status, 503);
    let log = access_log(&bench, 1);
    let entry = &log["\"/cart\""];
    let found = (&entry["split"], &entry["code"], &entry["flags"]);
    assert_eq!(found, (&json!("checkout=canary"), &json!(503), &json!("UF")));
}
