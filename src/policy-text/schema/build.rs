//! The few shapes that the schema is made of.

use engine::policy::Value as Document;
use serde_json::{Map, Value, json};

use crate::canonical::defaults::default_of;

/// An HTTP token: a method, a header name, a cookie name.
pub(super) const TOKEN: &str = "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$";

/// A field of an object.
pub(super) struct Field {
    name: &'static str,
    required: bool,
    schema: Value,
}

pub(super) fn required(name: &'static str, schema: Value) -> Field {
    Field { name, required: true, schema }
}

/// A field that may be left out; its description ends with the default, where there is one.
pub(super) fn optional(name: &'static str, schema: Value) -> Field {
    optional_in("", name, schema)
}

/// The same, where the default is that of a certain object's field.
pub(super) fn optional_in(object: &str, name: &'static str, mut schema: Value) -> Field {
    let default = match default_of(&format!("{object}.{name}")) {
        None => None,
        Some(Document::String(text)) if text.is_empty() => Some("empty".to_owned()),
        Some(value) => Some(format!("`{value}`")),
    };
    if let (Some(default), Some(Value::String(description))) =
        (default, schema.get_mut("description"))
    {
        description.push_str(&format!(" Default: {default}."));
    }
    Field { name, required: false, schema }
}

/// An object with these fields and no others.
pub(super) fn object(description: &str, fields: impl IntoIterator<Item = Field>) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in fields {
        if field.required {
            required.push(field.name);
        }
        properties.insert(field.name.to_owned(), field.schema);
    }
    let mut object = json!({
        "type": "object",
        "description": description,
        "properties": properties,
        "additionalProperties": false,
    });
    if let (Value::Object(object), false) = (&mut object, required.is_empty()) {
        object.insert("required".to_owned(), required.into());
    }
    object
}

/// Of these fields exactly one must be there.
pub(super) fn exactly_one(object: &mut Value, names: &[&str]) {
    let forms: Vec<Value> = names.iter().map(|name| json!({"required": [name]})).collect();
    if let Value::Object(object) = object {
        object.insert("oneOf".to_owned(), forms.into());
    }
}

/// A definition, with what it means here.
pub(super) fn refer(name: &str, description: &str) -> Value {
    json!({"$ref": format!("#/$defs/{name}"), "description": description})
}

pub(super) fn boolean(description: &str) -> Value {
    json!({"type": "boolean", "description": description})
}

pub(super) fn text(description: &str) -> Value {
    json!({"type": "string", "description": description})
}

/// One of a few words.
pub(super) fn words<T>(all: &[(&str, T)], description: &str) -> Value {
    let words: Vec<&str> = all.iter().map(|(word, _)| *word).collect();
    json!({"enum": words, "description": description})
}

pub(super) fn list(least: u64, items: Value, description: &str) -> Value {
    json!({"type": "array", "minItems": least, "items": items, "description": description})
}

/// The same list, of no more than so many items.
pub(super) fn at_most(most: usize, mut list: Value) -> Value {
    if let Value::Object(list) = &mut list {
        list.insert("maxItems".to_owned(), most.into());
    }
    list
}
