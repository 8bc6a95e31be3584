//! Where in the text the parts of a document stand.

use std::collections::HashMap;

/// A piece of one line of the text. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The first column.
    pub column: usize,
    /// How many characters belong to it, at least 1.
    pub length: usize,
}

/// A field or list item: where its value is and, for a field, its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: Option<Place>,
    pub(crate) value: Place,
    /// The value is a list or object, of which only the begin is a place.
    pub(crate) is_collection: bool,
}

/// Finds places by the paths that diagnostics use, such as `splits[0].variants[1].weight`.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// Equal names in one object make equal paths: all of them, in the order of the text.
    entries: HashMap<String, Vec<Entry>>,
}

/// Which part of an entry is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The value, or the name of the field where the value is a list or object.
    Value,
    /// The name of the field.
    Name,
    /// The name of the last field of that path, where there are several.
    LastName,
}

impl Places {
    pub(crate) fn add(&mut self, path: &str, entry: Entry) {
        self.entries.entry(path.to_owned()).or_default().push(entry);
    }

    /// What is at a path, or below, stands at another path, too.
    pub(super) fn copy(&mut self, from: &str, to: &str) {
        let inside = |(path, entries): (&String, &Vec<Entry>)| {
            let rest = path.strip_prefix(from)?;
            let whole = rest.is_empty() || rest.starts_with(['.', '[']);
            whole.then(|| (format!("{to}{rest}"), entries.clone()))
        };
        let copies: Vec<_> = self.entries.iter().filter_map(inside).collect();
        self.entries.extend(copies);
    }

    /// Nothing is at a path any more, or below.
    pub(super) fn remove(&mut self, root: &str) {
        let is_below = |path: &str| {
            path.strip_prefix(root)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        self.entries.retain(|path, _| !is_below(path));
    }

    /// Everything is at one place: what a text holds whose characters stand somewhere else.
    pub(super) fn all_at(place: Place) -> Self {
        let mut places = Self::default();
        places.add("", Entry { name: None, value: place, is_collection: false });
        places
    }

    /// Where something begins, to put what is about it in order: line and column of the deepest part of its path that has a place,
    /// and then the path; what has none comes first.
    pub(crate) fn order_of(&self, path: &str) -> Option<(usize, usize)> {
        let mut path = path;
        loop {
            if let Some(place) = self.find(path, Part::Value) {
                return Some((place.line, place.column));
            }
            path = path.get(..path.rfind(['.', '['])?)?;
        }
    }

    /// The path of what begins first at that line or below; the outermost, where several begin together.
    pub fn first_from(&self, line: usize) -> Option<&str> {
        let begin = |entry: &Entry| entry.name.unwrap_or(entry.value);
        let all = self.entries.iter().flat_map(|(path, entries)| {
            entries.iter().map(move |entry| (begin(entry).line, begin(entry).column, path.as_str()))
        });
        let below = all.filter(|(at, ..)| *at >= line);
        below.min_by_key(|(line, column, path)| (*line, *column, path.len())).map(|(.., path)| path)
    }

    /// The places of one part of the document, which becomes a document of its own.
    pub(super) fn below(&self, root: &str) -> Self {
        let inside = |(path, entries): (&String, &Vec<Entry>)| {
            let rest = path.strip_prefix(root)?;
            let whole = rest.is_empty() || rest.starts_with(['.', '[']);
            let rest = rest.strip_prefix('.').unwrap_or(rest);
            whole.then(|| (rest.to_owned(), entries.clone()))
        };
        Self { entries: self.entries.iter().filter_map(inside).collect() }
    }

    /// The places after every one has moved.
    pub(super) fn moved(mut self, to: impl Fn(Place) -> Place) -> Self {
        for entry in self.entries.values_mut().flatten() {
            entry.value = to(entry.value);
            entry.name = entry.name.map(&to);
        }
        self
    }

    /// The place of a part, or of the nearest thing around it that has one: a field that is missing has no
    /// place, the object that should have it does.
    pub fn find(&self, path: &str, part: Part) -> Option<Place> {
        let mut path = path;
        let mut part = part;
        loop {
            if let Some(entries) = self.entries.get(path) {
                let entry = match part {
                    Part::LastName => entries.last(),
                    Part::Value | Part::Name => entries.first(),
                }?;
                let by_name = part != Part::Value || entry.is_collection;
                return Some(entry.name.filter(|_| by_name).unwrap_or(entry.value));
            }
            path = parent(path)?;
            part = Part::Value;
        }
    }
}

/// `a[0].b` -> `a[0]` -> `a` -> nothing: the empty path is the whole document.
fn parent(path: &str) -> Option<&str> {
    if path.is_empty() {
        return None;
    }
    Some(path.rfind(['.', '[']).and_then(|end| path.get(..end)).unwrap_or(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(line: usize) -> Place {
        Place { line, column: 1, length: 1 }
    }

    #[test]
    fn what_has_no_place_is_shown_at_what_is_around_it() {
        let mut places = Places::default();
        places.add("", Entry { name: None, value: place(1), is_collection: true });
        places.add("a[0]", Entry { name: None, value: place(5), is_collection: true });
        assert_eq!(places.find("a[0].b.c", Part::Value), Some(place(5)));
        assert_eq!(places.find("a[1]", Part::Name), Some(place(1)));
        assert_eq!(Places::default().find("a", Part::Value), None);
    }

    #[test]
    fn of_two_fields_with_one_name_the_last_can_be_found() {
        let mut places = Places::default();
        places.add("a", Entry { name: Some(place(1)), value: place(2), is_collection: false });
        places.add("a", Entry { name: Some(place(3)), value: place(4), is_collection: false });
        assert_eq!(places.find("a", Part::Value), Some(place(2)));
        assert_eq!(places.find("a", Part::Name), Some(place(1)));
        assert_eq!(places.find("a", Part::LastName), Some(place(3)));
    }
}
