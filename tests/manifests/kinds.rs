//! Every manifest in istio/ is of a kind that exists, and has no field that the kind does not know: what is read into
//! the type and written again has lost nothing.

mod by_hand;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kcr_extensions_istio_io::v1alpha1::wasmplugins::WasmPlugin;
use kcr_flagger_app::v1beta1::metrictemplates::MetricTemplate;
use kcr_gateway_networking_k8s_io::v1::httproutes::HttpRoute;
use kcr_monitoring_coreos_com::v1::{podmonitors::PodMonitor, prometheusrules::PrometheusRule};
use kcr_networking_istio_io::v1::{
    destinationrules::DestinationRule, virtualservices::VirtualService,
};
use kcr_networking_istio_io::v1alpha3::envoyfilters::EnvoyFilter;
use kcr_telemetry_istio_io::v1::telemetries::Telemetry;
use policy_text::source::{Source, to_json};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What kustomize itself reads; the tests of the kit have it build every one.
const KUSTOMIZATION: &str = "kustomize.config.k8s.io/v1beta1 Kustomization";

/// Reads a document into its type: what got lost, or why it is not of the type.
fn check(document: &Value) -> Result<(), String> {
    let text = |field: &str| document[field].as_str().unwrap_or_default();
    match format!("{} {}", text("apiVersion"), text("kind")).as_str() {
        "extensions.istio.io/v1alpha1 WasmPlugin" => typed::<WasmPlugin>(document),
        "batch/v1 Job" => typed::<Job>(document),
        "rbac.authorization.k8s.io/v1 Role" => typed::<Role>(document),
        "rbac.authorization.k8s.io/v1 RoleBinding" => typed::<RoleBinding>(document),
        "v1 ConfigMap" => typed::<ConfigMap>(document),
        "v1 PersistentVolumeClaim" => typed::<PersistentVolumeClaim>(document),
        "v1 ServiceAccount" => typed::<ServiceAccount>(document),
        "flagger.app/v1beta1 MetricTemplate" => typed::<MetricTemplate>(document),
        "monitoring.coreos.com/v1 PodMonitor" => typed::<PodMonitor>(document),
        "monitoring.coreos.com/v1 PrometheusRule" => typed::<PrometheusRule>(document),
        "networking.istio.io/v1 DestinationRule" => typed::<DestinationRule>(document),
        "networking.istio.io/v1 VirtualService" => typed::<VirtualService>(document),
        "networking.istio.io/v1alpha3 EnvoyFilter" => typed::<EnvoyFilter>(document),
        "telemetry.istio.io/v1 Telemetry" => typed::<Telemetry>(document),
        "gateway.networking.k8s.io/v1 HTTPRoute" => typed::<HttpRoute>(document),
        "argoproj.io/v1alpha1 AnalysisTemplate" => typed::<by_hand::AnalysisTemplate>(document),
        "gateway.envoyproxy.io/v1alpha1 EnvoyExtensionPolicy" => {
            typed::<by_hand::EnvoyExtensionPolicy>(document)
        }
        "gateway.envoyproxy.io/v1alpha1 ClientTrafficPolicy" => {
            typed::<by_hand::ClientTrafficPolicy>(document)
        }
        "gateway.envoyproxy.io/v1alpha1 Backend" => typed::<by_hand::Backend>(document),
        "gateway.envoyproxy.io/v1alpha1 BackendTrafficPolicy" => {
            typed::<by_hand::BackendTrafficPolicy>(document)
        }
        "gateway.envoyproxy.io/v1alpha1 EnvoyProxy" => typed::<by_hand::EnvoyProxy>(document),
        KUSTOMIZATION => Ok(()),
        kind => Err(format!("`{kind}` is no kind that is known here")),
    }
}

fn typed<T: DeserializeOwned + Serialize>(document: &Value) -> Result<(), String> {
    let value: T = serde_json::from_value(document.clone()).map_err(|error| error.to_string())?;
    let again = serde_json::to_value(value).map_err(|error| error.to_string())?;
    let mut lost = Vec::new();
    compare(document, &again, "", &mut lost);
    if lost.is_empty() { Ok(()) } else { Err(format!("unknown or changed: {}", lost.join(", "))) }
}

/// Collects the paths of what is in the first and not the same in the second.
fn compare(written: &Value, read: &Value, path: &str, lost: &mut Vec<String>) {
    match (written, read) {
        (Value::Object(written), Value::Object(read)) => {
            for (name, value) in written {
                let path = format!("{path}/{name}");
                match read.get(name) {
                    Some(other) => compare(value, other, &path, lost),
                    None => lost.push(path),
                }
            }
        }
        (Value::Array(written), Value::Array(read)) if written.len() == read.len() => {
            for (index, (value, other)) in written.iter().zip(read).enumerate() {
                compare(value, other, &format!("{path}/{index}"), lost);
            }
        }
        (Value::Number(written), Value::Number(read)) if written.as_f64() == read.as_f64() => {}
        _ if written == read => {}
        _ => lost.push(path.to_owned()),
    }
}

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
    found
}

fn documents(name: &str, text: &str) -> Vec<Value> {
    let values = Source::new(name, text).values().unwrap_or_else(|e| panic!("{name}: {e:?}"));
    let parse = |value| serde_json::from_str(&to_json(value).unwrap()).unwrap();
    values.iter().map(parse).filter(|document: &Value| !document.is_null()).collect()
}

#[test]
fn every_manifest_is_of_its_kind_and_no_field_is_unknown() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../istio");
    let mut kinds = BTreeSet::new();
    for path in manifests(&root) {
        // The policies are no manifests.
        if path.parent() == Some(&root) {
            continue;
        }
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        for document in documents(&name, &std::fs::read_to_string(&path).unwrap()) {
            let kind = document["kind"].as_str().unwrap_or_default().to_owned();
            check(&document).unwrap_or_else(|error| panic!("{name}, {kind}: {error}"));
            kinds.insert(kind);
        }
    }
    assert_eq!(kinds.len(), 22, "{kinds:?}");
}

#[test]
fn the_mesh_configuration_at_the_head_of_every_overlay_has_no_unknown_field() {
    let overlays = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../istio/overlays");
    let mut seen = 0;
    for path in manifests(&overlays) {
        let text = std::fs::read_to_string(&path).unwrap();
        let head = text.lines().take_while(|line| line.starts_with('#'));
        let lines: Vec<_> = head.filter_map(|line| line.strip_prefix("#   ")).collect();
        let told = documents("the comment", &lines.join("\n"));
        for mesh in told.iter().filter_map(|told| told.get("meshConfig")) {
            typed::<by_hand::MeshConfig>(mesh)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            seen += 1;
        }
    }
    assert_eq!(seen, 8);
}

/// All manifests of a file in istio/rollout.
fn of_rollout(name: &str) -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../istio/rollout");
    documents(name, &std::fs::read_to_string(root.join(name)).unwrap())
}

#[test]
fn the_job_of_a_rollout_may_touch_the_one_plugin_that_its_files_have_and_nothing_else() {
    let files = of_rollout("files.yaml").remove(0);
    let plugin =
        documents("traffic-split.yaml", files["data"]["traffic-split.yaml"].as_str().unwrap());
    let [plugin] = plugin.as_slice() else { panic!("{plugin:?}") };
    assert_eq!(check(plugin), Ok(()));
    let [account, role, binding] = of_rollout("rights.yaml").try_into().unwrap();
    let rule = serde_json::json!([{
        "apiGroups": ["extensions.istio.io"],
        "resources": ["wasmplugins"],
        "resourceNames": [plugin["metadata"]["name"]],
        "verbs": ["get", "patch"],
    }]);
    assert_eq!(role["rules"], rule);
    assert_eq!(binding["roleRef"]["name"], role["metadata"]["name"]);
    assert_eq!(binding["subjects"][0]["name"], account["metadata"]["name"]);

    // All of it is in the plugin's namespace, and each name that the pod refers to is there.
    let [claim, job] = of_rollout("job.yaml").try_into().unwrap();
    for one in [&files, &account, &role, &binding, &claim, &job] {
        assert_eq!(one["metadata"]["namespace"], plugin["metadata"]["namespace"], "{one}");
    }
    let pod = &job["spec"]["template"]["spec"];
    assert_eq!(pod["serviceAccountName"], account["metadata"]["name"]);
    assert_eq!(pod["volumes"][0]["configMap"]["name"], files["metadata"]["name"]);
    assert_eq!(pod["volumes"][1]["persistentVolumeClaim"]["claimName"], claim["metadata"]["name"]);
    let volumes: Vec<_> =
        pod["volumes"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    let containers = ["initContainers", "containers"].map(|field| &pod[field][0]);
    for mount in containers.iter().flat_map(|one| one["volumeMounts"].as_array().unwrap()) {
        assert!(volumes.contains(&&mount["name"]), "{mount}");
    }
    // A policy of failures is only of pods that are not begun again in place.
    assert_eq!(pod["restartPolicy"], "Never");
    for rule in job["spec"]["podFailurePolicy"]["rules"].as_array().unwrap() {
        let container = rule.pointer("/onExitCodes/containerName");
        assert!(container.is_none_or(|name| *name == containers[1]["name"]), "{rule}");
    }
}

#[test]
fn what_a_kind_does_not_know_is_found() {
    let plugin = |spec: &str| {
        let text = format!(
            "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {{name: a}}\nspec: {spec}\n"
        );
        check(&documents("plugin", &text)[0])
    };
    assert_eq!(plugin("{url: u, pluginConfig: {any: [1, {thing: 0.5}]}}"), Ok(()));
    let error = plugin("{url: u, pluginConfg: {}}").unwrap_err();
    assert!(error.contains("/spec/pluginConfg"), "{error}");
    assert!(plugin("{url: u, phase: LATER}").is_err());
    assert!(plugin("{phase: STATS}").is_err(), "no url");
}

#[test]
fn kinds_that_are_written_by_hand_know_only_their_own_fields() {
    let read = |text: &str| check(&documents("by hand", text)[0]);
    let template = |metric: &str| {
        read(&format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate\nmetadata: {{name: a}}\nspec: {{metrics: [{metric}]}}\n"
        ))
    };
    let prometheus = "provider: {prometheus: {address: a, query: q}}";
    assert_eq!(template(&format!("{{name: a, count: 5, interval: 1m, {prometheus}}}")), Ok(()));
    assert_eq!(
        template(&format!("{{name: a, count: \"{{{{args.count}}}}\", {prometheus}}}")),
        Ok(())
    );
    assert!(template(&format!("{{name: a, sucessCondition: a, {prometheus}}}")).is_err());
    assert!(template("{name: a}").is_err(), "no provider");
    let extension = |code: &str| {
        read(&format!(
            "apiVersion: gateway.envoyproxy.io/v1alpha1\nkind: EnvoyExtensionPolicy\nmetadata: {{name: a}}\nspec: {{wasm: [{{code: {code}}}]}}\n"
        ))
    };
    assert_eq!(extension("{type: Image, image: {url: u}}"), Ok(()));
    assert!(extension("{type: Image, image: {uri: u}}").is_err());
    assert!(extension("{type: File}").is_err());
    let clients = |path: &str| {
        read(&format!(
            "apiVersion: gateway.envoyproxy.io/v1alpha1\nkind: ClientTrafficPolicy\nmetadata: {{name: a}}\nspec: {{targetRefs: [], path: {path}, clientIPDetection: {{xForwardedFor: {{numTrustedHops: 1}}}}}}\n"
        ))
    };
    assert_eq!(clients("{escapedSlashesAction: KeepUnchanged}"), Ok(()));
    assert!(clients("{escapedSlashesAction: Keep}").is_err());
    assert!(clients("{mergeSlashes: true}").is_err());
    let traffic = |retry: &str| {
        read(&format!(
            "apiVersion: gateway.envoyproxy.io/v1alpha1\nkind: BackendTrafficPolicy\nmetadata: {{name: a}}\nspec: {{retry: {retry}}}\n"
        ))
    };
    assert_eq!(traffic("{numRetries: 1, retryOn: {triggers: [connect-failure]}}"), Ok(()));
    assert!(traffic("{retryOn: {triggers: [reset-before-request]}}").is_err());
    assert!(traffic("{attemptsPerPriority: 1}").is_err());
}
