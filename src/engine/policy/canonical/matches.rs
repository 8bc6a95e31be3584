//! Writing match lists back: [`Match`] -> document. What is written reads as an equal list; defaults are left out.

use crate::matching::{Form, Match, NamedTest, NumberRange, PathPattern, ValueTest};
use crate::policy::Value;

/// A match list.
pub(super) fn write_matches(list: &[Match]) -> Value {
    Value::List(list.iter().map(write_entry).collect())
}

fn write_entry(entry: &Match) -> Value {
    let list = |values: Vec<Value>| (!values.is_empty()).then_some(Value::List(values));
    let tests = |tests: &[NamedTest]| list(tests.iter().map(write_named_test).collect());
    let fields = [
        ("hosts", list(texts(&entry.hosts))),
        ("path", entry.path.as_ref().map(write_path)),
        ("methods", list(texts(&entry.methods))),
        ("headers", tests(&entry.headers)),
        ("cookies", tests(&entry.cookies)),
        ("query", tests(&entry.query)),
        ("source_ip", list(texts(&entry.source_ip))),
    ];
    let given = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(given.collect())
}

fn texts<T: ToString>(list: &[T]) -> Vec<Value> {
    list.iter().map(|entry| Value::String(entry.to_string())).collect()
}

fn write_path(path: &PathPattern) -> Value {
    Value::Object(vec![text(path.field(), path.as_str())])
}

fn write_named_test(test: &NamedTest) -> Value {
    let mut fields = vec![text("name", &test.name)];
    let (form, not) = match &test.test {
        ValueTest::Present(present) => {
            fields.push(("present".to_owned(), Value::Bool(*present)));
            return Value::Object(fields);
        }
        ValueTest::Is(form) => (form, false),
        ValueTest::IsNot(form) => (form, true),
    };
    fields.push((form.field().to_owned(), write_operand(form)));
    for (name, set) in [("not", not), ("ignore_case", form.ignores_case())] {
        if set {
            fields.push((name.to_owned(), Value::Bool(true)));
        }
    }
    Value::Object(fields)
}

fn write_operand(form: &Form) -> Value {
    let text = match form {
        Form::Exact(text) | Form::Prefix(text) | Form::Suffix(text) => text.as_str(),
        Form::Contains(needle) => needle.text().as_str(),
        Form::Regex(pattern) => pattern.as_str(),
        Form::In(cohort) => {
            return Value::List(cohort.iter().map(|v| Value::String(v.to_owned())).collect());
        }
        Form::Range(range) => return write_range(range),
    };
    Value::String(text.to_owned())
}

fn write_range(range: &NumberRange) -> Value {
    let bounds = [("from", range.from), ("to", range.to)];
    let bound =
        |(name, bound): (&str, Option<i64>)| Some((name.to_owned(), Value::Integer(bound?)));
    Value::Object(bounds.into_iter().filter_map(bound).collect())
}

fn text(name: &str, text: &str) -> (String, Value) {
    (name.to_owned(), Value::String(text.to_owned()))
}
