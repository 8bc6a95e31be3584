//! Reading `sticky`: the cookie that keeps a user's first variant.

use super::cookie::read_cookie;
use super::fields::Fields;
use super::names::read_cookie_name;
use super::{read_secret, read_whole};
use crate::policy::sink::{Path, Sink};
use crate::policy::{CookieOptions, Sticky, Value};

/// `split` is the split's name, `None` where it could not be read.
pub(crate) fn read_sticky(
    value: &Value,
    path: &Path,
    sink: &mut Sink,
    split: Option<&str>,
) -> Option<Sticky> {
    let mut fields = Fields::open(value, path, sink)?;
    let named = fields.optional("cookie", sink, read_cookie_name);
    let name = match fields.get("cookie") {
        Some(_) => named,
        None => split.map(Sticky::default_cookie),
    };
    let cookie = read_cookie(&mut fields, path, sink, name, CookieOptions::STICKY_TTL);
    let epoch = fields.optional("epoch", sink, |v, p, s| read_whole(v, p, s, 0..=u32::MAX.into()));
    let secret = fields.required("secret", sink, read_secret);
    fields.close(sink);
    let epoch = epoch.and_then(|epoch| u32::try_from(epoch).ok()).unwrap_or_default();
    Some(Sticky { cookie: cookie?, epoch, secret: secret? })
}
