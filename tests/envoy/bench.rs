//! What the tests share: a lab that shows Envoy's log where a test fails, the policy and the users
//! of most tests.

use std::borrow::Borrow;
use std::ops::Deref;
use std::sync::OnceLock;
use std::thread;

use lab::{Lab, Options, Request, StartError, Stats, Update};
use serde_json::{Value, json};

/// The counter of decisions.
pub(crate) const REQUESTS: &str = "traffic_split_requests_total";
/// The counter of outcomes.
pub(crate) const RESPONSES: &str = "traffic_split_responses_total";
/// The gauge of weights, in millionths.
pub(crate) const WEIGHT: &str = "traffic_split_weight";
/// The histogram of durations.
pub(crate) const DURATION: &str = "traffic_split_request_duration_milliseconds";
/// The gauge that shows which policy is running.
pub(crate) const POLICY_HASH: &str = "traffic_split_policy_hash";
/// The counter of refused configurations.
pub(crate) const CONFIG_ERRORS: &str = "traffic_split_config_errors_total";
/// The counter of calls that Envoy refused.
pub(crate) const HOST_ERRORS: &str = "traffic_split_host_errors_total";

/// How many lines of Envoy's log a failing test shows.
const TAIL: usize = 40;

/// A lab in the hands of a test: its own, or one that the tests of a file share.
pub(crate) struct Bench<L: Borrow<Lab> = Lab>(L);

impl Bench {
    /// An Envoy that runs this policy.
    pub(crate) fn start(policy: &Value) -> Self {
        Self::with(policy, Options::default())
    }

    /// The same, set up otherwise.
    pub(crate) fn with(policy: &Value, options: Options) -> Self {
        Self::of_text(&policy.to_string(), options)
    }

    /// The same for a policy that is not JSON.
    pub(crate) fn of_text(policy: &str, options: Options) -> Self {
        Self(lab(policy, options))
    }
}

impl<L: Borrow<Lab>> Bench<L> {
    /// Replaces the policy; it must be accepted.
    pub(crate) fn put(&self, policy: &Value) {
        assert_eq!(self.apply(&policy.to_string()).unwrap(), Update::Applied, "{policy}");
    }

    /// The filter's statistics once that many outcomes are counted, in all.
    pub(crate) fn stats_after(&self, outcomes: u64) -> Stats {
        let done = |stats: &Stats| {
            stats.sum(RESPONSES, &[]) == outcomes
                && stats.histogram(DURATION, &[]).count() == outcomes
        };
        let stats = self.stats_when(done).unwrap();
        assert_eq!(stats.sum(RESPONSES, &[]), outcomes, "outcomes counted");
        stats
    }
}

impl<L: Borrow<Lab>> Deref for Bench<L> {
    type Target = Lab;

    fn deref(&self) -> &Lab {
        self.0.borrow()
    }
}

impl<L: Borrow<Lab>> Drop for Bench<L> {
    fn drop(&mut self) {
        if thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let tail = lines.iter().skip(lines.len().saturating_sub(TAIL));
            eprintln!("envoy's log ends with:");
            tail.for_each(|line| eprintln!("  {line}"));
        }
    }
}

/// An Envoy that several tests use at once. It ends with the process.
pub(crate) struct Shared {
    lab: OnceLock<Lab>,
    start: fn() -> Lab,
}

impl Shared {
    /// One that is started by the first test that needs it.
    pub(crate) const fn new(start: fn() -> Lab) -> Self {
        Self { lab: OnceLock::new(), start }
    }

    pub(crate) fn bench(&'static self) -> Bench<&'static Lab> {
        Bench(self.lab.get_or_init(self.start))
    }
}

/// A lab with the module that all tests use; the policy need not be JSON.
pub(crate) fn lab(policy: &str, options: Options) -> Lab {
    try_lab(policy, options).unwrap_or_else(|error| panic!("{error}"))
}

/// The same where Envoy may refuse to start.
pub(crate) fn try_lab(policy: &str, options: Options) -> Result<Lab, StartError> {
    // Found once, not for each lab: finding it may build it.
    Lab::start(policy, Options { module: Some(harness::module::path()), ..options })
}

/// The policy of most tests: one split, two clusters, this percentage of canaries.
pub(crate) fn checkout(canary: f64) -> Value {
    json!({"version": 1, "splits": [split("checkout", canary)]})
}

/// A split with the clusters `NAME-v1` for `stable` and `NAME-v2` for `canary`; the key is the
/// header `x-user-id`, else the cookie `uid`.
pub(crate) fn split(name: &str, canary: f64) -> Value {
    json!({
        "name": name,
        "key": [{"header": "x-user-id"}, {"cookie": "uid"}],
        "baseline": "stable",
        "variants": [
            {"name": "stable", "cluster": format!("{name}-v1"), "weight": 100.0 - canary},
            {"name": "canary", "cluster": format!("{name}-v2"), "weight": canary},
        ],
    })
}

/// A split for one host alone, with more fields.
pub(crate) fn split_for(host: &str, canary: f64, more: Value) -> Value {
    let name = host.strip_suffix(".test").unwrap_or(host);
    let mut split = split(name, canary);
    split["match"] = json!([{"hosts": [host]}]);
    if let (Value::Object(split), Value::Object(more)) = (&mut split, more) {
        split.extend(more);
    }
    split
}

/// A request of one of the users, whose ids are fixed: what each is served is the same on every
/// run.
pub(crate) fn user(number: u32) -> Request {
    Request::get("/cart").header("x-user-id", format!("user-{number}"))
}

/// Checks a count against its share with a tolerance of 4 standard deviations.
pub(crate) fn assert_share(count: usize, total: usize, share: f64) {
    let (count, total) = (count as f64, total as f64);
    let deviations = (count - total * share) / (total * share * (1.0 - share)).sqrt();
    assert!(
        deviations.abs() < 4.0,
        "{count} of {total} for a share of {share}: {deviations:.1} sigma"
    );
}
