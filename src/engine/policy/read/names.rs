//! Names that a policy may use: of splits, headers, cookies, clusters, salts.

use super::fields::read_text;
use crate::matching::Escaped;
use crate::policy::sink::{Path, Sink};
use crate::policy::{Code, Value, limits};

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
pub(super) fn read_name(value: &Value, path: &Path, sink: &mut Sink) -> Option<String> {
    let name = read_text(value, path, sink)?;
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
    let first = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    if name.as_bytes().first().is_some_and(first)
        && name.bytes().all(inner)
        && name.len() <= limits::NAME
    {
        return Some(name.to_owned());
    }
    sink.report(Code::InvalidName, path, format!("`{}` is not a name", shown(name))).help(format!(
        "a name is 1 to {} lower-case letters, digits, `.`, `_` or `-`, beginning with a letter or digit",
        limits::NAME
    ));
    None
}

/// An HTTP token, as methods, header names and cookie names are.
fn is_token(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.len() <= limits::TEXT && text.bytes().all(allowed)
}

/// The name of a request header to read; becomes lower case.
pub(super) fn read_header_name(value: &Value, path: &Path, sink: &mut Sink) -> Option<String> {
    let name = read_text(value, path, sink)?;
    if is_token(name) {
        return Some(name.to_ascii_lowercase());
    }
    let message = format!("`{}` is not a header name", shown(name));
    let diagnostic = sink.report(Code::InvalidHeaderName, path, message);
    diagnostic.help(match name {
        ":authority" | ":path" | ":method" => "use `hosts`, `path` and `methods` of the match",
        _ => "a header name is letters, digits and any of !#$%&'*+-.^_`|~",
    });
    None
}

/// The name of a header that the filter sets; becomes lower case.
pub(super) fn read_control_header(value: &Value, path: &Path, sink: &mut Sink) -> Option<String> {
    let name = read_header_name(value, path, sink)?;
    let mut known = OF_THE_MESSAGE.iter().chain(&OF_OTHERS);
    if known.any(|reserved| *reserved == name)
        || name.starts_with("x-envoy-")
        || name.starts_with("x-forwarded-")
    {
        sink.report(
            Code::ReservedHeader,
            path,
            format!("the proxy itself depends on header `{name}`"),
        )
        .help("use a header of your own, such as `x-split-cluster`");
        return None;
    }
    Some(name)
}

/// The name of a cookie: a token, case-sensitive.
pub(super) fn read_cookie_name(value: &Value, path: &Path, sink: &mut Sink) -> Option<String> {
    let name = read_text(value, path, sink)?;
    if is_token(name) {
        return Some(name.to_owned());
    }
    sink.report(Code::InvalidCookieName, path, format!("`{}` is not a cookie name", shown(name)))
        .help("a cookie name is letters, digits and any of !#$%&'*+-.^_`|~");
    None
}

/// A method: a token. Methods are case-sensitive; the known ones are upper case.
pub(super) fn read_method(value: &Value, path: &Path, sink: &mut Sink) -> Option<String> {
    let method = read_text(value, path, sink)?;
    if !is_token(method) {
        sink.report(Code::InvalidMethod, path, format!("`{}` is not a method", shown(method)))
            .help("methods are words such as `GET`");
        return None;
    }
    const KNOWN: [&str; 9] =
        ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];
    let upper = method.to_ascii_uppercase();
    if method != upper && KNOWN.contains(&upper.as_str()) {
        sink.report(Code::InvalidMethod, path, format!("no request has the method `{method}`"))
            .help(format!("methods are case-sensitive: `{upper}`"));
        return None;
    }
    Some(method.to_owned())
}

/// The name of an upstream cluster, as it can stand in a header: `checkout-v1`,
/// `outbound|8080|v1|reviews.default.svc.cluster.local`.
pub(super) fn read_cluster(value: &Value, path: &Path, sink: &mut Sink) -> Option<String> {
    let name = read_text(value, path, sink)?;
    if !name.is_empty() && name.len() <= limits::TEXT && name.bytes().all(|b| b.is_ascii_graphic())
    {
        return Some(name.to_owned());
    }
    sink.report(Code::InvalidCluster, path, format!("`{}` cannot name a cluster", shown(name)))
        .help(format!(
            "a cluster name is 1 to {} visible ASCII characters, as in Envoy's `clusters`",
            limits::TEXT
        ));
    None
}

/// A salt: any text without control characters (the separator 0x1F is one).
pub(super) fn read_salt(value: &Value, path: &Path, sink: &mut Sink) -> Option<String> {
    let salt = read_text(value, path, sink)?;
    if !salt.is_empty() && salt.len() <= limits::TEXT && !salt.chars().any(char::is_control) {
        return Some(salt.to_owned());
    }
    sink.report(Code::InvalidSalt, path, format!("`{}` is not a salt", shown(salt)))
        .help(format!("a salt is 1 to {} bytes of text without control characters", limits::TEXT));
    None
}

/// The text as it can stand in a message: escaped, and not longer than a line.
pub(super) const fn shown(text: &str) -> Escaped<'_> {
    Escaped(text)
}
