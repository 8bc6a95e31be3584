//! The statistics that commands need: tails of the normal and the chi-square distribution, and intervals.
//!
//! Own code over `libm`'s error function: the chi-square distribution with whole degrees of freedom is a finite
//! sum, and so needs no incomplete gamma function and none of the crates that have one (statrs brings more than
//! fifty distributions for this one).

use std::f64::consts::{FRAC_1_SQRT_2, PI, SQRT_2};

use libm::{erfc, lgamma};

/// The probability that a standard normal number is larger than `z`.
pub fn normal_survival(z: f64) -> f64 {
    0.5 * erfc(z * FRAC_1_SQRT_2)
}

/// The `z` below which a standard normal number lies with this probability; `NaN` outside of 0 to 1.
///
/// Peter Acklam's rational approximation (relative error below 1.2e-9), and then one step of Halley's method,
/// which makes it exact to the last few bits.
pub fn normal_quantile(probability: f64) -> f64 {
    if probability <= 0.0 || probability >= 1.0 || probability.is_nan() {
        return match probability {
            0.0 => f64::NEG_INFINITY,
            1.0 => f64::INFINITY,
            _ => f64::NAN,
        };
    }
    // The upper half is the lower one mirrored, where nothing cancels.
    if probability > 0.5 {
        return -normal_quantile(1.0 - probability);
    }
    let rough = acklam(probability);
    let error = normal_survival(-rough) - probability;
    let step = error * (2.0 * PI).sqrt() * (rough * rough / 2.0).exp();
    rough - step / (1.0 + rough * step / 2.0)
}

/// For probabilities up to a half.
fn acklam(probability: f64) -> f64 {
    const LOW: f64 = 0.02425;
    const A: [f64; 6] = [
        -3.969_683_028_665_376e1,
        2.209_460_984_245_205e2,
        -2.759_285_104_469_687e2,
        1.383_577_518_672_69e2,
        -3.066_479_806_614_716e1,
        2.506_628_277_459_239,
    ];
    const B: [f64; 6] = [
        -5.447_609_879_822_406e1,
        1.615_858_368_580_409e2,
        -1.556_989_798_598_866e2,
        6.680_131_188_771_972e1,
        -1.328_068_155_288_572e1,
        1.0,
    ];
    const C: [f64; 6] = [
        -7.784_894_002_430_293e-3,
        -3.223_964_580_411_365e-1,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const D: [f64; 5] = [
        7.784_695_709_041_462e-3,
        3.224_671_290_700_398e-1,
        2.445_134_137_142_996,
        3.754_408_661_907_416,
        1.0,
    ];
    let horner = |list: &[f64], x: f64| list.iter().fold(0.0, |sum, factor| sum * x + factor);
    if probability < LOW {
        let q = (-2.0 * probability.ln()).sqrt();
        horner(&C, q) / horner(&D, q)
    } else {
        let q = probability - 0.5;
        horner(&A, q * q) * q / horner(&B, q * q)
    }
}

/// The probability that a chi-square number with so many degrees of freedom is larger than `x`.
pub fn chi_square_survival(x: f64, degrees: u32) -> f64 {
    if degrees == 0 || x <= 0.0 {
        return 1.0;
    }
    // Q(k/2, x/2), by the recurrence Q(a + 1, y) = Q(a, y) + y^a e^-y / gamma(a + 1), from Q(1/2, y) = erfc(sqrt y)
    // or from Q(1, y) = e^-y. By logarithms, because the terms of many degrees are too large and too small.
    let half = x / 2.0;
    let (mut sum, mut a) =
        if degrees.is_multiple_of(2) { ((-half).exp(), 1.0) } else { (erfc(half.sqrt()), 0.5) };
    let end = f64::from(degrees) / 2.0;
    while a < end {
        sum += (a * half.ln() - half - lgamma(a + 1.0)).exp();
        a += 1.0;
    }
    sum.min(1.0)
}

/// How far observed counts are from expected shares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChiSquare {
    /// The statistic.
    pub statistic: f64,
    /// Shares above 0, less one.
    pub degrees: u32,
    /// How likely shares as expected would be off that much or more by chance.
    pub p: f64,
}

/// Pearson's test of counts against weights; `None` where there is nothing to test: nobody counted, or only one
/// share above 0. Somebody where the share is 0 makes p 0.
pub fn chi_square_test(counts: &[u64], weights: &[u64]) -> Option<ChiSquare> {
    let all = counts.iter().sum::<u64>() as f64;
    let sum = weights.iter().map(|weight| *weight as f64).sum::<f64>();
    let expecting = weights.iter().filter(|weight| **weight > 0).count();
    let degrees = u32::try_from(expecting.checked_sub(1)?).ok()?;
    if all == 0.0 || sum == 0.0 || degrees == 0 {
        return None;
    }
    let part = |(count, weight): (&u64, &u64)| {
        let expected = all * *weight as f64 / sum;
        let off = *count as f64 - expected;
        if expected == 0.0 && *count == 0 { 0.0 } else { off * off / expected }
    };
    let statistic = counts.iter().zip(weights).map(part).sum();
    Some(ChiSquare { statistic, degrees, p: chi_square_survival(statistic, degrees) })
}

/// The z of a confidence of 95 %, two-sided.
const Z_95: f64 = 1.959_963_984_540_054;

/// The 95 % confidence interval of a share, after Wilson: right for few and for none, too.
pub fn interval(count: u64, all: u64) -> (f64, f64) {
    if all == 0 {
        return (0.0, 1.0);
    }
    let (n, share) = (all as f64, count as f64 / all as f64);
    let z2 = Z_95 * Z_95;
    let middle = share + z2 / (2.0 * n);
    let reach = Z_95 * SQRT_2 * (share * (1.0 - share) / (2.0 * n) + z2 / (8.0 * n * n)).sqrt();
    let scale = 1.0 + z2 / n;
    // At the ends the interval ends exactly there; rounding would leave 1e-19.
    let low = if count == 0 { 0.0 } else { (middle - reach) / scale };
    let high = if count == all { 1.0 } else { (middle + reach) / scale };
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64, relative: f64) {
        let off = (found - expected).abs();
        assert!(off <= relative * expected.abs(), "{found} is not {expected}");
    }

    #[test]
    fn the_normal_quantile_is_that_of_an_independent_program() {
        // Python: scipy.stats.norm.ppf([0.975, 0.8, 0.9, 0.01, 1e-10, 0.3, 0.02425])
        for (probability, z) in [
            (0.975, 1.959_963_984_540_054),
            (0.8, 0.841_621_233_572_914_3),
            (0.9, 1.281_551_565_544_600_4),
            (0.01, -2.326_347_874_040_840_8),
            (1e-10, -6.361_340_902_404_056),
            (0.3, -0.524_400_512_708_040_9),
            (0.02425, -1.972_961_051_311_885),
        ] {
            close(normal_quantile(probability), z, 1e-14);
        }
        assert_eq!(normal_quantile(0.5), 0.0);
        assert!(normal_quantile(1.5).is_nan() && normal_quantile(f64::NAN).is_nan());
        assert_eq!((normal_quantile(0.0), normal_quantile(1.0)), (-f64::INFINITY, f64::INFINITY));
    }

    #[test]
    fn the_quantile_and_the_tail_are_inverse() {
        for thousandths in 1..1000 {
            let probability = f64::from(thousandths) / 1000.0;
            close(1.0 - normal_survival(normal_quantile(probability)), probability, 1e-13);
        }
    }

    #[test]
    fn the_chi_square_tail_is_that_of_an_independent_program() {
        // Python: [scipy.stats.chi2.sf(x, k) for x, k in [(3.84, 1), (0.001, 1), (50, 1), (5.99, 2), (1, 3),
        //   (7.8, 3), (30, 10), (100, 63), (40, 63), (1600, 1500)]]
        for (x, degrees, p) in [
            (3.84, 1, 0.050_043_521_248_705_19),
            (0.001, 1, 0.974_772_879_369_960_4),
            (50.0, 1, 1.537459794428033e-12),
            (5.99, 2, 0.050_036_627_086_586_29),
            (1.0, 3, 0.801_251_956_901_200_9),
            (7.8, 3, 0.050_331_097_859_853_326),
            (30.0, 10, 0.000_856_641_210_775_301),
            (100.0, 63, 0.002_077_236_552_784_822),
            (40.0, 63, 0.989_521_767_463_292_7),
            (1600.0, 1500, 0.036_026_446_704_026_61),
        ] {
            close(chi_square_survival(x, degrees), p, 1e-10);
        }
        assert_eq!((chi_square_survival(0.0, 1), chi_square_survival(1e9, 3)), (1.0, 0.0));
    }

    #[test]
    fn counts_are_tested_against_their_weights() {
        // Python: scipy.stats.chisquare([700, 90, 110, 100], [700, 100, 100, 100])
        let found = chi_square_test(&[700, 90, 110, 100], &[7, 1, 1, 1]).unwrap();
        close(found.statistic, 2.0, 1e-12);
        assert_eq!(found.degrees, 3);
        close(found.p, 0.572_406_704_470_879_8, 1e-10);
        assert_eq!(chi_square_test(&[5, 0], &[1, 0]), None, "there is only one place to be");
        assert_eq!(chi_square_test(&[0, 0], &[1, 1]), None, "nobody is there");
        let impossible = chi_square_test(&[5, 5, 1], &[1, 1, 0]).unwrap();
        assert_eq!(impossible.p, 0.0);
    }

    #[test]
    fn intervals_are_those_of_an_independent_program() {
        // Python: [scipy.stats.binomtest(k, n).proportion_ci(method="wilson")
        //   for k, n in [(5, 100), (0, 50), (50, 50), (50, 1000000)]]
        for (count, all, low, high) in [
            (5, 100, 0.021_543_679_154_367_973, 0.111_750_469_231_919_14),
            (0, 50, 0.0, 0.071_347_599_133_358_72),
            (50, 50, 0.928_652_400_866_641_2, 1.0),
            (50, 1_000_000, 3.792942439539522e-05, 6.591163552414333e-05),
        ] {
            let found = interval(count, all);
            close(found.0, low, 1e-12);
            close(found.1, high, 1e-12);
        }
        assert_eq!(interval(0, 0), (0.0, 1.0));
    }
}
