//! Weights over time, prepared: for every moment the weights of a split, in whole numbers, so that
//! all proxies whose clocks agree give the same.

use crate::ids::{List, VariantId};
use crate::policy::{Ramp, Weight};
use crate::units::{Millis, Moment};

/// A schedule of weights, prepared. Its points are numbered: 0 is the start with the variants' own
/// weights, `n` is the step number `n` of the policy, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RampPlan {
    start: Moment,
    pause: Option<Moment>,
    linear: bool,
    points: Vec<Point>,
}

/// A point of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Point {
    /// How long after the start.
    after: Millis,
    /// In units of 0.0001, in the order of the variants.
    weights: List<VariantId, u64>,
}

/// A place in a schedule: what a moment comes to, found once per request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The last point passed.
    point: usize,
    /// On the way to the next point; `None` where the weights do not move.
    way: Option<Way>,
}

/// Milliseconds between two points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Way {
    /// Behind.
    passed: u64,
    /// Before.
    left: u64,
}

impl Position {
    /// The last point passed: 0 before the first step, `n` from the `n`th on.
    pub const fn point(self) -> usize {
        self.point
    }
}

impl RampPlan {
    /// Prepares a schedule; `base` are the weights of the variants themselves.
    pub fn new(ramp: &Ramp, base: &List<VariantId, Weight>) -> Self {
        let point = |after, weights: &List<VariantId, Weight>| Point {
            after,
            weights: weights.map(|weight| weight.units()),
        };
        let steps = ramp.steps.iter().map(|step| point(step.after, &step.weights));
        Self {
            start: ramp.start,
            pause: ramp.pause,
            linear: ramp.linear,
            points: std::iter::once(point(Millis::default(), base)).chain(steps).collect(),
        }
    }

    /// The place of a moment.
    pub fn position(&self, now: Moment) -> Position {
        let now = self.pause.map_or(now, |pause| now.min(pause));
        let Some(passed) = now.since(self.start) else {
            return Position { point: 0, way: None };
        };
        // A first step at `0s` is passed at the start at once, so point 0 is then never the last.
        let next = self.points.partition_point(|point| point.after <= passed);
        let point = next.saturating_sub(1);
        let between = |ends: &[Point]| match ends {
            [from, to] => Some(Way {
                passed: passed.get().checked_sub(from.after.get())?,
                left: to.after.get().checked_sub(passed.get())?,
            }),
            _ => None,
        };
        // There is nothing between the last point and the next one, which is none.
        let way = self.points.get(point..=next).filter(|_| self.linear).and_then(between);
        Position { point, way }
    }

    /// A variant's weight there, in units of 0.0001. Between two points it is rounded down, so a
    /// weight that rises never falls in between, and the sum may miss a few units.
    pub fn weight(&self, variant: VariantId, at: Position) -> u64 {
        let from = self.point_weight(at.point, variant);
        let Some(Way { passed, left }) = at.way else { return from };
        let to = self.point_weight(at.point.saturating_add(1), variant);
        // Weights are below 2^44, so the products are below 2^108 and their sum fits. What comes out
        // is between the two.
        let product = |a: u64, b: u64| u128::from(a).wrapping_mul(b.into());
        let sum = product(from, left).wrapping_add(product(to, passed));
        let way = u128::from(passed).wrapping_add(left.into());
        sum.checked_div(way).map_or(from, |weight| weight as u64)
    }

    /// 0 past the last point, to which a position never goes.
    fn point_weight(&self, point: usize, variant: VariantId) -> u64 {
        self.points.get(point).map_or(0, |point| point.weights[variant])
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test that overflows has failed")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hash::fmix64;
    use crate::ids::Id as _;
    use crate::plan::{Race, WeightsNow};
    use crate::policy::{RampStep, Steps};

    const HOUR: u64 = 3_600_000;
    const START: u64 = 1_795_176_000_000;

    fn weights(units: &[u64]) -> List<VariantId, Weight> {
        units.iter().map(|units| Weight::from_units(*units).unwrap()).collect()
    }

    fn ramp(steps: &[(u64, &[u64])], linear: bool, pause: Option<u64>) -> Ramp {
        let step = |(after, units): &(u64, &[u64])| RampStep {
            after: Millis::new(*after),
            weights: weights(units),
        };
        let steps = Steps::new(steps.iter().map(step).collect()).unwrap();
        Ramp { start: Moment::new(START), steps, linear, pause: pause.map(Moment::new) }
    }

    fn at(plan: &RampPlan, now: u64) -> [u64; 2] {
        let position = plan.position(Moment::new(now));
        [0, 1].map(|variant| plan.weight(VariantId::at(variant), position))
    }

    const STEPS: &[(u64, &[u64])] =
        &[(HOUR, &[90, 10]), (2 * HOUR, &[50, 50]), (4 * HOUR, &[0, 100])];

    #[test]
    fn weights_stay_from_one_step_to_the_next() {
        let plan = RampPlan::new(&ramp(STEPS, false, None), &weights(&[100, 0]));
        for (now, expected, point) in [
            (0, [100, 0], 0),
            (START - 1, [100, 0], 0),
            (START, [100, 0], 0),
            (START + HOUR - 1, [100, 0], 0),
            (START + HOUR, [90, 10], 1),
            (START + 2 * HOUR - 1, [90, 10], 1),
            (START + 2 * HOUR, [50, 50], 2),
            (START + 4 * HOUR - 1, [50, 50], 2),
            (START + 4 * HOUR, [0, 100], 3),
            (u64::MAX, [0, 100], 3),
        ] {
            assert_eq!(at(&plan, now), expected, "{now}");
            assert_eq!(plan.position(Moment::new(now)).point(), point, "{now}");
        }
    }

    #[test]
    fn a_straight_line_begins_at_the_variants_own_weights() {
        let plan = RampPlan::new(&ramp(STEPS, true, None), &weights(&[100, 0]));
        for (now, expected) in [
            (START - 1, [100, 0]),
            (START, [100, 0]),
            (START + HOUR / 2, [95, 5]),
            // Rounded down, both.
            (START + HOUR - 1, [90, 9]),
            (START + HOUR, [90, 10]),
            (START + 3 * HOUR / 2, [70, 30]),
            (START + 2 * HOUR, [50, 50]),
            (START + 3 * HOUR, [25, 75]),
            (START + 4 * HOUR, [0, 100]),
            (u64::MAX, [0, 100]),
        ] {
            assert_eq!(at(&plan, now), expected, "{now}");
        }
    }

    #[test]
    fn a_first_step_at_the_start_takes_the_place_of_the_own_weights() {
        let steps: &[(u64, &[u64])] = &[(0, &[99, 1]), (HOUR, &[0, 100])];
        for linear in [false, true] {
            let plan = RampPlan::new(&ramp(steps, linear, None), &weights(&[100, 0]));
            assert_eq!(at(&plan, START - 1), [100, 0]);
            assert_eq!(at(&plan, START), [99, 1]);
            assert_eq!(at(&plan, START + HOUR), [0, 100]);
        }
    }

    #[test]
    fn a_pause_keeps_the_weights_of_its_moment() {
        let own = weights(&[100, 0]);
        for (linear, pause, expected) in [
            (false, START, [100, 0]),
            (false, START + 3 * HOUR, [50, 50]),
            (true, START, [100, 0]),
            (true, START + 3 * HOUR, [25, 75]),
            (true, START + 9 * HOUR, [0, 100]),
        ] {
            let plan = RampPlan::new(&ramp(STEPS, linear, Some(pause)), &own);
            let running = RampPlan::new(&ramp(STEPS, linear, None), &own);
            for now in [pause, pause + 1, pause + 100 * HOUR, u64::MAX] {
                assert_eq!(at(&plan, now), expected, "{linear} {pause} {now}");
            }
            for now in [0, START, pause - 1] {
                assert_eq!(at(&plan, now), at(&running, now), "{linear} {pause} {now}");
            }
        }
    }

    #[test]
    fn a_ramp_may_go_back() {
        let steps: &[(u64, &[u64])] = &[(HOUR, &[0, 100]), (2 * HOUR, &[100, 0])];
        let plan = RampPlan::new(&ramp(steps, true, None), &weights(&[100, 0]));
        assert_eq!(at(&plan, START + 3 * HOUR / 2), [50, 50]);
        assert_eq!(at(&plan, START + 2 * HOUR), [100, 0]);
    }

    #[test]
    fn the_largest_weights_and_the_longest_times_do_not_overflow() {
        let (large, long) = (Weight::MAX.units(), u64::MAX - START);
        let plan = RampPlan::new(&ramp(&[(long, &[0, large])], true, None), &weights(&[large, 0]));
        assert_eq!(at(&plan, u64::MAX), [0, large]);
        let half = START + long / 2;
        assert_eq!(at(&plan, half).iter().sum::<u64>(), large - 1, "each is rounded down");
    }

    /// A schedule of three variants: own weights, steps in the order of their times, pause.
    type Schedule = (Vec<u64>, Vec<(u64, Vec<u64>)>, Option<u64>);

    fn schedules() -> impl Strategy<Value = Schedule> {
        let weights = || prop::collection::vec(prop_oneof![0..20_u64, 0..=1_000_000_u64], 3);
        let steps = prop::collection::btree_map(0..20_000_u64, weights(), 1..6);
        let steps = steps.prop_map(|steps| steps.into_iter().collect());
        (weights(), steps, prop::option::of(START..START + 22_000))
    }

    /// The definition, without preparation: looks at every point and takes the last one passed.
    fn naive(ramp: &Ramp, base: &[u64], variant: VariantId, now: u64) -> u64 {
        let base = |variant: VariantId| base[variant.place()];
        let now = ramp.pause.map_or(now, |pause| now.min(pause.get()));
        if now < ramp.start.get() {
            return base(variant);
        }
        let passed = now - ramp.start.get();
        let (mut from, mut to) = ((0, base(variant)), None);
        for step in ramp.steps.iter() {
            let point = (step.after.get(), step.weights[variant].units());
            if step.after.get() <= passed {
                from = point;
            } else if to.is_none() {
                to = Some(point);
            }
        }
        match to.filter(|_| ramp.linear) {
            None => from.1,
            Some(to) => {
                let rise = (i128::from(to.1) - i128::from(from.1)) * i128::from(passed - from.0);
                let moved = i128::from(from.1) + rise.div_euclid(i128::from(to.0 - from.0));
                u64::try_from(moved).unwrap()
            }
        }
    }

    fn built(
        base: &[u64],
        steps: &[(u64, Vec<u64>)],
        linear: bool,
        pause: Option<u64>,
    ) -> (Ramp, RampPlan) {
        let steps: Vec<_> = steps.iter().map(|(after, units)| (*after, units.as_slice())).collect();
        let ramp = ramp(&steps, linear, pause);
        let plan = RampPlan::new(&ramp, &weights(base));
        (ramp, plan)
    }

    proptest! {
        #[test]
        fn it_is_what_the_definition_says(
            (base, steps, pause) in schedules(), linear: bool, now in START - 10..START + 25_000,
        ) {
            let (ramp, plan) = built(&base, &steps, linear, pause);
            for variant in [0, 1, 2].map(VariantId::at) {
                let found = plan.weight(variant, plan.position(Moment::new(now)));
                prop_assert_eq!(found, naive(&ramp, &base, variant, now));
            }
        }

        #[test]
        fn every_point_is_met_exactly((base, steps, _) in schedules(), linear: bool) {
            let (ramp, plan) = built(&base, &steps, linear, None);
            for step in ramp.steps.iter() {
                let position = plan.position(ramp.start.after(step.after));
                for (variant, weight) in step.weights.pairs() {
                    prop_assert_eq!(plan.weight(variant, position), weight.units());
                }
            }
        }

        #[test]
        fn between_two_points_a_weight_only_moves_towards_the_next(
            (base, steps, _) in schedules(), a in 0..25_000_u64, b in 0..25_000_u64,
        ) {
            let (_, plan) = built(&base, &steps, true, None);
            let [a, b] =
                [a.min(b), a.max(b)].map(|passed| plan.position(Moment::new(START + passed)));
            prop_assume!(a.point() == b.point());
            for variant in [0, 1, 2].map(VariantId::at) {
                let ends = [a.point(), a.point() + 1].map(|point| plan.point_weight(point, variant));
                let (earlier, later) = (plan.weight(variant, a), plan.weight(variant, b));
                if ends[0] <= ends[1] {
                    prop_assert!(earlier <= later);
                } else if a.point() + 1 < plan.points.len() {
                    prop_assert!(earlier >= later);
                }
            }
        }

        #[test]
        fn raising_never_takes_a_user_off_the_canary(
            user: u64, from in 0..=500_000_u64, to in 500_000..=1_000_000_u64,
            a in 0..=HOUR, b in 0..=HOUR,
        ) {
            let all = 1_000_000;
            let steps = [(0, vec![all - from, from]), (HOUR, vec![all - to, to])];
            let (_, plan) = built(&[all, 0], &steps, true, None);
            let [stable, canary] = [0, 1].map(VariantId::at);
            let race = Race::new([(stable, "stable"), (canary, "canary")].into_iter());
            let variant_at = |passed| {
                let weights = weights(&at(&plan, START + passed));
                race.winner(fmix64(user), &WeightsNow::fixed(&weights, &race))
            };
            if variant_at(a.min(b)) == Some(canary) {
                prop_assert_eq!(variant_at(a.max(b)), Some(canary));
            }
        }
    }
}
