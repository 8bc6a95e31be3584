//! A policy file, read and checked: the document, the policy where it is valid, and findings with their
//! places, as people and programs want to see them.

use std::io::{self, Write};
use std::path::Path;

use engine::metrics::Metrics;
use engine::plan::Plan;
use engine::policy::{self, Code, Diagnostic, Policy, Severity, Value};
use policy_text::source::{Document, Part, Place, Places, Source, Syntax, Unreadable};
use serde_json::json;

use crate::style;

/// How much of a long line is shown.
const LINE: usize = 100;

/// A policy file after everything that can be said about it is known.
#[derive(Debug, Clone)]
pub struct PolicyFile {
    /// Its text.
    pub source: Source,
    /// All problems, syntax errors among them.
    pub findings: Vec<Finding>,
    /// What it means, where it is valid.
    pub valid: Option<Valid>,
    /// What the policy was found in; see [`Document::carrier`].
    pub carrier: Option<String>,
}

/// A valid policy.
#[derive(Debug, Clone)]
pub struct Valid {
    /// As written.
    pub document: Value,
    /// As understood.
    pub policy: Policy,
    /// Equal for every spelling of the same document; the gauge `traffic_split_policy_hash` shows it.
    pub hash: u64,
}

impl Valid {
    /// The hash as the filter's log shows it.
    pub fn hash_text(&self) -> String {
        format!("{:013x}", self.hash)
    }

    /// How many metrics a proxy has with this policy, whatever the requests are. A counter or gauge is one time series
    /// in Prometheus, a histogram one per bucket and two more.
    pub fn metrics(&self) -> usize {
        let plan = Plan::compile(&self.policy);
        plan.metrics.definitions().len().saturating_add(Metrics::OF_EVERY_PROXY.len())
    }
}

/// One problem of a policy file and its place there.
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

impl PolicyFile {
    /// Reads and checks a file, or the standard input for `-`.
    ///
    /// # Errors
    /// When it cannot be read. What it says is never an error here.
    pub fn read(path: &Path) -> Result<Self, Unreadable> {
        Source::read(path).map(Self::check)
    }

    /// Reads and checks all policies that a file carries; see [`Source::policies`].
    ///
    /// # Errors
    /// As [`PolicyFile::read`].
    pub fn read_all(path: &Path) -> Result<Vec<Self>, Unreadable> {
        let source = Source::read(path)?;
        Ok(match source.policies() {
            Ok(all) => all.into_iter().map(|one| Self::of(source.clone(), one)).collect(),
            Err(syntax) => vec![Self::refused(source, syntax)],
        })
    }

    /// Checks a text.
    pub fn check(source: Source) -> Self {
        match source.policy() {
            Ok(document) => Self::of(source, document),
            Err(syntax) => Self::refused(source, syntax),
        }
    }

    fn refused(source: Source, syntax: Syntax) -> Self {
        Self { source, findings: vec![Finding::of_syntax(syntax)], valid: None, carrier: None }
    }

    fn of(source: Source, document: Document) -> Self {
        let checked = policy::check(&document.value);
        let finding = |diagnostic| Finding::new(diagnostic, &document.places);
        let findings = checked.diagnostics.into_iter().map(finding).collect();
        let Document { value: document, carrier, .. } = document;
        let hash = checked.hash;
        let valid = checked.policy.map(|policy| Valid { document, policy, hash });
        Self { source, findings, valid, carrier }
    }

    /// How many findings have that severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// Shows all findings for people, each with its line.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn show_findings(&self, out: &mut dyn Write) -> io::Result<()> {
        self.findings.iter().try_for_each(|finding| finding.show(&self.source, out))
    }

    /// Sums the findings up: `2 errors, 1 warning`.
    pub fn summary(&self) -> String {
        let counted = |severity, word| match self.count(severity) {
            0 => None,
            1 => Some(format!("1 {word}")),
            n => Some(format!("{n} {word}s")),
        };
        let parts = [counted(Severity::Error, "error"), counted(Severity::Warning, "warning")];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() { "no problem".to_owned() } else { parts.join(", ") }
    }
}

impl Finding {
    fn new(diagnostic: Diagnostic, places: &Places) -> Self {
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

    fn of_syntax(syntax: Syntax) -> Self {
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
    fn a_syntax_error_is_a_finding_too() {
        let file = PolicyFile::check(Source::new("a.json", "{\n  \"version\": ]\n}"));
        assert!(file.valid.is_none());
        let finding = &file.findings[0];
        assert_eq!(finding.code, "invalid_json");
        assert_eq!(finding.place.map(|place| (place.line, place.column)), Some((2, 14)));
        assert_eq!(file.summary(), "1 error");
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
