//! What a policy may say and most likely does not mean: each a warning, and what is near it and well meant is none.

use crate::policy::{Severity, from_json};

/// The warnings of a policy, which is valid, as `code path`.
fn warnings(policy: &str) -> Vec<String> {
    let checked = from_json(policy.as_bytes());
    let warnings = checked.diagnostics.iter().map(|d| {
        assert_eq!(d.severity, Severity::Warning, "{policy}: {d}");
        format!("{} {}", d.code.as_str(), d.path)
    });
    let warnings = warnings.collect();
    assert!(checked.policy.is_some());
    warnings
}

fn policy(in_policy: &str, splits: &[&str]) -> String {
    format!(r#"{{"version": 1{in_policy}, "splits": [{}]}}"#, splits.join(", "))
}

/// One split of two variants, keyed by a header unless something else is said.
fn one(in_split: &str) -> String {
    one_of("", in_split, r#""weight": 60"#, r#""weight": 40"#)
}

fn one_of(in_policy: &str, in_split: &str, first: &str, second: &str) -> String {
    let has_key = in_split.contains(r#""key""#) || in_split.contains(r#""assignment": "random""#);
    let key = if has_key { "" } else { r#", "key": [{"header": "u"}]"# };
    let split = format!(
        r#"{{"name": "s", "baseline": "a"{key}{in_split}, "variants": [{{"name": "a", {first}}}, {{"name": "b", {second}}}]}}"#
    );
    policy(in_policy, &[&split])
}

/// Some splits after each other, of one variant each: names with fields of the split and of its variant.
fn several(in_policy: &str, splits: &[(&str, &str, &str)]) -> String {
    let split = |(name, fields, variant): &(&str, &str, &str)| {
        format!(
            r#"{{"name": "{name}", "key": [{{"header": "u"}}], "baseline": "on"{fields}, "variants": [{{"name": "on", "weight": 100{variant}}}]}}"#
        )
    };
    let splits: Vec<String> = splits.iter().map(split).collect();
    policy(in_policy, &splits.iter().map(String::as_str).collect::<Vec<_>>())
}

fn expect(policy: &str, wanted: &[&str]) {
    assert_eq!(warnings(policy), wanted, "{policy}");
}

#[test]
fn what_excludes_itself_never_applies() {
    const ON: &str = r#", "requires": [{"split": "x", "variant": "on"}]"#;
    let layers = r#", "layers": [{"name": "l"}]"#;
    let in_layer = r#", "layer": "l", "slice": {"from": 0, "to": 50}"#;
    let other = r#", "layer": "l", "slice": {"from": 50, "to": 100}"#;
    let never = "never_applies splits[1].requires";
    expect(&several("", &[("x", "", ""), ("y", ON, "")]), &[]);
    expect(&several(layers, &[("x", in_layer, ""), ("y", &format!("{other}{ON}"), "")]), &[never]);
    let paths = |first: &str, second: &str| {
        let path = |path: &str| format!(r#", "match": [{{"path": {{"prefix": "{path}"}}}}]"#);
        several("", &[("x", &path(first), ""), ("y", &format!("{}{ON}", path(second)), "")])
    };
    expect(&paths("/a", "/b"), &[never]);
    expect(&paths("/a", "/a/b"), &[]);
    let both = r#", "requires": [{"split": "x", "variant": "a"}, {"split": "x", "variant": "b"}]"#;
    let x = r#"{"name": "x", "key": [{"header": "u"}], "baseline": "a", "variants": [{"name": "a", "weight": 60}, {"name": "b", "weight": 40}]}"#;
    let y = |requires: &str| {
        format!(
            r#"{{"name": "y", "key": [{{"header": "u"}}], "baseline": "a", "variants": [{{"name": "a", "weight": 100}}]{requires}}}"#
        )
    };
    expect(&policy("", &[x, &y(both)]), &[never]);
    expect(&policy("", &[x, &y(r#", "requires": [{"split": "x", "variant": "b"}]"#)]), &[]);
    let two = r#", "requires": [{"split": "x", "variant": "on"}, {"split": "z", "variant": "on"}]"#;
    expect(
        &several(layers, &[("x", in_layer, ""), ("z", other, ""), ("y", two, "")]),
        &["never_applies splits[2].requires"],
    );
}

#[test]
fn fields_that_nothing_asks_for_are_named() {
    let on_missing = "no_effect splits[0].on_missing_key";
    for (fields, wanted) in [
        (r#", "assignment": "random""#, &[][..]),
        (r#", "assignment": "random", "on_missing_key": "skip""#, &[on_missing]),
        (
            r#", "assignment": "random", "key": [{"header": "u"}], "on_missing_key": "skip""#,
            &[on_missing],
        ),
        (r#", "assignment": "random", "on_missing_key": "baseline""#, &[]),
        (r#", "on_missing_key": "random""#, &[]),
        (
            r#", "key": [{"cookie": "u"}, {"generate": {"cookie": "u"}}], "on_missing_key": "random""#,
            &[on_missing],
        ),
        (
            r#", "assignment": "random", "mirror": {"cluster": "c", "percent": 5}"#,
            &["no_effect splits[0].mirror"],
        ),
        (
            r#", "assignment": "random", "mirror": {"cluster": "c", "percent": 5, "by": "request"}"#,
            &[],
        ),
        (
            r#", "assignment": "random", "key": [{"header": "u"}], "mirror": {"cluster": "c", "percent": 5}"#,
            &[],
        ),
    ] {
        expect(&one(fields), wanted);
    }
    let layers = r#", "layers": [{"name": "l"}]"#;
    let whole = r#", "layer": "l", "slice": {"from": 0, "to": 100}"#;
    let layer = |fields: &str| {
        one_of(layers, &format!("{whole}{fields}"), r#""weight": 60"#, r#""weight": 40"#)
    };
    expect(&layer(r#", "assignment": "random""#), &["never_applies splits[0].slice"]);
    expect(&layer(r#", "on_missing_key": "random""#), &[on_missing]);
    expect(&layer(r#", "on_missing_key": "skip""#), &[]);
    let held = |fields: &str| {
        one_of(r#", "holdout": {"percent": 5}"#, fields, r#""weight": 60"#, r#""weight": 40"#)
    };
    expect(&held(r#", "assignment": "random""#), &["no_effect splits[0]"]);
    expect(&held(r#", "assignment": "random", "key": [{"header": "u"}]"#), &[]);
}

#[test]
fn a_guard_that_can_take_nothing_out_is_named() {
    const GUARD: &str = r#", "guard": {"errors": {}}"#;
    let no_effect = &["no_effect splits[0].guard"][..];
    let weights = |fields: &str, first: &str, second: &str| {
        one_of(
            "",
            &format!("{GUARD}{fields}"),
            &format!(r#""weight": {first}"#),
            &format!(r#""weight": {second}"#),
        )
    };
    let sticky = r#", "sticky": {"secret": "0123456789abcdef"}"#;
    let random = r#", "assignment": "random""#;
    let key = r#", "key": [{"header": "u"}]"#;
    let ramp = |stable: u8| {
        let weights = format!(r#"{{"a": {stable}, "b": {}}}"#, 100 - stable);
        format!(
            r#", "ramp": {{"start": "2026-11-20T12:00:00Z", "steps": [{{"after": "1h", "weights": {weights}}}]}}"#
        )
    };
    for (policy, wanted) in [
        (weights("", "60", "40"), &[][..]),
        (weights("", "100", "0"), no_effect),
        (weights(&ramp(90), "100", "0"), &[]),
        (weights(random, "60", "40"), no_effect),
        (weights(&format!("{random}{key}"), "60", "40"), no_effect),
        (weights(&format!("{random}{key}{sticky}"), "60", "40"), &[]),
        (weights(r#", "on_missing_key": "random""#, "60", "40"), &[]),
        (weights(r#", "on_missing_key": "random""#, "0", "100"), no_effect),
    ] {
        expect(&policy, wanted);
    }
    expect(&several("", &[("x", GUARD, "")]), no_effect);
}

#[test]
fn fields_of_the_policy_that_no_split_uses_are_named() {
    let hops = r#", "client_ip": {"trusted_hops": 1}"#;
    let address = r#", "match": [{"source_ip": ["10.0.0.0/8"]}]"#;
    for (in_policy, in_split, wanted) in [
        (hops, "", &["no_effect client_ip"][..]),
        (hops, address, &[]),
        (hops, r#", "key": [{"client_ip": true}]"#, &[]),
        (r#", "key": [{"header": "v"}]"#, "", &["no_effect key"]),
        (
            r#", "layers": [{"name": "l", "salt": "x"}]"#,
            r#", "layer": "l""#,
            &["no_effect layers[0].salt"],
        ),
        (
            r#", "layers": [{"name": "l", "salt": "x"}]"#,
            r#", "layer": "l", "slice": {"from": 0, "to": 100}"#,
            &[],
        ),
    ] {
        expect(&one_of(in_policy, in_split, r#""weight": 60"#, r#""weight": 40"#), wanted);
    }
    expect(&policy(r#", "client_ip": {"trusted_hops": 1}, "key": [{"header": "u"}]"#, &[]), &[]);
}

#[test]
fn variants_that_take_nobody_are_named() {
    let sticky = r#", "sticky": {"secret": "0123456789abcdef"}"#;
    let (drains, off) = (r#""weight": 40, "drain": true"#, r#""weight": 0, "drain": true"#);
    let any = format!(r#"{sticky}, "weight_total": "any""#);
    expect(&one_of("", sticky, r#""weight": 60"#, drains), &[]);
    expect(
        &one_of("", sticky, r#""weight": 60, "drain": true"#, drains),
        &["nobody_admitted splits[0].variants"],
    );
    expect(
        &one_of("", &any, r#""weight": 0"#, drains),
        &["baseline_still_serves splits[0].variants[0]", "nobody_admitted splits[0].variants"],
    );
    expect(
        &one_of("", &any, r#""weight": 0"#, r#""weight": 0"#),
        &["nobody_admitted splits[0].variants"],
    );
    expect(
        &one_of("", sticky, r#""weight": 100"#, off),
        &["no_effect splits[0].variants[1].drain"],
    );
    let later = format!(
        r#"{sticky}, "ramp": {{"start": "2026-01-01T00:00:00Z", "steps": [{{"after": "365d", "weights": {{"a": 90, "b": 10}}}}]}}"#
    );
    expect(&one_of("", &later, r#""weight": 100"#, off), &[]);
}

#[test]
fn a_baseline_without_weight_that_requests_without_key_still_meet_is_named() {
    let still = "baseline_still_serves splits[0].variants[0]";
    let (none, all) = (r#""weight": 0"#, r#""weight": 100"#);
    for (fields, wanted) in [
        ("", &[still][..]),
        (r#", "on_missing_key": "baseline""#, &[still]),
        (r#", "on_missing_key": "random""#, &[]),
        (r#", "on_missing_key": "skip""#, &[]),
        (r#", "assignment": "random""#, &[]),
        (r#", "key": [{"cookie": "u"}, {"generate": {"cookie": "u"}}]"#, &[]),
    ] {
        expect(&one_of("", fields, none, all), wanted);
    }
    expect(&one_of("", "", all, none), &[]);
    let ramp = |last: &str| {
        format!(
            r#", "ramp": {{"start": "2026-01-01T00:00:00Z", "steps": [{{"after": "1d", "weights": {{{last}}}}}]}}"#
        )
    };
    expect(&one_of("", &ramp(r#""a": 0, "b": 100"#), all, none), &[still]);
    expect(&one_of("", &ramp(r#""a": 1, "b": 99"#), all, none), &[]);
}

#[test]
fn numbers_that_count_as_0_and_are_not_0_are_named() {
    expect(
        &one_of("", "", r#""weight": 100"#, r#""weight": 0.000000000001"#),
        &["rounded_to_zero splits[0].variants[1].weight"],
    );
    expect(&one_of("", "", r#""weight": 100"#, r#""weight": 0.0, "max_weight": 0"#), &[]);
    expect(&one_of("", "", r#""weight": 99.9999"#, r#""weight": 0.0001"#), &[]);
    expect(
        &one_of(r#", "holdout": {"percent": 1e-13}"#, "", r#""weight": 60"#, r#""weight": 40"#),
        &["rounded_to_zero holdout.percent"],
    );
    let ramp = r#", "ramp": {"start": "2026-01-01T00:00:00Z", "steps": [{"after": "1d", "weights": {"a": 100, "b": 1e-12}}]}"#;
    expect(
        &one_of("", ramp, r#""weight": 60"#, r#""weight": 40"#),
        &["rounded_to_zero splits[0].ramp.steps[0].weights.b"],
    );
}

#[test]
fn patterns_that_are_texts_here_are_named() {
    let unlikely = |place: &str| format!("unlikely_pattern splits[0].match[0].{place}");
    for (condition, place) in [
        (r#""hosts": [".example.com"]"#, Some("hosts[0]")),
        (r#""hosts": ["shop..example.com"]"#, Some("hosts[0]")),
        (r#""hosts": ["*..example.com"]"#, Some("hosts[0]")),
        (r#""hosts": ["*.example.com", "a.example"]"#, None),
        (r#""path": {"exact": "/api/*"}"#, Some("path.exact")),
        (r#""path": {"prefix": "/*/cart"}"#, Some("path.prefix")),
        (r#""path": {"raw_prefix": "/v*"}"#, Some("path.raw_prefix")),
        (r#""path": {"prefix": "/a/../b"}"#, Some("path.prefix")),
        (r#""path": {"exact": "/a/./b"}"#, Some("path.exact")),
        (r#""path": {"exact": "/.well-known/..a"}"#, None),
        (r#""path": {"regex": "api/.*"}"#, Some("path.regex")),
        (r#""path": {"regex": "^api"}"#, Some("path.regex")),
        (r#""path": {"regex": "a*/api"}"#, None),
        (r#""path": {"regex": "api|/api"}"#, None),
        (r#""path": {"regex": "(/a|/b).*"}"#, None),
        (r#""methods": ["*"]"#, Some("methods[0]")),
        (r#""headers": [{"name": "x-*", "present": true}]"#, Some("headers[0].name")),
        (r#""headers": [{"name": "x-tier", "exact": "*"}]"#, Some("headers[0].exact")),
        (r#""headers": [{"name": "user-agent", "prefix": "Mozilla*"}]"#, Some("headers[0].prefix")),
        (
            r#""headers": [{"name": "x-host", "suffix": "*.test", "not": true}]"#,
            Some("headers[0].suffix"),
        ),
        (r#""headers": [{"name": "accept", "exact": "*/*"}]"#, None),
        (r#""headers": [{"name": "if-none-match", "exact": "*"}]"#, None),
        (r#""headers": [{"name": "x-formula", "exact": "a*b"}]"#, None),
        (r#""headers": [{"name": "x-formula", "contains": "*"}]"#, None),
        (r#""cookies": [{"name": "beta*", "present": true}]"#, Some("cookies[0].name")),
        (r#""query": [{"name": "q", "exact": "*"}]"#, Some("query[0].exact")),
    ] {
        let wanted: Vec<String> = place.into_iter().map(unlikely).collect();
        let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
        expect(&one(&format!(r#", "match": [{{{condition}}}]"#)), &wanted);
    }
}

#[test]
fn keys_that_do_not_stay_with_a_user_are_named() {
    for (name, stable) in [
        ("x-user-id", true),
        ("X-Request-Id", false),
        ("traceparent", false),
        ("x-forwarded-for", false),
        ("cookie", false),
        ("authorization", false),
        ("x-real-ip", true),
    ] {
        let wanted: &[&str] = if stable { &[] } else { &["unstable_key splits[0].key[0].header"] };
        expect(&one(&format!(r#", "key": [{{"header": "{name}"}}]"#)), wanted);
    }
    for (claim, stable) in [("sub", true), ("email", true), ("jti", false), ("iat", false)] {
        let wanted: &[&str] =
            if stable { &[] } else { &["unstable_key splits[0].key[0].jwt.claim"] };
        let key = format!(r#", "key": [{{"jwt": {{"provider": "p", "claim": "{claim}"}}}}]"#);
        expect(&one(&key), wanted);
    }
}

#[test]
fn cookies_that_are_not_for_all_hosts_of_their_split_are_named() {
    let on = |hosts: &str, domain: &str| {
        one(&format!(
            r#", "match": [{{"hosts": [{hosts}]}}], "key": [{{"cookie": "u"}}, {{"generate": {{"cookie": "u"{domain}}}}}]"#
        ))
    };
    let (alone, foreign) =
        ("host_only_cookie splits[0].key", "foreign_cookie_domain splits[0].key");
    let domain = r#", "domain": "example.com""#;
    for (hosts, domain, wanted) in [
        (r#""a.example.com""#, "", &[][..]),
        (r#""a.example.com", "b.example.com""#, "", &[alone]),
        (r#""*.example.com""#, "", &[alone]),
        (r#""*""#, "", &[]),
        (r#""a.example.com", "example.com", "*.example.com""#, domain, &[]),
        (r#""a.example.org""#, domain, &[foreign]),
        (r#""badexample.com""#, domain, &[foreign]),
    ] {
        expect(&on(hosts, domain), wanted);
    }
    let sticky = r#", "match": [{"hosts": ["a.test"]}, {"hosts": ["b.test"]}], "sticky": {"secret": "0123456789abcdef"}"#;
    expect(&one(sticky), &["host_only_cookie splits[0].sticky"]);
    let help =
        |hosts: &str| from_json(on(hosts, "").as_bytes()).diagnostics[0].help.clone().unwrap();
    assert_eq!(help(r#""a.shop.example.com", "*.pay.example.com""#), "add `domain: example.com`");
    assert!(
        help(r#""example.com", "example.org""#).starts_with("no cookie is for all"),
        "no domain is common"
    );
    assert!(
        help(r#""10.0.0.1", "11.0.0.1""#).starts_with("no cookie is for all"),
        "addresses have none"
    );
}

#[test]
fn who_is_to_count_outcomes_and_cannot_is_named() {
    let header_off = r#", "variant_header": null"#;
    for (outcomes, header, warned) in [
        ("envoy", header_off, true),
        ("envoy", "", false),
        ("filter", header_off, false),
        ("off", header_off, false),
    ] {
        let policy = several(&format!(r#", "outcomes": "{outcomes}"{header}"#), &[("s", "", "")]);
        let wanted: &[&str] = if warned { &["uncounted_outcomes outcomes"] } else { &[] };
        assert_eq!(warnings(&policy), wanted, "{policy}");
    }
}

#[test]
fn edits_that_another_undoes_are_named() {
    let edits = |of: &str, edits: &str| {
        one_of(
            r#", "baggage": true, "response_variant_header": "x-variant""#,
            "",
            r#""weight": 60"#,
            &format!(r#""weight": 40, "{of}": {{{edits}}}"#),
        )
    };
    let pair = |name: &str| format!(r#"{{"name": "{name}", "value": "1"}}"#);
    let set = |names: &[&str]| {
        format!(r#""set": [{}]"#, names.iter().map(|n| pair(n)).collect::<Vec<_>>().join(", "))
    };
    let at = |place: &str| format!("edit_undone splits[0].variants[1].{place}");
    for (of, text, place) in [
        ("request_headers", set(&["a", "b"]), None),
        ("request_headers", set(&["a", "A"]), Some("request_headers.set[0]")),
        (
            "request_headers",
            format!(r#"{}, "remove": ["a"]"#, set(&["a"])),
            Some("request_headers.remove[0]"),
        ),
        (
            "response_headers",
            r#""remove": ["a", "b", "a"]"#.to_owned(),
            Some("response_headers.remove[2]"),
        ),
        (
            "response_headers",
            format!(r#""remove": ["a"], "add": [{}, {}]"#, pair("a"), pair("a")),
            None,
        ),
        ("request_headers", set(&["baggage"]), Some("request_headers.set[0]")),
        (
            "response_headers",
            format!(r#""add": [{}]"#, pair("x-variant")),
            Some("response_headers.add[0]"),
        ),
        ("response_headers", set(&["baggage"]), None),
    ] {
        let wanted: Vec<String> = place.into_iter().map(at).collect();
        expect(&edits(of, &text), &wanted.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let rewrite = r#""weight": 40, "rewrite": {"path_prefix": {"from": "/a", "to": "/a"}}"#;
    expect(
        &one_of("", "", r#""weight": 60"#, rewrite),
        &["no_effect splits[0].variants[1].rewrite.path_prefix"],
    );
}

#[test]
fn splits_that_want_different_things_of_one_request_are_named() {
    let set = |value: &str| {
        format!(r#", "request_headers": {{"set": [{{"name": "x-stage", "value": "{value}"}}]}}"#)
    };
    let add = r#", "request_headers": {"add": [{"name": "x-stage", "value": "b"}]}"#;
    let remove = r#", "response_headers": {"remove": ["x-stage"]}"#;
    let path = |from: &str| {
        format!(r#", "rewrite": {{"path_prefix": {{"from": "{from}", "to": "/new"}}}}"#)
    };
    let host = |host: &str| format!(r#", "rewrite": {{"host": "{host}"}}"#);
    let respond = |status: &str| format!(r#", "respond": {{"status": {status}}}"#);
    let edits = "splits_collide splits[1].variants[0].request_headers";
    for (first, second, wanted) in [
        (set("a"), set("b"), Some(edits)),
        (set("a"), set("a"), None),
        (set("a"), add.to_owned(), Some(edits)),
        (add.to_owned(), set("a"), Some(edits)),
        (add.to_owned(), add.to_owned(), None),
        (set("a"), remove.to_owned(), None),
        (path("/a"), path("/b"), None),
        (path("/a"), path("/a/b"), Some("splits_collide splits[1].variants[0].rewrite")),
        (host("a.test"), host("b.test"), Some("splits_collide splits[1].variants[0].rewrite")),
        (host("a.test"), path("/a"), None),
        (respond("503"), respond("404"), Some("splits_collide splits[1].variants[0].respond")),
        (respond("503"), respond("503"), None),
    ] {
        let wanted: Vec<&str> = wanted.into_iter().collect();
        expect(&several("", &[("x", "", &first), ("y", "", &second)]), &wanted);
    }
    // Where they never apply to one request there is nothing to say.
    let (a, b) = (set("a"), set("b"));
    let at = |path: &str| format!(r#", "match": [{{"path": {{"prefix": "{path}"}}}}]"#);
    let layers = r#", "layers": [{"name": "l"}]"#;
    let slice = |from: &str, to: &str| {
        format!(r#", "layer": "l", "slice": {{"from": {from}, "to": {to}}}"#)
    };
    expect(&several("", &[("x", &at("/a"), &a), ("y", &at("/b"), &b)]), &[]);
    expect(&several("", &[("x", &at("/a"), &a), ("y", &at("/a/b"), &b)]), &[edits]);
    expect(&several(layers, &[("x", &slice("0", "50"), &a), ("y", &slice("50", "100"), &b)]), &[]);
    expect(&several("", &[("x", r#", "enabled": false"#, &a), ("y", "", &b)]), &[]);
    // All of them are told, each once.
    expect(
        &several("", &[("x", "", &a), ("y", "", &b), ("z", "", &set("c"))]),
        &[edits, "splits_collide splits[2].variants[0].request_headers"],
    );
}

#[test]
fn a_variant_that_is_required_collides_with_no_other_of_its_split() {
    let stage = |value: &str| {
        format!(r#""request_headers": {{"set": [{{"name": "x-stage", "value": "{value}"}}]}}"#)
    };
    let x = format!(
        r#"{{"name": "x", "key": [{{"header": "u"}}], "baseline": "a", "variants": [{{"name": "a", "weight": 60, {}}}, {{"name": "b", "weight": 40}}]}}"#,
        stage("a")
    );
    let y = |variant: &str| {
        format!(
            r#"{{"name": "y", "key": [{{"header": "u"}}], "baseline": "a", "requires": [{{"split": "x", "variant": "{variant}"}}], "variants": [{{"name": "a", "weight": 100, {}}}]}}"#,
            stage("y")
        )
    };
    expect(&policy("", &[&x, &y("b")]), &[]);
    expect(&policy("", &[&x, &y("a")]), &["splits_collide splits[1].variants[0].request_headers"]);
}

#[test]
fn a_policy_too_large_to_compare_is_read_in_good_time() {
    let edit = r#", "request_headers": {"set": [{"name": "x-stage", "value": "VALUE"}]}"#;
    let splits: Vec<(String, String, String)> = (0..2_000)
        .map(|n| {
            let host = format!(r#", "match": [{{"hosts": ["h{n}.test"]}}]"#);
            (format!("s{n}"), host, edit.replace("VALUE", &n.to_string()))
        })
        .collect();
    let splits: Vec<_> =
        splits.iter().map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str())).collect();
    let policy = several("", &splits);
    let started = std::time::Instant::now();
    expect(&policy, &[]);
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

#[test]
fn a_fallback_needs_somebody_else_to_fall_back_to() {
    let of = |first: &str, second: &str| {
        let [first, second] = [first, second].map(|more| format!(r#""weight": 50{more}"#));
        one_of("", "", &first, &second)
    };
    const FALLBACK: &str = r#", "fallback": "baseline""#;
    let to = |cluster: &str| format!(r#", "cluster": "{cluster}""#);
    let no_effect = |at: u8| format!("no_effect splits[0].variants[{at}].fallback");
    let falls_back = |cluster: &str| to(cluster) + FALLBACK;
    expect(&of(&to("v1"), &falls_back("v2")), &[]);
    expect(&of(&falls_back("v1"), &to("v2")), &[&no_effect(0)]);
    expect(&of(&to("v1"), &falls_back("v1")), &[&no_effect(1)]);
    expect(&of("", &falls_back("v2")), &[&no_effect(1)]);
    expect(&of(&to("v1"), FALLBACK), &[&no_effect(1)]);
    expect(&of(r#", "respond": {"status": 503}"#, &falls_back("v2")), &[&no_effect(1)]);
    // What the variant rewrites stays rewritten.
    let rewritten = |path: &str| {
        format!(r#", "rewrite": {{"path_prefix": {{"from": "/api", "to": "{path}"}}}}"#)
    };
    let second = falls_back("v2") + &rewritten("/v2");
    expect(&of(&to("v1"), &second), &["fallback_rewritten splits[0].variants[1].fallback"]);
    expect(
        &of(&(to("v1") + &rewritten("/v1")), &second),
        &["fallback_rewritten splits[0].variants[1].fallback"],
    );
    expect(&of(&(to("v1") + &rewritten("/v2")), &second), &[]);
}
