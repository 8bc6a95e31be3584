//! `splitctl rollout plan`: what to expect before it begins.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use rollout::plan::{until_harm, until_safe};
use serde::Serialize;

use super::load::{Loaded, load};
use crate::console::Console;
use crate::format::Format;
use crate::outcome::Outcome;
use crate::table::{Table, numbers, words};
use crate::text::{thousands, write_json};

const EXAMPLES: &str = "\
Examples:
  splitctl rollout plan rollout.yaml --rps 200
  splitctl rollout plan rollout.yaml --rps 200 --errors 0.05";

/// Tells how long each step takes until its challenger is proven safe, or to do harm, at your traffic.
///
/// Times are means, by the drift of the evidence, where errors are independent of each other. Nothing is changed, and nobody asked.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The rollout's file.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Requests per second of the split, of all variants.
    #[arg(long, value_name = "N", value_parser = positive)]
    rps: f64,

    /// How many percent of requests are errors today.
    #[arg(long, value_name = "PERCENT", default_value = "0.5", value_parser = positive)]
    errors: f64,

    /// How the answer is written.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| "it is a number above 0".to_owned())
}

/// One step. Times are in seconds.
#[derive(Debug, Serialize)]
struct Step {
    step: usize,
    weight: String,
    /// At least so long.
    least: u64,
    approval: bool,
    /// Until safety is proven of a challenger that is as good; `None` where there is nobody to compare with.
    safe: Option<f64>,
    /// So many errors, of both.
    safe_errors: Option<f64>,
    /// Until harm is proven of one that fails twice as often, ten times, always.
    twice: Option<f64>,
    ten_times: Option<f64>,
    always: Option<f64>,
}

pub(super) fn run(args: &Args, console: &mut Console<'_>) -> Result<Outcome> {
    let loaded = match load(&args.file, true, console)? {
        Ok(loaded) => loaded,
        Err(outcome) => return Ok(outcome),
    };
    let steps = steps(args, &loaded);
    if args.format == Format::Json {
        write_json(console.out, &steps)?;
        return Ok(Outcome::Fine);
    }
    let heads = ["errors", "safe after", "2x worse", "10x worse", "always fails"];
    let columns = [numbers("step"), numbers("weight"), numbers("at least")];
    let columns = columns.into_iter().chain(heads.map(numbers)).chain([words("then")]);
    let mut table = Table::new(columns);
    for step in &steps {
        let time = |seconds: Option<f64>| seconds.map_or_else(|| "-".to_owned(), duration);
        let errors =
            step.safe_errors.map_or_else(|| "-".to_owned(), |n| thousands(n.ceil() as u64));
        let then = if step.approval { "somebody approves" } else { "" };
        table.row([
            step.step.to_string(),
            format!("{} %", step.weight),
            duration(step.least as f64),
            errors,
            time(step.safe),
            time(step.twice),
            time(step.ten_times),
            time(step.always),
            then.to_owned(),
        ]);
    }
    table.show(0, console.out)?;
    let all: f64 = steps.iter().map(|step| step.safe.unwrap_or(0.0).max(step.least as f64)).sum();
    writeln!(
        console.out,
        "\nAt {} requests/s, {} % of them errors: {} in all where the challenger is as good as the baseline. Means; a single\n\
        rollout may take twice as long. `2x worse`: until a challenger with twice the baseline's errors is rolled back.",
        args.rps,
        args.errors,
        duration(all)
    )?;
    Ok(Outcome::Fine)
}

fn steps(args: &Args, loaded: &Loaded) -> Vec<Step> {
    let rollout = &loaded.rollout;
    let facts = &loaded.facts;
    let gates = if rollout.gates.slow.is_some() { 2 } else { 1 };
    let judges = rollout.steps.len().saturating_mul(gates) as f64;
    // Of the split's requests, so many are of the two.
    let total = facts.total.max(1) as f64;
    let rate = args.rps * facts.both.units() as f64 / total;
    let bad = args.errors / 100.0;
    let (alpha, ratio) = (rollout.gates.alpha, rollout.gates.errors.ratio);
    let mut steps = Vec::new();
    for (number, step) in rollout.steps.iter().enumerate() {
        let share = facts.share_at(step.weight);
        // Errors per second, of both, where the challenger has so many times as many.
        let errors = |times: f64| rate * bad * (share * times.min(1.0 / bad) + 1.0 - share);
        let safe_errors = until_safe(share, ratio, alpha);
        let harm = |times: f64| {
            (share < 1.0)
                .then(|| until_harm(share, times, alpha, judges))
                .flatten()
                .map(|n| n / errors(times))
        };
        steps.push(Step {
            step: number.saturating_add(1),
            weight: step.weight.to_string(),
            least: Duration::from_millis(step.hold).as_secs(),
            approval: step.approval,
            safe: safe_errors.map(|n| n / errors(1.0)),
            safe_errors,
            twice: harm(2.0),
            ten_times: harm(10.0),
            always: harm((1.0 / bad).max(1.0)),
        });
    }
    steps
}

/// A duration with its two largest units: `3 h 20 min`.
fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    let (days, hours, minutes) = (whole / 86_400, whole / 3_600 % 24, whole / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) if seconds < 10.0 => format!("{seconds:.1} s"),
        (0, 0, 0) => format!("{whole} s"),
        (0, 0, _) => format!("{minutes} min {} s", whole % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}
