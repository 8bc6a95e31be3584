//! How far the shares of variants rise, in points, by the naive model; less what may be by the
//! chance of who is asked, four standard deviations.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use harness::model::{Decided, shares, times};
use serde_json::Value;

use crate::diff::Side;
use crate::edit::same;
use crate::name;

/// What rises within this time is one step.
const MINUTE: u64 = 60_000;

/// How far a variant rises; below every limit where it does not.
pub(crate) struct Rise {
    pub(crate) variant: String,
    /// From the old policy to the new one.
    pub(crate) at_once: f64,
    /// Within a minute to come, where the old policy does not have it.
    pub(crate) later: f64,
}

/// All variants of a split of the new policy.
pub(crate) fn rises(old: &Side, new: &Side, split: &Value, users: u32, now: u64) -> Vec<Rise> {
    let before = Course::new(old, same(old.policy, split), users);
    let after = Course::new(new, Some(split), users);
    let judged: Vec<&str> = new.bare(split).into_iter().flat_map(|bare| bare.judged()).collect();
    let judged: Vec<&Value> =
        new.policy.splits().iter().filter(|split| judged.contains(&name(split))).collect();
    let over_time = |split: &Value| (split["ramp"].clone(), weights(split));
    let ramps_changed =
        judged.iter().any(|split| same(old.policy, split).map(over_time) != Some(over_time(split)));
    let points = judged.iter().flat_map(|split| times(&split["ramp"]));
    let ends = points.flat_map(|point| [0, 20_000, 40_000, MINUTE].map(|more| point + more));
    let windows: Vec<[u64; 2]> = ends
        .filter(|end| *end > now)
        .map(|end| [end.saturating_sub(MINUTE).max(now), end])
        .collect();
    let rise = |variant: String| {
        let parts = |course: &Course, time| course.parts(&variant, time);
        let within = |window: &[u64; 2]| {
            let [begin, end] = window.map(|time| parts(&after, time));
            let [from, to] = window.map(|time| parts(&before, time));
            let known = if ramps_changed { 0.0 } else { (mean(&to) - mean(&from)).max(0.0) };
            certain(&begin, &end) - 100.0 * known
        };
        let baseline = before.split.unwrap_or(split)["baseline"] == variant;
        let (at_once, later) = match baseline {
            // The way back is open.
            true => (f64::NEG_INFINITY, f64::NEG_INFINITY),
            false => (
                certain(&parts(&before, now), &parts(&after, now)),
                windows.iter().map(within).fold(f64::NEG_INFINITY, f64::max),
            ),
        };
        Rise { variant, at_once, later }
    };
    weights(split).into_iter().map(|(variant, _)| rise(variant)).collect()
}

/// The variants of a split with their own weights.
fn weights(split: &Value) -> Vec<(String, Value)> {
    let variants = split["variants"].as_array().expect("a list").iter();
    variants.map(|variant| (name(variant).to_owned(), variant["weight"].clone())).collect()
}

/// What a split serves to users over time; nothing where it is not there.
struct Course<'s> {
    side: &'s Side<'s>,
    split: Option<&'s Value>,
    users: u32,
    served: RefCell<BTreeMap<u64, Rc<Vec<Option<Decided>>>>>,
}

impl<'s> Course<'s> {
    fn new(side: &'s Side<'s>, split: Option<&'s Value>, users: u32) -> Self {
        Self { side, split, users, served: RefCell::default() }
    }

    /// For each user the part that a variant has: 1 of those who are served it for certain, its
    /// share of those whom the weights serve.
    fn parts(&self, variant: &str, time: u64) -> Vec<f64> {
        let Some(split) = self.split else { return vec![0.0; self.users as usize] };
        let serves = || Rc::new(self.side.serves(split, self.users, time));
        let served = Rc::clone(self.served.borrow_mut().entry(time).or_insert_with(serves));
        let share = shares(split, time).into_iter().find(|(name, ..)| name == variant);
        let share = share.map_or(0.0, |(_, weight, sum)| weight as f64 / sum as f64);
        let part = |served: &Option<Decided>| match served {
            None => 0.0,
            Some(decided) if ["split", "random"].contains(&decided.reason) => share,
            Some(decided) => f64::from(u8::from(decided.variant == variant)),
        };
        served.iter().map(part).collect()
    }
}

/// The rise, less four standard deviations, in points.
fn certain(before: &[f64], after: &[f64]) -> f64 {
    let rises: Vec<f64> = before.iter().zip(after).map(|(before, after)| after - before).collect();
    let rise = mean(&rises);
    let squares: Vec<f64> = rises.iter().map(|one| (one - rise) * (one - rise)).collect();
    let error = (mean(&squares) / rises.len() as f64).sqrt();
    (rise - 4.0 * error) * 100.0
}

fn mean(list: &[f64]) -> f64 {
    list.iter().sum::<f64>() / list.len() as f64
}
