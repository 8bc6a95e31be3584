//! A fast hash for tables that no client can write to. Not the hash of assignment, and of no meaning outside of a plan.

use crate::hash::fmix64;

/// A multiplication for eight bytes, and the finalizer of murmur3.
pub(crate) fn fast_hash(value: &[u8], ignore_case: bool) -> u64 {
    let fold = |chunk: &[u8; 8]| {
        let word = u64::from_le_bytes(*chunk);
        if ignore_case { lower_case(word) } else { word }
    };
    let mix = |hash: u64, word: u64| {
        let mixed = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ mixed >> 32
    };
    let (chunks, rest) = value.as_chunks::<8>();
    let mut hash = chunks.iter().map(fold).fold(value.len() as u64, mix);
    if !rest.is_empty() {
        // The last eight bytes, where there are as many: the overlap does no harm.
        let mut padded = [0; 8];
        padded.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        hash = mix(hash, fold(value.last_chunk().unwrap_or(&padded)));
    }
    fmix64(hash)
}

/// Eight bytes with ASCII letters in lower case, without a branch.
const fn lower_case(word: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = EACH << 7;
    let low = word & !HIGH;
    // The high bit of each byte: it is `A` (0x80 - 0x3f) or above; it is above `Z` (0x7f - 0x25).
    let from_a = low.wrapping_add(EACH.wrapping_mul(0x3f));
    let above_z = low.wrapping_add(EACH.wrapping_mul(0x25));
    let upper = from_a & !above_z & !word & HIGH;
    // 0x80 >> 2 is 0x20, the bit that makes a letter small.
    word | upper >> 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_lower_case_like_each_of_their_bytes() {
        for byte in 0..=u8::MAX {
            for at in 0..8 {
                let mut bytes = *b"aZ\xffA\x80z[@";
                bytes[at] = byte;
                let lower = bytes.map(|b| b.to_ascii_lowercase());
                assert_eq!(lower_case(u64::from_le_bytes(bytes)).to_le_bytes(), lower);
            }
        }
    }

    #[test]
    fn long_names_that_differ_in_their_middle_are_told_apart() {
        let names = (0..2_000).map(|n| format!("split-exp-{n:04}-checkout"));
        let hashes: std::collections::BTreeSet<u64> =
            names.map(|name| fast_hash(name.as_bytes(), false)).collect();
        assert_eq!(hashes.len(), 2_000);
    }
}
