//! Splits.

use std::collections::BTreeMap;

use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use super::{SECRET, with};

/// More than there are of anything.
const PLACES: usize = 1 << 16;

/// What splits are made of that differs from one kind of policy to another.
#[derive(Debug, Clone)]
pub(super) struct Words {
    /// An entry of a match list.
    pub(super) entry: BoxedStrategy<Value>,
    /// A list of key sources.
    pub(super) key: BoxedStrategy<Value>,
    /// How many splits have a ramp, 0 to 1.
    pub(super) ramps: f64,
    /// How many have variants that answer themselves, 0 to 1.
    pub(super) responds: f64,
}

/// Key sources of every kind.
pub(super) fn key() -> impl Strategy<Value = Value> {
    let source = prop_oneof![
        Just(json!({"header": "X-User"})),
        Just(json!({"cookie": "uid"})),
        decoded_cookie(),
        Just(json!({"query": "q"})),
        Just(json!({"client_ip": true})),
    ];
    (prop::collection::vec(source, 1..3), prop::bool::weighted(0.2)).prop_map(
        |(mut key, generate)| {
            if generate {
                key.extend([json!({"cookie": "id"}), json!({"generate": {"cookie": "id"}})]);
            }
            json!(key)
        },
    )
}

/// A cookie that is decoded.
fn decoded_cookie() -> impl Strategy<Value = Value> {
    let steps = of(prop::collection::vec(select(vec!["percent", "base64"]), 1..4));
    let names = (select(vec!["uid", "info"]), of(select(vec!["id", "n", "\"a"])));
    (names, steps).prop_map(|((cookie, json), steps)| {
        let fields = [("decode", steps.map(|s| json!(s))), ("json", json.map(|j| json!(j)))];
        with(json!({"cookie": cookie}), fields)
    })
}

/// A percentage.
pub(super) fn percent() -> impl Strategy<Value = Value> {
    prop_oneof![
        select(vec![json!(0), json!(50), json!(100)]),
        (0..10_000_u32).prop_map(|p| json!(f64::from(p) / 100.0))
    ]
}

fn ramp(variants: usize) -> impl Strategy<Value = Value> {
    let weights = prop::collection::vec(prop_oneof![Just(0), 0_u32..1_000_000], variants);
    let times =
        prop::sample::subsequence(vec!["0s", "1s", "20s", "75s", "10m", "1h", "2h30m", "1d"], 1..4);
    let pauses = ["2026-11-20T12:00:00Z", "2026-11-20T12:40:00Z", "2026-11-21T00:00:00Z"];
    let pause = prop::option::weighted(0.2, select(pauses.to_vec()));
    (times, prop::collection::vec(weights, 4), any::<bool>(), pause).prop_map(
        |(times, weights, linear, pause)| {
            let step = |(after, weights): (&&str, &Vec<u32>)| {
                let weights: serde_json::Map<_, _> = weights
                    .iter()
                    .enumerate()
                    .map(|(at, w)| (format!("v{at}"), weight(*w)))
                    .collect();
                json!({"after": after, "weights": weights})
            };
            let steps: Vec<_> = times.iter().zip(&weights).map(step).collect();
            let ramp = json!({"start": "2026-11-20T12:00:00Z", "linear": linear, "steps": steps});
            with(ramp, [("pause", pause.map(|pause| json!(pause)))])
        },
    )
}

fn guard() -> impl Strategy<Value = Value> {
    let ratio =
        || of((10_001_u32..10_000_000).prop_map(|units| json!(f64::from(units) / 10_000.0)));
    let over = select(vec!["1ms", "800ms", "2s"]);
    let judged = prop_oneof![
        (ratio()).prop_map(|errors| (Some(errors), None)),
        (over.clone(), ratio()).prop_map(|slow| (None, Some(slow))),
        (ratio(), (over, ratio())).prop_map(|(errors, slow)| (Some(errors), Some(slow))),
    ];
    let rest = (of(1_000_u64..1_000_000_000), of(select(vec!["policy", "10s", "1h"])));
    (judged, rest).prop_map(|((errors, slow), (false_trips, release))| {
        let errors = errors.map(|ratio| with(json!({}), [("ratio", ratio)]));
        let slow = slow.map(|(over, ratio)| with(json!({"over": over}), [("ratio", ratio)]));
        let false_trips = false_trips.map(|n| json!(n));
        let release = release.map(|release| json!(release));
        let fields = [
            ("errors", errors),
            ("slow", slow),
            ("false_trips", false_trips),
            ("release", release),
        ];
        with(json!({}), fields)
    })
}

fn weight(units: u32) -> Value {
    json!(f64::from(units) / 10_000.0)
}

/// A split; [`settle`] gives it a name among others.
pub(super) fn split(words: &Words) -> impl Strategy<Value = Value> + use<> {
    let words = words.clone();
    let weights = prop::collection::vec(prop_oneof![1 => Just(0), 4 => 0_u32..1_000_000], 1..5);
    weights.prop_flat_map(move |weights| {
        let count = weights.len();
        let forced = (prop::collection::vec(words.entry.clone(), 1..3), of(any::<Index>()));
        let who = (
            of(prop::collection::vec(words.entry.clone(), 1..3)),
            of(words.key.clone()),
            of(select(vec!["baseline", "random", "skip"])),
            prop::option::weighted(0.2, Just("random")),
            of("[a-z]{1,4}"),
            prop::bool::weighted(0.85),
        );
        let before = (
            prop::collection::vec(forced, 0..3),
            of((select(vec!["l0", "l1"]), of((0_u32..100, 1_u32..100)))),
            prop::option::weighted(0.3, prop::collection::vec(any::<(Index, Index)>(), 1..3)),
            any::<Index>(),
        );
        let after = (
            prop::option::weighted(words.ramps, ramp(count)),
            of((percent(), any::<bool>())),
            prop::option::weighted(0.2, prop::collection::vec(any::<bool>(), count)),
            prop::bool::weighted(0.3),
            (any::<bool>(), prop::bool::weighted(words.responds), prop::option::weighted(0.4, guard())),
        );
        (Just(weights), who, before, after).prop_map(move |(weights, who, before, after)| {
            let (matches, key, missing, assignment, salt, enabled) = who;
            let (overrides, layer, requires, baseline) = before;
            let (ramp, mirror, drains, sticks, (has_clusters, responds, guard)) = after;
            let variant = |(at, w): (usize, &u32)| {
                let drains = drains.as_ref().map(|drains| json!(drains[at]));
                let responds = responds && at % 2 == 0;
                let cluster = (has_clusters && !responds).then(|| json!(format!("c{at}")));
                let respond = responds.then(|| json!({"status": 503}));
                let fields = [("drain", drains), ("cluster", cluster), ("respond", respond)];
                with(json!({"name": format!("v{at}"), "weight": weight(*w)}), fields)
            };
            let overrides: Vec<_> = overrides
                .iter()
                .map(|(matches, variant)| match variant {
                    Some(v) => json!({"match": matches, "variant": format!("v{}", v.index(weights.len()))}),
                    None => json!({"match": matches, "skip": true}),
                })
                .collect();
            let slice = layer.and_then(|(_, slice)| slice);
            let slice = slice.map(|(from, more)| json!({"from": from, "to": (from + more).min(100)}));
            // Which variant is meant is settled when all splits are there.
            // Places: which splits and variants there are is not known yet.
            let requires = requires.map(|requires| {
                let places = requires.iter().map(|(s, v)| json!([s.index(PLACES), v.index(PLACES)]));
                places.collect::<Value>()
            });
            let split = json!({
                "enabled": enabled,
                "baseline": format!("v{}", baseline.index(weights.len())),
                "weight_total": "any",
                "variants": weights.iter().enumerate().map(variant).collect::<Vec<_>>(),
            });
            let fields = [
                ("match", matches.map(|m| json!(m))),
                ("key", key),
                ("on_missing_key", missing.map(|m| json!(m))),
                ("assignment", assignment.map(|a| json!(a))),
                ("salt", salt.map(|s| json!(s))),
                ("overrides", (!overrides.is_empty()).then(|| json!(overrides))),
                ("layer", layer.map(|(layer, _)| json!(layer))),
                ("slice", slice),
                ("requires", requires),
                ("ramp", ramp),
                ("mirror", mirror.map(|(percent, by_user)| {
                    json!({"cluster": "m", "percent": percent, "by": if by_user { "user" } else { "request" }})
                })),
                ("guard", guard),
                ("sticky", (sticks || drains.is_some()).then(|| json!({"secret": SECRET}))),
            ];
            with(split, fields)
        })
    })
}

/// Gives splits their names, and the names of what they require.
pub(super) fn settle(splits: &mut [Value]) {
    for at in 0..splits.len() {
        let (before, after) = splits.split_at_mut(at);
        let split = &mut after[0];
        split["name"] = json!(format!("s{at}"));
        let places = split["requires"].take();
        let mut requires: BTreeMap<usize, Value> = BTreeMap::new();
        for place in places.as_array().into_iter().flatten().filter(|_| at > 0) {
            let wanted = |which: usize| place[which].as_u64().unwrap_or(0) as usize;
            let variants = before[wanted(0) % at]["variants"].as_array().map_or(1, Vec::len);
            let variant = json!(format!("v{}", wanted(1) % variants));
            requires.insert(wanted(0) % at, variant);
        }
        let one = |(split, variant)| json!({"split": format!("s{split}"), "variant": variant});
        let requires: Vec<Value> = requires.into_iter().map(one).collect();
        let fields = split.as_object_mut().expect("an object");
        fields.remove("requires");
        if !requires.is_empty() {
            fields.insert("requires".to_owned(), json!(requires));
        }
    }
}
