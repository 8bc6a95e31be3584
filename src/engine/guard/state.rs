//! The state of one split's guard, which all workers of a proxy share, as bytes: read, changed by a pure function, and
//! written back where nobody else did meanwhile.
//!
//! It is words of 64 bits, and stays so: the version, the exposures of each variant, a [`Challenger`] for each variant
//! that is judged, and a set of users for each kind of bad events.

use std::cell::Cell;

use super::arithmetic::{ALTERNATIVES, Share, Step};
use super::judged::{Bad, Kind, SplitGuard};
use super::keys::{insert, words_of};
use crate::ids::{Id as _, VariantId, VariantSet};
use crate::plan::WeightsNow;
use crate::units::{Millis, Moment};

/// The words of a set of users with bad events: 2 KiB for each kind, cleared after 4,096 users.
const SEEN: usize = words_of(16_384);
/// All exposures are halved when there are more: the share is that of some ten thousand requests.
const EXPOSURES: u64 = 1 << 15;
/// How often a release takes twice as long as the one before.
const DOUBLINGS: u64 = 6;
const VERSION: u64 = 1;

/// The state of one split's guard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardState {
    words: Vec<u64>,
}

/// What is known of a variant that is judged: how often it tripped; when it did last, in milliseconds since 1970; and
/// what speaks against it, for each kind.
type Challenger = [u64; 2 + Kind::ALL.len() * EVIDENCE];

/// What speaks against a variant: for each alternative a sum in 32.32 fixed point, never below 0; the variant's bad
/// events since all sums were 0, and those of the baseline meanwhile.
type Evidence = [u64; EVIDENCE];
const EVIDENCE: usize = ALTERNATIVES.len() + 2;

/// What holds when a bad event happens.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'s> {
    /// Exposures that are not in the state yet.
    pub exposures: &'s [Cell<u32>],
    /// The weights of the split.
    pub weights: WeightsNow<'s>,
    /// The time.
    pub now: Moment,
}

/// What a bad event did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// The state is another one, and has to be written.
    pub changed: bool,
    /// The user's failure counts: the first in a while.
    pub new_bad_key: bool,
    /// The variants that are out because of it.
    pub trips: Vec<Trip>,
}

/// A trip, with the counts behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trip {
    /// The variant that is out.
    pub variant: VariantId,
    /// What it did.
    pub kind: Kind,
    /// Users of it with bad events, since nothing spoke against it.
    pub users: u64,
    /// Users of the baseline with bad events, in the same time.
    pub baseline_users: u64,
    /// The share by which they are compared.
    pub share: Share,
    /// When it is let in again; `None` = with another policy.
    pub until: Option<Moment>,
}

impl GuardState {
    /// Reads what [`Self::write`] made for the same guard; anything else is the state in which nothing is known.
    pub fn read(guard: &SplitGuard, bytes: &[u8]) -> Self {
        let mut fresh = vec![0; guard.words()];
        fresh.first_mut().into_iter().for_each(|version| *version = VERSION);
        let (words, rest) = bytes.as_chunks();
        let words: Vec<_> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
        let is_one =
            rest.is_empty() && words.len() == fresh.len() && words.first() == Some(&VERSION);
        Self { words: if is_one { words } else { fresh } }
    }

    /// The state as bytes: of each word the last byte first.
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(size_of_val(self.words.as_slice()));
        self.words.iter().for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
        bytes
    }

    /// The variants that are out at a time.
    pub fn tripped(&self, guard: &SplitGuard, now: Moment) -> VariantSet {
        let out = self.judged(guard).filter(|(_, challenger)| is_out(challenger, guard, now));
        out.fold(VariantSet::NONE, |set, (variant, _)| set.with(variant))
    }

    /// The first moment after a time at which a variant is let in again.
    pub fn next_release(&self, guard: &SplitGuard, now: Moment) -> Option<Moment> {
        let ends = self.judged(guard).filter_map(|(_, challenger)| until(challenger, guard));
        ends.filter(|until| *until > now).min()
    }

    fn judged(&self, guard: &SplitGuard) -> impl Iterator<Item = (VariantId, &Challenger)> {
        let after = self.words.get(guard.exposures().saturating_add(1)..).unwrap_or_default();
        guard.judged.iter().copied().zip(after.as_chunks().0)
    }

    /// Takes in a bad event.
    pub fn apply(&mut self, bad: &Bad<'_>, setting: &Setting<'_>) -> Applied {
        let guard = bad.guard;
        let mut applied = Applied::default();
        let exposed = guard.exposures().saturating_add(1);
        let Some((exposures, rest)) = self.words.split_at_mut_checked(exposed) else {
            return applied;
        };
        let challengers = guard.judged.len().saturating_mul(size_of::<Challenger>() / 8);
        let Some((challengers, seen)) = rest.split_at_mut_checked(challengers) else {
            return applied;
        };
        let exposures = exposures.get_mut(1..).unwrap_or_default();
        for ((kind, is), seen) in Kind::ALL.into_iter().zip(bad.kinds).zip(seen.chunks_mut(SEEN)) {
            if !is || !insert(seen, bad.user) {
                continue;
            }
            if !applied.changed {
                expose(exposures, setting.exposures);
            }
            applied.changed = true;
            applied.new_bad_key |= kind == Kind::Errors;
            for (variant, challenger) in guard.judged.iter().zip(challengers.as_chunks_mut().0) {
                let part = |id: VariantId| exposures.get(id.place()).copied().unwrap_or_default();
                let weight = |id| setting.weights.of(id);
                let exposed = Share { variant: part(*variant), baseline: part(guard.baseline) };
                let weights = Share { variant: weight(*variant), baseline: weight(guard.baseline) };
                if let Some(share) = exposed.larger(weights) {
                    let trip = judge(challenger, kind, *variant, share, bad, setting.now);
                    applied.trips.extend(trip);
                }
            }
        }
        applied
    }
}

impl SplitGuard {
    /// How many words a state has.
    fn words(&self) -> usize {
        let challengers = self.judged.len().saturating_mul(size_of::<Challenger>() / 8);
        let kinds = if self.over.is_some() { 2 } else { 1 };
        let seen = SEEN.saturating_mul(kinds);
        self.exposures().saturating_add(challengers).saturating_add(seen).saturating_add(1)
    }

    /// Of how many variants exposures are counted.
    fn exposures(&self) -> usize {
        if self.judges() { self.variants } else { 0 }
    }
}

/// Adds exposures. The old ones count less and less.
fn expose(exposures: &mut [u64], more: &[Cell<u32>]) {
    for (sum, more) in exposures.iter_mut().zip(more) {
        *sum = sum.saturating_add(more.get().into());
    }
    while exposures.iter().fold(0_u64, |a, b| a.saturating_add(*b)) > EXPOSURES {
        exposures.iter_mut().for_each(|sum| *sum /= 2);
    }
}

/// When a variant is let in again; `None` where it never tripped, or waits for another policy.
fn until(&[trips, since, ..]: &Challenger, guard: &SplitGuard) -> Option<Moment> {
    let doubled = trips.checked_sub(1)?.min(DOUBLINGS);
    let time = guard.release?.get().saturating_mul(1 << doubled);
    Some(Moment::new(since).after(Millis::new(time)))
}

fn is_out(challenger: &Challenger, guard: &SplitGuard, now: Moment) -> bool {
    let &[trips, ..] = challenger;
    trips > 0 && until(challenger, guard).is_none_or(|until| now < until)
}

/// A bad event of a kind: one of the variant, one of the baseline, or of somebody else.
fn judge(
    challenger: &mut Challenger,
    kind: Kind,
    variant: VariantId,
    share: Share,
    bad: &Bad<'_>,
    now: Moment,
) -> Option<Trip> {
    let guard = bad.guard;
    let permitted = guard.permitted.get(kind as usize).copied().flatten()?;
    let own = bad.variant == variant;
    // Requests that began before it was out say nothing about how it does when it is in again.
    if !(own || bad.variant == guard.baseline) || is_out(challenger, guard, now) {
        return None;
    }
    let [trips, since, evidence @ ..] = challenger;
    let all = evidence.as_chunks_mut().0;
    let evidence: &mut Evidence = all.get_mut(kind as usize)?;
    let [sums @ .., users, baseline_users] = evidence;
    let count = if own { &mut *users } else { &mut *baseline_users };
    *count = count.saturating_add(1);
    for (sum, Step { up, down }) in sums.iter_mut().zip(Step::all(permitted, share)) {
        *sum = if own { sum.saturating_add(up) } else { sum.saturating_sub(down) };
    }
    if sums.iter().all(|sum| *sum < guard.alarm) {
        if *sums == [0; ALTERNATIVES.len()] {
            *evidence = [0; EVIDENCE];
        }
        return None;
    }
    let (users, baseline_users) = (*users, *baseline_users);
    // When it is let in again it is half way to the next trip.
    let half = guard.alarm / 2;
    for [sums @ .., users, baseline_users] in all {
        (*sums, *users, *baseline_users) = ([half; ALTERNATIVES.len()], 0, 0);
    }
    (*trips, *since) = (trips.saturating_add(1), now.get());
    let until = until(challenger, guard);
    Some(Trip { variant, kind, users, baseline_users, share, until })
}
