//! The order of judgement, one rule a test.

use super::*;
use crate::policy;

fn plan(policy_extra: &str, split_extra: &str) -> Plan {
    let text = format!(
        r#"{{"version": 1{policy_extra}, "splits": [{{
            "name": "checkout", "key": [{{"header": "u"}}], "baseline": "stable",
            "variants": [{{"name": "stable", "weight": 50}}, {{"name": "canary", "weight": 50}}],
            "overrides": [{{"match": [{{"headers": [{{"name": "x-canary", "exact": "true"}}]}}], "variant": "canary"}},
                          {{"match": [{{"headers": [{{"name": "x-canary", "present": true}}]}}], "variant": "stable"}}]
            {split_extra}}}]}}"#
    );
    let checked = policy::from_json(text.as_bytes());
    Plan::compile(&checked.policy.unwrap_or_else(|| panic!("{:?}", checked.diagnostics)))
}

fn decide(plan: &Plan, request: &[(&str, &str)]) -> Option<(&'static str, &'static str)> {
    decide_at_random(plan, request, 0)
}

fn decide_at_random(
    plan: &Plan,
    request: &[(&str, &str)],
    random: u64,
) -> Option<(&'static str, &'static str)> {
    let context = Context { random };
    let mut decisions = Vec::new();
    plan.decide(request, &context, &mut decisions);
    assert_eq!(plan.explain(request, &context).decisions().collect::<Vec<_>>(), decisions);
    let decision = decisions.first()?;
    Some((["stable", "canary"][decision.variant], decision.reason.as_str()))
}

#[test]
fn the_same_user_always_gets_the_same_variant() {
    let plan = plan("", "");
    for user in 0..100 {
        let user = user.to_string();
        let request = [("u", user.as_str())];
        assert_eq!(decide(&plan, &request), decide_at_random(&plan, &request, 99));
    }
}

#[test]
fn overrides_come_before_weights_and_the_first_wins() {
    let plan = plan("", "");
    for user in ["1", "2", "3", "4"] {
        assert_eq!(
            decide(&plan, &[("u", user), ("x-canary", "true")]),
            Some(("canary", "override"))
        );
        assert_eq!(decide(&plan, &[("u", user), ("x-canary", "no")]), Some(("stable", "override")));
    }
}

#[test]
fn an_override_needs_no_key() {
    assert_eq!(decide(&plan("", ""), &[("x-canary", "true")]), Some(("canary", "override")));
}

#[test]
fn a_killed_policy_serves_every_matching_request_its_baseline() {
    let plan = plan(r#", "kill": true"#, r#", "match": [{"methods": ["GET"]}]"#);
    assert_eq!(
        decide(&plan, &[(":method", "GET"), ("x-canary", "true")]),
        Some(("stable", "killed"))
    );
    assert_eq!(decide(&plan, &[(":method", "PUT"), ("u", "1")]), None);
}

#[test]
fn a_split_that_is_not_enabled_does_not_apply() {
    assert_eq!(decide(&plan("", r#", "enabled": false"#), &[("u", "1")]), None);
}

#[test]
fn without_a_key_the_baseline_is_served() {
    assert_eq!(decide(&plan("", ""), &[("u", "")]), Some(("stable", "no_key")));
}

#[test]
fn without_a_key_a_split_may_not_apply() {
    assert_eq!(decide(&plan("", r#", "on_missing_key": "skip""#), &[]), None);
}

#[test]
fn without_a_key_chance_may_decide_by_weight() {
    let plan = plan("", r#", "on_missing_key": "random""#);
    let canaries = (0..1_000_u64)
        .filter(|n| {
            let (variant, reason) =
                decide_at_random(&plan, &[], crate::plan::hash::fmix64(*n)).unwrap();
            assert_eq!(reason, "random");
            variant == "canary"
        })
        .count();
    assert!((430..570).contains(&canaries), "{canaries}");
}

#[test]
fn the_baseline_is_served_when_every_weight_is_zero() {
    let text = r#"{"version": 1, "splits": [{"name": "s", "key": [{"header": "u"}], "baseline": "b", "weight_total": "any",
        "variants": [{"name": "a", "weight": 0}, {"name": "b", "weight": 0}]}]}"#;
    let plan = Plan::compile(&policy::from_json(text.as_bytes()).policy.unwrap());
    let mut decisions = Vec::new();
    plan.decide(&[("u", "1")][..], &Context::default(), &mut decisions);
    assert_eq!(decisions, [Decision { split: 0, variant: 1, reason: Reason::Fallback }]);
}

#[test]
fn an_explanation_names_the_condition_that_failed() {
    let plan = plan("", r#", "match": [{"methods": ["GET"]}, {"hosts": ["a.example"]}]"#);
    let explanation = plan.explain(&[(":method", "PUT")][..], &Context::default());
    assert_eq!(
        explanation.splits,
        [[Step::Unmatched { unmet: vec!["methods".into(), "hosts".into()] }]]
    );
}

#[test]
fn an_explanation_shows_key_bucket_and_draws() {
    let plan = plan("", "");
    let explanation = plan.explain(&[("u", "ada")][..], &Context::default());
    let [steps] = explanation.splits.as_slice() else { panic!("one split") };
    assert!(
        matches!(&steps[0], Step::Key { source: 0, key, bucket } if key == b"ada" && *bucket < 10_000)
    );
    assert!(matches!(&steps[1], Step::Race(draws) if draws.len() == 2));
    assert!(matches!(&steps[2], Step::Decided(_)));
}
