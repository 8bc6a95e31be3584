//! Random policies that are valid, and requests that meet them now and then.

use crate::model::Situation;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

/// Sets the fields that are given.
fn with(
    mut object: Value,
    fields: impl IntoIterator<Item = (&'static str, Option<Value>)>,
) -> Value {
    for (name, value) in fields {
        if let Some(value) = value {
            object[name] = value;
        }
    }
    object
}

/// A test of a value that has one of these names.
fn value_test(names: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let word = || select(vec!["1", "12", "2", "", "1,2", "aB"]);
    let part = || select(vec!["1", "2", "a", "AB", ","]);
    let bound = || of(-3_i64..15);
    let form = prop_oneof![
        word().prop_map(|v| json!({"exact": v})),
        part().prop_map(|v| json!({"prefix": v})),
        part().prop_map(|v| json!({"suffix": v})),
        part().prop_map(|v| json!({"contains": v})),
        select(vec!["[0-9]+", "(a|b)*", ".*", "1?2?", "[^1]", "(?i)AB|x"])
            .prop_map(|v| json!({"regex": v})),
        any::<bool>().prop_map(|v| json!({"present": v})),
        prop::collection::vec(word(), 1..4).prop_map(|v| json!({"in": v})),
        (bound(), 1_i64..20).prop_map(|(from, more)| match from {
            Some(from) => json!({"range": {"from": from, "to": from + more}}),
            None => json!({"range": {"to": more}}),
        }),
    ];
    (select(names), form, any::<(bool, bool)>()).prop_map(|(name, form, (not, ignore_case))| {
        let is = |field: &str| form.get(field).is_some();
        let flag = |wanted: bool| wanted.then_some(Value::Bool(true));
        let not = flag(not && !is("present"));
        let ignore_case = flag(ignore_case && !is("present") && !is("range"));
        let name = ("name", Some(json!(name)));
        with(form.clone(), [name, ("not", not), ("ignore_case", ignore_case)])
    })
}

fn match_entry() -> impl Strategy<Value = Value> {
    let host = select(vec!["a.test", "*.test", "*", "b.a.test", "A.test"]);
    let path = prop_oneof![
        select(vec!["/", "/a", "/a/", "/a/b"]).prop_map(|p| json!({"prefix": p})),
        select(vec!["/", "/a", "/a/b"]).prop_map(|p| json!({"exact": p})),
        select(vec!["/", "/a", "/a/"]).prop_map(|p| json!({"raw_prefix": p})),
        select(vec!["/[ab]+", "/a.*", ".*"]).prop_map(|p| json!({"regex": p})),
    ];
    let network = select(vec![
        "10.0.0.0/8",
        "10.1.0.0/16",
        "192.0.2.1",
        "0.0.0.0/0",
        "2001:db8::/33",
        "::/0",
    ]);
    let some = |test| of(prop::collection::vec(test, 1..3));
    let fields = (
        of(prop::collection::vec(host, 1..3)),
        of(path),
        of(prop::collection::vec(select(vec!["GET", "POST"]), 1..3)),
        some(value_test(&["x-a", "X-B"])),
        some(value_test(&["uid", "id"])),
        some(value_test(&["q", "b c"])),
        prop::option::weighted(0.2, prop::collection::vec(network, 1..3)),
    );
    let entry = fields.prop_map(|(hosts, path, methods, headers, cookies, query, networks)| {
        let fields = [
            ("hosts", hosts.map(|h| json!(h))),
            ("path", path),
            ("methods", methods.map(|m| json!(m))),
            ("headers", headers.map(|h| json!(h))),
            ("cookies", cookies.filter(|c| c.len() == 1).map(|c| json!(c))),
            ("query", query.filter(|q| q.len() == 1).map(|q| json!(q))),
            ("source_ip", networks.map(|n| json!(n))),
        ];
        with(json!({}), fields)
    });
    entry.prop_filter("an entry needs a condition", |entry| entry != &json!({}))
}

fn key() -> impl Strategy<Value = Value> {
    let source = prop_oneof![
        Just(json!({"header": "X-User"})),
        Just(json!({"cookie": "uid"})),
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

fn percent() -> impl Strategy<Value = Value> {
    prop_oneof![
        select(vec![json!(0), json!(50), json!(100)]),
        (0..10_000_u32).prop_map(|p| json!(f64::from(p) / 100.0))
    ]
}

fn ramp(variants: usize) -> impl Strategy<Value = Value> {
    let weights = prop::collection::vec(prop_oneof![Just(0), 0_u32..1_000_000], variants);
    let times = prop::sample::subsequence(vec!["0s", "1h", "2h30m", "1d"], 1..4);
    let pause =
        of(select(vec!["2026-11-20T12:00:00Z", "2026-11-20T12:40:00Z", "2026-11-21T00:00:00Z"]));
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

fn weight(units: u32) -> Value {
    json!(f64::from(units) / 10_000.0)
}

fn split(index: usize) -> impl Strategy<Value = Value> {
    let weights = prop::collection::vec(prop_oneof![1 => Just(0), 4 => 0_u32..1_000_000], 1..5);
    weights.prop_flat_map(move |weights| {
        let count = weights.len();
        let forced = (prop::collection::vec(match_entry(), 1..3), of(any::<Index>()));
        let who = (
            of(prop::collection::vec(match_entry(), 1..3)),
            of(key()),
            of(select(vec!["baseline", "random", "skip"])),
            prop::option::weighted(0.2, Just("random")),
            of("[a-z]{1,4}"),
            any::<bool>(),
        );
        let before = (
            prop::collection::vec(forced, 0..3),
            of((select(vec!["l0", "l1"]), of((0_u32..100, 1_u32..100)))),
            prop::option::weighted(0.2, 0..index.max(1)),
            any::<Index>(),
        );
        let after = (
            prop::option::weighted(0.3, ramp(count)),
            of((percent(), any::<bool>())),
            prop::option::weighted(0.2, prop::collection::vec(any::<bool>(), count)),
        );
        (Just(weights), who, before, after).prop_map(move |(weights, who, before, after)| {
            let (matches, key, missing, assignment, salt, enabled) = who;
            let (overrides, layer, requires, baseline) = before;
            let (ramp, mirror, drains) = after;
            let variant = |(at, w): (usize, &u32)| {
                let drains = drains.as_ref().map(|drains| json!(drains[at]));
                with(json!({"name": format!("v{at}"), "weight": weight(*w)}), [("drain", drains)])
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
            let requires = requires.filter(|_| index > 0);
            let split = json!({
                "name": format!("s{index}"),
                "enabled": enabled || index == 0,
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
                ("requires", requires.map(|r| json!([{"split": format!("s{r}"), "variant": "v0"}]))),
                ("ramp", ramp),
                ("mirror", mirror.map(|(percent, by_user)| {
                    json!({"cluster": "m", "percent": percent, "by": if by_user { "user" } else { "request" }})
                })),
                ("sticky", drains.as_ref().map(|_| json!({"secret": "0123456789abcdef"}))),
            ];
            with(split, fields)
        })
    })
}

/// Up to 12 splits: beyond 8 the plan has an index.
pub fn policy() -> impl Strategy<Value = Value> {
    let splits = |count: usize| (0..count).map(split).collect::<Vec<_>>();
    let splits = select(vec![1_usize, 2, 3, 4, 12]).prop_flat_map(splits);
    let holdout = of((percent(), of("[a-z]{1,4}")));
    (splits, key(), prop::bool::weighted(0.1), holdout, 0_u8..4, of("[a-z]{1,4}")).prop_map(
        |(splits, key, kill, holdout, hops, layer_salt)| {
            let holdout = holdout.map(|(percent, salt)| {
                with(json!({"percent": percent}), [("salt", salt.map(|s| json!(s)))])
            });
            let layer = with(json!({"name": "l0"}), [("salt", layer_salt.map(|s| json!(s)))]);
            let policy = json!({
                "version": 1, "key": key, "kill": kill, "layers": [layer, {"name": "l1"}],
                "client_ip": {"trusted_hops": hops}, "splits": splits,
            });
            with(policy, [("holdout", holdout)])
        },
    )
}

/// A request, and all that a decision may depend on besides.
pub fn situation() -> impl Strategy<Value = Situation> {
    let value = prop_oneof![
        3 => select(vec!["1", "12", "2", "", "true", "aB", "ab", "x"]).prop_map(|v| v.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..6),
    ];
    let cookie = select(vec![
        "uid=ada",
        "uid=\"ada\"; id=7",
        "id",
        "id=",
        "id=a=b",
        " uid = x ;id=\"",
        "uid=;uid=late",
        "xuid=1;uidx=2",
        "id=1; uid=12",
        "uid=2",
    ]);
    let path = select(vec![
        "/",
        "/a",
        "/a/b?x=/c",
        "/ab",
        "/a/",
        "",
        "/a#f",
        "/a?q=1&b+c=2",
        "/?q",
        "/b?q=a%42&q=2",
        "/a?%71=%31%3&b%20c=12#?q=2",
        "/?q=%",
    ]);
    let forwarded = select(vec![
        "10.1.2.3",
        "203.0.113.5, 10.0.0.9",
        "unknown",
        "2001:db8::1, , 192.0.2.1:80",
        "[::1]:2,",
    ]);
    let client = of(select(vec!["10.1.9.9:80", "192.0.2.1:1", "[2001:db8:8000::1]:1", "pipe"]));
    let header = (select(vec!["x-a", "x-b", "x-user"]), value);
    // From before the ramp's start to after its end.
    let now = 1_795_170_000_000_u64..1_795_270_000_000;
    let target = (
        select(vec!["GET", "POST", "get"]),
        select(vec!["a.test", "A.TEST:80", "b.a.test", "other", "", ":", "[::1]:1"]),
        path,
    );
    let lists = (
        prop::collection::vec(header, 0..5),
        prop::collection::vec(cookie, 0..3),
        prop::collection::vec(forwarded, 0..3),
    );
    (target, lists, client, now, any::<[u64; 2]>()).prop_map(
        |(target, lists, client, now, random)| {
            let (method, authority, path) = target;
            let pseudo = [(":method", method), (":authority", authority), (":path", path)];
            let pseudo = pseudo.into_iter().map(|(n, v)| (n, v.as_bytes().to_vec()));
            let cookies = lists.1.into_iter().map(|c| ("cookie", c.as_bytes().to_vec()));
            let forwarded = lists.2.into_iter().map(|f| ("x-forwarded-for", f.as_bytes().to_vec()));
            let all = pseudo.chain(lists.0).chain(cookies).chain(forwarded);
            let headers = all.map(|(name, value)| (name.to_owned(), value)).collect();
            Situation { headers, client: client.map(str::to_owned), now, random }
        },
    )
}

/// JSON that looks like a policy here and there.
pub fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~]{0,8}".prop_map(Value::from),
        "[0-9smhdw]{1,6}".prop_map(Value::from),
        "[0-9T:Z+.-]{4,24}".prop_map(Value::from),
        "[a-z0-9.:/\\[\\]*+?(|)]{1,12}".prop_map(Value::from),
    ];
    const NAMES: &str = "version splits name match hosts path prefix key header cookie baseline variants weight \
        weight_total overrides variant headers in other layers layer slice from to holdout percent salt sticky secret \
        ttl epoch ramp start steps after weights linear pause mirror by requires split regex raw_prefix range cookies \
        query source_ip contains suffix not ignore_case present jwt provider claim client_ip generate domain same_site \
        respond status body rewrite host path_prefix request_headers set add remove value force trusted_hops drain";
    let name = select(NAMES.split_whitespace().collect::<Vec<_>>());
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name.clone(), inner, 0..6)
                .prop_map(|fields| fields.into_iter().map(|(n, v)| (n.to_owned(), v)).collect()),
        ]
    })
}
