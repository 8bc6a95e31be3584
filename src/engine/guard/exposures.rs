//! What one VM counts of requests that go well: exposures, and users.

use std::cell::Cell;

use super::judged::{Guards, SplitGuard};
use super::keys::{insert, words_of};
use crate::decision::Decision;
use crate::ids::{Id as _, List, SplitId};

/// The bits of the set of users: 16 KiB for each split that has a guard, cleared after 32,768 users.
const USERS: usize = 131_072;
/// So many exposures of a variant are old news: all of the split are halved.
const FULL: u32 = 1 << 15;

/// The exposures of one VM that are in no state yet, and the users that it met; of splits with a guard.
#[derive(Default)]
pub struct Tally {
    splits: List<SplitId, SplitTally>,
}

struct SplitTally {
    /// For each variant; empty where nothing is judged.
    exposures: Box<[Cell<u32>]>,
    /// Made when it is needed.
    users: Cell<Vec<u64>>,
}

impl Tally {
    /// Nothing counted yet.
    pub fn new(guards: &Guards) -> Self {
        let split = |guard: &Option<SplitGuard>| {
            let variants =
                guard.as_ref().filter(|guard| guard.judges()).map_or(0, |guard| guard.variants);
            let exposures = (0..variants).map(|_| Cell::new(0)).collect();
            SplitTally { exposures, users: Cell::default() }
        };
        Self { splits: guards.splits().map(split) }
    }

    /// Counts an exposure; whether it is the user's first that this VM knows of. What it knows it forgets each 32,768
    /// users.
    pub fn count(&self, decision: &Decision) -> bool {
        let split = &self.splits[decision.split];
        let (Some(user), Some(count)) =
            (decision.user_by_weight(), split.exposures.get(decision.variant.place()))
        else {
            return false;
        };
        count.set(count.get().saturating_add(1));
        if count.get() >= FULL {
            split.exposures.iter().for_each(|count| count.set(count.get() / 2));
        }
        let mut users = split.users.take();
        users.resize(words_of(USERS), 0);
        let is_new = insert(&mut users, user);
        split.users.set(users);
        is_new
    }

    /// The exposures of a split that are in no state yet, in the order of its variants.
    pub fn of(&self, split: SplitId) -> &[Cell<u32>] {
        &self.splits[split].exposures
    }

    /// The exposures of a split are in a state now.
    pub fn clear(&self, split: SplitId) {
        self.of(split).iter().for_each(|count| count.set(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::fmix64;
    use crate::ids::VariantId;
    use crate::plan::Plan;
    use crate::policy;

    fn tally(guard: &str) -> Tally {
        let text = format!(
            r#"{{"version": 1, "splits": [{{"name": "s", "key": [{{"header": "u"}}], "baseline": "a"{guard},
            "variants": [{{"name": "a", "weight": 90}}, {{"name": "b", "weight": 10}}]}}]}}"#
        );
        let plan = Plan::new(policy::from_json(text.as_bytes()).policy.unwrap());
        Tally::new(&Guards::new(&plan))
    }

    fn seen(variant: usize, user: Option<u64>) -> Decision {
        Decision { variant: VariantId::at(variant), user, ..Decision::default() }
    }

    const GUARD: &str = r#", "guard": {"errors": {}}"#;

    fn counts(tally: &Tally) -> Vec<u32> {
        tally.of(SplitId::FIRST).iter().map(Cell::get).collect()
    }

    #[test]
    fn exposures_are_counted_and_users_once() {
        let tally = tally(GUARD);
        let new = [(0, 1), (0, 1), (1, 2), (0, 3), (1, 2)]
            .map(|(v, user)| tally.count(&seen(v, Some(user))));
        assert_eq!(new, [true, false, true, true, false]);
        assert!(!tally.count(&seen(1, None)), "whom the weights did not give it");
        assert_eq!(counts(&tally), [3, 2]);
        tally.clear(SplitId::FIRST);
        assert_eq!(counts(&tally), [0, 0]);
        assert!(!tally.count(&seen(0, Some(1))), "users are known all the same");
    }

    #[test]
    fn old_exposures_count_less_and_less() {
        let tally = tally(GUARD);
        for user in 0..100_000 {
            tally.count(&seen(usize::from(user % 10 == 0), Some(fmix64(user))));
        }
        let counts = counts(&tally);
        assert!(counts[0] < FULL && counts[0] > FULL / 3, "{counts:?}");
        assert!(counts[0].abs_diff(9 * counts[1]) < 50, "the share stays: {counts:?}");
    }

    #[test]
    fn without_a_guard_nothing_is_counted() {
        let tally = tally("");
        assert!(!tally.count(&seen(0, Some(1))));
        assert!(counts(&tally).is_empty());
    }
}
