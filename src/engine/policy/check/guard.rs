//! Rules over a guard and what it can judge in its split.

use crate::policy::cursor::Cursor;
use crate::policy::{Assignment, Code, Outcomes, Policy, Split, Weight};

/// Warns of a guard that can never take a variant out.
pub(super) fn check(policy: &Policy, split: &Split, at: &Cursor) {
    if split.guard.is_none() {
        return;
    }
    let baseline = &split.variants[split.baseline].name;
    let (message, help) = if !split.variants.ids().any(|id| split.is_judged(id)) {
        let message =
            format!("the guard has nothing to judge: no variant but `{baseline}` has a weight");
        (message, "remove it until there is a challenger, or give one a weight")
    } else if split.weights_of(split.baseline).all(Weight::is_zero) {
        let message = format!(
            "the guard has nothing to judge by: the weights give the baseline `{baseline}` to nobody"
        );
        (message, "give the baseline a weight, or make another variant the baseline")
    } else if policy.outcomes != Outcomes::Filter {
        let message =
            "the guard has nothing to judge by: the filter does not count how requests end";
        (message.to_owned(), "write `outcomes: filter`, or remove the guard")
    } else if split.key.is_empty() {
        let message = "the guard has nobody to judge by: it counts users, and without a `key` the split has none";
        (message.to_owned(), "give the split a `key`, or remove the guard")
    } else if split.assignment == Assignment::Random && split.sticky.is_none() {
        let message =
            "the guard has nobody to judge by: with `assignment: random` no user keeps a variant";
        (message.to_owned(), "remove `assignment`, or add `sticky`; or remove the guard")
    } else {
        return;
    };
    at.field("guard").report(Code::NoEffect, message).help(help);
}
