//! Reading objects of a document: every field is asked for by name, and what nobody asked for is
//! reported with the name that was probably meant.

use crate::policy::name_map::NameMap;
use crate::policy::sink::{Path, Sink};
use crate::policy::{Code, Value};

/// The fields of one object while it is being read.
pub(super) struct Fields<'v, 'p> {
    path: &'p Path<'p>,
    fields: &'v [(String, Value)],
    asked: Vec<&'static str>,
}

impl<'v, 'p> Fields<'v, 'p> {
    /// Begins to read an object; reports anything else, and fields that are given twice.
    pub(super) fn open(value: &'v Value, path: &'p Path<'p>, sink: &mut Sink) -> Option<Self> {
        let Value::Object(fields) = value else {
            sink.wrong_type(path, "an object", value);
            return None;
        };
        let mut seen = NameMap::default();
        for (name, _) in fields {
            if seen.insert(name, 0).is_some() {
                sink.error(
                    Code::DuplicateField,
                    &Path::Field(path, name),
                    format!("field `{name}` is given twice"),
                )
                .help("keep one of them");
            }
        }
        Some(Self { path, fields, asked: Vec::new() })
    }

    /// The value of a field, if it is there.
    #[inline(never)]
    pub(super) fn get(&mut self, name: &'static str) -> Option<&'v Value> {
        if !self.asked.contains(&name) {
            self.asked.push(name);
        }
        self.fields.iter().find(|(n, _)| n == name).map(|(_, v)| v)
    }

    /// Reads a field, if it is there; `read` reports its own problems.
    pub(super) fn optional<T>(
        &mut self,
        name: &'static str,
        sink: &mut Sink,
        read: impl FnOnce(&'v Value, &Path, &mut Sink) -> Option<T>,
    ) -> Option<T> {
        read_entry(&self.entry(name), sink, read)
    }

    /// Reads a field that must be there.
    pub(super) fn required<T>(
        &mut self,
        name: &'static str,
        sink: &mut Sink,
        read: impl FnOnce(&'v Value, &Path, &mut Sink) -> Option<T>,
    ) -> Option<T> {
        read_entry(&self.required_entry(name, sink), sink, read)
    }

    // What the two do that does not depend on `read`, so that it is in the module once.

    #[inline(never)]
    fn entry(&mut self, name: &'static str) -> Option<Entry<'v, 'p>> {
        self.get(name).map(|value| (value, Path::Field(self.path, name)))
    }

    #[inline(never)]
    fn required_entry(&mut self, name: &'static str, sink: &mut Sink) -> Option<Entry<'v, 'p>> {
        let entry = self.entry(name);
        if entry.is_none() {
            let here = self.path.to_string();
            let whose = if here.is_empty() { "the policy".to_owned() } else { format!("`{here}`") };
            // A misspelt field is reported as unknown; that it is missing goes with it.
            sink.error(Code::MissingField, self.path, format!("{whose} needs a field `{name}`"));
        }
        entry
    }

    /// Ends the reading: reports every field that nobody asked for.
    pub(super) fn close(self, sink: &mut Sink) {
        for (name, _) in self.fields {
            if !self.asked.contains(&name.as_str()) {
                sink.unknown(
                    Code::UnknownField,
                    &Path::Field(self.path, name),
                    "field",
                    name,
                    &self.asked,
                );
            }
        }
    }
}

/// A field's value and its place.
type Entry<'v, 'p> = (&'v Value, Path<'p>);

/// Reads a field that may be there. It is lent here: moving it around is much of what reading one
/// field takes of the module.
fn read_entry<'v, T>(
    entry: &Option<Entry<'v, '_>>,
    sink: &mut Sink,
    read: impl FnOnce(&'v Value, &Path, &mut Sink) -> Option<T>,
) -> Option<T> {
    match entry {
        Some((value, path)) => read(value, path, sink),
        None => None,
    }
}

pub(super) fn read_bool(value: &Value, path: &Path, sink: &mut Sink) -> Option<bool> {
    match value {
        Value::Bool(b) => Some(*b),
        _ => {
            sink.wrong_type(path, "`true` or `false`", value);
            None
        }
    }
}

pub(super) fn read_text<'v>(value: &'v Value, path: &Path, sink: &mut Sink) -> Option<&'v str> {
    match value {
        Value::String(text) => Some(text),
        _ => {
            let diagnostic = sink.wrong_type(path, "a string", value);
            if matches!(value, Value::Bool(_) | Value::Integer(_) | Value::Float(_)) {
                diagnostic.help(format!("put it in quotes: \"{value}\""));
            }
            None
        }
    }
}

/// Reads a list that must not be empty; `None` when any item failed, which has reported why.
pub(super) fn read_list<'v, T>(
    value: &'v Value,
    path: &Path,
    sink: &mut Sink,
    mut read: impl FnMut(&'v Value, &Path, &mut Sink) -> Option<T>,
) -> Option<Vec<T>> {
    let Value::List(items) = value else {
        sink.wrong_type(path, "a list", value);
        return None;
    };
    if items.is_empty() {
        sink.error(Code::EmptyList, path, "the list is empty")
            .help("add an entry, or leave the field out");
        return None;
    }
    let mut list = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        // After one that failed the others are read all the same, to report their problems.
        list.extend(read(item, &Path::Index(path, index), sink));
    }
    (list.len() == items.len()).then_some(list)
}

/// Warns, once, that some values of a list were there already.
pub(super) fn warn_of_duplicates(count: usize, path: &Path, sink: &mut Sink) {
    let message = match count {
        0 => return,
        1 => "one value is in the list already".to_owned(),
        _ => format!("{count} values are in the list already"),
    };
    sink.warning(Code::DuplicateValue, path, message)
        .help("each value counts once: remove the others");
}
