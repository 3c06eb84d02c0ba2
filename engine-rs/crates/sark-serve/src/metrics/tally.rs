//! What one serving thread counts for each question. It is taken over when metrics are asked for.

use std::{cell::Cell, marker::PhantomData, sync::Arc, time::Duration};

use super::{ArmMetrics, Metrics, alone::Alone, timing::TimingAlone};
use crate::{
    arms::{Arm, Feature},
    events::{CacheOperation, CacheResult, EvaluationResult, RequestResult},
    flags::Flags,
};

/// A thread's own counts: no other thread can write them.
pub(crate) struct Tally {
    counts: Arc<Counts>,
    _alone: PhantomData<Cell<()>>,
}

/// Lines of cache of its own, so that threads do not take them from each other.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Counts {
    rust: ArmCounts,
    python: ArmCounts,
    /// By feature, and by the arm assigned.
    assigned: [[Alone; 2]; Feature::ALL.len()],
}

#[derive(Debug, Default)]
struct ArmCounts {
    requests: [Alone; RequestResult::ALL.len()],
    seconds: TimingAlone,
    evaluations: [Alone; EvaluationResult::ALL.len()],
    evaluation_seconds: TimingAlone,
    cache: [[Alone; CacheResult::ALL.len()]; CacheOperation::ALL.len()],
    cache_seconds: [TimingAlone; CacheOperation::ALL.len()],
}

impl Counts {
    const fn arm(&self, arm: Arm) -> &ArmCounts {
        match arm {
            Arm::Rust => &self.rust,
            Arm::Python => &self.python,
        }
    }
}

impl Tally {
    pub(super) fn new(counts: &Arc<Counts>) -> Self {
        Self { counts: Arc::clone(counts), _alone: PhantomData }
    }

    /// As [`Metrics::assigned`].
    pub(crate) fn assigned(&self, arm: Arm, flags: &Flags) {
        for (feature, counts) in Feature::ALL.into_iter().zip(&self.counts.assigned) {
            let [rust, python] = counts;
            if feature.assigns(arm, flags) == Arm::Rust { rust.add(1) } else { python.add(1) }
        }
    }

    /// As [`Metrics::request`].
    pub(crate) fn request(&self, arm: Arm, result: RequestResult, took: Duration) {
        let counts = self.counts.arm(arm);
        if let Some(count) = counts.requests.get(result as usize) {
            count.add(1);
        }
        counts.seconds.observe(took);
    }

    /// As [`Metrics::evaluation`] of one that gave a decision.
    pub(crate) fn evaluation(&self, arm: Arm, result: EvaluationResult, took: Duration) {
        let counts = self.counts.arm(arm);
        counts.evaluation_seconds.observe(took);
        if let Some(count) = counts.evaluations.get(result as usize) {
            count.add(1);
        }
    }

    /// As [`Metrics::cache`].
    pub(crate) fn cache(&self, arm: Arm, operation: CacheOperation, result: CacheResult, took: Duration) {
        let counts = self.counts.arm(arm);
        if let Some(timing) = counts.cache_seconds.get(operation as usize) {
            timing.observe(took);
        }
        if let Some(count) = counts.cache.get(operation as usize).and_then(|counts| counts.get(result as usize)) {
            count.add(1);
        }
    }
}

impl Metrics {
    /// Take over what threads have counted since this was done last. One may do so at a time.
    pub(super) fn take_in(&self, counts: &Counts) {
        for arm in [Arm::Rust, Arm::Python] {
            self.arm(arm).take_in(counts.arm(arm));
        }
        for (feature, [rust, python]) in Feature::ALL.into_iter().zip(&counts.assigned) {
            if let Some(metrics) = self.feature(feature) {
                metrics.assigned_rust.inc_by(rust.take());
                metrics.assigned_python.inc_by(python.take());
            }
        }
    }
}

impl ArmMetrics {
    fn take_in(&self, counts: &ArmCounts) {
        for (result, count) in RequestResult::ALL.iter().zip(&counts.requests) {
            if let Some(counter) = self.requests.get(*result) {
                counter.inc_by(count.take());
            }
        }
        self.seconds.take_in(&counts.seconds);
        for (result, count) in EvaluationResult::ALL.iter().zip(&counts.evaluations) {
            if let Some(counter) = self.evaluations.get(*result) {
                counter.inc_by(count.take());
            }
        }
        self.evaluation_seconds.take_in(&counts.evaluation_seconds);
        for (operation, (counts, timing)) in CacheOperation::ALL.iter().zip(counts.cache.iter().zip(&counts.cache_seconds)) {
            if let Some(metrics) = self.cache_seconds.get(*operation) {
                metrics.take_in(timing);
            }
            for (result, count) in CacheResult::ALL.iter().zip(counts) {
                if let Some(counter) = self.cache_counter(*operation, *result) {
                    counter.inc_by(count.take());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{GaugeValues, Levels};

    fn metrics() -> Metrics {
        Metrics::new("shop/gateway", &GaugeValues::new(), sark_engine::CacheStats::default()).unwrap()
    }

    /// The lines of the metrics that a thread counts.
    fn told(metrics: &Metrics) -> Vec<String> {
        let text = String::from_utf8(metrics.text(Levels::default()).unwrap()).unwrap();
        let names =
            ["sark_requests_total", "sark_request_duration", "opa_evaluation_", "cache_operation", "feature_flag_assign"];
        text.lines().filter(|line| names.iter().any(|name| line.starts_with(name))).map(str::to_owned).collect()
    }

    #[test]
    fn what_a_thread_counts_is_told_as_if_it_were_counted_in_common() {
        // Given: everything that can be counted, once by everybody and once by two threads' own tallies
        let (common, own) = (metrics(), metrics());
        let tallies = [own.tally(), own.tally()];
        let flags = Flags { rust_opa: true, percentage: 50, ..Flags::default() };
        for (number, micros) in (0_u64..2_000).step_by(7).enumerate() {
            let took = Duration::from_micros(micros);
            let tally = &tallies[number % 2];
            let arm = if number % 3 == 0 { Arm::Python } else { Arm::Rust };
            let request = RequestResult::ALL[number % 4];
            let (operation, result) = [
                (CacheOperation::Get, CacheResult::Hit),
                (CacheOperation::Get, CacheResult::Miss),
                (CacheOperation::Set, CacheResult::Ok),
                (CacheOperation::Delete, CacheResult::Error),
            ][number % 4];
            let evaluation = EvaluationResult::ALL[number % 2];
            // When
            common.assigned(arm, &flags);
            tally.assigned(arm, &flags);
            common.request(arm, request, took);
            tally.request(arm, request, took);
            common.cache(arm, operation, result, took);
            tally.cache(arm, operation, result, took);
            common.evaluation(arm, evaluation, took, "");
            tally.evaluation(arm, evaluation, took);
            // Then: it makes no difference, whenever it is asked for
            if number % 50 == 0 {
                assert_eq!(told(&own), told(&common), "{number}");
            }
        }
        assert_eq!(told(&own), told(&common));
        assert!(told(&own).len() > 100);
    }

    #[test]
    fn what_a_thread_counted_stays_when_it_is_gone() {
        let metrics = metrics();
        let tally = metrics.tally();
        tally.request(Arm::Rust, RequestResult::Allow, Duration::ZERO);
        drop(tally);
        let before = told(&metrics);
        assert!(
            before.iter().any(|line| line.starts_with("sark_requests_total") && line.contains("allow") && line.ends_with(" 1"))
        );
        assert_eq!(told(&metrics), before);
        assert!(metrics.tallies.lock().is_empty());
    }
}
