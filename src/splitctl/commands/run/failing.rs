//! A variant whose upstream begins to fail while users send requests: second by second what Envoy counted, and when the
//! guard took the variant out of service.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use engine::ids::{SplitId, VariantId};
use engine::metrics::Metrics;
use engine::outcome::Class;
use engine::plan::Plan;
use engine::policy::{Outcomes, Policy};
use engine::reason::Reason;
use lab::{Behavior, Lab, Request, Stats, Stop};

use super::round::CONNECTIONS;
use super::sample;
use crate::verdict::find_variant;

/// Requests per second.
pub(super) const RATE: usize = 500;
/// What Envoy counted is read so often.
const LOOK: Duration = Duration::from_millis(100);
/// What the upstream answers once it fails.
pub(super) const STATUS: u16 = 500;

/// What is to fail, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failing {
    split: SplitId,
    variant: VariantId,
    /// The cluster whose upstream fails.
    pub(super) cluster: String,
    /// Until then it is well.
    pub(super) after: Duration,
    /// For so long it fails.
    pub(super) lasts: Duration,
    names: [String; 2],
}

/// What Envoy counted of the split within about a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Second {
    /// When it ended, since the beginning.
    pub(super) at: Duration,
    /// Decisions.
    pub(super) requests: u64,
    /// The variant's part of them, 0 to 1; nothing where there were none.
    pub(super) share: Option<f64>,
    /// Requests that ended badly, of all variants.
    pub(super) errors: u64,
    /// Whether the variant was out of service at its end.
    pub(super) out: bool,
}

/// That the variant was taken out of service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Out {
    /// How long after it began to fail it was seen.
    pub(super) after: Duration,
    /// Its users with failures until then.
    pub(super) users: u64,
    /// What the filter wrote to Envoy's log.
    pub(super) log: Option<String>,
}

/// What is to be told while it goes on.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Event {
    Second(Second),
    /// The upstream fails from now on.
    Fails,
    Out(Out),
}

/// How it ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Story {
    pub(super) seconds: Vec<Second>,
    pub(super) out: Option<Out>,
    /// Requests that ended badly since the variant began to fail.
    pub(super) errors: u64,
}

impl Failing {
    /// What fails, by its name: `canary` or `checkout/canary`.
    ///
    /// # Errors
    /// When there is no such variant, or it cannot fail alone and be seen to.
    pub(super) fn find(
        policy: &Policy,
        name: &str,
        after: Duration,
        lasts: Duration,
    ) -> Result<Self> {
        let (id, split, variant) = find_variant(policy, name)?;
        let failing = &split.variants[variant];
        let names = [split.name.clone(), failing.name.clone()];
        let cluster = failing.cluster.clone();
        let cluster =
            cluster.with_context(|| format!("`{}` has no `cluster` to fail", names[1]))?;
        let sharing = split
            .variants
            .pairs()
            .find(|(id, other)| *id != variant && other.cluster.as_ref() == Some(&cluster));
        if let Some((_, other)) = sharing {
            return Err(anyhow!(
                "`{}` and `{}` have the same cluster, so that both would fail",
                names[1],
                other.name
            ));
        }
        ensure!(policy.outcomes != Outcomes::Off, "with `outcomes: off` nobody counts what fails");
        Ok(Self { split: id, variant, cluster, after, lasts, names })
    }

    /// The names of the split and the variant.
    pub(super) fn names(&self) -> [&str; 2] {
        self.names.each_ref().map(String::as_str)
    }

    /// What else than the guard decides what will be seen, or why there is nothing to see.
    pub(super) fn note(&self, policy: &Policy) -> Option<String> {
        let [name, variant] = self.names();
        let split = &policy.splits[self.split];
        if split.baseline == self.variant {
            return Some(format!("`{variant}` is the baseline of `{name}`, which is never out"));
        }
        split
            .guard
            .is_none()
            .then(|| format!("split `{name}` has no `guard`: nothing takes `{variant}` out"))
    }

    /// Sends the requests of these many users, over and over, and tells what is seen. `None` = ended early.
    pub(super) fn run(
        &self,
        lab: &Lab,
        plan: &Plan,
        users: usize,
        stop: &Stop,
        mut tell: impl FnMut(&Event) -> Result<()>,
    ) -> Result<Option<Story>> {
        let [split, variant] = self.names();
        let sample = sample::derive(plan, self.split, &[Reason::Split]).with_context(|| {
            format!(
                "no request could be derived from the `match` of `{split}` that the weights decide"
            )
        })?;
        let requests = sample.of_many(plan, self.split, users);
        ensure!(!requests.is_empty(), "no user takes part in `{split}`");
        let mut requests = requests.into_iter().cycle();
        let upstream = lab.upstream(&self.cluster);
        let upstream = upstream.with_context(|| format!("no upstream for `{}`", self.cluster))?;

        let mut story = Story { seconds: Vec::new(), out: None, errors: 0 };
        let mut failing: Option<(Instant, Stats)> = None;
        let mut before = lab.stats()?;
        let (begin, mut looks) = (Instant::now(), 0_u32);
        while begin.elapsed() < self.after.saturating_add(self.lasts) {
            if failing.is_none() && begin.elapsed() >= self.after {
                upstream.set(Behavior { status: STATUS, ..Behavior::default() })?;
                failing = Some((Instant::now(), lab.stats()?));
                tell(&Event::Fails)?;
            }
            if !send(lab, &mut requests, stop) {
                return Ok(None);
            }
            let stats = lab.stats()?;
            let out = stats.sum(Metrics::TRIPPED, &labels(split, variant)) > 0;
            if let (true, None, Some((since, at))) = (out, &story.out, &failing) {
                let users = stats.since(at).sum(Metrics::BAD_KEYS, &labels(split, variant));
                let told = |line: &String| line.contains("is out of service");
                let log = lab.filter_log().into_iter().rfind(told);
                let seen = Out { after: since.elapsed(), users, log };
                tell(&Event::Out(seen.clone()))?;
                story.out = Some(seen);
            }
            looks = looks.saturating_add(1);
            let next = LOOK.saturating_mul(looks);
            if stop.wait(next.saturating_sub(begin.elapsed())) {
                return Ok(None);
            }
            if looks.is_multiple_of(10) {
                lab.check()?;
                let stats = lab.stats()?;
                let second = self.second(begin.elapsed(), &stats.since(&before), out);
                tell(&Event::Second(second))?;
                story.seconds.push(second);
                before = stats;
            }
        }
        if let Some((_, at)) = &failing {
            story.errors = errors(&lab.stats()?.since(at), split);
        }
        Ok(Some(story))
    }

    fn second(&self, at: Duration, new: &Stats, out: bool) -> Second {
        let [split, variant] = self.names();
        let requests = new.sum(Metrics::REQUESTS, &[("split", split)]);
        let of_variant = new.sum(Metrics::REQUESTS, &labels(split, variant));
        let share = (requests > 0).then(|| of_variant as f64 / requests as f64);
        Second { at, requests, share, errors: errors(new, split), out }
    }
}

fn labels<'n>(split: &'n str, variant: &'n str) -> [(&'static str, &'n str); 2] {
    [("split", split), ("variant", variant)]
}

/// Requests of a split that ended badly.
fn errors(stats: &Stats, split: &str) -> u64 {
    let of = |class: Class| {
        stats.sum(Metrics::RESPONSES, &[("split", split), ("class", class.as_str())])
    };
    let bad = Class::ALL.into_iter().filter(|class| class.is_bad());
    bad.fold(0, |sum, class| sum.saturating_add(of(class)))
}

/// Sends what belongs between two looks. Tells whether nobody wished for the end.
fn send(lab: &Lab, requests: &mut impl Iterator<Item = Request>, stop: &Stop) -> bool {
    let some = requests.take(RATE / 10).collect();
    let wished = stop.clone();
    let go_on = move |_| match wished.is_set() {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    // What becomes of them is Envoy's to say.
    let _answers = lab.load_with(some, CONNECTIONS, go_on);
    !stop.is_set()
}

#[cfg(test)]
mod tests {
    use engine::policy;

    use super::*;

    fn policy(more: &str) -> Policy {
        let text = format!(
            r#"{{"version": 1, "splits": [
                {{"name": "checkout", "key": [{{"header": "u"}}], "baseline": "stable", "variants": [
                    {{"name": "stable", "cluster": "v1", "weight": 90}}, {{"name": "canary", "cluster": "v2", "weight": 5}},
                    {{"name": "twin", "cluster": "v1", "weight": 5}}]{more}}},
                {{"name": "banner", "key": [{{"header": "u"}}], "baseline": "off", "variants": [
                    {{"name": "off", "weight": 50}}, {{"name": "canary", "weight": 50}}]}}]}}"#
        );
        policy::from_json(text.as_bytes()).policy.unwrap()
    }

    fn found(policy: &Policy, name: &str) -> Result<Failing> {
        Failing::find(policy, name, Duration::ZERO, Duration::ZERO)
    }

    #[test]
    fn only_what_can_fail_alone_fails() {
        let policy = policy("");
        for (name, said) in [
            ("canary", "several splits have a variant `canary`: write `checkout/canary`"),
            ("checkout/beta", "split `checkout` has no variant `beta`"),
            ("twin", "`twin` and `stable` have the same cluster, so that both would fail"),
            ("off", "`off` has no `cluster` to fail"),
        ] {
            assert_eq!(found(&policy, name).unwrap_err().to_string(), said);
        }
        assert_eq!(found(&policy, "checkout/canary").unwrap().cluster, "v2");
    }

    #[test]
    fn what_nothing_takes_out_is_told_before() {
        let policy = policy("");
        let note = found(&policy, "checkout/canary").unwrap().note(&policy).unwrap();
        assert_eq!(note, "split `checkout` has no `guard`: nothing takes `canary` out");
        let guarded = self::policy(r#", "guard": {"errors": {}}"#);
        let failing = found(&guarded, "checkout/canary").unwrap();
        assert_eq!(failing.note(&guarded), None);
    }

    #[test]
    fn a_second_is_what_envoy_counted_of_the_split() {
        let of = |split, variant, label, metric| {
            format!("wasmcustom.split=.={split};.;variant=.={variant};.;{label};.;{metric}")
        };
        let entries = [
            (of("checkout", "stable", "reason=.=split", Metrics::REQUESTS), 60),
            (of("checkout", "canary", "reason=.=split", Metrics::REQUESTS), 15),
            (of("checkout", "stable", "reason=.=tripped", Metrics::REQUESTS), 25),
            (of("banner", "canary", "reason=.=split", Metrics::REQUESTS), 7),
            (of("checkout", "stable", "class=.=none", Metrics::RESPONSES), 2),
            (of("checkout", "canary", "class=.=5xx", Metrics::RESPONSES), 11),
            (of("checkout", "canary", "class=.=abort", Metrics::RESPONSES), 3),
            (of("banner", "canary", "class=.=5xx", Metrics::RESPONSES), 5),
        ];
        let entries =
            entries.map(|(name, value)| format!(r#"{{"name": "{name}", "value": {value}}}"#));
        let stats = Stats::parse(&format!(r#"{{"stats": [{}]}}"#, entries.join(","))).unwrap();
        let failing = found(&policy(""), "checkout/canary").unwrap();
        let at = Duration::from_secs(1);
        let expected = Second { at, requests: 100, share: Some(0.15), errors: 13, out: false };
        assert_eq!(failing.second(at, &stats, false), expected);
        let nothing = failing.second(at, &Stats::default(), true);
        assert_eq!(nothing, Second { at, requests: 0, share: None, errors: 0, out: true });
    }
}
