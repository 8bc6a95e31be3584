//! Weighted rendezvous hashing: every variant draws a ticket, the cheapest for its weight wins.
//! Raising a weight only moves users to that variant; the order of variants never matters.

use super::WeightsNow;
use crate::hash::{cost, first_word, fmix64};
use crate::ids::VariantId;

/// The variants of a split that can win, prepared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Race {
    /// Those that may have a weight and admit users, by name: so a tie goes to the smaller name.
    runners: Vec<Runner>,
}

/// A variant in a race.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Runner {
    variant: VariantId,
    /// `V`: the first word of the hash of the variant's name.
    word: u64,
}

/// What a variant drew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Draw {
    variant: VariantId,
    /// The user's number for this variant.
    ticket: u64,
    /// `-log2(ticket / 2^64)` in 32.32 fixed point; cost / weight decides.
    cost: u64,
    /// In units of 0.0001.
    weight: u64,
}

impl Race {
    /// Prepares the variants that can win, each with its name.
    pub fn new<'n>(variants: impl Iterator<Item = (VariantId, &'n str)>) -> Self {
        // A split has few variants, and a sort would be larger than all that is done with them.
        let mut order: Vec<(VariantId, &str)> = Vec::new();
        for (variant, name) in variants {
            let place = order.partition_point(|(_, other)| *other <= name);
            order.insert(place, (variant, name));
        }
        let runner = |(variant, name): (VariantId, &str)| Runner {
            variant,
            word: first_word(name.as_bytes()),
        };
        Self { runners: order.into_iter().map(runner).collect() }
    }

    /// The winner for the second word of a user's hash; `None` when every weight is 0.
    pub fn winner(&self, h2: u64, weights: &WeightsNow) -> Option<VariantId> {
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

    /// What a variant that admits anybody now draws for the second word of a user's hash: its ticket
    /// and what that costs.
    pub fn draw(&self, variant: VariantId, h2: u64, weights: &WeightsNow) -> Option<(u64, u64)> {
        let runner = self.runners.iter().find(|runner| runner.variant == variant)?;
        let ticket = fmix64(h2 ^ runner.word);
        (weights.of(variant) > 0).then(|| (ticket, cost(ticket)))
    }

    /// The variants that can win at some time.
    pub fn runners(&self) -> impl Iterator<Item = VariantId> {
        self.runners.iter().map(|runner| runner.variant)
    }

    /// Whether a variant can win at some time.
    pub fn runs(&self, variant: VariantId) -> bool {
        self.runners().any(|runner| runner == variant)
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
fn cheaper(mut best: Draw, variant: VariantId, ticket: u64, weight: u64) -> Draw {
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
    use crate::ids::{Id as _, List};
    use crate::policy::Weight;

    fn race(weights: &[(&str, u64)]) -> (Race, List<VariantId, Weight>) {
        let runs = weights.iter().enumerate().filter(|(_, (_, weight))| *weight > 0);
        let race = Race::new(runs.map(|(at, (name, _))| (VariantId::at(at), *name)));
        (race, weights.iter().map(|(_, weight)| Weight::from_units(*weight).unwrap()).collect())
    }

    /// The winner by all the logarithms.
    fn plainly(race: &Race, h2: u64, weights: &WeightsNow) -> Option<VariantId> {
        let better = |a: Draw, b: Draw| {
            let product = |a: u64, b: u64| u128::from(a).wrapping_mul(u128::from(b));
            let (left, right) = (product(b.cost, a.weight), product(a.cost, b.weight));
            if left < right { b } else { a }
        };
        let draws = race.runners.iter().filter_map(|Runner { variant, .. }| {
            let (ticket, cost) = race.draw(*variant, h2, weights)?;
            Some(Draw { variant: *variant, ticket, cost, weight: weights.of(*variant) })
        });
        draws.reduce(better).map(|draw| draw.variant)
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
            let now = WeightsNow::fixed(&weights, &race);
            let mut h2 = 1;
            for _ in 0..20_000 {
                h2 = fmix64(h2 ^ 0x9e37_79b9_7f4a_7c15);
                assert_eq!(race.winner(h2, &now), plainly(&race, h2, &now), "{h2:#x}");
            }
        }
    }

    #[test]
    fn a_tie_goes_to_the_smaller_name() {
        let [first, second] = [0, 1].map(VariantId::at);
        let best = Draw { variant: first, ticket: 7, cost: 0, weight: 5 };
        assert_eq!(cheaper(best, second, 7, 5).variant, first);
        let (race, _) = race(&[("b", 1), ("a", 1)]);
        let order: Vec<_> = race.runners.iter().map(|runner| runner.variant).collect();
        assert_eq!(order, [second, first]);
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
        assert_eq!(race.winner(1, &WeightsNow::fixed(&weights, &race)), None);
        assert!(race.is_empty());
    }

    #[test]
    fn a_single_runner_wins() {
        let (race, weights) = race(&[("a", 0), ("b", 3)]);
        assert_eq!(race.winner(1, &WeightsNow::fixed(&weights, &race)), Some(VariantId::at(1)));
    }
}
