//! Who moves: what every user is served before and after, and each user's variant as a matrix.

use std::collections::BTreeMap;

use anyhow::Result;
use engine::ids::{Id as _, SplitId, VariantId};
use engine::policy::Split;

use engine::units;

use super::Side;
use super::pairs::Pair;
use super::reshuffle::has_other_keys;
use crate::keys::Keys;
use crate::population::{Served, Users, for_each};

/// How many users are served this before and that after.
pub(super) type Kinds = BTreeMap<(Served, Served), u64>;

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
    /// New places of variants that have the share they had, while another's changed.
    steady: Vec<usize>,
}

/// Users who leave and who join variants whose own share stays.
pub(super) struct Disturbed<'m> {
    pub(super) variants: Vec<&'m str>,
    pub(super) leave: u64,
    pub(super) join: u64,
}

/// What those are called who are out of a split.
pub(super) const OUTSIDE: &str = "(not in it)";

impl Moves {
    /// `None` where there is nothing to compare: the split was not there, or is not.
    pub(super) fn new(
        sides: [&Side; 2],
        pair: &Pair,
        kinds: &Kinds,
        now: units::Moment,
    ) -> Option<Self> {
        let (old, new) = (pair.old?, pair.new?);
        let steady = steady(sides, pair, now).unwrap_or_default();
        let places = |split: &Split| {
            let names = split.variants.iter().map(|variant| variant.name.clone());
            names.chain([OUTSIDE.to_owned()]).collect::<Vec<String>>()
        };
        let (from, to) = (places(old), places(new));
        let same = new.variants.ids().map(|new| pair.old_variant(new).map(|old| old.place()));
        let same = same.chain([Some(old.variants.len())]).collect();
        let place = |served: Served, outside: usize| served.map_or(outside, |(v, _)| v.place());
        let mut counts = vec![vec![0_u64; to.len()]; from.len()];
        for ((before, after), users) in kinds {
            let (before, after) =
                (place(*before, old.variants.len()), place(*after, new.variants.len()));
            if let Some(count) = counts.get_mut(before).and_then(|row| row.get_mut(after)) {
                *count = count.saturating_add(*users);
            }
        }
        Some(Self { counts, from, to, same, steady })
    }

    /// What becomes of variants whose share stays: the price of a hash in which the order of variants counts for nothing.
    /// `None` where nobody of them moves.
    pub(super) fn disturbed(&self) -> Option<Disturbed<'_>> {
        let mut disturbed = Disturbed { variants: Vec::new(), leave: 0, join: 0 };
        for to in &self.steady {
            let from = self.same.get(*to).copied().flatten()?;
            let cell = |row: &Vec<u64>| row.get(*to).copied().unwrap_or_default();
            let row = self.counts.get(from)?;
            let stay = cell(row);
            let before: u64 = row.iter().sum();
            let after: u64 = self.counts.iter().map(cell).sum();
            disturbed.variants.push(self.to.get(*to)?);
            disturbed.leave = disturbed.leave.saturating_add(before.saturating_sub(stay));
            disturbed.join = disturbed.join.saturating_add(after.saturating_sub(stay));
        }
        (disturbed.leave > 0 || disturbed.join > 0).then_some(disturbed)
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

/// The new places of variants that have a share and keep it, where another's changes.
fn steady([old, new]: [&Side; 2], pair: &Pair, now: units::Moment) -> Option<Vec<usize>> {
    let shares = |side: &Side, split: Option<&Split>| {
        let weights = side.plan.splits[side.id(split)?].weights_at(now);
        let all: Vec<u64> = split?.variants.ids().map(|id| weights.admits(id)).collect();
        let total: u128 = all.iter().copied().map(u128::from).sum();
        Some((all, total))
    };
    let ((before, total_before), (after, total_after)) =
        (shares(old, pair.old)?, shares(new, pair.new)?);
    let keeps = |id: &VariantId| {
        let of =
            |shares: &[u64], id: VariantId| shares.get(id.place()).copied().unwrap_or_default();
        let then = pair.old_variant(*id).map_or(0, |old| of(&before, old));
        let now = of(&after, *id);
        // Weights are below 2^54, and so are the sums of 64 below 2^60.
        now > 0
            && u128::from(then).saturating_mul(total_after)
                == u128::from(now).saturating_mul(total_before)
    };
    let steady: Vec<usize> = pair.new?.variants.ids().filter(keeps).map(|id| id.place()).collect();
    (steady.len() < after.iter().filter(|weight| **weight > 0).count()).then_some(steady)
}

/// Counts what users are served in each pair that is not the same before and after.
pub(super) fn count(
    old: &Side,
    new: &Side,
    pairs: &[Pair],
    users: u64,
    now: units::Moment,
) -> Result<Vec<Option<Kinds>>> {
    let differs = |pair: &&Pair| !pair.is_same(old, new);
    let mut all: Vec<Option<Kinds>> =
        pairs.iter().map(|pair| Some(pair).filter(differs).map(|_| Kinds::new())).collect();
    let (counted, mut kinds): (Vec<&Pair>, Vec<&mut Kinds>) = pairs
        .iter()
        .zip(&mut all)
        .filter_map(|(pair, kinds)| Some((pair, kinds.as_mut()?)))
        .unzip();
    if counted.is_empty() {
        return Ok(all);
    }
    let is_other: Vec<bool> =
        counted.iter().map(|pair| has_other_keys(old.policy, new.policy, pair)).collect();
    let after = |others: bool| {
        let wanted =
            counted.iter().zip(&is_other).map(|(pair, is)| pair.new.filter(|_| *is == others));
        Asked::new(new, now, wanted)
    };
    let before = Asked::new(old, now, counted.iter().map(|pair| pair.old));
    let (same, others) = (after(false), after(true));
    for_each(Keys::counted(users), |key| {
        // Some key that has nothing to do with the old one.
        let other_key = [b"other ", key].concat();
        let after = same.ask(key).zip(others.ask(&other_key));
        for (kinds, (before, (same, other))) in kinds.iter_mut().zip(before.ask(key).zip(after)) {
            let users = kinds.entry((before, same.or(other))).or_default();
            *users = users.saturating_add(1);
        }
    })?;
    Ok(all)
}

/// Splits of one side; in those that are not there or not enabled is nobody.
struct Asked<'p> {
    users: Users<'p>,
    /// For each its place among those that are asked.
    places: Vec<Option<usize>>,
}

impl<'p> Asked<'p> {
    fn new<'s>(
        side: &'p Side,
        now: units::Moment,
        splits: impl Iterator<Item = Option<&'s Split>>,
    ) -> Self {
        let ids: Vec<Option<SplitId>> = splits.map(|split| side.id(split)).collect();
        let mut next = 0..;
        let places = ids.iter().map(|id| id.and_then(|_| next.next())).collect();
        Self { users: Users::new(&side.plan, now, ids.into_iter().flatten()), places }
    }

    fn ask(&self, key: &[u8]) -> impl Iterator<Item = Served> {
        let served = self.users.ask(key);
        self.places.iter().map(move |place| served.get((*place)?).copied().flatten())
    }
}
