//! `splitctl codes`: every diagnostic, what it means and what to do about it.

mod entries;

use std::io::{self, Write};

use anyhow::bail;
use engine::policy::Severity;
use serde::Serialize;

use crate::console::Console;
use crate::format::Format;
use crate::outcome::Outcome;
use crate::style;
use crate::table::{Table, words};
use crate::text::write_json;
use entries::{Entry, Example};

const EXAMPLES: &str = "\
Examples:
  splitctl codes
  splitctl codes weight_sum
  splitctl codes --format json

Codes are stable: they keep their name and meaning from release to release.";

/// Lists the diagnostics, or explains one.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The code, as in `error[weight_sum]`.
    #[arg(value_name = "CODE")]
    code: Option<String>,

    /// How the answer is written.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the command.
///
/// # Errors
/// When there is no such code, or the answer cannot be written.
pub fn run(args: &Args, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    let all = entries::all();
    let asked = args.code.as_deref();
    let shown: Vec<&Entry> = all.iter().filter(|e| asked.is_none_or(|c| c == e.code)).collect();
    if let (Some(asked), []) = (asked, shown.as_slice()) {
        bail!("there is no code `{asked}`; `splitctl codes` lists all");
    }
    match (args.format, asked) {
        (Format::Json, _) => {
            let list: Vec<EntryReport> = shown.into_iter().map(EntryReport::new).collect();
            write_json(console.out, &list)?;
        }
        (Format::Human, Some(_)) => shown.into_iter().try_for_each(|e| explain(e, console.out))?,
        (Format::Human, None) => list(&shown, console.out)?,
    }
    Ok(Outcome::Fine)
}

fn list(entries: &[&Entry], out: &mut dyn Write) -> io::Result<()> {
    for severity in [Severity::Error, Severity::Warning] {
        let head = match severity {
            Severity::Error => "errors: the policy is refused",
            Severity::Warning => "\nwarnings: the policy works, but perhaps not as meant",
        };
        writeln!(out, "{}", style::strong(head))?;
        let mut table = Table::new([words(""), words("")]);
        for entry in entries.iter().filter(|entry| entry.severity == severity) {
            table.row([entry.code, entry.meaning].map(str::to_owned));
        }
        table.show(2, out)?;
    }
    Ok(())
}

fn explain(entry: &Entry, out: &mut dyn Write) -> io::Result<()> {
    let head = format!("{}[{}]", entry.severity.as_str(), entry.code);
    match entry.severity {
        Severity::Error => writeln!(out, "{}", style::error(head))?,
        Severity::Warning => writeln!(out, "{}", style::warning(head))?,
    }
    writeln!(out, "{}\n{}\n", entry.meaning, entry.explanation)?;
    let (where_, text) = match entry.example {
        Example::Policy(text) => ("For example, in a policy:", text),
        Example::Split(text) => ("For example, in a split:", text),
        Example::File(text) => ("For example, a whole file:", text),
        Example::Long(text) => ("For example, a whole file with thousands of users:", text),
    };
    writeln!(out, "{where_}")?;
    text.lines().try_for_each(|line| writeln!(out, "  {line}"))
}

/// A code for programs.
#[derive(Debug, Serialize)]
struct EntryReport {
    code: &'static str,
    severity: &'static str,
    meaning: &'static str,
    explanation: &'static str,
    example: ExampleReport,
}

#[derive(Debug, Serialize)]
struct ExampleReport {
    #[serde(rename = "in")]
    place: &'static str,
    text: &'static str,
}

impl EntryReport {
    fn new(entry: &Entry) -> Self {
        let (place, text) = match entry.example {
            Example::Policy(text) => ("policy", text),
            Example::Split(text) => ("split", text),
            Example::File(text) | Example::Long(text) => ("file", text),
        };
        Self {
            code: entry.code,
            severity: entry.severity.as_str(),
            meaning: entry.meaning,
            explanation: entry.explanation,
            example: ExampleReport { place, text },
        }
    }
}

#[cfg(test)]
#[path = "codes/tests.rs"]
mod tests;
