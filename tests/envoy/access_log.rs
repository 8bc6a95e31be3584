//! The filter state `wasm.traffic_split` in Envoy's access log.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use splitctl::lab::{Lab, Request};

use crate::bench::{Bench, split_for, user};
use crate::native::Native;

/// The access log once it has that many entries: Envoy writes it a little later.
fn access_log(lab: &Lab, entries: usize) -> Vec<Value> {
    let begin = Instant::now();
    loop {
        let log = lab.access_log().unwrap();
        if log.len() >= entries || begin.elapsed() > Duration::from_secs(10) {
            assert_eq!(log.len(), entries);
            return log;
        }
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn the_access_log_tells_every_split_and_its_variant() {
    let everywhere = json!({"match": [{"path": {"prefix": "/cart"}}], "variants": [{"name": "stable", "weight": 50}, {"name": "canary", "weight": 50}]});
    let policy = json!({"version": 1, "splits": [
        split_for("checkout.test", 50.0, json!({})),
        split_for("banner", 50.0, everywhere),
    ]});
    let (bench, native) = (Bench::start(&policy), Native::new(&policy));
    let mut requests = Vec::new();
    for number in 0..10 {
        requests.push(user(number).host("checkout.test"));
        requests.push(user(number).host("other.test"));
        requests.push(Request::get(&format!("/{number}")).host("other.test"));
    }
    for request in &requests {
        assert_eq!(bench.send(request).unwrap().status, 200);
    }
    for (request, entry) in requests.iter().zip(access_log(&bench, requests.len())) {
        let expected = native.expect(request);
        assert_eq!(entry["path"], request.path, "{entry}");
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
fn requests_that_envoy_answers_itself_are_logged_with_their_variant() {
    let policy = json!({"version": 1, "splits": [split_for("checkout.test", 100.0, json!({}))]});
    let bench = Bench::start(&policy);
    let dead = bench.upstream("checkout-v2").unwrap();
    dead.set(splitctl::lab::Behavior { refuse: true, ..Default::default() }).unwrap();
    assert_eq!(bench.send(&user(1).host("checkout.test")).unwrap().status, 503);
    let log = access_log(&bench, 1);
    assert_eq!(
        (&log[0]["split"], &log[0]["code"], &log[0]["flags"]),
        (&json!("checkout=canary"), &json!(503), &json!("UF"))
    );
}
