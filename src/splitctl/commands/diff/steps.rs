//! How far each variant's share of users rises, at once and within any minute to come. The engine is asked, user
//! by user: so slices, holdouts, layers and requirements count as they do in the proxy.

use engine::decision::Population;
use engine::ids::{List, VariantId};
use engine::policy::Split;
use engine::reason::Reason;
use engine::units;

use super::Side;
use super::moves::Kinds;
use super::pairs::Pair;
use crate::moment::Moment;
use crate::population::{Served, Users};

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

/// The rises of more than `limit` points, at once and later. `kinds` are all users, now.
pub(super) fn above(
    sides @ [old, new]: [&Side; 2],
    pair: &Pair,
    kinds: &Kinds,
    now: units::Moment,
    limit: f64,
) -> Vec<Step> {
    let Some(split) = pair.new else { return Vec::new() };
    let (before, after) = (Shares::of(old, pair.old, now), Shares::of(new, pair.new, now));
    let rise = |variant| {
        let earlier = pair.old_variant(variant);
        Rise::new(
            kinds,
            |served| before.part(served, earlier),
            |served| after.part(served, Some(variant)),
        )
    };
    let rising = split.variants.ids().filter(|variant| !is_way_back(pair, split, *variant));
    let at_once = rising.filter_map(|variant| rise(variant).step(split, variant, limit, None));
    let mut found: Vec<Step> = at_once.collect();
    let users = kinds.values().sum::<u64>().min(USERS_OF_A_RAMP);
    found.extend(later(sides, pair, split, users, now, limit));
    found
}

/// Back to the baseline is always allowed; it is the one that was the baseline, so that nobody is brought to a canary
/// by calling it the baseline.
fn is_way_back(pair: &Pair, split: &Split, variant: VariantId) -> bool {
    match pair.old {
        Some(old) => pair.old_variant(variant) == Some(old.baseline),
        None => variant == split.baseline,
    }
}

/// Rises within a window of the ramps that count in the new split. Between two points weights move in a straight line
/// or not at all, so it is enough to look at the windows that begin or end at a point.
fn later(
    [old, new]: [&Side; 2],
    pair: &Pair,
    split: &Split,
    users: u64,
    now: units::Moment,
    limit: f64,
) -> Vec<Step> {
    let Some(id) = new.id(pair.new) else { return Vec::new() };
    let judged = Population::of(&new.plan, id);
    let ramps = judged.judged().iter().filter_map(|id| new.policy.splits[*id].ramp.as_ref());
    let mut ends: Vec<units::Moment> = ramps
        .flat_map(|ramp| {
            let steps = ramp.steps.iter().map(|step| ramp.start.after(step.after));
            std::iter::once(ramp.start).chain(steps)
        })
        .flat_map(|point| [point, point.after(WINDOW)])
        .filter(|end| *end > now)
        .collect();
    ends.sort_unstable();
    ends.dedup();
    // What the ramps that are in force do already is no step of this change.
    let known = Some(old).filter(|_| !ramps_changed(old, new, pair, &judged));
    let mut found: Vec<(VariantId, units::Moment, Step)> = Vec::new();
    for end in ends {
        let begin = end.before(WINDOW).max(now);
        let after = Window::new(new, pair.new, users, [begin, end]);
        let before = known.map(|old| Window::new(old, pair.old, users, [begin, end]));
        for variant in split.variants.ids().filter(|v| !is_way_back(pair, split, *v)) {
            // A rise is told once, at the end of the first window that has it.
            let told = found.iter().any(|(v, at, _)| *v == variant && *at >= begin);
            let before = before
                .as_ref()
                .map_or(0.0, |before| before.rise(pair.old_variant(variant)).points());
            let limit = limit + before.max(0.0);
            let step = after.rise(Some(variant)).step(split, variant, limit, Some(Moment(end)));
            if let (false, Some(step)) = (told, step) {
                found.push((variant, end, step));
            }
        }
    }
    found.into_iter().map(|(.., step)| step).collect()
}

/// Whether a split, or one that is judged with it, has other weights over time than before.
fn ramps_changed(old: &Side, new: &Side, pair: &Pair, judged: &Population) -> bool {
    let weights =
        |split: &Split| (split.ramp.clone(), split.variants.map(|v| (v.name.clone(), v.weight)));
    judged.judged().iter().map(|id| &new.policy.splits[*id]).any(|split| {
        let is_named_so = |other: &&Split| other.name == split.name;
        let before = match pair.new.filter(is_named_so) {
            Some(_) => pair.old,
            None => old.policy.splits.iter().find(is_named_so),
        };
        before.map(weights) != Some(weights(split))
    })
}

/// A split at the beginning and at the end of a stretch of time.
struct Window {
    kinds: Kinds,
    shares: [Shares; 2],
}

impl Window {
    fn new(side: &Side, split: Option<&Split>, users: u64, times: [units::Moment; 2]) -> Self {
        let [before, after] = times.map(|time| Users::new(&side.plan, time, side.id(split)));
        let mut kinds = Kinds::new();
        for number in 1..=users {
            let key = format!("user-{number}");
            let [before, after] =
                [&before, &after].map(|users| users.ask(key.as_bytes()).first().copied().flatten());
            let users = kinds.entry((before, after)).or_default();
            *users = users.saturating_add(1);
        }
        Self { kinds, shares: times.map(|time| Shares::of(side, split, time)) }
    }

    fn rise(&self, variant: Option<VariantId>) -> Rise {
        let [before, after] = &self.shares;
        Rise::new(
            &self.kinds,
            |served| before.part(served, variant),
            |served| after.part(served, variant),
        )
    }
}

/// The shares of those whom the weights of a split serve: with them nothing is left to chance where all users are
/// weighed alike.
struct Shares(List<VariantId, f64>);

impl Shares {
    fn of(side: &Side, split: Option<&Split>, now: units::Moment) -> Self {
        let Some(id) = side.id(split) else { return Self(List::default()) };
        let weights = side.plan.splits[id].weights_at(now);
        let admitted = side.policy.splits[id].variants.ids().map(|variant| weights.admits(variant));
        let admitted: Vec<u64> = admitted.collect();
        let sum = admitted.iter().sum::<u64>() as f64;
        Self(admitted.iter().map(|weight| *weight as f64 / sum).collect())
    }

    /// The part of a user that a variant has.
    fn part(&self, served: Served, variant: Option<VariantId>) -> f64 {
        let Some(variant) = variant else { return 0.0 };
        match served {
            None => 0.0,
            Some((_, Reason::Split | Reason::Random)) => self.0[variant],
            Some((served, _)) => f64::from(u8::from(served == variant)),
        }
    }
}

/// How a share changes.
struct Rise {
    from: f64,
    to: f64,
    /// One standard deviation of the difference, by the chance of who was asked.
    error: f64,
}

impl Rise {
    fn new(kinds: &Kinds, before: impl Fn(Served) -> f64, after: impl Fn(Served) -> f64) -> Self {
        let all = kinds.values().sum::<u64>().max(1) as f64;
        let (mut from, mut to, mut squares) = (0.0, 0.0, 0.0);
        for ((old, new), users) in kinds {
            // Users of one kind are counted and not summed: nothing is lost in the last digits.
            let (old, new, share) = (before(*old), after(*new), *users as f64 / all);
            from += old * share;
            to += new * share;
            squares += (new - old) * (new - old) * share;
        }
        // What rounding leaves is no chance.
        let variance = squares - (to - from) * (to - from);
        let variance = if variance < 1e-12 { 0.0 } else { variance };
        Self { from, to, error: (variance / all).sqrt() }
    }

    fn points(&self) -> f64 {
        (self.to - self.from) * 100.0
    }

    /// Where it is more than so many points.
    fn step(
        self,
        split: &Split,
        variant: VariantId,
        limit: f64,
        at: Option<Moment>,
    ) -> Option<Step> {
        // Shares are quotients, and may be off in the last bits; and where some users are out of the split, by the
        // chance of who was asked.
        let is_too_large = self.points() - 400.0 * self.error > limit + 1e-9;
        let Self { from, to, .. } = self;
        is_too_large.then(|| Step { variant: split.variants[variant].name.clone(), from, to, at })
    }
}
