//! Reading match lists: document -> [`Match`].

use super::names::{
    read_cookie_name, read_header_name, read_method, read_plain_text, shown, warn_of_wildcard,
};
use super::scalar::warn_of_duplicates;
use super::value_test::{Place, read_pattern, read_value_test};
use crate::matching::{
    Cidr, CidrError, Form, HostPattern, Match, NamedTest, PathPattern, Pattern, ValueTest,
    first_conflict,
};
use crate::policy::cursor::{Cursor, list_of};
use crate::policy::name_map::NameMap;
use crate::policy::{ADVISES, Code, Value, limits};

/// A list of which any entry must hold.
pub(super) fn read_matches(at: &Cursor) -> Option<Vec<Match>> {
    read_conditions(at, read_entry)
}

fn read_entry(at: &Cursor) -> Option<Match> {
    let mut fields = at.object()?;
    if matches!(at.value, Value::Object(fields) if fields.is_empty()) {
        let message = "a match entry without conditions takes every request";
        let help = "leave `match` out to take every request, or add a condition";
        return at.refuse(Code::EmptyMatch, message, help);
    }
    let mut entry = Match::default();
    fields.set("hosts", &mut entry.hosts, |at| read_set(at, read_host));
    entry.path = fields.optional("path", read_path);
    fields.set("methods", &mut entry.methods, |at| read_set(at, read_method));
    fields.set("headers", &mut entry.headers, |at| read_named_tests(at, Place::Header));
    fields.set("cookies", &mut entry.cookies, |at| read_named_tests(at, Place::Cookie));
    fields.set("query", &mut entry.query, |at| read_named_tests(at, Place::Query));
    fields.set("source_ip", &mut entry.source_ip, |at| read_set(at, read_cidr));
    fields.close();
    Some(entry)
}

/// Reads a list of conditions, of a size that a request can be tried against.
fn read_conditions<T>(at: &Cursor, read: impl FnMut(&Cursor) -> Option<T>) -> Option<Vec<T>> {
    let help = "for many values of a header, cookie or query parameter use one test with `in`";
    at.at_most(limits::CONDITIONS, at.items()?.len(), "conditions", Some(help))?;
    at.list(read)
}

/// Reads conditions of which any must hold, so that one of them twice says nothing new.
fn read_set<T: ToString>(at: &Cursor, read: impl FnMut(&Cursor) -> Option<T>) -> Option<Vec<T>> {
    let list = read_conditions(at, read)?;
    let texts: Vec<String> = list.iter().map(T::to_string).collect();
    let mut seen = NameMap::default();
    let duplicates = texts.iter().filter(|text| seen.insert(text, 0).is_some()).count();
    warn_of_duplicates(duplicates, at);
    Some(list)
}

fn read_host(at: &Cursor) -> Option<HostPattern> {
    let text = at.text()?;
    HostPattern::parse(text).map_or_else(
        |why| {
            let message = format!("`{}` is not a host pattern: {why}", shown(text));
            let help = "write `shop.example.com`, `*.example.com` or `*`";
            at.refuse(Code::InvalidHost, message, help)
        },
        |pattern| {
            warn_of_empty_labels(at, &pattern);
            Some(pattern)
        },
    )
}

/// Warns of a host without a name between two dots, or before the first.
fn warn_of_empty_labels(at: &Cursor, pattern: &HostPattern) {
    if !ADVISES {
        return;
    }
    let (HostPattern::Exact(host) | HostPattern::Below(host)) = pattern else { return };
    let below = matches!(pattern, HostPattern::Below(_));
    let host = if below { host.strip_prefix('.').unwrap_or(host) } else { host };
    if !host.starts_with('.') && !host.contains("..") {
        return;
    }
    let name = host.trim_matches('.');
    let help = if host.starts_with('.') && !below {
        format!("for everything below it write `*.{name}`")
    } else {
        "between two dots of a host stands a name".to_owned()
    };
    at.report(
        Code::UnlikelyPattern,
        format!("no host is called `{}`", shown(&pattern.to_string())),
    )
    .help(help);
}

fn read_path(at: &Cursor) -> Option<PathPattern> {
    const FORMS: [&str; 4] = ["exact", "prefix", "raw_prefix", "regex"];
    let mut fields = at.object()?;
    let (given, pattern) = fields.one_of(&FORMS, |at, form| match form {
        "exact" => read_path_text(at).map(PathPattern::Exact),
        "prefix" => read_path_text(at).map(PathPattern::Prefix),
        "raw_prefix" => read_path_text(at).map(PathPattern::RawPrefix),
        _ => read_path_regex(at).map(PathPattern::Regex),
    });
    fields.close();
    if given.len() != 1 {
        let message = format!("a path needs exactly one of {}", list_of(&FORMS));
        return at.refuse(Code::InvalidTest, message, "write `path: {prefix: /api/}`");
    }
    pattern
}

fn read_path_text(at: &Cursor) -> Option<Box<str>> {
    let text = at.text()?;
    let problem = if !text.starts_with('/') {
        "a path begins with `/`"
    } else if text.contains(['?', '#']) {
        "paths are compared without their query"
    } else if !text.bytes().all(|b| b.is_ascii_graphic()) {
        "requests carry other characters percent-encoded"
    } else {
        warn_of_unlikely_path(at, text);
        return Some(text.into());
    };
    at.report(Code::InvalidPath, format!("`{}` never matches: {problem}", shown(text)));
    None
}

/// Warns of a path that no client sends as it is written.
fn warn_of_unlikely_path(at: &Cursor, text: &str) {
    if !ADVISES {
        return;
    }
    if text.contains('*') {
        let help = "`prefix` takes a path and all below it, and `regex` any form: `/v[0-9]+/.*`";
        warn_of_wildcard(at, text, help);
    } else if text.split('/').any(|segment| matches!(segment, "." | "..")) {
        let message = format!("clients and proxies resolve the dots of `{}` first", shown(text));
        at.report(Code::UnlikelyPattern, message).help("write the path that is left then");
    }
}

/// A regular expression for a whole path, which begins with `/`.
fn read_path_regex(at: &Cursor) -> Option<Pattern> {
    let pattern = read_pattern(at, false)?;
    warn_of_unlikely_regex(at, pattern.as_str());
    Some(pattern)
}

/// Warns of a regular expression that no path meets, as far as its first characters tell.
fn warn_of_unlikely_regex(at: &Cursor, pattern: &str) {
    if !ADVISES {
        return;
    }
    let text = pattern.strip_prefix('^').unwrap_or(pattern);
    let mut chars = text.chars();
    let other = chars.next().is_some_and(|first| first.is_ascii_alphanumeric());
    // What comes next may make it optional.
    if other && !chars.next().is_some_and(|next| "*?{".contains(next)) && !text.contains('|') {
        let message = format!("`{}` meets no path: each begins with `/`", shown(pattern));
        at.report(Code::UnlikelyPattern, message).help(format!("write `/{}`", shown(text)));
    }
}

/// Reads tests of named values, of which all must hold.
fn read_named_tests(at: &Cursor, place: Place) -> Option<Vec<NamedTest>> {
    let tests = read_conditions(at, |at| read_named_test(at, place))?;
    if ADVISES
        && let Some((earlier, later)) = first_conflict(&tests)
        && let (Some(a), Some(b)) = (tests.get(earlier), tests.get(later))
    {
        let message = format!(
            "no request meets this and `{at}[{earlier}]`: {} `{}` cannot be both {} and {}",
            place.word(),
            a.name,
            a.test,
            b.test
        );
        at.index(later)
            .report(Code::NeverMatches, message)
            .help("all tests of an entry must hold; alternatives are entries of their own, or values of `in`");
    }
    Some(tests)
}

fn read_named_test(at: &Cursor, place: Place) -> Option<NamedTest> {
    let mut fields = at.object()?;
    let name = fields.required("name", |at| match place {
        Place::Header => read_tested_header(at),
        Place::Cookie => read_cookie_name(at),
        Place::Query => read_plain_text(at),
    });
    let test = read_value_test(&mut fields, at, place);
    fields.close();
    let test = NamedTest { name: name?, test: test? };
    warn_of_pattern(at, place, &test);
    Some(test)
}

/// Warns of a text that is meant as a pattern: `*`, `beta*`, `*.test`. In what a client accepts or has (`accept: */*`,
/// `if-none-match: *`) these are values like others.
fn warn_of_pattern(at: &Cursor, place: Place, NamedTest { name, test }: &NamedTest) {
    let (ValueTest::Is(form) | ValueTest::IsNot(form)) = test else { return };
    let (field, text) = match form {
        Form::Exact(text) => ("exact", text.as_str()),
        Form::Prefix(text) => ("prefix", text.as_str()),
        Form::Suffix(text) => ("suffix", text.as_str()),
        _ => return,
    };
    let negotiated =
        place == Place::Header && (name.starts_with("accept") || name.starts_with("if-"));
    if negotiated || !(text.starts_with('*') || text.ends_with('*')) {
        return;
    }
    let form = match (text.starts_with('*'), text.ends_with('*')) {
        (true, true) => "contains",
        (true, false) => "suffix",
        _ => "prefix",
    };
    let help = match text.trim_matches('*') {
        "" => "to require that it is sent, whatever its value, write `present: true`".to_owned(),
        rest => format!("write `{form}: {}`", shown(rest)),
    };
    warn_of_wildcard(&at.field(field), text, help);
}

/// The name of a header that a request can be tested for.
fn read_tested_header(at: &Cursor) -> Option<String> {
    let name = at.text()?;
    let field = match name.to_ascii_lowercase().as_str() {
        "host" | ":authority" => "hosts",
        ":path" => "path` or `query",
        ":method" => "methods",
        "cookie" => {
            if ADVISES {
                at.report(Code::PreferCookies, "header `cookie` has all cookies in one value")
                    .help("use `cookies`, which tests one cookie by its name");
            }
            return Some("cookie".into());
        }
        _ => return read_header_name(at),
    };
    let message = format!("`{name}` is not among the headers of a request");
    at.refuse(Code::PseudoHeader, message, format!("use `{field}` of the match"))
}

fn read_cidr(at: &Cursor) -> Option<Cidr> {
    let text = at.text()?;
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
    at.refuse(Code::InvalidCidr, message, help)
}
