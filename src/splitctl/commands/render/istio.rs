//! `splitctl render istio`: the filter as a WasmPlugin, with the routing that goes by what it decides.

mod destination;
mod fallback;
mod plugin_config;
mod routing;
mod yaml;

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::bail;
use clap::ValueEnum;
use engine::metrics::Metrics;
use engine::policy::{Outcomes, Policy};
use lab::xds;

use crate::policy_file::Valid;
use crate::rules;
use crate::template::{fill, numbers};
use crate::wasm_plugin::{WasmPlugin, kubernetes_name, too_long};
use policy_text::source::{scalar, to_json};
use routing::Routing;

const TEMPLATE: &str = include_str!("istio/istio.yaml");
const ENVOY_FILTER: &str = include_str!("istio/envoy_filter.yaml");

/// WasmPlugin, routing and telemetry for Istio, as commented YAML documents.
///
/// Routes go by the variant header (plain Istio) or by the cluster header (with an EnvoyFilter). The comment at
/// the head says what the mesh configuration needs besides.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The policy file, YAML or JSON; `-` is the standard input.
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,

    /// What the routes look at.
    #[arg(long, value_enum, default_value_t = By::VariantHeader)]
    by: By,

    /// The name of everything that is rendered. With another one the plugin's headers are named after it, where the policy
    /// does not name them: two plugins on one proxy must not own the same ones.
    #[arg(long, value_name = "NAME", default_value = plugin_config::DEFAULT_NAME, value_parser = kubernetes_name)]
    name: String,

    /// The hosts of the routes; may be repeated. By default those that the policy names, else all.
    #[arg(long = "host", value_name = "HOST")]
    hosts: Vec<String>,

    /// The namespace of the services.
    #[arg(long, value_name = "NAMESPACE", default_value = "default", value_parser = kubernetes_name)]
    namespace: String,

    /// The port of services that the policy names without one. Needed where a service has several.
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,

    /// The cluster of requests that no split takes. By default the baseline's, if all splits agree on one.
    #[arg(long = "default", value_name = "CLUSTER")]
    fallback: Option<String>,

    /// The Gateway, or `mesh` for the sidecars of clients.
    #[arg(long, value_name = "NAMESPACE/NAME", default_value = "istio-ingress/gateway")]
    gateway: Gateway,

    /// The label of the pods that run the filter.
    #[arg(long, value_name = "KEY=VALUE", default_value = "istio=ingressgateway")]
    selector: Label,

    /// Where the module is.
    #[arg(long, value_name = "URL",
        default_value = concat!("oci://registry.example.com/traffic-split:", env!("CARGO_PKG_VERSION")))]
    image: String,

    /// Add a PrometheusRule with what `render prometheus` makes.
    #[arg(long)]
    rules: bool,
}

/// What the routes look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    /// A VirtualService matches the header that lists the variants.
    VariantHeader,
    /// An EnvoyFilter lets the route take the cluster from the header that names it.
    ClusterHeader,
}

/// Where the filter runs.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Gateway {
    Named { namespace: String, name: String },
    Mesh,
}

impl FromStr for Gateway {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "mesh" {
            return Ok(Self::Mesh);
        }
        let wrong = || format!("`{text}` is no gateway, such as `istio-ingress/gateway` or `mesh`");
        let (namespace, gateway) = text.split_once('/').ok_or_else(wrong)?;
        let [namespace, name] = [namespace, gateway].map(kubernetes_name);
        Ok(Self::Named {
            namespace: namespace.map_err(|_| wrong())?,
            name: name.map_err(|_| wrong())?,
        })
    }
}

impl Gateway {
    fn text(&self) -> String {
        match self {
            Self::Named { namespace, name } => format!("{namespace}/{name}"),
            Self::Mesh => "mesh".to_owned(),
        }
    }
}

/// A label of pods.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Label {
    key: String,
    value: String,
}

impl FromStr for Label {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts =
            text.split_once('=').filter(|(key, value)| !key.is_empty() && !value.is_empty());
        let (key, value) = parts
            .ok_or_else(|| format!("`{text}` is not a label, such as `istio=ingressgateway`"))?;
        Ok(Self { key: key.to_owned(), value: value.to_owned() })
    }
}

pub(super) fn render(args: &Args, valid: &Valid) -> anyhow::Result<String> {
    let valid = &plugin_config::stated(valid, &args.name)?;
    let policy = &valid.policy;
    let bytes = to_json(&valid.document)?.len();
    if let Some(too_long) = too_long(bytes).filter(|too_long| too_long.refused) {
        bail!("{}; {}", too_long.what, too_long.help);
    }
    if args.by == By::VariantHeader && policy.splits.iter().any(|s| s.enabled && s.mirror.is_some())
    {
        bail!("a VirtualService cannot copy by header: mirrors need `--by cluster-header`");
    }
    if policy.outcomes == Outcomes::Envoy {
        bail!(
            "Istio has no access logger that counts by variant, so that nobody would count how requests end: write \
            `outcomes: filter`, or `outcomes: off` where the statistics of its services are enough"
        );
    }
    let routing = Routing::of(args, policy)?;
    let filter_namespace = match &args.gateway {
        Gateway::Named { namespace, .. } => namespace,
        Gateway::Mesh => &args.namespace,
    };
    let mut documents = vec![TEMPLATE.to_owned()];
    if args.by == By::ClusterHeader && !routing.is_empty() {
        documents.push(ENVOY_FILTER.to_owned());
    }
    documents.extend([routing.virtual_service(), routing.destination_rules()]);
    if args.rules {
        let plugin = WasmPlugin { namespace: filter_namespace.clone(), name: args.name.clone() };
        documents.push(prometheus_rule(plugin, valid)?);
    }
    let values = [
        ("name", args.name.clone()),
        ("filter_namespace", scalar(filter_namespace)),
        ("namespace", scalar(&args.namespace)),
        ("selector", format!("{}: {}", scalar(&args.selector.key), scalar(&args.selector.value))),
        ("traffic", traffic(&args.gateway).to_owned()),
        ("context", context(&args.gateway).to_owned()),
        ("image", scalar(&args.image)),
        ("filter", xds::FILTER.to_owned()),
        ("labels", Metrics::LABELS.join(", ")),
        ("buckets", numbers(&xds::DURATION_BUCKETS)),
        ("trusted_proxies", trusted_proxies(&args.gateway, policy)),
        ("hash", valid.hash_text()),
        ("cluster_header", scalar(&policy.cluster_header)),
        ("mirror_header", scalar(&policy.mirror_header)),
        ("tracing", tracing(policy)),
        ("split", xds::variants_in_logs(policy)),
        ("evidence", xds::evidence_in_logs()),
        // Last: what a policy says is not a template.
        ("policy", yaml::block(&valid.document, 4)),
    ];
    Ok(fill(&documents.concat(), &values))
}

/// On a sidecar, only requests that leave the pod: its own routes do not choose among variants.
fn traffic(gateway: &Gateway) -> &'static str {
    match gateway {
        Gateway::Named { .. } => "",
        Gateway::Mesh => {
            "
  # Requests that leave these pods. On their way in there is no choice to make any more.
  match: [{mode: CLIENT}]"
        }
    }
}

/// How many proxies are in front of a gateway. Who calls a sidecar is known by other means, and it takes
/// x-forwarded-for as it comes.
fn trusted_proxies(gateway: &Gateway, policy: &Policy) -> String {
    match gateway {
        Gateway::Named { .. } => format!(
            "
#       gatewayTopology: {{numTrustedProxies: {}}}",
            policy.trusted_hops.saturating_sub(1)
        ),
        Gateway::Mesh => String::new(),
    }
}

fn context(gateway: &Gateway) -> &'static str {
    match gateway {
        Gateway::Named { .. } => "GATEWAY",
        Gateway::Mesh => "SIDECAR_OUTBOUND",
    }
}

/// Traces show the variant, taken from the header that the filter sets.
fn tracing(policy: &Policy) -> String {
    let Some(header) = &policy.variant_header else { return String::new() };
    format!(
        "
  # Sampling does not look at variants: at 1 % of requests, a variant of 1 % has one trace in 10,000 requests.
  tracing:
  - customTags:
      split.variant: {{header: {{name: {}}}}}",
        scalar(header)
    )
}

/// The rules of `render prometheus` for the Prometheus operator.
fn prometheus_rule(plugin: WasmPlugin, valid: &Valid) -> anyhow::Result<String> {
    let text = rules::render(&rules::Options::of_plugin(plugin), valid)?;
    let metadata = "name: {{name}}\n  namespace: {{namespace}}";
    Ok(format!("---\n{}", rules::operator(&text, metadata)))
}

#[cfg(test)]
mod tests;
