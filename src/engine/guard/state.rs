//! The state of one split's guard, which all workers of a proxy share, as bytes: read, changed by a pure function, and
//! written back where nobody else did meanwhile.

use std::cell::Cell;

use super::arithmetic::{ALTERNATIVES, Share, Step};
use super::judged::{Bad, Kind, Kinds, SplitGuard};
use super::keys::KeySet;
use crate::ids::{List, VariantId, VariantSet};
use crate::plan::WeightsNow;
use crate::units::{Millis, Moment};

/// The words of a set of users with bad events: 16,384 bits, 2 KiB for each kind, cleared after 4,096 users.
const SEEN: usize = 256;
/// All exposures are halved when there are more: the share is that of some ten thousand requests.
const EXPOSURES: u64 = 1 << 15;
/// How often a release takes twice as long as the one before.
const DOUBLINGS: u64 = 6;
const VERSION: u64 = 1;

/// The state of one split's guard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardState {
    /// Of each variant, the old ones counting less and less.
    exposures: List<VariantId, u64>,
    /// The users whose bad events of a kind count no more.
    seen: Kinds<KeySet>,
    /// In the order of [`SplitGuard::judged`].
    challengers: Box<[Challenger]>,
}

/// What is known of a variant that is judged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Challenger {
    evidence: Kinds<Evidence>,
    /// How often it tripped.
    trips: u64,
    /// When it did last; milliseconds since 1970.
    since: u64,
}

/// What speaks against it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Evidence {
    /// For each alternative, in 32.32 fixed point; never below 0.
    sums: [u64; ALTERNATIVES.len()],
    /// Its bad events since all sums were 0.
    own: u64,
    /// Those of the baseline meanwhile.
    baseline: u64,
}

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
    /// The state in which nothing is known.
    pub fn fresh(guard: &SplitGuard) -> Self {
        let exposures = if guard.judges() { guard.variants } else { 0 };
        Self {
            exposures: vec![0; exposures].into(),
            seen: Kind::ALL.map(|kind| match guard.remembers(kind) {
                true => KeySet::new(SEEN),
                false => KeySet::default(),
            }),
            challengers: guard.judged.iter().map(|_| Challenger::default()).collect(),
        }
    }

    /// Reads what [`Self::write`] made for the same guard; anything else is a fresh state.
    pub fn read(guard: &SplitGuard, bytes: &[u8]) -> Self {
        let mut state = Self::fresh(guard);
        let mut count = 1_usize;
        state.each_word(|_| count = count.saturating_add(1));
        let (words, rest) = bytes.as_chunks();
        let mut words = words.iter().map(|word| u64::from_le_bytes(*word));
        if words.len() == count && rest.is_empty() && words.next() == Some(VERSION) {
            state.each_word(|word| *word = words.next().unwrap_or_default());
            state.seen.iter_mut().for_each(KeySet::recount);
        }
        state
    }

    /// The state as bytes: words of 8 bytes, the last byte of a number first.
    pub fn write(mut self) -> Vec<u8> {
        let mut bytes = VERSION.to_le_bytes().to_vec();
        self.each_word(|word| bytes.extend(word.to_le_bytes()));
        bytes
    }

    /// Each number of it, in the order in which they are written.
    fn each_word(&mut self, mut each: impl FnMut(&mut u64)) {
        self.exposures.iter_mut().for_each(&mut each);
        for Challenger { evidence, trips, since } in &mut self.challengers {
            [trips, since].into_iter().for_each(&mut each);
            for Evidence { sums, own, baseline } in evidence {
                sums.iter_mut().chain([own, baseline]).for_each(&mut each);
            }
        }
        self.seen.iter_mut().flat_map(KeySet::words).for_each(each);
    }

    /// The variants that are out at a time.
    pub fn tripped(&self, guard: &SplitGuard, now: Moment) -> VariantSet {
        let out = guard.judged.iter().zip(&self.challengers).filter(|(_, c)| c.is_out(guard, now));
        out.fold(VariantSet::NONE, |set, (variant, _)| set.with(*variant))
    }

    /// The first moment after a time at which a variant is let in again.
    pub fn next_release(&self, guard: &SplitGuard, now: Moment) -> Option<Moment> {
        let ends = self.challengers.iter().filter_map(|challenger| challenger.until(guard));
        ends.filter(|until| *until > now).min()
    }

    /// Takes in a bad event.
    pub fn apply(&mut self, bad: &Bad<'_>, setting: &Setting<'_>) -> Applied {
        let guard = bad.guard;
        let mut applied = Applied::default();
        for (kind, is) in Kind::ALL.into_iter().zip(bad.kinds) {
            let Some(seen) = self.seen.get_mut(kind as usize) else { continue };
            if !is || !seen.insert(bad.user) {
                continue;
            }
            if !applied.changed {
                self.expose(setting.exposures);
            }
            applied.changed = true;
            applied.new_bad_key |= kind == Kind::Errors;
            let trips = guard.judged.iter().zip(&mut self.challengers).filter_map(
                |(variant, challenger)| {
                    let exposed = Share::of(|id| self.exposures[id], *variant, guard.baseline);
                    let weights = Share::of(|id| setting.weights.of(id), *variant, guard.baseline);
                    let share = exposed.larger(weights)?;
                    challenger.judge(kind, *variant, share, bad, setting.now)
                },
            );
            applied.trips.extend(trips);
        }
        applied
    }

    /// Adds exposures.
    fn expose(&mut self, more: &[Cell<u32>]) {
        for (sum, more) in self.exposures.iter_mut().zip(more) {
            *sum = sum.saturating_add(more.get().into());
        }
        let all =
            |list: &List<VariantId, u64>| list.iter().fold(0_u64, |a, b| a.saturating_add(*b));
        while all(&self.exposures) > EXPOSURES {
            self.exposures.iter_mut().for_each(|sum| *sum /= 2);
        }
    }
}

impl Challenger {
    /// When it is let in again; `None` where it never tripped, or waits for another policy.
    fn until(&self, guard: &SplitGuard) -> Option<Moment> {
        let doubled = self.trips.checked_sub(1)?.min(DOUBLINGS);
        let time = guard.release?.get().saturating_mul(1 << doubled);
        Some(Moment::new(self.since).after(Millis::new(time)))
    }

    fn is_out(&self, guard: &SplitGuard, now: Moment) -> bool {
        self.trips > 0 && self.until(guard).is_none_or(|until| now < until)
    }

    /// A bad event of a kind: one of its own, one of the baseline, or of somebody else.
    fn judge(
        &mut self,
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
        if !(own || bad.variant == guard.baseline) || self.is_out(guard, now) {
            return None;
        }
        let evidence = self.evidence.get_mut(kind as usize)?;
        let count = if own { &mut evidence.own } else { &mut evidence.baseline };
        *count = count.saturating_add(1);
        for (sum, Step { up, down }) in evidence.sums.iter_mut().zip(Step::all(permitted, share)) {
            *sum = if own { sum.saturating_add(up) } else { sum.saturating_sub(down) };
        }
        if evidence.sums.iter().all(|sum| *sum < guard.alarm) {
            if evidence.sums == [0; ALTERNATIVES.len()] {
                *evidence = Evidence::default();
            }
            return None;
        }
        let (users, baseline_users) = (evidence.own, evidence.baseline);
        // When it is let in again it is half way to the next trip.
        let half = Evidence { sums: [guard.alarm / 2; ALTERNATIVES.len()], ..Evidence::default() };
        self.evidence = Kind::ALL.map(|_| half.clone());
        self.trips = self.trips.saturating_add(1);
        self.since = now.get();
        Some(Trip { variant, kind, users, baseline_users, share, until: self.until(guard) })
    }
}

impl Share {
    fn of(part: impl Fn(VariantId) -> u64, variant: VariantId, baseline: VariantId) -> Self {
        Self { variant: part(variant), baseline: part(baseline) }
    }
}
