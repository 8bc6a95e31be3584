//! The forms that rules are loaded in: the same groups, and around them what each loader wants.

use std::fmt::Write as _;

/// Who loads the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(super) enum Form {
    /// A file of Prometheus's `rule_files`, which `vmalert` reads, too.
    #[default]
    Prometheus,
    /// A `PrometheusRule` for the Prometheus operator.
    Operator,
    /// A namespace with groups, for `mimirtool rules load`.
    Mimir,
    /// A file for the ruler of Thanos.
    Thanos,
}

/// What the rules are called where they have a name.
const NAME: &str = "traffic-split";

impl Form {
    /// Rules in the form of `rule_files`, in this form.
    pub(super) fn of(self, rules: &str) -> String {
        let (head, groups) = rules.split_once("groups:\n").unwrap_or(("", rules));
        match self {
            Self::Prometheus => rules.to_owned(),
            Self::Operator => format!(
                "# If your Prometheus selects rules by labels (ruleSelector), add them to the metadata.\n{}",
                operator(rules, &format!("name: {NAME}"))
            ),
            Self::Mimir => format!("{head}namespace: {NAME}\ngroups:\n{groups}"),
            Self::Thanos => format!("{head}groups:\n{}", strict(groups)),
        }
    }
}

/// Rules as a `PrometheusRule` with these lines of metadata.
pub(crate) fn operator(rules: &str, metadata: &str) -> String {
    let (head, groups) = rules.split_once("groups:\n").unwrap_or(("", rules));
    let mut manifest = format!(
        "{head}apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  {metadata}
spec:
  groups:
"
    );
    for line in groups.lines() {
        let indent = if line.is_empty() { "" } else { "  " };
        let _in_memory = writeln!(manifest, "{indent}{line}");
    }
    manifest
}

/// A part of the proxies is no basis for a comparison: where one store does not answer, Thanos evaluates nothing, and counts it.
fn strict(groups: &str) -> String {
    let mut text = String::with_capacity(groups.len());
    for line in groups.lines() {
        text.push_str(line);
        text.push('\n');
        if line.starts_with("- name: ") {
            text.push_str("  partial_response_strategy: abort\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = "# Rules.\n\ngroups:\n- name: a\n  rules:\n  - record: r\n    expr: 1\n\n- name: b\n  rules: []\n";

    #[test]
    fn each_loader_gets_what_it_wants_around_the_same_groups() {
        assert_eq!(Form::Prometheus.of(RULES), RULES);
        assert_eq!(
            Form::Mimir.of(RULES),
            RULES.replace("groups:", "namespace: traffic-split\ngroups:")
        );
        let thanos = Form::Thanos.of(RULES);
        assert_eq!(thanos.matches("\n  partial_response_strategy: abort\n  rules:").count(), 2);
        assert_eq!(thanos.replace("  partial_response_strategy: abort\n", ""), RULES);
        let manifest = Form::Operator.of(RULES);
        let (head, groups) = manifest.split_once("spec:\n  groups:\n").unwrap();
        assert!(
            head.ends_with("kind: PrometheusRule\nmetadata:\n  name: traffic-split\n"),
            "{head}"
        );
        let lines = groups.lines().map(|line| line.strip_prefix("  ").unwrap_or(line));
        let groups = lines.map(|line| format!("{line}\n")).collect::<String>();
        assert!(RULES.ends_with(&format!("groups:\n{groups}")), "{groups}");
    }
}
