//! The engine's guard of a split of two variants, a stable one and a canary.

use std::cell::Cell;

use engine::guard::{Bad, GuardState, Guards, Setting, Trip};
use engine::ids::{Id as _, SplitId, VariantId};
use engine::plan::Plan;
use engine::policy;
use engine::units::Moment;

/// The time at which ramps start.
pub const START: u64 = 1_795_176_000_000;

/// A split with a canary of so many percent and a guard; `more` are fields of the split besides.
pub fn plan_of(percent: f64, more: &str) -> Plan {
    let guard = if more.contains("\"guard\"") { "" } else { r#", "guard": {"errors": {}}"# };
    let text = format!(
        r#"{{"version": 1, "splits": [{{"name": "s", "key": [{{"header": "u"}}], "baseline": "stable"{guard}{more},
        "variants": [{{"name": "stable", "weight": {}}}, {{"name": "canary", "weight": {percent}}}]}}]}}"#,
        100.0 - percent
    );
    let checked = policy::from_json(text.as_bytes());
    Plan::new(checked.policy.unwrap_or_else(|| panic!("{:?}\n{text}", checked.diagnostics)))
}

/// A guard and its state.
pub struct Judge {
    plan: Plan,
    guards: Guards,
    state: GuardState,
    exposures: [Cell<u32>; 2],
    pub now: u64,
    /// Bad events that counted.
    pub events: u64,
    pub trips: u64,
}

impl Judge {
    /// A canary of so many percent; `more` are fields of the split besides.
    pub fn new(percent: f64, more: &str) -> Self {
        let plan = plan_of(percent, more);
        let guards = Guards::new(&plan);
        let state = GuardState::read(guards.of(SplitId::FIRST).expect("a guard"), &[]);
        Self { plan, guards, state, exposures: Default::default(), now: START, events: 0, trips: 0 }
    }

    /// Forgets all that it knows of users, but not what it counted.
    pub fn restart(&mut self) {
        self.state = GuardState::read(self.guards.of(SplitId::FIRST).expect("a guard"), &[]);
        self.exposures = Default::default();
    }

    /// Requests that went well or not: of the stable variant and of the canary.
    pub fn exposed(&mut self, counts: [u32; 2]) {
        for (sum, more) in self.exposures.iter().zip(counts) {
            sum.set(sum.get().saturating_add(more));
        }
    }

    /// A request of a user failed; the trip that this makes. The state is kept.
    pub fn fails(&mut self, canary: bool, user: u64) -> Option<Trip> {
        let guard = self.guards.of(SplitId::FIRST).expect("a guard");
        let variant = VariantId::at(usize::from(canary));
        let bad = Bad { guard, split: SplitId::FIRST, variant, user, kinds: [true, false] };
        let now = Moment::new(self.now);
        let weights = self.plan.splits[SplitId::FIRST].weights_at(now);
        let setting = Setting { exposures: &self.exposures, weights, now };
        let applied = self.state.apply(&bad, &setting);
        if applied.changed {
            self.exposures.iter().for_each(|count| count.set(0));
            self.events += 1;
        }
        let trip = applied.trips.first().copied();
        self.trips += u64::from(trip.is_some());
        trip
    }

    /// The same, where a trip makes an end of what is known: the next one is counted anew.
    pub fn fails_again(&mut self, canary: bool, user: u64) {
        if self.fails(canary, user).is_some() {
            self.restart();
        }
    }
}
