//! What has to be right in a proxy for a policy to work, each as a point with the lines that mend it.

use engine::metrics::Metrics;
use engine::policy::{FilterState, Policy};
use lab::xds;
use serde::Serialize;
use serde_json::Value;

use super::dump::{Dump, Manager, Routes, at};
use crate::clusters;
use crate::policy_file::Valid;

/// One thing that is right or missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Point {
    /// Its short name, for scripts.
    pub(super) name: &'static str,
    /// What is missing; `None` = it is right.
    pub(super) missing: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) help: Option<String>,
}

/// What the filter shows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown {
    /// The hash of its policy; `None` = there is no filter.
    pub(super) hash: Option<u64>,
    /// Whether a policy is refused.
    pub(super) refused: bool,
}

/// A point: right where nothing is missing.
pub(super) fn point(name: &'static str, missing: Option<String>, help: impl Into<String>) -> Point {
    let help = missing.is_some().then(|| help.into());
    Point { name, missing, help }
}

/// All points of a proxy that runs.
pub(super) fn judge(valid: &Valid, dump: &Dump, shown: Shown) -> Vec<Point> {
    let mut points = vec![running(valid, shown)];
    points.extend(judge_configuration(&valid.policy, dump));
    points
}

/// Those of a proxy's configuration, be it running or not.
pub(super) fn judge_configuration(policy: &Policy, dump: &Dump) -> Vec<Point> {
    let mut points = vec![filter(dump)];
    points.push(clusters(policy, dump));
    for manager in &dump.managers {
        points.extend([
            routes(policy, manager),
            early_removal(policy, manager),
            paths(manager),
            client(policy, manager),
            access_log(policy, manager),
            discovery(manager),
            evidence(policy, manager),
        ]);
    }
    points.extend([labels(dump), matcher(dump), buckets(dump)]);
    points
}

fn running(valid: &Valid, shown: Shown) -> Point {
    let wanted = valid.hash_in_both();
    let missing = match shown.hash {
        None => Some("no filter shows a policy".to_owned()),
        Some(hash) if hash != valid.hash => {
            let runs = if hash == 0 {
                "none runs".into()
            } else {
                format!("{hash:013x} ({hash} in metrics) runs")
            };
            let refused = if shown.refused { "; a policy was refused" } else { "" };
            Some(format!("policy {wanted} does not run: {runs}{refused}"))
        }
        Some(_) => None,
    };
    point(
        "policy",
        missing,
        "Envoy's log says why; `splitctl render ecds FILE --output ... --wait` writes it and waits",
    )
}

fn filter(dump: &Dump) -> Point {
    let missing = dump.managers.is_empty();
    let missing = missing.then(|| "no listener has the filter in its chain".to_owned());
    point("filter", missing, "`splitctl render envoy` shows where it stands in `http_filters`")
}

fn clusters(policy: &Policy, dump: &Dump) -> Point {
    let known = dump.clusters.as_deref();
    let unknown = known.map(|known| clusters::unknown(policy, known)).unwrap_or_default();
    let missing = (!unknown.is_empty()).then(|| {
        format!("there is no cluster {}: its users get 503 (NC)", clusters::quoted(&unknown))
    });
    point("clusters", missing, "add it, or correct the policy's `cluster`")
}

/// The route by the cluster header has to come before any that takes everything.
fn routes(policy: &Policy, manager: &Manager) -> Point {
    let names_clusters =
        policy.splits.iter().any(|s| s.enabled && s.variants.iter().any(|v| v.cluster.is_some()));
    let header = &policy.cluster_header;
    let help = format!(
        "- match: {{prefix: /, headers: [{{name: {header}, present_match: true}}]}}\n  route: {{cluster_header: {header}}}"
    );
    let listener = &manager.listener;
    let missing = match &manager.routes {
        Routes::Missing => Some(format!("`{listener}` has no routes yet")),
        Routes::Later => None,
        Routes::Here(_) if !names_clusters => None,
        Routes::Here(table) => {
            let hosts = at(table, &["virtual_hosts"]).as_array().into_iter().flatten();
            hosts
                .filter_map(|host| wrong_route(header, host))
                .next()
                .map(|why| format!("`{listener}`: {why}"))
        }
    };
    point("routes", missing, help)
}

fn wrong_route(header: &str, host: &Value) -> Option<String> {
    let name = at(host, &["name"]).as_str().unwrap_or_default();
    let routes = at(host, &["routes"]).as_array().map(Vec::as_slice).unwrap_or_default();
    let by_header = |route: &Value| at(route, &["route", "cluster_header"]) == header;
    let takes_all = |route: &Value| {
        let matches = &at(route, &["match"]);
        (at(matches, &["prefix"]) == "/" || at(matches, &["path_separated_prefix"]) == "/")
            && ["headers", "query_parameters"].iter().all(|key| at(matches, &[key]).is_null())
    };
    // Routes that go by the variant header are another way to send variants on.
    let by_variant =
        |route: &Value| at(route, &["match", "headers"]).to_string().contains("x-split-variant");
    if routes.iter().any(by_variant) && !routes.iter().any(by_header) {
        return None;
    }
    let Some(place) = routes.iter().position(by_header) else {
        return Some(format!("virtual host `{name}` has no route by `cluster_header: {header}`"));
    };
    let before = routes.iter().take(place).position(takes_all)?;
    let route = routes.get(before)?["name"].as_str().unwrap_or("without a name").to_owned();
    Some(format!("virtual host `{name}`: the route `{route}` before it takes every request"))
}

fn early_removal(policy: &Policy, manager: &Manager) -> Point {
    let removed = at(&manager.config, &["early_header_mutation_extensions"]).to_string();
    let owned =
        [Some(&policy.cluster_header), policy.variant_header.as_ref(), Some(&policy.mirror_header)];
    let open: Vec<&String> = { owned.into_iter().flatten() }
        .filter(|name| !removed.contains(&format!("\"remove\":\"{name}\"")))
        .collect();
    let missing = (!open.is_empty()).then(|| {
        let names: Vec<_> = open.iter().map(|name| format!("`{name}`")).collect();
        let listener = &manager.listener;
        format!(
            "`{listener}` does not remove {} from what clients send before other filters see it",
            names.join(", ")
        )
    });
    let lines: Vec<_> = open.iter().map(|name| format!("  - remove: {name}")).collect();
    let help = format!(
        "early_header_mutation_extensions, type HeaderMutation:\n  mutations:\n{}",
        lines.join("\n")
    );
    point("early_removal", missing, help)
}

fn paths(manager: &Manager) -> Point {
    let off: Vec<&str> = ["normalize_path", "merge_slashes"]
        .into_iter()
        .filter(|field| at(&manager.config, &[field]) != true)
        .collect();
    let listener = &manager.listener;
    let missing = (!off.is_empty()).then(|| {
        format!(
            "`{listener}` hands on paths as clients spell them: `//login` is not below `/login`"
        )
    });
    let help: Vec<_> = off.iter().map(|field| format!("{field}: true")).collect();
    point("paths", missing, help.join("\n"))
}

fn client(policy: &Policy, manager: &Manager) -> Point {
    let hops = u64::from(policy.trusted_hops);
    let trusted = at(&manager.config, &["xff_num_trusted_hops"]).as_u64().unwrap_or_default();
    let appends = at(&manager.config, &["use_remote_address"]) == true;
    let listener = &manager.listener;
    let missing = match hops.checked_sub(1) {
        None => None,
        Some(_) if !appends => {
            Some(format!("`{listener}` does not append the client's address to x-forwarded-for"))
        }
        Some(wanted) if wanted != trusted => {
            Some(format!("`{listener}` trusts {trusted} proxies in front, and the policy {wanted}"))
        }
        Some(_) => None,
    };
    let help =
        format!("use_remote_address: true\nxff_num_trusted_hops: {}", hops.saturating_sub(1));
    point("client_ip", missing, help)
}

fn access_log(policy: &Policy, manager: &Manager) -> Point {
    let wanted = xds::variants_in_logs(policy);
    let told = at(&manager.config, &["access_log"]).to_string().to_lowercase();
    let is_told = told.contains(&wanted.to_lowercase());
    let listener = &manager.listener;
    let missing =
        (!is_told).then(|| format!("the access log of `{listener}` does not tell the variant"));
    point("access_log", missing, format!("split: \"{wanted}\""))
}

/// Where the filter comes from a file: Envoy sees a new one only if it looks at the folder that the file is in.
fn discovery(manager: &Manager) -> Point {
    let source = ["config_discovery", "config_source", "path_config_source"];
    let filters = at(&manager.config, &["http_filters"]).as_array().into_iter().flatten();
    let listener = &manager.listener;
    let wrong = filters.map(|filter| at(filter, &source)).find_map(|source| {
        let path = at(source, &["path"]).as_str()?;
        let (folder, _) = path.rsplit_once('/')?;
        let watched = at(source, &["watched_directory", "path"]).as_str();
        let is_it = watched.is_some_and(|watched| watched.trim_end_matches('/') == folder);
        (!is_it).then(|| (format!("`{listener}` does not watch the folder of `{path}`"), folder))
    });
    let help = wrong.as_ref().map(|(_, folder)| format!("watched_directory: {{path: {folder}}}"));
    point("discovery", wrong.map(|(missing, _)| missing), help.unwrap_or_default())
}

/// Who asks for evidence wants to read it.
fn evidence(policy: &Policy, manager: &Manager) -> Point {
    let wanted = xds::evidence_in_logs();
    let told = at(&manager.config, &["access_log"]).to_string().contains(&wanted);
    let listener = &manager.listener;
    let missing = (policy.filter_state == FilterState::Evidence && !told).then(|| {
        format!(
            "the access log of `{listener}` does not tell the evidence: held-out and forced users look like those whom the weights gave their variant"
        )
    });
    point("evidence", missing, format!("evidence: \"{wanted}\""))
}

fn labels(dump: &Dump) -> Point {
    let tags =
        at(&dump.stats_config, &["stats_tags"]).as_array().map(Vec::as_slice).unwrap_or_default();
    let is_there = |label: &&str| tags.iter().any(|tag| at(tag, &["tag_name"]) == *label);
    let lost: Vec<&str> = Metrics::LABELS.into_iter().filter(|label| !is_there(label)).collect();
    let missing = (!lost.is_empty())
        .then(|| format!("the labels {} stay in the names of metrics", lost.join(", ")));
    let lines: Vec<_> = lost
        .iter()
        .map(|label| format!("- {{tag_name: {label}, regex: '{}'}}", xds::label_regex(label)))
        .collect();
    point("labels", missing, format!("stats_config.stats_tags:\n{}", lines.join("\n")))
}

fn matcher(dump: &Dump) -> Point {
    let matcher = &at(&dump.stats_config, &["stats_matcher"]);
    let included = at(matcher, &["inclusion_list"]).to_string();
    let dropped = !at(matcher, &["inclusion_list"]).is_null() && !included.contains("wasmcustom")
        || at(matcher, &["reject_all"]) == true;
    let missing = dropped.then(|| "the stats_matcher drops the filter's metrics".to_owned());
    point("stats_matcher", missing, "inclusion_list.patterns:\n- {prefix: wasmcustom.}")
}

fn buckets(dump: &Dump) -> Point {
    let settings = at(&dump.stats_config, &["histogram_bucket_settings"]).to_string();
    let missing = !settings.contains(Metrics::DURATION);
    let missing = missing.then(|| "durations have Envoy's buckets, a factor of 2 apart".to_owned());
    let help = format!(
        "stats_config.histogram_bucket_settings:\n- match: {{safe_regex: {{regex: '{}'}}}}\n  buckets: [{}]",
        xds::durations(),
        crate::template::numbers(&xds::DURATION_BUCKETS)
    );
    point("buckets", missing, help)
}
