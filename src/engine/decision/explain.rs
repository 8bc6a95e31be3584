//! A judgement step by step, for people.

use super::{Decision, Observer};
use crate::matching::{self, Match, Request};
use crate::plan::hash::Hash;
use crate::plan::{Draw, Race};

/// What happened in each split, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Explanation {
    /// One list of steps for each split of the plan.
    pub splits: Vec<Vec<Step>>,
}

/// One step of a judgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The entry of the match list that holds.
    Matched {
        /// Its index.
        entry: usize,
    },
    /// No entry holds; the condition of each that failed first.
    Unmatched {
        /// In words, one for each entry.
        unmet: Vec<String>,
    },
    /// No key source had a key.
    NoKey,
    /// A key was found.
    Key {
        /// Index of its source.
        source: usize,
        /// The key.
        key: Vec<u8>,
        /// The user's number 0..9999.
        bucket: u16,
    },
    /// What each variant with a weight drew.
    Race(Vec<Draw>),
    /// The outcome; without it the split does not apply.
    Decided(Decision),
}

impl Explanation {
    /// The decisions, in order: equal to what [`crate::plan::Plan::decide`] gives.
    pub fn decisions(&self) -> impl Iterator<Item = Decision> {
        self.splits.iter().flatten().filter_map(|step| match step {
            Step::Decided(decision) => Some(*decision),
            _ => None,
        })
    }

    fn push(&mut self, step: Step) {
        if let Some(steps) = self.splits.last_mut() {
            steps.push(step);
        }
    }
}

impl Observer for Explanation {
    fn split(&mut self, _split: usize) {
        self.splits.push(Vec::new());
    }

    fn matches<R: Request + ?Sized>(&mut self, list: &[Match], request: &R) -> bool {
        let mut unmet = Vec::new();
        for (entry, conditions) in list.iter().enumerate() {
            match conditions.unmet(request) {
                None => self.push(Step::Matched { entry }),
                Some(condition) => {
                    unmet.push(condition.to_string());
                    continue;
                }
            }
            break;
        }
        if unmet.len() == list.len() {
            self.push(Step::Unmatched { unmet });
        }
        matching::any(list, request)
    }

    fn no_key(&mut self) {
        self.push(Step::NoKey);
    }

    fn key(&mut self, source: usize, key: &[u8], hash: Hash) {
        self.push(Step::Key { source, key: key.to_vec(), bucket: hash.bucket() });
    }

    fn race(&mut self, race: &Race, h2: u64) {
        self.push(Step::Race(race.draws(h2).collect()));
    }

    fn decided(&mut self, decision: Decision) {
        self.push(Step::Decided(decision));
    }
}
