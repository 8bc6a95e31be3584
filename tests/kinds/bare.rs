//! Users of whom nothing but the key is known.

use engine::decision::Tripped;
use engine::metrics::Metrics;
use engine::units::Moment;
use harness::generate::{now, plain_requests};
use harness::model::{self, Bare, Decided, bucket, meets, shares, with_key};
use harness::native::plan;
use proptest::prelude::*;
use serde_json::{Value, json};
use splitctl::commands::{assign, simulate};
use splitctl::population::{Users, chance};

use crate::tools::{Folder, run, time};
use crate::{Policy, config, name, policy};

/// As `simulate` counts them up.
fn users(count: u32) -> Vec<String> {
    (1..=count).map(|number| format!("user-{number}")).collect()
}

/// Variant and reason, as words.
fn words(decided: Option<&Decided>) -> Option<(&str, &str)> {
    decided.map(|decided| (decided.variant.as_str(), decided.reason))
}

fn ask(bare: &Bare, user: &str, now: u64) -> Option<Decided> {
    bare.serves(user, now, chance(user.as_bytes()))
}

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn users_of_the_library_are_those_of_the_model(policy in policy(), now in now()) {
        let (plan, bares) = (plan(&policy.0), Bare::all(&policy.0, &plain_requests()));
        let asked = Users::new(&plan, Moment::new(now), plan.splits.ids());
        for user in users(100) {
            let served = asked.ask(user.as_bytes());
            for ((bare, served), split) in bares.iter().zip(served).zip(&plan.policy.splits) {
                let told = served.map(|(v, reason)| (split.variants[v].name.as_str(), reason.as_str()));
                let wanted = ask(bare, &user, now);
                prop_assert_eq!(told, words(wanted.as_ref()), "{} of split {}", user, split.name);
            }
        }
    }

    #[test]
    fn rows_of_assign_are_those_of_the_model(policy in policy(), now in now()) {
        let (folder, bares) = (Folder::new(), Bare::all(&policy.0, &plain_requests()));
        let file = folder.file("policy.json", &policy.0);
        let mut users = users(60);
        users.push(String::new());
        let ids = folder.file("ids", users.iter().map(|user| format!("{user}\n")).collect::<String>());
        let by_key = |(split, _): &(&Value, &Bare)| split["enabled"] != false && split["assignment"] != "random";
        for (split, bare) in policy.splits().iter().zip(&bares).filter(by_key) {
            let words = [&file, "--split", name(split), "--ids", &ids, "--at", &time(now)];
            let told = run(assign::run, &words).out;
            let rows = users.iter().map(|user| row(split, bare, user, now));
            let wanted = std::iter::once("key,variant,bucket,reason\n".to_owned()).chain(rows);
            for (told, wanted) in told.split_inclusive('\n').zip(wanted) {
                prop_assert_eq!(told, wanted, "split {}", name(split));
            }
            prop_assert_eq!(told.lines().count(), users.len() + 1);
        }
    }

    #[test]
    fn counts_of_simulate_are_those_of_the_model(policy in policy(), now in now()) {
        const USERS: u32 = 150;
        let (folder, bares) = (Folder::new(), Bare::all(&policy.0, &plain_requests()));
        let file = folder.file("policy.json", &policy.0);
        let told = run(simulate::run, &[&file, "--users", &USERS.to_string(), "--at", &time(now), "--format", "json"]);
        let told = told.json();
        let enabled = policy.splits().iter().zip(&bares).filter(|(split, _)| split["enabled"] != false);
        let wanted: Vec<Value> = enabled.map(|(split, bare)| {
            let served: Vec<_> = users(USERS).iter().map(|user| ask(bare, user, now)).collect();
            let count = |counted: &dyn Fn(Option<&Decided>) -> bool| {
                served.iter().filter(|decided| counted(decided.as_ref())).count()
            };
            let because = |reason: &str| count(&|d| d.is_some_and(|d| d.reason == reason));
            let by_weight = |d: &Decided| ["split", "random"].contains(&d.reason);
            let variants = shares(split, now).into_iter().map(|(variant, weight, sum)| json!({
                "name": variant,
                "users": count(&|d| d.is_some_and(|d| d.variant == variant && by_weight(d))),
                // In millionths: JSON may lose the last bits.
                "configured": (weight * 1_000_000).checked_div(sum).unwrap_or(0) as u64,
            }));
            json!({
                "name": name(split),
                "variants": variants.collect::<Value>(),
                "not_in_split": count(&|d| d.is_none()),
                "holdout": because("holdout"),
                "killed": because("killed"),
                "fallback": because("fallback"),
            })
        }).collect();
        prop_assert_eq!(Value::from(counts(&told)), Value::from(wanted));
    }

    #[test]
    fn gauges_are_the_shares_of_those_whom_the_weights_serve(policy in policy(), now in now()) {
        let plan = plan(&policy.0);
        let metrics = Metrics::new(&plan);
        let named = |(id, share)| (metrics.definitions()[id].name.clone(), share);
        let told: Vec<(String, u64)> = metrics.shares(&plan, Moment::new(now), Tripped::NONE).map(named).collect();
        prop_assert_eq!(told, gauges(&policy, now));
    }

    #[test]
    fn a_bare_key_is_a_user_whose_request_meets_all_that_it_can(policy in policy(), now in now()) {
        let mut policy = policy;
        for split in policy.0["splits"].as_array_mut().into_iter().flatten() {
            split.as_object_mut().map(|split| split.remove("overrides"));
        }
        let requests = plain_requests();
        for bare in Bare::all(&policy.0, &requests) {
            let all = |r: &&model::Situation| bare.judged().all(|judged| {
                let split = policy.splits().iter().find(|split| name(split) == judged);
                meets(&policy.0, split.expect("a split of the policy"), r)
            });
            let Some(request) = requests.iter().find(all) else { continue };
            for user in users(20) {
                let headers = [request.headers.clone(), with_key(&user)].concat();
                let situation = model::Situation { headers, now, random: chance(user.as_bytes()), ..Default::default() };
                let decided = model::decide(&policy.0, &situation);
                let decided = decided.iter().find(|decided| decided.split == bare.split);
                let wanted = ask(&bare, &user, now);
                prop_assert_eq!(words(decided), words(wanted.as_ref()), "{} of {}", user, bare.split);
            }
        }
    }
}

/// A row of `assign`.
fn row(split: &Value, bare: &Bare, user: &str, now: u64) -> String {
    let bucket = match user {
        "" => String::new(),
        user => bucket(model::salt_of(split), user.as_bytes()).to_string(),
    };
    let decided = ask(bare, user, now);
    let (variant, reason) = match words(decided.as_ref()) {
        None => ("", "out"),
        // Any variant, another one next time.
        Some((_, "random")) => ("", "no_key"),
        Some(decided) => decided,
    };
    format!("{user},{variant},{bucket},{reason}\n")
}

/// What `simulate` counted, without what it makes of it.
fn counts(told: &Value) -> Vec<Value> {
    let splits = told["splits"].as_array().expect("a list").clone();
    let fields = ["name", "variants", "not_in_split", "holdout", "killed", "fallback"];
    let only = |value: &mut Value, fields: &[&str]| {
        value.as_object_mut().expect("an object").retain(|name, _| fields.contains(&name.as_str()));
    };
    let mut splits = splits;
    for split in &mut splits {
        only(split, &fields);
        for variant in split["variants"].as_array_mut().into_iter().flatten() {
            only(variant, &["name", "users", "configured"]);
            let configured = variant["configured"].as_f64().expect("a number");
            variant["configured"] = Value::from((configured * 1e6 + 1e-6) as u64);
        }
    }
    splits
}

/// The gauges of the weights that a policy has, with their values.
pub(crate) fn gauges(policy: &Policy, now: u64) -> Vec<(String, u64)> {
    let enabled = policy.splits().iter().filter(|split| split["enabled"] != false);
    let of_split = enabled.flat_map(|split| {
        shares(split, now).into_iter().map(|(variant, weight, sum)| {
            let labels = format!("split=.={};.;variant=.={variant};.;", name(split));
            let millionths = (weight * 1_000_000).checked_div(sum).unwrap_or(0) as u64;
            (format!("{labels}traffic_split_weight"), millionths)
        })
    });
    of_split.collect()
}
