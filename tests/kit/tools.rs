//! Processes that end with the test, an HTTP client, and waits that have an end.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use harness::wait_for;
use lab::Guarded;
use lab::client::{self, Request, Response};
use serde_json::Value;

/// How long anything may take that takes a second.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// A path in the repository.
pub(crate) fn at(path: &str) -> PathBuf {
    harness::root().join(path)
}

/// A file of the repository.
pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(at(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Runs one of the scripts; what it printed on stdout.
pub(crate) fn script(name: &str, args: &[&str]) -> String {
    let mut command = Command::new(at("scripts").join(name));
    output(command.args(args).stderr(Stdio::inherit()))
}

/// Runs a command that must end well; what it printed on stdout.
pub(crate) fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}\n{err}", output.status);
    out
}

/// Whether a command ends well, and soon.
pub(crate) fn works(words: &[&str]) -> bool {
    let output = Command::new("timeout").arg("30").args(words).output();
    output.is_ok_and(|output| output.status.success())
}

/// Why containers cannot be run here, if they cannot.
pub(crate) fn docker_answers() -> Result<(), String> {
    works(&["docker", "version"]).then_some(()).ok_or_else(|| "no Docker daemon answers".to_owned())
}

/// Past the capture of output: whoever runs the tests should know.
pub(crate) fn say_skipped(what: &str, why: &str) {
    std::io::stderr().write_all(format!("skipped: {what} ({why})\n").as_bytes()).unwrap();
}

/// splitctl as it was built for these tests.
pub(crate) fn splitctl() -> Command {
    static PATH: OnceLock<String> = OnceLock::new();
    Command::new(PATH.get_or_init(|| script("build-splitctl", &[])))
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// A program that runs until this is dropped. A failing test shows the end of its log.
pub(crate) struct Running {
    name: String,
    _guarded: Guarded,
    log: PathBuf,
}

impl Running {
    pub(crate) fn start(name: &str, folder: &Path, command: &Command) -> Self {
        let log = folder.join(format!("{name}.log"));
        let file = File::create(&log).unwrap();
        let guarded = Guarded::start(command, file, None);
        let guarded = guarded.unwrap_or_else(|error| panic!("{name}: {error}"));
        Self { name: name.to_owned(), _guarded: guarded, log }
    }

    /// What it wrote so far, to stdout and stderr.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap()).into_owned()
    }

    /// Waits until a line of its log has this text; the rest of the line.
    pub(crate) fn says(&self, text: &str) -> String {
        wait_for(&format!("{} says `{text}`", self.name), SOON, || {
            let log = self.log();
            let (_, rest) = log.split_once(text)?;
            rest.split_once('\n').map(|(line, _)| line.to_owned())
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let end = &lines[lines.len().saturating_sub(15)..];
            eprintln!("--- the log of {} ends with:\n{}\n---", self.name, end.join("\n"));
        }
    }
}

/// What came back, as text.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// Sends a GET over a connection of its own.
pub(crate) fn get(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Result<Answer> {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = match *name {
            "host" => request.host(value),
            name => request.header(name, value),
        };
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let Response { status, headers, body } = runtime.block_on(client::send(address, &request))?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let headers = headers.into_iter().map(|(name, value)| (name, text(value))).collect();
    Ok(Answer { status, headers, body: text(body) })
}

/// The rows of a Prometheus query, each with its labels and value.
pub(crate) fn query(prometheus: SocketAddr, promql: &str) -> Result<Vec<(Value, f64)>> {
    let path = format!("/api/v1/query?query={}", percent(promql));
    let answer = get(prometheus, &path, &[])?;
    let json: Value = serde_json::from_str(&answer.body)?;
    let rows = json.pointer("/data/result").and_then(Value::as_array);
    let rows = rows.with_context(|| answer.body.clone())?;
    let value = |row: &Value| row.pointer("/value/1")?.as_str()?.parse().ok();
    Ok(rows.iter().filter_map(|row| Some((row["metric"].clone(), value(row)?))).collect())
}

fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let encode = |byte| {
        if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(encode).collect()
}
