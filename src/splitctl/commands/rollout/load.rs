//! A rollout file and its policy, read and checked.

use std::path::{Path, PathBuf};

use anyhow::Result;
use engine::policy::{Severity, Value};
use policy_text::source::{Part, Places, Source};
use rollout::file::{self, Code, Facts, Problem, Rollout, check_against};

use crate::console::{self, Console};
use crate::finding::Finding;
use crate::format::Format;
use crate::outcome::Outcome;
use crate::policy_file::{PolicyFile, Valid};
use crate::style;
use crate::text::plural;
use crate::verdict;

/// A rollout that can be carried out.
#[derive(Debug)]
pub(super) struct Loaded {
    /// As written.
    pub(super) document: Value,
    pub(super) rollout: Rollout,
    /// Its file.
    pub(super) path: PathBuf,
    /// Where the policy is.
    pub(super) policy_path: PathBuf,
    pub(super) policy: Valid,
    pub(super) facts: Facts,
}

/// Reads both files. Whatever is wrong with them is told, and the outcome is in the place of an answer.
pub(super) fn load(
    path: &Path,
    anew: bool,
    console: &mut Console<'_>,
) -> Result<Result<Loaded, Outcome>> {
    let source = Source::read(path)?;
    let (document, places) = match source.plain() {
        Ok(read) => read,
        Err(syntax) => return refuse(&source, vec![Finding::of_syntax(syntax)], console),
    };
    let findings = |problems: Vec<Problem>| -> Vec<Finding> {
        problems.into_iter().map(|problem| finding(problem, &places)).collect()
    };
    let rollout = match file::read(&document) {
        Ok(rollout) => rollout,
        Err(problems) => return refuse(&source, findings(problems), console),
    };
    let policy_path = beside(path, &rollout.policy);
    let policy = PolicyFile::read(&policy_path)?;
    let Some(valid) = policy.valid.clone() else {
        return Ok(Err(verdict::refuse(&policy, "not rolled out", Format::Human, console)?));
    };
    match check_against(&rollout, &valid.policy, anew) {
        Ok(facts) => {
            let path = path.to_owned();
            Ok(Ok(Loaded { document, rollout, path, policy_path, policy: valid, facts }))
        }
        Err(problems) => refuse(&source, findings(problems), console),
    }
}

/// A path that a file names: from the folder of that file.
pub(super) fn beside(file: &Path, name: &str) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).join(name)
}

fn refuse(
    source: &Source,
    mut findings: Vec<Finding>,
    console: &mut Console<'_>,
) -> Result<Result<Loaded, Outcome>> {
    findings.sort_by_key(|finding| finding.place.map(|place| (place.line, place.column)));
    let columns = console::columns().unwrap_or(100);
    for finding in &findings {
        finding.show(source, columns, console.err)?;
    }
    let (head, count) = (style::error("not valid"), plural(findings.len() as u64, "error"));
    writeln!(console.err, "{head} {}: {count}", source.name)?;
    Ok(Err(Outcome::NotValid))
}

fn finding(problem: Problem, places: &Places) -> Finding {
    let Problem { code, path, message, help } = problem;
    let part = match code {
        Code::UnknownField => Part::Name,
        Code::DuplicateField => Part::LastName,
        _ => Part::Value,
    };
    Finding {
        code: code.as_str(),
        severity: Severity::Error,
        place: places.find(&path, part),
        path,
        message,
        help: Some(help),
    }
}
