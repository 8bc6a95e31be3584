//! What a value stands for that an application wrote encoded: percent-encoded, in base64, inside JSON.

use std::borrow::Cow;

use crate::matching::percent_decoded;
use crate::policy::Value;

/// An encoding that is undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Encoding {
    /// `%40` is `@`; `+` is itself, and so is `%` before anything else than two digits.
    Percent,
    /// Of either alphabet, with or without `=` at its end.
    Base64,
}

impl Encoding {
    /// Each value with its text in a policy.
    pub const ALL: &[(&str, Self)] = &[("percent", Self::Percent), ("base64", Self::Base64)];

    /// What a value stands for; `None` where it is not of this encoding.
    fn undone(self, value: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Percent => Some(percent_decoded(value)),
            Self::Base64 => base64(value),
        }
    }
}

/// How a value is decoded: encodings are undone in order, then a field of the JSON object that has
/// come out is taken. The default takes a value as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Decoding {
    /// The encodings, the outermost first.
    pub steps: Box<[Encoding]>,
    /// The field's name.
    pub json: Option<Box<str>>,
}

impl Decoding {
    /// Whether letters and digits come out as they are.
    pub fn keeps_plain_text(&self) -> bool {
        self.json.is_none() && !self.steps.contains(&Encoding::Base64)
    }

    /// What a value stands for; `None` where it is not so encoded, or lacks the field. Quotes around
    /// what comes out do not count. Allocates only where there is something to decode.
    pub fn decode<'r>(&self, value: &'r [u8]) -> Option<Cow<'r, [u8]>> {
        if self.steps.is_empty() && self.json.is_none() {
            return Some(value.into());
        }
        let mut value = Cow::Borrowed(value);
        for step in &self.steps {
            value = step.undone(&value)?.into();
        }
        if let Some(name) = &self.json {
            return field(&value, name).map(Cow::Owned);
        }
        let quoted = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
        Some(quoted.map(<[u8]>::to_vec).map_or(value, Cow::Owned))
    }
}

/// Both alphabets at once; bits that make no whole byte at the end do not count.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let end = text.iter().rposition(|b| *b != b'=').map_or(0, |last| last.saturating_add(1));
    let text = text.get(..end)?;
    let mut bytes = Vec::with_capacity(text.len());
    for group in text.chunks(4) {
        let mut bits = 0_u32;
        for byte in group {
            bits = bits << 6 | u32::from(sextet(*byte)?);
        }
        let [_, a, b, c] = match group.len() {
            4 => bits,
            3 => bits << 6,
            2 => bits << 12,
            _ => return None,
        }
        .to_be_bytes();
        bytes.extend([a, b, c].iter().take(group.len().saturating_sub(1)));
    }
    Some(bytes)
}

fn sextet(byte: u8) -> Option<u8> {
    let (first, from) = match byte {
        b'A'..=b'Z' => (b'A', 0),
        b'a'..=b'z' => (b'a', 26),
        b'0'..=b'9' => (b'0', 52),
        b'+' | b'-' => return Some(62),
        b'/' | b'_' => return Some(63),
        _ => return None,
    };
    Some(byte.wrapping_sub(first).wrapping_add(from))
}

/// A field of a JSON object, which may stand after `j:`, as Express writes it: a text, a whole number
/// of 64 bits as its digits, `true` or `false`. The last of its name counts, as in browsers.
fn field(text: &[u8], name: &str) -> Option<Vec<u8>> {
    let text = text.strip_prefix(b"j:").unwrap_or(text);
    // The reader of policies, so that the module has one.
    let Ok(Value::Object(fields)) = serde_json::from_slice(text) else { return None };
    match { fields }.into_iter().rfind(|(field, _)| field == name)?.1 {
        Value::String(text) => Some(text.into_bytes()),
        value @ (Value::Integer(_) | Value::Bool(_)) => Some(value.to_string().into_bytes()),
        Value::Null | Value::Float(_) | Value::List(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Encoding::{Base64, Percent};

    fn decoded(steps: &[Encoding], json: Option<&str>, value: &str) -> Option<String> {
        let decoding = Decoding { steps: steps.into(), json: json.map(Into::into) };
        let bytes = decoding.decode(value.as_bytes())?;
        Some(String::from_utf8(bytes.into_owned()).unwrap())
    }

    #[test]
    fn encodings_are_undone_in_order() {
        for (steps, value, wanted) in [
            (vec![], "a%40b", Some("a%40b")),
            (vec![], "\"a\"", Some("\"a\"")),
            (vec![Percent], "bob%40example.com", Some("bob@example.com")),
            (vec![Percent], "a+b%2Bc", Some("a+b+c")),
            (vec![Percent], "100%&%zz%4", Some("100%&%zz%4")),
            (vec![Percent], "%22ada%22", Some("ada")),
            (vec![Percent], "%22ada", Some("\"ada")),
            (vec![Percent], "%22", Some("\"")),
            (vec![Percent, Percent], "a%2540b", Some("a@b")),
            (vec![Base64], "YWRhQHg/Pw==", Some("ada@x??")),
            (vec![Base64], "YWRhQHg_Pw", Some("ada@x??")),
            (vec![Base64], "YQ", Some("a")),
            (vec![Base64], "YWI=", Some("ab")),
            (vec![Base64], "YWJj", Some("abc")),
            (vec![Base64], "IndvcmQi", Some("word")),
            (vec![Base64], "", Some("")),
            (vec![Base64], "Y", None),
            (vec![Base64], "YW%3D", None),
            (vec![Base64], "YQ==YQ==", None),
            (vec![Base64], "Y W", None),
            (vec![Percent, Base64], "YQ%3D%3D", Some("a")),
            (vec![Base64, Percent], "JTQw", Some("@")),
        ] {
            assert_eq!(decoded(&steps, None, value).as_deref(), wanted, "{steps:?} {value}");
        }
    }

    #[test]
    fn a_field_of_a_json_object_is_taken() {
        for (value, wanted) in [
            (r#"{"id":"ada"}"#, Some("ada")),
            (r#" { "x": [1, {"id": 2}], "id": "a\"\u00e4\n" } "#, Some("a\"ä\n")),
            (r#"j:{"id":"ada"}"#, Some("ada")),
            (r#"{"id":1,"id":"last"}"#, Some("last")),
            (r#"{"id":"first","id":null}"#, None),
            (r#"{"id":7}"#, Some("7")),
            (r#"{"id":9223372036854775807}"#, Some("9223372036854775807")),
            (r#"{"id":-9223372036854775808}"#, Some("-9223372036854775808")),
            (r#"{"id":true}"#, Some("true")),
            (r#"{"id":""}"#, Some("")),
            (r#"{"\u0069d":"named"}"#, Some("named")),
            // No key, and no JSON.
            (r#"{"id":9223372036854775808}"#, None),
            (r#"{"id":1.5}"#, None),
            (r#"{"id":1e3}"#, None),
            (r#"{"id":null}"#, None),
            (r#"{"id":["ada"]}"#, None),
            (r#"{"id":{"id":"ada"}}"#, None),
            (r#"{"ID":"ada"}"#, None),
            (r#"["id","ada"]"#, None),
            (r#""id""#, None),
            (r#"{"id":"ada"}x"#, None),
            (r#"{"id":"ada""#, None),
            (r#"{"id":"ada",}"#, None),
            (r#"{'id':'ada'}"#, None),
            ("", None),
        ] {
            assert_eq!(decoded(&[], Some("id"), value).as_deref(), wanted, "{value}");
        }
        let value = "%7B%22id%22%3A%22ada%22%7D";
        assert_eq!(decoded(&[Percent], Some("id"), value).as_deref(), Some("ada"));
    }

    #[test]
    fn bytes_that_are_not_text_come_through_or_are_no_json() {
        let decoding =
            |json: Option<&str>| Decoding { steps: [Percent].into(), json: json.map(Into::into) };
        assert_eq!(decoding(None).decode(b"%ff\xfe").as_deref(), Some(b"\xff\xfe".as_slice()));
        assert_eq!(decoding(Some("id")).decode(b"{\"id\":\"\xff\"}"), None);
        for name in ["id", "x"] {
            let (open, close) = ("[".repeat(100_000), "]".repeat(100_000));
            let deep = [r#"{"x":"#, &open, &close, r#","id":"ada"}"#].concat();
            decoding(Some(name)).decode(deep.as_bytes());
            assert_eq!(decoding(Some(name)).decode(format!("{{\"id\":{open}").as_bytes()), None);
        }
    }

    #[test]
    fn a_value_that_is_not_decoded_is_not_copied() {
        assert!(matches!(Decoding::default().decode(b"ada"), Some(Cow::Borrowed(b"ada"))));
    }
}
