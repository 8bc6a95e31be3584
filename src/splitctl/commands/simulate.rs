//! `splitctl simulate`: what a policy does to many users, over time, or to the requests of an access log.

mod course;
mod json;
mod log;
mod log_line;
mod shares;
mod summary;
mod svg;

use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use engine::ids::SplitId;
use engine::plan::Plan;

use crate::console::Console;
use crate::format::Format;
use crate::keys::{Keys, Lines};
use crate::moment::{Moment, Period};
use crate::outcome::Outcome;
use crate::policy_file::PolicyFile;
use crate::style;
use crate::verdict;

/// Shows what a policy would do: shares of users, weights over time, or the splits of logged requests.
///
/// Users: counts the variants that many users get, by the proxy's own judgement, and tests the counts against
/// the configured shares. Every split is asked as if the users' requests met its `match` (and that of earlier
/// splits of its layer, where one request can meet both), and no override. Ends with 1 where the
/// counts are so far off that chance would do it less than once in 10000 times: with real ids that is a sign of
/// duplicates or of too few users.
///
/// Over time: with `--from`, `--to`, `--every` or `--svg`, the shares that a ramp gives to each variant.
///
/// Access log: with `--log`, what became of the requests: for each split and variant how many, for which reasons, their share of
/// the randomised ones beside the weight, classes of responses, durations; with `--lines` each request, too. The log is
/// Envoy's default text form, Istio's, or JSON objects with `host`, `method`, `path` and the like. Fields that are named
/// like a header (`x-user-id` or `x_user_id`) count as that header, and where the user's key is there the policy decides.
/// Where it is not, as in what `render envoy` writes, the filter's own `evidence` counts, or the variants in `split`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  splitctl simulate policy.yaml
  splitctl simulate policy.yaml --ids users.txt --split checkout
  splitctl simulate policy.yaml --every 1h --svg ramp.svg
  splitctl simulate policy.yaml --log access.log
  docker compose logs --no-log-prefix envoy | splitctl simulate policy.yaml --log -")]
pub struct Args {
    /// The policy file, YAML or JSON; `-` is the standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// How many users: `user-1`, `user-2` and so on.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    users: u64,

    /// Real users: a file with one key on each line; `-` is the standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "users")]
    ids: Option<PathBuf>,

    /// An access log of Envoy instead of users; `-` is the standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["users", "ids"])]
    log: Option<PathBuf>,

    /// Each request of the access log before the sums.
    #[arg(long, requires = "log")]
    lines: bool,

    /// Only this split.
    #[arg(long, value_name = "NAME")]
    split: Option<String>,

    /// The time to ask for, such as `2026-11-20T12:00:00Z`; without this now, or the time of a logged request.
    #[arg(long, value_name = "TIME")]
    at: Option<Moment>,

    /// Weights over time: from when; without this from the start of the first ramp.
    #[arg(long, value_name = "TIME", conflicts_with_all = ["users", "ids", "log", "at"])]
    from: Option<Moment>,

    /// Weights over time: until when; without this to the end of the last ramp.
    #[arg(long, value_name = "TIME", conflicts_with_all = ["users", "ids", "log", "at"])]
    to: Option<Moment>,

    /// Weights over time: how often, such as `1h`; without this about 25 times.
    #[arg(long, value_name = "DURATION", conflicts_with_all = ["users", "ids", "log", "at"])]
    every: Option<Period>,

    /// Weights over time: also draw them into this file.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["users", "ids", "log", "at"])]
    svg: Option<PathBuf>,

    /// How the answer is written.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the command.
///
/// # Errors
/// When a file cannot be read, what is asked for is not there, or the answer cannot be written.
pub fn run(args: &Args, console: &mut Console<'_>) -> Result<Outcome> {
    let standard_input = [Some(&args.file), args.ids.as_ref(), args.log.as_ref()];
    if standard_input.into_iter().flatten().filter(|path| path.as_os_str() == "-").count() > 1 {
        bail!("only one file can be the standard input");
    }
    let file = PolicyFile::read(&args.file)?;
    let Some(valid) = &file.valid else {
        return Ok(verdict::refuse(&file, "not simulated", args.format, console)?);
    };
    let plan = Plan::new(valid.policy.clone());
    let wanted = wanted(&plan, args.split.as_deref())?;
    let name = file.source.name.as_str();
    let over_time = args.from.is_some() || args.to.is_some() || args.every.is_some();
    if over_time || args.svg.is_some() {
        let course = course::Course::new(&plan, &wanted, args.from, args.to, args.every)?;
        if let Some(path) = &args.svg {
            let written = std::fs::write(path, svg::draw(&course));
            let name = path.display();
            written.map_err(|error| anyhow::anyhow!("cannot write `{name}`: {error}"))?;
            writeln!(console.err, "{} {name}", style::fine("drawn"))?;
        }
        // Last, because whoever reads it may go before its end.
        course.show(name, args.format, console.out)?;
        return Ok(Outcome::Fine);
    }
    if let Some(path) = &args.log {
        let Args { at, format, lines, .. } = *args;
        let reading = log::Reading { plan: &plan, wanted: &wanted, at, format, lines };
        log::run(&reading, Lines::open(path)?, console.out)?;
        return Ok(Outcome::Fine);
    }
    let keys = match &args.ids {
        Some(path) => Keys::of_file(path)?,
        None => Keys::counted(args.users),
    };
    let shares = shares::count(&plan, &wanted, keys, args.at.unwrap_or_else(Moment::now))?;
    if let Some(path) = &args.ids {
        ensure!(
            shares.users() > 0,
            "`{}` has no keys: one on each line is expected",
            path.display()
        );
    }
    shares.show(name, args.format, console.out)?;
    Ok(shares.outcome())
}

/// The splits to show.
fn wanted(plan: &Plan, name: Option<&str>) -> Result<Vec<SplitId>> {
    let Some(name) = name else { return Ok(plan.enabled().map(|(id, ..)| id).collect()) };
    let (id, split) = verdict::find_split(&plan.policy, name)?;
    ensure!(split.enabled, "split `{name}` is not enabled");
    Ok(vec![id])
}

#[cfg(test)]
mod tests;
