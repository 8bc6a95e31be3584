//! `splitctl rollout status`: where a rollout stands.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use rollout::course::End;
use rollout::driver::Driver;

use super::logfile::{self, LogFile};
use super::show::{Standing, entry};
use crate::console::Console;
use crate::format::Format;
use crate::outcome::Outcome;

const EXAMPLES: &str = "\
Examples:
  splitctl rollout status rollout.yaml --last 3
  splitctl rollout status rollout.yaml --format json | jq -r .decision";

/// Tells where a rollout stands, and what happened last.
///
/// Ends as `start` would: 0 done, 1 rolled back, 5 aborted, 6 somebody else changed the policy, 3 not at its end.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The rollout's file.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Its log. By default beside the file, as FILE.log.
    #[arg(long, value_name = "PATH")]
    log: Option<PathBuf>,

    /// How many of the last events are told.
    #[arg(long, value_name = "N", default_value = "10")]
    last: usize,

    /// How the answer is written.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &Args, console: &mut Console<'_>) -> Result<Outcome> {
    let path = args.log.clone().unwrap_or_else(|| logfile::beside(&args.file));
    let (_log, entries) = LogFile::open(&path, false)?;
    let driver = Driver::of_log(&entries).with_context(|| format!("`{}`", path.display()))?;
    Standing::of(&driver, &entries).write(args.format, console)?;
    if args.format == Format::Human {
        let mut last = String::new();
        let lines: Vec<String> = entries.iter().filter_map(|one| entry(one, &mut last)).collect();
        for line in lines.iter().skip(lines.len().saturating_sub(args.last)) {
            writeln!(console.out, "  {line}")?;
        }
    }
    Ok(match driver.state().ended {
        None => Outcome::Early,
        Some(End::Done) => Outcome::Fine,
        Some(End::RolledBack) => Outcome::No,
        Some(End::Aborted) => Outcome::Aborted,
        Some(End::Drifted) => Outcome::Drifted,
    })
}
