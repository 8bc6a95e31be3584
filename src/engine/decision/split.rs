//! The order of judgement in one split: match -> layer -> requires -> slice -> kill -> force and
//! overrides -> holdout -> sticky -> weights (those in force now).

use super::force::Forced;
use super::key::{self, Key};
use super::{Context, Decision, Observer, Reason, Step};
use crate::hash::{Hash, fmix64};
use crate::matching::{self, Request, cookie_values};
use crate::plan::{MirrorPlan, Plan, SplitPlan, WeightsNow};
use crate::policy::{Assignment, MirrorBy, OnMissingKey};

/// A judgement under way.
pub(super) struct Judgement<'j, 'r, R: ?Sized, O> {
    pub(super) plan: &'j Plan,
    pub(super) request: &'r R,
    pub(super) context: &'j Context,
    pub(super) forced: Forced<'r>,
    /// A bit for each layer in which a split applies.
    pub(super) layers_taken: u64,
    pub(super) decided: &'j mut Vec<Decision>,
    pub(super) observer: &'j mut O,
}

/// What a split found out about its user.
struct User<'r> {
    key: Option<Key<'r>>,
    /// Under the split's salt.
    hash: Hash,
}

impl<'j: 'r, 'r, R: Request + ?Sized, O: Observer> Judgement<'j, 'r, R, O> {
    /// Judges the next split.
    pub(super) fn judge(&mut self, index: usize) {
        let plan = self.plan;
        let Some(split) = plan.splits.get(index) else { return };
        self.observer.split();
        let Some(decision) = self.judge_split(index, split) else { return };
        if let Some(layer) = &split.layer {
            self.layers_taken |= layer.bit;
        }
        self.observer.step(|| Step::Decided(decision));
        self.decided.push(decision);
    }

    fn judge_split(&mut self, index: usize, split: &'j SplitPlan) -> Option<Decision> {
        if !self.takes_part(split) {
            return None;
        }
        let mut user = None;
        if let Some(layer) = &split.layer {
            if self.layers_taken & layer.bit != 0 {
                self.observer.step(|| Step::LayerTaken);
                return None;
            }
            if let Some(slice) = layer.slice {
                let found = user.insert(self.user(split));
                let bucket = found
                    .key
                    .as_ref()
                    .map(|key| Hash::new(&layer.salt_prefix, key.bytes()).bucket());
                let holds = bucket.is_some_and(|b| (slice.from..slice.to).contains(&b));
                self.observer.step(|| Step::Slice { bucket, holds });
                if !holds {
                    return None;
                }
            }
        }
        let decision = |variant, reason| Decision {
            split: index,
            variant,
            reason,
            new_key: false,
            hold: false,
            mirror: false,
        };
        // A killed split still serves its baseline, and so keeps users who match it off the
        // route's fallback, which may be anything.
        if self.plan.kill {
            return Some(decision(split.baseline, Reason::Killed));
        }
        let (variant, reason) = match self.override_of(split)? {
            Some(variant) => (variant, Reason::Override),
            None => {
                let user = user.get_or_insert_with(|| self.user(split));
                self.assign(split, user)?
            }
        };
        let mirror = split.mirror.as_ref().is_some_and(|mirror| {
            reason != Reason::Holdout
                && match mirror.by {
                    MirrorBy::Request => self.mirrors_request(split, mirror),
                    MirrorBy::User => {
                        let user = user.get_or_insert_with(|| self.user(split));
                        user.key.as_ref().is_some_and(|key| {
                            Hash::new(&mirror.salt_prefix, key.bytes()).bucket() < mirror.buckets
                        })
                    }
                }
        });
        Some(Decision {
            new_key: user
                .as_ref()
                .and_then(|user| user.key.as_ref())
                .is_some_and(|key| key.generated),
            hold: split.sticky.is_some() && matches!(reason, Reason::Split | Reason::Random),
            mirror,
            ..decision(variant, reason)
        })
    }

    fn takes_part(&mut self, split: &SplitPlan) -> bool {
        if let Some(list) = &split.matches {
            let scope = &self.plan.scope;
            let entry = list.iter().position(|entry| entry.unmet(scope, self.request).is_none());
            let request = self.request;
            self.observer.step(|| match entry {
                Some(entry) => Step::Matched { entry },
                None => {
                    let unmet = list.iter().filter_map(|entry| entry.unmet(scope, request));
                    Step::Unmatched { unmet: unmet.map(|unmet| unmet.to_string()).collect() }
                }
            });
            if entry.is_none() {
                return false;
            }
        }
        let unmet = split.requires.iter().position(|required| {
            let has = |decision: &Decision| {
                Some(decision.split) == required.split && decision.variant == required.variant
            };
            !self.decided.iter().any(has)
        });
        if let Some(requirement) = unmet {
            self.observer.step(|| Step::RequirementUnmet { requirement });
        }
        unmet.is_none()
    }

    /// `Some(Some(variant))`: forced; `Some(None)`: not forced; `None`: the split does not apply.
    fn override_of(&mut self, split: &SplitPlan) -> Option<Option<usize>> {
        let wanted = self.forced.variant_of(&split.name).and_then(|name| {
            split.variants.iter().position(|variant| variant.name.as_bytes() == name)
        });
        if wanted.is_some() {
            self.observer.step(|| Step::Forced);
            return Some(wanted);
        }
        let scope = &self.plan.scope;
        let holds = split.overrides.iter().enumerate();
        let found = holds.into_iter().find(|(_, o)| matching::any(&o.matches, scope, self.request));
        let Some((index, forced)) = found else { return Some(None) };
        self.observer.step(|| Step::Overridden { index });
        forced.variant.map(Some)
    }

    fn user(&mut self, split: &'j SplitPlan) -> User<'r> {
        let key = key::find(&split.key, self.request, &self.plan.scope, self.context);
        let hash = match &key {
            Some(key) => Hash::new(&split.salt_prefix, key.bytes()),
            None => Hash { h1: 0, h2: 0 },
        };
        self.observer.step(|| match &key {
            None => Step::NoKey,
            Some(key) => Step::Key {
                source: key.source,
                key: key.bytes().to_vec(),
                generated: key.generated,
                bucket: hash.bucket(),
            },
        });
        User { key, hash }
    }

    /// Holdout, sticky, weights.
    fn assign(&mut self, split: &SplitPlan, user: &User) -> Option<(usize, Reason)> {
        if let (Some(holdout), Some(key)) = (&self.plan.holdout, &user.key) {
            let bucket = Hash::new(&holdout.salt_prefix, key.bytes()).bucket();
            let held = bucket < holdout.buckets;
            self.observer.step(|| Step::Holdout { bucket, held });
            if held {
                return Some((split.baseline, Reason::Holdout));
            }
        }
        let now = split.weights_at(self.context.now);
        if let Some(sticky) = &split.sticky {
            let cookies = cookie_values(self.request.header_lines("cookie"), sticky.cookie_name());
            let variant = { cookies }.find_map(|value| sticky.held(value));
            let counts = variant.is_some_and(|variant| now.of(variant) > 0);
            self.observer.step(|| Step::Sticky { variant, counts });
            if let Some(variant) = variant.filter(|_| counts) {
                return Some((variant, Reason::Sticky));
            }
        }
        if split.assignment == Assignment::Random {
            return Some(self.weigh(split, &now, self.chance(split, 0), Reason::Random));
        }
        if user.key.is_some() {
            return Some(self.weigh(split, &now, user.hash.h2, Reason::Split));
        }
        match split.on_missing_key {
            OnMissingKey::Baseline => Some((split.baseline, Reason::NoKey)),
            OnMissingKey::Random => {
                Some(self.weigh(split, &now, self.chance(split, 0), Reason::Random))
            }
            OnMissingKey::Skip => None,
        }
    }

    /// The variant that the weights give to a number; the baseline where every weight is 0.
    fn weigh(
        &mut self,
        split: &SplitPlan,
        now: &WeightsNow,
        h2: u64,
        reason: Reason,
    ) -> (usize, Reason) {
        self.observer.step(|| Step::Race(split.race.draws(h2, now).collect()));
        match split.race.winner(h2, now) {
            Some(variant) => (variant, reason),
            None => (split.baseline, Reason::Fallback),
        }
    }

    /// A random number for this request in this split: independent from split to split.
    fn chance(&self, split: &SplitPlan, which: usize) -> u64 {
        let random = self.context.random.get(which).copied().unwrap_or_default();
        fmix64(random ^ split.salt_word)
    }

    fn mirrors_request(&self, split: &SplitPlan, mirror: &MirrorPlan) -> bool {
        Hash { h1: self.chance(split, 1), h2: 0 }.bucket() < mirror.buckets
    }
}
