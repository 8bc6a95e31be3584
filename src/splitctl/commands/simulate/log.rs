//! The requests of an access log: which splits they would meet, and which variant, where the key was logged.

use std::io::{self, BufWriter, Write};

use anyhow::Result;
use engine::decision::{Context, Decision, Explanation, Reason, Step};
use engine::plan::Plan;
use serde_json::{Value, json};

use super::log_line::Logged;
use crate::format::Format;
use crate::keys::Lines;
use crate::moment::Moment;
use crate::style;
use crate::text::{percent, plural, thousands};

/// Whether a request meets a split.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Met {
    No,
    /// It does; the variant depends on what was not logged.
    Unknown,
    Variant(usize),
}

/// What became of all lines.
struct Totals<'p> {
    plan: &'p Plan,
    wanted: &'p [usize],
    lines: u64,
    unreadable: u64,
    /// Requests that meet none of the wanted splits.
    unsplit: u64,
    /// For each split of the plan: how many met it, by variant; the last is unknown.
    met: Vec<Vec<u64>>,
}

/// Reads the log and writes, line by line, what it holds; and the sums at the end.
pub(super) fn run(
    plan: &Plan,
    wanted: &[usize],
    mut log: Lines,
    at: Option<Moment>,
    format: Format,
    out: &mut dyn Write,
) -> Result<()> {
    let counts = |split: &engine::plan::SplitPlan| vec![0; split.variants.len().saturating_add(1)];
    let met = plan.splits.iter().map(counts).collect();
    let mut totals = Totals { plan, wanted, lines: 0, unreadable: 0, unsplit: 0, met };
    let start = Moment::now();
    let mut out = BufWriter::new(out);
    if format == Format::Json {
        write!(out, "{{\n  \"lines\": [")?;
    }
    while log.advance()? {
        if log.line().is_empty() {
            continue;
        }
        let logged = Logged::parse(&String::from_utf8_lossy(log.line()));
        let now = at.or(logged.as_ref().and_then(|logged| logged.at)).unwrap_or(start);
        let met = logged.as_ref().map(|logged| meet(plan, logged, now));
        let first = totals.lines == 0;
        totals.count(met.as_deref());
        match format {
            Format::Human => totals.show_line(log.number(), logged.as_ref(), met, &mut out)?,
            Format::Json => {
                let line = totals.line_to_json(log.number(), logged.as_ref(), met);
                write!(out, "{}\n    {line}", if first { "" } else { "," })?;
            }
        }
    }
    match format {
        Format::Human => totals.show(log.name(), &mut out)?,
        Format::Json => {
            let rest = format!("{:#}", totals.to_json());
            let rest = rest.strip_prefix('{').unwrap_or(&rest);
            writeln!(out, "\n  ],{rest}")?;
        }
    }
    Ok(out.flush()?)
}

/// What each split of the plan does with a request.
fn meet(plan: &Plan, request: &Logged, now: Moment) -> Vec<Met> {
    let context = Context { now: now.0, random: [0; 2] };
    let Explanation { splits } = plan.explain(request, &context);
    let mut met: Vec<Met> = Vec::with_capacity(splits.len());
    for (steps, split) in splits.iter().zip(&plan.splits) {
        let unknown = |required: &engine::plan::RequirementPlan| {
            let earlier = required.split.and_then(|split| met.get(split));
            earlier == Some(&Met::Unknown)
        };
        let depends = split.requires.iter().any(unknown);
        met.push(met_of(steps, depends));
    }
    met
}

fn met_of(steps: &[Step], depends_on_unknown: bool) -> Met {
    let mut key_missing = false;
    for step in steps {
        match step {
            Step::Unmatched { .. } | Step::LayerTaken => return Met::No,
            Step::RequirementUnmet { .. } if depends_on_unknown => return Met::Unknown,
            Step::Slice { bucket: None, .. } => return Met::Unknown,
            Step::Slice { holds: false, .. } | Step::RequirementUnmet { .. } => return Met::No,
            Step::NoKey => key_missing = true,
            Step::Decided(Decision {
                reason: Reason::Killed | Reason::Override, variant, ..
            }) => {
                return Met::Variant(*variant);
            }
            Step::Decided(Decision { reason: Reason::Random, .. })
            | Step::Decided(Decision { new_key: true, .. }) => return Met::Unknown,
            Step::Decided(decision) if !key_missing => return Met::Variant(decision.variant),
            _ => {}
        }
    }
    if key_missing { Met::Unknown } else { Met::No }
}

impl Totals<'_> {
    fn count(&mut self, met: Option<&[Met]>) {
        self.lines = self.lines.saturating_add(1);
        let Some(met) = met else {
            self.unreadable = self.unreadable.saturating_add(1);
            return;
        };
        let mut any = false;
        for index in self.wanted {
            let (Some(met), Some(counts)) = (met.get(*index), self.met.get_mut(*index)) else {
                continue;
            };
            let place = match met {
                Met::No => continue,
                Met::Unknown => counts.last_mut(),
                Met::Variant(variant) => counts.get_mut(*variant),
            };
            any = true;
            if let Some(place) = place {
                *place = place.saturating_add(1);
            }
        }
        self.unsplit = self.unsplit.saturating_add(u64::from(!any));
    }

    /// The wanted splits that a request meets, each with its variant.
    fn met_splits(&self, met: &[Met]) -> Vec<(&str, Option<&str>)> {
        let split = |index: &usize| {
            let split = self.plan.splits.get(*index)?;
            match *met.get(*index)? {
                Met::No => None,
                Met::Unknown => Some((split.name.as_str(), None)),
                Met::Variant(variant) => {
                    Some((split.name.as_str(), Some(split.variants.get(variant)?.name.as_str())))
                }
            }
        };
        self.wanted.iter().filter_map(split).collect()
    }

    fn show_line(
        &self,
        number: u64,
        logged: Option<&Logged>,
        met: Option<Vec<Met>>,
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

    fn line_to_json(&self, number: u64, logged: Option<&Logged>, met: Option<Vec<Met>>) -> Value {
        let splits = met.map(|met| {
            let splits = self.met_splits(&met);
            let split = |(name, variant)| json!({"name": name, "variant": variant});
            splits.into_iter().map(split).collect::<Vec<_>>()
        });
        json!({"line": number, "request": logged.map(Logged::describe), "splits": splits})
    }

    fn show(&self, name: &str, out: &mut dyn Write) -> io::Result<()> {
        let lines = plural(self.lines, "line");
        writeln!(out, "\n{}: {lines}", style::strong(name))?;
        let readable = self.lines.saturating_sub(self.unreadable);
        let share = |count: u64| percent(count as f64 / readable.max(1) as f64);
        let chosen = self
            .wanted
            .iter()
            .filter_map(|index| Some((self.plan.splits.get(*index)?, self.met.get(*index)?)));
        let mut rows: Vec<(String, u64, String)> = chosen
            .map(|(split, counts)| {
                let names = split.variants.iter().map(|v| v.name.as_str()).chain(["unknown"]);
                let parts = names.zip(counts).filter(|(_, count)| **count > 0);
                let parts: Vec<String> =
                    parts.map(|(name, count)| format!("{name} {}", thousands(*count))).collect();
                (split.name.clone(), counts.iter().sum(), parts.join(", "))
            })
            .collect();
        rows.push(("no split".to_owned(), self.unsplit, String::new()));
        let name_width = rows.iter().map(|(name, ..)| name.len()).max().unwrap_or_default();
        let count_width =
            rows.iter().map(|(_, n, _)| thousands(*n).len()).max().unwrap_or_default();
        for (name, count, parts) in rows {
            let row = format!(
                "  {name:name_width$}  {:>count_width$}  {:>8}  {parts}",
                thousands(count),
                share(count)
            );
            writeln!(out, "{}", row.trim_end())?;
        }
        if self.unreadable > 0 {
            let note = style::warning("note");
            writeln!(out, "{note}: {} cannot be read", plural(self.unreadable, "line"))?;
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

    fn to_json(&self) -> Value {
        let chosen = self
            .wanted
            .iter()
            .filter_map(|index| Some((self.plan.splits.get(*index)?, self.met.get(*index)?)));
        let splits = chosen.map(|(split, counts)| {
            let named = split.variants.iter().zip(counts);
            let variants: Vec<Value> =
                named.map(|(v, count)| json!({"name": v.name, "requests": count})).collect();
            json!({
                "name": split.name,
                "requests": counts.iter().sum::<u64>(),
                "variants": variants,
                "unknown": counts.last(),
            })
        });
        json!({
            "requests": self.lines.saturating_sub(self.unreadable),
            "unreadable": self.unreadable,
            "no_split": self.unsplit,
            "splits": splits.collect::<Vec<_>>(),
        })
    }
}
