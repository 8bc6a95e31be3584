//! What the lab's Envoy is told at its start: one listener, the filter, routes and clusters in files that are
//! watched, statistics with labels, an access log.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use engine::metrics::Metrics;
use engine::policy;
use serde_json::{Value, json};

use crate::outcomes::{self, Logger};
use crate::xds::{self, PolicyForm};

/// How often Envoy brings its workers' statistics together. Histograms are up to date only after that.
const FLUSH_MILLISECONDS: u64 = 200;

/// The name of the route table.
pub(crate) const ROUTES: &str = "lab";

/// Where the filter's configuration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Placement {
    /// In a file that Envoy watches (ECDS): it can change while Envoy runs.
    #[default]
    Ecds,
    /// In the listener itself: it cannot change while Envoy runs.
    Inline,
}

/// The files of one lab, all below one folder.
#[derive(Debug, Clone)]
pub struct Files {
    root: PathBuf,
}

/// A resource file that Envoy watches. Each is alone in its folder, because Envoy reads a file again on every
/// rename in the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Watched {
    Clusters,
    Routes,
    Filter,
}

impl Watched {
    const ALL: [Self; 3] = [Self::Clusters, Self::Routes, Self::Filter];

    const fn folder(self) -> &'static str {
        match self {
            Self::Clusters => "cds",
            Self::Routes => "rds",
            Self::Filter => "ecds",
        }
    }
}

impl Files {
    /// Makes the folders below an existing one.
    pub(crate) fn create(root: &Path) -> Result<Self> {
        for watched in Watched::ALL {
            std::fs::create_dir_all(root.join(watched.folder()))?;
        }
        Ok(Self { root: root.to_owned() })
    }

    /// Envoy's bootstrap.
    pub fn bootstrap(&self) -> PathBuf {
        self.root.join("bootstrap.json")
    }

    /// Envoy's own log, with the lines of the filter.
    pub fn log(&self) -> PathBuf {
        self.root.join("envoy.log")
    }

    /// One JSON object per request.
    pub fn access_log(&self) -> PathBuf {
        self.root.join("access.log")
    }

    /// Where Envoy writes the address of its admin interface.
    pub(crate) fn admin_address(&self) -> PathBuf {
        self.root.join("admin-address")
    }

    fn watched(&self, which: Watched) -> PathBuf {
        self.root.join(which.folder()).join("current.json")
    }

    /// Replaces a resource file.
    pub(crate) fn replace(&self, which: Watched, version: &str, resources: &[Value]) -> Result<()> {
        let response = xds::discovery_response(version, resources);
        crate::replace(&self.watched(which), &response.to_string())
    }

    fn source(&self, which: Watched) -> Result<Value> {
        let path = self.watched(which);
        let folder = self.root.join(which.folder());
        Ok(xds::watched_file(text(&path)?, text(&folder)?))
    }
}

/// What the bootstrap depends on.
#[derive(Debug, Clone)]
pub(crate) struct Parameters<'a> {
    /// The port to listen on; 0 is a free one.
    pub(crate) port: u16,
    pub(crate) placement: Placement,
    pub(crate) module: &'a Path,
    /// The first policy, for [`Placement::Inline`], and for who counts how requests end.
    pub(crate) policy: &'a str,
    pub(crate) form: PolicyForm,
    /// The environment of the module.
    pub(crate) environment: &'a [(String, String)],
    /// Headers that Envoy removes from requests before any filter runs.
    pub(crate) remove_early: &'a [&'a str],
    /// HTTP filters that run before this one.
    pub(crate) filters_before: &'a [Value],
}

/// The bootstrap as JSON.
pub(crate) fn render(files: &Files, parameters: &Parameters<'_>) -> Result<Value> {
    let filter = match parameters.placement {
        Placement::Ecds => json!({
            "name": xds::FILTER,
            "config_discovery": {
                "config_source": files.source(Watched::Filter)?,
                "type_urls": [xds::WASM_TYPE],
            },
        }),
        Placement::Inline => json!({
            "name": xds::FILTER,
            "typed_config":
                xds::with_environment(
                    xds::wasm_filter(text(parameters.module)?, parameters.policy, parameters.form)?,
                    parameters.environment,
                ),
        }),
    };
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, parameters.port));
    let listener = json!({
        "name": "lab",
        "address": xds::socket_address(listen),
        // Without this a second Envoy on the same port would silently share it.
        "enable_reuse_port": false,
        "filter_chains": [{"filters": [connections(files, &filter, parameters)?]}],
    });
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Ok(json!({
        "node": {"id": "lab", "cluster": "lab"},
        "admin": {"address": xds::socket_address(any_port)},
        "dynamic_resources": {"cds_config": files.source(Watched::Clusters)?},
        "static_resources": {"listeners": [listener]},
        "stats_config": stats_config(),
        "stats_flush_interval": format!("{}s", FLUSH_MILLISECONDS as f64 / 1000.0),
    }))
}

fn connections(files: &Files, filter: &Value, parameters: &Parameters<'_>) -> Result<Value> {
    let router = json!({
        "name": "router",
        "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
    });
    let before = parameters.filters_before.iter().cloned();
    let filters: Vec<Value> = before.chain([filter.clone(), router]).collect();
    let early: Vec<Value> = parameters
        .remove_early
        .iter()
        .map(|header| {
            json!({
                "name": "remove",
                "typed_config": {
                    "@type": concat!("type.googleapis.com/envoy.extensions.http",
                        ".early_header_mutation.header_mutation.v3.HeaderMutation"),
                    "mutations": [{"remove": header}],
                },
            })
        })
        .collect();
    Ok(json!({
        "name": "http",
        "typed_config": {
            "@type": concat!("type.googleapis.com/envoy.extensions.filters.network",
                ".http_connection_manager.v3.HttpConnectionManager"),
            "stat_prefix": "lab",
            "codec_type": "AUTO",
            "access_log": access_logs(files, parameters.policy)?,
            "early_header_mutation_extensions": early,
            "http_filters": filters,
            "rds": {"route_config_name": ROUTES, "config_source": files.source(Watched::Routes)?},
        },
    }))
}

/// The log file, and the loggers that count where the first policy wants it so.
fn access_logs(files: &Files, policy: &str) -> Result<Vec<Value>> {
    let mut all = vec![access_log(&files.access_log())?];
    if let Some(policy) = policy::from_json(policy.as_bytes()).policy {
        all.extend(outcomes::access_loggers(&policy, |_| false).iter().map(Logger::to_value));
    }
    Ok(all)
}

fn access_log(path: &Path) -> Result<Value> {
    Ok(json!({
        "name": "file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": text(path)?,
            "log_format": {"json_format": {
                "time": "%START_TIME%",
                "method": "%REQ(:METHOD)%",
                "host": "%REQ(:AUTHORITY)%",
                "path": "%REQ(:PATH)%",
                "code": "%RESPONSE_CODE%",
                "flags": "%RESPONSE_FLAGS%",
                "route": "%ROUTE_NAME%",
                "cluster": "%UPSTREAM_CLUSTER_RAW%",
                "split": format!("%FILTER_STATE(wasm.{}:PLAIN)%", xds::FILTER),
                "evidence": xds::evidence_in_logs(),
            }},
        },
    }))
}

/// Metrics with labels, and duration buckets that suit them.
fn stats_config() -> Value {
    let tag = |label| json!({"tag_name": label, "regex": xds::label_regex(label)});
    json!({
        "stats_tags": Metrics::LABELS.map(tag),
        "histogram_bucket_settings": [{
            "match": {"safe_regex": {"regex": xds::durations()}},
            "buckets": xds::DURATION_BUCKETS,
        }],
    })
}

fn text(path: &Path) -> Result<&str> {
    path.to_str()
        .with_context(|| format!("the path {} is not UTF-8, which Envoy needs", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(placement: Placement, remove_early: &[&str]) -> Value {
        let files = Files { root: PathBuf::from("/lab") };
        let parameters = Parameters {
            port: 10000,
            placement,
            module: Path::new("/lab/m.wasm"),
            policy: "{\"version\": 1}",
            form: PolicyForm::String,
            environment: &[],
            remove_early,
            filters_before: &[],
        };
        render(&files, &parameters).unwrap()
    }

    fn http(bootstrap: &Value, pointer: &str) -> Option<Value> {
        let at = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
        bootstrap.pointer(&format!("{at}{pointer}")).cloned()
    }

    #[test]
    fn the_filter_comes_from_a_watched_file_unless_it_is_inline() {
        let ecds = rendered(Placement::Ecds, &[]);
        let source =
            http(&ecds, "/http_filters/0/config_discovery/config_source/path_config_source")
                .unwrap();
        assert_eq!(source["path"], "/lab/ecds/current.json");
        assert_eq!(source["watched_directory"]["path"], "/lab/ecds");

        let inline = rendered(Placement::Inline, &[]);
        let value =
            http(&inline, "/http_filters/0/typed_config/config/configuration/value").unwrap();
        assert_eq!(value, "{\"version\": 1}");
    }

    #[test]
    fn headers_are_removed_early_only_on_demand() {
        let early = "/early_header_mutation_extensions";
        assert_eq!(http(&rendered(Placement::Ecds, &[]), early), Some(json!([])));
        let removing = rendered(Placement::Ecds, &["x-split-cluster"]);
        let first = http(&removing, &format!("{early}/0/typed_config/mutations/0")).unwrap();
        assert_eq!(first, json!({"remove": "x-split-cluster"}));
    }

    #[test]
    fn a_resource_file_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::create(folder.path()).unwrap();
        files.replace(Watched::Routes, "1", &[json!({"name": "a"})]).unwrap();
        files.replace(Watched::Routes, "2", &[json!({"name": "b"})]).unwrap();
        let names: Vec<_> = std::fs::read_dir(folder.path().join("rds")).unwrap().collect();
        assert_eq!(names.len(), 1);
        let text = std::fs::read_to_string(files.watched(Watched::Routes)).unwrap();
        assert_eq!(text, r#"{"resources":[{"name":"b"}],"version_info":"2"}"#);
    }
}
