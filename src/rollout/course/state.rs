//! Where a rollout stands: everything that was seen, done and ordered, folded into what decisions hang on.

use std::num::NonZeroU32;

use engine::policy::Weight;
use serde::{Deserialize, Serialize};

use super::decision::{Decision, End};
use super::seen::{Counted, Seen};
use super::watch::{At, Gate, Watch};
use crate::assignments::Assignments;
use crate::counts::Counter;
use crate::file::{Facts, Rollout};

/// So many workers a proxy is taken to have.
const WORKERS: u32 = 16;

/// What somebody wants, from another terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The next step may come.
    Approve,
    /// No step until `resume`.
    Pause,
    /// Go on.
    Resume,
    /// Back to 0, and the end.
    Abort,
}

/// Where a rollout stands.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// What the policy says of the weights.
    pub facts: Facts,
    /// The step in force or being applied; `None` = none yet, or gone back to before the first.
    pub step: Option<usize>,
    /// The challenger's weight that is in force.
    pub weight: Weight,
    /// The hash of the policy as the rollout left it.
    pub policy: String,
    /// When the step was applied, in milliseconds since 1970.
    pub applied: u64,
    /// When every proxy had it: the step's clock.
    pub clock: Option<u64>,
    /// The last step that was proven.
    pub proven: Option<usize>,
    /// Somebody approved of the next step.
    pub approved: bool,
    /// Somebody paused it, or it went back.
    pub paused: bool,
    /// Somebody aborted it.
    pub aborted: bool,
    /// A move that is decided and not yet done.
    pub moving: Option<Move>,
    /// Hashes that moves which were given up may have left in the policy's file.
    pub left: Vec<String>,
    /// How it ends when the move is done.
    pub going_back: Option<End>,
    /// How it ended.
    pub ended: Option<End>,
    /// The challenger's weight before the one in force: until the clock starts some proxies may have it.
    before: Weight,
    /// How often the rollout stood at a weight that is judged.
    visits: u64,
    pub(super) errors: Option<Watch>,
    pub(super) slow: Option<Watch>,
    pub(super) spread: Option<Spread>,
}

/// A move to another weight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Move {
    /// The step, from 0; `None` = before the first.
    pub step: Option<usize>,
    /// The challenger's weight in units of 0.0001.
    pub weight: u64,
    /// The hash that the policy has then.
    pub policy: String,
}

/// How users are spread, in a step.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spread {
    counters: [Counter; 2],
    judge: Assignments,
}

impl State {
    /// Before the first step.
    pub fn new(rollout: &Rollout, facts: Facts, policy: String, now: u64) -> Self {
        let weight = facts.challenger_weight;
        let mut state = Self {
            facts,
            step: None,
            weight,
            policy,
            applied: now,
            clock: None,
            proven: None,
            approved: false,
            paused: false,
            aborted: false,
            moving: None,
            left: Vec::new(),
            going_back: None,
            ended: None,
            before: weight,
            visits: 0,
            errors: None,
            slow: None,
            spread: None,
        };
        state.watch_anew(rollout);
        state
    }

    /// New judges, for a new weight.
    fn watch_anew(&mut self, rollout: &Rollout) {
        let gates = &rollout.gates;
        self.visits = self.visits.saturating_add(u64::from(!self.weight.is_zero()));
        let visit = self.visits.max(1);
        self.errors = Watch::new(rollout, Gate::Errors, gates.errors, visit);
        self.slow = gates.slow.and_then(|slow| Watch::new(rollout, Gate::Slow, slow.limit, visit));
        self.spread = None;
    }

    /// The gates that judge by evidence.
    pub fn watches(&self) -> impl Iterator<Item = &Watch> {
        self.errors.iter().chain(&self.slow)
    }

    /// Whether there are two to compare at this weight.
    pub fn compares(&self) -> bool {
        !self.weight.is_zero() && self.facts.baseline_at(self.weight).is_some_and(|b| !b.is_zero())
    }

    /// Whether users are proven to be spread in another way than the weights say.
    pub fn is_mismatch(&self) -> bool {
        self.spread.as_ref().is_some_and(|spread| spread.judge.is_mismatch())
    }

    /// Takes in what is seen.
    pub fn see(&mut self, rollout: &Rollout, seen: &Seen, now: u64) {
        let everywhere = self.moving.is_none()
            && seen.proxies.are_current()
            && seen.policy.as_deref() == Some(&self.policy);
        if everywhere && self.clock.is_none() {
            self.clock = Some(now);
        }
        let Counted::Counts { errors, users, slow, keys, .. } = &seen.counted else { return };
        let share = self.facts.share_at(self.weight);
        let before = self.facts.share_at(self.before);
        let at = At {
            share,
            most: if self.clock.is_some() { share } else { share.max(before) },
            everywhere: self.clock.is_some(),
            users: *users,
            same: !users || keys.is_some(),
        };
        if let Some(watch) = &mut self.errors {
            watch.look(at, *errors);
        }
        if let (Some(watch), Some(slow)) = (&mut self.slow, slow) {
            watch.look(At { users: false, same: true, ..at }, *slow);
        }
        if let (Some(keys), true, true) = (keys, rollout.gates.sample_ratio, at.everywhere) {
            self.see_spread(*keys, seen.proxies.all);
        }
    }

    fn see_spread(&mut self, keys: [u64; 2], proxies: u32) {
        let weights = self.facts.baseline_at(self.weight).map(|baseline| [baseline, self.weight]);
        let Some(weights) = weights else { return };
        let spread = match &mut self.spread {
            Some(spread) => spread,
            none => {
                let weights = weights.map(Weight::units);
                // Each worker of each proxy counts a user for itself: the same few thousand users a hundred times over are
                // no evidence that more would be spread as they are.
                let workers = NonZeroU32::MIN.saturating_add(proxies.saturating_mul(WORKERS));
                let Ok(judge) = Assignments::new(&weights, workers) else { return };
                none.insert(Spread { counters: [Counter::RUNNING; 2], judge })
            }
        };
        let [first, second] = &mut spread.counters;
        let new = [first.advance(keys[0]), second.advance(keys[1])];
        let _as_many_as_weights = spread.judge.look(&new);
    }

    /// Takes in what was decided.
    pub fn decided(&mut self, decision: &Decision, to: Option<Move>) {
        if let Decision::Advance { .. } = decision {
            self.approved = false;
            self.proven = self.step.or(self.proven);
        }
        if let Decision::Retreat { .. } = decision {
            // Whoever approved meant what came after the step that was not proven.
            (self.paused, self.approved) = (true, false);
        }
        if let Decision::Ended { end } = decision {
            self.ended = Some(*end);
            if *end == End::Done {
                self.proven = self.step.or(self.proven);
            }
        }
        self.going_back = match decision {
            Decision::Rollback { why } => Some(why.end()),
            _ => self.going_back,
        };
        if !matches!(decision, Decision::Hold { .. }) {
            // What is given up may be in the file already: killed or refused on its way to the proxies.
            self.left.extend(self.moving.take().map(|given_up| given_up.policy));
            self.moving = to;
        }
    }

    /// The hashes that the policy's file may have without anybody else's doing.
    pub fn ours(&self) -> impl Iterator<Item = &String> {
        let moving = self.moving.iter().map(|to| &to.policy);
        std::iter::once(&self.policy).chain(moving).chain(&self.left)
    }

    /// Takes in that the move was done.
    pub fn moved(&mut self, rollout: &Rollout, now: u64) {
        let Some(done) = self.moving.take() else { return };
        self.step = done.step;
        self.before = self.weight;
        self.weight = Weight::from_units(done.weight).unwrap_or(self.weight);
        self.policy = done.policy;
        self.left.clear();
        self.applied = now;
        self.clock = None;
        self.watch_anew(rollout);
        self.ended = self.going_back.or(self.ended);
    }

    /// Takes in an order.
    pub const fn ordered(&mut self, order: Order) {
        match order {
            Order::Approve => self.approved = true,
            Order::Pause => self.paused = true,
            Order::Resume => self.paused = false,
            Order::Abort => self.aborted = true,
        }
    }
}
