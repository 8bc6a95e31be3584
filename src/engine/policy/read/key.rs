//! Reading key sources.

use super::cookie::read_generated_cookie;
use super::names::{read_cookie_name, read_header_name, read_plain_text};
use super::scalar::read_bool;
use crate::policy::cursor::{Cursor, list_of};
use crate::policy::{ADVISES, Code, Decoding, Encoding, KeySource, limits};

/// The forms of a key source.
const FORMS: [&str; 6] = ["header", "cookie", "query", "jwt", "client_ip", "generate"];

/// A list of key sources, tried in order.
pub(super) fn read_key(at: &Cursor) -> Option<Vec<KeySource>> {
    let sources = at.list_of_at_most(limits::KEY_SOURCES, "sources", None, read_source)?;
    for (index, source) in sources.iter().enumerate() {
        let at = at.index(index);
        let KeySource::Generate(cookie) = source else { continue };
        let is_cookie =
            |s: &&KeySource| matches!(s, KeySource::Cookie { name, .. } if *name == cookie.name);
        let name = &cookie.name;
        let reader = sources.iter().take(index).find(is_cookie);
        if let Some(KeySource::Cookie { decoding, .. }) = reader
            && !decoding.keeps_plain_text()
        {
            let message = format!(
                "the cookie `{name}` is decoded when it is read back, and is not written encoded"
            );
            at.report(Code::UnreadCookie, message).help(format!(
                "put `{{cookie: {name}}}` before it; or generate into another cookie"
            ));
        }
        if reader.is_none() {
            let message = format!(
                "nothing reads the cookie `{name}` back: every request would be a new user"
            );
            at.report(Code::UnreadCookie, message)
                .help(format!("put `{{cookie: {name}}}` before it"));
        }
        if index.checked_add(1) != Some(sources.len()) {
            let message = "`generate` always gives a key, so the sources after it are never tried";
            at.report(Code::UnreachableKeySource, message).help("put `generate` last");
        }
    }
    Some(sources)
}

fn read_source(at: &Cursor) -> Option<KeySource> {
    let mut fields = at.object()?;
    let (given, mut source) = fields.one_of(&FORMS, read_form);
    let steps = fields.optional("decode", read_encodings);
    let json = fields.optional("json", read_plain_text);
    for field in ["decode", "json"] {
        if fields.has(field) && given != ["cookie"] {
            let message = format!("`{field}` is for a `cookie` alone");
            at.field(field)
                .report(Code::InvalidKeySource, message)
                .help("leave it out; a `query` parameter is percent-decoded anyway");
        }
    }
    if let Some(KeySource::Cookie { decoding, .. }) = &mut source {
        decoding.steps = steps.unwrap_or_default().into();
        decoding.json = json.map(Into::into);
    }
    fields.close();
    if given.len() != 1 {
        let message = format!("a key source needs exactly one of {}", list_of(&FORMS));
        let help = "sources are tried in order: `key: [{header: x-user-id}, {cookie: uid}]`";
        return at.refuse(Code::InvalidKeySource, message, help);
    }
    source
}

/// Reads the value of the field that is named as one of [`FORMS`].
fn read_form(at: &Cursor, name: &str) -> Option<KeySource> {
    match name {
        "header" => {
            let name = read_header_name(at)?;
            warn_of_change(at, &name);
            Some(KeySource::Header(name))
        }
        "cookie" => {
            let decoding = Decoding::default();
            read_cookie_name(at).map(|name| KeySource::Cookie { name, decoding })
        }
        "query" => read_plain_text(at).map(KeySource::Query),
        "jwt" => read_jwt(at),
        "client_ip" if read_bool(at)? => Some(KeySource::ClientIp),
        "client_ip" => at.refuse(
            Code::InvalidKeySource,
            "`client_ip: false` is no source",
            "leave the entry out",
        ),
        _ => read_generated_cookie(at).map(KeySource::Generate),
    }
}

/// Headers that are another one with each request.
const OF_A_REQUEST: [&str; 11] = [
    "b3",
    "date",
    "traceparent",
    "tracestate",
    "uber-trace-id",
    "x-amzn-trace-id",
    "x-b3-spanid",
    "x-b3-traceid",
    "x-cloud-trace-context",
    "x-correlation-id",
    "x-request-id",
];
/// Headers that every proxy on the way adds to.
const OF_THE_WAY: [&str; 3] = ["forwarded", "via", "x-forwarded-for"];

/// Claims that are other ones in each token of a user (RFC 7519, 4.1; `at_hash` and `nonce` of OpenID Connect).
const OF_A_TOKEN: [&str; 6] = ["at_hash", "exp", "iat", "jti", "nbf", "nonce"];

/// Warns of a header that does not stay with a user.
fn warn_of_change(at: &Cursor, name: &str) {
    if !ADVISES {
        return;
    }
    let (why, help) = match name {
        "cookie" => (
            "has all cookies in one value, and changes with any of them",
            "name the one cookie that identifies the user: `{cookie: uid}`",
        ),
        "authorization" => (
            "changes whenever the token is renewed",
            "take a claim that stays, such as `{jwt: {provider: payload, claim: sub}}`",
        ),
        _ if OF_THE_WAY.contains(&name) => (
            "changes from proxy to proxy on the way",
            "for the client's address write `{client_ip: true}`",
        ),
        _ if OF_A_REQUEST.contains(&name) => (
            "is another one with each request, and so is the variant",
            "name a header that stays with the user; to draw anew for each request write `assignment: random`",
        ),
        _ => return,
    };
    at.report(Code::UnstableKey, format!("header `{name}` {why}")).help(help);
}

/// The encodings of a value, the outermost first.
fn read_encodings(at: &Cursor) -> Option<Vec<Encoding>> {
    at.at_most(limits::ENCODINGS, at.items()?.len(), "encodings", None)?;
    at.list(|at| at.word(Encoding::ALL))
}

fn read_jwt(at: &Cursor) -> Option<KeySource> {
    let mut fields = at.object()?;
    let provider = fields.required("provider", read_plain_text);
    let claim = fields.required("claim", |at| {
        let claim = read_plain_text(at)?;
        if ADVISES && OF_A_TOKEN.contains(&claim.as_str()) {
            let message = format!("claim `{claim}` is another one in each token");
            at.report(Code::UnstableKey, message).help("take a claim that stays, such as `sub`");
        }
        Some(claim)
    });
    fields.close();
    Some(KeySource::Jwt { provider: provider?, claim: claim? })
}
