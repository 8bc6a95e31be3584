//! The routes that go by what the filter decided.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::{anyhow, bail};
use engine::policy::{Policy, Split};
use lab::outcomes::listed;
use policy_text::source::scalar;

use super::destination::Destination;
use super::{Args, By, Gateway, fallback};

/// The routes of a policy; none where it names no cluster.
#[derive(Debug)]
pub(super) struct Routing {
    hosts: Vec<String>,
    gateway: String,
    /// Some hosts are those to which a variant rewrites.
    rewrites: bool,
    routes: Vec<Route>,
    /// All that requests and copies may reach.
    destinations: BTreeSet<Destination>,
    /// Those of them that others stand in for.
    falling_back: BTreeSet<Destination>,
}

#[derive(Debug)]
struct Route {
    comment: &'static str,
    name: String,
    /// The header, and the regular expression of its whole value; `None` = that it is there.
    header: Option<(String, Option<String>)>,
    to: Destination,
}

const REWRITES: &str = "  # Including hosts that a variant rewrites to, because the route is chosen by the new host: the Gateway must serve them too.
";

impl Routing {
    pub(super) fn of(args: &Args, policy: &Policy) -> anyhow::Result<Self> {
        let splits: Vec<&Split> = policy.splits.iter().filter(|split| split.enabled).collect();
        let read = |cluster: &str| {
            let read = match args.by {
                By::VariantHeader => Destination::of_cluster(cluster, &args.namespace, args.port),
                // Envoy looks the name up as it is.
                By::ClusterHeader => Destination::of_istio(cluster),
            };
            read.map_err(|error| anyhow!(error))
        };
        let falling_back = fallback::destinations(args.by, &splits, &read)?;
        let mut routes = Vec::new();
        let mut baselines = BTreeSet::new();
        let mut destinations = BTreeSet::new();
        for split in &splits {
            for (id, variant) in split.variants.pairs() {
                let Some(cluster) = &variant.cluster else { continue };
                let to = read(cluster)?;
                destinations.insert(to.clone());
                if id == split.baseline {
                    baselines.insert(to.clone());
                }
                let name = format!("{}={}", split.name, variant.name);
                routes.push((name, to));
            }
            if let Some(mirror) = &split.mirror {
                destinations.insert(read(&mirror.cluster)?);
            }
        }
        let default = match &args.fallback {
            Some(cluster) => Some(read(cluster)?),
            None if baselines.len() > 1 => {
                bail!(
                    "the splits have different baselines: tell with `--default` where all others go"
                )
            }
            None if baselines.is_empty() && !routes.is_empty() => {
                bail!("no baseline has a cluster: tell with `--default` where all others go")
            }
            None => baselines.into_iter().next(),
        };
        let gateway = args.gateway.text();
        let Some(default) = default else {
            if splits.iter().any(|split| split.mirror.is_some()) {
                bail!("a mirror needs a route: tell with `--default` where requests go");
            }
            return Ok(Self {
                hosts: Vec::new(),
                gateway,
                rewrites: false,
                routes: Vec::new(),
                destinations,
                falling_back,
            });
        };
        destinations.insert(default.clone());
        let mut chosen = match (args.by, &policy.variant_header) {
            (By::VariantHeader, Some(header)) => by_variant(header, routes),
            (By::VariantHeader, None) => {
                bail!("the policy turns `variant_header` off: use `--by cluster-header`")
            }
            (By::ClusterHeader, _) => vec![Route {
                comment: "The filter named a cluster. Its destination is only a stand-in, see the EnvoyFilter.",
                name: format!("{}-by-cluster-header", args.name),
                header: Some((policy.cluster_header.clone(), None)),
                to: default.clone(),
            }],
        };
        chosen.push(Route {
            comment: "No split applied, or the filter does not run: the same as without it.",
            name: format!("{}-default", args.name),
            header: None,
            to: default,
        });
        let rewrites = splits.iter().flat_map(|s| &s.variants).any(|v| v.rewrite.host.is_some());
        let hosts = hosts(args, &splits);
        if args.gateway == Gateway::Mesh && hosts.iter().any(|host| host == "*") {
            bail!(
                "for `--gateway mesh` Istio refuses routes of the host `*`: name the services with `--host`, such as \
                `--host reviews.default.svc.cluster.local`, or by `hosts` in every entry of `match`"
            );
        }
        Ok(Self { hosts, gateway, rewrites, routes: chosen, destinations, falling_back })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    pub(super) fn virtual_service(&self) -> String {
        if self.is_empty() {
            return "---\n# No variant names a cluster: your routes stay as they are.\n".to_owned();
        }
        let hosts: Vec<_> = self.hosts.iter().map(|host| scalar(host)).collect();
        let mut text = format!(
            "---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: {{{{name}}}}
  namespace: {{{{namespace}}}}
spec:
{}  hosts: [{}]
  gateways: [{}]
  # The filter sets a header, and Envoy chooses the route again: the first that matches, in the order of the policy. A
  # client cannot choose, because the filter removes these headers from what it sends.
  http:
",
            if self.rewrites { REWRITES } else { "" },
            hosts.join(", "),
            scalar(&self.gateway)
        );
        for (index, route) in self.routes.iter().enumerate() {
            let again = index > 0
                && self
                    .routes
                    .get(index.wrapping_sub(1))
                    .is_some_and(|r| r.comment == route.comment);
            if !again {
                let _in_memory = writeln!(text, "  # {}", route.comment);
            }
            let _in_memory = writeln!(text, "  - name: {}", scalar(&route.name));
            if let Some((header, regex)) = &route.header {
                let test = regex
                    .as_ref()
                    .map_or_else(|| "{}".to_owned(), |regex| format!("{{regex: '{regex}'}}"));
                let _in_memory =
                    writeln!(text, "    match: [{{headers: {{{}: {test}}}}}]", scalar(header));
            }
            let falls_back = self.falling_back.contains(&route.to);
            let retries = if falls_back { fallback::RETRIES } else { "" };
            let _in_memory =
                writeln!(text, "    route: [{{destination: {}}}]{retries}", destination(&route.to));
        }
        text
    }

    /// One for each host with subsets.
    pub(super) fn destination_rules(&self) -> String {
        let mut subsets: BTreeMap<&str, BTreeMap<&str, bool>> = BTreeMap::new();
        for to in &self.destinations {
            if let Some(subset) = &to.subset {
                let falls_back = self.falling_back.contains(to);
                *subsets.entry(&to.host).or_default().entry(subset).or_default() |= falls_back;
            }
        }
        let mut text = String::new();
        for (host, subsets) in subsets {
            let name = host.split('.').next().unwrap_or(host);
            let _in_memory = write!(
                text,
                "---
# An assumption: the pods of a subset have its name as their label `version`. For a subset that is missing here, Envoy
# answers 503 with the flag NC.
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: {{{{name}}}}-{name}
  namespace: {{{{namespace}}}}
spec:
  host: {}
  subsets:
",
                scalar(host)
            );
            for (subset, falls_back) in subsets {
                if falls_back {
                    text.push_str(&fallback::subset(subset));
                    continue;
                }
                let subset = scalar(subset);
                let _in_memory =
                    writeln!(text, "  - {{name: {subset}, labels: {{version: {subset}}}}}");
            }
        }
        text
    }
}

/// One route per variant with a cluster.
fn by_variant(header: &str, variants: Vec<(String, Destination)>) -> Vec<Route> {
    variants
        .into_iter()
        .map(|(name, to)| Route {
            comment: "The header lists the variants of all splits, as `checkout=canary, search=b`.",
            header: Some((header.to_owned(), Some(listed(&name)))),
            name,
            to,
        })
        .collect()
}

fn destination(to: &Destination) -> String {
    let mut text = format!("{{host: {}", scalar(&to.host));
    if let Some(subset) = &to.subset {
        let _in_memory = write!(text, ", subset: {}", scalar(subset));
    }
    if let Some(port) = to.port {
        let _in_memory = write!(text, ", port: {{number: {port}}}");
    }
    text + "}"
}

/// The hosts of the routes. A host to which a variant rewrites is among them: the route is chosen by the new one.
fn hosts(args: &Args, splits: &[&Split]) -> Vec<String> {
    let mut hosts = args.hosts.clone();
    let mut add = |host: String| {
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    };
    if args.hosts.is_empty() {
        for split in splits {
            let entries = split.matches.as_deref().unwrap_or_default();
            if entries.is_empty() || entries.iter().any(|entry| entry.hosts.is_empty()) {
                return vec!["*".to_owned()];
            }
            entries.iter().flat_map(|entry| &entry.hosts).for_each(|host| add(host.to_string()));
        }
    }
    for variant in splits.iter().flat_map(|split| &split.variants) {
        variant.rewrite.host.iter().for_each(|host| add(host.clone()));
    }
    if hosts.iter().any(|host| host == "*") { vec!["*".to_owned()] } else { hosts }
}
