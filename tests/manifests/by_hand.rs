//! Kinds for which no crate has a usable type, as far as this kit could use them: written from their API references
//! (Argo Rollouts' analysis, Envoy Gateway's types, Istio's mesh configuration). A field that is not here is an error.

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
enum Provider {
    Prometheus(Prometheus),
    Web(Web),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Web {
    url: String,
    json_path: Option<String>,
    timeout_seconds: Option<i64>,
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

/// Envoy Gateway: hosts by their names.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Backend {
    api_version: String,
    kind: String,
    metadata: Metadata,
    spec: Endpoints,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Endpoints {
    fallback: Option<bool>,
    endpoints: Vec<Endpoint>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Endpoint {
    fqdn: Fqdn,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Fqdn {
    hostname: String,
    port: u16,
}

/// Envoy Gateway: how backends are treated.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct BackendTrafficPolicy {
    api_version: String,
    kind: String,
    metadata: Metadata,
    spec: Traffic,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Traffic {
    target_refs: Option<Vec<Target>>,
    retry: Option<Retry>,
    circuit_breaker: Option<CircuitBreaker>,
    health_check: Option<HealthCheck>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Retry {
    num_retries: Option<u32>,
    num_attempts_per_priority: Option<u32>,
    retry_on: Option<RetryOn>,
    per_retry: Option<PerRetry>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RetryOn {
    triggers: Option<Vec<Trigger>>,
    http_status_codes: Option<Vec<u16>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Trigger {
    #[serde(rename = "5xx")]
    Any5xx,
    GatewayError,
    Reset,
    ConnectFailure,
    #[serde(rename = "retriable-4xx")]
    Retriable4xx,
    RefusedStream,
    RetriableStatusCodes,
    Cancelled,
    DeadlineExceeded,
    Internal,
    ResourceExhausted,
    Unavailable,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PerRetry {
    timeout: Option<String>,
    back_off: Option<BackOff>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct BackOff {
    base_interval: Option<String>,
    max_interval: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CircuitBreaker {
    max_connections: Option<u32>,
    max_pending_requests: Option<u32>,
    max_parallel_requests: Option<u32>,
    max_parallel_retries: Option<u32>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct HealthCheck {
    active: Option<Value>,
    passive: Option<PassiveHealthCheck>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PassiveHealthCheck {
    split_external_local_origin_errors: Option<bool>,
    interval: Option<String>,
    consecutive_local_origin_failures: Option<u32>,
    consecutive_gateway_errors: Option<u32>,
    #[serde(rename = "consecutive5XxErrors")]
    consecutive_5xx_errors: Option<u32>,
    base_ejection_time: Option<String>,
    max_ejection_percent: Option<u32>,
}

/// Envoy Gateway: how clients are treated.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ClientTrafficPolicy {
    api_version: String,
    kind: String,
    metadata: Metadata,
    spec: Clients,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Clients {
    target_refs: Vec<Target>,
    headers: Option<ClientHeaders>,
    path: Option<Path>,
    #[serde(rename = "clientIPDetection")]
    client_ip_detection: Option<ClientIpDetection>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ClientHeaders {
    early_request_headers: Option<HeaderFilter>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct HeaderFilter {
    set: Option<Vec<Value>>,
    add: Option<Vec<Value>>,
    remove: Option<Vec<String>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Path {
    escaped_slashes_action: Option<EscapedSlashes>,
    disable_merge_slashes: Option<bool>,
}

#[derive(Debug, Serialize, Deserialize)]
enum EscapedSlashes {
    KeepUnchanged,
    RejectRequest,
    UnescapeAndForward,
    UnescapeAndRedirect,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ClientIpDetection {
    x_forwarded_for: Option<ForwardedFor>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ForwardedFor {
    num_trusted_hops: Option<u32>,
}

/// Envoy Gateway: the proxies of a Gateway.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct EnvoyProxy {
    api_version: String,
    kind: String,
    metadata: Metadata,
    spec: Proxy,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Proxy {
    bootstrap: Option<Bootstrap>,
    telemetry: Option<ProxyTelemetry>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Bootstrap {
    r#type: BootstrapType,
    json_patches: Option<Vec<JsonPatch>>,
}

#[derive(Debug, Serialize, Deserialize)]
enum BootstrapType {
    Merge,
    Replace,
    #[serde(rename = "JSONPatch")]
    JsonPatch,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonPatch {
    op: String,
    path: String,
    value: Value,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ProxyTelemetry {
    access_log: Option<AccessLog>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccessLog {
    settings: Vec<AccessLogSetting>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccessLogSetting {
    format: AccessLogFormat,
    sinks: Vec<Sink>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccessLogFormat {
    r#type: FormatType,
    json: Map<String, Value>,
}

#[derive(Debug, Serialize, Deserialize)]
enum FormatType {
    #[serde(rename = "JSON")]
    Json,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sink {
    r#type: SinkType,
    file: File,
}

#[derive(Debug, Serialize, Deserialize)]
enum SinkType {
    File,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    path: String,
}

/// Istio's mesh configuration, `meshConfig` of istioctl and of the chart istiod.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct MeshConfig {
    path_normalization: Option<PathNormalization>,
    default_config: ProxyConfig,
    extension_providers: Vec<ExtensionProvider>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PathNormalization {
    normalization: NormalizationType,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum NormalizationType {
    Default,
    None,
    Base,
    MergeSlashes,
    DecodeAndMergeSlashes,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ProxyConfig {
    gateway_topology: Option<Topology>,
    extra_stat_tags: Vec<String>,
    proxy_stats_matcher: StatsMatcher,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Topology {
    num_trusted_proxies: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StatsMatcher {
    inclusion_prefixes: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ExtensionProvider {
    name: String,
    envoy_file_access_log: FileAccessLog,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FileAccessLog {
    path: String,
    log_format: LogFormat,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LogFormat {
    labels: Map<String, Value>,
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
