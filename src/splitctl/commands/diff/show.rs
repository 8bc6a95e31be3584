//! The report for people.

use std::io::{self, Write};

use engine::policy::Value;

use super::changes::{self, Change};
use super::json::ReportJson;
use super::moves::{Disturbed, Moves};
use super::reshuffle::Reshuffle;
use super::steps::Step;
use super::{Kind, Report, SplitReport};
use crate::format::Format;
use crate::style;
use crate::table::{Table, numbers, words};
use crate::text::{decimals, fixed_percent, harmless, percent, plural, thousands, write_json};

/// How much of a long value is shown.
const VALUE: usize = 60;

impl Report<'_> {
    /// Writes it.
    pub(super) fn show(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        if format == Format::Json {
            return write_json(out, &ReportJson::new(self));
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
        if let Some(jump) = &self.jump {
            let (note, rises, start) = (style::warning("note"), jump.rises(), jump.start);
            writeln!(
                out,
                "  {note}: `pause` is out, and the ramp goes on from where it would be without it: {rises}; to go on from where it stood, write `start: {start}`"
            )?;
        }
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
        show_matrix(moves, out)?;
        // Where users are drawn anew that says it all.
        let Some(Disturbed { variants, leave, join }) =
            moves.disturbed().filter(|_| self.reshuffles.is_empty())
        else {
            return Ok(());
        };
        let names: Vec<_> = variants.iter().map(|name| format!("`{name}`")).collect();
        let (note, names) = (style::warning("note"), names.join(", "));
        let (leave, join) = (thousands(leave), thousands(join));
        writeln!(
            out,
            "  {note}: {names}: the share stays, but {leave} of the users leave and {join} join; a variant that gains draws from all others"
        )
    }
}

fn show_changes(changes: &[Change], out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new([words(""), words("")]);
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
        table.row([field.clone(), change]);
    }
    table.show(2, out)
}

fn shown(value: &Value) -> String {
    let words = harmless(&changes::words(value));
    let mut text: String = words.chars().take(VALUE).collect();
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
    let heads = columns.iter().map(|(_, name)| numbers(*name));
    let mut table = Table::new([words("from \\ to")].into_iter().chain(heads));
    for (name, row) in rows {
        let counts = columns.iter().map(|(to, _)| row.get(*to).copied().unwrap_or_default());
        table.row([name.clone()].into_iter().chain(counts.map(thousands)));
    }
    table.show(4, out)
}
