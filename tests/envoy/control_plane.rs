//! An Envoy as a control plane feeds it: its listener (LDS) and its plugins (ECDS) come from files that it watches,
//! each of which may change alone. The [lab](lab::Lab) has one listener for good.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::ControlFlow;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use harness::wait_for;
use lab::upstream::Upstream;
use lab::{DEFAULT_CLUSTER, Guarded, PolicyForm, Request, Response, Stats, client, xds};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::bench::{POLICY_HASH, WEIGHT};
use crate::native::Native;

/// How long anything may take that Envoy does in some milliseconds.
pub(crate) const SOON: Duration = Duration::from_secs(20);
/// The clusters, besides the default one, that have an upstream.
const CLUSTERS: [&str; 4] = ["checkout-v1", "checkout-v2", "search-v1", "search-v2"];
/// How many lines of Envoy's log a failing test shows.
const TAIL: usize = 60;
const REFUSED: &str = "traffic_split_policy_refused";

/// What Envoy starts with.
#[derive(Default)]
pub(crate) struct Setup<'a> {
    pub(crate) listener: Value,
    /// Other resources in watched files, by the names of their folders.
    pub(crate) resources: &'a [(&'a str, Value)],
    /// Other names of clusters.
    pub(crate) aliases: &'a [(&'a str, &'a str)],
    /// What [`discovered`] filters are, by their names.
    pub(crate) plugins: &'a [(&'a str, Value)],
    /// The listener is in the bootstrap, for good.
    pub(crate) is_static: bool,
}

/// A running Envoy with two workers.
pub(crate) struct Proxy {
    // In this order they are dropped.
    running: Mutex<Guarded>,
    upstreams: Vec<Upstream>,
    pub(crate) admin: SocketAddr,
    pub(crate) listener: SocketAddr,
    /// Counts what was written to the watched files: each gets a version of its own.
    versions: AtomicU64,
    pub(crate) runtime: Runtime,
    folder: TempDir,
}

/// A listener with these HTTP filters, on a free port.
pub(crate) fn listener(filters: &[Value]) -> Value {
    listener_by(&["x-split-cluster"], filters)
}

/// The same with routes by other headers.
pub(crate) fn listener_by(cluster_headers: &[&str], filters: &[Value]) -> Value {
    let mut routes = xds::routes("all", cluster_headers, &[], DEFAULT_CLUSTER);
    routes.as_object_mut().unwrap().remove("@type");
    let router = filter(
        "router",
        &json!({"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}),
    );
    let filters: Vec<&Value> = filters.iter().chain([&router]).collect();
    json!({
        "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
        "name": "lab",
        "address": xds::socket_address(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
        "enable_reuse_port": false,
        "filter_chains": [{"filters": [{
            "name": "http",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                "stat_prefix": "lab",
                "http_filters": filters,
                "route_config": routes,
            },
        }]}],
    })
}

/// An HTTP filter in the listener itself.
pub(crate) fn filter(name: &str, typed_config: &Value) -> Value {
    json!({"name": name, "typed_config": typed_config})
}

/// An HTTP filter that comes from a watched file.
pub(crate) fn discovered(name: &str) -> Value {
    let (path, folder) = (format!("{name}/current.json"), name);
    json!({"name": name, "config_discovery": {
        "config_source": xds::watched_file(&path, folder),
        "type_urls": [xds::WASM_TYPE],
    }})
}

/// The splitter's typed configuration with a policy, which may be no policy at all.
pub(crate) fn splitter(policy: &Value) -> Value {
    splitter_of(policy, PolicyForm::String)
}

pub(crate) fn splitter_of(policy: &Value, form: PolicyForm) -> Value {
    let module = harness::module::path();
    xds::wasm_filter(module.to_str().unwrap(), &policy.to_string(), form).unwrap()
}

/// What Istio makes of an AuthorizationPolicy that denies a path.
pub(crate) fn deny(path: &str) -> Value {
    filter(
        "deny",
        &json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
            "rules": {"action": "DENY", "policies": {"path": {
                "permissions": [{"url_path": {"path": {"exact": path}}}],
                "principals": [{"any": true}],
            }}},
        }),
    )
}

/// Looks until there is something, or too long.
pub(crate) fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    wait_for(what, SOON, look)
}

impl Proxy {
    /// One whose listener is watched, with these filters in it.
    pub(crate) fn inline(filters: &[Value]) -> Self {
        Self::start(&Setup { listener: listener(filters), ..Setup::default() })
    }

    /// One with the splitter from a watched file.
    pub(crate) fn discovering(splitter: Value) -> Self {
        let listener = listener(&[discovered(xds::FILTER)]);
        Self::start(&Setup { listener, plugins: &[(xds::FILTER, splitter)], ..Setup::default() })
    }

    pub(crate) fn start(setup: &Setup<'_>) -> Self {
        let envoy = lab::find_envoy().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let start = |name: &str| Upstream::start(name, runtime.handle()).unwrap();
        let upstreams: Vec<Upstream> =
            CLUSTERS.into_iter().chain([DEFAULT_CLUSTER]).map(start).collect();
        let named = CLUSTERS.into_iter().chain([DEFAULT_CLUSTER]).map(|name| (name, name));
        let cluster = |(name, cluster): (&str, &str)| {
            let upstream = upstreams.iter().find(|upstream| upstream.cluster() == cluster);
            let mut cluster = xds::cluster(name, upstream.unwrap().address());
            cluster.as_object_mut().unwrap().remove("@type");
            cluster
        };
        let clusters: Vec<Value> =
            named.chain(setup.aliases.iter().copied()).map(cluster).collect();

        let mut bootstrap = json!({
            "node": {"id": "lab", "cluster": "lab"},
            "admin": {"address": xds::socket_address(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))},
            "static_resources": {"clusters": clusters},
        });
        if setup.is_static {
            let mut listener = setup.listener.clone();
            listener.as_object_mut().unwrap().remove("@type");
            bootstrap["static_resources"]["listeners"] = json!([listener]);
        } else {
            bootstrap["dynamic_resources"] =
                json!({"lds_config": xds::watched_file("lds/current.json", "lds")});
            write(&folder, "lds", "1", &setup.listener);
        }
        for (name, resource) in setup.resources {
            write(&folder, name, "1", resource);
        }
        for (name, config) in setup.plugins {
            write(&folder, name, "1", &extension(name, config));
        }
        std::fs::write(path("bootstrap.json"), bootstrap.to_string()).unwrap();

        // The paths of the watched files are relative to the folder.
        let mut command = Command::new("env");
        command.arg("-C").arg(folder.path()).arg(envoy);
        command.args(["--config-path", "bootstrap.json", "--admin-address-path", "admin"]);
        command.args(["--concurrency", "2", "--disable-hot-restart", "--drain-time-s", "2"]);
        let log = File::create(path("envoy.log")).unwrap();
        let running = Guarded::start(&command, log, None).unwrap();
        let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let mut proxy = Self {
            running: Mutex::new(running),
            upstreams,
            admin: nowhere,
            listener: nowhere,
            versions: AtomicU64::new(1),
            runtime,
            folder,
        };
        proxy.admin = until("envoy starts", || {
            proxy.assert_is_running();
            std::fs::read_to_string(proxy.folder.path().join("admin")).ok()?.trim().parse().ok()
        });
        proxy.listener = until("envoy listens", || {
            proxy.assert_is_running();
            proxy.admin_text("/ready")?;
            let text = proxy.admin_text("/listeners?format=json")?;
            let listeners: Value = serde_json::from_str(&text).ok()?;
            let port = "/listener_statuses/0/local_address/socket_address/port_value";
            let port = u16::try_from(listeners.pointer(port)?.as_u64()?).ok()?;
            Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        });
        proxy
    }

    fn assert_is_running(&self) {
        let ended = self.running.lock().unwrap().ended().unwrap();
        assert!(ended.is_none(), "envoy ended: {ended:?}");
    }

    /// Replaces the listener; whether Envoy accepts it.
    pub(crate) fn put_listener(&self, listener: &Value) -> bool {
        self.put("lds", listener, "listener_manager.lds")
    }

    /// Replaces the listener by one with these filters, which Envoy must accept.
    pub(crate) fn put_filters(&self, filters: &[Value]) {
        assert!(self.put_listener(&listener(filters)), "the listener is rejected");
    }

    /// Waits until what a new listener took the place of has no connection any more.
    pub(crate) fn drain(&self) {
        until("old connections are drained", || {
            let stats = self.stats("listener_manager.total_");
            let draining = ["listeners", "filter_chains"]
                .map(|what| stats.number(&format!("listener_manager.total_{what}_draining")));
            (draining == [Some(0), Some(0)]).then_some(())
        });
    }

    /// Replaces a [`discovered`] filter; whether Envoy accepts it.
    pub(crate) fn put_plugin(&self, name: &str, typed_config: &Value) -> bool {
        let stats = format!("extension_config_discovery.http_filter.{name}");
        self.put(name, &extension(name, typed_config), &stats)
    }

    /// Replaces the splitter's policy in its watched file, which Envoy must accept.
    pub(crate) fn put_policy(&self, policy: &Value) {
        assert!(self.put_plugin(xds::FILTER, &splitter(policy)), "rejected: {policy}");
    }

    /// Replaces it where no listener asks for it now.
    pub(crate) fn leave_policy(&self, policy: &Value) {
        let extension = extension(xds::FILTER, &splitter(policy));
        write(&self.folder, xds::FILTER, &self.version(), &extension);
    }

    fn version(&self) -> String {
        self.versions.fetch_add(1, Ordering::Relaxed).wrapping_add(1).to_string()
    }

    fn put(&self, file: &str, resource: &Value, stats: &str) -> bool {
        let version = self.version();
        let rejected = || {
            let now = self.stats(stats);
            let number = |name: &str| now.number(&format!("{stats}.{name}")).unwrap_or(0);
            (number("update_rejected") + number("config_fail"), now)
        };
        let (before, _) = rejected();
        write(&self.folder, file, &version, resource);
        until("envoy takes notice of a change", || {
            self.assert_is_running();
            let (rejected, now) = rejected();
            let is_accepted = now.text(&format!("{stats}.version_text")) == Some(version.as_str());
            (is_accepted || rejected > before).then_some(is_accepted && rejected == before)
        })
    }

    /// Sends a request over a connection of its own.
    pub(crate) fn send(&self, request: &Request) -> Response {
        self.runtime.block_on(client::send(self.listener, request)).unwrap()
    }

    /// Sends requests over kept connections.
    pub(crate) fn load(&self, requests: Vec<Request>) -> Vec<Response> {
        let go_on = |_| ControlFlow::Continue(());
        let answers = self.runtime.block_on(client::load(self.listener, requests, 4, go_on));
        answers.into_iter().map(|answer| answer.unwrap().unwrap()).collect()
    }

    pub(crate) fn upstream(&self, cluster: &str) -> &Upstream {
        self.upstreams.iter().find(|upstream| upstream.cluster() == cluster).unwrap()
    }

    pub(crate) fn admin_text(&self, path: &str) -> Option<String> {
        self.runtime.block_on(client::fetch(self.admin, path)).ok()
    }

    /// Envoy's statistics whose names contain this.
    pub(crate) fn stats(&self, name: &str) -> Stats {
        let name = name.replace('/', "%2F").replace('~', "%7E");
        let text = self
            .admin_text(&format!("/stats?format=json&histogram_buckets=detailed&filter={name}"));
        Stats::parse(&text.unwrap()).unwrap()
    }

    /// The value of one of the splitter's metrics.
    pub(crate) fn metric(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        self.stats("wasmcustom").sum(name, labels)
    }

    pub(crate) fn is_refused(&self) -> bool {
        self.metric(REFUSED, &[]) == 1
    }

    pub(crate) fn weight(&self, variant: &str) -> u64 {
        self.metric(WEIGHT, &[("variant", variant)])
    }

    /// Waits until a policy is in force, and none refused.
    pub(crate) fn wait_for(&self, policy: &Value) {
        let hash = Native::new(policy).hash;
        until("the policy is in force", || {
            let stats = self.stats("wasmcustom");
            let is = (stats.sum(REFUSED, &[]), stats.sum(POLICY_HASH, &[]));
            (is == (0, hash)).then_some(())
        });
    }

    /// Waits until a policy is refused, with this one serving, or none.
    pub(crate) fn wait_for_refusal(&self, serving: Option<&Value>) {
        let hash = serving.map_or(0, |policy| Native::new(policy).hash);
        until("a policy is refused", || {
            let stats = self.stats("wasmcustom");
            let is = (stats.sum(REFUSED, &[]), stats.sum(POLICY_HASH, &[]));
            (is == (1, hash)).then_some(())
        });
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("envoy.log")).unwrap_or_default()
    }
}

fn extension(name: &str, typed_config: &Value) -> Value {
    json!({
        "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
        "name": name,
        "typed_config": typed_config,
    })
}

/// Replaces a watched file, which is alone in its folder.
fn write(folder: &TempDir, name: &str, version: &str, resource: &Value) {
    let folder = folder.path().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let response = xds::discovery_response(version, std::slice::from_ref(resource));
    lab::replace(&folder.join("current.json"), &response.to_string()).unwrap();
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if thread::panicking() {
            let log = self.log();
            // Without access logs.
            let lines: Vec<&str> = log.lines().filter(|line| !line.starts_with('{')).collect();
            eprintln!("envoy's log ends with:");
            lines.iter().skip(lines.len().saturating_sub(TAIL)).for_each(|l| eprintln!("  {l}"));
        }
    }
}
