//! Rules over what a split requires of earlier ones.

use super::effort::Effort;
use crate::policy::cursor::Cursor;
use crate::policy::{Code, Policy, Requirement, Split};

/// Checks the requirements of all splits.
pub(super) fn check(policy: &Policy, list: &Cursor, effort: &mut Effort) {
    for (index, split) in policy.splits.iter().enumerate().filter(|(_, split)| split.enabled) {
        let at = list.index(index);
        let at = at.field("requires");
        let required = || split.requires.iter().map(|required| &policy.splits[required.split]);
        if let Some(required) = required().find(|required| !required.enabled) {
            let message =
                format!("`{}` is not enabled, so `{}` never applies", required.name, split.name);
            at.report(Code::RequiresDisabled, message).help("enable it, or disable this one too");
        }
        if let Some(why) = why_never(policy, split, effort) {
            at.report(Code::NeverApplies, format!("`{}` never applies: {why}", split.name))
                .help("remove one of the requirements, or the split");
        }
    }
}

/// Why nobody can ever have all that a split requires, and be in it.
fn why_never(policy: &Policy, split: &Split, effort: &mut Effort) -> Option<String> {
    for (index, required) in split.requires.iter().enumerate() {
        let other = &policy.splits[required.split];
        if split.layer.is_some() && split.layer == other.layer {
            return Some(format!(
                "`{}` is in its layer, and of a layer one split applies",
                other.name
            ));
        }
        if effort.are_apart(split, other) == Some(true) {
            return Some(format!("no request meets its `match` and that of `{}`", other.name));
        }
        // There may be thousands, and it is a mistake of few.
        for before in split.requires.iter().take(index.min(FEW)) {
            if let Some(why) = exclude_each_other(policy, *before, *required) {
                return Some(why);
            }
        }
    }
    None
}

/// How many requirements of a split are compared with each other.
const FEW: usize = 16;

fn exclude_each_other(policy: &Policy, a: Requirement, b: Requirement) -> Option<String> {
    let [first, second] = [a, b].map(|required| &policy.splits[required.split]);
    if a.split == b.split {
        let [a, b] = [a, b].map(|required| &first.variants[required.variant].name);
        return (a != b).then(|| format!("nobody has both `{a}` and `{b}` of `{}`", first.name));
    }
    let one_layer = first.layer.is_some() && first.layer == second.layer;
    one_layer.then(|| format!("`{}` and `{}` are in one layer", first.name, second.name))
}
