//! The numbers of the judgement: logarithms in whole numbers, and what one bad event adds or takes.
//!
//! Of two variants, T with the share `w` of their exposures and the baseline B, a bad event is T's with the
//! probability `r w / (r w + 1 - w)`, where `r` is how many times as often T fails as B. The likelihood ratio of
//! `r1` against the permitted `r0` is therefore multiplied by `r1 w + 1 - w` over `r0 w + 1 - w`, upside down, at
//! each bad event, and by `r1 / r0` besides where it is T's (Lindon & Malek, NeurIPS 2022, anytime-valid inference
//! for multinomial counts).

use crate::hash::cost;
use crate::units::Ratio;

/// How many times the permitted ratio the alternatives are that are tried: one alone is slow at all others.
pub const ALTERNATIVES: [u64; 3] = [2, 6, 20];

/// `log2(n)` in 32.32 fixed point, right to 2e-9; 0 for 0.
const fn log2(n: u128) -> u64 {
    // As many bits as do not fit in 64 are cut off, and counted.
    let beyond = 64_u32.saturating_sub(n.leading_zeros());
    let cut = (n >> beyond) as u64;
    ((beyond as u64).wrapping_add(64) << 32).wrapping_sub(cost(cut))
}

/// The sum at which a variant is out: `log2(judgements * false_trips)`. With it the mean number of bad events between
/// two false trips is at least `false_trips` (a CUSUM of likelihood ratios, one for each of so many judgements:
/// Lorden 1971).
pub(super) const fn alarm(judgements: u64, false_trips: u64) -> u64 {
    log2((judgements as u128).wrapping_mul(false_trips as u128))
}

/// What a variant has, against what the baseline has: exposures, or weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// The variant's.
    pub variant: u64,
    /// The baseline's.
    pub baseline: u64,
}

impl Share {
    /// That in which the variant has the larger part; `None` where neither says anything.
    pub fn larger(self, other: Self) -> Option<Self> {
        let product = |a: u64, b: u64| u128::from(a).wrapping_mul(b.into());
        let own = product(self.variant, other.baseline) >= product(other.variant, self.baseline);
        let larger = match (self.is_empty(), other.is_empty()) {
            (true, true) => return None,
            (false, true) => self,
            (true, false) => other,
            (false, false) if own => self,
            (false, false) => other,
        };
        Some(larger)
    }

    const fn is_empty(self) -> bool {
        self.variant == 0 && self.baseline == 0
    }
}

/// What a bad event does to the sum of one alternative, in 32.32 fixed point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// What one of the variant adds.
    pub up: u64,
    /// What one of the baseline takes.
    pub down: u64,
}

impl Step {
    /// The steps of each of the [`ALTERNATIVES`] at a share of the moment.
    pub fn all(permitted: Ratio, share: Share) -> [Self; ALTERNATIVES.len()] {
        // Whoever has a bad event was exposed.
        let variant = u128::from(share.variant.max(1));
        let baseline = u128::from(share.baseline).wrapping_mul(Ratio::UNITS_PER_ONE.into());
        let weighed = |times: u64| {
            let ratio = u128::from(permitted.units()).wrapping_mul(times.into());
            log2(ratio.wrapping_mul(variant).wrapping_add(baseline))
        };
        let at_most = weighed(1);
        ALTERNATIVES.map(|times| {
            let down = weighed(times).saturating_sub(at_most);
            Self { up: log2(times.into()).saturating_sub(down), down }
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn float(bits: u64) -> f64 {
        bits as f64 / 4_294_967_296.0
    }

    proptest! {
        #[test]
        fn logarithms_are_right_to_nine_digits(n in 1_u128.., shift in 0_u32..128) {
            let n = (n >> shift).max(1);
            prop_assert!((float(log2(n)) - (n as f64).log2()).abs() < 1e-8, "{n}");
        }

        #[test]
        fn a_step_is_the_logarithm_of_a_likelihood_ratio(
            units in 10_001_u32..10_000_000, variant in 0_u64..1 << 44, baseline in 0_u64..1 << 44,
        ) {
            let share = Share { variant, baseline };
            let steps = Step::all(Ratio::from_units(units).unwrap(), share);
            let (t, b) = (variant.max(1) as f64, baseline as f64);
            let r0 = f64::from(units) / 1e4;
            for (step, times) in steps.into_iter().zip(ALTERNATIVES) {
                let r1 = r0 * times as f64;
                let down = ((r1 * t + b) / (r0 * t + b)).log2();
                prop_assert!((float(step.down) - down).abs() < 2e-8);
                prop_assert!((float(step.up) - ((times as f64).log2() - down)).abs() < 2e-8);
                // At the permitted ratio the likelihood ratio is a martingale.
                let theta = r0 * t / (r0 * t + b);
                let mean = theta * float(step.up).exp2() + (1.0 - theta) * (-float(step.down)).exp2();
                prop_assert!((mean - 1.0).abs() < 1e-7, "{mean}");
            }
        }
    }

    #[test]
    fn the_larger_share_is_the_one_of_more_to_the_variant() {
        let share = |variant, baseline| Share { variant, baseline };
        for (a, b, larger) in [
            (share(1, 9), share(2, 9), Some(share(2, 9))),
            (share(1, 9), share(10, 100), Some(share(1, 9))),
            (share(0, 0), share(5, 95), Some(share(5, 95))),
            (share(5, 95), share(0, 0), Some(share(5, 95))),
            (share(5, 0), share(5, 95), Some(share(5, 0))),
            (share(0, 5), share(0, 0), Some(share(0, 5))),
            (share(0, 0), share(0, 0), None),
        ] {
            assert_eq!(a.larger(b), larger, "{a:?} {b:?}");
        }
    }

    #[test]
    fn nothing_adds_up_where_the_baseline_has_nobody() {
        let ratio = Ratio::from_units(15_000).unwrap();
        for step in Step::all(ratio, Share { variant: 7, baseline: 0 }) {
            assert!(step.up < 16, "no bad event of it says anything: {step:?}");
        }
    }

    #[test]
    fn the_alarm_grows_with_the_judgements_and_what_is_allowed() {
        assert_eq!(alarm(1, 1 << 20), 20 << 32);
        assert_eq!(alarm(4, 1 << 20), 22 << 32);
        assert!((float(alarm(3, 1_000_000)) - 3e6_f64.log2()).abs() < 1e-8);
    }
}
