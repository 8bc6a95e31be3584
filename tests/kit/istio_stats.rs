//! The filter's metrics in a proxy that has Istio's settings for statistics: labels, buckets, and which ones there are.

use std::collections::BTreeMap;

use harness::wait_for;
use serde_json::{Value, json};

use crate::gateway::{Gateway, More, documents, extension_config, of_kind, string_value};
use crate::tools::{SOON, get, read};

const OVERLAY: &str = "istio/overlays/canary/traffic-split.yaml";
const BUCKETS: &str = "sidecar.istio.io/statsHistogramBuckets";

/// What the comment at the head of a rendered file says that Istio needs: the mesh configuration, and an annotation.
pub(crate) fn told() -> Value {
    let text = read(OVERLAY);
    let head = text.lines().take_while(|line| line.starts_with('#'));
    let lines: Vec<_> = head.filter_map(|line| line.strip_prefix("#   ")).collect();
    documents("the comment", &lines.join("\n")).remove(0)
}

/// The statistics' part of the bootstrap that Istio's agent writes (its pkg/bootstrap/config.go and
/// tools/packaging/common/envoy_bootstrap.json) for a proxy's configuration and the annotation of its pod.
fn stats_config(proxy: &Value, buckets: Option<&str>) -> Value {
    let texts = |pointer: &str| -> Vec<String> {
        let list = proxy.pointer(pointer).and_then(Value::as_array);
        list.into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let tag = |name: &str, regex: &str| json!({"tag_name": name, "regex": regex});
    let mut tags = vec![
        tag("cluster_name", r"^cluster(\.(.+);)"),
        tag(
            "http_conn_manager_prefix",
            r"^http\.(((?:[_.[:digit:]\w]*|[_\[\]aAbBcCdDeEfF[:digit:]\w\:]*));\.)",
        ),
        tag("thread_name", r"^server(\.(.+))\.watchdog"),
        tag("tcp_prefix", r"^tcp\.((.*?)\.)\w+?$"),
        tag("response_code", r"_rq(_(\d{3}))$"),
        tag("response_code_class", r"_rq(_(\dxx))$"),
        tag(
            "http_conn_manager_listener_prefix",
            r"^listener(?=\.).*?\.http\.(((?:[_.[:digit:]]*|[_\[\]aAbBcCdDeEfF[:digit:]]*))\.)",
        ),
        tag(
            "listener_address",
            r"^listener\.(((?:[_.[:digit:]]*|[_\[\]aAbBcCdDeEfF[:digit:]]*))\.)",
        ),
        tag("mongo_prefix", r"^mongo\.(.+?)\.(collection|cmd|cx_|op_|delays_|decoding_)(.*?)$"),
    ];
    tags.extend(texts("/extraStatTags").iter().map(|n| tag(n, &format!(r"({n}=\.=(.*?);\.;)"))));
    tags.extend([
        tag("cache", r"(cache\.(.+?)\.)"),
        tag("component", r"(component\.(.+?)\.)"),
        tag("tag", r"(tag\.(.+?);\.)"),
        tag("wasm_filter", r"(wasm_filter\.(.+?)\.)"),
        tag("authz_enforce_result", r"rbac(\.(allowed|denied))"),
        tag("authz_dry_run_action", r"(\.istio_dry_run_(allow|deny)_)"),
        tag("authz_dry_run_result", r"(\.shadow_(allowed|denied))"),
    ]);
    let required = ["cluster_manager", "listener_manager", "server", "cluster.xds-grpc", "wasm"];
    let mut prefixes = vec!["reporter=".to_owned()];
    prefixes.extend(texts("/proxyStatsMatcher/inclusionPrefixes"));
    prefixes.extend(required.map(str::to_owned));
    prefixes.extend(["component", "istio"].map(str::to_owned));
    let mut patterns: Vec<_> = prefixes.iter().map(|prefix| json!({"prefix": prefix})).collect();
    let suffixes = ["rbac.allowed", "rbac.denied", "shadow_allowed", "shadow_denied"];
    patterns.extend(suffixes.map(|suffix| json!({"suffix": suffix})));
    patterns.push(json!({"safe_regex": {"regex": r"vhost\..*\.route\..*"}}));
    let mut config = json!({
        "use_all_default_tags": false,
        "stats_tags": tags,
        "stats_matcher": {"inclusion_list": {"patterns": patterns}},
    });
    if let Some(buckets) = buckets {
        let buckets: BTreeMap<String, Vec<f64>> = serde_json::from_str(buckets).unwrap();
        let setting = |(prefix, buckets)| json!({"match": {"prefix": prefix}, "buckets": buckets});
        config["histogram_bucket_settings"] = buckets.into_iter().map(setting).collect();
    }
    config
}

/// A gateway with the overlay's plugin, and what is needed to give it another policy.
fn start(stats_config: Value) -> (Gateway, Value) {
    let documents = documents("canary", &read(OVERLAY));
    let plugin = of_kind(&documents, "WasmPlugin");
    let configuration = string_value(&plugin["spec"]["pluginConfig"], |n| format!("{n}"));
    let routes = [json!({"match": {"prefix": "/"}, "direct_response": {"status": 200}})];
    let more = More { stats_config: Some(stats_config), ..More::default() };
    let gateway = Gateway::with(&extension_config(plugin, &configuration), &routes, more);
    (gateway, plugin.clone())
}

/// The lines that the page's `grep` leaves of `GET stats`: counters of updates, by their last word, and weights.
fn grepped(gateway: &Gateway) -> BTreeMap<String, u64> {
    let stats = gateway.stats("");
    let line = |line: &str| {
        let (name, value) = line.split_once(": ")?;
        let last = name.rsplit('.').next()?;
        let update =
            name.contains("wasmplugin") && ["update_success", "config_fail"].contains(&last);
        let name = if update { last } else { name };
        (update || name.contains("traffic_split_weight"))
            .then(|| Some((name.to_owned(), value.parse().ok()?)))?
    };
    stats.lines().filter_map(line).collect()
}

#[test]
fn istios_settings_give_labels_and_the_buckets_of_the_annotation() {
    let told = told();
    let annotation = told[BUCKETS].as_str().unwrap();
    let (gateway, _) = start(stats_config(&told["meshConfig"]["defaultConfig"], Some(annotation)));
    for user in 1..=20 {
        gateway.ask(&[("x-user-id", &format!("user-{user}"))]);
    }
    let scraped = wait_for("the histogram is there", SOON, || {
        let text = get(gateway.admin, "/stats/prometheus", &[]).ok()?.body;
        text.contains("traffic_split_request_duration_milliseconds_bucket").then_some(text)
    });
    let lines = |series: &str| -> Vec<&str> {
        scraped.lines().filter(|line| line.starts_with(&format!("{series}{{"))).collect()
    };
    for (series, labels) in [
        (
            "traffic_split_requests_total",
            ["reason=\"split\"", "split=\"checkout\"", "variant=\"stable\""],
        ),
        (
            "traffic_split_responses_total",
            ["class=\"2xx\"", "split=\"checkout\"", "variant=\"stable\""],
        ),
        ("traffic_split_weight", ["", "split=\"checkout\"", "variant=\"canary\""]),
    ] {
        let all = lines(series);
        let one = all.iter().find(|line| labels.iter().all(|label| line.contains(label)));
        let value = one.and_then(|line| line.rsplit_once(' ')).map(|(_, value)| value);
        assert!(value.is_some_and(|value| value != "0"), "{series} {labels:?}: {all:?}");
    }

    // The same buckets as in envoy/envoy.yaml.
    let all = lines("traffic_split_request_duration_milliseconds_bucket");
    let stable = all.iter().filter(|line| line.contains("variant=\"stable\""));
    let bound =
        |line: &&&str| line.split("le=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let mut bounds: Vec<_> = stable.map(|line| bound(&line)).collect();
    assert_eq!(bounds.pop().as_deref(), Some("+Inf"), "{all:?}");
    let envoy = documents("envoy.yaml", &read("envoy/envoy.yaml")).remove(0);
    let wanted = envoy.pointer("/stats_config/histogram_bucket_settings/0/buckets").unwrap();
    let wanted: Vec<_> = wanted.as_array().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(bounds, wanted);
}

/// A policy that is refused.
fn refused() -> Value {
    string_value(&json!({"version": 1, "splits": [{"name": "checkout"}]}), |n| format!("{n}"))
}

fn wait_for_counters(gateway: &Gateway, success: u64, fail: u64) {
    wait_for(&format!("update_success {success}, config_fail {fail}"), SOON, || {
        let found = grepped(gateway);
        let number = |name: &str| found.get(name).copied();
        (number("update_success") == Some(success) && number("config_fail") == Some(fail))
            .then_some(())
    });
}

#[test]
fn a_refused_policy_is_a_success_for_envoy_and_the_gauge_tells() {
    let told = told();
    let (gateway, plugin) = start(stats_config(&told["meshConfig"]["defaultConfig"], None));
    wait_for_counters(&gateway, 1, 0);
    gateway.update(&extension_config(&plugin, &refused()));
    wait_for_counters(&gateway, 2, 0);
    wait_for("the gauge is 1, by this name in Prometheus", SOON, || {
        let scraped = get(gateway.admin, "/stats/prometheus", &[]).ok()?.body;
        scraped.contains("\ntraffic_split_policy_refused{} 1\n").then_some(())
    });
    // The last good policy serves on.
    let canary = "wasmcustom.split=.=checkout;.;variant=.=canary;.;traffic_split_weight";
    assert_eq!(grepped(&gateway).get(canary), Some(&50_000));
}

#[test]
fn where_the_plugins_environment_asks_for_it_envoy_rejects_a_refused_policy() {
    let told = told();
    let (gateway, mut plugin) = start(stats_config(&told["meshConfig"]["defaultConfig"], None));
    plugin["spec"]["vmConfig"] =
        json!({"env": [{"name": "TRAFFIC_SPLIT_ON_REFUSED_POLICY", "value": "reject"}]});
    gateway.update(&extension_config(&plugin, &refused()));
    wait_for_counters(&gateway, 1, 1);
    // By this name Prometheus has it.
    let scraped = get(gateway.admin, "/stats/prometheus", &[]).unwrap().body;
    let refused = "envoy_extension_config_discovery_http_filter_\
        extensions_istio_io_wasmplugin_istio_ingress_traffic_split_config_fail{} 1\n";
    assert!(scraped.contains(refused), "{scraped}");
    // The policy before serves on.
    let canary = "wasmcustom.split=.=checkout;.;variant=.=canary;.;traffic_split_weight";
    assert_eq!(grepped(&gateway).get(canary), Some(&50_000));
}

#[test]
fn without_it_istios_proxies_have_no_counters_of_updates() {
    let tags = json!({"extraStatTags": told()["meshConfig"]["defaultConfig"]["extraStatTags"]});
    let (gateway, _) = start(stats_config(&tags, None));
    gateway.ask(&[("x-user-id", "user-1")]);
    let found = grepped(&gateway);
    assert!(found.keys().all(|name| name.starts_with("wasmcustom.")), "{found:?}");
    assert_eq!(found.len(), 2, "the weights are there: {found:?}");
}
