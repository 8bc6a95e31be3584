//! For any policy and any request, the engine decides as the naive model does.

use proptest::prelude::*;
use serde_json::{Value, json};

fn header_test() -> impl Strategy<Value = Value> {
    let name = prop::sample::select(vec!["x-a", "X-B"]);
    let word = prop::sample::select(vec!["1", "12", "2", "", "1,2"]);
    prop_oneof![
        (name.clone(), word.clone()).prop_map(|(n, v)| json!({"name": n, "exact": v})),
        (name.clone(), word.clone()).prop_map(|(n, v)| json!({"name": n, "prefix": v})),
        (name.clone(), any::<bool>()).prop_map(|(n, v)| json!({"name": n, "present": v})),
        (name, prop::collection::vec(word, 1..4)).prop_map(|(n, v)| json!({"name": n, "in": v})),
    ]
}

fn match_entry() -> impl Strategy<Value = Value> {
    let host = prop::sample::select(vec!["a.test", "*.test", "*", "b.a.test", "A.test"]);
    let path = prop_oneof![
        prop::sample::select(vec!["/", "/a", "/a/", "/a/b"]).prop_map(|p| json!({"prefix": p})),
        prop::sample::select(vec!["/", "/a", "/a/b"]).prop_map(|p| json!({"exact": p})),
    ];
    let methods = prop::collection::vec(prop::sample::select(vec!["GET", "POST"]), 1..3);
    (
        prop::option::of(prop::collection::vec(host, 1..3)),
        prop::option::of(path),
        prop::option::of(methods),
        prop::option::of(prop::collection::vec(header_test(), 1..3)),
    )
        .prop_map(|(hosts, path, methods, headers)| {
            let mut entry = json!({});
            if let Some(hosts) = hosts {
                entry["hosts"] = json!(hosts);
            }
            if let Some(path) = path {
                entry["path"] = path;
            }
            if let Some(methods) = methods {
                entry["methods"] = json!(methods);
            }
            if let Some(headers) = headers {
                entry["headers"] = json!(headers);
            }
            entry
        })
        .prop_filter("an entry needs a condition", |entry| entry != &json!({}))
}

fn split(index: usize) -> impl Strategy<Value = Value> {
    let weights = prop::collection::vec(0_u32..1_000_000, 1..6);
    let source = prop_oneof![
        Just(json!({"header": "X-User"})),
        Just(json!({"cookie": "uid"})),
        Just(json!({"cookie": "id"})),
    ];
    (
        weights,
        prop::option::of(prop::collection::vec(match_entry(), 1..3)),
        prop::option::of(prop::collection::vec(source, 1..3)),
        prop::option::of(prop::sample::select(vec!["baseline", "random", "skip"])),
        prop::collection::vec((prop::collection::vec(match_entry(), 1..3), any::<prop::sample::Index>()), 0..3),
        any::<prop::sample::Index>(),
        prop::option::of("[a-z]{1,4}"),
        any::<bool>(),
    )
        .prop_map(move |(weights, matches, key, missing, overrides, baseline, salt, enabled)| {
            let name = |at: usize| format!("v{at}");
            let weight = |w: u32| f64::from(w) / 10_000.0;
            let variants: Vec<_> =
                weights.iter().enumerate().map(|(at, w)| json!({"name": name(at), "weight": weight(*w)})).collect();
            let mut split = json!({"name": format!("s{index}"), "weight_total": "any", "variants": variants});
            split["baseline"] = json!(name(baseline.index(weights.len())));
            split["enabled"] = json!(enabled || index == 0);
            let fields = [
                ("match", matches.map(|m| json!(m))),
                ("key", key.map(|k| json!(k))),
                ("on_missing_key", missing.map(|m| json!(m))),
                ("salt", salt.map(|s| json!(s))),
            ];
            for (name, value) in fields {
                if let Some(value) = value {
                    split[name] = value;
                }
            }
            if !overrides.is_empty() {
                let forced = |(m, v): &(Vec<Value>, prop::sample::Index)| {
                    json!({"match": m, "variant": name(v.index(weights.len()))})
                };
                split["overrides"] = overrides.iter().map(forced).collect();
            }
            split
        })
}

fn policy() -> impl Strategy<Value = Value> {
    (split(0), split(1), split(2), prop::bool::weighted(0.1)).prop_map(|(a, b, c, kill)| {
        json!({"version": 1, "key": [{"header": "x-user"}], "kill": kill, "splits": [a, b, c]})
    })
}

fn request() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    let value = prop_oneof![
        prop::sample::select(vec!["1", "12", "2", "", "true"]).prop_map(|v| v.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..6),
    ];
    let cookie = prop::sample::select(vec![
        "uid=ada",
        "uid=\"ada\"; id=7",
        "id",
        "id=",
        "id=a=b",
        " uid = x ;id=\"",
        "uid=;uid=late",
        "xuid=1;uidx=2",
    ]);
    let headers =
        prop::collection::vec((prop::sample::select(vec!["x-a", "x-b", "x-user"]), value), 0..5);
    (
        prop::sample::select(vec!["GET", "POST", "get"]),
        prop::sample::select(vec!["a.test", "A.TEST:80", "b.a.test", "other", "", ":", "[::1]:1"]),
        prop::sample::select(vec!["/", "/a", "/a/b?x=/c", "/ab", "/a/", "", "/a#f"]),
        headers,
        prop::collection::vec(cookie, 0..3),
    )
        .prop_map(|(method, authority, path, headers, cookies)| {
            let pair = |(n, v): (&str, Vec<u8>)| (n.to_owned(), v);
            let pseudo = [(":method", method), (":authority", authority), (":path", path)];
            let pseudo = pseudo.into_iter().map(|(n, v)| (n, v.as_bytes().to_vec()));
            let cookies = cookies.into_iter().map(|c| ("cookie", c.as_bytes().to_vec()));
            pseudo.chain(headers).chain(cookies).map(pair).collect()
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn decide_equals_explain_equals_the_naive_model(
        policy in policy(),
        requests in prop::collection::vec((request(), any::<u64>()), 1..8),
    ) {
        let plan = super::plan(&policy);
        for (request, random) in requests {
            let decisions = super::decide(&plan, &request, random);
            prop_assert_eq!(super::in_words(&plan, &decisions), harness::model::decide(&policy, &request, random));
            let effects = plan.request_effects(request.as_slice(), &decisions);
            prop_assert_eq!(effects.counters.len(), decisions.len(), "every decision has its counter");
        }
    }

    #[test]
    fn no_bytes_make_the_engine_panic(
        policy in policy(),
        pairs in prop::collection::vec(
            (prop::sample::select(vec![":method", ":authority", ":path", "cookie", "x-a", "x-user"]),
             prop::collection::vec(any::<u8>(), 0..64)),
            0..12,
        ),
    ) {
        let request: Vec<_> = pairs.into_iter().map(|(n, v)| (n.to_owned(), v)).collect();
        let plan = super::plan(&policy);
        let decisions = super::decide(&plan, &request, 1);
        plan.request_effects(request.as_slice(), &decisions);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in prop::collection::vec(any::<u8>(), 0..200), json in any_json()) {
        engine::policy::from_json(&text);
        engine::policy::from_json(json.to_string().as_bytes());
    }
}

/// JSON that looks like a policy here and there.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~]{0,8}".prop_map(Value::from),
    ];
    let name = prop::sample::select(vec![
        "version",
        "splits",
        "name",
        "match",
        "hosts",
        "path",
        "prefix",
        "key",
        "header",
        "cookie",
        "baseline",
        "variants",
        "weight",
        "weight_total",
        "overrides",
        "variant",
        "headers",
        "in",
        "other",
    ]);
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name.clone(), inner, 0..6)
                .prop_map(|fields| fields.into_iter().map(|(n, v)| (n.to_owned(), v)).collect()),
        ]
    })
}
