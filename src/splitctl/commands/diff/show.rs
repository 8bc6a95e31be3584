//! The report, for people and for programs.

use std::io::{self, Write};

use engine::policy::Value as PolicyValue;
use serde_json::{Value, json};

use super::changes::{Change, words};
use super::moves::Moves;
use super::reshuffle::Reshuffle;
use super::steps::Step;
use super::{Kind, Report, SplitReport};
use crate::format::Format;
use crate::source::to_json;
use crate::style;
use crate::text::{decimals, fixed_percent, percent, plural, printable, thousands, write_json};

/// How much of a long value is shown.
const VALUE: usize = 60;

impl Report<'_> {
    /// Writes it.
    pub(super) fn show(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        if format == Format::Json {
            return write_json(out, &self.to_json());
        }
        let at = self.at.map(|at| format!(" at {at}")).unwrap_or_default();
        writeln!(out, "{}{at}", style::strong(format!("{} -> {}", self.old, self.new)))?;
        let is_same = self.changes.is_empty() && self.splits.iter().all(SplitReport::is_same);
        if is_same {
            writeln!(out, "{}: the policies say the same", style::fine("no change"))?;
            return Ok(());
        }
        if !self.changes.is_empty() {
            writeln!(out, "\n{}", style::strong("policy"))?;
            show_changes(&self.changes, out)?;
            show_reshuffles(&self.reshuffles, out)?;
        }
        for split in self.splits.iter().filter(|split| !split.is_untouched()) {
            split.show(self.users, out)?;
        }
        self.show_verdict(out)
    }

    fn show_verdict(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.max_step.is_none() && !self.fail_on_reshuffle {
            return Ok(());
        }
        writeln!(out)?;
        let (failed, ok) = (style::error("failed"), style::fine("ok"));
        if let Some(limit) = self.max_step {
            let limit = decimals(limit);
            let mut any = false;
            for split in &self.splits {
                for step in &split.steps {
                    any = true;
                    let Step { variant, from, to, .. } = step;
                    let rise = decimals((to - from) * 100.0);
                    let (from, to) = (percent(*from), percent(*to));
                    let at = step.at.map(|at| format!(" at {at}")).unwrap_or_default();
                    let split = &split.name;
                    writeln!(
                        out,
                        "{failed}: `{variant}` of `{split}` rises by {rise} points{at}, from {from} to {to}; the limit is {limit}"
                    )?;
                }
            }
            if !any {
                writeln!(out, "{ok}: no variant rises by more than {limit} points")?;
            }
        }
        if self.fail_on_reshuffle {
            match self.reshuffle_count() {
                0 => writeln!(out, "{ok}: no reshuffle")?,
                count => writeln!(out, "{failed}: {}", plural(count as u64, "reshuffle"))?,
            }
        }
        Ok(())
    }

    fn to_json(&self) -> Value {
        let is_fine = self.outcome() == crate::Outcome::Fine;
        json!({
            "ok": is_fine,
            "users": self.users,
            "at": self.at.map(|at| at.to_string()),
            "changes": self.changes.iter().map(change_to_json).collect::<Vec<_>>(),
            "reshuffles": self.reshuffles.iter().map(reshuffle_to_json).collect::<Vec<_>>(),
            "splits": self.splits.iter().map(SplitReport::to_json).collect::<Vec<_>>(),
        })
    }
}

impl SplitReport {
    fn is_same(&self) -> bool {
        matches!(self.kind, Kind::Kept) && self.changes.is_empty()
    }

    /// Neither changed nor touched by a change elsewhere, such as in a layer.
    fn is_untouched(&self) -> bool {
        self.is_same()
            && self.reshuffles.is_empty()
            && self.steps.is_empty()
            && self.moves.as_ref().is_none_or(|moves| moves.moved() == 0)
    }

    fn show(&self, users: u64, out: &mut dyn Write) -> io::Result<()> {
        let kind = match &self.kind {
            Kind::Added => "  new".to_owned(),
            Kind::Removed => "  removed".to_owned(),
            Kind::Renamed { from } => format!("  renamed from `{from}`"),
            Kind::Kept => String::new(),
        };
        writeln!(out, "\n{}{kind}", style::strong(&self.name))?;
        show_changes(&self.changes, out)?;
        show_reshuffles(&self.reshuffles, out)?;
        let Some(moves) = &self.moves else { return Ok(()) };
        let share = |count: u64| {
            format!("{} ({})", thousands(count), fixed_percent(count as f64 / users as f64))
        };
        let (moved, minimum) = (moves.moved(), moves.minimum());
        if moved == 0 {
            return writeln!(out, "  nobody of {} moves", plural(users, "user"));
        }
        let (moved, minimum) = (share(moved), share(minimum));
        writeln!(
            out,
            "  {moved} of {} move; the fewest for these shares: {minimum}",
            plural(users, "user")
        )?;
        show_matrix(moves, out)
    }

    fn to_json(&self) -> Value {
        let (kind, from) = match &self.kind {
            Kind::Added => ("added", None),
            Kind::Removed => ("removed", None),
            Kind::Renamed { from } => ("renamed", Some(from)),
            Kind::Kept => ("kept", None),
        };
        let moves = self.moves.as_ref().map(|moves| {
            json!({
                "moved": moves.moved(),
                "minimum": moves.minimum(),
                "from": moves.from,
                "to": moves.to,
                "matrix": moves.counts,
            })
        });
        let step = |step: &Step| {
            json!({
                "variant": step.variant,
                "from": step.from,
                "to": step.to,
                "at": step.at.map(|at| at.to_string()),
            })
        };
        json!({
            "name": self.name,
            "kind": kind,
            "renamed_from": from,
            "changes": self.changes.iter().map(change_to_json).collect::<Vec<_>>(),
            "reshuffles": self.reshuffles.iter().map(reshuffle_to_json).collect::<Vec<_>>(),
            "moves": moves,
            "too_large_steps": self.steps.iter().map(step).collect::<Vec<_>>(),
        })
    }
}

fn show_changes(changes: &[Change], out: &mut dyn Write) -> io::Result<()> {
    let width = changes.iter().map(|change| change.field.len()).max().unwrap_or_default();
    for Change { field, from, to } in changes {
        let change = match (from, to) {
            (Some(from), Some(to)) if shown(from) == shown(to) => {
                // Secrets, or texts that differ where they are cut.
                format!("changed: {}", shown(to))
            }
            (Some(from), Some(to)) => format!("{} -> {}", shown(from), shown(to)),
            (None, Some(to)) => format!("added: {}", shown(to)),
            (Some(from), None) => format!("removed: {}", shown(from)),
            (None, None) => continue,
        };
        writeln!(out, "  {field:width$}  {change}")?;
    }
    Ok(())
}

fn shown(value: &PolicyValue) -> String {
    let words = words(value);
    let mut text: String = printable(&words).chars().take(VALUE).collect();
    if words.chars().nth(VALUE).is_some() {
        text.push_str("...");
    }
    text
}

fn show_reshuffles(reshuffles: &[Reshuffle], out: &mut dyn Write) -> io::Result<()> {
    for Reshuffle { message, help, .. } in reshuffles {
        writeln!(out, "  {}: {message}", style::warning("reshuffle"))?;
        if let Some(help) = help {
            writeln!(out, "    {}: {help}", style::strong("help"))?;
        }
    }
    Ok(())
}

/// The old variants down, the new ones across; without those where nobody was and nobody is.
fn show_matrix(moves: &Moves, out: &mut dyn Write) -> io::Result<()> {
    let rows: Vec<(&String, &Vec<u64>)> = moves
        .from
        .iter()
        .zip(&moves.counts)
        .filter(|(_, row)| row.iter().any(|count| *count > 0))
        .collect();
    let columns: Vec<(usize, &String)> = moves
        .to
        .iter()
        .enumerate()
        .filter(|(to, _)| rows.iter().any(|(_, row)| row.get(*to).is_some_and(|count| *count > 0)))
        .collect();
    const CORNER: &str = "from \\ to";
    let first = rows.iter().map(|(name, _)| name.len()).chain([CORNER.len()]).max();
    let first = first.unwrap_or_default();
    let numbers = rows.iter().flat_map(|(_, row)| row.iter().map(|n| thousands(*n).len()));
    let number = numbers.max().unwrap_or_default();
    let mut head = format!("    {CORNER:first$}");
    for (_, name) in &columns {
        let width = name.len().max(number);
        head.push_str(&format!("  {name:>width$}"));
    }
    writeln!(out, "{}", style::faint(head))?;
    for (name, row) in rows {
        write!(out, "    {name:first$}")?;
        for (to, column) in &columns {
            let width = column.len().max(number);
            let count = thousands(row.get(*to).copied().unwrap_or_default());
            write!(out, "  {count:>width$}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn change_to_json(change: &Change) -> Value {
    let value = |value: &Option<PolicyValue>| match value {
        Some(value) => to_json(value)
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or(Value::Null),
        None => Value::Null,
    };
    json!({"field": change.field, "from": value(&change.from), "to": value(&change.to)})
}

fn reshuffle_to_json(reshuffle: &Reshuffle) -> Value {
    let Reshuffle { kind, message, help } = reshuffle;
    json!({"kind": kind, "message": message, "help": help})
}
