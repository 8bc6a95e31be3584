//! `splitctl codes`: every diagnostic, what it means and what to do about it.

mod entries;

use std::io::{self, Write};

use anyhow::bail;
use engine::policy::Severity;
use serde_json::{Value, json};

use crate::console::Console;
use crate::format::Format;
use crate::outcome::Outcome;
use crate::style;
use entries::{Entry, Example};
#[cfg(test)]
pub(crate) use entries::{Entry as CodeEntry, all as all_entries};

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
            let list: Vec<Value> = shown.into_iter().map(to_json).collect();
            serde_json::to_writer_pretty(&mut *console.out, &list)?;
            writeln!(console.out)?;
        }
        (Format::Human, Some(_)) => shown.into_iter().try_for_each(|e| explain(e, console.out))?,
        (Format::Human, None) => list(&shown, console.out)?,
    }
    Ok(Outcome::Fine)
}

fn list(entries: &[&Entry], out: &mut dyn Write) -> io::Result<()> {
    let width = entries.iter().map(|entry| entry.code.len()).max().unwrap_or(0);
    for severity in [Severity::Error, Severity::Warning] {
        let head = match severity {
            Severity::Error => "errors: the policy is refused",
            Severity::Warning => "\nwarnings: the policy works, but perhaps not as meant",
        };
        writeln!(out, "{}", style::strong(head))?;
        for entry in entries.iter().filter(|entry| entry.severity == severity) {
            writeln!(out, "  {:width$}  {}", entry.code, entry.meaning)?;
        }
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
    };
    writeln!(out, "{where_}")?;
    text.lines().try_for_each(|line| writeln!(out, "  {line}"))
}

fn to_json(entry: &Entry) -> Value {
    let (place, text) = match entry.example {
        Example::Policy(text) => ("policy", text),
        Example::Split(text) => ("split", text),
        Example::File(text) => ("file", text),
    };
    json!({
        "code": entry.code,
        "severity": entry.severity.as_str(),
        "meaning": entry.meaning,
        "explanation": entry.explanation,
        "example": {"in": place, "text": text},
    })
}

#[cfg(test)]
#[path = "codes/tests.rs"]
pub(crate) mod tests;
