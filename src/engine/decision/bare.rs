//! The facts of a bare key: a user of whom nothing else is known, whose request is as a split wants
//! it. So the same judgement tells what a policy does to a population.

use super::Context;
use super::facts::{Facts, Found, Key, Whose};
use super::force::Forced;
use super::key::Bytes;
use crate::hash::Hash;
use crate::ids::{CookieSlot, KeyId, SaltId, SplitId};
use crate::matching::{Unmet, exclude_each_other};
use crate::plan::{Asked, Plan};

/// A split that is asked about users, and those that must be judged with it.
///
/// The question is: what does a user get in this split whose request meets its `match`? Earlier
/// splits that it requires apply, too, or nobody would have it. Earlier splits of its layer take
/// users away where their `match` can hold together with its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Population {
    asked: SplitId,
    /// In the order of the policy; the last is the split that is asked.
    judged: Vec<SplitId>,
}

impl Population {
    /// The users of a split.
    pub fn of(plan: &Plan, asked: SplitId) -> Self {
        let mut judged = vec![asked];
        let mut next = 0;
        while let Some(id) = judged.get(next).copied() {
            next = next.saturating_add(1);
            let split = &plan.policy.splits[id];
            let required = split.requires.iter().map(|required| required.split);
            let before = plan.policy.splits.pairs().take_while(|(earlier, _)| *earlier < id);
            let beside = before.filter(|(_, earlier)| {
                split.layer.is_some() && earlier.layer == split.layer && {
                    let (own, other) = (split.matches.as_deref(), earlier.matches.as_deref());
                    !exclude_each_other(own, other)
                }
            });
            for other in required.chain(beside.map(|(earlier, _)| earlier)) {
                if !judged.contains(&other) {
                    judged.push(other);
                }
            }
        }
        judged.sort_unstable();
        Self { asked, judged }
    }

    /// The splits that are judged, in order: the last is the one that is asked.
    pub fn judged(&self) -> &[SplitId] {
        &self.judged
    }

    /// The split that is asked.
    pub const fn asked(&self) -> SplitId {
        self.asked
    }
}

/// The facts of a bare key.
#[derive(Debug)]
pub struct KeyFacts<'f> {
    plan: &'f Plan,
    population: &'f Population,
    key: Option<Key<'f>>,
}

impl<'f> KeyFacts<'f> {
    /// A user of this key; with an empty one, a user without a key.
    pub fn new(plan: &'f Plan, population: &'f Population, key: &'f [u8]) -> Self {
        let bytes = Bytes::Sent(key.into());
        let key = (!key.is_empty()).then_some(Key { source: 0, generated: false, bytes });
        Self { plan, population, key }
    }
}

impl Facts for KeyFacts<'_> {
    fn candidates(&self, _plan: &Plan, _all: bool, judge: impl FnMut(SplitId)) {
        self.population.judged.iter().copied().for_each(judge);
    }

    fn forced<'f>(&'f self, _plan: &'f Plan) -> Forced<'f> {
        Forced::Nothing
    }

    /// The request is as every split wants it, and as no override does.
    fn unmet<'p>(&self, whose: Whose, _asked: Asked<'p>) -> Option<Unmet<'p>> {
        (whose == Whose::Override).then_some(Unmet::NotAsked)
    }

    /// The key, wherever it would come from; a split that looks nowhere finds none.
    fn key(&self, list: KeyId, _context: &Context) -> Found<&Key<'_>> {
        let is_asked = !self.plan.questions.keys[list].sources.is_empty();
        self.key.as_ref().filter(|_| is_asked).map_or(Found::None, Found::This)
    }

    fn hash(&self, _list: KeyId, key: &Key<'_>, salt: SaltId) -> Hash {
        Hash::new(&self.plan.questions.salts[salt].prefix, key.bytes())
    }

    fn cookie(&self, _slot: CookieSlot) -> impl Iterator<Item = &[u8]> {
        std::iter::empty()
    }

    fn knows_chance(&self) -> bool {
        true
    }
}
