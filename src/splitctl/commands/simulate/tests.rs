//! What `splitctl simulate` says, as people and programs see it.

use std::io;
use std::path::Path;

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

const POLICY: &str = "\
version: 1
key: [{header: x-user-id}]
splits:
- name: checkout
  match: [{hosts: [shop.example.com], path: {prefix: /cart}}]
  baseline: stable
  variants: [{name: stable, weight: 95}, {name: canary, weight: 5}]
- name: banner
  match: [{hosts: ['*.example.com']}]
  baseline: none
  variants: [{name: none, weight: 70}, {name: red, weight: 10}, {name: green, weight: 10}, {name: blue, weight: 10}]
";

const RAMP: &str = "\
version: 1
key: [{header: x-user-id}]
splits:
- name: checkout
  baseline: stable
  variants: [{name: stable, weight: 100}, {name: canary, weight: 0}]
  ramp:
    start: '2026-11-20T12:00:00Z'
    linear: true
    steps:
    - {after: 1h, weights: {stable: 90, canary: 10}}
    - {after: 3h, weights: {stable: 0, canary: 100}}
- name: banner
  baseline: none
  variants: [{name: none, weight: 50}, {name: red, weight: 50}]
";

/// Runs `splitctl simulate` in a folder with these files; its outcome where it is not fine, what it says to
/// stdout, and what it says to stderr.
fn simulate<T: AsRef<[u8]>>(files: &[(&str, T)], line: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text.as_ref()).unwrap();
    }
    let inside = |word: &str| match files.iter().any(|(name, _)| *name == word)
        || word.contains('.') && !word.contains(':')
    {
        true => folder.path().join(word).display().to_string(),
        false => word.to_owned(),
    };
    let words = std::iter::once("simulate".to_owned()).chain(line.split_whitespace().map(inside));
    let args = match Line::try_parse_from(words) {
        Ok(line) => line.args,
        Err(error) => return error.to_string().lines().next().unwrap_or_default().to_owned(),
    };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut console = Console { out: &mut out, err: &mut err };
    let outcome = run(&args, &mut console);
    let outcome = outcome.unwrap_or_else(|error| Outcome::of_error(&error, &mut console));
    let mut told = String::from_utf8([out, err].concat()).unwrap();
    if outcome != Outcome::Fine {
        told.push_str(&format!("-> {outcome:?}\n"));
    }
    let told =
        told.replace(&format!("{}{}", folder.path().display(), std::path::MAIN_SEPARATOR), "");
    anstream::adapter::strip_str(&told).to_string()
}

#[test]
fn shares_are_shown_with_their_intervals_and_tested() {
    insta::assert_snapshot!(simulate(&[("policy.yaml", POLICY)], "policy.yaml"), @"
    policy.yaml: 100,000 users

    checkout
      variant  configured  observed      95% interval   users
      stable          95%    95.00%  94.87% to 95.14%  95,005  ████████████████████████████▌
      canary           5%     5.00%    4.86% to 5.13%   4,995  █▌
      as configured: chi-square 0.01, p = 0.9422

    banner
      variant  configured  observed      95% interval   users
      none            70%    70.13%  69.85% to 70.42%  70,134  █████████████████████
      red             10%     9.98%   9.79% to 10.16%   9,977  ███
      green           10%    10.06%   9.88% to 10.25%  10,063  ███
      blue            10%     9.83%   9.64% to 10.01%   9,826  ███
      as configured: chi-square 3.73, 3 degrees of freedom, p = 0.2917
    ");
}

#[test]
fn json_says_the_same_about_shares() {
    let line = "policy.yaml --users 10000 --split checkout --format json";
    insta::assert_snapshot!(simulate(&[("policy.yaml", POLICY)], line), @r#"
    {
      "at": null,
      "splits": [
        {
          "as_configured": true,
          "chi_square": 3.8926315789473684,
          "degrees_of_freedom": 1,
          "fallback": 0,
          "holdout": 0,
          "killed": 0,
          "name": "checkout",
          "not_in_split": 0,
          "p": 0.048498375234361006,
          "variants": [
            {
              "configured": 0.95,
              "interval": [
                0.9500295537216404,
                0.9582215453587628
              ],
              "name": "stable",
              "observed": 0.9543,
              "users": 9543
            },
            {
              "configured": 0.05,
              "interval": [
                0.04177845464123728,
                0.049970446278359455
              ],
              "name": "canary",
              "observed": 0.0457,
              "users": 457
            }
          ]
        }
      ],
      "users": 10000
    }
    "#);
}

#[test]
fn those_whom_the_weights_do_not_serve_are_counted_apart() {
    let policy = "\
version: 1
key: [{header: x-user-id}]
holdout: {percent: 10}
layers: [{name: ui}]
splits:
- name: banner
  layer: ui
  slice: {from: 0, to: 50}
  baseline: none
  variants: [{name: none, weight: 50}, {name: red, weight: 50}]
- name: off
  weight_total: any
  baseline: a
  variants: [{name: a, weight: 0}, {name: b, weight: 0}]
";
    insta::assert_snapshot!(simulate(&[("policy.yaml", policy)], "policy.yaml --users 10000"), @"
    policy.yaml: 10,000 users

    banner
      variant  configured  observed      95% interval  users
      none            50%    49.27%  47.80% to 50.75%  2,171  ██████████████▊
      red             50%    50.73%  49.25% to 52.20%  2,235  ███████████████▎
      as configured: chi-square 0.93, p = 0.3350
      5,058 users: not in the split
      536 users: held out: `none`

    off
      1,001 users: held out: `a`
      8,999 users: no variant has a weight: `a`
    ");
}

#[test]
fn a_killed_policy_serves_everybody_the_baseline() {
    let policy = format!("{POLICY}kill: true\n");
    let line = "policy.yaml --users 10 --split checkout";
    insta::assert_snapshot!(simulate(&[("policy.yaml", &policy)], line), @"
    policy.yaml: 10 users

    checkout
      10 users: the policy is killed: `stable`
    ");
}

#[test]
fn the_same_id_again_and_again_is_not_as_configured() {
    let ids = "ada\n".repeat(100);
    let files = [("policy.yaml", POLICY), ("ids.txt", ids.as_str())];
    insta::assert_snapshot!(simulate(&files, "policy.yaml --ids ids.txt --split banner"), @"
    policy.yaml: 100 users

    banner
      variant  configured  observed       95% interval  users
      none            70%   100.00%  96.30% to 100.00%    100  ██████████████████████████████
      red             10%     0.00%     0.00% to 3.70%      0
      green           10%     0.00%     0.00% to 3.70%      0
      blue            10%     0.00%     0.00% to 3.70%      0
      not as configured: chi-square 42.86, 3 degrees of freedom, p < 0.0001
    -> No
    ");
}

#[test]
fn a_ramp_is_asked_for_a_moment() {
    let line = "policy.yaml --users 10000 --at 2026-11-20T13:00:00Z --split checkout";
    insta::assert_snapshot!(simulate(&[("policy.yaml", RAMP)], line), @"
    policy.yaml: 10,000 users at 2026-11-20T13:00:00Z

    checkout
      variant  configured  observed      95% interval  users
      stable          90%    90.21%  89.61% to 90.78%  9,021  ███████████████████████████▏
      canary          10%     9.79%   9.22% to 10.39%    979  ██▉
      as configured: chi-square 0.49, p = 0.4839
    ");
}

#[test]
fn weights_over_time_are_a_table() {
    insta::assert_snapshot!(simulate(&[("policy.yaml", RAMP)], "policy.yaml --every 30m"), @"
    policy.yaml: weights from 2026-11-20T12:00:00Z to 2026-11-20T15:00:00Z

    checkout
      time                  stable  canary
      2026-11-20T12:00:00Z    100%      0%
      2026-11-20T12:30:00Z     95%      5%
      2026-11-20T13:00:00Z     90%     10%
      2026-11-20T13:30:00Z   67.5%   32.5%
      2026-11-20T14:00:00Z     45%     55%
      2026-11-20T14:30:00Z   22.5%   77.5%
      2026-11-20T15:00:00Z      0%    100%

    banner has no ramp
    ");
}

#[test]
fn json_says_the_same_about_weights_over_time() {
    let line = "policy.yaml --from 2026-11-20T11:00:00Z --to 2026-11-20T14:00:00Z --every 3h --format json";
    insta::assert_snapshot!(simulate(&[("policy.yaml", RAMP)], line), @r#"
    {
      "from": "2026-11-20T11:00:00Z",
      "splits": [
        {
          "name": "checkout",
          "points": [
            {
              "time": "2026-11-20T11:00:00Z",
              "variants": [
                {
                  "name": "stable",
                  "share": 1.0
                },
                {
                  "name": "canary",
                  "share": 0.0
                }
              ]
            },
            {
              "time": "2026-11-20T14:00:00Z",
              "variants": [
                {
                  "name": "stable",
                  "share": 0.45
                },
                {
                  "name": "canary",
                  "share": 0.55
                }
              ]
            }
          ]
        }
      ],
      "to": "2026-11-20T14:00:00Z"
    }
    "#);
}

#[test]
fn a_drawing_has_a_line_for_each_variant() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ramp.svg");
    let policy = folder.path().join("policy.yaml");
    std::fs::write(&policy, RAMP).unwrap();
    let words = [Path::new("simulate"), &policy, Path::new("--svg"), &path];
    let args = Line::try_parse_from(words).unwrap().args;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    run(&args, &mut Console { out: &mut out, err: &mut err }).unwrap();
    let svg = std::fs::read_to_string(&path).unwrap();
    assert_eq!(svg.matches("<polyline").count(), 2);
    // The canary's: level until the start, up to 10 % in a third of the time, up to 100 % at the end.
    assert!(svg.contains("60,240.0 "), "{svg}");
    assert!(svg.contains("620,40.0 "), "{svg}");
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"), "{svg}");
    assert!(svg.len() < 40_000, "{}", svg.len());
}

const LOG: &str = r#"[2026-11-20T12:00:00.123Z] "GET /cart HTTP/1.1" 200 - 0 5 1 1 "203.0.113.9" "curl/8.0" "6a1f" "shop.example.com" "10.0.0.1:80"
{"time": "2026-11-20T12:00:01Z", "method": "GET", "host": "shop.example.com", "path": "/cart/2", "x_user_id": "ada"}
{"method": "GET", "host": "www.example.com", "path": "/", "x-user-id": "ada"}
{"method": "GET", "host": "other.test", "path": "/"}
what is this
"#;

#[test]
fn logged_requests_meet_splits_as_far_as_the_log_tells() {
    let files = [("policy.yaml", POLICY), ("access.log", LOG)];
    insta::assert_snapshot!(simulate(&files, "policy.yaml --log access.log --lines"), @"
         1  GET shop.example.com/cart  checkout=?, banner=?
         2  GET shop.example.com/cart/2  checkout=stable, banner=none
         3  GET www.example.com/  banner=none
         4  GET other.test/  no split
         5  cannot be read

    access.log: 5 lines

    checkout: 2 requests, 50.00%
      variant  requests  split  weight    share
      stable          1      1     95%  100.00%
      canary          0      0      5%    0.00%
      share: of the 1 request that chance decided; a busy user counts often
      1 request: the variant is not known

    banner: 3 requests, 75.00%
      variant  requests  split  weight    share
      none            2      2     70%  100.00%
      red             0      0     10%    0.00%
      green           0      0     10%    0.00%
      blue            0      0     10%    0.00%
      share: of the 2 requests that chance decided; a busy user counts often
      1 request: the variant is not known

    no split: 1 request, 25.00%
    note: 1 line cannot be read; it is line 5
    note: where the variant is not known the log has neither the user's key nor what the filter decided, or chance decides; with `filter_state: evidence` in the policy the access log can have both (`splitctl render envoy` writes it)
    ");
}

/// What the rendered Envoy writes: no key, the filter's own evidence, how the request ended.
fn own_log() -> String {
    let line = |n: u32, evidence: &str, code: u16, duration: u32| {
        let split = evidence.split(';').next().unwrap();
        format!(
            r#"{{"time":"2026-11-20T12:00:{:02}.000Z","method":"GET","host":"shop.example.com","path":"/cart/{n}","code":{code},"flags":null,"duration_ms":{duration},"split":"{split}","evidence":"{evidence}"}}"#,
            n % 60
        ) + "\n"
    };
    let stable = (0..90).map(|n| line(n, "checkout=stable;reason=split;bucket=12", 200, n));
    let canary = (0..10).map(|n| {
        line(n, "checkout=canary;reason=split;bucket=9001", if n < 2 { 503 } else { 200 }, 40)
    });
    let held = (0..5).map(|n| line(n, "checkout=stable;reason=holdout;bucket=7", 200, 3));
    let forced = (0..3).map(|n| line(n, "checkout=canary;reason=override", 200, 3));
    let none = [
        "{\"host\":\"other.test\",\"path\":\"/\",\"code\":200,\"split\":null,\"evidence\":null}\n"
            .to_owned(),
    ];
    let old = [line(1, "old=b;reason=split;bucket=1", 200, 1)];
    stable.chain(canary).chain(held).chain(forced).chain(none).chain(old).collect()
}

#[test]
fn the_projects_own_log_is_summed_up_without_any_key() {
    let log = own_log();
    let files = [("policy.yaml", POLICY), ("access.log", log.as_str())];
    insta::assert_snapshot!(simulate(&files, "policy.yaml --log access.log --split checkout"), @"
    access.log: 110 lines

    checkout: 108 requests, 98.18%
      variant  requests  split  override  holdout  weight   share
      stable         95     90         0        5     95%  90.00%
      canary         13     10         3        0      5%  10.00%
      share: of the 100 requests that chance decided; a busy user counts often

      variant  2xx  5xx    p50    p95
      stable    95    0  42 ms  85 ms
      canary    11    2  40 ms  40 ms

    no split: 2 requests, 1.82%
    note: the log has `old=b` (1 request), and the policy does not
    ");
}

#[test]
fn the_sums_of_a_log_are_a_document_by_themselves() {
    let log = own_log();
    let files = [("policy.yaml", POLICY), ("access.log", log.as_str())];
    let told = simulate(&files, "policy.yaml --log access.log --format json");
    let sums: serde_json::Value = serde_json::from_str(&told).unwrap();
    let canary = &sums["splits"][0]["variants"][1];
    assert_eq!(canary["reasons"], serde_json::json!({"split": 10, "override": 3}));
    assert_eq!(canary["classes"], serde_json::json!({"2xx": 11, "5xx": 2}));
    assert_eq!(
        (&canary["p50_milliseconds"], &canary["p95_milliseconds"]),
        (&40.into(), &40.into())
    );
    assert_eq!((canary["share"].as_f64(), canary["configured"].as_f64()), (Some(0.1), Some(0.05)));
    assert_eq!(sums["splits"][0]["randomised"], 100);
    assert_eq!(sums["not_in_policy"], serde_json::json!({"old=b": 1}));
    assert!(sums.get("lines").is_none(), "{told}");
}

#[test]
fn variants_without_reasons_are_counted_and_the_lack_is_said() {
    let log = own_log();
    let without = |line: &str| line.split(",\"evidence\"").next().unwrap().to_owned() + "}\n";
    let log: String = log.lines().map(without).collect();
    let files = [("policy.yaml", POLICY), ("access.log", log.as_str())];
    let told = simulate(&files, "policy.yaml --log access.log --split checkout");
    assert!(told.contains("variant  requests  unknown\n"), "{told}");
    assert!(told.contains("stable         95       95\n"), "{told}");
    assert!(told.contains("note: the log has variants without their reasons"), "{told}");
}

#[test]
fn where_the_key_is_logged_the_policy_decides_whatever_the_log_says() {
    let log = r#"{"host": "shop.example.com", "path": "/cart", "x_user_id": "ada", "split": "checkout=canary", "evidence": "checkout=canary;reason=override;bucket=1"}"#;
    let files = [("policy.yaml", POLICY), ("access.log", log)];
    let told = simulate(&files, "policy.yaml --log access.log --lines");
    assert!(
        told.starts_with("     1  - shop.example.com/cart  checkout=stable, banner=none\n"),
        "{told}"
    );
}

#[test]
fn a_weight_that_changes_over_the_time_of_the_log_is_that_of_each_request() {
    let line = |time: &str| {
        format!(
            r#"{{"time": "{time}", "host": "a", "path": "/", "evidence": "checkout=canary;reason=split;bucket=1"}}"#
        ) + "\n"
    };
    // 10 % after the first hour, all after the third.
    let log = line("2026-11-20T13:00:00Z") + &line("2026-11-20T15:00:00Z");
    let files = [("ramp.yaml", RAMP), ("access.log", log.as_str())];
    let told = simulate(&files, "ramp.yaml --log access.log --split checkout --format json");
    let sums: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(sums["splits"][0]["variants"][1]["configured"].as_f64(), Some(0.55));
}

#[test]
fn json_says_the_same_about_logged_requests() {
    let files = [("policy.yaml", POLICY), ("access.log", LOG)];
    let told =
        simulate(&files, "policy.yaml --log access.log --split checkout --format json --lines");
    let _one_document: serde_json::Value = serde_json::from_str(&told).unwrap();
    insta::assert_snapshot!(told, @r#"
    {
      "lines": [
        {"line":1,"request":"GET shop.example.com/cart","splits":[{"name":"checkout","reason":null,"variant":null}]},
        {"line":2,"request":"GET shop.example.com/cart/2","splits":[{"name":"checkout","reason":"split","variant":"stable"}]},
        {"line":3,"request":"GET www.example.com/","splits":[]},
        {"line":4,"request":"GET other.test/","splits":[]},
        {"line":5,"request":null,"splits":null}
      ],
      "first_unreadable": 5,
      "no_split": 2,
      "not_in_policy": {},
      "requests": 4,
      "splits": [
        {
          "name": "checkout",
          "randomised": 1,
          "requests": 2,
          "unknown": 1,
          "variants": [
            {
              "classes": {},
              "configured": 0.95,
              "name": "stable",
              "p50_milliseconds": null,
              "p95_milliseconds": null,
              "randomised": 1,
              "reasons": {
                "split": 1
              },
              "requests": 1,
              "share": 1.0
            },
            {
              "classes": {},
              "configured": 0.05,
              "name": "canary",
              "p50_milliseconds": null,
              "p95_milliseconds": null,
              "randomised": 0,
              "reasons": {},
              "requests": 0,
              "share": 0.0
            }
          ]
        }
      ],
      "unreadable": 1
    }
    "#);
}

#[test]
fn an_empty_log_is_no_answer() {
    for format in ["human", "json"] {
        let files = [("policy.yaml", POLICY), ("access.log", "\n")];
        let told = simulate(&files, &format!("policy.yaml --log access.log --format {format}"));
        assert_eq!(
            told,
            "error: `access.log` is empty: a line is Envoy's default text, Istio's, or a JSON object with `host` and `path`\n-> NoAnswer\n"
        );
    }
}

#[test]
fn a_log_of_which_no_line_can_be_read_is_no_answer() {
    let files = [("policy.yaml", POLICY), ("access.log", "one\n{\"host\": 5}\n")];
    let told = simulate(&files, "policy.yaml --log access.log");
    assert!(told.contains("error: `access.log`: 2 lines, and none can be read"), "{told}");
    assert!(told.ends_with("-> NoAnswer\n"), "{told}");
    // One line is enough.
    let log = format!("one\n{}", LOG.lines().next().unwrap());
    let told =
        simulate(&[("policy.yaml", POLICY), ("access.log", &log)], "policy.yaml --log access.log");
    assert!(
        told.contains("note: 1 line cannot be read; it is line 1\n") && !told.contains("->"),
        "{told}"
    );
}

#[test]
fn bytes_that_are_not_text_are_said_and_not_guessed() {
    let line = |user: &[u8]| {
        [br#"{"host": "shop.example.com", "path": "/cart", "x-user-id": ""#, user, b"\"}\n"]
            .concat()
    };
    let log = [line(b"ada"), line(b"\xff\xfe")].concat();
    let files = [("policy.yaml", POLICY.as_bytes()), ("access.log", log.as_slice())];
    let told = simulate(&files, "policy.yaml --log access.log --lines");
    assert!(told.contains("     2  cannot be read\n"), "{told}");
    assert!(told.contains("note: 1 line cannot be read: not UTF-8; it is line 2\n"), "{told}");
    let broken = line(b"\xff");
    let files = [("policy.yaml", POLICY.as_bytes()), ("access.log", broken.as_slice())];
    let told = simulate(&files, "policy.yaml --log access.log");
    assert!(told.contains("error: `access.log`: 1 line, and none is UTF-8\n-> NoAnswer"), "{told}");
    // A key may be any bytes: proxies hash them as they come.
    let files = [("policy.yaml", POLICY.as_bytes()), ("ids.txt", b"ada\n\xff\xfe\n".as_slice())];
    assert!(simulate(&files, "policy.yaml --ids ids.txt").contains("2 users"));
    let files = [("policy.yaml", b"version: \xff".as_slice())];
    assert!(simulate(&files, "policy.yaml").contains("byte 9 is not UTF-8"));
}

#[test]
fn a_file_without_keys_is_no_answer() {
    for ids in ["", "\n\n"] {
        let told =
            simulate(&[("policy.yaml", POLICY), ("ids.txt", ids)], "policy.yaml --ids ids.txt");
        assert_eq!(
            told,
            "error: `ids.txt` has no keys: one on each line is expected\n-> NoAnswer\n"
        );
    }
}

#[test]
fn what_cannot_be_simulated_is_told() {
    let long = format!("ada\n{}\n", "x".repeat(70_000));
    let files = [
        ("policy.yaml", POLICY),
        ("ramp.yaml", RAMP),
        ("bad.yaml", "version: 1\nsplits: {}\n"),
        ("long.txt", &long),
    ];
    let lines = [
        "missing.yaml",
        "bad.yaml",
        "policy.yaml --ids missing.txt",
        "policy.yaml --ids long.txt",
        "policy.yaml --split chekout",
        "policy.yaml --every 1h",
        "policy.yaml --at noon",
        "policy.yaml --users 0",
        "policy.yaml --users 5 --ids long.txt",
        "ramp.yaml --every 1s --to 2027-01-01T00:00:00Z",
        "ramp.yaml --from 2027-01-01T00:00:00Z --to 2026-01-01T00:00:00Z",
        "- --ids -",
    ];
    let told = lines.map(|line| format!("$ splitctl simulate {line}\n{}", simulate(&files, line)));
    insta::assert_snapshot!(told.join("\n"), @"
    $ splitctl simulate missing.yaml
    error: cannot read `missing.yaml`: no such file or directory
    -> NoAnswer

    $ splitctl simulate bad.yaml
    error[wrong_type]: expected a list, found a mapping
     --> bad.yaml:2:1
      |
    2 | splits: {}
      | ^^^^^^ splits
      |
      = help: write `splits: []`

    not simulated bad.yaml: 1 error
    -> NotValid

    $ splitctl simulate policy.yaml --ids missing.txt
    error: cannot read `missing.txt`: no such file or directory
    -> NoAnswer

    $ splitctl simulate policy.yaml --ids long.txt
    error: line 2 of `long.txt` is longer than 64 KB; each line is one user or request
    -> NoAnswer

    $ splitctl simulate policy.yaml --split chekout
    error: the policy has no split `chekout`; it has: checkout, banner
    -> NoAnswer

    $ splitctl simulate policy.yaml --every 1h
    error: no split has a `ramp`; without one, weights do not change over time
    -> NoAnswer

    $ splitctl simulate policy.yaml --at noon
    error: invalid value 'noon' for '--at <TIME>': it is not of the form `2026-11-20T12:00:00Z`; a time is RFC 3339 with its offset, such as `2026-11-20T12:00:00Z` or `2026-11-20T13:00:00+01:00`, or `now`
    $ splitctl simulate policy.yaml --users 0
    error: invalid value '0' for '--users <N>': 0 is not in 1..18446744073709551615
    $ splitctl simulate policy.yaml --users 5 --ids long.txt
    error: the argument '--users <N>' cannot be used with '--ids <FILE>'
    $ splitctl simulate ramp.yaml --every 1s --to 2027-01-01T00:00:00Z
    error: that makes more than 10000 rows; choose a longer `--every`
    -> NoAnswer

    $ splitctl simulate ramp.yaml --from 2027-01-01T00:00:00Z --to 2026-01-01T00:00:00Z
    error: `--from` 2027-01-01T00:00:00Z is not before `--to` 2026-01-01T00:00:00Z
    -> NoAnswer

    $ splitctl simulate - --ids -
    error: only one file can be the standard input
    -> NoAnswer
    ");
}

/// The reader of a pipe that has seen enough.
struct Closed;

impl io::Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_pipe_closed_early_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let (policy, log) = (folder.path().join("policy.yaml"), folder.path().join("log"));
    std::fs::write(&policy, RAMP).unwrap();
    std::fs::write(&log, LOG).unwrap();
    let log = log.display().to_string();
    for more in [&[][..], &["--every", "1h"], &["--log", &log]] {
        for format in ["human", "json"] {
            let policy = policy.display().to_string();
            let words = ["simulate", &policy, "--format", format];
            let args = Line::try_parse_from(words.iter().chain(more)).unwrap().args;
            let mut err = Vec::new();
            let mut console = Console { out: &mut Closed, err: &mut err };
            let error = run(&args, &mut console).unwrap_err();
            assert_eq!(Outcome::of_error(&error, &mut console), Outcome::Fine, "{more:?} {format}");
        }
    }
}
