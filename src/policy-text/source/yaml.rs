//! YAML 1.2 with its core schema: text -> document and the place of every part of it.
//!
//! What the schema does not have is an error, never a guess: other tags, keys that are not scalars. Merge keys (`<<`) belong to YAML 1.1; here `<<` is a field like any other.

use std::collections::HashMap;

use engine::policy::Value;
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

use super::Syntax;
use super::places::{Entry, Place, Places};

/// Deeper than any policy, and far less than the stack holds.
const DEPTH: usize = 128;

/// The most values a document may have after its aliases are expanded, so that a few lines of aliases of
/// aliases cannot fill the memory.
const VALUES: usize = 1_000_000;

/// One document of a text.
pub(super) struct Tree {
    pub(super) value: Value,
    pub(super) places: Places,
}

/// Reads all documents of a text. Empty ones, as between two `---`, are none; an empty text is one `null`.
pub(super) fn read(text: &str) -> Result<Vec<Tree>, Syntax> {
    let mut reader = Reader {
        events: Parser::new_from_str(text),
        anchors: HashMap::new(),
        places: Places::default(),
        values: 0,
    };
    let mut documents = Vec::new();
    loop {
        match reader.next()? {
            (Event::StreamEnd, _) => break,
            // An anchor is known in its own document only.
            (Event::DocumentStart(_), _) => reader.anchors.clear(),
            (Event::StreamStart | Event::DocumentEnd | Event::Nothing, _) => {}
            first => {
                let value = reader.value(first, &Here::root())?;
                documents.push(Tree { value, places: std::mem::take(&mut reader.places) });
            }
        }
    }
    match documents.iter().any(|document| document.value != Value::Null) {
        true => documents.retain(|document| document.value != Value::Null),
        false => documents.truncate(1),
    }
    if documents.is_empty() {
        documents.push(Tree { value: Value::Null, places: Places::default() });
    }
    Ok(documents)
}

struct Reader<'t> {
    events: Parser<'t, StrInput<'t>>,
    /// Anchored values that are complete, with the number of values in each.
    anchors: HashMap<usize, (Value, usize)>,
    places: Places,
    /// How many values there are so far.
    values: usize,
}

/// Where the value stands that is being read.
struct Here {
    path: String,
    name: Option<Place>,
    depth: usize,
}

impl Here {
    fn root() -> Self {
        Self { path: String::new(), name: None, depth: 0 }
    }

    fn field(&self, name: &str, place: Place) -> Self {
        let path =
            if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        Self { path, name: Some(place), depth: self.depth.saturating_add(1) }
    }

    fn item(&self, index: usize) -> Self {
        let path = format!("{}[{index}]", self.path);
        Self { path, name: None, depth: self.depth.saturating_add(1) }
    }
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<(Event<'t>, Span), Syntax> {
        match self.events.next_event() {
            Some(event) => event.map_err(|scan| from_scanner(&scan)),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn value(&mut self, (event, span): (Event<'t>, Span), here: &Here) -> Result<Value, Syntax> {
        let before = self.values;
        self.count(1, span)?;
        if here.depth > DEPTH {
            return Err(error(span, &format!("nested more than {DEPTH} levels deep")));
        }
        let is_collection = matches!(event, Event::SequenceStart(..) | Event::MappingStart(..));
        self.places.add(&here.path, Entry { name: here.name, value: place(span), is_collection });
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                (scalar(&text, style, tag.as_deref()).map_err(|why| error(span, &why))?, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                check_tag(tag.as_deref(), "seq", span)?;
                (self.list(here)?, anchor)
            }
            Event::MappingStart(anchor, tag) => {
                check_tag(tag.as_deref(), "map", span)?;
                (self.object(here)?, anchor)
            }
            Event::Alias(anchor) => {
                // An anchor is known only when its value is complete.
                let Some((value, size)) = self.anchors.get(&anchor).cloned() else {
                    return Err(error(
                        span,
                        "this alias stands inside the value that it refers to",
                    ));
                };
                self.count(size, span)?;
                (value, 0)
            }
            _ => return Err(error(span, "a value is missing here")),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, (value.clone(), self.values.saturating_sub(before)));
        }
        Ok(value)
    }

    fn list(&mut self, here: &Here) -> Result<Value, Syntax> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(items)),
                item => items.push(self.value(item, &here.item(items.len()))?),
            }
        }
    }

    fn object(&mut self, here: &Here) -> Result<Value, Syntax> {
        let mut fields = Vec::new();
        loop {
            let (event, span) = self.next()?;
            let name = match event {
                Event::MappingEnd => return Ok(Value::Object(fields)),
                Event::Scalar(text, _, anchor, _) => {
                    if anchor != 0 {
                        self.anchors.insert(anchor, (Value::String(text.to_string()), 1));
                    }
                    text.into_owned()
                }
                Event::Alias(anchor) => match self.anchors.get(&anchor) {
                    Some((Value::String(text), _)) => text.clone(),
                    _ => return Err(error(span, "a field name must be a text")),
                },
                _ => return Err(error(span, "a field name must be a text, not a list or object")),
            };
            self.count(1, span)?;
            let next = self.next()?;
            let value = self.value(next, &here.field(&name, place(span)))?;
            fields.push((name, value));
        }
    }

    fn count(&mut self, more: usize, span: Span) -> Result<(), Syntax> {
        self.values = self.values.saturating_add(more);
        if self.values > VALUES {
            return Err(error(
                span,
                &format!("with its aliases expanded the document exceeds {VALUES} values"),
            ));
        }
        Ok(())
    }
}

fn from_scanner(scan: &ScanError) -> Syntax {
    let place = Place {
        line: scan.marker().line(),
        column: scan.marker().col().saturating_add(1),
        length: 1,
    };
    Syntax {
        code: "invalid_yaml",
        place,
        message: format!("not YAML: {}", scan.info()),
        help: None,
    }
}

fn error(span: Span, message: &str) -> Syntax {
    Syntax { code: "invalid_yaml", place: place(span), message: message.to_owned(), help: None }
}

fn place(span: Span) -> Place {
    let on_one_line = span.start.line() == span.end.line();
    let length = if on_one_line { span.end.col().saturating_sub(span.start.col()) } else { 1 };
    Place {
        line: span.start.line(),
        column: span.start.col().saturating_add(1),
        length: length.max(1),
    }
}

fn check_tag(tag: Option<&Tag>, own: &str, span: Span) -> Result<(), Syntax> {
    match tag {
        Some(tag) if !(tag.is_yaml_core_schema() && tag.suffix == own) => {
            Err(error(span, &unknown_tag(tag)))
        }
        _ => Ok(()),
    }
}

fn unknown_tag(tag: &Tag) -> String {
    format!("tag `{tag}` has no meaning in a policy")
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, String> {
    let Some(tag) = tag else {
        return Ok(match style {
            ScalarStyle::Plain => plain(text),
            _ => Value::String(text.to_owned()),
        });
    };
    if !tag.is_yaml_core_schema() {
        let non_specific = tag.handle.is_empty() && tag.suffix == "!";
        return if non_specific {
            Ok(Value::String(text.to_owned()))
        } else {
            Err(unknown_tag(tag))
        };
    }
    let value = plain(text);
    match (tag.suffix.as_str(), &value) {
        ("str", _) => Ok(Value::String(text.to_owned())),
        ("null", Value::Null) | ("bool", Value::Bool(_)) | ("int", Value::Integer(_)) => Ok(value),
        ("float", Value::Integer(number)) => Ok(Value::Float(*number as f64)),
        ("float", Value::Float(_)) => Ok(value),
        ("null" | "bool" | "int" | "float", _) => {
            Err(format!("`{text}` is no {}, as its tag says", tag.suffix))
        }
        _ => Err(unknown_tag(tag)),
    }
}

/// Whether a scalar without quotes is a text.
pub(super) fn reads_as_text(text: &str) -> bool {
    matches!(plain(text), Value::String(_))
}

/// The core schema: what a scalar without quotes means.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        _ => {}
    }
    let radix = |prefix, radix| {
        text.strip_prefix(prefix)
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_alphanumeric()))
            .and_then(|digits| i64::from_str_radix(digits, radix).ok())
    };
    if let Some(number) = radix("0x", 16).or_else(|| radix("0o", 8)) {
        return Value::Integer(number);
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        let negative = text.starts_with('-');
        return Value::Float(if negative { f64::NEG_INFINITY } else { f64::INFINITY });
    }
    // What Rust reads as a number beyond the schema are words (inf, nan), which begin with a letter.
    let begins_as_number = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let has_digit = unsigned.bytes().any(|b| b.is_ascii_digit());
    if begins_as_number && has_digit {
        if let Ok(number) = text.parse() {
            return Value::Integer(number);
        }
        if let Ok(number) = text.parse() {
            return Value::Float(number);
        }
    }
    Value::String(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::places::Part;
    use super::*;

    fn one(text: &str) -> Tree {
        let mut documents = read(text).unwrap();
        assert_eq!(documents.len(), 1, "{text}");
        documents.remove(0)
    }

    fn tree(text: &str) -> Value {
        one(text).value
    }

    fn refused(text: &str) -> (usize, usize, String) {
        let syntax = read(text).err().unwrap();
        (syntax.place.line, syntax.place.column, syntax.message)
    }

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        for (text, value) in [
            ("5", Value::Integer(5)),
            ("-5", Value::Integer(-5)),
            ("+5", Value::Integer(5)),
            ("010", Value::Integer(10)),
            ("0x1F", Value::Integer(31)),
            ("0o17", Value::Integer(15)),
            ("5.0", Value::Float(5.0)),
            ("5.", Value::Float(5.0)),
            (".5", Value::Float(0.5)),
            ("5e0", Value::Float(5.0)),
            ("99999999999999999999", Value::Float(1e20)),
            ("-.inf", Value::Float(f64::NEG_INFINITY)),
            ("true", Value::Bool(true)),
            ("~", Value::Null),
            ("", Value::Null),
            ("null", Value::Null),
        ] {
            assert_eq!(plain(text), value, "{text}");
        }
    }

    #[test]
    fn words_that_only_look_like_other_types_are_texts() {
        for text in [
            "yes", "on", "no", "inf", "nan", "infinity", "0x", "0o8", "0x-1", "1_000", "1.2.3",
            ".", "e5", "-",
        ] {
            assert_eq!(plain(text), Value::String(text.to_owned()), "{text}");
        }
    }

    #[test]
    fn quotes_make_a_text() {
        assert_eq!(tree("'5'"), Value::String("5".into()));
        assert_eq!(tree("\"true\""), Value::String("true".into()));
        assert_eq!(tree("!!str 5"), Value::String("5".into()));
    }

    #[test]
    fn duplicate_fields_both_stay() {
        let fields = vec![("a".into(), Value::Integer(1)), ("a".into(), Value::Integer(2))];
        assert_eq!(tree("a: 1\na: 2\n"), Value::Object(fields));
    }

    #[test]
    fn places_are_found_by_path() {
        let Tree { places, .. } = one("splits:\n- name: a\n  variants: [{name: b, weight: 5}]\n");
        let weight = |part| places.find("splits[0].variants[0].weight", part).unwrap();
        assert_eq!(weight(Part::Value), Place { line: 3, column: 32, length: 1 });
        assert_eq!(weight(Part::Name), Place { line: 3, column: 24, length: 6 });
        let list = places.find("splits[0].variants", Part::Value).unwrap();
        assert_eq!(list, Place { line: 3, column: 3, length: 8 });
    }

    #[test]
    fn columns_count_characters() {
        let Tree { places, .. } = one("a: ä\n\"ö\": {b: 'x'}\n");
        assert_eq!(places.find("ö.b", Part::Value), Some(Place { line: 2, column: 10, length: 3 }));
    }

    #[test]
    fn an_alias_is_its_anchors_value_and_is_shown_where_it_stands() {
        let Tree { value, places } = one("a: &x {b: 1}\nc: *x\n");
        assert_eq!(value.field("c"), value.field("a"));
        assert_eq!(places.find("c.b", Part::Value), Some(Place { line: 2, column: 4, length: 2 }));
    }

    #[test]
    fn an_alias_bomb_is_refused() {
        let mut text = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n".to_owned();
        for n in 1..9 {
            let alias = format!("*a{}, ", n - 1).repeat(10);
            text.push_str(&format!("a{n}: &a{n} [{alias}]\n"));
        }
        assert!(refused(&text).2.contains("exceeds 1000000 values"));
    }

    #[test]
    fn an_alias_inside_its_own_value_is_refused() {
        assert!(refused("a: &x [*x]").2.contains("inside the value"));
    }

    #[test]
    fn deep_nesting_is_refused() {
        assert!(refused(&"[".repeat(200)).2.contains("128 levels"));
        let block: String = (0..200).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
        assert!(refused(&block).2.contains("128 levels"));
    }

    #[test]
    fn what_the_schema_does_not_have_is_refused() {
        for (text, words) in [
            ("a: !mine 5", "tag `!mine`"),
            ("a: !!int b", "`b` is no int"),
            ("a: !!binary aGk=", "has no meaning"),
            ("[a]: 1", "field name"),
            ("? {a: 1}\n: 2", "field name"),
            ("a: b: c", "not YAML"),
            ("a: *nope", "not YAML"),
            ("a: [1, 2", "not YAML"),
        ] {
            let (_, _, message) = refused(text);
            assert!(message.contains(words), "{text:?}: {message}");
        }
    }

    #[test]
    fn documents_without_content_are_none() {
        let count = |text: &str| read(text).unwrap().len();
        assert_eq!(count("a: 1\n---\nb: 2\n"), 2);
        assert_eq!(count("---\na: 1\n---\n# nothing\n---\n"), 1);
        assert_eq!(count("---\n---\n"), 1);
        assert!(read("a: &x 1\n---\nb: *x\n").is_err(), "an anchor is of its document");
    }

    #[test]
    fn an_empty_text_is_null_and_comments_are_no_content() {
        assert_eq!(tree(""), Value::Null);
        assert_eq!(tree("# nothing\n"), Value::Null);
        assert_eq!(tree("---\n# c\na: 1 # d\n...\n").field("a"), Some(&Value::Integer(1)));
    }
}
