//! Reading `sticky`: the cookie that keeps a user's first variant.

use super::fields::{Fields, Path, Sink};
use super::names::read_cookie_name;
use super::read::{read_secret, read_whole};
use super::read_cookie::read_cookie;
use super::{CookieOptions, Sticky, Value};

impl Sticky {
    /// The name of a split's cookie where the policy gives none.
    pub(super) fn default_cookie(split: &str) -> String {
        format!("split-{split}")
    }
}

/// `split` is the split's name, `None` where it could not be read.
pub(super) fn read_sticky(
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
    let epoch = fields.optional("epoch", sink, |v, p, s| read_whole(v, p, s, 0, u32::MAX.into()));
    let secret = fields.required("secret", sink, read_secret);
    fields.close(sink);
    let epoch = epoch.and_then(|epoch| u32::try_from(epoch).ok()).unwrap_or_default();
    Some(Sticky { cookie: cookie?, epoch, secret: secret? })
}
