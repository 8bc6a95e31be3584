//! `splitctl check`: does this Envoy run this policy, and does the rest of its configuration fit?

mod dump;
mod points;

use std::path::PathBuf;

use anyhow::Result;
use engine::metrics::Metrics;
use serde::Serialize;

use crate::admin::{Admin, Asking};
use crate::console::Console;
use crate::format::Format;
use crate::outcome::Outcome;
use crate::policy_file::{PolicyFile, Valid};
use crate::style;
use crate::text::write_json;
use crate::verdict;
use dump::Dump;
use points::{Point, Shown, judge};

const EXAMPLES: &str = "\
Examples:
  splitctl check policy.yaml --admin http://127.0.0.1:9901
  splitctl check policy.yaml --admin http://10.0.0.1:9901 --admin http://10.0.0.2:9901 --format json";

/// Compares Envoys that run with a policy, and says what is missing and which lines add it.
///
/// Whether the policy runs; the filter's place; clusters and routes; headers that clients must not send; paths, client
/// addresses, access logs; labels and buckets of metrics. Ends with 0 when nothing is missing, 1 when something is, 2 when an
/// Envoy does not answer.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The policy file, YAML or JSON; `-` is the standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// An Envoy's admin interface, as `http://127.0.0.1:9901`; may be repeated.
    #[arg(long, value_name = "URL", required = true, value_parser = Admin::parse)]
    admin: Vec<Admin>,

    /// How the answer is written.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// One proxy for programs.
#[derive(Debug, Serialize)]
struct Proxy<'a> {
    admin: &'a str,
    ok: bool,
    /// Why there is no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    points: Vec<Point>,
}

/// Runs the command.
///
/// # Errors
/// When the policy cannot be read or the answer cannot be written.
pub fn run(args: &Args, console: &mut Console<'_>) -> Result<Outcome> {
    let file = PolicyFile::read(&args.file)?;
    let Some(valid) = &file.valid else {
        return Ok(verdict::refuse(&file, "not compared", console)?);
    };
    let asking = Asking::begin()?;
    let proxy = |admin| match points(&asking, admin, valid) {
        Ok(points) => {
            let ok = points.iter().all(|point| point.missing.is_none());
            Proxy { admin: &admin.name, ok, error: None, points }
        }
        Err(error) => {
            let error = Some(format!("{error:#}"));
            Proxy { admin: &admin.name, ok: false, error, points: Vec::new() }
        }
    };
    let proxies: Vec<Proxy<'_>> = args.admin.iter().map(proxy).collect();
    match args.format {
        Format::Json => write_json(console.out, &proxies)?,
        Format::Human => proxies.iter().try_for_each(|proxy| show(proxy, valid, console))?,
    }
    let outcome = |proxy: &Proxy<'_>| match (&proxy.error, proxy.ok) {
        (Some(_), _) => Outcome::NoAnswer,
        (None, true) => Outcome::Fine,
        (None, false) => Outcome::No,
    };
    Ok(proxies.iter().map(outcome).max().unwrap_or(Outcome::Fine))
}

fn points(asking: &Asking, admin: &Admin, valid: &Valid) -> Result<Vec<Point>> {
    let dump = serde_json::from_str(&asking.ask(admin, "/config_dump")?)?;
    let hash = asking.hash(admin)?;
    let refused = asking.shown(admin, Metrics::POLICY_REFUSED)? == Some(1);
    Ok(judge(valid, &Dump::read(&dump), Shown { hash, refused }))
}

fn show(proxy: &Proxy<'_>, valid: &Valid, console: &mut Console<'_>) -> Result<()> {
    if let Some(error) = &proxy.error {
        let no = style::error("no answer");
        return Ok(writeln!(console.out, "{no} {}: {error}", proxy.admin)?);
    }
    if proxy.ok {
        let (fine, count) = (style::fine("fine"), proxy.points.len());
        let hash = valid.hash_text();
        writeln!(console.out, "{fine} {}: policy {hash}, {count} points", proxy.admin)?;
    }
    let missing = |point: &&Point| point.missing.is_some();
    for point in proxy.points.iter().filter(missing) {
        let what = point.missing.as_deref().unwrap_or_default();
        let head = style::error("missing");
        writeln!(console.out, "{head}[{}] {}: {what}", point.name, proxy.admin)?;
        for line in point.help.iter().flat_map(|help| help.lines()) {
            writeln!(console.out, "    {line}")?;
        }
    }
    Ok(())
}
