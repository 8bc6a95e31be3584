//! Claims of checked tokens, read from the dynamic metadata of Envoy's `jwt_authn`.

use std::borrow::Cow;

use crate::ids::ClaimSlot;
use crate::wire::{Content, Field, Fields};

/// A claim that a plan asks for; made when the configuration is read, so that a host can prepare
/// how it is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Its place among [`crate::plan::Questions::claims`].
    pub slot: ClaimSlot,
    /// The `payload_in_metadata` of the provider of Envoy's `jwt_authn`.
    pub provider: String,
    /// The claim's name.
    pub name: String,
}

/// The filter that leaves its claims in the metadata.
const JWT_AUTHN: &[u8] = b"envoy.filters.http.jwt_authn";

impl Claim {
    /// The claim's text in the dynamic metadata of a request, which is an
    /// `envoy.config.core.v3.Metadata` on the wire. The whole of it is read, because only there a claim
    /// has its type: as a property of its own the number 42 is 8 bytes of a double, and an object's fields
    /// come in another order each time.
    ///
    /// A string is its bytes. A number is its decimal text without exponent, as a header would have it:
    /// `42`, `1.5`; Envoy keeps numbers as doubles, so of whole ones beyond 2^53 the last digits are
    /// those of the nearest double. A truth is `true` or `false`. Null, an object and a list have no
    /// text, nor has a number beyond 2^64 or a fraction of more than 15 digits: no id is one.
    pub fn find_in<'m>(&self, metadata: &'m [u8]) -> Option<Cow<'m, [u8]>> {
        let claims = entry(entry(metadata, JWT_AUTHN)?, self.provider.as_bytes())?;
        let Some(Content::Bytes(claims)) = content(claims, STRUCT) else { return None };
        text(entry(claims, self.name.as_bytes())?)
    }
}

/// The numbers of the kinds of a `google.protobuf.Value`.
const NUMBER: u64 = 2;
const STRING: u64 = 3;
const TRUTH: u64 = 4;
const STRUCT: u64 = 5;

/// The value of an entry of a message whose field 1 is a map. `Metadata` and `Struct` both are.
fn entry<'m>(message: &'m [u8], name: &[u8]) -> Option<&'m [u8]> {
    Fields(message).map_while(|field| field).find_map(|field| {
        let Field { number: 1, content: Content::Bytes(pair) } = field else { return None };
        let (mut key, mut value): (&[u8], &[u8]) = (&[], &[]);
        for part in Fields(pair).map_while(|part| part) {
            match part {
                Field { number: 1, content: Content::Bytes(bytes) } => key = bytes,
                Field { number: 2, content: Content::Bytes(bytes) } => value = bytes,
                _ => {}
            }
        }
        (key == name).then_some(value)
    })
}

/// A field of a message.
fn content(message: &[u8], wanted: u64) -> Option<Content<'_>> {
    let mut fields = Fields(message).map_while(|field| field);
    fields.find(|field| field.number == wanted).map(|field| field.content)
}

fn text(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    let Field { number, content } = Fields(value).next()??;
    match (number, content) {
        (STRING, Content::Bytes(text)) => Some(Cow::Borrowed(text)),
        (NUMBER, Content::Double(n)) => decimal(n).map(|text| Cow::Owned(text.into_bytes())),
        (TRUTH, Content::Number(is)) => {
            Some(Cow::Borrowed(if is == 0 { b"false".as_slice() } else { b"true" }))
        }
        _ => None,
    }
}

/// The shortest decimal text of a number. The standard library's own would be a tenth of the module.
fn decimal(n: f64) -> Option<String> {
    // Quotients of whole numbers below 2^53 and powers of ten up to 10^22 are rounded once, as
    // a text is that is read as a double; so the first that is equal is the shortest. Up to 15
    // digits no other of that length is the same double.
    const EXACT: f64 = 1e15;
    let (size, mut scale) = (n.abs(), 1.0);
    let sign = if n < 0.0 { "-" } else { "" };
    for places in 0..=15_usize {
        let scaled = size * scale;
        let digits = (scaled + 0.5) as u64;
        if places == 0 && digits < u64::MAX && digits as f64 == size {
            return Some(format!("{sign}{digits}"));
        }
        if scaled < EXACT && digits as f64 / scale == size {
            let power = scale as u64;
            let (whole, rest) = (digits.checked_div(power)?, digits.checked_rem(power)?);
            return Some(format!("{sign}{whole}.{rest:0places$}"));
        }
        scale *= 10.0;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(number: u8, content: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, u8::try_from(content.len()).unwrap()], content].concat()
    }

    fn pair(name: &str, value: &[u8]) -> Vec<u8> {
        message(1, &[message(1, name.as_bytes()), message(2, value)].concat())
    }

    fn double(n: f64) -> Vec<u8> {
        [&[0x11], n.to_le_bytes().as_slice()].concat()
    }

    /// Another filter's metadata, then those of the token.
    fn metadata(claim: &[u8]) -> Vec<u8> {
        let claims = [pair("iss", &message(3, b"me")), pair("sub", claim)].concat();
        let providers = [pair("other", &message(3, b"x")), pair("payload", &message(5, &claims))];
        let name = str::from_utf8(JWT_AUTHN).unwrap();
        [pair("envoy.lb", &pair("canary", &[0x20, 1])), pair(name, &providers.concat())].concat()
    }

    fn sub() -> Claim {
        Claim { slot: ClaimSlot::default(), provider: "payload".into(), name: "sub".into() }
    }

    fn found(claim: &[u8]) -> Option<String> {
        let metadata = metadata(claim);
        sub().find_in(&metadata).map(|text| String::from_utf8(text.into_owned()).unwrap())
    }

    #[test]
    fn a_claim_is_the_text_that_a_header_would_have() {
        for (claim, text) in [
            (message(3, b"ada"), "ada"),
            (message(3, b"12345678"), "12345678"),
            (message(3, b""), ""),
            (double(42.0), "42"),
            (double(-7.0), "-7"),
            (double(0.0), "0"),
            (double(-0.0), "0"),
            (double(1.5), "1.5"),
            (double(9_007_199_254_740_993.0), "9007199254740992"),
            (double(12_345_678_901_234_567_890.0), "12345678901234567168"),
            (double(0.1), "0.1"),
            (double(-0.25), "-0.25"),
            (double(3.05), "3.05"),
            (double(1234567.891), "1234567.891"),
            (double(0.000_000_000_000_001), "0.000000000000001"),
            (vec![0x20, 1], "true"),
            (vec![0x20, 0], "false"),
        ] {
            assert_eq!(found(&claim).as_deref(), Some(text));
        }
    }

    #[test]
    fn what_has_no_text_is_no_claim() {
        let object = message(5, &pair("id", &message(3, b"77")));
        let list = message(6, &message(1, &message(3, b"a")));
        for claim in [
            vec![0x08, 0],
            object,
            list,
            double(f64::NAN),
            double(f64::INFINITY),
            double(1e21),
            double(1e-20),
            vec![],
        ] {
            assert_eq!(found(&claim), None);
        }
        let metadata = metadata(&message(3, b"ada"));
        for (provider, name) in [("other", "sub"), ("none", "sub"), ("payload", "none"), ("", "")] {
            let claim = Claim { provider: provider.into(), name: name.into(), ..sub() };
            assert_eq!(claim.find_in(&metadata), None);
        }
    }

    #[test]
    fn numbers_are_written_as_the_standard_library_does() {
        let mut word = 1_u64;
        for _ in 0..20_000 {
            word = crate::hash::fmix64(word.wrapping_add(1));
            let whole = (word >> 11 >> (word % 50)) as f64;
            for n in [whole, -whole, whole / 100.0, whole / 1e6, f64::from_bits(word)] {
                if let Some(text) = decimal(n) {
                    assert_eq!(text.parse(), Ok(n), "{text}");
                    if n != 0.0 && n.abs() <= 9_007_199_254_740_992.0 {
                        assert_eq!(text, n.to_string());
                    }
                }
            }
        }
    }

    #[test]
    fn no_bytes_make_the_reading_panic() {
        let whole = metadata(&double(42.0));
        for end in 0..whole.len() {
            sub().find_in(&whole[..end]);
            let mut other = whole.clone();
            for flip in [0x01, 0x80, 0xff] {
                other[end] ^= flip;
                sub().find_in(&other);
            }
        }
    }
}
