//! The rendered configuration in real Envoy, with the services of the demo, no Docker.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use harness::wait_for;
use serde_json::Value;
use tempfile::TempDir;

use crate::tools::{Answer, Running, SOON, at, get, output, read, script, splitctl};

/// An Envoy with what `render envoy` and `render ecds --watch` make of a policy, and the demo's services.
pub(crate) struct Kit {
    pub(crate) envoy: Running,
    pub(crate) listener: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) policy: PathBuf,
    pub(crate) watcher: Running,
    /// Where each cluster's service is.
    pub(crate) services: BTreeMap<&'static str, SocketAddr>,
    /// What runs there, by the same names.
    pub(crate) running: BTreeMap<&'static str, Running>,
    pub(crate) folder: TempDir,
}

impl Kit {
    pub(crate) fn start() -> Self {
        Self::start_with(&[], |config| config)
    }

    /// With a module from elsewhere.
    pub(crate) fn of_module(module: &Path) -> Self {
        Self::of(module, &read("envoy/policy.yaml"), &[], |config| config)
    }

    /// With more options of `render envoy`, and a change of what it rendered.
    pub(crate) fn start_with(options: &[&str], change: impl FnOnce(String) -> String) -> Self {
        Self::of(&harness::module::path(), &read("envoy/policy.yaml"), options, change)
    }

    /// With a policy, and more options of `render envoy`.
    pub(crate) fn of_policy(text: &str, options: &[&str]) -> Self {
        Self::of(&harness::module::path(), text, options, |config| config)
    }

    fn of(
        module: &Path,
        text: &str,
        options: &[&str],
        change: impl FnOnce(String) -> String,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let policy = path("policy.yaml");
        std::fs::write(&policy, text).unwrap();
        std::fs::create_dir(path("ecds")).unwrap();

        let (running, services) = services(folder.path());
        let mut render = splitctl();
        render.args(["render", "envoy"]).arg(&policy).arg("--ecds").arg(path("ecds/filter.json"));
        for (name, address) in &services {
            render.args(["--cluster", &format!("{name}={address}")]);
        }
        render.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]).args(options);
        std::fs::write(path("envoy.yaml"), change(output(&mut render) + "\n")).unwrap();

        let mut watch = splitctl();
        watch.args(["render", "ecds"]).arg(&policy).arg("--watch").arg("--module");
        watch.arg(module).arg("--output").arg(path("ecds/filter.json"));
        let watcher = Running::start("watch", folder.path(), &watch);
        watcher.says("watching");

        let (envoy, admin, listener) = start_envoy(folder.path(), 2);
        Self { envoy, listener, admin, policy, watcher, services, running, folder }
    }

    /// A request of a user to the shop.
    pub(crate) fn ask(&self, user: u32, more: &[(&str, &str)]) -> Answer {
        let user = format!("user-{user}");
        let headers =
            [&[("host", "shop.example.com"), ("x-user-id", user.as_str())], more].concat();
        get(self.listener, "/api/cart", &headers).unwrap()
    }

    /// How many of these users get the canary.
    pub(crate) fn canaries(&self, users: u32) -> usize {
        let served = |user| {
            let answer = self.ask(user, &[]);
            assert_eq!(answer.status, 200, "{}", answer.body);
            answer.headers["x-lab-cluster"].clone()
        };
        (1..=users).map(served).filter(|cluster| cluster == "checkout-v2").count()
    }

    /// Saves the policy with a change.
    pub(crate) fn edit(&self, old: &str, new: &str) {
        let text = std::fs::read_to_string(&self.policy).unwrap();
        assert!(text.contains(old), "`{old}` is not in\n{text}");
        std::fs::write(&self.policy, text.replace(old, new)).unwrap();
    }

    /// A number on `/stats/prometheus`, by the text before it.
    pub(crate) fn number(&self, series: &str) -> Option<f64> {
        let text = get(self.admin, "/stats/prometheus", &[]).ok()?.body;
        text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
    }
}

/// The services of the clusters that the policy and the fallback name, and where each is.
pub(crate) fn services(
    folder: &Path,
) -> (BTreeMap<&'static str, Running>, BTreeMap<&'static str, SocketAddr>) {
    let mut addresses = BTreeMap::new();
    let mut running = BTreeMap::new();
    for name in ["checkout-v1", "checkout-v2", "default"] {
        let mut command = splitctl();
        command.args(["demo", "upstream", "--name", name, "--listen", "127.0.0.1:0"]);
        let service = Running::start(name, folder, command.args(["--delay", "2"]));
        addresses.insert(name, service.says("listens on ").parse().unwrap());
        running.insert(name, service);
    }
    (running, addresses)
}

/// Starts Envoy with the `envoy.yaml` in a folder; the addresses of its admin interface and its listener.
pub(crate) fn start_envoy(folder: &Path, workers: u32) -> (Running, SocketAddr, SocketAddr) {
    let file = folder.join("admin");
    let mut command = Command::new(script("get/envoy", &[]));
    command.arg("-c").arg(folder.join("envoy.yaml")).arg("--admin-address-path").arg(&file);
    command.args(["--concurrency", &workers.to_string(), "--disable-hot-restart"]);
    command.args(["--file-flush-interval-msec", "100"]);
    let envoy = Running::start("envoy", folder, &command);
    let (admin, listener) = wait_for("envoy is ready", SOON, || {
        let admin: SocketAddr = std::fs::read_to_string(&file).ok()?.trim().parse().ok()?;
        get(admin, "/ready", &[]).ok().filter(|answer| answer.status == 200)?;
        let listeners: Value =
            serde_json::from_str(&get(admin, "/listeners?format=json", &[]).ok()?.body).ok()?;
        let port = listeners
            .pointer("/listener_statuses/0/local_address/socket_address/port_value")?
            .as_u64()?;
        Some((admin, SocketAddr::from(([127, 0, 0, 1], u16::try_from(port).ok()?))))
    });
    (envoy, admin, listener)
}

#[test]
fn the_rendered_envoy_splits_traffic_and_follows_the_policy_file() {
    let kit = Kit::start();
    let canaries = kit.canaries(600);
    assert!((10..=55).contains(&canaries), "{canaries} of 600 at 5 %");

    // A client cannot choose a cluster, nor say which variant it has.
    for header in ["x-split-cluster", "x-split-variant", "x-split-mirror"] {
        let answer = get(kit.listener, "/elsewhere", &[(header, "checkout-v2")]).unwrap();
        assert_eq!(answer.headers["x-lab-cluster"], "default", "{header}");
    }
    // An override comes before the weights.
    assert_eq!(kit.ask(1, &[("x-canary", "true")]).headers["x-lab-cluster"], "checkout-v2");

    // Labels are out of the names, and the buckets are those of the configuration.
    let labels = "{split=\"checkout\",variant=\"canary\"";
    assert_eq!(kit.number(&format!("traffic_split_weight{labels}}}")), Some(50_000.0));
    let requests =
        "traffic_split_requests_total{split=\"checkout\",variant=\"canary\",reason=\"split\"}";
    let alike =
        "traffic_split_requests_total{reason=\"split\",split=\"checkout\",variant=\"canary\"}";
    wait_for("the counter counts", SOON, || {
        let number = kit.number(requests).or_else(|| kit.number(alike))?;
        (number == canaries as f64).then_some(())
    });
    let all = get(kit.admin, "/stats/prometheus", &[]).unwrap().body;
    for bucket in ["0.5", "750", "60000", "+Inf"] {
        let series =
            format!("traffic_split_request_duration_milliseconds_bucket{labels},le=\"{bucket}\"}}");
        assert!(all.contains(&series), "{series}");
    }

    // The access log is JSON and names the variant.
    let entries = wait_for("the access log has the override", SOON, || {
        let log = kit.envoy.log();
        let entries: Vec<Value> =
            log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        (entries.len() >= 604).then_some(entries)
    });
    let last = entries.last().unwrap();
    assert_eq!(
        (&last["split"], &last["cluster"]),
        (&"checkout=canary".into(), &"checkout-v2".into())
    );
    assert_eq!((&last["code"], &last["route"]), (&200.into(), &"by-cluster-header".into()));
    let elsewhere = entries.iter().find(|entry| entry["path"] == "/elsewhere").unwrap();
    assert_eq!((&elsewhere["split"], &elsewhere["route"]), (&Value::Null, &"fallback".into()));

    // Saving the policy changes the split; a policy with a mistake is told, and changes nothing.
    kit.edit("weight: 95", "weight: 50");
    kit.edit("weight: 5,", "weight: 50,");
    wait_for("the new weight is in force", SOON, || {
        (kit.number(&format!("traffic_split_weight{labels}}}")) == Some(500_000.0)).then_some(())
    });
    let half = kit.canaries(200);
    assert!((70..=130).contains(&half), "{half} of 200 at 50 %");
    kit.edit("weight: 50,", "weight: 60,");
    kit.watcher.says("not rendered");
    assert!(kit.watcher.log().contains("error[weight_"), "{}", kit.watcher.log());
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(kit.canaries(200), half);
}

#[test]
fn a_request_is_copied_to_the_cluster_that_the_mirror_header_names() {
    // The filter lets nobody else set its header, so the route reads another one, which may come
    // from this client.
    let header = "x-test-mirror";
    let kit = Kit::start_with(&[], |config| {
        assert!(config.contains("- remove: x-split-mirror\n"));
        let config = config.replace("- remove: x-split-mirror\n", "");
        assert!(config.contains("cluster_header: x-split-mirror"));
        config.replace("x-split-mirror", header)
    });
    let copies = || {
        let stats =
            get(kit.admin, "/stats?filter=cluster.checkout-v2.upstream_rq_total", &[]).ok()?;
        stats.body.split_once(": ")?.1.trim().parse::<u64>().ok()
    };
    for (value, wanted) in [("", 0), ("nobody", 0), ("checkout-v2", 1)] {
        let headers = [(header, value)];
        let headers = if value.is_empty() { &[][..] } else { &headers };
        let answer = get(kit.listener, "/elsewhere", headers).unwrap();
        assert_eq!((answer.status, answer.headers["x-lab-cluster"].as_str()), (200, "default"));
        wait_for("the copy arrives", SOON, || (copies() == Some(wanted)).then_some(()));
    }
}

#[test]
fn a_service_of_the_demo_can_be_made_to_fail_and_to_be_slow() {
    let kit = Kit::start();
    let canary = kit.services["checkout-v2"].to_string();
    let set = |words: &[&str]| output(splitctl().args(["demo", "set", &canary]).args(words));
    set(&["--failing", "100"]);
    assert_eq!(kit.ask(1, &[("x-canary", "true")]).status, 503);
    set(&["--delay", "200"]);
    let begin = std::time::Instant::now();
    assert_eq!(kit.ask(1, &[("x-canary", "true")]).status, 200);
    assert!(begin.elapsed() >= Duration::from_millis(100));
}

#[test]
fn the_load_of_the_demo_waits_for_its_target_and_tells_of_ten_rounds() {
    let folder = tempfile::tempdir().unwrap();
    let free = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().to_string();
    let mut command = splitctl();
    let load =
        Running::start("load", folder.path(), command.args(["demo", "load", &free, "--rate", "5"]));
    load.says("no answer yet");
    let mut command = splitctl();
    command.args(["demo", "upstream", "--name", "late", "--listen", &free, "--delay", "0"]);
    let _service = Running::start("late", folder.path(), &command);
    load.says("200 late");
    let log = load.log();
    let line = log.lines().find(|line| line.contains("200 late")).unwrap();
    let counts = line.split(", ").map(|part| part.split_once(" x ").unwrap().0);
    assert_eq!(counts.map(|count| count.parse::<u32>().unwrap()).sum::<u32>(), 50, "{log}");
}

#[test]
fn the_file_in_envoy_is_valid_for_envoy() {
    let folder = tempfile::tempdir().unwrap();
    let ecds = folder.path().join("traffic_split.json");
    let mut render = splitctl();
    render.args(["render", "ecds"]).arg(at("envoy/policy.yaml")).arg("--output").arg(&ecds);
    output(render.arg("--module").arg(harness::module::path()));
    let text = read("envoy/envoy.yaml").replace("/etc/envoy/ecds", folder.path().to_str().unwrap());
    let config = folder.path().join("envoy.yaml");
    std::fs::write(&config, text).unwrap();
    output(Command::new(script("get/envoy", &[])).args(["--mode", "validate", "-c"]).arg(&config));
}
