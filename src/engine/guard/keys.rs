//! Which users were met already: a bitmap by the hash of their keys.

/// A set of users that forgets: a bit for each hash, all cleared once a quarter is set. Of users who are not in it up to
/// a quarter, and on average an eighth, are taken for others who are; whatever their variant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeySet {
    words: Box<[u64]>,
    /// How many bits are set.
    ones: u32,
}

impl KeySet {
    /// An empty set of so many words of 64 bits, rounded up to a power of two.
    pub fn new(words: usize) -> Self {
        Self { words: vec![0; words.next_power_of_two()].into(), ones: 0 }
    }

    /// Adds a user; whether it was not there. A set of no bits takes nobody.
    pub fn insert(&mut self, hash: u64) -> bool {
        // A power of two, so that a mask takes the place of a division.
        let last = self.words.len().wrapping_sub(1);
        let place = (hash >> 6) as usize & last;
        let bit = 1_u64.rotate_left(hash as u32);
        let Some(word) = self.words.get_mut(place).filter(|word| **word & bit == 0) else {
            return false;
        };
        *word |= bit;
        self.ones = self.ones.wrapping_add(1);
        // A quarter of 64 bits a word.
        if self.ones as usize >= self.words.len().saturating_mul(16) {
            self.words.fill(0);
            self.ones = 0;
        }
        true
    }

    /// Whether it has no bits at all.
    pub const fn is_unmade(&self) -> bool {
        self.words.is_empty()
    }

    /// The words, to be read and written; [`Self::recount`] after that.
    pub(super) fn words(&mut self) -> impl Iterator<Item = &mut u64> {
        self.words.iter_mut()
    }

    /// Counts the bits again.
    pub(super) fn recount(&mut self) {
        self.ones = self.words.iter().map(|word| word.count_ones()).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::fmix64;

    #[test]
    fn a_user_counts_once_until_a_quarter_is_full() {
        let mut set = KeySet::new(256);
        assert!(set.insert(7) && !set.insert(7) && set.insert(7 + (1 << 6)));
        let new = (0..4_094).filter(|n| set.insert(64 + 2 * n + 1)).count();
        assert_eq!(new, 4_093, "one of them was there");
        assert!(!set.insert(7), "a bit less than a quarter");
        assert!(set.insert(8), "the last of the quarter");
        assert!(set.insert(7), "and all are forgotten");
    }

    #[test]
    fn few_users_are_taken_for_others() {
        let mut set = KeySet::new(256);
        let new = (1..=100_000).filter(|n| set.insert(fmix64(*n))).count();
        assert!((85_000..89_000).contains(&new), "{new}");
    }

    #[test]
    fn a_set_that_is_not_made_takes_nobody() {
        assert!(!KeySet::default().insert(3) && KeySet::default().is_unmade());
    }
}
