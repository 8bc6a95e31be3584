//! The engine itself, given a policy of which only what a key decides is left.

use anyhow::bail;
use engine::decision::{Context, Decisions, Reason};
use engine::hash::Hash;
use engine::matching::Request;
use engine::plan::Plan;
use engine::policy::{Assignment, KeySource, Policy, Split};

use crate::verdict::find_split;

/// The header in which the engine finds the key.
const KEY: &str = "key";

/// Assigns keys to the variants of one split.
pub(super) struct Assigner {
    plan: Plan,
    /// Index in the plan's splits.
    split: usize,
    context: Context,
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

/// Assigns keys one after the other.
pub(super) struct Judge<'a> {
    assigner: &'a Assigner,
    decisions: Decisions,
}

/// A request that has a key and nothing else.
struct Keyed<'k>(&'k [u8]);

impl Request for Keyed<'_> {
    fn header_lines<'r>(&'r self, name: &'r str) -> impl Iterator<Item = &'r [u8]> {
        (name == KEY).then_some(self.0).into_iter()
    }
}

impl Assigner {
    /// Prepares a split.
    ///
    /// # Errors
    /// When there is no such split, or no key decides it.
    pub(super) fn new(policy: &Policy, name: &str, now: u64) -> anyhow::Result<Self> {
        let index = find_split(policy, name)?.0;
        let split = policy.splits.get(index);
        if split.is_some_and(|split| !split.enabled) {
            bail!("split `{name}` is not enabled: nobody is assigned");
        }
        if split.is_some_and(|split| split.assignment == Assignment::Random) {
            bail!(
                "split `{name}` has `assignment: random`: chance decides, anew for each request, and no key"
            );
        }
        let mut reduced = policy.clone();
        reduced.force = None;
        let wanted = needed(policy, index);
        for (at, split) in reduced.splits.iter_mut().enumerate() {
            split.enabled = split.enabled && wanted.contains(&at);
            reduce(split);
        }
        let plan = Plan::compile(&reduced);
        let Some(split) = plan.splits.iter().position(|split| split.name == name) else {
            bail!("split `{name}` is not in the plan");
        };
        Ok(Self { plan, split, context: Context { now, random: [0; 2] } })
    }

    pub(super) fn judge(&self) -> Judge<'_> {
        Judge { assigner: self, decisions: Decisions::default() }
    }
}

/// The splits on which the decision of one depends: itself, those it requires, and earlier ones of a layer that
/// take every request.
fn needed(policy: &Policy, index: usize) -> Vec<usize> {
    let mut all = vec![index];
    let mut next = 0;
    while let Some(at) = all.get(next).copied() {
        next = next.saturating_add(1);
        let Some(split) = policy.splits.get(at) else { continue };
        let required = split.requires.iter().map(|required| required.split);
        let before = policy.splits.iter().take(at).enumerate().filter(|(_, earlier)| {
            let takes_all = earlier.matches.is_none() && earlier.overrides.is_empty();
            earlier.layer.is_some() && earlier.layer == split.layer && takes_all
        });
        for other in required.chain(before.map(|(other, _)| other)) {
            if !all.contains(&other) {
                all.push(other);
            }
        }
    }
    all
}

/// Takes away what a request decides.
fn reduce(split: &mut Split) {
    split.matches = None;
    split.overrides = Vec::new();
    split.sticky = None;
    split.mirror = None;
    split.key = vec![KeySource::Header(KEY.to_owned())];
}

impl<'a> Judge<'a> {
    /// Assigns a key.
    pub(super) fn assign(&mut self, key: &[u8]) -> Assigned<'a> {
        let Assigner { plan, split, context } = self.assigner;
        plan.decide(&Keyed(key), context, &mut self.decisions);
        let decision = self.decisions.list.iter().find(|decision| decision.split == *split);
        let plan_split = plan.splits.get(*split);
        let bucket = plan_split
            .filter(|_| !key.is_empty())
            .map(|split| Hash::new(&split.salt_prefix, key).bucket());
        let (variant, reason) = match decision {
            // Without a key and by chance: any variant, another one next time.
            Some(decision) if decision.reason == Reason::Random => (None, Reason::NoKey.as_str()),
            Some(decision) => {
                let variant = plan_split.and_then(|split| split.variants.get(decision.variant));
                (variant.map(|variant| variant.name.as_str()), decision.reason.as_str())
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
        let assigner = Assigner::new(&policy(split), "s", 0).unwrap();
        let mut judge = assigner.judge();
        let (mut out, mut below) = (0, 0);
        for key in 0..1_000 {
            let key = key.to_string();
            if judge.assign(key.as_bytes()).reason == "out" {
                out += 1;
                below += usize::from(Hash::new(b"l\x1f", key.as_bytes()).bucket() < 4_000);
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
            let assigner = Assigner::new(&policy(split), "s", 0).unwrap();
            let expected = Assigned { variant, bucket: None, reason };
            assert_eq!(assigner.judge().assign(b""), expected, "{split}");
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
        let (first, second) =
            (Assigner::new(&policy, "first", 0).unwrap(), Assigner::new(&policy, "s", 0).unwrap());
        let (mut first, mut second) = (first.judge(), second.judge());
        for key in 0..100 {
            let key = key.to_string();
            let has = first.assign(key.as_bytes()).variant == Some("b");
            assert_eq!(second.assign(key.as_bytes()).variant.is_some(), has);
        }
    }
}
