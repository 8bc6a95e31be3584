//! What carries on where no host of a variant is left: for each variant with `fallback: baseline` a route, a cluster of
//! clusters (its own first, then the baseline's), and settings that make Envoy see that hosts are gone.
//!
//! docs/decisions/0013-a-dead-variant.md says why it is an aggregate cluster, and what each setting is for.

use anyhow::bail;
use engine::policy::Policy;
use policy_text::source::scalar;

use crate::rules::{cluster_in_statistics, stand_in_cluster};
use lab::outcomes::listed;

/// A variant for which the baseline stands in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FallsBack {
    /// As `checkout=canary`: the name of its route and of its cluster of clusters.
    name: String,
    /// Its own cluster.
    cluster: String,
    /// The cluster that stands in for it.
    pub(super) baseline: String,
}

/// What is said to Envoy of a cluster besides its name and address.
#[derive(Debug, Default)]
pub(super) struct Settings {
    /// Fields of the cluster.
    pub(super) cluster: String,
    /// Fields of its assignment of hosts.
    pub(super) assignment: &'static str,
    /// Fields of its host.
    pub(super) host: String,
}

impl FallsBack {
    /// All of a policy, in its order.
    pub(super) fn all(policy: &Policy) -> anyhow::Result<Vec<Self>> {
        let mut all = Vec::new();
        for split in policy.splits.iter().filter(|split| split.enabled) {
            for (id, variant) in split.variants.pairs() {
                let Some((cluster, baseline)) = variant.cluster.clone().zip(split.stand_in(id))
                else {
                    continue;
                };
                let name = format!("{}={}", split.name, variant.name);
                all.push(Self { name, cluster, baseline: baseline.to_owned() });
            }
        }
        if let (Some(first), None) = (all.first(), &policy.variant_header) {
            bail!(
                "the route of `{}` with its `fallback` goes by `variant_header`, which the policy turns off",
                first.name
            );
        }
        Ok(all)
    }

    /// The cluster that is its own and then the baseline's.
    pub(super) fn either(&self) -> &str {
        &self.name
    }

    /// The cluster with the hosts of the baseline that are asked in its place alone: Envoy counts those requests.
    pub(super) fn stand_in(&self) -> String {
        stand_in_cluster(&self.name)
    }

    /// Whether a cluster is the variant's own.
    pub(super) fn is_of(&self, cluster: &str) -> bool {
        self.cluster == cluster
    }

    /// Its route, before the one for all clusters.
    pub(super) fn route(&self, policy: &Policy) -> String {
        let Self { name, cluster, baseline } = self;
        let (cluster_header, mirror) =
            (scalar(&policy.cluster_header), scalar(&policy.mirror_header));
        let variant_header = scalar(policy.variant_header.as_deref().unwrap_or_default());
        let (regex, either) = (listed(name), scalar(name));
        let exact = scalar(cluster);
        format!(
            "
              # Where no host of {cluster} takes a request of {name}, {baseline} serves it. Sent again is only what no host
              # has begun to process: two attempts at the variant's hosts, then two at the baseline's.
              - name: {either}
                match:
                  prefix: /
                  headers:
                  - {{name: {cluster_header}, string_match: {{exact: {exact}}}}}
                  - {{name: {variant_header}, string_match: {{safe_regex: {{regex: '{regex}'}}}}}}
                route:
                  cluster: {either}
                  request_mirror_policies: [{{cluster_header: {mirror}, disable_shadow_host_suffix_append: true}}]
                  retry_policy:
                    retry_on: connect-failure,refused-stream,reset-before-request
                    num_retries: 3
                    retry_back_off: {{base_interval: 0.001s, max_interval: 0.01s}}
                    retry_host_predicate:
                    - name: envoy.retry_host_predicates.previous_hosts
                      typed_config: {{\"@type\": type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate}}
                    host_selection_retry_max_attempts: 5
                    retry_priority:
                      name: envoy.retry_priorities.previous_priorities
                      typed_config:
                        \"@type\": type.googleapis.com/envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig
                        update_frequency: 2"
        )
    }

    /// The cluster of clusters.
    pub(super) fn aggregate(&self) -> String {
        let (either, stand_in) = (scalar(self.either()), scalar(&self.stand_in()));
        let own = scalar(&self.cluster);
        format!(
            "
  # {name}: its own cluster, and where that has no host left, the baseline's.
  - name: {either}{alias}
    connect_timeout: 1s
    lb_policy: CLUSTER_PROVIDED
    cluster_type:
      name: envoy.clusters.aggregate
      typed_config:
        \"@type\": type.googleapis.com/envoy.extensions.clusters.aggregate.v3.ClusterConfig
        clusters: [{own}, {stand_in}]
    # By default no more than 3 requests at a time are tried again, and the others of a dead variant would fail.
    circuit_breakers: {{thresholds: [{{max_retries: 100000}}]}}",
            name = self.name,
            alias = alias(self.either()),
        )
    }

    /// Of the cluster that stands in.
    pub(super) fn settings_of_stand_in(&self) -> Settings {
        let cluster = alias(&self.stand_in());
        let baseline = scalar(&self.baseline);
        let host = format!(
            "
          metadata: {{filter_metadata: {{traffic_split: {{stand_in: {baseline}}}}}}}"
        );
        Settings { cluster, assignment: "", host }
    }
}

/// Of a cluster for whose hosts others stand in.
pub(super) fn settings_of_own(health_check: Option<&str>) -> Settings {
    let mut cluster = "
    # A host that refuses connections is left out for a while, so that requests need not find out each time. Statuses leave
    # none out: a variant that answers with errors is a variant that fails, which its statistics have to show.
    outlier_detection:
      split_external_local_origin_errors: true
      consecutive_local_origin_failure: 5
      enforcing_consecutive_5xx: 0
      enforcing_success_rate: 0
      enforcing_local_origin_success_rate: 0
      interval: 1s
      base_ejection_time: 5s
      max_ejection_time: 30s
      max_ejection_percent: 100"
        .to_owned();
    if let Some(path) = health_check {
        cluster += &format!(
            "
    health_checks:
    - timeout: 1s
      interval: 2s
      no_traffic_interval: 2s
      unhealthy_threshold: 2
      healthy_threshold: 1
      http_health_check: {{path: {}}}",
            scalar(path)
        );
    }
    let assignment = "
      # As long as one host is healthy, the variant serves its users; by default a part of them would go to the baseline
      # when less than 72 % are.
      policy: {overprovisioning_factor: 100000}";
    Settings { cluster, assignment, host: String::new() }
}

/// In names of statistics a point ends the cluster's name.
fn alias(name: &str) -> String {
    match name.contains('.') {
        true => format!("\n    alt_stat_name: {}", scalar(&cluster_in_statistics(name))),
        false => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::render;
    use crate::outcome::Outcome;

    const POLICY: &str = "
version: 1
splits:
- name: checkout
  key: [{header: u}]
  baseline: stable
  variants:
  - {name: stable, cluster: checkout-v1, weight: 90}
  - {name: canary, cluster: checkout-v2, weight: 5, fallback: baseline}
  - {name: v3.1, cluster: checkout-v3, weight: 5}
- name: orders
  key: [{header: u}]
  match: [{methods: [POST]}]
  baseline: stable
  variants:
  - {name: stable, cluster: orders, weight: 95}
  - {name: canary, cluster: checkout-v2, weight: 5}
";

    #[test]
    fn only_a_variant_that_asks_for_it_has_a_route_and_clusters_for_it() {
        let (outcome, out, err) =
            render("envoy", POLICY, &["--cluster", "checkout-v1=10.0.0.7:80"]);
        assert_eq!(outcome, Outcome::Fine, "{err}");
        for line in [
            "              - name: checkout=canary\n                match:\n",
            "                  - {name: x-split-cluster, string_match: {exact: checkout-v2}}\n",
            "string_match: {safe_regex: {regex: '(.*, )?checkout=canary(, .*)?'}}}\n",
            "                  cluster: checkout=canary\n",
            "        clusters: [checkout-v2, checkout=canary/baseline]\n",
            "  - name: checkout=canary/baseline\n    type: STATIC\n",
            "10.0.0.7, port_value: 80}}}\n          metadata: {filter_metadata: {traffic_split: {stand_in: checkout-v1}}}\n",
            "                  stand_in: \"%UPSTREAM_METADATA(traffic_split:stand_in)%\"\n",
        ] {
            assert!(out.contains(line), "`{line}` is not in\n{out}");
        }
        for (text, times) in
            [("retry_policy", 1), ("envoy.clusters.aggregate", 1), ("outlier_detection", 1)]
        {
            assert_eq!(out.matches(text).count(), times, "{text}");
        }
        assert!(!out.contains("health_checks") && !out.contains("alt_stat_name"), "{out}");
        // The example of a route with more traces is of a variant that has no route of its own.
        assert!(out.contains("# - name: checkout=v3.1\n"), "{out}");

        let without = POLICY.replace(", fallback: baseline", "");
        let (_, out, _) = render("envoy", &without, &[]);
        for text in ["retry", "aggregate", "stand_in", "outlier", "overprovisioning"] {
            assert!(!out.contains(text), "{text}: {out}");
        }
    }

    #[test]
    fn statistics_of_a_name_with_points_have_a_name_without() {
        let policy = POLICY.replace(
            "cluster: checkout-v3, weight: 5",
            "cluster: checkout-v3, weight: 5, fallback: baseline",
        );
        let (_, out, _) = render("envoy", &policy, &[]);
        for name in ["checkout=v3.1", "checkout=v3.1/baseline"] {
            let line = format!("  - name: {name}\n");
            assert!(out.contains(&line), "`{line}` is not in\n{out}");
            let line = format!("    alt_stat_name: {}\n", name.replace('.', "_"));
            assert!(out.contains(&line), "`{line}` is not in\n{out}");
        }
    }

    #[test]
    fn health_checks_are_of_the_variants_that_fall_back() {
        let (_, out, _) = render("envoy", POLICY, &["--health-check", "/healthz"]);
        assert_eq!(out.matches("http_health_check: {path: /healthz}\n").count(), 1, "{out}");
        let without = POLICY.replace(", fallback: baseline", "");
        let (outcome, _, err) = render("envoy", &without, &["--health-check", "/healthz"]);
        assert_eq!(outcome, Outcome::NoAnswer);
        assert!(err.contains("no variant has"), "{err}");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let off = POLICY.replace("version: 1", "version: 1\nvariant_header: null");
        let (outcome, _, err) = render("envoy", &off, &[]);
        assert_eq!(outcome, Outcome::NoAnswer);
        assert!(err.contains("goes by `variant_header`"), "{err}");
        for name in ["checkout=canary", "checkout=canary/baseline"] {
            let (outcome, _, err) = render("envoy", POLICY, &["--fallback", name]);
            assert_eq!(outcome, Outcome::NoAnswer);
            assert!(err.contains("give yours another one"), "{err}");
        }
    }
}
