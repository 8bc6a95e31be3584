//! Users without requests: what each split of a plan would serve them, by hash and race alone.
//!
//! Every split is asked as if the user's request met its `match`, so splits of one layer do not take users from
//! each other except by their slices. Overrides and sticky cookies depend on requests, and do not count.

use engine::decision::Reason;
use engine::hash::{Hash, fmix64};
use engine::plan::{Plan, SplitPlan, WeightsNow};
use engine::policy::Assignment;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::keys::Keys;

/// What a user is served in a split; `None` where the split is not theirs.
pub type Served = Option<(usize, Reason)>;

/// Who is served what, at a moment.
pub struct Population<'p> {
    plan: &'p Plan,
    /// For each split, or `None` where nobody asks.
    asked: Vec<Option<WeightsNow<'p>>>,
}

impl<'p> Population<'p> {
    /// Asks the splits whose index is wanted, and what those depend on.
    pub fn new(plan: &'p Plan, now: u64, wanted: impl Fn(usize) -> bool) -> Self {
        let mut needed: Vec<bool> = (0..plan.splits.len()).map(wanted).collect();
        // A split can only require earlier ones.
        for index in (0..needed.len()).rev() {
            if needed.get(index) != Some(&true) {
                continue;
            }
            let requires = plan.splits.get(index).map_or(&[][..], |split| &split.requires);
            for required in requires.iter().filter_map(|required| required.split) {
                if let Some(place) = needed.get_mut(required) {
                    *place = true;
                }
            }
        }
        let asked = plan.splits.iter().zip(needed);
        let asked = asked.map(|(split, needed)| needed.then(|| split.weights_at(now))).collect();
        Self { plan, asked }
    }

    /// What every split serves to a user, into `served`.
    pub fn ask(&self, key: &[u8], served: &mut Vec<Served>) {
        served.clear();
        for (split, weights) in self.plan.splits.iter().zip(&self.asked) {
            let found = weights.as_ref().and_then(|now| self.serve(split, now, key, served));
            served.push(found);
        }
    }

    /// The order of judgement is the engine's; see `decision::split`.
    fn serve(&self, split: &SplitPlan, now: &WeightsNow, key: &[u8], earlier: &[Served]) -> Served {
        for required in &split.requires {
            let has = required.split.and_then(|split| *earlier.get(split)?)?;
            if has.0 != required.variant {
                return None;
            }
        }
        if let Some(layer) = &split.layer
            && let Some(slice) = layer.slice
        {
            let bucket = Hash::new(&layer.salt_prefix, key).bucket();
            if !(slice.from..slice.to).contains(&bucket) {
                return None;
            }
        }
        if self.plan.kill {
            return Some((split.baseline, Reason::Killed));
        }
        if let Some(holdout) = &self.plan.holdout
            && Hash::new(&holdout.salt_prefix, key).bucket() < holdout.buckets
        {
            return Some((split.baseline, Reason::Holdout));
        }
        let h2 = Hash::new(&split.salt_prefix, key).h2;
        let (number, reason) = match split.assignment {
            Assignment::Hash => (h2, Reason::Split),
            // One request of the user's: another number than the one the key gives.
            Assignment::Random => (fmix64(h2 ^ split.salt_word), Reason::Random),
        };
        Some(match split.race.winner(number, now) {
            Some(variant) => (variant, reason),
            None => (split.baseline, Reason::Fallback),
        })
    }
}

/// The weights that new users are drawn by: those of the variants that admit anybody.
pub fn admitting(split: &SplitPlan, now: u64) -> Vec<u64> {
    let weights = split.weights_at(now);
    let weight = |variant| if split.race.runs(variant) { weights.of(variant) } else { 0 };
    (0..split.variants.len()).map(weight).collect()
}

/// Calls `each` with every key, and shows on a terminal how far it is. Returns how many there were.
///
/// # Errors
/// When the keys cannot be read.
pub fn for_each(mut keys: Keys, mut each: impl FnMut(&[u8])) -> anyhow::Result<u64> {
    /// Often enough to move, seldom enough to cost nothing.
    const STEP: u64 = 1 << 16;
    // Draws nothing where stderr is no terminal.
    let target = ProgressDrawTarget::stderr();
    let bar = ProgressBar::with_draw_target(keys.expected(), target);
    let template = match keys.expected() {
        Some(_) => "asking users {wide_bar} {percent}% ",
        None => "asking users {human_pos}",
    };
    bar.set_style(ProgressStyle::with_template(template)?);
    let mut count = 0_u64;
    while let Some(key) = keys.next_key()? {
        each(key);
        count = count.saturating_add(1);
        if count.is_multiple_of(STEP) {
            bar.set_position(count);
        }
    }
    bar.finish_and_clear();
    Ok(count)
}

#[cfg(test)]
mod tests {
    use engine::decision::{Context, Decisions};
    use engine::policy;

    use super::*;

    const POLICY: &str = r#"{"version": 1, "key": [{"header": "u"}], "holdout": {"percent": 10},
        "layers": [{"name": "ui"}], "splits": [
        {"name": "a", "baseline": "x", "variants": [{"name": "x", "weight": 70}, {"name": "y", "weight": 30}]},
        {"name": "b", "baseline": "x", "variants": [{"name": "x", "weight": 50}, {"name": "y", "weight": 50}],
         "layer": "ui", "slice": {"from": 20, "to": 60}},
        {"name": "c", "baseline": "x", "variants": [{"name": "x", "weight": 99}, {"name": "y", "weight": 1}],
         "requires": [{"split": "a", "variant": "y"}]},
        {"name": "d", "enabled": false, "baseline": "x", "variants": [{"name": "x", "weight": 100}]},
        {"name": "e", "baseline": "x", "weight_total": "any",
         "variants": [{"name": "x", "weight": 0}, {"name": "y", "weight": 0}]}]}"#;

    fn plan(text: &str) -> Plan {
        let checked = policy::from_json(text.as_bytes());
        Plan::compile(&checked.policy.unwrap_or_else(|| panic!("{:?}", checked.diagnostics)))
    }

    #[test]
    fn users_are_served_what_the_engine_decides_for_their_requests() {
        for text in [POLICY.to_owned(), POLICY.replacen("1,", "1, \"kill\": true,", 1)] {
            let plan = plan(&text);
            let population = Population::new(&plan, 0, |_| true);
            let (mut served, mut decisions) = (Vec::new(), Decisions::default());
            for number in 0..5_000 {
                let key = format!("user-{number}");
                population.ask(key.as_bytes(), &mut served);
                plan.decide(&[("u", key.as_str())][..], &Context::default(), &mut decisions);
                let mut decided = vec![None; plan.splits.len()];
                for decision in &decisions.list {
                    decided[decision.split] = Some((decision.variant, decision.reason));
                }
                assert_eq!(served, decided, "{key}");
            }
        }
    }

    #[test]
    fn what_nobody_asks_is_only_judged_where_it_is_required() {
        let plan = plan(POLICY);
        let mut served = Vec::new();
        Population::new(&plan, 0, |split| split == 2).ask(b"user-1", &mut served);
        assert!(served[0].is_some() && served[1].is_none() && served[3].is_none(), "{served:?}");
    }
}
