//! The files in envoy/: those that splitctl renders, and the one that Compose reads.

use std::path::Path;
use std::process::{Command, Output};

use crate::dashboards::DASHBOARDS;
use crate::tools::{at, read, say_skipped, script, splitctl, works};

#[test]
fn what_lies_in_envoy_is_what_splitctl_renders() {
    let folder = tempfile::tempdir().unwrap();
    script("render", &[folder.path().to_str().unwrap()]);
    let dashboards = DASHBOARDS.map(|name| format!("grafana/dashboards/{name}.json"));
    let rendered = ["envoy.yaml", "prometheus/rules.yml"].map(str::to_owned);
    for name in rendered.into_iter().chain(dashboards) {
        let rendered = std::fs::read_to_string(folder.path().join(&name)).unwrap();
        let kept = read(&format!("envoy/{name}"));
        assert!(rendered == kept, "envoy/{name} is not what scripts/render makes; run it");
    }
    assert!(at("envoy/policy.yaml").is_file());
}

#[test]
fn the_compose_file_is_as_the_compose_specification_wants_it() {
    let python = script("get/python", &["schema"]);
    let check = |file: &Path| -> Output {
        let words = ["-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"];
        Command::new(&python).args(words).arg(file).output().unwrap()
    };
    let told = check(&at("envoy/docker-compose.yml"));
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stdout));

    let text = read("envoy/docker-compose.yml");
    assert!(!text.starts_with("version:") && !text.contains("\nversion:"), "obsolete");
    // Built by two at once, an image fails on its name.
    assert_eq!(text.matches("build:").count(), 1);

    // The schema would tell.
    let folder = tempfile::tempdir().unwrap();
    let wrong = folder.path().join("docker-compose.yml");
    let condition = "service_completed_successfully";
    assert!(text.contains(condition));
    std::fs::write(&wrong, text.replace(condition, "service_completed")).unwrap();
    let told = check(&wrong);
    let said = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(!told.status.success() && said.contains("service_completed"), "{said}");
}

#[test]
fn the_unit_of_a_rollout_is_one_that_systemd_reads() {
    if !works(&["systemd-analyze", "--version"]) {
        return say_skipped("the unit of a rollout", "there is no systemd-analyze");
    }
    let folder = tempfile::tempdir().unwrap();
    let check = |text: String| -> (bool, String) {
        let path = folder.path().join("traffic-split-rollout.service");
        std::fs::write(&path, text).unwrap();
        let told = Command::new("systemd-analyze").arg("verify").arg(&path).output().unwrap();
        let said = String::from_utf8_lossy(&told.stderr).into_owned();
        // What is said of other units of this machine is theirs.
        let own = said.lines().filter(|line| line.contains("traffic-split-rollout"));
        (told.status.success(), own.collect::<Vec<_>>().join("\n"))
    };
    let unit = read("envoy/rollout/traffic-split-rollout.service");
    let program = "/usr/local/bin/splitctl";
    assert!(unit.contains(program));
    let here = splitctl().get_program().to_string_lossy().into_owned();
    let unit = unit.replace(program, &here);
    assert_eq!(check(unit.clone()), (true, String::new()));
    let (_, said) = check(unit.replace("RestartPreventExitStatus", "RestartPreventExitCode"));
    assert!(said.contains("RestartPreventExitCode"), "{said}");
}
