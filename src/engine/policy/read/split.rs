//! Reading a split.

use super::fields::{Fields, read_bool, read_list, read_text};
use super::key::read_key;
use super::matches::read_matches;
use super::names::{read_cluster, read_name, read_salt};
use super::ramp::read_ramp;
use super::sticky::read_sticky;
use super::variant::{read_variant, read_weight};
use super::{read_percent, read_word};
use crate::ids::{Id as _, LayerId, SplitId, VariantId};
use crate::policy::check;
use crate::policy::sink::{Path, Sink};
use crate::policy::value::name_of;
use crate::policy::{
    Assignment, Code, KeySource, Mirror, MirrorBy, OnMissingKey, Override, Policy, Requirement,
    Slice, Split, Value, Variant, WeightTotal, limits,
};

/// What a split needs to know of the policy around it.
pub(super) struct Around<'p> {
    /// The policy, its splits not read yet.
    pub(super) policy: &'p Policy,
    /// The default key.
    key: Option<&'p [KeySource]>,
    /// The policy has a `key`, be it a broken one.
    key_given: bool,
    /// The names of all splits, as far as they can be read.
    names: Vec<&'p str>,
}

impl<'p> Around<'p> {
    pub(super) fn new(
        policy: &'p Policy,
        key: Option<&'p [KeySource]>,
        key_given: bool,
        document: &'p Value,
    ) -> Self {
        Self { policy, key, key_given, names: names_in(document.field("splits")) }
    }
}

pub(super) fn read_splits(
    value: &Value,
    path: &Path,
    sink: &mut Sink,
    around: &Around,
) -> Option<Vec<Split>> {
    let Value::List(items) = value else {
        sink.wrong_type(path, "a list", value);
        return None;
    };
    if let Some(over) = sink.over(limits::SPLITS, items.len(), "splits", path) {
        over.help("give proxies only the splits of the hosts they serve");
        return None;
    }
    // No splits at all is a policy, too: the way to switch everything off and keep the file.
    let mut seen = check::SplitNames::new(items);
    let mut splits: Vec<Option<Split>> = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let path = Path::Index(path, index);
        let split = read_split(item, &path, sink, around, &splits);
        match &split {
            Some(split) => {
                check::check_split(around.policy, split, item, &path, sink);
                seen.check(split, &path, sink);
            }
            // What could not be read has reported why.
            None => seen.skip(),
        }
        splits.push(split);
    }
    splits.into_iter().collect()
}

fn read_split(
    value: &Value,
    path: &Path,
    sink: &mut Sink,
    around: &Around,
    earlier: &[Option<Split>],
) -> Option<Split> {
    let mut fields = Fields::open(value, path, sink)?;
    let name = fields.required("name", sink, read_name);
    let enabled = fields.optional("enabled", sink, read_bool);
    let matches = fields.optional("match", sink, read_matches);
    let own_key = fields.optional("key", sink, read_key);
    let key_given = fields.get("key").is_some() || around.key_given;
    let on_missing_key =
        fields.optional("on_missing_key", sink, |v, p, s| read_word(v, p, s, OnMissingKey::ALL));
    let assignment =
        fields.optional("assignment", sink, |v, p, s| read_word(v, p, s, Assignment::ALL));
    if !key_given && assignment != Some(Assignment::Random) {
        sink.report(
            Code::MissingKey,
            path,
            "nothing says which header or cookie identifies the user",
        )
        .help("add `key: [{header: x-user-id}]` to the split, or to the policy for all splits");
    }
    fields.optional("algorithm", sink, |v, p, s| read_word(v, p, s, &[("rendezvous", ())]));
    let salt = fields.optional("salt", sink, read_salt);
    let weight_total = fields.optional("weight_total", sink, read_weight_total);
    let total = weight_total.unwrap_or_default();
    let variants = fields.required("variants", sink, read_variants);
    // Where a variant has a problem, references to all of them can still be checked.
    let names = names_in(value.field("variants"));
    let index_of = |v: &Value, p: &Path, s: &mut Sink| find_variant(v, p, s, &names);
    let baseline = fields.required("baseline", sink, index_of);
    let overrides = fields.optional("overrides", sink, |v, p, s| {
        read_list(v, p, s, |v, p, s| read_override(v, p, s, index_of))
    });
    let layer = fields.optional("layer", sink, |v, p, s| find_layer(v, p, s, around.policy));
    let slice = fields.optional("slice", sink, read_slice);
    if let (Some(_), None) = (fields.get("slice"), fields.get("layer")) {
        sink.report(
            Code::SliceWithoutLayer,
            &Path::Field(path, "slice"),
            "a slice is a share of a layer, and there is none",
        )
        .help("name the `layer`, or make the split smaller by `weight`s");
    }
    let sticky = fields.optional("sticky", sink, |v, p, s| read_sticky(v, p, s, name.as_deref()));
    let ramp =
        fields.optional("ramp", sink, |v, p, s| read_ramp(v, p, s, variants.as_deref(), total));
    let mirror = fields.optional("mirror", sink, read_mirror);
    let requires = fields.optional("requires", sink, |v, p, s| {
        read_list(v, p, s, |v, p, s| read_requirement(v, p, s, around, earlier))
    });
    fields.close(sink);
    let name = name?;
    Some(Split {
        enabled: enabled.unwrap_or(true),
        matches,
        key: own_key.or_else(|| around.key.map(<[_]>::to_vec)).unwrap_or_default(),
        on_missing_key: on_missing_key.unwrap_or_default(),
        assignment: assignment.unwrap_or_default(),
        salt: salt.unwrap_or_else(|| name.clone()),
        baseline: baseline?,
        weight_total: total,
        variants: variants?.into(),
        overrides: overrides.unwrap_or_default(),
        layer,
        slice,
        sticky,
        ramp,
        mirror,
        requires: requires.unwrap_or_default(),
        name,
    })
}

fn read_variants(value: &Value, path: &Path, sink: &mut Sink) -> Option<Vec<Variant>> {
    let variants = read_list(value, path, sink, read_variant)?;
    let over = sink.over(limits::VARIANTS, variants.len(), "variants", path).is_some();
    (!over).then_some(variants)
}

fn read_weight_total(value: &Value, path: &Path, sink: &mut Sink) -> Option<WeightTotal> {
    if matches!(value, Value::String(word) if word == "any") {
        return Some(WeightTotal::Any);
    }
    if let Value::String(_) = value {
        sink.wrong_type(path, "a number or `any`", value);
        return None;
    }
    let total = read_weight(value, path, sink)?;
    if total.is_zero() {
        sink.report(Code::InvalidWeight, path, "a `weight_total` of `0` leaves nobody a variant")
            .help("to switch the split off, write `enabled: false`");
        return None;
    }
    Some(WeightTotal::Exactly(total))
}

fn read_override(
    value: &Value,
    path: &Path,
    sink: &mut Sink,
    index_of: impl FnOnce(&Value, &Path, &mut Sink) -> Option<VariantId>,
) -> Option<Override> {
    let mut fields = Fields::open(value, path, sink)?;
    let matches = fields.required("match", sink, read_matches);
    let skip = fields.optional("skip", sink, read_bool);
    let variant = match (fields.get("variant"), fields.get("skip")) {
        (None, Some(_)) if skip == Some(true) => Some(None),
        (Some(_), None) | (None, None) => fields.required("variant", sink, index_of).map(Some),
        _ => {
            sink.report(
                Code::ConflictingFields,
                path,
                "an override either names a `variant` or says `skip: true`",
            );
            None
        }
    };
    fields.close(sink);
    Some(Override { matches: matches?, variant: variant? })
}

/// The index of a variant that is referred to by name.
fn find_variant(value: &Value, path: &Path, sink: &mut Sink, names: &[&str]) -> Option<VariantId> {
    let name = read_text(value, path, sink)?;
    let found = names.iter().position(|known| *known == name);
    if found.is_none() {
        let known: Vec<_> = names.iter().copied().filter(|name| !name.is_empty()).collect();
        sink.unknown(Code::UnknownVariant, path, "variant", name, &known);
    }
    found.map(VariantId::at)
}

/// The names of the objects in a list, in its order; empty where there is none.
fn names_in(list: Option<&Value>) -> Vec<&str> {
    match list {
        Some(Value::List(items)) => items.iter().map(name_of).collect(),
        _ => Vec::new(),
    }
}

fn find_layer(value: &Value, path: &Path, sink: &mut Sink, policy: &Policy) -> Option<LayerId> {
    let name = read_text(value, path, sink)?;
    let found = policy.layers.find(|layer| layer.name == name);
    if found.is_none() {
        let known: Vec<_> = policy.layers.iter().map(|layer| layer.name.as_str()).collect();
        if known.is_empty() {
            sink.report(Code::UnknownLayer, path, format!("unknown layer `{name}`"))
                .help(format!("declare it: `layers: [{{name: {name}}}]`"));
        } else {
            sink.unknown(Code::UnknownLayer, path, "layer", name, &known);
        }
    }
    found
}

fn read_slice(value: &Value, path: &Path, sink: &mut Sink) -> Option<Slice> {
    let mut fields = Fields::open(value, path, sink)?;
    let from = fields.required("from", sink, read_percent);
    let to = fields.required("to", sink, read_percent);
    fields.close(sink);
    let slice = Slice::new(from?, to?);
    if slice.is_none() {
        sink.report(Code::InvalidSlice, path, "the slice holds nobody: `from` is not below `to`")
            .help("a slice is percent of its layer, `from` included and `to` not: `{from: 0, to: 50}`");
    }
    slice
}

fn read_mirror(value: &Value, path: &Path, sink: &mut Sink) -> Option<Mirror> {
    let mut fields = Fields::open(value, path, sink)?;
    let cluster = fields.required("cluster", sink, read_cluster);
    let buckets = fields.required("percent", sink, read_percent);
    let by = fields.optional("by", sink, |v, p, s| read_word(v, p, s, MirrorBy::ALL));
    fields.close(sink);
    Some(Mirror { cluster: cluster?, buckets: buckets?, by: by.unwrap_or_default() })
}

fn read_requirement(
    value: &Value,
    path: &Path,
    sink: &mut Sink,
    around: &Around,
    earlier: &[Option<Split>],
) -> Option<Requirement> {
    let mut fields = Fields::open(value, path, sink)?;
    let split = fields.required("split", sink, |value, path, sink| {
        let name = read_text(value, path, sink)?;
        let found = earlier.iter().position(|s| s.as_ref().is_some_and(|s| s.name == name));
        if found.is_some() {
            return found.map(SplitId::at);
        }
        if around.names.iter().skip(earlier.len()).any(|later| *later == name) {
            let message = format!("split `{name}` is not decided yet at this point");
            sink.report(Code::ForwardRequirement, path, message).help(
                "splits are decided in order: move the split that is required before this one",
            );
        } else if !around.names.contains(&name) {
            sink.unknown(Code::UnknownSplit, path, "split", name, &around.names);
        }
        None
    });
    let required = split.and_then(|split| earlier.get(split.place())?.as_ref());
    let variant = fields.required("variant", sink, |v, p, s| match required {
        Some(required) => {
            let names: Vec<_> = required.variants.iter().map(|v| v.name.as_str()).collect();
            find_variant(v, p, s, &names)
        }
        // The split's own problem is enough.
        None => None,
    });
    fields.close(sink);
    Some(Requirement { split: split?, variant: variant? })
}
