//! A policy file, read and checked: the document, the policy where it is valid, and all findings.

use std::io::{self, Write};
use std::path::Path;

use annotate_snippets::renderer::DEFAULT_TERM_WIDTH;
use engine::metrics::Metrics;
use engine::plan::Plan;
use engine::policy::{self, Policy, Severity, Value};

use crate::console;
use crate::finding::Finding;
use crate::text::plural;
use policy_text::source::{Document, Source, Syntax, Unreadable};

/// A policy file after everything that can be said about it is known.
#[derive(Debug, Clone)]
pub struct PolicyFile {
    /// Its text.
    pub source: Source,
    /// All problems, syntax errors among them.
    pub findings: Vec<Finding>,
    /// What it means, where it is valid.
    pub valid: Option<Valid>,
    /// What the policy was found in; see [`Document::carrier`].
    pub carrier: Option<String>,
}

/// A valid policy.
#[derive(Debug, Clone)]
pub struct Valid {
    /// As written.
    pub document: Value,
    /// As understood.
    pub policy: Policy,
    /// Equal for every spelling of the same document; the gauge `traffic_split_policy_hash` shows it.
    pub hash: u64,
}

impl Valid {
    /// The hash as the filter's log shows it.
    pub fn hash_text(&self) -> String {
        format!("{:013x}", self.hash)
    }

    /// How many metrics a proxy has with this policy, whatever the requests are. A counter or gauge is one time series
    /// in Prometheus, a histogram one per bucket and two more.
    pub fn metrics(&self) -> usize {
        let metrics = Metrics::new(&Plan::new(self.policy.clone()));
        metrics.definitions().len().saturating_add(Metrics::OF_EVERY_PROXY.len())
    }
}

impl PolicyFile {
    /// Reads and checks a file, or the standard input for `-`.
    ///
    /// # Errors
    /// When it cannot be read. What it says is never an error here.
    pub fn read(path: &Path) -> Result<Self, Unreadable> {
        Source::read(path).map(Self::check)
    }

    /// Reads and checks all policies that a file carries; see [`Source::policies`].
    ///
    /// # Errors
    /// As [`PolicyFile::read`].
    pub fn read_all(path: &Path) -> Result<Vec<Self>, Unreadable> {
        let source = Source::read(path)?;
        Ok(match source.policies() {
            Ok(all) => all.into_iter().map(|one| Self::of(source.clone(), one)).collect(),
            Err(syntax) => vec![Self::refused(source, syntax)],
        })
    }

    /// Checks a text.
    pub fn check(source: Source) -> Self {
        match source.policy() {
            Ok(document) => Self::of(source, document),
            Err(syntax) => Self::refused(source, syntax),
        }
    }

    fn refused(source: Source, syntax: Syntax) -> Self {
        Self { source, findings: vec![Finding::of_syntax(syntax)], valid: None, carrier: None }
    }

    fn of(source: Source, document: Document) -> Self {
        let checked = policy::check(&document.value);
        let finding = |diagnostic| Finding::new(diagnostic, &document.places);
        let findings = checked.diagnostics.into_iter().map(finding).collect();
        let Document { value: document, carrier, .. } = document;
        let hash = checked.hash;
        let valid = checked.policy.map(|policy| Valid { document, policy, hash });
        Self { source, findings, valid, carrier }
    }

    /// How many findings have that severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// Shows all findings for people, each with its line, in the order of lines.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn show_findings(&self, out: &mut dyn Write) -> io::Result<()> {
        self.show_findings_in(console::columns().unwrap_or(DEFAULT_TERM_WIDTH), out)
    }

    pub(crate) fn show_findings_in(&self, columns: usize, out: &mut dyn Write) -> io::Result<()> {
        let mut findings: Vec<&Finding> = self.findings.iter().collect();
        findings.sort_by_key(|finding| finding.place.map(|place| (place.line, place.column)));
        findings.iter().try_for_each(|finding| finding.show(&self.source, columns, out))
    }

    /// Sums the findings up: `2 errors, 1 warning`.
    pub fn summary(&self) -> String {
        let counted = |severity, word| match self.count(severity) {
            0 => None,
            n => Some(plural(n as u64, word)),
        };
        let parts = [counted(Severity::Error, "error"), counted(Severity::Warning, "warning")];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() { "no problem".to_owned() } else { parts.join(", ") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_syntax_error_is_a_finding_too() {
        let file = PolicyFile::check(Source::new("a.json", "{\n  \"version\": ]\n}"));
        assert!(file.valid.is_none());
        let finding = &file.findings[0];
        assert_eq!(finding.code, "invalid_json");
        assert_eq!(finding.place.map(|place| (place.line, place.column)), Some((2, 14)));
        assert_eq!(file.summary(), "1 error");
    }
}
