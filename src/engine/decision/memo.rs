//! Answers that are found once.

use std::cell::{OnceCell, RefCell};

use smallvec::SmallVec;

use crate::hash::Hash;
use crate::ids::Id;
use crate::plan::Salt;

/// A place for each answer; the first `N` stand in place.
#[derive(Debug)]
pub(super) struct Memo<T, const N: usize> {
    first: [OnceCell<T>; N],
    rest: Box<[OnceCell<T>]>,
}

impl<T, const N: usize> Memo<T, N> {
    pub(super) fn new(count: usize) -> Self {
        let rest = match count > N {
            true => (N..count).map(|_| OnceCell::new()).collect(),
            false => Box::default(),
        };
        Self { first: std::array::from_fn(|_| OnceCell::new()), rest }
    }

    /// The answer, found now where it was not asked before.
    pub(super) fn get<I: Id>(&self, id: I, find: impl FnOnce() -> T) -> &T {
        let mut all = self.first.iter().chain(&self.rest);
        #[expect(
            clippy::expect_used,
            reason = "there is a place for each id of the list that it is made for"
        )]
        all.nth(id.place()).expect("an id of another list").get_or_init(find)
    }
}

/// Hashes of keys under salts that more than one split asks for.
#[derive(Debug)]
pub(super) struct Hashes<Of>(RefCell<SmallVec<[(Of, Hash); 4]>>);

impl<Of: Copy + Eq> Hashes<Of> {
    pub(super) fn new() -> Self {
        Self(RefCell::default())
    }

    /// The hash of a key under a salt: what `of` names is always the same two.
    pub(super) fn get(&self, of: Of, salt: &Salt, key: &[u8]) -> Hash {
        if !salt.is_shared {
            return Hash::new(&salt.prefix, key);
        }
        let mut known = self.0.borrow_mut();
        if let Some((_, hash)) = known.iter().find(|(other, _)| *other == of) {
            return *hash;
        }
        let hash = Hash::new(&salt.prefix, key);
        known.push((of, hash));
        hash
    }
}
