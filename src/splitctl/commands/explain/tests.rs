//! What `splitctl explain` prints.

use clap::Parser;
use insta::assert_snapshot;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

/// What the command writes to stdout, or its error.
fn explain(policy: &str, words: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.yaml");
    std::fs::write(&path, policy).unwrap();
    let mut line = vec!["explain", path.to_str().unwrap()];
    line.extend(words);
    let args = match Line::try_parse_from(line) {
        Ok(line) => line.args,
        Err(error) => return error.to_string(),
    };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let done = run(&args, &mut Console { out: &mut out, err: &mut err });
    let text = match done {
        Ok(_) => String::from_utf8([err, out].concat()).unwrap(),
        Err(error) => format!("error: {error:#}"),
    };
    let text = text.replace(&format!("{}/", folder.path().display()), "");
    anstream::adapter::strip_str(&text).to_string()
}

const CHECKOUT: &str = r#"
version: 1
splits:
- name: checkout
  match:
  - {hosts: [shop.example.com], path: {prefix: /api/}}
  - {headers: [{name: x-beta, exact: "on"}]}
  key: [{header: x-user-id}, {cookie: uid}]
  baseline: stable
  variants:
  - {name: stable, cluster: checkout-v1, weight: 95}
  - {name: canary, cluster: checkout-v2, weight: 5}
  overrides:
  - {match: [{headers: [{name: x-tier, exact: premium}]}], variant: stable}
  - {match: [{headers: [{name: x-canary, exact: "true"}]}], variant: canary}
"#;

#[test]
fn the_weights_decide() {
    let words = ["--host", "shop.example.com", "--path", "/api/cart", "--cookie", "uid=ada"];
    assert_snapshot!(explain(CHECKOUT, &words));
}

#[test]
fn an_override_decides_and_forged_headers_are_replaced() {
    let words = ["-H", "x-beta: on", "-H", "X-Canary: true", "-H", "x-split-cluster: evil"];
    assert_snapshot!(explain(CHECKOUT, &words));
}

#[test]
fn where_chance_decides_no_key_is_looked_for() {
    let random = "version: 1\nsplits:\n- {name: a, assignment: random, baseline: x, variants: [{name: x, weight: 100}]}\n";
    let text = explain(random, &[]);
    assert!(text.contains("  key         none is asked for: chance decides\n"), "{text}");
    assert!(!text.contains("looked for"), "{text}");
}

#[test]
fn no_condition_holds() {
    let words = ["--host", "www.example.com", "-H", "x-split-variant: forged"];
    assert_snapshot!(explain(CHECKOUT, &words));
}

#[test]
fn a_pasted_curl_command_is_the_request() {
    let words =
        ["--", "curl", "-sI", "-H", "X-User-Id: eve", "https://shop.example.com/api/cart?x=1"];
    assert_snapshot!(explain(CHECKOUT, &words));
}

#[test]
fn json_has_everything_by_name() {
    let words = [
        "--host",
        "shop.example.com",
        "--path",
        "/api/cart",
        "-H",
        "x-user-id: ada",
        "--at",
        "2026-01-01T00:00:00Z",
        "--format",
        "json",
    ];
    assert_snapshot!(explain(CHECKOUT, &words));
}

const EVERYTHING: &str = r#"
version: 1
response_variant_header: x-variant
client_ip: {trusted_hops: 0}
force: {secret: {header: x-split-secret, value: not-a-real-secret}}
layers: [{name: search}]
holdout: {percent: 2.5}
key: [{jwt: {provider: idp, claim: sub}}, {cookie: uid}, {generate: {cookie: uid}}]
splits:
- name: ranking
  layer: search
  slice: {from: 0, to: 50}
  baseline: old
  variants: [{name: old, weight: 50}, {name: new, weight: 50}]
- name: layout
  layer: search
  slice: {from: 50, to: 100}
  baseline: list
  variants:
  - {name: list, cluster: web-v1, weight: 80, request_headers: {set: [{name: x-layout, value: list}]}}
  - {name: grid, cluster: web-v2, weight: 20}
  ramp:
    start: 2026-11-20T12:00:00Z
    steps:
    - {after: 1h, weights: {list: 50, grid: 50}}
    - {after: 2h, weights: {list: 0, grid: 100}}
  mirror: {cluster: shadow, percent: 100}
- name: banner
  requires: [{split: layout, variant: grid}]
  baseline: none
  variants: [{name: none, weight: 100}]
- name: wall
  match: [{source_ip: [10.0.0.0/8]}]
  baseline: up
  variants: [{name: up, weight: 100, respond: {status: 503, body: back soon}}]
- name: theme
  match: [{source_ip: [192.0.2.0/24]}]
  baseline: light
  variants: [{name: light, weight: 60}, {name: dark, weight: 40, drain: true}, {name: gone, weight: 0}]
  sticky: {secret: not-a-real-secret}
- name: old
  enabled: false
  baseline: a
  variants: [{name: a, weight: 100}]
"#;

#[test]
fn layers_ramps_requirements_cookies_and_mirrors_are_told() {
    let words =
        ["--jwt", "idp:sub=bob", "--client-ip", "192.0.2.7", "--at", "2026-11-20T13:30:00Z"];
    assert_snapshot!(explain(EVERYTHING, &words));
}

#[test]
fn a_new_visitor_gets_a_key_and_an_intruder_is_refused() {
    let words = [
        "--client-ip",
        "10.1.2.3",
        "-H",
        "x-split-force: layout=grid",
        "--at",
        "2026-11-20T11:00:00Z",
    ];
    assert_snapshot!(explain(EVERYTHING, &words));
}

#[test]
fn who_knows_the_secret_forces_a_variant() {
    let words = [
        "--split",
        "theme",
        "--client-ip",
        "192.0.2.7",
        "-H",
        "x-split-force: theme=dark",
        "-H",
        "x-split-secret: not-a-real-secret",
        "--cookie",
        "uid=ada",
        "--at",
        "2026-11-20T11:00:00Z",
    ];
    assert_snapshot!(explain(EVERYTHING, &words));
}

#[test]
fn a_killed_policy_serves_baselines() {
    let killed = CHECKOUT.replace("version: 1", "version: 1\nkill: true");
    assert_snapshot!(explain(&killed, &["-H", "x-beta: on"]));
}

#[test]
fn nothing_identifies_the_user() {
    assert_snapshot!(explain(CHECKOUT, &["-H", "x-beta: on"]));
}

#[test]
fn errors_are_told() {
    let all = [
        explain(CHECKOUT, &["--split", "chekout"]),
        explain("version: 1\n", &[]),
        explain(CHECKOUT, &["--at", "noon"]),
        explain(CHECKOUT, &["-H", "nonsense"]),
    ];
    assert_snapshot!(all.join("\n---\n"));
}

#[test]
fn a_request_cannot_move_the_terminals_cursor() {
    let text = explain(CHECKOUT, &["-H", "x-beta: on", "--cookie", "uid=\u{1b}[2J"]);
    assert!(!text.contains('\u{1b}') && text.contains("\u{fffd}[2J"), "{text}");
}

#[test]
fn a_preflight_is_not_answered_and_has_no_key_that_its_request_brings() {
    let policy = r#"
version: 1
splits:
- name: export
  match: [{path: {prefix: /export}, methods: [PUT]}]
  key: [{header: x-user-id}, {client_ip: true}]
  baseline: wait
  variants:
  - {name: wait, weight: 60, respond: {status: 503, body: busy}}
  - {name: served, cluster: export, weight: 40}
- name: landing
  key: [{cookie: uid}, {generate: {cookie: uid}}]
  baseline: control
  variants: [{name: control, cluster: v1, weight: 50}, {name: new, cluster: v2, weight: 50}]
"#;
    let mut words = vec!["--method", "OPTIONS", "--path", "/export", "--client-ip", "198.51.100.1"];
    for line in [
        "origin: https://app.example.com",
        "access-control-request-method: PUT",
        "access-control-request-headers: x-user-id",
    ] {
        words.extend(["-H", line]);
    }
    assert_snapshot!(explain(policy, &words));
}

#[test]
fn a_key_from_a_decoded_cookie_is_told_with_its_source() {
    let source = "{cookie: info, decode: [percent], json: id}";
    let policy = CHECKOUT.replace("{cookie: uid}", source);
    let cookie = "info=%7B%22id%22%3A%22ada%22%7D";
    let told = explain(&policy, &["-H", "x-beta: on", "--cookie", cookie]);
    assert!(told.contains("`ada` from cookie `info` (percent, json `id`); bucket "), "{told}");
}

#[test]
fn a_key_from_a_cookie_that_seems_encoded_is_told_with_what_to_write() {
    let told = |source: &str, cookie: &str| {
        let policy = CHECKOUT.replace("{cookie: uid}", source);
        explain(&policy, &["-H", "x-beta: on", "--cookie", cookie])
    };
    for (source, cookie, wanted) in [
        ("{cookie: u}", "u=bob%40x.test", "with `decode: [percent]` the key is `bob@x.test`"),
        (
            "{cookie: u}",
            "u=%7B%22id%22%3A1%7D",
            "write `decode: [percent]` and name the user's field",
        ),
        ("{cookie: u}", "u={\"id\":1}", "name the user's field, `json: FIELD`"),
        ("{cookie: u, decode: [base64]}", "u=eyJpZCI6MX0=", "name the user's field, `json: FIELD`"),
    ] {
        assert!(told(source, cookie).contains(wanted), "{}", told(source, cookie));
    }
    for (source, cookie) in [
        ("{cookie: u}", "u=bob@x.test"),
        ("{cookie: u}", "u=100%"),
        ("{cookie: u, decode: [percent]}", "u=bob%40x.test"),
        ("{cookie: u, decode: [percent], json: id}", "u=%7B%22id%22%3A1%7D"),
    ] {
        let told = told(source, cookie);
        assert!(!told.contains("encoded") && !told.contains("JSON"), "{told}");
    }
}

const GUARDED: &str = r#"
version: 1
key: [{header: x-user-id}]
splits:
- name: checkout
  baseline: stable
  guard: {errors: {}}
  variants: [{name: stable, weight: 20}, {name: canary, weight: 80}]
  overrides: [{match: [{headers: [{name: x-canary, present: true}]}], variant: canary}]
  sticky: {secret: not-a-real-secret}
- name: search
  baseline: old
  guard: {errors: {}}
  variants: [{name: old, weight: 50}, {name: canary, weight: 50}]
- name: banner
  baseline: off
  variants: [{name: off, weight: 50}, {name: on, weight: 50}]
"#;

#[test]
fn a_variant_that_is_out_of_service_is_told() {
    let words =
        ["-H", "x-user-id: ada", "--tripped", "checkout/canary", "--tripped", "search/canary"];
    assert_snapshot!(explain(GUARDED, &words));
}

#[test]
fn an_override_and_a_cookie_of_what_is_out_of_service_are_told() {
    let cookie = "split-checkout=v1.0.canary.2f0ce8a4cc1bc3e9b5a2a7ddc8b7bb7d";
    let words = ["--split", "checkout", "--tripped", "checkout/canary", "-H", "x-user-id: ada"];
    let overridden = explain(GUARDED, &[&words[..], &["-H", "x-canary: 1"]].concat());
    assert!(overridden.contains("`canary` is out of service: the weights decide"), "{overridden}");
    assert!(overridden.contains("checkout: stable (tripped)"), "{overridden}");
    assert!(
        !explain(GUARDED, &[&words[..], &["--cookie", cookie]].concat()).contains("holds"),
        "forged"
    );
}

#[test]
fn only_what_can_trip_is_out_of_service() {
    for (tripped, said) in [
        ("canary", "error: several splits have a variant `canary`: write `checkout/canary`"),
        ("beta", "error: no split of the policy has a variant `beta`"),
        ("checkout/beta", "error: split `checkout` has no variant `beta`"),
        ("shop/canary", "error: the policy has no split `shop`; it has: checkout, search, banner"),
        ("stable", "error: `stable` is the baseline of `checkout`, which never trips"),
        ("on", "error: split `banner` has no `guard`, so that nothing in it trips"),
    ] {
        assert_eq!(explain(GUARDED, &["--tripped", tripped]), said);
    }
}

#[test]
fn a_condition_that_fails_says_what_was_sent_and_that_it_differs_in_case_only() {
    let to = ["--host", "shop.example.com", "--path", "/api/", "-H", "x-user-id: ada"];
    let told = |header: &str| explain(CHECKOUT, &[&to[..], &["-H", header]].concat());
    let text = told("x-tier: Premium");
    assert!(
        text.contains("fails at header `x-tier` exact `premium`; sent is `Premium`, which differs in case only: `ignore_case: true` takes both\n"),
        "{text}"
    );
    let text = told("x-tier: gold");
    assert!(text.contains("fails at header `x-tier` exact `premium`; sent is `gold`\n"), "{text}");
    let text = told("x-other: gold");
    assert!(text.contains("fails at header `x-tier` exact `premium`\n"), "{text}");
}
