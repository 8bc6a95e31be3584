//! A number for what a policy means.
//!
//! It is the hash of the canonical document, the one that `splitctl fmt` writes, so that nothing that makes no difference
//! is in it: format, comments, order of fields, `5` or `5.0`, `90s` or `1m30s`, defaults. The document becomes one text:
//! JSON without white space, fields by name, `"` and `\` in texts behind a `\` and all other characters as they are, whole
//! numbers in decimal, and others as `f` with the eight bytes of the double, the last first. After each field and each item
//! of a list stands a `,`.
//! `tests/vectors/policy_hash.py` is a second implementation.

use super::Policy;
use super::canonical::{Scalar, Sink, Writer, write};

/// A number for what a policy means: the first 52 bits of murmur3, so that it is exact in a double. It shows what is running.
pub fn hash(policy: &Policy) -> u64 {
    let mut out = Writer(Text::default());
    write(&mut out, policy);
    // Nothing comes after the whole.
    out.0.bytes.pop();
    crate::hash::first_word(&out.0.bytes) >> 12
}

/// The text that is hashed.
#[derive(Default)]
struct Text<'p> {
    bytes: Vec<u8>,
    /// The fields of the objects that have begun, each with its place in the text.
    fields: Vec<(&'p str, usize)>,
    /// Of each of these objects, how many fields were there before its own.
    open: Vec<usize>,
}

impl Text<'_> {
    #[inline(never)]
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    #[inline(never)]
    fn quote(&mut self, content: &str) {
        self.bytes.push(b'"');
        for byte in content.bytes() {
            if matches!(byte, b'"' | b'\\') {
                self.bytes.push(b'\\');
            }
            self.bytes.push(byte);
        }
        self.bytes.push(b'"');
    }
}

impl<'p> Sink<'p> for Text<'p> {
    fn name(&mut self, name: &'p str) {
        self.fields.push((name, self.bytes.len()));
        self.quote(name);
        self.push(b":");
    }

    fn scalar(&mut self, value: Scalar<'_>) {
        match value {
            Scalar::Null => self.push(b"null"),
            Scalar::Bool(true) => self.push(b"true"),
            Scalar::Bool(false) => self.push(b"false"),
            Scalar::Integer(n) => self.push(n.to_string().as_bytes()),
            Scalar::Float(n) => {
                self.push(b"f");
                self.push(&n.to_bits().to_le_bytes());
            }
            Scalar::Text(text) => self.quote(text),
        }
        self.push(b",");
    }

    fn begin_list(&mut self) {
        self.push(b"[");
    }

    fn end_list(&mut self) {
        self.push(b"],");
    }

    fn begin_object(&mut self) {
        self.push(b"{");
        self.open.push(self.fields.len());
    }

    /// Puts the fields of the object in the order of their names.
    fn end_object(&mut self) {
        let own = self.open.pop().unwrap_or_default();
        let mut end = self.bytes.len();
        let mut sorted: Vec<(&str, &[u8])> = Vec::new();
        let mut begin = end;
        for (name, start) in self.fields.drain(own..).rev() {
            let field = self.bytes.get(start..end).unwrap_or_default();
            let place = sorted.partition_point(|(other, _)| *other < name);
            sorted.insert(place, (name, field));
            end = start;
            begin = start;
        }
        let mut text = Vec::new();
        for (_, field) in sorted {
            text.extend_from_slice(field);
        }
        self.bytes.truncate(begin);
        self.push(&text);
        self.push(b"},");
    }
}
