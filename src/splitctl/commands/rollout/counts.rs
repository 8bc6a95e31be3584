//! What is counted now, as a rollout wants it: cumulative since this process began to look.

use anyhow::{Context as _, Result};
use engine::metrics::Metrics;
use rollout::course::{Counted, Pair, Proxies, QuerySeen};
use rollout::file::{self, Rollout};
use rollout::{Counter, Reading};
use tokio::task::JoinSet;

use crate::admin::Admin;
use crate::counters::{self, Followed, Found, Prometheus, Scrape, Source, Split};

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
}

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
        })
    }

    /// What is counted now.
    pub(super) async fn now(&mut self) -> Counted {
        match self.counts().await {
            Ok(counted) => counted,
            Err(error) => Counted::Nothing { why: format!("{error:#}") },
        }
    }

    async fn counts(&mut self) -> Result<Counted> {
        let series = self.source.of_all(&self.split.name).await?;
        let wanted = self.requests.then_some(counters::Counted::Requests).or(self.counted);
        // Proxies count users from the first weight above 0 on. Once there are users, they stay.
        let wanted = wanted.filter(|kind| self.requests || *kind == counters::Counted::Users);
        let scrape = Scrape::new(&series, &self.split, wanted);
        let shown = scrape.proxies() > 0;
        anyhow::ensure!(
            shown,
            "no proxy counts split `{}`, or none had a request yet",
            self.split.name
        );
        self.counted = Some(scrape.counted);
        let users = scrape.counted == counters::Counted::Users;
        let errors = self.errors.take(&scrape);
        let keys = users.then_some([errors.baseline.total, errors.challenger.total]);
        let slow = match &mut self.slow {
            None => None,
            Some((over, sums)) => {
                let rows = self.source.buckets(&self.split.name, *over).await?;
                Some(sums.take(&Scrape::of_durations(&rows, &self.split)))
            }
        };
        Ok(Counted::Counts { errors, users, slow, keys })
    }

    /// How many proxies there are, and how many of them run that policy.
    pub(super) async fn proxies(&self, hash: Option<u64>) -> Proxies {
        let admins = match (&self.proxies, &self.source) {
            (admins, _) if !admins.is_empty() => admins,
            (_, Source::Admin(admins)) => admins,
            (_, Source::Prometheus(prometheus)) => {
                return of_prometheus(prometheus, hash)
                    .await
                    .unwrap_or(Proxies { all: 0, current: 0 });
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
        found
    }

    /// What the queries say.
    pub(super) async fn queries(&self) -> Vec<QuerySeen> {
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
async fn of_prometheus(prometheus: &Prometheus, hash: Option<u64>) -> Result<Proxies> {
    let gauge = prometheus.selector(Metrics::POLICY_HASH, "");
    let rows = prometheus.query(&gauge).await?;
    let all = prometheus.query(&format!("count(max_over_time({gauge}[5m]))")).await?;
    let all = all.first().context("no proxy shows a policy")?.value as u32;
    let hash = hash.map(|hash| hash as f64);
    let current = rows.iter().filter(|row| Some(row.value) == hash).count();
    let current = u32::try_from(current).unwrap_or(u32::MAX);
    Ok(Proxies { all: all.max(u32::try_from(rows.len()).unwrap_or(0)), current })
}
