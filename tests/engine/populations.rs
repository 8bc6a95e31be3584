//! What holds for whole populations of users: ramps, holdouts, layers, sticky cookies.

use std::collections::BTreeMap;

use engine::decision::{Context, Decision};
use engine::effects::{Answered, Caching, HeaderEdit};
use engine::hash::fmix64;
use engine::ids::{Id as _, SplitId, VariantId};
use engine::plan::Plan;
use engine::reason::Reason;
use engine::units::Moment;
use harness::model::Situation;
use harness::native::on_response;
use proptest::prelude::*;
use serde_json::{Value, json};

use harness::generate::{policy, situation};

const USERS: u32 = 120;

fn decide(plan: &Plan, headers: &[(String, String)], context: Context) -> Vec<Decision> {
    super::decide(plan, headers, &context).list().to_vec()
}

fn user(number: u32) -> Vec<(String, String)> {
    vec![("x-user".to_owned(), format!("user-{number}")), (":path".to_owned(), "/".to_owned())]
}

/// A random policy whose splits all know users by one header, and nobody forces anything.
fn by_user() -> impl Strategy<Value = Value> {
    policy().prop_map(|mut policy| {
        policy["key"] = json!([{"header": "x-user"}]);
        policy["kill"] = json!(false);
        for split in policy["splits"].as_array_mut().into_iter().flatten() {
            for field in ["key", "overrides"] {
                split.as_object_mut().map(|split| split.remove(field));
            }
        }
        policy
    })
}

/// Steps in which the weight of `canary` never falls and those of the others never rise.
fn rising() -> impl Strategy<Value = (Value, bool)> {
    let point = (0_u32..=1_000_000, 0_u32..=1_000_000, 0_u32..=1_000_000);
    (prop::collection::vec(point, 2..5), any::<bool>()).prop_map(|(mut points, linear)| {
        let mut canaries: Vec<u32> = points.iter().map(|point| point.0).collect();
        canaries.sort_unstable();
        for (point, canary) in points.iter_mut().zip(canaries) {
            point.0 = canary;
        }
        points.sort_by_key(|point| (point.0, std::cmp::Reverse(point.1)));
        let (mut a, mut b) = (1_000_000, 1_000_000);
        let step = |(at, (canary, x, y)): (usize, &(u32, u32, u32))| {
            (a, b) = (a.min(*x), b.min(*y));
            let weight = |units: u32| f64::from(units) / 10_000.0;
            json!({"after": format!("{at}h"), "weights": {"a": weight(a), "canary": weight(*canary), "b": weight(b)}})
        };
        (points.iter().enumerate().map(step).collect(), linear)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn raising_a_ramp_never_takes_a_user_off((steps, linear) in rising(), minutes in prop::collection::vec(0_u64..300, 2..6)) {
        let variant = |name: &str| json!({"name": name, "weight": 0});
        let plan = super::plan(&json!({"version": 1, "key": [{"header": "x-user"}], "splits": [{
            "name": "s", "baseline": "a", "weight_total": "any",
            "variants": [variant("a"), variant("canary"), variant("b")],
            "ramp": {"start": "2026-11-20T12:00:00Z", "steps": steps, "linear": linear}}]}));
        let mut times = minutes;
        times.sort_unstable();
        for number in 0..USERS {
            let mut on = false;
            for minute in &times {
                let now = 1_795_176_000_000 + minute * 60_000;
                let decided = decide(&plan, &user(number), Context { now: Moment::new(now), ..Context::default() });
                let canary = decided[0].variant == VariantId::at(1) && decided[0].reason == Reason::Split;
                prop_assert!(canary || !on, "user {} left after {} minutes", number, minute);
                on = canary;
            }
        }
    }

    #[test]
    fn users_held_out_are_never_exposed_in_any_split(mut policy in by_user(), percent in 1_u32..100, now in any::<u32>()) {
        policy["holdout"] = json!({"percent": percent});
        let plan = super::plan(&policy);
        let context = Context { now: Moment::new(1_795_000_000_000 + u64::from(now)), random: [7, 7] };
        for number in 0..USERS {
            let decided = decide(&plan, &user(number), context);
            let held = decided.iter().filter(|d| d.reason == Reason::Holdout).count();
            prop_assert!(held == 0 || held == decided.len(), "held out of some splits only: {:?}", decided);
            for decision in decided.iter().filter(|d| d.reason == Reason::Holdout) {
                prop_assert_eq!(decision.variant, plan.policy.splits[decision.split].baseline);
                prop_assert!(!decision.mirror && !decision.hold);
            }
        }
    }

    #[test]
    fn two_splits_of_a_layer_never_both_apply(policy in policy(), situations in prop::collection::vec(situation(), 1..20)) {
        let plan = super::plan(&policy);
        let layers: BTreeMap<&str, &str> = policy["splits"].as_array().unwrap().iter()
            .filter_map(|split| Some((split["name"].as_str()?, split["layer"].as_str()?))).collect();
        for Situation { headers, random, now, .. } in &situations {
            let context = Context { now: Moment::new(*now), random: *random };
            let decided = super::decide(&plan, headers.as_slice(), &context);
            let decided = decided.list();
            let mut of_layers: Vec<_> =
                decided.iter().filter_map(|d| layers.get(plan.policy.splits[d.split].name.as_str())).collect();
            let all = of_layers.len();
            of_layers.sort();
            of_layers.dedup();
            prop_assert_eq!(of_layers.len(), all);
        }
    }

    #[test]
    fn a_wider_slice_or_holdout_or_mirror_holds_all_that_a_narrower_one_held(narrow in 1_u32..50, more in 1_u32..50) {
        let plan = |percent: u32| super::plan(&json!({"version": 1, "key": [{"header": "x-user"}],
            "layers": [{"name": "l"}], "holdout": {"percent": percent}, "splits": [
                {"name": "sliced", "layer": "l", "slice": {"from": 0, "to": percent}, "baseline": "a",
                 "variants": [{"name": "a", "weight": 100}]},
                {"name": "mirrored", "mirror": {"cluster": "m", "percent": percent}, "baseline": "a",
                 "variants": [{"name": "a", "weight": 100}]}]}));
        let (narrow, wide) = (plan(narrow), plan(narrow + more));
        for number in 0..USERS {
            let [narrow, wide] = [&narrow, &wide].map(|plan| decide(plan, &user(number), Context::default()));
            let is = |decided: &[Decision], what: fn(&Decision) -> bool| decided.iter().any(what);
            for what in [|d: &Decision| d.split == SplitId::at(0), |d: &Decision| d.reason == Reason::Holdout] {
                prop_assert!(!is(&narrow, what) || is(&wide, what));
            }
            let copied = |d: &Decision| d.mirror;
            prop_assert!(!is(&narrow, copied) || is(&wide, copied) || is(&wide, |d| d.reason == Reason::Holdout));
        }
    }
}

/// One request of a browser, which keeps all cookies it is given.
fn browse(plan: &Plan, jar: &mut BTreeMap<String, String>, context: Context) -> Decision {
    let cookies: Vec<String> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let request = [("cookie".to_owned(), cookies.join("; "))];
    let decisions = super::decide(plan, &request[..], &context);
    let caching = &Caching::default();
    let answered = Answered { decisions: &decisions, context: &context, caching, status: None };
    for edit in on_response(plan, &answered).iter() {
        let HeaderEdit::Add { name: "set-cookie", value } = edit else { continue };
        let text = String::from_utf8(value.to_vec()).unwrap();
        let (name, rest) = text.split_once('=').unwrap();
        let kept = jar.insert(name.to_owned(), rest.split(';').next().unwrap().to_owned());
        assert!(kept.is_none(), "a cookie that was there was set again: {text}");
    }
    decisions.list()[0]
}

#[test]
fn a_sticky_population_keeps_the_configured_shares() {
    const USERS: u64 = 1_000;
    const REQUESTS: u64 = 50;
    let sticky = json!({"secret": "0123456789abcdef"});
    let generated = json!([{"cookie": "uid"}, {"generate": {"cookie": "uid"}}]);
    for extra in [
        // Chance would give nearly everybody the canary at some time; the first request decides.
        json!({"assignment": "random", "sticky": sticky}),
        json!({"on_missing_key": "random", "key": [{"header": "x-none"}], "sticky": sticky}),
        json!({"key": generated, "sticky": sticky}),
        json!({"key": generated}),
    ] {
        let mut split = json!({"name": "s", "baseline": "stable", "variants": [
            {"name": "stable", "weight": 90}, {"name": "canary", "weight": 10}]});
        for (name, value) in extra.as_object().unwrap() {
            split[name] = value.clone();
        }
        let plan = super::plan(&json!({"version": 1, "splits": [split]}));
        let mut canaries = 0;
        for user in 0..USERS {
            let mut jar = BTreeMap::new();
            let mut first = None;
            for request in 0..REQUESTS {
                let number = fmix64(user * REQUESTS + request + 1);
                let context = Context { now: Moment::default(), random: [number, fmix64(number)] };
                let decision = browse(&plan, &mut jar, context);
                assert_eq!(*first.get_or_insert(decision.variant), decision.variant, "{extra}");
            }
            canaries += first.unwrap_or_default().place();
        }
        // 100 are expected; a standard deviation is 9.5.
        assert!((62..138).contains(&canaries), "{canaries} of {USERS} with {extra}");
    }
}
