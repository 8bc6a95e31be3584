//! `splitctl render envoy`: a complete Envoy around the filter, as commented YAML.

mod clusters;
mod fallback;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::bail;
use engine::metrics::Metrics;
use engine::policy::Policy;
use lab::outcomes::{Logger, access_loggers, listed};
use lab::xds;
use policy_text::source::scalar;
use serde_json::Value;

use crate::policy_file::Valid;
use crate::template::{fill, is_decimal, numbers};
use clusters::{Cluster, clusters};
use fallback::FallsBack;

const TEMPLATE: &str = include_str!("envoy.yaml");

/// The cluster of the OpenTelemetry collector.
const COLLECTOR: &str = "opentelemetry_collector";

/// A whole Envoy configuration, as commented YAML.
///
/// A listener with the filter by ECDS (see `render ecds`), routes with a fallback, a cluster for each that the
/// policy names, statistics with labels, an access log with the variant.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The policy file, YAML or JSON; `-` is the standard input.
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,

    /// Where a cluster is; may be repeated. One that is not given gets its own name as the host, with port 8080, and a
    /// note says so.
    #[arg(long = "cluster", value_name = "NAME=HOST:PORT")]
    clusters: Vec<Cluster>,

    /// A cluster whose hosts speak HTTP/2 without TLS, as gRPC servers do; may be repeated.
    #[arg(long, value_name = "NAME")]
    http2: Vec<String>,

    /// The cluster of requests for which the filter names none.
    #[arg(long, value_name = "NAME", default_value = "default")]
    fallback: String,

    /// Where Envoy listens for requests.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:10000")]
    listen: SocketAddr,

    /// Where Envoy's admin interface listens. Who reaches it can stop Envoy: keep it off public networks.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9901")]
    admin: SocketAddr,

    /// How many proxies of yours are in front of this Envoy and append to x-forwarded-for; 0 at the edge. By default one
    /// less than the policy's `trusted_hops`.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(..=254))]
    trusted_proxies: Option<u8>,

    /// A path at which hosts of variants with `fallback: baseline` say by a 200 that they are well. Envoy asks every two
    /// seconds, and the baseline stands in where none is.
    #[arg(long, value_name = "PATH", value_parser = path)]
    health_check: Option<String>,

    /// The file that `render ecds` makes, in a folder of its own.
    #[arg(long, value_name = "PATH", default_value = "/etc/envoy/ecds/traffic_split.json")]
    ecds: PathBuf,

    /// Send traces to an OpenTelemetry collector, by OTLP over gRPC; the variant is a tag of the span.
    #[arg(long, value_name = "HOST:PORT", value_parser = collector)]
    otlp: Option<Cluster>,

    /// How many percent of requests have a trace.
    #[arg(long, value_name = "PERCENT", default_value = "1", requires = "otlp", value_parser = percent)]
    traces: String,
}

/// The collector's address, as a cluster.
fn collector(address: &str) -> Result<Cluster, String> {
    let cluster = format!("{COLLECTOR}={address}").parse().ok();
    cluster
        .filter(|cluster: &Cluster| !cluster.host.contains('/'))
        .ok_or_else(|| format!("`{address}` is not an address, such as `otel-collector:4317`"))
}

fn path(text: &str) -> Result<String, String> {
    if text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    Err("it is a path, such as /healthz".to_owned())
}

fn percent(text: &str) -> Result<String, String> {
    if is_decimal(text) && text.parse::<f64>().is_ok_and(|percent| percent <= 100.0) {
        return Ok(text.to_owned());
    }
    Err("it is a percentage from 0 to 100, such as 0.5".to_owned())
}

/// What whoever renders should know of what is rendered; a sentence each.
pub(super) fn notes(args: &Args, valid: &Valid) -> Vec<String> {
    clusters::notes(args, &valid.policy)
}

pub(super) fn render(args: &Args, valid: &Valid) -> anyhow::Result<String> {
    let Some((folder, path)) = args.ecds.parent().zip(args.ecds.to_str()) else {
        bail!("`--ecds` must name a file in a folder");
    };
    let policy = &valid.policy;
    let trusted_proxies = trusted_proxies(args, policy)?;
    let falling_back = FallsBack::all(policy)?;
    if args.health_check.is_some() && falling_back.is_empty() {
        bail!(
            "`--health-check` is of variants with `fallback: baseline`, and no variant has one that acts"
        );
    }
    let routes: String = falling_back.iter().map(|variant| variant.route(policy)).collect();
    let owned =
        [Some(&policy.cluster_header), policy.variant_header.as_ref(), Some(&policy.mirror_header)];
    let removed: Vec<_> =
        owned.iter().flatten().map(|name| format!("- remove: {}", scalar(name))).collect();
    let values = [
        ("listen_host", scalar(&args.listen.ip().to_string())),
        ("listen_port", args.listen.port().to_string()),
        ("trusted_proxies", trusted_proxies.to_string()),
        ("client", client(trusted_proxies)),
        ("admin_host", scalar(&args.admin.ip().to_string())),
        ("admin_port", args.admin.port().to_string()),
        ("filter", xds::FILTER.to_owned()),
        ("wasm_type", xds::WASM_TYPE.to_owned()),
        ("ecds", scalar(path)),
        ("ecds_folder", scalar(&folder.display().to_string())),
        ("cluster_header", scalar(&policy.cluster_header)),
        ("mirror_header", scalar(&policy.mirror_header)),
        ("removed", removed.join("\n              ")),
        ("rare", rare_variant(policy)),
        ("routes", routes),
        ("tracing", tracing(args, policy)),
        ("split", xds::variants_in_logs(policy)),
        ("evidence", xds::evidence_in_logs()),
        ("outcomes", outcomes(args, policy)),
        ("stand_in", stand_in_in_logs(&falling_back).to_owned()),
        ("fallback", scalar(&args.fallback)),
        ("labels", labels()),
        ("durations", xds::durations()),
        ("buckets", numbers(&xds::DURATION_BUCKETS)),
        ("clusters", clusters(args, policy, &falling_back)?),
    ];
    Ok(fill(TEMPLATE, &values))
}

/// How many proxies in front are trusted. The policy's `trusted_hops` counts this Envoy as well: with another number
/// the two would take different addresses for the client's, one of them written by the client or by a proxy.
fn trusted_proxies(args: &Args, policy: &Policy) -> anyhow::Result<u8> {
    let of_policy = policy.trusted_hops.checked_sub(1);
    match (args.trusted_proxies, of_policy) {
        (Some(asked), Some(of_policy)) if asked != of_policy => bail!(
            "`--trusted-proxies {asked}` does not fit the policy's `client_ip: {{trusted_hops: {}}}`, which counts this \
            Envoy, too: say `trusted_hops: {}` there, or `--trusted-proxies {of_policy}`",
            policy.trusted_hops,
            asked.saturating_add(1)
        ),
        (asked, of_policy) => Ok(asked.or(of_policy).unwrap_or(0)),
    }
}

/// Whose address is the client's, in words.
fn client(trusted_proxies: u8) -> String {
    match trusted_proxies {
        0 => {
            "this Envoy is at the edge, and a client's address is that of its connection".to_owned()
        }
        1 => "the proxy in front has appended the client's address to x-forwarded-for".to_owned(),
        n => format!(
            "the outermost of {n} proxies in front has appended the client's address to x-forwarded-for"
        ),
    }
}

/// The access loggers that count how requests end, where the policy wants Envoy to.
fn outcomes(args: &Args, policy: &Policy) -> String {
    let loggers = access_loggers(policy, |cluster| args.http2.iter().any(|name| name == cluster));
    if loggers.is_empty() {
        return String::new();
    }
    let mut text = String::from(
        "
          # How requests end is counted here (`outcomes: envoy`), under the names that the filter would count by: for each
          # variant the requests that have it in their header, with a response and without. Needs Envoy 1.37 or later. If
          # variants come or go, render this file again and restart Envoy; a new weight needs neither. gRPC calls count by
          # their own status for clusters that are named by `--http2`.",
    );
    for Logger { name, filter, config } in loggers {
        let field = |name: &str| config.get(name).unwrap_or(&Value::Null).to_string();
        let _in_memory = write!(
            text,
            "
          - name: {name}
            filter: {filter}
            typed_config:
              \"@type\": {}
              stat_prefix: {}
              counters: {}
              histograms: {}",
            field("@type"),
            field("stat_prefix"),
            field("counters"),
            field("histograms")
        );
    }
    text
}

/// How an access log shows that the baseline's cluster served in a variant's place.
fn stand_in_in_logs(falling_back: &[FallsBack]) -> &'static str {
    if falling_back.is_empty() {
        return "";
    }
    "
                  # The cluster that served in the variant's place; null where none had to.
                  stand_in: \"%UPSTREAM_METADATA(traffic_split:stand_in)%\""
}

/// Where traces go, and the variant as a tag.
fn tracing(args: &Args, policy: &Policy) -> String {
    if args.otlp.is_none() {
        return "# Traces, with the variant as a tag: `splitctl render envoy --otlp HOST:PORT` adds them.".to_owned();
    }
    let tag = match &policy.variant_header {
        Some(header) => format!("request_header: {{name: {}}}", scalar(header)),
        None => format!("value: \"{}\"", xds::variants_in_logs(policy)),
    };
    format!(
        "# Spans go to an OpenTelemetry collector. The tag is there if a split applied.
          tracing:
            provider:
              name: envoy.tracers.opentelemetry
              typed_config:
                \"@type\": type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig
                service_name: edge
                grpc_service: {{envoy_grpc: {{cluster_name: {COLLECTOR}}}, timeout: 1s}}
            # In percent of all requests. A request whose caller decided against a trace (traceparent) has none.
            random_sampling: {{value: {}}}
            # Otherwise whoever sends x-client-trace-id gets a trace.
            client_sampling: {{value: 0}}
            custom_tags:
            - {{tag: split.variant, {}}}",
        args.traces, tag
    )
}

/// As a comment: a route of its own for a rare variant, so that it has more traces than all the others.
fn rare_variant(policy: &Policy) -> String {
    let splits = policy.splits.iter().filter(|split| split.enabled);
    let mut others = splits.flat_map(|split| {
        let variants = split.variants.pairs();
        let others = variants.filter(|(id, v)| {
            // One with a stand-in has a route of its own already.
            *id != split.baseline && v.cluster.is_some() && split.stand_in(*id).is_none()
        });
        others.map(|(_, variant)| format!("{}={}", split.name, variant.name))
    });
    let Some((header, variant)) = policy.variant_header.as_ref().zip(others.next()) else {
        return String::new();
    };
    let (header, name, regex) = (scalar(header), scalar(&variant), listed(&variant));
    let (cluster, mirror) = (scalar(&policy.cluster_header), scalar(&policy.mirror_header));
    format!(
        "
              # A variant with few requests has few traces. A route of its own can give it more, here one for each
              # request (100 %): after the filter, Envoy chooses the route again, and with it (from 1.36 on) whether
              # there is a trace. This route must come before the next one.
              # - name: {name}
              #   match: {{prefix: /, headers: [{{name: {header}, string_match: {{safe_regex: {{regex: '{regex}'}}}}}}]}}
              #   route: {{cluster_header: {cluster}, request_mirror_policies: [{{cluster_header: {mirror}, disable_shadow_host_suffix_append: true}}]}}
              #   tracing: {{random_sampling: {{numerator: 100}}, client_sampling: {{numerator: 0}}}}"
    )
}

fn labels() -> String {
    let line = |label| format!("- {{tag_name: {label}, regex: '{}'}}", xds::label_regex(label));
    Metrics::LABELS.map(line).join("\n  ")
}

#[cfg(test)]
mod tests {
    use super::super::tests::render;
    use super::*;
    use crate::outcome::Outcome;

    const POLICY: &str = "
version: 1
cluster_header: x-to
splits:
- name: checkout
  key: [{header: u}]
  baseline: stable
  variants:
  - {name: stable, cluster: checkout-v1, weight: 95}
  - {name: canary, cluster: 'outbound|80|v2|checkout', weight: 5}
";

    #[test]
    fn nothing_is_left_to_fill_and_each_cluster_is_there_once() {
        let options = ["--cluster", "checkout-v1=10.0.0.7:80", "--cluster", "copy=[::1]:81"];
        let (outcome, out, err) = render("envoy", POLICY, &options);
        assert_eq!(outcome, Outcome::Fine, "{err}");
        assert!(!out.contains("{{"), "{out}");
        for line in [
            "              - remove: x-to\n              - remove: x-split-variant\n              - remove: x-split-mirror\n",
            "                route:\n                  cluster: default\n",
            "          use_remote_address: true\n          xff_num_trusted_hops: 0\n",
            "          path_with_escaped_slashes_action: UNESCAPE_AND_REDIRECT\n",
            "  - name: checkout-v1\n    type: STATIC\n",
            "{address: 10.0.0.7, port_value: 80}",
            "  - name: \"outbound|80|v2|checkout\"\n    type: STRICT_DNS\n",
            "{address: host.invalid, port_value: 8080}",
            "  - name: default\n    type: STRICT_DNS\n",
            "{address: \"::1\", port_value: 81}",
        ] {
            let out = out.replace("\"10.0.0.7\"", "10.0.0.7");
            assert!(out.contains(line), "`{line}` is not in\n{out}");
        }
        assert_eq!(out.matches("    connect_timeout").count(), 4);
    }

    #[test]
    fn the_proxies_in_front_are_those_of_the_policy_or_of_the_option() {
        let hops = |hops: u8| {
            POLICY
                .replace("version: 1", &format!("version: 1\nclient_ip: {{trusted_hops: {hops}}}"))
        };
        for (policy, options, wanted) in [
            (POLICY.to_owned(), &["--trusted-proxies", "2"][..], 2),
            (hops(1), &[], 0),
            (hops(3), &[], 2),
            (hops(3), &["--trusted-proxies", "2"], 2),
        ] {
            let (_, out, err) = render("envoy", &policy, options);
            assert!(out.contains(&format!("  xff_num_trusted_hops: {wanted}\n")), "{out}{err}");
        }
        let (outcome, out, err) = render("envoy", &hops(3), &["--trusted-proxies", "0"]);
        assert_eq!((outcome, out.as_str()), (Outcome::NoAnswer, ""));
        assert!(err.contains("say `trusted_hops: 1` there, or `--trusted-proxies 2`"), "{err}");
    }

    #[test]
    fn a_variant_header_that_is_off_is_nowhere() {
        let off = POLICY.replace("version: 1", "version: 1\nvariant_header: null");
        let (_, out, _) = render("envoy", &off, &["--otlp", "otel:4317"]);
        assert!(out.contains("FILTER_STATE") && !out.contains("x-split-variant"), "{out}");
    }

    #[test]
    fn traces_go_to_the_collector_that_is_named() {
        let (_, out, _) = render("envoy", POLICY, &[]);
        assert!(!out.contains("provider:") && !out.contains(COLLECTOR), "{out}");
        assert!(out.contains("regex: '(.*, )?checkout=canary(, .*)?'"), "the example: {out}");
        let (outcome, out, err) = render("envoy", POLICY, &["--otlp", "otel.example:4317"]);
        assert_eq!(outcome, Outcome::Fine, "{err}");
        for line in [
            "grpc_service: {envoy_grpc: {cluster_name: opentelemetry_collector}, timeout: 1s}\n",
            "random_sampling: {value: 1}\n",
            "  - name: opentelemetry_collector\n    type: STRICT_DNS\n",
            "http2_protocol_options: {}}\n    load_assignment:",
            "{address: otel.example, port_value: 4317}",
        ] {
            assert!(out.contains(line), "`{line}` is not in\n{out}");
        }
        let (_, out, _) = render("envoy", POLICY, &["--otlp", "a:1", "--traces", "0.5"]);
        assert!(out.contains("random_sampling: {value: 0.5}\n"), "{out}");
    }

    #[test]
    fn clusters_that_speak_http2_are_named() {
        let (_, out, err) = render("envoy", POLICY, &["--http2", "checkout-v1"]);
        assert_eq!(out.matches("http2_protocol_options").count(), 1, "{err}");
        let (outcome, _, err) = render("envoy", POLICY, &["--http2", "other"]);
        assert_eq!(outcome, Outcome::NoAnswer);
        assert!(err.contains("these are: checkout-v1, outbound|80|v2|checkout, default"), "{err}");
    }

    #[test]
    fn a_collector_that_cannot_be_is_refused() {
        for wrong in ["otel", ":4317", "otel:", "http://otel:4317"] {
            assert!(collector(wrong).is_err(), "{wrong}");
        }
        for wrong in ["101", "-1", "1e1", "all"] {
            assert!(percent(wrong).is_err(), "{wrong}");
        }
        let taken = POLICY.replace("checkout-v1", COLLECTOR);
        let (outcome, _, err) = render("envoy", &taken, &["--otlp", "a:1"]);
        assert_eq!(outcome, Outcome::NoAnswer);
        assert!(err.contains("give yours another one"), "{err}");
    }
}
