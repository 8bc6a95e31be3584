//! Rules over the variants of a split and their weights.

use std::cmp::Ordering;

use crate::policy::cursor::Cursor;
use crate::policy::name_map::NameMap;
use crate::policy::{Code, Split, Weight, WeightSum, WeightTotal};

/// Checks the variants of a split.
pub(super) fn check(split: &Split, at: &Cursor) {
    let list = at.field("variants");
    let mut names = NameMap::default();
    for (index, variant) in split.variants.iter().enumerate() {
        let (at, name) = (list.index(index), variant.name.as_str());
        if let Some(first) = names.insert(name, index) {
            let message = format!("variant `{name}` is there already, as `{list}[{first}]`");
            at.field("name").report(Code::DuplicateName, message);
        }
        if variant.drain && split.sticky.is_none() {
            let message =
                format!("`{name}` keeps those who hold it, but without `sticky` nobody does");
            at.field("drain").report(Code::DrainWithoutSticky, message).help(
                "add `sticky` to the split, or set the weight to 0 to switch the variant off",
            );
        }
    }
    check_sum(split.variants.iter().map(|variant| variant.weight), split.weight_total, &list);
    check_baseline(split, &list);
}

/// Checks that weights sum to what they should.
pub(crate) fn check_sum(weights: impl Iterator<Item = Weight>, total: WeightTotal, at: &Cursor) {
    let WeightTotal::Exactly(wanted) = total else { return };
    let (found, wanted) = (weights.sum::<WeightSum>(), WeightSum::from(wanted));
    let help = match found.cmp(&wanted) {
        Ordering::Equal => return,
        Ordering::Less => format!("{} are missing", found.distance(wanted)),
        Ordering::Greater => format!("{} are too many", found.distance(wanted)),
    };
    at.report(Code::WeightSum, format!("the weights sum to {found}, not {wanted}"))
        .help(format!("{help}; for another sum set `weight_total` to it, or to `any`"));
}

/// A baseline lighter than a challenger may be the end of a rollout, or weights typed the wrong way
/// round. A baseline of 0 is a finished rollout, and nothing to warn of.
fn check_baseline(split: &Split, list: &Cursor) {
    let baseline = &split.variants[split.baseline];
    if baseline.weight.is_zero() {
        return;
    }
    if let Some(heavier) = split.variants.iter().find(|v| v.weight > baseline.weight) {
        let message = format!(
            "`{}` has more weight ({}) than the baseline `{}` ({})",
            heavier.name, heavier.weight, baseline.name, baseline.weight
        );
        list.report(Code::BaselineOutweighed, message).help(
            "check that the weights are not swapped; a `max_weight` on the challenger refuses that",
        );
    }
}
