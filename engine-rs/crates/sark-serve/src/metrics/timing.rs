//! How long things take: histograms to which an observation is two additions.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use prometheus::{
    Error, Opts,
    core::{Collector, Desc, Describer},
    proto::{Bucket, Histogram, LabelPair, Metric, MetricFamily, MetricType},
};

use super::alone::Alone;

const MICRO: u64 = 1_000;
const MILLI: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;

/// Nanoseconds. They bracket the limits that rollouts are judged by (0.5, 0.75, 5, 7.5 ms), so that no quantile is guessed.
#[rustfmt::skip]
const BOUNDS: [u64; 27] = [
    10 * MICRO, 25 * MICRO, 50 * MICRO, 100 * MICRO, 250 * MICRO, 500 * MICRO, 750 * MICRO,
    MILLI, 1_500 * MICRO, 2 * MILLI, 3 * MILLI, 4 * MILLI, 5 * MILLI, 7_500 * MICRO, 10 * MILLI,
    15 * MILLI, 20 * MILLI, 30 * MILLI, 50 * MILLI, 75 * MILLI, 100 * MILLI, 250 * MILLI, 500 * MILLI,
    SECOND, 2_500 * MILLI, 5 * SECOND, 10 * SECOND,
];

/// What is beyond the last bound has a place too.
const PLACES: usize = BOUNDS.len() + 1;

/// The bounds in seconds.
pub(super) fn bounds() -> Vec<f64> {
    BOUNDS.iter().map(|bound| seconds(*bound)).collect()
}

fn seconds(nanos: u64) -> f64 {
    Duration::from_nanos(nanos).as_secs_f64()
}

/// Nanoseconds of `took`, and the place of its bucket.
fn placed(took: Duration) -> (u64, usize) {
    let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
    // Nearly all end in one of the first.
    (nanos, BOUNDS.iter().position(|bound| nanos <= *bound).unwrap_or(BOUNDS.len()))
}

/// One histogram.
#[derive(Debug, Default)]
pub(super) struct Timing {
    buckets: [AtomicU64; PLACES],
    nanos: AtomicU64,
}

impl Timing {
    pub(super) fn observe(&self, took: Duration) {
        let (nanos, place) = placed(took);
        if let Some(bucket) = self.buckets.get(place) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Take over what a thread has observed by itself since it was asked last.
    pub(super) fn take_in(&self, other: &TimingAlone) {
        for (bucket, theirs) in self.buckets.iter().zip(&other.buckets) {
            bucket.fetch_add(theirs.take(), Ordering::Relaxed);
        }
        self.nanos.fetch_add(other.nanos.take(), Ordering::Relaxed);
    }

    fn histogram(&self) -> Histogram {
        let mut count = 0;
        let mut buckets = Vec::with_capacity(BOUNDS.len());
        for (bucket, bound) in self.buckets.iter().zip(BOUNDS) {
            count += bucket.load(Ordering::Relaxed);
            let mut told = Bucket::default();
            told.set_cumulative_count(count);
            told.set_upper_bound(seconds(bound));
            buckets.push(told);
        }
        let beyond = self.buckets.last().map_or(0, |bucket| bucket.load(Ordering::Relaxed));
        let mut histogram = Histogram::default();
        histogram.set_bucket(buckets);
        histogram.set_sample_count(count + beyond);
        histogram.set_sample_sum(seconds(self.nanos.load(Ordering::Relaxed)));
        histogram
    }
}

/// A histogram that one thread writes.
#[derive(Debug, Default)]
pub(super) struct TimingAlone {
    buckets: [Alone; PLACES],
    nanos: Alone,
}

impl TimingAlone {
    pub(super) fn observe(&self, took: Duration) {
        let (nanos, place) = placed(took);
        if let Some(bucket) = self.buckets.get(place) {
            bucket.add(1);
        }
        self.nanos.add(nanos);
    }
}

/// Histograms of one name, a series for each combination of labels.
#[derive(Debug, Clone)]
pub(super) struct Timings {
    desc: Desc,
    series: Arc<Vec<(Vec<LabelPair>, Arc<Timing>)>>,
}

impl Timings {
    /// A series at zero for each of `values`, which are those of `labels`, in the order of their names.
    pub(super) fn new(name: &str, help: &str, labels: &[&str], values: &[Vec<&str>]) -> Result<Self, Error> {
        let names = labels.iter().map(|label| (*label).to_owned()).collect();
        let desc = Opts::new(name, help).variable_labels(names).describe()?;
        let pair = |(name, value): (&&str, &&str)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        };
        let series = values.iter().map(|values| (labels.iter().zip(values).map(pair).collect(), Arc::default()));
        Ok(Self { desc, series: Arc::new(series.collect()) })
    }

    /// The series of `values`.
    pub(super) fn of(&self, values: &[&str]) -> Result<Arc<Timing>, Error> {
        let is_it = |labels: &[LabelPair]| labels.iter().map(LabelPair::value).eq(values.iter().copied());
        let found = self.series.iter().find(|(labels, _)| is_it(labels));
        found.map(|(_, timing)| Arc::clone(timing)).ok_or_else(|| Error::Msg(format!("no series of {values:?}")))
    }
}

impl Collector for Timings {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let metric = |(labels, timing): &(Vec<LabelPair>, Arc<Timing>)| {
            let mut metric = Metric::from_label(labels.clone());
            metric.set_histogram(timing.histogram());
            metric
        };
        let mut family = MetricFamily::default();
        family.set_name(self.desc.fq_name.clone());
        family.set_help(self.desc.help.clone());
        family.set_field_type(MetricType::HISTOGRAM);
        family.set_metric(self.series.iter().map(metric).collect());
        vec![family]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Counts of the buckets one by one, the last one beyond all bounds, and the sum.
    fn told(timing: &Timing) -> (Vec<u64>, f64) {
        let histogram = timing.histogram();
        let cumulative: Vec<u64> = histogram.get_bucket().iter().map(Bucket::cumulative_count).collect();
        let all = cumulative.iter().copied().chain([histogram.get_sample_count()]);
        let before = [0].into_iter().chain(cumulative.iter().copied());
        (all.zip(before).map(|(all, before)| all - before).collect(), histogram.get_sample_sum())
    }

    #[test]
    fn bounds_are_written_as_they_were_meant() {
        let written: Vec<String> = bounds().iter().map(f64::to_string).collect();
        assert_eq!(written.first().map(String::as_str), Some("0.00001"));
        assert_eq!(written.get(1..4), Some(["0.000025", "0.00005", "0.0001"].map(String::from).as_slice()));
        assert_eq!(written.get(13).map(String::as_str), Some("0.0075"));
        assert_eq!(written.get(24..), Some(["2.5", "5", "10"].map(String::from).as_slice()));
        assert!(BOUNDS.is_sorted());
    }

    #[test]
    fn a_bound_belongs_to_its_bucket_and_what_is_longer_to_the_next() {
        let timing = Timing::default();
        for nanos in [0, 10_000, 10_001, 25_000, 10 * SECOND, 10 * SECOND + 1] {
            timing.observe(Duration::from_nanos(nanos));
        }
        let (counts, sum) = told(&timing);
        assert_eq!((counts.first(), counts.get(1), counts.get(26), counts.get(27)), (Some(&2), Some(&2), Some(&1), Some(&1)));
        assert!((sum - 20.000_045_002).abs() < 1e-9, "{sum}");
    }

    proptest! {
        #[test]
        fn what_a_thread_observes_by_itself_is_there_once_it_is_taken_in(times in proptest::collection::vec((0_u64..20 * SECOND, any::<bool>()), 0..50)) {
            let (one, both, alone) = (Timing::default(), Timing::default(), TimingAlone::default());
            for (nanos, is_taken) in times {
                let took = Duration::from_nanos(nanos);
                one.observe(took);
                alone.observe(took);
                if is_taken {
                    both.take_in(&alone);
                }
            }
            both.take_in(&alone);
            both.take_in(&alone);
            prop_assert_eq!(told(&one), told(&both));
        }
    }
}
