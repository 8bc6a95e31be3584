//! The order of judgement, the same line in the README, the policy reference and decision 0004:
//!
//! enabled -> earlier leg -> match -> requires -> layer -> slice -> kill -> force -> overrides -> holdout -> sticky -> weights

use super::facts::{Facts, Found, Key, Whose};
use super::force::Forced;
use super::preflight::Preflight;
use super::step::{Tried, Weighed};
use super::{Context, Decision, Decisions, Observer, Step};
use crate::hash::{Hash, fmix64};
use crate::ids::{Id as _, LayerId, SplitId, VariantId, VariantSet};
use crate::plan::{Asked, Plan, SplitPlan, WeightsNow};
use crate::policy::{Assignment, FilterState, MirrorBy, OnMissingKey, Split};
use crate::reason::Reason;
use crate::units::Bucket;

/// A judgement under way.
pub(super) struct Judgement<'j, F, O> {
    plan: &'j Plan,
    facts: &'j F,
    context: &'j Context,
    observer: &'j mut O,
    forced: Forced<'j>,
    decided: Decisions,
    /// What an earlier leg of the request decided.
    earlier: &'j [Decision],
    /// A bit for each layer in which a split applies.
    layers_taken: u64,
    /// A bit for each layer in which a split may apply.
    layers_unknown: u64,
}

/// Why a split is not judged to its end.
enum Stop {
    Out,
    Unknown,
}

/// What was named from outside of the weights.
enum Named {
    /// Nothing.
    Nothing,
    /// This variant.
    This(VariantId),
    /// One that is out: the weights decide.
    Tripped,
}

/// What is judged, where a step may end it.
type Judged<T> = Result<T, Stop>;

/// One split.
#[derive(Clone, Copy)]
struct This<'j> {
    id: SplitId,
    split: &'j Split,
    plan: &'j SplitPlan,
}

/// A user, once a split has looked for the key.
type User<'j> = Option<Found<(&'j Key<'j>, Hash)>>;

impl<'j, F: Facts, O: Observer> Judgement<'j, F, O> {
    pub(super) fn new(
        plan: &'j Plan,
        facts: &'j F,
        context: &'j Context,
        observer: &'j mut O,
    ) -> Self {
        let forced = facts.forced(plan);
        let decided = Decisions::new(forced);
        let earlier = facts.earlier(plan).map_or(&[][..], |earlier| &earlier.decisions);
        let mut this = Self {
            plan,
            facts,
            context,
            observer,
            forced,
            decided,
            earlier,
            layers_taken: 0,
            layers_unknown: 0,
        };
        this.layers_taken = this.layers_of_earlier();
        this
    }

    pub(super) fn done(self) -> Decisions {
        self.decided.with_earlier(self.earlier)
    }

    /// What an earlier leg of the request decided for a split. What the split wants of headers was judged
    /// there, by those that the client sent; host and path may be others now.
    fn earlier_of(&self, id: SplitId) -> Option<Decision> {
        let decision = self.earlier.iter().find(|decision| decision.split == id)?;
        let split = &self.plan.policy.splits[id];
        self.facts.can_meet(self.plan, split.matches.as_deref()).then_some(*decision)
    }

    /// A bit for each layer of a split that an earlier leg decided, and this one meets.
    fn layers_of_earlier(&self) -> u64 {
        let met = self.earlier.iter().filter_map(|decision| self.earlier_of(decision.split));
        let layers = met.filter_map(|decision| self.plan.policy.splits[decision.split].layer);
        layers.fold(0, |bits, layer| bits | layer_bit(layer))
    }

    /// Judges the next split.
    pub(super) fn judge(&mut self, id: SplitId) {
        self.observer.split(id);
        let this = This { id, split: &self.plan.policy.splits[id], plan: &self.plan.splits[id] };
        let layer = this.split.layer.map_or(0, layer_bit);
        match self.judge_split(this) {
            Ok(decision) => {
                self.layers_taken |= layer;
                self.observer.step(|| Step::Decided(decision));
                self.decided.push(decision);
            }
            Err(Stop::Unknown) => {
                self.layers_unknown |= layer;
                self.observer.step(|| Step::Unknown);
                self.decided.push_unknown(id);
            }
            Err(Stop::Out) => {}
        }
    }

    fn judge_split(&mut self, this: This<'j>) -> Judged<Decision> {
        if !this.split.enabled {
            self.observer.step(|| Step::Disabled);
            return Err(Stop::Out);
        }
        if let Some(decision) = self.earlier_of(this.id) {
            self.observer.step(|| Step::EarlierLeg);
            return Ok(decision);
        }
        self.takes_part(this)?;
        let mut user = None;
        self.layer_admits(this, &mut user)?;
        let decision = |variant, reason| Decision {
            split: this.id,
            variant,
            reason,
            new_key: false,
            hold: false,
            mirror: false,
            counted: false,
            user: None,
        };
        // A killed split still serves its baseline, and so keeps users who match it off the
        // route's fallback, which may be anything.
        if self.plan.policy.kill {
            self.observer.step(|| Step::Killed);
            self.may_answer(this, this.split.baseline)?;
            let user = self.evident(this);
            return Ok(Decision { user, ..decision(this.split.baseline, Reason::Killed) });
        }
        // Never the baseline: somebody has to serve.
        let out = self.facts.tripped(this.id).without(this.split.baseline);
        let (variant, reason) = match self.override_of(this, out)? {
            Named::This(variant) => (variant, Reason::Override),
            Named::Nothing => self.assign(this, &mut user, out)?,
            Named::Tripped => match self.assign(this, &mut user, out)? {
                (variant, Reason::Holdout) => (variant, Reason::Holdout),
                (variant, _) => (variant, Reason::Tripped),
            },
        };
        self.may_answer(this, variant)?;
        let mirror = reason != Reason::Holdout && self.mirrors(this, &mut user);
        let found = user.and_then(Found::this);
        Ok(Decision {
            new_key: found.is_some_and(|(key, _)| key.generated),
            user: found.map(|(_, hash)| hash.h1).or_else(|| self.evident(this)),
            hold: this.plan.sticky.is_some()
                && matches!(reason, Reason::Split | Reason::Random)
                && !self.facts.is_preflight(),
            mirror,
            ..decision(variant, reason)
        })
    }

    /// The stages `match` and `requires`.
    fn takes_part(&mut self, This { split, plan, .. }: This<'j>) -> Judged<()> {
        if split.matches.is_some() {
            let (holds, facts) = (self.holds(Whose::Split, plan.matches(split)), self.facts);
            self.observer.step(|| Step::Match(tried(facts, Whose::Split, plan.matches(split))));
            if !holds {
                return Err(Stop::Out);
            }
        }
        let lacks = split.requires.iter().position(|required| {
            self.decided.of(required.split).is_none_or(|d| d.variant != required.variant)
        });
        let Some(requirement) = lacks else { return Ok(()) };
        let missing = split.requires.iter().skip(requirement);
        let unknown = self.decided.unknown();
        // One that is certainly not met is enough.
        if missing.clone().all(|required| {
            unknown.contains(&required.split)
                || self.decided.of(required.split).is_some_and(|d| d.variant == required.variant)
        }) {
            return Err(Stop::Unknown);
        }
        self.observer.step(|| Step::RequirementUnmet { requirement });
        Err(Stop::Out)
    }

    /// The stages `layer` and `slice`.
    fn layer_admits(&mut self, this: This<'j>, user: &mut User<'j>) -> Judged<()> {
        let (Some(layer), Some(salt)) = (this.split.layer, this.plan.layer_salt) else {
            return Ok(());
        };
        if self.layers_taken & layer_bit(layer) != 0 {
            self.observer.step(|| Step::LayerTaken);
            return Err(Stop::Out);
        }
        if let Some(slice) = this.split.slice {
            let bucket = match self.user(this, user) {
                Found::Unknown => return Err(Stop::Unknown),
                Found::None => None,
                Found::This((key, _)) => Some(self.facts.hash(this.plan.key, key, salt).bucket()),
            };
            let holds = bucket.is_some_and(|bucket| slice.holds(bucket));
            self.observer.step(|| Step::Slice { bucket, holds });
            if !holds {
                return Err(Stop::Out);
            }
        }
        if self.layers_unknown & layer_bit(layer) != 0 { Err(Stop::Unknown) } else { Ok(()) }
    }

    /// The stages `force` and `overrides`. Whoever knows the secret may look at a variant that is out.
    fn override_of(
        &mut self,
        This { split, plan, .. }: This<'j>,
        out: VariantSet,
    ) -> Judged<Named> {
        if let Some(name) = self.forced.variant_of(&split.name) {
            let wanted = split.variants.find(|variant| variant.name.as_bytes() == name);
            self.observer.step(|| match wanted {
                Some(variant) => Step::Forced { variant },
                None => Step::ForcedUnknown { name: name.to_vec() },
            });
            if let Some(variant) = wanted {
                return Ok(Named::This(variant));
            }
        }
        for (index, (forced, entries)) in plan.overrides(split).enumerate() {
            let (holds, facts) = (self.holds(Whose::Override, entries.clone()), self.facts);
            self.observer.step(|| Step::Override {
                index,
                tried: tried(facts, Whose::Override, entries),
                variant: forced.variant,
            });
            if holds {
                let variant = forced.variant.ok_or(Stop::Out)?;
                if out.has(variant) {
                    self.observer.step(|| Step::Tripped { variant });
                    return Ok(Named::Tripped);
                }
                return Ok(Named::This(variant));
            }
        }
        Ok(Named::Nothing)
    }

    /// The stages `holdout`, `sticky` and `weights`.
    fn assign(
        &mut self,
        this: This<'j>,
        user: &mut User<'j>,
        out: VariantSet,
    ) -> Judged<(VariantId, Reason)> {
        let This { split, plan, .. } = this;
        let user = match self.user(this, user) {
            Found::Unknown => return Err(Stop::Unknown),
            found => found.this(),
        };
        if let (Some(holdout), Some(salt), Some((key, _))) =
            (&self.plan.policy.holdout, self.plan.holdout_salt, user)
        {
            let bucket = self.facts.hash(plan.key, key, salt).bucket();
            let held = holdout.buckets.hold(bucket);
            self.observer.step(|| Step::Holdout { bucket, held });
            if held {
                return Ok((split.baseline, Reason::Holdout));
            }
        }
        let weights = plan.weights_at(self.context.now);
        let now = weights.without(out);
        let mut tripped = false;
        if let (Some(sticky), Some(cookie)) = (&plan.sticky, plan.sticky_cookie) {
            let variant = self.facts.cookie(cookie).find_map(|value| sticky.held(value));
            let counts = variant.is_some_and(|variant| now.of(variant) > 0);
            let of_weight = variant.is_some_and(|variant| weights.of(variant) > 0);
            tripped = of_weight && !counts;
            self.observer.step(|| Step::Sticky { variant, counts, tripped });
            if let (Some(variant), true) = (variant, counts) {
                return Ok((variant, Reason::Sticky));
            }
        }
        let (variant, reason) = match (split.assignment, user, split.on_missing_key) {
            (Assignment::Hash, Some((_, hash)), _) => {
                self.weigh(this, &weights, out, hash.h2, Reason::Split)
            }
            (Assignment::Hash, None, OnMissingKey::Baseline) => (split.baseline, Reason::NoKey),
            (Assignment::Hash, None, OnMissingKey::Skip) => return Err(Stop::Out),
            (Assignment::Random, ..) | (.., OnMissingKey::Random) => {
                if !self.facts.knows_chance() {
                    return Err(Stop::Unknown);
                }
                let chance = self.chance(plan, self.context.random[0]);
                self.weigh(this, &weights, out, chance, Reason::Random)
            }
        };
        // The user holds a variant that is out.
        Ok((variant, if tripped { Reason::Tripped } else { reason }))
    }

    /// The variant that the weights give to a number; the baseline where no variant takes new users. Where it is out,
    /// its users are given another as if its weight were 0, and nobody else is.
    fn weigh(
        &mut self,
        This { split, plan, .. }: This<'j>,
        weights: &WeightsNow,
        out: VariantSet,
        h2: u64,
        mut reason: Reason,
    ) -> (VariantId, Reason) {
        let mut now = *weights;
        // Once more only where the first winner is out.
        let winner = loop {
            match plan.race.winner(h2, &now) {
                Some(winner) if out.has(winner) => {
                    (now, reason) = (weights.without(out), Reason::Tripped);
                }
                winner => break winner,
            }
        };
        self.observer.step(|| {
            let now = &weights.without(out);
            let shares = now.shares();
            let weighed = |variant| Weighed {
                variant,
                weight: now.of(variant),
                share: shares[variant],
                draw: plan.race.draw(variant, h2, now),
                wins: winner == Some(variant),
                tripped: out.has(variant),
            };
            let weighed = split.variants.ids().map(weighed).collect();
            Step::Weights { position: now.position(), weighed }
        });
        match winner {
            None if reason != Reason::Tripped => (split.baseline, Reason::Fallback),
            winner => (winner.unwrap_or(split.baseline), reason),
        }
    }

    /// A refused preflight keeps the browser from sending the request at all, whatever variant that
    /// would get: so the proxy answers one only where the policy names `OPTIONS`. The layer is taken
    /// all the same, as it is by the request.
    fn may_answer(&mut self, this: This<'j>, variant: VariantId) -> Judged<()> {
        let This { split, plan, .. } = this;
        if split.variants[variant].respond.is_none() || !self.facts.is_preflight() {
            return Ok(());
        }
        let facts = self.facts;
        let asks = |whose: Whose, entry: Asked<'_>| {
            let mut methods = entry.conditions.methods.iter();
            methods.any(|method| method == Preflight::METHOD) && facts.unmet(whose, entry).is_none()
        };
        let mut forced = plan.overrides(split).flat_map(|(_, entries)| entries);
        if plan.matches(split).any(|entry| asks(Whose::Split, entry))
            || forced.any(|entry| asks(Whose::Override, entry))
        {
            return Ok(());
        }
        self.layers_taken |= split.layer.map_or(0, layer_bit);
        self.observer.step(|| Step::NotAnswered { variant });
        Err(Stop::Out)
    }

    fn mirrors(&mut self, this: This<'j>, user: &mut User<'j>) -> bool {
        let (Some(mirror), Some(salt)) = (&this.split.mirror, this.plan.mirror_salt) else {
            return false;
        };
        let bucket = match mirror.by {
            MirrorBy::Request => Some(Bucket::of(self.chance(this.plan, self.context.random[1]))),
            MirrorBy::User => self
                .user(this, user)
                .this()
                .map(|(key, _)| self.facts.hash(this.plan.key, key, salt).bucket()),
        };
        bucket.is_some_and(|bucket| mirror.buckets.hold(bucket))
    }

    /// The user, looked for at the first use in a split.
    fn user(
        &mut self,
        This { plan, .. }: This<'j>,
        user: &mut User<'j>,
    ) -> Found<(&'j Key<'j>, Hash)> {
        if let Some(found) = user {
            return *found;
        }
        let found = match self.facts.key(plan.key, self.context) {
            Found::This(key) => Found::This((key, self.facts.hash(plan.key, key, plan.salt))),
            Found::None => Found::None,
            Found::Unknown => Found::Unknown,
        };
        match found {
            Found::This((key, hash)) => self.observer.step(|| Step::Key {
                source: key.source,
                key: key.bytes().to_vec(),
                generated: key.generated,
                bucket: hash.bucket(),
            }),
            Found::None => {
                let preflight = self.facts.is_preflight();
                self.observer.step(|| Step::NoKey { preflight });
            }
            Found::Unknown => {}
        }
        *user.insert(found)
    }

    /// The hash of a key that nothing else asked for, where evidence is wanted. A new visitor gets no key for that alone.
    #[inline(never)]
    fn evident(&self, This { plan, .. }: This<'j>) -> Option<u64> {
        if self.plan.policy.filter_state != FilterState::Evidence {
            return None;
        }
        let key = self.facts.key(plan.key, self.context).this().filter(|key| !key.generated)?;
        Some(self.facts.hash(plan.key, key, plan.salt).h1)
    }

    /// A random number for this request in this split: independent from split to split.
    fn chance(&self, plan: &SplitPlan, random: u64) -> u64 {
        fmix64(random ^ plan.salt_word)
    }

    fn holds<'p>(&self, whose: Whose, mut entries: impl Iterator<Item = Asked<'p>>) -> bool {
        entries.any(|entry| self.facts.unmet(whose, entry).is_none())
    }
}

/// Tries a list for those who look.
fn tried<'p, F: Facts>(
    facts: &F,
    whose: Whose,
    mut entries: impl Iterator<Item = Asked<'p>>,
) -> Tried {
    let mut unmet = Vec::new();
    let holds = entries.any(|entry| match facts.unmet(whose, entry) {
        None => true,
        Some(condition) => {
            unmet.push(condition.to_string());
            false
        }
    });
    Tried { unmet, holds }
}

/// A layer's bit; there are at most 64.
fn layer_bit(layer: LayerId) -> u64 {
    1_u64.rotate_left(layer.place() as u32)
}
