//! The statistics store behind the VM, with Envoy's rules.

use super::Status;
use std::collections::BTreeMap;

/// What one metric holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetricValue {
    /// A number that only grows.
    Counter(u64),
    /// A number that is set.
    Gauge(u64),
    /// Every value recorded, in order.
    Histogram(Vec<u64>),
}

impl MetricValue {
    /// The number of a counter or gauge, or how many values a histogram has recorded.
    pub fn count(&self) -> u64 {
        match self {
            Self::Counter(n) | Self::Gauge(n) => *n,
            Self::Histogram(values) => values.len() as u64,
        }
    }

    /// The type as the ABI numbers it; Envoy keeps it in the two low bits of a metric's id.
    fn kind(&self) -> u32 {
        match self {
            Self::Counter(_) => 0,
            Self::Gauge(_) => 1,
            Self::Histogram(_) => 2,
        }
    }
}

/// All metrics by name, and the ids given out for them.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    values: BTreeMap<String, MetricValue>,
    names: BTreeMap<u32, String>,
}

impl Metrics {
    pub(super) fn values(&self) -> &BTreeMap<String, MetricValue> {
        &self.values
    }

    /// A new id each time, also for a name that is known: both ids then stand for the same metric.
    pub(super) fn define(&mut self, kind: u32, name: String) -> Result<u32, Status> {
        let fresh = match kind {
            0 => MetricValue::Counter(0),
            1 => MetricValue::Gauge(0),
            2 => MetricValue::Histogram(Vec::new()),
            _ => return Err(Status::BadArgument),
        };
        let value = self.values.entry(name.clone()).or_insert(fresh);
        if value.kind() != kind {
            // Envoy would keep two metrics of one name, which nobody can tell apart in Prometheus.
            return Err(Status::BadArgument);
        }
        let id = (self.names.len() as u32 + 1) << 2 | kind;
        self.names.insert(id, name);
        Ok(id)
    }

    /// Counters take positive offsets only; 0 is refused as well.
    pub(super) fn increment(&mut self, id: u32, offset: i64) -> Result<(), Status> {
        match self.by_id(id, Status::BadArgument)? {
            MetricValue::Counter(n) if offset > 0 => *n += offset.unsigned_abs(),
            MetricValue::Gauge(n) if offset > 0 => *n += offset.unsigned_abs(),
            MetricValue::Gauge(n) => *n = n.saturating_sub(offset.unsigned_abs()),
            _ => return Err(Status::BadArgument),
        }
        Ok(())
    }

    /// Adds to a counter, sets a gauge, records into a histogram.
    pub(super) fn record(&mut self, id: u32, value: u64) -> Result<(), Status> {
        match self.by_id(id, Status::NotFound)? {
            MetricValue::Counter(n) => *n += value,
            MetricValue::Gauge(n) => *n = value,
            MetricValue::Histogram(values) => values.push(value),
        }
        Ok(())
    }

    /// The number of a counter or gauge.
    pub(super) fn read(&mut self, id: u32) -> Result<u64, Status> {
        match self.by_id(id, Status::BadArgument)? {
            MetricValue::Counter(n) | MetricValue::Gauge(n) => Ok(*n),
            MetricValue::Histogram(_) => Err(Status::BadArgument),
        }
    }

    /// `no_type` is for an id whose low bits stand for no type.
    fn by_id(&mut self, id: u32, no_type: Status) -> Result<&mut MetricValue, Status> {
        if id & 3 == 3 {
            return Err(no_type);
        }
        let name = self.names.get(&id).ok_or(Status::NotFound)?;
        self.values.get_mut(name).ok_or(Status::NotFound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTER: u32 = 0;
    const GAUGE: u32 = 1;
    const HISTOGRAM: u32 = 2;

    #[test]
    fn two_ids_of_one_name_count_into_the_same_metric() {
        let mut metrics = Metrics::default();
        let first = metrics.define(COUNTER, "requests".into()).unwrap();
        let second = metrics.define(COUNTER, "requests".into()).unwrap();
        assert_ne!(first, second);
        metrics.increment(first, 2).unwrap();
        metrics.increment(second, 3).unwrap();
        assert_eq!(metrics.values()["requests"], MetricValue::Counter(5));
        assert_eq!(metrics.read(first), Ok(5));
    }

    #[test]
    fn a_counter_refuses_what_does_not_make_it_grow() {
        let mut metrics = Metrics::default();
        let id = metrics.define(COUNTER, "requests".into()).unwrap();
        assert_eq!(metrics.increment(id, 0), Err(Status::BadArgument));
        assert_eq!(metrics.increment(id, -1), Err(Status::BadArgument));
    }

    #[test]
    fn gauges_are_set_and_moved_and_histograms_keep_every_value() {
        let mut metrics = Metrics::default();
        let gauge = metrics.define(GAUGE, "weight".into()).unwrap();
        metrics.record(gauge, 10).unwrap();
        metrics.increment(gauge, -3).unwrap();
        assert_eq!(metrics.values()["weight"], MetricValue::Gauge(7));
        let histogram = metrics.define(HISTOGRAM, "duration".into()).unwrap();
        metrics.record(histogram, 10).unwrap();
        metrics.record(histogram, 4).unwrap();
        assert_eq!(metrics.values()["duration"], MetricValue::Histogram(vec![10, 4]));
        assert_eq!(metrics.read(histogram), Err(Status::BadArgument));
    }

    #[test]
    fn unknown_ids_types_and_a_second_type_for_a_name_are_refused() {
        let mut metrics = Metrics::default();
        assert_eq!(metrics.increment(0, 1), Err(Status::NotFound));
        assert_eq!(metrics.record(7, 1), Err(Status::NotFound));
        assert_eq!(metrics.read(7), Err(Status::BadArgument));
        assert_eq!(metrics.define(3, "x".into()), Err(Status::BadArgument));
        metrics.define(COUNTER, "x".into()).unwrap();
        assert_eq!(metrics.define(GAUGE, "x".into()), Err(Status::BadArgument));
    }
}
