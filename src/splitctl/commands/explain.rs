//! `splitctl explain`: why a request gets which variants, step by step, and what the filter would do with it.

mod curl;
mod human;
mod judge;
mod report;
mod request;
mod tripped;

use std::path::PathBuf;

use engine::units;

use crate::console::Console;
use crate::format::Format;
use crate::moment;
use crate::outcome::Outcome;
use crate::policy_file::PolicyFile;
use crate::verdict;
use request::RequestArgs;

const EXAMPLES: &str = "\
Examples:
  splitctl explain policy.yaml --host shop.example.com --path /api/cart -H 'x-user-id: ada'
  splitctl explain policy.yaml --split checkout --cookie uid=ada --at 2026-12-01T09:00:00Z
  splitctl explain policy.yaml -H 'x-user-id: ada' --tripped canary
  splitctl explain policy.yaml -- curl -H 'x-user-id: ada' https://shop.example.com/api/cart
  kubectl get wasmplugin split -o yaml | splitctl explain - --host shop.example.com

The numbers of a user are those of the proxy, bit for bit. Where chance decides
(a key made for a new visitor, `assignment: random`, a mirror by request) one
possible outcome is shown, the same every time.";

/// Shows why a request gets which variants, and what the filter would do with it.
///
/// Each split in order: the conditions that held or failed, the key and where it is from, the user's bucket, what
/// each variant drew, the reason. Then the effects: header edits, cookies, counters, a reply, a mirror.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The policy: YAML or JSON, or a manifest that carries it; `-` is the standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    request: RequestArgs,

    /// The moment, for ramps: RFC 3339, or `now`.
    #[arg(long, value_name = "TIME", value_parser = moment::parse, default_value = "now")]
    at: units::Moment,

    /// This variant is out of service, as its guard takes it out: `canary`, or `checkout/canary` where several splits
    /// have one of the name. May be given several times.
    #[arg(long, value_name = "VARIANT")]
    tripped: Vec<String>,

    /// Only this split; the effects are those of all.
    #[arg(long, value_name = "NAME")]
    split: Option<String>,

    /// How the answer is written.
    #[arg(long, value_enum, default_value_t)]
    format: Format,

    /// A curl command that makes the request.
    #[arg(last = true, value_name = "CURL")]
    curl: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// When the file cannot be read, the request is not understood, or the answer cannot be written.
pub fn run(args: &Args, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    let options = args.request.clone();
    let request = match args.curl.as_slice() {
        [] => options,
        words => curl::read(words, options)?,
    };
    let request = request.describe()?;
    let file = PolicyFile::read(&args.file)?;
    let Some(valid) = &file.valid else {
        return Ok(verdict::refuse(&file, "not valid", args.format, console)?);
    };
    let only = args.split.as_deref();
    only.map(|name| verdict::find_split(&valid.policy, name)).transpose()?;
    let tripped = tripped::find(&valid.policy, &args.tripped)?;
    let mut report = judge::report(&file, valid, &request, args.at, &tripped);
    match args.format {
        Format::Human => human::show(&report, only, console.out)?,
        Format::Json => {
            report.splits.retain(|split| only.is_none_or(|only| only == split.split));
            serde_json::to_writer_pretty(&mut *console.out, &report)?;
            writeln!(console.out)?;
        }
    }
    Ok(Outcome::Fine)
}

#[cfg(test)]
#[path = "explain/tests.rs"]
mod tests;
