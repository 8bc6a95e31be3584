//! What the looks say for and against each ratio of errors, in logarithms.
//!
//! Of a look, the challenger T has `n_T` events of which `e_T` are bad, the baseline B `n_B` and `e_B`, and T's share is
//! `w = n_T / (n_T + n_B)`. T fails `r` times as often as B. Given that an event is bad, it is T's with the probability
//! `r w / (r w + 1 - w)`, so that the likelihood of a ratio `r`, over that of 1, has the logarithm
//!
//! ```text
//! l(r) = sum over looks of  e_T ln(r) - (e_T + e_B) ln(1 + (r - 1) w)
//! ```
//!
//! (Lindon & Malek, NeurIPS 2022, anytime-valid inference for multinomial counts.) Everything is a difference of two of
//! these sums: the likelihood ratio of `r` against `q` is `exp(l(r) - l(q))`. If `T` really fails `q` times as often,
//! its mean never grows, at any rate of errors, and so it is seldom large, ever (Ville):
//!
//! ```text
//! x = D_q r / (D_r q) - 1 for T's bad events and y = D_q / D_r - 1 for B's, with D_r = 1 + (r - 1) w, have
//! w q x + (1 - w) y = 0; ln is concave: w ln(1 + q p x) + (1 - w) ln(1 + p y) <= ln(1 + p (w q x + (1 - w) y)) = 0.
//! ```

use serde::{Deserialize, Serialize};

use crate::counts::Delta;

/// The ratios whose likelihood is summed up, in order.
pub const RATIOS: [f64; 32] = [
    0.02, 0.03, 0.05, 0.07, 0.1, 0.14, 0.2, 0.25, 0.33, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1,
    1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 14.0, 20.0, 30.0, 50.0,
];

/// Those of them that are tried against the baseline's own to show harm: one alone is slow at all others.
pub const ALTERNATIVES: [f64; 6] = [1.25, 1.5, 2.0, 3.0, 6.0, 20.0];

/// The logarithm of the likelihood of each of the [`RATIOS`], and of one more, over that of 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Likelihood {
    sums: [f64; RATIOS.len()],
    /// Of the ratio that is permitted.
    permitted: f64,
}

impl Likelihood {
    /// Before any look, all ratios are as likely.
    pub(crate) const EQUAL: Self = Self { sums: [0.0; RATIOS.len()], permitted: 0.0 };

    /// Takes in a look: so many bad events of each, and the challenger's share.
    pub(crate) fn look(&mut self, permitted: f64, baseline: u64, challenger: u64, share: f64) {
        let added = |ratio| added(ratio, baseline, challenger, share);
        for (sum, ratio) in self.sums.iter_mut().zip(RATIOS) {
            *sum += added(ratio);
        }
        self.permitted += added(permitted);
    }

    /// The evidence that the challenger fails more often than the baseline: the mean of the likelihood ratios of all
    /// [`ALTERNATIVES`] against 1, as a logarithm.
    pub(crate) fn of_harm(&self) -> f64 {
        let tried = self.points().filter(|(ratio, _)| ALTERNATIVES.contains(ratio));
        log_mean(tried.map(|(_, sum)| sum))
    }

    /// The evidence that the challenger fails less than the permitted number of times as often: the likelihood ratio
    /// of 1 against that, as a logarithm.
    pub(crate) fn of_safety(&self) -> f64 {
        -self.permitted
    }

    /// The ratios against which the evidence is not as strong as `log_threshold`, at any time: a confidence sequence, rounded out
    /// where it falls between two [`RATIOS`]. `None` is 0, or beyond the largest.
    pub(crate) fn interval(&self, log_threshold: f64) -> (Option<f64>, Option<f64>) {
        let cut = log_mean(self.sums.iter().copied()) - log_threshold;
        let points = || self.points().map(|(ratio, sum)| (libm::log(ratio), sum));
        let upwards: Vec<_> = points().collect();
        let downwards: Vec<_> = points().rev().map(|(at, sum)| (-at, sum)).collect();
        (end(&downwards, cut).map(|at| libm::exp(-at)), end(&upwards, cut).map(libm::exp))
    }

    fn points(&self) -> impl DoubleEndedIterator<Item = (f64, f64)> + Clone {
        RATIOS.into_iter().zip(self.sums)
    }
}

/// Where a concave function that is known at some points falls below `cut` for good, at the latest; `None` where it does
/// not.
fn end(points: &[(f64, f64)], cut: f64) -> Option<f64> {
    let last = points.iter().rposition(|(_, sum)| *sum >= cut)?;
    let point = |place: Option<usize>| points.get(place?).copied();
    let next = last.checked_add(1);
    let (beyond, _) = point(next)?;
    // A concave function is nowhere above the line through two of its points, but between these.
    let lines = [
        (point(last.checked_sub(1)), point(Some(last))),
        (point(next), point(last.checked_add(2))),
    ];
    let falls = lines.into_iter().filter_map(|(one, other)| {
        let ((at, sum), (later, less)) = (one?, other?);
        let slope = (less - sum) / (later - at);
        (slope < 0.0).then(|| at + (cut - sum) / slope)
    });
    Some(falls.fold(beyond, f64::min))
}

/// What a look adds to the logarithm of the likelihood of a ratio.
fn added(ratio: f64, baseline: u64, challenger: u64, share: f64) -> f64 {
    let (own, others) = (challenger as f64, baseline as f64);
    if own + others == 0.0 {
        return 0.0;
    }
    own * libm::log(ratio) - (own + others) * libm::log1p((ratio - 1.0) * share)
}

/// The challenger's part of the events of both, 0 to 1; 0 of none.
pub(crate) fn share(baseline: Delta, challenger: Delta) -> f64 {
    let (own, others) = (challenger.total() as f64, baseline.total() as f64);
    if own == 0.0 { 0.0 } else { own / (own + others) }
}

/// What the challenger's events say against its failing at least as often as an SLO permits: the likelihood ratio of a
/// tenth of that, as a logarithm.
pub(crate) fn within_slo(slo: f64, challenger: Delta) -> f64 {
    challenger.good() as f64 * good_within_slo(slo) + challenger.bad() as f64 * libm::log(0.1)
}

/// What one good event says.
pub(crate) fn good_within_slo(slo: f64) -> f64 {
    libm::log1p(-slo / 10.0) - libm::log1p(-slo)
}

/// The logarithm of the mean of numbers that are given as logarithms; minus infinity of none.
pub(crate) fn log_mean(logarithms: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = logarithms.clone().fold(f64::NEG_INFINITY, f64::max);
    let (sum, count) = logarithms.fold((0.0, 0.0), |(sum, count), logarithm| {
        (sum + libm::exp(logarithm - largest), count + 1.0)
    });
    largest + libm::log(sum / count)
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test that overflows has failed")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn delta(total: u64, bad: u64) -> Delta {
        Delta::new(total, bad).unwrap()
    }

    #[test]
    fn every_alternative_is_one_of_the_ratios() {
        assert!(RATIOS.is_sorted());
        assert!(ALTERNATIVES.iter().all(|ratio| *ratio > 1.0 && RATIOS.contains(ratio)));
    }

    #[test]
    fn a_mean_is_taken_of_what_no_float_holds() {
        let mean = log_mean([2_000.0, 2_000.0, -1e9, -1e9].into_iter());
        assert!((mean - (2_000.0 - 2.0_f64.ln())).abs() < 1e-12, "{mean}");
    }

    /// Of all outcomes of one look, the mean of a likelihood ratio.
    fn mean(p: f64, q: f64, r: f64, challenger: u64, baseline: u64) -> f64 {
        let binomial = |n: u64, p: f64, k: u64| {
            let choose = libm::lgamma(n as f64 + 1.0)
                - libm::lgamma(k as f64 + 1.0)
                - libm::lgamma((n - k) as f64 + 1.0);
            (choose + k as f64 * p.ln() + (n - k) as f64 * (1.0 - p).ln()).exp()
        };
        let mut sum = 0.0;
        for own in 0..=challenger {
            for other in 0..=baseline {
                let share = share(delta(baseline, other), delta(challenger, own));
                let chance = binomial(challenger, q * p, own) * binomial(baseline, p, other);
                sum += chance * (added(r, other, own, share) - added(q, other, own, share)).exp();
            }
        }
        sum
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
        #[test]
        fn a_likelihood_ratio_never_grows_in_the_mean_at_any_rate_of_errors(
            part in 0.001_f64..0.999, q in 0.2_f64..5.0, r in 0.02_f64..50.0,
            challenger in 0_u64..40, baseline in 0_u64..40,
        ) {
            // Both probabilities are below 1.
            let p = part / q.max(1.0);
            let mean = mean(p, q, r, challenger, baseline);
            prop_assert!(mean <= 1.0 + 1e-9, "{mean}");
        }

        #[test]
        fn a_ratio_within_the_interval_has_not_enough_against_it(
            looks in proptest::collection::vec((1_u64..5_000, 1_u64..5_000, 0_u64..20, 0_u64..20), 1..6),
            ratio in 0.02_f64..50.0,
        ) {
            let (mut all, mut of_ratio) = (Likelihood::EQUAL, 0.0);
            for (n_b, n_t, e_b, e_t) in looks {
                let (b, t) = (delta(n_b + e_b, e_b), delta(n_t + e_t, e_t));
                all.look(1.5, e_b, e_t, share(b, t));
                of_ratio += added(ratio, e_b, e_t, share(b, t));
            }
            let against = log_mean(all.sums.iter().copied()) - of_ratio;
            let (from, to) = all.interval(3.0);
            let inside = from.is_none_or(|from| from <= ratio) && to.is_none_or(|to| ratio <= to);
            prop_assert!(inside || against > 3.0, "{ratio} in {from:?} to {to:?}: {against}");
        }
    }

    #[test]
    fn the_interval_closes_in_on_the_ratio() {
        let mut all = Likelihood::EQUAL;
        assert_eq!(all.interval(3.0), (None, None));
        for _ in 0..100 {
            all.look(1.5, 10, 30, 0.5);
        }
        let (from, to) = all.interval(3.0);
        assert!(from.unwrap() > 2.5 && to.unwrap() < 3.8, "{from:?} {to:?}");
    }
}
