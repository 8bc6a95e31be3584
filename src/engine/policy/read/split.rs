//! Reading a split.

use super::guard::read_guard;
use super::key::read_key;
use super::matches::read_matches;
use super::names::{read_cluster, read_name, read_salt};
use super::ramp::read_ramp;
use super::scalar::{read_bool, read_percent};
use super::sticky::read_sticky;
use super::variant::{read_variant, read_weight};
use crate::ids::{Id as _, LayerId, SplitId, VariantId};
use crate::policy::check;
use crate::policy::cursor::Cursor;
use crate::policy::{
    Assignment, Code, KeySource, Mirror, MirrorBy, OnMissingKey, Override, Policy, Requirement,
    Slice, Split, Value, Variant, WeightTotal, limits,
};

/// What a split needs to know of the policy around it.
pub(super) struct Around<'p> {
    /// The policy, its splits not read yet.
    pub(super) policy: &'p Policy,
    /// The default key.
    pub(super) key: &'p [KeySource],
    /// The policy has a `key`, be it a broken one.
    pub(super) key_given: bool,
    /// The names of all splits, as far as they can be read.
    pub(super) names: Vec<&'p str>,
}

pub(super) fn read_splits(at: &Cursor, around: &Around) -> Option<Vec<Split>> {
    let items = at.items()?;
    let help = "give proxies only the splits of the hosts they serve";
    at.at_most(limits::SPLITS, items.len(), "splits", Some(help))?;
    // No splits at all is a policy, too: the way to switch everything off and keep the file.
    let mut seen = check::SplitNames::new(items);
    let mut splits: Vec<Option<Split>> = Vec::with_capacity(items.len());
    for index in 0..items.len() {
        let at = at.index(index);
        let split = read_split(&at, around, &splits);
        // What could not be read has reported why.
        if let Some(split) = &split {
            check::check_split(around.policy, split, &at);
            seen.check(index, split, &at);
        }
        splits.push(split);
    }
    splits.into_iter().collect()
}

fn read_split(at: &Cursor, around: &Around, earlier: &[Option<Split>]) -> Option<Split> {
    let mut fields = at.object()?;
    let mut split = Split { enabled: true, key: around.key.to_vec(), ..Split::default() };
    let name = fields.required("name", read_name);
    fields.set("enabled", &mut split.enabled, read_bool);
    split.matches = fields.optional("match", read_matches);
    fields.set("key", &mut split.key, read_key);
    let key_given = fields.has("key") || around.key_given;
    fields.set("on_missing_key", &mut split.on_missing_key, |at| at.word(OnMissingKey::ALL));
    fields.set("assignment", &mut split.assignment, |at| at.word(Assignment::ALL));
    if !key_given && split.assignment != Assignment::Random {
        at.report(Code::MissingKey, "nothing says which header or cookie identifies the user")
            .help("add `key: [{header: x-user-id}]` to the split, or to the policy for all splits");
    }
    fields.optional("algorithm", |at| at.word(&[("rendezvous", ())]));
    let salt = fields.optional("salt", read_salt);
    fields.set("weight_total", &mut split.weight_total, read_weight_total);
    let variants = fields.required("variants", read_variants);
    // Where a variant has a problem, references to all of them can still be checked.
    let names = names_in(at.field("variants").value);
    let find = |at: &Cursor| find_variant(at, &names);
    let baseline = fields.required("baseline", find);
    fields.set("overrides", &mut split.overrides, |at| {
        let help = "for many values of a header, cookie or query parameter use one test with `in`";
        at.list_of_at_most(limits::OVERRIDES, "overrides", Some(help), |at| read_override(at, find))
    });
    split.layer = fields.optional("layer", |at| find_layer(at, around.policy));
    split.slice = fields.optional("slice", read_slice);
    if fields.has("slice") && !fields.has("layer") {
        let message = "a slice is a share of a layer, and there is none";
        at.field("slice")
            .report(Code::SliceWithoutLayer, message)
            .help("name the `layer`, or make the split smaller by `weight`s");
    }
    split.sticky = fields.optional("sticky", |at| read_sticky(at, name.as_deref()));
    split.ramp =
        fields.optional("ramp", |at| read_ramp(at, variants.as_deref(), split.weight_total));
    split.mirror = fields.optional("mirror", read_mirror);
    split.guard = fields.optional("guard", read_guard);
    let required = |at: &Cursor| read_requirement(at, around, earlier);
    fields.set("requires", &mut split.requires, |at| {
        at.list_of_at_most(limits::REQUIREMENTS, "requirements", None, required)
    });
    fields.close();
    split.name = name?;
    split.salt = salt.unwrap_or_else(|| split.name.clone());
    split.baseline = baseline?;
    split.variants = variants?.into();
    Some(split)
}

fn read_variants(at: &Cursor) -> Option<Vec<Variant>> {
    let variants = at.list(read_variant)?;
    at.at_most(limits::VARIANTS, variants.len(), "variants", None)?;
    Some(variants)
}

fn read_weight_total(at: &Cursor) -> Option<WeightTotal> {
    match at.value {
        Value::String(word) if word == "any" => return Some(WeightTotal::Any),
        Value::String(_) => return at.expected("a number or `any`"),
        _ => {}
    }
    let total = read_weight(at)?;
    if total.is_zero() {
        let message = "a `weight_total` of `0` leaves nobody a variant";
        let help = "to switch the split off, write `enabled: false`";
        return at.refuse(Code::InvalidWeight, message, help);
    }
    Some(WeightTotal::Exactly(total))
}

fn read_override(at: &Cursor, find: impl FnOnce(&Cursor) -> Option<VariantId>) -> Option<Override> {
    let mut fields = at.object()?;
    let matches = fields.required("match", read_matches);
    let skip = fields.optional("skip", read_bool);
    let variant = match (fields.has("variant"), fields.has("skip")) {
        (false, true) if skip == Some(true) => Some(None),
        (_, false) => fields.required("variant", find).map(Some),
        _ => {
            let message = "an override either names a `variant` or says `skip: true`";
            at.report(Code::ConflictingFields, message);
            None
        }
    };
    fields.close();
    Some(Override { matches: matches?, variant: variant? })
}

/// The index of a variant that is referred to by name.
fn find_variant(at: &Cursor, names: &[&str]) -> Option<VariantId> {
    let name = at.text()?;
    let found = names.iter().position(|known| *known == name);
    // Where not all names can be read the problem there says enough: this may be one of them.
    if found.is_none() && !names.is_empty() && names.iter().all(|known| !known.is_empty()) {
        at.unknown(Code::UnknownVariant, "variant", name, names);
    }
    found.map(VariantId::at)
}

/// The names of the objects in a list, in its order; empty where there is none.
pub(super) fn names_in(list: &Value) -> Vec<&str> {
    list.items().iter().map(Value::name).collect()
}

fn find_layer(at: &Cursor, policy: &Policy) -> Option<LayerId> {
    let name = at.text()?;
    let found = policy.layers.find(|layer| layer.name == name);
    if found.is_none() {
        let known: Vec<_> = policy.layers.iter().map(|layer| layer.name.as_str()).collect();
        if known.is_empty() {
            at.report(Code::UnknownLayer, format!("unknown layer `{name}`"))
                .help(format!("declare it: `layers: [{{name: {name}}}]`"));
        } else {
            at.unknown(Code::UnknownLayer, "layer", name, &known);
        }
    }
    found
}

fn read_slice(at: &Cursor) -> Option<Slice> {
    let mut fields = at.object()?;
    let from = fields.required("from", read_percent);
    let to = fields.required("to", read_percent);
    fields.close();
    let slice = Slice::new(from?, to?);
    if slice.is_none() {
        at.report(Code::InvalidSlice, "the slice holds nobody: `from` is not below `to`").help(
            "a slice is percent of its layer, `from` included and `to` not: `{from: 0, to: 50}`",
        );
    }
    slice
}

fn read_mirror(at: &Cursor) -> Option<Mirror> {
    let mut fields = at.object()?;
    let cluster = fields.required("cluster", read_cluster);
    let buckets = fields.required("percent", read_percent);
    let by = fields.optional("by", |at| at.word(MirrorBy::ALL));
    fields.close();
    Some(Mirror { cluster: cluster?, buckets: buckets?, by: by.unwrap_or_default() })
}

fn read_requirement(
    at: &Cursor,
    around: &Around,
    earlier: &[Option<Split>],
) -> Option<Requirement> {
    let mut fields = at.object()?;
    let found = fields.required("split", |at| {
        let name = at.text()?;
        let known = |split: &&Split| split.name == name;
        let mut splits = earlier.iter().enumerate();
        let found = splits.find_map(|(at, split)| Some((at, split.as_ref().filter(known)?)));
        if found.is_some() {
            return found;
        }
        if around.names.iter().skip(earlier.len()).any(|later| *later == name) {
            let message = format!("split `{name}` is not decided yet at this point");
            let help =
                "splits are decided in order: move the split that is required before this one";
            return at.refuse(Code::ForwardRequirement, message, help);
        }
        if !around.names.contains(&name) && around.names.iter().all(|known| !known.is_empty()) {
            at.unknown(Code::UnknownSplit, "split", name, &around.names);
        }
        None
    });
    let variant = fields.required("variant", |at| {
        // Where the split is not known, its own problem is enough.
        let names: Vec<_> = found?.1.variants.iter().map(|v| v.name.as_str()).collect();
        find_variant(at, &names)
    });
    fields.close();
    Some(Requirement { split: SplitId::at(found?.0), variant: variant? })
}
