//! Reading the cookies that the filter sets. A cookie that browsers would drop is refused here:
//! they drop it without a word, and every request would be a new user.

use super::fields::Fields;
use super::names::{read_cookie_name, shown};
use super::scalar::read_bool;
use crate::policy::cursor::Cursor;
use crate::policy::text::duration;
use crate::policy::{ADVISES, Code, CookieOptions, SameSite};
use crate::units::{Millis, Seconds};

/// A key source's `generate`: the cookie that keeps the new key.
pub(crate) fn read_generated_cookie(at: &Cursor) -> Option<CookieOptions> {
    let mut fields = at.object()?;
    let name = fields.required("cookie", read_cookie_name);
    let cookie = read_cookie(&mut fields, at, name, CookieOptions::GENERATE_TTL);
    fields.close();
    cookie
}

/// The attributes of a cookie, as fields beside its name (which the caller reads, and which is
/// `None` where that failed).
pub(super) fn read_cookie(
    fields: &mut Fields,
    at: &Cursor,
    name: Option<String>,
    ttl: Seconds,
) -> Option<CookieOptions> {
    let named = name.is_some();
    let mut cookie = CookieOptions::new(name.unwrap_or_default(), ttl);
    fields.set("ttl", &mut cookie.ttl, read_ttl);
    cookie.domain = fields.optional("domain", read_domain);
    fields.set("secure", &mut cookie.secure, read_bool);
    fields.set("http_only", &mut cookie.http_only, read_bool);
    fields.set("same_site", &mut cookie.same_site, |at| at.word(SameSite::ALL));
    fields.set("partitioned", &mut cookie.partitioned, read_bool);
    // Where a field could not be read its default stands here, and no default contradicts anything.
    check_cookie(&cookie, at);
    named.then_some(cookie)
}

/// Refuses what browsers refuse: attributes that contradict each other or the name's prefix.
fn check_cookie(cookie: &CookieOptions, at: &Cursor) {
    let refuse = |field: &str, message: &'static str, help: &'static str| {
        at.field(field).report(Code::InvalidCookie, message).help(help);
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
fn read_ttl(at: &Cursor) -> Option<Seconds> {
    let (ttl, written) = (read_duration(at)?, at.value);
    let Some(seconds) = Seconds::whole(ttl) else {
        let message = format!("`{written}` is not a number of whole seconds");
        let help = "browsers count the life of a cookie in seconds, from `1s` up";
        return at.refuse(Code::InvalidDuration, message, help);
    };
    if ADVISES && seconds > CookieOptions::TTL_CAP {
        let message = format!("browsers forget every cookie after `400d`, long before `{written}`");
        at.report(Code::CookieTtlCapped, message)
            .help("write `ttl: 400d`; for longer use a key that the application keeps");
    }
    Some(seconds)
}

/// A domain, and with it all its subdomains; becomes lower case.
fn read_domain(at: &Cursor) -> Option<String> {
    let domain = at.text()?;
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
    at.refuse(
        Code::InvalidDomain,
        message,
        match domain.strip_prefix('.') {
            Some(rest) if !rest.is_empty() => {
                format!("write `{}`: its subdomains are included", shown(rest))
            }
            _ => "write it as `example.com`; without the field the cookie is for the host alone"
                .into(),
        },
    )
}

/// A duration.
pub(super) fn read_duration(at: &Cursor) -> Option<Millis> {
    let text = at.text()?;
    duration::parse(text).map_or_else(
        |why| at.refuse(Code::InvalidDuration, format!("`{}` {why}", shown(text)), duration::FORM),
        Some,
    )
}
