//! The conformance vectors, natively.

use std::collections::BTreeMap;

use engine::effects::HeaderEdit;
use harness::vectors::{self, Case};

#[test]
fn every_vector_holds_natively() {
    for vector in vectors::all() {
        let plan = super::plan(&vector.policy);
        for case in &vector.cases {
            let place = format!("{}: {}", vector.file, case.about);
            let decisions = super::decide(&plan, &case.request, 7);
            let words = super::in_words(&plan, &decisions);
            let words: Vec<_> =
                words.into_iter().map(|(s, v, reason)| format!("{s}={v} {reason}")).collect();
            assert_eq!(words, case.decisions, "{place}");

            let effects = plan.request_effects(case.request.as_slice(), &decisions);
            assert_eq!(
                effects.counters.len(),
                decisions.len(),
                "every decision is counted: {place}"
            );
            let mut headers: BTreeMap<&str, Option<Vec<u8>>> = sent(case);
            for edit in &effects.headers {
                match edit {
                    HeaderEdit::Set { name, value } => {
                        headers.insert(name, Some(value.as_bytes().to_vec()))
                    }
                    HeaderEdit::Remove { name } => headers.insert(name, None),
                };
            }
            for (name, wanted) in &case.upstream {
                let found = headers.get(name.as_str()).cloned().flatten();
                assert_eq!(&found, wanted, "{name}, {place}");
            }
        }
    }
}

fn sent(case: &Case) -> BTreeMap<&str, Option<Vec<u8>>> {
    case.request.iter().map(|(name, value)| (name.as_str(), Some(value.clone()))).collect()
}
