//! Reading values that have no fields: texts, numbers, words, and lists of whatever.

use std::fmt;
use std::ops::RangeInclusive;

use super::names::shown;
use crate::policy::cursor::Cursor;
use crate::policy::{ADVISES, Code, Value, Weight};
use crate::units::Buckets;

impl<'v> Cursor<'v, '_> {
    /// A text.
    pub(super) fn text(&self) -> Option<&'v str> {
        let value = self.value;
        if let Value::String(text) = value {
            return Some(text);
        }
        let sink = self.wrong_type("a string");
        if matches!(value, Value::Bool(_) | Value::Integer(_) | Value::Float(_)) {
            // The value is not what was written: `1.10` arrives as 1.1, `no` as false.
            sink.help(match self.written() {
                Some(text) => format!("put it in quotes: \"{text}\""),
                None => "put it in quotes, as it was written".into(),
            });
        }
        None
    }

    /// A text of some form; where it is `not` of it, that is said with the code and the help.
    pub(super) fn text_that(
        &self,
        is: impl FnOnce(&str) -> bool,
        code: Code,
        not: &str,
        help: fmt::Arguments<'_>,
    ) -> Option<String> {
        let text = self.text()?;
        if is(text) {
            return Some(text.to_owned());
        }
        self.refuse(code, format!("`{}` {not}", shown(text)), help.to_string())
    }

    /// The entries of a list, which may be empty.
    pub(super) fn items(&self) -> Option<&'v [Value]> {
        match self.value {
            Value::List(items) => Some(items),
            _ => self.expected("an array"),
        }
    }

    /// A list that must not be empty; `None` when any item failed, which has reported why.
    pub(super) fn list<T>(
        &self,
        mut read: impl FnMut(&Cursor<'v, '_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let count = self.items()?.len();
        if count == 0 {
            let help = "add an entry, or leave the field out";
            return self.refuse(Code::EmptyList, "the list is empty", help);
        }
        let mut list = Vec::with_capacity(count);
        for index in 0..count {
            // After one that failed the others are read all the same, to report their problems.
            list.extend(read(&self.index(index)));
        }
        (list.len() == count).then_some(list)
    }

    /// The same, of no more than so many entries.
    pub(super) fn list_of_at_most<T>(
        &self,
        limit: usize,
        what: &str,
        help: Option<&'static str>,
        read: impl FnMut(&Cursor<'v, '_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        self.at_most(limit, self.items()?.len(), what, help)?;
        self.list(read)
    }

    /// A number, whole or not.
    pub(super) fn number(&self) -> Option<&'v Value> {
        match self.value {
            Value::Integer(_) | Value::Float(_) => Some(self.value),
            _ => self.expected("a number"),
        }
    }

    /// A whole number in a range.
    pub(super) fn whole<T: TryFrom<i64>>(&self, range: RangeInclusive<i64>) -> Option<T> {
        T::try_from(self.whole_in(range)?).ok()
    }

    fn whole_in(&self, range: RangeInclusive<i64>) -> Option<i64> {
        let number = match self.value {
            Value::Integer(n) => Some(*n),
            // Whole doubles below 2^53 are exact.
            Value::Float(n) if n.fract() == 0.0 && n.abs() < 9e15 => Some(*n as i64),
            Value::Float(_) => None,
            _ => return self.expected("a whole number"),
        };
        let number = number.filter(|n| range.contains(n));
        if number.is_none() {
            let (value, min, max) = (self.shown(), range.start(), range.end());
            let message = format!("`{value}` is not a whole number from {min} to {max}");
            self.report(Code::InvalidValue, message);
        }
        number
    }

    /// One word of a list of words.
    pub(super) fn word<T: Copy>(&self, all: &[(&str, T)]) -> Option<T> {
        let word = self.text()?;
        let found = all.iter().find(|(known, _)| *known == word);
        if found.is_none() {
            let known: Vec<_> = all.iter().map(|(known, _)| *known).collect();
            self.unknown(Code::InvalidValue, "value", word, &known);
        }
        found.map(|(_, value)| *value)
    }
}

/// `true` or `false`.
pub(super) fn read_bool(at: &Cursor) -> Option<bool> {
    match at.value {
        Value::Bool(b) => Some(*b),
        _ => at.expected("`true` or `false`"),
    }
}

/// A percentage with up to two decimals, as a number of buckets.
pub(super) fn read_percent(at: &Cursor) -> Option<Buckets> {
    let number = at.number()?;
    let buckets = Weight::from_value(number).ok().and_then(Weight::as_percent);
    if let Some(Buckets::NONE) = buckets {
        warn_of_rounding(at);
    }
    buckets.or_else(|| {
        let message = format!("`{}` is not a percentage", at.shown());
        let help = "a percentage is 0 to 100 with up to two decimals";
        at.refuse(Code::InvalidPercent, message, help)
    })
}

/// Warns of a number that counts as 0 and is not 0.
pub(super) fn warn_of_rounding(at: &Cursor) {
    if !ADVISES {
        return;
    }
    if matches!(at.value, Value::Float(n) if *n != 0.0) {
        let message = format!("`{}` is so small that it counts as 0", at.value);
        at.report(Code::RoundedToZero, message).help(
            "write 0, or the number that is meant: weights go down to 0.0001, percentages to 0.01",
        );
    }
}

/// Warns, once, that some values of a list were there already.
pub(super) fn warn_of_duplicates(count: usize, at: &Cursor) {
    if !ADVISES {
        return;
    }
    let message = match count {
        0 => return,
        1 => "one value is in the list already".to_owned(),
        _ => format!("{count} values are in the list already"),
    };
    at.report(Code::DuplicateValue, message).help("each value counts once: remove the others");
}
