//! `splitctl render ecds`: the file through which a running Envoy gets the filter and its policy.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use lab::Stop;
use lab::xds::{self, PolicyForm};
use policy_text::source::{Source, to_json};

use super::check;
use crate::console::Console;
use crate::outcome::Outcome;
use crate::policy_file::{PolicyFile, Valid};
use crate::style;
use crate::watch::Watch;

/// A file for Envoy's extension config discovery (ECDS), as JSON.
///
/// Envoy reads it through `config_discovery` with a `path_config_source` and applies it to the next request.
/// Replace the file by rename, as `--output` does: write it beside, then `mv` it over the old one.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The policy file, YAML or JSON; `-` is the standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Where Envoy finds the module.
    #[arg(long, value_name = "PATH", default_value = "/etc/envoy/traffic_split.wasm")]
    module: String,

    /// Write to this file instead of stdout, by rename, so that Envoy never reads half of it.
    #[arg(long, value_name = "PATH")]
    output: Option<PathBuf>,

    /// Go on until Ctrl-C, and render again whenever the policy file is saved. One that is not valid is told
    /// and leaves the output as it is.
    #[arg(long, requires = "output")]
    watch: bool,
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
    let Some(valid) = check(file, console)? else { return Ok(Outcome::No) };
    let text = render(args, valid)?;
    match &args.output {
        None => console.out.write_all(text.as_bytes())?,
        Some(path) => {
            lab::replace(path, &text)?;
            let (done, name) = (style::fine("rendered"), &file.source.name);
            writeln!(console.err, "{done} {name}: policy {}", valid.hash_text())?;
        }
    }
    Ok(Outcome::Fine)
}

/// The content of an ECDS file. The version is the policy's hash, so that Envoy shows which one it has.
fn render(args: &Args, valid: &Valid) -> anyhow::Result<String> {
    let policy = to_json(&valid.document)?;
    let filter = xds::extension_config(&args.module, &policy, PolicyForm::String)?;
    let response = xds::discovery_response(&valid.hash_text(), &[filter]);
    Ok(serde_json::to_string_pretty(&response)? + "\n")
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
        assert_eq!(outcome, Outcome::No);
        assert_eq!(std::fs::read_to_string(&output).unwrap(), first);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
