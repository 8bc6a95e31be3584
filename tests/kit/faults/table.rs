//! The table of faults: what breaks, what users see, which alert tells of it, and how soon. It stands in docs/faults.md, with
//! the seconds that the tests here measured.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::scene::scale;
use crate::gateway::documents;
use crate::tools::{at, read};

const PAGE: &str = "docs/faults.md";

/// One thing that breaks.
pub(super) struct Fault {
    /// The name of the test.
    pub(super) name: &'static str,
    fault: &'static str,
    users: &'static str,
    pub(super) alert: &'static str,
    /// How much of the alert's window this fault takes until it shows, in seconds as in production.
    window: u64,
}

/// A row without a test in Envoy has no measurement.
pub(super) const UNTRIED: [&str; 1] = ["TrafficSplitHostErrors"];

macro_rules! faults {
    ($($name:ident: $fault:literal, $users:literal => $alert:ident, $window:literal;)*) => {
        &[$(Fault {
            name: stringify!($name),
            fault: $fault,
            users: $users,
            alert: concat!("TrafficSplit", stringify!($alert)),
            window: $window,
        }),*]
    };
}

pub(super) const FAULTS: &[Fault] = faults! {
    module_missing: "the module is missing, or its path is wrong", "500 (`NFCF`)" => NotLoaded, 0;
    module_not_wasm: "the module is no wasm, such as a text file", "500 (`NFCF`)" => NotLoaded, 0;
    module_of_another_abi: "the module is for another runtime: it names no proxy-wasm ABI", "500 (`NFCF`)" => NotLoaded, 0;
    module_on_some_proxies_only: "one proxy of two has no module", "500 on that proxy" => NotLoaded, 0;
    refused_at_the_start: "a proxy starts while its policy is refused", "the default route, unsplit" => PolicyRefused, 0;
    refused_at_an_update: "a policy with a mistake is sent past `splitctl validate`", "nothing, the last good policy serves" => PolicyRefused, 0;
    rejected_at_an_update: "a new configuration names a module that is not there", "nothing, the one before serves" => ConfigRefused, 0;
    policies_differ: "one proxy of two does not get the new policy", "another variant from proxy to proxy" => PoliciesDiffer, 0;
    proxy_dark: "one proxy of two ends, or answers Prometheus no more", "what the others cannot take over" => NotScraped, 0;
    all_dark: "all proxies end, or Prometheus does not find them", "an outage, or nothing" => Blind, 0;
    canary_fails: "the canary answers every request with 503", "errors, as many as its weight" => ErrorRatio, 3;
    canary_slow: "the canary takes 200 ms longer", "it is slow, for as many as its weight" => Latency, 15;
    all_fail: "both variants fail", "errors" => BudgetBurnFast, 29;
    all_fail_a_little: "both variants fail once in 100 requests", "an error now and then" => BudgetBurnSlow, 4_320;
    one_user_too_many: "a robot sends most of the requests, with one key", "nothing; an experiment is worthless" => ShareOff, 1_800;
    one_key_for_all: "a gateway sends its own id as the key of all users", "all have one variant" => NoTraffic, 900;
    nobody_meets_it: "a change of `match` fits no request any more", "the default route, unsplit" => NoRequests, 900;
    guard_trips: "the canary fails, and the split has a guard", "errors for seconds, then another variant" => Tripped, 20;
    canary_dead: "the canary's hosts are gone, and it has a fallback", "the baseline" => StandIn, 3;
    panic: "the module panics", "one 503" => VmReload, 0;
    kill: "somebody pulls the brake", "the baseline" => Killed, 0;
    kill_left_on: "and forgets it", "the baseline" => KilledLong, 0;
    forcing: "somebody tries to force a variant without the secret", "nothing" => ForceRefused, 0;
    weight_jumps: "a weight is edited", "some get another variant" => WeightChanged, 0;
};

pub(super) fn row(name: &str) -> &'static Fault {
    FAULTS.iter().find(|fault| fault.name == name).unwrap()
}

/// An alert as it is rendered.
struct Alert {
    severity: String,
    lasts: Duration,
    /// How many groups are evaluated one after the other until it is known: one reads what another recorded.
    groups: u32,
}

fn alerts() -> BTreeMap<String, Alert> {
    let rules = documents("rules", &read("envoy/prometheus/rules.yml")).remove(0);
    let list = |value: &Value| value.as_array().unwrap().clone();
    let groups: Vec<Vec<Value>> =
        list(&rules["groups"]).iter().map(|group| list(&group["rules"])).collect();
    let mut recorded = Vec::new();
    let mut alerts = BTreeMap::new();
    for (at, group) in groups.iter().enumerate() {
        for rule in group {
            if let Some(name) = rule["record"].as_str() {
                recorded.push((name.to_owned(), u32::try_from(at).unwrap()));
                continue;
            }
            let expr = rule["expr"].as_str().unwrap();
            // The constants of the first group are always there.
            let read = recorded.iter().filter(|(name, _)| expr.contains(name.as_str()));
            let groups = 1 + read.map(|(_, at)| *at).max().unwrap_or(0);
            let lasts = rule["for"].as_str().map_or(Duration::ZERO, duration);
            let severity = rule["labels"]["severity"].as_str().unwrap().to_owned();
            let name = rule["alert"].as_str().unwrap().to_owned();
            alerts.insert(name, Alert { severity, lasts, groups });
        }
    }
    alerts
}

fn duration(text: &str) -> Duration {
    let (number, unit) = text.split_at(text.len() - 1);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        unit => panic!("{unit}"),
    };
    Duration::from_secs(number.parse::<u64>().unwrap() * seconds)
}

/// From the fault to the alert, at most: until a scrape sees it, until each group was evaluated, until the window shows it,
/// and until it has lasted, which is looked at when groups are evaluated.
pub(super) fn promised(name: &str, scale: f64, interval: Duration) -> Duration {
    let fault = row(name);
    let alert = &alerts()[fault.alert];
    let lasts = alert.lasts.mul_f64(scale).as_secs_f64() / interval.as_secs_f64();
    let window = Duration::from_secs(fault.window).mul_f64(scale);
    interval * (1 + alert.groups) + window + interval.mul_f64(lasts.ceil())
}

/// Where what was measured is kept until the table is written.
fn kept(name: &str) -> PathBuf {
    let folder =
        std::env::var_os("CARGO_TARGET_TMPDIR").map_or_else(|| at("target/tmp"), PathBuf::from);
    folder.join("faults").join(name)
}

/// Keeps what was measured with short windows; says what was measured with those of production.
pub(super) fn keep(name: &str, took: Duration) {
    if scale() >= 1.0 {
        eprintln!("{name}: {took:.1?}");
        return;
    }
    let file = kept(name);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, format!("{:.1}", took.as_secs_f64())).unwrap();
}

fn minutes(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

/// The table, with what was measured now where it was, and else as it stands.
fn table(stands: &str) -> String {
    let mut text = "\
| fault | what users see | alert | severity | fires within | measured, short windows |
|---|---|---|---|---|---|
"
    .to_owned();
    let alerts = alerts();
    for fault in FAULTS {
        let Fault { name, fault, users, alert, .. } = fault;
        let within = minutes(promised(name, 1.0, Duration::from_secs(15)));
        let severity = &alerts[*alert].severity;
        let anchor = alert.to_lowercase();
        let row = format!(
            "| {fault} | {users} | [{alert}](../envoy/README.md#{anchor}) | {severity} | {within} |"
        );
        let update =
            std::env::var_os("UPDATE").and_then(|_| std::fs::read_to_string(kept(name)).ok());
        let stood = || {
            let rest =
                stands.lines().find_map(|line| line.strip_prefix(&format!("| {fault} |")))?;
            Some(rest.rsplit('|').nth(1)?.trim().strip_suffix(" s")?.to_owned())
        };
        let measured = update.or_else(stood).unwrap_or_else(|| "?".to_owned());
        let _in_memory = writeln!(text, "{row} {measured} s |");
    }
    text
}

#[test]
fn the_table_of_faults_is_what_the_rules_promise_and_every_alert_has_a_row() {
    let page = read(PAGE);
    let begin = page.find("| fault |").unwrap();
    let end = begin + page[begin..].find("\n\n").unwrap() + 1;
    let table = table(&page[begin..end]);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(at(PAGE), [&page[..begin], &table, &page[end..]].concat()).unwrap();
    } else {
        assert_eq!(&page[begin..end], table, "UPDATE=1 writes it again");
    }
    for line in table.lines().skip(2) {
        let measured = line.rsplit('|').nth(1).unwrap().trim().strip_suffix(" s").unwrap();
        assert!(measured.parse::<f64>().is_ok(), "nobody measured {line}");
    }
    for alert in alerts().into_keys() {
        let rows = FAULTS.iter().filter(|fault| fault.alert == alert).count();
        assert_eq!(rows == 0, UNTRIED.contains(&alert.as_str()), "{alert}");
        assert!(page.contains(&alert), "{alert} is not on the page");
    }
}

#[test]
fn every_row_is_tried() {
    let tests = read("tests/kit/faults.rs");
    for Fault { name, .. } in FAULTS {
        assert!(tests.contains(&format!("\nfn {name}() {{")), "{name}");
        assert!(tests.contains(&format!("\"{name}\"")), "{name}");
    }
}
