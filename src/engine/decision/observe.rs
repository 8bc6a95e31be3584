//! Who watches a judgement. The empty methods inline away when nobody explains.

use super::Decision;
use crate::matching::{self, Match, Request};
use crate::plan::Race;
use crate::plan::hash::Hash;

/// Sees each step of a judgement.
pub trait Observer {
    /// A split is about to be judged.
    fn split(&mut self, _split: usize) {}

    /// Judges who takes part; an observer may look closer, but the answer is that of
    /// [`matching::any`].
    fn matches<R: Request + ?Sized>(&mut self, list: &[Match], request: &R) -> bool {
        matching::any(list, request)
    }

    /// No key source had a key.
    fn no_key(&mut self) {}

    /// This source gave this key, with this hash.
    fn key(&mut self, _source: usize, _key: &[u8], _hash: Hash) {}

    /// The weights are about to decide.
    fn race(&mut self, _race: &Race, _h2: u64) {}

    /// The split applies.
    fn decided(&mut self, decision: Decision);
}

/// The observer that only wants the decisions.
impl<F: FnMut(Decision)> Observer for F {
    fn decided(&mut self, decision: Decision) {
        self(decision);
    }
}
