//! A Monte Carlo of whole rollouts: how many healthy challengers are rolled back in thousands of looks at several weights,
//! how many bad ones pass a step, and how soon one that breaks is back at 0. Decisions are those of the driver itself,
//! users are made here. Prints the tables of docs/rollout-simulation.md.

#[expect(dead_code, reason = "the other simulation needs more of it")]
mod random;
mod rolled;
mod tasks;
#[expect(dead_code, reason = "who has which variant changes with the weights here")]
mod world;

use std::num::NonZeroU32;

use random::Random;
use rolled::{Rolled, Service};
use rollout::course::End;
use rollout::{Bounds, Delta, Judge, Verdict};
use tasks::{Task, task, thousands};
use world::World;

const FALSE: &str = "Healthy challengers that are rolled back";
const PASS: &str = "Challengers that fail 1.5 times as often, as is not permitted, and pass";
const BREAKS: &str = "Errors of both until a challenger that breaks at 5 % is back at 0";

/// The steps: so many looks at each, then somebody approves.
const STEPS: [f64; 4] = [5.0, 20.0, 50.0, 80.0];

fn part(some: u64, all: u64) -> String {
    format!("{:.2} %", some as f64 * 100.0 / all.max(1) as f64)
}

/// How many of so many healthy rollouts are rolled back, which wait for so many looks at each step.
fn healthy(
    service: impl Fn(&mut Random) -> Service,
    (runs, wait): (u64, usize),
    random: &mut Random,
) -> (u64, u64) {
    let (mut back, mut looks) = (0, 0);
    for _ in 0..runs {
        let mut rolled = Rolled::new(&STEPS, wait, service(random));
        // Some are never proven to be safe: they wait where they are.
        let end = rolled.carry_out(wait.saturating_mul(6), random);
        back += u64::from(end == Some(End::RolledBack));
        looks += rolled.looks as u64;
    }
    (back, looks)
}

fn healthy_row(
    service: impl Fn(&mut Random) -> Service,
    (runs, wait): (u64, usize),
    random: &mut Random,
) -> Vec<String> {
    let (back, looks) = healthy(service, (runs, wait), random);
    vec![thousands(runs), thousands(looks / runs.max(1)), back.to_string(), part(back, runs)]
}

/// How many challengers that fail 1.5 times as often pass the first step, and all of them.
fn bad(steps: &[f64], runs: u64, random: &mut Random) -> (u64, u64) {
    let (mut first, mut all) = (0, 0);
    for _ in 0..runs {
        let service = Service::Steady { p: 0.01, r: 1.5, errors: 2.0, restless: false };
        let mut rolled = Rolled::new(steps, 0, service);
        let end = rolled.carry_out(20_000, random);
        first += u64::from(rolled.steps > 1 || end == Some(End::Done));
        all += u64::from(end == Some(End::Done));
    }
    (first, all)
}

/// Errors of both until the rollback of a challenger that was well for so many looks and then fails `r` times as often; and
/// until a single judge says so that looks from the beginning to the end. `None` where it is not in 20,000 looks.
fn breaks(healthy: usize, r: f64, random: &mut Random) -> (Option<u64>, Option<u64>) {
    let well = Service::Steady { p: 0.005, r: 1.0, errors: 2.0, restless: false };
    let mut rolled = Rolled::new(&[5.0], usize::MAX, well);
    // A look more: the first one takes the step, the second one is where it begins.
    rolled.carry_out(healthy.saturating_add(2), random);
    let mut judge = Judge::new(Bounds::default(), NonZeroU32::MIN);
    let mut seen = rolled.counts;
    let look = |judge: &mut Judge, before: &[rollout::Reading; 2], now: &[rollout::Reading; 2]| {
        let delta = |n: usize| {
            let total = now[n].total - before[n].total;
            Delta::new(total, now[n].bad - before[n].bad).expect("not more than there are")
        };
        judge.look_at_share(delta(0), delta(1), 0.05)
    };
    // The same healthy time for it.
    look(&mut judge, &Default::default(), &seen);
    rolled.service = Service::Steady { p: 0.005, r, errors: 2.0, restless: false };
    let bad = |counts: &[rollout::Reading; 2]| counts[0].bad + counts[1].bad;
    let begin = bad(&seen);
    let (mut by_rollout, mut by_one) = (None, None);
    for _ in 0..20_000 {
        if by_rollout.is_some() && by_one.is_some() {
            break;
        }
        if by_rollout.is_none() {
            if rolled.carry_out(1, random) == Some(End::RolledBack) || rolled.is_going_back() {
                by_rollout = Some(bad(&rolled.counts) - begin);
            }
        } else {
            rolled.count(0.05, random);
        }
        if by_one.is_none() && look(&mut judge, &seen, &rolled.counts) == Verdict::Harm {
            by_one = Some(bad(&rolled.counts) - begin);
        }
        seen = rolled.counts;
    }
    (by_rollout, by_one)
}

fn mean(all: &[Option<u64>]) -> String {
    let found: Vec<u64> = all.iter().flatten().copied().collect();
    if found.len() < all.len() {
        return format!("never in {} of {}", all.len() - found.len(), all.len());
    }
    thousands((found.iter().sum::<u64>() as f64 / found.len().max(1) as f64).round() as u64)
}

fn breaks_row(healthy: usize, runs: u64, random: &mut Random) -> Vec<String> {
    let of = |r: f64| {
        let all: Vec<_> = (0..runs).map(|_| breaks(healthy, r, random)).collect();
        let (with, without): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        format!("{} (one judge: {})", mean(&with), mean(&without))
    };
    [2.0, 4.0, 10.0, 100.0].map(of).into()
}

/// Users with a heavy tail of whom 1 % have clients that always fail.
const CROWD: World =
    World { users: 20_000, share: 1.0, tail: 1.2, broken: 0.01, failing: 0.005, noisy: 0.0 };

fn tasks(scale: f64) -> Vec<Task> {
    let scaled = move |runs: f64| ((runs * scale).ceil() as u64).max(4);
    let mut all = Vec::new();
    for (wait, runs) in [(20, 2_000.0), (200, 2_000.0), (1_000, 1_000.0)] {
        for (restless, name) in
            [(false, "steady traffic"), (true, "traffic and errors rise and fall")]
        {
            let row =
                format!("users independent of each other, {name} | {}", thousands(wait as u64));
            all.push(task(FALSE, row, move |random| {
                let service =
                    |_: &mut Random| Service::Steady { p: 0.01, r: 1.0, errors: 6.0, restless };
                healthy_row(service, (scaled(runs), wait), random)
            }));
        }
    }
    for (users, name) in [(true, "users, each once"), (false, "requests")] {
        for wait in [100, 500] {
            let row = format!("a heavy tail, 1 % of clients always fail: {name} | {wait}");
            all.push(task(FALSE, row, move |random| {
                let service = |random: &mut Random| Service::crowd(CROWD, 500, users, random);
                healthy_row(service, (scaled(200.0), wait), random)
            }));
        }
    }
    for weight in [5.0, 20.0, 50.0] {
        let above = STEPS.into_iter().filter(|step| *step > weight);
        let steps: Vec<f64> = [weight].into_iter().chain(above).collect();
        let row: Vec<String> = steps.iter().map(|step| format!("{step} %")).collect();
        all.push(task(PASS, row.join(", "), move |random| {
            let runs = scaled(1_000.0);
            let (first, ends) = bad(&steps, runs, random);
            vec![thousands(runs), part(first, runs), part(ends, runs)]
        }));
    }
    for healthy in [0, 100, 1_000, 10_000] {
        let runs = if healthy > 1_000 { 40.0 } else { 200.0 };
        all.push(task(BREAKS, thousands(healthy as u64), move |random| {
            breaks_row(healthy, scaled(runs), random)
        }));
    }
    all
}

fn columns(table: &str) -> &'static str {
    match table {
        FALSE => "what | looks at each step | rollouts | looks in all | rolled back | part",
        PASS => "steps | rollouts | pass the first step | are done",
        _ => "healthy looks before | 2 times as often | 4 times | 10 times | 100 times",
    }
}

fn main() {
    tasks::run(&tasks(tasks::scale()), columns);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 5 % are allowed: of 100 rollouts 5, and 13 by chance once in two thousand times.
    #[test]
    fn at_most_alpha_of_healthy_rollouts_are_rolled_back_at_any_of_their_looks() {
        let service =
            |_: &mut Random| Service::Steady { p: 0.01, r: 1.0, errors: 6.0, restless: true };
        let (back, looks) = healthy(service, (100, 100), &mut Random(3));
        assert!(back < 13 && looks > 100 * 300, "{back} of 100, {looks} looks");
    }

    #[test]
    fn at_most_alpha_of_challengers_that_are_worse_than_permitted_pass_a_step() {
        let (first, _) = bad(&[50.0, 80.0], 100, &mut Random(4));
        assert!(first < 13, "{first} of 100");
    }

    #[test]
    fn requests_of_a_few_busy_users_roll_healthy_challengers_back_and_users_counted_once_do_not() {
        let back = |users: bool| {
            let service = |random: &mut Random| Service::crowd(CROWD, 300, users, random);
            healthy(service, (30, 50), &mut Random(5)).0
        };
        let (requests, users) = (back(false), back(true));
        assert!(requests >= 6 && users <= 5, "{requests} and {users} of 30");
    }

    #[test]
    fn one_that_breaks_after_a_long_healthy_time_is_found_soon_because_judges_begin_anew() {
        let mut random = Random(6);
        let (mut with, mut without) = (0, 0);
        for _ in 0..5 {
            let (one, other) = breaks(4_000, 4.0, &mut random);
            (with, without) = (with + one.unwrap(), without + other.unwrap());
        }
        assert!(with * 3 < without * 2, "{with} and {without} of 5");
    }
}
