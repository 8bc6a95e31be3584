//! The lab: a real Envoy with the filter, and one upstream per cluster, all on the loopback. `splitctl run`
//! shows policies in it; the end-to-end tests run in it.
//!
//! ```no_run
//! use lab::{Lab, Options, Request};
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
mod envoy;
mod find;
mod guard;
mod named;
pub mod outcomes;
mod replace;
pub mod stats;
pub mod stop;
mod update;
pub mod upstream;
pub mod xds;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

pub use bootstrap::Placement;
use bootstrap::{Files, Parameters, Watched};
pub use client::{Echo, Request, Response};
pub use envoy::StartError;
use envoy::{LOOK, Process, filter_lines};
pub use find::{find_envoy, find_module, find_prometheus};
pub use guard::Guarded;
use named::{Named, RouteHeaders};
pub use replace::replace;
pub use stats::{Histogram, Stats};
pub use stop::Stop;
pub use update::Update;
use update::{Resource, ResourceStats, State};
pub use upstream::Behavior;
use upstream::Upstream;
pub use xds::PolicyForm;

/// The cluster of requests for which the filter names none.
pub const DEFAULT_CLUSTER: &str = "default";

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
    /// The environment of the module, such as `TRAFFIC_SPLIT_ON_REFUSED_POLICY`.
    pub environment: Vec<(String, String)>,
    /// HTTP filters that run before the splitter, such as authentication.
    pub filters_before: Vec<Value>,
    /// Clusters that get an upstream besides those the policy names.
    pub clusters: Vec<String>,
    /// Envoy, if it is not the one that [`find_envoy`] finds.
    pub envoy: Option<PathBuf>,
    /// The module, if it is not the one that [`find_module`] finds.
    pub module: Option<PathBuf>,
    /// Ends every wait when it is set.
    pub stop: Stop,
}

/// The filter as a resource of extension config discovery.
fn extension(module: &str, policy: &str, options: &Options) -> Result<Value> {
    let mut resource = xds::extension_config(module, policy, options.form)?;
    if let Some(filter) = resource.get_mut("typed_config") {
        *filter = xds::with_environment(filter.take(), &options.environment);
    }
    Ok(resource)
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

impl Lab {
    /// Starts Envoy with a policy (JSON; the text goes to the filter as it is) and waits until it serves.
    ///
    /// # Errors
    /// When there is no Envoy or module, or it does not start; it also does not where the environment has the
    /// filter reject a policy at Envoy's interface.
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
        let routes = route_table(&[&named.headers]);
        files.replace(Watched::Routes, "1", &[routes])?;
        let module_path =
            module.to_str().context("the module's path is not UTF-8, which envoy needs")?;
        let filter = extension(module_path, policy, &options)?;
        files.replace(Watched::Filter, "1", &[filter])?;
        let early: &[&str] = if options.remove_control_headers_early {
            &[&named.headers.cluster, &named.headers.mirror]
        } else {
            &[]
        };
        let parameters = Parameters {
            port: options.port,
            placement: options.placement,
            module: &module,
            policy,
            form: options.form,
            environment: &options.environment,
            remove_early: early,
            filters_before: &options.filters_before,
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
            state: Mutex::new(State::starting(policy, named.headers)),
            upstreams: Mutex::new(upstreams),
            module,
            options,
            files,
            _folder: folder,
            runtime,
        };
        if lab.options.placement == Placement::Ecds {
            match lab.wait_for(&Resource::FILTER, &ResourceStats::started(), 0)? {
                Update::Applied => {}
                Update::Refused(lines) => return Err(StartError::PolicyRefused(lines)),
            }
        }
        let started = lab.settle(policy, 0, 0)?;
        if let Update::Refused(lines) = started {
            lock(&lab.state).start_refused(lines);
        }
        Ok(lab)
    }

    /// What the filter said of the policy that Envoy started with, where it refused that: then no split
    /// applies until a good one comes.
    pub fn refused_at_start(&self) -> Option<Vec<String>> {
        lock(&self.state).refused_at_start()
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

/// Routes by all of these headers.
fn route_table(headers: &[&RouteHeaders]) -> Value {
    let mut clusters: Vec<&str> = headers.iter().map(|headers| headers.cluster.as_str()).collect();
    let mut mirrors: Vec<&str> = headers.iter().map(|headers| headers.mirror.as_str()).collect();
    // One header twice would be two copies.
    clusters.dedup();
    mirrors.dedup();
    xds::routes(bootstrap::ROUTES, &clusters, &mirrors, DEFAULT_CLUSTER)
}

fn cluster_resources(upstreams: &BTreeMap<String, Arc<Upstream>>) -> Vec<Value> {
    upstreams
        .values()
        .map(|upstream| xds::cluster(upstream.cluster(), upstream.address()))
        .collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
