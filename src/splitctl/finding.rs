//! One problem of a policy file with its place there, as people and programs want to see it.

use std::io::{self, Write};

use engine::policy::{Code, Diagnostic, Severity};
use serde_json::json;

use crate::source::{Part, Place, Places, Source, Syntax};
use crate::style;

/// How much of a long line is shown.
const LINE: usize = 100;

/// One problem of a policy file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Stable code.
    pub code: &'static str,
    /// Error or warning.
    pub severity: Severity,
    /// Where in the document; empty for the whole.
    pub path: String,
    /// Where in the text, if that is known.
    pub place: Option<Place>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Finding {
    pub(crate) fn new(diagnostic: Diagnostic, places: &Places) -> Self {
        let part = match diagnostic.code {
            Code::UnknownField => Part::Name,
            Code::DuplicateField => Part::LastName,
            _ => Part::Value,
        };
        Self {
            code: diagnostic.code.as_str(),
            severity: diagnostic.severity,
            place: places.find(&diagnostic.path, part),
            path: diagnostic.path,
            message: diagnostic.message,
            help: diagnostic.help,
        }
    }

    pub(crate) fn of_syntax(syntax: Syntax) -> Self {
        Self {
            code: syntax.code,
            severity: Severity::Error,
            path: String::new(),
            place: Some(syntax.place),
            message: syntax.message,
            help: syntax.help,
        }
    }

    /// Shows it for people:
    ///
    /// ```text
    /// error[unknown_field]: unknown field `wieght`
    ///  --> policy.yaml:7:42
    ///   |
    /// 7 |   - {name: canary, cluster: checkout-v2, wieght: 5}
    ///   |                                          ^^^^^^ splits[0].variants[1].wieght
    ///   = help: did you mean `weight`?
    /// ```
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn show(&self, source: &Source, out: &mut dyn Write) -> io::Result<()> {
        let head = format!("{}[{}]", self.severity.as_str(), self.code);
        let message = style::strong(&self.message);
        match self.severity {
            Severity::Error => writeln!(out, "{}: {message}", style::error(head))?,
            Severity::Warning => writeln!(out, "{}: {message}", style::warning(head))?,
        }
        let shown = self.place.and_then(|place| Some((place, source.line(place.line)?)));
        // Without a line to show, the margin is that of a single digit.
        let margin = self.place.map_or(1, |place| place.line.to_string().len());
        let blank = " ".repeat(margin);
        let (bar, arrow, equals) = (style::faint("|"), style::faint("-->"), style::faint("="));
        match shown {
            Some((place, line)) => {
                let Place { line: number, column, .. } = place;
                writeln!(out, "{blank}{arrow} {}:{number}:{column}", source.name)?;
                let (text, before, marks) = window(line, place);
                let marks = "^".repeat(marks);
                let marks = match self.severity {
                    Severity::Error => style::error(marks),
                    Severity::Warning => style::warning(marks),
                };
                writeln!(out, "{blank} {bar}")?;
                writeln!(out, "{} {bar} {text}", style::faint(number))?;
                write!(out, "{blank} {bar} {}{marks}", " ".repeat(before))?;
                if !self.path.is_empty() {
                    write!(out, " {}", style::faint(&self.path))?;
                }
                writeln!(out)?;
            }
            None if self.path.is_empty() => writeln!(out, "{blank}{arrow} {}", source.name)?,
            None => writeln!(out, "{blank}{arrow} {} at {}", source.name, self.path)?,
        }
        if let Some(help) = &self.help {
            writeln!(out, "{blank} {equals} {}: {help}", style::strong("help"))?;
        }
        writeln!(out)
    }

    /// The same for programs.
    pub fn to_json(&self) -> serde_json::Value {
        json!({
            "code": self.code,
            "severity": self.severity.as_str(),
            "path": self.path,
            "line": self.place.map(|place| place.line),
            "column": self.place.map(|place| place.column),
            "message": self.message,
            "help": self.help,
        })
    }
}

/// The part of a line around a place, how many characters are before the place, and how many belong to it.
fn window(line: &str, place: Place) -> (String, usize, usize) {
    // One column for each character, and none that could move a terminal's cursor.
    let clean: Vec<char> = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let at = place.column.saturating_sub(1).min(clean.len());
    let start = if clean.len() <= LINE { 0 } else { at.saturating_sub(LINE / 2) };
    let end = start.saturating_add(LINE).min(clean.len());
    let part: String = clean.get(start..end).unwrap_or_default().iter().collect();
    let head = if start > 0 { "..." } else { "" };
    let tail = if end < clean.len() { "..." } else { "" };
    let before = at.saturating_sub(start).saturating_add(head.len());
    let marks = place.length.min(end.saturating_sub(at)).max(1);
    (format!("{head}{}{tail}", part.trim_end()), before, marks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy_file::PolicyFile;

    fn shown(name: &str, text: &str) -> String {
        let mut out = Vec::new();
        PolicyFile::check(Source::new(name, text)).show_findings(&mut out).unwrap();
        anstream::adapter::strip_str(&String::from_utf8(out).unwrap()).to_string()
    }

    #[test]
    fn a_finding_shows_its_line_and_marks_the_place() {
        let text = "\
version: 1
splits:
- name: checkout
  key: [{header: x-user-id}]
  baseline: stable
  variants:
  - {name: stable, cluster: checkout-v1, weight: 100}
  - {name: canary, cluster: checkout-v2, weight: 0, wieght: 5}
";
        let expected = "\
error[unknown_field]: unknown field `wieght`
 --> policy.yaml:8:53
  |
8 |   - {name: canary, cluster: checkout-v2, weight: 0, wieght: 5}
  |                                                     ^^^^^^ splits[0].variants[1].wieght
  = help: did you mean `weight`?

";
        let shown = shown("policy.yaml", text);
        assert_eq!(shown, expected, "\n{shown}");
    }

    #[test]
    fn of_a_long_line_only_the_part_around_the_place_is_shown() {
        let line = format!("{}wieght{}", "a".repeat(300), "b".repeat(300));
        let (text, before, marks) = window(&line, Place { line: 1, column: 301, length: 6 });
        assert_eq!(text.len(), LINE + 6);
        assert!(text.starts_with("...a") && text.ends_with("b..."));
        let marked: String = text.chars().skip(before).take(marks).collect();
        assert_eq!(marked, "wieght");
    }

    #[test]
    fn a_line_cannot_move_the_terminals_cursor() {
        let (text, ..) = window("a\t\u{1b}[2Jb", Place { line: 1, column: 1, length: 1 });
        assert_eq!(text, "a  [2Jb");
    }

    #[test]
    fn a_place_beyond_the_line_is_marked_at_its_end() {
        assert_eq!(window("ab", Place { line: 1, column: 9, length: 4 }), ("ab".to_owned(), 2, 1));
        assert_eq!(window("", Place { line: 1, column: 1, length: 1 }), (String::new(), 0, 1));
    }
}
