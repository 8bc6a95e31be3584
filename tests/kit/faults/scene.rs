//! The demo with load, and a Prometheus that watches it: by default with windows a fiftieth as long as in production, and a
//! scrape each second. `FAULTS_TIME_SCALE=1` has the windows of production, and a scrape each 15 seconds.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use harness::wait_for;
use serde_json::Value;
use tempfile::TempDir;

use super::table;
use crate::dashboards::prometheus;
use crate::serve::{Kit, start_envoy};
use crate::tools::{Running, output, query, read, splitctl};

/// What the windows are multiplied by.
pub(super) fn scale() -> f64 {
    std::env::var("FAULTS_TIME_SCALE").map_or(0.02, |text| text.parse().unwrap())
}

/// Between two scrapes, and between two evaluations.
pub(super) fn interval() -> Duration {
    Duration::from_secs(if scale() < 1.0 { 1 } else { 15 })
}

/// The demo's policy, half of the users on the canary: so that windows of seconds have requests enough.
pub(super) fn half() -> String {
    let policy = read("envoy/policy.yaml");
    let (old, new) = (["weight: 95", "weight: 5,"], ["weight: 50", "weight: 50,"]);
    assert!(old.iter().all(|old| policy.contains(old)));
    policy.replace(old[0], new[0]).replace(old[1], new[1])
}

/// Proxies, their load, and who watches them.
pub(super) struct Scene {
    pub(super) kits: Vec<Kit>,
    pub(super) load: Vec<Running>,
    ended: Option<Ended>,
    /// When the fault was made, or Prometheus started.
    begin: Instant,
    prometheus: (Running, SocketAddr),
    _folder: TempDir,
}

impl Scene {
    /// One proxy with this policy.
    pub(super) fn of_policy(policy: &str) -> Self {
        Self::of(vec![Kit::of_policy(policy, &[])])
    }

    /// These proxies, each with its load, watched.
    pub(super) fn of(kits: Vec<Kit>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let load = kits.iter().enumerate().map(|(at, kit)| {
            load(kit.listener, 5_000, 80, &folder.path().join(format!("load{at}")))
        });
        let load = load.collect();
        let admins: Vec<_> = kits.iter().map(|kit| kit.admin).collect();
        let policy = kits[0].policy.clone();
        let scale = scale().to_string();
        let seconds = interval().as_secs();
        let options = ["--time-scale", scale.as_str()];
        let begin = Instant::now();
        let prometheus = prometheus(folder.path(), &policy, &admins, seconds, &options);
        let scene = Self { kits, load, ended: None, begin, prometheus, _folder: folder };
        scene.wait("up == 1", &|rows| rows == scene.kits.len());
        scene
    }

    pub(super) fn kit(&self) -> &Kit {
        &self.kits[0]
    }

    /// Half of the users come, or just one whose key all requests have.
    pub(super) fn load_of(&self, users: u32, rate: u32) -> Running {
        let folder = self.kit().folder.path().join(format!("load-of-{users}"));
        load(self.kit().listener, users, rate, &folder)
    }

    /// Lets so much of the windows' time pass, in minutes as in production.
    pub(super) fn minutes(&self, minutes: f64) {
        std::thread::sleep(Duration::from_secs_f64(minutes * 60.0 * scale()) + interval());
    }

    /// Waits until a query has so many rows.
    fn wait(&self, promql: &str, wanted: &dyn Fn(usize) -> bool) {
        let limit = Duration::from_secs(120).mul_f64((scale() * 50.0).max(1.0));
        wait_for(promql, limit, || {
            query(self.prometheus.1, promql).is_ok_and(|rows| wanted(rows.len())).then_some(())
        });
    }

    /// Breaks something, waits for the alert, mends it, and waits for the alert's end. How long the alert took is kept for the
    /// table, and is no more than the table promises.
    pub(super) fn tells(
        mut self,
        row: &str,
        fault: impl FnOnce(&mut Self),
        mend: impl FnOnce(&mut Self),
    ) {
        let rows = query(self.prometheus.1, &firing(row)).unwrap();
        assert!(rows.is_empty(), "{rows:?} before the fault");
        self.begin = Instant::now();
        fault(&mut self);
        self.tells_from_the_start(row, mend);
    }

    /// The same where the fault is there before Prometheus is.
    pub(super) fn tells_from_the_start(mut self, row: &str, mend: impl FnOnce(&mut Self)) {
        self.wait(&firing(row), &|rows| rows > 0);
        let took = self.begin.elapsed();
        table::keep(row, took);
        // Ten seconds for a machine that does something else, too.
        let promised = table::promised(row, scale(), interval());
        let limit = promised + Duration::from_secs(10);
        assert!(took <= limit, "{row} took {took:?}, promised are {promised:?}");
        mend(&mut self);
        self.wait(&firing(row), &|rows| rows == 0);
    }

    /// Ends a proxy.
    pub(super) fn end(&mut self, at: usize) {
        let Kit { envoy, listener, admin, policy, watcher, services, running, folder } =
            self.kits.remove(at);
        drop(envoy);
        let yaml = folder.path().join("envoy.yaml");
        let text = std::fs::read_to_string(&yaml).unwrap();
        let mut places = text.splitn(3, "port_value: 0}");
        let [before, between, after] = [(); 3].map(|()| places.next().unwrap());
        assert!(before.ends_with("admin:\n  address: {socket_address: {address: 127.0.0.1, "));
        let [admins, listeners] =
            [admin, listener].map(|address| format!("port_value: {}}}", address.port()));
        std::fs::write(&yaml, [before, &admins, between, &listeners, after].concat()).unwrap();
        std::fs::remove_file(folder.path().join("admin")).unwrap();
        self.ended = Some(Ended { policy, watcher, services, running, folder });
    }

    /// Starts the proxy that ended, at the same addresses and after a change of its folder.
    pub(super) fn start_again(&mut self, change: impl FnOnce(&Path)) {
        let Ended { policy, watcher, services, running, folder } = self.ended.take().unwrap();
        change(folder.path());
        let (envoy, admin, listener) = start_envoy(folder.path(), 2);
        let kit = Kit { envoy, listener, admin, policy, watcher, services, running, folder };
        self.kits.push(kit);
    }
}

/// A proxy that ended.
struct Ended {
    policy: PathBuf,
    watcher: Running,
    services: BTreeMap<&'static str, SocketAddr>,
    running: BTreeMap<&'static str, Running>,
    folder: TempDir,
}

/// A row's alert, while it fires.
fn firing(row: &str) -> String {
    format!("ALERTS{{alertname=\"{}\",alertstate=\"firing\"}}", table::row(row).alert)
}

fn load(listener: SocketAddr, users: u32, rate: u32, folder: &Path) -> Running {
    std::fs::create_dir_all(folder).unwrap();
    let mut load = splitctl();
    load.args(["demo", "load", &listener.to_string()]);
    load.args(["--users", &users.to_string(), "--rate", &rate.to_string()]);
    Running::start("load", folder, &load)
}

/// Changes the filter's configuration in a kit's folder behind splitctl's back, which would refuse to render this.
pub(super) fn change(folder: &Path, pointer: &str, value: &str) {
    let file = folder.join("ecds/filter.json");
    let mut response: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    response["version_info"] = value.into();
    let config = &mut response["resources"][0]["typed_config"]["config"];
    *config.pointer_mut(pointer).unwrap() = value.into();
    let beside = file.with_extension("new");
    std::fs::write(&beside, response.to_string()).unwrap();
    std::fs::rename(&beside, &file).unwrap();
}

/// What splitctl makes of the policy, again, with a module and more options.
pub(super) fn render(kit: &Kit, module: &Path, options: &[&str]) {
    let mut render = splitctl();
    render.args(["render", "ecds"]).arg(&kit.policy).arg("--module").arg(module);
    output(render.arg("--output").arg(kit.folder.path().join("ecds/filter.json")).args(options));
}

/// Makes the demo's services behave so.
pub(super) fn set(kit: &Kit, services: &[&str], how: &[&str]) {
    for service in services {
        let address = kit.services[service].to_string();
        output(splitctl().args(["demo", "set", &address]).args(how));
    }
}
