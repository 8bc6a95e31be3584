//! The policy may come as text, as bytes, or as a Struct, whose numbers are doubles and whose order
//! of fields is lost: it is the same policy.

use lab::{DEFAULT_CLUSTER, Options, Placement, PolicyForm, Update};
use serde_json::{Value, json};

use crate::bench::{Bench, POLICY_HASH, REQUESTS, WEIGHT, checkout, split, user};
use crate::native::Native;

const FORMS: [PolicyForm; 3] = [PolicyForm::String, PolicyForm::Struct, PolicyForm::Bytes];

/// Weights of every size, lists whose order counts, texts that are not ASCII, an explicit null.
fn policy() -> Value {
    let mut first = split("checkout", 0.0001);
    first["match"] =
        json!([{"path": {"prefix": "/cart"}}, {"hosts": ["b.test", "a.test"], "methods": ["GET"]}]);
    let mut second = split("search", 0.0);
    second["salt"] = json!("größe 📏");
    second["weight_total"] = json!(1_000_000_000);
    second["variants"] = json!([
        {"name": "z", "cluster": "z", "weight": 333333333.3333},
        {"name": "a", "cluster": "a", "weight": 666666666.6667, "max_weight": 1_000_000_000},
    ]);
    second["baseline"] = json!("z");
    second["overrides"] = json!([
        {"match": [{"headers": [{"name": "x-z", "in": ["2", "1"]}]}], "variant": "z"},
        {"match": [{"headers": [{"name": "x-z", "present": true}]}], "variant": "a"},
    ]);
    json!({"version": 1, "variant_header": null, "splits": [second, first]})
}

#[test]
fn text_bytes_and_struct_are_the_same_policy_at_start() {
    for form in FORMS {
        for placement in [Placement::Inline, Placement::Ecds] {
            let bench = Bench::with(&policy(), Options { form, placement, ..Options::default() });
            assert_same(&bench, &policy(), &format!("{form:?}, {placement:?}"));
        }
    }
}

#[test]
fn an_update_as_struct_is_the_same_policy_too() {
    let bench =
        Bench::with(&checkout(5.0), Options { form: PolicyForm::Struct, ..Options::default() });
    bench.put(&policy());
    assert_same(&bench, &policy(), "updated");
    let mut bad = policy();
    bad["splits"][0]["variants"][0]["wieght"] = json!(5);
    let Update::Refused(lines) = bench.apply(&bad.to_string()).unwrap() else {
        panic!("accepted: {bad}")
    };
    let wanted = "error[unknown_field] splits[0].variants[0].wieght";
    assert!(lines.iter().any(|line| line.contains(wanted)), "{lines:#?}");
    assert_same(&bench, &policy(), "after a refusal");
}

/// Checks hash, weights and decisions against the engine's.
fn assert_same(bench: &Bench, policy: &Value, case: &str) {
    let native = Native::new(policy);
    let before = bench.stats().unwrap();
    assert_eq!(before.sum(POLICY_HASH, &[]), native.hash, "{case}");
    for (variant, weight) in [("z", 333_333), ("a", 666_666)] {
        assert_eq!(
            before.sum(WEIGHT, &[("split", "search"), ("variant", variant)]),
            weight,
            "{case}"
        );
    }
    assert_eq!(before.sum(WEIGHT, &[("split", "checkout"), ("variant", "canary")]), 1, "{case}");
    let users: Vec<_> =
        (0..60).map(user).chain((0..3).map(|n| user(n).header("x-z", n.to_string()))).collect();
    let answers = bench.load(users.clone(), 4).unwrap();
    for (user, answer) in users.iter().zip(answers) {
        assert_eq!(answer.cluster(), Some(native.cluster(user).as_str()), "{case}, {user:?}");
    }
    let wanted = native.counts(&users);
    let total: u64 = wanted.values().sum();
    let stats = bench
        .stats_when(|stats| stats.since(&before).sum(REQUESTS, &[]) == total)
        .unwrap()
        .since(&before);
    for ([split, variant, reason], count) in &wanted {
        let labels = [("split", split.as_str()), ("variant", variant), ("reason", reason)];
        assert_eq!(stats.sum(REQUESTS, &labels), *count, "{labels:?}, {case}");
    }
}

#[test]
fn no_configuration_at_all_starts_and_splits_nothing() {
    for form in FORMS {
        for placement in [Placement::Inline, Placement::Ecds] {
            let bench = Bench::of_text("", Options { form, placement, ..Options::default() });
            let echo = bench.send(&user(1).echo()).unwrap().echo().unwrap();
            assert_eq!(echo.cluster, DEFAULT_CLUSTER, "{form:?}, {placement:?}");
            assert!(
                echo.all("x-split-cluster").is_empty() && echo.all("x-split-variant").is_empty()
            );
            assert_eq!(bench.stats().unwrap().sum(REQUESTS, &[]), 0);
        }
    }
}
