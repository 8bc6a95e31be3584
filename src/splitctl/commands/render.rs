//! `splitctl render`: a policy as the configuration of a proxy and of what watches it.

mod ecds;
mod envoy;
mod istio;

use std::io;
use std::path::{Path, PathBuf};

use clap::Subcommand;

use crate::console::Console;
use crate::format::Format;
use crate::outcome::Outcome;
use crate::policy_file::{PolicyFile, Valid};
use crate::rules;
use crate::style;
use crate::verdict;

const EXAMPLES: &str = "\
Examples:
  splitctl render envoy policy.yaml --cluster checkout-v1=10.0.0.1:8080 > envoy.yaml
  splitctl render ecds policy.yaml --output /etc/envoy/ecds.json --watch
  splitctl render istio policy.yaml --host shop.example.com --gateway istio-system/shop
  splitctl render prometheus policy.yaml > rules.yml";

/// Renders a policy as the configuration of a proxy, or of what watches it.
///
/// It goes to stdout, diagnostics go to stderr. A policy that is not valid is not rendered: exit code 4.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    target: Target,
}

#[derive(Debug, Subcommand)]
enum Target {
    Envoy(envoy::Args),
    Istio(istio::Args),
    Ecds(ecds::Args),
    /// Rules and alerts for Prometheus, as commented YAML.
    ///
    /// Per split and variant: rate, error ratio, p50, p95, p99, share observed and configured; alerts against the
    /// baseline, the objective and the weight.
    Prometheus {
        /// The policy file, YAML or JSON; `-` is the standard input.
        #[arg(value_name = "FILE")]
        file: PathBuf,

        #[command(flatten)]
        options: rules::Options,
    },
}

/// Runs the command.
///
/// # Errors
/// When the file cannot be read or the answer cannot be written.
pub fn run(args: &Args, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    match &args.target {
        Target::Envoy(args) => {
            let render =
                |valid: &Valid| Ok((envoy::render(args, valid)?, envoy::notes(args, valid)));
            print_noted(&args.file, console, render)
        }
        Target::Istio(args) => print(&args.file, console, |valid| istio::render(args, valid)),
        Target::Prometheus { file, options } => {
            print(file, console, |valid| rules::render(options, valid))
        }
        Target::Ecds(args) => ecds::run(args, console),
    }
}

/// Renders a policy file to stdout, if it is valid.
fn print(
    path: &Path,
    console: &mut Console<'_>,
    render: impl FnOnce(&Valid) -> anyhow::Result<String>,
) -> anyhow::Result<Outcome> {
    print_noted(path, console, |valid| Ok((render(valid)?, Vec::new())))
}

/// The same, with notes for whoever reads stderr.
fn print_noted(
    path: &Path,
    console: &mut Console<'_>,
    render: impl FnOnce(&Valid) -> anyhow::Result<(String, Vec<String>)>,
) -> anyhow::Result<Outcome> {
    let file = PolicyFile::read(path)?;
    let Some(valid) = check(&file, console)? else { return Ok(Outcome::NotValid) };
    let (text, notes) = render(valid)?;
    for note in notes {
        writeln!(console.err, "{}: {note}", style::warning("note"))?;
    }
    console.out.write_all(text.as_bytes())?;
    Ok(Outcome::Fine)
}

/// The policy, where it is valid. Warnings are shown too: stdout is for the configuration alone.
fn check<'f>(file: &'f PolicyFile, console: &mut Console<'_>) -> io::Result<Option<&'f Valid>> {
    if file.valid.is_some() {
        file.show_findings(console.err)?;
    } else {
        verdict::refuse(file, "not rendered", Format::Human, console)?;
    }
    Ok(file.valid.as_ref())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    /// Runs `splitctl render TARGET FILE OPTIONS` on a policy text: outcome, stdout, stderr.
    pub(super) fn render(target: &str, text: &str, options: &[&str]) -> (Outcome, String, String) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.yaml");
        std::fs::write(&file, text).unwrap();
        let words = ["render", target, file.to_str().unwrap()];
        let args = Line::parse_from(words.iter().chain(options)).args;
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut console = Console { out: &mut out, err: &mut err };
        let outcome = run(&args, &mut console).unwrap_or_else(|error| {
            writeln!(console.err, "{error:#}").unwrap();
            Outcome::NoAnswer
        });
        (outcome, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    #[test]
    fn a_policy_that_is_not_valid_is_not_rendered() {
        for target in ["envoy", "istio", "ecds", "prometheus"] {
            let (outcome, out, err) = render(target, "version: 7\nsplits: []\n", &[]);
            assert_eq!((outcome, out.as_str()), (Outcome::NotValid, ""));
            assert!(err.contains("unsupported_version"), "{err}");
        }
    }
}
