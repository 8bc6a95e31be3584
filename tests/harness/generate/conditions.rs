//! Conditions on requests.

use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::with;
use crate::model::Situation;

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

/// An entry of a match list.
pub(super) fn entry() -> impl Strategy<Value = Value> {
    let host = select(vec![
        "a.test",
        "*.test",
        "*",
        "b.a.test",
        "A.test",
        "a.test.",
        "*.a.Test.",
        "[::1]",
        "[0:0:0:0:0:FFFF:10.0.0.1]",
        "10.0.0.1.",
    ]);
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
        of(prop::collection::vec(select(vec!["GET", "POST", "OPTIONS"]), 1..3)),
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

/// An entry of conditions that [`plain_requests`] tell apart.
pub(super) fn plain_entry() -> impl Strategy<Value = Value> {
    let hosts = select(vec![json!(["a.test"]), json!(["b.test", "c.test"]), json!(["*.test"])]);
    let path = select(vec!["/a", "/a/x", "/b"]).prop_map(|path| json!({"prefix": path}));
    let method = select(vec![json!(["GET"]), json!(["POST"])]);
    let tier =
        select(vec![json!({"exact": "1"}), json!({"in": ["1", "2"]}), json!({"present": false})]);
    let tier = tier.prop_map(|test| json!([with(test, [("name", Some(json!("x-tier")))])]));
    let rare = |condition| prop::option::weighted(0.3, condition);
    let fields = (of(hosts.boxed()), of(path), rare(method.boxed()), rare(tier.boxed()));
    let entry = fields.prop_map(|(hosts, path, methods, tier)| {
        let fields = [("hosts", hosts), ("path", path), ("methods", methods), ("headers", tier)];
        with(json!({}), fields)
    });
    entry.prop_filter("an entry needs a condition", |entry| entry != &json!({}))
}

/// Every kind of request that [`plain_entry`]'s conditions tell apart.
pub(super) fn plain_requests() -> Vec<Situation> {
    let mut all = Vec::new();
    for host in ["a.test", "b.test", "other"] {
        for path in ["/", "/a", "/a/x", "/b"] {
            for method in ["GET", "POST"] {
                for tier in [None, Some("1"), Some("2")] {
                    let pseudo = [(":method", method), (":authority", host), (":path", path)];
                    let lines = pseudo.into_iter().chain(tier.map(|tier| ("x-tier", tier)));
                    let headers = lines.map(|(n, v)| (n.to_owned(), v.into())).collect();
                    all.push(Situation { headers, ..Situation::default() });
                }
            }
        }
    }
    all
}
