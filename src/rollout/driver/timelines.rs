//! A thousand random courses in a world that fails in every way: counts that lag, are lost or begin anew, proxies that come
//! late, a policy that cannot be applied, somebody else's edits, orders at any time, and kills at any moment.

#![expect(clippy::arithmetic_side_effects, reason = "of a test: an overflow fails it")]

use super::*;
use crate::counts::Reading;
use crate::course::{Back, Counted, End, Held, Order, Pair, Proxies, QuerySeen};

/// Small, seeded chance (xorshift64*).
#[derive(Clone)]
struct Chance(u64);

impl Chance {
    fn word(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.word() % n
    }

    fn is(&mut self, probability: f64) -> bool {
        (self.word() >> 11) as f64 / (1_u64 << 53) as f64 <= probability
    }

    /// How many of so many happen.
    fn of(&mut self, n: u64, probability: f64) -> u64 {
        (0..n).filter(|_| self.is(probability)).count() as u64
    }
}

/// What happens in a world, as probabilities for each look or call.
#[derive(Clone, Copy, Default)]
struct Faults {
    no_data: f64,
    lag: f64,
    reset: f64,
    late_proxy: f64,
    unapplied: f64,
    unreadable: f64,
    edit: f64,
    order: f64,
    kill: f64,
}

/// The world: what stays when the rollout's process is killed.
struct Fake {
    chance: Chance,
    faults: Faults,
    now: u64,
    /// The policy: the challenger's weight and how often somebody else edited it.
    weight: u64,
    edits: u64,
    /// What the proxies run.
    running: Vec<String>,
    both: u64,
    /// Counters of baseline and challenger, and the last that were seen.
    counts: [Reading; 2],
    seen: [Reading; 2],
    errors: [f64; 2],
    log: String,
    /// Its entries, the hash of the last one, and how many of them this process knows.
    entries: Vec<Entry>,
    last: String,
    known: usize,
    /// Rises of the weight: from, to, and the decision that they followed.
    rises: Vec<(u64, u64)>,
    /// On so many proxies the guard has the challenger out of service.
    tripped: u64,
    alive: bool,
}

type Killed = String;

fn hash(weight: u64, edits: u64) -> String {
    format!("{weight:x}-{edits}")
}

impl Fake {
    fn new(seed: u64, faults: Faults, errors: [f64; 2]) -> Self {
        let policy = hash(0, 0);
        Self {
            chance: Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            faults,
            now: 1_000_000,
            weight: 0,
            edits: 0,
            running: vec![policy; 3],
            both: 1_000_000,
            counts: Default::default(),
            seen: Default::default(),
            errors,
            log: String::new(),
            entries: Vec::new(),
            last: String::new(),
            known: 0,
            rises: Vec::new(),
            tripped: 0,
            alive: true,
        }
    }

    fn policy(&self) -> String {
        hash(self.weight, self.edits)
    }

    /// The process may be killed here.
    fn step(&mut self) -> Result<(), Killed> {
        self.alive = self.alive && !self.chance.is(self.faults.kill);
        if self.alive { Ok(()) } else { Err("killed".to_owned()) }
    }

    /// Time passes, requests come, people and proxies do what they do.
    fn pass(&mut self) {
        self.now += 10_000;
        let requests = 200;
        let own = self.chance.of(requests, self.weight as f64 / self.both as f64);
        for (number, total) in [requests - own, own].into_iter().enumerate() {
            let bad = self.chance.of(total, self.errors[number]);
            let Reading { total: t, bad: b } = &mut self.counts[number];
            (*t, *b) = (*t + total, *b + bad);
            if self.chance.is(self.faults.reset) {
                (*t, *b) = (0, 0);
            }
        }
        let policy = self.policy();
        for number in 0..self.running.len() {
            if !self.chance.is(self.faults.late_proxy) {
                self.running[number].clone_from(&policy);
            }
        }
        if self.chance.is(self.faults.edit) {
            self.edits += 1;
            self.weight = self.chance.below(self.both);
        }
        if self.chance.is(self.faults.order) {
            let all = [
                Order::Approve,
                Order::Approve,
                Order::Pause,
                Order::Resume,
                Order::Resume,
                Order::Abort,
            ];
            let order = all[self.chance.below(6) as usize];
            self.write(What::Order { order, by: "ada".into(), why: String::new() });
        }
    }

    /// Adds a line, in the place of half a one.
    fn write(&mut self, what: What) {
        self.log.truncate(self.log.rfind('\n').map_or(0, |end| end + 1));
        let prev = std::mem::take(&mut self.last);
        let entry = Entry { n: self.entries.len() as u64, at: self.now, what, prev };
        let line = entry.line().unwrap();
        self.log += &(line.text.clone() + "\n");
        // As it is read again: JSON has no NaN.
        self.entries.push(Entry::read(&line.text).unwrap().0);
        self.last = line.hash;
    }
}

impl World for Fake {
    type Error = Killed;

    fn now(&mut self) -> u64 {
        self.now
    }

    fn see(&mut self, state: &State) -> Seen {
        if !self.chance.is(self.faults.lag) {
            self.seen = self.counts;
        }
        let policy = self.policy();
        let current = self.running.iter().filter(|running| **running == policy).count();
        let [baseline, challenger] = self.seen;
        let counted = match self.chance.is(self.faults.no_data) {
            true => Counted::Nothing { why: "it is away".to_owned() },
            false => Counted::Counts {
                errors: Pair { baseline, challenger },
                users: false,
                slow: None,
                keys: None,
                tripped: self.tripped,
            },
        };
        // Lies: no number, or one that means nothing.
        let lies = [Some(1.0), Some(f64::NAN), None, Some(-1.0)];
        let number = lies[self.chance.below(8).min(3) as usize];
        let queries = vec![QuerySeen { name: "q".into(), baseline: Some(1.0), challenger: number }];
        let unreadable = self.chance.is(self.faults.unreadable);
        assert!(state.weight.units() <= self.both);
        Seen {
            policy: (!unreadable).then_some(policy),
            proxies: Proxies { all: self.running.len() as u32, current: current as u32 },
            counted,
            queries,
        }
    }

    fn hash_at(&mut self, weight: Weight) -> Result<String, Killed> {
        self.step()?;
        if self.chance.is(self.faults.unreadable) {
            return Err("cannot be read".to_owned());
        }
        Ok(hash(weight.units(), self.edits))
    }

    fn apply(&mut self, weight: Weight, over: &[String]) -> Result<(), Killed> {
        self.step()?;
        if !over.contains(&self.policy()) {
            return Err("somebody else has changed it".to_owned());
        }
        if weight.units() > self.weight {
            self.rises.push((self.weight, weight.units()));
        }
        self.weight = weight.units();
        self.step()?;
        if self.chance.is(self.faults.unapplied) {
            return Err("the proxies were not told".to_owned());
        }
        Ok(())
    }

    fn lock(&mut self) -> Result<(), Killed> {
        self.step()
    }

    fn unlock(&mut self) {}

    fn added(&mut self) -> Result<Vec<Entry>, Killed> {
        let new = self.entries[self.known..].to_vec();
        self.known = self.entries.len();
        Ok(new.into_iter().filter(|entry| matches!(entry.what, What::Order { .. })).collect())
    }

    fn add(&mut self, _at: u64, what: What) -> Result<(), Killed> {
        if self.step().is_err() {
            // Half a line, as a kill leaves it.
            self.log += "{\"n\":1";
            return Err("killed".to_owned());
        }
        self.write(what);
        Ok(())
    }
}

fn document(steps: &str, more: &str) -> serde_json::Value {
    let text = format!(
        r#"{{"version": 1, "policy": "p.yaml", "split": "s", "challenger": "c", "steps": {steps},
            "counts": {{"prometheus": "http://127.0.0.1:1"}}{more}}}"#
    );
    serde_json::from_str(&text).unwrap()
}

fn started(rollout: serde_json::Value) -> Started {
    Started {
        rollout,
        policy: hash(0, 0),
        baseline: "b".into(),
        weight: 0,
        both: 1_000_000,
        total: 1_000_000,
        by: "ada".into(),
    }
}

/// Carries it out for so many looks, beginning again after each kill: where it stands in the end.
fn carry_out(world: &mut Fake, rollout: serde_json::Value, looks: usize) -> Driver {
    world.write(What::Started(started(rollout)));
    let mut driver = None;
    for _ in 0..looks {
        world.pass();
        let mut one = match driver.take() {
            Some(driver) => driver,
            None => {
                world.alive = true;
                world.known = world.entries.len();
                let entries = world.entries.clone();
                Driver::of_log(&entries).unwrap()
            }
        };
        match one.tick(world) {
            Ok(Decision::Ended { .. }) => return one,
            Ok(_) => driver = Some(one),
            Err(_) => {}
        }
    }
    driver.unwrap_or_else(|| Driver::of_log(&world.entries).unwrap())
}

const STEPS: &str = r#"[{"weight": 5, "for": "30s"}, {"weight": 20, "for": "20s", "approval": true},
    {"weight": 50, "for": "1m"}, {"weight": 80, "for": "0s"}]"#;

#[test]
fn a_thousand_courses_never_rise_without_data_or_by_two_steps_and_can_all_be_decided_again() {
    let steps = [0, 50_000, 200_000, 500_000, 800_000];
    let (mut ends, mut rises, mut kills) = ([0; 5], 0, 0);
    for seed in 0..1_000 {
        let mut chance = Chance(seed * 7 + 1);
        let mut some = |most: f64| {
            if chance.is(0.6) { most * (chance.below(100) as f64) / 100.0 } else { 0.0 }
        };
        let faults = Faults {
            no_data: some(0.5),
            lag: some(0.5),
            reset: some(0.1),
            late_proxy: some(0.7),
            unapplied: some(0.5),
            unreadable: some(0.2),
            edit: some(0.004),
            order: some(0.1),
            kill: some(0.1),
        };
        let errors = [0.05, [0.0, 0.05, 0.05, 0.1, 0.5][seed as usize % 5]];
        let more = [
            r#", "inconclusive": {"after": "3m", "then": "retreat"}"#,
            r#", "gates": {"errors": {"ratio": 3}, "queries": [{"name": "q", "query": "q", "at_least": 0.5}]}"#,
            r#", "gates": {"errors": {"ratio": 2, "slo": 99}, "responses": 50}"#,
        ][seed as usize % 3];
        let mut world = Fake::new(seed, faults, errors);
        let driver = carry_out(&mut world, document(STEPS, more), 100);
        let (entries, ..) = crate::log::read(&world.log).unwrap();
        assert_eq!(entries, world.entries);
        // What the log says is all that there is to know.
        assert_eq!(Driver::of_log(&entries).unwrap().state, driver.state, "seed {seed}");

        // Never over the last step, never by two of them. (What others wrote is theirs.)
        for (from, to) in &world.rises {
            let place = steps.iter().position(|step| step == to);
            assert!(place.is_some_and(|place| place > 0), "seed {seed}: {to}");
            // Again, after a kill or a failure, is no rise. After a retreat it is one from below.
            assert!(
                place.is_some_and(|place| steps[place - 1] >= *from || steps[place] == *from),
                "seed {seed}: {from} to {to}"
            );
        }
        let mut step = None;
        for entry in &entries {
            let What::Look(look) = &entry.what else { continue };
            if let Decision::Advance { step: next } = &look.decision {
                assert!(matches!(look.seen.counted, Counted::Counts { .. }), "seed {seed}");
                assert!(
                    look.seen.proxies.are_current() && look.seen.policy.is_some(),
                    "seed {seed}"
                );
                assert_eq!(*next, step.map_or(0, |step: usize| step + 1), "seed {seed}");
                step = Some(*next);
            } else if let Decision::Retreat { step: back } = &look.decision {
                assert!(*back < step, "seed {seed}");
                step = *back;
            }
        }
        rises += world.rises.len();
        kills += usize::from(faults.kill > 0.0);
        match driver.state.ended {
            Some(end) => {
                ends[End::ALL.iter().position(|known| *known == end).unwrap()] += 1;
                let is_back = matches!(end, End::RolledBack | End::Aborted);
                assert!(
                    !is_back || world.weight == 0 || world.edits > 0,
                    "seed {seed}: {end:?} at {}",
                    world.weight
                );
                assert!(end != End::Drifted || world.edits > 0, "seed {seed}: nobody edited it");
            }
            None => ends[4] += 1,
        }
    }
    // Each end, and none, is among them.
    assert!(ends.iter().all(|count| *count > 20), "{ends:?}");
    assert!(rises > 1_000 && kills > 300, "{rises} rises, {kills} courses with kills");
}

#[test]
fn an_abort_works_while_nothing_else_does() {
    for faults in [
        Faults { no_data: 1.0, ..Faults::default() },
        Faults { late_proxy: 1.0, ..Faults::default() },
        Faults::default(),
    ] {
        // Well until the approval is waited for.
        let mut world = Fake::new(5, Faults::default(), [0.2, 0.05]);
        let rollout = document(
            r#"[{"weight": 50, "for": "10s", "approval": true}, {"weight": 80, "for": "0s"}]"#,
            "",
        );
        let driver = carry_out(&mut world, rollout, 60);
        let look = world.entries.clone().into_iter().rev().find_map(|entry| match entry.what {
            What::Look(look) => Some(look),
            _ => None,
        });
        let decision = look.unwrap().decision;
        assert_eq!(decision, Decision::Hold { why: Held::Approval });
        world.faults = faults;
        world.write(What::Order { order: Order::Abort, by: "ada".into(), why: "late".into() });
        let mut driver = driver;
        assert_eq!(driver.tick(&mut world), Ok(Decision::Rollback { why: Back::Abort }));
        assert_eq!(world.weight, 0);
        assert_eq!(driver.tick(&mut world), Ok(Decision::Ended { end: End::Aborted }));
    }
}

#[test]
fn an_abort_goes_back_from_a_step_that_reached_the_file_and_not_the_proxies() {
    let mut world = Fake::new(7, Faults::default(), [0.05, 0.05]);
    let mut driver = carry_out(&mut world, document(STEPS, ""), 1);
    assert_eq!(world.weight, 50_000);
    world.faults.unapplied = 1.0;
    while world.weight == 50_000 {
        world.pass();
        driver.tick(&mut world).unwrap();
    }
    world.write(What::Order { order: Order::Abort, by: "ada".into(), why: String::new() });
    world.pass();
    assert_eq!(driver.tick(&mut world), Ok(Decision::Rollback { why: Back::Abort }));
    world.faults.unapplied = 0.0;
    assert_eq!(driver.tick(&mut world), Ok(Decision::Ended { end: End::Aborted }));
    assert_eq!(world.weight, 0);
    assert_eq!(Driver::of_log(&world.entries).unwrap().state, driver.state);
}

#[test]
fn a_guard_that_trips_takes_the_challenger_back() {
    let mut world = Fake::new(5, Faults::default(), [0.05, 0.05]);
    world.tripped = 1;
    // What tripped before the first step is known when it is taken, and no reason not to say so.
    let driver = carry_out(&mut world, document(STEPS, ""), 20);
    assert_eq!((driver.state.ended, world.weight), (Some(End::RolledBack), 0));
    let back = world.entries.iter().any(|entry| match &entry.what {
        What::Look(look) => look.decision == Decision::Rollback { why: Back::Guard },
        _ => false,
    });
    assert!(back && Driver::of_log(&world.entries).is_ok());
}

#[test]
fn a_log_whose_decision_is_another_is_refused_at_that_line() {
    let mut world = Fake::new(9, Faults::default(), [0.05, 0.05]);
    carry_out(&mut world, document(STEPS, ""), 20);
    let mut entries = world.entries.clone();
    let place = entries.iter().position(|entry| matches!(entry.what, What::Look(_))).unwrap();
    let What::Look(look) = &mut entries[place].what else { return };
    look.decision = Decision::Hold { why: Held::Paused };
    let broken = Driver::of_log(&entries).unwrap_err();
    assert_eq!(broken.line, place + 1);
    assert!(
        broken.why.contains("it says `hold: paused`, and what was seen means `advance to step 1`"),
        "{broken}"
    );
}
