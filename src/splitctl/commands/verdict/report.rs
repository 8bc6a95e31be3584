//! The verdict with its figures, for programs and for people.

use std::io;

use rollout::{Delta, Figures, Interval, Needed, Proof, Verdict};
use serde::Serialize;

use super::judged::Judged;
use crate::console::Console;
use crate::counters::Counted;
use crate::moment::{Moment, write as moment};
use crate::style;
use crate::table::{Table, numbers, words};
use crate::text::{decimals, fixed_percent, percent, plural, thousands};

/// The verdict for programs.
#[derive(Debug, Serialize)]
pub(super) struct Report<'j> {
    verdict: &'static str,
    /// The same as a number: 1 safe, 0 early, -1 harm.
    value: i8,
    split: &'j str,
    /// `users` or `requests`.
    counted: &'static str,
    errors_ratio: f64,
    slo: Option<f64>,
    alpha: f64,
    looks: u64,
    from: Option<Moment>,
    to: Option<Moment>,
    baseline: Variant<'j>,
    challengers: Vec<Challenger<'j>>,
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Variant<'j> {
    variant: &'j str,
    total: u64,
    bad: u64,
}

#[derive(Debug, Serialize)]
struct Challenger<'j> {
    variant: &'j str,
    verdict: &'static str,
    value: i8,
    total: u64,
    bad: u64,
    /// Its part of the events of it and the baseline.
    share: f64,
    /// On how many proxies at once its guard took it out of service, at most.
    tripped: u64,
    /// How many times as often as the baseline it fails.
    ratio: Option<Interval>,
    /// By which part of its events it fails more.
    difference: Option<Interval>,
    harm: Proof,
    safe: Proof,
    needed: Option<Needed>,
}

/// A verdict as a number, for gates that compare one.
const fn value(verdict: Verdict) -> i8 {
    match verdict {
        Verdict::Safe => 1,
        Verdict::Early => 0,
        Verdict::Harm => -1,
    }
}

impl Judged {
    /// The verdict for programs.
    pub(super) fn report(&self) -> Report<'_> {
        let figures: Vec<Figures> = self.judges.iter().map(|judge| judge.figures()).collect();
        let baseline = figures.first().map_or(Delta::NONE, |figures| figures.baseline);
        let verdicts = self.verdicts().zip(&self.tripped);
        let challengers = self.split.challengers.iter().zip(verdicts).zip(&figures);
        let challengers = challengers.map(|((variant, (verdict, tripped)), figures)| Challenger {
            variant,
            verdict: verdict.as_str(),
            value: value(verdict),
            total: figures.challenger.total(),
            bad: figures.challenger.bad(),
            share: figures.share,
            tripped: *tripped,
            ratio: figures.ratio,
            difference: figures.difference,
            harm: figures.harm,
            safe: figures.safe,
            needed: figures.needed,
        });
        Report {
            verdict: self.verdict().as_str(),
            value: value(self.verdict()),
            split: &self.split.name,
            counted: match self.counted {
                Counted::Users => "users",
                Counted::Requests => "requests",
            },
            errors_ratio: self.bounds.errors_ratio(),
            slo: self.bounds.slo(),
            alpha: self.bounds.alpha(),
            looks: figures.first().map_or(0, |figures| figures.looks),
            from: self.between.map(|(from, _)| Moment(from)),
            to: self.between.map(|(_, to)| Moment(to)),
            baseline: Variant {
                variant: &self.split.baseline,
                total: baseline.total(),
                bad: baseline.bad(),
            },
            challengers: challengers.collect(),
            warnings: self.warnings(),
        }
    }

    /// What is not as it should be.
    fn warnings(&self) -> Vec<String> {
        let mut warnings = self.notes.clone();
        let of = self.judges.iter().map(|judge| judge.figures());
        for (name, figures) in self.split.challengers.iter().zip(of) {
            if figures.baseline.total() == 0 || figures.challenger.total() == 0 {
                let of = if figures.challenger.total() == 0 { name } else { &self.split.baseline };
                warnings.push(format!("no data of `{of}`"));
            }
        }
        warnings.dedup();
        if self.counted == Counted::Requests {
            let alpha = percent(self.bounds.alpha());
            warnings.push(format!(
                "requests are counted, and one user can make many that fail: then more than {alpha} of healthy variants are called \
                 harmful, and more than {alpha} of bad ones safe; count users, as `traffic_split_bad_keys_total` does"
            ));
        }
        warnings
    }
}

/// Shows the verdict to people.
pub(super) fn show(judged: &Judged, console: &mut Console<'_>) -> io::Result<()> {
    for warning in judged.warnings() {
        writeln!(console.err, "{}: {warning}", style::warning("warning"))?;
    }
    let out = &mut *console.out;
    let split = &judged.split;
    let (things, bad) = match judged.counted {
        Counted::Users => ("users", "users with errors"),
        Counted::Requests => ("responses", "errors"),
    };
    writeln!(out, "{} split `{}`: {}", word(judged.verdict()), split.name, sentence(judged))?;
    let mut table = Table::new([
        words("variant"),
        numbers(things),
        numbers(bad),
        numbers("part"),
        numbers("times the baseline's"),
        words("verdict"),
    ]);
    let counts = |delta: Delta| {
        let part = delta.ratio().map_or_else(|| "-".to_owned(), fixed_percent);
        [thousands(delta.total()), thousands(delta.bad()), part]
    };
    let figures = judged.judges.iter().map(|judge| judge.figures());
    let all: Vec<_> = judged.verdicts().zip(figures).collect();
    let baseline = all.first().map_or(Delta::NONE, |(_, figures)| figures.baseline);
    let row = |name: &str, delta, times: String, verdict: String| {
        [vec![name.to_owned()], counts(delta).to_vec(), vec![times, verdict]].concat()
    };
    table.row(row(&split.baseline, baseline, String::new(), style::faint("baseline").to_string()));
    for (name, (verdict, figures)) in split.challengers.iter().zip(&all) {
        let times = figures.ratio.map_or_else(|| "-".to_owned(), times);
        table.row(row(name, figures.challenger, times, word(*verdict)));
    }
    table.show(2, out)?;
    writeln!(out)?;
    for (place, (name, (verdict, figures))) in split.challengers.iter().zip(&all).enumerate() {
        for line in lines(judged, place, *verdict, figures) {
            writeln!(out, "  {name}: {line}")?;
        }
    }
    if let Some((from, to)) = judged.between {
        let looks = plural(all.first().map_or(0, |(_, figures)| figures.looks), "look");
        let alpha = percent(judged.bounds.alpha());
        let between =
            if from == to { moment(to) } else { format!("{} to {}", moment(from), moment(to)) };
        let line = format!(
            "{looks}, {between}; wrong for at most {alpha} of runs, however often you look"
        );
        writeln!(out, "  {}", style::faint(line))?;
    }
    Ok(())
}

/// A verdict in one word.
fn word(verdict: Verdict) -> String {
    match verdict {
        Verdict::Harm => style::error("harm").to_string(),
        Verdict::Safe => style::fine("safe").to_string(),
        Verdict::Early => style::warning("too early").to_string(),
    }
}

/// The answer of the whole run.
fn sentence(judged: &Judged) -> String {
    let of = |wanted| {
        let all = judged.split.challengers.iter().zip(judged.verdicts());
        let names = all.filter(|(_, verdict)| *verdict == wanted);
        names.map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    };
    let baseline = &judged.split.baseline;
    match judged.verdict() {
        Verdict::Harm => {
            format!("{} is proven to fail more often than `{baseline}`", of(Verdict::Harm))
        }
        Verdict::Safe => {
            format!("{} is proven not to fail much more often than `{baseline}`", of(Verdict::Safe))
        }
        Verdict::Early => format!("nothing is proven yet of {}", of(Verdict::Early)),
    }
}

/// `3.12 (1.50 to 6.21)`.
fn times(Interval { estimate, from, to }: Interval) -> String {
    let number = |number: f64| match number {
        number if number >= 100.0 => format!("{number:.0}"),
        number if number >= 10.0 => format!("{number:.1}"),
        number => format!("{number:.2}"),
    };
    let estimate = estimate.map_or_else(|| "infinitely many".to_owned(), number);
    match (from, to) {
        (None, None) => format!("{estimate} (any)"),
        (Some(from), None) => format!("{estimate} (over {})", number(from)),
        (None, Some(to)) => format!("{estimate} (under {})", number(to)),
        (Some(from), Some(to)) => format!("{estimate} ({} to {})", number(from), number(to)),
    }
}

/// What the verdict on a challenger rests on, and what would change it.
fn lines(judged: &Judged, place: usize, verdict: Verdict, figures: &Figures) -> Vec<String> {
    let baseline = &judged.split.baseline;
    let bad = match judged.counted {
        Counted::Users => "users with errors",
        Counted::Requests => "errors",
    };
    let ratio = decimals(judged.bounds.errors_ratio());
    let proof = |proof: &Proof| {
        let at = proof.proven_at.map_or_else(String::new, |at| format!(" at look {at}"));
        let (now, enough) = (odds(proof.log_evidence), odds(proof.log_threshold));
        format!("proven{at}; the evidence is {now} now, and {enough} was enough")
    };
    let mut lines = Vec::new();
    let tripped = judged.tripped.get(place).copied().unwrap_or_default();
    if tripped > 0 {
        let proxies = plural(tripped, "proxy").replace("proxys", "proxies");
        lines.push(format!("its guard took it out of service, on {proxies}"));
    }
    match verdict {
        Verdict::Harm if figures.harm.proven_at.is_none() => {}
        Verdict::Harm => {
            lines.push(format!("more often than `{baseline}`: {}", proof(&figures.harm)));
            if figures.safe.proven_at.is_some() {
                lines.push(format!(
                    "before that it was proven to fail less than {ratio} times as often"
                ));
            }
        }
        Verdict::Safe => {
            let or = judged
                .bounds
                .slo()
                .map_or_else(String::new, |slo| format!(", or less than {}", percent(slo)));
            lines.push(format!("less than {ratio} times as often{or}: {}", proof(&figures.safe)));
        }
        Verdict::Early => {
            lines.extend(figures.needed.map(|needed| needs(judged, place, &needed, bad)))
        }
    }
    if let Some(Interval { estimate: Some(estimate), from: Some(from), to: Some(to) }) =
        figures.difference
    {
        // As much as the width of the interval bears.
        let points = |part: f64| format!("{:.2}", part * 100.0);
        let more = if estimate < 0.0 { "less" } else { "more" };
        lines.push(format!(
            "{} percentage points {more} than `{baseline}` (from {} to {})",
            points(estimate.abs()),
            points(from),
            points(to)
        ));
    } else if figures.baseline.plus(figures.challenger).bad() > 0 {
        lines.push(format!("too early for a difference: fewer than 20 {bad} of one of the two"));
    }
    lines
}

/// A time in milliseconds, in words.
fn about(millis: u64) -> String {
    let units = [("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000)];
    let fits = units.into_iter().find(|(_, of)| millis / 2 >= *of);
    let (unit, of) = fits.unwrap_or(("second", 1_000));
    plural(millis.div_ceil(of), unit)
}

/// Evidence as odds: `20 to 1`.
fn odds(log: f64) -> String {
    let odds = log.exp();
    match odds {
        odds if odds > 1e6 => "over a million to 1".to_owned(),
        odds if odds < 1.0 => "below 1 to 1".to_owned(),
        odds => format!("{} to 1", thousands(odds.round() as u64)),
    }
}

/// What is missing.
fn needs(judged: &Judged, place: usize, needed: &Needed, bad: &str) -> String {
    let ratio = decimals(judged.bounds.errors_ratio());
    let baseline = &judged.split.baseline;
    let roads = needed.bad.map(|count| {
        let time = judged.time_for(place, count);
        let time = time.map_or_else(String::new, |time| format!(" (at the rate so far in {})", about(time)));
        format!(
            "{} more {bad} of the two show that it is safe, if it fails as often as `{baseline}`{time}",
            thousands(count)
        )
    });
    let slo = needed.good.zip(judged.bounds.slo()).map(|(count, slo)| {
        format!(
            "{} more of its own without error show that it fails less than {}",
            thousands(count),
            percent(slo)
        )
    });
    let all: Vec<_> = roads.into_iter().chain(slo).collect();
    match all.as_slice() {
        [] => format!(
            "nothing can be compared yet; to be safe is to fail less than {ratio} times as often"
        ),
        _ => format!("some {}", all.join("; or some ")),
    }
}
