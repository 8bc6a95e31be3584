//! `splitctl fmt`: policies in their canonical form.

use std::path::PathBuf;

use anyhow::{Context as _, bail};

use engine::policy::Value;
use policy_text::canonical::to_value;
use policy_text::source::{Source, comments, to_pretty_json, to_yaml};

use crate::console::Console;
use crate::format::Format;
use crate::outcome::Outcome;
use crate::policy_file::PolicyFile;
use crate::style;
use crate::verdict;

const EXAMPLES: &str = "\
Examples:
  splitctl fmt policy.yaml
  splitctl fmt --write policy.yaml
  splitctl fmt --check policies/*.yaml

The canonical form has fields in one order, and short values on one line. It
means the same: no user gets another variant, and the hash stays. YAML stays
YAML with its comments, JSON stays JSON.";

/// Writes policies in their canonical form: fields in one order, each with its comments.
///
/// With --check ends with 1 when a file is not in that form, and writes nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Policy files, YAML or JSON; `-` is the standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Only say which files are not in canonical form.
    #[arg(long, conflicts_with = "write")]
    check: bool,

    /// Write into the files instead of to stdout.
    #[arg(long)]
    write: bool,
}

/// Runs the command.
///
/// # Errors
/// When a file cannot be read or written, or is not a policy file.
pub fn run(args: &Args, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    if args.files.len() > 1 && !args.check && !args.write {
        bail!("several files need `--write` or `--check`");
    }
    let mut outcome = Outcome::Fine;
    for path in &args.files {
        let file = PolicyFile::read(path)?;
        let name = &file.source.name;
        if let Some(carrier) = &file.carrier {
            bail!("`{name}` is a {carrier}; `fmt` is for policy files");
        }
        if file.valid.is_none() {
            outcome = outcome.max(verdict::refuse(&file, "not valid", Format::Human, console)?);
            continue;
        }
        let text = canonical(&file)?;
        let same = text == file.source.text;
        if args.check {
            if !same {
                writeln!(console.out, "{} {name}", style::warning("not formatted"))?;
                outcome = outcome.max(Outcome::No);
            }
        } else if !args.write {
            console.out.write_all(text.as_bytes())?;
        } else if !same {
            if path.as_os_str() == "-" {
                bail!("the standard input cannot be written");
            }
            lab::replace(path, &text)?;
            writeln!(console.err, "{} {name}", style::fine("formatted"))?;
        }
    }
    Ok(outcome)
}

/// The text of a valid file in canonical form.
///
/// # Errors
/// When the policy is not valid.
pub fn canonical(file: &PolicyFile) -> anyhow::Result<String> {
    let valid = file.valid.as_ref().context("the policy is not valid")?;
    let source: &Source = &file.source;
    let mut document = to_value(&valid.policy);
    share_key(&mut document, &valid.document);
    keep_written(&mut document, &valid.document);
    if source.is_json() {
        return Ok(format!("{}\n", to_pretty_json(&document)?));
    }
    let places = source.policy().map(|document| document.places).unwrap_or_default();
    Ok(to_yaml(&document, &comments(&source.text, &places)))
}

/// What is written stays, also where leaving it out would mean the same: whoever reads the policy need not know defaults, and
/// comments stay beside what they are about. It comes after the field that it was written after.
fn keep_written(document: &mut Value, written: &Value) {
    match (document, written) {
        (Value::Object(fields), Value::Object(written)) => {
            let mut before: Option<&str> = None;
            for (name, value) in written {
                let place = fields.iter().position(|(known, _)| known == name);
                match (place.and_then(|place| fields.get_mut(place)), value) {
                    (Some((_, field)), _) => keep_written(field, value),
                    (None, Value::Object(_) | Value::List(_)) => continue,
                    (None, scalar) => {
                        let after =
                            fields.iter().position(|(known, _)| Some(known.as_str()) == before);
                        let place = after.map_or(0, |after| after.saturating_add(1));
                        fields.insert(place, (name.clone(), scalar.clone()));
                    }
                }
                before = Some(name);
            }
        }
        (Value::List(items), Value::List(written)) if items.len() == written.len() => {
            items.iter_mut().zip(written).for_each(|(item, written)| keep_written(item, written));
        }
        _ => {}
    }
}

/// Splits are written with the key they have; where it was the policy's it goes back there.
fn share_key(document: &mut Value, written: &Value) {
    let Some(shared) = written.field("key") else { return };
    let has_own: Vec<bool> = match written.field("splits") {
        Some(Value::List(splits)) => splits.iter().map(|s| s.field("key").is_some()).collect(),
        _ => Vec::new(),
    };
    let Value::Object(fields) = document else { return };
    let mut key = None;
    for (name, value) in fields.iter_mut() {
        let ("splits", Value::List(splits)) = (name.as_str(), value) else { continue };
        for (split, _) in splits.iter_mut().zip(&has_own).filter(|(_, own)| !**own) {
            let Value::Object(split) = split else { continue };
            if let Some(at) = split.iter().position(|(name, _)| name == "key") {
                key = Some(split.remove(at).1);
            }
        }
    }
    let later = ["layers", "holdout", "kill", "splits"];
    let place = fields.iter().position(|(name, _)| later.contains(&name.as_str()));
    let key = key.unwrap_or_else(|| shared.clone());
    fields.insert(place.unwrap_or(fields.len()), ("key".to_owned(), key));
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn formatted(name: &str, text: &str) -> String {
        canonical(&PolicyFile::check(Source::new(name, text))).unwrap()
    }

    const WRITTEN: &str = r#"
# Our shop.
# Second line.
splits:
  # One in twenty.
  - variants:
      - weight: 95.0
        name: stable   # the old one
        cluster: checkout-v1
      # The new one.
      - {name: canary, cluster: "checkout-v2", weight: 5}
    name: checkout
    enabled: true # the default
    baseline: stable
    key: [{header: X-User-Id}, {cookie: uid}]
    match:
      - hosts: [shop.example.com]
        path: {prefix: /api/}
  # The second split.
  - {name: b, key: [{query: u}], baseline: a, variants: [{name: a, weight: 100, respond: {status: 200, body: "a: #b\nc"}}]}
version: 1
# The end.
"#;

    #[test]
    fn yaml_keeps_its_comments_where_they_belong() {
        assert_snapshot!(formatted("a.yaml", WRITTEN));
    }

    #[test]
    fn json_stays_json() {
        let json = r#"{"splits": [{"variants": [{"weight": 100.0, "name": "a"}], "baseline": "a", "name": "s", "key": [{"cookie": "u"}]}], "version": 1}"#;
        assert_snapshot!(formatted("a.json", json));
    }

    #[test]
    fn the_canonical_form_means_the_same_and_is_its_own() {
        for (name, text) in
            [("a.yaml", WRITTEN), ("a.yaml", include_str!("../../../envoy/policy.yaml"))]
        {
            let once = formatted(name, text);
            assert_eq!(formatted(name, &once), once, "\n{once}");
            let policy =
                |text: &str| PolicyFile::check(Source::new(name, text)).valid.unwrap().policy;
            assert_eq!(policy(text), policy(&once));
            let count = |text: &str| text.matches(" #").count() + text.matches("\n#").count();
            assert_eq!(count(&format!("\n{once}")), count(&format!("\n{text}")), "\n{once}");
        }
    }

    #[test]
    fn the_key_of_all_splits_stays_the_policys() {
        let text = "\
version: 1
# Who.
key: [{header: x-user-id}]
splits:
- name: a
  baseline: a
  variants:
  - {name: a, weight: 100}

- name: b
  key: [{cookie: uid}]
  baseline: a
  variants:
  - {name: a, weight: 100}
";
        assert_eq!(formatted("a.yaml", text), text);
    }

    #[test]
    fn files_are_checked_and_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.yaml");
        std::fs::write(&path, WRITTEN).unwrap();
        let fmt = |check, write| {
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let args = Args { files: vec![path.clone()], check, write };
            run(&args, &mut Console { out: &mut out, err: &mut err }).unwrap()
        };
        assert_eq!(fmt(true, false), Outcome::No);
        assert_eq!(fmt(false, true), Outcome::Fine);
        assert_eq!(fmt(true, false), Outcome::Fine);
        std::fs::write(&path, "version: 3").unwrap();
        assert_eq!(fmt(false, true), Outcome::NotValid);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "version: 3");
    }
}
