//! What is known of the challenger at one weight: a judge for each gate, from the counts of one step.
//!
//! Harm. Evidence that sank while all was well would have to be climbed back when something breaks. Hence a new judge
//! begins whenever it has sunk, and the k-th of a step is asked for k (k + 1) times as much. With P steps in the file the
//! v-th time that the rollout stands at a weight is asked for (P + v - 1) (P + v) / P times as much: a step may come again,
//! after a retreat. Both sums of 1 over these are 1, so all judges of all weights and gates together are wrong for at most
//! `alpha` of healthy rollouts (union bound).
//!
//! Safety. One judge for each step, which begins when every proxy is seen to have the step's weights: a step is passed by
//! what came after that. A challenger that is worse than permitted at some step passes that one, each time that the
//! rollout stands there, with at most `alpha`.

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
    /// So many times as sure of harm as `alpha` says the first judge has to be: others judge, too.
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
    /// How many looks there were. They are told apart by that, and not by their time: clocks go back.
    looks: u64,
    /// Since the clock began.
    seen: Delta,
}

/// Where a look stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct At {
    /// The challenger's configured part of both, 0 to 1.
    pub(super) share: f64,
    /// The largest that it may still have at some proxy.
    pub(super) most: f64,
    /// Whether every proxy has the step's weights.
    pub(super) everywhere: bool,
    /// Whether users are counted, each once, and not requests.
    pub(super) users: bool,
    /// Whether the good ones are counted in the same way as the bad ones.
    pub(super) same: bool,
}

impl Watch {
    /// Of a gate, before any look, where the rollout stands at a weight for the `visit`-th time, from 1.
    pub(super) fn new(rollout: &Rollout, gate: Gate, limit: Limit, visit: u64) -> Option<Self> {
        let bounds = Bounds::new(limit.ratio, limit.part, rollout.gates.alpha).ok()?;
        let gates = if rollout.gates.slow.is_some() { 2 } else { 1 };
        let planned = u64::try_from(rollout.steps.len()).ok().filter(|steps| *steps > 0)?;
        let after = planned.saturating_add(visit);
        let visits = after.saturating_sub(1).saturating_mul(after).div_ceil(planned);
        let others = u32::try_from(visits.saturating_mul(gates)).unwrap_or(u32::MAX);
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
            looks: 0,
            seen: Delta::NONE,
        })
    }

    /// Its gate.
    pub const fn gate(&self) -> Gate {
        self.gate
    }

    /// Takes in what is counted now. Counts that make no sense count for nothing.
    pub(super) fn look(&mut self, at: At, pair: Pair) {
        if self.users.replace(at.users).is_some_and(|before| before != at.users) {
            (self.counts, self.safe, self.seen) = (running(), None, Delta::NONE);
        }
        self.looks = self.looks.saturating_add(1);
        let Ok(Some(deltas)) = self.counts.look(self.looks, &[pair.baseline, pair.challenger])
        else {
            return;
        };
        let [baseline, challenger] = deltas.as_slice() else { return };
        let (baseline, challenger) = (*baseline, *challenger);
        let events = baseline.total().saturating_add(challenger.total());
        let observed = challenger.total() as f64 / events.max(1) as f64;
        // Harm is shown falsely where the share is taken too small. Busy users make that of requests larger than their
        // share, and not every proxy may have the weights yet.
        let share = if at.users && events > 0 { observed.max(at.most) } else { observed };
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
        let Some(safe) = &mut self.safe else {
            // What came until now came in part at the weights before. Of users, whose share is taken from the weights, a
            // rise would make that look safe.
            self.safe = Some(Judge::new(bounds, NonZeroU32::MIN));
            return;
        };
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

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(visit: u64) -> Watch {
        let document = r#"{"version": 1, "policy": "p", "split": "s", "challenger": "c", "steps": [{"weight": 5, "for": "1s"},
            {"weight": 50, "for": "1s"}], "counts": {"prometheus": "http://a"}}"#;
        let rollout = crate::file::read(&serde_json::from_str(document).unwrap()).unwrap();
        Watch::new(&rollout, Gate::Errors, rollout.gates.errors, visit).unwrap()
    }

    const USERS: At = At { share: 0.5, most: 0.5, everywhere: true, users: true, same: true };

    fn pair(baseline: (u64, u64), challenger: (u64, u64)) -> Pair {
        let reading = |(total, bad)| Reading { total, bad };
        Pair { baseline: reading(baseline), challenger: reading(challenger) }
    }

    #[test]
    fn what_came_at_the_weights_before_is_no_proof_that_the_step_is_safe() {
        let mut watch = watch(1);
        watch.look(At { everywhere: false, ..USERS }, pair((0, 0), (0, 0)));
        // At 5 percent, of a challenger that fails twice as often, while the policy says 50 already.
        watch.look(USERS, pair((9_500, 95), (500, 10)));
        assert_eq!((watch.verdict(), watch.seen()), (Verdict::Early, Delta::NONE));
        watch.look(USERS, pair((14_500, 145), (5_500, 60)));
        assert_eq!(watch.seen(), Delta::new(5_000, 50).unwrap());
    }

    #[test]
    fn users_of_a_larger_weight_before_are_no_harm() {
        let mut watch = watch(2);
        let down = At { share: 0.05, most: 0.5, everywhere: false, ..USERS };
        watch.look(down, pair((0, 0), (0, 0)));
        // No new users, and as many failures of each: half of the requests are still the challenger's.
        watch.look(down, pair((400, 30), (20, 30)));
        assert_eq!(watch.verdict(), Verdict::Early);
    }

    /// What `alpha` is split into: over visits, judges of a visit and gates no more than 1.
    #[test]
    fn all_judges_of_harm_together_have_no_more_than_alpha_however_often_a_step_comes_again() {
        let visits: f64 = (1..1_000).map(|visit| 1.0 / f64::from(watch(visit).others.get())).sum();
        assert!(visits <= 1.0 && visits > 0.9, "{visits}");
        let of_one =
            (1..10_000).map(|number| 1.0 / f64::from(asked(NonZeroU32::MIN, number).get()));
        let of_one: f64 = of_one.sum();
        assert!(of_one <= 1.0 && of_one > 0.99, "{of_one}");
    }

    #[test]
    fn a_challenger_that_breaks_after_a_long_healthy_time_is_found_as_soon_as_a_new_one() {
        let looks = |healthy: u64| {
            let mut watch = watch(1);
            let (mut base, mut own) = (0, 0);
            for _ in 0..healthy {
                (base, own) = (base + 1, own + 1);
                watch.look(USERS, pair((base * 100, base), (own * 100, own)));
            }
            let begin = own;
            while watch.verdict() != Verdict::Harm {
                (base, own) = (base + 1, own + 10);
                watch.look(USERS, pair((base * 100, base), (base * 100, own)));
            }
            (own - begin) / 10
        };
        let (long, short) = (looks(2_000), looks(2));
        // A healthy week costs some more bad events, and not its length.
        assert!(long <= short + 10, "{long} and {short}");
    }
}
