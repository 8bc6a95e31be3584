//! Policies replaced while Envoy serves: good, bad, good again; no request fails.

use std::time::Duration;

use lab::{Behavior, Request, Response, Update};
use serde_json::{Value, json};

use crate::bench::{
    Bench, CONFIG_ERRORS, HOST_ERRORS, POLICY_HASH, REQUESTS, RESPONSES, WEIGHT, assert_share,
    checkout, user,
};
use crate::native::Native;
use crate::wire::Wire;

/// Wrong in two ways; `salt` makes one that Envoy has not seen yet, as it skips what it knows.
fn bad(salt: &str) -> Value {
    let mut policy = checkout(5.0);
    policy["splits"][0]["salt"] = json!(salt);
    policy["splits"][0]["variants"][1]["weight"] = json!(15);
    policy["splits"][0]["ovverides"] = json!([]);
    policy
}

const PROBLEMS: [&str; 3] = [
    "error[unknown_field] splits[0].ovverides: ",
    "did you mean `overrides`?",
    "error[weight_sum] splits[0].variants: the weights sum to 110, not 100; help: 10 are too many",
];

/// Lets 2,000 users ask, while the background traffic goes on, and checks each against the policy.
fn assert_serves(bench: &Bench, policy: &Value, share: f64) {
    const USERS: u32 = 2_000;
    let native = Native::new(policy);
    let users: Vec<Request> = (0..USERS).map(user).collect();
    let answers = bench.load(users.clone(), 4).unwrap();
    for (user, answer) in users.iter().zip(&answers) {
        assert_eq!(
            (answer.status, answer.cluster()),
            (200, Some(native.cluster(user).as_str())),
            "{user:?}"
        );
    }
    let canaries = answers.iter().filter(|answer| answer.cluster() == Some("checkout-v2")).count();
    assert_share(canaries, USERS as usize, share);
    let stats = bench.stats().unwrap();
    assert_eq!(stats.sum(WEIGHT, &[("variant", "canary")]), (share * 1e6).round() as u64);
    assert_eq!(stats.sum(POLICY_HASH, &[]), native.hash);
}

#[test]
fn good_then_bad_then_good_policies_under_traffic_and_no_request_fails() {
    let (first, second, third) = (checkout(5.0), checkout(30.0), checkout(60.0));
    let bench = Bench::start(&first);
    let background = bench.load_in_background((0..500).map(user).collect(), 8);
    assert_serves(&bench, &first, 0.05);
    bench.put(&second);
    assert_serves(&bench, &second, 0.3);

    // Envoy may keep a VM in which a policy was refused (envoyproxy/envoy#43751), so more than once.
    for round in 1..=3 {
        let before = bench.stats().unwrap().sum(CONFIG_ERRORS, &[]);
        let Update::Refused(lines) = bench.apply(&bad(&format!("{round}")).to_string()).unwrap()
        else {
            panic!("accepted a bad policy")
        };
        for problem in PROBLEMS {
            assert!(
                lines.iter().any(|line| line.contains(problem)),
                "round {round}: `{problem}` not in {lines:#?}"
            );
        }
        assert!(bench.stats().unwrap().sum(CONFIG_ERRORS, &[]) > before, "round {round}");
        assert_serves(&bench, &second, 0.3);
    }

    bench.put(&third);
    assert_serves(&bench, &third, 0.6);
    bench.put(&first);
    assert_serves(&bench, &first, 0.05);

    let answers = background.finish();
    assert!(answers.len() > 1_000, "{} requests in the background", answers.len());
    for answer in answers {
        let answer = answer.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(
            matches!(answer.cluster(), Some("checkout-v1" | "checkout-v2")),
            "{:?}",
            answer.cluster()
        );
    }
    // The client repeats a request whose connection was closed; Envoy itself tells that it closed none.
    let envoy = bench.stats_matching("http.lab.downstream").unwrap();
    for name in ["cx_destroy_local_active_rq", "cx_destroy_remote_active_rq", "rq_4xx", "rq_5xx"] {
        assert_eq!(envoy.number(&format!("http.lab.downstream_{name}")), Some(0), "{name}");
    }
    let stats = bench.stats().unwrap();
    assert_eq!(stats.sum(HOST_ERRORS, &[]), 0);
    assert_eq!(stats.sum(RESPONSES, &[]), stats.sum(RESPONSES, &[("class", "2xx")]));
}

#[test]
fn a_policy_that_was_refused_is_refused_again_and_no_good_one_suffers() {
    let (first, second) = (checkout(5.0), checkout(30.0));
    let bench = Bench::start(&first);
    let refused = bad("again").to_string();
    let mut said = Vec::new();
    for policy in [&first, &first, &second, &first] {
        // Twice at once, and again after a good one: Envoy remembers both and asks the filter once.
        for _ in 0..2 {
            let Update::Refused(lines) = bench.apply(&refused).unwrap() else {
                panic!("accepted a bad policy")
            };
            said.push(lines);
        }
        bench.put(policy);
        assert_serves(&bench, policy, if *policy == first { 0.05 } else { 0.3 });
    }
    assert!(said[0].iter().any(|line| line.contains(PROBLEMS[0])), "{:#?}", said[0]);
    // The last word is of what serves on.
    let problems = |lines: &[String]| -> Vec<String> {
        lines.iter().filter(|line| line.contains("error[")).cloned().collect()
    };
    assert!(said.iter().all(|lines| problems(lines) == problems(&said[0])), "{said:#?}");
}

#[test]
fn a_connection_that_is_kept_sees_an_update_on_its_next_request() {
    let all_at = |variant: usize| {
        let mut policy = checkout(0.0);
        for (index, weight) in [(variant, 100), (1 - variant, 0)] {
            policy["splits"][0]["variants"][index]["weight"] = json!(weight);
        }
        policy
    };
    let bench = Bench::start(&all_at(0));
    let mut wires: Vec<Wire> = (0..8).map(|_| Wire::open(&bench)).collect();
    let mut ask = |cluster: &str| {
        for wire in &mut wires {
            let answer = wire.ask(&[b"GET / HTTP/1.1", b"host: localhost", b"x-user-id: ada"]);
            assert_eq!((answer.status, answer.cluster()), (200, Some(cluster)));
        }
    };
    ask("checkout-v1");
    for round in 0..3 {
        bench.put(&all_at(1));
        ask("checkout-v2");
        assert_ne!(bench.apply(&bad(&format!("{round}")).to_string()).unwrap(), Update::Applied);
        ask("checkout-v2");
        bench.put(&all_at(0));
        ask("checkout-v1");
    }
    let connections = bench.stats_matching("http.lab.downstream_cx_total").unwrap();
    assert_eq!(connections.number("http.lab.downstream_cx_total"), Some(8));
}

#[test]
fn a_request_in_flight_ends_under_the_policy_it_began_with() {
    let first = checkout(50.0);
    let bench = Bench::start(&first);
    let canary = Native::new(&first).users_of("checkout-v2", 0..50).remove(0);
    let slow = bench.upstream("checkout-v2").unwrap();
    slow.set(Behavior { delay: Duration::from_secs(2), status: 404, ..Behavior::default() })
        .unwrap();
    let in_flight = bench.load_in_background(vec![canary], 1);
    let asked = bench.stats_when(|stats| stats.sum(REQUESTS, &[]) == 1).unwrap();
    assert_eq!(asked.sum(REQUESTS, &[("split", "checkout"), ("variant", "canary")]), 1);

    let mut second = checkout(0.0);
    second["splits"][0]["name"] = json!("renamed");
    bench.put(&second);
    let answers: Vec<Response> = in_flight.finish().into_iter().map(Result::unwrap).collect();
    assert_eq!(answers.first().map(|answer| answer.status), Some(404));
    let labels = [("split", "checkout"), ("variant", "canary"), ("class", "4xx")];
    let stats = bench.stats_when(|stats| stats.sum(RESPONSES, &labels) > 0).unwrap();
    assert_eq!(stats.sum(RESPONSES, &labels), 1);
}

#[test]
fn an_update_may_bring_new_clusters_and_other_header_names() {
    let first = checkout(50.0);
    let bench = Bench::start(&first);
    let background = bench.load_in_background((0..100).map(user).collect(), 4);
    let mut second = checkout(50.0);
    second["cluster_header"] = json!("x-to");
    second["splits"][0]["variants"][1]["cluster"] = json!("checkout-v3");
    for policy in [&second, &first, &second] {
        bench.put(policy);
        let native = Native::new(policy);
        for number in 0..50 {
            let answer = bench.send(&user(number)).unwrap();
            assert_eq!(answer.cluster(), Some(native.cluster(&user(number)).as_str()));
        }
    }
    for answer in background.finish() {
        let answer = answer.unwrap();
        assert_eq!(
            (answer.status, answer.cluster().map(|name| name.starts_with("checkout-"))),
            (200, Some(true))
        );
    }
}
