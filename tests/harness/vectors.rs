//! Conformance vectors: files in `tests/vectors/cases`, each one behaviour that holds natively, in
//! a wasm host and in Envoy alike.
//!
//! ```json
//! {
//!   "about": "what the file shows",
//!   "policy": {"version": 1, "splits": []},
//!   "cases": [{
//!     "about": "one sentence",
//!     "request": {":path": "/x", "x-user-id": "ada", "cookie": ["a=1", "b=2"], "x-raw": {"hex": "ff"}},
//!     "decisions": ["checkout=canary split"],
//!     "upstream": {"x-split-cluster": "checkout-v2", "x-split-variant": null}
//!   }]
//! }
//! ```
//! `request`: names and values; a list is several lines; `{"hex": ..}` are raw bytes. `:method`,
//! `:authority` and `:path` are `GET`, `vector.test` and `/` where they are not given. `decisions`:
//! what each split that applies decided, and why. `upstream`: headers as they go on to the
//! upstream; `null` = the header is not there.

use std::fs;
use std::path::PathBuf;

use serde_json::{Map, Value};

/// A vector file.
#[derive(Debug, Clone)]
pub struct Vector {
    /// Its file name, for messages.
    pub file: String,
    /// What it shows.
    pub about: String,
    /// The policy.
    pub policy: Value,
    /// The requests.
    pub cases: Vec<Case>,
}

/// One request and what must become of it.
#[derive(Debug, Clone)]
pub struct Case {
    /// What it shows.
    pub about: String,
    /// Lower-case names and values, pseudo-headers first.
    pub request: Vec<(String, Vec<u8>)>,
    /// As `checkout=canary split`.
    pub decisions: Vec<String>,
    /// Headers at the upstream; `None` = not there.
    pub upstream: Vec<(String, Option<Vec<u8>>)>,
}

/// Every vector, by file name.
pub fn all() -> Vec<Vector> {
    let folder = super::root().join("tests/vectors/cases");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("a file").path())
        .collect();
    files.sort();
    files.iter().map(read).collect()
}

fn read(path: &PathBuf) -> Vector {
    let file = path.file_name().expect("a file name").to_string_lossy().into_owned();
    let text = fs::read_to_string(path).expect("the file can be read");
    let document: Value =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
    let mut fields = object(document, &file);
    let mut take =
        |name: &str| fields.remove(name).unwrap_or_else(|| panic!("{file} needs `{name}`"));
    let (about, policy, cases) = (take("about"), take("policy"), take("cases"));
    assert!(fields.is_empty(), "{file} has unknown fields: {fields:?}");
    let cases = cases
        .as_array()
        .expect("a list of cases")
        .iter()
        .map(|case| read_case(case, &file))
        .collect();
    Vector { about: text_of(&about), policy, cases, file }
}

fn read_case(case: &Value, file: &str) -> Case {
    let mut fields = object(case.clone(), file);
    let mut take = |name: &str| {
        fields.remove(name).unwrap_or_else(|| panic!("a case of {file} needs `{name}`"))
    };
    let (about, request, decisions, upstream) =
        (take("about"), take("request"), take("decisions"), take("upstream"));
    assert!(fields.is_empty(), "a case of {file} has unknown fields: {fields:?}");
    let given = object(request, file);
    let defaults = [(":method", "GET"), (":authority", "vector.test"), (":path", "/")];
    let mut request: Vec<(String, Vec<u8>)> = defaults
        .into_iter()
        .filter(|(name, _)| !given.contains_key(*name))
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    for (name, value) in &given {
        match value {
            Value::Array(lines) => {
                request.extend(lines.iter().map(|line| (name.clone(), bytes_of(line))))
            }
            one => request.push((name.clone(), bytes_of(one))),
        }
    }
    request.sort_by_key(|(name, _)| !name.starts_with(':'));
    let at_upstream =
        |(name, value): (String, Value)| (name, (!value.is_null()).then(|| bytes_of(&value)));
    Case {
        about: text_of(&about),
        request,
        decisions: decisions.as_array().expect("a list").iter().map(text_of).collect(),
        upstream: object(upstream, file).into_iter().map(at_upstream).collect(),
    }
}

fn object(value: Value, file: &str) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        other => panic!("{file}: an object is needed, not {other}"),
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

fn bytes_of(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.clone().into_bytes(),
        Value::Object(raw) => {
            let hex = raw.get("hex").and_then(Value::as_str).expect("`hex`").as_bytes();
            let digit = |b: &u8| char::from(*b).to_digit(16).expect("a hexadecimal digit");
            hex.chunks(2)
                .map(|pair| pair.iter().fold(0, |n, b| (n << 4) | digit(b) as u8))
                .collect()
        }
        other => panic!("a text or {{\"hex\": ..}} is needed, not {other}"),
    }
}
