//! The hash of a policy is of what it means.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use engine::policy::{self, Policy, Value as Document};
use harness::wire::wire_struct;
use harness::{generate, vectors};
use policy_text::canonical::to_value;
use policy_text::source::{Source, to_json, to_yaml};
use proptest::prelude::*;
use serde_json::Value;
use splitctl::commands::fmt::canonical;
use splitctl::policy_file::PolicyFile;

use crate::written::EVERY_FIELD;

fn hash_of(configuration: &[u8]) -> u64 {
    let checked = policy::from_configuration(configuration);
    let text = String::from_utf8_lossy(configuration);
    assert!(checked.policy.is_some(), "{text}: {:?}", checked.diagnostics);
    checked.hash
}

#[test]
fn every_spelling_has_the_hash_that_an_independent_program_computes() {
    let path = harness::root().join("tests/vectors/golden-policies.json");
    let entries: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut seen = BTreeMap::new();
    for entry in entries.as_array().unwrap() {
        let about = entry["about"].as_str().unwrap();
        let golden = entry["hash"].as_str().unwrap();
        let canonical = &entry["canonical"];
        let shown = |configuration: &[u8]| format!("{:013x}", hash_of(configuration));
        assert_eq!(shown(canonical.to_string().as_bytes()), golden, "{about}");
        assert_eq!(shown(&wire_struct(canonical)), golden, "{about}, as a Struct");
        for spelling in entry["spellings"].as_array().unwrap() {
            assert_eq!(shown(spelling.as_str().unwrap().as_bytes()), golden, "{about}: {spelling}");
        }
        assert_eq!(seen.insert(golden, about), None, "{about}");
    }
    assert!(seen.len() >= 9);
}

/// The hashed text of a document, as it is described: fields by name, a `,` after each.
fn described(value: &Document, text: &mut Vec<u8>) {
    let quoted = |content: &str| {
        let escaped = content.replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{escaped}\"").into_bytes()
    };
    match value {
        Document::Float(n) => {
            text.push(b'f');
            text.extend(n.to_le_bytes());
        }
        Document::String(content) => text.extend(quoted(content)),
        Document::List(items) => {
            text.push(b'[');
            for item in items {
                described(item, text);
                text.push(b',');
            }
            text.push(b']');
        }
        Document::Object(fields) => {
            let fields: BTreeMap<_, _> = fields.iter().map(|(name, value)| (name, value)).collect();
            text.push(b'{');
            for (name, value) in fields {
                text.extend(quoted(name));
                text.push(b':');
                described(value, text);
                text.push(b',');
            }
            text.push(b'}');
        }
        Document::Null | Document::Bool(_) | Document::Integer(_) => {
            text.extend(value.to_string().into_bytes());
        }
    }
}

fn hash_of_the_document(policy: &Policy) -> u64 {
    let mut text = Vec::new();
    described(&to_value(policy), &mut text);
    engine::hash::first_word(&text) >> 12
}

#[test]
fn the_hash_is_that_of_the_document_that_is_written_back() {
    let every_field = policy::from_json(EVERY_FIELD.as_bytes()).policy.unwrap();
    assert_eq!(policy::hash(&every_field), hash_of_the_document(&every_field));
    for vector in vectors::all() {
        let policy = policy::from_json(vector.policy.to_string().as_bytes()).policy.unwrap();
        assert_eq!(policy::hash(&policy), hash_of_the_document(&policy), "{}", vector.file);
    }
}

fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let files = std::fs::read_dir(harness::root().join(folder)).unwrap();
    let paths = files.map(|file| file.unwrap().path());
    paths.filter(|path| path.to_string_lossy().ends_with(ending)).collect()
}

fn policy_in(path: &Path) -> Policy {
    Source::read(path).unwrap().policy().unwrap().check().policy.unwrap()
}

#[test]
fn no_shipped_example_changes_its_hash_when_it_is_formatted() {
    let all = shipped();
    assert!(all.len() > 10);
    for path in all {
        let policy = policy_in(&path);
        let formatted = to_value(&policy);
        let yaml = to_yaml(&formatted, &[]);
        let again = Source::new("a.yaml", &yaml).policy().unwrap().check();
        let json = to_json(&formatted).unwrap();
        let name = path.display();
        assert_eq!(again.hash, policy::hash(&policy), "{name}");
        assert_eq!(hash_of(json.as_bytes()), again.hash, "{name}");
    }
}

/// Every policy file that people copy.
fn shipped() -> Vec<PathBuf> {
    let mut all = files("envoy/policies", ".yaml");
    all.extend(files("istio", "policy.yaml"));
    all.push(harness::root().join("envoy/policy.yaml"));
    all
}

/// What `splitctl fmt` makes of a text.
fn by_fmt(name: &str, text: &str) -> String {
    canonical(&PolicyFile::check(Source::new(name, text))).unwrap()
}

#[test]
fn every_shipped_policy_is_as_fmt_writes_it() {
    for path in shipped() {
        let (name, text) = (path.display().to_string(), std::fs::read_to_string(&path).unwrap());
        assert!(by_fmt(&name, &text) == text, "`splitctl fmt --write {name}`");
    }
}

/// The corpus holds every policy that was ever valid: enough of them to tell apart.
#[test]
fn two_policies_have_one_hash_only_where_they_are_equal() {
    let mut by_hash: BTreeMap<u64, Policy> = BTreeMap::new();
    for path in files("tests/corpus", ".json") {
        let file: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let text = file["policy"].to_string();
        let policy = policy::from_json(text.as_bytes()).policy.unwrap();
        let hash = policy::hash(&policy);
        assert!(hash < 1 << 52);
        assert_eq!(hash, hash_of_the_document(&policy), "{}", path.display());
        let other = by_hash.entry(hash).or_insert_with(|| policy.clone());
        assert_eq!(*other, policy, "{}", path.display());
    }
    assert!(by_hash.len() > 50);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_form_of_a_policy_changes_its_hash(document in generate::policy()) {
        let text = document.to_string();
        let checked = policy::from_json(text.as_bytes());
        let hash = checked.hash;
        prop_assert_eq!(hash_of(&wire_struct(&document)), hash);
        // Istio prints numbers as doubles.
        let policy = checked.policy.unwrap();
        prop_assert_eq!(hash_of_the_document(&policy), hash);
        let formatted = to_value(&policy);
        prop_assert_eq!(policy::check(&formatted).hash, hash);
        let yaml = to_yaml(&formatted, &[]);
        prop_assert_eq!(Source::new("a.yaml", &yaml).policy().unwrap().check().hash, hash);
        // What the command writes, a key of all splits in its place, again and again.
        for name in ["a.json", "a.yaml"] {
            let written = if name == "a.json" { document.to_string() } else { yaml.clone() };
            let once = by_fmt(name, &written);
            prop_assert_eq!(Source::new(name, &once).policy().unwrap().check().hash, hash);
            prop_assert_eq!(&by_fmt(name, &once), &once);
        }
        // As people write it: every field where the document has it, nothing left out.
        let flow = by_fmt("a.yaml", &document.to_string());
        prop_assert_eq!(Source::new("a.yaml", &flow).policy().unwrap().check().hash, hash);
    }
}
