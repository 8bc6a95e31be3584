//! Prometheus: recording rules and alerts, with what only the policy knows.

mod alerts;
mod forms;
mod grouping;
mod known;
mod objective;
mod series;
mod windows;

use std::fmt::Write as _;

use engine::policy::{Outcomes, Split};
use policy_text::source::scalar;

use crate::policy_file::Valid;
use crate::template::fill;
use crate::wasm_plugin::WasmPlugin;
use forms::Form;
pub(crate) use forms::operator;
use grouping::Grouping;
use known::{Price, known};
use windows::TimeScale;

const TEMPLATE: &str = include_str!("rules/prometheus.yaml");

/// The objective in percent, where none is asked for.
const SLO: &str = "99.9";

/// Where the runbook is in this repository.
const RUNBOOK: &str = "envoy/README.md";

/// The cluster whose requests are those for which a baseline stood in for a variant, given as `checkout=canary`.
pub(crate) fn stand_in_cluster(variant: &str) -> String {
    format!("{variant}/baseline")
}

/// A cluster's name in statistics, where a point would end it.
pub(crate) fn cluster_in_statistics(cluster: &str) -> String {
    cluster.replace('.', "_")
}

/// What the rules depend on besides the policy.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The objective: percent of requests that must not be errors (5xx, or no response while the client waits), as 99.9 or 0.999.
    #[arg(long, value_name = "PERCENT", default_value = SLO, value_parser = objective::percent)]
    slo: String,

    /// What a variant costs per hour, in any currency; may be repeated.
    #[arg(long = "price", value_name = "SPLIT/VARIANT=PRICE")]
    prices: Vec<Price>,

    /// Where the runbook is; the alert's anchor is added.
    #[arg(long, value_name = "URL", default_value = RUNBOOK, value_parser = alerts::link)]
    runbook: String,

    /// The WasmPlugin, where the filter runs in Istio: what Envoy counts is named after it.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    wasm_plugin: Option<WasmPlugin>,

    /// The labels that tell your fleets apart, if one Prometheus watches several: all rules and alerts keep them.
    #[arg(long, value_name = "LABEL,...", value_delimiter = ',', value_parser = grouping::label)]
    by: Vec<String>,

    /// Multiplies every range and every `for` of the rules, 0.001 to 1: short ones are for trying the alerts.
    ///
    /// Names stay as they are, so that dashboards find them: with 0.02, `traffic_split:requests:rate5m` is over 6 seconds.
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = windows::time_scale)]
    time_scale: TimeScale,

    #[command(flatten)]
    alerts: alerts::Wording,

    /// Who loads the rules.
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    form: Form,
}

impl Default for Options {
    fn default() -> Self {
        let [slo, runbook] = [SLO, RUNBOOK].map(str::to_owned);
        Self {
            slo,
            prices: Vec::new(),
            runbook,
            wasm_plugin: None,
            by: Vec::new(),
            time_scale: TimeScale::NONE,
            alerts: alerts::Wording::default(),
            form: Form::default(),
        }
    }
}

impl Options {
    /// For the filter in Istio.
    pub(crate) fn of_plugin(plugin: WasmPlugin) -> Self {
        Self { wasm_plugin: Some(plugin), ..Self::default() }
    }
}

pub(crate) fn render(options: &Options, valid: &Valid) -> anyhow::Result<String> {
    let splits: Vec<&Split> = valid.policy.splits.iter().filter(|split| split.enabled).collect();
    let by = grouping::of(&options.by)?;
    let plugin = options.wasm_plugin.as_ref();
    let mut values = vec![
        ("known", known(&splits, &options.prices)? + &clusters(&splits, options)),
        ("stand_ins", stand_ins(&splits, options, &by)),
        ("by", by.before()),
        ("over", by.over()),
        ("proxy", by.proxy()),
        ("where", by.place()),
        ("slo", options.slo.clone()),
        ("runbook", options.runbook.clone()),
        ("refused_configs", any_increase(&series::refused_configs(plugin))),
        ("discovered", series::discovered(plugin).join(" or ")),
        ("vm_reloads", any_increase(&series::vm_reloads(plugin))),
    ];
    values.extend(alerts::commands(plugin));
    let rules = alerts::adapt(&fill(TEMPLATE, &values), &options.alerts)?;
    let rules = options.form.of(&options.time_scale.fill(&rules));
    Ok(if valid.policy.outcomes == Outcomes::Off {
        format!(
            "# The policy says `outcomes: off`: what is written here of errors and latency has no data and never alerts. Envoy's\n\
            # own statistics, by cluster, are what there is.\n{rules}"
        )
    } else {
        rules
    })
}

/// The requests that baselines served for others, by what Envoy counts of the clusters that `render envoy` makes for
/// them. Istio has no such clusters.
fn stand_ins(splits: &[&Split], options: &Options, by: &Grouping) -> String {
    let mut text = String::new();
    if options.wasm_plugin.is_some() {
        return text;
    }
    for split in splits {
        let standing_in = split.variants.pairs().filter(|(id, _)| split.stand_in(*id).is_some());
        for (_, variant) in standing_in {
            let cluster = stand_in_cluster(&format!("{}={}", split.name, variant.name));
            let _in_memory = write!(
                text,
                "
  - record: traffic_split:stand_in:rate5m
    expr: sum{}(rate(envoy_cluster_upstream_rq_total{{envoy_cluster_name=\"{}\"}}[{{{{5m}}}}]))
    labels: {{split: {}, variant: {}}}",
                by.over(),
                cluster_in_statistics(&cluster),
                scalar(&split.name),
                scalar(&variant.name)
            );
        }
    }
    text
}

/// Which of Envoy's clusters serves each variant, so that what Envoy counts by cluster is found by variant. With a fallback
/// these are two: of requests Envoy counts those to the cluster that is made for the variant. Istio's clusters have other
/// names than the policy's.
fn clusters(splits: &[&Split], options: &Options) -> String {
    let mut text = String::new();
    if options.wasm_plugin.is_some() {
        return text;
    }
    for split in splits {
        for (id, variant) in split.variants.pairs() {
            let made = || format!("{}={}", split.name, variant.name);
            let made = split.stand_in(id).map(|_| made());
            for cluster in variant.cluster.iter().chain(made.as_ref()) {
                let _in_memory = write!(
                    text,
                    "
  - record: traffic_split:cluster
    expr: vector(1)
    labels: {{split: {}, variant: {}, envoy_cluster_name: {}}}",
                    scalar(&split.name),
                    scalar(&variant.name),
                    scalar(&cluster_in_statistics(cluster))
                );
            }
        }
    }
    text
}

/// Whether any of these counters rose: one by one, since a proxy may have more than one of them, and a range over
/// several names is then an error.
fn any_increase(counters: &[String]) -> String {
    let each: Vec<_> =
        counters.iter().map(|name| format!("increase({name}[{{{{10m}}}}]) > 0")).collect();
    each.join("\n      or ")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::policy_file::PolicyFile;
    use policy_text::source::Source;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn rendered(words: &[&str]) -> anyhow::Result<String> {
        let options = Line::parse_from(["rules"].iter().chain(words)).options;
        let valid = PolicyFile::check(Source::new("policy.yaml", POLICY)).valid.unwrap();
        render(&options, &valid)
    }

    const POLICY: &str = "
version: 1
key: [{header: u}]
splits:
- {name: checkout, baseline: stable, variants: [{name: canary, weight: 5}, {name: stable, weight: 95}]}
- {name: off, enabled: false, baseline: a, variants: [{name: a, weight: 100}]}
- {name: '1', baseline: b, variants: [{name: a, weight: 50}, {name: b, weight: 50}]}
";

    #[test]
    fn the_baselines_of_enabled_splits_and_the_prices_are_series() {
        let out = rendered(&["--price", "1/a=2.40"]).unwrap();
        let constants = "
  - record: traffic_split:baseline
    expr: vector(1)
    labels: {split: checkout, variant: stable}
  - record: traffic_split:baseline
    expr: vector(1)
    labels: {split: \"1\", variant: b}
  - record: traffic_split:price_per_hour
    expr: vector(2.40)
    labels: {split: \"1\", variant: a}
";
        assert!(out.contains(constants), "{out}");
        assert!(!out.contains("{{known") && !out.contains("{{slo"), "{out}");
    }

    #[test]
    fn the_cluster_of_each_variant_is_a_series_named_as_envoy_counts_it_but_in_istio() {
        let policy = POLICY
            .replace("{name: canary, ", "{name: canary, cluster: v2.shop, fallback: baseline, ");
        let policy = policy.replace("{name: stable, ", "{name: stable, cluster: v1, ");
        let valid = PolicyFile::check(Source::new("policy.yaml", &policy)).valid.unwrap();
        let out = render(&Options::default(), &valid).unwrap();
        let record = "
  - record: traffic_split:cluster
    expr: vector(1)
    labels: {split: checkout, variant: canary, envoy_cluster_name: v2_shop}
  - record: traffic_split:cluster
    expr: vector(1)
    labels: {split: checkout, variant: canary, envoy_cluster_name: checkout=canary}
";
        assert!(out.contains(record), "{out}");
        let all = out.matches("record: traffic_split:cluster").count();
        assert_eq!(all, 3, "a variant without a cluster has none");
        let plugin = WasmPlugin { namespace: "shop".into(), name: "split".into() };
        let out = render(&Options::of_plugin(plugin), &valid).unwrap();
        assert!(!out.contains("record: traffic_split:cluster"), "{out}");
    }

    #[test]
    fn rules_without_data_say_so() {
        let off = POLICY.replace("version: 1", "version: 1\noutcomes: off");
        let valid = PolicyFile::check(Source::new("policy.yaml", &off)).valid.unwrap();
        let out = render(&Options::default(), &valid).unwrap();
        assert!(out.starts_with("# The policy says `outcomes: off`"), "{out}");
        assert!(!rendered(&[]).unwrap().contains("outcomes: off"));
    }

    #[test]
    fn requests_that_a_baseline_served_for_another_variant_are_a_series_but_in_istio() {
        let policy = "
version: 1
key: [{header: u}]
splits:
- name: shop.web
  baseline: a
  variants:
  - {name: a, cluster: v1, weight: 90}
  - {name: b, cluster: v2, weight: 5, fallback: baseline}
  - {name: c, cluster: v3, weight: 5}
";
        let valid = PolicyFile::check(Source::new("policy.yaml", policy)).valid.unwrap();
        let out = render(&Options::default(), &valid).unwrap();
        let record = "
  - record: traffic_split:stand_in:rate5m
    expr: sum(rate(envoy_cluster_upstream_rq_total{envoy_cluster_name=\"shop_web=b/baseline\"}[5m]))
    labels: {split: shop.web, variant: b}
";
        assert!(out.contains(record), "{out}");
        assert_eq!(out.matches("record: traffic_split:stand_in:rate5m").count(), 1);
        let plugin = WasmPlugin { namespace: "shop".into(), name: "split".into() };
        let out = render(&Options::of_plugin(plugin), &valid).unwrap();
        assert!(!out.contains("record: traffic_split:stand_in:rate5m"), "{out}");
    }

    #[test]
    fn objective_and_runbook_are_as_asked_for() {
        let options = ["--slo", "99.95", "--runbook", "https://wiki.example.com/split"];
        let out = rendered(&options).unwrap();
        assert!(out.contains("expr: vector(99.95 / 100)"), "{out}");
        let links = out.matches("runbook_url: https://wiki.example.com/split#").count();
        assert_eq!(links, out.matches("- alert:").count());
    }

    #[test]
    fn what_envoy_counts_is_named_after_the_filter_or_the_plugin() {
        let counter = "      or increase(envoy_extension_config_discovery_http_filter_traffic_split_config_fail[10m]) > 0\n";
        let out = rendered(&[]).unwrap();
        assert!(out.contains(counter) && !out.contains("istio"), "{out}");
        let out = rendered(&["--wasm-plugin", "shop/split"]).unwrap();
        assert!(!out.contains("http_filter_traffic_split"), "{out}");
        let reloads = "
      increase(envoy_wasm_shop_split_vm_reload_success[10m]) > 0
      or increase(envoy_wasm_shop_split_vm_reload_failure[10m]) > 0
      or increase(envoy_wasm_shop_split_istio_translated_wasmplugin_vm_reload_success[10m]) > 0
";
        assert!(out.contains(reloads), "{out}");
    }

    #[test]
    fn fleets_are_kept_apart_by_every_rule() {
        let out = rendered(&["--by", "job,cluster"]).unwrap();
        for line in out.lines() {
            let mut rest = line;
            while let Some((before, after)) = rest.split_once(" (") {
                let by = ["by", "on"].iter().any(|word| before.ends_with(word));
                let known = after.contains(") traffic_split:baseline") || after.starts_with(')');
                assert!(!by || known || after.starts_with("job, cluster"), "{line}");
                rest = after;
            }
            for over_all in ["sum", "avg", "max", "count", "count_values"] {
                assert!(!line.contains(&format!(" {over_all}(")), "{line}");
                assert!(!line.contains(&format!("({over_all}(")), "{line}");
            }
            assert!(!line.contains("summary: \"{{ $labels.split"), "{line}");
        }
        assert!(out.contains("by (job, cluster, split, variant) (rate("), "{out}");
        assert!(out.contains("on (job, cluster, instance)"), "{out}");
        assert!(!rendered(&[]).unwrap().contains("cluster, "), "one fleet, if nobody asks");
        let twice = rendered(&["--by", "job,job"]).unwrap_err().to_string();
        assert!(twice.contains("`job` is there twice"), "{twice}");
    }

    #[test]
    fn every_window_is_scaled_and_every_name_stays() {
        let (whole, short) = (rendered(&[]).unwrap(), rendered(&["--time-scale", "0.02"]).unwrap());
        for window in ["[5m]", "[10m]", "[15m]", "[30m]", "[1h]", "[6h]", "[1d]", "for: 5m"] {
            assert!(whole.contains(window), "{window}");
        }
        assert!(short.contains("[6s]") && short.contains("for: 6s"), "{short}");
        let left: Vec<_> = short.lines().filter(|l| l.contains("m]") || l.contains("h]")).collect();
        assert!(left.is_empty(), "{left:?}");
        let names = |text: &str| -> Vec<String> {
            let named = |line: &&str| line.contains("record:") || line.contains("alert:");
            text.lines().filter(named).map(str::to_owned).collect()
        };
        assert_eq!(names(&whole), names(&short));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let error = rendered(&["--price", "off/a=1"]).unwrap_err().to_string();
        assert!(error.contains("no such variant"), "{error}");
    }
}
