//! Rules over several fields, checked where each field could be read on its own.

use std::collections::BTreeMap;

use super::fields::{Path, Sink};
use super::{Code, Policy, Split, Weight, WeightTotal};

/// Checks the headers that the filter sets.
pub(super) fn check_headers(policy: &Policy, sink: &mut Sink) {
    if policy.variant_header.as_ref() == Some(&policy.cluster_header) {
        sink.error(
            Code::ControlHeader,
            &Path::Field(&Path::Root, "variant_header"),
            format!("`{}` is the `cluster_header` already", policy.cluster_header),
        )
        .help("use two headers, or `variant_header: null`");
    }
}

/// Checks a split on its own.
pub(super) fn check_split(policy: &Policy, split: &Split, path: &Path, sink: &mut Sink) {
    check_control_headers(policy, split, path, sink);
    check_variants(split, path, sink);
}

/// What the splits before a split have taken.
#[derive(Default)]
pub(super) struct Seen {
    index: usize,
    names: BTreeMap<String, usize>,
    salts: BTreeMap<String, String>,
}

impl Seen {
    /// Passes over a split that could not be read.
    pub(super) fn skip(&mut self) {
        self.index = self.index.saturating_add(1);
    }

    /// Checks the next split against those before it.
    pub(super) fn check_split(&mut self, split: &Split, path: &Path, sink: &mut Sink) {
        if let Some(first) = self.names.insert(split.name.clone(), self.index) {
            sink.error(
                Code::DuplicateName,
                &Path::Field(path, "name"),
                format!("split `{}` is there already, as `splits[{first}]`", split.name),
            );
        } else if let Some(other) = self.salts.insert(split.salt.clone(), split.name.clone()) {
            sink.warning(
                Code::SharedSalt,
                path,
                format!("splits `{other}` and `{}` have one salt, `{}`", split.name, split.salt),
            )
            .help("the same users go first in both; give each split a salt of its own unless you want that");
        }
        self.skip();
    }
}

fn check_control_headers(policy: &Policy, split: &Split, path: &Path, sink: &mut Sink) {
    let owned = |name: &str| {
        name == policy.cluster_header || Some(name) == policy.variant_header.as_deref()
    };
    let mut reported: Vec<&str> = Vec::new();
    for name in split.headers_read().filter(|name| owned(name)) {
        if !reported.contains(&name) {
            reported.push(name);
            sink.error(
                Code::ControlHeader,
                path,
                format!("`{name}` never passes from a client, so it is neither key nor condition"),
            )
            .help("read another header, or rename `cluster_header` or `variant_header`");
        }
    }
}

fn check_variants(split: &Split, path: &Path, sink: &mut Sink) {
    let list = Path::Field(path, "variants");
    let mut names = BTreeMap::new();
    let mut sum = 0_u64;
    for (index, variant) in split.variants.iter().enumerate() {
        let path = Path::Index(&list, index);
        if let Some(first) = names.insert(variant.name.as_str(), index) {
            sink.error(
                Code::DuplicateName,
                &Path::Field(&path, "name"),
                format!("variant `{}` is there already, as `{list}[{first}]`", variant.name),
            );
        }
        if let Some(max) = variant.max_weight.filter(|max| variant.weight > *max) {
            sink.error(
                Code::WeightOverMax,
                &Path::Field(&path, "weight"),
                format!(
                    "weight `{}` of `{}` is over its `max_weight` of {max}",
                    variant.weight, variant.name
                ),
            )
            .help("lower the weight; or raise `max_weight`, if this is really wanted");
        }
        sum = sum.saturating_add(variant.weight.units());
    }
    if let WeightTotal::Exactly(total) = split.weight_total
        && sum != total.units()
    {
        let (found, wanted) = (Weight::from_units(sum), total);
        let help = match wanted.units().checked_sub(sum) {
            Some(short) => format!("{} are missing", Weight::from_units(short)),
            None => {
                format!("{} are too many", Weight::from_units(sum.saturating_sub(wanted.units())))
            }
        };
        sink.error(Code::WeightSum, &list, format!("the weights sum to {found}, not {wanted}"))
            .help(format!("{help}; for another sum set `weight_total` to it, or to `any`"));
    }
}
