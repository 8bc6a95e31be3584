//! Rules over the variants of a split and their weights.

use std::cmp::Ordering;

use super::keys;
use crate::ids::{Id as _, VariantId};
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
                "add `sticky` to the split, or set the weight to 0, which gives the variant to nobody",
            );
        }
    }
    check_sum(split.variants.iter().map(|variant| variant.weight), split.weight_total, &list);
}

/// Warns of weights that hardly mean what they say.
pub(super) fn advise(split: &Split, at: &Cursor) {
    let list = at.field("variants");
    check_baseline(split, &list);
    check_admission(split, &list);
}

/// Warns of variants that drain and hold nobody, and of a split in which all that have a weight drain.
fn check_admission(split: &Split, list: &Cursor) {
    let is_off = |id| split.weights_of(id).all(Weight::is_zero);
    for (id, variant) in split.variants.pairs().filter(|(_, variant)| variant.drain) {
        if split.sticky.is_some() && is_off(id) {
            let message =
                format!("`{}` has weight 0, which ends it for its holders too", variant.name);
            list.index(id.place())
                .field("drain")
                .report(Code::NoEffect, message)
                .help("give it a weight for as long as it keeps them, or remove `drain`");
        }
    }
    if split.variants.pairs().all(|(id, variant)| variant.drain || is_off(id)) {
        let baseline = &split.variants[split.baseline].name;
        let message = format!(
            "no variant takes new users: each drains or has weight 0, so all of them are served the baseline `{baseline}`"
        );
        list.report(Code::NobodyAdmitted, message)
            .help("give a variant that does not drain a weight");
    }
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

/// A baseline lighter than a challenger may be the end of a rollout, or weights typed the wrong way round. One that has no
/// weight left, now or at the end of a ramp, is a finished rollout, in which whoever has no key is still served it.
fn check_baseline(split: &Split, list: &Cursor) {
    let baseline = &split.variants[split.baseline];
    let ends_at_zero = |id: &VariantId| split.weights_of(*id).last().is_none_or(Weight::is_zero);
    let finished =
        ends_at_zero(&split.baseline) && !split.variants.ids().all(|id| ends_at_zero(&id));
    if finished && keys::serves_keyless_the_baseline(split) {
        let when = if baseline.weight.is_zero() {
            "has weight 0"
        } else {
            "has weight 0 when the ramp ends"
        };
        let message = format!(
            "`{}` {when}, and every request without a key is served it all the same",
            baseline.name
        );
        list.index(split.baseline.place())
            .report(Code::BaselineStillServes, message)
            .help("make the winner the `baseline`; or write `on_missing_key: random`, which goes by the weights, or `skip`");
    }
    if baseline.weight.is_zero() {
        return;
    }
    if let Some(heavier) = split.variants.iter().find(|v| v.weight > baseline.weight) {
        let message = format!(
            "`{}` has more weight ({}) than the baseline `{}` ({})",
            heavier.name, heavier.weight, baseline.name, baseline.weight
        );
        list.report(Code::BaselineOutweighed, message).help(
            "check that the weights are not swapped; a `max_weight` on the challenger refuses that, and when a rollout is done the winner is the next `baseline`",
        );
    }
}
