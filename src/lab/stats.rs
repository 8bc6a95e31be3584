//! Envoy's own statistics, read from its admin interface, with the labels taken out of the names.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use engine::metrics::Metrics;
use serde_json::Value;

/// The part of the names that Envoy puts before those a Wasm filter defines.
const WASM: &str = "wasmcustom.";

/// What a metric is called: `split=.=a;.;variant=.=b;.;traffic_split_requests_total` taken apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// The metric, without `wasmcustom.`.
    pub metric: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

impl Name {
    /// Reads a name as Envoy has it.
    pub fn parse(full: &str) -> Self {
        let mut rest = full.strip_prefix(WASM).unwrap_or(full);
        let mut labels = BTreeMap::new();
        while let Some((label, after)) = rest.split_once(";.;") {
            let Some((name, value)) = label.split_once("=.=") else { break };
            labels.insert(name.to_owned(), value.to_owned());
            rest = after;
        }
        Self { metric: rest.to_owned(), labels }.or_of_logger()
    }

    /// A name that an access logger made has its tags behind it: `traffic_split_responses_total.split.a.variant.b.class.2xx`.
    fn or_of_logger(mut self) -> Self {
        let behind = |metric: &&str| {
            self.metric.strip_prefix(*metric).is_some_and(|tags| tags.starts_with('.'))
        };
        let Some(metric) = [Metrics::RESPONSES, Metrics::DURATION].into_iter().find(behind) else {
            return self;
        };
        let mut rest = self.metric.split_off(metric.len());
        // From the right, since names may have points.
        for label in Metrics::LABELS.into_iter().rev() {
            let tag = format!(".{label}.");
            if let Some(place) = rest.rfind(&tag) {
                let value = rest.split_off(place).split_off(tag.len());
                self.labels.insert(label.to_owned(), value);
            }
        }
        self
    }

    fn is(&self, metric: &str, labels: &[(&str, &str)]) -> bool {
        self.metric == metric
            && labels.iter().all(|(name, value)| self.labels.get(*name).is_some_and(|v| v == value))
    }
}

/// The statistics of one moment, or what happened between two.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stats {
    numbers: BTreeMap<Name, u64>,
    texts: BTreeMap<String, String>,
    histograms: BTreeMap<Name, Histogram>,
}

impl Stats {
    /// Reads what `/stats?format=json&histogram_buckets=detailed` answers.
    ///
    /// # Errors
    /// When it is not that.
    pub fn parse(text: &str) -> Result<Self> {
        let json: Value =
            serde_json::from_str(text).context("the statistics of envoy are not JSON")?;
        let list = json
            .get("stats")
            .and_then(Value::as_array)
            .context("no `stats` in envoy's statistics")?;
        let mut stats = Self::default();
        for entry in list {
            if let Some(histograms) = entry.pointer("/histograms/details").and_then(Value::as_array)
            {
                for histogram in histograms {
                    let name = histogram.get("name").and_then(Value::as_str).unwrap_or_default();
                    stats.histograms.insert(Name::parse(name), Histogram::parse(histogram));
                }
                continue;
            }
            let Some(name) = entry.get("name").and_then(Value::as_str) else { continue };
            match entry.get("value") {
                Some(Value::String(text)) => {
                    stats.texts.insert(name.to_owned(), text.clone());
                }
                Some(number) => {
                    if let Some(number) = number.as_u64() {
                        stats.numbers.insert(Name::parse(name), number);
                    }
                }
                None => {}
            }
        }
        Ok(stats)
    }

    /// The sum of a metric over everything that has these labels; 0 where there is none.
    pub fn sum(&self, metric: &str, labels: &[(&str, &str)]) -> u64 {
        let matching = self.numbers.iter().filter(|(name, _)| name.is(metric, labels));
        matching.fold(0, |sum, (_, number)| sum.saturating_add(*number))
    }

    /// One of Envoy's own counters or gauges, by its full name.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.numbers.get(&Name::parse(name)).copied()
    }

    /// One of Envoy's own texts, by its full name.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    /// Every counter and gauge with its name.
    pub fn numbers(&self) -> impl Iterator<Item = (&Name, u64)> {
        self.numbers.iter().map(|(name, number)| (name, *number))
    }

    /// The histogram of a metric over everything that has these labels.
    pub fn histogram(&self, metric: &str, labels: &[(&str, &str)]) -> Histogram {
        let mut sum = Histogram::default();
        for (_, histogram) in self.histograms.iter().filter(|(name, _)| name.is(metric, labels)) {
            for (bucket, count) in &histogram.buckets {
                let entry = sum.buckets.entry(*bucket).or_default();
                *entry = entry.saturating_add(*count);
            }
        }
        sum
    }

    /// What happened since an earlier moment: differences of counters and histograms.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut difference = self.clone();
        for (name, number) in &mut difference.numbers {
            *number = number.saturating_sub(earlier.numbers.get(name).copied().unwrap_or(0));
        }
        for (name, histogram) in &mut difference.histograms {
            let Some(before) = earlier.histograms.get(name) else { continue };
            for (bucket, count) in &mut histogram.buckets {
                *count = count.saturating_sub(before.buckets.get(bucket).copied().unwrap_or(0));
            }
        }
        difference
    }
}

/// How often each range of values occurred. The ranges are Envoy's own, fine ones (two significant digits),
/// not those it shows to Prometheus.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Histogram {
    /// Lower bound and width, in thousandths, to the number of values. Integers, so that they can be keys.
    buckets: BTreeMap<(u64, u64), u64>,
}

impl Histogram {
    fn parse(json: &Value) -> Self {
        let thousandths = |bucket: &Value, field: &str| {
            bucket
                .get(field)
                .and_then(Value::as_f64)
                .map_or(0, |number| (number * 1000.0).round() as u64)
        };
        let totals = json.get("totals").and_then(Value::as_array);
        let buckets = totals
            .into_iter()
            .flatten()
            .map(|bucket| {
                let range = (thousandths(bucket, "lower_bound"), thousandths(bucket, "width"));
                (range, bucket.get("count").and_then(Value::as_u64).unwrap_or(0))
            })
            .collect();
        Self { buckets }
    }

    /// The number of values.
    pub fn count(&self) -> u64 {
        self.buckets.values().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The value that this part (0.5, 0.95) of all values does not exceed, to the precision of its range;
    /// nothing where there are no values.
    pub fn quantile(&self, part: f64) -> Option<f64> {
        let wanted = ((self.count() as f64) * part).ceil().max(1.0) as u64;
        let mut seen = 0_u64;
        for ((lower, width), count) in &self.buckets {
            let before = seen;
            seen = seen.saturating_add(*count);
            if seen >= wanted {
                // Values are whole numbers: a range narrower than 1 stands for its lower bound.
                let inside = if *width < 1000 {
                    0.0
                } else {
                    *width as f64 * (wanted.saturating_sub(before) as f64 / *count as f64)
                };
                return Some((*lower as f64 + inside) / 1000.0);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"stats":[
        {"name":"cluster_manager.cds.version_text","value":"7"},
        {"name":"wasmcustom.split=.=checkout;.;variant=.=a.b;.;reason=.=split;.;traffic_split_requests_total","value":90},
        {"name":"wasmcustom.split=.=checkout;.;variant=.=a.b;.;reason=.=override;.;traffic_split_requests_total","value":3},
        {"name":"wasmcustom.split=.=checkout;.;variant=.=c;.;reason=.=split;.;traffic_split_requests_total","value":7},
        {"name":"wasmcustom.traffic_split_policy_hash","value":42},
        {"histograms":{"supported_percentiles":[50],"details":[
            {"name":"wasmcustom.split=.=checkout;.;variant=.=c;.;traffic_split_request_duration_milliseconds",
             "totals":[{"lower_bound":0,"width":0,"count":60},{"lower_bound":1,"width":0.1,"count":30},
                       {"lower_bound":100,"width":10,"count":10}],
             "intervals":[],"percentiles":[]}]}}]}"#;

    #[test]
    fn labels_come_out_of_the_name() {
        let name =
            Name::parse("wasmcustom.split=.=a.b;.;variant=.=c-d;.;traffic_split_requests_total");
        assert_eq!(name.metric, "traffic_split_requests_total");
        let labels: Vec<_> = name.labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(labels, [("split", "a.b"), ("variant", "c-d")]);
    }

    #[test]
    fn what_an_access_logger_counts_has_its_labels_behind_the_name() {
        let name =
            Name::parse("wasmcustom.traffic_split_responses_total.split.a.b.variant.c.class.2xx");
        assert_eq!(name.metric, "traffic_split_responses_total");
        let labels: Vec<_> = name.labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(labels, [("class", "2xx"), ("split", "a.b"), ("variant", "c")]);
    }

    #[test]
    fn names_without_labels_stay_whole() {
        assert_eq!(
            Name::parse("wasmcustom.traffic_split_policy_hash").metric,
            "traffic_split_policy_hash"
        );
        assert_eq!(Name::parse("cluster.a;.;b.upstream_rq").metric, "cluster.a;.;b.upstream_rq");
    }

    #[test]
    fn a_sum_runs_over_the_labels_that_are_not_given() {
        let stats = Stats::parse(TEXT).unwrap();
        let requests = "traffic_split_requests_total";
        assert_eq!(stats.sum(requests, &[("split", "checkout")]), 100);
        assert_eq!(stats.sum(requests, &[("variant", "a.b")]), 93);
        assert_eq!(stats.sum(requests, &[("variant", "a.b"), ("reason", "split")]), 90);
        assert_eq!(stats.sum(requests, &[("split", "other")]), 0);
        assert_eq!(stats.number("wasmcustom.traffic_split_policy_hash"), Some(42));
        assert_eq!(stats.text("cluster_manager.cds.version_text"), Some("7"));
    }

    #[test]
    fn quantiles_come_from_the_ranges() {
        let stats = Stats::parse(TEXT).unwrap();
        let duration =
            stats.histogram("traffic_split_request_duration_milliseconds", &[("variant", "c")]);
        assert_eq!(duration.count(), 100);
        assert_eq!(duration.quantile(0.5), Some(0.0));
        assert_eq!(duration.quantile(0.9), Some(1.0));
        assert_eq!(duration.quantile(0.95), Some(105.0));
        assert_eq!(Histogram::default().quantile(0.5), None);
    }

    #[test]
    fn a_difference_counts_only_what_came_later() {
        let stats = Stats::parse(TEXT).unwrap();
        let nothing = stats.since(&stats);
        assert_eq!(nothing.sum("traffic_split_requests_total", &[]), 0);
        let histogram = nothing.histogram("traffic_split_request_duration_milliseconds", &[]);
        assert_eq!((histogram.count(), histogram.quantile(0.5)), (0, None));
        assert_eq!(stats.since(&Stats::default()), stats);
    }
}
