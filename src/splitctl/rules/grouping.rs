//! The labels that keep fleets apart: two that one Prometheus watches are two, and no average of both.

use std::fmt;

use engine::metrics::Metrics;

/// What the rules use for something else, whatever the fleet is.
const TAKEN: [&str; 5] = ["le", "policy", "window", "alertname", "severity"];

/// What every proxy has of its own: rules by these would compare each with itself.
const OF_A_PROXY: [&str; 2] = ["instance", "pod"];

/// What a proxy is known by within a fleet.
const PROXY: [&str; 2] = ["job", "instance"];

/// The labels of a fleet, in the order that was asked for. None: all proxies are one fleet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Grouping(Vec<String>);

impl Grouping {
    /// What comes before the labels of a split in `by (...)` and `on (...)`: `job, cluster, `.
    pub(super) fn before(&self) -> String {
        self.0.iter().map(|label| format!("{label}, ")).collect()
    }

    /// What an aggregation over all splits is by: ` by (job, cluster) `, or nothing.
    pub(super) fn over(&self) -> String {
        if self.0.is_empty() { String::new() } else { format!(" by ({self}) ") }
    }

    /// What a proxy is known by among all of them: the fleet's labels, job and instance, each once.
    pub(super) fn proxy(&self) -> String {
        let own = PROXY.iter().copied().filter(|label| !self.0.iter().any(|by| by == label));
        let all: Vec<&str> = self.0.iter().map(String::as_str).chain(own).collect();
        all.join(", ")
    }

    /// What an alert's text begins with: the fleet that it is about.
    pub(super) fn place(&self) -> String {
        let labels: Vec<_> =
            self.0.iter().map(|label| format!("{{{{ $labels.{label} }}}}")).collect();
        if labels.is_empty() { String::new() } else { format!("{}: ", labels.join(" ")) }
    }
}

impl fmt::Display for Grouping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

/// The grouping by these labels. What is wrong with them is said with what to write instead.
pub(super) fn of(labels: &[String]) -> anyhow::Result<Grouping> {
    for (at, label) in labels.iter().enumerate() {
        if labels.iter().take(at).any(|before| before == label) {
            anyhow::bail!("`--by`: `{label}` is there twice; write each label once");
        }
    }
    Ok(Grouping(labels.to_vec()))
}

/// A label that fleets can be told apart by.
pub(super) fn label(text: &str) -> Result<String, String> {
    let text = text.trim();
    if !is_label_name(text) {
        return Err(format!(
            "`{text}` is no label of Prometheus: write letters, digits and _, no digit first, no __ before, as in `--by job,cluster`"
        ));
    }
    if Metrics::LABELS.contains(&text) || TAKEN.contains(&text) {
        return Err(format!(
            "`{text}` is a label of the rules themselves: write what your scrape configuration adds, as in `--by job,cluster`"
        ));
    }
    if OF_A_PROXY.contains(&text) {
        return Err(format!(
            "`{text}` is another one on each proxy, and proxies are compared within a group: write what a fleet has in common, as in `--by job,cluster`"
        ));
    }
    Ok(text.to_owned())
}

/// Whether Prometheus takes it for the name of a label, and does not keep such names for itself.
pub(super) fn is_label_name(text: &str) -> bool {
    let start = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    !text.starts_with("__")
        && text.bytes().next().is_some_and(start)
        && text.bytes().all(|byte| start(byte) || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_cannot_tell_fleets_apart_are_refused_with_help() {
        for wrong in [
            "",
            "1a",
            "a-b",
            "a.b",
            "__name__",
            "é",
            "a b",
            "split",
            "variant",
            "reason",
            "class",
            "le",
            "policy",
            "severity",
            "alertname",
            "instance",
            "pod",
        ] {
            let told = label(wrong).unwrap_err();
            assert!(told.starts_with(&format!("`{wrong}` is ")), "{told}");
            assert!(told.ends_with("as in `--by job,cluster`"), "{told}");
        }
        assert_eq!(label(" job"), Ok("job".to_owned()), "as after a comma");
        let twice = of(&["job", "cluster", "job"].map(str::to_owned)).unwrap_err().to_string();
        assert_eq!(twice, "`--by`: `job` is there twice; write each label once");
    }

    #[test]
    fn a_proxy_is_known_by_each_label_once() {
        let by = |labels: &[&str]| Grouping(labels.iter().map(|&label| label.to_owned()).collect());
        assert_eq!(by(&[]).proxy(), "job, instance");
        assert_eq!(by(&["cluster", "job"]).proxy(), "cluster, job, instance");
        assert_eq!(by(&["cluster", "job"]).place(), "{{ $labels.cluster }} {{ $labels.job }}: ");
        assert_eq!((by(&[]).over(), by(&[]).place(), by(&[]).before()), Default::default());
    }
}
