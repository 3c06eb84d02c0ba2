//! Times of single operations, in nanoseconds.

use std::time::Instant;

use serde::{Deserialize, Serialize};

/// What an operation took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Timing {
    pub operation: String,
    pub count: usize,
    pub mean: f64,
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
}

/// Times of one operation on one thread.
pub(super) struct Stopwatch {
    nanos: Vec<u32>,
    /// What reading the clock takes, which is no part of the operation.
    reading: u32,
}

impl Stopwatch {
    pub(super) fn new(reading: u32, expected: usize) -> Self {
        // Written once, so that no page is first touched while the watch runs.
        let mut nanos = vec![u32::MAX; expected];
        nanos.clear();
        Self { nanos, reading }
    }

    pub(super) fn time<T>(&mut self, operation: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let done = operation();
        self.nanos.push(nanos_since(began).saturating_sub(self.reading));
        done
    }
}

/// Median of the time between two readings of the clock.
pub(super) fn clock_reading() -> u32 {
    let mut readings: Vec<u32> = (0..100_001).map(|_| nanos_since(Instant::now())).collect();
    readings.sort_unstable();
    readings.get(readings.len() / 2).copied().unwrap_or_default()
}

fn nanos_since(began: Instant) -> u32 {
    u32::try_from(began.elapsed().as_nanos()).unwrap_or(u32::MAX)
}

impl Timing {
    /// The times of all threads together.
    pub(super) fn of(operation: &str, watches: Vec<Stopwatch>) -> Self {
        let mut nanos: Vec<u32> = watches.into_iter().flat_map(|watch| watch.nanos).collect();
        nanos.sort_unstable();
        let count = nanos.len();
        let percentile = |percent: usize| {
            let rank = (count * percent).div_ceil(100).max(1);
            nanos.get(rank - 1).copied().map_or(0.0, f64::from)
        };
        let sum: u64 = nanos.iter().copied().map(u64::from).sum();
        #[expect(clippy::cast_precision_loss)]
        let mean = sum as f64 / count.max(1) as f64;
        Self { operation: operation.to_owned(), count, mean, p50: percentile(50), p95: percentile(95), p99: percentile(99) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_occurred() {
        let watch = |nanos: Vec<u32>| Stopwatch { nanos, reading: 0 };
        let timing = Timing::of("GET", vec![watch((51..=100).rev().collect()), watch((1..=50).collect())]);
        let numbers = [timing.mean, timing.p50, timing.p95, timing.p99].map(|number| number.to_string());
        assert_eq!((timing.count, numbers.join(" ").as_str()), (100, "50.5 50 95 99"));
        assert_eq!(Timing::of("GET", Vec::new()).count, 0);
    }
}
