//! What is known of the challenger at one weight: a judge for each gate, from the counts of one step.
//!
//! Harm. Evidence that sank while all was well would have to be climbed back when something breaks. Hence a new judge
//! begins whenever it has sunk, and the k-th of a step is asked for k (k + 1) times as much: as the sum of 1 / (k (k + 1))
//! is 1, all judges of all steps and gates together are wrong for at most `alpha` of healthy rollouts (union bound).
//!
//! Safety. One judge for each step, which begins when every proxy has the step's weights: a step is passed by what was
//! seen at its own weight. A challenger that is worse than permitted at some step passes that one with at most `alpha`.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::counts::{Counter, Counts, Delta, Reading, Scraped};
use crate::file::{Limit, Rollout};
use crate::verdict::{Bounds, Figures, Judge, Verdict};

/// A gate that judges by evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// Errors.
    Errors,
    /// Slow responses.
    Slow,
}

/// What was counted of both, cumulative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// Of the baseline.
    pub baseline: Reading,
    /// Of the challenger.
    pub challenger: Reading,
}

/// Below this, harm's evidence is begun anew: a factor of about 20.
const SUNK: f64 = -3.0;

/// The judges of one gate in one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    gate: Gate,
    bounds: Bounds,
    /// For so many steps and gates harm is judged.
    others: NonZeroU32,
    /// Which judge of harm this is, from 1.
    number: u32,
    harm: Judge,
    /// `None` until every proxy has the weights.
    safe: Option<Judge>,
    is_harm: bool,
    /// What is counted: another kind of count begins anew.
    users: Option<bool>,
    counts: Counts,
    /// Since the clock began.
    seen: Delta,
}

/// Where a look stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct At {
    /// When, in milliseconds since 1970.
    pub(super) time: u64,
    /// The challenger's configured part of both, 0 to 1.
    pub(super) share: f64,
    /// Whether every proxy has the step's weights.
    pub(super) everywhere: bool,
    /// Whether users are counted, each once, and not requests.
    pub(super) users: bool,
    /// Whether the good ones are counted in the same way as the bad ones.
    pub(super) same: bool,
}

impl Watch {
    /// Of a gate, before any look.
    pub(super) fn new(rollout: &Rollout, gate: Gate, limit: Limit) -> Option<Self> {
        let bounds = Bounds::new(limit.ratio, limit.part, rollout.gates.alpha).ok()?;
        let gates = if rollout.gates.slow.is_some() { 2 } else { 1 };
        let others = u32::try_from(rollout.steps.len().saturating_mul(gates)).ok()?;
        let others = NonZeroU32::new(others)?;
        Some(Self {
            gate,
            bounds,
            others,
            number: 1,
            harm: Judge::new(bounds, asked(others, 1)),
            safe: None,
            is_harm: false,
            users: None,
            // Two metrics are two families of a scrape: one may be a moment older.
            counts: running(),
            seen: Delta::NONE,
        })
    }

    /// Its gate.
    pub const fn gate(&self) -> Gate {
        self.gate
    }

    /// Takes in what is counted now. Counts that make no sense (a time that goes back) count for nothing.
    pub(super) fn look(&mut self, at: At, pair: Pair) {
        if self.users.replace(at.users).is_some_and(|before| before != at.users) {
            (self.counts, self.safe, self.seen) = (running(), None, Delta::NONE);
        }
        let Ok(Some(deltas)) = self.counts.look(at.time, &[pair.baseline, pair.challenger]) else {
            return;
        };
        let [baseline, challenger] = deltas.as_slice() else { return };
        let (baseline, challenger) = (*baseline, *challenger);
        let events = baseline.total().saturating_add(challenger.total());
        let observed = challenger.total() as f64 / events.max(1) as f64;
        // Harm is shown falsely where the share is taken too small. Busy users make that of requests larger than their
        // share, and not every proxy may have the weights yet.
        let share = if at.users && events > 0 { observed.max(at.share) } else { observed };
        if share < 1.0 {
            self.harm.look_at_share(baseline, challenger, share);
        }
        self.is_harm |= self.harm.verdict() == Verdict::Harm;
        if !self.is_harm && self.harm.figures().harm.log_evidence < SUNK {
            self.number = self.number.saturating_add(1);
            self.harm = Judge::new(self.bounds, asked(self.others, self.number));
        }
        if !at.everywhere {
            return;
        }
        // A part of users, over all responses, would be far too small.
        let relative = Bounds::new(self.bounds.errors_ratio(), None, self.bounds.alpha());
        let bounds = if at.same { self.bounds } else { relative.unwrap_or(self.bounds) };
        let safe = self.safe.get_or_insert_with(|| Judge::new(bounds, NonZeroU32::MIN));
        self.seen = self.seen.plus(challenger);
        // Of users, each has a variant by the weights, whatever requests there are.
        safe.look_at_share(baseline, challenger, if at.users { at.share } else { observed });
    }

    /// What is proven.
    pub fn verdict(&self) -> Verdict {
        let is_safe = |judge: &Judge| judge.figures().safe.proven_at.is_some();
        match (self.is_harm, self.safe.as_ref().is_some_and(is_safe)) {
            (true, _) => Verdict::Harm,
            (false, true) => Verdict::Safe,
            (false, false) => Verdict::Early,
        }
    }

    /// The challenger's events at the step's weight.
    pub const fn seen(&self) -> Delta {
        self.seen
    }

    /// The figures: of harm, and of safety once every proxy has the weights.
    pub fn figures(&self) -> (Figures, Option<Figures>) {
        (self.harm.figures(), self.safe.as_ref().map(Judge::figures))
    }
}

fn running() -> Counts {
    Counts::new(2, Counter::RUNNING, Scraped::Apart)
}

/// How much surer of harm the k-th judge has to be.
fn asked(others: NonZeroU32, number: u32) -> NonZeroU32 {
    let times = number.saturating_mul(number.saturating_add(1));
    others.saturating_mul(NonZeroU32::new(times).unwrap_or(NonZeroU32::MAX))
}
