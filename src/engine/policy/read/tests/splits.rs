//! What splits, layers, keys and variants must not say: one document for each diagnostic.

use crate::policy::*;

/// A policy of one split, with more fields in the policy, the split and its second variant.
fn policy(in_policy: &str, in_split: &str, in_variant: &str) -> String {
    format!(
        r#"{{"version": 1, "key": [{{"header": "u"}}]{in_policy}, "splits": [{{"name": "s", "baseline": "a"{in_split},
        "variants": [{{"name": "a", "cluster": "one", "weight": 60}}, {{"name": "b", "weight": 40{in_variant}}}]}}]}}"#
    )
}

fn found(text: &str) -> Vec<(&'static str, String)> {
    let checked = from_json(text.as_bytes());
    let found = checked.diagnostics.iter().map(|d| (d.code.as_str(), d.path.clone()));
    found.collect()
}

#[test]
fn what_a_policy_must_not_say() {
    for (field, code, path) in [
        (r#""layers": [{"name": "x"}, {"name": "x"}]"#, "duplicate_name", "layers[1].name"),
        (r#""layers": [{"name": "x"}]"#, "unused_layer", "layers[0]"),
        (r#""holdout": {"percent": 5.001}"#, "invalid_percent", "holdout.percent"),
        (r#""holdout": {"percent": 101}"#, "invalid_percent", "holdout.percent"),
        (r#""client_ip": {"trusted_hops": 1.5}"#, "invalid_value", "client_ip.trusted_hops"),
        (r#""mirror_header": "x-split-cluster""#, "control_header", "mirror_header"),
        (
            r#""force": {"secret": {"header": "x", "value": "short"}}"#,
            "weak_secret",
            "force.secret.value",
        ),
        (r#""force": {"secret": {"value": "0123456789abcdef"}}"#, "invalid_value", "force.secret"),
        (
            r#""force": {"secret": {"header": "authorization", "value": "0123456789abcdef"}}"#,
            "reserved_header",
            "force.secret.header",
        ),
        (
            r#""force": {"secret": {"header": "x-split-cluster", "value": "0123456789abcdef"}}"#,
            "control_header",
            "force",
        ),
        (r#""baggage": true, "variant_header": "baggage""#, "control_header", "baggage"),
        (
            r#""force": {"header": "u", "secret": {"cookie": "x", "value": "0123456789abcdef"}}"#,
            "control_header",
            "splits[0]",
        ),
    ] {
        let found = found(&policy(&format!(", {field}"), "", ""));
        assert!(found.contains(&(code, path.to_owned())), "{field}: {found:?}");
    }
}

#[test]
fn what_a_document_says_never_begins_a_line_of_its_own() {
    for field in [r#""kill": "a\nb""#, r#""a\nb": 1"#, r#""force": {"a\r": 1}"#] {
        let checked = from_json(policy(&format!(", {field}"), "", "").as_bytes());
        assert!(!checked.diagnostics.is_empty());
        for diagnostic in &checked.diagnostics {
            assert!(!diagnostic.to_string().contains(char::is_control), "{diagnostic:?}");
        }
    }
}

#[test]
fn what_a_split_must_not_say() {
    for (field, code, path) in [
        (r#""layer": "x""#, "unknown_layer", "splits[0].layer"),
        (r#""slice": {"from": 0, "to": 50}"#, "slice_without_layer", "splits[0].slice"),
        (r#""slice": {"from": 50, "to": 50}"#, "invalid_slice", "splits[0].slice"),
        (
            r#""requires": [{"split": "x", "variant": "a"}]"#,
            "unknown_split",
            "splits[0].requires[0].split",
        ),
        (
            r#""requires": [{"split": "s", "variant": "a"}]"#,
            "forward_requirement",
            "splits[0].requires[0].split",
        ),
        (
            r#""overrides": [{"match": [{"methods": ["GET"]}], "skip": true, "variant": "a"}]"#,
            "conflicting_fields",
            "splits[0].overrides[0]",
        ),
        (
            r#""overrides": [{"match": [{"methods": ["GET"]}], "variant": "a"}, {"match": [{"methods": ["GET"]}], "variant": "b"}]"#,
            "dead_override",
            "splits[0].overrides[1]",
        ),
        (r#""key": [{"generate": {"cookie": "uid"}}]"#, "unread_cookie", "splits[0].key[0]"),
        (
            r#""key": [{"cookie": "uid"}], "sticky": {"cookie": "uid", "secret": "0123456789abcdef"}"#,
            "cookie_conflict",
            "splits[0].sticky",
        ),
        (
            r#""key": [{"cookie": "uid"}, {"generate": {"cookie": "uid"}}, {"header": "x"}]"#,
            "unreachable_key_source",
            "splits[0].key[1]",
        ),
        (r#""key": [{"client_ip": false}]"#, "invalid_key_source", "splits[0].key[0].client_ip"),
        (
            r#""key": [{"header": "u", "decode": ["percent"]}]"#,
            "invalid_key_source",
            "splits[0].key[0].decode",
        ),
        (r#""key": [{"query": "u", "json": "id"}]"#, "invalid_key_source", "splits[0].key[0].json"),
        (r#""key": [{"cookie": "u", "decode": []}]"#, "empty_list", "splits[0].key[0].decode"),
        (
            r#""key": [{"cookie": "u", "decode": "percent"}]"#,
            "wrong_type",
            "splits[0].key[0].decode",
        ),
        (
            r#""key": [{"cookie": "u", "decode": ["rot13"]}]"#,
            "invalid_value",
            "splits[0].key[0].decode[0]",
        ),
        (
            r#""key": [{"cookie": "u", "decode": ["percent", "percent", "percent", "percent", "base64"]}]"#,
            "limit_exceeded",
            "splits[0].key[0].decode",
        ),
        (r#""key": [{"cookie": "u", "json": ""}]"#, "invalid_value", "splits[0].key[0].json"),
        (
            r#""key": [{"cookie": "uid", "json": "id"}, {"generate": {"cookie": "uid"}}]"#,
            "unread_cookie",
            "splits[0].key[1]",
        ),
        (r#""algorithm": "modulo""#, "invalid_value", "splits[0].algorithm"),
        (
            r#""mirror": {"cluster": "m", "percent": -1}"#,
            "invalid_percent",
            "splits[0].mirror.percent",
        ),
        (r#""baseline": "b", "x": 1"#, "unknown_field", "splits[0].x"),
    ] {
        let found = found(&policy("", &format!(", {field}"), ""));
        assert!(found.contains(&(code, path.to_owned())), "{field}: {found:?}");
    }
    let outweighed = policy("", "", "").replacen("\"baseline\": \"a\"", "\"baseline\": \"b\"", 1);
    assert_eq!(found(&outweighed), [("baseline_outweighed", "splits[0].variants".into())]);
}

#[test]
fn what_a_variant_must_not_say() {
    for (field, code, path) in [
        (r#""fallback": "stable""#, "invalid_value", "splits[0].variants[1].fallback"),
        (r#""fallback": true"#, "wrong_type", "splits[0].variants[1].fallback"),
        (
            r#""respond": {"status": 503}, "fallback": "baseline""#,
            "conflicting_fields",
            "splits[0].variants[1].fallback",
        ),
        (r#""drain": true"#, "drain_without_sticky", "splits[0].variants[1].drain"),
        (
            r#""cluster": "c", "respond": {"status": 503}"#,
            "conflicting_fields",
            "splits[0].variants[1].cluster",
        ),
        (r#""respond": {"status": 99}"#, "invalid_value", "splits[0].variants[1].respond.status"),
        (r#""request_headers": {}"#, "empty_list", "splits[0].variants[1].request_headers"),
        (
            r#""request_headers": {"remove": ["host"]}"#,
            "reserved_header",
            "splits[0].variants[1].request_headers.remove[0]",
        ),
        (
            r#""request_headers": {"remove": ["x-split-cluster"]}"#,
            "control_header",
            "splits[0].variants[1].request_headers",
        ),
        (
            r#""response_headers": {"set": [{"name": "x", "value": "a\nb"}]}"#,
            "invalid_value",
            "splits[0].variants[1].response_headers.set[0].value",
        ),
        (r#""rewrite": {"host": "a b"}"#, "invalid_host", "splits[0].variants[1].rewrite.host"),
        (
            r#""rewrite": {"path_prefix": {"from": "x", "to": "/"}}"#,
            "invalid_path",
            "splits[0].variants[1].rewrite.path_prefix.from",
        ),
        (r#""max_weight": 30"#, "weight_over_max", "splits[0].variants[1].weight"),
    ] {
        let found = found(&policy("", "", &format!(", {field}")));
        assert!(found.contains(&(code, path.to_owned())), "{field}: {found:?}");
    }
}

#[test]
fn a_problem_of_one_variant_hides_no_other() {
    let text =
        policy("", r#", "overrides": [{"match": [{"methods": ["GET"]}], "variant": "c"}]"#, "")
            .replace("\"weight\": 60", "\"weight\": \"60\"")
            .replace("\"weight\": 40", "\"weight\": 40, \"max_weight\": 30");
    let codes: Vec<_> = found(&text).into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, ["wrong_type", "weight_over_max", "unknown_variant"]);
}

/// A policy of splits in one layer, each with its slice.
fn in_layer(slices: &[Option<(u32, u32)>], in_last: &str) -> Vec<(&'static str, String)> {
    let split = |(index, slice): (usize, &Option<(u32, u32)>)| {
        let slice = slice.map_or(String::new(), |(from, to)| {
            format!(r#", "slice": {{"from": {from}, "to": {to}}}"#)
        });
        let last = if slices.get(index.saturating_add(1)).is_none() { in_last } else { "" };
        format!(
            r#"{{"name": "s{index}", "layer": "ui", "baseline": "a", "variants": [{{"name": "a", "weight": 100}}]{slice}{last}}}"#
        )
    };
    let splits: Vec<_> = slices.iter().enumerate().map(split).collect();
    found(&format!(
        r#"{{"version": 1, "key": [{{"header": "u"}}], "layers": [{{"name": "ui"}}], "splits": [{}]}}"#,
        splits.join(", ")
    ))
}

#[test]
fn layers_are_warned_about_where_users_are_lost() {
    assert_eq!(in_layer(&[Some((0, 50)), Some((50, 100))], ""), []);
    assert_eq!(in_layer(&[Some((0, 50)), None], ""), []);
    assert_eq!(in_layer(&[None, Some((0, 50))], ""), [("unreachable_split", "splits[1]".into())]);
    assert_eq!(in_layer(&[Some((0, 50)), Some((50, 90))], ""), [("slice_gap", "layers".into())]);
    assert_eq!(
        in_layer(&[Some((0, 60)), Some((50, 100))], ""),
        [("slice_overlap", "splits[1].slice".into())]
    );
    assert_eq!(
        in_layer(&[Some((0, 60)), Some((60, 100)), Some((10, 90))], ""),
        [("unreachable_split", "splits[2]".into())]
    );
    let elsewhere = r#", "match": [{"methods": ["GET"]}]"#;
    assert_eq!(in_layer(&[None, None], elsewhere), [("unreachable_split", "splits[1]".into())]);
}

#[test]
fn a_split_that_requires_a_disabled_one_is_warned_about() {
    let text = r#"{"version": 1, "key": [{"header": "u"}], "splits": [
        {"name": "one", "enabled": false, "baseline": "a", "variants": [{"name": "a", "weight": 100}]},
        {"name": "two", "baseline": "a", "requires": [{"split": "one", "variant": "a"}], "variants": [{"name": "a", "weight": 100}]}]}"#;
    assert_eq!(found(text), [("requires_disabled", "splits[1].requires".into())]);
}

#[test]
fn limits_are_refused_beyond() {
    let split = r#"{"name": "sN", "baseline": "a", "variants": [{"name": "a", "weight": 100}]}"#;
    let many = |count: usize| {
        let splits: Vec<_> = (0..count).map(|n| split.replace("sN", &format!("s{n}"))).collect();
        found(&format!(
            r#"{{"version": 1, "key": [{{"header": "u"}}], "splits": [{}]}}"#,
            splits.join(", ")
        ))
    };
    assert_eq!(many(2_000), []);
    assert_eq!(many(2_001), [("limit_exceeded", "splits".into())]);
}

#[test]
fn secrets_are_never_shown() {
    for text in [
        policy(r#", "force": {"secret": {"header": "x", "value": "hunter2"}}"#, "", ""),
        policy(r#", "force": {"secret": {"header": "x", "value": ["hunter2"]}}"#, "", ""),
        policy("", r#", "sticky": {"secret": "hunter2"}"#, ""),
    ] {
        let checked = from_json(text.as_bytes());
        assert!(!checked.diagnostics.is_empty());
        assert!(checked.diagnostics.iter().all(|d| !d.to_string().contains("hunter2")));
    }
}
