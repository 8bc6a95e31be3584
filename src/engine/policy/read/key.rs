//! Reading key sources.

use super::cookie::read_generated_cookie;
use super::fields::{Fields, read_bool, read_list, read_text};
use super::names::{read_cookie_name, read_header_name, shown};
use crate::policy::sink::{Path, Sink, list_of};
use crate::policy::{Code, KeySource, Value, limits};

/// The forms of a key source.
const FORMS: [&str; 6] = ["header", "cookie", "query", "jwt", "client_ip", "generate"];

/// A list of key sources, tried in order.
pub(super) fn read_key(value: &Value, path: &Path, sink: &mut Sink) -> Option<Vec<KeySource>> {
    let sources = read_list(value, path, sink, read_source)?;
    for (index, source) in sources.iter().enumerate() {
        let path = Path::Index(path, index);
        let KeySource::Generate(cookie) = source else { continue };
        let is_cookie =
            |s: &&KeySource| matches!(s, KeySource::Cookie(name) if *name == cookie.name);
        if sources.iter().take(index).find(is_cookie).is_none() {
            let message = format!(
                "nothing reads the cookie `{}` back: every request would be a new user",
                cookie.name
            );
            sink.report(Code::UnreadCookie, &path, message)
                .help(format!("put `{{cookie: {}}}` before it", cookie.name));
        }
        if index.checked_add(1) != Some(sources.len()) {
            sink.report(
                Code::UnreachableKeySource,
                &path,
                "`generate` always gives a key, so the sources after it are never tried",
            )
            .help("put `generate` last");
        }
    }
    Some(sources)
}

fn read_source(value: &Value, path: &Path, sink: &mut Sink) -> Option<KeySource> {
    let mut fields = Fields::open(value, path, sink)?;
    let mut given = 0_usize;
    let mut source = None;
    for form in FORMS {
        let found = fields.optional(form, sink, |v, p, s| read_form(v, p, s, form));
        if fields.get(form).is_some() {
            given = given.saturating_add(1);
            source = found;
        }
    }
    fields.close(sink);
    if given != 1 {
        let message = format!("a key source needs exactly one of {}", list_of(&FORMS));
        sink.report(Code::InvalidKeySource, path, message)
            .help("sources are tried in order: `key: [{header: x-user-id}, {cookie: uid}]`");
        return None;
    }
    source
}

/// Reads the value of the field that is named as one of [`FORMS`].
fn read_form(value: &Value, path: &Path, sink: &mut Sink, name: &str) -> Option<KeySource> {
    match name {
        "header" => read_header_name(value, path, sink).map(KeySource::Header),
        "cookie" => read_cookie_name(value, path, sink).map(KeySource::Cookie),
        "query" => read_plain_text(value, path, sink).map(KeySource::Query),
        "jwt" => read_jwt(value, path, sink),
        "client_ip" => {
            let yes = read_bool(value, path, sink)?;
            if !yes {
                sink.report(Code::InvalidKeySource, path, "`client_ip: false` is no source")
                    .help("leave the entry out");
            }
            yes.then_some(KeySource::ClientIp)
        }
        _ => read_generated_cookie(value, path, sink).map(KeySource::Generate),
    }
}

fn read_jwt(value: &Value, path: &Path, sink: &mut Sink) -> Option<KeySource> {
    let mut fields = Fields::open(value, path, sink)?;
    let provider = fields.required("provider", sink, read_plain_text);
    let claim = fields.required("claim", sink, read_plain_text);
    fields.close(sink);
    Some(KeySource::Jwt { provider: provider?, claim: claim? })
}

/// A name without control characters: of a query parameter, a claim, a provider.
pub(super) fn read_plain_text(value: &Value, path: &Path, sink: &mut Sink) -> Option<String> {
    let text = read_text(value, path, sink)?;
    if !text.is_empty() && text.len() <= limits::TEXT && !text.chars().any(char::is_control) {
        return Some(text.to_owned());
    }
    sink.report(Code::InvalidValue, path, format!("`{}` is not a name", shown(text))).help(
        format!("a name here is 1 to {} bytes of text without control characters", limits::TEXT),
    );
    None
}
