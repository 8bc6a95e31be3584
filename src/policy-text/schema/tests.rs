//! The schema against the reader, and against files, by an independent validator.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use engine::policy::{Checked, Code, Diagnostic, Severity, Value as Document, check};
use jsonschema::Validator;

use super::*;
use crate::canonical::defaults::DEFAULTS;
use crate::source::{Source, to_json};

/// A policy in which every object of the language occurs, with every field that can stand beside the others.
const EVERYTHING: &str = r#"
version: 1
cluster_header: x-cluster
variant_header: x-variant
response_variant_header: x-variant
mirror_header: x-mirror
baggage: true
vary: true
client_ip: {trusted_hops: 1}
force: {header: x-force, secret: {header: x-secret, value: not-a-real-secret}}
key: [{header: x-user-id}, {query: u}, {jwt: {provider: idp, claim: sub}}, {client_ip: true}]
layers: [{name: page, salt: p}]
holdout: {percent: 2.5, salt: h}
kill: false
splits:
- name: checkout
  enabled: true
  match:
  - hosts: [shop.example.com]
    path: {prefix: /api/}
    methods: [GET]
    headers: [{name: x-a, exact: a, not: true, ignore_case: true}, {name: x-b, range: {from: 1, to: 5}}]
    cookies: [{name: c, present: true}]
    query: [{name: q, in: [a, b]}]
    source_ip: [10.0.0.0/8]
  key:
  - {cookie: uid}
  - generate: {cookie: uid, ttl: 90d, domain: example.com, secure: true, http_only: true, same_site: strict, partitioned: false}
  on_missing_key: random
  assignment: hash
  algorithm: rendezvous
  salt: s
  baseline: stable
  variants:
  - name: stable
    cluster: web-v1
    weight: 950
    max_weight: 1000
    drain: true
    request_headers: {set: [{name: x-stage, value: stable}], add: [{name: x-add, value: a}], remove: [x-old]}
    response_headers: {remove: [x-old]}
    rewrite: {host: web.example.com, path_prefix: {from: /api, to: /v2}}
    fallback: baseline
  - {name: wall, weight: 50.0, respond: {status: 503, body: back soon}}
  weight_total: 1000
  overrides: [{match: [{methods: [PUT]}], variant: wall}, {match: [{methods: [HEAD]}], skip: true}]
  layer: page
  slice: {from: 0, to: 100}
  sticky: {cookie: held, ttl: 1h, domain: example.com, secure: true, http_only: true, same_site: lax, partitioned: false, epoch: 3, secret: not-a-real-secret}
  ramp: {start: 2026-11-20T12:00:00Z, steps: [{after: 1h, weights: {stable: 0, wall: 1000}}], linear: true, pause: 2026-11-21T12:00:00Z}
  mirror: {cluster: shadow, percent: 5, by: request}
  guard: {errors: {ratio: 1.25}, slow: {over: 800ms, ratio: 3}, false_trips: 100000, release: 10m}
- name: banner
  baseline: none
  variants: [{name: none, weight: 100}]
  requires: [{split: checkout, variant: stable}]
"#;

fn document(text: &str) -> Document {
    Source::new("a.yaml", text).policy().unwrap().value
}

fn json_of(document: &Document) -> Value {
    serde_json::from_str(&to_json(document).unwrap()).unwrap()
}

fn validator() -> Validator {
    jsonschema::draft202012::new(&schema()).unwrap()
}

fn complaints(document: &Document) -> Vec<String> {
    let instance = json_of(document);
    validator().iter_errors(&instance).map(|e| format!("{}: {e}", e.instance_path())).collect()
}

/// A schema with its reference followed.
fn resolved<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    match schema["$ref"].as_str() {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}

/// The value at a path as diagnostics write it.
fn at<'d>(mut value: &'d mut Document, path: &str) -> &'d mut Document {
    for part in path.replace('[', ".[").split('.').filter(|part| !part.is_empty()) {
        value = match (value, part.strip_prefix('[')) {
            (Document::List(items), Some(index)) => {
                &mut items[index.trim_end_matches(']').parse::<usize>().unwrap()]
            }
            (Document::Object(fields), None) => {
                &mut fields.iter_mut().find(|(n, _)| n == part).unwrap().1
            }
            _ => panic!("{path}"),
        };
    }
    value
}

fn fields_of<'d>(document: &'d mut Document, path: &str) -> &'d mut Vec<(String, Document)> {
    match at(document, path) {
        Document::Object(fields) => fields,
        other => panic!("{path}: {other:?}"),
    }
}

/// The fields that the reader asks an object for, as it tells when there is one that it does not know.
fn fields_known_to_the_reader(document: &Document, path: &str) -> BTreeSet<String> {
    let mut document = document.clone();
    fields_of(&mut document, path).push(("qqqqqqqqqqqqqqqqqqqqqqqqq".into(), Document::Null));
    let checked = check(&document);
    let inside = |d: &&Diagnostic| d.code == Code::UnknownField && d.path.ends_with("qqq");
    let help = checked.diagnostics.iter().find(inside).unwrap().help.clone().unwrap();
    let names = help.strip_prefix("known here: ").unwrap().split(", ");
    names.map(|name| name.trim_matches('`').to_owned()).collect()
}

/// Visits every object of a document that the schema describes, with its path.
fn visit(
    root: &Value,
    schema: &Value,
    value: &Document,
    path: &str,
    seen: &mut dyn FnMut(&str, &Value),
) {
    let schema = resolved(root, schema);
    match value {
        Document::Object(fields) if schema["properties"].is_object() => {
            seen(path, schema);
            for (name, value) in fields {
                let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                visit(root, &schema["properties"][name], value, &inner, seen);
            }
        }
        Document::List(items) => {
            for (index, item) in items.iter().enumerate() {
                visit(root, &schema["items"], item, &format!("{path}[{index}]"), seen);
            }
        }
        _ => {}
    }
}

/// The field names of every object in the schema.
fn objects(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::Object(properties)) = fields.get("properties") {
                found.insert(properties.keys().cloned().collect::<Vec<_>>().join(" "));
            }
            fields.values().for_each(|inner| objects(inner, found));
        }
        Value::Array(items) => items.iter().for_each(|inner| objects(inner, found)),
        _ => {}
    }
}

#[test]
fn schema_and_reader_know_the_same_fields() {
    let (root, document) = (schema(), document(EVERYTHING));
    assert!(check(&document).policy.is_some(), "{:?}", check(&document).diagnostics);
    let mut visited = BTreeSet::new();
    visit(&root, &root, &document, "", &mut |path, object| {
        let properties = object["properties"].as_object().unwrap();
        let described: BTreeSet<String> = properties.keys().cloned().collect();
        assert_eq!(described, fields_known_to_the_reader(&document, path), "at `{path}`");
        visited.insert(properties.keys().cloned().collect::<Vec<_>>().join(" "));
    });
    let mut all = BTreeSet::new();
    objects(&root, &mut all);
    let missing: Vec<_> = all.difference(&visited).collect();
    assert!(missing.is_empty(), "no example of these objects: {missing:?}");
}

#[test]
fn schema_and_reader_require_the_same_fields() {
    let (root, document) = (schema(), document(EVERYTHING));
    visit(&root, &root, &document, "", &mut |path, object| {
        let required = object["required"].as_array().cloned().unwrap_or_default();
        for name in object["properties"].as_object().unwrap().keys() {
            let mut without = document.clone();
            let fields = fields_of(&mut without, path);
            let before = fields.len();
            fields.retain(|(field, _)| field != name);
            if fields.len() == before {
                continue;
            }
            let missing = check(&without).diagnostics.iter().any(|d| d.code == Code::MissingField);
            let is_required = required.iter().any(|r| r == name);
            // Of forms that exclude each other the schema requires any one.
            let is_form = object["oneOf"].to_string().contains(&format!("\"{name}\""));
            assert!(missing == is_required || missing && is_form, "`{name}` at `{path}`");
            if missing {
                assert!(!complaints(&without).is_empty(), "`{name}` at `{path}`");
            }
        }
    });
}

#[test]
fn a_field_that_is_not_written_means_its_default_to_the_reader() {
    let (root, document) = (schema(), document(EVERYTHING));
    let mut tried = BTreeSet::new();
    visit(&root, &root, &document, "", &mut |path, object| {
        let place = path.rsplit('.').next().unwrap_or_default();
        for name in object["properties"].as_object().unwrap().keys() {
            let full = format!("{place}.{name}");
            let is = |known: &str| known == name || known == full;
            let Some((known, default)) = DEFAULTS.iter().find(|(known, _)| is(known)) else {
                continue;
            };
            let mut without = document.clone();
            fields_of(&mut without, path).retain(|(field, _)| field != name);
            let mut with = without.clone();
            fields_of(&mut with, path).push((name.clone(), default.clone()));
            let [without, with] = [without, with].map(|document| check(&document));
            assert_eq!(without.policy, with.policy, "`{name}` at `{path}`");
            let messages =
                |c: &Checked| c.diagnostics.iter().map(|d| d.message.clone()).collect::<Vec<_>>();
            assert_eq!(messages(&without), messages(&with), "`{name}` at `{path}`");
            tried.insert(*known);
        }
    });
    let untried: Vec<_> = DEFAULTS.iter().filter(|(known, _)| !tried.contains(known)).collect();
    assert!(untried.is_empty(), "{untried:?}");
}

#[test]
fn every_field_is_described() {
    fn check_described(schema: &Value) {
        if let Some(properties) = schema["properties"].as_object() {
            for (name, field) in properties {
                assert!(field["description"].is_string(), "{name} has no description");
                assert!(field["description"].as_str().unwrap().ends_with('.'), "{name}");
            }
        }
        match schema {
            Value::Object(fields) => fields.values().for_each(check_described),
            Value::Array(items) => items.iter().for_each(check_described),
            _ => {}
        }
    }
    check_described(&schema());
}

#[test]
fn the_schema_is_one_and_accepts_every_example() {
    jsonschema::meta::validate(&schema()).unwrap();
    assert_eq!(complaints(&document(EVERYTHING)), [""; 0]);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../envoy");
    let mut files = vec![folder.join("policy.yaml")];
    if let Ok(more) = std::fs::read_dir(folder.join("policies")) {
        let policies = more.map(|entry| entry.unwrap().path());
        files.extend(policies.filter(|path| path.extension().is_some_and(|e| e == "yaml")));
    }
    for file in files {
        let source = Source::read(&file).unwrap();
        let document = source.policy().unwrap().value;
        assert_eq!(complaints(&document), [""; 0], "{}", file.display());
    }
}

/// The policies that show the codes, each with its code and what the reader says of it.
fn invalid() -> Vec<(String, Document, Vec<Diagnostic>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/invalid");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let with_document = |file: PathBuf| {
        let code = file.file_stem()?.to_str()?.to_owned();
        let document = Source::read(&file).unwrap().policy().ok()?.value;
        let said = check(&document).diagnostics;
        Some((code, document, said))
    };
    files.filter_map(with_document).collect()
}

#[test]
fn what_only_deserves_a_warning_is_accepted() {
    let mut seen = 0;
    for (code, document, said) in invalid() {
        if said.iter().all(|diagnostic| diagnostic.severity == Severity::Warning) {
            assert_eq!(complaints(&document), [""; 0], "{code}");
            seen += 1;
        }
    }
    assert!(seen > 10, "{seen}");
}

#[test]
fn what_one_field_can_say_wrong_is_refused() {
    const STRUCTURAL: [&str; 19] = [
        "empty_list",
        "empty_match",
        "invalid_cluster",
        "invalid_cookie_name",
        "invalid_duration",
        "invalid_header_name",
        "invalid_key_source",
        "invalid_name",
        "invalid_path",
        "invalid_ratio",
        "invalid_salt",
        "invalid_test",
        "invalid_time",
        "invalid_value",
        "missing_field",
        "unknown_field",
        "unsupported_version",
        "weak_secret",
        "wrong_type",
    ];
    let invalid = invalid();
    let accepted = |code: &&str| {
        let (_, document, _) = invalid.iter().find(|(of, ..)| of == code).unwrap();
        complaints(document).is_empty()
    };
    assert_eq!(STRUCTURAL.into_iter().filter(accepted).collect::<Vec<_>>(), [""; 0]);
    // How many decimals a number has, which the file is about, a schema cannot say.
    let negative = document(&EVERYTHING.replacen("weight: 50.0", "weight: -50.0", 1));
    assert!(!complaints(&negative).is_empty());
}
