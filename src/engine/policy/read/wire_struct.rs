//! Reading `google.protobuf.Struct` as Envoy hands it over: in protobuf's wire format. The fields of
//! a Struct are a map: their order is lost and a name cannot come twice.

use crate::policy::Value;

/// How deep values may be nested, as in JSON.
const DEPTH_MAX: u32 = 128;

/// The types of the wire format that a Struct uses.
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;

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

/// One field of a message.
struct Field<'b> {
    number: u64,
    content: Content<'b>,
}

enum Content<'b> {
    Number(u64),
    Double(f64),
    Bytes(&'b [u8]),
}

/// The fields of a message, in order; ends with a `None` item where the bytes are no message.
struct Fields<'b>(&'b [u8]);

impl<'b> Iterator for Fields<'b> {
    type Item = Option<Field<'b>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = split_field(self.0);
        self.0 = field.as_ref().map_or(&[], |(_, rest)| rest);
        Some(field.map(|(field, _)| field))
    }
}

fn split_field(bytes: &[u8]) -> Option<(Field<'_>, &[u8])> {
    let (tag, rest) = split_varint(bytes)?;
    let (content, rest) = match tag & 7 {
        VARINT => split_varint(rest).map(|(n, rest)| (Content::Number(n), rest))?,
        FIXED64 => {
            let (double, rest) = rest.split_first_chunk()?;
            (Content::Double(f64::from_le_bytes(*double)), rest)
        }
        BYTES => {
            let (size, rest) = split_varint(rest)?;
            let (inner, rest) = rest.split_at_checked(usize::try_from(size).ok()?)?;
            (Content::Bytes(inner), rest)
        }
        _ => return None,
    };
    Some((Field { number: tag >> 3, content }, rest))
}

fn split_varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (mut number, mut rest) = (0_u64, bytes);
    for shift in (0..64).step_by(7) {
        let (byte, more) = rest.split_first()?;
        rest = more;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((number, rest));
        }
    }
    None
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
