//! One problem of a policy file with its place there, as people and programs want to see it.

use std::io::{self, Write};
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use engine::policy::{Code, Diagnostic, Severity};
use serde::Serialize;

use crate::style;
use crate::text::harmless;
use policy_text::source::{Note, Part, Place, Places, Source, Syntax};

/// The look of rustc's messages, in the styles of all other output.
const RENDERER: Renderer = Renderer::styled()
    .error(style::ERROR)
    .warning(style::WARNING)
    .emphasis(style::STRONG)
    .line_num(style::FAINT);

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

/// A finding as programs see it.
#[derive(Debug, Serialize)]
pub struct FindingReport<'f> {
    code: &'static str,
    severity: &'static str,
    path: &'f str,
    line: Option<usize>,
    column: Option<usize>,
    message: &'f str,
    help: Option<&'f str>,
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

    /// A warning about a file as a whole.
    pub(crate) fn of_file(code: &'static str, message: impl Into<String>, help: &str) -> Self {
        Self {
            code,
            severity: Severity::Warning,
            path: String::new(),
            place: None,
            message: message.into(),
            help: Some(help.to_owned()),
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

    pub(crate) fn of_note(note: &Note) -> Self {
        Self {
            code: note.code,
            severity: note.severity,
            path: note.path.clone(),
            place: Some(note.place),
            message: note.message.clone(),
            help: Some(note.help.clone()),
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
    ///   |
    ///   = help: did you mean `weight`?
    /// ```
    ///
    /// A line that is too long for so many columns is cut around the place.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn show(&self, source: &Source, columns: usize, out: &mut dyn Write) -> io::Result<()> {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(harmless(&self.message)).id(self.code);
        let name = harmless(&source.name);
        let path = Some(harmless(&self.path)).filter(|path| !path.is_empty());
        let report = match self.place {
            Some(place) => {
                let line = cleaned(source.line(place.line).unwrap_or_default());
                let mark = AnnotationKind::Primary.span(span(&line, place, columns / 2));
                let snippet = Snippet::source(line).line_start(place.line).path(name);
                title.element(snippet.annotation(mark.label(path)))
            }
            None => title.element(Origin::path(match path {
                Some(path) => format!("{name} at {path}"),
                None => name,
            })),
        };
        let help = self.help.as_deref().map(|help| Level::HELP.message(harmless(help)));
        writeln!(out, "{}\n", RENDERER.term_width(columns).render(&[report.elements(help)]))
    }

    /// The same for programs.
    pub fn report(&self) -> FindingReport<'_> {
        FindingReport {
            code: self.code,
            severity: self.severity.as_str(),
            path: &self.path,
            line: self.place.map(|place| place.line),
            column: self.place.map(|place| place.column),
            message: &self.message,
            help: self.help.as_deref(),
        }
    }
}

/// A line that can be drawn. The renderer has pictures for the control characters of ASCII and blanks for tabs; these
/// others it would let move the cursor of a terminal.
fn cleaned(line: &str) -> String {
    line.chars().map(|c| if ('\u{80}'..='\u{9f}').contains(&c) { '\u{fffd}' } else { c }).collect()
}

/// The bytes of a place in its line: at most so many, because what is marked is never cut.
fn span(line: &str, place: Place, longest: usize) -> Range<usize> {
    let byte = |index| line.char_indices().nth(index).map_or(line.len(), |(byte, _)| byte);
    let first = place.column.saturating_sub(1);
    let start = byte(first);
    let room = line.floor_char_boundary(start.saturating_add(longest));
    start..byte(first.saturating_add(place.length)).min(room)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy_file::PolicyFile;

    /// What is shown in so many columns.
    fn shown_in(columns: usize, name: &str, text: &str) -> String {
        let file = PolicyFile::check(Source::new(name, text));
        let mut out = Vec::new();
        file.show_findings_in(columns, &mut out).unwrap();
        anstream::adapter::strip_str(&String::from_utf8(out).unwrap()).to_string()
    }

    fn shown(name: &str, text: &str) -> String {
        shown_in(100, name, text)
    }

    /// The lines with a source line and those with its marks.
    fn drawn(shown: &str) -> String {
        let drawn = shown.lines().filter(|line| line.contains(" |") && !line.ends_with(" |"));
        drawn.collect::<Vec<_>>().join("\n")
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
        insta::assert_snapshot!(shown("policy.yaml", text), @"
        error[unknown_field]: unknown field `wieght`
         --> policy.yaml:8:53
          |
        8 |   - {name: canary, cluster: checkout-v2, weight: 0, wieght: 5}
          |                                                     ^^^^^^ splits[0].variants[1].wieght
          |
          = help: did you mean `weight`?
        ");
    }

    #[test]
    fn findings_are_in_the_order_of_lines() {
        let shown = shown("policy.yaml", "version: 2\nsplit: []\nkil: true\nsplits: 5\n");
        let places = shown.lines().filter_map(|line| line.strip_prefix(" --> policy.yaml:"));
        assert_eq!(places.collect::<Vec<_>>(), ["1:10", "2:1", "3:1", "4:9"], "{shown}");
    }

    #[test]
    fn the_marks_are_under_wide_combining_and_joined_characters() {
        let wide = "\u{6771}\u{4eac}";
        let combining = "e\u{301}o\u{308}";
        let joined = "\u{1f680}\u{1f469}\u{200d}\u{1f467}";
        let text =
            format!("{{version: 1, splits: [], {wide}: 1, {combining}: 2, {joined}: 3, x: 4}}");
        insta::assert_snapshot!(drawn(&shown("policy.yaml", &text)), @"
        1 | {version: 1, splits: [], 東京: 1, éö: 2, 🚀👩👧: 3, x: 4}
          |                          ^^^^ 東京
        1 | {version: 1, splits: [], 東京: 1, éö: 2, 🚀👩👧: 3, x: 4}
          |                                   ^^ éö
        1 | {version: 1, splits: [], 東京: 1, éö: 2, 🚀👩👧: 3, x: 4}
          |                                          ^^^^^^ 🚀👩‍👧
        1 | {version: 1, splits: [], 東京: 1, éö: 2, 🚀👩👧: 3, x: 4}
          |                                                     ^ x
        ");
    }

    #[test]
    fn the_marks_are_under_what_follows_tabs() {
        let text = "{\n\t\t\"version\": 1,\t\"kil\": true,\t\"splits\": []\n}\n";
        insta::assert_snapshot!(drawn(&shown("policy.json", text)), @r#"
        2 |         "version": 1,    "kil": true,    "splits": []
          |                          ^^^^^ kil
        "#);
    }

    /// A policy of more than 5,000 characters in one line.
    fn one_line() -> String {
        let split = |n| {
            let weight = if n == 31 { "wieght" } else { "weight" };
            let variants = format!(r#"[{{"name": "a", "cluster": "a", "{weight}": 100}}]"#);
            let key = r#"[{"header": "x-user-id"}, {"cookie": "uid"}]"#;
            format!(r#"{{"name": "s{n}", "key": {key}, "baseline": "a", "variants": {variants}}}"#)
        };
        let splits: Vec<String> = (0..40).map(split).collect();
        format!(r#"{{"version": 1, "splits": [{}]}}"#, splits.join(", "))
    }

    #[test]
    fn of_a_long_line_only_the_part_around_the_place_is_shown() {
        insta::assert_snapshot!(drawn(&shown_in(80, "policy.json", &one_line())), @r#"
        1 | ..."cluster": "a", "wieght": 100}]}, {"name": "s32", "key": [{"header": "...
          |                    ^^^^^^^^ splits[31].variants[0].wieght
        "#);
    }

    #[test]
    fn a_line_fits_into_the_columns() {
        let text = one_line();
        assert!(text.len() > 5_000);
        for columns in 1..200 {
            let shown = drawn(&shown_in(columns, "policy.json", &text));
            let longest = shown.lines().map(str::len).max();
            // Fewer have no room for the path beside the marks.
            assert!(longest <= Some(columns.max(60)), "{columns}\n{shown}");
        }
    }

    #[test]
    fn of_a_long_value_only_the_beginning_is_marked() {
        let long = "\u{6771}".repeat(2_000);
        let text = format!("version: 1\nsplits: []\ncluster_header: {long} # {long}\n");
        insta::assert_snapshot!(drawn(&shown_in(60, "policy.yaml", &text)), @"
        3 | ...eader: 東東東東東東東東東東東東東東東東東東東東東...
          |           ^^^^^^^^^^^^^^^^^^^^ cluster_header
        ");
    }

    #[test]
    fn what_is_missing_at_the_end_is_shown_there() {
        insta::assert_snapshot!(shown("policy.yaml", "version: 1\nsplits: [\n"), @"
        error[invalid_yaml]: not YAML: while parsing a node, did not find expected node content
         --> policy.yaml:3:1
          |
        3 |
          | ^
        ");
    }

    #[test]
    fn what_is_missing_within_the_last_line_is_shown_there() {
        insta::assert_snapshot!(shown("policy.json", "{\n  \"splits\": ["), @r#"
        error[invalid_json]: not JSON: the text ends too early
         --> policy.json:2:13
          |
        2 |   "splits": [
          |             ^
          |
          = help: the `[` of line 2, column 13 is not closed; was the file cut off?
        "#);
    }

    #[test]
    fn an_empty_file_has_a_finding() {
        insta::assert_snapshot!(shown("policy.yaml", ""), @"
        error[wrong_type]: the file is empty
        --> policy.yaml
         = help: a policy begins with `version: 1`, and has a list of `splits`; `splits: []` is one that splits nothing
        ");
    }

    #[test]
    fn empty_json_has_a_finding_at_its_beginning() {
        insta::assert_snapshot!(shown("policy.json", ""), @r#"
        error[invalid_json]: the file is empty
         --> policy.json:1:1
          |
        1 |
          | ^
          |
          = help: the smallest policy is `{"version": 1, "splits": []}`
        "#);
    }

    #[test]
    fn nothing_moves_the_terminals_cursor() {
        let text =
            "{\"version\": 1, \"splits\": [],\n\"a\u{9b}2J\u{202e}b\u{1b}[2J\": 1, \"c\": 2}\n";
        let shown = shown("a\u{1b}[2J.yaml", text);
        insta::assert_snapshot!(shown, @r#"
        error[unknown_field]: unknown field `a�2J�b�[2J`
         --> a�[2J.yaml:1:1
          |
        1 | {"version": 1, "splits": [],
          | ^ a�2J�b�[2J
          |
          = help: known here: `version`, `cluster_header`, `variant_header`, `filter_state`, `response_variant_header`, `mirror_header`, `baggage`, `vary`, `client_ip`, `force`, `key`, `layers`, `holdout`, `kill`, `outcomes`, `splits`

        error[unknown_field]: unknown field `c`
         --> a�[2J.yaml:2:18
          |
        2 | "a�2J�b␛[2J": 1, "c": 2}
          |                  ^^^ c
          |
          = help: known here: `version`, `cluster_header`, `variant_header`, `filter_state`, `response_variant_header`, `mirror_header`, `baggage`, `vary`, `client_ip`, `force`, `key`, `layers`, `holdout`, `kill`, `outcomes`, `splits`
        "#);
        let harmful = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(!shown.contains(harmful), "{shown:?}");
    }

    #[test]
    fn a_place_beyond_the_line_is_marked_at_its_end() {
        let place = |column, length| Place { line: 1, column, length };
        assert_eq!(span("ab", place(9, 4), 50), 2..2);
        assert_eq!(span("", place(1, 1), 50), 0..0);
        assert_eq!(span("a\u{6771}b", place(2, 9), 50), 1..5);
        assert_eq!(span("a\u{6771}b", place(2, 9), 2), 1..1);
    }
}
