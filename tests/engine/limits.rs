//! Stated limits: a policy at a limit is accepted, one beyond is refused, and says so.

use engine::metrics::Metrics;
use engine::policy::{self, Code, limits};
use proptest::prelude::*;
use serde_json::{Value, json};

fn split(index: usize) -> Value {
    json!({"name": format!("s{index}"), "baseline": "a", "variants": [{"name": "a", "weight": 100}]})
}

fn policy(splits: Vec<Value>) -> Value {
    json!({"version": 1, "key": [{"header": "u"}], "splits": splits})
}

/// One split with a field.
fn with(field: &str, value: Value) -> Value {
    let mut split = split(0);
    split[field] = value;
    policy(vec![split])
}

fn many<T>(count: usize, make: impl FnMut(usize) -> T) -> Vec<T> {
    (0..count).map(make).collect()
}

fn named(test: Value) -> Value {
    with("match", json!([{"headers": [test]}]))
}

/// Splits that have so many variants together.
fn with_variants(count: usize) -> Vec<Value> {
    let named = many(count, |variant| json!({"name": format!("v{variant}"), "weight": 1}));
    let splits = named.chunks(50).enumerate().map(|(index, variants)| {
        json!({"name": format!("s{index}"), "baseline": variants[0]["name"], "weight_total": "any", "variants": variants})
    });
    splits.collect()
}

/// A variant that edits so many headers.
fn with_edits(how: &str, count: usize) -> Value {
    let edit = |n| match how {
        "remove" => json!(format!("x-{n}")),
        _ => json!({"name": format!("x-{n}"), "value": "v"}),
    };
    let variant = json!({"name": "a", "weight": 100, "request_headers": {how: many(count, edit)}});
    with("variants", json!([variant]))
}

/// Name, the limit, and a policy of a size.
type Limit = (&'static str, usize, fn(usize) -> Value);

const LIMITS: &[Limit] = &[
    ("splits", limits::SPLITS, |n| policy(many(n, split))),
    ("layers", limits::LAYERS, |n| {
        let mut policy = policy(vec![split(0)]);
        policy["layers"] = many(n, |layer| json!({"name": format!("l{layer}")})).into();
        policy
    }),
    ("variants", limits::VARIANTS, |n| {
        let variants = many(n, |variant| json!({"name": format!("v{variant}"), "weight": 1}));
        let split =
            json!({"name": "s", "baseline": "v0", "weight_total": "any", "variants": variants});
        policy(vec![split])
    }),
    ("variants in all", limits::VARIANTS_IN_ALL, |n| policy(with_variants(n))),
    ("conditions", limits::CONDITIONS, |n| {
        with("match", json!([{"hosts": many(n, |host| format!("h{host}.test"))}]))
    }),
    ("entries", limits::CONDITIONS, |n| {
        with("match", many(n, |entry| json!({"path": {"exact": format!("/{entry}")}})).into())
    }),
    ("cohort values", limits::COHORT, |n| {
        named(json!({"name": "u", "in": many(n, |user| format!("user-{user}"))}))
    }),
    ("bytes of a value", limits::VALUE, |n| named(json!({"name": "u", "exact": "x".repeat(n)}))),
    ("steps of a ramp", limits::RAMP_STEPS, |n| {
        let step = |step| json!({"after": format!("{step}s"), "weights": {"a": 100}});
        with("ramp", json!({"start": "2026-11-20T12:00:00Z", "steps": many(n, step)}))
    }),
    ("overrides", limits::OVERRIDES, |n| {
        let forced = |n| json!({"match": [{"path": {"exact": format!("/{n}")}}], "variant": "a"});
        with("overrides", many(n, forced).into())
    }),
    ("requirements", limits::REQUIREMENTS, |n| {
        let mut second = split(1);
        second["requires"] = many(n, |_| json!({"split": "s0", "variant": "a"})).into();
        policy(vec![split(0), second])
    }),
    ("headers to set", limits::HEADER_EDITS, |n| with_edits("set", n)),
    ("headers to add", limits::HEADER_EDITS, |n| with_edits("add", n)),
    ("headers to remove", limits::HEADER_EDITS, |n| with_edits("remove", n)),
    ("sources of a key", limits::KEY_SOURCES, |n| {
        with("key", many(n, |source| json!({"header": format!("u{source}")})).into())
    }),
    ("bytes of a body", limits::BODY, |n| {
        let variant =
            json!({"name": "a", "weight": 100, "respond": {"status": 200, "body": "x".repeat(n)}});
        with("variants", json!([variant]))
    }),
];

#[test]
fn a_policy_at_a_limit_is_accepted_and_one_beyond_is_refused() {
    for (name, limit, make) in LIMITS {
        let codes = |size: usize| {
            let checked = policy::from_json(make(size).to_string().as_bytes());
            let codes: Vec<Code> = checked.diagnostics.iter().map(|d| d.code).collect();
            (checked.policy.is_some(), codes.contains(&Code::LimitExceeded))
        };
        assert_eq!(codes(*limit), (true, false), "{limit} {name}");
        assert_eq!(codes(limit + 1), (false, true), "{} {name}", limit + 1);
    }
}

#[test]
fn a_policy_at_every_limit_of_its_lists_compiles_and_decides() {
    let plan = super::plan(&(LIMITS[0].2)(limits::SPLITS));
    let decided = super::decide(&plan, &[("u", "ada")][..], &engine::decision::Context::default());
    assert_eq!(decided.list().len(), limits::SPLITS);
}

#[test]
fn variants_of_splits_that_are_not_enabled_are_not_counted() {
    let mut splits = with_variants(limits::VARIANTS_IN_ALL);
    let mut off = splits[0].clone();
    (off["name"], off["enabled"]) = ("off".into(), false.into());
    splits.push(off);
    assert_eq!(super::plan(&policy(splits)).enabled().count(), 100);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_policy_makes_more_metrics_than_its_variants_may_have(document in harness::generate::policy()) {
        let plan = crate::plan(&document);
        let variants: usize = plan.enabled().map(|(_, split, _)| split.variants.len()).sum();
        // And one of each split for generated keys, one of the policy for refused forces.
        let most = variants * limits::METRICS_OF_A_VARIANT + plan.splits.len() + 1;
        prop_assert!(Metrics::new(&plan).definitions().len() <= most);
    }
}
