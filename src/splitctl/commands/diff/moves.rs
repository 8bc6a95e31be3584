//! Who moves: every user's variant before and after, as a matrix.

use anyhow::Result;

use super::Side;
use super::pairs::Pair;
use super::reshuffle::has_other_keys;
use crate::keys::Keys;
use crate::population::{Population, Served, for_each};

/// How many users went from where to where.
pub(super) struct Moves {
    /// Old variants, and last those out of the split.
    pub(super) from: Vec<String>,
    /// New variants, and last those out of the split.
    pub(super) to: Vec<String>,
    /// By old and then by new place.
    pub(super) counts: Vec<Vec<u64>>,
    /// Which new place is which old one.
    same: Vec<Option<usize>>,
    /// All users.
    pub(super) users: u64,
}

/// What those are called who are out of a split.
pub(super) const OUTSIDE: &str = "(not in it)";

impl Moves {
    fn new(pair: &Pair) -> Option<Self> {
        let (old, new) = (pair.old?, pair.new?);
        let places = |split: &engine::policy::Split| {
            let names = split.variants.iter().map(|variant| variant.name.clone());
            names.chain([OUTSIDE.to_owned()]).collect::<Vec<String>>()
        };
        let (from, to) = (places(old), places(new));
        let same = (0..new.variants.len()).map(|new| pair.old_variant(new));
        let same = same.chain([Some(old.variants.len())]).collect();
        Some(Self { counts: vec![vec![0; to.len()]; from.len()], from, to, same, users: 0 })
    }

    fn count(&mut self, old: Served, new: Served) {
        let place = |served: Served, places: &[String]| {
            served.map_or(places.len().saturating_sub(1), |(variant, _)| variant)
        };
        let (from, to) = (place(old, &self.from), place(new, &self.to));
        if let Some(count) = self.counts.get_mut(from).and_then(|row| row.get_mut(to)) {
            *count = count.saturating_add(1);
        }
        self.users = self.users.saturating_add(1);
    }

    /// Users whose place is another one.
    pub(super) fn moved(&self) -> u64 {
        let rows = self.counts.iter().enumerate();
        let moved = rows.flat_map(|(from, row)| {
            let cells = row.iter().zip(&self.same);
            cells.filter(move |(_, same)| **same != Some(from)).map(|(count, _)| *count)
        });
        moved.sum()
    }

    /// The fewest that have to move between the places' old and new numbers of users: half of what the numbers
    /// differ by, all together.
    pub(super) fn minimum(&self) -> u64 {
        let before: Vec<u64> = self.counts.iter().map(|row| row.iter().sum()).collect();
        let after = |to: usize| -> u64 { self.counts.iter().filter_map(|row| row.get(to)).sum() };
        let mut differences: u64 = 0;
        for (to, same) in self.same.iter().enumerate() {
            let old = same.and_then(|from| before.get(from)).copied().unwrap_or_default();
            differences = differences.saturating_add(old.abs_diff(after(to)));
        }
        let gone = before.iter().enumerate().filter(|(from, _)| !self.same.contains(&Some(*from)));
        let gone: u64 = gone.map(|(_, count)| *count).sum();
        differences.saturating_add(gone) / 2
    }
}

/// Counts the moves of each pair that was and is there and is not the same.
pub(super) fn count(
    old: &Side,
    new: &Side,
    pairs: &[Pair],
    users: u64,
    now: u64,
) -> Result<Vec<Option<Moves>>> {
    let index = |side: &Side, split: Option<&engine::policy::Split>| {
        // A split that is not enabled is not in the plan: nobody is in it.
        split.and_then(|split| side.plan.splits.iter().position(|s| s.name == split.name))
    };
    let differs = |pair: &&Pair| !pair.is_same(old.policy, new.policy);
    let mut all: Vec<Option<Moves>> =
        pairs.iter().map(|pair| Some(pair).filter(differs).and_then(Moves::new)).collect();
    let places: Vec<(Option<usize>, Option<usize>, bool)> = pairs
        .iter()
        .map(|pair| {
            let others = has_other_keys(old.policy, new.policy, pair);
            (index(old, pair.old), index(new, pair.new), others)
        })
        .collect();
    if all.iter().all(Option::is_none) {
        return Ok(all);
    }
    // Splits that nobody counts are not asked.
    let counted = all.iter().zip(&places).filter(|(moves, _)| moves.is_some());
    let (from, to): (Vec<_>, Vec<_>) = counted.map(|(_, (from, to, _))| (*from, *to)).unzip();
    let before = Population::new(&old.plan, now, |split| from.contains(&Some(split)));
    let after = Population::new(&new.plan, now, |split| to.contains(&Some(split)));
    let any_others = places.iter().any(|(.., others)| *others);
    let (mut was, mut is, mut is_other) = (Vec::new(), Vec::new(), Vec::new());
    let mut other_key = Vec::new();
    for_each(Keys::counted(users), |key| {
        before.ask(key, &mut was);
        after.ask(key, &mut is);
        if any_others {
            // Some key that has nothing to do with the old one.
            other_key.clear();
            other_key.extend_from_slice(b"other ");
            other_key.extend_from_slice(key);
            after.ask(&other_key, &mut is_other);
        }
        for (moves, (from, to, others)) in all.iter_mut().zip(&places) {
            let Some(moves) = moves else { continue };
            let served = |index: &Option<usize>, all: &[Served]| {
                index.and_then(|index| all.get(index).copied().flatten())
            };
            let now = served(to, if *others { &is_other } else { &is });
            moves.count(served(from, &was), now);
        }
    })?;
    Ok(all)
}
