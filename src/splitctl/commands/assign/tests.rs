//! What `splitctl assign` prints.

use clap::Parser;
use insta::assert_snapshot;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

const POLICY: &str = r#"
version: 1
key: [{header: x-user-id}]
holdout: {percent: 10}
splits:
- name: checkout
  match: [{hosts: [shop.example.com]}]
  baseline: stable
  variants: [{name: stable, weight: 50}, {name: canary, weight: 50}]
  ramp: {start: 2026-11-20T12:00:00Z, steps: [{after: 1h, weights: {stable: 0, canary: 100}}]}
- {name: coin, assignment: random, baseline: a, variants: [{name: a, weight: 100}]}
- {name: off, enabled: false, baseline: a, variants: [{name: a, weight: 100}]}
"#;

fn assign(policy: &str, ids: &[u8], words: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let (file, keys) = (folder.path().join("policy.yaml"), folder.path().join("ids"));
    std::fs::write(&file, policy).unwrap();
    std::fs::write(&keys, ids).unwrap();
    let mut line = vec!["assign", file.to_str().unwrap(), "--ids", keys.to_str().unwrap()];
    line.extend(words);
    let args = Line::try_parse_from(line).unwrap().args;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let text = match run(&args, &mut Console { out: &mut out, err: &mut err }) {
        Ok(_) => String::from_utf8_lossy(&[err, out].concat()).into_owned(),
        Err(error) => format!("{}error: {error:#}", String::from_utf8_lossy(&out)),
    };
    let text = text.replace(&format!("{}/", folder.path().display()), "");
    anstream::adapter::strip_str(&text).to_string()
}

const KEYS: &[u8] =
    b"ada\nbob\r\n\"quoted\", with comma\n\nuser-9\nuser-10\nuser-11\nno utf-8 \xff\nlast";

#[test]
fn rows_are_in_the_order_of_the_keys() {
    let words = ["--split", "checkout", "--at", "2026-11-20T11:00:00Z"];
    assert_snapshot!(assign(POLICY, KEYS, &words));
}

#[test]
fn a_ramp_is_at_the_moment_asked_for() {
    let words = ["--split", "checkout", "--at", "2026-11-20T13:00:00Z"];
    assert_snapshot!(assign(POLICY, b"ada\nbob\nuser-9\n", &words));
}

#[test]
fn json_is_one_object_per_line() {
    let words = ["--split", "checkout", "--at", "2026-11-20T11:00:00Z", "--format", "json"];
    assert_snapshot!(assign(POLICY, KEYS, &words));
}

#[test]
fn errors_are_told() {
    let long = vec![b'a'; 1 << 20];
    let all = [
        assign(POLICY, b"a\n", &["--split", "coin"]),
        assign(POLICY, b"a\n", &["--split", "off"]),
        assign(POLICY, b"a\n", &["--split", "chekout"]),
        assign(POLICY, &long, &["--split", "checkout"]),
        assign("version: 2", b"a\n", &["--split", "checkout"]),
    ];
    assert_snapshot!(all.join("\n---\n"));
}

#[test]
fn a_missing_file_is_told() {
    let words = ["--split", "checkout", "--ids", "nowhere.txt"];
    let args = Line::try_parse_from(["assign", "-"].iter().chain(&words)).unwrap().args;
    let mut sink = Vec::new();
    let mut err = Vec::new();
    // The policy comes from the standard input, which a test has not: only the two inputs are compared here.
    let both = Args { ids: "-".into(), ..args };
    let error = run(&both, &mut Console { out: &mut sink, err: &mut err }).unwrap_err();
    assert!(error.to_string().contains("cannot be both"), "{error}");
}

/// Fails as a pipe does whose reader is gone.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_has_had_enough_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.yaml");
    std::fs::write(&file, POLICY).unwrap();
    let name = file.to_str().unwrap();
    let args =
        Line::try_parse_from(["assign", name, "--split", "checkout", "--ids", name]).unwrap().args;
    for format in [RowFormat::Csv, RowFormat::Json] {
        let args = Args {
            format,
            file: args.file.clone(),
            split: args.split.clone(),
            ids: args.ids.clone(),
            at: units::Moment::default(),
        };
        let mut err = Vec::new();
        let error = run(&args, &mut Console { out: &mut Closed, err: &mut err }).unwrap_err();
        let mut console = Console { out: &mut Closed, err: &mut err };
        assert_eq!(Outcome::of_error(&error, &mut console), Outcome::Fine, "{error:?}");
    }
}
