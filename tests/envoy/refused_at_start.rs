//! A policy that is wrong from the start keeps Envoy from starting, and Envoy's log says what is
//! wrong, where, and what to do.

use lab::{Options, Placement, PolicyForm, StartError};
use serde_json::{Value, json};

use crate::bench::{checkout, try_lab};

/// What the filter says to a policy that it must refuse.
fn refusal(policy: &str, options: Options) -> Vec<String> {
    match try_lab(policy, options) {
        Err(StartError::PolicyRefused(lines)) => lines,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("envoy started with {policy}"),
    }
}

fn inline() -> Options {
    Options { placement: Placement::Inline, ..Options::default() }
}

fn assert_said(lines: &[String], wanted: &[&str]) {
    for wanted in wanted {
        assert!(
            lines.iter().any(|line| line.contains(wanted)),
            "`{wanted}` is not among {lines:#?}"
        );
    }
}

fn wrong_in_three_places() -> Value {
    let mut policy = checkout(5.0);
    policy["splits"][0]["variants"][0]["wieght"] = json!(95);
    policy["splits"][0]["baseline"] = json!("stabel");
    policy["verison"] = json!(1);
    policy
}

const THREE_PROBLEMS: [&str; 4] = [
    "error[unknown_field] splits[0].variants[0].wieght: ",
    "error[unknown_field] verison: ",
    "error[unknown_variant] splits[0].baseline: ",
    "did you mean `weight`?",
];

#[test]
fn envoy_does_not_start_and_says_every_problem_with_its_place_and_help() {
    let lines = refusal(&wrong_in_three_places().to_string(), inline());
    assert_said(&lines, &THREE_PROBLEMS);
    assert_said(&lines, &["policy refused"]);
}

#[test]
fn weights_that_do_not_sum_are_refused_with_what_is_missing() {
    let mut policy = checkout(5.0);
    policy["splits"][0]["variants"][1]["weight"] = json!(4.5);
    let lines = refusal(&policy.to_string(), inline());
    assert_said(
        &lines,
        &[
            "error[weight_sum] splits[0].variants: the weights sum to 99.5, not 100; help: 0.5 are missing",
        ],
    );
}

#[test]
fn a_text_that_is_not_json_is_refused_with_line_and_column() {
    let lines = refusal("{\"version\": 1,\n \"splits\": [}", inline());
    assert_said(&lines, &["error[invalid_json]: the policy is not JSON: ", "at line 2 column "]);
}

#[test]
fn a_struct_is_refused_in_the_same_words() {
    let options = Options { form: PolicyForm::Struct, ..inline() };
    assert_said(&refusal(&wrong_in_three_places().to_string(), options), &THREE_PROBLEMS);
}

#[test]
fn the_first_policy_from_ecds_is_refused_in_the_same_words() {
    let lines = refusal(&wrong_in_three_places().to_string(), Options::default());
    assert_said(&lines, &THREE_PROBLEMS);
}
