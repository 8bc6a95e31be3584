//! A policy that is wrong from the start takes no traffic down: Envoy starts, no split applies, and its
//! log says what is wrong, where, and what to do. Who wants Envoy not to start says so.

use engine::metrics::Metrics;
use lab::{DEFAULT_CLUSTER, Lab, Options, Placement, PolicyForm, StartError};
use serde_json::{Value, json};

use crate::bench::{checkout, lab, try_lab, user};

/// What the filter says to a policy that it must refuse, while requests are served.
fn refusal(policy: &str, options: Options) -> Vec<String> {
    let lab = lab(policy, options);
    let lines = lab.refused_at_start().unwrap_or_else(|| panic!("{policy} is in force"));
    assert_serves_nothing(&lab);
    lines
}

/// Requests take the default route, and no client chooses another.
fn assert_serves_nothing(lab: &Lab) {
    for header in ["x-split-cluster", "x-split-mirror", "x-split-variant"] {
        assert_default_route(lab, header);
    }
    let stats = lab.stats().unwrap();
    assert_eq!(stats.sum(Metrics::POLICY_REFUSED, &[]), 1);
    assert_eq!(stats.sum(Metrics::POLICY_HASH, &[]), 0);
    assert_eq!(stats.sum(Metrics::HOST_ERRORS, &[]), 0);
}

fn inline() -> Options {
    Options { placement: Placement::Inline, ..Options::default() }
}

fn assert_default_route(lab: &Lab, forged: &str) {
    let response = lab.send(&user(1).header(forged, "checkout-v2").echo()).unwrap();
    assert_eq!((response.status, response.cluster()), (200, Some(DEFAULT_CLUSTER)), "{forged}");
    assert_eq!(response.echo().unwrap().all(forged).len(), 0, "{forged}");
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
fn envoy_serves_without_splits_and_says_every_problem_with_its_place_and_help() {
    let lines = refusal(&wrong_in_three_places().to_string(), inline());
    assert_said(&lines, &THREE_PROBLEMS);
    assert_said(&lines, &["policy refused", "serves nothing"]);
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

#[test]
fn a_header_that_a_refused_policy_names_is_no_clients_to_send() {
    let mut policy = wrong_in_three_places();
    policy["cluster_header"] = json!("X-To");
    let lab = lab(&policy.to_string(), inline());
    assert_default_route(&lab, "x-to");
}

#[test]
fn who_wants_envoy_not_to_start_with_a_refused_policy_says_so_in_the_environment() {
    let environment = vec![("TRAFFIC_SPLIT_ON_REFUSED_POLICY".to_owned(), "reject".to_owned())];
    for placement in [Placement::Inline, Placement::Ecds] {
        let options = Options { placement, environment: environment.clone(), ..Options::default() };
        match try_lab(&wrong_in_three_places().to_string(), options.clone()) {
            Err(StartError::PolicyRefused(lines)) => assert_said(&lines, &THREE_PROBLEMS),
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("envoy serves"),
        }
        assert_eq!(lab(&checkout(5.0).to_string(), options).refused_at_start(), None);
    }
}
