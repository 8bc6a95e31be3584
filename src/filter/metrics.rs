//! Metrics at the host: which name has which id, and who still uses it.
//!
//! The host gives a new id for each definition, even of a known name, and never forgets one. One
//! VM serves many configurations one after the other, so the names are kept across them.

use std::cell::RefCell;
use std::collections::BTreeMap;

use engine::metrics::{MetricDefinition, MetricKind, Metrics};

use crate::host;

/// A metric known to the host.
struct Known {
    id: u32,
    kind: MetricKind,
    /// Configurations alive that have it.
    users: usize,
}

thread_local! {
    static KNOWN: RefCell<BTreeMap<String, Known>> = const { RefCell::new(BTreeMap::new()) };
}

/// The ids of one configuration's metrics, in the order of its plan's definitions. A gauge that
/// no configuration has any more goes to 0 when the last that had it ends.
#[derive(Default)]
pub(crate) struct MetricIds {
    names: Vec<String>,
    ids: Vec<Option<u32>>,
}

impl MetricIds {
    /// Defines what is not known yet.
    pub(crate) fn define(definitions: &[MetricDefinition]) -> Self {
        let mut all = Self::default();
        for definition in definitions {
            all.names.push(definition.name.clone());
            all.ids.push(claim(definition.kind, &definition.name));
        }
        all
    }

    /// Adds 1 to the counter at this place of the definitions.
    pub(crate) fn increment(&self, index: usize) {
        if let Some(id) = self.id(index) {
            count_errors(host::increment(id));
        }
    }

    /// Sets the gauge, or adds to the histogram, at this place of the definitions.
    pub(crate) fn record(&self, index: usize, value: u64) {
        if let Some(id) = self.id(index) {
            count_errors(host::record(id, value));
        }
    }

    fn id(&self, index: usize) -> Option<u32> {
        self.ids.get(index).copied().flatten()
    }
}

impl Drop for MetricIds {
    fn drop(&mut self) {
        KNOWN.with_borrow_mut(|known| {
            for name in &self.names {
                let Some(metric) = known.get_mut(name) else { continue };
                metric.users = metric.users.saturating_sub(1);
                if metric.users == 0 && metric.kind == MetricKind::Gauge {
                    // The proxy may be going down; nobody is left to be told of an error.
                    let _ = host::record(metric.id, 0);
                }
            }
        });
    }
}

/// The id of a metric, defined now if it was not known; `None` where the host refuses.
fn claim(kind: MetricKind, name: &str) -> Option<u32> {
    let found = KNOWN.with_borrow_mut(|known| {
        let metric = known.get_mut(name)?;
        metric.users = metric.users.saturating_add(1);
        Some(metric.id)
    });
    found.or_else(|| {
        let id = host::define_metric(kind, name)
            .inspect_err(|status| log::warn!("metric `{name}` is not counted: {status:?}"))
            .ok()?;
        KNOWN.with_borrow_mut(|known| known.insert(name.to_owned(), Known { id, kind, users: 1 }));
        Some(id)
    })
}

/// Counts a call that the host refused; the request goes on.
pub(crate) fn count_errors(result: Result<(), host::Status>) {
    if result.is_err()
        && let Some(id) = known_or_define(MetricKind::Counter, Metrics::HOST_ERRORS)
    {
        // Where even this fails there is nobody left to tell.
        let _ = host::increment(id);
    }
}

/// Counts a configuration that was refused.
pub(crate) fn count_refused() {
    if let Some(id) = known_or_define(MetricKind::Counter, Metrics::CONFIG_ERRORS) {
        count_errors(host::increment(id));
    }
}

/// Shows which policy is running.
pub(crate) fn show_policy_hash(hash: u64) {
    if let Some(id) = known_or_define(MetricKind::Gauge, Metrics::POLICY_HASH) {
        count_errors(host::record(id, hash));
    }
}

/// Defines the metrics that every configuration has.
pub(crate) fn define_common() {
    for name in [Metrics::CONFIG_ERRORS, Metrics::HOST_ERRORS] {
        known_or_define(MetricKind::Counter, name);
    }
}

fn known_or_define(kind: MetricKind, name: &str) -> Option<u32> {
    let known = KNOWN.with_borrow(|known| known.get(name).map(|metric| metric.id));
    known.or_else(|| claim(kind, name))
}
