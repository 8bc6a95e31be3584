//! Reading a policy file, YAML or JSON, from a path or the standard input: text -> document, and where each
//! part of the document stands in the text. What carries a policy to a proxy is read too.

mod advice;
mod carrier;
mod comments;
mod dialect;
mod json;
mod layout;
mod notes;
mod places;
mod write;
mod yaml;

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use engine::policy::{self, Checked, Value};

pub use comments::{Comment, comments};
use dialect::Dialect;
pub use json::{to_json, to_pretty_json};
pub use layout::to_yaml;
use notes::Mark;
pub use notes::Note;
pub use places::{Part, Place, Places};
pub use write::{scalar, to_flow};
use yaml::Tree;

/// A policy larger than this is something else.
const LARGEST: u64 = 16 * 1024 * 1024;

/// The text of a policy file.
#[derive(Debug, Clone)]
pub struct Source {
    /// What people call it: the path as given, or `<stdin>`.
    pub name: String,
    /// The whole text.
    pub text: String,
    /// It must be JSON, because its name says so.
    is_json: bool,
}

/// What a source holds.
#[derive(Debug, Clone)]
pub struct Document {
    /// The tree.
    pub value: Value,
    /// Where its parts stand.
    pub places: Places,
    /// How its scalars are written.
    marks: Vec<Mark>,
    /// The text is JSON, and people are told so in JSON's words.
    is_json: bool,
    /// What the policy was found in, such as ``WasmPlugin `split` ``; `None` = the file is the policy.
    pub carrier: Option<String>,
}

impl Document {
    /// Checks the policy. Its diagnostics show numbers and booleans as they are written, are in the order of the text, and say
    /// one mistake once, in the words of its format.
    pub fn check(&self) -> Checked {
        let written = |mark: &Mark| match mark {
            Mark::Written { path, text } => Some((path.clone(), text.clone())),
            Mark::Note(_) | Mark::Ended => None,
        };
        let written: HashMap<String, String> = self.marks.iter().filter_map(written).collect();
        let mut checked = policy::check_written(&self.value, &|path| written.get(path).cloned());
        advice::improve(&mut checked.diagnostics, &self.value, self.is_json);
        checked.diagnostics.sort_by_key(|diagnostic| self.places.order_of(&diagnostic.path));
        checked
    }

    /// What there is to say about how it is written.
    pub fn notes(&self) -> impl Iterator<Item = &Note> {
        self.marks.iter().filter_map(|mark| match mark {
            Mark::Note(note) => Some(note),
            Mark::Written { .. } | Mark::Ended => None,
        })
    }
}

/// Why a file could not be read at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    name: String,
    why: String,
}

impl Unreadable {
    /// The file.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot read `{}`: {}", self.name, self.why)
    }
}

impl std::error::Error for Unreadable {}

/// A text that is neither YAML nor JSON, or holds no policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Syntax {
    /// `invalid_yaml`, `invalid_json`, `no_policy` or `several_policies`.
    pub code: &'static str,
    /// Where reading ended.
    pub place: Place,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Source {
    /// Reads a file, or the standard input for `-`.
    ///
    /// # Errors
    /// When there is no such file, or it is too large or no text.
    pub fn read(path: &Path) -> Result<Self, Unreadable> {
        if path == Path::new("-") {
            return Self::read_from(io::stdin().lock(), "<stdin>");
        }
        let name = path.display().to_string();
        let file = File::open(path)
            .map_err(|error| Unreadable { name: name.clone(), why: without_number(&error) })?;
        Self::read_from(file, &name)
    }

    /// A source from a text that is there already.
    pub fn new(name: &str, text: &str) -> Self {
        let is_json = Path::new(name).extension().is_some_and(|extension| extension == "json");
        // A byte order mark is no part of the text.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self { name: name.to_owned(), text: text.to_owned(), is_json }
    }

    fn read_from(reader: impl Read, name: &str) -> Result<Self, Unreadable> {
        let unreadable = |why: String| Unreadable { name: name.to_owned(), why };
        let mut bytes = Vec::new();
        // One byte more than allowed shows that there is more.
        reader
            .take(LARGEST.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|error| unreadable(without_number(&error)))?;
        if bytes.len() as u64 > LARGEST {
            return Err(unreadable(
                "it is larger than 16 MB; a policy is a text of some kilobytes".into(),
            ));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            unreadable(format!("byte {} is not UTF-8", error.utf8_error().valid_up_to()))
        })?;
        Ok(Self::new(name, &text))
    }

    /// The one policy that the text is or carries.
    ///
    /// # Errors
    /// As [`Source::policies`], and where there are several.
    pub fn policy(&self) -> Result<Document, Syntax> {
        let mut found = self.policies()?;
        match (found.pop(), found.pop()) {
            (Some(document), None) => Ok(document),
            (last, _) => Err(several(last.as_ref(), found.len().saturating_add(2))),
        }
    }

    /// Every policy that the text is or carries, at least one.
    ///
    /// # Errors
    /// When the text is neither YAML nor JSON, or no policy is in it.
    pub fn policies(&self) -> Result<Vec<Document>, Syntax> {
        let documents = self.documents(Dialect::Policy)?;
        let mut found =
            carrier::policies_in(&self.text, documents, |dialect| self.documents(dialect))?;
        if self.is_json() {
            found.iter_mut().for_each(|document| document.is_json = true);
        }
        Ok(found)
    }

    /// The documents of the text as they stand, whatever they mean.
    ///
    /// # Errors
    /// When the text is neither YAML nor JSON.
    pub fn values(&self) -> Result<Vec<Value>, Syntax> {
        Ok(self.documents(Dialect::Policy)?.into_iter().map(|tree| tree.value).collect())
    }

    /// A document that is no policy and carries none, with its places: null where the text is empty.
    ///
    /// # Errors
    /// When it is no YAML or JSON, or there are several documents.
    pub fn plain(&self) -> Result<(Value, Places), Syntax> {
        let mut all = self.documents(Dialect::Policy)?;
        match (all.pop(), all.is_empty()) {
            (None, _) => Ok((Value::Null, Places::default())),
            (Some(tree), true) => Ok((tree.value, tree.places)),
            (Some(_), false) => Err(Syntax {
                code: "invalid_yaml",
                place: Place { line: 1, column: 1, length: 1 },
                message: "there are several documents, and one is wanted".to_owned(),
                help: Some("write each into a file of its own".to_owned()),
            }),
        }
    }

    /// The documents of the text with their places: JSON where the name ends with `.json`, else YAML or JSON.
    fn documents(&self, dialect: Dialect) -> Result<Vec<Tree>, Syntax> {
        let as_json = serde_json::from_str::<Value>(&self.text);
        // Whoever writes quotes around the first field's name means JSON, and wants JSON's errors.
        let begin = self.text.trim_start().strip_prefix('{').map(str::trim_start);
        let looks_like_json = begin.is_some_and(|begin| begin.starts_with(['"', '}']));
        match as_json {
            // The places come from the YAML reader, which reads nearly all JSON. Where it does not, the
            // diagnostics have paths and no lines.
            Ok(value) if self.is_json || looks_like_json => {
                let read = yaml::read(&self.text, Dialect::Policy).unwrap_or_default();
                let read = read.into_iter().next();
                let (places, marks) =
                    read.map(|read| (read.places, read.marks)).unwrap_or_default();
                Ok(vec![Tree::new(value, places, marks)])
            }
            Err(error) if self.is_json => Err(from_json(&error, &self.text)),
            Err(error) if looks_like_json => {
                yaml::read(&self.text, dialect).map_err(|_| from_json(&error, &self.text))
            }
            _ => yaml::read(&self.text, dialect),
        }
    }

    /// Whether the text is JSON rather than YAML.
    pub fn is_json(&self) -> bool {
        self.is_json || serde_json::from_str::<serde::de::IgnoredAny>(&self.text).is_ok()
    }

    /// One line of the text, from 1.
    pub fn line(&self, number: usize) -> Option<&str> {
        self.text.lines().nth(number.checked_sub(1)?)
    }
}

/// `No such file or directory (os error 2)`: the number says nothing to people.
pub fn without_number(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

fn from_json(error: &serde_json::Error, text: &str) -> Syntax {
    if text.trim().is_empty() {
        return Syntax {
            code: "invalid_json",
            place: Place { line: 1, column: 1, length: 1 },
            message: advice::EMPTY.to_owned(),
            help: Some(advice::BEGIN_JSON.to_owned()),
        };
    }
    let words = error.to_string();
    // The line and column are shown anyway.
    let words = words.split(" at line ").next().unwrap_or(&words);
    // serde_json counts bytes, and 0 where a line has just begun.
    let line = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
    let before = line.get(..error.column().saturating_sub(1)).unwrap_or(line);
    let column = before.chars().count().saturating_add(1);
    let unclosed = if error.is_eof() { unclosed(text) } else { None };
    let (message, help) = match unclosed {
        Some((bracket, line, column)) => (
            "not JSON: the text ends too early".to_owned(),
            Some(format!(
                "the `{bracket}` of line {line}, column {column} is not closed; was the file cut off?"
            )),
        ),
        None => (format!("not JSON: {words}"), None),
    };
    let place = Place { line: error.line().max(1), column, length: 1 };
    Syntax { code: "invalid_json", place, message, help }
}

/// The innermost bracket or quote of a JSON text that is not closed, with its line and column.
fn unclosed(text: &str) -> Option<(char, usize, usize)> {
    let mut open = Vec::new();
    let (mut in_text, mut escaped) = (false, false);
    for (index, line) in text.lines().enumerate() {
        for (at, c) in line.chars().enumerate() {
            match c {
                _ if escaped => escaped = false,
                '\\' if in_text => escaped = true,
                '"' if in_text => {
                    in_text = false;
                    open.pop();
                }
                _ if in_text => {}
                '{' | '[' | '"' => {
                    in_text = c == '"';
                    open.push((c, index.saturating_add(1), at.saturating_add(1)));
                }
                '}' | ']' => drop(open.pop()),
                _ => {}
            }
        }
    }
    open.pop()
}

fn several(last: Option<&Document>, count: usize) -> Syntax {
    let begin = last.and_then(|document| document.places.find("", Part::Value));
    Syntax {
        code: "several_policies",
        place: begin.unwrap_or(Place { line: 1, column: 1, length: 1 }),
        message: format!("the file has {count} policies, and this takes one"),
        help: Some("give each a file of its own; `splitctl validate` checks all of them".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &str, text: &str) -> Result<Document, Syntax> {
        Source::new(name, text).policy()
    }

    #[test]
    fn yaml_and_json_make_the_same_document() {
        let yaml = parse("a.yaml", "version: 1\nsplits: [{name: a, weight: 5.0}]\n").unwrap();
        let json =
            parse("a.json", r#"{"version": 1, "splits": [{"name": "a", "weight": 5.0}]}"#).unwrap();
        assert_eq!(yaml.value, json.value);
    }

    #[test]
    fn json_has_places_too() {
        let text = "{\n\t\"version\": 1,\n\t\"splits\":[{\"name\":\"a\"}]\n}\n";
        let document = parse("-", text).unwrap();
        let place = document.places.find("splits[0].name", Part::Value);
        assert_eq!(place.map(|place| (place.line, place.length)), Some((3, 3)));
    }

    #[test]
    fn a_json_file_must_be_json() {
        let syntax = parse("a.json", "version: 1\n").unwrap_err();
        assert_eq!((syntax.code, syntax.place.line, syntax.place.column), ("invalid_json", 1, 1));
    }

    #[test]
    fn broken_json_has_jsons_error_whatever_its_name() {
        let syntax = parse("<stdin>", "{\"version\": 1,\n \"splits\": [}\n").unwrap_err();
        assert_eq!((syntax.code, syntax.place.line, syntax.place.column), ("invalid_json", 2, 13));
    }

    #[test]
    fn json_that_is_cut_off_says_which_bracket_is_open() {
        for (text, wanted) in [
            (
                "{\n  \"a\": [1, {\"b\": \"}\\\"\"}\n",
                "the `[` of line 2, column 8 is not closed; was the file cut off?",
            ),
            (
                "{\"a\": \"b\\\"",
                "the `\"` of line 1, column 7 is not closed; was the file cut off?",
            ),
            ("{\"a\": 1", "the `{` of line 1, column 1 is not closed; was the file cut off?"),
        ] {
            let syntax = parse("a.json", text).unwrap_err();
            assert_eq!(syntax.message, "not JSON: the text ends too early");
            assert_eq!(syntax.help.as_deref(), Some(wanted), "{text}");
        }
    }

    #[test]
    fn a_yaml_flow_mapping_is_yaml() {
        assert!(parse("<stdin>", "{version: 1, splits: []}").is_ok());
        assert!(parse("<stdin>", "{\"version\": 1, splits: []}").is_ok());
    }

    #[test]
    fn deep_json_is_refused() {
        assert_eq!(parse("a.json", &"[".repeat(10_000)).unwrap_err().code, "invalid_json");
    }

    #[test]
    fn what_cannot_be_read_is_told_in_words() {
        let missing = Source::read(Path::new("/nowhere/policy.yaml")).unwrap_err();
        assert_eq!(
            missing.to_string(),
            "cannot read `/nowhere/policy.yaml`: no such file or directory"
        );
        let folder = Source::read(Path::new("/")).unwrap_err();
        assert_eq!(folder.to_string(), "cannot read `/`: is a directory");
        let binary = Source::read_from(&b"a: \xff"[..], "x").unwrap_err();
        assert_eq!(binary.to_string(), "cannot read `x`: byte 3 is not UTF-8");
        let endless = Source::read_from(io::repeat(b' '), "x").unwrap_err();
        assert!(endless.to_string().contains("larger than 16 MB"));
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_text() {
        assert!(parse("a.json", "\u{feff}{\"version\": 1}").is_ok());
        assert!(parse("a.yaml", "\u{feff}version: 1").unwrap().value.field("version").is_some());
    }
}
