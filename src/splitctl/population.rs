//! Users without requests: what the splits of a plan serve them, by the engine's own judgement of a bare key.

use engine::decision::{Context, KeyFacts, Nobody, Population, decide};
use engine::hash::{first_word, fmix64};
use engine::ids::{SplitId, VariantId};
use engine::plan::Plan;
use engine::reason::Reason;
use engine::units;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::keys::Keys;

/// What a user is served in a split; `None` where the split is not theirs.
pub type Served = Option<(VariantId, Reason)>;

/// Who is served what in some splits, at a moment.
pub struct Users<'p> {
    plan: &'p Plan,
    groups: Vec<Group>,
    /// How many splits are asked.
    count: usize,
    now: units::Moment,
}

/// Splits that can be judged in one go.
struct Group {
    population: Population,
    /// In the order of the policy, each with its place among those asked.
    asked: Vec<(SplitId, usize)>,
}

impl<'p> Users<'p> {
    /// Asks these splits.
    pub fn new(
        plan: &'p Plan,
        now: units::Moment,
        splits: impl IntoIterator<Item = SplitId>,
    ) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        let mut count: usize = 0;
        for (place, split) in splits.into_iter().enumerate() {
            count = count.saturating_add(1);
            let own = Population::of(plan, split);
            let mut joined = groups
                .iter_mut()
                .filter_map(|group| Some((group.population.joined(plan, &own)?, group)));
            match joined.next() {
                Some((population, group)) => {
                    group.population = population;
                    group.asked.push((split, place));
                }
                None => groups.push(Group { population: own, asked: vec![(split, place)] }),
            }
        }
        groups.iter_mut().for_each(|group| group.asked.sort_unstable());
        Self { plan, groups, count, now }
    }

    /// What the splits serve to a user, in the order in which they were given.
    pub fn ask(&self, key: &[u8]) -> Vec<Served> {
        let context = Context { now: self.now, random: chance(key) };
        let mut served = vec![None; self.count];
        for group in &self.groups {
            let facts = KeyFacts::new(self.plan, &group.population, key);
            let decisions = decide(self.plan, &facts, &context, &mut Nobody);
            // Both are in the order of the policy.
            let mut decided = decisions.list().iter().peekable();
            for (split, place) in &group.asked {
                while decided.next_if(|decision| decision.split < *split).is_some() {}
                let decision = decided.next_if(|decision| decision.split == *split);
                if let Some(served) = served.get_mut(*place) {
                    *served = decision.map(|decision| (decision.variant, decision.reason));
                }
            }
        }
        served
    }
}

/// The chance of one request of a user: the same each time that a command runs.
pub fn chance(key: &[u8]) -> [u64; 2] {
    let word = fmix64(first_word(key));
    [word, fmix64(word)]
}

/// Calls `each` with every key, and shows on a terminal how far it is. Returns how many there were.
///
/// # Errors
/// When the keys cannot be read.
pub fn for_each(mut keys: Keys, mut each: impl FnMut(&[u8])) -> anyhow::Result<u64> {
    /// Often enough to move, seldom enough to cost nothing.
    const STEP: u64 = 1 << 16;
    // Draws nothing where stderr is no terminal.
    let target = ProgressDrawTarget::stderr();
    let bar = ProgressBar::with_draw_target(keys.expected(), target);
    let template = match keys.expected() {
        Some(_) => "asking users {wide_bar} {percent}% ",
        None => "asking users {human_pos}",
    };
    bar.set_style(ProgressStyle::with_template(template)?);
    let mut count = 0_u64;
    while let Some(key) = keys.next_key()? {
        each(key);
        count = count.saturating_add(1);
        if count.is_multiple_of(STEP) {
            bar.set_position(count);
        }
    }
    bar.finish_and_clear();
    Ok(count)
}

#[cfg(test)]
mod tests {
    use engine::policy;

    use super::*;

    const POLICY: &str = r#"{"version": 1, "key": [{"header": "u"}], "holdout": {"percent": 10},
        "layers": [{"name": "ui"}], "splits": [
        {"name": "a", "baseline": "x", "variants": [{"name": "x", "weight": 70}, {"name": "y", "weight": 30}]},
        {"name": "b", "baseline": "x", "variants": [{"name": "x", "weight": 50}, {"name": "y", "weight": 50}],
         "layer": "ui", "slice": {"from": 20, "to": 60}},
        {"name": "b2", "baseline": "x", "variants": [{"name": "x", "weight": 50}, {"name": "y", "weight": 50}],
         "layer": "ui"},
        {"name": "c", "baseline": "x", "variants": [{"name": "x", "weight": 99}, {"name": "y", "weight": 1}],
         "requires": [{"split": "a", "variant": "y"}]},
        {"name": "d", "enabled": false, "baseline": "x", "variants": [{"name": "x", "weight": 100}]},
        {"name": "e", "baseline": "x", "weight_total": "any",
         "variants": [{"name": "x", "weight": 0}, {"name": "y", "weight": 0}]}]}"#;

    #[test]
    fn users_are_served_what_the_engine_decides_for_their_requests() {
        for text in [POLICY.to_owned(), POLICY.replacen("1,", "1, \"kill\": true,", 1)] {
            let plan = Plan::new(policy::from_json(text.as_bytes()).policy.unwrap());
            let users = Users::new(&plan, units::Moment::default(), plan.splits.ids());
            for number in 0..5_000 {
                let key = format!("user-{number}");
                let request = [("u", key.as_str())];
                let facts = plan.facts(request.as_slice());
                let decisions = decide(&plan, &facts, &Context::default(), &mut Nobody);
                let decided =
                    plan.splits.ids().map(|id| decisions.of(id).map(|d| (d.variant, d.reason)));
                assert_eq!(users.ask(key.as_bytes()), decided.collect::<Vec<_>>(), "{key}");
            }
        }
    }

    #[test]
    fn a_split_of_a_layer_leaves_out_those_whom_an_earlier_one_takes_unless_no_request_meets_both()
    {
        let with = |first: &str, second: &str| {
            let text = format!(
                r#"{{"version": 1, "key": [{{"header": "u"}}], "layers": [{{"name": "l"}}], "splits": [
                {{"name": "a", "layer": "l", "slice": {{"from": 0, "to": 30}}, "baseline": "x"{first},
                  "variants": [{{"name": "x", "weight": 100}}]}},
                {{"name": "c", "layer": "l", "baseline": "x"{second}, "variants": [{{"name": "x", "weight": 100}}]}}]}}"#
            );
            let plan = Plan::new(policy::from_json(text.as_bytes()).policy.unwrap());
            let users = Users::new(&plan, units::Moment::default(), plan.find("c"));
            (0..1_000).filter(|n| users.ask(format!("user-{n}").as_bytes()) == [None]).count()
        };
        let path = |path: &str| format!(r#", "match": [{{"path": {{"prefix": "{path}"}}}}]"#);
        let forced = r#", "overrides": [{"match": [{"methods": ["PUT"]}], "variant": "x"}]"#;
        for (first, second) in
            [("", ""), (forced, ""), (&path("/x"), ""), (&path("/x"), &path("/x/y"))]
        {
            let out = with(first, second);
            assert!((250..350).contains(&out), "{out} are out with {first} and {second}");
        }
        assert_eq!(with(&path("/x"), &path("/y")), 0, "nobody's request meets both");
    }
}
