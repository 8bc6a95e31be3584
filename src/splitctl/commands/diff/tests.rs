//! What `splitctl diff` says, as people and programs see it.

use std::io;

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

const OLD: &str = "\
version: 1
key: [{header: x-user-id}]
splits:
- name: checkout
  match: [{hosts: [shop.example.com]}]
  baseline: stable
  variants:
  - {name: stable, cluster: checkout-v1, weight: 95}
  - {name: canary, cluster: checkout-v2, weight: 5}
";

/// The old policy with a part of its text replaced.
fn with(from: &str, to: &str) -> String {
    assert!(OLD.contains(from), "{from}");
    OLD.replace(from, to)
}

fn weights(stable: &str, canary: &str) -> String {
    let (before, _) = OLD.split_once("  - {name: stable").unwrap();
    format!(
        "{before}  - {{name: stable, cluster: checkout-v1, weight: {stable}}}
  - {{name: canary, cluster: checkout-v2, weight: {canary}}}\n"
    )
}

/// Runs `splitctl diff old.yaml new.yaml`; what it says to stdout and to stderr, and its outcome where it is not
/// fine.
fn diff(old: &str, new: &str, more: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let [old_path, new_path] = [("old.yaml", old), ("new.yaml", new)].map(|(name, text)| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    });
    let words = ["diff", &old_path, &new_path];
    let args = match Line::try_parse_from(words.into_iter().chain(more.split_whitespace())) {
        Ok(line) => line.args,
        Err(error) => return error.to_string().lines().next().unwrap_or_default().to_owned(),
    };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut console = Console { out: &mut out, err: &mut err };
    let outcome = run(&args, &mut console).unwrap();
    let mut told = String::from_utf8([out, err].concat()).unwrap();
    if outcome != Outcome::Fine {
        told.push_str(&format!("-> {outcome:?}\n"));
    }
    let told =
        told.replace(&format!("{}{}", folder.path().display(), std::path::MAIN_SEPARATOR), "");
    anstream::adapter::strip_str(&told).to_string()
}

#[test]
fn a_step_up_moves_only_those_it_has_to() {
    insta::assert_snapshot!(diff(OLD, &weights("90", "10"), "--max-step 10 --fail-on-reshuffle"), @r"
    old.yaml -> new.yaml

    checkout
      stable.weight  95 -> 90
      canary.weight  5 -> 10
      4,956 (4.96%) of 100,000 users move; the fewest for these shares: 4,956 (4.96%)
        from \ to  stable  canary
        stable     90,049   4,956
        canary          0   4,995

    ok: no variant rises by more than 10 points
    ok: no reshuffle
    ");
}

#[test]
fn weights_the_wrong_way_round_are_a_step_too_large() {
    insta::assert_snapshot!(diff(OLD, &weights("5", "95"), "--max-step 10"), @r"
    old.yaml -> new.yaml

    checkout
      stable.weight  95 -> 5
      canary.weight  5 -> 95
      89,977 (89.98%) of 100,000 users move; the fewest for these shares: 89,977 (89.98%)
        from \ to  stable  canary
        stable      5,028  89,977
        canary          0   4,995

    failed: `canary` of `checkout` rises by 90 points, from 5% to 95%; the limit is 10
    -> No
    ");
}

#[test]
fn json_says_the_same() {
    let new = weights("80", "20");
    insta::assert_snapshot!(diff(OLD, &new, "--users 10000 --max-step 10 --format json"), @r#"
    {
      "at": null,
      "changes": [],
      "ok": false,
      "reshuffles": [],
      "splits": [
        {
          "changes": [
            {
              "field": "stable.weight",
              "from": 95,
              "to": 80
            },
            {
              "field": "canary.weight",
              "from": 5,
              "to": 20
            }
          ],
          "kind": "kept",
          "moves": {
            "disturbed": null,
            "from": [
              "stable",
              "canary",
              "(not in it)"
            ],
            "matrix": [
              [
                8028,
                1515,
                0
              ],
              [
                0,
                457,
                0
              ],
              [
                0,
                0,
                0
              ]
            ],
            "minimum": 1515,
            "moved": 1515,
            "to": [
              "stable",
              "canary",
              "(not in it)"
            ]
          },
          "name": "checkout",
          "pause_taken_out": null,
          "renamed_from": null,
          "reshuffles": [],
          "too_large_steps": [
            {
              "at": null,
              "from": 0.05,
              "to": 0.2,
              "variant": "canary"
            }
          ]
        }
      ],
      "users": 10000
    }
    -> No
    "#);
}

#[test]
fn another_spelling_is_no_change() {
    let new = with("weight: 95", "weight: 95.0").replace("version: 1\n", "")
        + "version: 1\nkill: false\n";
    insta::assert_snapshot!(diff(OLD, &new, "--max-step 0 --fail-on-reshuffle"), @"
    old.yaml -> new.yaml
    no change: the policies say the same
    ");
}

#[test]
fn a_renamed_split_without_a_salt_is_a_reshuffle() {
    let new = with("name: checkout\n", "name: cart\n");
    insta::assert_snapshot!(diff(OLD, &new, "--fail-on-reshuffle"), @r"
    old.yaml -> new.yaml

    cart  renamed from `checkout`
      reshuffle: renamed from `checkout` without a `salt`: all users are drawn anew
        help: add `salt: checkout` to keep every user's variant
      9,520 (9.52%) of 100,000 users move; the fewest for these shares: 40 (0.04%)
        from \ to  stable  canary
        stable     90,225   4,780
        canary      4,740     255

    failed: 1 reshuffle
    -> No
    ");
}

#[test]
fn a_renamed_split_that_keeps_its_salt_moves_nobody() {
    let new = with("name: checkout\n", "name: cart\n  salt: checkout\n");
    insta::assert_snapshot!(diff(OLD, &new, "--fail-on-reshuffle"), @"
    old.yaml -> new.yaml

    cart  renamed from `checkout`
      salt  added: checkout
      nobody of 100,000 users moves

    ok: no reshuffle
    ");
}

#[test]
fn a_split_in_the_place_of_another_is_not_a_renamed_one() {
    let new =
        with("name: checkout\n", "name: search\n").replace("cluster: checkout", "cluster: search");
    insta::assert_snapshot!(diff(OLD, &new, "--fail-on-reshuffle"), @"
    old.yaml -> new.yaml

    search  new

    checkout  removed

    ok: no reshuffle
    ");
}

#[test]
fn only_splits_that_change_are_shown() {
    let other = "- name: other\n  baseline: a\n  variants: [{name: a, weight: 50}, {name: b, weight: 50}]\n";
    let (old, new) = (OLD.to_owned() + other, weights("90", "10") + other);
    let told = diff(&old, &new, "");
    assert!(told.contains("checkout") && !told.contains("other"), "{told}");
    // What changes around a split touches it.
    let told = diff(&old, &format!("{old}holdout: {{percent: 10}}\n"), "");
    assert!(told.contains("other\n  5,"), "{told}");
}

#[test]
fn every_kind_of_reshuffle_is_named() {
    let layered = |layer: &str, slice: &str| {
        let split = format!("name: checkout\n  layer: ui\n  slice: {slice}\n");
        format!("{}layers: [{{name: ui{layer}}}]\n", with("name: checkout\n", &split))
    };
    let sticky = |fields: &str| {
        let split = format!("name: checkout\n  sticky: {{secret: 0123456789abcdef{fields}}}\n");
        with("name: checkout\n", &split)
    };
    let holdout = |salt: &str| format!("{OLD}holdout: {{percent: 5{salt}}}\n");
    let by_address = |hops: u8| {
        with("{header: x-user-id}", "{client_ip: true}")
            + &format!("client_ip: {{trusted_hops: {hops}}}\n")
    };
    let cases = [
        ("salt", OLD.to_owned(), with("name: checkout\n", "name: checkout\n  salt: again\n")),
        ("key", OLD.to_owned(), with("{header: x-user-id}", "{cookie: uid}")),
        ("key", by_address(1), by_address(2)),
        (
            "assignment",
            OLD.to_owned(),
            with("name: checkout\n", "name: checkout\n  assignment: random\n"),
        ),
        ("layer", layered("", "{from: 0, to: 50}"), layered(", salt: b", "{from: 0, to: 50}")),
        ("slice", layered("", "{from: 0, to: 50}"), layered("", "{from: 25, to: 75}")),
        ("variant", OLD.to_owned(), with("name: canary", "name: v2")),
        ("sticky", sticky(""), sticky(", epoch: 1")),
        ("sticky", sticky(""), sticky("9")),
        ("sticky", sticky(""), sticky(", cookie: held")),
        ("holdout", holdout(""), holdout(", salt: b")),
    ];
    for (kind, old, new) in &cases {
        let told = diff(old, new, "--users 1000 --fail-on-reshuffle --format json");
        assert_eq!(told.matches(&format!("\"kind\": \"{kind}\"")).count(), 1, "{kind}: {told}");
        assert!(told.ends_with("-> No\n"), "{told}");
    }
    let told = cases.map(|(_, old, new)| {
        let told = diff(&old, &new, "--users 1000");
        told.lines().filter(|line| line.contains("reshuffle:")).collect::<Vec<_>>().join("\n")
    });
    insta::assert_snapshot!(told.join("\n"), @"
    reshuffle: the salt changed from `checkout` to `again`: all users are drawn anew
    reshuffle: the key sources changed: whose key comes from elsewhere is another user
    reshuffle: the key sources changed: whose key comes from elsewhere is another user
    reshuffle: the assignment changed: users do not keep their variants
    reshuffle: the layer or its salt changed: the slice holds other users
    reshuffle: the slice moved: it loses users and takes in others
    reshuffle: variant `canary` is now `v2`: the name is hashed, so other users get it
    reshuffle: the sticky epoch changed: the variants that users hold no longer count
    reshuffle: the sticky secret changed: the variants that users hold no longer count
    reshuffle: the sticky cookie changed: the variants that users hold no longer count
    reshuffle: the holdout's salt changed from `holdout` to `b`: others are held out
    ");
}

#[test]
fn what_does_not_redraw_users_is_no_reshuffle() {
    let layered = |to: u8| {
        let split = format!("name: checkout\n  layer: ui\n  slice: {{from: 0, to: {to}}}\n");
        format!("{}layers: [{{name: ui}}]\n", with("name: checkout\n", &split))
    };
    let generated = |ttl: &str| {
        with(
            "{header: x-user-id}",
            &format!("{{cookie: uid}}, {{generate: {{cookie: uid, ttl: {ttl}}}}}"),
        )
    };
    let by_chance = |salt: &str| {
        with("name: checkout\n", &format!("name: checkout\n  assignment: random\n{salt}"))
    };
    for (old, new) in [
        (OLD.to_owned(), with("{header: x-user-id}", "{header: x-user-id}, {cookie: uid}")),
        (generated("10d"), generated("20d")),
        (by_chance(""), by_chance("  salt: again\n")),
        (layered(50), layered(60)),
        (layered(50), layered(40)),
        (OLD.to_owned(), with("shop.example.com", "www.example.com")),
    ] {
        let told = diff(&old, &new, "--users 1000 --fail-on-reshuffle");
        assert!(told.ends_with("ok: no reshuffle\n"), "{told}");
    }
}

#[test]
fn changed_fields_are_told_in_words_and_secrets_are_not() {
    let old = with("name: checkout\n", "name: checkout\n  sticky: {secret: 0123456789abcdef}\n")
        + "- name: gone\n  baseline: a\n  variants: [{name: a, weight: 100}]\n";
    let new = with(
        "name: checkout\n",
        "name: checkout\n  sticky: {secret: another-secret-of-16, ttl: 7d}\n  mirror: {cluster: copy, percent: 1}\n",
    )
    .replace("shop.example.com", "shop.example.com, www.example.com, checkout.example.com, pay.example.com")
    .replace("weight: 5}", "weight: 4}\n  - {name: next, cluster: checkout-v3, weight: 1}")
        + "  overrides: [{match: [{headers: [{name: x-vip, present: true}]}], variant: canary}]
- name: banner
  baseline: none
  variants: [{name: none, weight: 50}, {name: red, weight: 50}]
kill: true
";
    let told = diff(&old, &new, "--users 1000");
    assert!(!told.contains("0123456789abcdef") && !told.contains("another-secret"), "{told}");
    insta::assert_snapshot!(told, @r#"
    old.yaml -> new.yaml

    policy
      kill  false -> true

    checkout
      match          [{"hosts":["shop.example.com"]}] -> [{"hosts":["shop.example.com","www.example.com","checkout.ex...
      sticky.secret  changed: (secret)
      sticky.ttl     30d -> 1w
      overrides      added: [{"match":[{"headers":[{"name":"x-vip","present":true}]}],"v...
      mirror         added: {"cluster":"copy","percent":1}
      canary.weight  5 -> 4
      variant next   added: {"cluster":"checkout-v3","weight":1}
      reshuffle: the sticky secret changed: the variants that users hold no longer count
      42 (4.20%) of 1,000 users move; the fewest for these shares: 42 (4.20%)
        from \ to  stable
        stable        958
        canary         42

    banner  new

    gone  removed
    "#);
}

#[test]
fn falling_kill_and_rollback_always_pass() {
    let half = weights("50", "50");
    let killed = format!("{half}kill: true\n");
    let disabled = half.replace("name: checkout\n", "name: checkout\n  enabled: false\n");
    let none = "version: 1\nsplits: []\n".to_owned();
    for new in [weights("95", "5"), weights("100", "0"), killed.clone(), disabled, none.clone()] {
        let told = diff(&half, &new, "--users 10 --max-step 10");
        assert!(told.ends_with("ok: no variant rises by more than 10 points\n"), "{told}");
    }
    // The ways up do not.
    let other_baseline = weights("5", "95").replace("baseline: stable", "baseline: canary");
    for (old, new) in [(&killed, &half), (&none, &half), (&OLD.to_owned(), &other_baseline)] {
        let told = diff(old, new, "--users 10 --max-step 10");
        assert!(told.contains("failed: `canary` of `checkout` rises by"), "{told}");
    }
}

#[test]
fn a_limit_is_kept_to_the_point() {
    let told = diff(OLD, &weights("85", "15"), "--users 10 --max-step 10");
    assert!(told.contains("ok: no variant rises"), "{told}");
    let told = diff(OLD, &weights("84.9999", "15.0001"), "--users 10 --max-step 10%");
    assert!(told.contains("rises by 10.0001 points"), "{told}");
}

#[test]
fn a_later_step_of_a_ramp_counts_and_a_straight_line_does_not() {
    let ramp = |linear: bool| {
        let ramp = format!(
            "name: checkout\n  ramp:\n    start: '2026-11-20T12:00:00Z'\n    linear: {linear}\n    steps:
    - {{after: 1h, weights: {{stable: 90, canary: 10}}}}
    - {{after: 2h, weights: {{stable: 40, canary: 60}}}}
    - {{after: 3h, weights: {{stable: 100, canary: 0}}}}\n"
        );
        with("name: checkout\n", &ramp)
    };
    let at = |time: &str| format!("--users 10 --max-step 10 --at 2026-11-20T{time}:00Z");
    insta::assert_snapshot!(diff(OLD, &ramp(false), &at("12:00")), @r#"
    old.yaml -> new.yaml at 2026-11-20T12:00:00Z

    checkout
      ramp  added: {"start":"2026-11-20T12:00:00Z","steps":[{"after":"1h","weig...
      nobody of 10 users moves

    failed: `canary` of `checkout` rises by 50 points at 2026-11-20T14:00:00Z, from 10% to 60%; the limit is 10
    -> No
    "#);
    let told = diff(OLD, &ramp(true), &at("12:00"));
    assert!(told.contains("ok: no variant"), "{told}");
    // What has passed is in force, and counts against the old policy.
    let told = diff(OLD, &ramp(false), &at("14:30"));
    assert!(told.contains("rises by 55 points, from 5% to 60%"), "{told}");
    assert!(diff(&ramp(false), &ramp(false), &at("12:00")).contains("no change"));
}

#[test]
fn many_weights_at_once_move_little_more_than_they_have_to() {
    let four = |weights: [u8; 4]| {
        let variants = ["a", "b", "c", "d"].iter().zip(weights);
        let variants: Vec<String> =
            variants.map(|(name, weight)| format!("{{name: {name}, weight: {weight}}}")).collect();
        format!(
            "version: 1\nkey: [{{header: u}}]\nsplits:\n- name: s\n  baseline: a\n  variants: [{}]\n",
            variants.join(", ")
        )
    };
    // An independent program in Python: 0.330 of users move, of at least 0.300.
    insta::assert_snapshot!(diff(&four([70, 10, 10, 10]), &four([40, 30, 20, 10]), ""), @r"
    old.yaml -> new.yaml

    s
      a.weight  70 -> 40
      b.weight  10 -> 30
      c.weight  10 -> 20
      32,743 (32.74%) of 100,000 users move; the fewest for these shares: 29,953 (29.95%)
        from \ to       a       b      c      d
        a          39,972  17,785  9,774  2,321
        b               0  10,074      0      0
        c               0     469  9,548      0
        d               0   1,679    715  7,663
      note: `d`: the share stays, but 2,394 of the users leave and 2,321 join; a variant that gains draws from all others
    ");
}

#[test]
fn what_cannot_be_compared_is_told() {
    insta::assert_snapshot!(diff(OLD, "version: 2\nsplits: []\n", ""), @"
    error[unsupported_version]: version `2` is not known
     --> new.yaml:1:10
      |
    1 | version: 2
      |          ^ version
      |
      = help: this release reads `version: 1`

    not compared new.yaml: 1 error
    -> NotValid
    ");
    let lines = ["--users 0", "--max-step much", "--max-step 101"];
    insta::assert_snapshot!(lines.map(|line| diff(OLD, OLD, line)).join("\n"), @"
    error: invalid value '0' for '--users <N>': 0 is not in 1..18446744073709551615
    error: invalid value 'much' for '--max-step <POINTS>': not a number of percentage points from 0 to 100
    error: invalid value '101' for '--max-step <POINTS>': not a number of percentage points from 0 to 100
    ");
    let args = Line::try_parse_from(["diff", "-", "-"]).unwrap().args;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let error = run(&args, &mut Console { out: &mut out, err: &mut err }).unwrap_err();
    assert_eq!(error.to_string(), "only one file can be the standard input");
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
    let path = folder.path().join("policy.yaml");
    std::fs::write(&path, OLD).unwrap();
    let path = path.display().to_string();
    for format in ["human", "json"] {
        let args = Line::try_parse_from(["diff", &path, &path, "--format", format]).unwrap().args;
        let mut err = Vec::new();
        let mut console = Console { out: &mut Closed, err: &mut err };
        let error = run(&args, &mut console).unwrap_err();
        assert_eq!(Outcome::of_error(&error, &mut console), Outcome::Fine, "{format}");
    }
}

#[test]
fn a_point_from_one_variant_to_another_is_seen_to_disturb_the_others() {
    let policy = |a: u32, d: u32| {
        format!(
            "version: 1\nsplits:\n- name: home\n  key: [{{header: x-user-id}}]\n  baseline: a\n  variants: [{{name: a, weight: {a}}}, {{name: b, weight: 30}}, {{name: c, weight: 20}}, {{name: d, weight: {d}}}]\n"
        )
    };
    let told = diff(&policy(40, 10), &policy(39, 11), "");
    let note = "note: `b`, `c`: the share stays, but 481 of the users leave and 467 join";
    assert!(told.contains(note), "{told}");
    // Where one variant alone changes, nobody goes from one of the others to another.
    let any = |d| policy(40, d).replace("  baseline", "  weight_total: any\n  baseline");
    let told = diff(&any(10), &any(11), "");
    assert!(told.contains(" move; ") && !told.contains("note"), "{told}");
    let told = diff(&policy(40, 10), &policy(40, 10), "");
    assert!(!told.contains("note"), "{told}");
}

#[test]
fn a_pause_that_is_taken_out_is_a_jump_unless_the_start_is_shifted() {
    let paused = "\
version: 1
key: [{header: u}]
splits:
- name: checkout
  baseline: stable
  variants: [{name: stable, weight: 100}, {name: canary, weight: 0}]
  ramp:
    start: 2026-11-20T12:00:00Z
    linear: true
    pause: 2026-11-20T14:42:00Z
    steps: [{after: 10h, weights: {stable: 0, canary: 100}}]
";
    let out = paused.replace("    pause: 2026-11-20T14:42:00Z\n", "");
    let shifted = out.replace("2026-11-20T12:00:00Z", "2026-11-20T14:42:00Z");
    let line = "--at 2026-11-20T17:24:00Z";
    let told = diff(paused, &out, line);
    assert!(
        told.contains("  note: `pause` is out, and the ramp goes on from where it would be without it: `stable` from 73.00% to 46.00%, `canary` from 27.00% to 54.00%; to go on from where it stood, write `start: 2026-11-20T14:42:00Z`\n"),
        "{told}"
    );
    let told = diff(paused, &shifted, line);
    assert!(!told.contains("note:") && told.contains("nobody of"), "{told}");
}
