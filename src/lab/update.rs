//! Replacing the policy in the running Envoy, with the clusters and routes it needs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use engine::metrics::Metrics;
use engine::policy;
use serde_json::Value;

use super::bootstrap::{Files, Placement, Watched};
use super::envoy::{LOOK, filter_lines, indented, tail};
use super::named::{Named, RouteHeaders};
use super::{Lab, add_upstream, cluster_resources, extension, lock, route_table};

/// How long an update may take that Envoy does in some milliseconds.
const UPDATE: Duration = Duration::from_secs(20);

/// What became of an update of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Update {
    /// Every worker uses it from now on.
    Applied,
    /// The filter refused it, with these words; the last good one serves on. For a text that was sent just
    /// before the words are those of the first time.
    Refused(Vec<String>),
}

/// What was sent to the running Envoy.
#[derive(Debug)]
pub(super) struct State {
    /// Counts what was written to the watched files: each gets a version of its own.
    version: u64,
    /// The policy in force.
    policy: String,
    /// What was written to the filter's file last.
    sent: String,
    headers: RouteHeaders,
    /// What the filter said about policies it refused.
    refused: BTreeMap<String, Vec<String>>,
    /// What it said where it refused the policy that Envoy started with.
    refused_at_start: Option<Vec<String>>,
}

impl State {
    /// With the policy that Envoy starts with, in files of version 1.
    pub(super) fn starting(policy: &str, headers: RouteHeaders) -> Self {
        Self {
            version: 1,
            policy: policy.to_owned(),
            sent: policy.to_owned(),
            headers,
            refused: BTreeMap::new(),
            refused_at_start: None,
        }
    }

    /// The policy that Envoy started with was refused, with these words.
    pub(super) fn start_refused(&mut self, lines: Vec<String>) {
        self.refused.insert(std::mem::take(&mut self.policy), lines.clone());
        self.refused_at_start = Some(lines);
    }

    pub(super) fn refused_at_start(&self) -> Option<Vec<String>> {
        self.refused_at_start.clone()
    }
}

impl Lab {
    /// Replaces the policy in the running Envoy through ECDS and waits until every worker uses it, or it is
    /// refused. Clusters that the policy names for the first time get upstreams before that.
    ///
    /// # Errors
    /// When Envoy does neither within 20 seconds, or has ended.
    pub fn apply(&self, policy: &str) -> Result<Update> {
        if self.options.placement != Placement::Ecds {
            bail!(
                "a policy that is inline in the listener cannot be replaced; start the lab with ecds"
            );
        }
        let mut state = lock(&self.state);
        if state.sent == policy {
            // Envoy takes the same configuration again for no change, even one that it has just refused.
            return Ok(match state.policy == policy {
                true => Update::Applied,
                false => Update::Refused(state.refused.get(policy).cloned().unwrap_or_default()),
            });
        }
        let named = Named::read(policy);
        {
            let mut upstreams = lock(&self.upstreams);
            let known = upstreams.len();
            for cluster in &named.clusters {
                add_upstream(&mut upstreams, cluster, &self.runtime)?;
            }
            if upstreams.len() > known {
                let resources = cluster_resources(&upstreams);
                if self.push(&mut state, &Resource::CLUSTERS, &resources, false)? != Update::Applied
                {
                    bail!("envoy refused the clusters; see its log");
                }
            }
        }
        let (old, new) = (state.headers.clone(), named.headers);
        if old != new {
            // Both names are routes while some workers have the old policy and some the new one.
            self.push_routes(&mut state, &[&new, &old])?;
        }

        let module =
            self.module.to_str().context("the module's path is not UTF-8, which envoy needs")?;
        let filter = extension(module, policy, &self.options)?;
        let (errors, log) = (self.config_errors()?, log_length(&self.files));
        let update = match self.push(&mut state, &Resource::FILTER, &[filter], true)? {
            Update::Applied => self.settle(policy, errors, log)?,
            refused => refused,
        };
        policy.clone_into(&mut state.sent);
        let update = match update {
            Update::Applied => {
                policy.clone_into(&mut state.policy);
                state.headers.clone_from(&new);
                Update::Applied
            }
            Update::Refused(lines) if lines.is_empty() => {
                Update::Refused(state.refused.get(policy).cloned().unwrap_or_default())
            }
            Update::Refused(lines) => {
                state.refused.insert(policy.to_owned(), lines.clone());
                Update::Refused(lines)
            }
        };
        if old != new {
            let current = state.headers.clone();
            self.push_routes(&mut state, &[&current])?;
        }
        Ok(update)
    }

    fn push_routes(&self, state: &mut State, headers: &[&RouteHeaders]) -> Result<()> {
        let routes = route_table(headers);
        match self.push(state, &Resource::ROUTES, &[routes], false)? {
            Update::Applied => Ok(()),
            Update::Refused(_) => {
                bail!("envoy refused the routes for {headers:?}; see its log")
            }
        }
    }

    /// Writes one resource file and waits for what Envoy makes of it. Only where `reloads` is set does Envoy
    /// count a reload: it skips what equals the resource it has.
    fn push(
        &self,
        state: &mut State,
        resource: &Resource,
        content: &[Value],
        reloads: bool,
    ) -> Result<Update> {
        state.version = state.version.saturating_add(1);
        let before = self.resource_stats(resource)?;
        let wanted = ResourceStats {
            version: state.version.to_string(),
            reloads: before.reloads.saturating_add(u64::from(reloads)),
            refused: before.refused,
        };
        let log = log_length(&self.files);
        self.files.replace(resource.file, &wanted.version, content)?;
        self.wait_for(resource, &wanted, log)
    }

    /// Waits until the filter shows that a policy which Envoy has handed to it is in force, or that it was
    /// refused: then it has counted more than `errors`, and its words stand in the log after `log`.
    pub(super) fn settle(&self, policy: &str, errors: u64, log: u64) -> Result<Update> {
        let wanted = policy::from_json(policy.as_bytes()).hash;
        self.watch(&format!("the filter to show policy {wanted:013x}"), || {
            let stats = self.stats_matching("wasmcustom.traffic_split_")?;
            let refused = stats.sum(Metrics::POLICY_REFUSED, &[]) > 0;
            Ok(if !refused && stats.sum(Metrics::POLICY_HASH, &[]) == wanted {
                Some(Update::Applied)
            } else if refused && stats.sum(Metrics::CONFIG_ERRORS, &[]) > errors {
                Some(Update::Refused(filter_lines(&self.files.log(), log)))
            } else {
                None
            })
        })
    }

    fn config_errors(&self) -> Result<u64> {
        let stats = self.stats_matching("wasmcustom.traffic_split_config_errors")?;
        Ok(stats.sum(Metrics::CONFIG_ERRORS, &[]))
    }

    /// Waits until Envoy has taken over a version of a resource, with as many reloads, or has refused more than
    /// these; its words about that stand in the log after `log`.
    pub(super) fn wait_for(
        &self,
        resource: &Resource,
        wanted: &ResourceStats,
        log: u64,
    ) -> Result<Update> {
        self.watch("envoy to take over a change", || {
            let now = self.resource_stats(resource)?;
            Ok(if now.version == wanted.version && now.reloads >= wanted.reloads {
                Some(Update::Applied)
            } else if now.refused > wanted.refused {
                Some(Update::Refused(filter_lines(&self.files.log(), log)))
            } else {
                None
            })
        })
    }

    /// Looks until an update has ended somehow, Envoy has, somebody stops it, or it takes too long.
    fn watch(&self, what: &str, look: impl Fn() -> Result<Option<Update>>) -> Result<Update> {
        let deadline = Instant::now().checked_add(UPDATE);
        loop {
            self.check()?;
            if let Some(update) = look()? {
                return Ok(update);
            }
            if self.options.stop.wait(LOOK) {
                bail!("stopped while waiting for {what}");
            }
            if deadline.is_some_and(|deadline| Instant::now() > deadline) {
                let log = indented(&tail(&self.files.log(), 0));
                bail!("waited {UPDATE:?} in vain for {what}; envoy's log ends with:\n{log}");
            }
        }
    }

    fn resource_stats(&self, resource: &Resource) -> Result<ResourceStats> {
        let stats = self.stats_matching(resource.stats)?;
        let number = |name: &str| stats.number(&format!("{}.{name}", resource.stats)).unwrap_or(0);
        Ok(ResourceStats {
            version: stats
                .text(&format!("{}.version_text", resource.stats))
                .unwrap_or_default()
                .to_owned(),
            reloads: number("config_reload"),
            refused: number("update_rejected").saturating_add(number("config_fail")),
        })
    }
}

/// One of the watched files and the name of its statistics.
pub(super) struct Resource {
    file: Watched,
    stats: &'static str,
}

impl Resource {
    const CLUSTERS: Self = Self { file: Watched::Clusters, stats: "cluster_manager.cds" };
    const ROUTES: Self = Self { file: Watched::Routes, stats: "http.lab.rds.lab" };
    pub(super) const FILTER: Self = Self {
        file: Watched::Filter,
        stats: "extension_config_discovery.http_filter.traffic_split",
    };
}

/// What Envoy says of a resource.
pub(super) struct ResourceStats {
    version: String,
    reloads: u64,
    refused: u64,
}

impl ResourceStats {
    /// As Envoy has them once it has started.
    pub(super) fn started() -> Self {
        Self { version: "1".to_owned(), reloads: 0, refused: 0 }
    }
}

fn log_length(files: &Files) -> u64 {
    std::fs::metadata(files.log()).map_or(0, |metadata| metadata.len())
}
