//! What Istio's control plane makes of the manifests, and an Envoy that runs it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;

use harness::wait_for;
use policy_text::source::{Source, to_json};
use serde_json::{Value, json};

use crate::tools::{Running, SOON, get};

/// The documents of a YAML file that are not empty.
pub(crate) fn documents(name: &str, text: &str) -> Vec<Value> {
    let values = Source::new(name, text).values().unwrap_or_else(|e| panic!("{name}: {e:?}"));
    let parse = |value| serde_json::from_str(&to_json(value).unwrap()).unwrap();
    values.iter().map(parse).filter(|document: &Value| !document.is_null()).collect()
}

/// The first document of a kind.
pub(crate) fn of_kind<'d>(documents: &'d [Value], kind: &str) -> &'d Value {
    documents.iter().find(|document| document["kind"] == kind).unwrap()
}

/// What Istio makes of a WasmPlugin (its pilot/pkg/model/extensions.go), with the module's file in place
/// of its address as the agent puts it.
pub(crate) fn extension_config(plugin: &Value, configuration: &Value) -> Value {
    let [name, namespace] = ["name", "namespace"].map(|f| plugin["metadata"][f].as_str().unwrap());
    let module = lab::find_module().unwrap();
    let environment = plugin.pointer("/spec/vmConfig/env").and_then(Value::as_array);
    let variable = |v: &Value| (v["name"].as_str().unwrap().to_owned(), v["value"].clone());
    let environment: BTreeMap<_, _> = environment.into_iter().flatten().map(variable).collect();
    json!({
        "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
        "name": format!("extensions.istio.io/wasmplugin/{namespace}.{name}"),
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": format!("{namespace}.{name}"),
                "root_id": plugin["spec"]["pluginName"],
                "configuration": configuration,
                "vm_config": {
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": {"local": {"filename": module}},
                    "environment_variables": {"key_values": environment},
                },
                "failure_policy": plugin["spec"]["failStrategy"],
            },
        },
    })
}

/// `pluginConfig` as JSON text in a StringValue; every number is printed as a double, in the way that is asked for.
pub(crate) fn string_value(policy: &Value, double: fn(f64) -> String) -> Value {
    fn print(value: &Value, double: fn(f64) -> String) -> String {
        match value {
            Value::Number(number) => double(number.as_f64().unwrap()),
            Value::Array(items) => {
                let items: Vec<_> = items.iter().map(|item| print(item, double)).collect();
                format!("[{}]", items.join(","))
            }
            Value::Object(fields) => {
                let field = |(name, value): (&String, &Value)| {
                    format!("{}:{}", Value::from(name.as_str()), print(value, double))
                };
                format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(","))
            }
            simple => simple.to_string(),
        }
    }
    let value = print(policy, double);
    json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": value})
}

/// The conditions of a VirtualService's route as Istio gives them to a gateway.
pub(crate) fn matched(route: &Value) -> Value {
    let mut matched = json!({"prefix": "/"});
    if let Some(headers) = route.pointer("/match/0/headers").and_then(Value::as_object) {
        let header = |(name, test): (&String, &Value)| match test.get("regex") {
            Some(regex) => json!({"name": name, "string_match": {"safe_regex": {"regex": regex}}}),
            None => json!({"name": name, "present_match": true}),
        };
        matched["headers"] = headers.iter().map(header).collect();
        matched["case_sensitive"] = true.into();
    }
    matched
}

/// A real Envoy with the filter from ECDS.
pub(crate) struct Gateway {
    _running: Running,
    pub(crate) admin: SocketAddr,
    pub(crate) listener: SocketAddr,
    folder: tempfile::TempDir,
}

/// What else a gateway has.
#[derive(Debug, Default)]
pub(crate) struct More {
    pub(crate) clusters: Vec<Value>,
    /// Envoy's own defaults where there is none.
    pub(crate) stats_config: Option<Value>,
    /// HTTP filters that run after the plugin.
    pub(crate) filters_after: Vec<Value>,
    /// Fields of the connection manager.
    pub(crate) manager: serde_json::Map<String, Value>,
}

impl Gateway {
    pub(crate) fn start(extension: &Value, routes: &[Value]) -> Self {
        Self::with(extension, routes, More::default())
    }

    /// Every answer has the name of its route as `x-route`.
    pub(crate) fn with(extension: &Value, routes: &[Value], more: More) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ecds = folder.path().join("ecds.json");
        let response = json!({"version_info": "1", "resources": [extension]});
        std::fs::write(&ecds, response.to_string()).unwrap();
        let any = json!({"socket_address": {"address": "127.0.0.1", "port_value": 0}});
        let wasm = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
        let rbac = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC";
        let mut manager = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "gateway",
            "http_filters": [
                {"name": extension["name"], "config_discovery": {
                    "config_source": {"path_config_source": {"path": ecds}, "initial_fetch_timeout": "0s"},
                    // RBAC, for what the agent sends where a module cannot be had and failStrategy is FAIL_OPEN.
                    "type_urls": [wasm, rbac],
                }},
                {"name": "envoy.filters.http.router", "typed_config":
                    {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}},
            ],
            "route_config": {
                "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}],
                "response_headers_to_add": [{"header": {"key": "x-route", "value": "%ROUTE_NAME%"}}],
            },
        });
        let filters = manager["http_filters"].as_array_mut().unwrap();
        filters.splice(1..1, more.filters_after);
        manager.as_object_mut().unwrap().extend(more.manager);
        let mut bootstrap = json!({
            "node": {"id": "gateway", "cluster": "gateway"},
            "admin": {"address": any},
            "static_resources": {"clusters": more.clusters, "listeners": [{
                "name": "gateway",
                "address": any,
                "filter_chains": [{"filters": [
                    {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager},
                ]}],
            }]},
        });
        if let Some(stats_config) = more.stats_config {
            bootstrap["stats_config"] = stats_config;
        }
        let file = folder.path().join("bootstrap.json");
        let address = folder.path().join("admin");
        std::fs::write(&file, bootstrap.to_string()).unwrap();
        let mut command = Command::new(lab::find_envoy().unwrap());
        command.args(["--use-dynamic-base-id", "--concurrency", "1", "--admin-address-path"]);
        command.arg(&address).arg("-c").arg(&file);
        let running = Running::start("gateway", folder.path(), &command);
        let admin: SocketAddr = wait_for("the admin's address", SOON, || {
            std::fs::read_to_string(&address).ok()?.parse().ok()
        });
        wait_for("envoy is ready", SOON, || {
            get(admin, "/ready", &[]).ok().filter(|a| a.status == 200)
        });
        let listeners = get(admin, "/listeners?format=json", &[]).unwrap().body;
        let listeners: Value = serde_json::from_str(&listeners).unwrap();
        let port =
            listeners.pointer("/listener_statuses/0/local_address/socket_address/port_value");
        let port = u16::try_from(port.unwrap().as_u64().unwrap()).unwrap();
        let listener = SocketAddr::from(([127, 0, 0, 1], port));
        Self { _running: running, admin, listener, folder }
    }

    /// Gives the plugin another configuration, as the control plane would.
    pub(crate) fn update(&self, extension: &Value) {
        let next = self.folder.path().join("next.json");
        let response = json!({"version_info": "2", "resources": [extension]});
        std::fs::write(&next, response.to_string()).unwrap();
        // Envoy looks at renames.
        std::fs::rename(next, self.folder.path().join("ecds.json")).unwrap();
    }

    /// What Envoy's statistics say of this text.
    pub(crate) fn stats(&self, filter: &str) -> String {
        get(self.admin, &format!("/stats?filter={filter}"), &[]).unwrap().body
    }

    /// What the shop answers.
    pub(crate) fn ask(&self, headers: &[(&str, &str)]) -> String {
        self.ask_at("shop.example.com", headers)
    }

    /// What a host answers.
    pub(crate) fn ask_at(&self, host: &str, headers: &[(&str, &str)]) -> String {
        let host = [("host", host)];
        let answer = get(self.listener, "/checkout", &[&host, headers].concat()).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    }
}
