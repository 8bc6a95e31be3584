//! A Monte Carlo of the guard: how often it takes a healthy variant out, and how soon one that fails. What is judged is
//! judged by the engine itself, users are made here. Prints the tables of docs/guard.md.

mod judge;
mod random;
mod share;
mod tasks;
mod world;

use judge::{Judge, START};
use random::Random;
use tasks::{Task, task, thousands};
use world::World;

/// Requests for each that fails, where nothing else is said.
const REQUESTS: f64 = 100.0;
const SHARES: [f64; 4] = [0.01, 0.05, 0.2, 0.5];

/// The canary's part of bad events where it fails `r` times as often.
fn theta(share: f64, r: f64) -> f64 {
    r * share / (r * share + 1.0 - share)
}

fn exposures(share: f64, requests: f64, random: &mut Random) -> [u32; 2] {
    [random.poisson(requests * (1.0 - share)), random.poisson(requests * share)]
}

fn percent(share: f64) -> String {
    format!("{} %", share * 100.0)
}

fn counted(judge: &Judge) -> Vec<String> {
    let per_million = judge.trips as f64 * 1e6 / judge.events.max(1) as f64;
    vec![thousands(judge.events), judge.trips.to_string(), format!("{per_million:.2}")]
}

const UNTIL: &str = "Users with failures until it is out, of them its own";
const AGAIN: &str = "Let in again";
const SHARE: &str = "False alarms about a share that is right";
const FALSE: &str = "False trips of users who fail at random";

/// Users who fail at random, each another one, `r` times as often on the canary.
fn steady(
    share: f64,
    r: f64,
    events: u64,
    requests: impl Fn(u64) -> f64,
    random: &mut Random,
) -> Judge {
    let mut judge = Judge::new(share * 100.0, "");
    for event in 0..events {
        judge.exposed(exposures(share, requests(event), random));
        let canary = random.chance() < theta(share, r);
        judge.fails_again(canary, random.next());
    }
    judge
}

/// Lets the users of a world come, at random by how busy they are. With `raw` each failure counts as another user's.
fn come(world: World, judge: &mut Judge, requests: usize, raw: bool, random: &mut Random) {
    let users = world.users(random);
    for _ in 0..requests {
        let user = users.next(random);
        judge.exposed([u32::from(!user.canary), u32::from(user.canary)]);
        if user.broken || random.chance() < world.failing {
            let hash = if raw { random.next() } else { user.hash };
            judge.fails_again(user.canary, hash);
        }
    }
}

/// A ramp up and down again; with `sticky` users stay where they are, and only new ones go by the weights.
fn ramp(events: u64, per_step: u64, sticky: bool, random: &mut Random) -> Judge {
    const STEPS: [f64; 7] = [10.0, 50.0, 90.0, 50.0, 10.0, 1.0, 30.0];
    let step = |(at, percent): (usize, &f64)| {
        format!(
            r#"{{"after": "{at}h", "weights": {{"stable": {}, "canary": {percent}}}}}"#,
            100.0 - percent
        )
    };
    let steps: Vec<_> = STEPS.iter().enumerate().map(step).collect();
    let ramp =
        format!(r#", "ramp": {{"start": "2026-11-20T12:00:00Z", "steps": [{}]}}"#, steps.join(","));
    let mut judge = Judge::new(1.0, &ramp);
    while judge.events < events {
        judge.restart();
        let mut share = 0.01;
        for (at, percent) in (0..).zip(STEPS) {
            judge.now = START + at * 3_600_000;
            for _ in 0..per_step {
                // One in five hundred failures' time a user is replaced.
                let speed = if sticky { 0.002 } else { 1.0 };
                share += (percent / 100.0 - share) * speed;
                judge.exposed(exposures(share, REQUESTS, random));
                let canary = random.chance() < share;
                judge.fails_again(canary, random.next());
            }
        }
    }
    judge
}

/// Users with failures until a canary is out that fails `r` times as often (`None` = without end, the stable one never):
/// of both, and in brackets its own.
fn until_out(share: f64, r: Option<f64>, runs: u64, random: &mut Random) -> String {
    let (mut all, mut own) = (0, 0);
    for _ in 0..runs {
        let mut judge = Judge::new(share * 100.0, "");
        judge.exposed(exposures(share, 20_000.0, random));
        loop {
            judge.exposed(exposures(share, REQUESTS, random));
            let canary = r.is_none_or(|r| random.chance() < theta(share, r));
            own += u64::from(canary);
            if judge.fails(canary, random.next()).is_some() {
                break;
            }
        }
        all += judge.events;
    }
    let [all, own] = [all, own].map(|sum| thousands((sum as f64 / runs as f64).round() as u64));
    if r.is_none() { format!("**{all}**") } else { format!("{all} ({own})") }
}

/// A canary that failed and is well again: how often it trips once more before its evidence is forgotten.
fn released(share: f64, runs: u64, random: &mut Random) -> Vec<String> {
    let (mut again, mut sooner) = (0_u64, 0_u64);
    for run in 0..runs {
        let mut judge = Judge::new(share * 100.0, r#", "guard": {"errors": {}, "release": "1s"}"#);
        judge.exposed(exposures(share, 20_000.0, random));
        while judge.fails(true, random.next()).is_none() {}
        judge.now += 1_000;
        if run % 10 == 0 {
            // One that is not well.
            let mut fails = 1;
            while judge.fails(true, random.next()).is_none() {
                fails += 1;
            }
            sooner += fails;
            continue;
        }
        for _ in 0..1_000 {
            judge.exposed(exposures(share, REQUESTS, random));
            let canary = random.chance() < share;
            if judge.fails(canary, random.next()).is_some() {
                again += 1;
                break;
            }
        }
    }
    let (well, ill) = (runs - runs.div_ceil(10), runs.div_ceil(10));
    let percent = again as f64 * 100.0 / well as f64;
    vec![
        thousands(well),
        again.to_string(),
        format!("{percent:.3} %"),
        format!("{:.1}", sooner as f64 / ill as f64),
    ]
}

fn worlds(world: World, count: u64, requests: usize, raw: bool, random: &mut Random) -> Judge {
    let mut judge = Judge::new(world.share * 100.0, "");
    for _ in 0..count {
        judge.restart();
        come(world, &mut judge, requests, raw, random);
    }
    judge
}

/// All of the work; `scale` is 1 for the tables of the page.
fn tasks(scale: f64) -> Vec<Task> {
    let scaled = move |number: f64| (number * scale).ceil() as u64;
    let mut tasks = Vec::new();
    for share in SHARES {
        tasks.push(task(FALSE, format!("{}, both fail alike", percent(share)), move |random| {
            counted(&steady(share, 1.0, scaled(3e7), |_| REQUESTS, random))
        }));
    }
    for share in SHARES {
        tasks.push(task(
            FALSE,
            format!("{}, the canary 1.5 times as often, as permitted", percent(share)),
            move |random| counted(&steady(share, 1.5, scaled(1e7), |_| REQUESTS, random)),
        ));
    }
    tasks.push(task(
        FALSE,
        "5 %, traffic and errors rise and fall: 3 to 3,000 requests for each that fails",
        move |random| {
            let requests = |event: u64| 10_f64.powf(2.0 + 1.5 * (event as f64 / 5_000.0).sin());
            counted(&steady(0.05, 1.0, scaled(2e7), requests, random))
        },
    ));
    tasks.push(task(FALSE, "5 %, a common outage: every request fails, of both", move |random| {
        counted(&steady(0.05, 1.0, scaled(2e7), |_| 1.0, random))
    }));
    for (per_step, sticky) in [(30, false), (1_000, false), (30, true), (1_000, true)] {
        let users = if sticky { "sticky users" } else { "users by the weights" };
        let row =
            format!("a ramp 1, 10, 50, 90, 50, 10, 1, 30 %, {users}, {per_step} failures a step");
        tasks.push(task(FALSE, row, move |random| {
            counted(&ramp(scaled(1e7), per_step, sticky, random))
        }));
    }

    const CLUSTERS: &str = "False trips of a service with users of its own";
    let busy =
        World { users: 3_000, share: 0.05, tail: 1.2, broken: 0.01, failing: 0.005, noisy: 0.0 };
    for (name, world) in [
        ("a heavy tail, 1 % of clients always fail, 5 %", busy),
        ("the same, 50 %", World { share: 0.5, ..busy }),
        (
            "one user makes half of the requests and always fails, 5 %",
            World { noisy: 0.5, broken: 0.0, ..busy },
        ),
    ] {
        for (raw, count) in [(true, 60.0), (false, 3_000.0)] {
            let counts = if raw { "each failure counts" } else { "each user counts once" };
            tasks.push(task(CLUSTERS, format!("{name}: {counts}"), move |random| {
                counted(&worlds(world, scaled(count), 100_000, raw, random))
            }));
        }
    }

    for share in SHARES {
        tasks.push(task(UNTIL, percent(share), move |random| {
            let times = [Some(4.0), Some(10.0), Some(100.0), None];
            times.map(|r| until_out(share, r, scaled(1_000.0), random)).to_vec()
        }));
    }
    for share in SHARES {
        tasks.push(task(AGAIN, percent(share), move |random| released(share, scaled(2e4), random)));
    }
    let alike = World { tail: 20.0, broken: 0.0, failing: 0.0, ..busy };
    let heavy = World { tail: 1.2, ..alike };
    for (name, world) in [
        ("100,000 users, all alike", World { users: 100_000, ..alike }),
        ("100,000 users, a heavy tail", World { users: 100_000, ..heavy }),
        ("3,000 users, a heavy tail", heavy),
    ] {
        for workers in [1, 4] {
            let row = format!("{name}, {workers} worker{}", if workers > 1 { "s" } else { "" });
            tasks.push(task(SHARE, row, move |random| {
                let checked = share::check(world, (scaled(400.0), 10, 20_000), workers, random);
                let windows = checked[0].windows.to_string();
                std::iter::once(windows).chain(checked.iter().map(share::Checked::cell)).collect()
            }));
        }
    }
    tasks
}

/// The heads of a table's columns.
fn columns(table: &str) -> &'static str {
    match table {
        UNTIL => {
            "canary's share | fails 4 times as often | 10 times | 100 times | always, and the baseline never"
        }
        AGAIN => {
            "canary's share | well again | out again falsely | | still failing: users until it is out again"
        }
        SHARE => {
            "5 % of | windows | by requests, ten a user | by users | by users, over the workers"
        }
        _ => "what | users with failures | false trips | in a million",
    }
}

fn main() {
    tasks::run(&tasks(tasks::scale()), columns);
}
