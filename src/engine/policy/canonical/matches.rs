//! Writing match lists: what is written reads as an equal list; defaults are left out.

use crate::matching::{Form, Match, NamedTest, ValueTest};

use super::{Sink, Writer};

/// The field `match`.
#[inline(never)]
pub(super) fn write_matches<'p, S: Sink<'p>>(out: &mut Writer<S>, list: &[Match]) {
    out.objects("match", list, |out, entry| {
        out.shown("hosts", &entry.hosts);
        if let Some(path) = &entry.path {
            out.object("path", |out| out.text(path.field(), path.as_str()));
        }
        out.shown("methods", &entry.methods);
        write_tests(out, "headers", &entry.headers);
        write_tests(out, "cookies", &entry.cookies);
        write_tests(out, "query", &entry.query);
        out.shown("source_ip", &entry.source_ip);
    });
}

#[inline(never)]
fn write_tests<'p, S: Sink<'p>>(out: &mut Writer<S>, name: &'p str, tests: &[NamedTest]) {
    if !tests.is_empty() {
        out.objects(name, tests, write_test);
    }
}

fn write_test<'p, S: Sink<'p>>(out: &mut Writer<S>, test: &NamedTest) {
    out.text("name", &test.name);
    let (form, not) = match &test.test {
        ValueTest::Present(true) => return out.bool("present", true, false),
        ValueTest::Present(false) => return out.bool("present", false, true),
        ValueTest::Is(form) => (form, false),
        ValueTest::IsNot(form) => (form, true),
    };
    let text = match form {
        Form::Exact(text) | Form::Prefix(text) | Form::Suffix(text) => Some(text.as_str()),
        Form::Contains(needle) => Some(needle.text().as_str()),
        Form::Regex(pattern) => Some(pattern.as_str()),
        Form::In(values) => {
            out.list(form.field(), |out| values.iter().for_each(|value| out.text_item(value)));
            None
        }
        Form::Range(range) => {
            out.object(form.field(), |out| {
                for (name, bound) in [("from", range.from), ("to", range.to)] {
                    if let Some(bound) = bound {
                        out.integer(name, bound);
                    }
                }
            });
            None
        }
    };
    out.text_if(form.field(), text);
    out.bool("not", not, false);
    out.bool("ignore_case", form.ignores_case(), false);
}
