//! `scripts/run` beyond its table: with a Prometheus, without Docker; and with a variant that begins to fail.

use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::time::Duration;

use harness::wait_for;
use serde_json::Value;

use crate::tools::{Running, at, get, query, splitctl};

/// A run in which the canary begins to fail.
fn failing(policy: &str) -> Command {
    let mut command = splitctl();
    command.args(["run", "--fail", "canary", "--after", "3s", "--for", "4s", "--policy"]);
    command.arg(at(policy));
    // Not the usual one, which others want too.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    command.args(["--port", &free.to_string()]);
    command
}

#[test]
fn a_canary_that_begins_to_fail_is_seen_to_go_out_of_service() {
    let run = failing("envoy/policies/guard.yaml").args(["--format", "json"]).output().unwrap();
    let told = String::from_utf8(run.stderr).unwrap();
    assert!(run.status.success(), "{told}");
    assert!(told.contains("checkout-v2 answers 500 from here on\n"), "{told}");
    assert!(told.contains("canary is out of service after "), "{told}");

    let answer: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!((&answer["ok"], &answer["cluster"]), (&true.into(), &"checkout-v2".into()));
    let number = |value: &Value| value.as_u64().unwrap();
    let (out, failed) = (&answer["out"], number(&answer["errors"]));
    // Eight are enough; some more are under way, and two workers know it only at their next failure or second.
    assert!((8..=40).contains(&number(&out["users"])), "{answer}");
    assert!((8..=40).contains(&failed), "{answer}");
    assert!(number(&out["after_milliseconds"]) < 2_000, "{answer}");
    let log = out["log"].as_str().unwrap();
    assert!(log.contains("split `checkout`: `canary` is out of service until the policy"), "{log}");

    let seconds = answer["seconds"].as_array().unwrap();
    let well = seconds.iter().filter(|second| number(&second["milliseconds"]) < 3_000);
    assert!(well.clone().count() > 0, "{answer}");
    assert!(well.clone().all(|second| second["errors"] == 0 && second["out"] == false), "{answer}");
    assert!(well.clone().all(|second| second["share"].as_f64().unwrap() > 0.0), "{answer}");
    let last = seconds.last().unwrap();
    assert_eq!((&last["out"], &last["errors"]), (&true.into(), &0.into()), "{answer}");
    assert_eq!(last["share"], 0.0, "{answer}");
}

#[test]
fn without_a_guard_it_fails_on() {
    let run = failing("envoy/policy.yaml").output().unwrap();
    let told = String::from_utf8(run.stdout).unwrap();
    assert_eq!(run.status.code(), Some(1), "{told}");
    assert!(
        told.contains("note: split `checkout` has no `guard`: nothing takes `canary` out\n"),
        "{told}"
    );
    assert!(told.contains("\ncanary: in service all the time; "), "{told}");
    let last = told.lines().rfind(|line| line.ends_with("  in")).unwrap();
    let errors: u64 = last.split_whitespace().rev().nth(1).unwrap().parse().unwrap();
    assert!(errors > 0, "{told}");
}

#[test]
fn a_prometheus_watches_the_run_and_follows_the_policy() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.yaml");
    std::fs::copy(at("envoy/policy.yaml"), &policy).unwrap();
    let mut command = splitctl();
    command.args(["run", "--with-prometheus", "--users", "500", "--policy"]).arg(&policy);
    let run = Running::start("run", folder.path(), &command);
    let address = run.says("prometheus http://");
    let (prometheus, page) = address.split_once('/').unwrap();
    let prometheus: SocketAddr = prometheus.parse().unwrap();
    let page = get(prometheus, &format!("/{page}"), &[]).unwrap();
    assert_eq!(page.status, 200, "the page of alerts that it names");
    let wait = |promql: &str, wanted: &dyn Fn(f64) -> bool| {
        wait_for(promql, Duration::from_secs(30), || {
            query(prometheus, promql)
                .ok()?
                .first()
                .is_some_and(|(_, value)| wanted(*value))
                .then_some(())
        });
    };
    wait("sum(traffic_split:requests:rate5m)", &|rate| rate > 0.0);
    wait("traffic_split:baseline{variant=\"stable\"}", &|one| one == 1.0);
    let text = std::fs::read_to_string(&policy).unwrap();
    std::fs::write(&policy, text.replace("baseline: stable", "baseline: canary")).unwrap();
    wait("traffic_split:baseline{variant=\"canary\"}", &|one| one == 1.0);

    // A policy with mistakes goes all the way: the filter in Envoy refuses it, and the one before serves on.
    std::fs::write(&policy, text.replace("weight: 95", "weight: 94")).unwrap();
    run.says("serves on");
    wait("traffic_split_policy_refused", &|refused| refused == 1.0);
    wait("ALERTS{alertname=\"TrafficSplitPolicyRefused\"}", &|pending| pending == 1.0);
    wait("traffic_split:share:configured{variant=\"canary\"}", &|share| share == 0.05);
    std::fs::write(&policy, text).unwrap();
    wait("traffic_split_policy_refused", &|refused| refused == 0.0);
}
