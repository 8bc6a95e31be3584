//! The lab: a real Envoy with the filter, and one upstream per cluster, all on the loopback. `splitctl run`
//! shows policies in it; the end-to-end tests run in it.
//!
//! ```no_run
//! use splitctl::lab::{Lab, Options, Request};
//!
//! let policy = r#"{"version": 1, "splits": []}"#;
//! let lab = Lab::start(policy, Options::default())?;
//! let response = lab.send(&Request::get("/").header("x-user-id", "ann"))?;
//! assert_eq!(response.cluster(), Some("default"));
//! # Ok::<(), anyhow::Error>(())
//! ```
//!
//! Everything here blocks, so that tests are plain functions; none of it may be called in an async task.
//! Dropping a [`Lab`] ends its Envoy, and so does the end of the process, whatever its cause.

pub mod bootstrap;
pub mod client;
pub mod envoy;
pub mod stats;
pub mod stop;
pub mod upstream;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::xds;
pub use crate::xds::PolicyForm;
pub use bootstrap::Placement;
use bootstrap::{Files, Parameters, Watched};
pub use client::{Echo, Request, Response};
use envoy::{LOOK, Process, filter_lines, indented, tail};
pub use envoy::{StartError, find_envoy, find_module};
pub use stats::{Histogram, Stats};
pub use stop::Stop;
pub use upstream::Behavior;
use upstream::Upstream;

/// The cluster of requests for which the filter names none.
pub const DEFAULT_CLUSTER: &str = "default";

/// The name of the control header in a policy that does not give one.
const DEFAULT_CLUSTER_HEADER: &str = "x-split-cluster";

/// How long an update may take that Envoy does in some milliseconds.
const UPDATE: Duration = Duration::from_secs(20);

/// How a lab is set up.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The port of the listener; 0 is a free one.
    pub port: u16,
    /// Envoy's workers; 0 means 2.
    pub concurrency: u32,
    /// Where the filter's configuration is.
    pub placement: Placement,
    /// The protobuf message in which the policy goes to the filter.
    pub form: PolicyForm,
    /// Let Envoy remove the client's control headers before any filter. Off by default: the filter has to
    /// protect itself.
    pub remove_control_headers_early: bool,
    /// Clusters that get an upstream besides those the policy names.
    pub clusters: Vec<String>,
    /// Envoy, if it is not the one that [`find_envoy`] finds.
    pub envoy: Option<PathBuf>,
    /// The module, if it is not the one that [`find_module`] finds.
    pub module: Option<PathBuf>,
    /// Ends every wait when it is set.
    pub stop: Stop,
}

/// What became of an update of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Update {
    /// Every worker uses it from now on.
    Applied,
    /// The filter refused it, with these words; the one before serves on. Envoy remembers configurations that
    /// were refused and does not ask the filter a second time; the words are those of the first time then.
    Refused(Vec<String>),
}

/// A running Envoy with its upstreams.
#[derive(Debug)]
pub struct Lab {
    // In this order they are dropped: first whoever uses the others.
    process: Mutex<Process>,
    state: Mutex<State>,
    upstreams: Mutex<BTreeMap<String, Arc<Upstream>>>,
    admin: SocketAddr,
    listener: SocketAddr,
    module: PathBuf,
    options: Options,
    files: Files,
    _folder: TempDir,
    runtime: Runtime,
}

#[derive(Debug)]
struct State {
    /// Counts what was written to the watched files: each gets a version of its own.
    version: u64,
    policy: String,
    cluster_header: String,
    /// What the filter said about policies it refused.
    refused: BTreeMap<String, Vec<String>>,
}

impl Lab {
    /// Starts Envoy with a policy (JSON; the text goes to the filter as it is) and waits until it serves.
    ///
    /// # Errors
    /// When the filter refuses the policy, and when there is no Envoy or module, or it does not start.
    pub fn start(policy: &str, options: Options) -> Result<Self, StartError> {
        let envoy = options.envoy.clone().map_or_else(find_envoy, Ok)?;
        let module = options.module.clone().map_or_else(find_module, Ok)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .context("cannot start threads")?;
        let folder = tempfile::Builder::new()
            .prefix("splitctl-lab-")
            .tempdir()
            .context("cannot make a temporary folder")?;
        let files = Files::create(folder.path()).context("cannot make a temporary folder")?;

        let named = Named::read(policy);
        let mut upstreams = BTreeMap::new();
        let clusters = named.clusters.iter().chain(&options.clusters).map(String::as_str);
        for cluster in clusters.chain([DEFAULT_CLUSTER]) {
            add_upstream(&mut upstreams, cluster, &runtime)?;
        }
        files.replace(Watched::Clusters, "1", &cluster_resources(&upstreams))?;
        let routes = xds::routes(bootstrap::ROUTES, &[&named.cluster_header], DEFAULT_CLUSTER);
        files.replace(Watched::Routes, "1", &[routes])?;
        let module_path =
            module.to_str().context("the module's path is not UTF-8, which envoy needs")?;
        let filter = xds::extension_config(module_path, policy, options.form)?;
        files.replace(Watched::Filter, "1", &[filter])?;
        let early: &[&str] =
            if options.remove_control_headers_early { &[&named.cluster_header] } else { &[] };
        let parameters = Parameters {
            port: options.port,
            placement: options.placement,
            module: &module,
            policy,
            form: options.form,
            remove_early: early,
        };
        let bootstrap = bootstrap::render(&files, &parameters)?;
        std::fs::write(files.bootstrap(), bootstrap.to_string())
            .context("cannot write the bootstrap")?;

        let concurrency = if options.concurrency == 0 { 2 } else { options.concurrency };
        let (handle, stop) = (runtime.handle(), &options.stop);
        let process = Process::start(&envoy, &files, folder.path(), concurrency, handle, stop)?;
        let lab = Self {
            admin: process.admin,
            listener: process.listener,
            process: Mutex::new(process),
            state: Mutex::new(State {
                version: 1,
                policy: policy.to_owned(),
                cluster_header: named.cluster_header,
                refused: BTreeMap::new(),
            }),
            upstreams: Mutex::new(upstreams),
            module,
            options,
            files,
            _folder: folder,
            runtime,
        };
        if lab.options.placement == Placement::Ecds {
            match lab.wait_for(&Resource::FILTER, "1", 0, 0)? {
                Update::Applied => {}
                Update::Refused(lines) => return Err(StartError::PolicyRefused(lines)),
            }
        }
        Ok(lab)
    }

    /// Replaces the policy in the running Envoy through ECDS and waits until every worker uses it, or it is
    /// refused. Clusters that the policy names for the first time get upstreams before that.
    ///
    /// # Errors
    /// When Envoy does neither within 20 seconds, or has ended.
    pub fn apply(&self, policy: &str) -> Result<Update> {
        if self.options.placement != Placement::Ecds {
            bail!(
                "a policy that is inline in the listener cannot be replaced; start the lab with ecds"
            );
        }
        let mut state = lock(&self.state);
        let named = Named::read(policy);
        {
            let mut upstreams = lock(&self.upstreams);
            let known = upstreams.len();
            for cluster in &named.clusters {
                add_upstream(&mut upstreams, cluster, &self.runtime)?;
            }
            if upstreams.len() > known {
                let resources = cluster_resources(&upstreams);
                self.push(&mut state, &Resource::CLUSTERS, &resources, false)?;
            }
        }
        let (old, new) = (state.cluster_header.clone(), named.cluster_header);
        if old != new {
            // Both names are routes while some workers have the old policy and some the new one.
            self.push_routes(&mut state, &[&new, &old])?;
        }

        let module =
            self.module.to_str().context("the module's path is not UTF-8, which envoy needs")?;
        let filter = xds::extension_config(module, policy, self.options.form)?;
        let changed = state.policy != policy;
        let update = self.push(&mut state, &Resource::FILTER, &[filter], changed)?;
        let update = match update {
            Update::Applied => {
                policy.clone_into(&mut state.policy);
                state.cluster_header.clone_from(&new);
                Update::Applied
            }
            Update::Refused(lines) if lines.is_empty() => {
                Update::Refused(state.refused.get(policy).cloned().unwrap_or_default())
            }
            Update::Refused(lines) => {
                state.refused.insert(policy.to_owned(), lines.clone());
                Update::Refused(lines)
            }
        };
        if old != new {
            let current = state.cluster_header.clone();
            self.push_routes(&mut state, &[&current])?;
        }
        Ok(update)
    }

    fn push_routes(&self, state: &mut State, cluster_headers: &[&str]) -> Result<()> {
        let routes = xds::routes(bootstrap::ROUTES, cluster_headers, DEFAULT_CLUSTER);
        match self.push(state, &Resource::ROUTES, &[routes], false)? {
            Update::Applied => Ok(()),
            Update::Refused(_) => {
                bail!("envoy refused the routes for {}; see its log", cluster_headers.join(", "))
            }
        }
    }

    /// Writes one resource file and waits for what Envoy makes of it. Only where `reloads` is set does Envoy
    /// count a reload: it skips what equals the resource it has.
    fn push(
        &self,
        state: &mut State,
        resource: &Resource,
        content: &[Value],
        reloads: bool,
    ) -> Result<Update> {
        state.version = state.version.saturating_add(1);
        let version = state.version.to_string();
        let before = self.resource_stats(resource)?;
        let reloads = before.reloads.saturating_add(u64::from(reloads));
        let log = log_length(&self.files);
        self.files.replace(resource.file, &version, content)?;
        let refused = before.refused;
        match self.wait_for(resource, &version, reloads, refused)? {
            Update::Refused(_) => Ok(Update::Refused(filter_lines(&self.files.log(), log))),
            Update::Applied => Ok(Update::Applied),
        }
    }

    fn wait_for(
        &self,
        resource: &Resource,
        version: &str,
        reloads: u64,
        refused: u64,
    ) -> Result<Update> {
        let deadline = Instant::now().checked_add(UPDATE);
        loop {
            self.check()?;
            let now = self.resource_stats(resource)?;
            if now.version == version && now.reloads >= reloads {
                return Ok(Update::Applied);
            }
            if now.refused > refused {
                return Ok(Update::Refused(filter_lines(&self.files.log(), 0)));
            }
            if self.options.stop.wait(LOOK) {
                bail!("stopped while envoy took over a change");
            }
            if deadline.is_some_and(|deadline| Instant::now() > deadline) {
                let log = indented(&tail(&self.files.log(), 0));
                bail!(
                    "envoy took no notice of a change within {UPDATE:?}; its log ends with:\n{log}"
                );
            }
        }
    }

    fn resource_stats(&self, resource: &Resource) -> Result<ResourceStats> {
        let stats = self.stats_matching(resource.stats)?;
        let number = |name: &str| stats.number(&format!("{}.{name}", resource.stats)).unwrap_or(0);
        Ok(ResourceStats {
            version: stats
                .text(&format!("{}.version_text", resource.stats))
                .unwrap_or_default()
                .to_owned(),
            reloads: number("config_reload"),
            refused: number("update_rejected").saturating_add(number("config_fail")),
        })
    }

    /// That Envoy is still running.
    ///
    /// # Errors
    /// When it has ended, with the end of its log.
    pub fn check(&self) -> Result<()> {
        lock(&self.process).check(&self.files.log())
    }

    /// Where Envoy listens for requests.
    pub fn listener(&self) -> SocketAddr {
        self.listener
    }

    /// Where Envoy's admin interface listens.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// The upstream of a cluster.
    pub fn upstream(&self, cluster: &str) -> Option<Arc<Upstream>> {
        lock(&self.upstreams).get(cluster).cloned()
    }

    /// Sends one request over a connection of its own.
    ///
    /// # Errors
    /// When there is no complete answer.
    pub fn send(&self, request: &Request) -> Result<Response> {
        self.runtime.block_on(client::send(self.listener, request))
    }

    /// Sends one request and closes the connection after a while, answered or not.
    ///
    /// # Errors
    /// When it cannot be sent at all.
    pub fn abandon(&self, request: &Request, after: Duration) -> Result<()> {
        self.runtime.block_on(client::abandon(self.listener, request, after))
    }

    /// Sends many requests over that many kept connections; the answers are in the order of the requests.
    ///
    /// # Errors
    /// With the first request that has no complete answer.
    pub fn load(&self, requests: Vec<Request>, connections: usize) -> Result<Vec<Response>> {
        let answers = self.load_with(requests, connections, |_| ControlFlow::Continue(()));
        answers
            .into_iter()
            .map(|answer| answer.unwrap_or_else(|| Err(anyhow!("not sent"))))
            .collect()
    }

    /// As [`Lab::load`], telling `progress` how many are done; it can end the load, and the requests that
    /// were not sent then have no answer.
    pub fn load_with(
        &self,
        requests: Vec<Request>,
        connections: usize,
        progress: impl Fn(usize) -> ControlFlow<()> + Send + Sync + 'static,
    ) -> Vec<Option<Result<Response>>> {
        self.runtime.block_on(client::load(self.listener, requests, connections, progress))
    }

    /// Sends these requests over and over, over that many kept connections, while other things happen.
    pub fn load_in_background(&self, requests: Vec<Request>, connections: usize) -> Background {
        let ending = Arc::new(AtomicBool::new(false));
        let (address, end) = (self.listener, Arc::clone(&ending));
        let task = self.runtime.spawn(async move {
            let mut answers = Vec::new();
            while !end.load(Ordering::Relaxed) {
                let end = Arc::clone(&end);
                let progress = move |_| match end.load(Ordering::Relaxed) {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                };
                let round = client::load(address, requests.clone(), connections, progress).await;
                answers.extend(round.into_iter().flatten());
            }
            answers
        });
        Background { ending, task, runtime: self.runtime.handle().clone() }
    }

    /// The filter's statistics, as Envoy has them now.
    ///
    /// # Errors
    /// When the admin interface does not answer.
    pub fn stats(&self) -> Result<Stats> {
        self.stats_matching("^wasmcustom")
    }

    /// The statistics that hold for `wanted`, waited for up to 5 seconds: Envoy counts a request a little
    /// after its answer, and histograms a moment later. After that time, those that are there.
    ///
    /// # Errors
    /// When the admin interface does not answer.
    pub fn stats_when(&self, wanted: impl Fn(&Stats) -> bool) -> Result<Stats> {
        let deadline = Instant::now().checked_add(Duration::from_secs(5));
        loop {
            let stats = self.stats()?;
            let late = deadline.is_some_and(|deadline| Instant::now() > deadline);
            if wanted(&stats) || late || self.options.stop.wait(LOOK) {
                return Ok(stats);
            }
        }
    }

    /// Any of Envoy's statistics, by a regular expression for their names.
    ///
    /// # Errors
    /// When the admin interface does not answer.
    pub fn stats_matching(&self, names: &str) -> Result<Stats> {
        let query = format!("/stats?format=json&histogram_buckets=detailed&filter={names}");
        Stats::parse(&self.admin_text(&query)?)
    }

    /// What Prometheus would read.
    ///
    /// # Errors
    /// When the admin interface does not answer.
    pub fn prometheus(&self) -> Result<String> {
        self.admin_text("/stats/prometheus")
    }

    /// Gets a path of Envoy's admin interface.
    ///
    /// # Errors
    /// When it does not answer, or not with 200.
    pub fn admin_text(&self, path: &str) -> Result<String> {
        self.runtime.block_on(client::fetch(self.admin, path))
    }

    /// The access log so far: one object per request that has ended. Envoy writes it some 100 ms later.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn access_log(&self) -> Result<Vec<Value>> {
        let text = std::fs::read_to_string(self.files.access_log())
            .context("cannot read the access log")?;
        // A last line without its end is still being written.
        let complete = text.rsplit_once('\n').map_or("", |(complete, _)| complete);
        complete
            .lines()
            .map(|line| serde_json::from_str(line).with_context(|| format!("not JSON: {line}")))
            .collect()
    }

    /// Envoy's whole log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.files.log()).unwrap_or_default()
    }

    /// What the filter wrote to Envoy's log, each line once.
    pub fn filter_log(&self) -> Vec<String> {
        filter_lines(&self.files.log(), 0)
    }
}

/// Requests that are sent in the background; see [`Lab::load_in_background`].
#[derive(Debug)]
pub struct Background {
    ending: Arc<AtomicBool>,
    task: JoinHandle<Vec<Result<Response>>>,
    runtime: tokio::runtime::Handle,
}

impl Background {
    /// Ends it and returns what was answered.
    ///
    /// # Panics
    /// When called inside an async task.
    pub fn finish(self) -> Vec<Result<Response>> {
        self.ending.store(true, Ordering::Relaxed);
        self.runtime.block_on(self.task).unwrap_or_default()
    }

    /// Lets it run for a while.
    pub fn keep_going(&self, time: Duration) {
        thread::sleep(time);
    }
}

/// One of the watched files and the name of its statistics.
struct Resource {
    file: Watched,
    stats: &'static str,
}

impl Resource {
    const CLUSTERS: Self = Self { file: Watched::Clusters, stats: "cluster_manager.cds" };
    const ROUTES: Self = Self { file: Watched::Routes, stats: "http.lab.rds.lab" };
    const FILTER: Self = Self {
        file: Watched::Filter,
        stats: "extension_config_discovery.http_filter.traffic_split",
    };
}

struct ResourceStats {
    version: String,
    reloads: u64,
    refused: u64,
}

/// What the lab needs to know of a policy. It is read without the engine, so that policies that are wrong can
/// be given to the filter too.
#[derive(Debug, PartialEq)]
struct Named {
    cluster_header: String,
    clusters: BTreeSet<String>,
}

impl Named {
    fn read(policy: &str) -> Self {
        let json: Value = serde_json::from_str(policy).unwrap_or_default();
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let list = |value: &Value, field: &str| {
            value.get(field).and_then(Value::as_array).cloned().unwrap_or_default()
        };
        let variants = list(&json, "splits").into_iter().flat_map(|split| list(&split, "variants"));
        let clusters = variants.filter_map(|variant| text(variant.get("cluster")));
        Self {
            cluster_header: text(json.get("cluster_header"))
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| DEFAULT_CLUSTER_HEADER.to_owned()),
            clusters: clusters.filter(|name| !name.is_empty()).collect(),
        }
    }
}

fn add_upstream(
    upstreams: &mut BTreeMap<String, Arc<Upstream>>,
    cluster: &str,
    runtime: &Runtime,
) -> Result<()> {
    if !upstreams.contains_key(cluster) {
        let upstream = Upstream::start(cluster, runtime.handle())
            .with_context(|| format!("cannot start an upstream for cluster `{cluster}`"))?;
        upstreams.insert(cluster.to_owned(), Arc::new(upstream));
    }
    Ok(())
}

fn cluster_resources(upstreams: &BTreeMap<String, Arc<Upstream>>) -> Vec<Value> {
    upstreams
        .values()
        .map(|upstream| xds::cluster(upstream.cluster(), upstream.address()))
        .collect()
}

fn log_length(files: &Files) -> u64 {
    std::fs::metadata(files.log()).map_or(0, |metadata| metadata.len())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_names_its_clusters_and_its_control_header() {
        let named = Named::read(
            r#"{"cluster_header": "x-to", "splits": [
                {"variants": [{"name": "a", "cluster": "one"}, {"name": "b"}]},
                {"variants": [{"cluster": "two"}, {"cluster": "one"}]}]}"#,
        );
        assert_eq!(named.cluster_header, "x-to");
        assert_eq!(named.clusters.into_iter().collect::<Vec<_>>(), ["one", "two"]);
    }

    #[test]
    fn a_policy_that_is_wrong_in_any_way_still_starts_a_lab() {
        for wrong in
            ["", "{", "[]", "7", r#"{"splits": 1, "cluster_header": 2}"#, r#"{"splits": [3]}"#]
        {
            let named = Named::read(wrong);
            assert_eq!(
                named,
                Named { cluster_header: "x-split-cluster".to_owned(), clusters: BTreeSet::new() }
            );
        }
    }
}
