//! `splitctl rollout start`: carries it out, or on.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use lab::Stop;
use policy_text::source::to_json;
use rollout::course::{Decision, End};
use rollout::driver::{Driver, World as _};
use rollout::log::{Entry, Started, What};

use super::load::{Loaded, load};
use super::logfile::{self, LogFile, who};
use super::show::Shown;
use super::world::Real;
use crate::console::Console;
use crate::format::Format;
use crate::moment;
use crate::outcome::Outcome;
use crate::style;

const EXAMPLES: &str = "\
Exit codes:
  0  done: the last step is proven
  1  rolled back: the challenger is proven to do harm, and has weight 0
  2  no answer: a file cannot be read, another one runs, or this one has ended
  3  interrupted, or `--once`: begun again, it goes on where it was
  4  the rollout's file or the policy is not valid
  5  aborted: somebody ordered it, and the challenger has weight 0
  6  drifted: somebody else changed the policy, and it is as they left it

Examples:
  splitctl rollout start rollout.yaml
  splitctl rollout start rollout.yaml --log /var/lib/rollouts/checkout.log
  splitctl rollout start rollout.yaml | jq -r .text";

/// Begins a rollout, or goes on with one that its log tells of, until it ends.
///
/// Each look is told: to people as what is new, to programs as a line of JSON. Ctrl-C leaves the weights as they are.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The rollout's file.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Its log. By default beside the file, as FILE.log.
    #[arg(long, value_name = "PATH")]
    log: Option<PathBuf>,

    /// How decisions are told: by default for people on a terminal, and one line of JSON each elsewhere.
    #[arg(long, value_enum)]
    format: Option<Format>,

    /// Look, look again after `counts.every`, decide once, and end with 3 if that was not the end.
    #[arg(long)]
    once: bool,
}

/// How soon an order is seen.
const SOON: Duration = Duration::from_millis(200);

pub(super) fn run(args: &Args, console: &mut Console<'_>) -> Result<Outcome> {
    let path = args.log.clone().unwrap_or_else(|| logfile::beside(&args.file));
    let anew = !path.exists() || std::fs::metadata(&path)?.len() == 0;
    let loaded = match load(&args.file, anew, console)? {
        Ok(loaded) => loaded,
        Err(outcome) => return Ok(outcome),
    };
    let stop = Stop::on_signals()?;
    // Held until the end: of two rollouts of one split the second is refused.
    let _alone = alone(&loaded)?;
    let (log, entries) = LogFile::open(&path, true)?;
    let (mut driver, mut world) = if entries.is_empty() {
        begin(&loaded, log)?
    } else {
        go_on(&loaded, &entries, log, &path)?
    };
    let mut shown = Shown::new(args.format);
    let outcome = carry_out(args, &stop, &mut driver, &mut world, &mut shown, console);
    shown.finish();
    for wrong in world.finish() {
        shown.note(&format!("on_event: {wrong}"), console);
    }
    outcome
}

fn carry_out(
    args: &Args,
    stop: &Stop,
    driver: &mut Driver,
    world: &mut Real,
    shown: &mut Shown,
    console: &mut Console<'_>,
) -> Result<Outcome> {
    let every = Duration::from_millis(driver.rollout().counts.every);
    if args.once {
        // What is counted is what comes between two looks, and there is no other.
        world.look_before();
        if stop.wait(every) {
            return Ok(Outcome::Early);
        }
    }
    loop {
        let begin = Instant::now();
        let decision = driver.tick(world)?;
        for note in std::mem::take(&mut world.notes) {
            shown.note(&note, console);
        }
        if let Some(look) = world.last_look() {
            shown.look(driver, look, console);
        }
        if let Decision::Ended { end } = decision {
            return Ok(match end {
                End::Done => Outcome::Fine,
                End::RolledBack => Outcome::No,
                End::Aborted => Outcome::Aborted,
                End::Drifted => Outcome::Drifted,
            });
        }
        if args.once {
            return Ok(Outcome::Early);
        }
        // A step that was just taken, and its end, are looked at soon; so is an order.
        let wait = if matches!(decision, Decision::Hold { .. }) { every } else { every.min(SOON) };
        while begin.elapsed() < wait && !world.is_addressed() {
            if stop.wait(SOON.min(wait.saturating_sub(begin.elapsed()))) {
                let again = "`splitctl rollout start` goes on where it is";
                // Whoever hung up reads nothing any more.
                let _unread = writeln!(console.err, "{}: {again}", style::warning("interrupted"));
                return Ok(Outcome::Early);
            }
        }
        if stop.is_set() {
            return Ok(Outcome::Early);
        }
    }
}

/// The lock of a policy: a file beside it, which stays, has the name of the split in it, and whose lock ends with the
/// process. One for all splits of the policy: to the rollout of another split each step of this one is somebody else's edit.
fn alone(loaded: &Loaded) -> Result<File> {
    let name = loaded.policy_path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let lock = loaded.policy_path.with_file_name(format!(".{name}.rollout"));
    let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&lock);
    let mut file = file.with_context(|| format!("cannot open `{}`", lock.display()))?;
    match file.try_lock() {
        Ok(()) => {
            file.set_len(0)?;
            file.write_all(loaded.rollout.split.as_bytes())?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let mut split = String::new();
            let _unknown = file.read_to_string(&mut split);
            bail!(
                "another rollout of split `{split}` runs, and changes the same policy (it holds `{}`): wait for its end, or \
                abort it",
                lock.display()
            )
        }
        Err(TryLockError::Error(error)) => {
            Err(error).context(format!("cannot lock `{}`", lock.display()))
        }
    }
}

fn begin(loaded: &Loaded, log: LogFile) -> Result<(Driver, Real)> {
    let facts = &loaded.facts;
    let started = Started {
        rollout: document(loaded)?,
        policy: loaded.policy.hash_text(),
        baseline: facts.baseline.clone(),
        weight: facts.challenger_weight.units(),
        both: facts.both.units(),
        total: facts.total,
        by: who(),
    };
    let at = moment::now().get();
    let driver = Driver::start(&started, at).map_err(anyhow::Error::msg)?;
    let mut world = Real::new(loaded, log)?;
    world.add(at, What::Started(started))?;
    Ok((driver, world))
}

fn go_on(loaded: &Loaded, entries: &[Entry], log: LogFile, path: &Path) -> Result<(Driver, Real)> {
    let name = path.display();
    let driver = Driver::of_log(entries).with_context(|| format!("`{name}`"))?;
    if let Some(Entry { what: What::Started(started), .. }) = entries.first()
        && started.rollout != document(loaded)?
    {
        bail!(
            "`{name}` is the log of another rollout, or the file was changed since it began: name another by `--log`, or put \
            the file back"
        );
    }
    if let Some(end) = driver.state().ended {
        bail!(
            "`{name}` tells of a rollout that has ended ({}): begin another with `--log ANOTHER`, or move it away",
            end.as_str().replace('_', " ")
        );
    }
    let facts = driver.state().facts.clone();
    Ok((driver, Real::new(loaded, log)?.going_on(facts, entries)))
}

fn document(loaded: &Loaded) -> Result<serde_json::Value> {
    Ok(serde_json::from_str(&to_json(&loaded.document)?)?)
}
