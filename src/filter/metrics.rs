//! Metrics at the host: which name has which id, and who still uses it.
//!
//! The host gives a new id for each definition, even of a known name, and never forgets one. One
//! VM serves many configurations one after the other, so the names are kept across them.

use std::cell::RefCell;
use std::collections::BTreeMap;

use engine::ids::{List, MetricId};
use engine::metrics::{MetricDefinition, MetricKind, Metrics};

use crate::host;

/// A metric known to the host.
struct Known {
    id: u32,
    kind: MetricKind,
    /// Configurations alive that have it.
    users: usize,
}

/// Every metric that was ever defined in this VM.
#[derive(Default)]
struct Registry {
    /// Places in `metrics`. The names live as long as the VM, as they do at the host.
    places: BTreeMap<&'static str, usize>,
    metrics: Vec<Known>,
}

thread_local! {
    static REGISTRY: RefCell<Registry> = RefCell::default();
}

/// The metrics of one configuration, in the order of its plan's definitions. A gauge that no
/// configuration has any more goes to 0 when the last that had it ends.
#[derive(Default)]
pub(crate) struct MetricIds {
    /// Place in the registry and id at the host; `None` where the host refused it.
    metrics: List<MetricId, Option<(usize, u32)>>,
}

impl MetricIds {
    /// Defines what is not known yet.
    pub(crate) fn define(definitions: &List<MetricId, MetricDefinition>) -> Self {
        let claim = |definition: &MetricDefinition| claim(definition.kind, &definition.name);
        Self { metrics: definitions.map(claim) }
    }

    /// Adds 1 to a counter.
    pub(crate) fn increment(&self, metric: MetricId) {
        if let Some((_, id)) = self.metrics[metric] {
            count_errors(host::increment(id));
        }
    }

    /// Sets a gauge, or adds to a histogram.
    pub(crate) fn record(&self, metric: MetricId, value: u64) {
        if let Some((_, id)) = self.metrics[metric] {
            count_errors(host::record(id, value));
        }
    }
}

impl Drop for MetricIds {
    fn drop(&mut self) {
        REGISTRY.with_borrow_mut(|registry| {
            for (place, _) in self.metrics.iter().flatten() {
                let Some(metric) = registry.metrics.get_mut(*place) else { continue };
                metric.users = metric.users.saturating_sub(1);
                if metric.users == 0 && metric.kind == MetricKind::Gauge {
                    // The proxy may be going down; nobody is left to be told of an error.
                    let _ = host::record(metric.id, 0);
                }
            }
        });
    }
}

/// The place and id of a metric, defined now if it was not known; `None` where the host refuses.
fn claim(kind: MetricKind, name: &str) -> Option<(usize, u32)> {
    REGISTRY.with_borrow_mut(|registry| {
        let place = match registry.places.get(name) {
            Some(place) => *place,
            None => {
                let id = host::define_metric(kind, name)
                    .inspect_err(|status| log::warn!("metric `{name}` is not counted: {status:?}"))
                    .ok()?;
                let place = registry.metrics.len();
                registry.places.insert(String::leak(name.to_owned()), place);
                registry.metrics.push(Known { id, kind, users: 0 });
                place
            }
        };
        let metric = registry.metrics.get_mut(place)?;
        metric.users = metric.users.saturating_add(1);
        Some((place, metric.id))
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

/// What the host gave; a call that it refused is counted, and gives nothing.
pub(crate) fn counted<T>(result: Result<T, host::Status>) -> Option<T> {
    result.map_err(|status| count_errors(Err(status))).ok()
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

/// Shows whether a policy is refused.
pub(crate) fn show_policy_refused(refused: bool) {
    if let Some(id) = known_or_define(MetricKind::Gauge, Metrics::POLICY_REFUSED) {
        count_errors(host::record(id, u64::from(refused)));
    }
}

/// Defines the metrics that every configuration has.
pub(crate) fn define_common() {
    for name in [Metrics::CONFIG_ERRORS, Metrics::HOST_ERRORS] {
        known_or_define(MetricKind::Counter, name);
    }
    for name in [Metrics::POLICY_HASH, Metrics::POLICY_REFUSED] {
        known_or_define(MetricKind::Gauge, name);
    }
}

/// The id of a metric that every configuration has.
fn known_or_define(kind: MetricKind, name: &str) -> Option<u32> {
    let known = REGISTRY.with_borrow(|registry| {
        let place = registry.places.get(name)?;
        registry.metrics.get(*place).map(|metric| metric.id)
    });
    known.or_else(|| claim(kind, name).map(|(_, id)| id))
}
