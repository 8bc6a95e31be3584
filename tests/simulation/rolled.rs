//! A rollout that is carried out by the driver itself, in a world that counts and does nothing else.

use std::collections::HashSet;

use engine::policy::Weight;
use rollout::Reading;
use rollout::course::{Counted, Decision, End, Order, Pair, Proxies, Seen, State};
use rollout::driver::{Driver, World as Around};
use rollout::log::{Entry, Started, What};

use crate::random::Random;
use crate::world::{Users, World};

/// Of so many bits for users a quarter, and then they are forgotten: as in the filter.
const KNOWN: usize = 4_096;

/// Who comes, and what fails.
pub enum Service {
    /// Users who are independent of each other: the baseline fails for the part `p` of them, the challenger `r` times as often.
    Steady {
        p: f64,
        r: f64,
        /// Errors at each look.
        errors: f64,
        /// Traffic and errors rise and fall.
        restless: bool,
    },
    /// Users who come again, alike for both variants.
    Crowd {
        all: Box<Users>,
        failing: f64,
        /// At each look.
        requests: usize,
        /// Each user counts once until they are forgotten, and not each request.
        once: bool,
        came: HashSet<u64>,
        failed: HashSet<u64>,
    },
}

impl Service {
    pub fn crowd(world: World, requests: usize, once: bool, random: &mut Random) -> Self {
        Self::Crowd {
            all: Box::new(world.users(random)),
            failing: world.failing,
            requests,
            once,
            came: HashSet::new(),
            failed: HashSet::new(),
        }
    }
}

/// A rollout, and the world around it.
pub struct Rolled {
    driver: Driver,
    pub service: Service,
    /// Cumulative, of the baseline and the challenger.
    pub counts: [Reading; 2],
    /// So many looks at a step until somebody approves.
    wait: usize,
    /// Looks in all, and at this step.
    pub looks: usize,
    here: usize,
    /// Steps that were taken.
    pub steps: usize,
    ended: Option<End>,
}

/// What a look needs of the world.
struct Outside {
    now: u64,
    seen: Seen,
    approves: bool,
}

fn hash(weight: Weight) -> String {
    weight.units().to_string()
}

impl Around for Outside {
    type Error = String;

    fn now(&mut self) -> u64 {
        self.now
    }

    fn see(&mut self, _state: &State) -> Seen {
        self.seen.clone()
    }

    fn hash_at(&mut self, weight: Weight) -> Result<String, String> {
        Ok(hash(weight))
    }

    fn apply(&mut self, _weight: Weight, _over: &[String]) -> Result<(), String> {
        Ok(())
    }

    fn lock(&mut self) -> Result<(), String> {
        Ok(())
    }

    fn unlock(&mut self) {}

    fn added(&mut self) -> Result<Vec<Entry>, String> {
        let what = What::Order { order: Order::Approve, by: "ada".into(), why: String::new() };
        let entry = Entry { n: 0, at: self.now, what, prev: String::new() };
        Ok(std::mem::take(&mut self.approves).then_some(entry).into_iter().collect())
    }

    fn add(&mut self, _at: u64, _what: What) -> Result<(), String> {
        Ok(())
    }
}

impl Rolled {
    pub fn new(steps: &[f64], wait: usize, service: Service) -> Self {
        let approval = wait > 0;
        let steps: Vec<String> = steps
            .iter()
            .map(|weight| format!(r#"{{"weight": {weight}, "for": "0s", "approval": {approval}}}"#))
            .collect();
        let document = format!(
            r#"{{"version": 1, "policy": "p", "split": "s", "challenger": "c", "steps": [{}], "gates": {{"responses": 0}},
            "counts": {{"proxies": ["a:1"]}}}}"#,
            steps.join(", ")
        );
        let started = Started {
            rollout: serde_json::from_str(&document).expect("a document"),
            policy: hash(Weight::default()),
            baseline: "b".into(),
            weight: 0,
            both: 1_000_000,
            total: 1_000_000,
            by: "ada".into(),
        };
        let driver = Driver::start(&started, 0).expect("a rollout");
        let (counts, ended) = (Default::default(), None);
        Self { driver, service, counts, wait, looks: 0, here: 0, steps: 0, ended }
    }

    /// Whether the challenger is back at 0, or on its way.
    pub fn is_going_back(&self) -> bool {
        self.driver.state().going_back.is_some()
    }

    /// For so many looks at most: how it ended.
    pub fn carry_out(&mut self, looks: usize, random: &mut Random) -> Option<End> {
        for _ in 0..looks {
            if self.ended.is_some() {
                break;
            }
            let state = self.driver.state();
            let share = state.weight.units() as f64 / 1e6;
            let policy = state.policy.clone();
            self.count(share, random);
            let [baseline, challenger] = self.counts;
            let users = !matches!(self.service, Service::Crowd { once: false, .. });
            let keys = users.then_some([baseline.total, challenger.total]);
            let counted = Counted::Counts {
                errors: Pair { baseline, challenger },
                users,
                slow: None,
                keys,
                tripped: 0,
            };
            let proxies = Proxies { all: 1, current: 1 };
            let seen = Seen { policy: Some(policy), proxies, counted, queries: Vec::new() };
            let now = 600_000 * (self.looks as u64 + 1);
            let approves = self.here >= self.wait;
            let mut outside = Outside { now, seen, approves };
            match self.driver.tick(&mut outside).expect("a world without faults") {
                Decision::Advance { .. } => (self.here, self.steps) = (0, self.steps + 1),
                Decision::Ended { end } => self.ended = Some(end),
                Decision::Hold { .. } => self.here += 1,
                Decision::Rollback { .. } | Decision::Retreat { .. } => {}
            }
            self.looks += 1;
        }
        self.ended
    }

    /// What comes between two looks, where the challenger has a share.
    pub fn count(&mut self, share: f64, random: &mut Random) {
        match &mut self.service {
            Service::Steady { p, r, errors, restless } => {
                let (busy, worse) = match (*restless, self.looks) {
                    (true, n) => ([0.2, 1.0, 3.0, 1.0, 0.05][n % 5], 1.0 + f64::from(n % 3 == 0)),
                    _ => (1.0, 1.0),
                };
                let (p, events) = (*p * worse, *errors * busy / *p);
                let of = [(1.0 - share, p), (share, (p * *r).min(0.99))];
                for (reading, (share, p)) in self.counts.iter_mut().zip(of) {
                    // Both kinds of users come by chance, and so each number is Poisson's.
                    let bad = u64::from(random.poisson(events * share * p));
                    let good = u64::from(random.poisson(events * share * (1.0 - p)));
                    reading.total += good + bad;
                    reading.bad += bad;
                }
            }
            Service::Crowd { all, failing, requests, once, came, failed } => {
                for _ in 0..*requests {
                    let user = all.next(random);
                    let is_own = (user.hash as f64) < share * 2.0_f64.powi(64);
                    let reading = &mut self.counts[usize::from(is_own)];
                    let fails = user.broken || random.chance() < *failing;
                    let is_new = came.insert(user.hash);
                    reading.total += u64::from(!*once || is_new);
                    if fails {
                        let is_new = failed.insert(user.hash);
                        reading.bad += u64::from(!*once || is_new);
                    }
                    for known in [&mut *came, &mut *failed] {
                        if known.len() >= KNOWN {
                            known.clear();
                        }
                    }
                }
            }
        }
    }
}
