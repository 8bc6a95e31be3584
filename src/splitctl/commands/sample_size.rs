//! `splitctl sample-size`: how many users an experiment needs before its answer means something.

use std::str::FromStr;

use anyhow::{Result, bail};
use serde::Serialize;

use crate::console::Console;
use crate::format::Format;
use crate::outcome::Outcome;
use crate::statistics::normal_quantile;
use crate::style;
use crate::table::{Table, numbers, words};
use crate::text::{decimals, percent, plural, thousands, write_json};

/// Below so many successes or failures in a variant the normal approximation is rough.
const FEW: f64 = 10.0;

/// Tells how many users each variant needs before a difference can be seen.
///
/// For a rate (users who buy, requests that fail): with so many users, a difference of `--lift` between a
/// variant and the baseline is found significant at `--alpha` with the probability `--power`, in a two-sided
/// z-test of two proportions. A split that is far from even needs more users in total: 95/5 needs about five
/// times as many as 50/50.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  splitctl sample-size --baseline-rate 5% --lift 10%
  splitctl sample-size --baseline-rate 5% --lift 10% --split-weights 95,5 --traffic-per-day 20000

The formula is that of Fleiss, Levin and Paik, Statistical Methods for Rates and
Proportions, 3rd edition, section 4.3: unequal groups, no continuity correction.
With r users on the variant for each on the baseline, rates p1 and p2,
p = (p1 + r p2) / (1 + r), and z the normal quantile:

  baseline = ( z(1 - alpha/2) sqrt((r + 1) p (1 - p))
             + z(power) sqrt(r p1 (1 - p1) + p2 (1 - p2)) )^2 / (r (p2 - p1)^2)
  variant  = r baseline

Both are rounded up.")]
pub struct Args {
    /// The rate on the baseline: `5%` or `0.05`.
    #[arg(long, value_name = "RATE")]
    baseline_rate: Fraction,

    /// The smallest change worth finding, relative to that rate: `10%` of 5% is 5.5%; `-10%` is 4.5%.
    #[arg(long, value_name = "CHANGE", allow_hyphen_values = true)]
    lift: Fraction,

    /// The probability of finding such a change.
    #[arg(long, value_name = "P", default_value = "80%")]
    power: Fraction,

    /// The probability of finding a change where there is none.
    #[arg(long, value_name = "P", default_value = "5%")]
    alpha: Fraction,

    /// The weights of the variants, the baseline's first; each other variant is compared with it.
    #[arg(long, value_name = "W,W..", value_delimiter = ',', default_value = "50,50")]
    split_weights: Vec<f64>,

    /// Users who meet the split on a day, to tell how many days it takes.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    traffic_per_day: Option<u64>,

    /// How the answer is written.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// A number written as `5%` or `0.05`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Fraction(f64);

impl FromStr for Fraction {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, scale) = match text.strip_suffix('%') {
            Some(number) => (number.trim_end(), 100.0),
            None => (text, 1.0),
        };
        let parsed = number.parse::<f64>().ok().filter(|number| number.is_finite());
        let number = parsed.ok_or("not a number; write `5%` or `0.05`")?;
        // 5 could be 5 % or 500 %, and both happen.
        if scale == 1.0 && number.abs() >= 1.0 {
            return Err(format!("write `{number}%`, or a decimal below 1"));
        }
        Ok(Self(number / scale))
    }
}

/// What is asked, checked.
struct Question {
    rate: f64,
    changed: f64,
    power: f64,
    alpha: f64,
    weights: Vec<f64>,
}

/// How many users it takes.
#[derive(Debug, PartialEq)]
struct Answer {
    /// For each variant, in the order of the weights.
    users: Vec<u64>,
    total: u64,
    /// A variant where the formula's normal approximation is rough.
    rough: bool,
}

/// Runs the command.
///
/// # Errors
/// When the numbers make no question, or the answer cannot be written.
pub fn run(args: &Args, console: &mut Console<'_>) -> Result<Outcome> {
    let question = Question::new(args)?;
    let answer = question.answer();
    let days = args.traffic_per_day.map(|traffic| answer.total.div_ceil(traffic));
    match args.format {
        Format::Human => show(&question, &answer, args.traffic_per_day.zip(days), console)?,
        Format::Json => write_json(console.out, &report(&question, &answer, days))?,
    }
    Ok(Outcome::Fine)
}

impl Question {
    fn new(args: &Args) -> Result<Self> {
        let inside = |name: &str, Fraction(number): Fraction| {
            if number > 0.0 && number < 1.0 {
                return Ok(number);
            }
            bail!("`--{name}` is {}; it must lie between 0% and 100%", percent(number))
        };
        let rate = inside("baseline-rate", args.baseline_rate)?;
        let changed = rate * (1.0 + args.lift.0);
        if args.lift.0 == 0.0 {
            bail!("a lift of 0 is no change; name the smallest one worth finding, such as `10%`");
        }
        if changed <= 0.0 || changed >= 1.0 {
            let (from, to, lift) = (percent(rate), percent(changed), percent(args.lift.0));
            bail!("a lift of {lift} takes {from} to {to}; it must stay between 0% and 100%");
        }
        let weights = args.split_weights.clone();
        if weights.len() < 2 {
            bail!("`--split-weights` needs the baseline's and at least one other, such as `95,5`");
        }
        if let Some(weight) = weights.iter().find(|w| !w.is_finite() || **w <= 0.0) {
            bail!("the weight {weight} in `--split-weights` is not above 0");
        }
        Ok(Self {
            rate,
            changed,
            power: inside("power", args.power)?,
            alpha: inside("alpha", args.alpha)?,
            weights,
        })
    }

    fn answer(&self) -> Answer {
        let sum = self.weights.iter().sum::<f64>();
        let (base, others) = self.weights.split_first().map_or((1.0, &[][..]), |(b, o)| (*b, o));
        // Users per weight of 1, as the comparison that needs most of them says.
        let unit =
            others.iter().map(|other| self.baseline_users(other / base) / base).fold(0.0, f64::max);
        let users: Vec<u64> = self.weights.iter().map(|weight| round_up(unit * weight)).collect();
        let rare = [self.rate, 1.0 - self.rate, self.changed, 1.0 - self.changed];
        let rare = rare.into_iter().fold(1.0, f64::min);
        let smallest = self.weights.iter().copied().fold(f64::INFINITY, f64::min);
        // Each variant gets its own number only where the whole split gets the total.
        let total = round_up(unit * sum).max(users.iter().sum());
        Answer { rough: unit * smallest * rare < FEW, total, users }
    }

    /// Users on the baseline when there are `r` on the variant for each of them.
    fn baseline_users(&self, r: f64) -> f64 {
        let (p1, p2) = (self.rate, self.changed);
        let mean = (p1 + r * p2) / (1.0 + r);
        let chance =
            normal_quantile(1.0 - self.alpha / 2.0) * ((r + 1.0) * mean * (1.0 - mean)).sqrt();
        let power = normal_quantile(self.power) * (r * p1 * (1.0 - p1) + p2 * (1.0 - p2)).sqrt();
        (chance + power).max(0.0).powi(2) / (r * (p2 - p1).powi(2))
    }
}

/// To whole users. What is a whole number up to rounding errors stays that.
fn round_up(users: f64) -> u64 {
    let whole = users.round();
    if (users - whole).abs() < 1e-9 * users { whole as u64 } else { users.ceil() as u64 }
}

fn show(
    question: &Question,
    answer: &Answer,
    days: Option<(u64, u64)>,
    console: &mut Console<'_>,
) -> Result<()> {
    let out = &mut *console.out;
    let Question { rate, changed, power, alpha, .. } = question;
    let (rate, changed) = (percent(*rate), percent(*changed));
    let (power, alpha) = (percent(*power), percent(*alpha));
    writeln!(
        out,
        "to find a change from {rate} to {changed} with power {power} at alpha {alpha}:\n"
    )?;
    let mut table = Table::new([words(""), numbers(""), words("")]);
    for (index, (users, weight)) in answer.users.iter().zip(&question.weights).enumerate() {
        let name = match index {
            0 => "baseline".to_owned(),
            _ if answer.users.len() == 2 => "variant".to_owned(),
            n => format!("variant {n}"),
        };
        let weight = style::faint(format!("weight {}", decimals(*weight))).to_string();
        table.row([name, format!("{} users", thousands(*users)), weight]);
    }
    let total = format!("{} users", thousands(answer.total));
    table.styled_row(style::STRONG, ["in total".to_owned(), total, String::new()]);
    table.show(2, out)?;
    if let Some((traffic, days)) = days {
        let traffic = plural(traffic, "user");
        writeln!(out, "\n{} at {traffic} a day", style::strong(plural(days, "day")))?;
    }
    let note = style::warning("note");
    if let Some((_, days)) = days
        && days % 7 != 0
    {
        writeln!(
            out,
            "{note}: days of the week differ; {} are whole weeks",
            plural(days.div_ceil(7).saturating_mul(7), "day")
        )?;
    }
    if question.weights.len() > 2 {
        writeln!(
            out,
            "{note}: each of {} comparisons has that alpha of its own; for one over all, divide it by {}",
            question.weights.len().saturating_sub(1),
            question.weights.len().saturating_sub(1),
        )?;
    }
    if answer.rough {
        writeln!(
            out,
            "{note}: a variant expects fewer than {FEW} successes or failures, where the formula is rough"
        )?;
    }
    Ok(())
}

/// The answer for programs.
#[derive(Debug, Serialize)]
struct Report {
    baseline_rate: f64,
    variant_rate: f64,
    power: f64,
    alpha: f64,
    variants: Vec<VariantReport>,
    users: u64,
    days: Option<u64>,
    rough: bool,
}

#[derive(Debug, Serialize)]
struct VariantReport {
    weight: f64,
    users: u64,
}

fn report(question: &Question, answer: &Answer, days: Option<u64>) -> Report {
    let variants = question.weights.iter().zip(&answer.users);
    Report {
        baseline_rate: question.rate,
        variant_rate: question.changed,
        power: question.power,
        alpha: question.alpha,
        variants: variants.map(|(&weight, &users)| VariantReport { weight, users }).collect(),
        users: answer.total,
        days,
        rough: answer.rough,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    /// What `splitctl sample-size` says to these arguments, or why not.
    fn sample_size(line: &str) -> String {
        let words = std::iter::once("sample-size").chain(line.split_whitespace());
        let args = match Line::try_parse_from(words) {
            Ok(line) => line.args,
            Err(error) => return error.to_string().lines().next().unwrap_or_default().to_owned(),
        };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        match run(&args, &mut Console { out: &mut out, err: &mut err }) {
            Ok(_) => anstream::adapter::strip_str(&String::from_utf8(out).unwrap()).to_string(),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn users_and_days_are_told_per_variant() {
        insta::assert_snapshot!(sample_size(
            "--baseline-rate 5% --lift 10% --split-weights 95,5 --traffic-per-day 20000"
        ), @"
        to find a change from 5% to 5.5% with power 80% at alpha 5%:

          baseline  307,158 users  weight 95
          variant    16,167 users  weight 5
          in total  323,325 users

        17 days at 20,000 users a day
        note: days of the week differ; 21 days are whole weeks
        ");
    }

    #[test]
    fn without_traffic_there_are_no_days() {
        insta::assert_snapshot!(sample_size("--baseline-rate 0.5 --lift 20% --power 90%"), @"
        to find a change from 50% to 60% with power 90% at alpha 5%:

          baseline    519 users  weight 50
          variant     519 users  weight 50
          in total  1,038 users
        ");
    }

    #[test]
    fn several_variants_are_each_compared_with_the_baseline() {
        insta::assert_snapshot!(sample_size("--baseline-rate 20% --lift -50% --split-weights 50,25,25"), @"
        to find a change from 20% to 10% with power 80% at alpha 5%:

          baseline   309 users  weight 50
          variant 1  155 users  weight 25
          variant 2  155 users  weight 25
          in total   619 users
        note: each of 2 comparisons has that alpha of its own; for one over all, divide it by 2
        ");
    }

    #[test]
    fn json_says_the_same() {
        insta::assert_snapshot!(sample_size("--baseline-rate 5% --lift 10% --split-weights 95,5 \
             --traffic-per-day 20000 --format json"), @r#"
        {
          "alpha": 0.05,
          "baseline_rate": 0.05,
          "days": 17,
          "power": 0.8,
          "rough": false,
          "users": 323325,
          "variant_rate": 0.05500000000000001,
          "variants": [
            {
              "users": 307158,
              "weight": 95.0
            },
            {
              "users": 16167,
              "weight": 5.0
            }
          ]
        }
        "#);
    }

    #[test]
    fn what_makes_no_question_is_told() {
        let cases = [
            "--baseline-rate 5 --lift 10%",
            "--baseline-rate five --lift 10%",
            "--baseline-rate 0% --lift 10%",
            "--baseline-rate 60% --lift 100%",
            "--baseline-rate 5% --lift 0",
            "--baseline-rate 5% --lift 10% --split-weights 100",
            "--baseline-rate 5% --lift 10% --split-weights 100,0",
            "--baseline-rate 5% --lift 10% --power 100%",
            "--baseline-rate 5% --lift 10% --traffic-per-day 0",
        ];
        insta::assert_snapshot!(cases.map(sample_size).join("\n"), @"
        error: invalid value '5' for '--baseline-rate <RATE>': write `5%`, or a decimal below 1
        error: invalid value 'five' for '--baseline-rate <RATE>': not a number; write `5%` or `0.05`
        error: `--baseline-rate` is 0%; it must lie between 0% and 100%
        error: a lift of 100% takes 60% to 120%; it must stay between 0% and 100%
        error: a lift of 0 is no change; name the smallest one worth finding, such as `10%`
        error: `--split-weights` needs the baseline's and at least one other, such as `95,5`
        error: the weight 0 in `--split-weights` is not above 0
        error: `--power` is 100%; it must lie between 0% and 100%
        error: invalid value '0' for '--traffic-per-day <N>': 0 is not in 1..18446744073709551615
        ");
    }

    #[test]
    fn the_numbers_are_those_of_an_independent_program() {
        // Python, with z = scipy.stats.norm.ppf and p = (p1 + r * p2) / (1 + r):
        //   (z(1 - alpha / 2) * sqrt((r + 1) * p * (1 - p)) + z(power) * sqrt(r * p1 * (1 - p1) + p2 * (1 - p2)))**2
        //   / (r * (p2 - p1)**2)
        for ((rate, changed, r, power, alpha), users) in [
            ((0.05, 0.055, 1.0, 0.8, 0.05), 31_233.437_940_130_043),
            ((0.05, 0.055, 5.0 / 95.0, 0.8, 0.05), 307_157.092_762_404_35),
            ((0.5, 0.6, 1.0, 0.9, 0.05), 518.037_169_299_807),
            ((0.2, 0.1, 1.0, 0.8, 0.05), 198.963_413_284_331_07),
            ((0.1, 0.12, 0.5, 0.9, 0.01), 10_821.647_465_561_795),
        ] {
            let question = Question { rate, changed, power, alpha, weights: Vec::new() };
            let found = question.baseline_users(r);
            assert!((found / users - 1.0).abs() < 1e-9, "{found} is not {users}");
        }
    }
}
