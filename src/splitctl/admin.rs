//! Envoys that run already, asked by their admin interfaces.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use engine::metrics::Metrics;
use lab::Stats;
use serde_json::Value;
use tokio::runtime::Runtime;

/// How long an answer may take.
const SOON: Duration = Duration::from_secs(5);

/// Where an Envoy's admin interface is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Admin {
    /// As written.
    pub(crate) name: String,
    /// Looked up whenever it is asked: a proxy may start later than whoever asks, and come back with another address.
    host: String,
}

impl Admin {
    /// Reads `http://127.0.0.1:9901`, or the same without `http://`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let host = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
        let name = host.rsplit_once(':').filter(|(name, port)| {
            !name.is_empty() && !name.contains('/') && port.parse::<u16>().is_ok()
        });
        if name.is_none() {
            return Err(format!("`{text}` is no admin interface, such as `http://127.0.0.1:9901`"));
        }
        Ok(Self { name: text.to_owned(), host: host.to_owned() })
    }

    /// What a path of the interface says.
    ///
    /// # Errors
    /// When there is no answer soon.
    pub(crate) async fn fetch(&self, path: &str) -> Result<String> {
        let asked = async {
            let mut found = tokio::net::lookup_host(&self.host).await?;
            let address = found.next().context("the name has no address")?;
            lab::client::fetch(address, path).await
        };
        tokio::time::timeout(SOON, asked).await.map_err(|_| anyhow!("no answer"))?
    }

    /// A number that the filter shows; `None` where there is no filter.
    ///
    /// # Errors
    /// When there is no answer soon.
    pub(crate) async fn shown(&self, metric: &str) -> Result<Option<u64>> {
        let stats = self.fetch(&format!("/stats?format=json&filter={metric}")).await?;
        Ok(Stats::parse(&stats)?.number(metric))
    }

    /// The hash of the policy that runs; `None` where there is no filter, 0 where it has none.
    ///
    /// # Errors
    /// When there is no answer soon.
    pub(crate) async fn hash(&self) -> Result<Option<u64>> {
        self.shown(Metrics::POLICY_HASH).await
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

    /// The names of the clusters that are there.
    ///
    /// # Errors
    /// When there is no answer soon.
    pub(crate) fn clusters(&self, admin: &Admin) -> Result<Vec<String>> {
        let answer: Value = serde_json::from_str(&self.ask(admin, "/clusters?format=json")?)?;
        let all = answer.get("cluster_statuses").and_then(Value::as_array).into_iter().flatten();
        let names = all.filter_map(|one| one.get("name").and_then(Value::as_str));
        Ok(names.map(str::to_owned).collect())
    }

    /// A number that the filter shows; `None` where there is no filter.
    ///
    /// # Errors
    /// When there is no answer soon.
    pub(crate) fn shown(&self, admin: &Admin, metric: &str) -> Result<Option<u64>> {
        self.0.block_on(admin.shown(metric))
    }

    /// The hash of the policy that runs; `None` where there is no filter, 0 where it has none.
    ///
    /// # Errors
    /// When there is no answer soon.
    pub(crate) fn hash(&self, admin: &Admin) -> Result<Option<u64>> {
        self.0.block_on(admin.hash())
    }
}
