//! A number for what a policy means.
//!
//! It is the hash of the canonical document, the one that `splitctl fmt` writes, so that nothing that makes no difference
//! is in it: format, comments, order of fields, `5` or `5.0`, `90s` or `1m30s`, defaults. The document becomes one text:
//! JSON without white space, fields by name, `"` and `\` in texts behind a `\` and all other characters as they are, whole
//! numbers in decimal, and others as `f` with the eight bytes of the double, the last first.
//! `tests/vectors/policy_hash.py` is a second implementation.

use super::canonical::to_value;
use super::name_map::NameMap;
use super::{Policy, Value};

/// A number for what a policy means: the first 52 bits of murmur3, so that it is exact in a double. It shows what is running.
pub fn hash(policy: &Policy) -> u64 {
    let mut text = Vec::new();
    write(&to_value(policy), &mut text);
    crate::hash::first_word(&text) >> 12
}

fn write(value: &Value, text: &mut Vec<u8>) {
    match value {
        Value::Null => text.extend(b"null"),
        Value::Bool(b) => text.extend(if *b { b"true".as_slice() } else { b"false" }),
        Value::Integer(n) => text.extend(n.to_string().into_bytes()),
        Value::Float(n) => match whole(*n) {
            Some(n) => write(&Value::Integer(n), text),
            None => {
                text.push(b'f');
                text.extend(n.to_bits().to_le_bytes());
            }
        },
        Value::String(s) => write_text(s, text),
        Value::List(items) => {
            text.push(b'[');
            for item in items {
                write(item, text);
                text.push(b',');
            }
            text.push(b']');
        }
        Value::Object(fields) => {
            let mut sorted = NameMap::default();
            for (index, (name, _)) in fields.iter().enumerate() {
                sorted.insert(name, index);
            }
            text.push(b'{');
            for (name, index) in sorted.iter() {
                let Some((_, value)) = fields.get(index) else { continue };
                write_text(name, text);
                text.push(b':');
                write(value, text);
                text.push(b',');
            }
            text.push(b'}');
        }
    }
}

fn write_text(content: &str, text: &mut Vec<u8>) {
    text.push(b'"');
    for byte in content.bytes() {
        if matches!(byte, b'"' | b'\\') {
            text.push(b'\\');
        }
        text.push(byte);
    }
    text.push(b'"');
}

/// A double that is a whole number, as one.
fn whole(number: f64) -> Option<i64> {
    let whole = number as i64;
    (whole as f64 == number).then_some(whole)
}
