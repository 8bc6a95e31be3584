//! gRPC as it is: calls over HTTP/2 whose outcome is in the trailers, and is the variant's all the same.

use std::collections::BTreeMap;
use std::process::Command;

use harness::wait_for;
use serde_json::Value;
use tempfile::TempDir;

use crate::serve::Kit;
use crate::tools::{Running, SOON, at, output, script};

const POLICY: &str = "
version: 1
outcomes: OUTCOMES
splits:
- name: shop
  key: [{header: x-user-id}]
  baseline: stable
  GUARD
  variants:
  - {name: stable, cluster: checkout-v1, weight: 50}
  - {name: canary, cluster: checkout-v2, weight: 50}
";

const CLASSES: [&str; 7] = ["1xx", "2xx", "3xx", "4xx", "5xx", "none", "abort"];

/// An Envoy before two gRPC services, of which the canary's fails where it is asked to.
struct Calls {
    kit: Kit,
    python: String,
    _services: [Running; 2],
    _folder: TempDir,
}

impl Calls {
    fn start(outcomes: &str, guard: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let python = script("get/python", &["otel"]);
        let serve = |name: &str, more: &[&str]| {
            let mut command = Command::new(&python);
            command.arg(at("tests/kit/grpc_calls.py")).arg("serve").args(more);
            Running::start(name, folder.path(), &command)
        };
        let services = [serve("stable", &[]), serve("canary", &["--obey"])];
        let [stable, canary] = services.each_ref().map(|service| service.says("listens on "));
        let (stable, canary) = (format!("checkout-v1={stable}"), format!("checkout-v2={canary}"));
        let policy = POLICY.replace("OUTCOMES", outcomes).replace("GUARD", guard);
        let options = ["--cluster", &stable, "--cluster", &canary];
        let http2 = ["--http2", "checkout-v1", "--http2", "checkout-v2"];
        let kit = Kit::of_policy(&policy, &[options, http2].concat());
        Self { kit, python, _services: services, _folder: folder }
    }

    /// The codes of the calls of these users, each with how many there were.
    fn call(&self, kind: &str, code: u32, first: u32, count: u32) -> BTreeMap<u64, usize> {
        let mut command = Command::new(&self.python);
        command.arg(at("tests/kit/grpc_calls.py")).args([
            "call",
            &self.kit.listener.to_string(),
            kind,
        ]);
        let text = output(command.args([code, first, count].map(|number| number.to_string())));
        let mut codes = BTreeMap::new();
        for line in text.lines() {
            let call: Value = serde_json::from_str(line).unwrap();
            *codes.entry(call["code"].as_u64().unwrap()).or_default() += 1;
        }
        codes
    }

    /// How many ends of requests of a variant are counted, by class.
    fn counted(&self, variant: &str) -> [u64; CLASSES.len()] {
        CLASSES.map(|class| {
            let series = format!(
                "traffic_split_responses_total{{split=\"shop\",variant=\"{variant}\",class=\"{class}\"}}"
            );
            self.kit.number(&series).unwrap_or_default() as u64
        })
    }

    /// The same once there are so many.
    fn counted_when(&self, variant: &str, all: usize) -> [u64; CLASSES.len()] {
        wait_for("the ends are counted", SOON, || {
            let counted = self.counted(variant);
            (counted.iter().sum::<u64>() >= all as u64).then_some(counted)
        })
    }
}

/// Each kind of call, and what is counted of the canary after all of them; all who count agree.
#[test]
fn a_grpc_call_counts_by_its_own_status_whoever_counts() {
    for outcomes in ["filter", "envoy"] {
        let calls = Calls::start(outcomes, "");
        let users = 60;
        let codes = calls.call("unary", 14, 0, users);
        let canaries = codes[&14];
        assert!((15..=45).contains(&canaries) && codes[&0] == 60 - canaries, "{codes:?}");
        for (kind, code) in
            [("unary", 0), ("stream", 0), ("stream", 5), ("stream", 13), ("unary", 16)]
        {
            let codes = calls.call(kind, code, 0, users);
            let failed = codes.get(&u64::from(code)).copied().unwrap_or_default();
            assert_eq!(failed, if code == 0 { 60 } else { canaries }, "{kind} {code}: {codes:?}");
        }
        // CANCELLED by the client: not the variant's failure.
        assert_eq!(calls.call("cancel", 0, 0, users), BTreeMap::from([(1, 60)]));
        let n = canaries as u64;
        let counted = calls.counted_when("canary", canaries * 7);
        assert_eq!(counted, [0, 2 * n, 0, 2 * n, 2 * n, 0, n], "{outcomes}, by class {CLASSES:?}");
        let counted = calls.counted_when("stable", (60 - canaries) * 7);
        assert_eq!(counted, [0, 6 * (60 - n), 0, 0, 0, 0, 60 - n], "{outcomes}, stable");
    }
}

#[test]
fn a_variant_whose_grpc_calls_fail_is_out() {
    let calls = Calls::start("filter", "guard: {errors: {ratio: 1.5}}");
    assert_eq!(calls.call("cancel", 0, 0, 100), BTreeMap::from([(1, 100)]));
    let tripped = || calls.kit.number("traffic_split_tripped{split=\"shop\",variant=\"canary\"}");
    assert_eq!(tripped(), Some(0.0), "clients that leave are no evidence");
    let codes = calls.call("unary", 14, 1_000, 300);
    assert!((20..=60).contains(&codes[&14]), "{codes:?}");
    assert_eq!(tripped(), Some(1.0));
}
