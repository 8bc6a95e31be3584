//! Who moves: every user's variant before and after, as a matrix.

use anyhow::Result;
use engine::ids::Id as _;

use super::Side;
use super::pairs::Pair;
use super::reshuffle::has_other_keys;
use crate::keys::Keys;
use crate::population::{Served, Users, for_each};

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
        let same = new.variants.ids().map(|new| pair.old_variant(new).map(|old| old.place()));
        let same = same.chain([Some(old.variants.len())]).collect();
        Some(Self { counts: vec![vec![0; to.len()]; from.len()], from, to, same, users: 0 })
    }

    fn count(&mut self, old: Served, new: Served) {
        let place = |served: Served, places: &[String]| {
            served.map_or(places.len().saturating_sub(1), |(variant, _)| variant.place())
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
    let differs = |pair: &&Pair| !pair.is_same(old, new);
    let mut all: Vec<Option<Moves>> =
        pairs.iter().map(|pair| Some(pair).filter(differs).and_then(Moves::new)).collect();
    if all.iter().all(Option::is_none) {
        return Ok(all);
    }
    // Splits that nobody counts are not asked, and one that is not enabled has nobody in it.
    let counted =
        || all.iter().zip(pairs).filter(|(moves, _)| moves.is_some()).map(|(_, pair)| pair);
    let asked: Vec<[Option<Users>; 2]> = counted()
        .map(|pair| {
            [(old, pair.old), (new, pair.new)]
                .map(|(side, split)| Some(Users::new(&side.plan, now, [side.id(split)?])))
        })
        .collect();
    let others: Vec<bool> =
        counted().map(|pair| has_other_keys(old.policy, new.policy, pair)).collect();
    let mut counted: Vec<&mut Moves> = all.iter_mut().flatten().collect();
    let served = |users: &Option<Users>, key: &[u8]| users.as_ref()?.ask(key).first().copied().flatten();
    let mut other_key = Vec::new();
    for_each(Keys::counted(users), |key| {
        // Some key that has nothing to do with the old one.
        other_key.clear();
        other_key.extend_from_slice(b"other ");
        other_key.extend_from_slice(key);
        for ((moves, [before, after]), is_other) in counted.iter_mut().zip(&asked).zip(&others) {
            let key_after = if *is_other { &other_key } else { key };
            moves.count(served(before, key), served(after, key_after));
        }
    })?;
    Ok(all)
}
