//! Ramps that stand still: what becomes of the weights when `pause` is taken out, and how to go on from where they stand. A
//! ramp depends on the clock alone, so that without its pause it is where it would have been without it all the time.

use engine::plan::Plan;
use engine::policy::{Policy, Split};
use engine::units::Moment;
use serde::Serialize;

use crate::moment;
use crate::text::fixed_percent;

/// What taking `pause` out of a ramp does.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Jump {
    /// The split.
    pub(crate) split: String,
    /// Shares of new users from 0 to 1, of the variants that have another one.
    pub(crate) variants: Vec<Rise>,
    /// The start with which the ramp goes on from where it stands, `pause` taken out, at the moment that was asked for.
    pub(crate) start: moment::Moment,
}

/// One variant's share while the ramp stands, and without the pause.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Rise {
    pub(crate) variant: String,
    pub(crate) from: f64,
    pub(crate) to: f64,
}

impl Jump {
    /// From one plan's split to another's, at a moment; `None` where the first does not stand still then, or nothing jumps.
    pub(crate) fn new(old: (&Plan, &Split), new: (&Plan, &Split), now: Moment) -> Option<Self> {
        let ramp = old.1.ramp.as_ref()?;
        let stood = now.since(ramp.pause?)?;
        let shares = |(plan, split): (&Plan, &Split)| {
            let shares = plan.splits[plan.find(&split.name)?].weights_at(now).shares();
            let share = |(variant, share): (&engine::policy::Variant, &u64)| {
                (variant.name.clone(), *share as f64 / 1e6)
            };
            Some(split.variants.iter().zip(shares.iter()).map(share).collect::<Vec<_>>())
        };
        let (before, after) = (shares(old)?, shares(new)?);
        let rise = |(variant, from): (String, f64)| {
            let (_, to) = after.iter().find(|(name, _)| *name == variant)?;
            // Shares are in millionths, rounded down.
            ((from - to).abs() > 1e-5).then_some(Rise { variant, from, to: *to })
        };
        let variants: Vec<Rise> = before.into_iter().filter_map(rise).collect();
        // To the second: that is what people write.
        let start = ramp.start.after(stood).get();
        let start = moment::Moment(Moment::new(start.saturating_sub(start % 1_000)));
        (!variants.is_empty()).then(|| Self { split: new.1.name.clone(), variants, start })
    }

    /// Of every split that stands still, what would become of it without the pause.
    pub(crate) fn of_policy(policy: &Policy, now: Moment) -> Vec<Self> {
        let mut without = policy.clone();
        for id in policy.splits.ids() {
            if let Some(ramp) = &mut without.splits[id].ramp {
                ramp.pause = None;
            }
        }
        let (old, new) = (Plan::new(policy.clone()), Plan::new(without.clone()));
        let splits = policy.splits.iter().zip(without.splits.iter());
        let enabled = splits.filter(|(split, _)| split.enabled);
        enabled.filter_map(|(a, b)| Self::new((&old, a), (&new, b), now)).collect()
    }

    /// `canary` from 27.00% to 54.00%, and so on.
    pub(crate) fn rises(&self) -> String {
        let rise = |Rise { variant, from, to }: &Rise| {
            format!("`{variant}` from {} to {}", fixed_percent(*from), fixed_percent(*to))
        };
        self.variants.iter().map(rise).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use policy_text::source::Source;

    use super::*;
    use crate::policy_file::PolicyFile;

    const POLICY: &str = "\
version: 1
key: [{header: u}]
splits:
- name: checkout
  baseline: stable
  variants: [{name: stable, weight: 100}, {name: canary, weight: 0}]
  ramp:
    start: 2026-11-20T12:00:00Z
    linear: true
    pause: 2026-11-20T14:42:00Z
    steps: [{after: 10h, weights: {stable: 0, canary: 100}}]
";

    fn policy(text: &str) -> Policy {
        PolicyFile::check(Source::new("a.yaml", text)).valid.unwrap().policy
    }

    fn at(text: &str) -> Moment {
        moment::parse(text).unwrap()
    }

    #[test]
    fn what_a_pause_holds_back_is_told_with_the_start_that_goes_on_from_there() {
        let now = at("2026-11-20T17:24:00Z");
        let [jump] = &Jump::of_policy(&policy(POLICY), now)[..] else { panic!("one split stands") };
        assert_eq!(jump.rises(), "`stable` from 73.00% to 46.00%, `canary` from 27.00% to 54.00%");
        assert_eq!(jump.start.to_string(), "2026-11-20T14:42:00Z");
        // With that start nothing jumps, and the ramp goes on.
        let shifted = POLICY
            .replace("    pause: 2026-11-20T14:42:00Z\n", "")
            .replace("start: 2026-11-20T12:00:00Z", &format!("start: {}", jump.start));
        let (old, new) = (policy(POLICY), policy(&shifted));
        let [before, after] = [&old, &new].map(|policy| Plan::new(policy.clone()));
        let of = |policy: &Policy| policy.splits.iter().next().unwrap().clone();
        assert_eq!(Jump::new((&before, &of(&old)), (&after, &of(&new)), now), None);
        let later = at("2026-11-20T18:24:00Z");
        let canary =
            |at| after.splits.iter().next().unwrap().weights_at(at).shares().iter().nth(1).copied();
        assert_eq!((canary(now), canary(later)), (Some(270_000), Some(370_000)));
    }

    #[test]
    fn a_ramp_that_does_not_stand_yet_or_stood_at_its_end_does_not_jump() {
        assert_eq!(Jump::of_policy(&policy(POLICY), at("2026-11-20T13:00:00Z")), []);
        let over = POLICY.replace("pause: 2026-11-20T14:42:00Z", "pause: 2026-11-21T14:42:00Z");
        assert_eq!(Jump::of_policy(&policy(&over), at("2026-12-20T13:00:00Z")), []);
        let without = POLICY.replace("    pause: 2026-11-20T14:42:00Z\n", "");
        assert_eq!(Jump::of_policy(&policy(&without), at("2026-11-20T17:24:00Z")), []);
    }
}
