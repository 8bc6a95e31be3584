//! A document as YAML in lines and indents, with comments where they belong.

use engine::policy::Value;

use super::comments::Comment;
use super::write::{to_flow, write_text};

/// What stands on one line if it is not longer.
const WIDTH: usize = 100;

/// A line and the parts of the document that begin on it, all of them by the path of the outermost.
struct Line {
    path: String,
    text: String,
    indent: usize,
}

/// Writes a policy as YAML. Short values stand on one line, each variant and each split's field on a line of its
/// own. A comment stands at what it is about, or at the nearest thing around it that is written.
pub fn to_yaml(document: &Value, comments: &[Comment]) -> String {
    let mut lines = Vec::new();
    block(document, "", 0, None, &mut lines);
    let mut out = String::new();
    let homes: Vec<Option<usize>> = comments.iter().map(|c| home(c, &lines)).collect();
    for (index, line) in lines.iter().enumerate() {
        let is_split =
            line.path.starts_with("splits[") && line.path.ends_with(']') && line.indent == 0;
        let mut separate = is_split && line.path != "splits[0]";
        let here = || comments.iter().zip(&homes).filter(|(_, home)| **home == Some(index));
        for (comment, _) in here().filter(|(comment, _)| comment.alone) {
            if (separate || comment.after_blank) && !out.is_empty() {
                out.push('\n');
            }
            separate = false;
            out.push_str(&" ".repeat(line.indent));
            out.push_str(&comment.text);
            out.push('\n');
        }
        if separate {
            out.push('\n');
        }
        out.push_str(&" ".repeat(line.indent));
        out.push_str(&line.text);
        for (comment, _) in here().filter(|(comment, _)| !comment.alone) {
            out.push(' ');
            out.push_str(&comment.text);
        }
        out.push('\n');
    }
    // What is about nothing any more, such as a field that is commented out at the end, stays as far in as it is.
    for (comment, _) in comments.iter().zip(&homes).filter(|(_, home)| home.is_none()) {
        out.push_str(&" ".repeat(if comment.alone { comment.indent } else { 0 }));
        out.push_str(&comment.text);
        out.push('\n');
    }
    out
}

/// The line that a comment goes to: the last that begins what the comment is about, or has it in it.
fn home(comment: &Comment, lines: &[Line]) -> Option<usize> {
    let path = comment.path.as_deref()?;
    let is_around = |line: &Line| {
        path.strip_prefix(line.path.as_str()).is_some_and(|rest| {
            rest.is_empty() || rest.starts_with(['.', '[']) || line.path.is_empty()
        })
    };
    if path.is_empty() {
        return Some(0);
    }
    let deepest = lines.iter().filter(|line| is_around(line)).map(|line| line.path.len()).max();
    lines.iter().position(|line| is_around(line) && Some(line.path.len()) == deepest).or(Some(0))
}

/// Writes a value in lines. `head` is what stands before its first line, such as `- `.
fn block(value: &Value, path: &str, indent: usize, head: Option<&str>, lines: &mut Vec<Line>) {
    let mut head = head;
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (index, (name, value)) in fields.iter().enumerate() {
                let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let mut text = String::new();
                // The first field of an item stands beside its dash.
                let dash = head.take();
                text.push_str(dash.unwrap_or_default());
                let outer = indent.saturating_sub(dash.map_or(0, str::len));
                write_text(name, &mut text);
                text.push(':');
                let flow = to_flow(value);
                let length = indent.saturating_add(text.len()).saturating_add(flow.len());
                let own =
                    if index == 0 && dash.is_some() { path.to_owned() } else { below.clone() };
                if !wants_lines(name, value) && length < WIDTH {
                    lines.push(Line { path: own, text: format!("{text} {flow}"), indent: outer });
                    continue;
                }
                match value {
                    Value::List(items) if !items.is_empty() => {
                        lines.push(Line { path: own, text, indent: outer });
                        list(name, items, &below, indent, lines);
                    }
                    Value::Object(inner) if !inner.is_empty() => {
                        lines.push(Line { path: own, text, indent: outer });
                        block(value, &below, indent.saturating_add(2), None, lines);
                    }
                    _ => lines.push(Line {
                        path: own,
                        text: format!("{text} {flow}"),
                        indent: outer,
                    }),
                }
            }
        }
        other => {
            let text = format!("{}{}", head.unwrap_or_default(), to_flow(other));
            let indent = indent.saturating_sub(head.map_or(0, str::len));
            lines.push(Line { path: path.to_owned(), text, indent });
        }
    }
}

fn list(name: &str, items: &[Value], path: &str, indent: usize, lines: &mut Vec<Line>) {
    for (index, item) in items.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let flow = to_flow(item);
        if name == "splits" || indent.saturating_add(flow.len()).saturating_add(2) > WIDTH {
            block(item, &path, indent.saturating_add(2), Some("- "), lines);
        } else {
            lines.push(Line { path, text: format!("- {flow}"), indent });
        }
    }
}

/// What stands on lines of its own, short as it may be: the lists that people compare line by line.
fn wants_lines(name: &str, value: &Value) -> bool {
    let filled = matches!(value, Value::List(items) if !items.is_empty());
    filled && matches!(name, "splits" | "variants" | "overrides" | "match" | "steps" | "layers")
}
