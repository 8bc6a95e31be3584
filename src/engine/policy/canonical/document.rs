//! A policy as a document.

use crate::policy::{Policy, Value};

use super::write;
use super::writer::{Scalar, Sink, Writer};

/// The policy as a document.
pub fn to_value(policy: &Policy) -> Value {
    let mut out = Writer(Document::default());
    write(&mut out, policy);
    out.0.whole.unwrap_or(Value::Null)
}

#[derive(Default)]
struct Document {
    /// What has begun, the outermost first, each with its name where it has one.
    open: Vec<(String, Value)>,
    /// The name of the next value.
    name: String,
    whole: Option<Value>,
}

impl Document {
    fn begin(&mut self, empty: Value) {
        self.open.push((std::mem::take(&mut self.name), empty));
    }

    fn end(&mut self) {
        if let Some((name, value)) = self.open.pop() {
            self.put(name, value);
        }
    }

    fn put(&mut self, name: String, value: Value) {
        match self.open.last_mut() {
            Some((_, Value::Object(fields))) => fields.push((name, value)),
            Some((_, Value::List(items))) => items.push(value),
            _ => self.whole = Some(value),
        }
    }
}

impl Sink<'_> for Document {
    fn name(&mut self, name: &str) {
        self.name = name.to_owned();
    }

    fn scalar(&mut self, value: Scalar<'_>) {
        let name = std::mem::take(&mut self.name);
        self.put(name, value.into());
    }

    fn begin_list(&mut self) {
        self.begin(Value::List(Vec::new()));
    }

    fn end_list(&mut self) {
        self.end();
    }

    fn begin_object(&mut self) {
        self.begin(Value::Object(Vec::new()));
    }

    fn end_object(&mut self) {
        self.end();
    }
}

impl From<Scalar<'_>> for Value {
    fn from(value: Scalar<'_>) -> Self {
        match value {
            Scalar::Null => Self::Null,
            Scalar::Bool(b) => Self::Bool(b),
            Scalar::Integer(n) => Self::Integer(n),
            Scalar::Float(n) => Self::Float(n),
            Scalar::Text(text) => Self::String(text.to_owned()),
        }
    }
}
