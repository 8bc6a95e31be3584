//! What is counted now, as a rollout wants it: cumulative since the rollout began, without what nobody looked at.

use std::time::Duration;

use anyhow::{Context as _, Result};
use engine::metrics::Metrics;
use rollout::course::{Counted, Pair, Proxies, QuerySeen};
use rollout::file::{self, Rollout};
use rollout::{Counter, Reading};
use tokio::task::JoinSet;

use crate::admin::Admin;
use crate::counters::{self, Followed, Found, Prometheus, Scrape, Series, Source, Split};

/// Who has the counts, and what they said so far.
pub(super) struct Counting {
    split: Split,
    /// Requests are counted whatever users are: a kept variant tells nothing of today's weights.
    requests: bool,
    source: Source,
    proxies: Vec<Admin>,
    counted: Option<counters::Counted>,
    errors: Sums,
    slow: Option<(u64, Sums)>,
    queries: Vec<file::Query>,
    /// What there is to say of the counts, each once.
    notes: Vec<String>,
}

/// How long a look may take: an order waits for it.
const SOON: Duration = Duration::from_secs(10);

/// Counters of both variants, followed and added up.
struct Sums {
    followed: Followed,
    sums: [Reading; 2],
}

impl Sums {
    fn new() -> Self {
        Self { followed: Followed::new(Counter::RUNNING), sums: [Reading::default(); 2] }
    }

    fn take(&mut self, scrape: &Scrape) -> Pair {
        let deltas = self.followed.came(scrape).deltas;
        for (sum, delta) in self.sums.iter_mut().zip(deltas) {
            sum.total = sum.total.saturating_add(delta.total());
            sum.bad = sum.bad.saturating_add(delta.bad());
        }
        let [baseline, challenger] = self.sums;
        Pair { baseline, challenger }
    }
}

impl Counting {
    /// Of a rollout. `sticky` is whether variants are kept by cookies.
    pub(super) fn new(rollout: &Rollout, baseline: &str, sticky: bool) -> Result<Self> {
        let admins = |names: &[String]| -> Result<Vec<Admin>> {
            names.iter().map(|name| Admin::parse(name).map_err(anyhow::Error::msg)).collect()
        };
        let source = match &rollout.counts.source {
            file::Source::Prometheus { url, matching } => {
                let prometheus = Prometheus::parse(url).map_err(anyhow::Error::msg)?;
                Source::Prometheus(prometheus.matching(matching))
            }
            file::Source::Proxies(names) => Source::Admin(admins(names)?),
        };
        let split = Split {
            name: rollout.split.clone(),
            baseline: baseline.to_owned(),
            challengers: vec![rollout.challenger.clone()],
            others: Vec::new(),
            by_weight: !sticky,
        };
        Ok(Self {
            split,
            requests: sticky,
            source,
            proxies: admins(&rollout.proxies)?,
            counted: None,
            errors: Sums::new(),
            slow: rollout.gates.slow.map(|slow| (slow.over, Sums::new())),
            queries: rollout.gates.queries.clone(),
            notes: Vec::new(),
        })
    }

    /// Goes on from what another process counted before.
    pub(super) fn go_on(&mut self, before: &Counted) {
        let Counted::Counts { errors, users, slow, .. } = before else { return };
        self.counted =
            Some(if *users { counters::Counted::Users } else { counters::Counted::Requests });
        self.errors.sums = [errors.baseline, errors.challenger];
        if let (Some((_, sums)), Some(slow)) = (&mut self.slow, slow) {
            sums.sums = [slow.baseline, slow.challenger];
        }
    }

    /// What there is to say of the counts, and was not said yet.
    pub(super) fn notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// Looks at everything at once, for some seconds at most. `hash` is that of the policy.
    pub(super) async fn see(&mut self, hash: Option<u64>) -> (Proxies, Counted, Vec<QuerySeen>) {
        let soon = |what: &'static str| format!("{what} did not answer within 10 s");
        let all = u32::try_from(self.proxies.len()).unwrap_or(u32::MAX);
        let proxies = async {
            let asked = tokio::time::timeout(SOON, self.proxies(hash)).await;
            asked.unwrap_or(Proxies { all, current: 0 })
        };
        let queries = async {
            let asked = tokio::time::timeout(SOON, self.queries()).await;
            asked.unwrap_or_default()
        };
        let read = async {
            let asked = tokio::time::timeout(SOON, self.read()).await;
            asked.unwrap_or_else(|_| Err(anyhow::anyhow!(soon("whoever has the counts"))))
        };
        let (proxies, queries, read) = tokio::join!(proxies, queries, read);
        let counted = read.and_then(|(series, durations)| self.counts(&series, durations));
        let counted =
            counted.unwrap_or_else(|error| Counted::Nothing { why: format!("{error:#}") });
        (proxies, counted, queries)
    }

    /// The series, and those of durations where they are a gate.
    async fn read(&self) -> Result<(Vec<Series>, Option<Result<Vec<Found>>>)> {
        let durations = async {
            let (over, _) = self.slow.as_ref()?;
            Some(self.source.buckets(&self.split.name, *over).await)
        };
        let (series, durations) = tokio::join!(self.source.of_all(&self.split.name), durations);
        Ok((series?, durations))
    }

    fn counts(
        &mut self,
        series: &[Series],
        durations: Option<Result<Vec<Found>>>,
    ) -> Result<Counted> {
        let wanted = self.requests.then_some(counters::Counted::Requests).or(self.counted);
        // Proxies count users from the first weight above 0 on. Once there are users, they stay.
        let wanted = wanted.filter(|kind| self.requests || *kind == counters::Counted::Users);
        let scrape = Scrape::new(series, &self.split, wanted);
        let shown = scrape.proxies() > 0;
        anyhow::ensure!(
            shown,
            "no proxy counts split `{}`, or none had a request yet",
            self.split.name
        );
        if self.counted.replace(scrape.counted).is_none()
            && scrape.counted == counters::Counted::Requests
        {
            let why = if self.requests {
                "requests are judged, because `sticky` keeps users where the weights do not put them"
            } else {
                "requests are judged, because the proxies do not count users of this split: a `guard` makes them"
            };
            let worth = "one user makes many of them, so that healthy challengers are rolled back more often than `alpha` says";
            self.notes.push(format!("{why}; {worth}"));
        }
        let users = scrape.counted == counters::Counted::Users;
        let errors = self.errors.take(&scrape);
        let keys = users.then_some([errors.baseline.total, errors.challenger.total]);
        let slow = match (&mut self.slow, durations) {
            (Some((over, sums)), Some(rows)) => {
                // Errors are judged without them; that the gate holds is the decision's business.
                match rows.and_then(|rows| bounded(*over, rows)) {
                    Ok(rows) => Some(sums.take(&Scrape::of_durations(&rows, &self.split))),
                    Err(why) => {
                        self.notes.push(format!("gate `slow`: {why:#}"));
                        None
                    }
                }
            }
            _ => None,
        };
        let tripped = scrape.tripped.get(1).copied().unwrap_or_default();
        Ok(Counted::Counts { errors, users, slow, keys, tripped })
    }

    /// How many proxies there are, and how many of them run that policy.
    async fn proxies(&self, hash: Option<u64>) -> Proxies {
        let admins = match (&self.proxies, &self.source) {
            (admins, _) if !admins.is_empty() => admins,
            (_, Source::Admin(admins)) => admins,
            (_, Source::Prometheus(prometheus)) => {
                let known = of_prometheus(prometheus, hash).await;
                return known.map_or(Proxies { all: 0, current: 0 }, |known| Proxies {
                    all: known.all,
                    current: known.current,
                });
            }
        };
        let mut asked = JoinSet::new();
        for admin in admins {
            let admin = admin.clone();
            asked.spawn(async move { admin.hash().await.ok().flatten() });
        }
        let mut found =
            Proxies { all: u32::try_from(admins.len()).unwrap_or(u32::MAX), current: 0 };
        while let Some(shown) = asked.join_next().await {
            let is_current = shown.ok().flatten().is_some_and(|shown| Some(shown) == hash);
            found.current = found.current.saturating_add(u32::from(is_current));
        }
        // Counts that are as old as the policy before say nothing of this one.
        if let Source::Prometheus(prometheus) = &self.source
            && let Ok(known) = of_prometheus(prometheus, hash).await
        {
            let behind = known.shown.saturating_sub(known.current);
            found.current = found.current.min(found.all.saturating_sub(behind));
        }
        found
    }

    /// What the queries say.
    async fn queries(&self) -> Vec<QuerySeen> {
        let Source::Prometheus(prometheus) = &self.source else { return Vec::new() };
        let mut seen = Vec::new();
        for query in &self.queries {
            let rows = prometheus.query(&query.query).await.unwrap_or_default();
            let of = |variant: &str| {
                let is_it =
                    |row: &&Found| row.labels.get("variant").is_some_and(|known| known == variant);
                let mut found = rows.iter().filter(is_it);
                // Two rows of one variant are no number.
                found.next().filter(|_| found.next().is_none()).map(|row| row.value)
            };
            let challenger = self.split.challengers.first().and_then(|name| of(name));
            seen.push(QuerySeen {
                name: query.name.clone(),
                baseline: of(&self.split.baseline),
                challenger,
            });
        }
        seen
    }
}

/// By the gauge that each proxy shows; one that showed it within five minutes and does no more is one that is not known to run it.
async fn of_prometheus(prometheus: &Prometheus, hash: Option<u64>) -> Result<Known> {
    let gauge = prometheus.selector(Metrics::POLICY_HASH, "");
    let rows = prometheus.query(&gauge).await?;
    let all = prometheus.query(&format!("count(max_over_time({gauge}[5m]))")).await?;
    let all = all.first().context("no proxy shows a policy")?.value as u32;
    let hash = hash.map(|hash| hash as f64);
    let current = rows.iter().filter(|row| Some(row.value) == hash).count();
    let current = u32::try_from(current).unwrap_or(u32::MAX);
    let shown = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    Ok(Known { all: all.max(shown), shown, current })
}

/// Proxies as a Prometheus knows them.
struct Known {
    /// All that it knew within five minutes.
    all: u32,
    /// Those that it knows now.
    shown: u32,
    /// Those of them that run the policy.
    current: u32,
}

/// Rows of durations of which some end at the bound. Without it all responses would be slow ones, of both variants alike.
fn bounded(over: u64, rows: Vec<Found>) -> Result<Vec<Found>> {
    let ends = |row: &Found| row.labels.get("le").is_some_and(|le| le != "+Inf");
    anyhow::ensure!(
        rows.is_empty() || rows.iter().any(ends),
        "no bucket of the durations ends at {over} ms; write one that the proxies have into `over`, such as `250ms` or `500ms`"
    );
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(le: &str) -> Found {
        Found { labels: [("le".to_owned(), le.to_owned())].into(), value: 7.0 }
    }

    #[test]
    fn a_bound_that_no_bucket_has_is_no_number_of_slow_responses() {
        assert!(bounded(500, vec![row("500"), row("+Inf")]).is_ok());
        assert!(bounded(500, Vec::new()).is_ok());
        let error = bounded(300, vec![row("+Inf")]).unwrap_err().to_string();
        assert!(error.contains("no bucket of the durations ends at 300 ms"), "{error}");
    }
}
