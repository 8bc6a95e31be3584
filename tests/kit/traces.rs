//! Traces: what a collector gets from the rendered Envoy. The receiver decodes it with OpenTelemetry's own classes.

use std::collections::BTreeSet;
use std::process::Command;
use std::thread;
use std::time::Duration;

use harness::wait_for;
use serde_json::Value;
use tempfile::TempDir;

use crate::serve::Kit;
use crate::tools::{Running, SOON, at, get, script};

/// Users of the policy in envoy/: one of the five percent, and one of the others.
const CANARY: u32 = 71;
const STABLE: u32 = 1;

/// Spans are sent this often; by default it is every five seconds.
const OFTEN: &str = "
layered_runtime:
  layers:
  - name: test
    static_layer: {tracing.opentelemetry.flush_interval_ms: 200}
";

/// An Envoy that sends its spans to a collector.
struct Traced {
    kit: Kit,
    collector: Running,
    _folder: TempDir,
}

impl Traced {
    fn start(percent: &str, change: impl FnOnce(String) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(script("get/python", &["otel"]));
        command.arg(at("tests/kit/otlp.py"));
        let collector = Running::start("collector", folder.path(), &command);
        let address = collector.says("listens on ");
        let options = ["--otlp", address.as_str(), "--traces", percent];
        let kit = Kit::start_with(&options, |config| change(config) + OFTEN);
        Self { kit, collector, _folder: folder }
    }

    fn ask(&self, path: &str, user: u32, more: &[(&str, &str)]) {
        let user = format!("user-{user}");
        let headers = [("host", "shop.example.com"), ("x-user-id", user.as_str())];
        let answer = get(self.kit.listener, path, &[&headers, more].concat()).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
    }

    /// What has arrived so far.
    fn spans(&self) -> Vec<Value> {
        let log = self.collector.log();
        log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The paths of requests whose spans arrived.
    fn paths(&self) -> BTreeSet<String> {
        self.spans().iter().map(path).collect()
    }

    /// Waits for the span of a request.
    fn span(&self, wanted: &str) -> Value {
        wait_for(&format!("the span of {wanted}"), SOON, || {
            self.spans().into_iter().find(|span| path(span) == wanted)
        })
    }
}

fn path(span: &Value) -> String {
    let url = span["tags"]["http.url"].as_str().unwrap();
    url.strip_prefix("http://shop.example.com").unwrap().to_owned()
}

#[test]
fn a_collector_gets_spans_with_the_variant_as_a_tag() {
    let traced = Traced::start("100", |config| config);
    traced.ask("/api/canary", CANARY, &[]);
    traced.ask("/api/stable", STABLE, &[]);
    traced.ask("/elsewhere", STABLE, &[]);
    for (path, variant) in [("/api/canary", "checkout=canary"), ("/api/stable", "checkout=stable")]
    {
        let span = traced.span(path);
        assert_eq!(span["tags"]["split.variant"], variant, "{span}");
        assert_eq!((&span["service"], &span["parent"]), (&"edge".into(), &"".into()), "{span}");
    }
    let span = traced.span("/elsewhere");
    assert_eq!(span["tags"].get("split.variant"), None, "no split applied: {span}");
    // From a line of the access log to its trace: the debug dashboard asks for this tag.
    let id = format!("\"request_id\":{}", span["tags"]["guid:x-request-id"]);
    wait_for("the access log has the id of the span", SOON, || {
        let log = traced.kit.envoy.log();
        log.lines().any(|line| line.contains(&id) && line.contains("/elsewhere")).then_some(())
    });

    // A caller's trace goes on, and where the caller has none there is none.
    let caller = |flag| format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flag}");
    traced.ask("/api/not", CANARY, &[("traceparent", &caller("00"))]);
    traced.ask("/api/on", CANARY, &[("traceparent", &caller("01"))]);
    let span = traced.span("/api/on");
    assert_eq!(span["trace"], "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(
        (&span["parent"], &span["tags"]["split.variant"]),
        (&"b7ad6b7169203331".into(), &"checkout=canary".into())
    );
    thread::sleep(Duration::from_secs(2));
    assert!(!traced.paths().contains("/api/not"));
}

#[test]
fn as_many_requests_have_a_trace_as_was_asked_for() {
    let traced = Traced::start("25", |config| config);
    for request in 0..400 {
        traced.ask(&format!("/api/{request}"), request, &[]);
    }
    // 100, and chance: five sigma are 43.
    let spans = || traced.spans().len();
    wait_for("spans arrive", SOON, || (spans() > 57).then_some(()));
    thread::sleep(Duration::from_secs(2));
    assert!(spans() < 143, "{}", spans());
}

/// The example in the comment, with its marks taken away.
fn with_the_example(config: String) -> String {
    let place = |text: &str, mark: &str| {
        text.find(mark).unwrap_or_else(|| panic!("{mark:?} is not in the file:\n{text}"))
    };
    let (before, example) =
        config.split_at(place(&config, "              # - name: checkout=canary\n"));
    let (example, after) =
        example.split_at(place(example, "              # The filter needs these two routes"));
    format!("{before}{}{after}", example.replace("              # ", "              "))
}

#[test]
fn the_route_in_the_example_traces_every_request_of_a_rare_variant() {
    let traced = Traced::start("0", with_the_example);
    for request in 0..20 {
        traced.ask(&format!("/api/canary{request}"), CANARY, &[]);
        traced.ask(&format!("/api/stable{request}"), STABLE, &[]);
    }
    // Nobody outside has a trace by asking for it.
    traced.ask("/api/asked", STABLE, &[("x-client-trace-id", "mine")]);
    traced.ask("/api/forced", STABLE, &[("x-envoy-force-trace", "true")]);
    traced.ask("/api/claimed", STABLE, &[("x-split-variant", "checkout=canary")]);
    let canaries: BTreeSet<_> = (0..20).map(|request| format!("/api/canary{request}")).collect();
    wait_for("all canaries", SOON, || traced.paths().is_superset(&canaries).then_some(()));
    thread::sleep(Duration::from_secs(2));
    assert_eq!(traced.paths(), canaries);
    for span in traced.spans() {
        assert_eq!(span["tags"]["split.variant"], "checkout=canary", "{span}");
    }
    // The route sends them where they went without it.
    assert_eq!(traced.kit.ask(CANARY, &[]).headers["x-lab-cluster"], "checkout-v2");
}
