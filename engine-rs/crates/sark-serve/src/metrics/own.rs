//! Gauges and counters that whoever embeds the server adds by name.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use prometheus::{Gauge, IntCounter, Opts, Registry};
use thiserror::Error;

/// Most metrics that can be added.
const MAX_METRICS: usize = 256;

/// A metric that cannot be added.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub(crate) struct MetricNameError(pub String);

/// Gauges by name, with help and value: what is carried into the next registry. A gauge is a state, not a count.
pub(crate) type GaugeValues = BTreeMap<String, (String, f64)>;

pub(crate) struct OwnMetrics {
    registry: Registry,
    gauges: Mutex<BTreeMap<String, (String, Gauge)>>,
    counters: Mutex<BTreeMap<String, IntCounter>>,
}

impl OwnMetrics {
    pub(super) fn new(registry: &Registry, gauges: &GaugeValues) -> Result<Self, prometheus::Error> {
        let own = Self { registry: registry.clone(), gauges: Mutex::default(), counters: Mutex::default() };
        for (name, (help, value)) in gauges {
            let gauge = own.new_gauge(name, help)?;
            gauge.set(*value);
            own.gauges.lock().insert(name.clone(), (help.clone(), gauge));
        }
        Ok(own)
    }

    fn new_gauge(&self, name: &str, help: &str) -> Result<Gauge, prometheus::Error> {
        let gauge = Gauge::with_opts(Opts::new(name, help))?;
        self.registry.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    }

    pub(crate) fn set_gauge(&self, name: &str, help: &str, value: f64) -> Result<(), MetricNameError> {
        let mut gauges = self.gauges.lock();
        if let Some((_, gauge)) = gauges.get(name) {
            gauge.set(value);
            return Ok(());
        }
        check_name(name, gauges.len())?;
        let gauge = self.new_gauge(name, help).map_err(|error| MetricNameError(format!("gauge {name}: {error}")))?;
        gauge.set(value);
        gauges.insert(name.to_owned(), (help.to_owned(), gauge));
        Ok(())
    }

    pub(crate) fn inc_counter(&self, name: &str, help: &str, amount: u64) -> Result<(), MetricNameError> {
        let mut counters = self.counters.lock();
        if let Some(counter) = counters.get(name) {
            counter.inc_by(amount);
            return Ok(());
        }
        check_name(name, counters.len())?;
        if !name.ends_with("_total") {
            return Err(MetricNameError(format!("the counter's name {name:?} must end with _total")));
        }
        let failed = |error: prometheus::Error| MetricNameError(format!("counter {name}: {error}"));
        let counter = IntCounter::with_opts(Opts::new(name, help)).map_err(failed)?;
        self.registry.register(Box::new(counter.clone())).map_err(failed)?;
        counter.inc_by(amount);
        counters.insert(name.to_owned(), counter);
        Ok(())
    }

    /// The gauges as they are now.
    pub(crate) fn gauge_values(&self) -> GaugeValues {
        self.gauges.lock().iter().map(|(name, (help, gauge))| (name.clone(), (help.clone(), gauge.get()))).collect()
    }

    /// The names and helps of the counters, for the next registry to begin at zero.
    pub(crate) fn begin_counters_of(&self, before: &Self) {
        for (name, counter) in before.counters.lock().iter() {
            let help = counter_help(counter);
            // The name was accepted before, and this registry is no fuller than the last one.
            let _ = self.inc_counter(name, &help, 0);
        }
    }
}

fn counter_help(counter: &IntCounter) -> String {
    use prometheus::core::Collector;
    counter.desc().first().map(|desc| desc.help.clone()).unwrap_or_default()
}

fn check_name(name: &str, present: usize) -> Result<(), MetricNameError> {
    let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if !name.starts_with("sark_") || !plain {
        return Err(MetricNameError(format!("the metric's name {name:?} must start with sark_ and have only a-z, 0-9 and _")));
    }
    if present >= MAX_METRICS {
        return Err(MetricNameError(format!("there are {MAX_METRICS} metrics of this kind already; {name} is one too many")));
    }
    Ok(())
}
