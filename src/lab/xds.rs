//! The resources that Envoy reads: the filter with its policy, clusters, routes, and the responses that
//! carry them in files. Pure functions from values to JSON.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use base64::Engine as _;
use engine::metrics::Metrics;
use engine::policy::Policy;
use serde_json::{Value, json};

/// The name of the filter in Envoy's configuration; its statistics are named after it.
pub const FILTER: &str = "traffic_split";

/// The type of the filter's configuration, which an ECDS consumer must announce.
pub const WASM_TYPE: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";

/// A regular expression for the names of the histograms of durations: the filter's have labels before that, an access
/// logger's behind.
pub fn durations() -> String {
    format!(r"wasmcustom\..*{}.*", Metrics::DURATION)
}

/// The upper bounds of their buckets on `/stats/prometheus`: as fine as latencies differ, as few as a scrape
/// can bear.
pub const DURATION_BUCKETS: [f64; 24] = [
    0.5, 1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 50.0, 75.0, 100.0, 150.0, 200.0, 300.0,
    500.0, 750.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0, 30_000.0, 60_000.0,
];

/// A regular expression that takes a label out of `split=.=checkout;.;variant=.=canary;.;traffic_split_weight`.
pub fn label_regex(label: &str) -> String {
    format!(r"({label}=\.=(.*?);\.;)")
}

/// How an access log shows the variants: by the header that lists them, or where that is off by the filter state.
pub fn variants_in_logs(policy: &Policy) -> String {
    match &policy.variant_header {
        Some(header) => format!("%REQ({header})%"),
        None => format!("%FILTER_STATE(wasm.{}:PLAIN)%", FILTER),
    }
}

/// How an access log shows why a request has its variants, where the policy has `filter_state: evidence`.
pub fn evidence_in_logs() -> String {
    format!("%FILTER_STATE(wasm.{FILTER}_evidence:PLAIN)%")
}

/// The protobuf message in which the policy goes to Envoy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PolicyForm {
    /// `google.protobuf.StringValue` with the policy as JSON text, which reaches the filter unchanged. Istio's
    /// `pluginConfig` comes this way too.
    #[default]
    String,
    /// `google.protobuf.Struct`. Its documentation promises JSON, and Envoy 1.40 hands over protobuf's binary
    /// form; the filter reads both.
    Struct,
    /// `google.protobuf.BytesValue` with the policy as JSON text, which reaches the filter unchanged.
    Bytes,
}

/// The Wasm filter's typed configuration. An empty policy text is no configuration at all.
///
/// # Errors
/// When the policy is to be a Struct and is not JSON.
pub fn wasm_filter(module: &str, policy: &str, form: PolicyForm) -> Result<Value> {
    let configuration = match form {
        _ if policy.is_empty() => Value::Null,
        PolicyForm::String => {
            json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": policy})
        }
        PolicyForm::Bytes => {
            let value = base64::engine::general_purpose::STANDARD.encode(policy);
            json!({"@type": "type.googleapis.com/google.protobuf.BytesValue", "value": value})
        }
        PolicyForm::Struct => {
            let value: Value = serde_json::from_str(policy).context("a Struct must be JSON")?;
            json!({"@type": "type.googleapis.com/google.protobuf.Struct", "value": value})
        }
    };
    let mut config = json!({
        "name": FILTER,
        "root_id": FILTER,
        "vm_config": {
            // One id for every version of the policy: Envoy then configures the VM that is running instead
            // of starting another.
            "vm_id": FILTER,
            "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": {"filename": module}},
        },
        // Should the module ever panic, the worker gets a new VM after a second instead of answering 503
        // to everything from then on.
        "failure_policy": "FAIL_RELOAD",
        "reload_config": {"backoff": {"base_interval": "1s"}},
    });
    if let (Value::Object(fields), false) = (&mut config, configuration.is_null()) {
        fields.insert("configuration".to_owned(), configuration);
    }
    Ok(json!({"@type": WASM_TYPE, "config": config}))
}

/// The filter as a resource of Envoy's extension config discovery (ECDS).
///
/// # Errors
/// As [`wasm_filter`].
pub fn extension_config(module: &str, policy: &str, form: PolicyForm) -> Result<Value> {
    Ok(json!({
        "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
        "name": FILTER,
        "typed_config": wasm_filter(module, policy, form)?,
    }))
}

/// Gives the VM of a filter's typed configuration an environment.
pub fn with_environment(mut filter: Value, variables: &[(String, String)]) -> Value {
    let vm = filter.pointer_mut("/config/vm_config").and_then(Value::as_object_mut);
    if let (Some(vm), false) = (vm, variables.is_empty()) {
        let values: serde_json::Map<String, Value> =
            variables.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        vm.insert("environment_variables".to_owned(), json!({"key_values": values}));
    }
    filter
}

/// The content of a file that Envoy watches. The version shows in Envoy's statistics once it is accepted.
pub fn discovery_response(version: &str, resources: &[Value]) -> Value {
    json!({"version_info": version, "resources": resources})
}

/// A config source that watches a file in a folder of its own, to be replaced by rename.
pub fn watched_file(path: &str, folder: &str) -> Value {
    json!({"path_config_source": {"path": path, "watched_directory": {"path": folder}}})
}

/// A cluster with one fixed address.
pub fn cluster(name: &str, address: SocketAddr) -> Value {
    // The defaults (1024) would turn a burst into 503s that have nothing to do with the split.
    let limits =
        json!({"max_connections": 65536, "max_pending_requests": 65536, "max_requests": 65536});
    json!({
        "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "circuit_breakers": {"thresholds": [limits]},
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": socket_address(address)}}]}],
        },
    })
}

/// The pair of routes that the filter needs: first, for each name, one for requests that carry it as
/// `cluster_header`, which goes to the cluster named there; then the default cluster for all others. A route
/// with `cluster_header` alone would answer 503 wherever the filter names no cluster. All of them send a copy of
/// the request to the cluster that a mirror header names, where there is one, and follow redirects of an upstream.
pub fn routes(
    name: &str,
    cluster_headers: &[&str],
    mirror_headers: &[&str],
    default_cluster: &str,
) -> Value {
    let mirrors: Vec<Value> = mirror_headers.iter().map(|header| mirror_policy(header)).collect();
    let redirects = json!({"max_internal_redirects": 3});
    let mut routes: Vec<Value> = cluster_headers
        .iter()
        .map(|header| {
            json!({
                "name": "by-cluster-header",
                "match": {"prefix": "/", "headers": [{"name": header, "present_match": true}]},
                "route": {
                    "cluster_header": header,
                    "request_mirror_policies": mirrors,
                    "internal_redirect_policy": redirects,
                },
            })
        })
        .collect();
    routes.push(json!({
        "name": "default",
        "match": {"prefix": "/"},
        "route": {
            "cluster": default_cluster,
            "request_mirror_policies": mirrors,
            "internal_redirect_policy": redirects,
        },
    }));
    json!({
        "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
        "name": name,
        "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}],
    })
}

/// A copy goes to the cluster that this header names, for the host that the request was for: Envoy would append `-shadow`.
pub fn mirror_policy(header: &str) -> Value {
    json!({"cluster_header": header, "disable_shadow_host_suffix_append": true})
}

/// `config.core.v3.Address` of a TCP socket.
pub fn socket_address(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}})
}

#[cfg(test)]
mod tests {
    use policy_text::source::Source;

    use super::*;

    fn configuration(policy: &str, form: PolicyForm) -> Option<Value> {
        let filter = wasm_filter("m.wasm", policy, form).unwrap();
        filter.pointer("/config/configuration").cloned()
    }

    #[test]
    fn an_ecds_file_in_json_is_read_as_a_carrier_of_its_policy() {
        let policy = r#"{"version":1,"splits":[]}"#;
        let config = extension_config("m.wasm", policy, PolicyForm::default()).unwrap();
        let text = discovery_response("1", &[config]);
        let source = Source::new("ecds.json", &text.to_string());
        assert!(source.policy().unwrap().value.field("splits").is_some());
    }

    #[test]
    fn the_policy_goes_as_text_unchanged() {
        let sent = configuration("{\"b\": 1, \"a\": 2}", PolicyForm::String).unwrap();
        assert_eq!(sent["value"], "{\"b\": 1, \"a\": 2}");
        assert_eq!(configuration("{}", PolicyForm::Bytes).unwrap()["value"], "e30=");
        assert_eq!(configuration("{\"a\": 2}", PolicyForm::Struct).unwrap()["value"]["a"], 2);
    }

    #[test]
    fn an_empty_policy_is_no_configuration() {
        assert_eq!(configuration("", PolicyForm::String), None);
        assert_eq!(configuration("", PolicyForm::Struct), None);
    }

    #[test]
    fn a_struct_that_is_not_json_is_an_error() {
        assert!(wasm_filter("m.wasm", "{", PolicyForm::Struct).is_err());
    }

    #[test]
    fn the_default_route_comes_last() {
        let table = routes("lab", &["x-new", "x-old"], &["x-copy"], "default");
        let routes = table.pointer("/virtual_hosts/0/routes").unwrap().as_array().unwrap();
        assert_eq!(routes.len(), 3);
        assert_eq!(routes[0]["route"]["cluster_header"], "x-new");
        assert_eq!(routes[2]["route"]["cluster"], "default");
        assert_eq!(routes[2]["match"], json!({"prefix": "/"}));
        for route in routes {
            let mirrors = &route["route"]["request_mirror_policies"];
            assert_eq!(*mirrors, json!([mirror_policy("x-copy")]));
        }
    }
}
