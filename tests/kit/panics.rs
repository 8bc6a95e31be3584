//! What becomes of requests when a module panics, and that the series which the alerts read are there under these
//! names. The filter has no way to panic on demand: a small module that traps takes its place in the kit's Envoy.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use harness::wait_for;
use serde_json::Value;
use tempfile::TempDir;

use crate::serve::{services, start_envoy};
use crate::tools::{Answer, Running, SOON, at, get, output, read, splitctl};

/// The names that the filter has in Envoy: its own, and those that Istio gives to a WasmPlugin.
const OURS: Names = Names { plugin: "traffic_split", resource: "traffic_split" };
/// Istio until 1.29.
const ISTIO: Names = Names {
    plugin: "istio-ingress.traffic-split",
    resource: "extensions.istio.io/wasmplugin/istio-ingress.traffic-split",
};
/// Istio from 1.30 on.
const NEWER_ISTIO: Names = Names {
    plugin: "istio-ingress.traffic-split~istio-translated-wasmplugin",
    resource: "extensions.istio.io/trafficextension/istio-ingress.traffic-split~istio-translated-wasmplugin",
};

#[derive(Clone, Copy)]
struct Names {
    plugin: &'static str,
    resource: &'static str,
}

/// The kit's Envoy with the module that traps on requests with the header `x-panic`.
struct Trap {
    _running: BTreeMap<&'static str, Running>,
    envoy: Running,
    admin: SocketAddr,
    listener: SocketAddr,
    ecds: PathBuf,
    _folder: TempDir,
}

impl Trap {
    fn start(names: Names, failure_policy: &str, workers: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("trap.wasm"), wat::parse_file(at("tests/kit/panics.wat")).unwrap())
            .unwrap();
        std::fs::create_dir(path("ecds")).unwrap();
        let ecds = path("ecds/filter.json");

        let mut render = splitctl();
        render.args(["render", "ecds"]).arg(at("envoy/policy.yaml")).arg("--module");
        let rendered = output(render.arg(path("trap.wasm")));
        let mut response: Value = serde_json::from_str(&rendered).unwrap();
        response["resources"][0]["name"] = names.resource.into();
        let config = &mut response["resources"][0]["typed_config"]["config"];
        assert_eq!(config["failure_policy"], "FAIL_RELOAD", "what users get");
        config["failure_policy"] = failure_policy.into();
        config["name"] = names.plugin.into();
        std::fs::write(&ecds, response.to_string()).unwrap();

        let (running, addresses) = services(folder.path());
        let mut render = splitctl();
        render.args(["render", "envoy"]).arg(at("envoy/policy.yaml")).arg("--ecds").arg(&ecds);
        for (name, address) in &addresses {
            render.args(["--cluster", &format!("{name}={address}")]);
        }
        let config = output(render.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]));
        let name = "- name: traffic_split\n";
        assert_eq!(config.matches(name).count(), 1);
        let config = config.replace(name, &format!("- name: {}\n", names.resource));
        let flags = "                  flags: \"%RESPONSE_FLAGS%\"\n";
        assert!(config.contains(flags));
        let details = format!("{flags}                  details: \"%RESPONSE_CODE_DETAILS%\"\n");
        std::fs::write(path("envoy.yaml"), config.replace(flags, &details) + "\n").unwrap();

        let (envoy, admin, listener) = start_envoy(folder.path(), workers);
        Self { _running: running, envoy, admin, listener, ecds, _folder: folder }
    }

    /// A request over a connection of its own.
    fn ask(&self) -> u16 {
        self.answer(&[]).status
    }

    fn panic(&self) -> u16 {
        self.answer(&[("x-panic", "now")]).status
    }

    fn answer(&self, headers: &[(&str, &str)]) -> Answer {
        get(self.listener, "/", headers).unwrap()
    }

    /// Whether that many requests, each dealt by the kernel to one of the workers, all are served.
    fn is_well(&self, requests: usize) -> bool {
        (0..requests).all(|_| self.ask() == 200)
    }

    /// Whether some requests are served and some are not: one worker is well, the other is not.
    fn is_half_well(&self) -> bool {
        let mut seen = BTreeSet::new();
        (0..60).any(|_| {
            seen.insert(self.ask());
            seen == BTreeSet::from([200, 503])
        })
    }

    fn prometheus(&self) -> String {
        get(self.admin, "/stats/prometheus", &[]).unwrap().body
    }

    fn counter(&self, series: &str) -> Option<u64> {
        let of = |line: &str| line.strip_prefix(series)?.strip_prefix("{} ")?.parse().ok();
        self.prometheus().lines().find_map(of)
    }

    /// Changes the filter's configuration, by rename as `render ecds --output` does it.
    fn change(&self, pointer: &str, value: &str) {
        let mut response: Value =
            serde_json::from_slice(&std::fs::read(&self.ecds).unwrap()).unwrap();
        response["version_info"] = "another".into();
        let config = &mut response["resources"][0]["typed_config"]["config"];
        *config.pointer_mut(pointer).unwrap() = value.into();
        let beside = self.ecds.with_extension("new");
        std::fs::write(&beside, response.to_string()).unwrap();
        std::fs::rename(&beside, &self.ecds).unwrap();
    }

    fn save_another_policy(&self) {
        self.change("/configuration/value", "{\"version\": 1, \"splits\": []}");
    }
}

#[test]
fn with_fail_reload_only_the_request_that_panicked_fails() {
    let trap = Trap::start(OURS, "FAIL_RELOAD", 1);
    let reloads = || trap.counter("envoy_wasm_traffic_split_vm_reload_success");
    assert_eq!((trap.ask(), reloads()), (200, Some(0)));
    // A VM that was loaded within the last second or so is not loaded again: until then requests fail.
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!((trap.panic(), trap.ask()), (503, 200));
    assert_eq!(reloads(), Some(1));
    let details = trap.envoy.says("\"details\":\"wasm_fail_stream");
    assert!(details.contains("\"split\":null"), "no split was decided: {details}");

    // Panics one after the other: requests fail until a second after the last reload, by chance up to half of one more.
    let begin = Instant::now();
    assert_eq!((trap.panic(), trap.ask()), (503, 503));
    wait_for("the VM is loaded again", SOON, || (trap.ask() == 200).then_some(()));
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    assert_eq!(reloads(), Some(2));
    assert!(trap.counter("envoy_wasm_traffic_split_vm_reload_backoff").unwrap() > 0);
}

#[test]
fn with_fail_closed_the_worker_answers_503_until_another_policy_is_saved() {
    let trap = Trap::start(OURS, "FAIL_CLOSED", 2);
    assert!(trap.is_well(20));
    assert_eq!(trap.panic(), 503);
    assert!(trap.is_half_well());
    std::thread::sleep(Duration::from_secs(2));
    assert!(trap.is_half_well());
    // Nothing counts it.
    assert_eq!(trap.counter("envoy_wasm_traffic_split_vm_reload_success"), Some(0));
    assert_eq!(trap.counter("envoy_wasm_traffic_split_vm_reload_failure"), Some(0));
    trap.save_another_policy();
    wait_for("both workers are well", SOON, || trap.is_well(20).then_some(()));
}

#[test]
fn with_fail_open_the_worker_goes_on_without_the_filter() {
    let trap = Trap::start(OURS, "FAIL_OPEN", 1);
    assert_eq!(trap.ask(), 200);
    assert_eq!(trap.panic(), 503, "the request itself is lost all the same");
    std::thread::sleep(Duration::from_secs(2));
    // What made the module trap does nothing now: the filter is not run.
    let answer = trap.answer(&[("x-panic", "now")]);
    assert_eq!((answer.status, answer.headers["x-lab-cluster"].as_str()), (200, "default"));
    assert_eq!(trap.counter("envoy_wasm_traffic_split_vm_reload_success"), Some(0));
    trap.save_another_policy();
    wait_for("the filter runs again", SOON, || (trap.panic() == 503).then_some(()));
}

/// The series of Envoy's own that rules read.
fn envoys_series(rules: &str) -> BTreeSet<&str> {
    let series = |rest: &'_ str| rest.find(['[', '{', ' ', ')']).unwrap();
    let found = rules.match_indices("envoy_").map(|(at, _)| &rules[at..][..series(&rules[at..])]);
    // Not the labels of what is recorded.
    found.filter(|name| !name.ends_with(':')).collect()
}

#[test]
fn the_alerts_read_series_that_envoy_has_whatever_the_filter_is_called() {
    let rules = |more: &[&str]| {
        let mut render = splitctl();
        render.args(["render", "prometheus"]).arg(at("envoy/policy.yaml"));
        output(render.args(more))
    };
    let (plain, istio) = (rules(&[]), rules(&["--wasm-plugin", "istio-ingress/traffic-split"]));
    let (plain, istio) = (envoys_series(&plain), envoys_series(&istio));
    assert_eq!((plain.len(), istio.len()), (5, 10), "{plain:?} {istio:?}");
    // What the PodMonitor keeps, matched as Prometheus does it.
    let monitor = read("istio/base/pod-monitor.yaml");
    let kept = monitor.split_once("regex: \"").unwrap().1.split_once('"').unwrap().0;
    let kept = regex::Regex::new(&format!("^(?:{kept})$")).unwrap();
    assert!(istio.iter().all(|series| kept.is_match(series)), "{kept}");
    let mut left = istio.clone();
    for (names, wanted) in [(OURS, &plain), (ISTIO, &istio), (NEWER_ISTIO, &istio)] {
        let trap = Trap::start(names, "FAIL_RELOAD", 1);
        assert_eq!(trap.ask(), 200);
        std::thread::sleep(Duration::from_secs(2));
        assert_eq!((trap.panic(), trap.ask()), (503, 200));
        let there: Vec<_> = wanted.iter().filter(|name| trap.counter(name).is_some()).collect();
        assert_eq!(there.len(), 5, "{}: {there:?}", names.resource);
        for name in &there {
            left.remove(*name);
            let once = ["_vm_reload_success", "_config_reload"];
            let counted = u64::from(once.iter().any(|end| name.ends_with(end)));
            assert_eq!(trap.counter(name), Some(counted), "{name}");
        }
        // A configuration that Envoy refuses is counted, and the one before goes on.
        trap.change("/vm_config/code/local/filename", "/nowhere/at-all.wasm");
        wait_for("the refused configuration is counted", SOON, || {
            let refused = there.iter().filter(|name| {
                name.contains("config_discovery") && !name.ends_with("_config_reload")
            });
            let refused: u64 = refused.map(|name| trap.counter(name).unwrap()).sum();
            (refused > 0).then_some(())
        });
        assert_eq!(trap.ask(), 200);
    }
    assert!(left.is_empty(), "no Istio has these: {left:?}");
}
