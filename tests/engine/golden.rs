//! The contract of assignment: every number equals what the independent program recorded.

use std::collections::BTreeMap;

use engine::decision::Context;
use engine::hash::{Hash, cost, first_word, fmix64, prefix};
use engine::policy::Weight;
use harness::golden;
use harness::native::Weighed;

#[test]
fn every_golden_row_is_met() {
    let splits = golden::splits();
    let prepared: BTreeMap<_, _> = splits
        .iter()
        .map(|(id, split)| {
            let units =
                |(name, weight): &(String, u64)| (name.clone(), weight * Weight::UNITS_PER_ONE);
            let variants: Vec<_> = split.variants.iter().map(units).collect();
            (id, (prefix(&split.salt), Weighed::new(&variants), variants))
        })
        .collect();
    let rows = golden::rows();
    assert!(rows.len() >= 10_000);
    for row in rows {
        let (salt, race, variants) = &prepared[&row.split];
        let hash = Hash::new(salt, &row.key);
        assert_eq!(
            (hash.h1, hash.h2, hash.bucket().number()),
            (row.h1, row.h2, row.bucket),
            "{row:x?}"
        );
        let winner = race.winner(hash.h2);
        let winner = winner.map(|variant| variants[variant].0.as_str());
        assert_eq!(winner, Some(row.variant.as_str()), "{row:x?}");
    }
}

#[test]
fn every_golden_ticket_and_cost_is_met() {
    let splits = golden::splits();
    for row in golden::tickets() {
        let hash = Hash::new(&prefix(&splits[&row.split].salt), &row.key);
        let v = first_word(row.variant.as_bytes());
        assert_eq!(v, row.v, "{row:x?}");
        assert_eq!(fmix64(hash.h2 ^ v), row.ticket, "{row:x?}");
        assert_eq!(cost(row.ticket), row.cost, "{row:x?}");
    }
    for (ticket, wanted) in golden::costs() {
        assert_eq!(cost(ticket), wanted, "{ticket:#x}");
    }
}

#[test]
fn one_policy_with_all_golden_splits_decides_as_recorded() {
    let plan = super::plan(&golden::policy());
    let splits = golden::splits();
    for row in golden::rows() {
        let host = splits[&row.split].host.clone().into_bytes();
        let request = [(":authority".to_owned(), host), ("x-key".to_owned(), row.key.clone())];
        let decided = super::decide(&plan, &request[..], &Context::default());
        let decided = super::in_words(&plan, decided.list());
        assert_eq!(decided, [(row.split, row.variant, "split")]);
    }
}
