//! Rules over several fields, checked where each field could be read on its own.

pub(super) mod cookies;
pub(super) mod layers;
pub(super) mod metrics;
pub(super) mod ramp;

use crate::policy::name_map::NameMap;
use crate::policy::sink::{Path, Sink};
use crate::policy::value::name_of;
use crate::policy::{
    Code, Force, KeySource, Override, Policy, SecretSource, Split, Value, Weight, WeightTotal,
};

/// Checks the headers that the filter sets.
pub(super) fn check_headers(policy: &Policy, sink: &mut Sink) {
    let root = Path::Root;
    let mut taken: Vec<(&str, &str)> = vec![("cluster_header", &policy.cluster_header)];
    let others = [
        ("variant_header", policy.variant_header.as_deref()),
        ("mirror_header", Some(policy.mirror_header.as_str())),
        ("force", policy.force.as_ref().map(|force| force.header.as_str())),
        ("force", policy.force.as_ref().and_then(secret_header)),
        ("baggage", policy.baggage.then_some("baggage")),
    ];
    for (field, name) in others {
        let Some(name) = name else { continue };
        if let Some((first, _)) = taken.iter().find(|(_, other)| *other == name) {
            let message = format!("`{name}` is the `{first}` already");
            sink.error(Code::ControlHeader, &Path::Field(&root, field), message)
                .help("use a header of its own for each");
        }
        taken.push((field, name));
    }
    if policy.vary && policy.variant_header.is_none() {
        let message = "`vary` names the variant header, and that is off";
        sink.error(Code::MissingVariantHeader, &Path::Field(&root, "vary"), message)
            .help("leave `variant_header` out to have the default one");
    }
}

/// The header that carries the secret.
const fn secret_header(force: &Force) -> Option<&str> {
    match &force.secret_in {
        SecretSource::Header(name) => Some(name.as_str()),
        SecretSource::Cookie(_) => None,
    }
}

/// The headers that never pass from a client.
fn is_owned(policy: &Policy, name: &str) -> bool {
    let force = policy.force.as_ref();
    let secret = force.and_then(secret_header);
    let owned = [
        Some(policy.cluster_header.as_str()),
        policy.variant_header.as_deref(),
        Some(policy.mirror_header.as_str()),
        force.map(|force| force.header.as_str()),
        secret,
    ];
    owned.into_iter().flatten().any(|own| own == name)
}

/// Checks a split on its own.
pub(super) fn check_split(policy: &Policy, split: &Split, path: &Path, sink: &mut Sink) {
    check_control_headers(policy, split, path, sink);
    check_variants(split, path, sink);
    check_overrides(&split.overrides, path, sink);
    ramp::check(split, path, sink);
}

/// What the splits before a split have taken.
pub(super) struct Seen<'v> {
    /// All splits, as written.
    items: &'v [Value],
    index: usize,
    names: NameMap<'v>,
    salts: NameMap<'v>,
}

impl<'v> Seen<'v> {
    /// Begins with the first of the splits.
    pub(super) fn new(items: &'v [Value]) -> Self {
        Self { items, index: 0, names: NameMap::default(), salts: NameMap::default() }
    }

    /// Passes over a split that could not be read.
    pub(super) fn skip(&mut self) {
        self.index = self.index.saturating_add(1);
    }

    /// Checks the next split against those before it.
    pub(super) fn check_split(&mut self, split: &Split, path: &Path, sink: &mut Sink) {
        let Some(item) = self.items.get(self.index) else { return };
        let name = name_of(item);
        let salt = match item.field("salt") {
            Some(Value::String(salt)) => salt,
            _ => name,
        };
        if let Some(first) = self.names.insert(name, self.index) {
            sink.error(
                Code::DuplicateName,
                &Path::Field(path, "name"),
                format!("split `{}` is there already, as `splits[{first}]`", split.name),
            );
        } else if let Some(other) = self.salts.insert(salt, self.index) {
            let other = self.items.get(other).map_or("", name_of);
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
    let mut reported: Vec<&str> = Vec::new();
    for name in headers_read(split).filter(|name| is_owned(policy, name)) {
        if !reported.contains(&name) {
            reported.push(name);
            sink.error(
                Code::ControlHeader,
                path,
                format!("`{name}` never passes from a client, so it is neither key nor condition"),
            )
            .help("read another header, or rename the policy's own");
        }
    }
    let list = Path::Field(path, "variants");
    for (index, variant) in split.variants.iter().enumerate() {
        let edits = &variant.request_headers;
        let pairs = edits.set.iter().chain(&edits.add).map(|(name, _)| name);
        for name in pairs.chain(&edits.remove).filter(|name| is_owned(policy, name)) {
            let path = Path::Index(&list, index);
            sink.error(
                Code::ControlHeader,
                &Path::Field(&path, "request_headers"),
                format!("`{name}` is set by the filter itself"),
            )
            .help("edit another header, or rename the policy's own");
        }
    }
}

/// Every header that a split reads, with repetitions.
fn headers_read(split: &Split) -> impl Iterator<Item = &str> {
    let matches = split.matches.iter().flatten();
    matches
        .chain(split.overrides.iter().flat_map(|o| &o.matches))
        .flat_map(|m| &m.headers)
        .map(|test| test.name.as_str())
        .chain(split.key.iter().filter_map(|source| match source {
            KeySource::Header(name) => Some(name.as_str()),
            _ => None,
        }))
}

fn check_variants(split: &Split, path: &Path, sink: &mut Sink) {
    let list = Path::Field(path, "variants");
    let mut names = NameMap::default();
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
        if variant.drain && split.sticky.is_none() {
            sink.error(
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
pub(super) fn report_sum(found: Weight, wanted: Weight, path: &Path, sink: &mut Sink) {
    let help = match wanted.units().checked_sub(found.units()) {
        Some(short) => format!("{} are missing", Weight::from_units(short)),
        None => {
            let much = found.units().saturating_sub(wanted.units());
            format!("{} are too many", Weight::from_units(much))
        }
    };
    sink.error(Code::WeightSum, path, format!("the weights sum to {found}, not {wanted}"))
        .help(format!("{help}; for another sum set `weight_total` to it, or to `any`"));
}

/// A baseline lighter than a challenger may be the end of a rollout, or weights typed the wrong way
/// round. A baseline of 0 is a finished rollout, and nothing to warn of.
fn check_baseline(split: &Split, path: &Path, sink: &mut Sink) {
    let Some(baseline) = split.variants.get(split.baseline).filter(|b| !b.weight.is_zero()) else {
        return;
    };
    if let Some(heavier) = split.variants.iter().find(|v| v.weight > baseline.weight) {
        let message = format!(
            "`{}` has more weight ({}) than the baseline `{}` ({})",
            heavier.name, heavier.weight, baseline.name, baseline.weight
        );
        sink.warning(Code::BaselineOutweighed, &Path::Field(path, "variants"), message).help(
            "check that the weights are not swapped; a `max_weight` on the challenger refuses that",
        );
    }
}

/// An override whose conditions all stand in an earlier one never gets a request.
fn check_overrides(overrides: &[Override], path: &Path, sink: &mut Sink) {
    let list = Path::Field(path, "overrides");
    for (index, forced) in overrides.iter().enumerate() {
        let taken = |entry| {
            let earlier = overrides.iter().take(index);
            earlier.enumerate().find(|(_, o)| o.matches.contains(entry)).map(|(at, _)| at)
        };
        let by: Option<Vec<usize>> = forced.matches.iter().map(taken).collect();
        if let Some(first) = by.as_ref().and_then(|by| by.first()) {
            let message = format!("`{list}[{first}]` comes first and takes the same requests");
            sink.warning(Code::DeadOverride, &Path::Index(&list, index), message)
                .help("remove one of them, or put the narrower one first");
        }
    }
}
