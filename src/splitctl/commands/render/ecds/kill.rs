//! A policy with a split or everything killed, without an edit of its file: at night nobody should have to edit one.

use anyhow::{Context, Result, bail};
use engine::policy::{self, Value};

use crate::policy_file::Valid;

/// What else than the weights can serve a variant, or copy requests.
const OVERRULE: [&str; 5] = ["overrides", "sticky", "ramp", "guard", "mirror"];

/// The policy where every split that applies, or this one, serves its baseline.
pub(super) fn killed(valid: &Valid, split: Option<&str>) -> Result<Valid> {
    let mut document = valid.document.clone();
    match split {
        None => set(&mut document, "kill", Value::Bool(true)),
        Some(name) => kill_split(valid, &mut document, name)?,
    }
    let checked = policy::check(&document);
    let policy = checked.policy.context("the policy is not valid with what is killed")?;
    Ok(Valid { document, policy, hash: checked.hash })
}

/// All of the weight for the baseline, and nothing that overrules weights. Whoever knows the secret of `force` still
/// gets a variant.
fn kill_split(valid: &Valid, document: &mut Value, name: &str) -> Result<()> {
    let Some(known) = valid.policy.splits.iter().find(|split| split.name == name) else {
        let names: Vec<_> = valid.policy.splits.iter().map(|s| format!("`{}`", s.name)).collect();
        bail!("`--kill {name}`: the policy has no such split; it has {}", names.join(", "));
    };
    let baseline = &known.variants[known.baseline].name;
    let Some(split) = named(document, "splits", name) else { return Ok(()) };
    OVERRULE.iter().for_each(|field| remove(split, field));
    remove(split, "weight_total");
    for variant in items(split, "variants") {
        let is_baseline = variant.field("name") == Some(&Value::String(baseline.clone()));
        set(variant, "weight", Value::Integer(if is_baseline { 100 } else { 0 }));
        ["max_weight", "drain"].iter().for_each(|field| remove(variant, field));
    }
    Ok(())
}

fn items<'v>(value: &'v mut Value, field: &str) -> &'v mut [Value] {
    match value {
        Value::Object(fields) => match fields.iter_mut().find(|(name, _)| name == field) {
            Some((_, Value::List(items))) => items,
            _ => &mut [],
        },
        _ => &mut [],
    }
}

fn named<'v>(value: &'v mut Value, field: &str, name: &str) -> Option<&'v mut Value> {
    let name = Value::String(name.to_owned());
    items(value, field).iter_mut().find(|item| item.field("name") == Some(&name))
}

fn set(value: &mut Value, field: &str, to: Value) {
    if let Value::Object(fields) = value {
        match fields.iter_mut().find(|(name, _)| name == field) {
            Some((_, value)) => *value = to,
            None => fields.push((field.to_owned(), to)),
        }
    }
}

fn remove(value: &mut Value, field: &str) {
    if let Value::Object(fields) = value {
        fields.retain(|(name, _)| name != field);
    }
}
