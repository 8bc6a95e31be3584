//! Copies of requests arrive at the mirror's cluster, and the original is as it would be without.

use lab::{Behavior, Request};
use serde_json::{Value, json};

use crate::bench::{Bench, assert_share, checkout, user};
use crate::native::Native;

fn mirrored(percent: f64, by: &str) -> Value {
    let mut policy = checkout(50.0);
    policy["splits"][0]["mirror"] = json!({"cluster": "shadow", "percent": percent, "by": by});
    policy
}

/// How many requests a cluster has got, once they are that many or no more come.
fn arrived(bench: &Bench, cluster: &str, wanted: u64) -> u64 {
    let name = format!("cluster.{cluster}.upstream_rq_completed");
    for _ in 0..100 {
        let stats = bench.stats_matching(&name).unwrap();
        if stats.number(&name).unwrap_or(0) >= wanted {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    bench.stats_matching(&name).unwrap().number(&name).unwrap_or(0)
}

#[test]
fn a_copy_of_each_mirrored_users_request_arrives_at_the_mirror() {
    const USERS: u32 = 400;
    let policy = mirrored(25.0, "user");
    let (bench, native) = (Bench::start(&policy), Native::new(&policy));
    let users: Vec<Request> = (0..USERS).map(user).collect();
    let answers = bench.load(users.clone(), 4).unwrap();
    for (user, answer) in users.iter().zip(&answers) {
        assert_eq!(answer.cluster(), Some(native.cluster(user).as_str()), "the original");
    }
    let copies = users.iter().filter(|user| native.expect(user).mirror.is_some()).count();
    assert_share(copies, USERS as usize, 0.25);
    assert_eq!(arrived(&bench, "shadow", copies as u64), copies as u64);

    // The same users once more, and what the mirror answers is of no importance.
    bench.upstream("shadow").unwrap().set(Behavior { status: 500, ..Behavior::default() }).unwrap();
    for answer in bench.load(users, 4).unwrap() {
        assert_eq!(answer.status, 200);
    }
    assert_eq!(arrived(&bench, "shadow", 2 * copies as u64), 2 * copies as u64);
}

#[test]
fn a_share_of_requests_is_copied_by_chance_also_where_no_cluster_is_named() {
    const REQUESTS: usize = 400;
    let mut policy = mirrored(50.0, "request");
    for variant in policy["splits"][0]["variants"].as_array_mut().unwrap() {
        variant.as_object_mut().unwrap().remove("cluster");
    }
    let bench = Bench::start(&policy);
    let same: Vec<Request> = (0..REQUESTS).map(|_| user(1)).collect();
    for answer in bench.load(same, 4).unwrap() {
        assert_eq!((answer.status, answer.cluster()), (200, Some("default")));
    }
    bench.stats_after(REQUESTS as u64);
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_share(arrived(&bench, "shadow", 0) as usize, REQUESTS, 0.5);
}

#[test]
fn a_client_cannot_have_its_request_copied() {
    let mut policy = checkout(50.0);
    policy["splits"][0]["match"] = json!([{"path": {"prefix": "/shop"}}]);
    let bench = Bench::with(
        &policy,
        lab::Options { clusters: vec!["secret".to_owned()], ..Default::default() },
    );
    for path in ["/shop", "/"] {
        let forged = Request::get(path).header("x-split-mirror", "secret").echo();
        let echo = bench.send(&forged).unwrap().echo().unwrap();
        assert!(echo.all("x-split-mirror").is_empty(), "{path}");
    }
    assert_eq!(arrived(&bench, "secret", 0), 0);
}

#[test]
fn a_mirror_that_nobody_knows_harms_no_request() {
    let mut policy = mirrored(100.0, "request");
    policy["mirror_header"] = json!("x-nowhere");
    let bench = Bench::start(&policy);
    bench.put(&mirrored(100.0, "request"));
    let answer = bench.send(&user(1)).unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(arrived(&bench, "shadow", 1), 1);
}
