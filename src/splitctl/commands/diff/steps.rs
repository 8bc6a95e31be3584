//! How far each variant's share of users rises, now and within any minute of a changed ramp. The engine is asked,
//! user by user: so slices, holdouts, layers and requirements count as they do in the proxy.

use std::collections::BTreeMap;

use engine::decision::{Context, KeyFacts, Observer, Population, Step as Told, decide};
use engine::ids::{List, SplitId, VariantId};
use engine::policy::Split;
use engine::reason::Reason;
use engine::units;

use super::Side;
use super::pairs::Pair;
use crate::moment::Moment;
use crate::population::chance;

/// A rise that is too large.
pub(super) struct Step {
    pub(super) variant: String,
    /// Shares of users, 0 to 1.
    pub(super) from: f64,
    pub(super) to: f64,
    /// When a ramp does it; `None` = at once.
    pub(super) at: Option<Moment>,
}

/// What rises within this time is one step: nobody can look in between.
const WINDOW: units::Millis = units::Millis::new(60_000);
/// As many users are asked at each moment of a ramp, at the most.
const USERS_OF_A_RAMP: u64 = 10_000;

/// The rises of more than `limit` points, measured with so many users.
pub(super) fn above(
    old: &Side,
    new: &Side,
    pair: &Pair,
    users: u64,
    now: units::Moment,
    limit: f64,
) -> Vec<Step> {
    let Some(split) = pair.new else { return Vec::new() };
    let after = Shares::measure(new, split, users, now);
    let before = pair.old.map(|before| Shares::measure(old, before, users, now));
    let mut found = Vec::new();
    for (variant, _) in split.variants.pairs() {
        let before = before.as_ref().zip(pair.old_variant(variant));
        let rise = after.rise(variant, before);
        found.extend(too_large(pair, split, variant, &rise, limit, None));
    }
    let weights = |split: &Split| (split.ramp.clone(), split.variants.map(|v| v.weight));
    if pair.old.map(weights) != pair.new.map(weights) {
        found.extend(later(new, pair, split, users.min(USERS_OF_A_RAMP), now, limit));
    }
    found
}

/// Rises within a window of the new ramp. Between two points weights move in a straight line or not at all, so it
/// is enough to look at the windows that begin or end at a point.
fn later(
    new: &Side,
    pair: &Pair,
    split: &Split,
    users: u64,
    now: units::Moment,
    limit: f64,
) -> Vec<Step> {
    let Some(ramp) = &split.ramp else { return Vec::new() };
    let points = ramp.steps.iter().map(|step| ramp.start.after(step.after));
    let mut ends: Vec<units::Moment> = std::iter::once(ramp.start)
        .chain(points)
        .flat_map(|point| [point, point.after(WINDOW)])
        .filter(|end| *end > now)
        .collect();
    ends.sort_unstable();
    ends.dedup();
    let mut found: Vec<(VariantId, units::Moment, Step)> = Vec::new();
    for end in ends {
        let begin = end.before(WINDOW).max(now);
        let before = Shares::measure(new, split, users, begin);
        let after = Shares::measure(new, split, users, end);
        for variant in split.variants.ids() {
            // A rise is told once, at the end of the first window that has it.
            let told = found.iter().any(|(v, at, _)| *v == variant && *at >= begin);
            let rise = after.rise(variant, Some((&before, variant)));
            if let (false, Some(step)) =
                (told, too_large(pair, split, variant, &rise, limit, Some(Moment(end))))
            {
                found.push((variant, end, step));
            }
        }
    }
    found.into_iter().map(|(.., step)| step).collect()
}

fn too_large(
    pair: &Pair,
    split: &Split,
    variant: VariantId,
    rise: &Rise,
    limit: f64,
    at: Option<Moment>,
) -> Option<Step> {
    // Back to the baseline is always allowed; it is the one that was the baseline, so that nobody is brought to
    // a canary by calling it the baseline.
    let is_baseline = match pair.old {
        Some(old) => pair.old_variant(variant) == Some(old.baseline),
        None => variant == split.baseline,
    };
    let Rise { from, to, error } = *rise;
    // Shares are quotients, and may be off in the last bits; and where some users are out of the split, by the
    // chance of who was asked.
    let rises = (to - from - 4.0 * error) * 100.0 > limit + 1e-9;
    let variant = split.variants[variant].name.clone();
    (rises && !is_baseline).then_some(Step { variant, from, to, at })
}

/// How a share changes.
struct Rise {
    from: f64,
    to: f64,
    /// One standard deviation of the difference, by the chance of who was asked.
    error: f64,
}

/// What each of some users is served: by certainty, or by shares of the weights. So nothing is left to chance where
/// all users are weighed alike.
struct Shares {
    users: Vec<Outcome>,
    /// Each set of shares once.
    weighed: Vec<List<VariantId, f64>>,
}

/// What a user is served.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Nothing,
    Served(VariantId),
    /// The place of the shares.
    Weighed(usize),
}

impl Shares {
    fn measure(side: &Side, split: &Split, users: u64, now: units::Moment) -> Self {
        let mut all = Self { users: Vec::new(), weighed: Vec::new() };
        let Some(id) = side.id(Some(split)) else { return all };
        let population = Population::of(&side.plan, id);
        for number in 1..=users {
            let key = format!("user-{number}");
            let context = Context { now, random: chance(key.as_bytes()) };
            let facts = KeyFacts::new(&side.plan, &population, key.as_bytes());
            let mut told = Weights { asked: id, is_asked: false, shares: None };
            let decisions = decide(&side.plan, &facts, &context, &mut told);
            let outcome = match (decisions.of(id), told.shares) {
                (None, _) => Outcome::Nothing,
                (Some(decision), Some(shares))
                    if matches!(decision.reason, Reason::Split | Reason::Random) =>
                {
                    Outcome::Weighed(all.place(shares))
                }
                (Some(decision), _) => Outcome::Served(decision.variant),
            };
            all.users.push(outcome);
        }
        all
    }

    fn place(&mut self, shares: List<VariantId, f64>) -> usize {
        if let Some(known) = self.weighed.iter().position(|known| *known == shares) {
            return known;
        }
        self.weighed.push(shares);
        self.weighed.len().saturating_sub(1)
    }

    /// The part of a user that a variant has.
    fn part(&self, outcome: Outcome, variant: VariantId) -> f64 {
        match outcome {
            Outcome::Nothing => 0.0,
            Outcome::Served(served) => f64::from(u8::from(served == variant)),
            Outcome::Weighed(place) => {
                self.weighed.get(place).map_or(0.0, |shares| shares[variant])
            }
        }
    }

    /// From the share of a variant before, of the same users, to that of another after.
    fn rise(&self, variant: VariantId, before: Option<(&Self, VariantId)>) -> Rise {
        let nobody: &[Outcome] = &[];
        let earlier = before.map_or(nobody, |(before, _)| &before.users);
        let count = self.users.len().max(earlier.len());
        let padded = |users: &[Outcome]| {
            users
                .iter()
                .copied()
                .chain(std::iter::repeat(Outcome::Nothing))
                .take(count)
                .collect::<Vec<_>>()
        };
        // Users of one kind are counted and not summed: nothing is lost in the last digits.
        let mut kinds: BTreeMap<(Outcome, Outcome), u64> = BTreeMap::new();
        for kind in padded(earlier).into_iter().zip(padded(&self.users)) {
            let users = kinds.entry(kind).or_default();
            *users = users.saturating_add(1);
        }
        let all = count.max(1) as f64;
        let (mut from, mut to, mut squares) = (0.0, 0.0, 0.0);
        for ((old, new), users) in &kinds {
            let old = before.map_or(0.0, |(before, variant)| before.part(*old, variant));
            let (new, share) = (self.part(*new, variant), *users as f64 / all);
            from += old * share;
            to += new * share;
            squares += (new - old) * (new - old) * share;
        }
        // What rounding leaves is no chance.
        let variance = squares - (to - from) * (to - from);
        let variance = if variance < 1e-12 { 0.0 } else { variance };
        Rise { from, to, error: (variance / all).sqrt() }
    }
}

/// Sees the weights of one split.
struct Weights {
    asked: SplitId,
    is_asked: bool,
    shares: Option<List<VariantId, f64>>,
}

impl Observer for Weights {
    const WATCHES: bool = true;

    fn split(&mut self, id: SplitId) {
        self.is_asked = id == self.asked;
    }

    fn step(&mut self, step: impl FnOnce() -> Told) {
        if self.is_asked
            && let Told::Weights { weighed, .. } = step()
        {
            let sum: u64 =
                weighed.iter().map(|w| if w.draw.is_some() { w.weight } else { 0 }).sum();
            let share = |w: &engine::decision::Weighed| match w.draw {
                Some(_) => w.weight as f64 / sum as f64,
                None => 0.0,
            };
            self.shares = Some(weighed.iter().map(share).collect());
        }
    }
}
