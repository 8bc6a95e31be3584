//! What a `guard` means, and an invalid one for each diagnostic about it.

use crate::policy::cursor::{Cursor, Sink};
use crate::policy::read::guard::read_guard;
use crate::policy::*;
use crate::units::{Millis, Ratio};

const GUARD: &str = r#"{"errors": {"ratio": 1.25}, "slow": {"over": "800ms", "ratio": 3.0}, "false_trips": 2e6,
    "release": "10m"}"#;

fn guard(text: &str) -> (Option<Guard>, Vec<Diagnostic>) {
    let document = document_from_json(text.as_bytes()).unwrap();
    let sink = Sink::new(None);
    let found = read_guard(&Cursor::root(&document, &sink).at_field("guard", &document));
    (found, sink.into_diagnostics())
}

fn ratio(units: u32) -> Ratio {
    Ratio::from_units(units).unwrap()
}

#[test]
fn a_guard_says_what_is_judged() {
    let (found, problems) = guard(GUARD);
    assert_eq!(problems, []);
    let wanted = Guard {
        errors: Some(ratio(12_500)),
        slow: Some(Slow { over: Millis::new(800), ratio: ratio(30_000) }),
        false_trips: 2_000_000,
        release: Release::After(Millis::new(600_000)),
    };
    assert_eq!(found, Some(wanted));
    let defaults = Guard {
        errors: Some(ratio(15_000)),
        slow: None,
        false_trips: 1_000_000,
        release: Release::Policy,
    };
    for text in [r#"{"errors": {}}"#, r#"{"errors": {"ratio": 1.5}, "release": "policy"}"#] {
        assert_eq!(guard(text), (Some(defaults), vec![]), "{text}");
    }
    let slow = Slow { over: Millis::new(1_000), ratio: ratio(20_000) };
    let only_slow = Guard { errors: None, slow: Some(slow), ..defaults };
    assert_eq!(guard(r#"{"slow": {"over": "1s"}}"#), (Some(only_slow), vec![]));
}

#[test]
fn the_largest_ratio_is_told() {
    let (_, problems) = guard(r#"{"errors": {"ratio": 0}}"#);
    let help = problems[0].help.as_deref().unwrap();
    assert!(help.contains(&format!("up to {} with", Ratio::MAX)), "{help}");
}

#[test]
fn every_problem_of_a_guard_is_told() {
    for (text, wanted) in [
        ("7", &["wrong_type guard"][..]),
        ("{}", &["missing_field guard"]),
        (r#"{"release": "policy"}"#, &["missing_field guard"]),
        (r#"{"errors": {"ratio": 1}}"#, &["invalid_ratio guard.errors.ratio"]),
        (r#"{"errors": {"ratio": 0.5}}"#, &["invalid_ratio guard.errors.ratio"]),
        (r#"{"errors": {"ratio": 1.00001}}"#, &["invalid_ratio guard.errors.ratio"]),
        (r#"{"errors": {"ratio": 1000.1}}"#, &["invalid_ratio guard.errors.ratio"]),
        (r#"{"errors": {"ratio": 1e9}}"#, &["invalid_ratio guard.errors.ratio"]),
        (r#"{"errors": {"ratio": "2"}}"#, &["wrong_type guard.errors.ratio"]),
        (r#"{"slow": {}}"#, &["missing_field guard.slow"]),
        (r#"{"slow": {"over": "0s"}}"#, &["invalid_duration guard.slow.over"]),
        (r#"{"slow": {"over": 800}}"#, &["wrong_type guard.slow.over"]),
        (r#"{"errors": {}, "release": "0s"}"#, &["invalid_duration guard.release"]),
        (r#"{"errors": {}, "release": "never"}"#, &["invalid_duration guard.release"]),
        (r#"{"errors": {}, "false_trips": 999}"#, &["invalid_value guard.false_trips"]),
        (r#"{"errors": {}, "false_trips": 1e13}"#, &["invalid_value guard.false_trips"]),
        (r#"{"errors": {}, "false_trips": 1000.5}"#, &["invalid_value guard.false_trips"]),
        (
            r#"{"errors": {"rate": 2}, "slow": {"over": "0s", "ratio": 1}, "realease": "1h"}"#,
            &[
                "unknown_field guard.errors.rate",
                "invalid_duration guard.slow.over",
                "invalid_ratio guard.slow.ratio",
                "unknown_field guard.realease",
            ],
        ),
    ] {
        let (_, problems) = guard(text);
        let said: Vec<_> =
            problems.iter().map(|d| format!("{} {}", d.code.as_str(), d.path)).collect();
        assert_eq!(said, wanted, "{text}: {problems:?}");
    }
}
