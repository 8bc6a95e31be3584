//! Rewriting a request's host and path.

use std::borrow::Cow;

use super::HeaderEdit;
use crate::decision::Lines;
use crate::host::{AUTHORITY, PATH};
use crate::plan::Questions;
use crate::policy::Rewrite;

/// Adds the edits of a rewrite. A path outside the prefix stays as it is.
pub(super) fn push_rewrite<'p>(
    headers: &mut Vec<HeaderEdit<'p>>,
    rewrite: &'p Rewrite,
    lines: &Lines<'_>,
) {
    if let Some(host) = &rewrite.host {
        headers.push(HeaderEdit::Set { name: AUTHORITY, value: Cow::Borrowed(host.as_bytes()) });
    }
    if let Some((from, to)) = &rewrite.path_prefix {
        let target = lines.first(Questions::PATH);
        if let Some(path) = replace_prefix(target, from.as_bytes(), to.as_bytes()) {
            headers.push(HeaderEdit::Set { name: PATH, value: Cow::Owned(path) });
        }
    }
}

/// The target with another prefix, on segment borders; `None` where it does not begin with it.
fn replace_prefix(target: &[u8], from: &[u8], to: &[u8]) -> Option<Vec<u8>> {
    let from = from.strip_suffix(b"/").unwrap_or(from);
    let rest = target.strip_prefix(from)?;
    if !rest.first().is_none_or(|b| matches!(b, b'/' | b'?' | b'#')) {
        return None;
    }
    // No `//` where both meet, and no empty path.
    let to = if rest.starts_with(b"/") { to.strip_suffix(b"/").unwrap_or(to) } else { to };
    Some([to, rest].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_replaced_on_segment_borders() {
        for (target, from, to, wanted) in [
            ("/api/cart?x=/api", "/api", "/v2/api", Some("/v2/api/cart?x=/api")),
            ("/api/cart", "/api/", "/v2/", Some("/v2/cart")),
            ("/api", "/api", "/v2", Some("/v2")),
            ("/api?x", "/api", "/", Some("/?x")),
            ("/api/x", "/api", "/", Some("/x")),
            ("/x", "/", "/new", Some("/new/x")),
            ("/", "/", "/new", Some("/new/")),
            ("/apix", "/api", "/v2", None),
            ("/other", "/api", "/v2", None),
            ("", "/api", "/v2", None),
        ] {
            let found = replace_prefix(target.as_bytes(), from.as_bytes(), to.as_bytes());
            assert_eq!(found.as_deref(), wanted.map(str::as_bytes), "{target} {from} {to}");
        }
    }
}
