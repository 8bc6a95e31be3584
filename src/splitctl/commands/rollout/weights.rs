//! Other weights in a policy's text, and nothing else: comments, order and notation stay.

use anyhow::{Context as _, Result, ensure};
use engine::policy::Weight;
use policy_text::source::{Part, Source};
use rollout::file::{Facts, Rollout};

use crate::policy_file::{PolicyFile, Valid};

/// A text with the challenger's weight, and the baseline's, which gives or takes the rest.
///
/// # Errors
/// When the policy does not have the two, their weights are not written out, or the text would not mean what it should.
pub(super) fn with_weight(
    source: &Source,
    rollout: &Rollout,
    facts: &Facts,
    challenger: Weight,
) -> Result<(Source, Valid)> {
    let baseline = facts.baseline_at(challenger).context("there is not as much weight to give")?;
    let document = source.policy().ok().context("the policy cannot be read")?;
    let checked = document.check();
    let policy = checked.policy.context("the policy is not valid")?;
    let mut splits = policy.splits.iter().enumerate();
    let found = splits.find(|(_, split)| split.name == rollout.split);
    let (split, of_split) = found.context("the split is gone")?;
    let mut lines: Vec<String> = source.text.split_inclusive('\n').map(str::to_owned).collect();
    let mut edits = Vec::new();
    for (name, weight) in [(&rollout.challenger, challenger), (&facts.baseline, baseline)] {
        let variant =
            of_split.variants.iter().enumerate().find(|(_, variant)| variant.name == *name);
        let (number, known) = variant.with_context(|| format!("the variant `{name}` is gone"))?;
        if known.weight == weight {
            continue;
        }
        let path = format!("splits[{split}].variants[{number}].weight");
        let place = document.places.find(&path, Part::Value);
        let place = place.with_context(|| format!("`{path}` has no place in the text"))?;
        edits.push((place, weight.to_string()));
    }
    // From behind, so that the places before stay where they are.
    edits.sort_by_key(|(place, _)| std::cmp::Reverse((place.line, place.column)));
    for (place, weight) in edits {
        let line = lines.get_mut(place.line.saturating_sub(1)).context("the line is gone")?;
        let begin = place.column.saturating_sub(1);
        let end = begin.saturating_add(place.length);
        let kept = |from: usize, to: usize| line.chars().skip(from).take(to.saturating_sub(from));
        let changed: String =
            kept(0, begin).chain(weight.chars()).chain(kept(end, usize::MAX)).collect();
        *line = changed;
    }
    let changed = Source::new(&source.name, &lines.concat());
    let valid = PolicyFile::check(changed.clone()).valid.context("it would not be valid")?;
    let of = |name: &str| {
        let split = valid.policy.splits.iter().find(|split| split.name == rollout.split)?;
        split.variants.iter().find(|variant| variant.name == name).map(|variant| variant.weight)
    };
    let is_as_meant =
        of(&rollout.challenger) == Some(challenger) && of(&facts.baseline) == Some(baseline);
    ensure!(
        is_as_meant,
        "the weights of `{}` are not written as numbers of their own",
        rollout.split
    );
    Ok((changed, valid))
}

#[cfg(test)]
mod tests {
    use rollout::file::{check_against, read};

    use super::*;

    const POLICY: &str = "\
version: 1   # ours
key: [{header: x-user-id}]
splits:
- name: checkout
  baseline: stable
  variants:
  # Ä: the new one
  - {name: canary, cluster: v2, weight: 5.0, max_weight: 60}  # grows
  - weight: 85
    name: stable
  - {name: other, weight: 10}
";

    fn at(policy: &str, weight: u64) -> Result<String> {
        let document = serde_json::json!({"version": 1, "policy": "p", "split": "checkout", "challenger": "canary",
            "steps": [{"weight": 5, "for": "1s"}], "counts": {"proxies": ["a:1"]}});
        let rollout = read(&serde_json::from_value(document).unwrap()).unwrap();
        let source = Source::new("p.yaml", policy);
        let valid = PolicyFile::check(source.clone()).valid.unwrap();
        let facts = check_against(&rollout, &valid.policy, true).unwrap();
        let weight = Weight::from_units(weight).unwrap();
        with_weight(&source, &rollout, &facts, weight).map(|(source, _)| source.text)
    }

    #[test]
    fn only_the_two_weights_change() {
        let changed =
            POLICY.replace("weight: 5.0,", "weight: 25.5,").replace("weight: 85", "weight: 64.5");
        assert_eq!(at(POLICY, 255_000).unwrap(), changed);
        assert_eq!(at(POLICY, 50_000).unwrap(), POLICY);
        let json = r#"{"version": 1, "key": [{"header": "u"}], "splits": [{"name": "checkout", "baseline": "stable",
 "variants": [{"name": "canary", "weight": 5}, {"name": "stable", "weight": 95}]}]}"#;
        let changed = json.replace("\"weight\": 5}", "\"weight\": 0}").replace("95}", "100}");
        assert_eq!(at(json, 0).unwrap(), changed);
    }

    #[test]
    fn lines_end_as_they_did() {
        let ours = POLICY.replace('\n', "\r\n");
        let changed =
            ours.replace("weight: 5.0,", "weight: 20,").replace("weight: 85", "weight: 70");
        assert_eq!(at(&ours, 200_000).unwrap(), changed);
    }

    #[test]
    fn in_a_manifest_of_istio_only_the_two_weights_change() {
        let manifest = "\
# The plugin
apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {name: traffic-split, namespace: istio-ingress}
spec:
  url: oci://registry.example.com/traffic-split:0.1.0
  pluginConfig:
    version: 1
    key: [{header: x-user-id}]
    splits:
    - name: checkout   # the shop
      baseline: stable
      variants:
      - name: stable
        weight: 100
      - {name: canary, weight: 0}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: weight}
data: {weight: '100'}
";
        let changed = manifest
            .replace("        weight: 100", "        weight: 75")
            .replace("weight: 0}", "weight: 25}");
        assert_eq!(at(manifest, 250_000).unwrap(), changed);
    }

    #[test]
    fn more_than_both_have_is_refused() {
        let error = at(POLICY, 900_001).unwrap_err().to_string();
        assert!(error.contains("not as much weight to give"), "{error}");
    }
}
