//! How far each variant's share of users rises, now and by the later steps of a changed ramp.

use engine::plan::SplitPlan;
use engine::policy::Split;

use super::Side;
use super::pairs::Pair;
use crate::moment::Moment;
use crate::population::admitting;

/// A rise that is too large.
pub(super) struct Step {
    pub(super) variant: String,
    /// Shares of users, 0 to 1.
    pub(super) from: f64,
    pub(super) to: f64,
    /// When a ramp does it; `None` = at once.
    pub(super) at: Option<Moment>,
}

/// The rises of more than `limit` points.
pub(super) fn above(old: &Side, new: &Side, pair: &Pair, now: u64, limit: f64) -> Vec<Step> {
    let Some(split) = pair.new else { return Vec::new() };
    let before = pair.old.map(|split| shares(old, split, now)).unwrap_or_default();
    let after = shares(new, split, now);
    let mut found = Vec::new();
    for (index, to) in after.iter().enumerate() {
        let old_index = pair.old_variant(index);
        let from = old_index.and_then(|old| before.get(old)).copied().unwrap_or_default();
        found.extend(too_large(pair, split, index, (from, *to), limit, None));
    }
    let was = pair.old.map(|old| (&old.ramp, old.variants.iter().map(|v| v.weight).collect()));
    let is: Option<(_, Vec<_>)> =
        Some((&split.ramp, split.variants.iter().map(|v| v.weight).collect()));
    if was != is {
        found.extend(later(new, pair, split, now, limit));
    }
    found
}

/// Rises at a point of the new ramp. A straight line rises slowly, and so has none.
fn later(new: &Side, pair: &Pair, split: &Split, now: u64, limit: f64) -> Vec<Step> {
    let Some(ramp) = &split.ramp else { return Vec::new() };
    let points = ramp.steps.iter().map(|step| ramp.start.saturating_add(step.after));
    let mut found = Vec::new();
    for point in points.filter(|point| *point > now) {
        let before = shares(new, split, point.saturating_sub(1));
        let after = shares(new, split, point);
        for (index, rise) in before.into_iter().zip(after).enumerate() {
            found.extend(too_large(pair, split, index, rise, limit, Some(Moment(point))));
        }
    }
    found
}

fn too_large(
    pair: &Pair,
    split: &Split,
    index: usize,
    (from, to): (f64, f64),
    limit: f64,
    at: Option<Moment>,
) -> Option<Step> {
    // Back to the baseline is always allowed; it is the one that was the baseline, so that nobody is brought to
    // a canary by calling it the baseline.
    let is_baseline = match pair.old {
        Some(old) => pair.old_variant(index) == Some(old.baseline),
        None => index == split.baseline,
    };
    let variant = split.variants.get(index)?.name.clone();
    // Shares are quotients, and may be off in the last bits.
    let rises = (to - from) * 100.0 > limit + 1e-9;
    (rises && !is_baseline).then_some(Step { variant, from, to, at })
}

/// Each variant's share of all users whose requests match.
fn shares(side: &Side, split: &Split, now: u64) -> Vec<f64> {
    let none = vec![0.0; split.variants.len()];
    let Some(plan) = side.plan.splits.iter().find(|plan| plan.name == split.name) else {
        return none;
    };
    let slice = split.slice.map_or(1.0, |s| f64::from(s.to.saturating_sub(s.from)) / 10_000.0);
    let held = side.policy.holdout.as_ref().map_or(0.0, |h| f64::from(h.buckets) / 10_000.0);
    let weighed = if side.policy.kill { 0.0 } else { 1.0 - held };
    let mut shares: Vec<f64> =
        weights(plan, now).into_iter().map(|share| slice * weighed * share).collect();
    if let Some(baseline) = shares.get_mut(split.baseline) {
        *baseline += slice * (1.0 - weighed);
    }
    shares
}

/// The weights as shares; all of it is the baseline's where none has a weight.
fn weights(plan: &SplitPlan, now: u64) -> Vec<f64> {
    let weights = admitting(plan, now);
    let sum = weights.iter().map(|weight| *weight as f64).sum::<f64>();
    let share = |(index, weight): (usize, &u64)| match sum > 0.0 {
        true => *weight as f64 / sum,
        false => f64::from(u8::from(index == plan.baseline)),
    };
    weights.iter().enumerate().map(share).collect()
}
