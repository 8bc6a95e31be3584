//! Carries a rollout out: looks, decides, writes the decision down, does it, writes that down. Killed at any moment and
//! begun again from its log, it goes on where it was.
//!
//! What is to be done is in the log before it is done, and with the hash that the policy has then: whoever begins again
//! does it (again), which is the same as doing it once.

use std::fmt::Display;

use engine::policy::{Value, Weight};

use crate::course::{Decision, Move, Seen, State, decide};
use crate::file::{self, Rollout};
use crate::log::{Broken, Entry, Evidence, Look, Started, What};

/// What a rollout needs of the world around it.
pub trait World {
    /// Why something could not be done.
    type Error: Display;

    /// The time, in milliseconds since 1970.
    fn now(&mut self) -> u64;

    /// Looks at policy, proxies and counts. What cannot be seen is said so, and is no error.
    fn see(&mut self, state: &State) -> Seen;

    /// The hash that the policy has with this weight of the challenger.
    ///
    /// # Errors
    /// When the policy cannot be read, or would not be valid.
    fn hash_at(&mut self, weight: Weight) -> Result<String, Self::Error>;

    /// Writes this weight into the policy, if its hash is one of those, and has the proxies told. Doing it twice is doing it
    /// once.
    ///
    /// # Errors
    /// When it cannot be done, also because somebody else has changed the policy.
    fn apply(&mut self, weight: Weight, over: &[String]) -> Result<(), Self::Error>;

    /// Nobody else adds to the log until `unlock`.
    ///
    /// # Errors
    /// When the log is not there any more.
    fn lock(&mut self) -> Result<(), Self::Error>;

    /// Others may add to the log again.
    fn unlock(&mut self);

    /// What others have added since the last call.
    ///
    /// # Errors
    /// When the log cannot be read, or was changed.
    fn added(&mut self) -> Result<Vec<Entry>, Self::Error>;

    /// Adds to the log, for good.
    ///
    /// # Errors
    /// When it cannot be written.
    fn add(&mut self, at: u64, what: What) -> Result<(), Self::Error>;
}

/// A rollout, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Driver {
    rollout: Rollout,
    state: State,
    /// Why the last move failed, so that it is told once.
    failed: Option<String>,
}

impl Driver {
    /// Takes up a rollout where its log ends. Every decision in it is made again on the way.
    ///
    /// # Errors
    /// The first entry that cannot be, or whose decision is not the one that is made now.
    pub fn of_log(entries: &[Entry]) -> Result<Self, Broken> {
        let broken = |line: usize, why: &str| Broken { line, why: why.to_owned() };
        let mut entries = entries.iter().enumerate();
        let Some((_, Entry { at, what: What::Started(started), .. })) = entries.next() else {
            return Err(broken(1, "a log begins with `started`"));
        };
        let mut driver = Self::start(started, *at).map_err(|why| Broken { line: 1, why })?;
        for (number, entry) in entries {
            let line = number.saturating_add(1);
            driver.fold(entry).map_err(|why| Broken { line, why })?;
        }
        Ok(driver)
    }

    /// Begins.
    ///
    /// # Errors
    /// When what is written there is no rollout.
    pub fn start(started: &Started, at: u64) -> Result<Self, String> {
        let document: Value =
            serde_json::from_value(started.rollout.clone()).map_err(|error| error.to_string())?;
        let rollout = file::read(&document)
            .map_err(|problems| problems.first().map_or_else(String::new, ToString::to_string))?;
        let facts = started.facts().ok_or("its weights cannot be")?;
        let state = State::new(&rollout, facts, started.policy.clone(), at);
        Ok(Self { rollout, state, failed: None })
    }

    /// The rollout.
    pub const fn rollout(&self) -> &Rollout {
        &self.rollout
    }

    /// Where it stands.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Takes in one entry of the log; a decision in it is made again.
    fn fold(&mut self, entry: &Entry) -> Result<(), String> {
        match &entry.what {
            What::Started(_) => return Err("a rollout starts once".to_owned()),
            What::Look(look) => {
                self.state.see(&self.rollout, &look.seen, entry.at);
                let decision = decide(&self.rollout, &self.state, &look.seen, entry.at);
                if decision != look.decision {
                    let logged = &look.decision;
                    return Err(format!(
                        "it says `{logged}`, and what was seen means `{decision}`"
                    ));
                }
                if self.evidence() != look.evidence {
                    return Err("its evidence is not that of what was seen".to_owned());
                }
                let weight = self.weight_of(&decision);
                if weight.map(|(_, weight)| weight.units()) != look.to.as_ref().map(|to| to.weight)
                {
                    return Err("its move is not that of its decision".to_owned());
                }
                self.state.decided(&decision, look.to.clone());
            }
            What::Moved { policy } => {
                if self.state.moving.as_ref().is_none_or(|to| to.policy != *policy) {
                    return Err("nothing was decided that was done here".to_owned());
                }
                self.state.moved(&self.rollout, entry.at);
            }
            What::Failed { .. } => {}
            What::Order { order, .. } => self.state.ordered(*order),
        }
        Ok(())
    }

    /// Looks once, decides, and does it.
    ///
    /// # Errors
    /// When the log cannot be read or written. Whatever else goes wrong is in the log, and tried again.
    pub fn tick<W: World>(&mut self, world: &mut W) -> Result<Decision, W::Error> {
        if self.state.moving.is_some() {
            self.do_it(world)?;
        }
        let seen = world.see(&self.state);
        world.lock()?;
        let decided = self.decide(world, seen);
        world.unlock();
        let decision = decided?;
        if self.state.moving.is_some() && !matches!(decision, Decision::Hold { .. }) {
            self.do_it(world)?;
        }
        Ok(decision)
    }

    fn decide<W: World>(&mut self, world: &mut W, seen: Seen) -> Result<Decision, W::Error> {
        for entry in world.added()? {
            if let What::Order { order, .. } = entry.what {
                self.state.ordered(order);
            }
        }
        let now = world.now();
        let mut state = self.state.clone();
        state.see(&self.rollout, &seen, now);
        let decision = decide(&self.rollout, &state, &seen, now);
        let to = match self.weight_of(&decision) {
            None => None,
            Some((step, weight)) => match world.hash_at(weight) {
                Ok(policy) => Some(Move { step, weight: weight.units(), policy }),
                Err(why) => {
                    // Then it is as if nobody had looked. The next look tries again.
                    self.tell(world, now, why.to_string())?;
                    return Ok(Decision::Hold { why: crate::course::Held::Applying });
                }
            },
        };
        self.state = state;
        let look =
            Look { seen, evidence: self.evidence(), decision: decision.clone(), to: to.clone() };
        world.add(now, What::Look(look))?;
        self.state.decided(&decision, to);
        Ok(decision)
    }

    /// Does what was decided.
    fn do_it<W: World>(&mut self, world: &mut W) -> Result<(), W::Error> {
        let Some(to) = self.state.moving.clone() else { return Ok(()) };
        let over: Vec<String> = self.state.ours().cloned().collect();
        let weight = Weight::from_units(to.weight).unwrap_or_default();
        let done = world.apply(weight, &over);
        let now = world.now();
        match done {
            Ok(()) => {
                self.failed = None;
                world.add(now, What::Moved { policy: to.policy })?;
                self.state.moved(&self.rollout, now);
                Ok(())
            }
            Err(why) => self.tell(world, now, why.to_string()),
        }
    }

    fn tell<W: World>(&mut self, world: &mut W, now: u64, why: String) -> Result<(), W::Error> {
        if self.failed.as_ref() == Some(&why) {
            return Ok(());
        }
        self.failed = Some(why.clone());
        world.add(now, What::Failed { why })
    }

    /// The step and weight that a decision means.
    fn weight_of(&self, decision: &Decision) -> Option<(Option<usize>, Weight)> {
        let of_step = |step: usize| self.rollout.steps.get(step).map(|step| step.weight);
        match decision {
            Decision::Advance { step } => Some((Some(*step), of_step(*step)?)),
            Decision::Retreat { step: Some(step) } => Some((Some(*step), of_step(*step)?)),
            Decision::Retreat { step: None } => Some((None, self.state.facts.challenger_weight)),
            Decision::Rollback { .. } => Some((None, Weight::default())),
            Decision::Hold { .. } | Decision::Ended { .. } => None,
        }
    }

    /// The evidence of all gates.
    pub fn evidence(&self) -> Vec<Evidence> {
        let of = |watch: &crate::course::Watch| {
            let (harm, safe) = watch.figures();
            Evidence {
                gate: watch.gate(),
                harm: harm.harm.log_evidence,
                harm_at: harm.harm.log_threshold,
                safe: safe.as_ref().map(|figures| figures.safe.log_evidence),
                safe_at: safe.as_ref().map(|figures| figures.safe.log_threshold),
            }
        };
        self.state.watches().map(of).collect()
    }
}

#[cfg(test)]
mod timelines;
