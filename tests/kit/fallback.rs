//! A dead variant with `fallback: baseline`, by what `render envoy` makes of it in real Envoy: no request fails, the
//! statistics and the access log say who served, and nothing is processed twice. Without the field: 503.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use harness::wait_for;
use lab::client::{self, Request, Response};
use lab::upstream::Upstream;
use lab::{Behavior, Stats};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::serve::start_envoy;
use crate::tools::{Running, SOON, get, output, splitctl};

const POLICY: &str = "
version: 1
response_variant_header: x-served-variant
splits:
- name: checkout
  key: [{header: x-user-id}]
  baseline: stable
  variants:
  - {name: stable, cluster: checkout-v1, weight: 50}
  - {name: canary, cluster: checkout-v2, weight: 50, fallback: baseline}
  overrides: [{match: [{headers: [{name: x-canary, present: true}]}], variant: canary}]
";

/// A user of the canary.
const CANARY: [(&str, &str); 2] = [("x-user-id", "ann"), ("x-canary", "1")];

/// How many requests a look at it takes: more than are under way at a time, which is more than Envoy tries again by default.
const REQUESTS: usize = 200;
const AT_A_TIME: usize = 40;

/// Envoy as rendered, with upstreams that can be made to fail.
struct Site {
    envoy: Running,
    admin: SocketAddr,
    listener: SocketAddr,
    stable: Upstream,
    canary: Upstream,
    runtime: Runtime,
    _folder: TempDir,
}

impl Site {
    fn start(policy: &str, options: &[&str], change: impl FnOnce(String) -> String) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.unwrap();
        let [stable, canary] = ["checkout-v1", "checkout-v2"]
            .map(|cluster| Upstream::start(cluster, runtime.handle()).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("policy.yaml"), policy).unwrap();
        std::fs::create_dir(path("ecds")).unwrap();
        let mut ecds = splitctl();
        ecds.args(["render", "ecds"]).arg(path("policy.yaml")).arg("--module");
        ecds.arg(harness::module::path()).arg("--output").arg(path("ecds/filter.json"));
        output(&mut ecds);
        let mut render = splitctl();
        render.args(["render", "envoy"]).arg(path("policy.yaml"));
        render.arg("--ecds").arg(path("ecds/filter.json"));
        render.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
        render.args(["--fallback", "checkout-v1"]);
        render.args(["--cluster", &format!("checkout-v1={}", stable.address())]);
        // The last one counts, so that `options` may say another.
        render.args(["--cluster", &format!("checkout-v2={}", canary.address())]).args(options);
        std::fs::write(path("envoy.yaml"), change(output(&mut render) + "\n")).unwrap();
        let (envoy, admin, listener) = start_envoy(folder.path(), 2);
        Self { envoy, admin, listener, stable, canary, runtime, _folder: folder }
    }

    /// As rendered from [`POLICY`].
    fn of(options: &[&str]) -> Self {
        Self::start(POLICY, options, |config| config)
    }

    fn refuse(&self) {
        self.canary.set(Behavior { refuse: true, ..Behavior::default() }).unwrap();
        // What is sent over a connection that is just being closed is lost, with or without a stand-in.
        wait_for("the connections are closed", SOON, || {
            (self.stats().number("cluster.checkout-v2.upstream_cx_active") == Some(0)).then_some(())
        });
    }

    fn stats(&self) -> Stats {
        let path = "/stats?format=json&filter=^(cluster\\.checkout|wasmcustom)";
        Stats::parse(&get(self.admin, path, &[]).unwrap().body).unwrap()
    }

    /// Requests of users of the canary, many at a time; all answers.
    fn ask(&self) -> Vec<Response> {
        let request = Request::get("/").echo();
        let request = CANARY.iter().fold(request, |r, (name, value)| r.header(name, value));
        let requests = vec![request; REQUESTS];
        let go_on = |_| ControlFlow::Continue(());
        let answers = client::load(self.listener, requests, AT_A_TIME, go_on);
        let answers = self.runtime.block_on(answers);
        answers.into_iter().map(|answer| answer.unwrap().unwrap()).collect()
    }

    /// That all of them are answered well, by one cluster, as users of the canary.
    fn all_served_by(&self, cluster: &str) {
        for answer in self.ask() {
            assert_eq!(
                (answer.status, answer.cluster()),
                (200, Some(cluster)),
                "{}",
                answer.text()
            );
            let variant = &b"checkout=canary"[..];
            assert_eq!(answer.header("x-served-variant"), Some(variant));
            let reached = answer.echo().unwrap();
            assert_eq!(reached.all("x-split-variant"), [variant]);
            assert_eq!(reached.all("x-split-cluster"), [b"checkout-v2"]);
        }
    }

    /// That Envoy counts so many requests that the baseline served in the canary's place, and the filter so many
    /// responses of the canary of a class.
    fn counts(&self, stood_in: usize, class: &str, responses: usize) {
        let counted = wait_for("the requests are counted", SOON, || {
            let stats = self.stats();
            let variant = [("split", "checkout"), ("variant", "canary")];
            let responded = stats.sum("traffic_split_responses_total", &variant);
            (responded >= responses as u64).then_some(stats)
        });
        let canary = [("variant", "canary"), ("class", class)];
        assert_eq!(counted.sum("traffic_split_responses_total", &canary), responses as u64);
        let name = "cluster.checkout=canary/baseline.upstream_rq_total";
        assert_eq!(counted.number(name).unwrap_or(0), stood_in as u64, "{counted:?}");
        let prometheus = get(self.admin, "/stats/prometheus", &[]).unwrap().body;
        let series =
            "envoy_cluster_upstream_rq_total{envoy_cluster_name=\"checkout=canary/baseline\"}";
        let shown =
            prometheus.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok());
        assert_eq!(shown, Some(stood_in), "as the rules read it");
    }

    /// Who stood in, by the access log of all requests.
    fn stood_in_by_the_log(&self, requests: usize) -> Vec<Value> {
        let lines = wait_for("the access log has all", SOON, || {
            let log = self.envoy.log();
            let lines: Vec<Value> =
                log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
            (lines.len() >= requests).then_some(lines)
        });
        assert!(lines.iter().all(|line| line["cluster"] == "checkout=canary"), "{lines:#?}");
        assert!(lines.iter().all(|line| line["route"] == "checkout=canary"));
        lines.into_iter().map(|mut line| line["stand_in"].take()).collect()
    }
}

#[test]
fn where_the_variants_only_host_refuses_the_baseline_serves_and_hands_back() {
    let site = Site::of(&[]);
    site.all_served_by("checkout-v2");
    site.counts(0, "2xx", REQUESTS);
    assert!(site.stood_in_by_the_log(REQUESTS).iter().all(Value::is_null));

    site.refuse();
    site.all_served_by("checkout-v1");
    site.counts(REQUESTS, "2xx", 2 * REQUESTS);
    let log = site.stood_in_by_the_log(2 * REQUESTS);
    assert_eq!(log.iter().filter(|stand_in| **stand_in == "checkout-v1").count(), REQUESTS);

    let ejected =
        site.stats().number("cluster.checkout-v2.outlier_detection.ejections_enforced_total");
    assert!(ejected.is_some_and(|ejected| ejected > 0), "left out after a few: {ejected:?}");

    // Others are not touched by it: the baseline's own requests are counted as such.
    let plain = site.stats().number("cluster.checkout-v1.upstream_rq_total");
    assert_eq!(plain.unwrap_or(0), 0);

    site.canary.set(Behavior::default()).unwrap();
    wait_for("the variant serves again", Duration::from_secs(40), || {
        let answer = get(site.listener, "/", &CANARY).unwrap();
        assert_eq!(answer.status, 200);
        (answer.headers["x-lab-cluster"] == "checkout-v2").then_some(())
    });
}

#[test]
fn a_cluster_without_hosts_is_stood_in_for() {
    let site = Site::of(&["--cluster", "checkout-v2=nowhere.invalid:80"]);
    site.all_served_by("checkout-v1");
    site.counts(REQUESTS, "2xx", REQUESTS);
    assert!(site.stood_in_by_the_log(REQUESTS).iter().all(|stand_in| stand_in == "checkout-v1"));
}

/// The canary with a second host.
fn with_a_second(host: SocketAddr, options: &[&str]) -> Site {
    Site::start(POLICY, options, |config| {
        let (before, rest) = config.split_at(config.find("  - name: checkout-v2\n").unwrap());
        let (head, rest) = rest.split_at(rest.find("        - endpoint: ").unwrap());
        let line = rest.lines().next().unwrap();
        let port = line.rsplit_once("port_value: ").unwrap().1.trim_end_matches('}');
        let second = line.replace(port, &host.port().to_string());
        format!("{before}{head}{second}\n{rest}")
    })
}

#[test]
fn of_two_hosts_the_one_that_is_left_serves_alone() {
    let runtime = Runtime::new().unwrap();
    let other = Upstream::start("another", runtime.handle()).unwrap();
    other.set(Behavior { refuse: true, ..Behavior::default() }).unwrap();
    let site = with_a_second(other.address(), &[]);
    site.all_served_by("checkout-v2");
    site.counts(0, "2xx", REQUESTS);
    let failed = site.stats().number("cluster.checkout-v2.upstream_cx_connect_fail");
    assert!(failed.is_some_and(|failed| failed > 0), "the dead one was asked: {failed:?}");

    // The same where it is unhealthy: not even a part goes to the baseline.
    other.set(Behavior { status: 503, ..Behavior::default() }).unwrap();
    let site = with_a_second(other.address(), &["--health-check", "/healthz"]);
    wait_for("one host is seen to be unhealthy", SOON, || {
        (site.stats().number("cluster.checkout-v2.membership_healthy") == Some(1)).then_some(())
    });
    site.all_served_by("checkout-v2");
    site.counts(0, "2xx", REQUESTS);
}

#[test]
fn hosts_that_are_not_well_are_stood_in_for() {
    let site = Site::of(&["--health-check", "/healthz"]);
    site.all_served_by("checkout-v2");
    site.canary.set(Behavior { status: 503, ..Behavior::default() }).unwrap();
    wait_for("the host is seen to be unhealthy", SOON, || {
        (site.stats().number("cluster.checkout-v2.membership_healthy") == Some(0)).then_some(())
    });
    site.all_served_by("checkout-v1");
    site.counts(REQUESTS, "2xx", 2 * REQUESTS);
    site.canary.set(Behavior::default()).unwrap();
    wait_for("the host is seen to be healthy", SOON, || {
        (site.stats().number("cluster.checkout-v2.membership_healthy") == Some(1)).then_some(())
    });
    site.all_served_by("checkout-v2");
}

#[test]
fn a_variant_that_answers_with_errors_is_not_dead() {
    let site = Site::of(&[]);
    site.canary.set(Behavior { status: 503, ..Behavior::default() }).unwrap();
    let answers = site.ask();
    assert!(answers.iter().all(|a| a.status == 503 && a.cluster() == Some("checkout-v2")));
    site.counts(0, "5xx", REQUESTS);
}

#[test]
fn what_a_host_has_begun_to_process_is_not_sent_again() {
    // It reads the request, and hangs up.
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = format!("checkout-v2={}", listener.local_addr().unwrap());
    let received = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&received);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let lines = BufReader::new(stream.unwrap()).lines();
            let head = lines.map_while(Result::ok).take_while(|line| !line.is_empty());
            if head.count() > 0 {
                seen.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    let site = Site::of(&["--cluster", &address]);
    for _ in 0..20 {
        assert_eq!(get(site.listener, "/", &CANARY).unwrap().status, 503);
    }
    assert_eq!(received.load(Ordering::SeqCst), 20);
    site.counts(0, "5xx", 20);
}

#[test]
fn without_the_field_a_dead_variant_is_a_503() {
    let policy = POLICY.replace(", fallback: baseline", "");
    let site = Site::start(&policy, &[], |config| config);
    site.all_served_by("checkout-v2");
    site.refuse();
    assert!(site.ask().iter().all(|answer| answer.status == 503));
    let gone =
        Site::start(&policy, &["--cluster", "checkout-v2=nowhere.invalid:80"], |config| config);
    assert!(gone.ask().iter().all(|answer| answer.status == 503));
    let healthy = gone.stable.address();
    assert_eq!(get(healthy, "/", &[]).unwrap().status, 200, "the baseline was there");
}

#[test]
fn another_variant_of_the_same_cluster_that_does_not_ask_for_it_gets_its_503() {
    let policy = format!(
        "{POLICY}- name: orders
  match: [{{path: {{prefix: /orders}}}}]
  key: [{{header: x-order}}]
  baseline: old
  variants: [{{name: old, cluster: checkout-v2, weight: 100}}]
"
    )
    .replace("- name: checkout\n", "- name: checkout\n  match: [{path: {prefix: /checkout}}]\n");
    let site = Site::start(&policy, &[], |config| config);
    site.refuse();
    let of = |path| get(site.listener, path, &[&CANARY[..], &[("x-order", "1")]].concat()).unwrap();
    assert_eq!((of("/checkout").status, of("/orders").status), (200, 503));
}
