//! Reading objects of a document: every field is asked for by name, and what nobody asked for is
//! reported with the name that was probably meant.

use crate::policy::cursor::Cursor;
use crate::policy::name_map::NameMap;
use crate::policy::{Code, Value};

/// The fields of one object while it is being read.
pub(super) struct Fields<'v, 'p> {
    at: &'p Cursor<'v, 'p>,
    fields: &'v [(String, Value)],
    asked: Vec<&'static str>,
}

impl<'v> Cursor<'v, '_> {
    /// Begins to read an object; reports anything else, and fields that are given twice.
    pub(super) fn object(&self) -> Option<Fields<'v, '_>> {
        let Value::Object(fields) = self.value else { return self.expected("an object") };
        let mut seen = NameMap::default();
        for (name, value) in fields {
            if seen.insert(name, 0).is_some() {
                self.at_field(name, value).given_twice(name);
            }
        }
        Some(Fields { at: self, fields, asked: Vec::new() })
    }

    /// Reports a field that was there already.
    pub(super) fn given_twice(&self, name: &str) {
        let message = format!("field `{name}` is given twice");
        self.report(Code::DuplicateField, message).help("keep one of them");
    }
}

impl<'v, 'p> Fields<'v, 'p> {
    /// Whether a field is there.
    pub(super) fn has(&mut self, name: &'static str) -> bool {
        self.entry(name).is_some()
    }

    /// Reads a field, if it is there; `read` reports its own problems.
    pub(super) fn optional<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&Cursor<'v, '_>) -> Option<T>,
    ) -> Option<T> {
        // Lent: moving it around is much of what reading one field takes of the module.
        self.entry(name).as_ref().and_then(read)
    }

    /// Reads a field that must be there.
    pub(super) fn required<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&Cursor<'v, '_>) -> Option<T>,
    ) -> Option<T> {
        self.required_entry(name).as_ref().and_then(read)
    }

    /// Reads a field into its place, which keeps its default where the field is not there or broken.
    pub(super) fn set<T>(
        &mut self,
        name: &'static str,
        place: &mut T,
        read: impl FnOnce(&Cursor<'v, '_>) -> Option<T>,
    ) {
        if let Some(value) = self.optional(name, read) {
            *place = value;
        }
    }

    /// Reads fields of which one should be there: those that are, and what the last of them says.
    pub(super) fn one_of<T>(
        &mut self,
        forms: &[&'static str],
        read: impl Fn(&Cursor<'v, '_>, &str) -> Option<T>,
    ) -> (Vec<&'static str>, Option<T>) {
        let mut given = Vec::new();
        let mut last = None;
        for form in forms {
            if let Some(at) = &self.entry(form) {
                given.push(*form);
                last = read(at, form);
            }
        }
        (given, last)
    }

    // What does not depend on `read`, so that it is in the module once.

    #[inline(never)]
    fn entry(&mut self, name: &'static str) -> Option<Cursor<'v, 'p>> {
        if !self.asked.contains(&name) {
            self.asked.push(name);
        }
        let (_, value) = self.fields.iter().find(|(n, _)| n == name)?;
        Some(self.at.at_field(name, value))
    }

    #[inline(never)]
    fn required_entry(&mut self, name: &'static str) -> Option<Cursor<'v, 'p>> {
        let entry = self.entry(name);
        if entry.is_none() {
            let here = self.at.to_string();
            let whose = if here.is_empty() { "the policy".to_owned() } else { format!("`{here}`") };
            // A misspelt field is reported as unknown; that it is missing goes with it.
            self.at.report(Code::MissingField, format!("{whose} needs a field `{name}`"));
        }
        entry
    }

    /// Ends the reading: reports every field that nobody asked for.
    pub(super) fn close(self) {
        for (name, value) in self.fields {
            if !self.asked.contains(&name.as_str()) {
                let at = self.at.at_field(name, value);
                at.unknown(Code::UnknownField, "field", name, &self.asked);
            }
        }
    }
}
