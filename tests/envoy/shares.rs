//! The shares that arrive at the upstreams are those of the policy, and each user is where the
//! engine says.

use serde_json::json;

use crate::bench::{Bench, REQUESTS, RESPONSES, assert_share, checkout, user};
use crate::native::Native;

#[test]
fn two_upstreams_get_the_shares_of_the_policy_and_each_user_is_where_the_engine_says() {
    const USERS: u32 = 8_000;
    let policy = checkout(5.0);
    let (bench, native) = (Bench::start(&policy), Native::new(&policy));
    let users: Vec<_> = (0..USERS).map(user).collect();
    let wanted: Vec<String> = users.iter().map(|user| native.cluster(user)).collect();

    // Each upstream names itself in its answers: that is its own count.
    let answers = bench.load(users, 8).unwrap();
    for (number, (answer, wanted)) in answers.iter().zip(&wanted).enumerate() {
        assert_eq!(
            (answer.status, answer.cluster()),
            (200, Some(wanted.as_str())),
            "user-{number}"
        );
    }
    let at =
        |cluster: &str| answers.iter().filter(|answer| answer.cluster() == Some(cluster)).count();
    let (stable, canary) = (at("checkout-v1"), at("checkout-v2"));
    assert_eq!(stable + canary, USERS as usize);
    assert_share(canary, USERS as usize, 0.05);

    let stats = bench.stats_after(u64::from(USERS));
    let envoy = bench.stats_matching("cluster.checkout").unwrap();
    for (variant, cluster, count) in
        [("stable", "checkout-v1", stable), ("canary", "checkout-v2", canary)]
    {
        let variant = ("variant", variant);
        assert_eq!(
            stats.sum(REQUESTS, &[("split", "checkout"), variant, ("reason", "split")]),
            count as u64
        );
        assert_eq!(stats.sum(REQUESTS, &[variant]), count as u64, "no other reason");
        assert_eq!(
            stats.sum(RESPONSES, &[("split", "checkout"), variant, ("class", "2xx")]),
            count as u64
        );
        assert_eq!(
            envoy.number(&format!("cluster.{cluster}.upstream_rq_total")),
            Some(count as u64)
        );
    }
}

/// The only ones of the first five million users that a canary of one in a million takes.
const ONE_IN_A_MILLION: [u32; 2] = [941_780, 4_728_361];

#[test]
fn a_share_of_one_in_a_million_is_one_user_in_a_million() {
    let variants = |stable: f64, canary: f64| json!([{"name": "stable", "cluster": "v1", "weight": stable}, {"name": "canary", "cluster": "v2", "weight": canary}]);
    let split = |host: &str, variants, total| {
        json!({"name": host, "salt": "rare", "match": [{"hosts": [host]}], "key": [{"header": "x-user-id"}],
            "baseline": "stable", "weight_total": total, "variants": variants})
    };
    let policy = json!({"version": 1, "splits": [
        split("millionths.test", variants(999_999.0, 1.0), 1_000_000),
        split("percent.test", variants(99.9999, 0.0001), 100),
    ]});
    let (bench, native) = (Bench::start(&policy), Native::new(&policy));
    for host in ["millionths.test", "percent.test"] {
        let rare: Vec<_> =
            ONE_IN_A_MILLION.into_iter().map(|number| user(number).host(host)).collect();
        for (request, answer) in rare.iter().zip(bench.load(rare.clone(), 1).unwrap()) {
            assert_eq!(native.cluster(request), "v2");
            assert_eq!(answer.cluster(), Some("v2"), "{request:?}");
        }
        let others = (0..1_000).map(|number| user(number).host(host)).collect();
        for answer in bench.load(others, 4).unwrap() {
            assert_eq!(answer.cluster(), Some("v1"));
        }
    }
}
