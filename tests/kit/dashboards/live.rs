//! Every query of the dashboards in a real Prometheus that watches a real Envoy: on a normal day, and on a bad one.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use harness::wait_for;

use super::reading::{DASHBOARDS, Dashboard, Query};
use crate::gates::gates;
use crate::serve::Kit;
use crate::tools::{Running, output, query, read, script, splitctl};

/// A minute is what some of the queries look at; a busy machine takes longer.
const LONG: Duration = Duration::from_secs(150);

/// Whether a query has a row with a number: a quotient of nothing is a row, and no number.
fn has_rows(prometheus: SocketAddr, Query { place, promql }: &Query) -> bool {
    let rows = query(prometheus, promql);
    let rows = rows.unwrap_or_else(|why| panic!("{place}: {promql}: {why}"));
    rows.iter().any(|(_, value)| value.is_finite())
}

fn wait_for_rows(prometheus: SocketAddr, wanted: &Query) {
    wait_for(&format!("rows of {wanted:?}"), LONG, || has_rows(prometheus, wanted).then_some(()));
}

fn load(kit: &Kit) -> Running {
    let mut load = splitctl();
    load.args(["demo", "load", &kit.listener.to_string(), "--rate", "100"]);
    Running::start("load", kit.folder.path(), &load)
}

#[test]
fn on_a_normal_day_no_panel_is_empty_without_saying_why() {
    let kit = Kit::start();
    // One of several fleets, which the rules keep apart: all series have its labels, and elsewhere none has.
    let by = ["--by", "job,cluster"];
    let prometheus = watch_with(&kit, &by, |config| {
        let target = format!("- targets: [\"{}\"]", kit.admin);
        assert!(config.contains(&target), "{config}");
        config.replace(&target, &format!("{target}\n    labels: {{cluster: east}}"))
    });
    let _load = load(&kit);
    let mut empty = Vec::new();
    for name in DASHBOARDS {
        let dashboard = Dashboard::read(name);
        for panel in dashboard.panels().iter().filter(|panel| !panel.closed) {
            let queries = dashboard.of_panel(panel);
            if let Some(why) = panel.when_empty() {
                let rows = queries.iter().any(|query| has_rows(prometheus.1, query));
                empty.extend((!rows).then(|| why.to_owned()));
            } else if !queries.is_empty() {
                wait_for(&format!("{name}: {} has rows", panel.title()), LONG, || {
                    queries.iter().any(|query| has_rows(prometheus.1, query)).then_some(())
                });
            }
        }
        dashboard.of_variables().iter().for_each(|query| wait_for_rows(prometheus.1, query));
    }
    // A fleet that is chosen is there, and another one is not.
    for (name, title) in
        [("executive", "Share over time"), ("on-call", "Errors above the baseline")]
    {
        let chosen = |cluster: &str| {
            let dashboard = Dashboard::read(name);
            let panels = dashboard.panels();
            let panel = panels.iter().find(|panel| panel.title() == title).unwrap();
            let Query { place, promql } = dashboard.of_panel(panel).remove(0);
            let all = "cluster=~\".*\"";
            assert!(promql.contains(all), "{promql}");
            let promql = promql.replace(all, &format!("cluster=~\"{cluster}\""));
            has_rows(prometheus.1, &Query { place, promql })
        };
        assert!(chosen("east") && !chosen("west"), "{title}");
    }
    // The policy of the demo uses none of these.
    for used_by_none in ["guard", "fallback", "generate", "force"] {
        assert!(empty.iter().any(|why| why.contains(used_by_none)), "{used_by_none}: {empty:?}");
    }
}

#[test]
fn every_query_has_rows_in_a_prometheus_that_watches_a_real_envoy() {
    // A guard and a stand-in, for what is there only with them.
    let policy = read("envoy/policy.yaml").replace(
        "weight: 5, max_weight: 50}",
        "weight: 5, max_weight: 50, fallback: baseline}\n  guard: {errors: {}}",
    );
    let kit = Kit::of_policy(&policy, &[]);
    let prometheus = watch(&kit);
    // Two more metrics are there only where the policy uses what they count.
    kit.edit("{cookie: uid}]", "{cookie: uid}, {generate: {cookie: uid}}]");
    kit.edit(
        "version: 1\n",
        "version: 1\nforce: {secret: {header: x-secret, value: only-for-this-test}}\n",
    );
    let _load = load(&kit);
    let share = "traffic_split:share:configured{variant=\"canary\"}";
    let is = |promql: &str, wanted: f64| {
        wait_for(promql, LONG, || {
            (query(prometheus.1, promql).ok()?.first()?.1 == wanted).then_some(())
        });
    };
    is(share, 0.05);
    // So that there is something to annotate, and an alert to show.
    kit.edit("weight: 95", "weight: 90");
    kit.edit("weight: 5,", "weight: 10,");
    is(share, 0.1);

    let dashboards = DASHBOARDS.map(Dashboard::read);
    // What happened is there for a minute, so it is asked for first.
    let mut all: Vec<Query> = dashboards.iter().flat_map(Dashboard::annotations).collect();
    for dashboard in &dashboards {
        all.extend(dashboard.panels().iter().flat_map(|panel| dashboard.of_panel(panel)));
        all.extend(dashboard.of_variables());
    }
    assert!(all.len() > 80, "{}", all.len());
    // While all is well nothing tripped, no objective is missed, and no upstream answers 5xx.
    let of_failures = |q: &Query| {
        ["tripped", " < on ()", "class=\"5\""].iter().any(|part| q.promql.contains(part))
    };
    let (late, others): (Vec<_>, Vec<_>) = all.into_iter().partition(of_failures);
    // No service of the demo answers 4xx.
    let (never, others): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|q| q.promql.contains("class=\"4\""));
    assert_eq!((late.len(), never.len()), (6, 1), "{late:?}");
    others.iter().for_each(|query| wait_for_rows(prometheus.1, query));
    never.iter().for_each(|query| assert!(!has_rows(prometheus.1, query), "{query:?}"));

    // So have the gates of Argo Rollouts and Flagger, and just one: they take the first, or the last.
    for gate in gates("checkout", "canary") {
        wait_for(&gate.name, LONG, || {
            let rows = query(prometheus.1, &gate.query).unwrap();
            assert!(rows.len() < 2, "{}: {rows:?}", gate.name);
            rows.iter().any(|(_, value)| value.is_finite()).then_some(())
        });
    }

    // And what the rules record is true: nobody failed, and requests are about as many as were sent.
    let value = |promql: &str| query(prometheus.1, promql).unwrap()[0].1;
    assert_eq!(value("sum(traffic_split:errors:ratio_rate5m)"), 0.0);
    let sum = value("sum(traffic_split:share:observed5m)");
    assert!((sum - 1.0).abs() < 1e-9, "{sum}");
    // The number of a policy is the hash that people see, in decimal.
    let hash = value("max(traffic_split_policy_hash)") as u64;
    let validated = output(splitctl().arg("validate").arg(&kit.policy));
    assert!(
        validated.contains(&format!("policy {hash:013x} ({hash} in metrics),")),
        "{validated}: {hash:x}"
    );
    // The budget of 30 days is whole, and all that a variant did is in it.
    let executive = &dashboards[0];
    let of_title = |title: &str| {
        let panel = executive.panels().into_iter().find(|panel| panel.title() == title).unwrap();
        executive.of_panel(&panel)[0].promql.clone()
    };
    let left = of_title("Error budget left, 30 days");
    assert_eq!(value(&left), 1.0, "{left}");

    // A canary that fails is out, and rules, dashboards, alerts and gates show it.
    assert_eq!(value("traffic_split:tripped:proxies{variant=\"canary\"}"), 0.0);
    let canary = kit.services["checkout-v2"].to_string();
    output(splitctl().args(["demo", "set", &canary, "--failing", "100"]));
    is("traffic_split:tripped:proxies{variant=\"canary\"}", 1.0);
    is("ALERTS{alertname=\"TrafficSplitTripped\",alertstate=\"firing\"}", 1.0);
    // The few errors until then are within the objective, and those of the baseline are not.
    let stable = kit.services["checkout-v1"].to_string();
    output(splitctl().args(["demo", "set", &stable, "--failing", "50"]));
    late.iter().for_each(|query| wait_for_rows(prometheus.1, query));
    for gate in gates("checkout", "canary").iter().filter(|gate| gate.name.contains("tripped")) {
        is(&gate.query, 1.0);
    }
    let bad = value("sum(increase(traffic_split_bad_keys_total{variant=\"canary\"}[5m]))");
    assert!(bad > 0.0, "{bad}");
    let used = of_title("Error budget used by each variant, 30 days");
    wait_for("what the variants used and what is left make the whole", LONG, || {
        let used: f64 = query(prometheus.1, &used).ok()?.iter().map(|(_, part)| part).sum();
        let left = value(&left);
        // Asked one after the other, so that a minute may have passed in between.
        (left < 1.0 && (used + left - 1.0).abs() < 1e-6).then_some(())
    });
}

/// A Prometheus with the configuration of envoy/prometheus and the rules of the policy, for this Envoy and every second.
pub(crate) fn watch(kit: &Kit) -> (Running, SocketAddr) {
    watch_with(kit, &[], |config| config)
}

/// With more options of `render prometheus`, and a change of the configuration.
fn watch_with(
    kit: &Kit,
    options: &[&str],
    change: impl FnOnce(String) -> String,
) -> (Running, SocketAddr) {
    let options = [&["--price", "checkout/canary=1.20"], options].concat();
    started(kit.folder.path(), &kit.policy, &[kit.admin], 1, &options, change)
}

/// The same for several Envoys, with options of `render prometheus`; it looks and reckons after so many seconds.
pub(crate) fn prometheus(
    place: &Path,
    policy: &Path,
    admins: &[SocketAddr],
    seconds: u64,
    options: &[&str],
) -> (Running, SocketAddr) {
    started(place, policy, admins, seconds, options, |config| config)
}

fn started(
    place: &Path,
    policy: &Path,
    admins: &[SocketAddr],
    seconds: u64,
    options: &[&str],
    change: impl FnOnce(String) -> String,
) -> (Running, SocketAddr) {
    let folder = place.join("prometheus");
    std::fs::create_dir(&folder).unwrap();
    let mut render = splitctl();
    render.args(["render", "prometheus"]).arg(policy).args(options);
    std::fs::write(folder.join("rules.yml"), output(&mut render) + "\n").unwrap();
    let admins: Vec<_> = admins.iter().map(SocketAddr::to_string).collect();
    let config = read("envoy/prometheus/prometheus.yml")
        .replace("envoy:9901", &admins.join("\", \""))
        .replace("alertmanager:9093", "127.0.0.1:9")
        .replace(": 5s", &format!(": {seconds}s"));
    std::fs::write(folder.join("prometheus.yml"), change(config)).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = Command::new(script("get/prometheus", &[]));
    command.arg(format!("--config.file={}", folder.join("prometheus.yml").display()));
    command.arg(format!("--storage.tsdb.path={}", folder.join("data").display()));
    command.arg(format!("--web.listen-address={port}"));
    let running = Running::start("prometheus", place, &command);
    running.says("Server is ready to receive web requests");
    (running, port)
}
