//! The verdict: all evidence, intervals and what is proven equal what the independent program recorded.

use std::num::NonZeroU32;

use rollout::{Assignments, Bounds, Delta, Interval, Judge};
use serde_json::{Value, from_value};

fn golden() -> Value {
    let path = harness::root().join("tests/vectors/golden-verdicts.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Equal to nine digits.
#[track_caller]
fn same(about: &str, found: f64, expected: &Value) {
    let expected = expected.as_f64().unwrap();
    // Sums that cancel out end near 0.
    let near = (found - expected).abs() <= 1e-9 * expected.abs().max(1e-3);
    assert!(near, "{about}: {found} and not {expected}");
}

/// The end is no further in than it is exactly, and in the gap of the list where that is.
fn end(about: &str, found: Option<f64>, gap: &Value, exactly: &Value, upwards: bool) {
    let Some(found) = found else {
        assert!(gap.is_null(), "{about}: no end, and not {exactly}");
        return;
    };
    let [a, b]: [f64; 2] = from_value(gap.clone()).unwrap();
    let exactly = exactly.as_f64().unwrap();
    let further_out = if upwards { found >= exactly - 1e-9 } else { found <= exactly + 1e-9 };
    let within = found >= a - 1e-9 && found <= b + 1e-9;
    assert!(further_out && within, "{about}: {found} and not {exactly} between {a} and {b}");
}

#[test]
fn every_golden_look_gives_the_same_evidence_and_verdict() {
    let golden = golden();
    let stories = golden["verdicts"].as_array().unwrap();
    assert!(stories.len() >= 16);
    for story in stories {
        let about = story["about"].as_str().unwrap();
        let bounds: Bounds = from_value(story["bounds"].clone()).unwrap();
        let challengers: NonZeroU32 = from_value(story["challengers"].clone()).unwrap();
        let mut judge = Judge::new(bounds, challengers);
        let looks: Vec<[u64; 4]> = from_value(story["looks"].clone()).unwrap();
        let expected = &story["expected"];
        for (number, [all, bad, own, own_bad]) in looks.into_iter().enumerate() {
            let (baseline, challenger) = (Delta::new(all, bad), Delta::new(own, own_bad));
            let verdict = judge.look(baseline.unwrap(), challenger.unwrap());
            let figures = judge.figures();
            let after = &expected["after"][number];
            let about = format!("{about}, look {number}");
            same(&about, figures.harm.log_evidence, &after[0]);
            same(&about, figures.safe.log_evidence, &after[1]);
            assert_eq!(verdict.as_str(), after[2], "{about}");
            // The state is all there is.
            judge = from_value(serde_json::to_value(&judge).unwrap()).unwrap();
        }
        let figures = judge.figures();
        let Some(Interval { estimate, from, to }) = figures.ratio else {
            assert!(expected["interval"].is_null(), "{about}");
            continue;
        };
        match estimate {
            Some(estimate) => same(about, estimate, &expected["estimate"]),
            None => assert!(expected["estimate"].is_null(), "{about}"),
        }
        let interval = &expected["interval"];
        end(about, from, &interval["from"], &interval["from_exactly"], false);
        end(about, to, &interval["to"], &interval["to_exactly"], true);
        match figures.difference {
            None => assert!(expected["difference"].is_null(), "{about}"),
            Some(Interval { estimate, from, to }) => {
                same(about, estimate.unwrap(), &expected["difference"][0]);
                same(about, (to.unwrap() - from.unwrap()) / 2.0, &expected["difference"][1]);
            }
        }
    }
}

#[test]
fn every_golden_mismatch_is_as_improbable() {
    for story in golden()["mismatches"].as_array().unwrap() {
        let weights: Vec<u64> = from_value(story["weights"].clone()).unwrap();
        let counted_by = from_value(story["counted_by"].clone()).unwrap();
        let mut assignments = Assignments::new(&weights, counted_by).unwrap();
        let looks: Vec<Vec<u64>> = from_value(story["looks"].clone()).unwrap();
        for (number, users) in looks.iter().enumerate() {
            let p = assignments.look(users).unwrap();
            let expected = story["expected"][number].as_f64().unwrap();
            // The logarithm is a difference of large numbers.
            assert!((p.ln() - expected.ln()).abs() < 1e-8, "{story}: {p} and not {expected}");
        }
    }
}
