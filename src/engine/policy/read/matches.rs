//! Reading match lists: document -> [`Match`].

use super::fields::{Fields, read_list, read_text, warn_of_duplicates};
use super::key::read_plain_text;
use super::names::{read_cookie_name, read_header_name, read_method, shown};
use super::value_test::{Place, read_pattern, read_value_test};
use crate::matching::{
    Cidr, CidrError, HostPattern, Match, NamedTest, PathPattern, first_conflict,
};
use crate::policy::name_map::NameMap;
use crate::policy::sink::{Path, Sink, list_of};
use crate::policy::{Code, Value};

/// Entries a match list may have, and conditions each field of an entry.
pub(super) const CONDITIONS_MAX: usize = 1_000;

/// A list of which any entry must hold.
pub(super) fn read_matches(value: &Value, path: &Path, sink: &mut Sink) -> Option<Vec<Match>> {
    read_conditions(value, path, sink, read_entry)
}

fn read_entry(value: &Value, path: &Path, sink: &mut Sink) -> Option<Match> {
    let mut fields = Fields::open(value, path, sink)?;
    if matches!(value, Value::Object(fields) if fields.is_empty()) {
        sink.error(Code::EmptyMatch, path, "a match entry without conditions takes every request")
            .help("leave `match` out to take every request, or add a condition");
        return None;
    }
    let hosts = fields.optional("hosts", sink, |v, p, s| read_set(v, p, s, read_host));
    let pattern = fields.optional("path", sink, read_path);
    let methods = fields.optional("methods", sink, |v, p, s| read_set(v, p, s, read_method));
    let headers =
        fields.optional("headers", sink, |v, p, s| read_named_tests(v, p, s, Place::Header));
    let cookies =
        fields.optional("cookies", sink, |v, p, s| read_named_tests(v, p, s, Place::Cookie));
    let query = fields.optional("query", sink, |v, p, s| read_named_tests(v, p, s, Place::Query));
    let source_ip = fields.optional("source_ip", sink, |v, p, s| read_set(v, p, s, read_cidr));
    fields.close(sink);
    Some(Match {
        hosts: hosts.unwrap_or_default(),
        path: pattern,
        methods: methods.unwrap_or_default(),
        headers: headers.unwrap_or_default(),
        cookies: cookies.unwrap_or_default(),
        query: query.unwrap_or_default(),
        source_ip: source_ip.unwrap_or_default(),
    })
}

/// Reads a list of conditions, of a size that a request can be tried against.
fn read_conditions<'v, T>(
    value: &'v Value,
    path: &Path,
    sink: &mut Sink,
    read: impl FnMut(&'v Value, &Path, &mut Sink) -> Option<T>,
) -> Option<Vec<T>> {
    if let Value::List(items) = value
        && items.len() > CONDITIONS_MAX
    {
        let message = format!("{} conditions are more than {CONDITIONS_MAX}", items.len());
        sink.error(Code::LimitExceeded, path, message)
            .help("for many values of a header, cookie or query parameter use one test with `in`");
        return None;
    }
    read_list(value, path, sink, read)
}

/// Reads conditions of which any must hold, so that one of them twice says nothing new.
fn read_set<'v, T: ToString>(
    value: &'v Value,
    path: &Path,
    sink: &mut Sink,
    read: impl FnMut(&'v Value, &Path, &mut Sink) -> Option<T>,
) -> Option<Vec<T>> {
    let list = read_conditions(value, path, sink, read)?;
    let texts: Vec<String> = list.iter().map(T::to_string).collect();
    let mut seen = NameMap::default();
    let duplicates = texts.iter().filter(|text| seen.insert(text, 0).is_some()).count();
    warn_of_duplicates(duplicates, path, sink);
    Some(list)
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
    const FORMS: [&str; 4] = ["exact", "prefix", "raw_prefix", "regex"];
    let mut fields = Fields::open(value, path, sink)?;
    let mut given = 0_usize;
    let mut pattern = None;
    for form in FORMS {
        let found = fields.optional(form, sink, |v, p, s| match form {
            "exact" => read_path_text(v, p, s).map(PathPattern::Exact),
            "prefix" => read_path_text(v, p, s).map(PathPattern::Prefix),
            "raw_prefix" => read_path_text(v, p, s).map(PathPattern::RawPrefix),
            _ => read_pattern(v, p, s, false).map(PathPattern::Regex),
        });
        if fields.get(form).is_some() {
            given = given.saturating_add(1);
            pattern = found;
        }
    }
    fields.close(sink);
    if given != 1 {
        let message = format!("a path needs exactly one of {}", list_of(&FORMS));
        sink.error(Code::InvalidTest, path, message).help("write `path: {prefix: /api/}`");
        return None;
    }
    pattern
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

/// Reads tests of named values, of which all must hold.
fn read_named_tests(
    value: &Value,
    path: &Path,
    sink: &mut Sink,
    place: Place,
) -> Option<Vec<NamedTest>> {
    let tests = read_conditions(value, path, sink, |v, p, s| read_named_test(v, p, s, place))?;
    if let Some((earlier, later)) = first_conflict(&tests)
        && let (Some(a), Some(b)) = (tests.get(earlier), tests.get(later))
    {
        let message = format!(
            "no request meets this and `{path}[{earlier}]`: {} `{}` cannot be both {} and {}",
            place.word(),
            a.name,
            a.test,
            b.test
        );
        sink.warning(Code::NeverMatches, &Path::Index(path, later), message)
            .help("all tests of an entry must hold; alternatives are entries of their own, or values of `in`");
    }
    Some(tests)
}

fn read_named_test(value: &Value, path: &Path, sink: &mut Sink, place: Place) -> Option<NamedTest> {
    let mut fields = Fields::open(value, path, sink)?;
    let name = fields.required("name", sink, |value, path, sink| match place {
        Place::Header => read_tested_header(value, path, sink),
        Place::Cookie => read_cookie_name(value, path, sink),
        Place::Query => read_plain_text(value, path, sink),
    });
    let test = read_value_test(&mut fields, path, sink, place);
    fields.close(sink);
    Some(NamedTest { name: name?, test: test? })
}

/// The name of a header that a request can be tested for.
fn read_tested_header(value: &Value, path: &Path, sink: &mut Sink) -> Option<String> {
    let name = read_text(value, path, sink)?;
    let field = match name.to_ascii_lowercase().as_str() {
        "host" | ":authority" => "hosts",
        ":path" => "path` or `query",
        ":method" => "methods",
        "cookie" => {
            sink.warning(Code::PreferCookies, path, "header `cookie` has all cookies in one value")
                .help("use `cookies`, which tests one cookie by its name");
            return Some("cookie".into());
        }
        _ => return read_header_name(value, path, sink),
    };
    sink.error(Code::PseudoHeader, path, format!("`{name}` is not among the headers of a request"))
        .help(format!("use `{field}` of the match"));
    None
}

fn read_cidr(value: &Value, path: &Path, sink: &mut Sink) -> Option<Cidr> {
    let text = read_text(value, path, sink)?;
    let name = shown(text);
    let (message, help) = match Cidr::parse(text) {
        Ok(cidr) => return Some(cidr),
        Err(CidrError::Address) => (
            format!("`{name}` is not an IP address or network"),
            "write `10.0.0.0/8`, `2001:db8::/32` or a single address".to_owned(),
        ),
        Err(CidrError::Prefix(bits)) => (
            format!("the prefix of `{name}` is not a number from 0 to {bits}"),
            "the prefix is how many leading bits are the network's, as in `10.0.0.0/8`".to_owned(),
        ),
        Err(CidrError::HostBits(network)) => (
            format!("`{name}` has bits beyond its prefix"),
            format!("write `{network}` for the whole network"),
        ),
    };
    sink.error(Code::InvalidCidr, path, message).help(help);
    None
}
