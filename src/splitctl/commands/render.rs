//! `splitctl render`: a policy as the configuration of a proxy.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::Value;

use crate::console::Console;
use crate::outcome::Outcome;
use crate::policy_file::PolicyFile;
use crate::source::to_json;
use crate::style;
use crate::xds::{self, PolicyForm};

/// Renders a policy as the configuration of a proxy.
///
/// It goes to stdout, diagnostics go to stderr. A policy that is not valid is not rendered: exit code 1.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    target: Target,
}

#[derive(Debug, Subcommand)]
enum Target {
    Ecds(EcdsArgs),
}

/// A file for Envoy's extension config discovery (ECDS), as JSON.
///
/// Envoy reads it through `config_discovery` with a `path_config_source` and applies it to the next request.
/// Replace the file by rename: write it beside, then `mv` it over the old one.
#[derive(Debug, clap::Args)]
struct EcdsArgs {
    /// The policy file, YAML or JSON; `-` is the standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Where Envoy finds the module.
    #[arg(long, value_name = "PATH", default_value = "/etc/envoy/traffic_split.wasm")]
    module: String,
}

/// Runs the command.
///
/// # Errors
/// When the file cannot be read or the answer cannot be written.
pub fn run(args: &Args, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    let Target::Ecds(args) = &args.target;
    let file = PolicyFile::read(&args.file)?;
    // Warnings too; stdout is for the configuration alone.
    file.show_findings(console.err)?;
    let Some(valid) = &file.valid else {
        let refused = style::error("not rendered");
        writeln!(console.err, "{refused} {}: {}", file.source.name, file.summary())?;
        return Ok(Outcome::No);
    };
    let rendered = ecds(&to_json(&valid.document)?, &valid.hash_text(), &args.module)?;
    serde_json::to_writer_pretty(&mut *console.out, &rendered)?;
    writeln!(console.out)?;
    Ok(Outcome::Fine)
}

/// The content of an ECDS file. The version is the policy's hash, so that Envoy shows which one it has.
fn ecds(policy: &str, version: &str, module: &str) -> anyhow::Result<Value> {
    let filter = xds::extension_config(module, policy, PolicyForm::String)?;
    Ok(xds::discovery_response(version, &[filter]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(text: &str) -> (Outcome, String, String) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.yaml");
        std::fs::write(&file, text).unwrap();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let args = Args { target: Target::Ecds(EcdsArgs { file, module: "/m.wasm".to_owned() }) };
        let outcome = run(&args, &mut Console { out: &mut out, err: &mut err }).unwrap();
        (outcome, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    #[test]
    fn the_policy_is_in_the_filters_configuration_in_its_order() {
        let (outcome, out, err) = render("version: 1\nsplits: []\nkill: false\n");
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
    fn a_policy_that_is_not_valid_is_not_rendered() {
        let (outcome, out, err) = render("version: 7\nsplits: []\n");
        assert_eq!((outcome, out.as_str()), (Outcome::No, ""));
        assert!(err.contains("unsupported_version"), "{err}");
    }
}
