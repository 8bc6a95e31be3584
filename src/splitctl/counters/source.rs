//! Where counters come from: a Prometheus, or the admin interfaces of proxies.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use engine::metrics::Metrics;
use engine::units::{Millis, Moment};
use lab::Stats;
use lab::client::{Request, send};
use serde::Deserialize;
use tokio::task::JoinSet;

use super::scrape::{Found, METRICS, Series};
use crate::admin::Admin;

/// How long an answer may take.
const SOON: Duration = Duration::from_secs(10);

/// Where counters come from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    Prometheus(Prometheus),
    Admin(Vec<Admin>),
}

impl Source {
    /// The series of a split now.
    ///
    /// # Errors
    /// When there is no answer that can be read.
    pub(crate) async fn now(&self, split: &str) -> Result<Vec<Series>> {
        match self {
            Self::Prometheus(prometheus) => prometheus.now(split).await,
            Self::Admin(all) => {
                let mut series = Vec::new();
                for admin in all {
                    let path = "/stats?format=json&filter=traffic_split_";
                    let of = admin.fetch(path).await.and_then(|stats| Stats::parse(&stats));
                    let of = of.with_context(|| format!("`{}`", admin.name))?;
                    series.extend(of_stats(&of, &admin.name, split));
                }
                Ok(series)
            }
        }
    }
}

impl Source {
    /// The series of a split now, of all proxies that answer.
    ///
    /// # Errors
    /// When none does.
    pub(crate) async fn of_all(&self, split: &str) -> Result<Vec<Series>> {
        let Self::Admin(all) = self else { return self.now(split).await };
        let mut asked = JoinSet::new();
        for admin in all.iter().cloned() {
            let split = split.to_owned();
            asked.spawn(async move { Self::Admin(vec![admin]).now(&split).await });
        }
        let (mut series, mut answers, mut failed) = (Vec::new(), 0_u32, None);
        while let Some(answer) = asked.join_next().await {
            match answer? {
                Ok(more) => {
                    answers = answers.saturating_add(1);
                    series.extend(more);
                }
                Err(error) => failed = Some(error),
            }
        }
        match failed {
            Some(error) if answers == 0 => Err(error),
            _ => Ok(series),
        }
    }

    /// How many responses of a split took how long, of all proxies that answer: those up to so many milliseconds, and all
    /// (`le` is that bound, or `+Inf`).
    ///
    /// # Errors
    /// When none answers.
    pub(crate) async fn buckets(&self, split: &str, over: u64) -> Result<Vec<Found>> {
        let metric = format!("{}_bucket", Metrics::DURATION);
        match self {
            Self::Prometheus(prometheus) => {
                let split = serde_json::to_string(split)?;
                let of = format!("split={split},le=~\"{over}|{over}\\\\.0|\\\\+Inf\"");
                prometheus.query(&prometheus.selector(&metric, &of)).await
            }
            Self::Admin(all) => {
                let mut found = Vec::new();
                for admin in all {
                    let path = format!("/stats/prometheus?filter={}", Metrics::DURATION);
                    let Ok(text) = admin.fetch(&path).await else { continue };
                    let rows = text.lines().filter_map(|line| exposed(line, &metric));
                    let wanted = rows.filter(|row| {
                        let le = row.labels.get("le").map_or("", String::as_str);
                        let bound =
                            le == "+Inf" || le.parse::<f64>().is_ok_and(|le| le == over as f64);
                        bound && row.labels.get("split").is_some_and(|known| known == split)
                    });
                    found.extend(wanted.map(|mut row| {
                        row.labels.insert("instance".to_owned(), admin.name.clone());
                        row
                    }));
                }
                ensure!(!found.is_empty(), "no proxy shows durations of split `{split}`");
                Ok(found)
            }
        }
    }
}

/// A line of Prometheus' text format, of one metric. Values of our labels need no escapes.
fn exposed(line: &str, metric: &str) -> Option<Found> {
    let (labels, value) = line.strip_prefix(metric)?.strip_prefix('{')?.rsplit_once("} ")?;
    let labels = labels.split(',').filter_map(|label| label.split_once('='));
    let labels = labels.map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned()));
    Some(Found { labels: labels.collect(), value: value.trim().parse().ok()? })
}

/// The series of a split in a proxy's own statistics.
fn of_stats(stats: &Stats, proxy: &str, split: &str) -> Vec<Series> {
    let of_split = stats.numbers().filter(|(name, _)| {
        name.labels.get("split").is_some_and(|known| known == split)
            && METRICS.contains(&name.metric.as_str())
    });
    let series = of_split.filter_map(|(name, value)| {
        Some(Series {
            proxy: proxy.to_owned(),
            metric: name.metric.clone(),
            variant: name.labels.get("variant")?.clone(),
            class: name.labels.get("class").cloned(),
            value,
        })
    });
    series.collect()
}

/// A Prometheus, or what speaks like one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prometheus {
    /// As written.
    name: String,
    /// The host with its port.
    authority: String,
    /// What comes before `/api/v1`.
    prefix: String,
    /// Matchers of its series besides the split, such as `job="edge"`; empty for none.
    matching: String,
}

/// An answer of its API.
#[derive(Debug, Deserialize)]
struct Answer {
    data: Option<Data>,
    error: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Data {
    result: Vec<Row>,
}

#[derive(Debug, Deserialize)]
struct Row {
    metric: BTreeMap<String, String>,
    /// Of a query at one time.
    value: Option<(f64, String)>,
    /// Of a query over a range of them.
    #[serde(default)]
    values: Vec<(f64, String)>,
}

impl Prometheus {
    /// Reads `http://127.0.0.1:9090`, with a path where its API is below one.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| {
            format!("`{text}` is no Prometheus, such as `http://127.0.0.1:9090`: {why}")
        };
        if text.starts_with("https://") {
            return Err(wrong("only `http://` is spoken here; forward a port to it"));
        }
        let rest = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
        let (host, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if host.is_empty() || host.contains(['@', '?', '#']) {
            return Err(wrong("a host with a port is expected"));
        }
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let authority = if has_port { host.to_owned() } else { format!("{host}:80") };
        let prefix = if prefix.is_empty() { String::new() } else { format!("/{prefix}") };
        Ok(Self { name: text.to_owned(), authority, prefix, matching: String::new() })
    }

    /// The same, whose series are only those with these matchers.
    #[must_use]
    pub(crate) fn matching(self, matching: &str) -> Self {
        Self { matching: matching.to_owned(), ..self }
    }

    /// A selector of a metric by its matchers and those of the Prometheus.
    pub(crate) fn selector(&self, metric: &str, more: &str) -> String {
        let all = [more, &self.matching].into_iter().filter(|part| !part.is_empty());
        format!("{metric}{{{}}}", all.collect::<Vec<_>>().join(","))
    }

    /// What a query says now.
    ///
    /// # Errors
    /// When there is no answer that can be read.
    pub(crate) async fn query(&self, promql: &str) -> Result<Vec<Found>> {
        let rows = self.ask("query", &[("query", promql)]).await?;
        let found = rows.into_iter().filter_map(|row| {
            let value = row.value?.1.parse().ok()?;
            Some(Found { labels: row.metric, value })
        });
        Ok(found.collect())
    }

    /// The series of a split now.
    async fn now(&self, split: &str) -> Result<Vec<Series>> {
        let selector = self.selector("", &selector(split)?);
        let rows = self.ask("query", &[("query", &selector)]).await?;
        let series = rows.iter().filter_map(|row| {
            let (_, value) = row.value.as_ref()?;
            of_row(row, value)
        });
        Ok(series.collect())
    }

    /// The series of a split at each of these times.
    ///
    /// # Errors
    /// When there is no answer that can be read.
    pub(crate) async fn range(
        &self,
        split: &str,
        (from, to, every): (Moment, Moment, Millis),
    ) -> Result<BTreeMap<u64, Vec<Series>>> {
        let seconds = |millis: u64| format!("{}.{:03}", millis / 1_000, millis % 1_000);
        let [start, end, step] = [from.get(), to.get(), every.get()].map(seconds);
        let selector = self.selector("", &selector(split)?);
        let query = [("query", &*selector), ("start", &start), ("end", &end), ("step", &step)];
        let mut times = BTreeMap::<u64, Vec<Series>>::new();
        for row in self.ask("query_range", &query).await? {
            for (time, value) in &row.values {
                let series = of_row(&row, value);
                times.entry((time * 1_000.0).round() as u64).or_default().extend(series);
            }
        }
        Ok(times)
    }

    async fn ask(&self, what: &str, query: &[(&str, &str)]) -> Result<Vec<Row>> {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let request = Request::get(&format!("{}/api/v1/{what}?{query}", self.prefix));
        let asked = async {
            let found = tokio::net::lookup_host(&self.authority).await;
            let mut found = found.with_context(|| format!("cannot find `{}`", self.authority))?;
            let address =
                found.next().with_context(|| format!("`{}` has no address", self.authority))?;
            send(address, &request.host(&self.authority)).await
        };
        let name = || format!("`{}`", self.name);
        let response = tokio::time::timeout(SOON, asked).await;
        let response = response
            .map_err(|_| anyhow!("no answer"))
            .and_then(|answer| answer)
            .with_context(name)?;
        let text = response.text();
        let answer = serde_json::from_str::<Answer>(&text).ok().with_context(|| {
            let start: String = text.chars().take(80).collect();
            format!(
                "{} does not answer as a Prometheus does ({}): {start}",
                name(),
                response.status
            )
        })?;
        ensure!(answer.error.is_none(), "{}: {}", name(), answer.error.unwrap_or_default());
        Ok(answer.data.map(|data| data.result).unwrap_or_default())
    }
}

/// Which series are read.
fn selector(split: &str) -> Result<String> {
    // Its JSON is a string of PromQL, too.
    let split = serde_json::to_string(split)?;
    Ok(format!("__name__=~\"{}\", split={split}", METRICS.join("|")))
}

/// A series; `None` where it is not of a variant, or has no number.
fn of_row(row: &Row, value: &str) -> Option<Series> {
    let value = value.parse::<f64>().ok().filter(|value| *value >= 0.0)? as u64;
    let label = |name: &str| row.metric.get(name).cloned();
    let own = ["__name__", "split", "variant", "class"];
    let proxy = row.metric.iter().filter(|(name, _)| !own.contains(&name.as_str()));
    let proxy: Vec<_> = proxy.map(|(name, value)| format!("{name}={value}")).collect();
    Some(Series {
        proxy: proxy.join(","),
        metric: label("__name__")?,
        variant: label("variant")?,
        class: label("class"),
        value,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_a_prometheus_has_a_host_and_perhaps_more() {
        let parts = |text| Prometheus::parse(text).map(|p| (p.authority, p.prefix));
        let both = |a: &str, b: &str| Ok((a.to_owned(), b.to_owned()));
        assert_eq!(parts("http://127.0.0.1:9090"), both("127.0.0.1:9090", ""));
        assert_eq!(
            parts("prometheus.monitoring.svc/mimir/prometheus/"),
            both("prometheus.monitoring.svc:80", "/mimir/prometheus")
        );
        assert_eq!(parts("http://[::1]:9090/"), both("[::1]:9090", ""));
        assert!(parts("https://prometheus").unwrap_err().contains("only `http://` is spoken"));
        assert!(parts("http://").unwrap_err().contains("a host with a port"));
    }

    #[test]
    fn a_name_cannot_leave_its_string() {
        let selector = selector("a\"} or vector(1) #").unwrap();
        assert!(selector.ends_with(r#"split="a\"} or vector(1) #""#), "{selector}");
    }

    #[test]
    fn what_is_not_the_variants_own_tells_proxies_apart() {
        let row: Row = serde_json::from_str(
            r#"{"metric": {"__name__": "traffic_split_keys_total", "split": "s", "variant": "v", "instance": "a", "job": "envoy"}, "value": [1.5, "12"]}"#,
        )
        .unwrap();
        let series = of_row(&row, "12").unwrap();
        assert_eq!(
            (series.proxy.as_str(), series.value, series.class.clone()),
            ("instance=a,job=envoy", 12, None)
        );
        assert_eq!(of_row(&row, "NaN"), None);
    }
}
