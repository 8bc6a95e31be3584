//! Query parameters of a request target, as forms send them: `a=1&b=two+words&c=%C3%A4`.

use std::borrow::Cow;

/// The query of a request target: what comes after the first `?`, without the fragment.
pub(super) fn query_of(target: &[u8]) -> &[u8] {
    let without_fragment = target.split(|b| *b == b'#').next().unwrap_or_default();
    let mut parts = without_fragment.splitn(2, |b| *b == b'?');
    parts.nth(1).unwrap_or_default()
}

/// All parameters of a request target, in the order sent: name and value; a parameter without `=` has
/// an empty value.
pub fn query(target: &[u8]) -> impl Iterator<Item = (Encoded<'_>, Encoded<'_>)> {
    query_of(target).split(|b| *b == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let mut parts = pair.splitn(2, |b| *b == b'=');
        let mut part = || Encoded(parts.next().unwrap_or_default());
        (part(), part())
    })
}

/// A text as it is sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Encoded<'r>(&'r [u8]);

impl<'r> Encoded<'r> {
    /// The bytes that it stands for. Allocates only where there is something to decode.
    pub fn decoded(self) -> Cow<'r, [u8]> {
        if self.0.iter().any(|b| matches!(b, b'%' | b'+')) {
            Decoded(self.0).collect::<Vec<_>>().into()
        } else {
            self.0.into()
        }
    }
}

/// The bytes that a text stands for outside of forms, where `+` is itself.
pub(crate) fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        let (byte, more) = match byte {
            b'%' => escaped(after).unwrap_or((b'%', after)),
            byte => (*byte, after),
        };
        bytes.push(byte);
        rest = more;
    }
    bytes
}

/// The bytes that a text stands for: `+` is a space, `%41` an `A`; `%` before anything else is itself.
struct Decoded<'r>(&'r [u8]);

impl Iterator for Decoded<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let (byte, rest) = match self.0 {
            [] => return None,
            [b'+', rest @ ..] => (b' ', rest),
            [b'%', after @ ..] => escaped(after).unwrap_or((b'%', after)),
            [byte, rest @ ..] => (*byte, rest),
        };
        self.0 = rest;
        Some(byte)
    }
}

fn escaped(text: &[u8]) -> Option<(u8, &[u8])> {
    let [high, low, rest @ ..] = text else { return None };
    let digit = |b: u8| char::from(b).to_digit(16);
    let byte = digit(*high)? << 4 | digit(*low)?;
    Some((u8::try_from(byte).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(target: &str, name: &str) -> Vec<String> {
        let text = |value: Cow<[u8]>| String::from_utf8_lossy(&value).into_owned();
        let named = query(target.as_bytes()).filter(|(n, _)| *n.decoded() == *name.as_bytes());
        named.map(|(_, value)| text(value.decoded())).collect()
    }

    #[test]
    fn parameters_are_read_as_forms_send_them() {
        for (target, found) in [
            ("/p?uid=ada", vec!["ada"]),
            ("/p?a=1&uid=ada&b=2", vec!["ada"]),
            ("/p?uid=ada&uid=bob", vec!["ada", "bob"]),
            ("/p?uid", vec![""]),
            ("/p?uid=", vec![""]),
            ("/p?uid=a=b", vec!["a=b"]),
            ("/p?uid=a?b/c", vec!["a?b/c"]),
            ("/p?uid=two+words%21", vec!["two words!"]),
            ("/p?uid=%c3%A4", vec!["ä"]),
            ("/p?uid=100%", vec!["100%"]),
            ("/p?uid=%zz%4", vec!["%zz%4"]),
            ("/p?uid=%%41", vec!["%A"]),
            ("/p?uid=a%26b%3Dc", vec!["a&b=c"]),
            ("/p?%75id=ada", vec!["ada"]),
            ("/p?UID=1&xuid=2&uidx=3", vec![]),
            ("/p?&&=1&", vec![]),
            ("/p?a=1;uid=ada", vec![]),
            ("/p?a=1#?uid=ada", vec![]),
            ("/p#?uid=ada", vec![]),
            ("/p?uid=ada#x", vec!["ada"]),
            ("/uid=ada", vec![]),
            ("?uid=ada", vec!["ada"]),
            ("", vec![]),
        ] {
            assert_eq!(values(target, "uid"), found, "{target}");
        }
        assert_eq!(values("/?two+words=1", "two words"), ["1"]);
    }

    #[test]
    fn only_a_value_that_needs_decoding_is_copied() {
        let first = |target: &'static str| query(target.as_bytes()).next().unwrap().1.decoded();
        assert!(matches!(first("/?%61=plain"), Cow::Borrowed(b"plain")));
        assert!(matches!(first("/?a=two+words"), Cow::Owned(_)));
    }

    #[test]
    fn bytes_that_are_not_text_come_through() {
        let found: Vec<_> = query(b"/?a=%ff&a=\xfe").map(|(_, value)| value.decoded()).collect();
        assert_eq!(found, [b"\xff".as_slice(), b"\xfe"]);
    }
}
