//! The order of judgement, one rule a test.

use super::*;
use crate::hash::first_word;
use crate::ids::Id as _;
use crate::ids::VariantId;
use crate::policy;
use crate::reason::Reason;

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
    Plan::new(checked.policy.unwrap_or_else(|| panic!("{:?}", checked.diagnostics)))
}

fn decide(plan: &Plan, request: &[(&str, &str)]) -> Option<(&'static str, &'static str)> {
    decide_at_random(plan, request, 0)
}

/// A decision with plain numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Plain {
    split: usize,
    variant: usize,
    reason: Reason,
    new_key: bool,
    hold: bool,
    mirror: bool,
}

/// Decides, and checks that explaining gives the same.
fn decide_all(plan: &Plan, request: &[(&str, &str)], context: &Context) -> Vec<Plain> {
    let facts = plan.facts(request);
    let decisions = super::decide(plan, &facts, context, &mut Nobody);
    assert_eq!(explain(plan, &plan.facts(request), context).decisions, decisions);
    let plain = |d: &Decision| Plain {
        split: d.split.place(),
        variant: d.variant.place(),
        reason: d.reason,
        new_key: d.new_key,
        hold: d.hold,
        mirror: d.mirror,
    };
    decisions.list().iter().map(plain).collect()
}

/// The steps of the first split.
fn steps(plan: &Plan, request: &[(&str, &str)]) -> Vec<Step> {
    let explanation = explain(plan, &plan.facts(request), &Context::default());
    explanation.of(SplitId::at(0)).to_vec()
}

/// Those at these places hold, the others do not.
fn tried(unmet: &[&str], holds: bool) -> Tried {
    Tried { unmet: unmet.iter().map(|text| (*text).to_owned()).collect(), holds }
}

fn decide_at_random(
    plan: &Plan,
    request: &[(&str, &str)],
    random: u64,
) -> Option<(&'static str, &'static str)> {
    let context = Context { random: [random, random], ..Context::default() };
    let decision = *decide_all(plan, request, &context).first()?;
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
            let (variant, reason) = decide_at_random(&plan, &[], crate::hash::fmix64(*n)).unwrap();
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
    let plan = Plan::new(policy::from_json(text.as_bytes()).policy.unwrap());
    let decided = decide_all(&plan, &[("u", "1")], &Context::default());
    assert_eq!((decided[0].variant, decided[0].reason), (1, Reason::Fallback));
}

#[test]
fn an_explanation_names_the_condition_that_failed() {
    let plan = plan("", r#", "match": [{"methods": ["GET"]}, {"hosts": ["a.example"]}]"#);
    let unmet = tried(&["methods `GET`", "hosts `a.example`"], false);
    assert_eq!(steps(&plan, &[(":method", "PUT")]), [Step::Match(unmet)]);
    let met = [(":authority", "a.example"), ("x-canary", "true")];
    assert_eq!(steps(&plan, &met)[0], Step::Match(tried(&["methods `GET`"], true)));
}

#[test]
fn an_explanation_tells_of_every_override_that_was_tried() {
    let canary = Some(VariantId::at(1));
    let exact = "header `x-canary` exact `true`";
    let present = "header `x-canary` present";
    let first = |holds| Step::Override {
        index: 0,
        tried: tried(&[exact][usize::from(holds)..], holds),
        variant: canary,
    };
    let second = |holds| Step::Override {
        index: 1,
        tried: tried(&[present][usize::from(holds)..], holds),
        variant: Some(VariantId::at(0)),
    };
    let plan = plan("", "");
    assert_eq!(steps(&plan, &[("x-canary", "true")])[..1], [first(true)]);
    assert_eq!(steps(&plan, &[("x-canary", "1")])[..2], [first(false), second(true)]);
    assert_eq!(steps(&plan, &[("u", "1")])[..2], [first(false), second(false)]);
    let killed = self::plan(r#", "kill": true"#, "");
    assert_eq!(steps(&killed, &[("u", "1")])[0], Step::Killed, "no override is looked at");
}

#[test]
fn an_explanation_of_a_forced_request_lists_no_override() {
    let force = r#", "force": {"secret": {"header": "x-secret", "value": "0123456789abcdef"}}"#;
    let plan = plan(force, "");
    let forced = |wanted| {
        let request = [("u", "1"), ("x-split-force", wanted), ("x-secret", "0123456789abcdef")];
        steps(&plan, &request)
    };
    let canary = VariantId::at(1);
    assert_eq!(forced("checkout=canary")[0], Step::Forced { variant: canary });
    assert_eq!(forced("checkout=canary").len(), 2, "then it is decided");
    let unknown = forced("checkout=none");
    assert_eq!(unknown[0], Step::ForcedUnknown { name: b"none".to_vec() });
    assert!(matches!(unknown[1], Step::Override { index: 0, .. }));
}

#[test]
fn an_explanation_shows_key_bucket_and_draws() {
    let plan = plan("", "");
    let steps = steps(&plan, &[("u", "ada")]);
    assert!(
        matches!(&steps[2], Step::Key { source: 0, key, generated: false, .. } if key == b"ada")
    );
    let Step::Weights { position: None, weighed } = &steps[3] else { panic!("{steps:?}") };
    assert!(weighed.iter().all(|w| w.draw.is_some() && w.share == 500_000));
    let Step::Decided(decision) = &steps[4] else { panic!("{steps:?}") };
    let winner = weighed.iter().find(|weighed| weighed.wins).unwrap();
    assert_eq!(winner.variant, decision.variant);
}

/// A plan from whole splits, and fields of the policy.
fn plan_of(policy_extra: &str, splits: &[String]) -> Plan {
    let text = format!(
        r#"{{"version": 1, "key": [{{"header": "u"}}]{policy_extra}, "splits": [{}]}}"#,
        splits.join(", ")
    );
    let checked = policy::from_json(text.as_bytes());
    Plan::new(checked.policy.unwrap_or_else(|| panic!("{:?}", checked.diagnostics)))
}

/// A split `a` (off) and `b` (on), half and half.
fn split(name: &str, extra: &str) -> String {
    format!(
        r#"{{"name": "{name}", "baseline": "off",
        "variants": [{{"name": "off", "weight": 50}}, {{"name": "on", "weight": 50}}]{extra}}}"#
    )
}

/// For each of 2,000 users: the names of the splits that apply, with variant and reason.
fn everybody(plan: &Plan) -> Vec<Vec<(String, usize, Reason)>> {
    let of_user = |user: u32| {
        let user = format!("user-{user}");
        let decided = decide_all(plan, &[("u", &user)], &Context::default());
        decided
            .iter()
            .map(|d| (plan.policy.splits[SplitId::at(d.split)].name.clone(), d.variant, d.reason))
            .collect()
    };
    (0..2_000).map(of_user).collect()
}

#[test]
fn splits_of_one_layer_exclude_each_other_and_slices_share_it() {
    let slice =
        |from: u32, to: u32| format!(r#", "layer": "ui", "slice": {{"from": {from}, "to": {to}}}"#);
    let splits =
        [split("a", &slice(0, 30)), split("b", &slice(30, 50)), split("c", r#", "layer": "ui""#)];
    let plan = plan_of(r#", "layers": [{"name": "ui"}]"#, &splits);
    let mut counts = [0, 0, 0];
    for decided in everybody(&plan) {
        let [(name, ..)] = decided.as_slice() else { panic!("exactly one applies: {decided:?}") };
        counts["abc".find(name.as_str()).unwrap()] += 1;
    }
    for (count, expected) in counts.iter().zip([600, 400, 1_000]) {
        assert!((expected - 90..expected + 90).contains(count), "{counts:?}");
    }
}

#[test]
fn a_user_without_key_is_in_no_slice() {
    let splits = [
        split("a", r#", "layer": "ui", "slice": {"from": 0, "to": 99}"#),
        split("b", r#", "layer": "ui""#),
    ];
    let plan = plan_of(r#", "layers": [{"name": "ui"}]"#, &splits);
    let decided = decide_all(&plan, &[], &Context::default());
    assert_eq!(decided.iter().map(|d| d.split).collect::<Vec<_>>(), [1]);
}

#[test]
fn splits_of_different_layers_apply_together_and_are_independent() {
    let splits = [split("a", r#", "layer": "x""#), split("b", r#", "layer": "y""#)];
    let plan = plan_of(r#", "layers": [{"name": "x"}, {"name": "y"}]"#, &splits);
    let both_on =
        everybody(&plan).iter().filter(|d| d.iter().all(|(_, variant, _)| *variant == 1)).count();
    assert!((420..580).contains(&both_on), "{both_on}");
}

#[test]
fn users_held_out_are_served_the_baseline_of_every_split() {
    let splits = [split("a", ""), split("b", "")];
    let plan = plan_of(r#", "holdout": {"percent": 10}"#, &splits);
    let mut held_out = 0;
    for decided in everybody(&plan) {
        let held = decided
            .iter()
            .filter(|(_, variant, reason)| *reason == Reason::Holdout && *variant == 0)
            .count();
        assert!(held == 0 || held == 2, "in all splits or in none: {decided:?}");
        held_out += usize::from(held == 2);
    }
    assert!((140..260).contains(&held_out), "{held_out}");
    let wider = plan_of(r#", "holdout": {"percent": 20}"#, &splits);
    for (narrow, wide) in everybody(&plan).iter().zip(everybody(&wider)) {
        assert!(
            narrow[0].2 != Reason::Holdout || wide[0].2 == Reason::Holdout,
            "10 % are inside 20 %"
        );
    }
}

#[test]
fn an_override_may_skip_the_split() {
    let skip = r#", "overrides": [{"match": [{"headers": [{"name": "x-bot", "present": true}]}], "skip": true}]"#;
    let plan = plan_of("", &[split("a", skip), split("b", "")]);
    let decided = decide_all(&plan, &[("u", "1"), ("x-bot", "1")], &Context::default());
    assert_eq!(decided.iter().map(|d| d.split).collect::<Vec<_>>(), [1]);
}

#[test]
fn who_knows_the_secret_may_force_a_variant() {
    let force = r#", "force": {"secret": {"header": "x-secret", "value": "0123456789abcdef"}}"#;
    let plan = plan_of(force, &[split("a", ""), split("b", "")]);
    let force = |request: &[(&str, &str)]| {
        let facts = plan.facts(request);
        let decisions = super::decide(&plan, &facts, &Context::default(), &mut Nobody);
        let found = decide_all(&plan, request, &Context::default());
        let found = found.iter().map(|d| (d.variant, d.reason.as_str())).collect::<Vec<_>>();
        (found, decisions.force_refused)
    };
    let (free, refused) = force(&[("u", "1")]);
    assert!(!refused && free.iter().all(|(_, reason)| *reason == "split"));
    let secret = ("x-secret", "0123456789abcdef");
    let (forced, refused) = force(&[("u", "1"), ("x-split-force", "b=on, a=off"), secret]);
    assert_eq!((forced, refused), (vec![(0, "override"), (1, "override")], false));
    let (unknown, _) = force(&[("u", "1"), ("x-split-force", "b=none,c=on"), secret]);
    assert_eq!(unknown, free, "names that are not there force nothing");
    for wrong in [vec![("x-secret", "0123456789abcdeF")], vec![("x-secret", "")], vec![]] {
        let request = [[("u", "1"), ("x-split-force", "b=on")].as_slice(), &wrong].concat();
        assert_eq!(force(&request), (free.clone(), true), "a wrong secret counts and does nothing");
    }
}

#[test]
fn a_split_that_requires_a_variant_applies_only_to_users_who_have_it() {
    let plan = plan_of(
        "",
        &[split("a", ""), split("b", r#", "requires": [{"split": "a", "variant": "on"}]"#)],
    );
    for decided in everybody(&plan) {
        assert_eq!(decided.len() == 2, decided[0].1 == 1, "{decided:?}");
    }
}

/// What the sticky cookie of the second variant of the first split is.
fn sticky_value(plan: &Plan) -> &str {
    plan.splits[SplitId::at(0)].sticky.as_ref().unwrap().value(VariantId::at(1))
}

#[test]
fn a_sticky_cookie_keeps_the_variant_until_its_weight_is_zero() {
    let with = |off: u32, on: u32, extra: &str| {
        let sticky = r#", "sticky": {"secret": "0123456789abcdef"}"#;
        let text = split("a", &format!("{sticky}{extra}"))
            .replace("\"off\", \"weight\": 50", &format!("\"off\", \"weight\": {off}"))
            .replace("\"on\", \"weight\": 50", &format!("\"on\", \"weight\": {on}"));
        plan_of("", &[text])
    };
    let plan = with(50, 50, "");
    let cookie = format!("split-a={}", sticky_value(&plan));
    let request = |plan: &Plan, cookie: &str| {
        let decided =
            decide_all(plan, &[("u", "user-of-off"), ("cookie", cookie)], &Context::default());
        (decided[0].variant, decided[0].reason, decided[0].hold)
    };
    for weight in [50, 1, 99] {
        assert_eq!(request(&with(100 - weight, weight, ""), &cookie), (1, Reason::Sticky, false));
    }
    assert_eq!(request(&with(100, 0, ""), &cookie), (0, Reason::Split, true), "off at once");
    let (head, mac) = cookie.rsplit_once('.').unwrap();
    let of_off = plan.splits[SplitId::FIRST].sticky.as_ref().unwrap().value(VariantId::at(0));
    for forged in [
        "split-a=on".to_owned(),
        "split-a=".to_owned(),
        format!("{head}."),
        format!("{head}.{}", "0".repeat(mac.len())),
        format!("{head}.{}", of_off.rsplit_once('.').unwrap().1),
        cookie.replace("v1.0.", "v1.1."),
    ] {
        let decided = request(&plan, &forged);
        assert_eq!(decided, (0, Reason::Split, true), "ignored and replaced: {forged}");
    }
    let twice = format!("split-a=forged; {cookie}");
    assert_eq!(request(&plan, &twice).1, Reason::Sticky);
}

#[test]
fn a_draining_variant_keeps_its_holders_and_admits_nobody() {
    let draining = split("a", r#", "sticky": {"secret": "0123456789abcdef"}"#)
        .replace("\"on\", \"weight\": 50", "\"on\", \"weight\": 50, \"drain\": true");
    let plan = plan_of("", &[draining]);
    assert!(everybody(&plan).iter().all(|decided| decided[0].1 == 0));
    let cookie = format!("split-a={}", sticky_value(&plan));
    let decided = decide_all(&plan, &[("u", "1"), ("cookie", &cookie)], &Context::default());
    assert_eq!((decided[0].variant, decided[0].reason), (1, Reason::Sticky));
}

#[test]
fn chance_may_decide_every_request_anew() {
    let plan = plan_of(
        "",
        &[split("a", r#", "assignment": "random""#), split("b", r#", "assignment": "random""#)],
    );
    let mut same = 0;
    for n in 0..1_000 {
        let random = crate::hash::fmix64(n);
        let decided = decide_all(
            &plan,
            &[("u", "1")],
            &Context { random: [random, 0], ..Context::default() },
        );
        assert!(decided.iter().all(|d| d.reason == Reason::Random));
        same += usize::from(decided[0].variant == decided[1].variant);
    }
    assert!((420..580).contains(&same), "chance is independent from split to split: {same}");
}

#[test]
fn a_mirror_copies_the_same_share_of_users_always() {
    let mirror = |percent: u32| {
        plan_of(
            "",
            &[split("a", &format!(r#", "mirror": {{"cluster": "m", "percent": {percent}}}"#))],
        )
    };
    let copied = |plan: &Plan| -> Vec<bool> {
        (0..2_000)
            .map(|user| {
                decide_all(plan, &[("u", &format!("user-{user}"))], &Context::default())[0].mirror
            })
            .collect()
    };
    let (five, ten) = (copied(&mirror(5)), copied(&mirror(10)));
    assert!(five.iter().zip(&ten).all(|(five, ten)| !five || *ten), "5 % are inside 10 %");
    let count = ten.iter().filter(|copied| **copied).count();
    assert!((140..260).contains(&count), "{count}");
}

#[test]
fn a_mirror_may_copy_requests_by_chance() {
    let plan = plan_of(
        "",
        &[split("a", r#", "mirror": {"cluster": "m", "percent": 25, "by": "request"}"#)],
    );
    let copied = |n: u64| {
        let context = Context { random: [0, crate::hash::fmix64(n)], ..Context::default() };
        decide_all(&plan, &[("u", "1")], &context)[0].mirror
    };
    let count = (0..2_000).filter(|n| copied(*n)).count();
    assert!((410..590).contains(&count), "{count}");
}

#[test]
fn a_generated_key_decides_the_first_request_as_it_will_the_second() {
    let key = r#", "key": [{"cookie": "uid"}, {"generate": {"cookie": "uid"}}]"#;
    let plan = plan_of("", &[split("a", key), split("b", key)]);
    for n in 0..200 {
        let context = Context { random: [n, n + 1], ..Context::default() };
        let first = decide_all(&plan, &[], &context);
        assert!(first.iter().all(|d| d.new_key && d.reason == Reason::Split));
        let id = String::from_utf8(generated_id(first_word(b"uid"), &context).to_vec()).unwrap();
        let second = decide_all(&plan, &[("cookie", &format!("uid={id}"))], &Context::default());
        let variants = |list: &[Plain]| list.iter().map(|d| d.variant).collect::<Vec<_>>();
        assert_eq!(variants(&first), variants(&second));
        assert!(second.iter().all(|d| !d.new_key));
    }
}

#[test]
fn weights_follow_the_ramp_and_nobody_leaves_a_rising_variant() {
    let ramp = r#", "ramp": {"start": "2026-11-20T12:00:00Z", "linear": true, "steps": [
        {"after": "0s", "weights": {"off": 100, "on": 0}}, {"after": "10h", "weights": {"off": 0, "on": 100}}]}"#;
    let plan = plan_of("", &[split("a", ramp)]);
    let start = 1_795_176_000_000_u64;
    let on = |hour: u64| -> Vec<bool> {
        let now = Moment::new(start + hour * 3_600_000);
        let context = Context { now, random: [0, 0] };
        (0..1_000)
            .map(|u| decide_all(&plan, &[("u", &format!("user-{u}"))], &context)[0].variant == 1)
            .collect()
    };
    let mut before = on(0);
    assert!(before.iter().all(|on| !on));
    for hour in 1..=10 {
        let now = on(hour);
        assert!(before.iter().zip(&now).all(|(was, is)| !was || *is), "hour {hour}");
        let count = now.iter().filter(|on| **on).count() as u64;
        assert!(count.abs_diff(hour * 100) < 60, "hour {hour}: {count}");
        before = now;
    }
}

#[test]
fn an_index_finds_the_same_splits_as_trying_all() {
    let matches = [
        r#"{"hosts": ["a.example"], "path": {"prefix": "/x"}}"#,
        r#"{"hosts": ["*.example"]}"#,
        r#"{"hosts": ["*"], "path": {"exact": "/x/y"}}"#,
        r#"{"path": {"prefix": "/"}}"#,
        r#"{"path": {"prefix": "/x/"}}, {"hosts": ["b.a.example"]}"#,
        r#"{"hosts": ["*.a.example", "other"], "path": {"regex": "/x.*"}}"#,
        r#"{"path": {"raw_prefix": "/x"}}"#,
        r#"{"methods": ["GET"]}"#,
    ];
    let splits: Vec<_> = (0..40)
        .map(|n| {
            split(&format!("s{n}"), &format!(r#", "match": [{}]"#, matches[n % matches.len()]))
        })
        .collect();
    let plan = plan_of("", &splits);
    for host in [
        "a.example",
        "A.EXAMPLE:80",
        "b.a.example",
        "example",
        "other",
        "",
        "x.y.z.b.a.example",
        ".example",
    ] {
        for path in ["/", "/x", "/x?q", "/x/y", "/xy", "/y", "", "/x/", "//x"] {
            // `decide_all` compares with an explanation, which tries every split.
            decide_all(
                &plan,
                &[(":authority", host), (":path", path), (":method", "GET"), ("u", "1")],
                &Context::default(),
            );
        }
    }
}
