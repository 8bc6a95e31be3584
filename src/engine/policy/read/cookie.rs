//! Reading the cookies that the filter sets. A cookie that browsers would drop is refused here:
//! they drop it without a word, and every request would be a new user.

use super::fields::{Fields, read_bool, read_text};
use super::names::{read_cookie_name, shown};
use super::read_word;
use crate::policy::sink::{Path, Sink};
use crate::policy::text::duration;
use crate::policy::{Code, CookieOptions, SameSite, Value};
use crate::units::{Millis, Seconds};

/// A key source's `generate`: the cookie that keeps the new key.
pub(crate) fn read_generated_cookie(
    value: &Value,
    path: &Path,
    sink: &mut Sink,
) -> Option<CookieOptions> {
    let mut fields = Fields::open(value, path, sink)?;
    let name = fields.required("cookie", sink, read_cookie_name);
    let cookie = read_cookie(&mut fields, path, sink, name, CookieOptions::GENERATE_TTL);
    fields.close(sink);
    cookie
}

/// The attributes of a cookie, as fields beside its name (which the caller reads, and which is
/// `None` where that failed).
pub(super) fn read_cookie(
    fields: &mut Fields,
    path: &Path,
    sink: &mut Sink,
    name: Option<String>,
    ttl: Seconds,
) -> Option<CookieOptions> {
    let mut cookie = CookieOptions::new(name.clone().unwrap_or_default(), ttl);
    if let Some(ttl) = fields.optional("ttl", sink, read_ttl) {
        cookie.ttl = ttl;
    }
    cookie.domain = fields.optional("domain", sink, read_domain);
    if let Some(secure) = fields.optional("secure", sink, read_bool) {
        cookie.secure = secure;
    }
    if let Some(http_only) = fields.optional("http_only", sink, read_bool) {
        cookie.http_only = http_only;
    }
    let same_site = fields.optional("same_site", sink, |v, p, s| read_word(v, p, s, SameSite::ALL));
    cookie.same_site = same_site.unwrap_or_default();
    let partitioned = fields.optional("partitioned", sink, read_bool);
    cookie.partitioned = partitioned.unwrap_or_default();
    // Where a field could not be read its default stands here, and no default contradicts anything.
    check_cookie(&cookie, path, sink);
    name.map(|_| cookie)
}

/// Refuses what browsers refuse: attributes that contradict each other or the name's prefix.
fn check_cookie(cookie: &CookieOptions, path: &Path, sink: &mut Sink) {
    let mut refuse = |field: &str, message: &'static str, help: &'static str| {
        sink.report(Code::InvalidCookie, &Path::Field(path, field), message).help(help);
    };
    const ADD_SECURE: &str = "write `secure: true`, or leave the field out";
    if cookie.same_site == SameSite::None && !cookie.secure {
        refuse(
            "same_site",
            "browsers drop a cookie of `same_site: none` without `secure`",
            ADD_SECURE,
        );
    }
    if cookie.partitioned && !cookie.secure {
        refuse("partitioned", "browsers drop a partitioned cookie without `secure`", ADD_SECURE);
    }
    let name = cookie.name.to_ascii_lowercase();
    let host = name.starts_with("__host-");
    let http = name.starts_with("__http-") || name.starts_with("__host-http-");
    if (host || http || name.starts_with("__secure-")) && !cookie.secure {
        refuse("cookie", "browsers drop a cookie with this prefix without `secure`", ADD_SECURE);
    }
    if host && cookie.domain.is_some() {
        let help = "remove `domain`, or begin the name with `__Secure-` instead";
        refuse("cookie", "browsers drop a `__Host-` cookie that has a domain", help);
    }
    if http && !cookie.http_only {
        let help = "write `http_only: true`, or leave the field out";
        refuse("cookie", "browsers drop a cookie with this prefix without `http_only`", help);
    }
}

/// How long browsers keep a cookie.
fn read_ttl(value: &Value, path: &Path, sink: &mut Sink) -> Option<Seconds> {
    let ttl = Seconds::whole(read_duration(value, path, sink)?);
    let Some(seconds) = ttl else {
        let message = format!("`{value}` is not a number of whole seconds");
        sink.report(Code::InvalidDuration, path, message)
            .help("browsers count the life of a cookie in seconds, from `1s` up");
        return None;
    };
    if seconds > CookieOptions::TTL_CAP {
        let message = format!("browsers forget every cookie after `400d`, long before `{value}`");
        sink.report(Code::CookieTtlCapped, path, message)
            .help("write `ttl: 400d`; for longer use a key that the application keeps");
    }
    Some(seconds)
}

/// A domain, and with it all its subdomains; becomes lower case.
fn read_domain(value: &Value, path: &Path, sink: &mut Sink) -> Option<String> {
    let domain = read_text(value, path, sink)?;
    let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // An address (its last part is a number) has no subdomains, and browsers want none.
    let address = domain.rsplit('.').next().is_some_and(|l| l.bytes().all(|b| b.is_ascii_digit()));
    if domain.len() <= 253 && domain.split('.').all(label) && !address {
        return Some(domain.to_ascii_lowercase());
    }
    let message = format!("`{}` is not a cookie's domain", shown(domain));
    sink.report(Code::InvalidDomain, path, message).help(match domain.strip_prefix('.') {
        Some(rest) if !rest.is_empty() => {
            format!("write `{}`: its subdomains are included", shown(rest))
        }
        _ => "write it as `example.com`; without the field the cookie is for the host alone".into(),
    });
    None
}

/// A duration.
pub(super) fn read_duration(value: &Value, path: &Path, sink: &mut Sink) -> Option<Millis> {
    let text = read_text(value, path, sink)?;
    match duration::parse(text) {
        Ok(duration) => Some(duration),
        Err(why) => {
            sink.report(Code::InvalidDuration, path, format!("`{}` {why}", shown(text)))
                .help(duration::FORM);
            None
        }
    }
}
