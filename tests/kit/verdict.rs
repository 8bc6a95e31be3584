//! `splitctl verdict` on a real Envoy and a real Prometheus: one look, all looks of a range, and over HTTP from question to
//! question.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use harness::wait_for;
use lab::Request;
use lab::client::send;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::dashboards::watch;
use crate::serve::Kit;
use crate::tools::{Running, SOON, get, output, query, splitctl};

/// Half of the users are on the canary. Its guard counts users, and permits whatever may come here.
const POLICY: &str = "
version: 1
splits:
- name: checkout
  key: [{header: x-user-id}]
  baseline: stable
  variants:
  - {name: stable, cluster: checkout-v1, weight: 50}
  - {name: canary, cluster: checkout-v2, weight: 50}
  guard: {errors: {ratio: 1000}}
";

/// Half of the canary's requests fail.
fn failing(kit: &Kit) {
    let canary = kit.services["checkout-v2"].to_string();
    output(splitctl().args(["demo", "set", &canary, "--failing", "50"]));
}

/// What the command says, and its exit code.
fn verdict(kit: &Kit, words: &[&str]) -> (Value, Option<i32>) {
    let mut command = splitctl();
    command.arg("verdict").arg(&kit.policy).args(words).args(["--format", "json"]);
    let output = command.output().unwrap();
    let json = serde_json::from_slice(&output.stdout);
    (json.unwrap_or_else(|_| panic!("{output:?}")), output.status.code())
}

pub(crate) fn post(address: SocketAddr, path: &str, body: &str) -> u16 {
    // The lab's client sends no bodies.
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let length = body.len();
    write!(stream, "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let status = text.split(' ').nth(1).unwrap_or_else(|| panic!("{text}"));
    status.parse().unwrap()
}

#[test]
fn a_canary_that_fails_is_harm_by_the_proxys_counters_by_a_prometheus_and_over_http() {
    let began = splitctl::moment::write(splitctl::moment::now());
    let kit = Kit::of_policy(POLICY, &[]);
    let prometheus = watch(&kit);
    let admin = kit.admin.to_string();
    let url = format!("http://{}", prometheus.1);

    let mut serve = splitctl();
    serve.arg("verdict").arg(&kit.policy).args(["--prometheus", &url, "--listen", "0"]);
    let server = Server::start(kit.folder.path(), &serve);
    let address = server.address;
    let ask = |words: &str| {
        let answer = get(address, &format!("/verdict?split=checkout{words}"), &[]).unwrap();
        let json: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(answer.status, 200, "{json}");
        json
    };
    let scraped = |users: f64| {
        wait_for("prometheus has it", SOON, || {
            let rows = query(prometheus.1, "sum(traffic_split_keys_total)").ok()?;
            rows.first().is_some_and(|(_, value)| *value >= users).then_some(())
        });
    };

    // All is well: too early for more, and the run over HTTP begins.
    let well = kit.canaries(60);
    assert!((10..50).contains(&well), "{well}");
    scraped(60.0);
    let (early, code) = verdict(&kit, &["--admin", &admin]);
    assert_eq!((&early["verdict"], code), (&json!("early"), Some(3)), "{early}");
    assert_eq!(early["counted"], "users");
    assert_eq!(early["challengers"][0]["total"], well, "{early}");
    let first = ask("&run=1");
    assert_eq!(
        (&first["verdict"], &first["value"], &first["looks"]),
        (&json!("early"), &json!(0), &json!(0))
    );

    failing(&kit);
    (61..=200).for_each(|user| drop(kit.ask(user, &[])));
    scraped(200.0);
    let (harm, code) = verdict(&kit, &["--admin", &admin]);
    assert_eq!((&harm["verdict"], code), (&json!("harm"), Some(1)), "{harm}");
    let (harm, code) = verdict(&kit, &["--prometheus", &url, "--every", "1s", "--since", &began]);
    assert_eq!((&harm["verdict"], code), (&json!("harm"), Some(1)), "{harm}");
    assert_eq!(harm["challengers"][0]["share"], 0.5, "by the weights: {harm}");
    assert!(harm["looks"].as_u64().unwrap() > 1, "{harm}");

    // Over HTTP what came since the first question counts, once, however often it is asked.
    let harm = ask("&run=1");
    assert_eq!((&harm["verdict"], &harm["value"]), (&json!("harm"), &json!(-1)), "{harm}");
    let again = ask("&run=1");
    assert_eq!(again["challengers"][0]["bad"], harm["challengers"][0]["bad"]);
    assert_eq!(ask("&run=2")["verdict"], "early", "another run begins here");

    let hook = |path, run: &str| {
        let body = json!({"name": "shop", "namespace": "test", "phase": "Progressing", "metadata": {"split": "checkout", "run": run}});
        post(address, path, &body.to_string())
    };
    for (path, run, status) in [
        ("/flagger/rollout", "1", 409),
        ("/flagger/rollback", "1", 200),
        ("/flagger/confirm-promotion", "1", 409),
        ("/flagger", "3", 200),
        ("/flagger/rollback", "3", 409),
        ("/flagger/confirm-promotion", "3", 409),
    ] {
        assert_eq!(hook(path, run), status, "{path} {run}");
    }
}

/// A verdict over HTTP.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    _running: Running,
}

impl Server {
    fn start(folder: &Path, command: &std::process::Command) -> Self {
        let running = Running::start("verdict", folder, command);
        let address = running.says("listening on http://").trim_end_matches("/verdict").parse();
        Self { address: address.unwrap(), _running: running }
    }
}

/// One with nothing behind it.
pub(crate) fn nowhere() -> (Server, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.yaml");
    std::fs::write(&policy, POLICY).unwrap();
    let mut serve = splitctl();
    serve.arg("verdict").arg(&policy).args(["--admin", "127.0.0.1:9", "--listen", "0"]);
    (Server::start(folder.path(), &serve), folder)
}

#[test]
fn what_is_no_question_is_answered_with_what_to_do_and_the_server_goes_on() {
    let (Server { address, .. }, _folder) = &nowhere();
    let address = *address;
    for (path, status, said) in [
        ("/", 200, "/verdict?split=NAME"),
        ("/nothing", 404, "nothing at `/nothing`"),
        ("/flagger", 405, "takes POST, not GET"),
        ("/verdict?splt=checkout", 400, "did you mean `split`?"),
        ("/verdict?split=search", 400, "the policy has no split `search`; it has: checkout"),
        ("/verdict?variant=canari", 400, "did you mean `canary`?"),
        ("/verdict?errors_ratio=many", 400, "`errors_ratio` is `many`: not a number"),
        ("/verdict?errors_ratio=0.5", 400, "must be from 1.01 to 1000"),
        ("/verdict", 503, "`127.0.0.1:9`"),
    ] {
        let answer = get(address, path, &[]).unwrap();
        assert!(
            answer.status == status && answer.body.contains(said),
            "{path}: {} {}",
            answer.status,
            answer.body
        );
    }
    for body in ["", "{", "[]", "{\"metadata\": {\"split\": []}}", &"x".repeat(100_000)] {
        assert_eq!(post(address, "/flagger", body), 400);
    }
    // Neither noise nor a question that never ends is one.
    let noise = std::net::TcpStream::connect(address).unwrap();
    std::io::Write::write_all(&mut &noise, b"\x16\x03\x01\x00\xff\xff\xff\r\n\r\n").unwrap();
    let _open: Vec<_> = (0..20).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let asked = async {
        tokio::time::timeout(Duration::from_secs(10), send(address, &Request::get("/healthz")))
            .await
    };
    assert_eq!(runtime.block_on(asked).unwrap().unwrap().status, 200);
}
