//! `splitctl diff`: what a change of a policy means for users, before it is shipped.

mod changes;
mod json;
mod moves;
mod pairs;
mod reshuffle;
mod show;
mod steps;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use engine::ids::SplitId;
use engine::plan::Plan;
use engine::policy::{Policy, Split};
use policy_text::canonical::to_value;

use crate::console::Console;
use crate::format::Format;
use crate::moment::Moment;
use crate::outcome::Outcome;
use crate::pause::Jump;
use crate::policy_file::{PolicyFile, Valid};
use crate::verdict;
use changes::Change;
use moves::Moves;
use pairs::Pair;
use reshuffle::Reshuffle;
use steps::Step;

/// Shows what changes from one policy to another, who moves, and what is reshuffled.
///
/// Users: how many of `user-1`, `user-2` and so on get another variant, against the fewest that have to for the
/// new shares. More than that are moved by a reshuffle: users are drawn anew, because the salt, the key or a name
/// that is hashed has changed.
///
/// Ends with 1 where a limit is exceeded, and with 0 otherwise, however much changes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  splitctl diff old.yaml new.yaml
  git show HEAD:policy.yaml | splitctl diff - policy.yaml --max-step 10 --fail-on-reshuffle")]
pub struct Args {
    /// The policy that is in force, YAML or JSON; `-` is the standard input.
    #[arg(value_name = "OLD")]
    old: PathBuf,

    /// The policy that is to follow; `-` is the standard input.
    #[arg(value_name = "NEW")]
    new: PathBuf,

    /// How many users are asked.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    users: u64,

    /// End with 1 where a variant's share of the users who match rises by more than so many points, at once or
    /// within a minute of ramps that the old policy does not have for these users. Falling, `kill` and going
    /// back to the baseline always pass. A wider `match` is not measured.
    #[arg(long, value_name = "POINTS", value_parser = points)]
    max_step: Option<f64>,

    /// End with 1 where users are reshuffled.
    #[arg(long)]
    fail_on_reshuffle: bool,

    /// The time to ask for, such as `2026-11-20T12:00:00Z`; without this now.
    #[arg(long, value_name = "TIME")]
    at: Option<Moment>,

    /// How the answer is written.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

fn points(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).parse::<f64>().ok();
    number
        .filter(|points| (0.0..=100.0).contains(points))
        .ok_or_else(|| "not a number of percentage points from 0 to 100".to_owned())
}

/// One side of the comparison.
struct Side<'f> {
    name: &'f str,
    policy: &'f Policy,
    plan: Plan,
}

impl Side<'_> {
    /// The place of a split that is enabled.
    fn id(&self, split: Option<&Split>) -> Option<SplitId> {
        self.plan.find(&split?.name)
    }
}

/// Everything there is to say.
struct Report<'f> {
    old: &'f str,
    new: &'f str,
    /// The time, where it makes a difference.
    at: Option<Moment>,
    users: u64,
    /// Of the policy itself.
    changes: Vec<Change>,
    reshuffles: Vec<Reshuffle>,
    splits: Vec<SplitReport>,
    max_step: Option<f64>,
    fail_on_reshuffle: bool,
}

/// What there is to say about one split.
struct SplitReport {
    name: String,
    kind: Kind,
    changes: Vec<Change>,
    reshuffles: Vec<Reshuffle>,
    /// Where it was and is there, and something differs.
    moves: Option<Moves>,
    /// The rises that exceed the limit.
    steps: Vec<Step>,
    /// The ramp stood still, and goes on from somewhere else.
    jump: Option<Jump>,
}

/// What happened to a split as a whole.
enum Kind {
    Added,
    Removed,
    Renamed { from: String },
    Kept,
}

/// Runs the command.
///
/// # Errors
/// When a file cannot be read or the answer cannot be written.
pub fn run(args: &Args, console: &mut Console<'_>) -> Result<Outcome> {
    if args.old == Path::new("-") && args.new == Path::new("-") {
        bail!("only one file can be the standard input");
    }
    let files = [PolicyFile::read(&args.old)?, PolicyFile::read(&args.new)?];
    let [Some(old), Some(new)] = files.each_ref().map(side) else {
        let refused: Vec<_> = files.iter().filter(|file| file.valid.is_none()).collect();
        return Ok(verdict::refuse_all(&refused, "not compared", args.format, console)?);
    };
    let at = args.at.unwrap_or_else(Moment::now);
    let report = Report::new(&old, &new, at, args)?;
    report.show(args.format, console.out)?;
    Ok(report.outcome())
}

fn side(file: &PolicyFile) -> Option<Side<'_>> {
    let Valid { policy, .. } = file.valid.as_ref()?;
    Some(Side { name: &file.source.name, policy, plan: Plan::new(policy.clone()) })
}

impl<'f> Report<'f> {
    fn new(old: &Side<'f>, new: &Side<'f>, at: Moment, args: &Args) -> Result<Self> {
        let (old_document, new_document) = (to_value(old.policy), to_value(new.policy));
        let pairs = pairs::pairs(old.policy, new.policy);
        let kinds = moves::count(old, new, &pairs, args.users, at.0)?;
        let splits = pairs.iter().zip(&kinds).map(|(pair, kinds)| SplitReport {
            name: pair.name().to_owned(),
            kind: kind(pair),
            changes: changes::of_split(&old_document, &new_document, pair),
            reshuffles: reshuffle::of_split(old.policy, new.policy, pair),
            moves: kinds.as_ref().and_then(|kinds| Moves::new([old, new], pair, kinds, at.0)),
            steps: args
                .max_step
                .zip(kinds.as_ref())
                .map(|(limit, kinds)| steps::above([old, new], pair, kinds, at.0, limit))
                .unwrap_or_default(),
            jump: jump([old, new], pair, at.0),
        });
        Ok(Self {
            old: old.name,
            new: new.name,
            at: (old.plan.reads_time() || new.plan.reads_time()).then_some(at),
            users: args.users,
            changes: changes::of_policy(&old_document, &new_document),
            reshuffles: reshuffle::of_policy(old.policy, new.policy),
            splits: splits.collect(),
            max_step: args.max_step,
            fail_on_reshuffle: args.fail_on_reshuffle,
        })
    }

    fn reshuffle_count(&self) -> usize {
        let in_splits = self.splits.iter().flat_map(|split| &split.reshuffles);
        self.reshuffles.iter().chain(in_splits).count()
    }

    fn outcome(&self) -> Outcome {
        let reshuffled = self.fail_on_reshuffle && self.reshuffle_count() > 0;
        let too_far = self.splits.iter().any(|split| !split.steps.is_empty());
        if reshuffled || too_far { Outcome::No } else { Outcome::Fine }
    }
}

/// What taking `pause` out of a ramp does.
fn jump([old, new]: [&Side<'_>; 2], pair: &Pair, now: engine::units::Moment) -> Option<Jump> {
    let (before, after) = (pair.old?, pair.new?);
    let is_out = after.ramp.as_ref()?.pause.is_none();
    is_out.then(|| Jump::new((&old.plan, before), (&new.plan, after), now))?
}

fn kind(pair: &Pair) -> Kind {
    match (pair.old, pair.new) {
        (None, _) => Kind::Added,
        (_, None) => Kind::Removed,
        (Some(old), Some(new)) if old.name != new.name => Kind::Renamed { from: old.name.clone() },
        _ => Kind::Kept,
    }
}

#[cfg(test)]
mod tests;
