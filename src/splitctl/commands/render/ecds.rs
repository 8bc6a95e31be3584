//! `splitctl render ecds`: the file through which a running Envoy gets the filter and its policy.

mod kill;
mod wait;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use lab::Stop;
use policy_text::source::Source;

use super::check;
use crate::admin::{Admin, Asking};
use crate::clusters;
use crate::console::Console;
use crate::ecds::{MODULE, module_in, render};
use crate::outcome::Outcome;
use crate::policy_file::{PolicyFile, Valid};
use crate::style;
use crate::watch::Watch;
use kill::killed;
use wait::wait;

/// A file for Envoy's extension config discovery (ECDS), as JSON.
///
/// Envoy reads it through `config_discovery` with a `path_config_source` and applies it to the next request.
/// Replace the file by rename, as `--output` does: write it beside, then `mv` it over the old one.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The policy file, YAML or JSON; `-` is the standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Where Envoy finds the module. By default the path that stands in the file that `--output` replaces, or
    /// /etc/envoy/traffic_split.wasm where there is none.
    #[arg(long, value_name = "PATH")]
    module: Option<String>,

    /// Write to this file instead of stdout, by rename, so that Envoy never reads half of it.
    #[arg(long, value_name = "PATH")]
    output: Option<PathBuf>,

    /// Go on until Ctrl-C, and render again whenever the policy file is saved. One that is not valid is told
    /// and leaves the output as it is.
    #[arg(long, requires = "output")]
    watch: bool,

    /// Serve the baseline to everybody, in all splits or in this one, whatever the policy file says; render again without
    /// it to take it back.
    #[arg(long, value_name = "SPLIT", num_args = 0..=1, conflicts_with = "watch")]
    kill: Option<Option<String>>,

    /// Wait until Envoy runs the policy that was written; needs `--admin`. Exit code 1 if it does not in time.
    #[arg(long, requires_all = ["output", "admin"], conflicts_with = "watch")]
    wait: bool,

    /// An Envoy's admin interface, as `http://127.0.0.1:9901`; may be repeated. A policy that names a cluster which is not
    /// there is not written (by `--kill` it is: users have to leave); an Envoy that does not answer holds nothing up.
    #[arg(long, value_name = "URL", value_parser = Admin::parse)]
    admin: Vec<Admin>,

    /// How many seconds to wait.
    #[arg(long, value_name = "SECONDS", requires = "wait", default_value = "30")]
    timeout: u64,
}

pub(super) fn run(args: &Args, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    if args.watch && args.file.as_os_str() == "-" {
        bail!("the standard input cannot be watched; name the policy file");
    }
    let file = PolicyFile::read(&args.file)?;
    let known = file.source.clone();
    let outcome = deliver(args, &file, console)?;
    if args.watch { follow(args, &known, console) } else { Ok(outcome) }
}

/// Renders each change of the file, until the end is wished for.
fn follow(args: &Args, known: &Source, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    let stop = Stop::on_signals()?;
    let watch = Watch::start(args.file.clone(), known, stop.clone());
    writeln!(console.err, "watching {}", known.name)?;
    while !stop.is_set() {
        match watch.next(Duration::from_millis(250)) {
            None => {}
            Some(Ok(source)) => {
                deliver(args, &PolicyFile::check(source), console)?;
            }
            Some(Err(unreadable)) => {
                writeln!(console.err, "{}: {unreadable}", style::warning("note"))?;
            }
        }
    }
    Ok(Outcome::Fine)
}

fn deliver(args: &Args, file: &PolicyFile, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    let Some(valid) = check(file, console)? else { return Ok(Outcome::NotValid) };
    let killed = args.kill.as_ref().map(|split| killed(valid, split.as_deref())).transpose()?;
    let valid = killed.as_ref().unwrap_or(valid);
    let text = render(&module(args)?, valid)?;
    if !clusters_are_there(args, file, valid, console)? && args.kill.is_none() {
        return Ok(Outcome::No);
    }
    match &args.output {
        None => console.out.write_all(text.as_bytes())?,
        Some(path) => {
            lab::replace(path, &text)?;
            let (done, name) = (style::fine("rendered"), &file.source.name);
            writeln!(console.err, "{done} {name}: policy {}", valid.hash_text())?;
        }
    }
    if args.wait {
        return wait(&args.admin, valid.hash, Duration::from_secs(args.timeout), console);
    }
    Ok(Outcome::Fine)
}

/// Whether the proxies that answer have every cluster that the policy names.
fn clusters_are_there(
    args: &Args,
    file: &PolicyFile,
    valid: &Valid,
    console: &mut Console<'_>,
) -> anyhow::Result<bool> {
    let asking = if args.admin.is_empty() { return Ok(true) } else { Asking::begin()? };
    let mut all = true;
    for admin in &args.admin {
        match asking.clusters(admin) {
            Ok(known) => {
                let unknown = clusters::unknown(&valid.policy, &known);
                if !unknown.is_empty() {
                    all = false;
                    let head = style::error("missing[clusters]");
                    let (names, source) = (clusters::quoted(&unknown), &file.source.name);
                    writeln!(console.err, "{head} {}: there is no cluster {names}", admin.name)?;
                    let then =
                        if args.kill.is_some() { "written all the same" } else { "not written" };
                    writeln!(
                        console.err,
                        "help: add it there, or correct `cluster` in {source}; {then}"
                    )?;
                }
            }
            Err(error) => {
                let note = style::warning("note");
                writeln!(
                    console.err,
                    "{note}: {} was not asked for its clusters: {error:#}",
                    admin.name
                )?;
            }
        }
    }
    Ok(all)
}

/// The path of the module: of whoever renders in a hurry nobody should ask what it was.
fn module(args: &Args) -> anyhow::Result<String> {
    match (&args.module, &args.output) {
        (Some(module), _) => Ok(module.clone()),
        (None, Some(output)) if output.exists() => module_in(output),
        (None, _) => Ok(MODULE.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::tests::render;
    use super::*;

    #[test]
    fn the_policy_is_in_the_filters_configuration_in_its_order() {
        let policy = "version: 1\nsplits: []\nkill: false\n";
        let (outcome, out, err) = render("ecds", policy, &["--module", "/m.wasm"]);
        assert_eq!((outcome, err.as_str()), (Outcome::Fine, ""));
        let rendered: Value = serde_json::from_str(&out).unwrap();
        let resource = &rendered["resources"][0];
        assert_eq!(resource["name"], "traffic_split");
        let wasm = &resource["typed_config"]["config"];
        assert_eq!(wasm["vm_config"]["code"]["local"]["filename"], "/m.wasm");
        assert_eq!(wasm["configuration"]["value"], r#"{"version":1,"splits":[],"kill":false}"#);
        assert_eq!(rendered["version_info"].as_str().map(str::len), Some(13));
    }

    const POLICY: &str = "
version: 1
key: [{header: u}]
splits:
- name: checkout
  baseline: stable
  sticky: {secret: 0123456789abcdef}
  guard: {errors: {ratio: 1.5}}
  overrides: [{match: [{headers: [{name: x-beta, present: true}]}], variant: canary}]
  variants: [{name: stable, weight: 80}, {name: canary, weight: 20, drain: true}]
- {name: search, baseline: a, variants: [{name: a, weight: 50}, {name: b, weight: 50}]}
";

    /// The policy in what was rendered.
    fn policy_of(rendered: &str) -> Value {
        let rendered: Value = serde_json::from_str(rendered).unwrap();
        let text = &rendered["resources"][0]["typed_config"]["config"]["configuration"]["value"];
        serde_json::from_str(text.as_str().unwrap()).unwrap()
    }

    #[test]
    fn all_or_one_split_is_killed_without_an_edit_of_the_file() {
        let (outcome, out, err) = render("ecds", POLICY, &["--kill"]);
        assert_eq!((outcome, err.as_str()), (Outcome::Fine, ""));
        assert_eq!(policy_of(&out)["kill"], true);
        let (_, out, err) = render("ecds", POLICY, &["--kill", "checkout"]);
        assert_eq!(err, "");
        let policy = policy_of(&out);
        assert_eq!(
            policy["splits"][0],
            serde_json::json!({"name": "checkout", "baseline": "stable", "variants": [
                {"name": "stable", "weight": 100}, {"name": "canary", "weight": 0}]})
        );
        let (_, plain, _) = render("ecds", POLICY, &[]);
        assert_eq!(policy["splits"][1], policy_of(&plain)["splits"][1]);
        let (outcome, _, err) = render("ecds", POLICY, &["--kill", "chekout"]);
        assert_eq!(outcome, Outcome::NoAnswer);
        assert!(err.contains("it has `checkout`, `search`"), "{err}");
    }

    #[test]
    fn the_path_of_the_module_stays_as_it_is_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("ecds.json");
        let options = ["--output", output.to_str().unwrap()];
        let module = || module_in(&output).unwrap();
        render("ecds", POLICY, &options);
        assert_eq!(module(), MODULE);
        render("ecds", POLICY, &[&options, &["--module", "/here.wasm"][..]].concat());
        render("ecds", POLICY, &[&options, &["--kill"][..]].concat());
        assert_eq!(module(), "/here.wasm");
        std::fs::write(&output, "{}").unwrap();
        let (outcome, _, err) = render("ecds", POLICY, &options);
        assert_eq!(outcome, Outcome::NoAnswer);
        assert!(err.contains("say `--module PATH`"), "{err}");
    }

    #[test]
    fn an_output_file_is_replaced_whole_and_only_by_a_valid_policy() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("ecds.json");
        let options = ["--output", output.to_str().unwrap()];
        let (outcome, out, err) = render("ecds", "version: 1\nsplits: []\n", &options);
        assert_eq!((outcome, out.as_str()), (Outcome::Fine, ""));
        assert!(err.contains("policy.yaml: policy "), "{err}");
        let first = std::fs::read_to_string(&output).unwrap();
        let (outcome, _, _) = render("ecds", "version: 2\nsplits: []\n", &options);
        assert_eq!(outcome, Outcome::NotValid);
        assert_eq!(std::fs::read_to_string(&output).unwrap(), first);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
