//! `splitctl rollout approve`, `pause`, `resume` and `abort`: orders, through the log.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use rollout::course::Order;
use rollout::driver::Driver;
use rollout::log::What;

use super::logfile::{self, LogFile, who};
use crate::console::Console;
use crate::moment;
use crate::outcome::Outcome;
use crate::style;

pub(super) const EXAMPLES: &str = "\
Examples:
  splitctl rollout pause rollout.yaml --why 'Friday' --by ada
  splitctl rollout abort rollout.yaml --why 'wrong build'
  splitctl rollout status rollout.yaml     shows who ordered what, and why";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The rollout's file.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Its log. By default beside the file, as FILE.log.
    #[arg(long, value_name = "PATH")]
    log: Option<PathBuf>,

    /// Why, for whoever reads the log.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    why: String,

    /// Who. By default the name of the user.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

pub(super) fn run(args: &Args, order: Order, console: &mut Console<'_>) -> Result<Outcome> {
    let path = args.log.clone().unwrap_or_else(|| logfile::beside(&args.file));
    let (mut log, mut entries) = LogFile::open(&path, false)?;
    log.lock()?;
    entries.extend(log.read()?);
    let driver = Driver::of_log(&entries).with_context(|| format!("`{}`", path.display()))?;
    if let Some(end) = driver.state().ended {
        log.unlock();
        bail!(
            "the rollout has ended ({}): there is nothing to order",
            end.as_str().replace('_', " ")
        );
    }
    let by = args.by.clone().unwrap_or_else(who);
    log.add(moment::now().get(), What::Order { order, by, why: args.why.clone() })?;
    log.unlock();
    let split = &driver.rollout().split;
    let told = match order {
        Order::Approve => "approved",
        Order::Pause => "to be paused",
        Order::Resume => "to go on",
        Order::Abort => "to be aborted",
    };
    writeln!(console.err, "{} {split}: written to `{}`", style::fine(told), path.display())?;
    if order == Order::Abort {
        let help = "help: it is done by the process that runs the rollout; where none does, `splitctl rollout start` does it";
        writeln!(console.err, "{help}")?;
    }
    Ok(Outcome::Fine)
}
