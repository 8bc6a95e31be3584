//! Names that a policy may use: of splits, headers, cookies, clusters, salts.

use std::borrow::Cow;

use crate::matching::Escaped;
use crate::policy::cursor::Cursor;
use crate::policy::{ADVISES, Code, limits};

/// Headers that frame the message or name its target: nobody edits them.
pub(super) const OF_THE_MESSAGE: [&str; 8] = [
    "host",
    "connection",
    "content-length",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// Headers that others have a meaning for: a variant may edit them, but they cannot carry the decision.
const OF_OTHERS: [&str; 6] =
    ["cookie", "set-cookie", "authorization", "content-type", "expect", "proxy-connection"];

/// The name of a split or variant: `[a-z0-9][a-z0-9._-]{0,63}`.
pub(super) fn read_name(at: &Cursor) -> Option<String> {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
    let valid = |name: &str| {
        (1..=limits::NAME).contains(&name.len())
            && name.bytes().all(inner)
            && !name.starts_with(['.', '_', '-'])
    };
    at.text_that(valid, Code::InvalidName, "is not a name", format_args!(
        "a name is 1 to {} lower-case letters, digits, `.`, `_` or `-`, beginning with a letter or digit",
        limits::NAME
    ))
}

/// An HTTP token, as methods, header names and cookie names are.
fn is_token(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    (1..=limits::TEXT).contains(&text.len()) && text.bytes().all(allowed)
}

/// The name of a request header to read; becomes lower case.
pub(super) fn read_header_name(at: &Cursor) -> Option<String> {
    let name = at.text()?;
    let help = match name {
        ":authority" | ":path" | ":method" => "use `hosts`, `path` and `methods` of the match",
        _ => "a header name is letters, digits and any of !#$%&'*+-.^_`|~",
    };
    let code = Code::InvalidHeaderName;
    let name = at.text_that(is_token, code, "is not a header name", format_args!("{help}"))?;
    warn_of_asterisk(at, &name);
    Some(name.to_ascii_lowercase())
}

/// The name of a header that the filter sets; becomes lower case.
pub(super) fn read_control_header(at: &Cursor) -> Option<String> {
    let name = read_header_name(at)?;
    let mut known = OF_THE_MESSAGE.iter().chain(&OF_OTHERS);
    if known.any(|reserved| *reserved == name)
        || name.starts_with("x-envoy-")
        || name.starts_with("x-forwarded-")
    {
        let message = format!("the proxy itself depends on header `{name}`");
        let help = "use a header of your own, such as `x-split-cluster`";
        return at.refuse(Code::ReservedHeader, message, help);
    }
    Some(name)
}

/// The name of a cookie: a token, case-sensitive.
pub(super) fn read_cookie_name(at: &Cursor) -> Option<String> {
    let help = format_args!("a cookie name is letters, digits and any of !#$%&'*+-.^_`|~");
    let name = at.text_that(is_token, Code::InvalidCookieName, "is not a cookie name", help)?;
    warn_of_asterisk(at, &name);
    Some(name)
}

/// The same in a name or a method.
fn warn_of_asterisk(at: &Cursor, text: &str) {
    if ADVISES && text.contains('*') {
        warn_of_wildcard(at, text, "write the whole of it: only `hosts` have wildcards");
    }
}

/// Warns of a `*` that is meant to stand for other characters, where it stands for itself.
pub(super) fn warn_of_wildcard(at: &Cursor, text: &str, help: impl Into<Cow<'static, str>>) {
    if !ADVISES {
        return;
    }
    let message = format!("`*` is no wildcard here: `{}` means these very characters", shown(text));
    at.report(Code::UnlikelyPattern, message).help(help);
}

/// A method: a token. Methods are case-sensitive; the known ones are upper case.
pub(super) fn read_method(at: &Cursor) -> Option<String> {
    const KNOWN: [&str; 9] =
        ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];
    let help = format_args!("methods are words such as `GET`");
    let method = at.text_that(is_token, Code::InvalidMethod, "is not a method", help)?;
    let upper = method.to_ascii_uppercase();
    if method != upper && KNOWN.contains(&upper.as_str()) {
        let message = format!("no request has the method `{method}`");
        let help = format!("methods are case-sensitive: `{upper}`");
        return at.refuse(Code::InvalidMethod, message, help);
    }
    warn_of_asterisk(at, &method);
    Some(method)
}

/// The name of an upstream cluster, as it can stand in a header: `checkout-v1`,
/// `outbound|8080|v1|reviews.default.svc.cluster.local`.
pub(super) fn read_cluster(at: &Cursor) -> Option<String> {
    let valid = |name: &str| {
        (1..=limits::TEXT).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic())
    };
    let help = format_args!(
        "a cluster name is 1 to {} visible ASCII characters, as in Envoy's `clusters`",
        limits::TEXT
    );
    at.text_that(valid, Code::InvalidCluster, "cannot name a cluster", help)
}

/// Any text without control characters (the separator 0x1F is one).
fn is_plain(text: &str) -> bool {
    (1..=limits::TEXT).contains(&text.len()) && !text.contains(char::is_control)
}

/// A salt.
pub(super) fn read_salt(at: &Cursor) -> Option<String> {
    let help =
        format_args!("a salt is 1 to {} bytes of text without control characters", limits::TEXT);
    at.text_that(is_plain, Code::InvalidSalt, "is not a salt", help)
}

/// A name that others have given: of a query parameter, a claim, a provider.
pub(super) fn read_plain_text(at: &Cursor) -> Option<String> {
    let help = format_args!(
        "a name here is 1 to {} bytes of text without control characters",
        limits::TEXT
    );
    at.text_that(is_plain, Code::InvalidValue, "is not a name", help)
}

/// The text as it can stand in a message: escaped, and not longer than a line.
pub(super) const fn shown(text: &str) -> Escaped<'_> {
    Escaped(text)
}
