//! The facts of a bare key: a user of whom nothing else is known, whose request is as a split wants
//! it. So the same judgement tells what a policy does to a population.

use std::collections::{BTreeMap, BTreeSet};

use super::Context;
use super::facts::{Facts, Found, Key, Whose};
use super::force::Forced;
use super::key::Bytes;
use super::memo::Hashes;
use crate::hash::Hash;
use crate::ids::{CookieSlot, KeyId, LayerId, SaltId, SplitId, VariantSet};
use crate::matching::{Unmet, exclude_each_other};
use crate::plan::{Asked, Plan};

/// Splits that are asked about users, and those that must be judged with them.
///
/// The question is: what does a user get in a split whose request meets its `match`? Splits that it
/// requires have to apply, too, or nobody would have it. Earlier splits of a layer take users away
/// where one request can meet them together with all that has to apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Population {
    /// In the order of the policy.
    judged: Vec<SplitId>,
}

impl Population {
    /// The users of a split.
    pub fn of(plan: &Plan, asked: SplitId) -> Self {
        let splits = &plan.policy.splits;
        let barred = |a: SplitId, b: SplitId| {
            exclude_each_other(splits[a].matches.as_deref(), splits[b].matches.as_deref())
        };
        let certain = with_required(plan, asked);
        let possible = |id: &SplitId| {
            let needed = with_required(plan, *id);
            !needed.iter().any(|needed| certain.iter().any(|certain| barred(*needed, *certain)))
        };
        let mut judged: BTreeSet<SplitId> = certain.iter().copied().collect();
        let mut applying = certain.clone();
        let mut next = 0;
        while let Some(id) = applying.get(next).copied() {
            next = next.saturating_add(1);
            let layer = splits[id].layer;
            let before = splits.ids().take_while(|earlier| *earlier < id);
            let beside =
                before.filter(|earlier| layer.is_some() && splits[*earlier].layer == layer);
            for earlier in beside.filter(|earlier| !barred(*earlier, id)).filter(possible) {
                judged.insert(earlier);
                // What has to apply so that this one does.
                let new = with_required(plan, earlier).into_iter().skip(1);
                applying.extend(new.filter(|required| judged.insert(*required)));
            }
        }
        Self { judged: judged.into_iter().collect() }
    }

    /// The splits that are judged, in order.
    pub fn judged(&self) -> &[SplitId] {
        &self.judged
    }

    /// Both at once, judged in one go; `None` where they have nothing in common, or where a split of
    /// one would take users away from a split of the other that is not to be judged with it.
    pub fn joined(&self, plan: &Plan, other: &Self) -> Option<Self> {
        let all: BTreeSet<SplitId> = self.judged.iter().chain(&other.judged).copied().collect();
        let in_common = all.len() < self.judged.len().saturating_add(other.judged.len());
        let joins =
            in_common && self.is_alone_before(plan, other) && other.is_alone_before(plan, self);
        joins.then(|| Self { judged: all.into_iter().collect() })
    }

    /// Whether in each layer the splits of others come after all of one's own.
    fn is_alone_before(&self, plan: &Plan, other: &Self) -> bool {
        let layer = |id: SplitId| plan.policy.splits[id].layer;
        let mut last: BTreeMap<LayerId, SplitId> = BTreeMap::new();
        for id in &self.judged {
            last.extend(layer(*id).map(|layer| (layer, *id)));
        }
        let foreign = other.judged.iter().filter(|id| self.judged.binary_search(id).is_err());
        foreign
            .copied()
            .all(|id| layer(id).and_then(|layer| last.get(&layer)).is_none_or(|last| id > *last))
    }
}

/// A split and all that it requires, directly or not; the split itself is the first.
fn with_required(plan: &Plan, id: SplitId) -> Vec<SplitId> {
    let mut all = vec![id];
    let mut next = 0;
    while let Some(id) = all.get(next) {
        let requires = &plan.policy.splits[*id].requires;
        next = next.saturating_add(1);
        for required in requires {
            if !all.contains(&required.split) {
                all.push(required.split);
            }
        }
    }
    all
}

/// The facts of a bare key.
#[derive(Debug)]
pub struct KeyFacts<'f> {
    plan: &'f Plan,
    population: &'f Population,
    key: Option<Key<'f>>,
    hashes: Hashes<SaltId>,
}

impl<'f> KeyFacts<'f> {
    /// A user of this key; with an empty one, a user without a key.
    pub fn new(plan: &'f Plan, population: &'f Population, key: &'f [u8]) -> Self {
        let bytes = Bytes::Sent(key.into());
        let key = (!key.is_empty()).then_some(Key { source: 0, generated: false, bytes });
        Self { plan, population, key, hashes: Hashes::new() }
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
        let is_asked = !self.plan.questions.keys[list].is_empty();
        self.key.as_ref().filter(|_| is_asked).map_or(Found::None, Found::This)
    }

    fn hash(&self, _list: KeyId, key: &Key<'_>, salt: SaltId) -> Hash {
        self.hashes.get(salt, &self.plan.questions.salts[salt], key.bytes())
    }

    fn cookie(&self, _slot: CookieSlot) -> impl Iterator<Item = &[u8]> {
        std::iter::empty()
    }

    fn is_preflight(&self) -> bool {
        false
    }

    /// What the policy does to a population it does where nothing is out of service.
    fn tripped(&self, _split: SplitId) -> VariantSet {
        VariantSet::NONE
    }

    fn knows_chance(&self) -> bool {
        true
    }
}
