//! The key: the bytes that identify the user, from the first source that is present.

use crate::matching::{Request, cookie_values};
use crate::policy::KeySource;

/// The index of the first source that has a key, and the key. An empty value is no key.
pub(super) fn find<'r, R: Request + ?Sized>(
    sources: &'r [KeySource],
    request: &'r R,
) -> Option<(usize, &'r [u8])> {
    sources.iter().enumerate().find_map(|(index, source)| {
        let key = match source {
            KeySource::Header(name) => request.header_lines(name).find(|value| !value.is_empty()),
            KeySource::Cookie(name) => {
                cookie_values(request.header_lines("cookie"), name).find(|value| !value.is_empty())
            }
        };
        key.map(|key| (index, key))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_source_that_is_present_and_not_empty_gives_the_key() {
        let sources = [KeySource::Header("x-user-id".into()), KeySource::Cookie("uid".into())];
        for (request, found) in [
            (vec![("x-user-id", "ada"), ("cookie", "uid=bob")], Some((0, "ada"))),
            (vec![("cookie", "a=1"), ("cookie", "uid=bob")], Some((1, "bob"))),
            (vec![("x-user-id", ""), ("cookie", "uid=; uid=bob")], Some((1, "bob"))),
            (vec![("x-user-id", ""), ("x-user-id", "eve")], Some((0, "eve"))),
            (vec![("cookie", "uid=")], None),
            (vec![("cookie", "uid")], None),
            (vec![], None),
        ] {
            let key = find(&sources, &request[..]);
            assert_eq!(key, found.map(|(i, k)| (i, k.as_bytes())), "{request:?}");
        }
    }
}
