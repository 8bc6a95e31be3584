//! Rules over the variants of a split and their weights.

use crate::policy::name_map::NameMap;
use crate::policy::sink::{Path, Sink};
use crate::policy::{Code, Split, Weight, WeightTotal};

/// Checks the variants of a split.
pub(super) fn check(split: &Split, path: &Path, sink: &mut Sink) {
    let list = Path::Field(path, "variants");
    let mut names = NameMap::default();
    let mut sum = 0_u64;
    for (index, variant) in split.variants.iter().enumerate() {
        let path = Path::Index(&list, index);
        if let Some(first) = names.insert(variant.name.as_str(), index) {
            sink.report(
                Code::DuplicateName,
                &Path::Field(&path, "name"),
                format!("variant `{}` is there already, as `{list}[{first}]`", variant.name),
            );
        }
        if variant.drain && split.sticky.is_none() {
            sink.report(
                Code::DrainWithoutSticky,
                &Path::Field(&path, "drain"),
                format!(
                    "`{}` keeps those who hold it, but without `sticky` nobody does",
                    variant.name
                ),
            )
            .help("add `sticky` to the split, or set the weight to 0 to switch the variant off");
        }
        sum = sum.saturating_add(variant.weight.units());
    }
    if let WeightTotal::Exactly(total) = split.weight_total
        && sum != total.units()
    {
        report_sum(Weight::from_units(sum), total, &list, sink);
    }
    check_baseline(split, path, sink);
}

/// Says that weights do not sum to what they should.
pub(crate) fn report_sum(found: Weight, wanted: Weight, path: &Path, sink: &mut Sink) {
    let help = match wanted.units().checked_sub(found.units()) {
        Some(short) => format!("{} are missing", Weight::from_units(short)),
        None => {
            let much = found.units().saturating_sub(wanted.units());
            format!("{} are too many", Weight::from_units(much))
        }
    };
    sink.report(Code::WeightSum, path, format!("the weights sum to {found}, not {wanted}"))
        .help(format!("{help}; for another sum set `weight_total` to it, or to `any`"));
}

/// A baseline lighter than a challenger may be the end of a rollout, or weights typed the wrong way
/// round. A baseline of 0 is a finished rollout, and nothing to warn of.
fn check_baseline(split: &Split, path: &Path, sink: &mut Sink) {
    let baseline = &split.variants[split.baseline];
    if baseline.weight.is_zero() {
        return;
    }
    if let Some(heavier) = split.variants.iter().find(|v| v.weight > baseline.weight) {
        let message = format!(
            "`{}` has more weight ({}) than the baseline `{}` ({})",
            heavier.name, heavier.weight, baseline.name, baseline.weight
        );
        sink.report(Code::BaselineOutweighed, &Path::Field(path, "variants"), message).help(
            "check that the weights are not swapped; a `max_weight` on the challenger refuses that",
        );
    }
}
