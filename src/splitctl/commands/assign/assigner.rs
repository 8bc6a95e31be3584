//! One split's assignment of keys: the engine's judgement of a bare key, as a row.

use anyhow::ensure;
use engine::decision::{Context, KeyFacts, Nobody, Population, decide};
use engine::hash::Hash;
use engine::ids::SplitId;
use engine::plan::Plan;
use engine::policy::{Assignment, Policy};
use engine::reason::Reason;
use engine::units;

use crate::population::chance;
use crate::verdict::find_split;

/// Assigns keys to the variants of one split.
pub(super) struct Assigner {
    plan: Plan,
    id: SplitId,
    population: Population,
    now: units::Moment,
}

/// A row without its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Assigned<'p> {
    /// `None` = none that a key decides.
    pub(super) variant: Option<&'p str>,
    /// `None` = no key.
    pub(super) bucket: Option<u16>,
    pub(super) reason: &'static str,
}

impl Assigner {
    /// Prepares a split.
    ///
    /// # Errors
    /// When there is no such split, or no key decides it.
    pub(super) fn new(policy: Policy, name: &str, now: units::Moment) -> anyhow::Result<Self> {
        let (id, split) = find_split(&policy, name)?;
        ensure!(split.enabled, "split `{name}` is not enabled: nobody is assigned");
        ensure!(
            split.assignment != Assignment::Random,
            "split `{name}` has `assignment: random`: chance decides, anew for each request, and no key"
        );
        let plan = Plan::new(policy);
        Ok(Self { population: Population::of(&plan, id), id, plan, now })
    }

    /// Assigns a key.
    pub(super) fn assign(&self, key: &[u8]) -> Assigned<'_> {
        let Self { plan, id, population, now } = self;
        let context = Context { now: *now, random: chance(key) };
        let facts = KeyFacts::new(plan, population, key);
        let decisions = decide(plan, &facts, &context, &mut Nobody);
        let salt = &plan.questions.salts[plan.splits[*id].salt];
        let bucket = (!key.is_empty()).then(|| Hash::new(&salt.prefix, key).bucket().number());
        let (variant, reason) = match decisions.of(*id) {
            // Without a key and by chance: any variant, another one next time.
            Some(decision) if decision.reason == Reason::Random => (None, Reason::NoKey.as_str()),
            Some(decision) => {
                let variant = &plan.policy.splits[*id].variants[decision.variant];
                (Some(variant.name.as_str()), decision.reason.as_str())
            }
            None => (None, "out"),
        };
        Assigned { variant, bucket, reason }
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test that overflows has failed")]
mod tests {
    use engine::policy::from_json;

    use super::*;

    fn policy(split: &str) -> Policy {
        let text = format!(
            r#"{{"version": 1, "key": [{{"cookie": "uid"}}], "layers": [{{"name": "l"}}], "splits": [
            {{"name": "first", "layer": "l", "slice": {{"from": 0, "to": 40}}, "baseline": "a",
              "variants": [{{"name": "a", "weight": 100}}]}},
            {{"name": "s", "baseline": "a",
              "variants": [{{"name": "a", "weight": 50}}, {{"name": "b", "weight": 50}}]{split}}}]}}"#
        );
        from_json(text.as_bytes()).policy.unwrap()
    }

    /// How many of 1000 keys, and of those in the lower 40 % of the layer, are out.
    fn out(split: &str) -> (usize, usize) {
        let assigner = Assigner::new(policy(split), "s", units::Moment::default()).unwrap();
        let (mut out, mut below) = (0, 0);
        for key in 0..1_000 {
            let key = key.to_string();
            if assigner.assign(key.as_bytes()).reason == "out" {
                out += 1;
                below += usize::from(Hash::new(b"l\x1f", key.as_bytes()).bucket().number() < 4_000);
            }
        }
        (out, below)
    }

    #[test]
    fn who_is_not_in_the_slice_or_in_an_earlier_split_of_the_layer_is_out() {
        assert_eq!(out(""), (0, 0));
        let (all, below) = out(r#", "layer": "l""#);
        assert!((350..450).contains(&all) && below == all, "{all} {below}");
        assert_eq!(out(r#", "layer": "l", "slice": {"from": 40, "to": 100}"#), (all, all));
    }

    #[test]
    fn without_a_key_there_is_what_the_split_says() {
        for (split, variant, reason) in [
            ("", Some("a"), "no_key"),
            (r#", "on_missing_key": "random""#, None, "no_key"),
            (r#", "on_missing_key": "skip""#, None, "out"),
            (r#", "layer": "l", "slice": {"from": 40, "to": 100}"#, None, "out"),
        ] {
            let assigner = Assigner::new(policy(split), "s", units::Moment::default()).unwrap();
            let expected = Assigned { variant, bucket: None, reason };
            assert_eq!(assigner.assign(b""), expected, "{split}");
        }
    }

    #[test]
    fn who_lacks_a_required_variant_is_out() {
        let policy = from_json(
            br#"{"version": 1, "key": [{"cookie": "uid"}], "splits": [
            {"name": "first", "baseline": "a", "match": [{"hosts": ["x"]}], "variants": [{"name": "a", "weight": 50}, {"name": "b", "weight": 50}]},
            {"name": "s", "requires": [{"split": "first", "variant": "b"}], "baseline": "a", "variants": [{"name": "a", "weight": 100}]}]}"#,
        );
        let policy = policy.policy.unwrap();
        let (first, second) = (
            Assigner::new(policy.clone(), "first", units::Moment::default()).unwrap(),
            Assigner::new(policy, "s", units::Moment::default()).unwrap(),
        );
        for key in 0..100 {
            let key = key.to_string();
            let has = first.assign(key.as_bytes()).variant == Some("b");
            assert_eq!(second.assign(key.as_bytes()).variant.is_some(), has);
        }
    }
}
