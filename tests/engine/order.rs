//! The order of judgement, as the engine shows it and as the pages tell it.

use std::borrow::Cow;
use std::path::Path;

use engine::decision::{Context, Earlier, Nobody, Step, decide, explain};
use engine::host::Host;
use engine::ids::{Id as _, SplitId};
use harness::model::sticky_value;
use harness::native::plan;
use serde_json::{Value, json};

/// A request whose split could be ended by every stage at once.
struct Case {
    policy: Value,
    headers: Vec<(&'static str, String)>,
    note: Option<Vec<u8>>,
}

impl Host for Case {
    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()))
    }

    fn earlier_leg(&self) -> Option<Cow<'_, [u8]>> {
        self.note.as_deref().map(Cow::from)
    }
}

impl Case {
    fn new() -> Self {
        let plain = json!({"version": 1, "splits": [{"name": "it", "assignment": "random", "baseline": "off",
            "variants": [{"name": "off", "weight": 100}]}]});
        let first = plan(&plain);
        let decided = decide(
            &first,
            &first.facts([("", ""); 0].as_slice()),
            &Context::default(),
            &mut Nobody,
        );
        let secret = "0123456789abcdef";
        let two = |name: &str| json!([{"name": name, "weight": 100}, {"name": "on", "weight": 0}]);
        let policy = json!({
            "version": 1, "kill": true, "holdout": {"percent": 100}, "layers": [{"name": "l"}, {"name": "m"}],
            "force": {"secret": {"header": "x-secret", "value": secret}},
            "splits": [
                {"name": "before", "layer": "l", "assignment": "random", "baseline": "off", "variants": two("off")},
                {"name": "it", "enabled": false, "layer": "l", "slice": {"from": 0, "to": 0.01},
                 "match": [{"headers": [{"name": "x-absent", "present": true}]}],
                 "requires": [{"split": "before", "variant": "on"}],
                 "overrides": [{"match": [{"headers": [{"name": "x-user", "present": true}]}], "variant": "on"}],
                 "key": [{"header": "x-user"}], "baseline": "off", "sticky": {"secret": secret},
                 "variants": two("off")},
            ],
        });
        let cookie = sticky_value(&policy["splits"][1], "off");
        Self {
            policy,
            headers: vec![
                ("x-user", "ada".to_owned()),
                ("cookie", format!("split-it={cookie}")),
                ("x-secret", secret.to_owned()),
                ("x-split-force", "it=on".to_owned()),
                // Headers that the filter sets tell it to look for the note.
                ("x-split-variant", "it=off".to_owned()),
            ],
            note: Earlier::note(&first, &decided, &Context::default(), 0, 0),
        }
    }

    /// The stage that ends the judgement of the split, and without it the next one does.
    fn stage(&mut self) -> &'static str {
        let plan = plan(&self.policy);
        let explanation = explain(&plan, &plan.facts(self), &Context::default());
        let steps = explanation.of(SplitId::at(1));
        let last = steps.iter().rfind(|step| !matches!(step, Step::Decided(_))).unwrap();
        match last {
            Step::Disabled => self.without("enabled"),
            Step::EarlierLeg => {
                self.note = None;
                "earlier leg"
            }
            Step::Match(tried) if !tried.holds => self.without("match"),
            Step::RequirementUnmet { .. } => self.without("requires"),
            Step::LayerTaken => {
                self.policy["splits"][0]["layer"] = json!("m");
                "layer"
            }
            Step::Slice { holds: false, .. } => self.without("slice"),
            Step::Killed => {
                self.policy["kill"] = json!(false);
                "kill"
            }
            Step::Forced { .. } => {
                self.headers.retain(|(name, _)| *name != "x-split-force");
                "force"
            }
            Step::Override { variant: Some(_), .. } => self.without("overrides"),
            Step::Holdout { held: true, .. } => {
                self.policy["holdout"]["percent"] = json!(0);
                "holdout"
            }
            Step::Sticky { counts: true, .. } => self.without("sticky"),
            Step::Weights { .. } => "weights",
            other => panic!("{other:?} is no stage, of {steps:#?}"),
        }
    }

    /// Takes a field out of the split: a stage of the same name.
    fn without(&mut self, field: &'static str) -> &'static str {
        self.policy["splits"][1].as_object_mut().unwrap().remove(field).unwrap();
        field
    }
}

/// The order in which the engine judges, in the words of the pages.
fn order() -> String {
    let mut case = Case::new();
    let mut stages = Vec::new();
    while stages.last() != Some(&"weights") {
        stages.push(case.stage());
    }
    stages.join(" -> ")
}

/// The lines that tell of the order, in each file of the project.
fn tellings(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            if !name.starts_with('.') && name != "target" {
                tellings(&path, found);
            }
        } else if [".md", ".rs", ".yaml", ".py"].iter().any(|kind| name.ends_with(kind)) {
            let text = std::fs::read_to_string(&path).unwrap();
            // Split, so that this line tells of no order.
            let lines = text.lines().filter(|line| line.contains(concat!("-> ", "holdout")));
            let path = path.strip_prefix(harness::root()).unwrap().to_str().unwrap();
            found.extend(lines.map(|line| (path.to_owned(), line.to_owned())));
        }
    }
}

#[test]
fn the_order_of_judgement_is_told_everywhere_as_the_engine_has_it() {
    let order = order();
    let mut found = Vec::new();
    tellings(&harness::root(), &mut found);
    let other: Vec<_> = found.iter().filter(|(_, line)| !line.contains(&order)).collect();
    assert!(other.is_empty(), "the engine judges {order}; these lines tell another: {other:#?}");
    for page in [
        "README.md",
        "docs/policy.md",
        "docs/decisions/0004-kill-serves-the-baseline.md",
        "src/engine/decision/split.rs",
    ] {
        assert!(found.iter().any(|(path, _)| path == page), "{page} does not tell {order}");
    }
}
