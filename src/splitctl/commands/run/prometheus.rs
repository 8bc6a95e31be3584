//! A Prometheus that watches the lab's Envoy, with the rules of the policy.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use lab::{Guarded, Request, Stop, client, find_prometheus};
use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::policy_file::Valid;
use crate::rules;

/// The port when it is free.
const PORT: u16 = 9090;

/// How long Prometheus may take to be ready. It takes one second.
const START: Duration = Duration::from_secs(30);

/// A running Prometheus. Dropping it ends it.
pub(super) struct Prometheus {
    running: Guarded,
    address: SocketAddr,
    runtime: Runtime,
    folder: TempDir,
}

impl Prometheus {
    /// Starts it and waits until it is ready, or the end is wished for.
    pub(super) fn start(envoy_admin: SocketAddr, valid: &Valid, stop: &Stop) -> Result<Self> {
        let binary = find_prometheus()?;
        let folder = tempfile::Builder::new().prefix("splitctl-prometheus-").tempdir()?;
        let config = json!({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": ["rules.yml"],
            "scrape_configs": [{
                "job_name": "envoy",
                "metrics_path": "/stats/prometheus",
                "static_configs": [{"targets": [envoy_admin.to_string()]}],
            }],
        });
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("prometheus.yml"), config.to_string())?;
        std::fs::write(path("rules.yml"), rules::render(&rules::Options::default(), valid)?)?;
        let log = std::fs::File::create(path("log"))?;
        let address = choose_address()?;
        let flag = |name: &str, value: &Path| format!("--{name}={}", value.display());
        let mut command = Command::new(binary);
        command
            .arg(flag("config.file", &path("prometheus.yml")))
            .arg(flag("storage.tsdb.path", &path("data")))
            .arg(format!("--web.listen-address={address}"))
            .arg("--web.enable-lifecycle");
        let running = Guarded::start(&command, log, Some(folder.path()))
            .context("cannot start `sh`, which runs prometheus")?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut prometheus = Self { running, address, runtime, folder };
        prometheus.wait(stop)?;
        Ok(prometheus)
    }

    /// Waits until it has looked at Envoy once: it takes no notice of what was counted before that.
    fn wait(&mut self, stop: &Stop) -> Result<()> {
        let begin = Instant::now();
        let looked = "/api/v1/query?query=up";
        loop {
            let answer = self.runtime.block_on(client::fetch(self.address, looked));
            if answer.is_ok_and(|rows| rows.contains("\"value\"")) {
                return Ok(());
            }
            let ended = self.running.ended()?;
            if ended.is_some() || begin.elapsed() > START || stop.wait(Duration::from_millis(50)) {
                let log = std::fs::read_to_string(self.folder.path().join("log"));
                let log = log.unwrap_or_default();
                bail!("prometheus does not get ready; its log is:\n{}", log.trim_end());
            }
        }
    }

    /// Where its alerts are to be seen. Debian's package has the older pages, and none where it is not installed but
    /// unpacked, as by scripts/get/prometheus; then it is the interface for programs.
    pub(super) fn alerts(&self) -> String {
        let there = |page: &&str| {
            let answer = self.runtime.block_on(client::send(self.address, &Request::get(page)));
            answer.is_ok_and(|answer| answer.status == 200)
        };
        let page = ["/alerts", "/classic/alerts"].into_iter().find(there);
        format!("http://{}{}", self.address, page.unwrap_or("/api/v1/alerts"))
    }

    /// Takes the rules of another policy: its baselines may be others.
    pub(super) fn follow(&self, valid: &Valid) -> Result<()> {
        std::fs::write(
            self.folder.path().join("rules.yml"),
            rules::render(&rules::Options::default(), valid)?,
        )?;
        let reload = Request::get("/-/reload").method("POST");
        let answer = self.runtime.block_on(client::send(self.address, &reload))?;
        if answer.status != 200 {
            bail!("prometheus refused the rules: {}", answer.text());
        }
        Ok(())
    }
}

fn choose_address() -> Result<SocketAddr> {
    let at = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let free = at(PORT).or_else(|_| at(0)).context("no free port for prometheus")?;
    Ok(free.local_addr()?)
}
