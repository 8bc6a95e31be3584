//! Waiting until proxies run a policy: they show its hash.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use engine::metrics::Metrics;
use lab::Stats;

use crate::console::Console;
use crate::outcome::Outcome;
use crate::style;

/// Where an Envoy's admin interface is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Admin {
    /// As written.
    name: String,
    address: SocketAddr,
}

impl Admin {
    /// Reads `http://127.0.0.1:9901`, or the same without `http://`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let host = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
        let wrong = |why: &str| {
            format!("`{text}` is no admin interface, such as `http://127.0.0.1:9901`: {why}")
        };
        let mut found = host.to_socket_addrs().map_err(|error| wrong(&error.to_string()))?;
        let address = found.next().ok_or_else(|| wrong("no address"))?;
        Ok(Self { name: text.to_owned(), address })
    }
}

/// What a proxy shows.
enum Shown {
    /// The hash of a policy.
    Hash(u64),
    /// It has no filter, or does not answer: why.
    Nothing(String),
}

/// Waits until all show the hash, at most so long; `No` where one does not by then.
pub(super) fn wait(
    admins: &[Admin],
    hash: u64,
    most: Duration,
    console: &mut Console<'_>,
) -> Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start a runtime")?;
    let begin = Instant::now();
    loop {
        let shown: Vec<Shown> =
            admins.iter().map(|admin| runtime.block_on(show(admin.address))).collect();
        let is_there = |shown: &Shown| matches!(shown, Shown::Hash(found) if *found == hash);
        if shown.iter().all(is_there) {
            let (done, count) = (style::fine("in force"), admins.len());
            let proxies = if count == 1 { "proxy" } else { "proxies" };
            writeln!(console.err, "{done} policy {hash:013x} on {count} {proxies}")?;
            return Ok(Outcome::Fine);
        }
        if begin.elapsed() >= most {
            for (admin, shown) in admins.iter().zip(&shown) {
                let what = match shown {
                    Shown::Hash(0) => "runs no policy".to_owned(),
                    Shown::Hash(found) => format!("runs {found:013x}"),
                    Shown::Nothing(why) => why.clone(),
                };
                if !is_there(shown) {
                    let late = style::error("not in force");
                    writeln!(console.err, "{late} {}: {what}, not {hash:013x}", admin.name)?;
                }
            }
            writeln!(
                console.err,
                "help: Envoy's log says what it made of the file; `--timeout` waits longer"
            )?;
            return Ok(Outcome::No);
        }
        thread::sleep(Duration::from_millis(100));
    }
}

async fn show(admin: SocketAddr) -> Shown {
    let path = format!("/stats?format=json&filter={}", Metrics::POLICY_HASH);
    let asked = tokio::time::timeout(Duration::from_secs(2), lab::client::fetch(admin, &path));
    let text = match asked.await {
        Ok(Ok(text)) => text,
        Ok(Err(error)) => return Shown::Nothing(format!("{error:#}")),
        Err(_) => return Shown::Nothing("no answer".to_owned()),
    };
    let stats = Stats::parse(&text).ok();
    let hash = stats.and_then(|stats| stats.number(Metrics::POLICY_HASH));
    hash.map_or_else(|| Shown::Nothing("has no traffic-split filter".to_owned()), Shown::Hash)
}
