//! Reading value tests: `exact`, `prefix`, `suffix`, `contains`, `regex`, `present`, `in`, `range`.

use super::fields::Fields;
use super::names::shown;
use super::scalar::{read_bool, warn_of_duplicates};
use crate::matching::{
    Cohort, CohortError, Form, Needle, NumberRange, Pattern, PatternError, Text, ValueTest,
};
use crate::policy::cursor::{Cursor, list_of};
use crate::policy::{Code, Value, limits};

/// The forms of a value test.
const FORMS: [&str; 8] =
    ["exact", "prefix", "suffix", "contains", "regex", "present", "in", "range"];
/// Whole numbers up to this are exact in a double, as the numbers of a Struct are.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// Where a tested value is from; it decides what values there can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Header,
    Cookie,
    Query,
}

impl Place {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Cookie => "cookie",
            Self::Query => "query parameter",
        }
    }
}

/// The part of a value that a text is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    Beginning,
    End,
    Any,
}

/// Reads the value test among the fields of an object.
pub(super) fn read_value_test(fields: &mut Fields, at: &Cursor, place: Place) -> Option<ValueTest> {
    let not = fields.optional("not", read_bool).unwrap_or_default();
    let ignore_case = fields.optional("ignore_case", read_bool).unwrap_or_default();
    let (given, test) = fields.one_of(&FORMS, |at, form| read_form(at, form, place, ignore_case));
    let (message, help) = match given.as_slice() {
        ["present"] if not => (
            "`not` does not go with `present`".to_owned(),
            "to require that nothing is sent, write `present: false`",
        ),
        [form @ ("present" | "range")] if ignore_case => {
            (format!("`ignore_case` does not go with `{form}`"), "leave `ignore_case` out")
        }
        [_] => {
            return test.map(|test| match test {
                ValueTest::Is(form) if not => ValueTest::IsNot(form),
                test => test,
            });
        }
        _ => (
            format!("a value test needs exactly one of {}", list_of(&FORMS)),
            "to require that it is sent, whatever its value, write `present: true`",
        ),
    };
    at.refuse(Code::InvalidTest, message, help)
}

/// Reads the value of the field that is named as one of [`FORMS`], before `not` turns the test round.
fn read_form(at: &Cursor, name: &str, place: Place, ignore_case: bool) -> Option<ValueTest> {
    let text = |part| read_operand(at, place, part).map(|text| Text::new(text, ignore_case));
    Some(ValueTest::Is(match name {
        "exact" => Form::Exact(text(Part::Whole)?),
        "prefix" => Form::Prefix(text(Part::Beginning)?),
        "suffix" => Form::Suffix(text(Part::End)?),
        "contains" => Form::Contains(Needle::new(text(Part::Any)?)),
        "regex" => Form::Regex(read_pattern(at, ignore_case)?),
        "present" => return read_bool(at).map(ValueTest::Present),
        "in" => Form::In(read_cohort(at, place, ignore_case)?),
        _ => Form::Range(read_range(at)?),
    }))
}

/// A regular expression that whole values must meet.
pub(super) fn read_pattern(at: &Cursor, ignore_case: bool) -> Option<Pattern> {
    let text = read_limited(at)?;
    match Pattern::parse(text, ignore_case) {
        Ok(pattern) => Some(pattern),
        Err(PatternError::Invalid(why)) => {
            let message = format!("`{}` is not a regular expression: {why}", shown(text));
            let help = "the syntax is that of Rust's crate `regex-lite`: no look-around, no back-references, ASCII classes";
            at.refuse(Code::InvalidRegex, message, help)
        }
        Err(PatternError::TooLarge) => {
            let message =
                format!("the compiled expression is larger than {} bytes", limits::COMPILED_REGEX);
            let help = "`x{500}` counts as 500 times `x`; for many values use `in`";
            at.refuse(Code::LimitExceeded, message, help)
        }
    }
}

fn read_cohort(at: &Cursor, place: Place, ignore_case: bool) -> Option<Cohort> {
    limit_values(at, at.items()?.len())?;
    let values = at.list(|at| read_operand(at, place, Part::Whole))?;
    match Cohort::new(&values, ignore_case) {
        Ok((cohort, duplicates)) => {
            warn_of_duplicates(duplicates, at);
            return Some(cohort);
        }
        Err(CohortError::TooMany) => {
            limit_values(at, values.len());
        }
        Err(CohortError::TooLong(index)) => {
            limit_length(&at.index(index), values.get(index).map_or(0, |value| value.len()));
        }
    }
    None
}

fn limit_values(at: &Cursor, count: usize) -> Option<()> {
    let help = "for more, have whoever authenticates users send a header that says so";
    at.at_most(limits::COHORT, count, "values", Some(help))
}

fn limit_length(at: &Cursor, length: usize) -> Option<()> {
    if length > limits::VALUE {
        let message = format!("a value of {length} bytes is more than {}", limits::VALUE);
        at.report(Code::LimitExceeded, message);
        return None;
    }
    Some(())
}

/// A text that is not too long for a value.
fn read_limited<'v>(at: &Cursor<'v, '_>) -> Option<&'v str> {
    let text = at.text()?;
    limit_length(at, text.len())?;
    Some(text)
}

/// A text that a part of a value can be equal to.
fn read_operand<'v>(at: &Cursor<'v, '_>, place: Place, part: Part) -> Option<&'v str> {
    let text = read_limited(at)?;
    if text.is_empty() && part != Part::Whole {
        let help = "to require that it is sent, whatever its value, write `present: true`";
        return at.refuse(Code::InvalidValue, "every value meets this: the text is empty", help);
    }
    let Some(why) = never_there(text, place, part) else { return Some(text) };
    let verb = match part {
        Part::Whole => "is",
        Part::Beginning => "begins with",
        Part::End => "ends with",
        Part::Any => "contains",
    };
    let message = format!("no {} value {verb} `{}`", place.word(), shown(text));
    at.refuse(Code::InvalidValue, message, why)
}

/// Why no value of a place has this text as that part of it.
fn never_there(text: &str, place: Place, part: Part) -> Option<&'static str> {
    const SPACE: [char; 2] = [' ', '\t'];
    let first = matches!(part, Part::Whole | Part::Beginning);
    let last = matches!(part, Part::Whole | Part::End);
    if place == Place::Query {
        // Percent-decoded, a value may be anything.
        return None;
    }
    // A proxy hands values on without the spaces around them and never with control characters.
    if text.bytes().any(|b| b.is_ascii_control() && b != b'\t') {
        return Some("there are no control characters in headers");
    }
    if first && text.starts_with(SPACE) || last && text.ends_with(SPACE) {
        return Some("spaces around a value are not part of it");
    }
    if place == Place::Cookie {
        if text.as_bytes().contains(&b';') {
            return Some("`;` ends a cookie's value");
        }
        if part == Part::Whole && text.len() > 1 && text.starts_with('"') && text.ends_with('"') {
            return Some("quotes around a cookie's value are not part of it");
        }
    }
    None
}

fn read_range(at: &Cursor) -> Option<NumberRange> {
    let mut fields = at.object()?;
    let from = fields.optional("from", read_bound);
    let to = fields.optional("to", read_bound);
    let given = [fields.has("from"), fields.has("to")];
    fields.close();
    let empty = matches!((from, to), (Some(from), Some(to)) if from >= to);
    let message = match (given, empty) {
        ([false, false], _) => "a range needs `from`, `to` or both",
        (_, true) => "no number is in the range: `from` is not below `to`",
        // A bound that could not be read is not one that was left out.
        _ if given != [from.is_some(), to.is_some()] => return None,
        _ => return Some(NumberRange { from, to }),
    };
    let help = "`from` is in the range and `to` is not: `{from: 18, to: 65}` is 18 to 64";
    at.refuse(Code::InvalidRange, message, help)
}

fn read_bound(at: &Cursor) -> Option<i64> {
    match at.value {
        Value::Integer(n) => Some(*n),
        // Beyond, a double is one of several numbers that it may have been written as.
        Value::Float(n) if n.trunc() == *n && n.abs() <= EXACT_MAX => Some(*n as i64),
        Value::Float(n) if n.trunc() == *n => {
            let message = format!("`{}` is too large to be exact", at.shown());
            let help = "bounds go to 9007199254740992 (2^53) in both directions";
            at.refuse(Code::InvalidRange, message, help)
        }
        _ => at.expected("a whole number"),
    }
}
