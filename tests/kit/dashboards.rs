//! The dashboards: their JSON by Grafana's own SDK, and every query against a real Prometheus that has watched a real
//! Envoy.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use harness::wait_for;
use serde_json::{Value, json};

use crate::gates::gates;
use crate::serve::Kit;
use crate::tools::{Running, at, output, query, read, script, splitctl};

const DASHBOARDS: [&str; 3] = ["executive", "on-call", "debug"];

/// Panels that every Grafana has.
const TYPES: [&str; 5] = ["heatmap", "stat", "table", "text", "timeseries"];

fn file(name: &str) -> String {
    format!("envoy/grafana/dashboards/{name}.json")
}

fn dashboard(name: &str) -> Value {
    serde_json::from_str(&read(&file(name))).unwrap()
}

fn list<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[test]
fn grafanas_own_sdk_understands_every_field() {
    let python = script("get/python", &["grafana"]);
    let files = DASHBOARDS.map(|name| at(&file(name)));
    let told = output(Command::new(python).arg(at("tests/kit/dashboards.py")).args(files));
    assert!(told.contains("3 dashboards, 0 problems"), "{told}");
}

#[test]
fn panels_do_not_overlap_and_ask_the_data_source_that_is_provisioned() {
    let provisioned = read("envoy/grafana/provisioning/datasources/prometheus.yml");
    let mut uids = BTreeSet::new();
    for name in DASHBOARDS {
        let dashboard = dashboard(name);
        assert!(uids.insert(dashboard["uid"].to_string()), "{name}: the uid is another's");
        let variables = list(&dashboard, "/templating/list");
        let names: Vec<_> = variables.iter().map(|v| v["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["datasource", "split", "variant"], "{name}");
        let chosen = variables[0].pointer("/current/value").and_then(Value::as_str).unwrap();
        assert!(provisioned.contains(&format!("uid: {chosen}\n")), "{name}: {chosen}");

        let mut ids = BTreeSet::new();
        let mut cells = BTreeSet::new();
        for panel in list(&dashboard, "/panels") {
            let title = panel["title"].as_str().unwrap();
            assert!(TYPES.contains(&panel["type"].as_str().unwrap()), "{name}: {title}");
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{name}: {title}");
            let [x, y, w, h] =
                ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
            assert!(x + w <= 24, "{name}: {title} is wider than the screen");
            for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
                assert!(cells.insert(cell), "{name}: {title} lies over another panel");
            }
            let source = json!({"type": "prometheus", "uid": "${datasource}"});
            for target in list(panel, "/targets") {
                assert_eq!(
                    (&panel["datasource"], &target["datasource"]),
                    (&source, &source),
                    "{title}"
                );
            }
        }
    }
}

/// A query as Grafana would send it, with `All` chosen.
fn as_sent(expr: &str) -> String {
    let sent = expr.replace("$__rate_interval", "20s").replace("$__range", "5m");
    let sent = sent.replace("$split", ".*").replace("$variant", ".*");
    assert!(!sent.contains('$'), "a variable that nobody fills: {expr}");
    sent
}

/// Every query of a dashboard, with the place it is in.
fn queries(name: &str) -> Vec<(String, String)> {
    let dashboard = dashboard(name);
    let mut queries = Vec::new();
    let mut add = |place: &Value, expr: &Value| {
        queries.push((
            format!("{name}: {}", place.as_str().unwrap()),
            as_sent(expr.as_str().unwrap()),
        ));
    };
    for panel in list(&dashboard, "/panels") {
        for target in list(panel, "/targets") {
            add(&panel["title"], &target["expr"]);
        }
    }
    for annotation in list(&dashboard, "/annotations/list").iter().skip(1) {
        add(&annotation["name"], &annotation["expr"]);
    }
    for variable in list(&dashboard, "/templating/list").iter().skip(1) {
        // label_values(SERIES, LABEL)
        let text = variable["definition"].as_str().unwrap();
        let inside = text.strip_prefix("label_values(").and_then(|t| t.strip_suffix(')')).unwrap();
        let (series, label) = inside.rsplit_once(", ").unwrap();
        add(&variable["name"], &format!("count by ({label}) ({series})").into());
    }
    queries
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
    let mut load = splitctl();
    load.args(["demo", "load", &kit.listener.to_string(), "--rate", "100"]);
    let _load = Running::start("load", kit.folder.path(), &load);
    let share = "traffic_split:share:configured{variant=\"canary\"}";
    let wait_for_share = |value: f64| {
        wait_for(share, Duration::from_secs(30), || {
            (query(prometheus.1, share).ok()?.first()?.1 == value).then_some(())
        });
    };
    wait_for_share(0.05);
    // So that there is something to annotate, and an alert to show.
    kit.edit("weight: 95", "weight: 90");
    kit.edit("weight: 5,", "weight: 10,");
    wait_for_share(0.1);

    let all: Vec<_> = DASHBOARDS.into_iter().flat_map(queries).collect();
    assert!(all.len() > 40, "{}", all.len());
    let has_rows = |(place, promql): &(String, String)| {
        wait_for(&format!("{place}: {promql}"), Duration::from_secs(30), || {
            let rows = query(prometheus.1, promql);
            let rows = rows.unwrap_or_else(|why| panic!("{place}: {promql}: {why}"));
            // A quotient of nothing is a row, and not a number.
            rows.iter().any(|(_, value)| value.is_finite()).then_some(())
        });
    };
    let (of_trips, others): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|(_, promql)| promql.contains("tripped"));
    others.iter().for_each(has_rows);

    // So have the gates of Argo Rollouts and Flagger, and just one: they take the first, or the last.
    for gate in gates("checkout", "canary") {
        wait_for(&gate.name, Duration::from_secs(30), || {
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

    // A canary that fails is out, and rules, dashboards, alerts and gates show it.
    assert_eq!(value("traffic_split:tripped:proxies{variant=\"canary\"}"), 0.0);
    let canary = kit.services["checkout-v2"].to_string();
    output(splitctl().args(["demo", "set", &canary, "--failing", "100"]));
    let is = |promql: &str, wanted: f64| {
        wait_for(promql, Duration::from_secs(30), || {
            (query(prometheus.1, promql).ok()?.first()?.1 == wanted).then_some(())
        });
    };
    is("traffic_split:tripped:proxies{variant=\"canary\"}", 1.0);
    is("ALERTS{alertname=\"TrafficSplitTripped\",alertstate=\"firing\"}", 1.0);
    assert_eq!(of_trips.len(), 2, "{of_trips:?}");
    of_trips.iter().for_each(has_rows);
    for gate in gates("checkout", "canary").iter().filter(|gate| gate.name.contains("tripped")) {
        is(&gate.query, 1.0);
    }
    let bad = value("sum(increase(traffic_split_bad_keys_total{variant=\"canary\"}[5m]))");
    assert!(bad > 0.0, "{bad}");
}

/// A Prometheus with the configuration of envoy/prometheus and the rules of the policy, for this Envoy and every second.
pub(crate) fn watch(kit: &Kit) -> (Running, SocketAddr) {
    let options = ["--price", "checkout/canary=1.20"];
    prometheus(kit.folder.path(), &kit.policy, &[kit.admin], 1, &options)
}

/// The same for several Envoys, with options of `render prometheus`; it looks and reckons after so many seconds.
pub(crate) fn prometheus(
    place: &Path,
    policy: &Path,
    admins: &[SocketAddr],
    seconds: u64,
    options: &[&str],
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
    std::fs::write(folder.join("prometheus.yml"), config).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = Command::new(script("get/prometheus", &[]));
    command.arg(format!("--config.file={}", folder.join("prometheus.yml").display()));
    command.arg(format!("--storage.tsdb.path={}", folder.join("data").display()));
    command.arg(format!("--web.listen-address={port}"));
    let running = Running::start("prometheus", place, &command);
    running.says("Server is ready to receive web requests");
    (running, port)
}
