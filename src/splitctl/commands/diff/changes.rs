//! What changed in the text of a policy, field by field, whatever its spelling and order.

use engine::ids::Id as _;
use engine::policy::Value;
use policy_text::canonical::defaults::default_of;
use policy_text::source::to_json;

use super::pairs::Pair;

/// A field that changed. `None`: it is not there.
#[derive(Debug, PartialEq)]
pub(super) struct Change {
    /// `canary.weight`, `match`.
    pub(super) field: String,
    pub(super) from: Option<Value>,
    pub(super) to: Option<Value>,
}

/// What changed outside of the splits, and their order.
pub(super) fn of_policy(old: &Value, new: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    compare_fields(old, new, "", &["splits"], &mut changes);
    let [before, after] = [old, new].map(split_names);
    let kept = |names: &[&str], others: &[&str]| -> Vec<String> {
        names.iter().filter(|name| others.contains(name)).map(|name| (*name).to_owned()).collect()
    };
    let (before, after) = (kept(&before, &after), kept(&after, &before));
    if before != after {
        let list = |names: Vec<String>| Value::List(names.into_iter().map(Value::String).collect());
        let field = "order of splits".to_owned();
        changes.push(Change { field, from: Some(list(before)), to: Some(list(after)) });
    }
    changes
}

/// What changed in a split that was and is there.
pub(super) fn of_split(old: &Value, new: &Value, pair: &Pair) -> Vec<Change> {
    let (Some(old_split), Some(new_split)) = (pair.old, pair.new) else { return Vec::new() };
    let find =
        |document, name: &str| splits(document).iter().find(|s| text(s, "name") == Some(name));
    let (Some(before), Some(after)) = (find(old, &old_split.name), find(new, &new_split.name))
    else {
        return Vec::new();
    };
    let mut changes = Vec::new();
    compare_fields(before, after, "", &["name", "variants"], &mut changes);
    let variants = |split| items(split, "variants");
    // The documents list what the policies list.
    for (id, variant) in new_split.variants.ids().zip(variants(after)) {
        let name = text(variant, "name").unwrap_or_default();
        match pair.old_variant(id).and_then(|old| variants(before).get(old.place())) {
            Some(old) => {
                let own_name = text(old, "name").unwrap_or_default();
                if own_name != name {
                    let (from, to) = (Value::String(own_name.into()), Value::String(name.into()));
                    let field = "variant renamed".to_owned();
                    changes.push(Change { field, from: Some(from), to: Some(to) });
                }
                compare_fields(old, variant, name, &["name"], &mut changes);
            }
            None => {
                let field = format!("variant {name}");
                changes.push(Change { field, from: None, to: Some(without_name(variant)) });
            }
        }
    }
    let kept: Vec<_> = new_split.variants.ids().map(|id| pair.old_variant(id)).collect();
    for (id, variant) in old_split.variants.ids().zip(variants(before)) {
        if !kept.contains(&Some(id)) {
            let field = format!("variant {}", text(variant, "name").unwrap_or_default());
            changes.push(Change { field, from: Some(without_name(variant)), to: None });
        }
    }
    changes
}

/// Compares the fields of two objects; those that are objects on both sides by their own fields.
fn compare_fields(old: &Value, new: &Value, path: &str, but: &[&str], changes: &mut Vec<Change>) {
    let (before, after) = (fields(old), fields(new));
    let added = after.iter().filter(|(name, _)| old.field(name).is_none());
    for (name, _) in before.iter().chain(added).filter(|(name, _)| !but.contains(&name.as_str())) {
        let (from, to) = (old.field(name), new.field(name));
        if from == to {
            continue;
        }
        let field = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        if let (Some(from @ Value::Object(_)), Some(to @ Value::Object(_))) = (from, to) {
            compare_fields(from, to, &field, &[], changes);
            continue;
        }
        let [from, to] = [from, to].map(|value| {
            value.or_else(|| default_of(&field)).cloned().map(|value| redacted(&field, value))
        });
        changes.push(Change { field, from, to });
    }
}

/// A secret is never shown, wherever it stands.
fn redacted(path: &str, value: Value) -> Value {
    let is_secret = |path: &str| path == "secret" || path.ends_with(".secret");
    match value {
        Value::Object(fields) => {
            let inside = |(name, value): (String, Value)| {
                let value = redacted(&format!("{path}.{name}"), value);
                (name, value)
            };
            Value::Object(fields.into_iter().map(inside).collect())
        }
        Value::String(_) if is_secret(path) || path.ends_with(".secret.value") => {
            Value::String("(secret)".into())
        }
        value => value,
    }
}

/// A value on one line.
pub(super) fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => to_json(value).unwrap_or_else(|_| value.kind().to_owned()),
    }
}

fn fields(value: &Value) -> &[(String, Value)] {
    match value {
        Value::Object(fields) => fields,
        _ => &[],
    }
}

fn items<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    match value.field(field) {
        Some(Value::List(items)) => items,
        _ => &[],
    }
}

fn splits(document: &Value) -> &[Value] {
    items(document, "splits")
}

fn split_names(document: &Value) -> Vec<&str> {
    splits(document).iter().filter_map(|split| text(split, "name")).collect()
}

fn text<'v>(value: &'v Value, field: &str) -> Option<&'v str> {
    match value.field(field) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

fn without_name(variant: &Value) -> Value {
    Value::Object(fields(variant).iter().filter(|(name, _)| name != "name").cloned().collect())
}
