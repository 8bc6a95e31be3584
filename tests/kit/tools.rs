//! Processes that end with the test, a small HTTP client, and waits that have an end.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use lab::Guarded;
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

/// Looks again and again until there is an answer.
pub(crate) fn wait_for<T>(what: &str, limit: Duration, look: impl Fn() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begin.elapsed() < limit, "waited {limit:?} in vain: {what}");
        thread::sleep(Duration::from_millis(100));
    }
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// Sends a GET over a connection of its own.
pub(crate) fn get(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Option<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5)).ok()?;
    stream.set_read_timeout(Some(SOON)).ok()?;
    let mut request = format!("GET {path} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "host") {
        request.push_str("host: localhost\r\n");
    }
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{request}\r\n").as_bytes()).ok()?;
    let mut bytes = Vec::new();
    let mut some = [0; 65536];
    // Envoy keeps a connection open for another second after some of its own answers.
    while !is_complete(&bytes) {
        match stream.read(&mut some).ok()? {
            0 => break,
            read => bytes.extend_from_slice(&some[..read]),
        }
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: BTreeMap<_, _> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let chunked = headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked");
    let body = if chunked { unchunk(body) } else { body.to_owned() };
    Some(Answer { status, headers, body })
}

/// Whether as much has come as the header said.
fn is_complete(bytes: &[u8]) -> bool {
    let Some(head) = bytes.windows(4).position(|end| end == b"\r\n\r\n") else { return false };
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let length =
        text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    length.is_some_and(|length: usize| bytes.len() >= head + 4 + length)
}

fn unchunk(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        if size == 0 {
            break;
        }
        let (chunk, next) = after.split_at(size.min(after.len()));
        body.push_str(chunk);
        rest = next.trim_start_matches("\r\n");
    }
    body
}

/// The rows of a Prometheus query, each with its labels and value.
pub(crate) fn query(prometheus: SocketAddr, promql: &str) -> Result<Vec<(Value, f64)>, String> {
    let path = format!("/api/v1/query?query={}", percent(promql));
    let answer = get(prometheus, &path, &[]).ok_or("no answer")?;
    let json: Value = serde_json::from_str(&answer.body).map_err(|error| error.to_string())?;
    let rows = json.pointer("/data/result").and_then(Value::as_array);
    let rows = rows.ok_or_else(|| answer.body.clone())?;
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
