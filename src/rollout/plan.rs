//! What to expect of a rollout before it begins: how many bad events a step takes, by the mean that each adds to the
//! evidence (its drift).
//!
//! Of all bad events, a challenger with the share `w` that fails `r` times as often as the baseline has the part
//! `q(r) = r w / (r w + 1 - w)`. Its bad event adds `a = ln(r1 / r0) + b` to the evidence of `r1` against `r0`, the
//! baseline's adds `b = -ln((r1 w + 1 - w) / (r0 w + 1 - w))`; the mean is `q a + (1 - q) b`.

use crate::evidence::ALTERNATIVES;

/// The mean number of bad events, of both together, until safety is proven of a challenger that is as good as the baseline.
/// `None` where that is never: one of them has nobody.
pub fn until_safe(share: f64, ratio: f64, alpha: f64) -> Option<f64> {
    events(-libm::log(alpha), drift(share, 1.0, 1.0, ratio))
}

/// The same until harm is proven of one that fails `times` as often, where harm is judged at `judges` places (steps and
/// gates). The first judge of a step in the middle is reckoned with: twice as sure for those that come after it, twice for
/// steps that may come again.
pub fn until_harm(share: f64, times: f64, alpha: f64, judges: f64) -> Option<f64> {
    let threshold = libm::log(4.0 * judges * ALTERNATIVES.len() as f64 / alpha);
    let best = ALTERNATIVES.iter().map(|other| drift(share, times, *other, 1.0));
    events(threshold, best.fold(f64::MIN, f64::max))
}

/// What a bad event adds in the mean to the evidence of `of` against `against`, where the truth is `truth`.
fn drift(share: f64, truth: f64, of: f64, against: f64) -> f64 {
    let weighed = |ratio: f64| ratio * share + 1.0 - share;
    let own = truth * share / weighed(truth);
    libm::log(of / against) * own - libm::log(weighed(of) / weighed(against))
}

fn events(threshold: f64, drift: f64) -> Option<f64> {
    (drift > 1e-12).then(|| threshold / drift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_bad_events_are_expected_as_were_reckoned_by_hand() {
        // Where the truth is 1 and alpha is 0.05.
        for (ratio, share, bad) in
            [(2.0, 0.05, 212.0), (2.0, 0.5, 51.0), (1.5, 0.05, 678.0), (1.5, 0.5, 147.0)]
        {
            let found = until_safe(share, ratio, 0.05).unwrap();
            assert!((found - bad).abs() < 1.0, "{ratio} {share}: {found}");
        }
        assert_eq!(until_safe(1.0, 1.5, 0.05).map(f64::round), None);
        assert_eq!(until_safe(0.0, 1.5, 0.05), None);
    }

    #[test]
    fn the_worse_it_is_the_sooner_harm_shows() {
        let of = |times| until_harm(0.05, times, 0.05, 4.0).unwrap();
        assert!(of(2.0) > 5.0 * of(10.0) && of(10.0) > 2.0 * of(1e6), "{} {}", of(2.0), of(10.0));
        assert_eq!(until_harm(0.05, 1.0, 0.05, 4.0), None);
    }
}
