//! What `splitctl verdict` says of a file of counts.

use std::fmt::Write as _;

use clap::Parser;
use insta::assert_snapshot;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

const POLICY: &str = "
version: 1
splits:
- name: checkout
  key: [{header: x-user-id}]
  baseline: stable
  variants:
  - {name: stable, weight: 90}
  - {name: canary, weight: 10}
  - {name: later, weight: 0}
- name: search
  key: [{header: x-user-id}]
  baseline: old
  variants: [{name: old, weight: 50}, {name: new, weight: 50}, {name: newest, weight: 0}]
";

/// The outcome and both streams, without styles and the folder's name.
fn verdict(counts: &str, words: &[&str]) -> (Outcome, String) {
    let folder = tempfile::tempdir().unwrap();
    let (policy, file) = (folder.path().join("policy.yaml"), folder.path().join("counts.csv"));
    std::fs::write(&policy, POLICY).unwrap();
    std::fs::write(&file, counts).unwrap();
    let mut line = vec!["verdict", policy.to_str().unwrap(), "--counts", file.to_str().unwrap()];
    line.extend(words);
    let args = Line::try_parse_from(line).unwrap().args;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut console = Console { out: &mut out, err: &mut err };
    let outcome = run(&args, &mut console);
    let outcome = outcome.unwrap_or_else(|error| Outcome::of_error(&error, &mut console));
    let text = String::from_utf8([err, out].concat()).unwrap();
    let text = text.replace(&format!("{}/", folder.path().display()), "");
    (outcome, anstream::adapter::strip_str(&text).to_string())
}

/// One look a minute: users of each, and how many of them meet an error.
#[expect(clippy::arithmetic_side_effects, reason = "a test that overflows has failed")]
fn minutes(minutes: u32, stable: (u32, u32), canary: (u32, u32)) -> String {
    let mut text = "time,variant,keys,bad_keys\n".to_owned();
    for minute in 1..=minutes {
        for (name, (keys, bad)) in [("stable", stable), ("canary", canary)] {
            let (keys, bad) = (keys * minute, bad * minute);
            writeln!(text, "2026-11-20T12:{minute:02}:00Z,{name},{keys},{bad}").unwrap();
        }
    }
    text
}

const CHECKOUT: [&str; 2] = ["--split", "checkout"];

#[test]
fn a_variant_that_fails_more_often_does_harm() {
    let (outcome, text) = verdict(&minutes(10, (9_000, 90), (1_000, 30)), &CHECKOUT);
    assert_eq!(outcome, Outcome::No);
    assert_snapshot!(text);
}

#[test]
fn a_variant_as_good_as_the_baseline_is_safe_after_a_while() {
    let (outcome, text) = verdict(&minutes(12, (9_000, 90), (1_000, 9)), &CHECKOUT);
    assert_eq!(outcome, Outcome::Fine);
    assert_snapshot!(text);
}

#[test]
fn before_that_it_is_too_early_and_what_is_missing_is_told() {
    let words = [CHECKOUT.as_slice(), &["--slo", "0.5%"]].concat();
    let (outcome, text) = verdict(&minutes(2, (9_000, 90), (1_000, 9)), &words);
    assert_eq!(outcome, Outcome::Early);
    assert_snapshot!(text);
}

#[test]
fn json_has_the_same_for_programs() {
    let words = [CHECKOUT.as_slice(), &["--format", "json"]].concat();
    let (outcome, text) = verdict(&minutes(2, (9_000, 90), (1_000, 9)), &words);
    assert_eq!(outcome, Outcome::Early);
    assert_snapshot!(text);
}

#[test]
fn the_order_of_columns_and_the_form_of_the_file_do_not_matter() {
    let (_, expected) = verdict(&minutes(3, (900, 9), (100, 4)), &CHECKOUT);
    let reordered: String = minutes(3, (900, 9), (100, 4))
        .lines()
        .map(|line| {
            let fields: Vec<_> = line.split(',').collect();
            format!("{},\"{}\",x, {} ,{}\r\n", fields[3], fields[1], fields[0], fields[2])
        })
        .collect();
    assert_eq!(verdict(&reordered, &CHECKOUT).1, expected);
    let objects: String = minutes(3, (900, 9), (100, 4))
        .lines()
        .skip(1)
        .map(|line| {
            let fields: Vec<_> = line.split(',').collect();
            let [time, variant, keys, bad] = fields[..] else { panic!("{line}") };
            format!("{{\"time\": \"{time}\", \"variant\": \"{variant}\", \"keys\": {keys}, \"bad_keys\": {bad}}}\n")
        })
        .collect();
    assert_eq!(verdict(&objects, &CHECKOUT).1, expected);
}

#[test]
fn all_problems_of_a_file_are_told_at_once() {
    let (outcome, text) = verdict(
        "variant,time,responses,errors
stable,2026-11-20T12:00:00Z,100,3
canry,2026-11-20T12:00:00Z,100,3
stable,tomorrow,100,x
canary,2026-11-20T11:00:00Z,100,3
canary,2026-11-20T12:00:00Z,3,7
stable,2026-11-20T12:00:00Z,1,1
later,2026-11-20T12:00:00Z,1,1
canary,1
stable,2026-11-20T12:01:00Z,200,3
",
        &CHECKOUT,
    );
    assert_eq!(outcome, Outcome::NoAnswer);
    assert_snapshot!(text);
}

#[test]
fn a_file_without_what_it_needs_is_told() {
    let all = [
        "",
        "time,variant\n1,canary\n",
        "time,variant,responses,erors\n1,canary,2,1\n",
        "time,variant,keys,bad_keys\n1,canary,2,1\n",
        "time,variant,keys,bad_keys\n1,stable,2,1\n1,canary,2,1\n2,stable,3,3\n2,canary,2,1\n",
        "{\"time\": 1}\n{nothing\n",
    ];
    let all = all.map(|text| {
        let (outcome, text) = verdict(text, &CHECKOUT);
        assert_eq!(outcome, Outcome::NoAnswer, "{text}");
        text
    });
    assert_snapshot!(all.join("---\n"));
}

#[test]
fn what_was_counted_before_the_run_is_no_evidence() {
    let bad = minutes(10, (9_000, 90), (1_000, 60));
    let words = [CHECKOUT.as_slice(), &["--since", "2026-11-20T12:10:00Z"]].concat();
    let (outcome, text) = verdict(&bad, &words);
    assert!(outcome == Outcome::Early && text.contains("no data of `canary`"), "{text}");
    let words = [CHECKOUT.as_slice(), &["--since", "2026-11-20T12:08:30Z"]].concat();
    let (outcome, text) = verdict(&bad, &words);
    assert!(outcome == Outcome::No && text.contains("2 looks"), "{text}");
}

#[test]
fn counters_that_begin_again_are_told_and_counted() {
    let text = "time,variant,keys,bad_keys\n1,stable,900,9\n1,canary,100,1\n2,stable,950,9\n2,canary,10,1\n";
    let (_, text) = verdict(text, &CHECKOUT);
    assert!(text.contains("warning: the counters of `canary` fall at line 5"), "{text}");
    assert!(text.contains("canary     110                  2"), "{text}");
}

#[test]
fn a_split_and_its_variants_have_to_be_known() {
    let all: [(&[&str], &str); 6] = [
        (&[], "say which split (`split`): checkout, search"),
        (&["--split", "chekout"], "the policy has no split `chekout`; it has: checkout, search"),
        (
            &["--split", "checkout", "--variant", "canari"],
            "split `checkout` has no variant `canari`; did you mean `canary`?",
        ),
        (
            &["--split", "checkout", "--variant", "x"],
            "split `checkout` has no variant `x`; it has: canary, later",
        ),
        (&["--split", "checkout", "--variant", "stable"], "`stable` is the baseline"),
        (
            &["--split", "checkout", "--alpha", "70%"],
            "alpha is `0.7`, and must be from 0.000001 to 0.5",
        ),
    ];
    for (words, error) in all {
        let (outcome, text) = verdict(&minutes(1, (1, 0), (1, 0)), words);
        assert!(outcome == Outcome::NoAnswer && text.contains(error), "{text}");
    }
    // A variant without weight is judged when asked for.
    let (outcome, text) =
        verdict(&minutes(1, (1, 0), (1, 0)), &["--split", "checkout", "--variant", "later"]);
    assert!(outcome == Outcome::Early && text.contains("no data of `later`"), "{text}");
}
