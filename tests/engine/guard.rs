//! The guard: every number and every trip equals what the independent program recorded, and what a naive model in
//! floating point says.

use std::cell::Cell;
use std::collections::BTreeSet;

use engine::guard::{Applied, Bad, GuardState, Guards, Kind, Setting, Share, Step, Trip};
use engine::ids::{Id as _, SplitId, VariantId};
use engine::plan::Plan;
use engine::reason::Reason;
use engine::units::{Moment, Ratio};
use proptest::prelude::*;
use serde_json::{Value, json};

fn read(file: &str) -> String {
    std::fs::read_to_string(harness::root().join("tests/vectors").join(file)).unwrap()
}

#[test]
fn every_golden_step_is_met() {
    let text = read("golden-guard-steps.csv");
    let mut rows = 0;
    for row in text.lines().skip(1) {
        let numbers: Vec<u64> = row.split(',').map(|n| n.parse().unwrap()).collect();
        let [ratio, variant, baseline, times, up, down] = numbers[..] else { panic!("{row}") };
        let ratio = Ratio::from_units(u32::try_from(ratio).unwrap()).unwrap();
        let steps = Step::all(ratio, Share { variant, baseline });
        let step = steps[engine::guard::ALTERNATIVES.iter().position(|t| *t == times).unwrap()];
        // Two logarithms, each right to 2e-9 (9 units), in each number; three in `up`.
        assert!(step.up.abs_diff(up) <= 27 && step.down.abs_diff(down) <= 18, "{row}: {step:?}");
        rows += 1;
    }
    assert!(rows > 2_000);
}

/// A guard whose state is kept as bytes, as the workers of a proxy do it.
struct Kept {
    plan: Plan,
    guards: Guards,
    bytes: Vec<u8>,
}

impl Kept {
    fn new(split: &Value) -> Self {
        let plan = super::plan(&json!({"version": 1, "splits": [split]}));
        Self { guards: Guards::new(&plan), plan, bytes: Vec::new() }
    }

    fn state(&self) -> GuardState {
        GuardState::read(self.guards.of(SplitId::FIRST).unwrap(), &self.bytes)
    }

    fn out(&self, now: u64) -> BTreeSet<usize> {
        let out = self.state().tripped(self.guards.of(SplitId::FIRST).unwrap(), Moment::new(now));
        (0..64).filter(|place| out.has(VariantId::at(*place))).collect()
    }

    fn bad_event(
        &mut self,
        now: u64,
        variant: usize,
        user: u64,
        kinds: [bool; 2],
        exposures: &[u32],
    ) -> Applied {
        let guard = self.guards.of(SplitId::FIRST).unwrap();
        let bad =
            Bad { guard, split: SplitId::FIRST, variant: VariantId::at(variant), user, kinds };
        let exposures: Vec<_> = exposures.iter().copied().map(Cell::new).collect();
        let now = Moment::new(now);
        let weights = self.plan.splits[SplitId::FIRST].weights_at(now);
        let mut state = self.state();
        let before = state.clone();
        let applied = state.apply(&bad, &Setting { exposures: &exposures, weights, now });
        assert_eq!(applied.changed, state != before);
        self.bytes = state.write();
        assert_eq!(self.state(), state, "it reads as it was written");
        applied
    }
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

#[test]
fn every_golden_trip_is_met() {
    let scenarios: Vec<Value> = serde_json::from_str(&read("golden-guard-trips.json")).unwrap();
    assert!(scenarios.len() >= 12);
    let mut seen = 0;
    for scenario in &scenarios {
        let mut kept = Kept::new(&scenario["split"]);
        let mut trips = Vec::new();
        let mut now = 0;
        for (at, event) in scenario["events"].as_array().unwrap().iter().enumerate() {
            now = number(&event[0]);
            let user = u64::from_str_radix(event[2].as_str().unwrap(), 16).unwrap();
            let named = event[3].as_array().unwrap();
            let kinds = Kind::ALL.map(|kind| named.contains(&json!(kind.as_str())));
            let exposures: Vec<u32> = serde_json::from_value(event[4].clone()).unwrap();
            let variant = number(&event[1]) as usize;
            let applied = kept.bad_event(now, variant, user, kinds, &exposures);
            trips.extend(applied.trips.iter().map(|trip| {
                let Trip { variant, kind, users, baseline_users, until, .. } = trip;
                json!({"event": at, "variant": variant.place(), "kind": kind.as_str(), "users": users,
                       "baseline_users": baseline_users, "until": until.map(Moment::get)})
            }));
        }
        let expected = &scenario["expected"];
        assert_eq!(json!(trips), expected["trips"], "{}", scenario["about"]);
        assert_eq!(json!(kept.out(now)), expected["out"], "{}", scenario["about"]);
        seen += trips.len();
    }
    assert!(seen >= 10, "{seen} trips");
}

/// The judgement of one challenger for one kind, as plainly as possible.
struct Naive {
    sums: [f64; 3],
    alarm: f64,
    ratio: f64,
}

impl Naive {
    /// How near the largest sum is to the alarm.
    fn take(&mut self, own: bool, (t, b): (f64, f64)) -> f64 {
        for (sum, times) in self.sums.iter_mut().zip([2.0, 6.0, 20.0]) {
            let (r0, r1) = (self.ratio, self.ratio * times);
            let factor = (r0 * t + b) / (r1 * t + b) * if own { times } else { 1.0 };
            *sum = sum.max(0.0) + factor.ln();
        }
        self.sums.into_iter().fold(f64::MIN, f64::max) - self.alarm
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn trips_are_those_of_a_naive_model(
        weights in (1_u32..1_000_000, 1_u32..1_000_000),
        ratio in 10_001_u32..50_000,
        false_trips in 1_000_u32..1_000_000_000,
        times in 1.0_f64..30.0,
        seeds in prop::collection::vec((any::<u64>(), 0_u32..200, 0_u32..200), 1..400),
    ) {
        let weight = |units: u32| f64::from(units) / 1e4;
        let mut kept = Kept::new(&json!({
            "name": "s", "key": [{"header": "u"}], "baseline": "a", "weight_total": "any",
            "variants": [{"name": "a", "weight": weight(weights.0)}, {"name": "b", "weight": weight(weights.1)}],
            "guard": {"errors": {"ratio": f64::from(ratio) / 1e4}, "false_trips": false_trips},
        }));
        let (w_b, w_t) = (f64::from(weights.0), f64::from(weights.1));
        let mut naive = Naive { sums: [0.0; 3], alarm: (3.0 * f64::from(false_trips)).ln(), ratio: f64::from(ratio) / 1e4 };
        let (mut n_b, mut n_t) = (0.0, 0.0);
        for (at, (seed, b, t)) in seeds.into_iter().enumerate() {
            let chance = times * w_t / (times * w_t + w_b);
            let own = (seed >> 11) as f64 / (1_u64 << 53) as f64 * 1.0 < chance;
            // Each a user of their own.
            let applied = kept.bad_event(at as u64, usize::from(own), at as u64, [true, false], &[b, t]);
            (n_b, n_t) = (n_b + f64::from(b), n_t + f64::from(t));
            if n_b + n_t > 32_768.0 {
                (n_b, n_t) = ((n_b / 2.0).floor(), (n_t / 2.0).floor());
            }
            let of_weights = n_b + n_t == 0.0 || w_t * n_b > n_t * w_b;
            let over = naive.take(own, if of_weights { (w_t, w_b) } else { (n_t.max(1.0), n_b) });
            if over.abs() < 1e-5 {
                return Ok(());
            }
            prop_assert_eq!(!applied.trips.is_empty(), over > 0.0, "event {}: {}", at, over);
            prop_assert_eq!(kept.out(at as u64).contains(&1), over > 0.0);
            if over > 0.0 {
                return Ok(());
            }
        }
    }

    #[test]
    fn other_bytes_are_a_fresh_state_or_one_that_does_no_harm(
        bytes in prop::collection::vec(any::<u8>(), 0..100), at in any::<prop::sample::Index>(), flip in 1_u8..,
        user in any::<u64>(),
    ) {
        let mut kept = Kept::new(&canary(json!({"errors": {}, "slow": {"over": "1s"}, "release": "10s"})));
        let fresh = kept.state();
        kept.bytes = bytes;
        prop_assert_eq!(&kept.state(), &fresh);
        kept.bytes.clear();
        kept.bad_event(5, 1, 77, [true, true], &[9, 1]);
        let good = kept.bytes.clone();
        kept.bytes.pop();
        prop_assert_eq!(&kept.state(), &fresh);
        // A number that nobody wrote: what comes of it is wrong, and nothing overflows.
        kept.bytes = good;
        let at = at.index(kept.bytes.len());
        kept.bytes[at] ^= flip;
        for now in [0, 5, u64::MAX] {
            kept.bad_event(now, 1, user, [true, true], &[u32::MAX, u32::MAX]);
            kept.out(now);
        }
    }
}

/// A split with a canary of 5 %, and this guard.
fn canary(guard: Value) -> Value {
    json!({"name": "s", "key": [{"header": "u"}], "baseline": "stable",
        "variants": [{"name": "stable", "weight": 95}, {"name": "canary", "weight": 5}], "guard": guard})
}

#[test]
fn one_user_is_one_event_of_each_kind() {
    let mut kept = Kept::new(&canary(json!({"errors": {}, "slow": {"over": "1s"}})));
    let said = |applied: Applied| (applied.changed, applied.new_bad_key);
    assert_eq!(said(kept.bad_event(0, 1, 7, [true, false], &[95, 5])), (true, true));
    assert_eq!(said(kept.bad_event(1, 1, 7, [true, false], &[95, 5])), (false, false));
    assert_eq!(
        said(kept.bad_event(2, 0, 7, [true, false], &[95, 5])),
        (false, false),
        "of either variant"
    );
    assert_eq!(said(kept.bad_event(3, 1, 7, [true, true], &[95, 5])), (true, false));
    for at in 0..1_000 {
        assert_eq!(kept.bad_event(at, 1, 7, [true, true], &[95, 5]), Applied::default());
    }
}

#[test]
fn a_release_is_half_way_to_the_next_trip_and_waits_longer_each_time() {
    let mut kept = Kept::new(&canary(json!({"errors": {}, "release": "10s"})));
    let guard = kept.guards.of(SplitId::FIRST).unwrap().clone();
    let (mut now, mut user) = (1_000, 0);
    let mut rounds = Vec::new();
    for _ in 0..9 {
        let mut events = 0;
        let until = loop {
            (user, events) = (user + 1, events + 1);
            if let [trip] = kept.bad_event(now, 1, user, [true, false], &[95, 5]).trips[..] {
                break trip.until.unwrap().get();
            }
        };
        // What still comes of requests that began before is nothing to it.
        for _ in 0..50 {
            user += 1;
            assert_eq!(kept.bad_event(now, 1, user, [true, false], &[95, 5]).trips, []);
        }
        assert_eq!(kept.state().next_release(&guard, Moment::new(now)), Some(Moment::new(until)));
        assert!(kept.out(until - 1).contains(&1) && kept.out(until).is_empty());
        rounds.push((events, (until - now) / 1_000));
        now = until;
    }
    let events: Vec<_> = rounds.iter().map(|(events, _)| *events).collect();
    assert_eq!(events, [8, 4, 4, 4, 4, 4, 4, 4, 4]);
    let seconds: Vec<_> = rounds.iter().map(|(_, seconds)| *seconds).collect();
    assert_eq!(seconds, [10, 20, 40, 80, 160, 320, 640, 640, 640]);
    assert_eq!(kept.state().next_release(&guard, Moment::new(now)), None);
}

#[test]
fn the_baseline_never_trips_and_an_outage_of_all_trips_nobody() {
    let mut kept = Kept::new(&canary(json!({"errors": {}, "false_trips": 1_000})));
    for user in 0..2_000 {
        assert_eq!(kept.bad_event(user, 0, user, [true, false], &[95, 5]).trips, []);
    }
    let mut kept = Kept::new(&canary(json!({"errors": {}, "false_trips": 1_000})));
    for user in 0..2_000 {
        let variant = usize::from(user % 20 == 0);
        assert_eq!(kept.bad_event(user, variant, user, [true, false], &[19, 1]).trips, []);
    }
}

#[test]
fn a_step_of_a_ramp_trips_nobody_although_the_exposures_are_late() {
    let mut split = canary(json!({"errors": {}}));
    split["ramp"] = json!({"start": "2026-11-20T12:00:00Z", "steps": [{"after": "0s", "weights": {"stable": 10, "canary": 90}}]});
    let mut kept = Kept::new(&split);
    let start = 1_795_176_000_000;
    kept.bad_event(start - 1, 0, 1, [true, false], &[9_500, 500]);
    for user in 2..200 {
        let variant = usize::from(user % 10 != 0);
        let applied = kept.bad_event(start + user, variant, user, [true, false], &[1, 9]);
        assert_eq!(applied.trips, [], "user {user}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_variant_that_is_out_has_nobody_but_those_who_force_it_and_nobody_else_moves(
        policy in harness::generate::policy(),
        situations in prop::collection::vec(harness::generate::situation(), 1..20),
    ) {
        let mut policy = policy;
        policy["kill"] = json!(false);
        for split in policy["splits"].as_array_mut().unwrap() {
            // Whether a split applies is another matter.
            for field in ["requires", "layer", "slice", "on_missing_key"] {
                split.as_object_mut().unwrap().remove(field);
            }
            split["guard"] = json!({"errors": {}});
        }
        let plan = super::plan(&policy);
        for situation in situations.iter().filter(|situation| !harness::model::is_preflight(situation)) {
            let request = super::model::Seen(situation);
            let context = super::model::context(situation);
            let tripped = super::model::tripped(&plan, situation);
            let before = super::decide(&plan, &request, &context);
            let after = harness::native::decide_without(&plan, &request, &context, &tripped);
            prop_assert_eq!(before.list().len(), after.list().len());
            for (before, after) in before.list().iter().zip(after.list()) {
                let split = &plan.policy.splits[before.split];
                let is_out = |variant| tripped.of(before.split).without(split.baseline).has(variant);
                let forced = before == after && before.reason == Reason::Override;
                prop_assert!(!is_out(after.variant) || forced);
                if !is_out(before.variant) {
                    prop_assert_eq!(before, after, "nothing of theirs is out");
                } else if !forced {
                    prop_assert!(matches!(after.reason, Reason::Tripped | Reason::Holdout), "{:?}", after);
                    prop_assert!(!after.hold && after.user_by_weight().is_none(), "it is let in again, and is judged then");
                }
            }
        }
    }
}

#[test]
fn healthy_variants_stay_and_broken_ones_are_out_as_the_page_says() {
    let mut kept = Kept::new(&canary(json!({"errors": {}})));
    let mut random = 1_u64;
    for event in 0..20_000_u64 {
        random = engine::hash::fmix64(random.wrapping_add(0x9e37_79b9_7f4a_7c15));
        let own = usize::from(random.is_multiple_of(20));
        let applied =
            kept.bad_event(event, own, engine::hash::fmix64(event), [true, false], &[95, 5]);
        assert_eq!(applied.trips, [], "event {event}");
    }
    let page = std::fs::read_to_string(harness::root().join("docs/guard.md")).unwrap();
    for (percent, wanted) in [(1, 6), (5, 8), (20, 13), (50, 32)] {
        let mut split = canary(json!({"errors": {}}));
        split["variants"][0]["weight"] = json!(100 - percent);
        split["variants"][1]["weight"] = json!(percent);
        let mut kept = Kept::new(&split);
        let out = (1..)
            .find(|user| !kept.bad_event(*user, 1, *user, [true, false], &[0, 0]).trips.is_empty());
        assert_eq!(out, Some(wanted), "{percent} %");
        let row = page
            .lines()
            .find(|line| line.starts_with(&format!("| {percent} % | ")) && line.ends_with("** |"));
        assert!(row.is_some_and(|row| row.ends_with(&format!("| **{wanted}** |"))), "{row:?}");
    }
}
