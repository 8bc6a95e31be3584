//! A rollout on a terminal: a line for each decision that is new, and a bar for the step's time.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use engine::units::Moment;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rollout::course::{Counted, Decision, Gate, Held};
use rollout::driver::Driver;
use rollout::log::{Entry, Look, What};
use rollout::{Delta, Reading};
use serde::Serialize;

use super::events::weight;
use crate::console::Console;
use crate::format::Format;
use crate::moment;
use crate::style;
use crate::text::{fixed_percent, thousands, write_json};

/// Shows what happens.
pub(super) struct Shown {
    format: Format,
    bar: ProgressBar,
    last: Option<String>,
    /// Nobody reads standard output any more.
    is_unread: bool,
}

/// A decision for programs: one line.
#[derive(Debug, Serialize)]
struct Line<'a> {
    at: String,
    step: Option<usize>,
    weight: String,
    decision: &'a Decision,
    text: String,
    #[serde(flatten)]
    look: &'a Look,
}

impl Shown {
    /// For people where somebody looks on, else for programs, unless one was asked for.
    pub(super) fn new(asked: Option<Format>) -> Self {
        let is_watched = io::stdout().is_terminal();
        let format = asked.unwrap_or(if is_watched { Format::Human } else { Format::Json });
        let target = match format {
            Format::Human => ProgressDrawTarget::stderr(),
            Format::Json => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(Some(1), target);
        let form = ProgressStyle::with_template("{bar:24} {msg}");
        bar.set_style(form.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { format, bar, last: None, is_unread: false }
    }

    /// A look: what is new of it. A rollout goes on when nobody reads what it says: a pipe that was closed, or a terminal.
    pub(super) fn look(&mut self, driver: &Driver, look: &Look, console: &mut Console<'_>) {
        if !self.is_unread && self.write_look(driver, look, console).is_err() {
            self.is_unread = true;
            self.note(
                "nobody reads the decisions any more; the log has them, and it goes on",
                console,
            );
        }
    }

    fn write_look(
        &mut self,
        driver: &Driver,
        look: &Look,
        console: &mut Console<'_>,
    ) -> io::Result<()> {
        let state = driver.state();
        let now = moment::now();
        if self.format == Format::Json {
            let text = look.decision.to_string();
            let at = moment::write(now);
            let line = Line {
                at,
                step: state.step,
                weight: state.weight.to_string(),
                decision: &look.decision,
                text,
                look,
            };
            serde_json::to_writer(&mut *console.out, &line)?;
            writeln!(console.out)?;
            return console.out.flush();
        }
        self.show_bar(driver, look);
        let told = match &look.decision {
            // Seconds that pass are the bar's.
            Decision::Hold { why: Held::Time { .. } } => {
                "hold: the step's time is not over".to_owned()
            }
            Decision::Hold { why: Held::Responses { .. } } => {
                "hold: too few responses of the challenger".to_owned()
            }
            other => other.to_string(),
        };
        if self.last.as_ref() == Some(&told) {
            return Ok(());
        }
        let line = format!(
            "{}  {:>6} %  {}",
            second(now),
            state.weight.to_string(),
            styled(&look.decision, &told)
        );
        self.bar.suspend(|| -> io::Result<()> {
            writeln!(console.out, "{line}")?;
            if !matches!(look.decision, Decision::Hold { .. }) {
                figures(look, console)?;
            }
            console.out.flush()
        })?;
        self.last = Some(told);
        Ok(())
    }

    fn show_bar(&self, driver: &Driver, look: &Look) {
        let state = driver.state();
        let hold =
            state.step.and_then(|step| driver.rollout().steps.get(step)).map(|step| step.hold);
        let passed = state.clock.map_or(0, |clock| moment::now().get().saturating_sub(clock));
        let hold = hold.unwrap_or(0).max(1);
        self.bar.set_length(hold);
        self.bar.set_position(passed.min(hold));
        let evidence = look.evidence.first().map(|evidence| {
            let part = |found: f64, at: f64| fixed_percent((found / at).clamp(0.0, 1.0));
            let safe = evidence.safe.zip(evidence.safe_at).map_or(0.0, |(found, at)| found / at);
            format!(
                "of harm {}, of safety {}",
                part(evidence.harm, evidence.harm_at),
                fixed_percent(safe.clamp(0.0, 1.0))
            )
        });
        let passed = Duration::from_millis(passed).as_secs();
        self.bar.set_message(format!(
            "{passed} s at {} %, {}",
            state.weight,
            evidence.unwrap_or_default()
        ));
    }

    /// A note beside, for whoever reads it.
    pub(super) fn note(&self, note: &str, console: &mut Console<'_>) {
        let write = || writeln!(console.err, "{}: {note}", style::warning("note"));
        let _unread = self.bar.suspend(write);
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn styled(decision: &Decision, told: &str) -> String {
    use rollout::course::End;
    match decision {
        Decision::Advance { .. } | Decision::Ended { end: End::Done } => {
            style::fine(told).to_string()
        }
        Decision::Hold { .. } => told.to_owned(),
        Decision::Retreat { .. } => style::warning(told).to_string(),
        Decision::Rollback { .. } | Decision::Ended { .. } => style::error(told).to_string(),
    }
}

/// The counts and the evidence behind a decision.
fn figures(look: &Look, console: &mut Console<'_>) -> io::Result<()> {
    let Counted::Counts { errors, users, .. } = &look.seen.counted else { return Ok(()) };
    let ratio = |reading: Reading| {
        let delta = Delta::try_from(reading).ok().and_then(Delta::ratio);
        delta.map_or_else(|| "-".to_owned(), fixed_percent)
    };
    let what = if *users { "users" } else { "requests" };
    for (name, reading) in [("baseline", errors.baseline), ("challenger", errors.challenger)] {
        let (total, bad) = (thousands(reading.total), thousands(reading.bad));
        writeln!(
            console.out,
            "    {name:<10}  {total:>10} {what}, {bad:>7} with errors  {:>8}",
            ratio(reading)
        )?;
    }
    for gate in &look.evidence {
        let name = match gate.gate {
            Gate::Errors => "errors",
            Gate::Slow => "slow",
        };
        let safe = gate.safe.zip(gate.safe_at);
        let safe = safe.map_or_else(
            || "-".to_owned(),
            |(found, at)| format!("{} of {at:.1}", evidence(found)),
        );
        let (harm, at) = (evidence(gate.harm), gate.harm_at);
        writeln!(
            console.out,
            "    {name:<10}  evidence of harm {harm} of {at:.1}, of safety {safe}"
        )?;
    }
    Ok(())
}

/// An entry of a log as a line for people; `None` for looks that only hold as the one before did.
pub(super) fn entry(entry: &Entry, last: &mut String) -> Option<String> {
    let told = match &entry.what {
        What::Started(started) => format!("started by {}, policy {}", started.by, started.policy),
        What::Look(look) => {
            let text = match &look.decision {
                Decision::Hold { why: Held::Time { .. } } => {
                    "hold: the step's time is not over".to_owned()
                }
                Decision::Hold { why: Held::Responses { .. } } => {
                    "hold: too few responses of the challenger".to_owned()
                }
                other => other.to_string(),
            };
            let to = look.to.as_ref().map(|to| format!(": weight {}", weight(to.weight)));
            styled(&look.decision, &(text + &to.unwrap_or_default()))
        }
        What::Moved { policy } => format!("in its file: policy {policy}"),
        What::Failed { why } => format!("failed: {why}"),
        What::Order { order, by, why } => {
            let why = if why.is_empty() { String::new() } else { format!(": {why}") };
            let order = serde_json::to_string(order).unwrap_or_default();
            format!("{} by {by}{why}", order.trim_matches('"'))
        }
    };
    if *last == told {
        return None;
    }
    last.clone_from(&told);
    Some(format!("{}  {told}", second(Moment::new(entry.at))))
}

/// A time without the part of its second: of one width, whatever it is.
fn second(at: Moment) -> String {
    moment::write(Moment::new(at.get().saturating_sub(at.get() % 1000)))
}

/// Evidence with one decimal, and 0 without a sign.
fn evidence(found: f64) -> String {
    let text = format!("{found:.1}");
    if text == "-0.0" { "0.0".to_owned() } else { text }
}

/// Where a rollout stands, for programs.
#[derive(Debug, Serialize)]
pub(super) struct Standing {
    split: String,
    challenger: String,
    /// From 1.
    step: Option<usize>,
    steps: usize,
    weight: String,
    paused: bool,
    ended: Option<&'static str>,
    decision: Option<String>,
}

impl Standing {
    pub(super) fn of(driver: &Driver, entries: &[Entry]) -> Self {
        let (state, rollout) = (driver.state(), driver.rollout());
        let last = entries.iter().rev().find_map(|entry| match &entry.what {
            What::Look(look) => Some(look.decision.to_string()),
            _ => None,
        });
        Self {
            split: rollout.split.clone(),
            challenger: rollout.challenger.clone(),
            step: state.step.map(|step| step.saturating_add(1)),
            steps: rollout.steps.len(),
            weight: state.weight.to_string(),
            paused: state.paused,
            ended: state.ended.map(rollout::course::End::as_str),
            decision: last,
        }
    }

    pub(super) fn show(&self, console: &mut Console<'_>) -> io::Result<()> {
        let Self { split, challenger, step, steps, weight, paused, ended, decision } = self;
        let step = step.map_or_else(
            || "before the first step".to_owned(),
            |step| format!("step {step} of {steps}"),
        );
        let paused = if *paused { ", paused" } else { "" };
        let name = style::strong(format!("{split}/{challenger}"));
        writeln!(console.out, "{name}: weight {weight}, {step}{paused}")?;
        match (ended, decision) {
            (Some(end), _) => writeln!(console.out, "  ended: {}", end.replace('_', " ")),
            (None, Some(decision)) => writeln!(console.out, "  {decision}"),
            (None, None) => writeln!(console.out, "  nobody has looked yet"),
        }
    }

    pub(super) fn write(&self, format: Format, console: &mut Console<'_>) -> io::Result<()> {
        match format {
            Format::Human => self.show(console),
            Format::Json => write_json(console.out, self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_of_one_width_and_no_evidence_is_minus_nothing() {
        for (at, told) in [(1_000, "01Z"), (1_340, "01Z"), (59_999, "59Z")] {
            let text = second(Moment::new(at));
            assert!(text.len() == 20 && text.ends_with(told), "{text}");
        }
        assert_eq!([-0.04, 0.0, -0.06, 12.34].map(evidence), ["0.0", "0.0", "-0.1", "12.3"]);
    }
}
