//! What came of comparing both arms, by decision path.

use parking_lot::Mutex;
use prometheus::{Error, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use crate::events::{Difference, ShadowResult, SkipReason};

/// Most paths with series of their own.
const MAX_PATHS: usize = 50;
/// Longest path with series of its own, in bytes.
const MAX_PATH_BYTES: usize = 200;
/// Where all other paths are counted.
const OTHER: &str = "other";
/// Name of the path of all documents; an empty label would be none.
const ROOT: &str = "data";

/// The series of one path.
struct PathSeries {
    path: String,
    comparisons: Vec<(&'static str, IntCounter)>,
    mismatches: Vec<(Difference, IntCounter)>,
    /// Somebody has read them at zero. Until then the path counts as another one: a series that is first seen above zero has,
    /// for Prometheus, not increased.
    is_known: bool,
}

/// Counters of comparisons.
pub(crate) struct ShadowMetrics {
    comparisons: IntCounterVec,
    mismatches: IntCounterVec,
    skipped: Vec<(SkipReason, IntCounter)>,
    sample: IntGauge,
    unconfirmed: IntGauge,
    other: PathSeries,
    paths: Mutex<Vec<PathSeries>>,
}

impl ShadowMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, Error> {
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counters.clone()))?;
            Ok::<_, Error>(counters)
        };
        let comparisons = counters(
            "sark_shadow_comparisons_total",
            "Requests whose decision was compared with the other arm's, or was to be, by decision path.",
            &["path", "result"],
        )?;
        let mismatches = counters(
            "sark_shadow_mismatches_total",
            "Decisions in which the arms differ, by decision path and the gravest difference.",
            &["path", "kind"],
        )?;
        let skipped = counters("sark_shadow_skipped_total", "Decisions that were not compared, by the reason.", &["reason"])?;
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, Error>(gauge)
        };
        let sample = gauge("sark_shadow_sample_percentage", "Share of the requests that are compared; 0 while none is.")?;
        let unconfirmed = gauge(
            "sark_shadow_unconfirmed_mismatches",
            "Decisions that differ and count as nothing yet: OPA is to be looked at once more before.",
        )?;
        Ok(Self {
            other: PathSeries::new(OTHER, &comparisons, &mismatches)?,
            skipped: SkipReason::ALL
                .iter()
                .map(|reason| Ok((*reason, skipped.get_metric_with_label_values(&[reason.as_str()])?)))
                .collect::<Result<_, Error>>()?,
            comparisons,
            mismatches,
            sample,
            unconfirmed,
            paths: Mutex::default(),
        })
    }

    /// Show the share in force.
    pub(crate) fn show_sample(&self, percentage: u8) {
        self.sample.set(i64::from(percentage));
    }

    /// Show how many differences are not confirmed yet.
    pub(crate) fn show_unconfirmed(&self, differences: u32) {
        self.unconfirmed.set(i64::from(differences));
    }

    /// Count what came of a comparison. Without a path it counts under `other`.
    pub(crate) fn count(&self, path: Option<&str>, result: ShadowResult) {
        if let ShadowResult::Skipped(reason) = result
            && let Some((_, counter)) = self.skipped.iter().find(|(known, _)| *known == reason)
        {
            counter.inc();
        }
        let path = path.map(|path| if path.is_empty() { ROOT } else { path });
        let mut paths = self.paths.lock();
        let known = path.and_then(|path| paths.iter().find(|series| series.path == path));
        match (known, path) {
            (Some(series), _) if series.is_known => series.count(result),
            (None, Some(path)) if is_compared(result) && paths.len() < MAX_PATHS && path.len() <= MAX_PATH_BYTES => {
                // The name was checked by nobody, but every text may be a label value.
                paths.extend(PathSeries::new(path, &self.comparisons, &self.mismatches).ok());
                self.other.count(result);
            }
            _ => self.other.count(result),
        }
    }

    /// How many paths have series; hand it to [`Self::were_read`] once they have been read.
    pub(super) fn paths(&self) -> usize {
        self.paths.lock().len()
    }

    /// Somebody has read the series of the first `count` paths.
    pub(super) fn were_read(&self, count: usize) {
        for series in self.paths.lock().iter_mut().take(count) {
            series.is_known = true;
        }
    }
}

/// Whether both arms had a say: paths that nobody can answer must not take the places of those that matter.
const fn is_compared(result: ShadowResult) -> bool {
    matches!(result, ShadowResult::Match | ShadowResult::Mismatch(_))
}

impl PathSeries {
    fn new(path: &str, comparisons: &IntCounterVec, mismatches: &IntCounterVec) -> Result<Self, Error> {
        Ok(Self {
            path: path.to_owned(),
            comparisons: ShadowResult::LABELS
                .into_iter()
                .map(|label| Ok((label, comparisons.get_metric_with_label_values(&[path, label])?)))
                .collect::<Result<_, Error>>()?,
            mismatches: Difference::ALL
                .iter()
                .map(|kind| Ok((*kind, mismatches.get_metric_with_label_values(&[path, kind.as_str()])?)))
                .collect::<Result<_, Error>>()?,
            is_known: false,
        })
    }

    fn count(&self, result: ShadowResult) {
        if let Some((_, counter)) = self.comparisons.iter().find(|(label, _)| *label == result.as_str()) {
            counter.inc();
        }
        if let ShadowResult::Mismatch(kind) = result
            && let Some((_, counter)) = self.mismatches.iter().find(|(known, _)| *known == kind)
        {
            counter.inc();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics() -> (Registry, ShadowMetrics) {
        let registry = Registry::new();
        let metrics = ShadowMetrics::register(&registry).unwrap();
        (registry, metrics)
    }

    fn value(registry: &Registry, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let families = registry.gather();
        let family = families.iter().find(|family| family.name() == name)?;
        let fits = |metric: &&prometheus::proto::Metric| {
            labels.iter().all(|(key, text)| metric.get_label().iter().any(|pair| pair.name() == *key && pair.value() == *text))
        };
        family.get_metric().iter().find(fits).map(|metric| metric.get_counter().get_value())
    }

    fn comparisons(registry: &Registry, path: &str, result: &str) -> Option<f64> {
        value(registry, "sark_shadow_comparisons_total", &[("path", path), ("result", result)])
    }

    #[test]
    fn a_path_has_series_at_zero_before_it_counts_in_them() {
        let (registry, metrics) = metrics();
        metrics.count(Some("a/b"), ShadowResult::Mismatch(Difference::Allow));
        assert_eq!(comparisons(&registry, "a/b", "mismatch"), Some(0.0));
        assert_eq!(comparisons(&registry, "other", "mismatch"), Some(1.0));
        // One that came after the reading began has not been read.
        let read = metrics.paths();
        metrics.count(Some("c"), ShadowResult::Match);
        metrics.were_read(read);
        metrics.count(Some("a/b"), ShadowResult::Mismatch(Difference::Reason));
        metrics.count(Some("c"), ShadowResult::Match);
        assert_eq!(comparisons(&registry, "a/b", "mismatch"), Some(1.0));
        assert_eq!(value(&registry, "sark_shadow_mismatches_total", &[("path", "a/b"), ("kind", "reason")]), Some(1.0));
        assert_eq!(comparisons(&registry, "c", "match"), Some(0.0));
        assert_eq!(comparisons(&registry, "other", "match"), Some(2.0));
    }

    #[test]
    fn paths_are_bounded_and_only_compared_ones_take_a_place() {
        let (registry, metrics) = metrics();
        for number in 0..200 {
            metrics.count(Some(&format!("unknown/{number}")), ShadowResult::Unknown);
        }
        assert_eq!(metrics.paths(), 0);
        for number in 0..200 {
            metrics.count(Some(&format!("p/{number}")), ShadowResult::Match);
        }
        assert_eq!(metrics.paths(), MAX_PATHS);
        metrics.count(Some(&"x".repeat(MAX_PATH_BYTES + 1)), ShadowResult::Match);
        metrics.count(None, ShadowResult::Match);
        assert_eq!(comparisons(&registry, "other", "match"), Some(202.0));
        assert_eq!(comparisons(&registry, "other", "unknown"), Some(200.0));
    }

    #[test]
    fn every_reason_to_skip_is_counted_beside_the_path() {
        let (registry, metrics) = metrics();
        for reason in SkipReason::ALL {
            metrics.count(Some("a"), ShadowResult::Skipped(*reason));
            assert_eq!(value(&registry, "sark_shadow_skipped_total", &[("reason", reason.as_str())]), Some(1.0));
        }
        assert_eq!(comparisons(&registry, "other", "skipped"), Some(7.0));
    }
}
