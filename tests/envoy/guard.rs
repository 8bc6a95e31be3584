//! The guard in real Envoy, with two workers that share what they know: a variant that fails is out after some bad
//! requests, and nothing else is.

use std::time::Duration;

use harness::wait_for;
use lab::{Behavior, Lab, Options, Request, Response, Stats};
use serde_json::{Value, json};

use crate::bench::{Bench, HOST_ERRORS, REQUESTS, WEIGHT, checkout, user};
use crate::other_modules::{TRAPS_ABOVE, trapping};

const TRIPPED: &str = "traffic_split_tripped";
const BAD_KEYS: &str = "traffic_split_bad_keys_total";
const KEYS: &str = "traffic_split_keys_total";
const CANARY: [(&str, &str); 2] = [("split", "checkout"), ("variant", "canary")];

/// The policy of most tests with a guard; the canary has this weight.
fn guarded(canary: f64, guard: &Value) -> Value {
    let mut policy = checkout(canary);
    policy["splits"][0]["guard"] = guard.clone();
    policy
}

fn errors() -> Value {
    json!({"errors": {"ratio": 1.5}})
}

/// The users with these numbers, each of whom asks once.
fn users(numbers: std::ops::Range<u32>) -> Vec<Request> {
    numbers.map(user).collect()
}

fn failing(bench: &Lab, cluster: &str, behavior: Behavior) {
    bench.upstream(cluster).unwrap().set(behavior).unwrap();
}

fn broken() -> Behavior {
    Behavior { status: 500, ..Behavior::default() }
}

/// How many were answered by the canary.
fn by_canary(answers: &[Response]) -> usize {
    answers.iter().filter(|answer| answer.cluster() == Some("checkout-v2")).count()
}

/// Sends users until the canary gets none any more, and says how many of its requests there were until then; the
/// next two hundred must all go elsewhere.
fn until_out(bench: &Lab, first: u32, most: u32) -> usize {
    let (on_canary, next) = until_tripped(bench, first, most);
    // Whoever is on the other worker learns it with its next bad event, or its next tick.
    std::thread::sleep(Duration::from_millis(1_200));
    let after = bench.load(users(next..next + 200), 8).unwrap();
    assert_eq!(by_canary(&after), 0, "it is out");
    assert!(after.iter().all(|answer| answer.status == 200));
    on_canary
}

/// Sends users until the gauge says that the canary is out: how many of its requests there were until then, and the
/// first user who was not sent.
fn until_tripped(bench: &Lab, first: u32, most: u32) -> (usize, u32) {
    let mut on_canary = 0;
    for next in (first..first + most).step_by(20) {
        // Some at a time, as a proxy has them.
        on_canary += by_canary(&bench.load(users(next..next + 20), 8).unwrap());
        if bench.stats().unwrap().sum(TRIPPED, &CANARY) == 1 {
            return (on_canary, next + 20);
        }
    }
    panic!("the canary is not out after {on_canary} of its requests")
}

/// Waits until the canary is let in again.
fn until_in(bench: &Lab) {
    wait_for("the canary is in again", Duration::from_secs(30), || {
        (bench.stats().unwrap().sum(TRIPPED, &CANARY) == 0).then_some(())
    });
    // One thread has said so; the others learn it with their next tick.
    std::thread::sleep(Duration::from_millis(1_200));
}

fn shown(stats: &Stats) -> (u64, u64) {
    (stats.sum(TRIPPED, &CANARY), stats.sum(WEIGHT, &CANARY))
}

#[test]
fn a_variant_that_begins_to_fail_is_out_within_forty_bad_requests() {
    let bench = Bench::start(&guarded(5.0, &errors()));
    let healthy = bench.load(users(0..2_000), 8).unwrap();
    assert!(by_canary(&healthy) > 50);
    let stats = bench.stats_when(|stats| stats.sum(KEYS, &[]) > 1_900).unwrap();
    assert_eq!(shown(&stats), (0, 50_000));

    failing(&bench, "checkout-v2", broken());
    let bad = until_out(&bench, 10_000, 4_000);
    assert!((6..=40).contains(&bad), "out after {bad} bad requests");
    let stats = bench.stats().unwrap();
    assert_eq!(shown(&stats), (1, 0));
    assert!(stats.sum(BAD_KEYS, &CANARY) <= bad as u64);
    let tripped = [("split", "checkout"), ("variant", "stable"), ("reason", "tripped")];
    assert!(stats.sum(REQUESTS, &tripped) > 0, "who would have had it is told from others");
    let log = bench.filter_log().join("\n");
    assert!(
        log.contains("split `checkout`: `canary` is out of service until the policy changes"),
        "{log}"
    );
    assert_eq!(stats.sum(HOST_ERRORS, &[]), 0);

    // It stays out when it is well again: somebody has to look.
    failing(&bench, "checkout-v2", Behavior::default());
    assert_eq!(by_canary(&bench.load(users(20_000..20_400), 8).unwrap()), 0);
    // Another policy starts afresh.
    bench.put(&guarded(6.0, &errors()));
    assert!(by_canary(&bench.load(users(20_000..20_400), 8).unwrap()) > 5);
    let stats = bench.stats_when(|stats| shown(stats) == (0, 60_000)).unwrap();
    assert_eq!(shown(&stats), (0, 60_000));
}

#[test]
fn an_outage_of_all_trips_nothing_and_neither_does_one_user() {
    let bench = Bench::start(&guarded(20.0, &errors()));
    bench.load(users(0..300), 8).unwrap();
    // One user of the canary, over and over.
    failing(&bench, "checkout-v2", broken());
    let one = (0..).map(user).find(|user| bench.send(user).unwrap().status == 500).unwrap();
    bench.load(vec![one; 400], 8).unwrap();
    let stats = bench.stats().unwrap();
    assert_eq!((stats.sum(TRIPPED, &CANARY), stats.sum(BAD_KEYS, &CANARY)), (0, 1));
    // Everybody fails.
    failing(&bench, "checkout-v1", broken());
    let all = bench.load(users(1_000..3_000), 8).unwrap();
    assert!(all.iter().all(|answer| answer.status == 500) && by_canary(&all) > 200);
    let stats = bench.stats().unwrap();
    assert_eq!(stats.sum(TRIPPED, &CANARY), 0);
    // Of each hundred users some share a bit with another one.
    assert!(stats.sum(BAD_KEYS, &[]) > 1_800);
}

#[test]
fn a_variant_that_is_slow_is_out_too() {
    let guard = json!({"slow": {"over": "250ms", "ratio": 2}});
    let bench = Bench::start(&guarded(50.0, &guard));
    bench.load(users(0..200), 16).unwrap();
    assert_eq!(bench.stats().unwrap().sum(TRIPPED, &CANARY), 0);
    failing(
        &bench,
        "checkout-v2",
        Behavior { delay: Duration::from_millis(400), ..Behavior::default() },
    );
    let slow = until_out(&bench, 1_000, 600);
    assert!((20..=90).contains(&slow), "out after {slow} slow requests");
    assert!(bench.filter_log().join("\n").contains("users with slow requests"));
}

#[test]
fn after_the_release_it_is_in_again_and_out_sooner_if_it_still_fails() {
    let guard = json!({"errors": {"ratio": 1.5}, "release": "4s"});
    let bench = Bench::start(&guarded(20.0, &guard));
    bench.load(users(0..500), 8).unwrap();
    failing(&bench, "checkout-v2", broken());
    let (first, _) = until_tripped(&bench, 1_000, 1_000);
    until_in(&bench);
    let (second, _) = until_tripped(&bench, 3_000, 1_000);
    assert!(second <= first + 8, "{first} bad requests first, {second} after the release");
    let log = bench.filter_log();
    let times =
        ["for 4 s", "for 8 s"].map(|time| log.iter().filter(|line| line.contains(time)).count());
    assert_eq!(times, [1, 1], "{log:?}");
    // It recovers, and is let in for good.
    failing(&bench, "checkout-v2", Behavior::default());
    until_in(&bench);
    assert!(by_canary(&bench.load(users(5_000..5_400), 8).unwrap()) > 40);
}

#[test]
fn who_knows_the_secret_gets_a_variant_that_is_out() {
    let mut policy = guarded(20.0, &errors());
    policy["force"] = json!({"secret": {"header": "x-secret", "value": "0123456789abcdef"}});
    let bench = Bench::start(&policy);
    failing(&bench, "checkout-v2", broken());
    until_out(&bench, 0, 1_000);
    failing(&bench, "checkout-v2", Behavior::default());
    let forced =
        user(1).header("x-split-force", "checkout=canary").header("x-secret", "0123456789abcdef");
    assert_eq!(bench.send(&forced).unwrap().cluster(), Some("checkout-v2"));
    assert_ne!(bench.send(&user(1)).unwrap().cluster(), Some("checkout-v2"));
}

#[test]
fn a_worker_that_starts_again_knows_what_is_out() {
    let bench =
        Bench::with(&guarded(20.0, &errors()), Options { concurrency: 1, ..Options::default() });
    failing(&bench, "checkout-v2", broken());
    until_out(&bench, 0, 1_000);
    failing(&bench, "checkout-v2", Behavior::default());
    // The same policy in other words: the same hash, and a new configuration of the VM.
    let text = guarded(20.0, &errors()).to_string().replacen('{', "{ ", 1);
    bench.apply(&text).unwrap();
    assert_eq!(by_canary(&bench.load(users(0..300), 8).unwrap()), 0);
    assert_eq!(bench.stats().unwrap().sum(TRIPPED, &CANARY), 1);
}

#[test]
fn a_worker_whose_vm_panicked_knows_what_is_out() {
    let folder = tempfile::tempdir().unwrap();
    let module = folder.path().join("module.wasm");
    std::fs::write(&module, trapping(&harness::module::bytes())).unwrap();
    let options = Options { concurrency: 1, module: Some(module), ..Options::default() };
    let lab = Lab::start(&guarded(20.0, &errors()).to_string(), options).unwrap();
    failing(&lab, "checkout-v2", broken());
    until_out(&lab, 0, 1_000);
    failing(&lab, "checkout-v2", Behavior::default());
    // A VM that was loaded a moment ago is not loaded again.
    std::thread::sleep(Duration::from_secs(1));
    let many = (0..TRAPS_ABOVE).fold(user(1), |all, n| all.header(&format!("x-{n}"), "1"));
    assert_eq!(lab.send(&many).unwrap().status, 503);
    let after = lab.load(users(2_000..2_400), 8).unwrap();
    assert!(after.iter().all(|answer| answer.status == 200));
    assert_eq!(by_canary(&after), 0);
    assert_eq!(lab.stats().unwrap().sum(TRIPPED, &CANARY), 1);
}

/// How many rounds of 2,000 requests: more of them by hand, with `TRAFFIC_SPLIT_SOAK=500`.
fn rounds() -> u32 {
    std::env::var("TRAFFIC_SPLIT_SOAK").map_or(20, |rounds| rounds.parse().unwrap())
}

#[test]
fn healthy_variants_stay_where_one_user_in_a_hundred_fails_on_both() {
    let bench = Bench::start(&guarded(10.0, &errors()));
    for round in 0..rounds() {
        for (status, part) in [(500, 0..20), (200, 20..2_000)] {
            for cluster in ["checkout-v1", "checkout-v2"] {
                failing(&bench, cluster, Behavior { status, ..Behavior::default() });
            }
            let first = 100_000 + round * 2_000;
            bench.load(users(first + part.start..first + part.end), 16).unwrap();
        }
    }
    let stats = bench.stats().unwrap();
    assert_eq!(shown(&stats), (0, 100_000));
    let failed = u64::from(rounds()) * 20;
    let counted = stats.sum(BAD_KEYS, &[]);
    // Some share a bit with another one.
    assert!((failed * 3 / 4..=failed).contains(&counted), "{counted} of {failed}");
}
