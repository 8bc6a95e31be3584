//! The clusters around the filter: their names from the policy and the options, their addresses from the options or,
//! with a note, made up.

use std::net::IpAddr;
use std::str::FromStr;

use anyhow::bail;
use engine::policy::{Policy, nearest};
use policy_text::source::scalar;

use super::fallback::{FallsBack, Settings, settings_of_own};
use super::{Args, COLLECTOR};

/// The port of a host nobody gave an address.
const PORT: u16 = 8080;

/// A cluster with its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cluster {
    pub(super) name: String,
    pub(super) host: String,
    pub(super) port: u16,
}

impl FromStr for Cluster {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong =
            || format!("`{text}` is not a cluster's address, such as `stable=10.0.0.7:8080`");
        let (name, address) = text.rsplit_once('=').ok_or_else(wrong)?;
        let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
        let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        if name.is_empty() || host.is_empty() {
            return Err(wrong());
        }
        let port = port.parse().map_err(|_| wrong())?;
        Ok(Self { name: name.to_owned(), host: host.to_owned(), port })
    }
}

/// The names that requests are sent to, each once: those of the policy in its order, and the fallback.
fn needed(args: &Args, policy: &Policy) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut add = |name: Option<&str>| {
        if let Some(name) = name.filter(|name| !names.iter().any(|known| known == name)) {
            names.push(name.to_owned());
        }
    };
    for split in &policy.splits {
        split.variants.iter().for_each(|variant| add(variant.cluster.as_deref()));
        add(split.mirror.as_ref().map(|mirror| mirror.cluster.as_str()));
    }
    add(Some(&args.fallback));
    names
}

/// What is made up because no option tells it, and what the options name without anybody's asking; a sentence each.
pub(super) fn notes(args: &Args, policy: &Policy) -> Vec<String> {
    let needed = needed(args, policy);
    let given = |name: &str| args.clusters.iter().any(|cluster| cluster.name == name);
    let missing: Vec<&str> =
        needed.iter().map(String::as_str).filter(|name| !given(name)).collect();
    let mut notes = Vec::new();
    for (number, Cluster { name, host, port }) in args.clusters.iter().enumerate() {
        let mut later = args.clusters.iter().skip(number.saturating_add(1));
        if later.any(|later| later.name == *name) {
            notes.push(format!(
                "`--cluster '{name}={host}:{port}'` is given again: the last address counts"
            ));
        } else if !needed.contains(name) {
            let meant = nearest(name, missing.iter().copied());
            let meant = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
            notes.push(format!(
                "the policy names no cluster `{name}`: it is rendered, and no request is sent to it{meant}"
            ));
        }
    }
    for name in missing {
        let host = placeholder(name);
        let say = format!("`{host}:{PORT}` is made up; say `--cluster '{name}=HOST:PORT'`");
        notes.push(if *name == args.fallback {
            format!(
                "no address was given for the cluster `{name}`, where requests go that no split takes: {say}, and by \
                `--fallback` if it is another"
            )
        } else {
            format!("no address was given for the cluster `{name}`: {say}")
        });
    }
    notes
}

/// Each cluster once: those of the policy in its order, the fallback, and whatever else got an address; then those that
/// carry on for variants.
pub(super) fn clusters(
    args: &Args,
    policy: &Policy,
    falling_back: &[FallsBack],
) -> anyhow::Result<String> {
    let mut names = needed(args, policy);
    for given in &args.clusters {
        if !names.contains(&given.name) {
            names.push(given.name.clone());
        }
    }
    let ours = falling_back.iter().flat_map(|v| [v.either().to_owned(), v.stand_in()]);
    let ours = ours.chain(args.otlp.is_some().then(|| COLLECTOR.to_owned()));
    if let Some(taken) = ours.into_iter().find(|name| names.contains(name)) {
        bail!("`{taken}` is the name of a cluster that is rendered: give yours another one");
    }
    if let Some(unknown) = args.http2.iter().find(|name| !names.contains(name)) {
        bail!("`--http2 {unknown}`: no such cluster is rendered; these are: {}", names.join(", "));
    }
    let with_protocol = |name: &str, mut settings: Settings| {
        if args.http2.iter().any(|known| known == name) {
            settings.cluster.push_str(HTTP2);
        }
        settings
    };
    // Its address, and a note where that is only assumed.
    let placed = |name: &str| {
        let given = args.clusters.iter().rfind(|cluster| cluster.name == name);
        let note = if given.is_none() { "  # an assumption: `--cluster` tells" } else { "" };
        let placeholder = || Cluster { host: placeholder(name), port: PORT, name: name.to_owned() };
        (given.cloned().unwrap_or_else(placeholder), note)
    };
    let mut text = String::new();
    for name in names {
        let falls_back = falling_back.iter().any(|variant| variant.is_of(&name));
        let settings = match falls_back {
            true => settings_of_own(args.health_check.as_deref()),
            false => Settings::default(),
        };
        let (placed, note) = placed(&name);
        text.push_str(&cluster(&placed, &with_protocol(&name, settings), note));
    }
    for variant in falling_back {
        let (mut placed, note) = placed(&variant.baseline);
        placed.name = variant.stand_in();
        text.push_str(&variant.aggregate());
        let settings = with_protocol(&variant.baseline, variant.settings_of_stand_in());
        text.push_str(&cluster(&placed, &settings, note));
    }
    if let Some(collector) = &args.otlp {
        let settings = Settings { cluster: HTTP2.to_owned(), ..Settings::default() };
        text.push_str(&cluster(collector, &settings, ""));
    }
    Ok(text)
}

/// gRPC needs HTTP/2.
const HTTP2: &str = "
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        \"@type\": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {http2_protocol_options: {}}";

fn cluster(Cluster { name, host, port }: &Cluster, settings: &Settings, note: &str) -> String {
    let kind = if host.parse::<IpAddr>().is_ok() { "STATIC" } else { "STRICT_DNS" };
    let (name, host) = (scalar(name), scalar(host));
    let Settings { cluster, assignment, host: of_host } = settings;
    format!(
        "
  - name: {name}
    type: {kind}
    connect_timeout: 1s{cluster}
    load_assignment:
      cluster_name: {name}{assignment}
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: {host}, port_value: {port}}}}}}}{note}{of_host}"
    )
}

/// The host of a cluster nobody gave an address: its own name, or one that cannot exist.
fn placeholder(cluster: &str) -> String {
    let hostname = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let possible = cluster.len() <= 63
        && cluster.chars().all(hostname)
        && cluster.starts_with(|c: char| c.is_ascii_alphanumeric());
    if possible { cluster.to_owned() } else { "host.invalid".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::render;
    use super::*;
    use crate::outcome::Outcome;

    const POLICY: &str = "
version: 1
splits:
- name: checkout
  key: [{header: u}]
  baseline: stable
  variants:
  - {name: stable, cluster: agent-v1, weight: 95}
  - {name: canary, cluster: 'outbound|80|v2|agent', weight: 5}
";

    #[test]
    fn nothing_is_made_up_without_a_word() {
        let (outcome, out, err) = render("envoy", POLICY, &["--cluster", "agent-v1=10.0.0.7:80"]);
        assert_eq!(outcome, Outcome::Fine);
        assert!(out.contains("host.invalid"), "{out}");
        let words = "\
note: no address was given for the cluster `outbound|80|v2|agent`: `host.invalid:8080` is made up; say `--cluster 'outbound|80|v2|agent=HOST:PORT'`
note: no address was given for the cluster `default`, where requests go that no split takes: `default:8080` is made up; say `--cluster 'default=HOST:PORT'`, and by `--fallback` if it is another
";
        assert_eq!(anstream::adapter::strip_str(&err).to_string(), words);
    }

    #[test]
    fn a_name_that_nobody_asks_for_is_told_with_the_one_that_is_meant() {
        let (outcome, out, err) = render("envoy", POLICY, &["--cluster", "agent-vv1=10.0.0.7:80"]);
        assert_eq!(outcome, Outcome::Fine);
        assert!(out.contains("- name: agent-vv1\n"), "{out}");
        assert!(
            err.contains("no cluster `agent-vv1`") && err.contains("did you mean `agent-v1`?"),
            "{err}"
        );
        let all = ["agent-v1=a:1", "outbound|80|v2|agent=b:1", "default=c:1"];
        let mut options: Vec<&str> = all.iter().flat_map(|at| ["--cluster", *at]).collect();
        let (_, _, err) = render("envoy", POLICY, &options);
        assert_eq!(err, "");
        // Every name has its address, so this one is no typing error.
        options.extend(["--cluster", "agent-v3=d:1", "--cluster", "agent-v1=e:2"]);
        let (_, out, err) = render("envoy", POLICY, &options);
        assert!(
            err.contains("the policy names no cluster `agent-v3`") && !err.contains("did you"),
            "{err}"
        );
        assert!(err.contains("`--cluster 'agent-v1=a:1'` is given again"), "{err}");
        assert!(out.contains("{address: e, port_value: 2}"), "{out}");
    }

    #[test]
    fn an_address_has_a_name_a_host_and_a_port() {
        for wrong in ["a", "a=b", "=b:1", "a=:1", "a=b:port", "a=b:70000"] {
            assert!(wrong.parse::<Cluster>().is_err(), "{wrong}");
        }
        let cluster: Cluster = "outbound|80|v=1|a=b.c:80".parse().unwrap();
        assert_eq!((cluster.name.as_str(), cluster.host.as_str()), ("outbound|80|v=1|a", "b.c"));
    }
}
