//! The dashboards: their JSON by Grafana's own SDK, and every query against a real Prometheus that has watched a real
//! Envoy.

mod live;
mod reading;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::tools::{at, read, script};
pub(crate) use live::{prometheus, watch};
pub(crate) use reading::DASHBOARDS;
use reading::{Dashboard, file, list};

/// Panels that every Grafana has.
const TYPES: [&str; 7] = ["heatmap", "logs", "row", "stat", "table", "text", "timeseries"];

/// What all dashboards can be narrowed by.
const VARIABLES: [&str; 5] = ["datasource", "job", "cluster", "split", "variant"];

fn sdk(files: &[&Path]) -> Output {
    let python = script("get/python", &["grafana"]);
    Command::new(python).arg(at("tests/kit/dashboards.py")).args(files).output().unwrap()
}

#[test]
fn grafanas_own_sdk_understands_every_field() {
    let files = DASHBOARDS.map(|name| at(&file(name)));
    let output = sdk(&files.each_ref().map(|file| file.as_path()));
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && told.contains("3 dashboards, 0 problems"), "{told}");
}

#[test]
fn grafanas_own_sdk_would_tell_of_a_mistake_in_a_row_that_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = folder.path().join("debug.json");
    let mistakes = [("\"maxLines\"", "\"maxLine\""), ("\"queryType\"", "\"querytype\"")];
    for (right, mistake) in mistakes {
        let text = read(&file("debug"));
        assert!(text.contains(right));
        std::fs::write(&wrong, text.replace(right, mistake)).unwrap();
        let output = sdk(&[&wrong]);
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!output.status.success() && told.contains("is not known"), "{told}");
    }
}

#[test]
fn panels_do_not_overlap_and_what_needs_no_prometheus_is_in_rows_to_be_opened() {
    let provisioned = read("envoy/grafana/provisioning/datasources/prometheus.yml");
    let mut uids = BTreeSet::new();
    for name in DASHBOARDS {
        let dashboard = Dashboard::read(name);
        assert!(uids.insert(dashboard.json["uid"].to_string()), "{name}: the uid is another's");
        let variables = dashboard.variables();
        assert_eq!(variables[..5], VARIABLES, "{name}");
        let chosen = dashboard.json.pointer("/templating/list/0/current/value").unwrap();
        let uid = format!("uid: {}\n", chosen.as_str().unwrap());
        assert!(provisioned.contains(&uid), "{name}: {chosen}");

        let mut ids = BTreeSet::new();
        let mut cells = BTreeSet::new();
        for panel in dashboard.panels() {
            let title = panel.title();
            assert!(TYPES.contains(&panel.kind()), "{name}: {title}");
            assert!(ids.insert(panel.json["id"].as_u64().unwrap()), "{name}: {title}");
            let [x, y, w, h] =
                ["x", "y", "w", "h"].map(|side| panel.json["gridPos"][side].as_u64().unwrap());
            assert!(x + w <= 24, "{name}: {title} is wider than the screen");
            for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
                assert!(cells.insert(cell), "{name}: {title} lies over another panel");
            }
            for target in list(&panel.json, "/targets") {
                let source = &target["datasource"];
                assert_eq!(&panel.json["datasource"], source, "{title}");
                let kind = source["type"].as_str().unwrap();
                let variable = if kind == "prometheus" { "datasource" } else { kind };
                assert_eq!(source["uid"], format!("${{{variable}}}"), "{title}");
                assert_eq!(panel.closed, kind != "prometheus", "{name}: {title}");
            }
        }
    }
}

#[test]
fn every_panel_says_what_it_shows_and_in_which_unit() {
    let mut panels = 0;
    for name in DASHBOARDS {
        for panel in Dashboard::read(name).panels().iter().filter(|panel| panel.kind() != "row") {
            let title = panel.title();
            let description = panel.json["description"].as_str().unwrap_or_default();
            assert!(description.len() > 10 && description.ends_with('.'), "{name}: {title}");
            let unit = panel.json.pointer("/fieldConfig/defaults/unit").and_then(Value::as_str);
            let has_none = ["logs", "text"].contains(&panel.kind());
            assert_eq!(unit.is_none(), has_none, "{name}: {title}: {unit:?}");
            panels += 1;
        }
    }
    assert!(panels > 50, "{panels}");
}

/// The names after `$` in a text: `$split`, `${logs:raw}`.
fn used(text: &str) -> BTreeSet<String> {
    let mut rest = text;
    let mut names = BTreeSet::new();
    while let Some((_, after)) = rest.split_once('$') {
        let after = after.strip_prefix('{').unwrap_or(after);
        let name: String =
            after.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        rest = &after[name.len()..];
        // `.*)$` and `{{ $labels }}` are no variables of Grafana, and none is here.
        assert!(!name.is_empty(), "{text}");
        names.insert(name);
    }
    names
}

#[test]
fn every_variable_that_is_used_can_be_chosen_and_every_one_that_can_be_chosen_is_used() {
    for name in DASHBOARDS {
        let dashboard = Dashboard::read(name);
        let mut all = BTreeSet::new();
        for panel in dashboard.panels() {
            for part in ["targets", "fieldConfig", "datasource"] {
                all.extend(used(&panel.json[part].to_string()));
            }
        }
        all.extend(used(&dashboard.json["annotations"].to_string()));
        all.extend(used(&dashboard.json["templating"].to_string()));
        all.retain(|name| !name.starts_with("__"));
        let variables: BTreeSet<_> = dashboard.variables().into_iter().collect();
        assert_eq!(all, variables, "{name}");
    }
}

#[test]
fn the_limits_on_the_panels_are_those_of_the_alerts() {
    let rules = read("envoy/prometheus/rules.yml");
    let dashboard = Dashboard::read("on-call");
    let panels = dashboard.panels();
    for (title, limits, text) in [
        ("Errors above the baseline", json!([0.01]), "baseline_ratio_rate5m + 0.01)"),
        (
            "p95 in multiples of the baseline's",
            json!([1.2]),
            "(1.2 * traffic_split:request_duration",
        ),
        ("Error budget burn", json!([2, 8]), "traffic_split:burn_rate:1h > 8\n"),
        ("Error budget burn", json!([2, 8]), "traffic_split:burn_rate:6h > 2\n"),
        ("Served by the baseline instead", json!([0.01]), "stand_in:ratio_rate5m > 0.01\n"),
    ] {
        let panel = panels.iter().find(|panel| panel.title() == title).expect(title);
        let steps = list(&panel.json, "/fieldConfig/defaults/thresholds/steps");
        let values: Vec<_> = steps[1..].iter().map(|step| step["value"].clone()).collect();
        assert_eq!(Value::from(values), limits, "{title}");
        assert!(rules.contains(text), "{title}: the rules have no `{text}`");
    }
}

#[test]
fn each_dashboard_has_a_picture_that_is_small_and_is_shown() {
    let guide = read("envoy/README.md");
    for name in DASHBOARDS {
        let picture = format!("grafana/pictures/{name}.png");
        let bytes = std::fs::read(at(&format!("envoy/{picture}"))).unwrap();
        assert!(bytes.starts_with(b"\x89PNG") && bytes.len() < 200_000, "{name}: {}", bytes.len());
        assert!(guide.contains(&format!("({picture})")), "{name}");
    }
}
