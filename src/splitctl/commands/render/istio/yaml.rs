//! A policy as YAML inside another document. Every reader of YAML takes it for the same policy, those of
//! version 1.1 too, for which `no` is a boolean.

use engine::policy::Value;
use policy_text::source::{scalar, to_flow};

/// Up to here a value stays on one line.
const WIDTH: usize = 110;

/// The value in lines that begin with so many blanks, without the last line's end.
pub(super) fn block(value: &Value, indent: usize) -> String {
    let mut lines = Vec::new();
    write(value, indent, &mut lines);
    lines.join("\n")
}

fn write(value: &Value, indent: usize, lines: &mut Vec<String>) {
    let blanks = " ".repeat(indent);
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                let head = format!("{blanks}{}:", scalar(name));
                let line = format!("{head} {}", to_flow(value));
                // Splits are written out however short they are: they are what is edited.
                if name != "splits" && fits(&line, value) {
                    lines.push(line);
                } else {
                    lines.push(head);
                    let inner = if matches!(value, Value::List(_)) {
                        indent
                    } else {
                        indent.saturating_add(2)
                    };
                    write(value, inner, lines);
                }
            }
        }
        Value::List(items) if !items.is_empty() => {
            for item in items {
                let line = format!("{blanks}- {}", to_flow(item));
                if fits(&line, item) {
                    lines.push(line);
                } else {
                    let first = lines.len();
                    write(item, indent.saturating_add(2), lines);
                    // The first line of the item gets the dash in place of two of its blanks.
                    if let Some(line) = lines.get_mut(first) {
                        *line = format!("{blanks}- {}", line.trim_start());
                    }
                }
            }
        }
        simple => lines.push(format!("{blanks}{}", to_flow(simple))),
    }
}

/// Whether a value may stand on this line.
fn fits(line: &str, value: &Value) -> bool {
    let simple = match value {
        Value::Object(fields) => fields.is_empty(),
        Value::List(items) => items.is_empty(),
        _ => true,
    };
    simple || line.chars().count() <= WIDTH
}

#[cfg(test)]
mod tests {
    use policy_text::source::Source;

    use super::*;

    #[test]
    fn what_is_written_is_read_again_as_the_same() {
        let text = format!(
            "a: 1\nb: [x, \"no\", '1', {{}}, []]\nsplits:\n- {{name: c, d: [0.0001, 1e-7, 5.0], e: null}}\n\
             - name: {}\n  f: [[{}, {}], 2]\n  g: \"line\\nbreak: # {{{{name}}}}\"\n- []\n",
            "x".repeat(120),
            "y".repeat(60),
            "z".repeat(60)
        );
        let value = Source::new("a.yaml", text.as_str()).values().unwrap().remove(0);
        let written = format!("spec:\n  deep:\n{}\n", block(&value, 4));
        let again = Source::new("b.yaml", written.as_str()).values().unwrap().remove(0);
        let again = again.field("spec").and_then(|spec| spec.field("deep")).unwrap();
        // 5.0 is written as 5.
        let plain = |value: &Value| format!("{value:?}").replace("Float(5.0)", "Integer(5)");
        assert_eq!(plain(again), plain(&value), "{written}");
    }
}
