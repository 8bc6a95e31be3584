//! The bytes of a key: sent, or made now for a new visitor.

use std::borrow::Cow;
use std::net::IpAddr;

use super::Context;
use crate::hash::fmix64;

/// The bytes of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Bytes<'f> {
    Sent(Cow<'f, [u8]>),
    Generated([u8; 32]),
}

impl Bytes<'_> {
    pub(super) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Sent(bytes) => bytes,
            Self::Generated(id) => id,
        }
    }

    /// A client's address as text, which is what every other implementation would hash.
    pub(super) fn of_address(address: IpAddr) -> Self {
        Self::Sent(Cow::Owned(address.to_string().into_bytes()))
    }
}

/// The id of a new visitor: 128 random bits as 32 hexadecimal digits. Splits that generate into one
/// cookie (`word` is the hash of its name) get one id within a request, so the first page and the
/// second agree.
pub fn generated_id(word: u64, context: &Context) -> [u8; 32] {
    let bits = context.random.map(|random| fmix64(random ^ word));
    let mut id = [0; 32];
    let digits = bits.iter().flat_map(|bits| {
        (0..16_u32).map(move |at| {
            let nibble = (bits.rotate_left(at.wrapping_mul(4).wrapping_add(4)) & 0xf) as u8;
            // '0' to '9', then 'a' to 'f'.
            nibble.wrapping_add(if nibble < 10 { b'0' } else { b'a' - 10 })
        })
    });
    id.iter_mut().zip(digits).for_each(|(place, digit)| *place = digit);
    id
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::first_word;

    #[test]
    fn ids_are_128_random_bits_in_hexadecimal() {
        let (word, other) = (first_word(b"uid"), first_word(b"other"));
        let context = Context { random: [1, 2], ..Context::default() };
        let id = generated_id(word, &context);
        assert_eq!(id, generated_id(word, &context), "one id for a request");
        assert_ne!(id, generated_id(other, &context));
        assert_ne!(id, generated_id(word, &Context { random: [1, 3], ..context }));
        let wanted = format!("{:016x}{:016x}", fmix64(1 ^ word), fmix64(2 ^ word));
        assert_eq!(id.as_slice(), wanted.as_bytes());
    }
}
