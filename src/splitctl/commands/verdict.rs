//! `splitctl verdict`: is this variant proven to do harm, proven to be safe, or is it too early to say?

mod file;
mod judged;
mod problem;
mod report;

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Result, ensure};
use engine::policy::nearest;
use rollout::{Bounds, Verdict};

use crate::console::Console;
use crate::format::Format;
use crate::moment::Moment;
use crate::outcome::Outcome;
use crate::policy_file::{PolicyFile, Valid};
use crate::text::write_json;
use crate::verdict;
use judged::{Judged, Split};

const EXAMPLES: &str = "\
Examples:
  splitctl verdict policy.yaml --split checkout --counts counts.csv
  splitctl verdict policy.yaml --split checkout --counts counts.csv --errors-ratio 2 --format json

A file of counts, with a line for each variant and time:
  time,variant,keys,bad_keys
  2026-11-20T12:00:00Z,stable,9500,95
  2026-11-20T12:00:00Z,canary,500,6";

/// Judges the variants of a split while they run: harm, safe, or too early to say.
///
/// Harm: a variant is proven to fail more often than the baseline. Safe: it is proven to fail less than `--errors-ratio` times as
/// often, or less often than `--slo` permits. However often you look, a healthy variant is called harmful in at most `--alpha` of all
/// runs, and one that fails that many times as often is called safe in at most as many. What is proven stays proven, and harm
/// outranks safety.
///
/// Ends with 0 when all are safe, 1 when one does harm, 3 when it is too early or there is no data, 2 when the question or the counts
/// cannot be read.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The policy file, YAML or JSON; `-` is the standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The split; needed where the policy has several.
    #[arg(long, value_name = "NAME")]
    split: Option<String>,

    /// Only this variant against the baseline; may be repeated.
    #[arg(long = "variant", value_name = "NAME")]
    variants: Vec<String>,

    /// Counts since the run began, CSV or an object on each line: `time`, `variant`, and `keys` and `bad_keys` (users) or
    /// `responses` and `errors`; `-` is the standard input.
    #[arg(long, value_name = "FILE")]
    counts: PathBuf,

    /// When the run began: what the counters showed then is no evidence.
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,

    /// Safe is what is proven to fail less than so many times as often as the baseline.
    #[arg(long, value_name = "TIMES", default_value_t = Bounds::default().errors_ratio())]
    errors_ratio: f64,

    /// Safe is also what is proven to fail less often than this, as `1%` or `0.01`.
    #[arg(long, value_name = "PART")]
    slo: Option<Part>,

    /// Harm is shown falsely in at most this part of all runs, and so is safety.
    #[arg(long, value_name = "PART", default_value = "5%")]
    alpha: Part,

    /// How the answer is written.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// A part of all, written as `5%` or `0.05`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Part(f64);

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, scale) = match text.strip_suffix('%') {
            Some(number) => (number.trim_end(), 100.0),
            None => (text, 1.0),
        };
        let part = number.parse::<f64>().map(|number| number / scale);
        part.map(Self).map_err(|_| "not a number; write `5%` or `0.05`".to_owned())
    }
}

/// Runs the command.
///
/// # Errors
/// When the question makes no sense, a file cannot be read, or the answer cannot be written.
pub fn run(args: &Args, console: &mut Console<'_>) -> Result<Outcome> {
    let stdin = [&args.file, &args.counts].iter().all(|path| path.as_os_str() == "-");
    ensure!(!stdin, "only one file can be the standard input");
    let file = PolicyFile::read(&args.file)?;
    let Some(valid) = &file.valid else {
        return Ok(verdict::refuse(&file, "not judged", args.format, console)?);
    };
    let bounds = Bounds::new(args.errors_ratio, args.slo.map(|Part(slo)| slo), args.alpha.0)?;
    let split = split(valid, args.split.as_deref(), &args.variants)?;
    let read = match file::read(&args.counts, &split, args.since)? {
        Ok(read) => read,
        Err(problems) => {
            problem::show(problems, console.err)?;
            return Ok(Outcome::NoAnswer);
        }
    };
    let mut judged = Judged::new(split, bounds, read.counted);
    judged.notes.extend(read.notes);
    for (time, deltas) in read.looks {
        judged.look(time, &deltas);
    }
    answer(&judged, args.format, console)
}

/// Writes what was judged.
fn answer(judged: &Judged, format: Format, console: &mut Console<'_>) -> Result<Outcome> {
    match format {
        Format::Json => write_json(console.out, &judged.report())?,
        Format::Human => report::show(judged, console)?,
    }
    Ok(match judged.verdict() {
        Verdict::Safe => Outcome::Fine,
        Verdict::Harm => Outcome::No,
        Verdict::Early => Outcome::Early,
    })
}

/// The split that is judged, and which of its variants.
fn split(valid: &Valid, name: Option<&str>, variants: &[String]) -> Result<Split> {
    let policy = &valid.policy;
    let (_, split) = match name {
        Some(name) => verdict::find_split(policy, name)?,
        None => {
            let mut splits = policy.splits.pairs();
            let only = splits.next().filter(|_| policy.splits.len() == 1);
            only.ok_or_else(|| {
                let names = policy.splits.iter().map(|split| split.name.as_str());
                let names: Vec<_> = names.take(10).collect();
                anyhow::anyhow!("say which split with `--split`: {}", names.join(", "))
            })?
        }
    };
    let baseline = split.variants[split.baseline].name.clone();
    let named = |id| split.variants[id].name.as_str();
    let challengers: Vec<_> = split.variants.pairs().map(|(id, _)| id).collect();
    let challengers: Vec<_> = challengers.into_iter().filter(|id| *id != split.baseline).collect();
    for name in variants {
        let known = || challengers.iter().map(|id| named(*id));
        ensure!(*name != baseline, "`{name}` is the baseline, with which the others are compared");
        if !known().any(|known| known == name) {
            let hint = nearest(name, known()).map_or_else(
                || format!("it has: {}", known().collect::<Vec<_>>().join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            anyhow::bail!("split `{}` has no variant `{name}`; {hint}", split.name);
        }
    }
    let asked = |id: &_| match variants {
        [] => split.is_judged(*id),
        _ => variants.iter().any(|name| name == named(*id)),
    };
    let judged: Vec<_> =
        challengers.iter().filter(|id| asked(id)).map(|id| named(*id).to_owned()).collect();
    ensure!(
        !judged.is_empty(),
        "split `{}` has no variant to judge: none but the baseline has a weight",
        split.name
    );
    let others = challengers.iter().filter(|id| !asked(id)).map(|id| named(*id).to_owned());
    Ok(Split { name: split.name.clone(), baseline, others: others.collect(), challengers: judged })
}

#[cfg(test)]
#[path = "verdict/tests.rs"]
mod tests;
