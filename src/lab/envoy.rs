//! The Envoy process: started, waited for, and what its log says.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;
use tokio::runtime::Handle;

use super::bootstrap::Files;
use super::client::fetch;
use super::guard::Guarded;
use super::stop::Stop;

/// How long Envoy may take to be ready. It takes one second; a busy machine may need more.
const START: Duration = Duration::from_secs(60);

/// How often a state that is waited for is looked at.
pub(crate) const LOOK: Duration = Duration::from_millis(50);

/// How many lines of a log are shown.
const TAIL: usize = 20;

/// Why there is no running Envoy.
#[derive(Debug)]
pub enum StartError {
    /// Envoy rejected the policy, as the environment of the filter asks; what the filter said. Otherwise Envoy starts:
    /// see [`crate::Lab::refused_at_start`].
    PolicyRefused(Vec<String>),
    /// The end was wished for before Envoy was ready.
    Stopped,
    /// Anything else, with the end of the log where there is one.
    Failed(anyhow::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PolicyRefused(lines) => {
                write!(f, "envoy refused the policy:\n{}", lines.join("\n"))
            }
            Self::Stopped => f.write_str("stopped before envoy was ready"),
            Self::Failed(error) => write!(f, "{error:#}"),
        }
    }
}

impl std::error::Error for StartError {}

impl From<anyhow::Error> for StartError {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

/// A running Envoy. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Process {
    running: Guarded,
    pub(crate) admin: SocketAddr,
    pub(crate) listener: SocketAddr,
}

impl Process {
    /// Starts Envoy with the bootstrap that is among the files, and waits until it listens.
    pub(crate) fn start(
        envoy: &Path,
        files: &Files,
        folder: &Path,
        concurrency: u32,
        runtime: &Handle,
        stop: &Stop,
    ) -> Result<Self, StartError> {
        let log = File::create(files.log()).context("cannot write envoy's log")?;
        let mut command = Command::new(envoy);
        command
            .arg("--config-path")
            .arg(files.bootstrap())
            .arg("--admin-address-path")
            .arg(files.admin_address())
            .args(["--concurrency", &concurrency.to_string()])
            // No shared memory, so that any number can run at once and a kill leaves nothing behind.
            .arg("--disable-hot-restart")
            .args(["--file-flush-interval-msec", "100"])
            .args(["--log-level", "info"]);
        let running = Guarded::start(&command, log, Some(folder))
            .context("cannot start `sh`, which runs envoy")?;

        let unknown = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut process = Self { running, admin: unknown, listener: unknown };
        let deadline = Instant::now().checked_add(START);
        loop {
            let ended = process.running.ended().context("cannot look after envoy")?;
            if let Some(status) = ended {
                return Err(why_it_ended(envoy, status, &files.log()));
            }
            if let Some((admin, listener)) = runtime.block_on(addresses(files)) {
                process.admin = admin;
                process.listener = listener;
                return Ok(process);
            }
            if stop.wait(LOOK) {
                return Err(StartError::Stopped);
            }
            if deadline.is_some_and(|deadline| Instant::now() > deadline) {
                let log = indented(&tail(&files.log(), 0));
                return Err(anyhow!(
                    "envoy is not ready after {START:?}; its log ends with:\n{log}"
                )
                .into());
            }
        }
    }

    /// An error with words when Envoy has ended.
    pub(crate) fn check(&mut self, log: &Path) -> Result<()> {
        if let Some(status) = self.running.ended()? {
            bail!("envoy ended ({status}); its log ends with:\n{}", indented(&tail(log, 0)));
        }
        Ok(())
    }
}

/// The addresses of admin and listener, once Envoy is ready.
async fn addresses(files: &Files) -> Option<(SocketAddr, SocketAddr)> {
    let admin = std::fs::read_to_string(files.admin_address()).ok()?.trim().parse().ok()?;
    fetch(admin, "/ready").await.ok()?;
    let listeners: Value =
        serde_json::from_str(&fetch(admin, "/listeners?format=json").await.ok()?).ok()?;
    let socket = listeners.pointer("/listener_statuses/0/local_address/socket_address")?;
    let port = u16::try_from(socket.get("port_value")?.as_u64()?).ok()?;
    Some((admin, SocketAddr::from(([127, 0, 0, 1], port))))
}

fn why_it_ended(envoy: &Path, status: std::process::ExitStatus, log: &Path) -> StartError {
    let said = filter_lines(log, 0);
    if !said.is_empty() {
        return StartError::PolicyRefused(said);
    }
    let (envoy, log) = (envoy.display(), indented(&tail(log, 0)));
    StartError::Failed(anyhow!("`{envoy}` ended at once ({status}); its log ends with:\n{log}"))
}

/// What the filter itself wrote to Envoy's log, from a position on, without Envoy's decoration. A line that
/// Envoy did not begin continues the one before it.
pub(crate) fn filter_lines(log: &Path, from: u64) -> Vec<String> {
    let mut lines = Vec::new();
    let mut inside = false;
    for line in read_from(log, from).lines() {
        let decorated = line.starts_with("[2");
        if decorated {
            // `[time][thread][error][wasm] [context.cc:1] wasm log traffic_split: message`
            let said = line.split_once("] wasm log").and_then(|(_, rest)| rest.split_once(": "));
            inside = said.is_some();
            lines.extend(said.map(|(_, message)| message.to_owned()));
        } else if inside {
            lines.push(line.to_owned());
        }
    }
    // Every worker and the main thread says it.
    let mut seen = std::collections::BTreeSet::new();
    lines.retain(|line| seen.insert(line.clone()));
    lines
}

/// The last lines of a log, from a position on.
pub(crate) fn tail(log: &Path, from: u64) -> Vec<String> {
    let text = read_from(log, from);
    let lines: Vec<&str> = text.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(TAIL)).map(|line| (*line).to_owned()).collect()
}

fn read_from(log: &Path, from: u64) -> String {
    let mut bytes = Vec::new();
    if let Ok(mut file) = File::open(log) {
        // A log that cannot be read is shown as empty: it only explains another problem.
        let _unread = file.read_to_end(&mut bytes);
    }
    let start = usize::try_from(from).unwrap_or(usize::MAX);
    String::from_utf8_lossy(bytes.get(start..).unwrap_or_default()).into_owned()
}

/// Lines of a log as part of a message.
pub(crate) fn indented(lines: &[String]) -> String {
    if lines.is_empty() {
        return "  (nothing)".to_owned();
    }
    lines.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_filter_said_is_taken_from_the_log_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("envoy.log");
        let text = "\
[2026-01-01 00:00:00.000][1][info][main] [source/server/server.cc:1] starting
[2026-01-01 00:00:00.000][1][error][wasm] [source/extensions/common/wasm/context.cc:1] wasm log traffic_split traffic_split: error[unknown_field] a: b
  help: c
[2026-01-01 00:00:00.000][1][info][main] [source/server/server.cc:1] going on
  not ours
[2026-01-01 00:00:00.000][2][error][wasm] [source/extensions/common/wasm/context.cc:1] wasm log traffic_split traffic_split: error[unknown_field] a: b
";
        std::fs::write(&log, text).unwrap();
        assert_eq!(filter_lines(&log, 0), ["error[unknown_field] a: b", "  help: c"]);
        assert!(filter_lines(&log, text.len() as u64).is_empty());
        assert_eq!(tail(&log, 0).len(), 6);
    }

    #[test]
    fn a_program_that_is_no_envoy_is_told_with_its_output() {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let files = Files::create(folder.path()).unwrap();
        let handle = runtime.handle();
        let stop = Stop::default();
        let error = Process::start(Path::new("/bin/ls"), &files, folder.path(), 1, handle, &stop)
            .unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("`/bin/ls` ended at once") && text.contains("--config-path"),
            "{text}"
        );
    }

    #[test]
    fn a_wish_to_stop_ends_the_wait_for_envoy() {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let files = Files::create(folder.path()).unwrap();
        let script = folder.path().join("slow");
        std::fs::write(&script, "#!/bin/sh\nexec sleep 60\n").unwrap();
        std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        let stop = Stop::default();
        stop.set();
        let ended = Process::start(&script, &files, folder.path(), 1, runtime.handle(), &stop);
        assert!(matches!(ended, Err(StartError::Stopped)));
    }
}
