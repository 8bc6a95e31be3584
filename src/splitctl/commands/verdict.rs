//! `splitctl verdict`: is this variant proven to do harm, proven to be safe, or is it too early to say?

mod file;
mod judged;
mod problem;
mod report;
mod server;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Result, anyhow, bail, ensure};
use engine::ids::VariantId;
use engine::policy::{Policy, nearest};
use engine::units::{self, Millis};
use rollout::{Bounds, Counter, Verdict};

use crate::admin::Admin;
use crate::console::Console;
use crate::counters::{Counted, Followed, Prometheus, Scrape, Source, Split};
use crate::format::Format;
use crate::moment::{self, Moment, Period};
use crate::outcome::Outcome;
use crate::policy_file::PolicyFile;
use crate::text::write_json;
use crate::verdict;
use judged::Judged;

const EXAMPLES: &str = "\
Examples:
  splitctl verdict policy.yaml --split checkout --counts counts.csv
  splitctl verdict policy.yaml --split checkout --counts counts.csv --errors-ratio 2 --format json
  splitctl verdict policy.yaml --split checkout --prometheus http://127.0.0.1:9090 --since 2026-11-20T12:00:00Z
  splitctl verdict policy.yaml --split checkout --admin http://127.0.0.1:9901
  splitctl verdict policy.yaml --prometheus http://127.0.0.1:9090 --listen 127.0.0.1:9898

A file of counts, with a line for each variant and time:
  time,variant,keys,bad_keys
  2026-11-20T12:00:00Z,stable,9500,95
  2026-11-20T12:00:00Z,canary,500,6

Over HTTP: GET /verdict?split=checkout&run=5 answers with JSON;
`value` is 1 (safe), 0 (early) or -1 (harm).
Of each `run` the first question is where it begins, and each one after it
is a look.";

/// Where there are no counters.
const NOTHING: &str = "no proxy shows counters of this split";
/// How far back a Prometheus is asked.
const BACK: Millis = Millis::new(3_600_000);
/// More looks are not asked of a Prometheus at once.
const LOOKS: u64 = 2_000;

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
#[command(after_help = EXAMPLES, group = clap::ArgGroup::new("where").required(true))]
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
    #[arg(long, value_name = "FILE", group = "where", conflicts_with = "listen")]
    counts: Option<PathBuf>,

    /// A Prometheus that scrapes the proxies: each `--every` since `--since` is a look.
    #[arg(long, value_name = "URL", group = "where", value_parser = Prometheus::parse)]
    prometheus: Option<Prometheus>,

    /// A proxy's admin interface, as `http://127.0.0.1:9901`; may be repeated. One look at all since they began.
    #[arg(long, value_name = "URL", group = "where", value_parser = Admin::parse)]
    admin: Vec<Admin>,

    /// When the run began: what the counters showed then is no evidence. Of a Prometheus, without this an hour ago.
    #[arg(long, value_name = "TIME", conflicts_with_all = ["admin", "listen"])]
    since: Option<Moment>,

    /// How long the looks at a Prometheus are apart.
    #[arg(long, value_name = "DURATION", default_value = "1m", conflicts_with_all = ["counts", "admin", "listen"])]
    every: Period,

    /// Safe is what is proven to fail less than so many times as often as the baseline.
    #[arg(long, value_name = "TIMES", default_value_t = Bounds::default().errors_ratio())]
    errors_ratio: f64,

    /// Safe is also what is proven to fail less often than this, as `1%` or `0.01`.
    #[arg(long, value_name = "PART")]
    slo: Option<Part>,

    /// Harm is shown falsely in at most this part of all runs, and so is safety.
    #[arg(long, value_name = "PART", default_value = "5%")]
    alpha: Part,

    /// Answers over HTTP instead, at `127.0.0.1:9898` or a port of this machine alone.
    #[arg(long, value_name = "ADDRESS", value_parser = server::address)]
    listen: Option<SocketAddr>,

    /// How the answer is written.
    #[arg(long, value_enum, default_value_t, conflicts_with = "listen")]
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

/// What is asked of each run, where it does not say otherwise.
#[derive(Debug)]
struct Question {
    policy: Policy,
    split: Option<String>,
    variants: Vec<String>,
    bounds: Bounds,
}

/// Runs the command.
///
/// # Errors
/// When the question makes no sense, a file cannot be read, counters cannot be had, or the answer cannot be written.
pub fn run(args: &Args, console: &mut Console<'_>) -> Result<Outcome> {
    let inputs = [Some(&args.file), args.counts.as_ref()];
    let stdin = inputs.into_iter().flatten().filter(|path| path.as_os_str() == "-");
    ensure!(stdin.count() < 2, "only one file can be the standard input");
    let file = PolicyFile::read(&args.file)?;
    let Some(valid) = file.valid.clone() else {
        return Ok(verdict::refuse(&file, "not judged", args.format, console)?);
    };
    let bounds = Bounds::new(args.errors_ratio, args.slo.map(|Part(slo)| slo), args.alpha.0)?;
    let (name, variants) = (args.split.clone(), args.variants.clone());
    let question = Question { policy: valid.policy, split: name, variants, bounds };
    let source = match &args.prometheus {
        Some(prometheus) => Source::Prometheus(prometheus.clone()),
        None => Source::Admin(args.admin.clone()),
    };
    if let Some(address) = args.listen {
        server::serve(address, question, source, console)?;
        return Ok(Outcome::Fine);
    }
    let split = question.split(None, &question.variants)?;
    let judged = match &args.counts {
        Some(counts) => match file::read(counts, &split, args.since)? {
            Ok(read) => of_file(read, split, bounds),
            Err(problems) => {
                problem::show(problems, console.err)?;
                return Ok(Outcome::NoAnswer);
            }
        },
        None => of_counters(args, &source, split, bounds)?,
    };
    answer(&judged, args.format, console)
}

/// Judges a file of counts.
fn of_file(read: file::Read, split: Split, bounds: Bounds) -> Judged {
    let mut judged = Judged::new(split, bounds, read.counted);
    judged.notes.extend(read.notes);
    for (time, deltas) in read.looks {
        judged.look(time, &deltas);
    }
    judged
}

/// Judges what proxies show: all looks that a Prometheus has, or one at the proxies themselves.
fn of_counters(args: &Args, source: &Source, split: Split, bounds: Bounds) -> Result<Judged> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let now = moment::now();
    let (begin, times) = match source {
        Source::Admin(_) => {
            let series = runtime.block_on(source.now(&split.name))?;
            (Counter::ZERO, BTreeMap::from([(now.get(), series)]))
        }
        Source::Prometheus(prometheus) => {
            let since = args.since.map_or_else(|| now.before(BACK), |Moment(since)| since);
            ensure!(since < now, "`--since` is not in the past");
            let apart =
                now.get().saturating_sub(since.get()).checked_div(LOOKS).unwrap_or_default();
            let every = Millis::new(args.every.0.get().max(apart));
            let range = prometheus.range(&split.name, (since, now, every));
            (Counter::RUNNING, runtime.block_on(range)?)
        }
    };
    let mut followed = Followed::new(begin);
    let mut judged: Option<Judged> = None;
    for (time, series) in times {
        let counted = judged.as_ref().map(|judged| judged.counted);
        let scrape = Scrape::new(&series, &split, counted);
        if scrape.proxies() == 0 {
            continue;
        }
        let came = followed.came(&scrape);
        let begins = judged.is_none() && begin == Counter::RUNNING;
        let judged =
            judged.get_or_insert_with(|| Judged::new(split.clone(), bounds, scrape.counted));
        judged.see(&scrape);
        if !begins {
            judged.look_at_weights(units::Moment::new(time), &came);
        }
    }
    Ok(judged.unwrap_or_else(|| {
        let mut nothing = Judged::new(split, bounds, Counted::Users);
        nothing.notes.push(NOTHING.to_owned());
        nothing
    }))
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

impl Question {
    /// The split that is judged, and which of its variants.
    fn split(&self, name: Option<&str>, variants: &[String]) -> Result<Split> {
        let policy = &self.policy;
        let (_, split) = match name.or(self.split.as_deref()) {
            Some(name) => verdict::find_split(policy, name)?,
            None => {
                let mut splits = policy.splits.pairs();
                let only = splits.next().filter(|_| policy.splits.len() == 1);
                only.ok_or_else(|| {
                    let names = policy.splits.iter().map(|split| split.name.as_str());
                    let names: Vec<_> = names.take(10).collect();
                    anyhow!("say which split (`split`): {}", names.join(", "))
                })?
            }
        };
        let baseline = split.variants[split.baseline].name.clone();
        let named = |id| split.variants[id].name.as_str();
        let ids = split.variants.pairs().map(|(id, _)| id).filter(|id| *id != split.baseline);
        let ids: Vec<_> = ids.collect();
        for name in variants {
            let known = || ids.iter().map(|id| named(*id));
            ensure!(
                *name != baseline,
                "`{name}` is the baseline, with which the others are compared"
            );
            if !known().any(|known| known == name) {
                let hint = nearest(name, known()).map_or_else(
                    || format!("it has: {}", known().collect::<Vec<_>>().join(", ")),
                    |near| format!("did you mean `{near}`?"),
                );
                bail!("split `{}` has no variant `{name}`; {hint}", split.name);
            }
        }
        let asked = |id| match variants {
            [] => split.is_judged(id),
            _ => variants.iter().any(|name| name == named(id)),
        };
        let (judged, others): (Vec<_>, Vec<_>) = ids.iter().partition(|id| asked(**id));
        let names = |ids: Vec<VariantId>| ids.into_iter().map(|id| named(id).to_owned()).collect();
        ensure!(
            !judged.is_empty(),
            "split `{}` has no variant to judge: none but the baseline has a weight",
            split.name
        );
        let by_weight = split.sticky.is_none();
        let (challengers, others) = (names(judged), names(others));
        Ok(Split { name: split.name.clone(), baseline, challengers, others, by_weight })
    }
}

#[cfg(test)]
#[path = "verdict/tests.rs"]
mod tests;
