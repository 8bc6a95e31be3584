//! `splitctl check` against real Envoys: all is well with what is rendered, and each thing that is broken is named with the
//! lines that mend it.

use std::path::Path;

use serde_json::Value;

use crate::serve::Kit;
use crate::tools::{at, read, splitctl};

/// What `check` answers: its exit code, and what is missing, by the names of the points.
fn check(kit: &Kit, more: &[&str]) -> (Option<i32>, Vec<String>, String) {
    let run = |format: &str| {
        let mut command = splitctl();
        command.arg("check").arg(&kit.policy).args(["--admin", &kit.admin.to_string()]);
        command.args(["--format", format]).args(more).output().unwrap()
    };
    let json = run("json");
    let proxies: Value = serde_json::from_slice(&json.stdout).unwrap();
    let points = proxies[0]["points"].as_array().unwrap().iter();
    let missing = points.filter(|point| !point["missing"].is_null());
    let names = missing.map(|point| point["name"].as_str().unwrap().to_owned()).collect();
    (json.status.code(), names, String::from_utf8(run("human").stdout).unwrap())
}

#[test]
fn nothing_is_missing_where_everything_is_as_rendered() {
    let kit = Kit::start();
    kit.canaries(1);
    let (code, missing, said) = check(&kit, &[]);
    assert_eq!((code, missing), (Some(0), vec![]), "{said}");
    assert!(said.starts_with("fine ") && said.contains("points"), "{said}");
    // One that does not answer is no "no".
    let (code, ..) = check(&kit, &["--admin", "127.0.0.1:1"]);
    assert_eq!(code, Some(2));
}

#[test]
fn another_policy_and_a_cluster_that_is_not_there_are_named() {
    let kit = Kit::start();
    kit.canaries(1);
    let text = std::fs::read_to_string(&kit.policy).unwrap();
    let other = kit.folder.path().join("other.yaml");
    std::fs::write(&other, text.replace("cluster: checkout-v2", "cluster: checkout-v3")).unwrap();
    let done = splitctl()
        .args(["check", other.to_str().unwrap(), "--admin", &kit.admin.to_string()])
        .output()
        .unwrap();
    let said = String::from_utf8(done.stdout).unwrap();
    assert_eq!(done.status.code(), Some(1), "{said}");
    assert!(said.contains("missing[policy]") && said.contains("does not run"), "{said}");
    assert!(said.contains("there is no cluster `checkout-v3`"), "{said}");
}

#[test]
fn each_line_that_somebody_left_out_is_named() {
    let header = "[{name: x-split-cluster, present_match: true}]";
    for (point, from, to) in [
        ("early_removal", "              - remove: x-split-variant\n", ""),
        ("paths", "          merge_slashes: true\n", ""),
        ("access_log", "                  split: \"%REQ(x-split-variant)%\"\n", ""),
        (
            "evidence",
            "                  evidence: \"%FILTER_STATE(wasm.traffic_split_evidence:PLAIN)%\"\n",
            "",
        ),
        ("labels", "  - {tag_name: reason,", "  - {tag_name: because,"),
        ("buckets", "traffic_split_request_duration_milliseconds.*'", "nothing'"),
        // The route that takes everything comes first.
        (
            "routes",
            &format!("match: {{prefix: /, headers: {header}}}"),
            "match: {prefix: /nowhere}",
        ),
    ] {
        let kit = Kit::start_with(&[], |config| {
            assert!(config.contains(from), "`{from}` is not in\n{config}");
            let config = config.replace(from, to);
            if point == "routes" {
                config.replace("cluster_header: x-split-cluster\n", "cluster: default\n")
            } else {
                config
            }
        });
        crate::tools::get(kit.listener, "/", &[]).unwrap();
        let (code, missing, said) = check(&kit, &[]);
        assert_eq!((code, missing), (Some(1), vec![point.to_owned()]), "{said}");
        assert!(said.lines().any(|line| line.starts_with("    ")), "it says which lines: {said}");
        // The same is known before an Envoy starts with it.
        let (code, missing, said) = before_a_start(&kit.folder.path().join("envoy.yaml"));
        assert_eq!((code, missing), (Some(1), vec![point.to_owned()]), "{said}");
    }
}

/// What `check` answers of a configuration that Envoy is to start with, and of the module.
fn before_a_start(bootstrap: &Path) -> (Option<i32>, Vec<String>, String) {
    let module = harness::module::path();
    let mut command = splitctl();
    command.arg("check").arg(at("envoy/policy.yaml")).arg("--bootstrap").arg(bootstrap);
    let done = command.arg("--module").arg(module).args(["--format", "json"]).output().unwrap();
    let judged: Value = serde_json::from_slice(&done.stdout).unwrap();
    let points =
        judged.as_array().unwrap().iter().flat_map(|one| one["points"].as_array().unwrap());
    let missing = points.filter(|point| !point["missing"].is_null());
    let names = missing.map(|point| point["name"].as_str().unwrap().to_owned()).collect();
    (done.status.code(), names, String::from_utf8(done.stderr).unwrap())
}

#[test]
fn what_is_rendered_is_right_before_envoy_starts_and_a_slip_is_named() {
    let text = read("envoy/envoy.yaml");
    let folder = tempfile::tempdir().unwrap();
    let bootstrap = folder.path().join("envoy.yaml");
    for (point, from, to) in [
        ("", "", ""),
        ("clusters", "  - name: checkout-v2\n", "  - name: checkout-v3\n"),
        (
            "discovery",
            "watched_directory: {path: /etc/envoy/ecds}",
            "watched_directory: {path: /etc/envoy}",
        ),
        // As people may write it, too.
        ("", "static_resources:", "staticResources:"),
    ] {
        assert!(text.contains(from), "`{from}` is not in\n{text}");
        std::fs::write(&bootstrap, text.replace(from, to)).unwrap();
        let (code, missing, said) = before_a_start(&bootstrap);
        let wanted =
            if point.is_empty() { (Some(0), vec![]) } else { (Some(1), vec![point.to_owned()]) };
        assert_eq!((code, missing), wanted, "{said}");
    }
}
