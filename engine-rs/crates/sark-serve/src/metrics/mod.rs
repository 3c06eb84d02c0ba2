//! Every metric of the data plane. One registry per rollout: a change of rollout starts all counts anew under its label.

mod alone;
mod baseline_only;
mod cached;
mod logged;
mod own;
mod process;
mod series;
mod shadow;
mod shed;
mod tally;
mod timing;
mod unanswered;

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use prometheus::{Encoder, Gauge, Histogram, IntCounter, IntGauge, Registry, TextEncoder};

use sark_engine::CacheStats;

use crate::{
    arms::{Arm, Feature},
    events::{CacheOperation, CacheResult, EvaluationResult, RequestResult},
    flags::Flags,
    jobs::FallbackReason,
};

use baseline_only::BaselineOnly;
use cached::Cached;
pub use logged::LogDrop;
pub(crate) use logged::LogMetrics;
pub(crate) use own::GaugeValues;
use own::OwnMetrics;
use process::Process;
use series::{Family, Series};
pub(crate) use shadow::ShadowMetrics;
pub(crate) use shed::Shed;
use shed::ShedCounters;
use tally::Counts;
pub(crate) use tally::Tally;
use timing::Timing;
pub(crate) use unanswered::Unanswered;
use unanswered::UnansweredCounters;

/// Label that every series carries.
const LABEL_ROLLOUT: &str = "sark_rollout";

/// Error types of an evaluation that are known beforehand; any other one is counted as `other`.
const ERROR_TYPES: [&str; 7] =
    ["evaluation", "timeout", "panic", "unsupported_builtin", "unsupported_input", "connection", "other"];

/// Reasons to refuse a request before it has an arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Not a question.
    BadRequest,
    /// No such endpoint or method.
    NotFound,
    /// Head too large.
    Head,
    /// Body too large, head or body too slow, or no memory for another body.
    Body,
    /// Too many connections.
    Connections,
    /// No token, or one that is not known.
    Unauthorized,
    /// The handshake of TLS failed.
    Handshake,
}

impl Refusal {
    const ALL: [Self; 7] =
        [Self::BadRequest, Self::NotFound, Self::Head, Self::Body, Self::Connections, Self::Unauthorized, Self::Handshake];

    const fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::NotFound => "not_found",
            Self::Head => "head",
            Self::Body => "body",
            Self::Connections => "connections",
            Self::Unauthorized => "unauthorized",
            Self::Handshake => "handshake",
        }
    }
}

/// Metrics of one arm.
struct ArmMetrics {
    requests: Family<RequestResult, IntCounter>,
    seconds: Arc<Timing>,
    evaluations: Family<EvaluationResult, IntCounter>,
    evaluation_seconds: Arc<Timing>,
    evaluation_errors: Vec<(&'static str, IntCounter)>,
    cache: Vec<(CacheOperation, CacheResult, IntCounter)>,
    cache_seconds: Family<CacheOperation, Arc<Timing>>,
}

impl ArmMetrics {
    fn cache_counter(&self, operation: CacheOperation, result: CacheResult) -> Option<&IntCounter> {
        let known = self.cache.iter().find(|(op, res, _)| (*op, *res) == (operation, result));
        known.map(|(_, _, counter)| counter)
    }
}

/// Metrics of one feature.
struct FeatureMetrics {
    feature: Feature,
    percentage: IntGauge,
    assigned_rust: IntCounter,
    assigned_python: IntCounter,
    fallbacks: Vec<(FallbackReason, IntCounter)>,
}

/// What is read when metrics are asked for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Levels {
    pub cache: CacheStats,
    pub queued_jobs: usize,
    pub queued_evaluations: usize,
    pub policies_bytes: usize,
    pub connections: usize,
}

/// All metrics of one rollout.
pub(crate) struct Metrics {
    registry: Registry,
    rust: ArmMetrics,
    python: ArmMetrics,
    features: Vec<FeatureMetrics>,
    refusals: Vec<(Refusal, IntCounter)>,
    shed: ShedCounters,
    unanswered: UnansweredCounters,
    baseline_only: BaselineOnly,
    revision: Gauge,
    cache_entries: Gauge,
    cache_bytes: Gauge,
    queued: Gauge,
    queued_evaluations: Gauge,
    moved: IntCounter,
    policies_bytes: Gauge,
    connections: Gauge,
    lateness: Histogram,
    process: Process,
    cached: Cached,
    shadow: ShadowMetrics,
    log: LogMetrics,
    own: OwnMetrics,
    /// What threads count by themselves; held by whoever takes it over.
    tallies: Mutex<Vec<Arc<Counts>>>,
}

impl Metrics {
    /// Every series at zero, labelled with `rollout`. Gauges of whoever embeds the server go on from `gauges`; the cache
    /// has counted up to `cache`.
    pub(crate) fn new(rollout: &str, gauges: &GaugeValues, cache: CacheStats) -> Result<Self, prometheus::Error> {
        let labels = HashMap::from([(LABEL_ROLLOUT.to_owned(), rollout.to_owned())]);
        let registry = Registry::new_custom(None, Some(labels))?;
        let series = Series::register(&registry)?;
        Ok(Self {
            rust: series.arm(Arm::Rust)?,
            python: series.arm(Arm::Python)?,
            features: Feature::ALL.into_iter().map(|feature| series.feature(feature)).collect::<Result<_, _>>()?,
            refusals: series.refusals()?,
            shed: ShedCounters::register(&registry)?,
            unanswered: UnansweredCounters::register(&registry)?,
            baseline_only: BaselineOnly::register(&registry)?,
            revision: series.revision,
            cache_entries: series.cache_entries,
            cache_bytes: series.cache_bytes,
            queued: series.queued,
            queued_evaluations: series.queued_evaluations,
            moved: series.moved,
            policies_bytes: series.policies_bytes,
            connections: series.connections,
            lateness: series.lateness,
            process: Process::register(&registry)?,
            cached: Cached::register(&registry, cache)?,
            shadow: ShadowMetrics::register(&registry)?,
            log: LogMetrics::register(&registry)?,
            own: OwnMetrics::new(&registry, gauges)?,
            tallies: Mutex::default(),
            registry,
        })
    }

    /// Counts of their own for the thread that calls.
    pub(crate) fn tally(&self) -> Tally {
        let counts = Arc::default();
        let tally = Tally::new(&counts);
        self.tallies.lock().push(counts);
        tally
    }

    fn arm(&self, arm: Arm) -> &ArmMetrics {
        match arm {
            Arm::Rust => &self.rust,
            Arm::Python => &self.python,
        }
    }

    fn feature(&self, feature: Feature) -> Option<&FeatureMetrics> {
        self.features.iter().find(|metrics| metrics.feature == feature)
    }

    /// Show the flags in force.
    pub(crate) fn show_flags(&self, flags: &Flags) {
        // Revisions beyond 2^53 do not occur: they count changes.
        #[allow(clippy::cast_precision_loss)]
        self.revision.set(flags.revision as f64);
        self.shadow.show_sample(flags.shadow);
        for (feature, on) in [(Feature::RustOpa, flags.rust_opa), (Feature::RustCache, flags.rust_cache)] {
            if let Some(metrics) = self.feature(feature) {
                metrics.percentage.set(if on { i64::from(flags.percentage) } else { 0 });
            }
        }
    }

    /// Count which implementation of each feature a request is assigned to.
    pub(crate) fn assigned(&self, arm: Arm, flags: &Flags) {
        for metrics in &self.features {
            match metrics.feature.assigns(arm, flags) {
                Arm::Rust => metrics.assigned_rust.inc(),
                Arm::Python => metrics.assigned_python.inc(),
            }
        }
    }

    pub(crate) fn request(&self, arm: Arm, result: RequestResult, took: Duration) {
        let metrics = self.arm(arm);
        if let Some(counter) = metrics.requests.get(result) {
            counter.inc();
        }
        metrics.seconds.observe(took);
    }

    /// Count an evaluation that went to an evaluation thread.
    pub(crate) fn moved(&self) {
        self.moved.inc();
    }

    pub(crate) fn refused(&self, refusal: Refusal) {
        if let Some((_, counter)) = self.refusals.iter().find(|(reason, _)| *reason == refusal) {
            counter.inc();
        }
    }

    /// Count a request that was turned away.
    pub(crate) fn shed(&self, reason: Shed) {
        self.shed.add(reason);
    }

    /// Count a request that was passed on and had no answer.
    pub(crate) fn unanswered(&self, reason: Unanswered) {
        self.unanswered.add(reason);
    }

    /// A serving thread came so late to its clock.
    pub(crate) fn late(&self, by: Duration) {
        self.lateness.observe(by.as_secs_f64());
    }

    /// Count a request for a path that was left to baseline at load; it is in no arm.
    pub(crate) fn baseline_only(&self, result: RequestResult) {
        self.baseline_only.add(result);
    }

    pub(crate) fn evaluation(&self, arm: Arm, result: EvaluationResult, took: Duration, error_type: &str) {
        let metrics = self.arm(arm);
        metrics.evaluation_seconds.observe(took);
        if let Some(counter) = metrics.evaluations.get(result) {
            counter.inc();
        }
        if result == EvaluationResult::Error {
            let known = metrics.evaluation_errors.iter().find(|(name, _)| *name == error_type);
            if let Some((_, counter)) = known.or_else(|| metrics.evaluation_errors.last()) {
                counter.inc();
            }
        }
    }

    pub(crate) fn cache(&self, arm: Arm, operation: CacheOperation, result: CacheResult, took: Duration) {
        let metrics = self.arm(arm);
        if let Some(histogram) = metrics.cache_seconds.get(operation) {
            histogram.observe(took);
        }
        if let Some(counter) = metrics.cache_counter(operation, result) {
            counter.inc();
        }
    }

    pub(crate) fn fallback(&self, feature: Feature, reason: FallbackReason) {
        let fallbacks = self.feature(feature).map(|metrics| metrics.fallbacks.as_slice()).unwrap_or_default();
        if let Some((_, counter)) = fallbacks.iter().find(|(known, _)| *known == reason) {
            counter.inc();
        }
    }

    /// Counters of comparisons with the other arm.
    pub(crate) fn shadow(&self) -> &ShadowMetrics {
        &self.shadow
    }

    /// Counters of the decision log.
    pub(crate) const fn log(&self) -> &LogMetrics {
        &self.log
    }

    pub(crate) fn own(&self) -> &OwnMetrics {
        &self.own
    }

    /// All of it in the text format, version 0.0.4.
    pub(crate) fn text(&self, levels: Levels) -> Result<Vec<u8>, prometheus::Error> {
        // Sizes beyond 2^53 do not occur.
        #[allow(clippy::cast_precision_loss)]
        for (gauge, value) in [
            (&self.cache_entries, levels.cache.entries as f64),
            (&self.cache_bytes, levels.cache.bytes as f64),
            (&self.queued, levels.queued_jobs as f64),
            (&self.queued_evaluations, levels.queued_evaluations as f64),
            (&self.policies_bytes, levels.policies_bytes as f64),
            (&self.connections, levels.connections as f64),
        ] {
            gauge.set(value);
        }
        self.tallies.lock().retain(|counts| {
            // Looked at first: a thread that ends meanwhile is asked once more.
            let is_over = Arc::strong_count(counts) == 1;
            self.take_in(counts);
            !is_over
        });
        self.process.refresh();
        self.cached.refresh(levels.cache);
        let mut text = Vec::with_capacity(64 * 1024);
        let paths = self.shadow.paths();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        self.shadow.were_read(paths);
        Ok(text)
    }
}
