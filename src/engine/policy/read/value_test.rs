//! Reading value tests: `exact`, `prefix`, `suffix`, `contains`, `regex`, `present`, `in`, `range`.

use super::fields::{Fields, read_bool, read_list, read_text, warn_of_duplicates};
use super::names::shown;
use crate::matching::{
    Cohort, CohortError, Form, Needle, NumberRange, Pattern, PatternError, Text, ValueTest,
};
use crate::policy::sink::{Path, Sink, list_of};
use crate::policy::{Code, Value};

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
pub(super) fn read_value_test(
    fields: &mut Fields,
    path: &Path,
    sink: &mut Sink,
    place: Place,
) -> Option<ValueTest> {
    let not = fields.optional("not", sink, read_bool).unwrap_or_default();
    let ignore_case = fields.optional("ignore_case", sink, read_bool).unwrap_or_default();
    let mut given = Vec::new();
    let mut test = None;
    for form in FORMS {
        let found =
            fields.optional(form, sink, |v, p, s| read_form(v, p, s, form, place, ignore_case));
        if fields.get(form).is_some() {
            given.push(form);
            test = found;
        }
    }
    match given.as_slice() {
        ["present"] if not => {
            sink.error(Code::InvalidTest, path, "`not` does not go with `present`")
                .help("to require that nothing is sent, write `present: false`");
            return None;
        }
        [form @ ("present" | "range")] if ignore_case => {
            let message = format!("`ignore_case` does not go with `{form}`");
            sink.error(Code::InvalidTest, path, message).help("leave `ignore_case` out");
            return None;
        }
        [_] => {}
        _ => {
            let message = format!("a value test needs exactly one of {}", list_of(&FORMS));
            sink.error(Code::InvalidTest, path, message)
                .help("to require that it is sent, whatever its value, write `present: true`");
            return None;
        }
    }
    match test? {
        Test::Present(wanted) => Some(ValueTest::Present(wanted)),
        Test::Form(form) if not => Some(ValueTest::IsNot(form)),
        Test::Form(form) => Some(ValueTest::Is(form)),
    }
}

/// A test before `not` turns it round.
enum Test {
    Present(bool),
    Form(Form),
}

/// Reads the value of the field that is named as one of [`FORMS`].
fn read_form(
    value: &Value,
    path: &Path,
    sink: &mut Sink,
    name: &str,
    place: Place,
    ignore_case: bool,
) -> Option<Test> {
    let mut text = |part| {
        let text = read_operand(value, path, sink, place, part)?;
        Some(Text::new(text, ignore_case))
    };
    Some(Test::Form(match name {
        "exact" => Form::Exact(text(Part::Whole)?),
        "prefix" => Form::Prefix(text(Part::Beginning)?),
        "suffix" => Form::Suffix(text(Part::End)?),
        "contains" => Form::Contains(Needle::new(text(Part::Any)?)),
        "regex" => Form::Regex(read_pattern(value, path, sink, ignore_case)?),
        "present" => return read_bool(value, path, sink).map(Test::Present),
        "in" => Form::In(read_cohort(value, path, sink, place, ignore_case)?),
        _ => Form::Range(read_range(value, path, sink)?),
    }))
}

/// A regular expression that whole values must meet.
pub(super) fn read_pattern(
    value: &Value,
    path: &Path,
    sink: &mut Sink,
    ignore_case: bool,
) -> Option<Pattern> {
    let text = read_limited(value, path, sink)?;
    match Pattern::parse(text, ignore_case) {
        Ok(pattern) => return Some(pattern),
        Err(PatternError::Invalid(why)) => {
            let message = format!("`{}` is not a regular expression: {why}", shown(text));
            sink.error(Code::InvalidRegex, path, message)
                .help("the syntax is that of Rust's crate `regex-lite`: no look-around, no back-references, ASCII classes");
        }
        Err(PatternError::TooLarge) => {
            let message =
                format!("the compiled expression is larger than {} bytes", Pattern::SIZE_MAX);
            sink.error(Code::LimitExceeded, path, message)
                .help("`x{500}` counts as 500 times `x`; for many values use `in`");
        }
    }
    None
}

fn read_cohort(
    value: &Value,
    path: &Path,
    sink: &mut Sink,
    place: Place,
    ignore_case: bool,
) -> Option<Cohort> {
    if let Value::List(items) = value
        && items.len() > Cohort::VALUES_MAX
    {
        too_many_values(items.len(), path, sink);
        return None;
    }
    let values = read_list(value, path, sink, |v, p, s| read_operand(v, p, s, place, Part::Whole))?;
    match Cohort::new(&values, ignore_case) {
        Ok((cohort, duplicates)) => {
            warn_of_duplicates(duplicates, path, sink);
            return Some(cohort);
        }
        Err(CohortError::TooMany) => too_many_values(values.len(), path, sink),
        Err(CohortError::TooLong(index)) => {
            let length = values.get(index).map_or(0, |value| value.len());
            value_too_long(length, &Path::Index(path, index), sink);
        }
    }
    None
}

fn too_many_values(count: usize, path: &Path, sink: &mut Sink) {
    let message = format!("{count} values are more than {}", Cohort::VALUES_MAX);
    sink.error(Code::LimitExceeded, path, message)
        .help("for more, have whoever authenticates users send a header that says so");
}

fn value_too_long(length: usize, path: &Path, sink: &mut Sink) {
    let message = format!("a value of {length} bytes is more than {}", Cohort::VALUE_MAX);
    sink.error(Code::LimitExceeded, path, message);
}

/// A text that is not too long for a value.
fn read_limited<'v>(value: &'v Value, path: &Path, sink: &mut Sink) -> Option<&'v str> {
    let text = read_text(value, path, sink)?;
    if text.len() > Cohort::VALUE_MAX {
        value_too_long(text.len(), path, sink);
        return None;
    }
    Some(text)
}

/// A text that a part of a value can be equal to.
fn read_operand<'v>(
    value: &'v Value,
    path: &Path,
    sink: &mut Sink,
    place: Place,
    part: Part,
) -> Option<&'v str> {
    let text = read_limited(value, path, sink)?;
    if text.is_empty() && part != Part::Whole {
        sink.error(Code::InvalidValue, path, "every value meets this: the text is empty")
            .help("to require that it is sent, whatever its value, write `present: true`");
        return None;
    }
    let Some(why) = never_there(text, place, part) else { return Some(text) };
    let verb = match part {
        Part::Whole => "is",
        Part::Beginning => "begins with",
        Part::End => "ends with",
        Part::Any => "contains",
    };
    let message = format!("no {} value {verb} `{}`", place.word(), shown(text));
    sink.error(Code::InvalidValue, path, message).help(why);
    None
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
        if text.contains(';') {
            return Some("`;` ends a cookie's value");
        }
        if part == Part::Whole && text.len() > 1 && text.starts_with('"') && text.ends_with('"') {
            return Some("quotes around a cookie's value are not part of it");
        }
    }
    None
}

fn read_range(value: &Value, path: &Path, sink: &mut Sink) -> Option<NumberRange> {
    let mut fields = Fields::open(value, path, sink)?;
    let given = fields.get("from").is_some() || fields.get("to").is_some();
    let from = fields.optional("from", sink, read_whole_number);
    let to = fields.optional("to", sink, read_whole_number);
    // A bound that could not be read is not one that was left out.
    let broken = fields.get("from").is_some() != from.is_some()
        || fields.get("to").is_some() != to.is_some();
    fields.close(sink);
    let empty = matches!((from, to), (Some(from), Some(to)) if from >= to);
    let message = match (given, empty) {
        (false, _) => "a range needs `from`, `to` or both",
        (_, true) => "no number is in the range: `from` is not below `to`",
        _ => return (!broken).then_some(NumberRange { from, to }),
    };
    sink.error(Code::InvalidRange, path, message)
        .help("`from` is in the range and `to` is not: `{from: 18, to: 65}` is 18 to 64");
    None
}

fn read_whole_number(value: &Value, path: &Path, sink: &mut Sink) -> Option<i64> {
    match value {
        Value::Integer(n) => return Some(*n),
        // Beyond, a double is one of several numbers that it may have been written as.
        Value::Float(n) if n.trunc() == *n && n.abs() <= EXACT_MAX => return Some(*n as i64),
        Value::Float(n) if n.trunc() == *n => {
            sink.error(Code::InvalidRange, path, format!("`{value}` is too large to be exact"))
                .help("bounds go to 9007199254740992 (2^53) in both directions");
        }
        _ => {
            sink.wrong_type(path, "a whole number", value);
        }
    }
    None
}
