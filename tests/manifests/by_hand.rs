//! Kinds for which no crate has a usable type, as far as this kit could use them: written from their API references
//! (Argo Rollouts' analysis, Envoy Gateway's extension types). A field that is not here is an error.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A number, or a text that holds one (an argument, for instance).
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum IntOrText {
    Int(i32),
    Text(String),
}

/// Argo Rollouts, `argoproj.io/v1alpha1`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AnalysisTemplate {
    api_version: String,
    kind: String,
    metadata: Metadata,
    spec: Analysis,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Metadata {
    name: String,
    namespace: Option<String>,
    labels: Option<Map<String, Value>>,
    annotations: Option<Map<String, Value>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Analysis {
    args: Option<Vec<Argument>>,
    dry_run: Option<Vec<DryRun>>,
    metrics: Vec<Metric>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Argument {
    name: String,
    value: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DryRun {
    metric_name: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Metric {
    name: String,
    interval: Option<String>,
    initial_delay: Option<String>,
    count: Option<IntOrText>,
    success_condition: Option<String>,
    failure_condition: Option<String>,
    failure_limit: Option<IntOrText>,
    inconclusive_limit: Option<IntOrText>,
    consecutive_error_limit: Option<IntOrText>,
    consecutive_success_limit: Option<IntOrText>,
    provider: Provider,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Provider {
    prometheus: Prometheus,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Prometheus {
    address: String,
    query: String,
    timeout: Option<i64>,
    insecure: Option<bool>,
}

/// Envoy Gateway, `gateway.envoyproxy.io/v1alpha1`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct EnvoyExtensionPolicy {
    api_version: String,
    kind: String,
    metadata: Metadata,
    spec: Extension,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Extension {
    target_refs: Option<Vec<Target>>,
    wasm: Vec<Wasm>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Target {
    group: String,
    kind: String,
    name: String,
    section_name: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wasm {
    name: Option<String>,
    #[serde(rename = "rootID")]
    root_id: Option<String>,
    code: Code,
    config: Option<Value>,
    fail_open: Option<bool>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Code {
    r#type: CodeType,
    image: Option<Image>,
    http: Option<Http>,
    pull_policy: Option<PullPolicy>,
}

#[derive(Debug, Serialize, Deserialize)]
enum CodeType {
    #[serde(rename = "HTTP")]
    Http,
    Image,
}

#[derive(Debug, Serialize, Deserialize)]
enum PullPolicy {
    IfNotPresent,
    Always,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Image {
    url: String,
    sha256: Option<String>,
    pull_secret_ref: Option<Value>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Http {
    url: String,
    sha256: Option<String>,
}
