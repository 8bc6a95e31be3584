//! YAML as one of its readers reads it ([`Dialect`]): text -> document, the place of every part of it, and what there is to
//! say about it.
//!
//! What the core schema does not have is an error, never a guess: other tags, keys that are not scalars. Merge keys (`<<`)
//! belong to YAML 1.1: they are expanded where kubectl reads; elsewhere `<<` is a field like any other.

use std::collections::HashMap;
use std::ops::Range;

use engine::policy::Value;
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

use super::dialect::{Dialect, Doubt};
use super::notes::{Mark, Note};
use super::places::{Entry, Place, Places};
use super::{Document, Syntax};

/// Deeper than any policy, and far less than the stack holds.
const DEPTH: usize = 128;

/// The most values a document may have after its aliases are expanded, so that a few lines of aliases of
/// aliases cannot fill the memory.
const VALUES: usize = 1_000_000;

/// One document of a text.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    pub(super) value: Value,
    pub(super) places: Places,
    pub(super) marks: Vec<Mark>,
}

impl Tree {
    pub(super) const fn new(value: Value, places: Places, marks: Vec<Mark>) -> Self {
        Self { value, places, marks }
    }

    /// A part of it as a document.
    pub(super) fn into_document(self, carrier: Option<String>) -> Document {
        let Self { value, places, marks } = self;
        Document { value, places, marks, is_json: false, carrier }
    }
}

/// Reads all documents of a text. Empty ones, as between two `---`, are none; an empty text is one `null`.
pub(super) fn read(text: &str, dialect: Dialect) -> Result<Vec<Tree>, Syntax> {
    let mut reader = Reader {
        events: Parser::new_from_str(text),
        dialect,
        anchors: HashMap::new(),
        places: Places::default(),
        marks: Vec::new(),
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
                let places = std::mem::take(&mut reader.places);
                let mut marks = std::mem::take(&mut reader.marks);
                marks.retain(|mark| mark.counts(dialect));
                documents.push(Tree::new(value, places, marks));
            }
        }
    }
    match documents.iter().any(|document| document.value != Value::Null) {
        true => documents.retain(|document| document.value != Value::Null),
        false => documents.truncate(1),
    }
    if documents.is_empty() {
        documents.push(Tree::new(Value::Null, Places::default(), Vec::new()));
    }
    Ok(documents)
}

struct Reader<'t> {
    events: Parser<'t, StrInput<'t>>,
    dialect: Dialect,
    /// Anchored values that are complete.
    anchors: HashMap<usize, Anchored>,
    places: Places,
    marks: Vec<Mark>,
    /// How many values there are so far.
    values: usize,
}

/// A value that has an anchor.
#[derive(Clone)]
struct Anchored {
    value: Value,
    /// How many values are in it.
    size: usize,
    /// What is marked in it, by paths below this one.
    marks: Range<usize>,
    path: String,
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
        let before = (self.values, self.marks.len());
        self.count(1, span)?;
        if here.depth > DEPTH {
            return Err(error(span, &format!("nested more than {DEPTH} levels deep")));
        }
        let is_collection = matches!(event, Event::SequenceStart(..) | Event::MappingStart(..));
        self.places.add(&here.path, Entry { name: here.name, value: place(span), is_collection });
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                (self.scalar(&text, style, tag.as_deref(), here, span)?, anchor)
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
                let Some(anchored) = self.anchors.get(&anchor).cloned() else {
                    return Err(error(
                        span,
                        "this alias stands inside the value that it refers to",
                    ));
                };
                self.count(anchored.size, span)?;
                self.mark_again(&anchored, here, span);
                (anchored.value, 0)
            }
            _ => return Err(error(span, "a value is missing here")),
        };
        if anchor != 0 {
            let (values, marks) = before;
            self.anchors.insert(
                anchor,
                Anchored {
                    value: value.clone(),
                    size: self.values.saturating_sub(values),
                    marks: marks..self.marks.len(),
                    path: here.path.clone(),
                },
            );
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
        // How many of the fields came by a merge key: they stand first, and give way to those that are written.
        let mut merged = 0_usize;
        loop {
            let (event, span) = self.next()?;
            let name = match event {
                Event::MappingEnd => return Ok(Value::Object(fields)),
                Event::Scalar(text, style, anchor, tag) => {
                    if anchor != 0 {
                        let value = Value::String(text.to_string());
                        let path = here.path.clone();
                        self.anchors.insert(anchor, Anchored { value, size: 1, marks: 0..0, path });
                    }
                    let is_plain = style == ScalarStyle::Plain && tag.is_none();
                    if is_plain && text == "<<" && self.dialect == Dialect::Kubernetes {
                        self.merge(&mut fields, &mut merged, here, span)?;
                        continue;
                    }
                    self.name(text.into_owned(), is_plain, here, span)?
                }
                Event::Alias(anchor) => match self.anchors.get(&anchor) {
                    Some(Anchored { value: Value::String(text), .. }) => text.clone(),
                    _ => return Err(error(span, "a field name must be a text")),
                },
                _ => return Err(error(span, "a field name must be a text, not a list or object")),
            };
            self.count(1, span)?;
            let next = self.next()?;
            let below = here.field(&name, place(span));
            if let Some(at) = fields.iter().take(merged).position(|(other, _)| *other == name) {
                fields.remove(at);
                merged = merged.saturating_sub(1);
                self.places.remove(&below.path);
                // None is taken away: anchors know theirs by number.
                self.marks.iter_mut().for_each(|mark| mark.end_below(&below.path));
            }
            let value = self.value(next, &below)?;
            fields.push((name, value));
        }
    }

    /// The name of a field: a text, but kubectl reads numbers and booleans first and writes them anew.
    fn name(
        &mut self,
        text: String,
        is_plain: bool,
        here: &Here,
        span: Span,
    ) -> Result<String, Syntax> {
        if !is_plain || self.dialect != Dialect::Kubernetes {
            return Ok(text);
        }
        let name = match self.dialect.plain(&text) {
            Value::String(name) => return Ok(name),
            value @ (Value::Bool(_) | Value::Integer(_)) => value.to_string(),
            _ => {
                let message = format!("kubectl does not take `{text}` for the name of a field");
                return Err(Syntax {
                    help: Some("put it in quotes".into()),
                    ..error(span, &message)
                });
            }
        };
        if name != text {
            let message = format!("kubectl reads the name `{text}` as `{name}`");
            let help = format!("put it in quotes: \"{text}\"");
            let doubt = Doubt { refused: false, message, help };
            self.note(doubt, &here.field(&name, place(span)), span);
        }
        Ok(name)
    }

    /// Takes over the fields of other objects, as kubectl does: of several the first has them.
    fn merge(
        &mut self,
        fields: &mut Vec<(String, Value)>,
        merged: &mut usize,
        here: &Here,
        span: Span,
    ) -> Result<(), Syntax> {
        let next = self.next()?;
        let marks = self.marks.len();
        let at = here.field("<<", place(span));
        let value = self.value(next, &at)?;
        let objects = match value {
            Value::Object(_) => vec![(at.path.clone(), value)],
            Value::List(items) => {
                let path = |index| format!("{}[{index}]", at.path);
                items.into_iter().enumerate().map(|(index, item)| (path(index), item)).collect()
            }
            _ => Vec::new(),
        };
        let marked = self.marks.get(marks..).unwrap_or_default().to_vec();
        let mut taken: Vec<(String, Value)> = Vec::new();
        for (path, object) in objects {
            let Value::Object(inner) = object else {
                return Err(error(span, "`<<` takes an object, or a list of objects"));
            };
            for (name, value) in inner {
                if taken.iter().any(|(other, _)| *other == name) {
                    continue;
                }
                if fields.iter().any(|(other, _)| *other == name) {
                    let message = format!(
                        "readers of YAML differ on which `{name}` counts: `<<` comes after the field"
                    );
                    return Err(Syntax {
                        help: Some("put `<<` first".into()),
                        ..error(span, &message)
                    });
                }
                let (from, to) = (format!("{path}.{name}"), here.field(&name, place(span)).path);
                self.marks.extend(marked.iter().filter_map(|mark| mark.moved(&from, &to)));
                self.places.copy(&from, &to);
                taken.push((name, value));
            }
        }
        if taken.is_empty() {
            return Err(error(span, "`<<` takes an object, or a list of objects"));
        }
        let own = fields.split_off(*merged);
        *merged = merged.saturating_add(taken.len());
        fields.extend(taken);
        fields.extend(own);
        Ok(())
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        here: &Here,
        span: Span,
    ) -> Result<Value, Syntax> {
        let value = match tag {
            None if style != ScalarStyle::Plain => Value::String(text.to_owned()),
            None => {
                if let Some(doubt) = self.dialect.doubt(text) {
                    self.note(doubt, here, span);
                }
                self.dialect.plain(text)
            }
            Some(tag) => {
                let value = tagged(text, tag, self.dialect).map_err(|why| error(span, &why))?;
                if self.dialect == Dialect::Envoy && !is_non_specific(tag) {
                    let read = self.dialect.plain(text);
                    let is_read = std::mem::discriminant(&read) == std::mem::discriminant(&value);
                    // Nor does it take an empty text with a tag for null.
                    let is_null = value == Value::Null;
                    if is_null || !is_read && !matches!(value, Value::Float(_)) {
                        let message = format!("Envoy does not read the tag `{tag}`");
                        let help = "leave the tag out, and put a text in quotes".to_owned();
                        self.note(Doubt { refused: true, message, help }, here, span);
                    }
                }
                value
            }
        };
        if matches!(value, Value::Bool(_) | Value::Integer(_) | Value::Float(_)) {
            self.marks.push(Mark::written(&here.path, text));
        }
        Ok(value)
    }

    fn note(&mut self, doubt: Doubt, here: &Here, span: Span) {
        let note = Note::new(doubt, here.path.clone(), place(span));
        self.marks.push(Mark::Note(note));
    }

    /// What is marked in an anchored value is so where its alias stands.
    fn mark_again(&mut self, anchored: &Anchored, here: &Here, span: Span) {
        let marks = self.marks.get(anchored.marks.clone()).unwrap_or_default();
        let again = marks.iter().filter_map(|mark| mark.moved(&anchored.path, &here.path));
        let again: Vec<Mark> = again.map(|mark| mark.at(place(span))).collect();
        self.marks.extend(again);
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

fn is_non_specific(tag: &Tag) -> bool {
    tag.handle.is_empty() && tag.suffix == "!"
}

fn tagged(text: &str, tag: &Tag, dialect: Dialect) -> Result<Value, String> {
    if is_non_specific(tag) {
        return Ok(Value::String(text.to_owned()));
    }
    if !tag.is_yaml_core_schema() {
        return Err(unknown_tag(tag));
    }
    let value = dialect.plain(text);
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

#[cfg(test)]
mod tests {
    use super::super::places::Part;
    use super::*;

    fn one(text: &str) -> Tree {
        let mut documents = read(text, Dialect::Policy).unwrap();
        assert_eq!(documents.len(), 1, "{text}");
        documents.remove(0)
    }

    fn tree(text: &str) -> Value {
        one(text).value
    }

    fn refused(text: &str) -> (usize, usize, String) {
        let syntax = read(text, Dialect::Policy).err().unwrap();
        (syntax.place.line, syntax.place.column, syntax.message)
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
        let Tree { value, places, .. } = one("a: &x {b: 1}\nc: *x\n");
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
        let count = |text: &str| read(text, Dialect::Policy).unwrap().len();
        assert_eq!(count("a: 1\n---\nb: 2\n"), 2);
        assert_eq!(count("---\na: 1\n---\n# nothing\n---\n"), 1);
        assert_eq!(count("---\n---\n"), 1);
        assert!(
            read("a: &x 1\n---\nb: *x\n", Dialect::Policy).is_err(),
            "an anchor is of its document"
        );
    }

    #[test]
    fn an_empty_text_is_null_and_comments_are_no_content() {
        assert_eq!(tree(""), Value::Null);
        assert_eq!(tree("# nothing\n"), Value::Null);
        assert_eq!(tree("---\n# c\na: 1 # d\n...\n").field("a"), Some(&Value::Integer(1)));
    }
}
