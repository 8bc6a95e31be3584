//! Envoys that run already, asked by their admin interfaces.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use engine::metrics::Metrics;
use lab::Stats;
use tokio::runtime::Runtime;

/// How long an answer may take.
const SOON: Duration = Duration::from_secs(5);

/// Where an Envoy's admin interface is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Admin {
    /// As written.
    pub(crate) name: String,
    address: SocketAddr,
}

impl Admin {
    /// Reads `http://127.0.0.1:9901`, or the same without `http://`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let host = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
        let wrong = |why: &str| {
            format!("`{text}` is no admin interface, such as `http://127.0.0.1:9901`: {why}")
        };
        let mut found = host.to_socket_addrs().map_err(|error| wrong(&error.to_string()))?;
        let address = found.next().ok_or_else(|| wrong("no address"))?;
        Ok(Self { name: text.to_owned(), address })
    }

    /// What a path of the interface says.
    ///
    /// # Errors
    /// When there is no answer soon.
    pub(crate) async fn fetch(&self, path: &str) -> Result<String> {
        let asked = tokio::time::timeout(SOON, lab::client::fetch(self.address, path));
        asked.await.map_err(|_| anyhow!("no answer"))?
    }
}

/// Asks admin interfaces.
pub(crate) struct Asking(Runtime);

impl Asking {
    /// Begins.
    ///
    /// # Errors
    /// When the machine has nothing left.
    pub(crate) fn begin() -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Ok(Self(runtime.context("cannot start a runtime")?))
    }

    /// What a path of the interface says.
    ///
    /// # Errors
    /// When there is no answer soon.
    pub(crate) fn ask(&self, admin: &Admin, path: &str) -> Result<String> {
        self.0.block_on(admin.fetch(path))
    }

    /// A number that the filter shows; `None` where there is no filter.
    ///
    /// # Errors
    /// When there is no answer soon.
    pub(crate) fn shown(&self, admin: &Admin, metric: &str) -> Result<Option<u64>> {
        let stats = self.ask(admin, &format!("/stats?format=json&filter={metric}"))?;
        Ok(Stats::parse(&stats)?.number(metric))
    }

    /// The hash of the policy that runs; `None` where there is no filter, 0 where it has none.
    ///
    /// # Errors
    /// When there is no answer soon.
    pub(crate) fn hash(&self, admin: &Admin) -> Result<Option<u64>> {
        self.shown(admin, Metrics::POLICY_HASH)
    }
}
