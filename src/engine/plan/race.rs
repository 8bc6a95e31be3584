//! Weighted rendezvous hashing: every variant draws a ticket, the cheapest for its weight wins.
//! Raising a weight only moves users to that variant; the order of variants never matters.

use super::weights::WeightsNow;
use crate::hash::{cost, first_word, fmix64};
use crate::policy::Variant;

/// The variants of a split that can win, prepared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Race {
    /// Those that may have a weight and admit users, by name: so a tie goes to the smaller name.
    runners: Vec<Runner>,
}

/// A variant in a race.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Runner {
    variant: usize,
    /// `V`: the first word of the hash of the variant's name.
    word: u64,
}

/// What a variant drew, for explanations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    /// Index in the split's variants.
    pub variant: usize,
    /// The user's number for this variant.
    pub ticket: u64,
    /// `-log2(ticket / 2^64)` in 32.32 fixed point; cost / weight decides.
    pub cost: u64,
    /// In units of 0.0001.
    pub weight: u64,
}

impl Race {
    /// Prepares the variants that `may_win`: those that have a weight at some time.
    pub fn new(variants: &[Variant], may_win: impl Fn(usize) -> bool) -> Self {
        let admits = |(index, variant): &(usize, &Variant)| !variant.drain && may_win(*index);
        // A split has few variants, and a sort would be larger than all that is done with them.
        let mut order: Vec<(usize, &Variant)> = Vec::new();
        for (index, variant) in variants.iter().enumerate().filter(admits) {
            let place = order.partition_point(|(_, other)| other.name <= variant.name);
            order.insert(place, (index, variant));
        }
        let runner = |(variant, v): (usize, &Variant)| Runner {
            variant,
            word: first_word(v.name.as_bytes()),
        };
        Self { runners: order.into_iter().map(runner).collect() }
    }

    /// The winner for the second word of a user's hash; `None` when every weight is 0.
    pub fn winner(&self, h2: u64, weights: &WeightsNow) -> Option<usize> {
        let mut best: Option<Draw> = None;
        for runner in &self.runners {
            let weight = weights.of(runner.variant);
            if weight == 0 {
                continue;
            }
            let ticket = fmix64(h2 ^ runner.word);
            // One runner needs no cost, and most others are told apart by their bounds.
            best = match best {
                None => Some(Draw { variant: runner.variant, ticket, cost: 0, weight }),
                Some(best) => Some(cheaper(best, runner.variant, ticket, weight)),
            };
        }
        best.map(|draw| draw.variant)
    }

    /// What each variant with a weight above 0 draws, by name.
    pub fn draws(&self, h2: u64, weights: &WeightsNow) -> impl Iterator<Item = Draw> {
        self.runners.iter().filter_map(move |runner| {
            let weight = weights.of(runner.variant);
            let ticket = fmix64(h2 ^ runner.word);
            (weight > 0).then(|| Draw {
                variant: runner.variant,
                ticket,
                cost: cost(ticket),
                weight,
            })
        })
    }

    /// Whether a variant can win at some time.
    pub fn runs(&self, variant: usize) -> bool {
        self.runners.iter().any(|runner| runner.variant == variant)
    }

    /// Whether no variant can ever win.
    pub const fn is_empty(&self) -> bool {
        self.runners.is_empty()
    }
}

/// The better of the best so far and a new ticket: the smaller cost / weight, compared by
/// cross-multiplication. Costs are at most 2^38 and weights below 2^44, so the products fit. A tie
/// goes to the best so far, whose name is smaller.
///
/// The cost of a ticket lies between bounds that are cheap to find; only where those do not decide
/// are logarithms taken (and kept in `Draw::cost`; 0 = not taken yet, no cost is 0).
fn cheaper(mut best: Draw, variant: usize, ticket: u64, weight: u64) -> Draw {
    let product = |cost: u64, weight: u64| u128::from(cost).wrapping_mul(u128::from(weight));
    let (best_low, best_high) = match best.cost {
        0 => bounds(best.ticket),
        known => (known, known),
    };
    let (low, high) = bounds(ticket);
    if product(best_high, weight) <= product(low, best.weight) {
        return best;
    }
    if product(high, best.weight) < product(best_low, weight) {
        return Draw { variant, ticket, cost: 0, weight };
    }
    if best.cost == 0 {
        best.cost = cost(best.ticket);
    }
    let own = cost(ticket);
    if product(own, best.weight) < product(best.cost, weight) {
        Draw { variant, ticket, cost: own, weight }
    } else {
        best
    }
}

/// Between which costs that of a ticket surely lies, both included: for a mantissa 1 + f, the
/// logarithm is between f and f + 0.0861, which leaves a few tickets in a hundred undecided.
const fn bounds(ticket: u64) -> (u64, u64) {
    /// 0.0862 in 32 binary digits.
    const ABOVE: u64 = 370_226_180;
    /// More than the digits of the cost itself are off by (below 2e-9, so 9).
    const SLACK: u64 = 64;
    let ticket = if ticket == 0 { 1 } else { ticket };
    let zeros = ticket.leading_zeros();
    let f = ((ticket << zeros) >> 31) & 0xffff_ffff;
    let whole = (zeros as u64).wrapping_add(1) << 32;
    let low = whole.saturating_sub(f.wrapping_add(ABOVE));
    let high = whole.saturating_sub(f.saturating_sub(SLACK));
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Weight;

    fn race(weights: &[(&str, u64)]) -> (Race, Vec<Weight>) {
        let variant =
            |(name, _): &(&str, u64)| Variant { name: (*name).into(), ..Variant::default() };
        let variants: Vec<_> = weights.iter().map(variant).collect();
        let weights: Vec<_> =
            weights.iter().map(|(_, weight)| Weight::from_units(*weight)).collect();
        (Race::new(&variants, |index| !weights[index].is_zero()), weights)
    }

    /// The winner by all the logarithms.
    fn plainly(race: &Race, h2: u64, weights: &WeightsNow) -> Option<usize> {
        let better = |a: Draw, b: Draw| {
            let product = |a: u64, b: u64| u128::from(a).wrapping_mul(u128::from(b));
            let (left, right) = (product(b.cost, a.weight), product(a.cost, b.weight));
            if left < right { b } else { a }
        };
        race.draws(h2, weights).reduce(better).map(|draw| draw.variant)
    }

    #[test]
    fn bounds_decide_as_the_logarithms_would() {
        for weights in [
            vec![("a", 50), ("b", 50)],
            vec![("stable", 95), ("canary", 5)],
            vec![("a", 1), ("b", 999_999), ("c", 7)],
            vec![("a", 10), ("b", 20), ("c", 30), ("d", 40), ("e", 0), ("f", 1_000)],
        ] {
            let (race, weights) = race(&weights);
            let now = WeightsNow::fixed(&weights);
            let mut h2 = 1;
            for _ in 0..20_000 {
                h2 = fmix64(h2 ^ 0x9e37_79b9_7f4a_7c15);
                assert_eq!(race.winner(h2, &now), plainly(&race, h2, &now), "{h2:#x}");
            }
        }
    }

    #[test]
    fn a_tie_goes_to_the_smaller_name() {
        let best = Draw { variant: 0, ticket: 7, cost: 0, weight: 5 };
        assert_eq!(cheaper(best, 1, 7, 5).variant, 0);
        let (race, weights) = race(&[("b", 1), ("a", 1)]);
        let order: Vec<_> =
            race.draws(1, &WeightsNow::fixed(&weights)).map(|d| d.variant).collect();
        assert_eq!(order, [1, 0]);
    }

    #[test]
    fn every_ticket_costs_what_its_bounds_say() {
        let mut random = 1;
        let many = std::iter::repeat_with(|| {
            random = fmix64(random ^ 0x9e37_79b9_7f4a_7c15);
            random >> (random & 63)
        });
        let edges = [0, 1, 2, 3, 1 << 31, 1 << 63, u64::MAX, u64::MAX - 1, 0x7fff_ffff_ffff_ffff];
        for ticket in edges.into_iter().chain(many.take(100_000)) {
            let (low, high) = bounds(ticket);
            assert!((low..=high).contains(&cost(ticket)), "{ticket:#x}");
        }
    }

    #[test]
    fn nobody_wins_when_every_weight_is_zero() {
        let (race, weights) = race(&[("a", 0), ("b", 0)]);
        assert_eq!(race.winner(1, &WeightsNow::fixed(&weights)), None);
        assert!(race.is_empty());
    }

    #[test]
    fn a_single_runner_wins() {
        let (race, weights) = race(&[("a", 0), ("b", 3)]);
        assert_eq!(race.winner(1, &WeightsNow::fixed(&weights)), Some(1));
    }
}
