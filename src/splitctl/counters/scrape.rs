//! Counters of proxies as they stand, and what came of each variant since they were last read.

use std::collections::BTreeMap;

use engine::metrics::Metrics;
use engine::outcome::Class;
use rollout::{Counter, Delta};

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

/// What the counter of a series counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Counts {
    /// Events.
    All,
    /// Those that are bad.
    Bad,
    /// Events that are bad, and counted nowhere else.
    AllBad,
    /// Those of `AllBad` that are not bad after all.
    Within,
}

/// Which series of a proxy: the place of its variant in [`Split::variants`], and its class or bound.
type Key = (usize, Counts, String);

/// All proxies at one moment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scrape {
    pub(crate) counted: Counted,
    proxies: BTreeMap<String, BTreeMap<Key, u64>>,
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
        let mut proxies = BTreeMap::<String, BTreeMap<Key, u64>>::new();
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
            let counts = match (counted, metric.as_str()) {
                (Counted::Users, Metrics::KEYS) => Counts::All,
                (Counted::Users, Metrics::BAD_KEYS) => Counts::Bad,
                // A client that left is nobody's answer.
                (Counted::Requests, Metrics::RESPONSES) if is(Class::Abort) => continue,
                (Counted::Requests, Metrics::RESPONSES) => {
                    let bad = Class::ALL.into_iter().any(|known| known.is_bad() && is(known));
                    if bad { Counts::AllBad } else { Counts::All }
                }
                _ => continue,
            };
            let key = (place, counts, class.clone().unwrap_or_default());
            let known = proxies.entry(proxy.clone()).or_default().entry(key).or_default();
            *known = known.saturating_add(*value);
        }
        let shown = weights.iter().any(|weight| *weight > 0);
        let weights = if shown { weights } else { Vec::new() };
        Self { counted, proxies, weights, tripped }
    }

    /// Of rows of a histogram, those up to a bound and all of them: how many took longer.
    pub(crate) fn of_durations(rows: &[Found], split: &Split) -> Self {
        let mut proxies = BTreeMap::<String, BTreeMap<Key, u64>>::new();
        for Found { labels, value } in rows {
            let label = |name: &str| labels.get(name).map(String::as_str).unwrap_or_default();
            let place = split.variants().position(|name| name == label("variant"));
            let Some(place) = place.filter(|_| *value >= 0.0) else { continue };
            let own = ["__name__", "split", "variant", "le"];
            let proxy = labels.iter().filter(|(name, _)| !own.contains(&name.as_str()));
            let proxy: Vec<_> = proxy.map(|(name, value)| format!("{name}={value}")).collect();
            let counts = if label("le") == "+Inf" { Counts::AllBad } else { Counts::Within };
            let key = (place, counts, label("le").to_owned());
            let known = proxies.entry(proxy.join(",")).or_default().entry(key).or_default();
            *known = known.saturating_add(*value as u64);
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

/// The counters of a run, from scrape to scrape. Each series is followed on its own: one that an answer lacks is as it was,
/// and one whose process began again does not take the others with it.
#[derive(Debug, Clone)]
pub(crate) struct Followed {
    /// How a counter that was never seen before begins.
    begin: Counter,
    counters: BTreeMap<String, BTreeMap<Key, Counter>>,
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
        let mut sums = vec![(0_u64, 0_u64, 0_u64); scrape.tripped.len()];
        for (proxy, readings) in &scrape.proxies {
            // A series of a proxy that was seen before is new: it was 0.
            let begin = if self.counters.contains_key(proxy) { Counter::ZERO } else { self.begin };
            let counters = self.counters.entry(proxy.clone()).or_default();
            for (key, reading) in readings {
                let counter = counters.entry(key.clone()).or_insert(begin);
                let more = counter.advance(*reading);
                let (place, counts, _) = key;
                let Some((total, bad, within)) = sums.get_mut(*place) else { continue };
                if matches!(counts, Counts::All | Counts::AllBad) {
                    *total = total.saturating_add(more);
                }
                if matches!(counts, Counts::Bad | Counts::AllBad) {
                    *bad = bad.saturating_add(more);
                }
                if *counts == Counts::Within {
                    *within = within.saturating_add(more);
                }
            }
        }
        let deltas = sums.into_iter().map(|(total, bad, within)| {
            let bad = bad.saturating_sub(within);
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
    fn a_series_that_an_answer_lacks_is_as_it_was() {
        let responses = |rows: &[(&str, u64)]| {
            let of = |(class, value): &(&str, u64)| {
                series("a", Metrics::RESPONSES, "canary", Some(class), *value)
            };
            Scrape::new(&rows.iter().map(of).collect::<Vec<_>>(), &split(), None)
        };
        let mut followed = Followed::new(Counter::RUNNING);
        let mut came = |rows: &[(&str, u64)]| followed.came(&responses(rows)).deltas[1];
        assert_eq!(came(&[("2xx", 90_000), ("5xx", 900)]), Delta::NONE);
        assert_eq!(came(&[("2xx", 90_100)]), Delta::new(100, 0).unwrap());
        assert_eq!(came(&[("2xx", 90_100), ("5xx", 903)]), Delta::new(3, 3).unwrap());
        // New, of a proxy that is known; and all anew.
        assert_eq!(came(&[("2xx", 90_100), ("5xx", 903), ("none", 1)]), Delta::new(1, 1).unwrap());
        assert_eq!(came(&[("2xx", 7), ("5xx", 2)]), Delta::new(9, 2).unwrap());
    }

    #[test]
    fn slow_are_those_that_no_bound_has() {
        let rows = |within: f64, all: f64| {
            let row = |le: &str, value| {
                let labels = [("variant", "canary"), ("le", le), ("instance", "a")];
                let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
                Found { labels: labels.into_iter().collect(), value }
            };
            Scrape::of_durations(&[row("500", within), row("+Inf", all)], &split())
        };
        let mut followed = Followed::new(Counter::RUNNING);
        assert_eq!(followed.came(&rows(80.0, 100.0)).deltas[1], Delta::NONE);
        assert_eq!(followed.came(&rows(170.0, 200.0)).deltas[1], Delta::new(100, 10).unwrap());
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
