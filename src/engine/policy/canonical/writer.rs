//! What a policy is written to: a document, or the text that is hashed.

use std::fmt::Display;

use crate::policy::Weight;
use crate::units::{Millis, Moment};

use super::{duration, time};

/// A value that has no values in it.
#[derive(Debug, Clone, Copy)]
pub(in crate::policy) enum Scalar<'s> {
    Null,
    Bool(bool),
    Integer(i64),
    /// Never a whole number.
    Float(f64),
    Text(&'s str),
}

/// Whole where it is whole.
impl From<Weight> for Scalar<'_> {
    fn from(weight: Weight) -> Self {
        let units = weight.units();
        match i64::try_from(units / Weight::UNITS_PER_ONE) {
            Ok(whole) if units.is_multiple_of(Weight::UNITS_PER_ONE) => Self::Integer(whole),
            // Both are exact as doubles (a weight has less than 2^53 units), so the quotient is the
            // double nearest to the decimal: the same that its text is read as.
            _ => Self::Float(units as f64 / Weight::UNITS_PER_ONE as f64),
        }
    }
}

/// Takes a policy as it is written, value by value; in an object each value comes after its name.
pub(in crate::policy) trait Sink<'p> {
    /// The name of the value that comes next.
    fn name(&mut self, name: &'p str);
    /// A value without values in it.
    fn scalar(&mut self, value: Scalar<'_>);
    /// A list begins.
    fn begin_list(&mut self);
    /// The list that began last ends.
    fn end_list(&mut self);
    /// An object begins.
    fn begin_object(&mut self);
    /// The object that began last ends.
    fn end_object(&mut self);
}

/// Writes fields to a sink: those with a default only where they differ from it.
///
/// The module has one sink, and so each function here once. What does not take a closure is not inlined: it would be in each
/// place where a field is written.
pub(in crate::policy) struct Writer<S>(pub(in crate::policy) S);

impl<'p, S: Sink<'p>> Writer<S> {
    #[inline(never)]
    fn put(&mut self, name: &'p str, value: Scalar<'_>) {
        self.0.name(name);
        self.0.scalar(value);
    }

    #[inline(never)]
    pub(super) fn null(&mut self, name: &'p str) {
        self.put(name, Scalar::Null);
    }

    #[inline(never)]
    pub(super) fn bool(&mut self, name: &'p str, value: bool, default: bool) {
        if value != default {
            self.put(name, Scalar::Bool(value));
        }
    }

    #[inline(never)]
    pub(super) fn integer(&mut self, name: &'p str, value: i64) {
        self.put(name, Scalar::Integer(value));
    }

    #[inline(never)]
    pub(super) fn weight(&mut self, name: &'p str, weight: Weight) {
        self.put(name, weight.into());
    }

    #[inline(never)]
    pub(super) fn text(&mut self, name: &'p str, text: &str) {
        self.put(name, Scalar::Text(text));
    }

    /// A text that is left out where it is the other one.
    #[inline(never)]
    pub(super) fn text_unless(&mut self, name: &'p str, text: &str, default: &str) {
        if text != default {
            self.text(name, text);
        }
    }

    #[inline(never)]
    pub(super) fn text_if(&mut self, name: &'p str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    #[inline(never)]
    pub(super) fn duration(&mut self, name: &'p str, duration: Millis) {
        self.text(name, &duration::write(duration));
    }

    #[inline(never)]
    pub(super) fn moment(&mut self, name: &'p str, moment: Moment) {
        self.text(name, &time::write(moment));
    }

    /// One of a few words.
    #[inline(never)]
    pub(super) fn word<T: PartialEq>(
        &mut self,
        name: &'p str,
        value: T,
        default: T,
        all: &[(&str, T)],
    ) {
        if value != default {
            self.text_if(name, text_of(value, all));
        }
    }

    /// An object with what is written inside.
    pub(super) fn object(&mut self, name: &'p str, write: impl FnOnce(&mut Self)) {
        self.begin_object(name);
        write(self);
        self.end_object();
    }

    #[inline(never)]
    fn begin_object(&mut self, name: &'p str) {
        self.0.name(name);
        self.0.begin_object();
    }

    #[inline(never)]
    fn end_object(&mut self) {
        self.0.end_object();
    }

    /// An object in a list, or the whole.
    pub(in crate::policy) fn item(&mut self, write: impl FnOnce(&mut Self)) {
        self.begin_item();
        write(self);
        self.end_object();
    }

    #[inline(never)]
    fn begin_item(&mut self) {
        self.0.begin_object();
    }

    /// A text in a list.
    #[inline(never)]
    pub(super) fn text_item(&mut self, text: &str) {
        self.0.scalar(Scalar::Text(text));
    }

    #[inline(never)]
    fn shown_item(&mut self, item: &dyn Display) {
        self.text_item(&item.to_string());
    }

    /// A list with what is written inside.
    pub(super) fn list(&mut self, name: &'p str, write: impl FnOnce(&mut Self)) {
        self.begin_list(name);
        write(self);
        self.end_list();
    }

    #[inline(never)]
    fn begin_list(&mut self, name: &'p str) {
        self.0.name(name);
        self.0.begin_list();
    }

    #[inline(never)]
    fn end_list(&mut self) {
        self.0.end_list();
    }

    /// A list of objects, one for each item.
    pub(super) fn objects<T>(
        &mut self,
        name: &'p str,
        items: impl IntoIterator<Item = T>,
        write: impl Fn(&mut Self, T),
    ) {
        self.list(name, |out| {
            for item in items {
                out.item(|out| write(out, item));
            }
        });
    }

    /// A list of items as they are shown; left out where there are none.
    pub(super) fn shown<T: Display>(&mut self, name: &'p str, items: &[T]) {
        if !items.is_empty() {
            self.list(name, |out| items.iter().for_each(|item| out.shown_item(item)));
        }
    }
}

/// The word for a value.
pub(super) fn text_of<'w, T: PartialEq>(value: T, all: &[(&'w str, T)]) -> Option<&'w str> {
    all.iter().find(|(_, known)| *known == value).map(|(word, _)| *word)
}
