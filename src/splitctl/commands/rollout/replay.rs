//! `splitctl rollout replay`: decides again, from what was seen.

use std::path::PathBuf;

use anyhow::Result;
use rollout::driver::Driver;
use rollout::log;
use serde::Serialize;

use super::show::entry;
use crate::console::Console;
use crate::format::Format;
use crate::outcome::Outcome;
use crate::style;
use crate::text::{plural, write_json};

const EXAMPLES: &str = "\
Examples:
  splitctl rollout replay rollout.yaml.log
  splitctl rollout replay rollout.yaml.log --format json";

/// Decides again from the counts in a log, and compares line by line.
///
/// Ends with 0 when every line is as it was written and every decision is the same, 1 at the first that is not.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The log.
    #[arg(value_name = "LOG")]
    log: PathBuf,

    /// How the answer is written.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Serialize)]
struct Replayed {
    ok: bool,
    lines: usize,
    /// The first line that does not agree.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    ended: Option<&'static str>,
}

pub(super) fn run(args: &Args, console: &mut Console<'_>) -> Result<Outcome> {
    let text = std::fs::read_to_string(&args.log)
        .map_err(|error| anyhow::anyhow!("cannot read `{}`: {error}", args.log.display()))?;
    let read = log::read(&text);
    let lines = read.as_ref().map_or(0, |(entries, ..)| entries.len());
    if args.format == Format::Human
        && let Ok((entries, ..)) = &read
    {
        let mut last = String::new();
        for line in entries.iter().filter_map(|one| entry(one, &mut last)) {
            writeln!(console.out, "{line}")?;
        }
    }
    let replayed = read.and_then(|(entries, ..)| Driver::of_log(&entries));
    let ended = replayed.as_ref().ok().and_then(|driver| driver.state().ended);
    let broken = replayed.err();
    let answer = Replayed {
        ok: broken.is_none(),
        lines,
        line: broken.as_ref().map(|broken| broken.line),
        why: broken.map(|broken| broken.why),
        ended: ended.map(rollout::course::End::as_str),
    };
    match (args.format, &answer.why) {
        (Format::Json, _) => write_json(console.out, &answer)?,
        (Format::Human, None) => {
            let count = plural(lines as u64, "line");
            writeln!(
                console.out,
                "{}: {count}, every decision is the same again",
                style::fine("agrees")
            )?;
        }
        (Format::Human, Some(why)) => {
            let (head, line) = (style::error("differs"), answer.line.unwrap_or(0));
            writeln!(console.out, "{head} {}:{line}: {why}", args.log.display())?;
        }
    }
    Ok(if answer.ok { Outcome::Fine } else { Outcome::No })
}
