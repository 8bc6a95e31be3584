//! What the evidence is worth: the judge of one challenger, its verdict, and the figures behind it.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

pub(crate) use crate::bounds::Bounds;
use crate::counts::Delta;
use crate::evidence::{Likelihood, good_within_slo, log_mean, share, within_slo};

/// Below so many bad events of either, the difference is no estimate.
const ENOUGH: u64 = 20;
/// The number of events at which the confidence sequence of the difference is tightest, as in GrowthBook.
const TIGHTEST: f64 = 5_000.0;

/// What is proven of a challenger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It fails more often than the baseline.
    Harm,
    /// It fails less than the permitted number of times as often, or less often than the SLO permits.
    Safe,
    /// Neither is proven yet.
    Early,
}

impl Verdict {
    /// All of them, the one that outranks the others first.
    pub const ALL: [Self; 3] = [Self::Harm, Self::Early, Self::Safe];

    /// As in JSON: `harm`, `safe`, `early`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Harm => "harm",
            Self::Safe => "safe",
            Self::Early => "early",
        }
    }

    /// The verdict of a run with several challengers: harm where one does harm, safe where all are safe. Early of none.
    pub fn of_all(verdicts: impl IntoIterator<Item = Self>) -> Self {
        let all: Vec<_> = verdicts.into_iter().collect();
        let outranks = Self::ALL.into_iter().find(|verdict| all.contains(verdict));
        outranks.unwrap_or(Self::Early)
    }
}

/// Judges one challenger against the baseline, look by look.
///
/// What is bad is up to the caller: errors, or requests slower than a bound that was set before. A run that judges both
/// has two judges for each challenger, and counts both as challengers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judge {
    bounds: Bounds,
    challengers: NonZeroU32,
    likelihood: Likelihood,
    /// The logarithm of the evidence that it is within the SLO.
    within_slo: f64,
    looks: u64,
    baseline: Delta,
    challenger: Delta,
    /// The challenger's share at the last look that showed anything.
    share: f64,
    /// Sums of Mantel and Haenszel: bad events of each, weighed by the other's part of the look.
    weighed: [f64; 2],
    /// The look at which it was proven.
    harm: Option<u64>,
    safe: Option<u64>,
}

/// How far something is proven.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    /// The logarithm of the evidence for it now.
    pub log_evidence: f64,
    /// It is proven at this.
    pub log_threshold: f64,
    /// The first look at which it was: 1 is the first of all.
    pub proven_at: Option<u64>,
}

/// An estimate, and between what it lies: at any number of looks, for all but `alpha` of runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The estimate; `None` where it is infinite.
    pub estimate: Option<f64>,
    /// The lower end; `None` where nothing is known of it.
    pub from: Option<f64>,
    /// The upper end; `None` where nothing is known of it.
    pub to: Option<f64>,
}

/// What is still needed to prove that a challenger is safe, if it is; roughly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needed {
    /// Bad events of both together, if it fails as often as the baseline. `None` where one of the two gets nothing.
    pub bad: Option<u64>,
    /// Events of the challenger, if none is bad. `None` without an SLO.
    pub good: Option<u64>,
}

/// The figures behind a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// How often somebody looked.
    pub looks: u64,
    /// All events of the baseline.
    pub baseline: Delta,
    /// All events of the challenger.
    pub challenger: Delta,
    /// The challenger's share of the events of both at the last look that showed any, 0 to 1.
    pub share: f64,
    /// How far harm is proven.
    pub harm: Proof,
    /// How far safety is.
    pub safe: Proof,
    /// How many times as often as the baseline it fails: compared within each look (Mantel and Haenszel), so that neither
    /// weights nor errors that rise and fall change it. `None` without bad events.
    pub ratio: Option<Interval>,
    /// By how much more of its events are bad, over all looks together. `None` below 20 bad events of either: too early.
    pub difference: Option<Interval>,
    /// What is still needed to prove that it is safe; `None` where it is proven.
    pub needed: Option<Needed>,
}

impl Judge {
    /// For one of so many challengers of a run: with more of them each has to be surer of harm, so that the whole run is wrong for
    /// at most `alpha`. Safety needs no such care, because all have to be safe.
    pub const fn new(bounds: Bounds, challengers: NonZeroU32) -> Self {
        Self {
            bounds,
            challengers,
            likelihood: Likelihood::EQUAL,
            within_slo: 0.0,
            looks: 0,
            baseline: Delta::NONE,
            challenger: Delta::NONE,
            share: 0.0,
            weighed: [0.0; 2],
            harm: None,
            safe: None,
        }
    }

    /// What is permitted.
    pub const fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// Takes in what came since the last look; the verdict from then on.
    ///
    /// When to look must not hang on the bad events of the look itself: every minute will do, at once after each error
    /// will not.
    pub fn look(&mut self, baseline: Delta, challenger: Delta) -> Verdict {
        self.look_at_share(baseline, challenger, share(baseline, challenger))
    }

    /// The same where the challenger's share of the events of both is known better than by counting them: where users are counted
    /// and each has a variant by the weights, it is the challenger's part of the two weights. Some thousand users of whom a few are busy
    /// show another share, and those who were counted as the baseline's before a step of the weights show none. Where
    /// `share` does not lie between 0 and 1 nothing is compared: one of the two has nobody.
    pub fn look_at_share(&mut self, baseline: Delta, challenger: Delta, share: f64) -> Verdict {
        if baseline.total() > 0 || challenger.total() > 0 {
            self.share = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
        }
        self.looks = self.looks.saturating_add(1);
        self.baseline = self.baseline.plus(baseline);
        self.challenger = self.challenger.plus(challenger);
        if share > 0.0 && share < 1.0 {
            let [own, others] = &mut self.weighed;
            *own += challenger.bad() as f64 * (1.0 - share);
            *others += baseline.bad() as f64 * share;
            let ratio = self.bounds.errors_ratio();
            self.likelihood.look(ratio, baseline.bad(), challenger.bad(), share);
        }
        if let Some(slo) = self.bounds.slo() {
            self.within_slo += within_slo(slo, challenger);
        }
        let looks = self.looks;
        let [harm, safe] = [self.of_harm(), self.of_safety()]
            .map(|(evidence, threshold)| (evidence >= threshold).then_some(looks));
        self.harm = self.harm.or(harm);
        self.safe = self.safe.or(safe);
        self.verdict()
    }

    /// What is proven. It stays proven; harm outranks safety, whichever came first.
    pub const fn verdict(&self) -> Verdict {
        match (self.harm, self.safe) {
            (Some(_), _) => Verdict::Harm,
            (None, Some(_)) => Verdict::Safe,
            (None, None) => Verdict::Early,
        }
    }

    /// The evidence of harm, and where it is proven.
    fn of_harm(&self) -> (f64, f64) {
        let threshold = libm::log(f64::from(self.challengers.get()) / self.bounds.alpha());
        (self.likelihood.of_harm(), threshold)
    }

    /// The evidence of safety, and where it is proven. With an SLO there are two ways to it, and the mean of both counts.
    fn of_safety(&self) -> (f64, f64) {
        let ratio = self.likelihood.of_safety();
        let evidence = match self.bounds.slo() {
            None => ratio,
            Some(_) => log_mean([ratio, self.within_slo].into_iter()),
        };
        (evidence, self.log_alpha())
    }

    /// The logarithm of 1 over alpha.
    fn log_alpha(&self) -> f64 {
        -libm::log(self.bounds.alpha())
    }

    /// The figures behind the verdict.
    pub fn figures(&self) -> Figures {
        let proof = |(log_evidence, log_threshold), proven_at| Proof {
            log_evidence,
            log_threshold,
            proven_at,
        };
        Figures {
            looks: self.looks,
            baseline: self.baseline,
            challenger: self.challenger,
            share: self.share,
            harm: proof(self.of_harm(), self.harm),
            safe: proof(self.of_safety(), self.safe),
            ratio: self.ratio(),
            difference: self.difference(),
            needed: self.safe.is_none().then(|| self.needed()),
        }
    }

    fn ratio(&self) -> Option<Interval> {
        if self.baseline.bad() == 0 && self.challenger.bad() == 0 {
            return None;
        }
        let [own, others] = self.weighed;
        let (from, to) = self.likelihood.interval(self.log_alpha());
        Some(Interval { estimate: (others > 0.0).then(|| own / others), from, to })
    }

    /// The asymptotic confidence sequence of Waudby-Smith et al., arXiv 2103.06476, as GrowthBook has it.
    fn difference(&self) -> Option<Interval> {
        if self.baseline.bad().min(self.challenger.bad()) < ENOUGH {
            return None;
        }
        let (own, others) = (self.challenger.ratio()?, self.baseline.ratio()?);
        let of = |ratio: f64, delta: Delta| ratio * (1.0 - ratio) / delta.total() as f64;
        let variance = of(own, self.challenger) + of(others, self.baseline);
        let events = self.challenger.total() as f64 + self.baseline.total() as f64;
        let log = -2.0 * libm::log(self.bounds.alpha());
        let wide = events * (log + libm::log1p(log)) / TIGHTEST + 1.0;
        let factor = 2.0 * wide / (wide - 1.0) * libm::log(libm::sqrt(wide) / self.bounds.alpha());
        let half = libm::sqrt(variance * factor);
        let estimate = own - others;
        Some(Interval {
            estimate: Some(estimate),
            from: Some(estimate - half),
            to: Some(estimate + half),
        })
    }

    /// What is missing of the threshold, over what an event adds in the mean.
    fn needed(&self) -> Needed {
        let roads = if self.bounds.slo().is_some() { 2.0 } else { 1.0 };
        let enough = self.log_alpha() + libm::log(roads);
        let ratio = self.bounds.errors_ratio();
        let share = self.share;
        let each = libm::log1p((ratio - 1.0) * share) - share * libm::log(ratio);
        let bad = events(enough - self.likelihood.of_safety(), each);
        let good = self
            .bounds
            .slo()
            .and_then(|slo| events(enough - self.within_slo, good_within_slo(slo)));
        Needed { bad, good }
    }
}

/// How many events add up to a sum; `None` where none does.
fn events(sum: f64, each: f64) -> Option<u64> {
    (each > 1e-12).then(|| libm::ceil(sum.max(0.0) / each) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: NonZeroU32 = NonZeroU32::MIN;

    fn delta(total: u64, bad: u64) -> Delta {
        Delta::new(total, bad).unwrap()
    }

    fn after(bounds: Bounds, looks: &[(Delta, Delta)]) -> Judge {
        let mut judge = Judge::new(bounds, ONE);
        looks.iter().for_each(|(b, t)| {
            judge.look(*b, *t);
        });
        judge
    }

    #[test]
    fn one_that_always_fails_does_harm_after_a_handful() {
        let mut judge = Judge::new(Bounds::default(), ONE);
        let all = (1..).find(|_| judge.look(delta(19, 0), delta(1, 1)) == Verdict::Harm);
        assert!(all.unwrap() <= 3, "{all:?}");
    }

    #[test]
    fn one_as_good_as_the_baseline_is_safe_after_as_many_bad_events_as_told() {
        // So many bad events at so many times as often and such a share, from the formula by hand.
        for (ratio, own, all, bad) in
            [(2.0, 1, 20, 213), (2.0, 10, 20, 51), (1.5, 1, 20, 678), (1.5, 10, 20, 147)]
        {
            let bounds = Bounds::new(ratio, None, 0.05).unwrap();
            let look = (delta((all - own) * 100, all - own), delta(own * 100, own));
            let first = after(bounds, &[look]).figures().needed.unwrap().bad.unwrap();
            let told = first + all;
            assert!(told.abs_diff(bad) <= 1, "{told} and not {bad}");
            let mut judge = Judge::new(bounds, ONE);
            let looks = (1..).find(|_| judge.look(look.0, look.1) == Verdict::Safe).unwrap();
            assert!((looks * all).abs_diff(bad) <= all, "{looks}");
        }
    }

    #[test]
    fn without_errors_an_slo_is_the_way_to_be_safe() {
        let none = [(delta(950, 0), delta(50, 0))];
        assert_eq!(after(Bounds::default(), &none.repeat(100)).verdict(), Verdict::Early);
        let bounds = Bounds::new(1.5, Some(0.01), 0.05).unwrap();
        let early = after(bounds, &none.repeat(8));
        // 331 alone, and half of all evidence is the other way's: 331 + ln 2 / 0.00905 = 408.
        assert_eq!(
            (early.verdict(), early.figures().needed.unwrap().good),
            (Verdict::Early, Some(8))
        );
        assert_eq!(after(bounds, &none.repeat(9)).verdict(), Verdict::Safe);
    }

    #[test]
    fn what_is_proven_stays_so_and_harm_outranks_safety() {
        let well = (delta(1_000, 100), delta(1_000, 100));
        let harm = (delta(1_000, 100), delta(1_000, 400));
        let mut judge = after(Bounds::default(), &[well]);
        assert_eq!(judge.verdict(), Verdict::Safe);
        judge.look(harm.0, harm.1);
        assert_eq!(judge.verdict(), Verdict::Harm);
        (0..1_000).for_each(|_| {
            judge.look(well.0, well.1);
        });
        let figures = judge.figures();
        assert_eq!((judge.verdict(), figures.harm.proven_at), (Verdict::Harm, Some(2)));
        assert!(figures.harm.log_evidence < figures.harm.log_threshold, "{figures:?}");
    }

    #[test]
    fn a_share_that_is_known_better_than_by_counting_decides() {
        // Users who moved to the challenger were counted before, and look like none.
        let (baseline, challenger) = (delta(800, 80), delta(50, 20));
        let (mut counted, mut known) =
            (after(Bounds::default(), &[]), after(Bounds::default(), &[]));
        assert_eq!(counted.look(baseline, challenger), Verdict::Harm);
        assert_ne!(known.look_at_share(baseline, challenger, 0.2), Verdict::Harm);
        assert_eq!((known.figures().share, known.figures().challenger), (0.2, challenger));
        let own = share(baseline, challenger);
        let mut same = after(Bounds::default(), &[]);
        same.look_at_share(baseline, challenger, own);
        assert_eq!(same, counted);
        for share in [f64::NAN, 0.0, 1.0, -1.0] {
            let mut nothing = after(Bounds::default(), &[]);
            nothing.look_at_share(baseline, challenger, share);
            assert_eq!(nothing.figures().harm.log_evidence, 0.0);
        }
    }

    #[test]
    fn with_more_challengers_harm_takes_more() {
        let mut judges =
            [ONE, NonZeroU32::new(50).unwrap()].map(|n| Judge::new(Bounds::default(), n));
        let looks = judges.each_mut().map(|judge| {
            (1..).find(|_| judge.look(delta(100, 10), delta(100, 20)) == Verdict::Harm).unwrap()
        });
        assert!(looks[0] < looks[1], "{looks:?}");
    }

    #[test]
    fn a_run_is_safe_when_all_are_and_does_harm_when_one_does() {
        use Verdict::{Early, Harm, Safe};
        for (all, verdict) in [
            (&[Safe, Safe][..], Safe),
            (&[Safe, Early], Early),
            (&[Safe, Early, Harm], Harm),
            (&[], Early),
        ] {
            assert_eq!(Verdict::of_all(all.iter().copied()), verdict);
        }
    }

    #[test]
    fn the_estimates_do_not_follow_weights_that_change_with_the_errors() {
        // Twice as often in each look; over all looks together it seems to be less often.
        let looks = [(delta(9_500, 950), delta(500, 100)), (delta(500, 1), delta(9_500, 38))];
        let figures = after(Bounds::default(), &looks).figures();
        let ratio = figures.ratio.unwrap();
        assert!((ratio.estimate.unwrap() - 2.0).abs() < 0.01, "{ratio:?}");
        assert!(ratio.from.unwrap() > 1.0 && ratio.to.unwrap() < 3.0, "{ratio:?}");
        assert!(figures.difference.unwrap().estimate.unwrap() < 0.0);
    }

    #[test]
    fn below_twenty_bad_events_the_difference_is_no_estimate() {
        let few = after(Bounds::default(), &[(delta(9_500, 95), delta(500, 19))]).figures();
        assert_eq!(few.difference, None);
        let figures = after(Bounds::default(), &[(delta(9_500, 95), delta(500, 20))]).figures();
        let difference = figures.difference.unwrap();
        assert!((difference.estimate.unwrap() - 0.03).abs() < 1e-12);
        assert!(difference.from.unwrap() < 0.03 && difference.to.unwrap() > 0.03);
        let nothing = after(Bounds::default(), &[(delta(10, 0), Delta::NONE)]).figures();
        assert_eq!((nothing.ratio, nothing.needed.unwrap().bad), (None, None));
    }

    #[test]
    fn the_state_of_a_judge_goes_through_json_unchanged() {
        let bounds = Bounds::new(1.7, Some(0.003), 0.01).unwrap();
        let looks = [(delta(9_487, 95), delta(513, 20)), (delta(9_501, 77), delta(499, 3))];
        let judge = after(bounds, &looks);
        let text = serde_json::to_string(&judge).unwrap();
        assert_eq!(serde_json::from_str::<Judge>(&text).unwrap(), judge);
        let text = text.replace(r#""challengers":1"#, r#""challengers":0"#);
        assert!(serde_json::from_str::<Judge>(&text).is_err());
    }
}
