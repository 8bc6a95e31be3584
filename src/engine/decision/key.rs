//! The key: the bytes that identify the user, from the first source that is present.

use std::borrow::Cow;

use super::Context;
use crate::hash::{first_word, fmix64};
use crate::matching::{self, PATH, Request, Scope, cookie_values, query_values};
use crate::policy::KeySource;

/// A key and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key<'r> {
    /// Index of the source.
    pub(super) source: usize,
    /// Made just now for a new visitor.
    pub(super) generated: bool,
    bytes: Bytes<'r>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Bytes<'r> {
    Sent(Cow<'r, [u8]>),
    Generated([u8; 32]),
}

impl Key<'_> {
    pub(super) fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Sent(bytes) => bytes,
            Bytes::Generated(id) => id,
        }
    }
}

/// The key of the first source that has one. An empty value is no key.
pub(super) fn find<'r, R: Request + ?Sized>(
    sources: &'r [KeySource],
    request: &'r R,
    scope: &Scope,
    context: &Context,
) -> Option<Key<'r>> {
    sources.iter().enumerate().find_map(|(source, from)| {
        let sent = match from {
            KeySource::Header(name) => {
                request.header_lines(name).find(|value| !value.is_empty()).map(Cow::Borrowed)
            }
            KeySource::Cookie(name) => cookie_values(request.header_lines("cookie"), name)
                .find(|value| !value.is_empty())
                .map(Cow::Borrowed),
            KeySource::Query(name) => {
                let target = request.header_lines(PATH).next().unwrap_or_default();
                query_values(target, name).find(|value| !value.is_empty())
            }
            KeySource::Jwt { provider, claim } => {
                request.jwt_claim(provider, claim).filter(|value| !value.is_empty())
            }
            KeySource::ClientIp => matching::client_ip(request, scope.trusted_hops)
                .map(|address| Cow::Owned(address.to_string().into_bytes())),
            KeySource::Generate(cookie) => {
                let bytes = Bytes::Generated(generated_id(&cookie.name, context));
                return Some(Key { source, generated: true, bytes });
            }
        };
        sent.map(|bytes| Key { source, generated: false, bytes: Bytes::Sent(bytes) })
    })
}

/// The id of a new visitor: 128 random bits as 32 hexadecimal digits. Splits that generate into one
/// cookie get one id within a request, so the first page and the second agree.
pub(crate) fn generated_id(cookie: &str, context: &Context) -> [u8; 32] {
    let word = first_word(cookie.as_bytes());
    let bits = context.random.map(|random| fmix64(random ^ word));
    let mut id = [0; 32];
    let digits = bits.iter().flat_map(|word| {
        (0..16_u32).map(move |at| {
            let nibble = word.rotate_left(at.wrapping_mul(4).wrapping_add(4)) & 0xf;
            b"0123456789abcdef".get(nibble as usize).copied().unwrap_or(b'0')
        })
    });
    id.iter_mut().zip(digits).for_each(|(place, digit)| *place = digit);
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(request: &[(&str, &str)], sources: &[KeySource]) -> Option<(usize, String)> {
        let key = find(sources, request, &Scope::default(), &Context::default())?;
        Some((key.source, String::from_utf8_lossy(key.bytes()).into_owned()))
    }

    #[test]
    fn the_first_source_that_is_present_and_not_empty_gives_the_key() {
        let sources = [
            KeySource::Header("x-user-id".into()),
            KeySource::Cookie("uid".into()),
            KeySource::Query("u".into()),
        ];
        for (request, found) in [
            (vec![("x-user-id", "ada"), ("cookie", "uid=bob")], Some((0, "ada"))),
            (vec![("cookie", "a=1"), ("cookie", "uid=bob")], Some((1, "bob"))),
            (vec![("x-user-id", ""), ("cookie", "uid=; uid=bob")], Some((1, "bob"))),
            (vec![("x-user-id", ""), ("x-user-id", "eve")], Some((0, "eve"))),
            (vec![("cookie", "uid="), (":path", "/?u=&u=c%61t")], Some((2, "cat"))),
            (vec![("cookie", "uid")], None),
            (vec![], None),
        ] {
            let found = found.map(|(index, key): (usize, &str)| (index, key.to_owned()));
            assert_eq!(text(&request, &sources), found, "{request:?}");
        }
    }

    #[test]
    fn ids_are_128_random_bits_in_hexadecimal() {
        let context = Context { random: [1, 2], ..Context::default() };
        let id = generated_id("uid", &context);
        assert!(id.iter().all(u8::is_ascii_hexdigit));
        assert_eq!(id, generated_id("uid", &context), "one id for a request");
        assert_ne!(id, generated_id("other", &context));
        assert_ne!(id, generated_id("uid", &Context { random: [1, 3], ..context }));
        let word = first_word(b"uid");
        let wanted = format!("{:016x}{:016x}", fmix64(1 ^ word), fmix64(2 ^ word));
        assert_eq!(id.as_slice(), wanted.as_bytes());
    }
}
