//! Assignment v1, "rendezvous": the numbers of a user. A contract: every other implementation
//! gives the same, bit for bit (`tests/vectors`). Whole numbers only.

use std::io::Read;

use crate::units::Bucket;

/// Between salt and key, so that `("ab", "c")` and `("a", "bc")` are different users. Salts have
/// no control characters.
pub const SEPARATOR: u8 = 0x1f;

/// The two words of `murmur3_x64_128(salt || 0x1F || key, seed 0)`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hash {
    /// The first word: buckets.
    pub h1: u64,
    /// The second word: tickets.
    pub h2: u64,
}

impl Hash {
    /// Hashes a key under a prefix of salt and separator (made by [`prefix`]).
    pub fn new(prefix: &[u8], key: &[u8]) -> Self {
        // Read from one piece it takes half the time; few keys are longer.
        let mut together = [0; 128];
        let length = prefix.len().saturating_add(key.len());
        let (h1, h2) = match together.get_mut(..length) {
            Some(bytes) => {
                if let Some((head, tail)) = bytes.split_at_mut_checked(prefix.len()) {
                    head.copy_from_slice(prefix);
                    tail.copy_from_slice(key);
                }
                murmur(&mut &*bytes)
            }
            None => murmur(&mut prefix.chain(key)),
        };
        Self { h1, h2 }
    }

    /// The user's number 0..9999: `(h1 * 10000) >> 64`.
    pub const fn bucket(self) -> Bucket {
        Bucket::of(self.h1)
    }
}

/// Salt and separator, to be prepared once.
pub fn prefix(salt: &str) -> Box<[u8]> {
    let mut bytes = salt.as_bytes().to_vec();
    bytes.push(SEPARATOR);
    bytes.into()
}

/// The first word of `murmur3_x64_128(bytes, seed 0)`: `V` of a variant's name.
pub fn first_word(mut bytes: &[u8]) -> u64 {
    murmur(&mut bytes).0
}

/// Of any reader, so that the function is in the module once.
fn murmur(mut source: &mut dyn Read) -> (u64, u64) {
    // The crate reads from anything and so returns an io::Result; memory never fails.
    let both = murmur3::murmur3_x64_128(&mut source, 0).unwrap_or_default();
    (both as u64, (both >> 64) as u64)
}

/// murmur3's 64-bit finalizer.
pub const fn fmix64(mut k: u64) -> u64 {
    k ^= k >> 33;
    k = k.wrapping_mul(0xff51_afd7_ed55_8ccd);
    k ^= k >> 33;
    k = k.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    k ^ (k >> 33)
}

/// `-log2(ticket / 2^64)` in 32.32 fixed point; from 1 up to `64 << 32`. A ticket of 0 counts as 1.
pub const fn cost(ticket: u64) -> u64 {
    let ticket = if ticket == 0 { 1 } else { ticket };
    let zeros = ticket.leading_zeros();
    // y is in 2^31..2^32: squaring it 32 times yields one binary digit of the logarithm each.
    let mut y = (ticket << zeros) >> 32;
    let mut frac = 0_u64;
    let mut digit = 0;
    while digit < 32 {
        y = y.wrapping_mul(y) >> 31;
        let carry = y >> 32;
        frac = (frac << 1) | carry;
        y >>= carry;
        digit = u32::wrapping_add(digit, 1);
    }
    ((zeros as u64).wrapping_add(1) << 32).wrapping_sub(frac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_published_murmur3() {
        // Values from mmh3.hash64(b"...", 0, signed=False), an independent implementation.
        assert_eq!(first_word(b""), 0);
        assert_eq!(first_word(b"hello"), 0xcbd8_a7b3_41bd_9b02);
        let both = murmur(&mut b"hello".as_slice());
        assert_eq!(both.1, 0x5b1e_906a_48ae_1d19);
    }

    #[test]
    fn where_salt_ends_and_key_begins_makes_a_difference() {
        assert_ne!(Hash::new(&prefix("ab"), b"c"), Hash::new(&prefix("a"), b"bc"));
    }

    #[test]
    fn long_keys_are_hashed_as_short_ones_are() {
        let salt = prefix("checkout");
        for length in [0, 1, 15, 16, 100, 118, 119, 120, 127, 128, 500] {
            let key = vec![b'k'; length];
            let whole = [&salt[..], &key].concat();
            let (h1, h2) = murmur(&mut whole.as_slice());
            assert_eq!(Hash::new(&salt, &key), Hash { h1, h2 }, "{length}");
        }
    }

    #[test]
    fn cost_is_the_logarithm_to_nine_digits() {
        assert_eq!(cost(1 << 63), 1 << 32);
        assert_eq!(cost(1), 64 << 32);
        assert_eq!(cost(0), cost(1));
        let mut ticket = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..10_000 {
            ticket = fmix64(ticket);
            let exact = 64.0 - (ticket as f64).log2();
            let found = cost(ticket) as f64 / 4_294_967_296.0;
            assert!((exact - found).abs() < 2e-9, "{ticket:#x}: {exact} {found}");
        }
    }
}
