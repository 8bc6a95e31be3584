//! A Monte Carlo of the verdict: how often it is wrong at however many looks, and how soon it is right. What is judged is
//! judged by the crate itself, counts and users are made here. Prints the tables of docs/verdict.md.

#[expect(dead_code, reason = "the other simulation needs more of it")]
mod random;
mod tasks;
mod world;

use std::collections::HashSet;
use std::num::NonZeroU32;

use random::Random;
use rollout::{Bounds, Delta, Judge, Verdict};
use tasks::{Task, task, thousands};
use world::World;

const LEVEL: &str = "Runs that are judged wrongly, of those at the limit";
const POWER: &str = "Bad events of both until it is safe, as good as the baseline";
const SLO: &str = "Events of its own until it is safe by an SLO";
const HARM: &str = "Bad events of both until it is harm";
const CROWD: &str = "Healthy variants that are called harmful, and bad ones safe";

/// How many looks a run has.
const LOOKS: usize = 1_000;

/// What a service looks like.
#[derive(Clone, Copy)]
struct Service {
    /// How often the baseline fails.
    p: f64,
    /// How many times as often the challenger does.
    r: f64,
    traffic: Traffic,
}

#[derive(Clone, Copy)]
enum Traffic {
    /// The challenger has this part of it.
    Steady(f64),
    /// A ramp from 1 to 90 % and back, traffic that rises and falls, errors that double in every third look.
    Restless,
}

impl Traffic {
    fn name(self) -> String {
        match self {
            Self::Steady(share) => format!("{} %", share * 100.0),
            Self::Restless => "1 to 90 % and back, traffic and errors rise and fall".to_owned(),
        }
    }
}

/// How many of `n` are bad.
fn binomial(n: u64, p: f64, random: &mut Random) -> u64 {
    // From one bad one to the next: a geometric distribution.
    let none = (1.0 - p).ln();
    let (mut at, mut bad) = (0.0, 0);
    loop {
        at += (1.0 - random.chance()).ln() / none;
        if at.ceil() > n as f64 {
            return bad;
        }
        at = at.ceil();
        bad += 1;
    }
}

impl Service {
    /// One look of some `bad` bad events, if both fail alike.
    fn look(&self, number: usize, bad: f64, random: &mut Random) -> (Delta, Delta) {
        let (share, busy, worse) = match self.traffic {
            Traffic::Steady(share) => (share, 1.0, 1.0),
            Traffic::Restless => {
                const SHARES: [f64; 8] = [0.01, 0.05, 0.1, 0.25, 0.5, 0.9, 0.5, 0.1];
                let busy = [0.2, 1.0, 3.0, 1.0, 0.05][number % 5];
                (
                    SHARES[number / 7 % SHARES.len()],
                    busy,
                    if number.is_multiple_of(3) { 2.0 } else { 1.0 },
                )
            }
        };
        let p = (self.p * worse).min(0.99 / self.r.max(1.0));
        let events = bad * busy / self.p;
        let mut of = |share: f64, p: f64| {
            let total = u64::from(random.poisson(events * share));
            Delta::new(total, binomial(total, p, random)).expect("not more than there are")
        };
        (of(1.0 - share, p), of(share, p * self.r))
    }
}

/// How many of so many runs of so many looks come to a verdict at some of them.
fn runs_that_end(
    service: Service,
    verdict: Verdict,
    (runs, looks): (u64, usize),
    random: &mut Random,
) -> u64 {
    let ended = |random: &mut Random| {
        let mut judge = Judge::new(Bounds::default(), NonZeroU32::MIN);
        for number in 0..looks {
            let (baseline, challenger) = service.look(number, 2.0, random);
            judge.look(baseline, challenger);
        }
        // What is proven at one look stays so.
        is_proven(&judge, verdict)
    };
    (0..runs).filter(|_| ended(random)).count() as u64
}

/// Whether a verdict was proven at some look, whatever else was.
fn is_proven(judge: &Judge, verdict: Verdict) -> bool {
    let figures = judge.figures();
    let proof = if verdict == Verdict::Harm { figures.harm } else { figures.safe };
    proof.proven_at.is_some()
}

fn level(service: Service, runs: u64, random: &mut Random) -> Vec<String> {
    let verdict = if service.r > 1.0 { Verdict::Safe } else { Verdict::Harm };
    let wrong = runs_that_end(service, verdict, (runs, LOOKS), random);
    vec![thousands(runs), thousands(wrong), part(wrong, runs)]
}

fn part(some: u64, all: u64) -> String {
    format!("{:.2} %", some as f64 * 100.0 / all.max(1) as f64)
}

/// Looks of so many events until a verdict: the mean of what `count` says of them, and the part of runs that came to
/// another one, or to none in 10,000.
fn until(
    (service, events): (Service, f64),
    bounds: Bounds,
    verdict: Verdict,
    runs: u64,
    count: fn(&Judge) -> u64,
    random: &mut Random,
) -> (f64, u64) {
    let (mut sum, mut others) = (0, 0);
    for _ in 0..runs {
        let mut judge = Judge::new(bounds, NonZeroU32::MIN);
        for number in 0..10_000 {
            let (baseline, challenger) = service.look(number, events * service.p, random);
            if judge.look(baseline, challenger) != Verdict::Early {
                break;
            }
        }
        if judge.verdict() == verdict { sum += count(&judge) } else { others += 1 }
    }
    (sum as f64 / (runs - others).max(1) as f64, others)
}

fn bad_of_both(judge: &Judge) -> u64 {
    let figures = judge.figures();
    figures.baseline.plus(figures.challenger).bad()
}

fn until_safe(share: f64, ratio: f64, runs: u64, random: &mut Random) -> Vec<String> {
    let service = Service { p: 0.01, r: 1.0, traffic: Traffic::Steady(share) };
    let bounds = Bounds::new(ratio, None, 0.05).expect("within the ranges");
    let (mean, others) = until((service, 100.0), bounds, Verdict::Safe, runs, bad_of_both, random);
    let each = (1.0 + (ratio - 1.0) * share).ln() - share * ratio.ln();
    vec![format!("{:.0}", (20.0_f64.ln() / each).ceil()), format!("{mean:.0}"), part(others, runs)]
}

fn until_within(slo: f64, p: f64, runs: u64, random: &mut Random) -> Vec<String> {
    let service = Service { p, r: 1.0, traffic: Traffic::Steady(0.05) };
    let bounds = Bounds::new(1.5, Some(slo), 0.05).expect("within the ranges");
    let own = |judge: &Judge| judge.figures().challenger.total();
    let (mean, others) = until((service, 200.0), bounds, Verdict::Safe, runs, own, random);
    let each = ((1.0 - slo / 10.0) / (1.0 - slo)).ln();
    let [alone, both] = [20.0_f64, 40.0].map(|odds| format!("{:.0}", (odds.ln() / each).ceil()));
    vec![alone, both, format!("{mean:.0}"), part(others, runs)]
}

fn until_harm(share: f64, runs: u64, random: &mut Random) -> Vec<String> {
    let of = |r: f64| {
        let service = Service { p: 0.002, r, traffic: Traffic::Steady(share) };
        let bounds = Bounds::default();
        let (mean, others) =
            until((service, 500.0), bounds, Verdict::Harm, runs, bad_of_both, random);
        format!("{mean:.0} ({})", part(others, runs))
    };
    [1.5, 2.0, 4.0, 10.0, 100.0].map(of).into()
}

/// How a service's failures are counted.
#[derive(Clone, Copy, PartialEq)]
enum Counting {
    /// All requests.
    Requests,
    /// Users with failures, each once, of requests.
    UsersOfRequests,
    /// Users with failures, each once, of users who came, each once.
    Users,
    /// Users with failures, each once; the share of users is what the weights say.
    UsersByWeight,
}

/// A service with users of its own, judged 200 times: how many runs come to the verdict. The challenger fails `r` times as often.
fn crowd(
    world: World,
    r: f64,
    counting: Counting,
    verdict: Verdict,
    runs: u64,
    random: &mut Random,
) -> Vec<String> {
    let mut wrong = 0;
    for _ in 0..runs {
        let users = world.users(random);
        let mut judge = Judge::new(Bounds::default(), NonZeroU32::MIN);
        let (mut came, mut failed) = (HashSet::new(), HashSet::new());
        for _ in 0..200 {
            let mut counts = [[0_u64; 2]; 2];
            for _ in 0..500 {
                let user = users.next(random);
                // A bad variant breaks some clients that the other does not: which, their number says.
                let broken_here = (r - 1.0) * world.broken / (1.0 - world.broken);
                let breaks = user.canary && (user.hash as f64) < broken_here * 2.0_f64.powi(64);
                let fails = user.broken || breaks || random.chance() < world.failing;
                let [total, bad] = &mut counts[usize::from(user.canary)];
                let of_users = matches!(counting, Counting::Users | Counting::UsersByWeight);
                *total += u64::from(!of_users || came.insert(user.hash));
                *bad += u64::from(
                    fails && (counting == Counting::Requests || failed.insert(user.hash)),
                );
            }
            let [baseline, challenger] = counts.map(|[total, bad]| {
                // Who came earlier may fail only now.
                Delta::new(total.max(bad), bad).expect("not more than there are")
            });
            match counting {
                Counting::UsersByWeight => judge.look_at_share(baseline, challenger, world.share),
                _ => judge.look(baseline, challenger),
            };
        }
        wrong += u64::from(is_proven(&judge, verdict));
    }
    vec![thousands(runs), thousands(wrong), part(wrong, runs)]
}

fn tasks(scale: f64) -> Vec<Task> {
    let scaled = move |runs: f64| ((runs * scale).ceil() as u64).max(20);
    let mut all = Vec::new();
    for (r, what) in [(1.0, "as good as the baseline: harm"), (1.5, "1.5 times as often: safe")] {
        let steady = [0.01, 0.05, 0.5].map(Traffic::Steady);
        for traffic in steady.into_iter().chain([Traffic::Restless]) {
            for p in [0.000_5, 0.01, 0.1, 0.5] {
                let service = Service { p, r, traffic };
                let row = format!("{what} | {} | {} %", traffic.name(), p * 100.0);
                all.push(task(LEVEL, row, move |random| level(service, scaled(1_000.0), random)));
            }
        }
    }
    for (ratio, share) in [(2.0, 0.05), (2.0, 0.5), (1.5, 0.05), (1.5, 0.5)] {
        let row = format!("{ratio} times, {} %", share * 100.0);
        all.push(task(POWER, row, move |random| until_safe(share, ratio, scaled(1_000.0), random)));
    }
    for (slo, p) in [(0.01, 0.000_01), (0.01, 0.001), (0.01, 0.003), (0.001, 0.000_01)] {
        let row = format!("{} %, fails {} %", slo * 100.0, p * 100.0);
        all.push(task(SLO, row, move |random| until_within(slo, p, scaled(1_000.0), random)));
    }
    for share in [0.01, 0.05, 0.2, 0.5] {
        let row = format!("{} %", share * 100.0);
        all.push(task(HARM, row, move |random| until_harm(share, scaled(500.0), random)));
    }
    let countings = [
        (Counting::Requests, "each failure, of all requests"),
        (Counting::UsersOfRequests, "users with failures, of all requests"),
        (Counting::Users, "users with failures, of users"),
        (Counting::UsersByWeight, "users with failures, the share by the weights"),
    ];
    for (users, share) in [(3_000, 0.05), (3_000, 0.5), (30_000, 0.05)] {
        for (r, verdict, what) in [
            (1.0, Verdict::Harm, "healthy: harm"),
            (1.5, Verdict::Safe, "1.5 times as often: safe"),
        ] {
            for (counting, counted) in countings {
                // Where the ratio is 1.5 it is that of clients that always fail: 4 %, and 6 %.
                let (broken, failing) = if r > 1.0 { (0.04, 0.0) } else { (0.01, 0.005) };
                let world = World { users, share, tail: 1.2, broken, failing, noisy: 0.0 };
                let row = format!(
                    "{what} | {} users, {} % | {counted}",
                    thousands(users as u64),
                    share * 100.0
                );
                all.push(task(CROWD, row, move |random| {
                    crowd(world, r, counting, verdict, scaled(300.0), random)
                }));
            }
        }
    }
    all
}

fn columns(table: &str) -> &'static str {
    match table {
        LEVEL => "what | its share | the baseline fails | runs | wrong | part",
        POWER => "permitted, its share | by the formula | mean | another verdict",
        SLO => "SLO | alone by the formula | with the ratio | mean | another verdict",
        HARM => "its share | 1.5 times as often | 2 times | 4 times | 10 times | 100 times",
        _ => "what | service | counted | runs | wrong | part",
    }
}

fn main() {
    tasks::run(&tasks(tasks::scale()), columns);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_bad_on_average() {
        let mut random = Random(1);
        for (n, p) in [(10, 0.5), (1_000, 0.001), (200, 0.9)] {
            let mean =
                (0..20_000).map(|_| binomial(n, p, &mut random)).sum::<u64>() as f64 / 20_000.0;
            assert!((mean / (n as f64 * p) - 1.0).abs() < 0.03, "{mean} of {n}, {p}");
        }
    }

    /// At the limit at most 5 % of runs may be wrong: of 150, 7.5 on average, and 20 by chance once in ten thousand times.
    #[test]
    fn at_most_alpha_of_runs_are_wrong_at_any_of_their_looks() {
        let traffic = [Traffic::Steady(0.05), Traffic::Steady(0.5), Traffic::Restless];
        for (at, traffic) in traffic.into_iter().enumerate() {
            for (r, verdict) in [(1.0, Verdict::Harm), (1.5, Verdict::Safe)] {
                let service = Service { p: 0.05, r, traffic };
                let wrong = runs_that_end(service, verdict, (150, 200), &mut Random(at as u64));
                assert!(wrong < 20, "{wrong} of 150: {} {r}", traffic.name());
            }
        }
    }

    #[test]
    fn it_takes_as_many_bad_events_as_the_formula_says_to_be_safe() {
        let cells = until_safe(0.5, 2.0, 200, &mut Random(1));
        let [formula, mean] = [&cells[0], &cells[1]].map(|cell| cell.parse::<f64>().unwrap());
        assert!((mean / formula - 1.0).abs() < 0.25, "{cells:?}");
    }

    #[test]
    fn what_counts_requests_calls_healthy_variants_harmful() {
        let world =
            World { users: 3_000, share: 0.5, tail: 1.2, broken: 0.01, failing: 0.005, noisy: 0.0 };
        let wrong = |counting| {
            crowd(world, 1.0, counting, Verdict::Harm, 100, &mut Random(1))[1]
                .parse::<u64>()
                .unwrap()
        };
        let (requests, users) = (wrong(Counting::Requests), wrong(Counting::Users));
        assert!(requests > 30 && users < 15, "{requests} and {users} of 100");
    }
}
