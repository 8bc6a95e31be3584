//! Policies that were once told in different ways, with their numbers.

use engine::decision::Context;
use harness::model::bucket;
use harness::native::{decide, in_words, plan};
use serde_json::{Value, json};
use splitctl::Outcome;
use splitctl::commands::{assign, explain, simulate};

use crate::diff::{diff, told};
use crate::tools::{Folder, run};
use crate::{Policy, name};

const USERS: u32 = 5_000;

fn users() -> impl Iterator<Item = String> {
    (1..=USERS).map(|number| format!("user-{number}"))
}

/// How many users are in a part of the layer, in hundredths of a percent.
fn between(from: u64, to: u64) -> u64 {
    users().filter(|user| (from..to).contains(&bucket("ui", user.as_bytes()))).count() as u64
}

/// Two variants, and whatever else there is to say.
fn split(name: &str, canary: f64, more: Value) -> Value {
    let mut split = json!({"name": name, "baseline": "stable", "variants": [
        {"name": "stable", "weight": 100.0 - canary}, {"name": "canary", "weight": canary}]});
    for (field, value) in more.as_object().into_iter().flatten() {
        split[field] = value.clone();
    }
    split
}

fn policy(splits: &[Value]) -> Policy {
    let in_layer = splits.iter().any(|split| !split["layer"].is_null());
    let mut policy = json!({"version": 1, "key": [{"header": "x-user"}], "splits": splits});
    if in_layer {
        policy["layers"] = json!([{"name": "ui"}]);
    }
    Policy(policy)
}

/// `a` has a slice of the layer `ui`, `c` what is left.
fn layered(to: u8, a: Value, c: Value) -> Policy {
    let mut splits = [split("a", 50.0, a), split("c", 100.0, c)];
    splits[0]["slice"] = json!({"from": 0, "to": to});
    splits.iter_mut().for_each(|split| split["layer"] = json!("ui"));
    policy(&splits)
}

/// How many users `simulate` and `assign` leave out of `c`.
fn left_out(policy: &Policy) -> (u64, u64) {
    let folder = Folder::new();
    let file = folder.file("policy.json", &policy.0);
    let ids = folder.file("ids", users().map(|user| format!("{user}\n")).collect::<String>());
    let words = [&file, "--split", "c", "--ids", &ids, "--format", "json"];
    let simulated = run(simulate::run, &words).json();
    let rows = run(assign::run, &[&file, "--split", "c", "--ids", &ids]).out;
    let out = rows.lines().filter(|row| row.ends_with(",out")).count() as u64;
    (simulated["splits"][0]["not_in_split"].as_u64().unwrap(), out)
}

#[test]
fn a_split_without_slice_leaves_out_those_of_the_slice_before_it() {
    let third = between(0, 3_000);
    assert!((1_400..1_600).contains(&third), "{third}");
    let by_path = |path: &str| json!({"match": [{"path": {"prefix": path}}]});
    let forced = |field: &str, what: Value| json!({"overrides": [{"match": [{"methods": ["PUT"]}], field: what}]});
    let (none, x, y) = (json!({}), by_path("/x"), by_path("/y"));
    for (a, c, out) in [
        (&none, &none, third),
        (&forced("variant", json!("canary")), &none, third),
        (&forced("skip", json!(true)), &none, third),
        (&x, &none, third),
        (&x, &by_path("/x/y"), third),
        (&x, &y, 0),
    ] {
        let policy = layered(30, a.clone(), c.clone());
        assert_eq!(left_out(&policy), (out, out), "{policy:?}");
        // And so does the engine, for a request that meets both where there is one.
        let path = if c == &y { "/y" } else { "/x/y" };
        let (plan, mut outside) = (plan(&policy.0), 0);
        for user in users() {
            let request = [(":path", path), ("x-user", &user)];
            let decisions = decide(&plan, request.as_slice(), &Context::default());
            let decided = in_words(&plan, decisions.list());
            outside += u64::from(!decided.iter().any(|(split, ..)| split == "c"));
        }
        assert_eq!(outside, out, "{policy:?}");
    }
}

#[test]
fn nobody_is_taken_away_by_a_split_that_no_such_request_can_meet() {
    let by_path = |path: &str, from: u8, to: u8| json!({"layer": "ui", "slice": {"from": from, "to": to}, "match": [{"path": {"prefix": path}}]});
    let rest = json!({"layer": "ui", "match": [{"path": {"prefix": "/y"}}]});
    let c = || split("c", 100.0, rest.clone());
    // `b` can be met with both, but nobody meets all three.
    let any = json!({"layer": "ui", "slice": {"from": 30, "to": 60}});
    let three =
        policy(&[split("a", 50.0, by_path("/x", 0, 30)), split("b", 50.0, any.clone()), c()]);
    assert_eq!(left_out(&three), (between(3_000, 6_000), between(3_000, 6_000)));
    // `b` requires a variant of a split that the requests of `c` never meet.
    let first = split("first", 0.0, json!({"match": [{"path": {"prefix": "/x"}}]}));
    let mut requiring = any;
    requiring["requires"] = json!([{"split": "first", "variant": "stable"}]);
    let required = policy(&[first, split("b", 50.0, requiring), c()]);
    assert_eq!(left_out(&required), (0, 0));
}

#[test]
fn a_wider_slice_is_told_of_the_split_that_loses_users_by_it() {
    let [old, new] = [30, 60].map(|to| layered(to, json!({}), json!({})));
    let answer = diff(&old, &new, USERS, 0, &[]).json();
    let of = |split: &str| told(&answer, &json!({"name": split}))["moves"].clone();
    assert_eq!(of("c")["moved"], between(3_000, 6_000), "{answer:#}");
    assert_eq!(of("c")["matrix"][1][2], between(3_000, 6_000), "from the canary to the outside");
    assert_eq!(of("a")["moved"], between(3_000, 6_000), "{answer:#}");
}

/// The rises that `--max-step` tells, as `split variant from to`, in whole points.
fn rises(old: &Policy, new: &Policy, limit: &str) -> Vec<String> {
    let told = diff(old, new, USERS, 0, &["--max-step", limit]);
    let answer = told.json();
    let mut all = Vec::new();
    for split in answer["splits"].as_array().unwrap() {
        for step in split["too_large_steps"].as_array().unwrap() {
            let [from, to] = ["from", "to"].map(|end| step[end].as_f64().unwrap() * 100.0);
            let variant = step["variant"].as_str().unwrap();
            let at = step["at"].as_str().map(|at| format!(" at {at}")).unwrap_or_default();
            all.push(format!("{} {variant} {from:.0} {to:.0}{at}", name(split)));
        }
    }
    assert_eq!(told.outcome == Outcome::No, !all.is_empty());
    all
}

/// A ramp of `canary` by its points in this time, in a straight line.
fn ramp(points: &[(&str, u8)]) -> Value {
    let step = |(after, canary): &(&str, u8)| json!({"after": after, "weights": {"stable": 100 - canary, "canary": canary}});
    let steps: Value = points.iter().map(step).collect();
    json!({"ramp": {"start": "1970-01-02T00:00:00Z", "linear": true, "steps": steps}})
}

#[test]
fn a_straight_line_within_a_second_is_a_step() {
    let old = policy(&[split("s", 1.0, json!({}))]);
    let to = |points: &[(&str, u8)]| policy(&[split("s", 1.0, ramp(points))]);
    let rise = |points: &[(&str, u8)]| rises(&old, &to(points), "10");
    assert_eq!(rise(&[("0s", 1), ("1s", 100)]), ["s canary 1 100 at 1970-01-02T00:00:01Z"]);
    assert_eq!(rise(&[("0s", 1), ("2m", 100)]), ["s canary 1 50 at 1970-01-02T00:01:00Z"]);
    assert_eq!(rise(&[("0s", 1), ("1d", 100)]), [""; 0]);
}

#[test]
fn a_requirement_that_is_dropped_is_a_step() {
    let first = || split("first", 5.0, json!({}));
    let requires = json!({"requires": [{"split": "first", "variant": "canary"}]});
    let second = |more: Value| split("second", 100.0, more);
    let [old, new] = [requires.clone(), json!({})].map(|more| policy(&[first(), second(more)]));
    assert_eq!(rises(&old, &new, "50"), ["second canary 5 100"]);
    assert_eq!(rises(&new, &old, "0"), [""; 0], "the way back is open");
    // And so is one that more and more users meet.
    let waiting = policy(&[split("first", 0.0, json!({})), second(requires.clone())]);
    let ramped = split("first", 0.0, ramp(&[("1s", 0), ("2s", 40)]));
    let ramped = policy(&[ramped, second(requires)]);
    let at = "at 1970-01-02T00:00:02Z";
    let wanted = [format!("first canary 0 40 {at}"), format!("second canary 0 40 {at}")];
    assert_eq!(rises(&waiting, &ramped, "30"), wanted);
}

#[test]
fn a_layer_that_gives_users_back_is_a_step() {
    let [old, new] = [60, 10].map(|to| layered(to, json!({}), json!({})));
    let rest = |from: u64| (between(from, 10_000) * 100) as f64 / f64::from(USERS);
    let wanted = format!("c canary {:.0} {:.0}", rest(6_000), rest(1_000));
    assert_eq!(rises(&old, &new, "30"), [wanted]);
    // A ramp that was there before gets other users.
    let step = ramp(&[("1s", 0), ("2s", 100)]);
    let mut c = step.clone();
    c["variants"] = json!([{"name": "stable", "weight": 100}, {"name": "canary", "weight": 0}]);
    let [old, new] = [100, 10].map(|to| layered(to, json!({}), c.clone()));
    let wanted = format!("c canary 0 {:.0} at 1970-01-02T00:00:02Z", rest(1_000));
    assert_eq!(rises(&old, &new, "30"), [wanted]);
    let more = layered(9, json!({}), c);
    assert_eq!(rises(&new, &more, "30"), [""; 0], "the rise was there, nearly");
}

#[test]
fn limits_hold_to_two_points_where_some_users_are_outside() {
    let [old, new] = [52, 40].map(|to| layered(to, json!({}), json!({})));
    let told = |limit: &str| diff(&old, &new, 100_000, 0, &["--max-step", limit]).outcome;
    assert_eq!((told("10"), told("14")), (Outcome::No, Outcome::Fine));
}

#[test]
fn a_forced_request_has_tried_no_override() {
    let beta = json!([{"match": [{"headers": [{"name": "x-beta", "present": true}]}], "variant": "canary"}]);
    let mut policy = policy(&[split("s", 5.0, json!({"overrides": beta}))]);
    policy.0["force"] = json!({"secret": {"header": "x-secret", "value": "0123456789abcdef"}});
    let folder = Folder::new();
    let file = folder.file("policy.json", &policy.0);
    let steps = |secret: &str| {
        let secret = format!("x-secret: {secret}");
        let force = "x-split-force: s=stable";
        let words = [&file, "--format", "json", "-H", force, "-H", &secret, "-H", "x-beta: on"];
        let told = run(explain::run, &words).json();
        let steps = told["splits"][0]["steps"].as_array().unwrap().clone();
        let kinds = steps.iter().map(|step| step["step"].as_str().unwrap().to_owned());
        (told["splits"][0]["variant"].clone(), kinds.collect::<Vec<_>>())
    };
    assert_eq!(steps("0123456789abcdef"), (json!("stable"), vec!["forced".to_owned()]));
    assert_eq!(steps("wrong"), (json!("canary"), vec!["override".to_owned()]));
}
