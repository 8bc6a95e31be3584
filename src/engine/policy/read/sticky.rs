//! Reading `sticky`: the cookie that keeps a user's first variant.

use super::cookie::read_cookie;
use super::names::read_cookie_name;
use super::read_secret;
use crate::policy::cursor::Cursor;
use crate::policy::{CookieOptions, Sticky};

/// `split` is the split's name, `None` where it could not be read.
pub(crate) fn read_sticky(at: &Cursor, split: Option<&str>) -> Option<Sticky> {
    let mut fields = at.object()?;
    let mut name = split.map(Sticky::default_cookie);
    if fields.has("cookie") {
        name = fields.optional("cookie", read_cookie_name);
    }
    let cookie = read_cookie(&mut fields, at, name, CookieOptions::STICKY_TTL);
    let epoch = fields.optional("epoch", |at| at.whole(0..=u32::MAX.into()));
    let secret = fields.required("secret", read_secret);
    fields.close();
    Some(Sticky { cookie: cookie?, epoch: epoch.unwrap_or_default(), secret: secret? })
}
