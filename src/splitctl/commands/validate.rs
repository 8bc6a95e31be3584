//! `splitctl validate`: every problem of policy files, in one run.

use std::io;
use std::path::{Path, PathBuf};

use policy_text::source::Unreadable;
use serde::Serialize;

use crate::console::Console;
use crate::finding::{Finding, FindingReport};
use crate::format::Format;
use crate::moment;
use crate::outcome::Outcome;
use crate::pause::Jump;
use crate::policy_file::{PolicyFile, Valid};
use crate::style;
use crate::text::{plural, write_json};

const EXAMPLES: &str = "\
Examples:
  splitctl validate policy.yaml
  splitctl validate --format json envoy/policies/*.yaml
  kubectl get wasmplugin split -o yaml | splitctl validate -

`splitctl codes CODE` explains a code.";

/// Checks policy files and shows every problem with its place and what to do.
///
/// Ends with 0 when all files are valid (warnings do not count), 1 when one is not, 2 when one cannot be read.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Policy files, YAML or JSON, or manifests that carry policies (a `WasmPlugin`, an Envoy configuration, an
    /// ECDS file); `-` is the standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// How the answer is written.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the command.
///
/// # Errors
/// When the answer cannot be written.
pub fn run(args: &Args, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    let results: Vec<_> = args.files.iter().flat_map(|path| read(path)).collect();
    match args.format {
        Format::Human => results.iter().try_for_each(|result| show(result, console))?,
        Format::Json => {
            let ok = results.iter().all(|result| outcome(result) == Outcome::Fine);
            let files = results.iter().map(file_report).collect();
            write_json(console.out, &Report { ok, files })?;
        }
    }
    Ok(results.iter().map(outcome).max().unwrap_or(Outcome::Fine))
}

/// One result for each policy of a file.
fn read(path: &Path) -> Vec<Result<PolicyFile, Unreadable>> {
    match PolicyFile::read_all(path) {
        Ok(files) => files.into_iter().map(Ok).collect(),
        Err(unreadable) => vec![Err(unreadable)],
    }
}

fn outcome(result: &Result<PolicyFile, Unreadable>) -> Outcome {
    match result {
        Ok(file) if file.valid.is_some() => Outcome::Fine,
        Ok(_) => Outcome::No,
        Err(_) => Outcome::NoAnswer,
    }
}

fn show(result: &Result<PolicyFile, Unreadable>, console: &mut Console<'_>) -> io::Result<()> {
    let file = match result {
        Ok(file) => file,
        Err(unreadable) => return writeln!(console.err, "{}: {unreadable}", style::error("error")),
    };
    file.show_findings(console.out)?;
    let name = match &file.carrier {
        Some(carrier) => format!("{} ({carrier})", file.source.name),
        None => file.source.name.clone(),
    };
    match &file.valid {
        Some(valid) => {
            let (ok, metrics) = (style::fine("ok"), valid.metrics());
            let splits = plural(valid.policy.splits.len() as u64, "split");
            let what = format!("{splits}, policy {}", valid.hash_in_both());
            let warnings = if file.findings.is_empty() {
                String::new()
            } else {
                format!(", {}", file.summary())
            };
            writeln!(console.out, "{ok} {name}: {what}, {metrics} metrics{warnings}")?;
            for jump in Jump::of_policy(&valid.policy, moment::now()) {
                let (note, split, rises, start) =
                    (style::warning("note"), &jump.split, jump.rises(), jump.start);
                writeln!(
                    console.out,
                    "{note}: the ramp of `{split}` stands still; without its `pause` weights would jump now: {rises}. To go on from where it stands, take `pause` out and write `start: {start}`"
                )?;
            }
            Ok(())
        }
        None => writeln!(console.out, "{} {name}: {}", style::error("not valid"), file.summary()),
    }
}

/// The answer for programs.
#[derive(Debug, Serialize)]
struct Report<'r> {
    ok: bool,
    files: Vec<FileReport<'r>>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum FileReport<'r> {
    Checked {
        file: &'r str,
        carrier: Option<&'r str>,
        ok: bool,
        splits: Option<usize>,
        policy: Option<String>,
        /// The same as the gauge `traffic_split_policy_hash` shows it.
        policy_hash: Option<u64>,
        metrics: Option<usize>,
        /// Ramps that stand still: what becomes of their weights when `pause` is taken out now.
        paused: Vec<Jump>,
        diagnostics: Vec<FindingReport<'r>>,
    },
    Unreadable {
        file: &'r str,
        ok: bool,
        error: String,
    },
}

fn file_report(result: &Result<PolicyFile, Unreadable>) -> FileReport<'_> {
    match result {
        Ok(file) => {
            let valid = file.valid.as_ref();
            FileReport::Checked {
                file: &file.source.name,
                carrier: file.carrier.as_deref(),
                ok: valid.is_some(),
                splits: valid.map(|valid| valid.policy.splits.len()),
                policy: valid.map(Valid::hash_text),
                paused: valid
                    .map(|v| Jump::of_policy(&v.policy, moment::now()))
                    .unwrap_or_default(),
                policy_hash: valid.map(|valid| valid.hash),
                metrics: valid.map(Valid::metrics),
                diagnostics: file.findings.iter().map(Finding::report).collect(),
            }
        }
        Err(unreadable) => FileReport::Unreadable {
            file: unreadable.name(),
            ok: false,
            error: unreadable.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"version": 1, "splits": []}"#;
    const BAD: &str = "version: 2\nsplits: []\nkil: true\n";

    fn validate(files: &[(&str, &str)], format: Format) -> (Outcome, String, String) {
        let folder = tempfile::tempdir().unwrap();
        let mut paths = Vec::new();
        for (name, text) in files {
            let path = folder.path().join(name);
            if !text.is_empty() {
                std::fs::write(&path, text).unwrap();
            }
            paths.push(path);
        }
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let args = Args { files: paths, format };
        let outcome = run(&args, &mut Console { out: &mut out, err: &mut err }).unwrap();
        let text = |bytes| {
            let text = String::from_utf8(bytes)
                .unwrap()
                .replace(&format!("{}/", folder.path().display()), "");
            anstream::adapter::strip_str(&text).to_string()
        };
        (outcome, text(out), text(err))
    }

    #[test]
    fn a_valid_file_is_one_line() {
        let (outcome, out, _) = validate(&[("a.json", GOOD)], Format::Human);
        assert_eq!(outcome, Outcome::Fine);
        let rest = out.trim_end().strip_prefix("ok a.json: 0 splits, policy ").unwrap();
        let (hash, rest) = rest.split_once(" (").unwrap();
        let (number, metrics) = rest.split_once(" in metrics), ").unwrap();
        assert_eq!(u64::from_str_radix(hash, 16).ok(), number.parse().ok(), "{out}");
        assert_eq!((hash.len(), metrics), (13, "4 metrics"), "{out}");
    }

    #[test]
    fn all_problems_of_all_files_are_shown() {
        let (outcome, out, _) =
            validate(&[("a.yaml", BAD), ("b.yaml", BAD), ("c.json", GOOD)], Format::Human);
        assert_eq!(outcome, Outcome::No);
        assert_eq!(out.matches("error[unsupported_version]").count(), 2, "{out}");
        assert_eq!(out.matches("error[unknown_field]").count(), 2, "{out}");
        assert!(out.contains("not valid a.yaml: 2 errors\n") && out.contains("ok c.json"), "{out}");
    }

    #[test]
    fn a_file_that_cannot_be_read_does_not_keep_others_from_being_checked() {
        let (outcome, out, err) = validate(&[("missing.yaml", ""), ("a.yaml", BAD)], Format::Human);
        assert_eq!(outcome, Outcome::NoAnswer);
        assert_eq!(err, "error: cannot read `missing.yaml`: no such file or directory\n");
        assert!(out.contains("error[unsupported_version]"));
    }

    #[test]
    fn policies_of_one_file_that_share_a_split_are_told_apart() {
        let plugin = |name: &str, header: &str| {
            format!(
                "kind: WasmPlugin\napiVersion: v1\nspec: {{pluginConfig: {{version: 1, key: [{{header: {header}}}], splits: [{{name: {name}, baseline: a, variants: [{{name: a, weight: 100}}]}}]}}}}\n"
            )
        };
        let of = |first: &str, second: &str| {
            let text = [plugin(first, "u"), plugin(second, "v")].join("---\n");
            validate(&[("a.yaml", &text)], Format::Human)
        };
        let (outcome, out, _) = of("one", "one");
        assert_eq!(
            (outcome, out.matches("warning[shared_metrics]").count()),
            (Outcome::Fine, 1),
            "{out}"
        );
        let (_, out, _) = of("one", "two");
        assert!(!out.contains("warning"), "{out}");
    }

    #[test]
    fn json_says_the_same() {
        let (outcome, out, err) =
            validate(&[("a.yaml", BAD), ("b.json", GOOD), ("no", "")], Format::Json);
        assert_eq!((outcome, err.as_str()), (Outcome::NoAnswer, ""));
        insta::assert_snapshot!(out, @r#"
        {
          "files": [
            {
              "carrier": null,
              "diagnostics": [
                {
                  "code": "unsupported_version",
                  "column": 10,
                  "help": "this release reads `version: 1`",
                  "line": 1,
                  "message": "version `2` is not known",
                  "path": "version",
                  "severity": "error"
                },
                {
                  "code": "unknown_field",
                  "column": 1,
                  "help": "did you mean `kill`?",
                  "line": 3,
                  "message": "unknown field `kil`",
                  "path": "kil",
                  "severity": "error"
                }
              ],
              "file": "a.yaml",
              "metrics": null,
              "ok": false,
              "paused": [],
              "policy": null,
              "policy_hash": null,
              "splits": null
            },
            {
              "carrier": null,
              "diagnostics": [],
              "file": "b.json",
              "metrics": 4,
              "ok": true,
              "paused": [],
              "policy": "bb2d4e67199ea",
              "policy_hash": 3292852212832746,
              "splits": 0
            },
            {
              "error": "cannot read `no`: no such file or directory",
              "file": "no",
              "ok": false
            }
          ],
          "ok": false
        }
        "#);
    }
}
