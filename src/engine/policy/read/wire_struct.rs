//! Reading `google.protobuf.Struct` as Envoy hands it over: in protobuf's wire format. The fields of
//! a Struct are a map: their order is lost and a name cannot come twice.

use crate::policy::Value;
use crate::wire::{Content, Field, Fields};

/// How deep values may be nested, as in JSON.
const DEPTH_MAX: u32 = 128;

/// Reads a Struct; `None` where the bytes are not one.
pub(crate) fn read(bytes: &[u8]) -> Option<Value> {
    read_struct(bytes, 0)
}

/// `Struct { map<string, Value> fields = 1; }`
fn read_struct(bytes: &[u8], depth: u32) -> Option<Value> {
    let mut fields = Vec::new();
    for field in Fields(bytes) {
        let Field { number: 1, content: Content::Bytes(entry) } = field? else { return None };
        let (mut name, mut value) = (String::new(), Value::Null);
        for part in Fields(entry) {
            match part? {
                Field { number: 1, content: Content::Bytes(text) } => name = text_of(text)?,
                Field { number: 2, content: Content::Bytes(inner) } => {
                    value = read_value(inner, depth)?;
                }
                _ => return None,
            }
        }
        fields.push((name, value));
    }
    Some(Value::Object(fields))
}

/// `Value { oneof { null = 1, number = 2, string = 3, bool = 4, struct = 5, list = 6 } }`
fn read_value(bytes: &[u8], depth: u32) -> Option<Value> {
    let depth = depth.checked_add(1).filter(|depth| *depth <= DEPTH_MAX)?;
    let mut value = Value::Null;
    for field in Fields(bytes) {
        let Field { number, content } = field?;
        value = match (number, content) {
            (1, Content::Number(_)) => Value::Null,
            (2, Content::Double(n)) => Value::Float(n),
            (3, Content::Bytes(text)) => Value::String(text_of(text)?),
            (4, Content::Number(n)) => Value::Bool(n != 0),
            (5, Content::Bytes(inner)) => read_struct(inner, depth)?,
            (6, Content::Bytes(inner)) => read_list(inner, depth)?,
            _ => return None,
        };
    }
    Some(value)
}

/// `ListValue { repeated Value values = 1; }`
fn read_list(bytes: &[u8], depth: u32) -> Option<Value> {
    let item = |field: Option<Field>| match field? {
        Field { number: 1, content: Content::Bytes(inner) } => read_value(inner, depth),
        _ => None,
    };
    Fields(bytes).map(item).collect::<Option<Vec<_>>>().map(Value::List)
}

fn text_of(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(number: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![(number << 3) | 2];
        let mut size = content.len();
        while size >= 0x80 {
            bytes.push(size as u8 | 0x80);
            size >>= 7;
        }
        bytes.push(size as u8);
        bytes.extend(content);
        bytes
    }

    fn encode(value: &Value) -> Vec<u8> {
        match value {
            Value::Null => vec![0x08, 0],
            Value::Bool(b) => vec![0x20, u8::from(*b)],
            Value::Integer(n) => [[0x11].as_slice(), &(*n as f64).to_le_bytes()].concat(),
            Value::Float(n) => [[0x11].as_slice(), &n.to_le_bytes()].concat(),
            Value::String(s) => message(3, s.as_bytes()),
            Value::Object(_) => message(5, &encode_struct(value)),
            Value::List(items) => {
                message(6, &items.iter().flat_map(|i| message(1, &encode(i))).collect::<Vec<_>>())
            }
        }
    }

    fn encode_struct(value: &Value) -> Vec<u8> {
        let Value::Object(fields) = value else { panic!("a Struct is an object") };
        let entry = |(name, value): &(String, Value)| {
            message(1, &[message(1, name.as_bytes()), message(2, &encode(value))].concat())
        };
        fields.iter().flat_map(entry).collect()
    }

    fn example() -> Value {
        let text = r#"{"version": 1.0, "kill": false, "variant_header": null, "splits": [
            {"name": "a name long enough that its entry needs a size of two bytes, as most of them do in the end",
             "weights": [0.5, 1e3, []], "empty": {}}]}"#;
        crate::policy::document_from_json(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_struct_reads_as_the_json_it_was_made_from() {
        assert_eq!(read(&encode_struct(&example())), Some(example()));
    }

    #[test]
    fn bytes_that_are_no_struct_never_panic() {
        let whole = encode_struct(&example());
        for end in 1..whole.len() {
            read(&whole[..end]);
            let mut other = whole.clone();
            for flip in [0x01, 0x80, 0xff] {
                other[end] ^= flip;
                read(&other);
            }
        }
        assert_eq!(read(b"\n"), None);
        assert_eq!(read(b"{}"), None);
        assert_eq!(read(&[0xff; 100]), None);
    }

    #[test]
    fn nesting_is_limited() {
        let mut deep = Value::Null;
        for _ in 0..200 {
            deep = Value::List(vec![deep]);
        }
        assert_eq!(read(&encode_struct(&Value::Object(vec![("a".into(), deep)]))), None);
    }
}
