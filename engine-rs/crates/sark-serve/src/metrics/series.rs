//! Names, labels and buckets, and the handles to every series, resolved once.

use prometheus::{
    Error, Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry, core::Collector,
};
use sark_engine::REGORUS_VERSION;

use super::{
    ArmMetrics, ERROR_TYPES, FeatureMetrics, Refusal,
    timing::{Timings, bounds},
};
use crate::{
    arms::{Arm, Feature},
    events::{CacheOperation, CacheResult, EvaluationResult, RequestResult},
    jobs::FallbackReason,
};

/// One series per label value.
pub(super) struct Family<L, M>(Vec<(L, M)>);

impl<L: Copy + PartialEq, M> Family<L, M> {
    fn new(values: &[L], make: impl Fn(L) -> Result<M, Error>) -> Result<Self, Error> {
        values.iter().map(|value| Ok((*value, make(*value)?))).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn get(&self, value: L) -> Option<&M> {
        self.0.iter().find(|(known, _)| *known == value).map(|(_, metric)| metric)
    }
}

/// The registered families.
pub(super) struct Series {
    requests: IntCounterVec,
    request_seconds: Timings,
    evaluations: IntCounterVec,
    evaluation_seconds: Timings,
    evaluation_errors: IntCounterVec,
    cache: IntCounterVec,
    cache_seconds: Timings,
    fallbacks: IntCounterVec,
    percentage: IntGaugeVec,
    assignments: IntCounterVec,
    refusals: IntCounterVec,
    pub revision: Gauge,
    pub cache_entries: Gauge,
    pub cache_bytes: Gauge,
    pub queued: Gauge,
    pub queued_evaluations: Gauge,
    pub moved: IntCounter,
    pub policies_bytes: Gauge,
    pub connections: Gauge,
    pub lateness: Histogram,
}

struct Registrar<'r>(&'r Registry);

impl Registrar<'_> {
    fn add<C: Collector + Clone + 'static>(&self, collector: Result<C, Error>) -> Result<C, Error> {
        let collector = collector?;
        self.0.register(Box::new(collector.clone()))?;
        Ok(collector)
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, Error> {
        self.add(IntCounterVec::new(Opts::new(name, help), labels))
    }

    /// A series for each combination of the arms with one of `values`.
    fn timings(&self, name: &str, help: &str, labels: &[&str], values: &[Vec<&str>]) -> Result<Timings, Error> {
        let arms = [Arm::Rust.as_str(), Arm::Python.as_str()].into_iter();
        let series: Vec<_> = arms.flat_map(|arm| values.iter().map(move |rest| [&[arm][..], rest].concat())).collect();
        self.add(Timings::new(name, help, labels, &series))
    }

    fn gauge(&self, name: &str, help: &str) -> Result<Gauge, Error> {
        self.add(Gauge::with_opts(Opts::new(name, help)))
    }
}

impl Series {
    #[rustfmt::skip]
    pub(super) fn register(registry: &Registry) -> Result<Self, Error> {
        let to = Registrar(registry);
        build_info(&to)?;
        let operations: Vec<_> = CacheOperation::ALL.iter().map(|operation| vec![operation.as_str()]).collect();
        Ok(Self {
            requests: to.counters("sark_requests_total", "Authorization requests by the arm they were assigned to.", &["implementation", "result"])?,
            request_seconds: to.timings("sark_request_duration_seconds", "Seconds from the last byte of the body, when it was read, to the answer as it is sent.", &["implementation"], &[vec![]])?,
            evaluations: to.counters("opa_evaluation_total", "Evaluations; an undefined decision counts as deny.", &["implementation", "result"])?,
            evaluation_seconds: to.timings("opa_evaluation_duration_seconds", "Seconds an evaluation took.", &["implementation"], &[vec![]])?,
            evaluation_errors: to.counters("opa_evaluation_errors_total", "Evaluations that gave no decision.", &["implementation", "error_type"])?,
            cache: to.counters("cache_operations_total", "Operations on the decision cache.", &["implementation", "operation", "result"])?,
            cache_seconds: to.timings("cache_operation_duration_seconds", "Seconds an operation on the decision cache took.", &["implementation", "operation"], &operations)?,
            fallbacks: to.counters("implementation_fallback_total", "Requests of the rust arm that baseline had to answer.", &["feature", "error_type"])?,
            percentage: to.add(IntGaugeVec::new(Opts::new("feature_flag_rollout_percentage", "Share of the subjects in the rust arm, 0 while the feature is off."), &["feature"]))?,
            assignments: to.counters("feature_flag_assignments_total", "Requests by feature and the implementation assigned.", &["feature", "implementation"])?,
            refusals: to.counters("sark_requests_refused_total", "Requests and connections refused before they had an arm.", &["reason"])?,
            revision: to.gauge("sark_flag_revision", "Revision of the flag document in force, 0 while there is none.")?,
            cache_entries: to.gauge("sark_decision_cache_entries", "Decisions kept in process.")?,
            cache_bytes: to.gauge("sark_decision_cache_weight_bytes", "Weight of the decisions kept in process against the byte limit; a small one weighs its share of it.")?,
            queued: to.gauge("sark_baseline_jobs_queued", "Requests that wait to be taken by baseline.")?,
            queued_evaluations: to.gauge("sark_evaluations_queued", "Evaluations that wait for an evaluation thread.")?,
            moved: to.add(IntCounter::new("sark_evaluations_moved_total", "Evaluations given to an evaluation thread, because they took or were expected to take long."))?,
            policies_bytes: to.gauge("sark_policies_bytes", "Memory of the policies that serve, compiled, and of their data, as an estimate.")?,
            connections: to.gauge("sark_connections", "Open connections.")?,
            lateness: to.add(Histogram::with_opts(HistogramOpts::new("sark_thread_lateness_seconds", "Seconds by which a serving thread came late to its clock, as it did to whatever else arrived then.").buckets(bounds())))?,
        })
    }

    pub(super) fn arm(&self, arm: Arm) -> Result<ArmMetrics, Error> {
        let arm = arm.as_str();
        Ok(ArmMetrics {
            requests: Family::new(RequestResult::ALL, |result| counter(&self.requests, &[arm, result.as_str()]))?,
            seconds: self.request_seconds.of(&[arm])?,
            evaluations: Family::new(EvaluationResult::ALL, |result| counter(&self.evaluations, &[arm, result.as_str()]))?,
            evaluation_seconds: self.evaluation_seconds.of(&[arm])?,
            evaluation_errors: ERROR_TYPES
                .into_iter()
                .map(|error_type| Ok((error_type, counter(&self.evaluation_errors, &[arm, error_type])?)))
                .collect::<Result<_, Error>>()?,
            cache: self.cache_counters(arm)?,
            cache_seconds: Family::new(CacheOperation::ALL, |operation| self.cache_seconds.of(&[arm, operation.as_str()]))?,
        })
    }

    fn cache_counters(&self, arm: &str) -> Result<Vec<(CacheOperation, CacheResult, IntCounter)>, Error> {
        let mut counters = Vec::new();
        for operation in CacheOperation::ALL {
            for result in CacheResult::ALL {
                // A look-up hits or misses; everything else is done. All of them can fail.
                let sensible = match result {
                    CacheResult::Hit | CacheResult::Miss => *operation == CacheOperation::Get,
                    CacheResult::Ok => *operation != CacheOperation::Get,
                    CacheResult::Error => true,
                };
                if sensible {
                    counters.push((*operation, *result, counter(&self.cache, &[arm, operation.as_str(), result.as_str()])?));
                }
            }
        }
        Ok(counters)
    }

    pub(super) fn feature(&self, feature: Feature) -> Result<FeatureMetrics, Error> {
        let name = feature.as_str();
        Ok(FeatureMetrics {
            feature,
            percentage: self.percentage.get_metric_with_label_values(&[name])?,
            assigned_rust: counter(&self.assignments, &[name, Arm::Rust.as_str()])?,
            assigned_python: counter(&self.assignments, &[name, Arm::Python.as_str()])?,
            fallbacks: FallbackReason::ALL
                .into_iter()
                .map(|reason| Ok((reason, counter(&self.fallbacks, &[name, reason.as_str()])?)))
                .collect::<Result<_, Error>>()?,
        })
    }

    pub(super) fn refusals(&self) -> Result<Vec<(Refusal, IntCounter)>, Error> {
        let make = |refusal: Refusal| Ok((refusal, counter(&self.refusals, &[refusal.as_str()])?));
        Refusal::ALL.into_iter().map(make).collect()
    }
}

fn counter(family: &IntCounterVec, labels: &[&str]) -> Result<IntCounter, Error> {
    family.get_metric_with_label_values(labels)
}

fn build_info(to: &Registrar<'_>) -> Result<(), Error> {
    let labels = ["version", "build_profile", "regorus_version"];
    let info = to.add(IntGaugeVec::new(Opts::new("sark_build_info", "What is running; always 1."), &labels))?;
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    info.get_metric_with_label_values(&[env!("CARGO_PKG_VERSION"), profile, REGORUS_VERSION])?.set(1);
    Ok(())
}
