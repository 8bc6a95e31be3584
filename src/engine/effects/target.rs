//! Rewriting a request's host and path.

use std::borrow::Cow;

use super::{Edits, HeaderEdit};
use crate::decision::Lines;
use crate::hash::first_word;
use crate::host::{AUTHORITY, PATH};
use crate::plan::Questions;
use crate::policy::Rewrite;

/// Adds the edits of the rewrites: of host and path each the first that there is. A path outside the prefix stays as it
/// is, and the next rewrite has its turn; so it has after one whose path is rewritten already, and may not be. The hash
/// of the path, where it is rewritten.
pub(super) fn push_rewrites<'p>(
    headers: &mut Edits<'p>,
    rewrites: impl Iterator<Item = (&'p Rewrite, bool)> + Clone,
    lines: &Lines<'_>,
) -> Option<u64> {
    if let Some(host) = rewrites.clone().find_map(|(rewrite, _)| rewrite.host.as_ref()) {
        headers.push(HeaderEdit::Set { name: AUTHORITY, value: Cow::Borrowed(host.as_bytes()) });
    }
    let prefixes = rewrites.filter(|(_, path)| *path);
    let mut prefixes = prefixes.filter_map(|(rewrite, _)| rewrite.path_prefix.as_ref());
    let path = prefixes.find_map(|(from, to)| {
        replace_prefix(lines.first(Questions::PATH), from.as_bytes(), to.as_bytes())
    })?;
    let word = first_word(&path);
    headers.push(HeaderEdit::Set { name: PATH, value: Cow::Owned(path) });
    Some(word)
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
