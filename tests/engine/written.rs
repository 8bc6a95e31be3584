//! A policy that is written back reads as the same policy.

use engine::policy::{self, Policy, Value as Document};
use harness::vectors;
use policy_text::canonical::defaults::default_of;
use policy_text::canonical::to_value;
use policy_text::source::Source;
use proptest::prelude::*;
use serde_json::Value;

use harness::generate::policy;

fn read(document: &Value) -> Policy {
    let checked = policy::from_json(document.to_string().as_bytes());
    checked.policy.unwrap_or_else(|| panic!("{:#?}\n{document:#}", checked.diagnostics))
}

/// Writes and reads again; what is written twice is written alike.
fn assert_reads_as_it_was(policy: &Policy, place: &str) {
    let written = to_value(policy);
    let checked = policy::check(&written);
    let said: Vec<_> = checked.diagnostics.iter().map(ToString::to_string).collect();
    assert_eq!(checked.policy.as_ref(), Some(policy), "{place}: {said:#?}\n{written:?}");
    assert_eq!(checked.policy.as_ref().map(to_value), Some(written.clone()), "{place}");
    assert_has_no_default(&written, "");
}

/// No field has the value that it has when it is left out.
fn assert_has_no_default(value: &Document, path: &str) {
    match value {
        Document::Object(fields) => {
            for (name, value) in fields {
                let path = format!("{path}.{name}");
                // Who may force variants, and how, is always written.
                let left_out = default_of(&path).filter(|_| path != ".force.header");
                assert_ne!(left_out, Some(value), "{path}");
                assert_has_no_default(value, &path);
            }
        }
        Document::List(items) => items.iter().for_each(|item| assert_has_no_default(item, path)),
        _ => {}
    }
}

#[test]
fn every_vector_and_every_ready_policy_reads_as_it_was_written() {
    for vector in vectors::all() {
        assert_reads_as_it_was(&read(&vector.policy), &vector.file);
    }
    let folder = harness::root().join("envoy/policies");
    for file in std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
        if file.extension().is_some_and(|extension| extension == "yaml") {
            let document = Source::read(&file).unwrap().policy().unwrap();
            let policy = policy::check(&document.value).policy.unwrap();
            assert_reads_as_it_was(&policy, &file.display().to_string());
        }
    }
}

#[test]
fn a_policy_with_every_field_reads_as_it_was_written() {
    let document: Value = serde_json::from_str(EVERY_FIELD).unwrap();
    assert_reads_as_it_was(&read(&document), "every field");
}

/// A policy with every field that there is.
pub(crate) const EVERY_FIELD: &str = r#"{
    "version": 1, "cluster_header": "x-c", "variant_header": "x-v", "response_variant_header": "x-r",
    "mirror_header": "x-m", "baggage": true, "vary": true, "client_ip": {"trusted_hops": 3}, "kill": true,
    "force": {"header": "x-f", "secret": {"cookie": "proof", "value": "0123456789abcdef"}},
    "key": [{"header": "x-user"}, {"cookie": "uid"}, {"query": "u"},
            {"cookie": "info", "decode": ["base64", "percent"], "json": "id"}, {"cookie": "e", "decode": ["percent"]}, {"jwt": {"provider": "p", "claim": "sub"}},
            {"client_ip": true},
            {"generate": {"cookie": "uid", "ttl": "1w2d", "domain": "example.com", "secure": true, "http_only": false,
                          "same_site": "strict", "partitioned": true}}],
    "layers": [{"name": "a", "salt": "s"}, {"name": "b"}], "holdout": {"percent": 12.34, "salt": "h"},
    "splits": [
        {"name": "one", "enabled": false, "baseline": "x", "variants": [{"name": "x", "weight": 0.0001}], "weight_total": 0.0001},
        {"name": "two", "salt": "other", "layer": "a", "slice": {"from": 0.01, "to": 99.99}, "weight_total": "any",
         "on_missing_key": "skip", "assignment": "random", "requires": [{"split": "one", "variant": "x"}],
         "match": [{"hosts": ["*", "a.example", "*.b.example"], "path": {"raw_prefix": "/r"}, "methods": ["GET"],
                    "headers": [{"name": "X-A", "regex": "a+", "ignore_case": true}, {"name": "b", "in": ["x", "y"], "not": true},
                                {"name": "c", "range": {"from": -5, "to": 9}}, {"name": "d", "present": false}],
                    "cookies": [{"name": "k", "contains": "v"}], "query": [{"name": "q q", "suffix": "z"}],
                    "source_ip": ["10.0.0.0/8", "2001:db8::/32", "192.0.2.1"]},
                   {"path": {"regex": "/(a|b)"}}, {"path": {"exact": "/e"}}, {"path": {"prefix": "/p/"}}],
         "baseline": "stay",
         "variants": [
            {"name": "stay", "cluster": "outbound|80|v1|a.b", "weight": 1.5, "max_weight": 9,
             "request_headers": {"set": [{"name": "a", "value": "1"}], "add": [{"name": "b", "value": ""}], "remove": ["c"]},
             "response_headers": {"remove": ["server"]},
             "rewrite": {"host": "h.example:80", "path_prefix": {"from": "/a", "to": "/"}}},
            {"name": "go", "weight": 2, "drain": true, "fallback": "baseline"},
            {"name": "end", "weight": 3, "respond": {"status": 418, "body": "\"tea\"\n"}}],
         "overrides": [{"match": [{"methods": ["PUT"]}], "skip": true}, {"match": [{"methods": ["POST"]}], "variant": "go"}],
         "sticky": {"cookie": "held", "ttl": "90m", "epoch": 4, "secret": "fedcba9876543210", "same_site": "none"},
         "ramp": {"start": "2026-11-20T12:00:00.5+01:00", "linear": true, "pause": "2027-01-01T00:00:00Z",
                  "steps": [{"after": "0s", "weights": {"stay": 1, "go": 2, "end": 0}},
                            {"after": "1d12h", "weights": {"stay": 0.25, "go": 0, "end": 1}}]},
         "guard": {"errors": {"ratio": 1.0001}, "slow": {"over": "1s500ms", "ratio": 1000}, "false_trips": 1000, "release": "90m"},
         "mirror": {"cluster": "m", "percent": 0.5, "by": "request"}}
    ]
}"#;

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_policy_reads_as_it_was_written(document in policy()) {
        assert_reads_as_it_was(&read(&document), "random");
    }
}
