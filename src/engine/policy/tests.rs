//! One invalid document for each diagnostic, and what valid ones mean.

use super::*;
use crate::ids::{Id as _, SplitId, VariantId};

const VALID: &str = r#"{"version": 1, "splits": [{
    "name": "checkout", "key": [{"header": "X-User-Id"}, {"cookie": "uid"}], "baseline": "stable",
    "match": [{"hosts": ["shop.example.com"], "path": {"prefix": "/api/"}}],
    "variants": [{"name": "stable", "cluster": "checkout-v1", "weight": 95.0},
                 {"name": "canary", "cluster": "checkout-v2", "weight": 5e0, "max_weight": 50}],
    "overrides": [{"match": [{"headers": [{"name": "x-canary", "exact": "true"}]}], "variant": "canary"}]}]}"#;

fn codes(text: &str) -> Vec<(&'static str, String)> {
    let checked = from_json(text.as_bytes());
    checked.diagnostics.iter().map(|d| (d.code.as_str(), d.path.clone())).collect()
}

/// The valid policy with one text replaced by another.
fn with(from: &str, to: &str) -> String {
    assert!(VALID.contains(from), "{from}");
    VALID.replacen(from, to, 1)
}

#[test]
fn a_valid_policy_has_no_diagnostics() {
    let checked = from_json(VALID.as_bytes());
    assert_eq!(checked.diagnostics, []);
    let split = &checked.policy.unwrap().splits[SplitId::at(0)];
    assert_eq!(split.salt, "checkout");
    assert_eq!(split.baseline, VariantId::at(0));
    assert_eq!(split.overrides[0].variant, Some(VariantId::at(1)));
    assert_eq!(split.key[0], KeySource::Header("x-user-id".into()));
}

#[test]
fn no_bytes_are_a_policy_without_splits() {
    for text in ["", " \n"] {
        assert_eq!(from_json(text.as_bytes()).policy, Some(Policy::default()));
    }
}

#[test]
fn every_problem_has_its_code_and_place() {
    for (from, to, code, path) in [
        ("\"version\": 1", "\"version\": 2", "unsupported_version", "version"),
        ("\"version\": 1", "\"version\": \"1\"", "wrong_type", "version"),
        ("\"version\": 1, ", "", "missing_field", ""),
        ("\"version\": 1", "\"version\": 1, \"versoin\": 1", "unknown_field", "versoin"),
        ("\"version\": 1", "\"version\": 1, \"version\": 1", "duplicate_field", "version"),
        ("\"version\": 1", "\"version\": 1, \"kill\": \"yes\"", "wrong_type", "kill"),
        (
            "\"version\": 1",
            "\"version\": 1, \"cluster_header\": \"host\"",
            "reserved_header",
            "cluster_header",
        ),
        (
            "\"version\": 1",
            "\"version\": 1, \"cluster_header\": \"a b\"",
            "invalid_header_name",
            "cluster_header",
        ),
        (
            "\"version\": 1",
            "\"version\": 1, \"variant_header\": \"x-split-cluster\"",
            "control_header",
            "variant_header",
        ),
        (
            "\"version\": 1",
            "\"version\": 1, \"variant_header\": \"x-user-id\"",
            "control_header",
            "splits[0]",
        ),
        ("\"checkout\"", "\"Check out\"", "invalid_name", "splits[0].name"),
        (
            "\"key\": [{\"header\": \"X-User-Id\"}, {\"cookie\": \"uid\"}], ",
            "",
            "missing_key",
            "splits[0]",
        ),
        ("{\"cookie\": \"uid\"}", "{}", "invalid_key_source", "splits[0].key[1]"),
        (
            "{\"cookie\": \"uid\"}",
            "{\"cookie\": \"u;d\"}",
            "invalid_cookie_name",
            "splits[0].key[1].cookie",
        ),
        (
            "\"baseline\": \"stable\"",
            "\"baseline\": \"stabel\"",
            "unknown_variant",
            "splits[0].baseline",
        ),
        ("\"baseline\": \"stable\",", "", "missing_field", "splits[0]"),
        ("shop.example.com", "shop.*.com", "invalid_host", "splits[0].match[0].hosts[0]"),
        ("[\"shop.example.com\"]", "[]", "empty_list", "splits[0].match[0].hosts"),
        ("{\"prefix\": \"/api/\"}", "{}", "invalid_test", "splits[0].match[0].path"),
        ("/api/", "/api?x", "invalid_path", "splits[0].match[0].path.prefix"),
        (
            "\"path\"",
            "\"methods\": [\"get\"], \"path\"",
            "invalid_method",
            "splits[0].match[0].methods[0]",
        ),
        ("checkout-v1", "checkout v1", "invalid_cluster", "splits[0].variants[0].cluster"),
        ("95.0", "94.0", "weight_sum", "splits[0].variants"),
        ("95.0", "-95", "invalid_weight", "splits[0].variants[0].weight"),
        ("95.0", "\"95\"", "wrong_type", "splits[0].variants[0].weight"),
        (
            "\"name\": \"canary\"",
            "\"name\": \"stable\"",
            "duplicate_name",
            "splits[0].variants[1].name",
        ),
        (
            "\"max_weight\": 50",
            "\"max_weight\": 4",
            "weight_over_max",
            "splits[0].variants[1].weight",
        ),
        (
            "\"exact\": \"true\"",
            "\"exact\": true",
            "wrong_type",
            "splits[0].overrides[0].match[0].headers[0].exact",
        ),
        (
            "\"exact\": \"true\"",
            "\"exact\": \" true\"",
            "invalid_value",
            "splits[0].overrides[0].match[0].headers[0].exact",
        ),
        (
            "\"exact\": \"true\"",
            "\"exact\": \"true\", \"prefix\": \"t\"",
            "invalid_test",
            "splits[0].overrides[0].match[0].headers[0]",
        ),
        (
            "[{\"headers\": [{\"name\": \"x-canary\", \"exact\": \"true\"}]}]",
            "[{}]",
            "empty_match",
            "splits[0].overrides[0].match[0]",
        ),
        ("\"baseline\"", "\"salt\": \"a\\u001f\", \"baseline\"", "invalid_salt", "splits[0].salt"),
        (
            "\"baseline\"",
            "\"on_missing_key\": \"randon\", \"baseline\"",
            "invalid_value",
            "splits[0].on_missing_key",
        ),
        (
            "\"baseline\"",
            "\"weight_total\": 0, \"baseline\"",
            "invalid_weight",
            "splits[0].weight_total",
        ),
        ("\"splits\"", "\"splits\": [}, \"x\"", "invalid_json", ""),
    ] {
        let found = codes(&with(from, to));
        assert!(found.contains(&(code, path.to_owned())), "{from} -> {to}: {found:?}");
    }
}

#[test]
fn every_code_is_shown_by_a_test_above_or_below() {
    let tests = [
        include_str!("tests.rs"),
        include_str!("check/tests.rs"),
        include_str!("read/tests/guard.rs"),
        include_str!("read/tests/matches.rs"),
        include_str!("read/tests/splits.rs"),
        include_str!("read/tests/time.rs"),
    ];
    for code in Code::ALL {
        // Alone, or before a place.
        let begun = [format!("\"{}\"", code.as_str()), format!("\"{} ", code.as_str())];
        let shown = |text: &&str| begun.iter().any(|begun| text.contains(begun));
        assert!(tests.iter().any(shown), "{}", code.as_str());
    }
}

#[test]
fn all_problems_are_reported_in_one_run() {
    let text =
        with("95.0", "-1").replace("shop.example.com", "a b").replace("x-canary", "x canary");
    let found: Vec<_> = codes(&text).into_iter().map(|(code, _)| code).collect();
    assert_eq!(found, ["invalid_host", "invalid_weight", "invalid_header_name"]);
}

#[test]
fn a_misspelt_field_is_told_what_was_meant() {
    let checked = from_json(with("\"weight\": 95.0", "\"wieght\": 95.0").as_bytes());
    let unknown = checked.diagnostics.iter().find(|d| d.code == Code::UnknownField).unwrap();
    assert_eq!(unknown.help.as_deref(), Some("did you mean `weight`?"));
    assert!(checked.policy.is_none());
}

#[test]
fn splits_of_one_name_are_refused_and_of_one_salt_warned_about() {
    let split = VALID.split_once("[{").unwrap().1.strip_suffix("}]}").unwrap();
    let twice = VALID.replace("}]}]}", &format!("}}]}}, {{{split}}}]}}"));
    assert_eq!(codes(&twice), [("duplicate_name", "splits[1].name".into())]);
    let renamed = twice.replacen("\"checkout\"", "\"search\", \"salt\": \"checkout\"", 1);
    assert_eq!(codes(&renamed), [("shared_salt", "splits[1]".into())]);
    assert!(from_json(renamed.as_bytes()).policy.is_some(), "a warning does not refuse");
}

#[test]
fn weights_may_sum_to_a_stated_total_or_to_anything() {
    for total in ["\"any\"", "96", "96.0"] {
        let text = with("95.0", "91")
            .replace("\"baseline\"", &format!("\"weight_total\": {total}, \"baseline\""));
        assert_eq!(codes(&text), [], "{total}");
    }
}

#[test]
fn the_hash_is_of_the_meaning_not_of_the_spelling() {
    let hash_of = |text: &str| {
        let checked = from_json(text.as_bytes());
        assert!(checked.policy.is_some(), "{text}: {:?}", checked.diagnostics);
        checked.hash
    };
    let hash = hash_of(VALID);
    assert!(hash < 1 << 52);
    for (written, same) in [
        ("95.0", "95"),
        ("95.0", "9.5e1"),
        (
            "\"baseline\": \"stable\"",
            "\"enabled\": true, \"baseline\": \"stable\", \"weight_total\": 100",
        ),
        ("\"name\": \"checkout\"", "\"salt\": \"checkout\", \"name\": \"checkout\""),
        ("\"version\": 1", "\"kill\": false, \"version\": 1.0"),
        ("\"version\": 1", "\"variant_header\": \"X-Split-Variant\", \"version\": 1"),
        ("shop.example.com", "SHOP.example.com"),
    ] {
        assert!(VALID.contains(written), "{written}");
        assert_eq!(hash_of(&VALID.replacen(written, same, 1)), hash, "{same}");
    }
    for (written, other) in [
        ("\"version\": 1", "\"version\": 1, \"kill\": true"),
        ("\"version\": 1", "\"version\": 1, \"variant_header\": null"),
        ("\"baseline\": \"stable\"", "\"baseline\": \"canary\""),
        ("\"name\": \"checkout\"", "\"salt\": \"other\", \"name\": \"checkout\""),
        ("shop.example.com", "shop.example.org"),
    ] {
        assert_ne!(hash_of(&VALID.replacen(written, other, 1)), hash, "{other}");
    }
    // No text at all is a policy without splits.
    assert_eq!(hash_of(""), hash_of(r#"{"splits": [], "version": 1}"#));
    assert_eq!(from_json(b"{").hash, 0);
}

#[test]
fn text_that_is_not_json_is_a_diagnostic_whatever_the_bytes() {
    for text in [b"{".as_slice(), b"\xff\xfe", b"nonsense", &[b'['; 100_000]] {
        let checked = from_json(text);
        assert!(checked.policy.is_none());
        assert_eq!(checked.diagnostics[0].code.as_str(), "invalid_json");
    }
}
