//! Changes of a policy, of every kind.

use engine::policy::from_json;
use harness::generate::plain_condition;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use crate::{Policy, name, policy};

/// One change: of this kind, in this split and this variant, with this number and this condition.
#[derive(Debug, Clone)]
struct Edit {
    kind: &'static str,
    split: Index,
    variant: Index,
    units: u32,
    condition: Value,
}

const KINDS: [&str; 21] = [
    "weight",
    "enabled",
    "slice",
    "no slice",
    "layer",
    "no requires",
    "holdout",
    "kill",
    "salt",
    "no ramp",
    "no ramps",
    "ramp",
    "linear",
    "drain",
    "match",
    "no match",
    "baseline",
    "new variant",
    "gone",
    "swapped",
    "assignment",
];

fn edit() -> impl Strategy<Value = Edit> {
    let place = || any::<Index>();
    // What ramps do later depends on more than the others.
    let later = ["no ramps", "no ramps", "no ramp", "ramp", "linear", "no requires", "no slice"];
    let kind = prop_oneof![2 => select(KINDS.to_vec()), 1 => select(later.to_vec())];
    (kind, place(), place(), 0_u32..1_000_000, plain_condition()).prop_map(
        |(kind, split, variant, units, condition)| Edit { kind, split, variant, units, condition },
    )
}

/// A policy and what becomes of it.
pub(crate) fn change() -> impl Strategy<Value = (Policy, Policy)> {
    let edits = prop::collection::vec(edit(), 1..4);
    (policy(), edits, any::<bool>()).prop_map(|(old, edits, back)| {
        let new = edits.iter().fold(old.0.clone(), |before, edit| {
            let mut after = before.clone();
            edit.apply(&mut after);
            // A change that the policy cannot have is none.
            let valid = from_json(after.to_string().as_bytes()).policy.is_some();
            if valid { after } else { before }
        });
        if back { (Policy(new), old) } else { (old, Policy(new)) }
    })
}

impl Edit {
    fn apply(&self, policy: &mut Value) {
        let (weight, percent) = (f64::from(self.units) / 1e4, self.units / 10_000);
        let splits = policy["splits"].as_array_mut().expect("a list");
        let (at, count) = (self.split.index(splits.len()), splits.len());
        let split = &mut splits[at];
        let variant = self.variant.index(split["variants"].as_array().map_or(1, Vec::len));
        let remove = |from: &mut Value, field: &str| {
            from.as_object_mut().map(|fields| fields.remove(field));
        };
        match self.kind {
            "weight" => split["variants"][variant]["weight"] = json!(weight),
            "enabled" => split["enabled"] = json!(split["enabled"] == false),
            "slice" => split["slice"] = json!({"from": percent / 2, "to": percent / 2 + 50}),
            "no slice" => remove(split, "slice"),
            "layer" => split["layer"] = json!(if split["layer"] == "l0" { "l1" } else { "l0" }),
            "no requires" => remove(split, "requires"),
            "salt" => split["salt"] = json!("other"),
            "no ramp" => remove(split, "ramp"),
            "no ramps" => splits.iter_mut().for_each(|split| remove(split, "ramp")),
            "ramp" => {
                for step in split["ramp"]["steps"].as_array_mut().into_iter().flatten() {
                    step["weights"][format!("v{variant}")] = json!(weight);
                }
            }
            "linear" => split["ramp"]["linear"] = json!(split["ramp"]["linear"] == false),
            "drain" => {
                split["sticky"] = json!({"secret": "0123456789abcdef"});
                split["variants"][variant]["drain"] = json!(percent % 2 == 0);
            }
            "match" => split["match"] = json!([self.condition]),
            "no match" => remove(split, "match"),
            "baseline" => split["baseline"] = json!(format!("v{variant}")),
            "new variant" => {
                let variants = split["variants"].as_array_mut().expect("a list");
                variants.push(json!({"name": "v9", "weight": weight}));
            }
            "assignment" => split["assignment"] = json!("random"),
            "gone" if count > 1 => drop(splits.remove(at)),
            "swapped" if at > 0 => splits.swap(at - 1, at),
            "holdout" => policy["holdout"] = json!({"percent": percent}),
            "kill" => policy["kill"] = json!(policy["kill"] == false),
            _ => {}
        }
    }
}

/// The same split of another policy.
pub(crate) fn same<'p>(policy: &'p Policy, split: &Value) -> Option<&'p Value> {
    policy.splits().iter().find(|other| name(other) == name(split))
}
