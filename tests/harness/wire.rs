//! Protocol buffers and LEB128 on the wire, as far as tests write them.

use serde_json::Value;

/// A number in LEB128: seven bits a byte, the lowest first.
pub fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// A `google.protobuf.Struct`, as Envoy hands it over.
///
/// # Panics
/// When the value is no object.
pub fn wire_struct(value: &Value) -> Vec<u8> {
    let entry = |(name, value): (&String, &Value)| {
        field(1, &[field(1, name.as_bytes()), field(2, &wire_value(value))].concat())
    };
    value.as_object().expect("an object").iter().flat_map(entry).collect()
}

/// The dynamic metadata of a request whose token was checked: `{provider: {claim: value}}`.
///
/// # Panics
/// When the value is no object.
pub fn wire_claims(providers: &Value) -> Vec<u8> {
    let name = field(1, b"envoy.filters.http.jwt_authn");
    field(1, &[name, field(2, &wire_struct(providers))].concat())
}

fn wire_value(value: &Value) -> Vec<u8> {
    match value {
        Value::Null => vec![1 << 3, 0],
        Value::Number(n) => {
            [&[2 << 3 | 1], &n.as_f64().expect("a number").to_le_bytes()[..]].concat()
        }
        Value::String(text) => field(3, text.as_bytes()),
        Value::Bool(is) => vec![4 << 3, u8::from(*is)],
        Value::Object(_) => field(5, &wire_struct(value)),
        Value::Array(list) => {
            let items: Vec<u8> = list.iter().flat_map(|item| field(1, &wire_value(item))).collect();
            field(6, &items)
        }
    }
}

/// A field with a length before it.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2], leb(content.len()).as_slice(), content].concat()
}
