//! A policy file, read and checked: the document, the policy where it is valid, and all findings.

use std::collections::{BTreeSet, HashSet};
use std::io::{self, Write};
use std::path::Path;

use annotate_snippets::renderer::DEFAULT_TERM_WIDTH;
use engine::metrics::Metrics;
use engine::plan::Plan;
use engine::policy::{Code, FilterState, Outcomes, Policy, Severity, Value};

use crate::console;
use crate::finding::Finding;
use crate::text::plural;
use crate::wasm_plugin::{TooLong, too_long};
use policy_text::source::{Document, Source, Syntax, Unreadable, to_json};

/// The kinds of objects by which a control plane mounts the filter.
const CONTROL_PLANES: [&str; 2] = ["WasmPlugin", "EnvoyExtensionPolicy"];

/// A policy file after everything that can be said about it is known.
#[derive(Debug, Clone)]
pub struct PolicyFile {
    /// Its text.
    pub source: Source,
    /// All problems, syntax errors among them, in the order of lines.
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
    /// Equal for everything that means the same; the gauge `traffic_split_policy_hash` shows it.
    pub hash: u64,
}

impl Valid {
    /// The hash as the filter's log shows it.
    pub fn hash_text(&self) -> String {
        format!("{:013x}", self.hash)
    }

    /// The same, and as metrics show it, which have numbers alone: `80b64ad4afe39 (2264186205539897 in metrics)`.
    pub fn hash_in_both(&self) -> String {
        format!("{} ({} in metrics)", self.hash_text(), self.hash)
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
        Source::read(path).map(Self::check_all)
    }

    /// Checks all policies of a text, each and together.
    pub fn check_all(source: Source) -> Vec<Self> {
        let mut files: Vec<Self> = match source.policies() {
            Ok(all) => all.into_iter().map(|one| Self::of(source.clone(), one)).collect(),
            Err(syntax) => return vec![Self::refused(source, syntax)],
        };
        let mut seen = BTreeSet::new();
        for file in &mut files {
            let splits = file.valid.iter().flat_map(|valid| valid.policy.splits.iter());
            let names: Vec<String> = splits.map(|split| split.name.clone()).collect();
            if let Some(name) = names.iter().find(|name| seen.contains(*name)) {
                let message = format!("split `{name}` is in another policy of the file, too");
                let help = "in one proxy both count into the same metrics, and the weight of one overwrites the other's: give splits names of their own";
                file.findings.push(Finding::of_file("shared_metrics", message, help));
            }
            seen.extend(names);
        }
        files
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
        let checked = document.check();
        let finding = |diagnostic| Finding::new(diagnostic, &document.places);
        let mut findings: Vec<Finding> = checked.diagnostics.into_iter().map(finding).collect();
        // Where the value is refused anyway, that says enough.
        let refused: HashSet<String> = findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .map(|finding| finding.path.clone())
            .collect();
        let notes = document.notes().filter(|note| !refused.contains(&note.path));
        findings.extend(notes.map(Finding::of_note));
        let is_refused = findings.iter().any(|finding| finding.severity == Severity::Error);
        let Document { value: document, carrier, .. } = document;
        if carrier.as_ref().is_some_and(|carrier| carrier.starts_with("WasmPlugin")) {
            let bytes = to_json(&document).map_or(0, |json| json.len());
            let too_long = too_long(bytes);
            let finding = |long: TooLong| Finding::of_file("too_long", long.what, long.help);
            findings.extend(too_long.map(finding));
        }
        let envoy_counts = |policy: &Policy| policy.outcomes == Outcomes::Envoy;
        let of_control_plane =
            |carrier: &String| CONTROL_PLANES.iter().any(|kind| carrier.starts_with(kind));
        if carrier.as_ref().is_some_and(of_control_plane)
            && checked.policy.as_ref().is_some_and(envoy_counts)
        {
            let what = "`outcomes: envoy` counts by an access logger that no control plane configures: nobody counts how requests end";
            let help = "write `outcomes: filter`, or `outcomes: off` where the statistics of services are enough";
            findings.push(Finding::of_file(Code::UncountedOutcomes.as_str(), what, help));
        }
        // What the file logs by the filter state, and the filter does not set it.
        let reads = carrier.is_some() && source.text.contains("FILTER_STATE(wasm.traffic_split:");
        if reads
            && checked.policy.as_ref().is_some_and(|policy| policy.filter_state == FilterState::Off)
        {
            let what =
                "the file reads the filter state `wasm.traffic_split`, and the policy leaves none";
            let help = "read the header instead, `%REQ(x-split-variant)%`, or add `filter_state: true` to the policy";
            findings.push(Finding::of_file("unset_filter_state", what, help));
        }
        findings.sort_by_key(|finding| finding.place.map(|place| (place.line, place.column)));
        let hash = checked.hash;
        let policy = checked.policy.filter(|_| !is_refused);
        let valid = policy.map(|policy| Valid { document, policy, hash });
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
        self.findings.iter().try_for_each(|finding| finding.show(&self.source, columns, out))
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

    /// Path and help of each finding.
    fn help(name: &str, text: &str) -> Vec<String> {
        let file = PolicyFile::check(Source::new(name, text));
        let shown =
            |f: &Finding| format!("{}: {}", f.path, f.help.as_deref().unwrap_or(&f.message));
        file.findings.iter().map(shown).collect()
    }

    /// A policy that tests a header for one value.
    fn policy_with(value: &str) -> String {
        format!(
            r#"{{"version": 1, "splits": [{{"name": "a", "match": [{{"headers": [{{"name": "x-a", "in": [{value}]}}]}}],
"key": [{{"header": "x-user-id"}}], "baseline": "a", "variants": [{{"name": "a", "weight": 100}}]}}]}}"#
        )
    }

    #[test]
    fn help_repeats_what_is_written_never_its_value() {
        let there = "splits[0].match[0].headers[0].in[0]";
        let in_yaml = [
            "1.10",
            "007",
            "0123456789",
            "1e3",
            "1E3",
            "5.0",
            "True",
            "-0",
            "+5",
            "0x1F",
            "100000000000000000000",
            "9007199254740993",
            "0.30000000000000004",
            "33.333333333333333333",
        ];
        for written in in_yaml {
            let right = [format!("{there}: put it in quotes: \"{written}\"")];
            assert_eq!(help("a.yaml", &policy_with(written)), right);
        }
        let in_json = [
            "1.10",
            "1e3",
            "1E+3",
            "5.0",
            "-0",
            "true",
            "100000000000000000000",
            "9007199254740993",
        ];
        for written in in_json {
            let right = [format!("{there}: put it in quotes: \"{written}\"")];
            assert_eq!(help("a.json", &policy_with(written)), right);
            // The same in what carries it.
            let carried = format!(
                "http_filters:\n- configuration:\n    \"@type\": type.googleapis.com/google.protobuf.StringValue\n    value: '{}'\n",
                policy_with(written).replace('\n', " ")
            );
            assert_eq!(help("a.yaml", &carried), right);
        }
    }

    #[test]
    fn messages_show_numbers_as_they_are_written() {
        let text = |variant: &str, more: &str| {
            format!(
                "version: 1{more}\nsplits:\n- name: a\n  key: [{{header: x-user-id}}]\n  baseline: a\n  variants: [{variant}]\n"
            )
        };
        let message = |variant: &str, more: &str| {
            let file = PolicyFile::check(Source::new("a.yaml", &text(variant, more)));
            file.findings.iter().map(|f| f.message.clone()).collect::<Vec<_>>().join("; ")
        };
        for (variant, more, words) in [
            ("{name: a, weight: 1.000010}", "", "`1.000010` has more than four decimals"),
            ("{name: a, weight: 1e10}", "", "`1e10` is larger"),
            ("{name: a, weight: 1e2, max_weight: 5}", "", "weight `1e2` of `a` is over"),
            ("{name: a, weight: 100, respond: {status: 1e3}}", "", "`1e3` is not a whole number"),
            ("{name: a, weight: 100}", "\nholdout: {percent: 1e2.0}", "found a string `1e2.0`"),
            (
                "{name: a, weight: 100}",
                "\nholdout: {percent: 0.3330}",
                "`0.3330` is not a percentage",
            ),
            ("{name: a, weight: 100}", "\nkill: 0x0", "found a number `0x0`"),
        ] {
            let found = message(variant, more);
            assert!(found.contains(words), "{found}");
        }
        let file = PolicyFile::check(Source::new("a.yaml", "version: 1.10\nsplits: []"));
        assert_eq!(file.findings[0].message, "version `1.10` is not known");
    }

    #[test]
    fn a_value_behind_an_alias_is_shown_as_its_anchor_has_it() {
        let text = "version: 1\ncluster_header: &x 1.10\nvariant_header: *x\nlayers: &l [{name: 007}]\nholdout: *l\nkey: *l\nsplits: *l\n";
        let found = help("a.yaml", text);
        let quoted: Vec<_> = found.iter().filter(|line| line.contains("in quotes")).collect();
        assert_eq!(quoted.len(), 4, "{found:?}");
        assert!(quoted[1].ends_with("variant_header: put it in quotes: \"1.10\""), "{found:?}");
        assert!(quoted[3].ends_with("splits[0].name: put it in quotes: \"007\""), "{found:?}");
    }

    #[test]
    fn of_yaml_that_is_read_in_two_ways_both_are_said() {
        let said = |name: &str, text: &str| {
            let file = PolicyFile::check(Source::new(name, text));
            let shown = |f: &Finding| format!("{}[{}] {}", f.severity.as_str(), f.code, f.message);
            (file.valid.is_some(), file.findings.iter().map(shown).collect::<Vec<_>>())
        };
        // A policy file is YAML 1.2, and stays valid.
        let (valid, found) = said("a.yaml", &policy_with("NO"));
        assert!(valid);
        assert_eq!(
            found,
            [
                "warning[yaml_reading] `NO` is a text here, and the boolean `false` in YAML 1.1, which kubectl reads"
            ]
        );
        let plugin = |value| {
            format!(
                "apiVersion: v1\nkind: WasmPlugin\nspec: {{pluginConfig: {}}}",
                policy_with(value)
            )
        };
        let (valid, found) = said("a.yaml", &plugin("NO"));
        assert!(!valid);
        assert_eq!(found, ["error[wrong_type] expected a string, found a boolean `NO`"]);
        let (valid, found) = said("a.yaml", &plugin("\"NO\""));
        assert!(valid && found.is_empty(), "{found:?}");
        let decimal = |weight| {
            format!(
                "http_filters:\n- configuration:\n    \"@type\": type.googleapis.com/google.protobuf.Struct\n    value: {}\n",
                policy_with("a").replace("100", weight).replace('\n', " ")
            )
        };
        let (valid, found) = said("a.yaml", &decimal("100.0"));
        assert!(!valid);
        assert_eq!(
            found,
            [
                "error[ambiguous_yaml] some releases of Envoy read `100.0` as a text, others as a number"
            ]
        );
        assert!(said("a.yaml", &decimal("100")).0);
    }

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
