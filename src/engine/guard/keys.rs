//! Which users were met already: a bitmap by the hash of their keys.

/// A set of users that forgets, as words: how many bits are set, and the bits, in a power of two of words. A bit for each
/// hash, all cleared once a quarter is set: of users who are not in it up to a quarter, and on average an eighth, are
/// taken for others who are, whatever their variant.
pub(super) type KeySet = [u64];

/// The words of a set of so many bits, which is a power of two above 64.
pub(super) const fn words_of(bits: usize) -> usize {
    (bits / 64).wrapping_add(1)
}

/// Adds a user; whether it was not there. A set of no words takes nobody.
pub(super) fn insert(set: &mut KeySet, hash: u64) -> bool {
    let Some((ones, words)) = set.split_first_mut() else { return false };
    // A power of two, so that a mask takes the place of a division.
    let place = (hash >> 6) as usize & words.len().wrapping_sub(1);
    let bit = 1_u64.rotate_left(hash as u32);
    let Some(word) = words.get_mut(place).filter(|word| **word & bit == 0) else { return false };
    *word |= bit;
    *ones = ones.wrapping_add(1);
    // A quarter of 64 bits a word.
    if *ones >= (words.len() as u64).wrapping_mul(16) {
        set.fill(0);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::fmix64;

    fn set() -> Vec<u64> {
        vec![0; words_of(16_384)]
    }

    #[test]
    fn a_user_counts_once_until_a_quarter_is_full() {
        let mut set = set();
        assert!(insert(&mut set, 7) && !insert(&mut set, 7) && insert(&mut set, 7 + (1 << 6)));
        let new = (0..4_094).filter(|n| insert(&mut set, 64 + 2 * n + 1)).count();
        assert_eq!(new, 4_093, "one of them was there");
        assert!(!insert(&mut set, 7), "a bit less than a quarter");
        assert!(insert(&mut set, 8), "the last of the quarter");
        assert!(insert(&mut set, 7), "and all are forgotten");
    }

    #[test]
    fn few_users_are_taken_for_others() {
        let mut set = set();
        let new = (1..=100_000).filter(|n| insert(&mut set, fmix64(*n))).count();
        assert!((85_000..89_000).contains(&new), "{new}");
    }

    #[test]
    fn a_set_of_no_words_takes_nobody() {
        assert!(!insert(&mut [], 3) && !insert(&mut [0], 3));
    }
}
