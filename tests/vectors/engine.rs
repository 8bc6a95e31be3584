//! The conformance vectors, natively.

use std::collections::BTreeMap;

use engine::effects::HeaderEdit;
use harness::vectors::{self, Case, Reply, assert_lines};

/// Headers by name, each with its lines.
type Headers = BTreeMap<String, Vec<Vec<u8>>>;

#[test]
fn every_vector_holds_natively() {
    for vector in vectors::all() {
        let plan = super::plan(&vector.policy);
        for case in &vector.cases {
            let place = format!("{}: {}", vector.file, case.about);
            let context = case.context();
            let decisions = super::decide(&plan, case, &context);
            let words = super::in_words(&plan, &decisions.list);
            let words: Vec<_> =
                words.into_iter().map(|(s, v, reason)| format!("{s}={v} {reason}")).collect();
            assert_eq!(words, case.decisions, "{place}");
            assert_eq!(decisions.force_refused, case.refused, "{place}");

            let effects = plan.request_effects(case, &decisions);
            let new_keys = decisions.list.iter().filter(|decision| decision.new_key).count();
            let counted = decisions.list.len() + new_keys + usize::from(case.refused);
            assert_eq!(effects.counters.len(), counted, "every decision is counted: {place}");
            let reply = effects
                .respond
                .map(|reply| Reply { status: reply.status, body: reply.body.clone() });
            assert_eq!(reply, case.reply, "{place}");
            assert_headers(edited(&case.request, &effects.headers), &case.upstream, &place);

            let edits = match plan.edits_response(&decisions) {
                true => plan.response_edits(&decisions, &context),
                false => Vec::new(),
            };
            assert_headers(edited(&case.answer, &edits), &case.response, &place);
        }
    }
}

fn edited(sent: &[(String, Vec<u8>)], edits: &[HeaderEdit]) -> Headers {
    let mut headers = Headers::new();
    for (name, value) in sent {
        headers.entry(name.clone()).or_default().push(value.clone());
    }
    for edit in edits {
        match edit {
            HeaderEdit::Set { name, value } => {
                headers.insert((*name).to_owned(), vec![value.to_vec()]);
            }
            HeaderEdit::Add { name, value } => {
                headers.entry((*name).to_owned()).or_default().push(value.to_vec());
            }
            HeaderEdit::Remove { name } => {
                headers.remove(*name);
            }
        }
    }
    headers
}

fn assert_headers(found: Headers, wanted: &[(String, Vec<vectors::Line>)], place: &str) {
    for (name, lines) in wanted {
        let found = found.get(name).map(Vec::as_slice).unwrap_or_default();
        assert_lines(found, lines, &format!("{name}, {place}"));
    }
}

#[test]
fn vectors_that_chance_or_the_clock_decides_are_marked() {
    let cases: Vec<Case> = vectors::all().into_iter().flat_map(|vector| vector.cases).collect();
    assert!(cases.iter().any(|case| !case.runs_in_the_module()));
    assert!(cases.iter().any(|case| case.now.is_some() && !case.runs_in_envoy()));
}
