//! Latencies of answered requests, and their percentiles.

use std::time::Duration;

#[derive(Debug, Default)]
pub(crate) struct Latencies(Vec<u64>);

impl Latencies {
    pub(crate) fn add(&mut self, latency: Duration) {
        self.0.push(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
    }

    /// The sum of all.
    pub(crate) fn total(&self) -> Duration {
        self.0.iter().map(|nanos| Duration::from_nanos(*nanos)).sum()
    }

    /// The mean of all; zero when there is none.
    pub(crate) fn mean(&self) -> Duration {
        u32::try_from(self.0.len()).ok().and_then(|count| self.total().checked_div(count)).unwrap_or_default()
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The smallest latency that `percent` of all requests do not exceed (nearest rank), for each of `percents`.
    ///
    /// Zero when there is none.
    pub(crate) fn percentiles<const N: usize>(&mut self, percents: [usize; N]) -> [Duration; N] {
        self.0.sort_unstable();
        percents.map(|percent| {
            let rank = (self.0.len() * percent).div_ceil(100).max(1);
            self.0.get(rank - 1).map_or(Duration::ZERO, |nanos| Duration::from_nanos(*nanos))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percentiles(micros: impl IntoIterator<Item = u64>) -> [u128; 3] {
        let mut latencies = Latencies::default();
        micros.into_iter().for_each(|each| latencies.add(Duration::from_micros(each)));
        latencies.percentiles([50, 95, 99]).map(|latency| latency.as_micros())
    }

    #[test]
    fn a_percentile_is_one_of_the_latencies() {
        assert_eq!(percentiles((1..=100).rev()), [50, 95, 99]);
        assert_eq!(percentiles([7]), [7, 7, 7]);
        assert_eq!(percentiles([1, 9]), [1, 9, 9]);
        assert_eq!(percentiles([]), [0, 0, 0]);
    }

    #[test]
    fn the_mean_is_of_all() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.mean(), Duration::ZERO);
        [1, 2, 6].into_iter().for_each(|each| latencies.add(Duration::from_micros(each)));
        assert_eq!(latencies.mean(), Duration::from_micros(3));
    }
}
