//! The files in istio/: they are what splitctl renders, kustomize builds them, and what Istio's control plane makes of
//! them runs in real Envoy.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::gateway::{Gateway, More, documents, extension_config, matched, of_kind, string_value};
use crate::istio_stats::told;
use crate::tools::{at, get, output, read, script, splitctl};

/// Where this kit's manifests are.
const ISTIO: &str = "istio";

/// All YAML files below a folder.
fn manifests(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(manifests(&path));
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// All documents of the kit with the names of their files.
pub(crate) fn all() -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for path in manifests(&at(ISTIO)) {
        let name = path.strip_prefix(at(ISTIO)).unwrap().display().to_string();
        let text = std::fs::read_to_string(&path).unwrap();
        all.extend(documents(&name, &text).into_iter().map(|document| (name.clone(), document)));
    }
    all
}

#[test]
fn what_lies_in_istio_is_what_splitctl_renders() {
    let folder = tempfile::tempdir().unwrap();
    script("render-istio", &[folder.path().to_str().unwrap()]);
    let inside = |root: &Path| -> Vec<_> {
        manifests(root).iter().map(|p| p.strip_prefix(root).unwrap().to_owned()).collect()
    };
    let kept = at("istio/overlays");
    assert_eq!(inside(&kept), inside(folder.path()));
    for path in inside(&kept) {
        let same = std::fs::read(kept.join(&path)).unwrap()
            == std::fs::read(folder.path().join(&path)).unwrap();
        assert!(same, "{} is not what scripts/render-istio makes; run it", path.display());
    }
}

#[test]
fn kustomize_builds_every_overlay() {
    if Command::new("kubectl").args(["kustomize", "--help"]).output().is_err() {
        eprintln!("skipped: there is no kubectl");
        return;
    }
    for entry in std::fs::read_dir(at("istio/overlays")).unwrap() {
        let folder = entry.unwrap().path();
        let built = output(Command::new("kubectl").arg("kustomize").arg(&folder));
        let kinds: Vec<_> = built.lines().filter_map(|line| line.strip_prefix("kind: ")).collect();
        for wanted in ["WasmPlugin", "Telemetry", "PrometheusRule", "PodMonitor"] {
            assert!(kinds.contains(&wanted), "{}: {kinds:?}", folder.display());
        }
    }
}

#[test]
fn every_plugin_configuration_in_the_kit_is_a_valid_policy() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.json");
    let mut seen = 0;
    for (name, document) in all() {
        let places = ["/spec/pluginConfig", "/spec/wasm/0/config"];
        for policy in places.iter().filter_map(|place| document.pointer(place)) {
            seen += 1;
            std::fs::write(&file, policy.to_string()).unwrap();
            let said = output(splitctl().arg("validate").arg(&file));
            assert!(said.starts_with("ok"), "{name}: {said}");
        }
    }
    assert!(seen >= 8, "{seen}");
}

/// A VirtualService's routes as Istio gives them to a gateway, but each answers with its own name and destination.
fn routes(service: &Value) -> Vec<Value> {
    let route = |route: &Value| {
        let host = &route["route"][0]["destination"]["host"];
        let answer = format!("{} {}", route["name"].as_str().unwrap(), host.as_str().unwrap());
        let direct = json!({"status": 200, "body": {"inline_string": answer}});
        json!({"name": route["name"], "match": matched(route), "direct_response": direct})
    };
    service["spec"]["http"].as_array().unwrap().iter().map(route).collect()
}

const STABLE: &str = "checkout=stable checkout-v1.shop.svc.cluster.local";
const CANARY: &str = "checkout=canary checkout-v2.shop.svc.cluster.local";
const DEFAULT: &str = "traffic-split-default checkout-v1.shop.svc.cluster.local";

#[test]
fn what_istio_makes_of_the_plugin_runs_in_envoy_however_it_prints_numbers() {
    let documents = documents("canary", &read("istio/overlays/canary/traffic-split.yaml"));
    let (plugin, service) =
        (of_kind(&documents, "WasmPlugin"), of_kind(&documents, "VirtualService"));
    let forms: [fn(f64) -> String; 3] =
        [|n| format!("{n}"), |n| format!("{n:?}"), |n| format!("{n:e}")];
    for form in forms {
        let configuration = string_value(&plugin["spec"]["pluginConfig"], form);
        let gateway = Gateway::start(&extension_config(plugin, &configuration), &routes(service));
        // User 71 is one of the five percent, user 1 is not.
        assert_eq!(gateway.ask(&[("x-user-id", "user-71")]), CANARY, "{configuration}");
        assert_eq!(gateway.ask(&[("x-user-id", "user-1")]), STABLE, "{configuration}");
        assert_eq!(gateway.ask(&[("x-user-id", "user-1"), ("x-canary", "true")]), CANARY);
        // A client cannot say it itself, neither by the header nor by a list.
        for forged in ["checkout=canary", "a=b, checkout=canary, c=d"] {
            let sent = [("x-user-id", "user-1"), ("x-split-variant", forged)];
            assert_eq!(gateway.ask(&sent), STABLE);
        }
        let stats = get(gateway.admin, "/stats?filter=traffic_split_weight", &[]).unwrap().body;
        assert!(stats.contains("variant=.=canary;.;traffic_split_weight: 50000"), "{stats}");
    }
}

#[test]
fn in_the_sidecar_of_a_client_every_name_of_the_service_is_split() {
    let documents = documents("client", &read("istio/overlays/client-sidecar/traffic-split.yaml"));
    let (plugin, service) =
        (of_kind(&documents, "WasmPlugin"), of_kind(&documents, "VirtualService"));
    assert_eq!(plugin["spec"]["match"], json!([{"mode": "CLIENT"}]));
    let configuration = string_value(&plugin["spec"]["pluginConfig"], |n| format!("{n:?}"));
    let sidecar = Gateway::start(&extension_config(plugin, &configuration), &routes(service));
    let names =
        ["reviews", "reviews:9080", "reviews.bookinfo", "reviews.bookinfo.svc.cluster.local:9080"];
    let file = at("istio/client-policy.yaml");
    for user in (0..40).map(|n| format!("user-{n}")) {
        let mut command = splitctl();
        command.args(["explain", "--format", "json", "-H", "host: reviews", "-H"]);
        let explained = output(command.arg(format!("end-user: {user}")).arg(&file));
        let explained: Value = serde_json::from_str(&explained).unwrap();
        let variant = explained.pointer("/splits/0/variant").and_then(Value::as_str).unwrap();
        let wanted = format!("reviews={variant} reviews.bookinfo.svc.cluster.local");
        for host in names {
            assert_eq!(sidecar.ask_at(host, &[("end-user", &user)]), wanted, "{host}");
        }
    }
    let other = sidecar.ask_at("ratings:9080", &[("end-user", "user-1")]);
    assert!(other.starts_with("traffic-split-default "), "{other}");
}

#[test]
fn kustomize_points_the_monitor_at_the_sidecars() {
    if Command::new("kubectl").args(["kustomize", "--help"]).output().is_err() {
        eprintln!("skipped: there is no kubectl");
        return;
    }
    let folder = at("istio/overlays/client-sidecar");
    let built = output(Command::new("kubectl").arg("kustomize").arg(&folder));
    let built = documents("client-sidecar", &built);
    let monitor = of_kind(&built, "PodMonitor");
    assert_eq!(monitor["metadata"]["namespace"], "bookinfo");
    assert_eq!(monitor["spec"]["selector"], json!({"matchLabels": {"app": "productpage"}}));
}

#[test]
fn a_plugin_without_configuration_splits_nothing() {
    let documents = documents("canary", &read("istio/overlays/canary/traffic-split.yaml"));
    let (plugin, service) =
        (of_kind(&documents, "WasmPlugin"), of_kind(&documents, "VirtualService"));
    // Istio sends an Any without a type.
    let gateway = Gateway::start(&extension_config(plugin, &json!({})), &routes(service));
    for user in ["user-71", "user-1"] {
        assert_eq!(gateway.ask(&[("x-user-id", user)]), DEFAULT);
    }
    assert_eq!(gateway.ask(&[("x-split-variant", "checkout=canary")]), DEFAULT, "a forged header");
}

#[test]
fn a_route_matches_whole_members_of_the_list_only() {
    let documents = documents("canary", &read("istio/overlays/canary/traffic-split.yaml"));
    let (plugin, service) =
        (of_kind(&documents, "WasmPlugin"), of_kind(&documents, "VirtualService"));
    // The header of another name, so that the filter leaves what is sent here to the routes.
    let policy = json!({"version": 1, "variant_header": "x-other", "splits": []});
    let configuration = string_value(&policy, |n| format!("{n}"));
    let gateway = Gateway::start(&extension_config(plugin, &configuration), &routes(service));
    for (list, wanted) in [
        ("checkout=canary", CANARY),
        ("checkout=canary, search=b", CANARY),
        ("search=b, checkout=canary", CANARY),
        ("a=b, checkout=stable, search=b", STABLE),
        ("checkout=canary2", DEFAULT),
        ("my-checkout=canary", DEFAULT),
        ("my.checkout=canary, checkout=canary.2", DEFAULT),
        ("", DEFAULT),
    ] {
        assert_eq!(gateway.ask(&[("x-split-variant", list)]), wanted, "{list}");
    }
}

/// What Istio makes of the mesh configuration in a gateway's connection manager (its pilot/pkg/networking/core:
/// listener_builder.go for paths, gateway.go for addresses).
fn manager(mesh: &Value) -> serde_json::Map<String, Value> {
    assert_eq!(mesh["pathNormalization"]["normalization"], "DECODE_AND_MERGE_SLASHES");
    let trusted = &mesh["defaultConfig"]["gatewayTopology"]["numTrustedProxies"];
    let manager = json!({
        "normalize_path": true,
        "merge_slashes": true,
        "path_with_escaped_slashes_action": "UNESCAPE_AND_FORWARD",
        "use_remote_address": true,
        "xff_num_trusted_hops": trusted,
    });
    manager.as_object().unwrap().clone()
}

#[test]
fn with_the_mesh_configuration_no_spelling_of_a_path_passes_and_no_address_is_forged() {
    let documents = documents("canary", &read("istio/overlays/canary/traffic-split.yaml"));
    let plugin = of_kind(&documents, "WasmPlugin");
    let policy = json!({"version": 1, "splits": [{
        "name": "attack",
        "match": [{"path": {"prefix": "/login"}}, {"source_ip": ["203.0.113.0/24"]}],
        "assignment": "random",
        "baseline": "dropped",
        "variants": [{"name": "dropped", "weight": 100, "respond": {"status": 403}}],
    }]});
    let configuration = string_value(&policy, |n| format!("{n}"));
    let routes = [json!({"match": {"prefix": "/"}, "direct_response": {"status": 200}})];
    let more = More { manager: manager(&told()["meshConfig"]), ..More::default() };
    let gateway = Gateway::with(&extension_config(plugin, &configuration), &routes, more);
    let status =
        |path: &str, headers: &[(&str, &str)]| get(gateway.listener, path, headers).unwrap().status;
    for path in ["/login", "//login", "/x/../login", "/%6Cogin", "/x/..%2Flogin", "/x/..%5clogin"] {
        assert_eq!(status(path, &[]), 403, "{path}");
    }
    assert_eq!(status("/", &[("x-forwarded-for", "203.0.113.7")]), 200);
}

#[test]
fn envoy_gateways_resources_say_what_the_envoy_kit_says() {
    let gateway = documents("gateway", &read("istio/envoy-gateway/traffic-split.yaml"));
    let envoy = documents("envoy.yaml", &read("envoy/envoy.yaml")).remove(0);

    // Labels and buckets.
    let proxy = of_kind(&gateway, "EnvoyProxy");
    let patches = proxy["spec"]["bootstrap"]["jsonPatches"].as_array().unwrap();
    let values = |path: &str| -> Vec<&Value> {
        patches.iter().filter(|patch| patch["path"] == path).map(|patch| &patch["value"]).collect()
    };
    let tags = envoy["stats_config"]["stats_tags"].as_array().unwrap();
    assert_eq!(values("/stats_config/stats_tags/-"), tags.iter().collect::<Vec<_>>());
    let buckets = &envoy["stats_config"]["histogram_bucket_settings"];
    assert_eq!(values("/stats_config/histogram_bucket_settings"), [buckets]);
    assert!(patches.iter().all(|patch| patch["op"] == "add"));

    // What clients cannot say.
    let manager = &envoy["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
    let early = &manager["early_header_mutation_extensions"][0]["typed_config"]["mutations"];
    let clients = &of_kind(&gateway, "ClientTrafficPolicy")["spec"];
    let removed = clients["headers"]["earlyRequestHeaders"]["remove"].as_array().unwrap();
    for mutation in early.as_array().unwrap() {
        assert!(removed.contains(&mutation["remove"]), "{mutation}");
    }
    assert_eq!(manager["path_with_escaped_slashes_action"], "UNESCAPE_AND_REDIRECT");
    assert_eq!(clients["path"]["escapedSlashesAction"], "UnescapeAndRedirect");
}

#[test]
fn every_plugin_in_the_kit_states_that_it_is_not_killed() {
    for (name, document) in all() {
        for place in ["/spec/pluginConfig", "/spec/wasm/0/config"] {
            if let Some(policy) = document.pointer(place) {
                assert_eq!(policy["kill"], false, "{name}");
            }
        }
    }
}

#[test]
fn two_plugins_on_one_proxy_leave_alone_what_the_other_decided() {
    // Both on one Envoy, as two WasmPlugins of one gateway; routes look at the headers of both.
    let folder = tempfile::tempdir().unwrap();
    let render = |name: &str, split: &str| -> Vec<Value> {
        let file = folder.path().join(format!("{name}.yaml"));
        let text =
            read("envoy/policies/canary.yaml").replace("name: checkout", &format!("name: {split}"));
        std::fs::write(&file, text).unwrap();
        let mut command = splitctl();
        command.args(["render", "istio", "--namespace", "shop", "--name", name]);
        documents(name, &output(command.arg(&file)))
    };
    let (first, second) = (render("traffic-split", "checkout"), render("search", "search"));
    let plugin = |documents: &[Value]| {
        let plugin = of_kind(documents, "WasmPlugin");
        let policy = string_value(&plugin["spec"]["pluginConfig"], |n| format!("{n}"));
        extension_config(plugin, &policy)
    };
    let filter = plugin(&second);
    let inline = json!({"name": filter["name"], "typed_config": filter["typed_config"]});
    let canary = |documents: &[Value]| {
        matched(&of_kind(documents, "VirtualService")["spec"]["http"][1])["headers"][0].clone()
    };
    let answer = |text: &str| json!({"status": 200, "body": {"inline_string": text}});
    let both = json!({"prefix": "/", "headers": [canary(&first), canary(&second)]});
    let routes = [
        json!({"match": both, "direct_response": answer("both")}),
        json!({"match": {"prefix": "/"}, "direct_response": answer("not both")}),
    ];
    let more = More { filters_after: vec![inline], ..More::default() };
    let gateway = Gateway::with(&plugin(&first), &routes, more);
    assert_eq!(gateway.ask(&[("x-user-id", "user-1"), ("x-canary", "true")]), "both");
    let forged = [
        ("x-user-id", "user-1"),
        ("x-split-variant", "checkout=canary"),
        ("x-split-variant-search", "search=canary"),
    ];
    assert_eq!(gateway.ask(&forged), "not both");
}
