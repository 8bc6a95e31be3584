//! `scripts/run --with-prometheus`: the same without Docker.

use std::net::SocketAddr;
use std::time::Duration;

use harness::wait_for;

use crate::tools::{Running, at, get, query, splitctl};

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
