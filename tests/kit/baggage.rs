//! Baggage: a service downstream reads its variant with OpenTelemetry's own reader.

use std::process::Command;

use harness::wait_for;
use serde_json::{Value, json};

use crate::serve::Kit;
use crate::tools::{Running, SOON, at, get, script};

#[test]
fn a_service_reads_its_variant_from_the_baggage_beside_what_the_client_sent() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(script("get/python", &["otel"]));
    command.arg(at("tests/kit/baggage.py"));
    let service = Running::start("service", folder.path(), &command);
    let address = service.says("listens on ");
    let clusters =
        ["checkout-v1", "checkout-v2", "default"].map(|name| format!("{name}={address}"));
    let options: Vec<_> = clusters.iter().flat_map(|c| ["--cluster", c.as_str()]).collect();
    let kit = Kit::start_with(&options, |config| config);
    let read = |user, more: &[(&str, &str)]| -> Value {
        serde_json::from_str(&kit.ask(user, more).body).unwrap()
    };
    // Users 71 and 1 of the policy in envoy/.
    assert_eq!(read(71, &[]), json!({"variant": null, "all": {}}), "it is off by default");

    kit.edit("version: 1\n", "version: 1\nbaggage: true\n");
    wait_for("the policy is in force", SOON, || {
        (read(71, &[])["variant"] == "canary").then_some(())
    });
    assert_eq!(read(1, &[]), json!({"variant": "stable", "all": {"split.checkout": "stable"}}));
    let sent = [("baggage", "tenant=7, split.checkout=mine")];
    let all = json!({"tenant": "7", "split.checkout": "canary"});
    assert_eq!(read(71, &sent), json!({"variant": "canary", "all": all}));
    // Where no split applies, nothing is replaced.
    let elsewhere = get(kit.listener, "/elsewhere", &sent).unwrap().body;
    let elsewhere: Value = serde_json::from_str(&elsewhere).unwrap();
    assert_eq!(elsewhere["variant"], "mine");
}
