//! Nothing that can be written is without effect: for every field of the schema there is a vector in which another
//! value of it, or none, makes another answer. The few that are there to be checked have a diagnostic instead.

use std::collections::BTreeSet;

use engine::effects::{Answered, on_end};
use engine::metrics::Metrics;
use engine::outcome::Class;
use engine::plan::Plan;
use engine::policy::{self, Checked};
use harness::native;
use harness::vectors::{self, Case, Vector};
use policy_text::schema::schema;
use serde_json::{Value, json};

/// Fields that are there to be checked, or that others than the filter act on, and what is said of another value.
const CHECKED: [(&str, &str); 7] = [
    ("version", "unsupported_version"),
    ("layers.name", "unknown_layer"),
    ("key.generate.cookie", "unread_cookie"),
    ("split.algorithm", "invalid_value"),
    ("split.weight_total", "weight_sum"),
    ("variant.max_weight", "weight_over_max"),
    // The clusters and routes that are rendered from a policy.
    ("variant.fallback", "invalid_value"),
];

/// A place in a document, and the field of the schema that it is.
struct Place<'s> {
    /// As `split.sticky.ttl`.
    field: String,
    pointer: String,
    schema: &'s Value,
    required: bool,
}

/// The schema, walked over by itself and beside a document. Fields of a definition are named after it.
struct Fields<'s>(&'s Value);

impl<'s> Fields<'s> {
    /// A schema with its reference followed, and the name of what it describes.
    fn resolved(&self, label: String, schema: &'s Value) -> (String, &'s Value) {
        let Some(reference) = schema["$ref"].as_str() else { return (label, schema) };
        let name = reference.trim_start_matches("#/$defs/");
        let found = &self.0["$defs"][name];
        let has_fields = found["properties"].is_object() || found["items"].is_object();
        (if has_fields { name.to_owned() } else { label }, found)
    }

    /// All fields that a document can have.
    fn all(&self, label: String, schema: &'s Value, found: &mut BTreeSet<String>) {
        let (label, schema) = self.resolved(label, schema);
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let label = join(&label, name);
            if found.insert(label.clone()) {
                self.all(label, field, found);
            }
        }
        if schema["items"].is_object() {
            self.all(label, &schema["items"], found);
        }
    }

    /// All fields that a document has.
    fn of(
        &self,
        label: &str,
        schema: &'s Value,
        value: &Value,
        pointer: &str,
        found: &mut Vec<Place<'s>>,
    ) {
        let (label, schema) = self.resolved(label.to_owned(), schema);
        match value {
            Value::Object(fields) => {
                for (name, value) in
                    fields.iter().filter(|(name, _)| !schema["properties"][name.as_str()].is_null())
                {
                    let of = &schema["properties"][name.as_str()];
                    let required = schema["required"].as_array();
                    let required = required.is_some_and(|all| all.contains(&json!(name)));
                    let (field, pointer) = (join(&label, name), format!("{pointer}/{name}"));
                    found.push(Place {
                        field: field.clone(),
                        pointer: pointer.clone(),
                        schema: self.resolved(field.clone(), of).1,
                        required,
                    });
                    self.of(&field, of, value, &pointer, found);
                }
            }
            Value::Array(items) => {
                for (index, value) in items.iter().enumerate() {
                    self.of(&label, &schema["items"], value, &format!("{pointer}/{index}"), found);
                }
            }
            _ => {}
        }
    }
}

fn join(label: &str, name: &str) -> String {
    if label.is_empty() { name.to_owned() } else { format!("{label}.{name}") }
}

/// The document without what is there, or with other values in its place.
fn spoiled(document: &Value, place: &Place<'_>, names: &BTreeSet<String>) -> Vec<Value> {
    let value = document.pointer(&place.pointer).expect("the place is there");
    let mut others: Vec<Value> = Vec::new();
    match value {
        Value::Bool(b) => others.push(json!(!b)),
        Value::Number(n) => {
            let n = n.as_f64().unwrap_or_default();
            others.extend([json!(n + 1.0), json!((n / 2.0).floor()), json!(0)]);
        }
        Value::String(text) => {
            others.extend(names.iter().map(|name| json!(name)));
            others.extend(
                [
                    "1s",
                    "2h",
                    "2030-01-01T00:00:00Z",
                    "1970-01-02T00:00:00Z",
                    "/zz",
                    "192.0.2.99",
                    "other-not-a-secret",
                ]
                .map(Value::from),
            );
            others.push(json!(format!("{text}x")));
        }
        Value::Array(items) if items.len() > 1 => {
            others.extend([json!(items[1..]), json!(items[..items.len() - 1])]);
        }
        Value::Array(items) if items.iter().all(Value::is_string) => {
            others.extend([
                json!(["zz.test"]),
                json!(["PATCH"]),
                json!(["192.0.2.99"]),
                json!(["zz"]),
            ]);
        }
        _ => {}
    }
    // A map, such as that of the weights of a step.
    if let (Value::Object(of), true) = (value, place.schema["additionalProperties"].is_object()) {
        let turned = of.keys().zip(of.values().rev());
        others.push(turned.map(|(name, value)| (name.clone(), value.clone())).collect());
    }
    if let Some(words) = place.schema["enum"].as_array() {
        others.extend(words.iter().cloned());
    }
    let mut documents: Vec<Value> = others
        .into_iter()
        .filter(|other| other != value)
        .map(|other| {
            let mut document = document.clone();
            *document.pointer_mut(&place.pointer).expect("the place is there") = other;
            document
        })
        .collect();
    if !place.required {
        let mut document = document.clone();
        let (parent, name) = place.pointer.rsplit_once('/').expect("not the root");
        let parent = document.pointer_mut(parent).and_then(Value::as_object_mut);
        parent.expect("an object").remove(name);
        documents.push(document);
    }
    // What can only be there or not takes its entry of a list with it.
    let (entry, _) = place.pointer.rsplit_once('/').expect("not the root");
    if let (false, Some((list, index))) = (place.schema["const"].is_null(), entry.rsplit_once('/'))
        && let Ok(index) = index.parse::<usize>()
    {
        let mut document = document.clone();
        document.pointer_mut(list).and_then(Value::as_array_mut).expect("a list").remove(index);
        documents.push(document);
    }
    documents
}

fn checked(document: &Value) -> Checked {
    policy::from_json(document.to_string().as_bytes())
}

/// All that a vector's requests become, in words; `None` where the policy is not valid.
fn answers(vector: &Vector, document: &Value) -> Option<Vec<String>> {
    let plan = Plan::new(checked(document).policy?);
    let metrics = Metrics::new(&plan);
    let answer = |case: &Case| {
        let context = case.context();
        let decisions =
            native::decide_without(&plan, case, &context, &native::tripped(&plan, case));
        let words = native::in_words(&plan, decisions.list());
        let on_request = native::on_request(&plan, case, &decisions);
        let answered = Answered {
            decisions: &decisions,
            context: &context,
            caching: &on_request.0.caching,
            status: Some(case.status()),
        };
        let on_response = native::on_response(&plan, &answered);
        let ends = on_end(&metrics, &decisions, Class::from_status(case.status())).count();
        format!("{words:?} {} {on_request:?} {on_response:?} {ends}", decisions.force_refused)
    };
    Some(vector.cases.iter().map(answer).collect())
}

/// Every text called `name` in a document.
fn names(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("name").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| names(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| names(value, found)),
        _ => {}
    }
}

#[test]
fn every_field_of_the_schema_changes_an_answer_of_some_vector_or_is_checked() {
    let root = schema();
    let fields = Fields(&root);
    let mut all = BTreeSet::new();
    fields.all(String::new(), &root, &mut all);
    let (mut acting, mut told) = (BTreeSet::new(), BTreeSet::new());
    for vector in vectors::all() {
        let mut places = Vec::new();
        fields.of("", &root, &vector.policy, "", &mut places);
        let before = answers(&vector, &vector.policy).expect("the vector's policy is valid");
        let mut known = BTreeSet::new();
        names(&vector.policy, &mut known);
        for place in &places {
            // What it is in acts by it.
            let around = |other: &&Place| {
                format!("{}/", place.pointer).starts_with(&format!("{}/", other.pointer))
            };
            let around = || places.iter().filter(around).map(|other| other.field.clone());
            if around().all(|field| acting.contains(&field)) {
                continue;
            }
            for other in spoiled(&vector.policy, place, &known) {
                match answers(&vector, &other) {
                    None => {
                        let said = checked(&other).diagnostics;
                        told.extend(said.iter().map(|d| (place.field.clone(), d.code.as_str())));
                    }
                    Some(after) if after != before => acting.extend(around()),
                    Some(_) => {}
                }
            }
        }
    }
    let unknown: Vec<_> = acting.difference(&all).collect();
    assert!(unknown.is_empty(), "not in the schema: {unknown:?}");
    let silent: BTreeSet<&str> = all.difference(&acting).map(String::as_str).collect();
    let checked: BTreeSet<&str> = CHECKED.iter().map(|(field, _)| *field).collect();
    assert_eq!(
        silent, checked,
        "fields that no vector shows the effect of, and those that have none"
    );
    for (field, code) in CHECKED {
        assert!(told.contains(&(field.to_owned(), code)), "nothing says `{code}` of `{field}`");
    }
}
