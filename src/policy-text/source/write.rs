//! A value as YAML on one line, and a text as a YAML scalar.

use std::fmt::Write as _;

use engine::policy::Value;

use super::dialect::reads_as_text;

/// A value on one line: `{hosts: [shop.example.com], path: {prefix: /api/}}`.
pub fn to_flow(value: &Value) -> String {
    let mut text = String::new();
    write_flow(value, &mut text);
    text
}

fn write_flow(value: &Value, out: &mut String) {
    match value {
        Value::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                write_flow(item, out);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            out.push('{');
            for (index, (name, value)) in fields.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                write_text(name, out);
                out.push_str(": ");
                write_flow(value, out);
            }
            out.push('}');
        }
        Value::String(text) => write_text(text, out),
        Value::Null => out.push_str("null"),
        // Written to a String, which cannot fail.
        Value::Bool(_) | Value::Integer(_) | Value::Float(_) => {
            let _written = write!(out, "{value}");
        }
    }
}

/// A text as a YAML scalar: plain where every reader takes it for the same text, in quotes elsewhere.
pub fn scalar(text: &str) -> String {
    let mut written = String::new();
    write_text(text, &mut written);
    written
}

pub(super) fn write_text(text: &str, out: &mut String) {
    if is_plain(text) {
        out.push_str(text);
        return;
    }
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            // Not printable in YAML, or a line break there.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                let _written = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Whether a text needs no quotes, to whoever may read it (`12:30` is no text to other readers of YAML 1.1).
fn is_plain(text: &str) -> bool {
    let first = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '/' | '.');
    let inner = |c: char| c.is_ascii_alphanumeric() || "_/.-+=@*^$~%():;!".contains(c);
    let Some(begin) = text.chars().next().filter(|c| first(*c)) else { return false };
    let number_like = begin.is_ascii_digit() || begin == '.';
    let clock = number_like && text.contains([':', '_']) && !text.ends_with('Z');
    text.chars().all(inner) && !text.ends_with(':') && !clock && reads_as_text(text)
}

#[cfg(test)]
mod tests {
    use super::super::Source;
    use super::*;

    #[test]
    fn a_value_is_written_on_one_line_and_read_again() {
        let value: Value = serde_json::from_str(
            r#"{"hosts": ["*.example.com"], "path": {"prefix": "/api/"}, "numbers": [1, 2.5, null, true]}"#,
        )
        .unwrap();
        let text = to_flow(&value);
        assert_eq!(
            text,
            r#"{hosts: ["*.example.com"], path: {prefix: /api/}, numbers: [1, 2.5, null, true]}"#
        );
        assert_eq!(Source::new("a.yaml", &text).policy().unwrap().value, value);
    }

    #[test]
    fn what_would_be_read_as_something_else_is_quoted() {
        for (text, written) in [
            ("365d", "365d"),
            ("1h30m", "1h30m"),
            ("2026-11-20T12:00:00Z", "2026-11-20T12:00:00Z"),
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("v1.2", "v1.2"),
            ("outbound|8080", "\"outbound|8080\""),
            ("true", "\"true\""),
            ("on", "\"on\""),
            ("12:30", "\"12:30\""),
            ("1_000", "\"1_000\""),
            ("5", "\"5\""),
            ("", "\"\""),
            ("a b", "\"a b\""),
            ("a: b", "\"a: b\""),
            ("a\n\"\\\u{7f}", "\"a\\n\\\"\\\\\\u007f\""),
            ("- a", "\"- a\""),
            ("ä", "\"ä\""),
        ] {
            assert_eq!(to_flow(&Value::String(text.to_owned())), written);
            let read = Source::new("a.yaml", &format!("[{written}]")).policy().unwrap().value;
            assert_eq!(read, Value::List(vec![Value::String(text.to_owned())]));
        }
    }
}
