//! Answers that are found once.

use std::cell::OnceCell;

use crate::ids::Id;

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
