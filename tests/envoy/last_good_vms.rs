//! VMs come and go: after a panic, with another module, with another id. The last good policy and the gauges
//! outlive them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use harness::wait_for;
use lab::xds;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bench::{HOST_ERRORS, POLICY_HASH, checkout, user};
use crate::control_plane::{Proxy, filter, splitter, until};
use crate::last_good_lds::{bad, inline};
use crate::native::Native;
use crate::other_modules::{TRAPS_ABOVE, copy, trapping};
use crate::traffic::Traffic;

/// A module made of the one under test.
struct Module(TempDir);

impl Module {
    fn of(bytes: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("module.wasm"), bytes).unwrap();
        Self(folder)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("module.wasm")
    }

    fn runs(&self, policy: &Value) -> Value {
        let mut splitter = splitter(policy);
        splitter["config"]["vm_config"]["code"]["local"]["filename"] = json!(self.path());
        splitter
    }
}

/// With another id of the VM.
fn of_vm(mut splitter: Value, id: &str) -> Value {
    splitter["config"]["vm_config"]["vm_id"] = json!(id);
    splitter
}

/// Right within 2 seconds, and from then on.
fn assert_shows(proxy: &Proxy, policy: &Value, canary: u64) {
    let wanted = (Native::new(policy).hash, 1_000_000 - canary, canary);
    let shown = || (proxy.metric(POLICY_HASH, &[]), proxy.weight("stable"), proxy.weight("canary"));
    wait_for("hash and weights are right", Duration::from_secs(2), || {
        (shown() == wanted).then_some(())
    });
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(4) {
        assert_eq!(shown(), wanted, "after {:?}", begin.elapsed());
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// How many threads were given the refused policy, and have the last good one.
fn threads_that_serve_on(log: &str) -> usize {
    let lines =
        log.lines().filter(|line| line.contains("policy refused") && line.contains("serves on"));
    // `[time][thread][error][wasm] ...`
    lines.filter_map(|line| line.split("][").nth(1)).collect::<BTreeSet<_>>().len()
}

#[test]
fn after_a_panic_of_both_workers_the_last_good_policy_serves_on() {
    let module = Module::of(&trapping(&harness::module::bytes()));
    let first = checkout(20.0);
    let proxy = Proxy::discovering(module.runs(&first));
    proxy.wait_for(&first);
    assert!(proxy.put_plugin(xds::FILTER, &module.runs(&bad("1"))));
    proxy.wait_for_refusal(Some(&first));
    // A VM that was loaded a moment ago is not loaded again.
    std::thread::sleep(Duration::from_secs(2));

    let many = (0..TRAPS_ABOVE).fold(user(1), |all, n| all.header(&format!("x-{n}"), "1"));
    for _ in 0..2 {
        let before = proxy.log().len();
        until("both workers panicked and were loaded again", || {
            assert_eq!(proxy.send(&many).status, 503);
            // Whoever gets the next request reloads its VM.
            for number in 0..20 {
                proxy.send(&user(number));
            }
            (threads_that_serve_on(&proxy.log()[before..]) == 2).then_some(())
        });
        until("all is well", || {
            (0..40).all(|number| proxy.send(&user(number)).status == 200).then_some(())
        });
        let traffic = Traffic::begin(&proxy, Some(&first));
        assert_shows(&proxy, &first, 200_000);
        proxy.wait_for_refusal(Some(&first));
        let answered = traffic.finish();
        assert!(answered > 100, "{answered}");
    }
    let second = checkout(70.0);
    assert!(proxy.put_plugin(xds::FILTER, &module.runs(&second)));
    proxy.wait_for(&second);
    assert_shows(&proxy, &second, 700_000);
}

#[test]
fn another_module_in_the_same_vm_id_takes_over_what_is_in_force() {
    let (first, second) = (checkout(20.0), checkout(70.0));
    let other = Module::of(&copy(&harness::module::bytes()));
    let proxy = Proxy::discovering(splitter(&first));
    proxy.wait_for(&first);
    let mut traffic = Traffic::begin(&proxy, Some(&first));
    assert!(proxy.put_plugin(xds::FILTER, &other.runs(&first)));
    assert_shows(&proxy, &first, 200_000);
    // Back to the one before, with a mistake at the same time, and on to the other one with it.
    assert!(proxy.put_plugin(xds::FILTER, &splitter(&bad("1"))));
    proxy.wait_for_refusal(Some(&first));
    assert_shows(&proxy, &first, 200_000);
    assert!(proxy.put_plugin(xds::FILTER, &other.runs(&bad("1"))));
    assert_shows(&proxy, &first, 200_000);
    proxy.wait_for_refusal(Some(&first));

    traffic.may_be(&[Some(&first), Some(&second)]);
    assert!(proxy.put_plugin(xds::FILTER, &splitter(&second)));
    proxy.wait_for(&second);
    assert_shows(&proxy, &second, 700_000);
    traffic.may_be(&[Some(&second)]);
    traffic.finish();
    assert_eq!(proxy.metric(HOST_ERRORS, &[]), 0);
}

#[test]
fn another_vm_id_shows_its_own_policy_and_knows_no_last_good_one() {
    let (first, second) = (checkout(20.0), checkout(70.0));
    let proxy = Proxy::discovering(splitter(&first));
    proxy.wait_for(&first);
    assert!(proxy.put_plugin(xds::FILTER, &of_vm(splitter(&second), "another")));
    proxy.wait_for(&second);
    assert_shows(&proxy, &second, 700_000);
    let traffic = Traffic::begin(&proxy, Some(&second));
    assert!(proxy.put_plugin(xds::FILTER, &of_vm(splitter(&bad("1")), "another")));
    proxy.wait_for_refusal(Some(&second));
    assert_shows(&proxy, &second, 700_000);
    traffic.finish();
    // What Envoy's VMs share they share by their id.
    assert!(proxy.put_plugin(xds::FILTER, &of_vm(splitter(&bad("1")), "a third")));
    proxy.wait_for_refusal(None);
    Traffic::begin(&proxy, None).finish();
    assert!(proxy.put_plugin(xds::FILTER, &of_vm(splitter(&first), "a third")));
    proxy.wait_for(&first);
    assert_shows(&proxy, &first, 200_000);
}

#[test]
fn a_good_policy_in_a_listener_that_is_rejected_for_another_reason_is_not_in_force() {
    let (first, second) = (checkout(20.0), checkout(70.0));
    let proxy = Proxy::inline(&[inline(&first)]);
    proxy.wait_for(&first);
    let traffic = Traffic::begin(&proxy, Some(&first));
    let mut nowhere = splitter(&second);
    nowhere["config"]["name"] = json!("nowhere");
    nowhere["config"]["vm_config"]["code"]["local"]["filename"] = json!("/nowhere/at-all.wasm");
    let with_nowhere = [inline(&second), filter("nowhere", &nowhere)];
    assert!(!proxy.put_listener(&crate::control_plane::listener(&with_nowhere)), "accepted");
    assert_shows(&proxy, &first, 200_000);
    proxy.wait_for(&first);
    proxy.put_filters(&[inline(&bad("1"))]);
    proxy.wait_for_refusal(Some(&first));
    proxy.drain();
    assert_shows(&proxy, &first, 200_000);
    traffic.finish();
    proxy.put_filters(&[inline(&second)]);
    proxy.wait_for(&second);
    assert_shows(&proxy, &second, 700_000);
}
