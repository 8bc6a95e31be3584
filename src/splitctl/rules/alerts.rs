//! What every alert is given besides its rule: the user's words for severities, labels, links, and the commands that its text
//! says to paste.

use std::str::FromStr;

use crate::wasm_plugin::WasmPlugin;

use super::grouping::is_label_name;

/// How alerts begin in the template.
const ALERT: &str = "  - alert: ";
/// The severities of the template.
const SEVERITIES: [&str; 3] = ["page", "ticket", "info"];
/// Labels that alerts have from their rules.
const OWN: [&str; 5] = ["alertname", "severity", "split", "variant", "instance"];

/// What alerts say, and whom they go to.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Wording {
    /// Your word for a severity (`page=critical`), or for an alert's (`TrafficSplitTripped=ticket`); may be repeated.
    #[arg(long = "severity", value_name = "SEVERITY|ALERT=WORD")]
    severities: Vec<Severity>,

    /// A label for every alert, as your Alertmanager routes by; may be repeated.
    #[arg(long = "label", value_name = "NAME=VALUE")]
    labels: Vec<Label>,

    /// Your dashboard: every alert gets it as `dashboard_url`, with `var-split` and `var-variant` of its own.
    #[arg(long, value_name = "URL", value_parser = link)]
    dashboard: Option<String>,
}

/// Another word for a severity, or for that of one alert.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Severity {
    of: String,
    word: String,
}

impl FromStr for Severity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || {
            format!(
                "`{text}` gives no severity: write `page=critical`, or an alert's name, `TrafficSplitTripped=ticket`"
            )
        };
        let (of, word) = text.split_once('=').ok_or_else(wrong)?;
        if !is_word(word) {
            return Err(wrong());
        }
        let known = template_alerts().any(|alert| alert == of);
        if !known && !SEVERITIES.contains(&of) {
            return Err(format!(
                "`{of}` is no severity and no alert: severities are {}; alerts are {}",
                SEVERITIES.join(", "),
                template_alerts().collect::<Vec<_>>().join(", ")
            ));
        }
        Ok(Self { of: of.to_owned(), word: word.to_owned() })
    }
}

/// A label of every alert.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Label {
    name: String,
    value: String,
}

impl FromStr for Label {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || {
            format!(
                "`{text}` is no label for alerts: write a name and a word, such as `team=checkout`"
            )
        };
        let (name, value) = text.split_once('=').ok_or_else(wrong)?;
        if !is_label_name(name) || !is_word(value) {
            return Err(wrong());
        }
        if OWN.contains(&name) {
            return Err(format!(
                "alerts have `{name}` from their rules: choose another name, such as `team=checkout`"
            ));
        }
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }
}

/// What needs no quotes anywhere it is written: letters, digits, `-`, `_` and `.`, a letter first.
fn is_word(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic()) && text.bytes().all(inner)
        // YAML reads these as something else than text.
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
            .contains(&text.to_ascii_lowercase().as_str())
}

/// An address, or a path: what stands in a YAML text as it is.
pub(super) fn link(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_graphic() && !"\"'`\\{}<>|^#".contains(c);
    if text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric())
        && text.chars().all(fits)
    {
        return Ok(text.to_owned());
    }
    Err(format!(
        "`{text}` is no link: write an address without `#`, such as `https://wiki.example.com/traffic-split`"
    ))
}

/// The alerts that there are.
pub(super) fn template_alerts() -> impl Iterator<Item = &'static str> {
    super::TEMPLATE.lines().filter_map(|line| line.strip_prefix(ALERT))
}

/// The commands that the texts say to paste: to give everybody the baseline, to end that, to look at a proxy.
pub(super) fn commands(plugin: Option<&WasmPlugin>) -> [(&'static str, String); 3] {
    let Some(WasmPlugin { namespace, name }) = plugin else {
        let render = "splitctl render ecds policy.yaml --output /etc/envoy/ecds/traffic_split.json";
        let wait = "--wait --admin http://PROXY:9901";
        return [
            ("stop", format!("{render} --kill {{{{ $labels.split }}}} {wait}")),
            ("again", format!("{render} {wait}")),
            ("look", "splitctl check policy.yaml --admin http://{{ $labels.instance }}".to_owned()),
        ];
    };
    let patch = |kill: &str| {
        let patch = format!("{{\"spec\":{{\"pluginConfig\":{{\"kill\":{kill}}}}}}}");
        format!("kubectl -n {namespace} patch wasmplugin {name} --type merge -p '{patch}'")
    };
    let log =
        "kubectl -n {{ $labels.namespace }} logs {{ $labels.pod }} -c istio-proxy --since=10m";
    [("stop", patch("true")), ("again", patch("null")), ("look", log.to_owned())]
}

/// Gives every alert of rendered rules what was asked for.
pub(super) fn adapt(rules: &str, options: &Wording) -> anyhow::Result<String> {
    let mut names: Vec<&str> = options.labels.iter().map(|label| label.name.as_str()).collect();
    names.sort_unstable();
    if let Some([name, _]) = names.windows(2).find(|pair| pair.first() == pair.last()) {
        anyhow::bail!("`--label`: `{name}` is there twice; write each label once");
    }
    let mut alert = Alert::default();
    let mut text = String::with_capacity(rules.len());
    for line in rules.lines() {
        if let Some(name) = line.strip_prefix(ALERT) {
            alert = Alert { name, ..Alert::default() };
        }
        alert.of_split |= line.contains("{{ $labels.split }}");
        alert.of_variant |= line.contains("{{ $labels.variant }}");
        match line.strip_prefix("    labels: {severity: ").and_then(|rest| rest.strip_suffix('}')) {
            Some(severity) => text.push_str(&alert.labels(severity, options)),
            None => text.push_str(line),
        }
        text.push('\n');
        if line.starts_with("      runbook_url: ")
            && let Some(dashboard) = &options.dashboard
        {
            text.push_str(&alert.dashboard(dashboard));
        }
    }
    Ok(text)
}

/// What is known of the alert whose lines are read.
#[derive(Default)]
struct Alert<'t> {
    name: &'t str,
    of_split: bool,
    of_variant: bool,
}

impl Alert<'_> {
    /// The line of labels. What was said of this alert comes before what was said of its severity.
    fn labels(&self, severity: &str, options: &Wording) -> String {
        let said = |of: &str| {
            options.severities.iter().rfind(|said| said.of == of).map(|said| said.word.as_str())
        };
        let own = said(self.name).unwrap_or(severity);
        let word = said(own).unwrap_or(own);
        let more = options.labels.iter().map(|label| format!(", {}: {}", label.name, label.value));
        format!("    labels: {{severity: {word}{}}}", more.collect::<String>())
    }

    /// The line of the dashboard, which shows at once what the alert is about.
    fn dashboard(&self, url: &str) -> String {
        let labels = [("split", self.of_split), ("variant", self.of_variant)];
        let given = labels.iter().filter(|(_, given)| *given);
        let variables = given.map(|(label, _)| format!("var-{label}={{{{ $labels.{label} }}}}"));
        let variables = variables.collect::<Vec<_>>().join("&");
        let before = match (variables.is_empty(), url.contains('?')) {
            (true, _) => "",
            (false, true) => "&",
            (false, false) => "?",
        };
        format!("      dashboard_url: \"{url}{before}{variables}\"\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = "\
- name: traffic_split_alerts
  rules:
  - alert: TrafficSplitTripped
    labels: {severity: page}
    annotations:
      summary: \"{{ $labels.split }}={{ $labels.variant }}\"
      runbook_url: book#trafficsplittripped
  - alert: TrafficSplitBlind
    labels: {severity: page}
    annotations:
      runbook_url: book#trafficsplitblind
";

    fn adapted(severities: &[&str], labels: &[&str], dashboard: Option<&str>) -> String {
        let options = Wording {
            severities: severities.iter().map(|text| text.parse().unwrap()).collect(),
            labels: labels.iter().map(|text| text.parse().unwrap()).collect(),
            dashboard: dashboard.map(str::to_owned),
        };
        adapt(RULES, &options).unwrap()
    }

    #[test]
    fn what_nobody_asks_for_changes_nothing() {
        assert_eq!(adapted(&[], &[], None), RULES);
    }

    #[test]
    fn severities_have_the_users_words_and_an_alert_can_have_another() {
        let out = adapted(
            &["page=critical", "TrafficSplitBlind=ticket", "ticket=warning"],
            &["team=checkout", "tier=t1"],
            None,
        );
        let tripped = "Tripped\n    labels: {severity: critical, team: checkout, tier: t1}\n";
        assert!(out.contains(tripped), "{out}");
        assert!(out.contains("Blind\n    labels: {severity: warning, team: checkout, "), "{out}");
        let word = adapted(&["TrafficSplitBlind=nobody"], &[], None);
        assert!(word.contains("Blind\n    labels: {severity: nobody}\n"), "{word}");
    }

    #[test]
    fn the_dashboard_shows_what_the_alert_is_about() {
        let out = adapted(&[], &[], Some("https://g.example.com/d/split?orgId=1"));
        let both = "  dashboard_url: \"https://g.example.com/d/split?orgId=1&var-split={{ $labels.split }}&var-variant={{ $labels.variant }}\"\n";
        assert!(out.contains(both), "{out}");
        assert!(
            out.contains("  dashboard_url: \"https://g.example.com/d/split?orgId=1\"\n"),
            "{out}"
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_what_to_write() {
        for wrong in ["page", "page=", "page=a b", "page=\"x\"", "page=yes", "page=1"] {
            assert!(wrong.parse::<Severity>().unwrap_err().contains("`page=critical`"), "{wrong}");
        }
        let told = "TrafficSplitTriped=info".parse::<Severity>().unwrap_err();
        assert!(
            told.contains("page, ticket, info") && told.contains("TrafficSplitTripped"),
            "{told}"
        );
        for wrong in ["team", "1=a", "__a=b", "team=", "team={}", "severity=page", "split=a"] {
            assert!(wrong.parse::<Label>().unwrap_err().contains("`team=checkout`"), "{wrong}");
        }
        for wrong in ["", "#a", "https://a b", "\"", "a#b", "a\nb", "{{x}}"] {
            assert!(link(wrong).is_err(), "{wrong}");
        }
        let labels = ["a=b", "c=d", "a=e"].map(|text| text.parse().unwrap()).to_vec();
        let twice = Wording { labels, ..Wording::default() };
        let told = adapt(RULES, &twice).unwrap_err().to_string();
        assert_eq!(told, "`--label`: `a` is there twice; write each label once");
    }

    #[test]
    fn every_alert_has_our_name_a_text_and_what_to_do_next() {
        assert!(template_alerts().count() > 20);
        let alerts = super::super::TEMPLATE.split(ALERT).skip(1);
        for (name, alert) in template_alerts().zip(alerts) {
            assert!(name.starts_with("TrafficSplit"), "{name}");
            let parts = [
                "labels: {severity: ",
                "summary: \"{{where}}",
                "description: >-",
                "runbook_url: {{runbook}}#",
            ];
            for part in parts {
                assert!(alert.contains(part), "{name} has no {part}");
            }
            // A question, and then what answers it; or a purpose, and then what serves it.
            let text = alert.split_once("description: >-").unwrap().1;
            let next = ["? ", "?\n", ": {{", ":\n        {{", ": splitctl"];
            assert!(next.iter().any(|next| text.contains(next)), "{name}: {text}");
        }
    }
}
