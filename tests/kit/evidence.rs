//! The access log that the rendered Envoy writes is what `splitctl simulate --log` reads: no key is in it.

use serde_json::{Value, json};

use crate::serve::Kit;
use crate::tools::{SOON, output, splitctl};
use harness::wait_for;

#[test]
fn the_log_of_the_rendered_envoy_is_summed_up_by_reason() {
    let kit = Kit::start();
    let canaries = kit.canaries(300);
    (0..7).for_each(|user| drop(kit.ask(user, &[("x-canary", "true")])));
    (0..4).for_each(|user| drop(kit.ask(user, &[("x-api-tier", "premium")])));
    let log = wait_for("the access log has all requests", SOON, || {
        let log = kit.envoy.log();
        let lines: Vec<_> = log.lines().filter(|line| line.starts_with('{')).collect();
        (lines.len() >= 311).then(|| lines.join("\n") + "\n")
    });
    assert!(!log.contains("user-"), "a key in the log");
    let path = kit.folder.path().join("access.log");
    std::fs::write(&path, log).unwrap();
    let mut simulate = splitctl();
    simulate.arg("simulate").arg(&kit.policy).arg("--log").arg(&path).args(["--format", "json"]);
    let sums: Value = serde_json::from_str(&output(&mut simulate)).unwrap();
    let [stable, canary] = [0, 1].map(|at| &sums["splits"][0]["variants"][at]);
    assert_eq!(stable["reasons"], json!({"split": 300 - canaries, "override": 4}), "{sums:#}");
    assert_eq!(canary["reasons"], json!({"split": canaries, "override": 7}), "{sums:#}");
    assert_eq!((&canary["randomised"], &canary["configured"]), (&json!(canaries), &json!(0.05)));
    assert_eq!(canary["classes"], json!({"2xx": canaries + 7}));
    // The services wait for two milliseconds.
    assert!(canary["p50_milliseconds"].as_u64() >= Some(2), "{sums:#}");
    assert_eq!((&sums["unreadable"], &sums["not_in_policy"]), (&json!(0), &json!({})));
}
