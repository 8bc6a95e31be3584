//! Rules and alerts, by Prometheus's own tool.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::json;

use crate::gateway::documents;
use crate::tools::{at, output, read, script, splitctl};

fn promtool(args: &[&str]) -> String {
    let promtool = script("get/prometheus", &["promtool"]);
    output(Command::new(promtool).args(args).current_dir(at("envoy/prometheus")))
}

/// Runs cases of promtool on the rules of the demo's policy, rendered with these options.
pub(crate) fn holds(cases: &str, options: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let mut render = splitctl();
    render.args(["render", "prometheus"]).arg(at("envoy/policy.yaml")).args(options);
    std::fs::write(folder.path().join("rules.yml"), output(&mut render) + "\n").unwrap();
    std::fs::write(folder.path().join("rules_test.yml"), cases).unwrap();
    let mut test = Command::new(script("get/prometheus", &["promtool"]));
    let told = output(test.args(["test", "rules", "rules_test.yml"]).current_dir(folder.path()));
    assert!(told.contains("SUCCESS"), "{told}");
}

#[test]
fn two_fleets_in_one_prometheus_do_not_mix_and_a_fault_is_named_with_its_fleet() {
    holds(&read("tests/kit/rules/fleets.yml"), &["--by", "job,cluster"]);
}

/// In Istio the alerts read other series; that they fire on them is tried with the same cases.
#[test]
fn the_alerts_fire_in_istio_too() {
    let plugin = "istio_ingress_traffic_split";
    let translated = "istio_ingress_traffic_split_istio_translated_wasmplugin";
    let look = regex::Regex::new("splitctl check policy.yaml --admin http://[a-z]+").unwrap();
    for (name, resource) in [
        (plugin, format!("extensions_istio_io_wasmplugin_{plugin}")),
        (translated, format!("extensions_istio_io_trafficextension_{translated}")),
    ] {
        let ours = ["envoy_wasm_traffic_split_", "_http_filter_traffic_split_"];
        let cases = read("envoy/prometheus/rules_test.yml");
        assert!(ours.iter().all(|series| cases.contains(series)));
        let cases = cases
            .replace(ours[0], &format!("envoy_wasm_{name}_"))
            .replace(ours[1], &format!("_http_filter_{resource}_"));
        // Nor are the commands the same. These cases have no pods.
        let patch = |kill| {
            format!(
                "kubectl -n istio-ingress patch wasmplugin traffic-split --type merge -p '{{\\\"spec\\\":{{\\\"pluginConfig\\\":{{\\\"kill\\\":{kill}}}}}}}'"
            )
        };
        let render = "splitctl render ecds policy.yaml --output /etc/envoy/ecds/traffic_split.json";
        let wait = "--wait --admin http://PROXY:9901";
        let cases = cases
            .replace(&format!("{render} --kill checkout {wait}"), &patch("true"))
            .replace(&format!("{render} {wait}"), &patch("null"));
        let log = "kubectl -n  logs  -c istio-proxy --since=10m";
        let cases = look.replace_all(&cases, log);
        holds(&cases, &["--wasm-plugin", "istio-ingress/traffic-split"]);
    }
}

/// The groups of each form are read by Prometheus's own tool; what is around them is what each loader's documentation says.
#[test]
fn every_form_has_groups_that_prometheus_understands() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.yml");
    let all = ["--by", "job,cluster", "--severity", "page=critical", "--label", "team=shop"];
    let mut counts = BTreeSet::new();
    for form in ["prometheus", "operator", "mimir", "thanos"] {
        let mut render = splitctl();
        render.args(["render", "prometheus", "--form", form]).arg(at("envoy/policy.yaml"));
        render.args(["--dashboard", "https://grafana.example.com/d/split"]).args(all);
        let text = output(&mut render);
        let mut rules = documents(form, &text).remove(0);
        let mut keys: Vec<_> = rules.as_object().unwrap().keys().cloned().collect();
        keys.sort_unstable();
        let groups = match form {
            "operator" => {
                assert_eq!(keys, ["apiVersion", "kind", "metadata", "spec"]);
                assert_eq!(rules["kind"], "PrometheusRule");
                rules["spec"]["groups"].take()
            }
            "mimir" => {
                assert_eq!(keys, ["groups", "namespace"]);
                rules["groups"].take()
            }
            _ => {
                assert_eq!(keys, ["groups"]);
                rules["groups"].take()
            }
        };
        let mut groups = groups.as_array().unwrap().clone();
        for group in &mut groups {
            let strategy = group.as_object_mut().unwrap().remove("partial_response_strategy");
            assert_eq!(strategy.is_some(), form == "thanos", "{group}");
        }
        std::fs::write(&file, json!({ "groups": groups }).to_string()).unwrap();
        let told = promtool(&["check", "rules", file.to_str().unwrap()]);
        counts.insert(told.lines().find(|line| line.contains("rules found")).unwrap().to_owned());
    }
    assert_eq!(counts.len(), 1, "{counts:?}");
}

fn named<'t>(text: &'t str, before: &str) -> BTreeSet<&'t str> {
    let name = |rest: &'t str| rest.split([',', '}', '\n']).next().unwrap_or_default().trim();
    text.split(before).skip(1).map(name).collect()
}

#[test]
fn the_rules_are_understood_and_each_alert_fires_and_stays_quiet() {
    promtool(&["check", "rules", "rules.yml"]);
    let told = promtool(&["test", "rules", "rules_test.yml"]);
    assert!(told.contains("SUCCESS"), "{told}");
}

#[test]
fn every_alert_is_tested_both_ways() {
    let (template, tests) =
        (read("src/splitctl/rules/prometheus.yaml"), read("envoy/prometheus/rules_test.yml"));
    let alerts = named(&template, "- alert: ");
    assert!(alerts.len() > 20, "{alerts:?}");
    assert_eq!(alerts, named(&read("envoy/prometheus/rules.yml"), "- alert: "));
    for alert in alerts {
        let cases: Vec<&str> = tests
            .split("alertname: ")
            .skip(1)
            .filter(|case| {
                case.strip_prefix(alert).is_some_and(|rest| rest.starts_with([',', '\n']))
            })
            .collect();
        let quiet = cases
            .iter()
            .filter(|case| case.lines().next().is_some_and(|line| line.contains("exp_alerts: []")));
        let quiet = quiet.count();
        assert!(quiet > 0, "{alert} is never tested to stay quiet");
        assert!(cases.len() > quiet, "{alert} is never tested to fire");
    }
}

#[test]
fn every_alert_has_a_place_in_the_runbook() {
    let (rules, book) = (read("envoy/prometheus/rules.yml"), read("envoy/README.md"));
    // What a heading is called in links: lower case.
    let headings: BTreeSet<String> =
        book.lines().filter_map(|line| line.strip_prefix("### ")).map(str::to_lowercase).collect();
    let links = named(&rules, "runbook_url: envoy/README.md#");
    assert_eq!(links.len(), named(&rules, "- alert: ").len());
    for link in links {
        assert!(headings.contains(link), "envoy/README.md has no heading `{link}`: {headings:?}");
    }
}
