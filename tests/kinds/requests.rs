//! Users with their requests: what `explain` and the filter say, and do.

use std::collections::BTreeMap;
use std::time::Duration;

use harness::generate::plain_situation;
use harness::model::{
    self, Situation, force_refused, meets, shares, sticky_value, tried_overrides,
};
use harness::module::host;
use harness::wasm_host::{Headers, Response, WasmHost};
use proptest::prelude::*;
use serde_json::{Value, json};
use splitctl::commands::explain;

use crate::bare::gauges;
use crate::tools::{Folder, run, time};
use crate::{Policy, config, name, policy};

/// Split, variant, reason.
type Words = (String, String, String);

/// What the model decides, where chance decided as it was seen to.
fn decide(policy: &Policy, situation: &Situation, seen: &[Words]) -> Vec<Words> {
    let mut policy = policy.0.clone();
    for split in policy["splits"].as_array_mut().into_iter().flatten() {
        let by_chance = seen.iter().find(|(s, _, reason)| s == name(split) && reason == "random");
        let Some((_, drawn, _)) = by_chance else { continue };
        // One that drains is drawn by nobody.
        for variant in split["variants"].as_array_mut().into_iter().flatten() {
            variant["drain"] = json!(variant["drain"] == true || name(variant) != drawn);
        }
    }
    let decided = model::decide(&policy, situation).into_iter();
    decided.map(|d| (d.split, d.variant, d.reason.to_owned())).collect()
}

/// What becomes of a request, by what was decided.
#[derive(Debug, PartialEq)]
struct Effects {
    cluster: Option<String>,
    variants: Option<String>,
    /// `None` where chance decides.
    mirror: Option<bool>,
    /// The cookies that keep variants.
    cookies: Vec<String>,
    force_refused: bool,
}

impl Effects {
    fn wanted(policy: &Policy, situation: &Situation, decided: &[Words]) -> Self {
        let split =
            |wanted: &str| policy.splits().iter().find(|split| name(split) == wanted).unwrap();
        let variant = |s: &str, wanted: &str| {
            let variants = split(s)["variants"].as_array().unwrap();
            variants.iter().find(|variant| name(variant) == wanted).unwrap()
        };
        let clusters = decided.iter().filter_map(|(s, v, _)| variant(s, v)["cluster"].as_str());
        let tags: Vec<String> = decided.iter().map(|(s, v, _)| format!("{s}={v}")).collect();
        let holds = decided.iter().filter(|(s, _, reason)| {
            !split(s)["sticky"].is_null()
                && ["split", "random"].contains(&reason.as_str())
                && !model::is_preflight(situation)
        });
        let cookies = holds.map(|(s, v, _)| format!("split-{s}={}", sticky_value(split(s), v)));
        let mirror = model::decide(&policy.0, situation).iter().any(|decided| decided.mirror);
        Self {
            cluster: clusters.map(str::to_owned).next(),
            variants: (!tags.is_empty()).then(|| tags.join(", ")),
            mirror: (!draws(policy)).then_some(mirror),
            cookies: cookies.collect(),
            force_refused: force_refused(&policy.0, situation),
        }
    }
}

/// Whether chance decides anything.
fn draws(policy: &Policy) -> bool {
    policy.splits().iter().any(|split| {
        split["assignment"] == "random"
            || split["on_missing_key"] == "random"
            || split["mirror"]["by"] == "request"
    })
}

/// Whether the variants that chance drew can be drawn.
fn can_be_drawn(policy: &Policy, now: u64, seen: &[Words]) -> bool {
    let drawn = seen.iter().filter(|(.., reason)| reason == "random");
    drawn.into_iter().all(|(split, drawn, _)| {
        let split = policy.splits().iter().find(|s| name(s) == split).unwrap();
        shares(split, now).iter().any(|(variant, weight, _)| variant == drawn && *weight > 0)
    })
}

/// The command line of a request.
fn line(file: &str, situation: &Situation) -> Vec<String> {
    let mut words = vec![file.to_owned(), "--at".to_owned(), time(situation.now)];
    words.extend(["--format", "json"].map(str::to_owned));
    for (header, value) in &situation.headers {
        let value = String::from_utf8(value.clone()).unwrap();
        match header.as_str() {
            ":method" => words.extend(["--method".to_owned(), value]),
            ":authority" => words.extend(["--host".to_owned(), value]),
            ":path" => words.extend(["--path".to_owned(), value]),
            header => words.extend(["-H".to_owned(), format!("{header}: {value}")]),
        }
    }
    words
}

/// What `explain` says that is decided, and that becomes of it.
fn explained(told: &Value, draws: bool) -> (Vec<Words>, Effects) {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let list = |value: &Value| value.as_array().expect("a list").clone();
    let word = |split: &Value| {
        Some((text(&split["split"])?, text(&split["variant"])?, text(&split["reason"])?))
    };
    let seen = list(&told["splits"]).iter().filter_map(word).collect();
    let effects = &told["effects"];
    let edits = list(&effects["request_headers"]);
    let set = |header: &str| edits.iter().find(|e| e["edit"] == "set" && e["name"] == header);
    let cookies = list(&effects["response_headers"]);
    let pair = |edit: &Value| text(&edit["value"]).unwrap().split(';').next().map(str::to_owned);
    let effects = Effects {
        cluster: text(&effects["cluster"]),
        variants: set("x-split-variant").and_then(|edit| text(&edit["value"])),
        mirror: (!draws).then_some(effects["mirror"] == "m"),
        cookies: cookies.iter().filter(|e| e["name"] == "set-cookie").filter_map(pair).collect(),
        force_refused: effects["force_refused"] == true,
    };
    (seen, effects)
}

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn explain_tells_what_the_model_decides(
        policy in policy(),
        situations in prop::collection::vec(plain_situation(), 1..4),
    ) {
        let folder = Folder::new();
        let file = folder.file("policy.json", &policy.0);
        for situation in &situations {
            let line = line(&file, situation);
            let told = run(explain::run, &line.iter().map(String::as_str).collect::<Vec<_>>()).json();
            let (seen, effects) = explained(&told, draws(&policy));
            let wanted = decide(&policy, situation, &seen);
            prop_assert_eq!(&seen, &wanted);
            prop_assert!(can_be_drawn(&policy, situation.now, &seen));
            prop_assert_eq!(effects, Effects::wanted(&policy, situation, &wanted));
            prop_assert_eq!(counters_of_explain(&told), counters(&wanted));
            for (split, told) in policy.splits().iter().zip(told["splits"].as_array().unwrap()) {
                let steps = told["steps"].as_array().unwrap();
                let is = |kind: &str| steps.iter().filter(|step| step["step"] == kind).count();
                prop_assert_eq!(is("match") == 1, split["enabled"] != false && !split["match"].is_null());
                // Whoever has a variant and is not killed has passed all before the overrides.
                if told["variant"].is_string() && policy.0["kill"] != true {
                    prop_assert!(meets(&policy.0, split, situation));
                    let tried = tried_overrides(&policy.0, split, situation);
                    prop_assert_eq!(is("override"), tried, "{}", name(split));
                }
                prop_assert_eq!(is("weights") == 1, by_weights(told["reason"].as_str()));
            }
        }
    }
}

fn by_weights(reason: Option<&str>) -> bool {
    reason.is_some_and(|reason| ["split", "random", "fallback"].contains(&reason))
}

fn counters(decided: &[Words]) -> Vec<String> {
    let counter = |(split, variant, reason): &Words| {
        format!(
            "traffic_split_requests_total{{split=\"{split}\",variant=\"{variant}\",reason=\"{reason}\"}}"
        )
    };
    decided.iter().map(counter).collect()
}

fn counters_of_explain(told: &Value) -> Vec<String> {
    let all = told["effects"]["counters"].as_array().unwrap().iter();
    let of_requests = |counter: &&str| counter.starts_with("traffic_split_requests_total");
    all.filter_map(Value::as_str).filter(of_requests).map(str::to_owned).collect()
}

proptest! {
    #![proptest_config(config(40))]

    #[test]
    fn the_filter_does_what_the_model_decides(
        policy in policy(),
        situations in prop::collection::vec(plain_situation(), 1..4),
    ) {
        let mut host = host();
        host.set_time(Duration::from_millis(situations[0].now));
        prop_assert!(host.configure(policy.0.to_string().as_bytes()).unwrap(), "{:#?}", host.logs());
        for situation in &situations {
            host.set_time(Duration::from_millis(situation.now));
            host.tick().unwrap();
            let wanted: BTreeMap<String, u64> = gauges(&policy, situation.now).into_iter().collect();
            prop_assert_eq!(ending(&host, "traffic_split_weight"), wanted);

            let before = ending(&host, "");
            let effects = exchange(&mut host, situation, draws(&policy), &before);
            let seen = counted(&before, &ending(&host, ""));
            let mut wanted = decide(&policy, situation, &seen);
            prop_assert!(can_be_drawn(&policy, situation.now, &seen));
            prop_assert_eq!(effects, Effects::wanted(&policy, situation, &wanted));
            wanted.sort();
            prop_assert_eq!(seen, wanted);
        }
    }
}

/// The metrics whose names end so.
fn ending(host: &WasmHost, end: &str) -> BTreeMap<String, u64> {
    let all = host.metrics().iter().filter(|(name, _)| name.ends_with(end));
    all.map(|(name, value)| (name.clone(), value.count())).collect()
}

/// The decisions that were counted, in alphabetical order.
fn counted(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> Vec<Words> {
    let more = after.iter().filter(|(name, count)| before.get(*name) != Some(count));
    let words = |(name, _): (&String, &u64)| {
        let labels = name.strip_suffix("traffic_split_requests_total")?;
        let mut values = labels.split(";.;").filter_map(|label| label.split_once("=.="));
        let mut next = || values.next().map(|(_, value)| value.to_owned());
        Some((next()?, next()?, next()?))
    };
    let mut words: Vec<Words> = more.filter_map(words).collect();
    words.sort();
    words
}

/// A whole stream, and what became of it.
fn exchange(
    host: &mut WasmHost,
    situation: &Situation,
    draws: bool,
    before: &BTreeMap<String, u64>,
) -> Effects {
    let lines = situation.headers.iter();
    let request = lines.fold(Headers::new(), |all, (name, value)| all.with(name, value));
    let (asked, answered) = host.exchange(&request, &Response::status(200)).unwrap();
    let pair = |cookie: &[u8]| {
        let cookie = String::from_utf8(cookie.to_vec()).unwrap();
        cookie.split(';').next().map(str::to_owned)
    };
    let refused = "traffic_split_force_refused_total";
    let refusals = host.metrics().get(refused).map_or(0, |value| value.count());
    Effects {
        cluster: asked.headers.text("x-split-cluster"),
        variants: asked.headers.text("x-split-variant"),
        mirror: (!draws).then(|| asked.headers.text("x-split-mirror").is_some()),
        cookies: answered.headers.all("set-cookie").filter_map(pair).collect(),
        force_refused: refusals > before.get(refused).copied().unwrap_or(0),
    }
}
