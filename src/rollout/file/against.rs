//! A rollout against the policy that it is to change.

use engine::policy::{Policy, Weight, nearest};

use super::{Code, Problem, Rollout};

/// What a rollout has to know of its policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The name of the split's baseline.
    pub baseline: String,
    /// The challenger's weight.
    pub challenger_weight: Weight,
    /// What the baseline and the challenger have together: what one of them does not get, the other does.
    pub both: Weight,
    /// What all weights of the split add up to, in units of 0.0001.
    pub total: u64,
}

impl Facts {
    /// The weight that the baseline has where the challenger has this one; `None` where that is more than both have.
    pub fn baseline_at(&self, challenger: Weight) -> Option<Weight> {
        Weight::from_units(self.both.units().checked_sub(challenger.units())?)
    }

    /// The challenger's part of both, at a weight: 0 to 1.
    pub fn share_at(&self, challenger: Weight) -> f64 {
        challenger.units() as f64 / self.both.units().max(1) as f64
    }
}

/// Checks a rollout against its policy. `anew` is false where it has begun already, and the challenger's weight is where
/// it brought it.
///
/// # Errors
/// All problems at once.
pub fn check_against(
    rollout: &Rollout,
    policy: &Policy,
    anew: bool,
) -> Result<Facts, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut problem = |code, path: String, message: String, help: String| {
        problems.push(Problem { code, path, message, help });
    };
    let one = |code, path: &str, message: String, help: String| {
        Err(vec![Problem { code, path: path.to_owned(), message, help }])
    };
    let Some(split) = policy.splits.iter().find(|split| split.name == rollout.split) else {
        let names: Vec<&str> = policy.splits.iter().map(|split| split.name.as_str()).collect();
        let message = format!("the policy has no split `{}`", rollout.split);
        return one(Code::UnknownSplit, "split", message, meant(&rollout.split, &names));
    };
    let found = split.variants.pairs().find(|(_, variant)| variant.name == rollout.challenger);
    let Some((id, challenger)) = found else {
        let names: Vec<&str> = split.variants.iter().map(|variant| variant.name.as_str()).collect();
        let message = format!("the split has no variant `{}`", rollout.challenger);
        return one(
            Code::UnknownVariant,
            "challenger",
            message,
            meant(&rollout.challenger, &names),
        );
    };
    let baseline = &split.variants[split.baseline];
    if id == split.baseline {
        let message = format!("`{}` is the split's baseline", rollout.challenger);
        let help =
            "the challenger is the variant whose weight rises at the baseline's cost".to_owned();
        return one(Code::IsBaseline, "challenger", message, help);
    }
    if policy.kill || !split.enabled {
        let what = if policy.kill { "the policy is killed" } else { "the split is not enabled" };
        let help = "take that back first: nobody would get the challenger".to_owned();
        problem(Code::Unsteady, "split".to_owned(), what.to_owned(), help);
    }
    if split.ramp.is_some() {
        let help = "leave `ramp` out of the split: two cannot set its weights".to_owned();
        problem(Code::Unsteady, "split".to_owned(), "the split has a ramp".to_owned(), help);
    }
    let both = challenger.weight.units().saturating_add(baseline.weight.units());
    let both = Weight::from_units(both).unwrap_or(Weight::MAX);
    let mut before = challenger.weight;
    if let Some(first) = rollout.steps.first().filter(|first| anew && first.weight < before) {
        let message =
            format!("the first step has `{}`, and the policy has {before} already", first.weight);
        let help = format!("begin with a step of {before}, or put the policy's weight back to 0");
        problem(Code::StartsAbove, "steps[0].weight".to_owned(), message, help);
    }
    for (number, step) in rollout.steps.iter().enumerate() {
        let path = format!("steps[{number}].weight");
        let weight = step.weight;
        if weight > both {
            let message =
                format!("`{weight}` is more than challenger and baseline have together, {both}");
            let help = format!("at most {both}: the weights of other variants stay as they are");
            problem(Code::NoRoom, path.clone(), message, help);
        }
        if let Some(most) = challenger.max_weight.filter(|most| weight > *most) {
            let message = format!("`{weight}` is over the variant's `max_weight: {most}`");
            problem(
                Code::OverMaxWeight,
                path.clone(),
                message,
                "that holds for rollouts, too".to_owned(),
            );
        }
        let first_again = !anew && number == 0;
        let rise = weight.units().saturating_sub(before.units());
        if let Some(most) = rollout.max_step.filter(|most| rise > most.units() && !first_again) {
            let message = format!("from {before} to `{weight}` is more than `max_step: {most}`");
            problem(Code::OverMaxStep, path, message, "put a step in between".to_owned());
        }
        before = weight;
    }
    let units = split.variants.iter().map(|variant| variant.weight.units());
    let total = units.fold(0, u64::saturating_add);
    let baseline = baseline.name.clone();
    let challenger_weight = challenger.weight;
    if problems.is_empty() {
        Ok(Facts { baseline, challenger_weight, both, total })
    } else {
        Err(problems)
    }
}

fn meant(word: &str, known: &[&str]) -> String {
    if let Some(near) = nearest(word, known.iter().copied()) {
        return format!("did you mean `{near}`?");
    }
    let known: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
    format!("there is {}", known.join(", "))
}
