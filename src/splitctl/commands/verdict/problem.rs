//! What is wrong with a file of counts, told all at once.

use std::io::{self, Write};

use crate::style;
use crate::text::{harmless, plural};

/// So many are shown.
const SHOWN: usize = 20;

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    /// What is wrong, for programs.
    pub(super) code: &'static str,
    /// The file.
    pub(super) file: String,
    /// The line in it, from 1.
    pub(super) line: u64,
    /// What is wrong, for people.
    pub(super) message: String,
    /// What to do.
    pub(super) help: String,
}

/// Shows all problems, in the order of their lines.
pub(super) fn show(mut problems: Vec<Problem>, out: &mut dyn Write) -> io::Result<()> {
    problems.sort_by_key(|problem| problem.line);
    for Problem { code, file, line, message, help } in problems.iter().take(SHOWN) {
        let head = style::error(format!("error[{code}]"));
        let (message, help) = (harmless(message), harmless(help));
        writeln!(out, "{head}: {message}\n  --> {file}:{line}\n  = help: {help}\n")?;
    }
    let more = problems.len().saturating_sub(SHOWN);
    if more > 0 {
        writeln!(out, "and {} more", plural(more as u64, "problem"))?;
    }
    let refused = style::error("not judged");
    writeln!(out, "{refused}: {}", plural(problems.len() as u64, "problem"))
}
