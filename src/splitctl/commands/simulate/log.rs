//! The requests of an access log: which splits they would meet, and which variant, where the key was logged.

use std::io::{self, BufWriter, Write};

use anyhow::{Result, bail};
use engine::decision::{Context, Nobody, decide};
use engine::ids::{Id as _, List, SplitId, VariantId};
use engine::plan::Plan;

use super::json;
use super::log_line::Logged;
use crate::format::Format;
use crate::keys::Lines;
use crate::moment::Moment;
use crate::style;
use crate::table::{Table, numbers, words};
use crate::text::{percent, plural, thousands};

/// Whether a request meets a split.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Met {
    No,
    /// It does; the variant depends on what was not logged.
    Unknown,
    Variant(VariantId),
}

/// What became of all lines.
struct Totals<'p> {
    plan: &'p Plan,
    wanted: &'p [SplitId],
    lines: u64,
    unreadable: u64,
    /// Those of them that are not UTF-8.
    not_text: u64,
    /// Requests that meet none of the wanted splits.
    unsplit: u64,
    /// For each split of the plan: how many met it, by variant; the last is unknown.
    met: List<SplitId, Vec<u64>>,
}

/// Reads the log and writes, line by line, what it holds; and the sums at the end.
pub(super) fn run(
    plan: &Plan,
    wanted: &[SplitId],
    mut log: Lines,
    at: Option<Moment>,
    format: Format,
    out: &mut dyn Write,
) -> Result<()> {
    let met = plan.policy.splits.map(|split| vec![0; split.variants.len().saturating_add(1)]);
    let mut totals = Totals { plan, wanted, lines: 0, unreadable: 0, not_text: 0, unsplit: 0, met };
    let start = Moment::now();
    let mut out = BufWriter::new(out);
    if format == Format::Json {
        write!(out, "{{\n  \"lines\": [")?;
    }
    while log.advance()? {
        if log.line().is_empty() {
            continue;
        }
        // A byte more or less is another user: what is not text is not guessed.
        let text = str::from_utf8(log.line());
        totals.not_text = totals.not_text.saturating_add(u64::from(text.is_err()));
        let logged = text.ok().and_then(Logged::parse);
        let now = at.or(logged.as_ref().and_then(|logged| logged.at)).unwrap_or(start);
        let met = logged.as_ref().map(|logged| meet(plan, logged, now));
        let first = totals.lines == 0;
        totals.count(met.as_ref());
        match format {
            Format::Human => totals.show_line(log.number(), logged.as_ref(), met, &mut out)?,
            Format::Json => {
                let line = totals.line_to_json(log.number(), logged.as_ref(), met);
                let line = serde_json::to_value(line)?;
                write!(out, "{}\n    {line}", if first { "" } else { "," })?;
            }
        }
    }
    match format {
        Format::Human => totals.show(log.name(), &mut out)?,
        Format::Json => {
            let rest = format!("{:#}", serde_json::to_value(totals.to_json())?);
            let rest = rest.strip_prefix('{').unwrap_or(&rest);
            writeln!(out, "\n  ],{rest}")?;
        }
    }
    out.flush()?;
    if totals.lines > 0 && totals.unreadable == totals.lines {
        let (name, lines) = (log.name(), plural(totals.lines, "line"));
        if totals.not_text == totals.lines {
            bail!("`{name}`: {lines}, and none is UTF-8");
        }
        bail!(
            "`{name}`: {lines}, and none can be read: a line is Envoy's default text, Istio's, or a JSON object with `host` and `path`"
        );
    }
    Ok(())
}

/// What each split of the plan does with a request.
fn meet(plan: &Plan, request: &Logged, now: Moment) -> List<SplitId, Met> {
    let context = Context { now: now.0, random: [0; 2] };
    let decisions = decide(plan, &plan.facts(request), &context, &mut Nobody);
    let met = |id| match decisions.of(id) {
        Some(decision) => Met::Variant(decision.variant),
        None if decisions.unknown().contains(&id) => Met::Unknown,
        None => Met::No,
    };
    plan.splits.ids().map(met).collect()
}

impl Totals<'_> {
    fn count(&mut self, met: Option<&List<SplitId, Met>>) {
        self.lines = self.lines.saturating_add(1);
        let Some(met) = met else {
            self.unreadable = self.unreadable.saturating_add(1);
            return;
        };
        let mut any = false;
        for id in self.wanted {
            let counts = &mut self.met[*id];
            let place = match met[*id] {
                Met::No => continue,
                Met::Unknown => counts.last_mut(),
                Met::Variant(variant) => counts.get_mut(variant.place()),
            };
            any = true;
            if let Some(place) = place {
                *place = place.saturating_add(1);
            }
        }
        self.unsplit = self.unsplit.saturating_add(u64::from(!any));
    }

    /// The wanted splits that a request meets, each with its variant.
    fn met_splits(&self, met: &List<SplitId, Met>) -> Vec<(&str, Option<&str>)> {
        let split = |id: &SplitId| {
            let split = &self.plan.policy.splits[*id];
            let variant = match met[*id] {
                Met::No => return None,
                Met::Unknown => None,
                Met::Variant(variant) => Some(split.variants[variant].name.as_str()),
            };
            Some((split.name.as_str(), variant))
        };
        self.wanted.iter().filter_map(split).collect()
    }

    fn show_line(
        &self,
        number: u64,
        logged: Option<&Logged>,
        met: Option<List<SplitId, Met>>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let (Some(logged), Some(met)) = (logged, met) else {
            return writeln!(out, "{number:>6}  {}", style::warning("cannot be read"));
        };
        let splits: Vec<String> = self
            .met_splits(&met)
            .iter()
            .map(|(split, variant)| format!("{split}={}", variant.unwrap_or("?")))
            .collect();
        let request = logged.describe();
        if splits.is_empty() {
            return writeln!(out, "{number:>6}  {request}  {}", style::faint("no split"));
        }
        writeln!(out, "{number:>6}  {request}  {}", style::strong(splits.join(", ")))
    }

    fn line_to_json(
        &self,
        number: u64,
        logged: Option<&Logged>,
        met: Option<List<SplitId, Met>>,
    ) -> json::Line<'_> {
        let splits = met.map(|met| {
            let splits = self.met_splits(&met).into_iter();
            splits.map(|(name, variant)| json::MetSplit { name, variant }).collect()
        });
        json::Line { line: number, request: logged.map(Logged::describe), splits }
    }

    fn show(&self, name: &str, out: &mut dyn Write) -> io::Result<()> {
        let lines = plural(self.lines, "line");
        writeln!(out, "\n{}: {lines}", style::strong(name))?;
        let readable = self.lines.saturating_sub(self.unreadable);
        let share = |count: u64| percent(count as f64 / readable.max(1) as f64);
        let chosen = self.wanted.iter().map(|id| (&self.plan.policy.splits[*id], &self.met[*id]));
        let mut table = Table::new([words(""), numbers(""), numbers(""), words("")]);
        for (split, counts) in chosen {
            let names = split.variants.iter().map(|v| v.name.as_str()).chain(["unknown"]);
            let parts = names.zip(counts).filter(|(_, count)| **count > 0);
            let parts: Vec<String> =
                parts.map(|(name, count)| format!("{name} {}", thousands(*count))).collect();
            let count = counts.iter().sum();
            table.row([split.name.clone(), thousands(count), share(count), parts.join(", ")]);
        }
        let (none, count) = ("no split".to_owned(), self.unsplit);
        table.row([none, thousands(count), share(count), String::new()]);
        table.show(2, out)?;
        if self.unreadable > 0 {
            let note = style::warning("note");
            let lines = plural(self.unreadable, "line");
            let why = match self.not_text {
                0 => String::new(),
                all if all == self.unreadable => ": not UTF-8".to_owned(),
                some => format!(", {} not UTF-8", thousands(some)),
            };
            writeln!(out, "{note}: {lines} cannot be read{why}")?;
        }
        if self.met.iter().any(|counts| counts.last().is_some_and(|unknown| *unknown > 0)) {
            let note = style::warning("note");
            writeln!(
                out,
                "{note}: `?`, unknown: the user's key is not in the log, or chance decides"
            )?;
        }
        Ok(())
    }

    fn to_json(&self) -> json::Totals<'_> {
        let chosen = self.wanted.iter().map(|id| (&self.plan.policy.splits[*id], &self.met[*id]));
        let splits = chosen.map(|(split, counts)| {
            let named = split.variants.iter().zip(counts);
            let variants =
                named.map(|(v, &requests)| json::VariantTotal { name: &v.name, requests });
            json::SplitTotals {
                name: &split.name,
                requests: counts.iter().sum(),
                variants: variants.collect(),
                unknown: counts.last().copied(),
            }
        });
        json::Totals {
            requests: self.lines.saturating_sub(self.unreadable),
            unreadable: self.unreadable,
            no_split: self.unsplit,
            splits: splits.collect(),
        }
    }
}
