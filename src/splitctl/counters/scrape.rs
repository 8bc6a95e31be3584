//! Counters of proxies as they stand, and what came of each variant since they were last read.

use std::collections::BTreeMap;

use engine::metrics::Metrics;
use engine::outcome::Class;
use rollout::{Counter, Delta, Reading};

use super::{Counted, Split};

/// One series: the proxy that has it, its metric and labels, and its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Series {
    pub(crate) proxy: String,
    pub(crate) metric: String,
    pub(crate) variant: String,
    pub(crate) class: Option<String>,
    pub(crate) value: u64,
}

/// One row of an answer: labels and a number.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    /// Its labels.
    pub(crate) labels: BTreeMap<String, String>,
    /// Its value.
    pub(crate) value: f64,
}

/// The metrics that are read.
pub(crate) const METRICS: [&str; 5] =
    [Metrics::KEYS, Metrics::BAD_KEYS, Metrics::RESPONSES, Metrics::WEIGHT, Metrics::TRIPPED];

/// All proxies at one moment. Of each proxy a reading for each of [`Split::variants`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scrape {
    pub(crate) counted: Counted,
    proxies: BTreeMap<String, Vec<Reading>>,
    /// The weights of the variants; empty where no proxy shows them.
    weights: Vec<u64>,
    /// On how many proxies each variant is out of service.
    pub(crate) tripped: Vec<u64>,
}

impl Scrape {
    /// Of these series: users where they are counted, else requests; or what was `counted` before.
    pub(crate) fn new(series: &[Series], split: &Split, counted: Option<Counted>) -> Self {
        let has = |metric| series.iter().any(|one| one.metric == metric);
        let counted = counted.unwrap_or(if has(Metrics::KEYS) && has(Metrics::BAD_KEYS) {
            Counted::Users
        } else {
            Counted::Requests
        });
        let mut proxies = BTreeMap::<String, Vec<Reading>>::new();
        let mut weights = vec![0_u64; split.variants().count()];
        let mut tripped = weights.clone();
        for Series { proxy, metric, variant, class, value } in series {
            let Some(place) = split.variants().position(|name| name == variant) else { continue };
            let gauge = match metric.as_str() {
                Metrics::WEIGHT => Some(&mut weights),
                Metrics::TRIPPED => Some(&mut tripped),
                _ => None,
            };
            if let Some(sum) = gauge.and_then(|gauge| gauge.get_mut(place)) {
                *sum = sum.saturating_add(*value);
                continue;
            }
            let is = |known: Class| class.as_deref() == Some(known.as_str());
            let (total, bad) = match (counted, metric.as_str()) {
                (Counted::Users, Metrics::KEYS) => (*value, 0),
                (Counted::Users, Metrics::BAD_KEYS) => (0, *value),
                // A client that left is nobody's answer.
                (Counted::Requests, Metrics::RESPONSES) if is(Class::Abort) => continue,
                (Counted::Requests, Metrics::RESPONSES) => {
                    let bad = Class::ALL.into_iter().any(|known| known.is_bad() && is(known));
                    (*value, if bad { *value } else { 0 })
                }
                _ => continue,
            };
            let fresh = || vec![Reading::default(); split.variants().count()];
            let readings = proxies.entry(proxy.clone()).or_insert_with(fresh);
            if let Some(reading) = readings.get_mut(place) {
                reading.total = reading.total.saturating_add(total);
                reading.bad = reading.bad.saturating_add(bad);
            }
        }
        let shown = weights.iter().any(|weight| *weight > 0);
        let weights = if shown { weights } else { Vec::new() };
        Self { counted, proxies, weights, tripped }
    }

    /// Of rows of a histogram, those up to a bound and all of them: how many took longer.
    pub(crate) fn of_durations(rows: &[Found], split: &Split) -> Self {
        let mut proxies = BTreeMap::<String, Vec<Reading>>::new();
        for Found { labels, value } in rows {
            let label = |name: &str| labels.get(name).map(String::as_str).unwrap_or_default();
            let place = split.variants().position(|name| name == label("variant"));
            let Some(place) = place.filter(|_| *value >= 0.0) else { continue };
            let own = ["__name__", "split", "variant", "le"];
            let proxy = labels.iter().filter(|(name, _)| !own.contains(&name.as_str()));
            let proxy: Vec<_> = proxy.map(|(name, value)| format!("{name}={value}")).collect();
            let fresh = || vec![Reading::default(); split.variants().count()];
            let readings = proxies.entry(proxy.join(",")).or_insert_with(fresh);
            let Some(reading) = readings.get_mut(place) else { continue };
            // `bad` is those within the bound until all rows are read.
            if label("le") == "+Inf" {
                reading.total = reading.total.saturating_add(*value as u64);
            } else {
                reading.bad = reading.bad.saturating_add(*value as u64);
            }
        }
        for reading in proxies.values_mut().flatten() {
            reading.bad = reading.total.saturating_sub(reading.bad);
        }
        let tripped = vec![0; split.variants().count()];
        Self { counted: Counted::Requests, proxies, weights: Vec::new(), tripped }
    }

    /// What there is to say of what is counted.
    pub(crate) fn notes(&self) -> Vec<String> {
        let why = "the proxies do not count users of this split: a `guard` makes them";
        let requests = self.counted == Counted::Requests;
        requests.then(|| why.to_owned()).into_iter().collect()
    }

    /// How many proxies count.
    pub(crate) fn proxies(&self) -> usize {
        self.proxies.len()
    }
}

/// The counters of a run, from scrape to scrape.
#[derive(Debug, Clone)]
pub(crate) struct Followed {
    /// How a counter that was never seen before begins.
    begin: Counter,
    counters: BTreeMap<String, Vec<[Counter; 2]>>,
    weights: Vec<u64>,
}

/// What came since the last scrape.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Came {
    /// Of each variant.
    pub(crate) deltas: Vec<Delta>,
    /// The weights in force meanwhile; empty where they are not known, `None` where a step came between.
    pub(crate) weights: Option<Vec<u64>>,
}

impl Followed {
    pub(crate) fn new(begin: Counter) -> Self {
        Self { begin, counters: BTreeMap::new(), weights: Vec::new() }
    }

    /// Takes in a scrape.
    pub(crate) fn came(&mut self, scrape: &Scrape) -> Came {
        // A proxy that is gone comes back as another one.
        self.counters.retain(|proxy, _| scrape.proxies.contains_key(proxy));
        let mut sums = Vec::new();
        for (proxy, readings) in &scrape.proxies {
            let fresh = || vec![[self.begin; 2]; readings.len()];
            let counters = self.counters.entry(proxy.clone()).or_insert_with(fresh);
            sums.resize(readings.len(), Reading::default());
            for ((sum, [total, bad]), reading) in sums.iter_mut().zip(counters).zip(readings) {
                sum.total = sum.total.saturating_add(total.advance(reading.total));
                sum.bad = sum.bad.saturating_add(bad.advance(reading.bad));
            }
        }
        let deltas = sums.into_iter().map(|Reading { total, bad }| {
            // A user who was counted long ago may fail only now; then the failure is all that is known.
            Delta::new(total.max(bad), bad).unwrap_or(Delta::NONE)
        });
        let deltas = deltas.collect();
        let before = std::mem::replace(&mut self.weights, scrape.weights.clone());
        let weights = if before.is_empty() || before == self.weights {
            Some(self.weights.clone())
        } else if before.iter().zip(&self.weights).all(|(a, b)| a.abs_diff(*b) <= a.max(b) / 4) {
            // A ramp in a straight line: about the middle.
            Some(before.iter().zip(&self.weights).map(|(a, b)| a.midpoint(*b)).collect())
        } else {
            None
        };
        Came { deltas, weights }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split() -> Split {
        Split {
            name: "checkout".to_owned(),
            baseline: "stable".to_owned(),
            challengers: vec!["canary".to_owned()],
            others: Vec::new(),
            by_weight: true,
        }
    }

    fn series(proxy: &str, metric: &str, variant: &str, class: Option<&str>, value: u64) -> Series {
        let [proxy, metric, variant] = [proxy, metric, variant].map(str::to_owned);
        Series { proxy, metric, variant, class: class.map(str::to_owned), value }
    }

    fn deltas(list: &[(u64, u64)]) -> Vec<Delta> {
        list.iter().map(|(total, bad)| Delta::new(*total, *bad).unwrap()).collect()
    }

    #[test]
    fn users_are_counted_where_they_are_and_requests_elsewhere() {
        let responses = [
            series("a", Metrics::RESPONSES, "canary", Some("2xx"), 90),
            series("a", Metrics::RESPONSES, "canary", Some("5xx"), 7),
            series("b", Metrics::RESPONSES, "canary", Some("none"), 3),
            series("b", Metrics::RESPONSES, "canary", Some("abort"), 50),
            series("b", Metrics::RESPONSES, "elsewhere", Some("5xx"), 50),
        ];
        let scrape = Scrape::new(&responses, &split(), None);
        let came = Followed::new(Counter::ZERO).came(&scrape);
        assert_eq!((scrape.counted, scrape.proxies()), (Counted::Requests, 2));
        assert_eq!(came, Came { deltas: deltas(&[(0, 0), (100, 10)]), weights: Some(Vec::new()) });
        let users = [
            series("a", Metrics::KEYS, "canary", None, 40),
            series("a", Metrics::BAD_KEYS, "canary", None, 2),
            series("a", Metrics::BAD_KEYS, "stable", None, 3),
            series("a", Metrics::WEIGHT, "canary", None, 50_000),
            series("a", Metrics::TRIPPED, "canary", None, 0),
            series("b", Metrics::TRIPPED, "canary", None, 1),
        ];
        let scrape = Scrape::new(&[&responses[..], &users[..]].concat(), &split(), None);
        let came = Followed::new(Counter::ZERO).came(&scrape);
        assert_eq!((scrape.counted, scrape.tripped.as_slice()), (Counted::Users, &[0, 1][..]));
        assert_eq!(
            came,
            Came { deltas: deltas(&[(3, 3), (40, 2)]), weights: Some(vec![0, 50_000]) }
        );
        // What was counted first is counted to the end.
        let requests = Scrape::new(&users, &split(), Some(Counted::Requests));
        assert_eq!(requests.counted, Counted::Requests);
    }

    fn keys(proxies: &[(&str, u64, u64)], weights: [u64; 2]) -> Scrape {
        let mut all = vec![
            series("a", Metrics::WEIGHT, "stable", None, weights[0]),
            series("a", Metrics::WEIGHT, "canary", None, weights[1]),
        ];
        for (proxy, keys, bad) in proxies {
            all.push(series(proxy, Metrics::KEYS, "canary", None, *keys));
            all.push(series(proxy, Metrics::BAD_KEYS, "canary", None, *bad));
        }
        Scrape::new(&all, &split(), None)
    }

    #[test]
    fn what_was_counted_before_the_run_and_proxies_that_come_and_go_are_no_evidence() {
        let mut followed = Followed::new(Counter::RUNNING);
        let mut came =
            |proxies: &[(&str, u64, u64)]| followed.came(&keys(proxies, [95, 5])).deltas[1];
        assert_eq!(came(&[("a", 900, 90)]), Delta::NONE);
        assert_eq!(came(&[("a", 910, 91), ("b", 500, 50)]), Delta::new(10, 1).unwrap());
        // The process of `a` began again, `b` is not there for a while.
        assert_eq!(came(&[("a", 4, 2)]), Delta::new(4, 2).unwrap());
        assert_eq!(came(&[("a", 4, 2), ("b", 700, 70)]), Delta::NONE);
    }

    #[test]
    fn a_step_of_the_weights_makes_a_look_that_compares_nothing() {
        let mut followed = Followed::new(Counter::RUNNING);
        let mut weights = |weights| followed.came(&keys(&[], weights)).weights;
        assert_eq!(weights([95, 5]), Some(vec![95, 5]));
        assert_eq!(weights([95, 5]), Some(vec![95, 5]));
        assert_eq!(weights([80, 20]), None);
        assert_eq!(weights([80, 20]), Some(vec![80, 20]));
        assert_eq!(weights([76, 24]), Some(vec![78, 22]));
        assert_eq!(weights([100, 0]), None);
    }
}
