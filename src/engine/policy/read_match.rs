//! Reading match lists: document -> [`Match`].

use super::fields::{Fields, Path, Sink, list_of, read_bool, read_list, read_text};
use super::names::{read_header_name, read_method, shown};
use super::{Code, Value};
use crate::matching::{HeaderTest, HostPattern, Match, PathPattern, ValueTest};

/// A list of which any entry must hold.
pub(super) fn read_matches(value: &Value, path: &Path, sink: &mut Sink) -> Option<Vec<Match>> {
    read_list(value, path, sink, read_entry)
}

fn read_entry(value: &Value, path: &Path, sink: &mut Sink) -> Option<Match> {
    let mut fields = Fields::open(value, path, sink)?;
    if matches!(value, Value::Object(fields) if fields.is_empty()) {
        sink.error(Code::EmptyMatch, path, "a match entry without conditions takes every request")
            .help("leave `match` out to take every request, or add a condition");
        return None;
    }
    let hosts = fields.optional("hosts", sink, |v, p, s| read_list(v, p, s, read_host));
    let pattern = fields.optional("path", sink, read_path);
    let methods = fields.optional("methods", sink, |v, p, s| read_list(v, p, s, read_method));
    let headers = fields.optional("headers", sink, |v, p, s| read_list(v, p, s, read_header_test));
    fields.close(sink);
    Some(Match {
        hosts: hosts.unwrap_or_default(),
        path: pattern,
        methods: methods.unwrap_or_default(),
        headers: headers.unwrap_or_default(),
    })
}

fn read_host(value: &Value, path: &Path, sink: &mut Sink) -> Option<HostPattern> {
    let text = read_text(value, path, sink)?;
    match HostPattern::parse(text) {
        Ok(pattern) => Some(pattern),
        Err(why) => {
            sink.error(
                Code::InvalidHost,
                path,
                format!("`{}` is not a host pattern: {why}", shown(text)),
            )
            .help("write `shop.example.com`, `*.example.com` or `*`");
            None
        }
    }
}

fn read_path(value: &Value, path: &Path, sink: &mut Sink) -> Option<PathPattern> {
    let mut fields = Fields::open(value, path, sink)?;
    let exact = fields.optional("exact", sink, read_path_text);
    let prefix = fields.optional("prefix", sink, read_path_text);
    let given = fields_given(value, &["exact", "prefix"]);
    fields.close(sink);
    if given != 1 {
        sink.error(Code::InvalidTest, path, "a path needs exactly one of `exact`, `prefix`")
            .help("write `path: {prefix: /api/}`");
        return None;
    }
    exact.map(PathPattern::Exact).or(prefix.map(PathPattern::Prefix))
}

fn read_path_text(value: &Value, path: &Path, sink: &mut Sink) -> Option<Box<str>> {
    let text = read_text(value, path, sink)?;
    let problem = if !text.starts_with('/') {
        "a path begins with `/`"
    } else if text.contains(['?', '#']) {
        "paths are compared without their query"
    } else if !text.bytes().all(|b| b.is_ascii_graphic()) {
        "requests carry other characters percent-encoded"
    } else {
        return Some(text.into());
    };
    sink.error(Code::InvalidPath, path, format!("`{}` never matches: {problem}", shown(text)));
    None
}

fn read_header_test(value: &Value, path: &Path, sink: &mut Sink) -> Option<HeaderTest> {
    let mut fields = Fields::open(value, path, sink)?;
    let name = fields.required("name", sink, read_header_name);
    let test = read_value_test(value, path, &mut fields, sink);
    fields.close(sink);
    Some(HeaderTest { name: name?, test: test? })
}

/// The forms of a value test.
const FORMS: [&str; 4] = ["exact", "prefix", "present", "in"];

/// Reads the value test among the fields of an object.
fn read_value_test(
    value: &Value,
    path: &Path,
    fields: &mut Fields,
    sink: &mut Sink,
) -> Option<ValueTest> {
    let exact = fields.optional("exact", sink, read_bytes).map(ValueTest::Exact);
    let prefix = fields.optional("prefix", sink, read_bytes).map(ValueTest::Prefix);
    let present = fields.optional("present", sink, read_bool).map(ValueTest::Present);
    let one_of = fields
        .optional("in", sink, |v, p, s| read_list(v, p, s, read_bytes))
        .map(ValueTest::one_of);
    if fields_given(value, &FORMS) != 1 {
        sink.error(
            Code::InvalidTest,
            path,
            format!("a value test needs exactly one of {}", list_of(&FORMS)),
        )
        .help("to require that a header is there, whatever its value, write `present: true`");
        return None;
    }
    exact.or(prefix).or(present).or(one_of)
}

fn read_bytes(value: &Value, path: &Path, sink: &mut Sink) -> Option<Box<[u8]>> {
    let text = read_text(value, path, sink)?;
    // A proxy hands values on without the spaces around them and never with control characters.
    if text.trim_matches([' ', '\t']) != text
        || text.bytes().any(|b| b.is_ascii_control() && b != b'\t')
    {
        sink.error(Code::InvalidValue, path, format!("no header value is `{}`", shown(text)))
            .help("header values have no control characters and no spaces around them");
        return None;
    }
    Some(text.as_bytes().into())
}

fn fields_given(value: &Value, names: &[&str]) -> usize {
    match value {
        Value::Object(fields) => {
            names.iter().filter(|n| fields.iter().any(|(f, _)| f == *n)).count()
        }
        _ => 0,
    }
}
