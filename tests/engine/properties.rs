//! What weighted rendezvous promises, for any names and weights.

use engine::hash::{Hash, prefix};
use harness::native::Weighed;
use proptest::prelude::*;

const USERS: u32 = 300;

/// The name each of [`USERS`] users gets.
fn assign(salt: &str, weights: &[(String, u64)]) -> Vec<Option<String>> {
    let (race, salt) = (Weighed::new(weights), prefix(salt));
    let name = |user: u32| {
        let h2 = Hash::new(&salt, user.to_string().as_bytes()).h2;
        race.winner(h2).map(|v| weights[v].0.clone())
    };
    (0..USERS).map(name).collect()
}

/// Two to seven variants with names of their own, of weight 1 to 999,999.
fn weights() -> impl Strategy<Value = Vec<(String, u64)>> {
    prop::collection::btree_map("[a-z0-9][a-z0-9._-]{0,10}", 1_u64..1_000_000, 2..8)
        .prop_map(|map| map.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn raising_a_weight_only_moves_users_to_that_variant(
        weights in weights(), which in any::<prop::sample::Index>(), more in 1_u64..1_000_000, salt in "[a-z]{1,8}",
    ) {
        let which = which.index(weights.len());
        let mut raised = weights.clone();
        raised[which].1 += more;
        for (before, after) in assign(&salt, &weights).into_iter().zip(assign(&salt, &raised)) {
            prop_assert!(before == after || after.as_deref() == Some(raised[which].0.as_str()));
        }
    }

    #[test]
    fn removing_a_variant_only_moves_its_own_users(
        weights in weights(), which in any::<prop::sample::Index>(), salt in "[a-z]{1,8}", only_to_zero in any::<bool>(),
    ) {
        let which = which.index(weights.len());
        let mut rest = weights.clone();
        if only_to_zero { rest[which].1 = 0; } else { rest.remove(which); }
        for (before, after) in assign(&salt, &weights).into_iter().zip(assign(&salt, &rest)) {
            prop_assert!(before == after || before.as_deref() == Some(weights[which].0.as_str()));
        }
    }

    #[test]
    fn the_order_of_variants_never_matters(
        weights in weights(), shuffled in any::<u64>(), salt in "[a-z]{1,8}",
    ) {
        let mut other = weights.clone();
        other.sort_by_key(|(name, _)| engine::hash::fmix64(shuffled ^ engine::hash::first_word(name.as_bytes())));
        prop_assert_eq!(assign(&salt, &weights), assign(&salt, &other));
    }

    #[test]
    fn only_the_ratio_of_weights_matters(weights in weights(), factor in 1_u64..1_000_000, salt in "[a-z]{1,8}") {
        let scaled: Vec<_> = weights.iter().map(|(name, weight)| (name.clone(), weight * factor)).collect();
        prop_assert_eq!(assign(&salt, &weights), assign(&salt, &scaled));
    }

    #[test]
    fn a_weight_of_zero_is_never_chosen(
        mut weights in weights(), which in any::<prop::sample::Index>(), salt in "[a-z]{1,8}",
    ) {
        let which = which.index(weights.len());
        weights[which].1 = 0;
        prop_assert!(assign(&salt, &weights).iter().all(|name| name.as_deref() != Some(weights[which].0.as_str())));
    }
}
