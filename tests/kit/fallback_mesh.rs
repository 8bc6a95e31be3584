//! A dead variant in Istio and in Envoy Gateway: what their control planes make of the manifests, written here after their
//! sources and API references, in real Envoy. Both put the two versions into one cluster, the variant's hosts at priority 0.

use std::net::SocketAddr;
use std::ops::ControlFlow;

use harness::wait_for;
use lab::Behavior;
use lab::client::{self, Request, Response};
use lab::upstream::Upstream;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::gateway::{Gateway, More, documents, extension_config, matched, of_kind, string_value};
use crate::tools::{SOON, output, read, splitctl};

/// More at a time than Envoy tries again by default.
const AT_A_TIME: usize = 40;
const REQUESTS: usize = 200;

/// What a control plane makes of the manifests, but for the hosts.
struct Made {
    plugin: Value,
    matched: Value,
    retry: Value,
    outlier: Value,
    max_retries: u64,
}

impl Made {
    /// The proxy, with these hosts of the variant and one of the baseline.
    fn proxy(&self, variant: &[SocketAddr], baseline: SocketAddr) -> Gateway {
        let endpoint = |at: &SocketAddr| json!({"endpoint": {"address": {"socket_address": {"address": at.ip().to_string(), "port_value": at.port()}}}});
        // Neither leaves a gap among the priorities.
        let baseline = [baseline];
        let localities = [variant, &baseline].into_iter().filter(|hosts| !hosts.is_empty());
        let localities: Vec<Value> = localities
            .enumerate()
            .map(|(priority, hosts)| {
                let hosts: Vec<Value> = hosts.iter().map(endpoint).collect();
                json!({"priority": priority, "lb_endpoints": hosts})
            })
            .collect();
        let cluster = json!({
            "name": "both",
            "connect_timeout": "10s",
            "load_assignment": {"cluster_name": "both", "endpoints": localities},
            "outlier_detection": self.outlier,
            "circuit_breakers": {"thresholds": [{"max_retries": self.max_retries}]},
        });
        let route = json!({
            "name": "canary", "match": self.matched, "route": {"cluster": "both", "retry_policy": self.retry},
        });
        let default = json!({"match": {"prefix": "/"}, "direct_response": {"status": 404}});
        let more = More { clusters: vec![cluster], ..More::default() };
        Gateway::with(&self.plugin, &[route, default], more)
    }
}

fn retry_policy(retry_on: &str, retries: &Value, attempts_per_priority: &Value) -> Value {
    json!({
        "retry_on": retry_on,
        "num_retries": retries,
        "retry_host_predicate": [{"name": "envoy.retry_host_predicates.previous_hosts", "typed_config":
            {"@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"}}],
        "host_selection_retry_max_attempts": 5,
        "retry_priority": {"name": "envoy.retry_priorities.previous_priorities", "typed_config":
            {"@type": "type.googleapis.com/envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
             "update_frequency": attempts_per_priority}},
    })
}

/// Both call the fields alike; `five` is how they spell the one of 5xx.
fn outlier(from: &Value, five: &str) -> Value {
    let mut outlier = json!({
        "split_external_local_origin_errors": from["splitExternalLocalOriginErrors"],
        "consecutive_local_origin_failure": from["consecutiveLocalOriginFailures"],
        "consecutive_5xx": from[five],
        "consecutive_gateway_failure": from["consecutiveGatewayErrors"],
        "interval": from["interval"],
        "base_ejection_time": from["baseEjectionTime"],
        "max_ejection_percent": from["maxEjectionPercent"],
        "enforcing_success_rate": 0,
    });
    assert!(outlier.as_object().unwrap().values().all(|value| !value.is_null()), "{outlier}");
    outlier["enforcing_consecutive_gateway_failure"] = 0.into();
    outlier
}

/// Many requests of users of the canary; status and cluster of each.
fn ask(runtime: &Runtime, proxy: &Gateway) -> Vec<(u16, String)> {
    let request = Request::get("/checkout").host("shop.example.com").header("x-user-id", "ann");
    let requests = vec![request.header("x-canary", "true"); REQUESTS];
    let go_on = |_| ControlFlow::Continue(());
    let answers = runtime.block_on(client::load(proxy.listener, requests, AT_A_TIME, go_on));
    let told = |answer: Response| (answer.status, answer.cluster().unwrap_or_default().to_owned());
    answers.into_iter().map(|answer| told(answer.unwrap().unwrap())).collect()
}

/// What holds in both.
fn check(made: &Made) {
    let runtime = Runtime::new().unwrap();
    let upstream = |name: &str| Upstream::start(name, runtime.handle()).unwrap();
    let (stable, canary, other) = (upstream("stable"), upstream("canary"), upstream("other"));
    let all = |answers: Vec<(u16, String)>, status: u16, cluster: &str| {
        assert!(answers.iter().all(|(s, c)| (*s, c.as_str()) == (status, cluster)), "{answers:?}");
    };
    let proxy = made.proxy(&[canary.address()], stable.address());
    all(ask(&runtime, &proxy), 200, "canary");
    // A canary that fails is not dead.
    canary.set(Behavior { status: 503, ..Behavior::default() }).unwrap();
    all(ask(&runtime, &proxy), 503, "canary");
    canary.set(Behavior { refuse: true, ..Behavior::default() }).unwrap();
    // What is sent over a connection that is just being closed is lost, with or without a stand-in.
    wait_for("the connections are closed", SOON, || {
        let active = proxy.stats("cluster.both.upstream_cx_active");
        active.trim_end().ends_with(": 0").then_some(())
    });
    all(ask(&runtime, &proxy), 200, "stable");
    let stats = proxy.stats("cluster.both.outlier_detection.ejections_enforced_total");
    assert!(!stats.trim_end().ends_with(": 0"), "{stats}");

    // Without pods, and with one of two.
    all(ask(&runtime, &made.proxy(&[], stable.address())), 200, "stable");
    let proxy = made.proxy(&[canary.address(), other.address()], stable.address());
    let answers = ask(&runtime, &proxy);
    assert!(answers.iter().all(|(status, _)| *status == 200), "{answers:?}");
    assert!(answers.iter().any(|(_, cluster)| cluster == "other"), "{answers:?}");
}

fn plugin(documents: &[Value], policy: &Value) -> Value {
    let configuration = string_value(policy, |n| format!("{n}"));
    extension_config(of_kind(documents, "WasmPlugin"), &configuration)
}

#[test]
fn in_istio_a_subset_of_the_whole_service_in_order_carries_on() {
    let host = "checkout.shop.svc.cluster.local";
    let mut policy = read("envoy/policies/canary.yaml");
    for version in ["v1", "v2"] {
        let name = format!("\"outbound|8080|{version}|{host}\"");
        policy =
            policy.replace(&format!("cluster: checkout-{version}"), &format!("cluster: {name}"));
    }
    let policy = policy.replace("max_weight: 50}", "max_weight: 50, fallback: baseline}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.yaml");
    std::fs::write(&file, policy).unwrap();
    let rendered = output(splitctl().args(["render", "istio", "--namespace", "shop"]).arg(&file));
    let rendered = documents("rendered", &rendered);

    let routes = of_kind(&rendered, "VirtualService")["spec"]["http"].as_array().unwrap();
    let route = routes.iter().find(|route| route["name"] == "checkout=canary").unwrap();
    let retries = &route["retries"];
    assert_eq!(retries["retryRemoteLocalities"], true);
    // Its pilot/pkg/networking/core/route/retry: two attempts at each priority.
    let retry = retry_policy(retries["retryOn"].as_str().unwrap(), &retries["attempts"], &2.into());

    let rule = of_kind(&rendered, "DestinationRule");
    let subsets = rule["spec"]["subsets"].as_array().unwrap();
    let subset = subsets.iter().find(|subset| subset["name"] == "v2").unwrap();
    // All pods of the service; in its pilot/pkg/networking/core/loadbalancer those with the label come first.
    assert!(subset["labels"].is_null());
    let traffic = &subset["trafficPolicy"];
    let locality = &traffic["loadBalancer"]["localityLbSetting"];
    assert_eq!(locality, &json!({"enabled": true, "failoverPriority": ["version=v2"]}));
    let mut outlier = outlier(&traffic["outlierDetection"], "consecutive5xxErrors");
    // It switches off what is given as 0.
    assert_eq!(outlier["consecutive_5xx"], 0);
    outlier["enforcing_consecutive_5xx"] = 0.into();

    let plugin_spec = &of_kind(&rendered, "WasmPlugin")["spec"]["pluginConfig"];
    check(&Made {
        plugin: plugin(&rendered, plugin_spec),
        matched: matched(route),
        retry,
        outlier,
        // Its default.
        max_retries: u32::MAX.into(),
    });
}

#[test]
fn in_envoy_gateway_a_fallback_backend_carries_on() {
    let gateway = documents("fallback", &read("istio/envoy-gateway/fallback.yaml"));
    let policy = &of_kind(&gateway, "BackendTrafficPolicy")["spec"];
    let retry = &policy["retry"];
    let triggers = retry["retryOn"]["triggers"].as_array().unwrap();
    let triggers: Vec<&str> = triggers.iter().filter_map(Value::as_str).collect();
    let retry =
        retry_policy(&triggers.join(","), &retry["numRetries"], &retry["numAttemptsPerPriority"]);

    // The route has both backends, and only the second is a fallback.
    let route = &of_kind(&gateway, "HTTPRoute");
    let backends = route["spec"]["rules"][0]["backendRefs"].as_array().unwrap();
    let is_fallback = |reference: &Value| {
        let backend = gateway.iter().find(|document| {
            document["kind"] == "Backend" && document["metadata"]["name"] == reference["name"]
        });
        backend.unwrap()["spec"]["fallback"] == true
    };
    assert_eq!(backends.iter().map(is_fallback).collect::<Vec<_>>(), [false, true]);
    assert_eq!(policy["targetRefs"][0]["name"], route["metadata"]["name"]);

    let main = documents("main", &read("istio/envoy-gateway/traffic-split.yaml"));
    let wasm = &of_kind(&main, "EnvoyExtensionPolicy")["spec"]["wasm"][0];
    let istio = documents("canary", &read("istio/overlays/canary/traffic-split.yaml"));
    let header = &route["spec"]["rules"][0]["matches"][0]["headers"][0];
    let matched = json!({"prefix": "/", "headers": [{"name": header["name"],
        "string_match": {"safe_regex": {"regex": header["value"]}}}]});
    check(&Made {
        plugin: plugin(&istio, &wasm["config"]),
        matched,
        retry,
        outlier: outlier(&policy["healthCheck"]["passive"], "consecutive5XxErrors"),
        max_retries: policy["circuitBreaker"]["maxParallelRetries"].as_u64().unwrap(),
    });
}
