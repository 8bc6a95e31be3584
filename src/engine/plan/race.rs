//! Weighted rendezvous hashing: every variant draws a ticket, the cheapest for its weight wins.
//! Raising a weight only moves users to that variant; the order of variants never matters.

use super::hash::{cost, first_word, fmix64};
use crate::policy::Variant;

/// The variants of a split that can win, prepared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Race {
    /// Those with a weight above 0, by name: so a tie goes to the smaller name.
    runners: Vec<Runner>,
}

/// A variant in a race.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Runner {
    variant: usize,
    /// `V`: the first word of the hash of the variant's name.
    word: u64,
    weight: u64,
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
    /// Prepares the variants; those of weight 0 are off.
    pub fn new(variants: &[Variant]) -> Self {
        let mut order: Vec<_> =
            variants.iter().enumerate().filter(|(_, v)| !v.weight.is_zero()).collect();
        order.sort_by(|a, b| a.1.name.cmp(&b.1.name));
        let runner = |(variant, v): (usize, &Variant)| Runner {
            variant,
            word: first_word(v.name.as_bytes()),
            weight: v.weight.units(),
        };
        Self { runners: order.into_iter().map(runner).collect() }
    }

    /// The winner for the second word of a user's hash; `None` when every weight is 0.
    pub fn winner(&self, h2: u64) -> Option<usize> {
        match self.runners.as_slice() {
            [only] => Some(only.variant),
            _ => self.draws(h2).reduce(cheaper).map(|draw| draw.variant),
        }
    }

    /// Whether a variant can win.
    pub fn runs(&self, variant: usize) -> bool {
        self.runners.iter().any(|runner| runner.variant == variant)
    }

    /// Whether every weight is 0.
    pub const fn is_empty(&self) -> bool {
        self.runners.is_empty()
    }

    /// What each variant with a weight above 0 draws, by name.
    pub fn draws(&self, h2: u64) -> impl Iterator<Item = Draw> {
        self.runners.iter().map(move |runner| {
            let ticket = fmix64(h2 ^ runner.word);
            Draw { variant: runner.variant, ticket, cost: cost(ticket), weight: runner.weight }
        })
    }
}

/// The draw with the smaller cost / weight, compared by cross-multiplication: costs are at most
/// 2^38 and weights below 2^44, so the products fit. A tie goes to the first.
const fn cheaper(a: Draw, b: Draw) -> Draw {
    let (left, right) = (
        (b.cost as u128).wrapping_mul(a.weight as u128),
        (a.cost as u128).wrapping_mul(b.weight as u128),
    );
    if left < right { b } else { a }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Weight;

    fn variant(name: &str, weight: u64) -> Variant {
        Variant {
            name: name.into(),
            cluster: None,
            weight: Weight::from_units(weight),
            max_weight: None,
        }
    }

    #[test]
    fn a_tie_goes_to_the_smaller_name() {
        let draw = |variant| Draw { variant, ticket: 7, cost: 100, weight: 5 };
        assert_eq!(cheaper(draw(0), draw(1)).variant, 0);
        let race = Race::new(&[variant("b", 1), variant("a", 1)]);
        assert_eq!(race.draws(1).map(|d| d.variant).collect::<Vec<_>>(), [1, 0]);
    }

    #[test]
    fn nobody_wins_when_every_weight_is_zero() {
        assert_eq!(Race::new(&[variant("a", 0), variant("b", 0)]).winner(1), None);
        assert_eq!(Race::new(&[]).winner(1), None);
    }

    #[test]
    fn a_single_runner_wins_without_drawing() {
        assert_eq!(Race::new(&[variant("a", 0), variant("b", 3)]).winner(1), Some(1));
    }
}
