//! What the decision cache counts about itself, as counters of the rollout in force.

use parking_lot::Mutex;
use prometheus::{Error, IntCounter, Opts, Registry};
use sark_engine::CacheStats;

/// Reads one count.
type Count = fn(&CacheStats) -> u64;

const COUNTS: [(&str, &str, Count); 8] = [
    ("sark_cache_hits_total", "Questions answered by the bytes of their input.", |stats| stats.hits),
    ("sark_cache_canonical_hits_total", "Questions answered because another spelling of their input was.", |stats| {
        stats.canonical_hits
    }),
    ("sark_cache_misses_total", "Questions for which no decision was kept and nobody was about to make one.", |stats| {
        stats.misses
    }),
    ("sark_cache_flights_joined_total", "Questions that waited for the same one being evaluated.", |stats| {
        stats.flights_joined
    }),
    ("sark_cache_inserts_total", "Decisions kept, one for each spelling of an input.", |stats| stats.inserts),
    ("sark_cache_evictions_total", "Decisions that made room for others.", |stats| stats.evictions),
    ("sark_cache_expired_total", "Decisions found too old.", |stats| stats.expired),
    ("sark_cache_revision_dropped_total", "Decisions forgotten because what they depend on was replaced.", |stats| {
        stats.revision_dropped
    }),
];

/// The counters, and what they have counted.
pub(super) struct Cached {
    counters: Vec<(Count, IntCounter)>,
    counted: Mutex<CacheStats>,
}

impl Cached {
    /// Counters that begin at zero where the cache is at `begun`.
    pub(super) fn register(registry: &Registry, begun: CacheStats) -> Result<Self, Error> {
        let register = |(name, help, count): (&str, &str, Count)| {
            let counter = IntCounter::with_opts(Opts::new(name, help))?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, Error>((count, counter))
        };
        Ok(Self { counters: COUNTS.into_iter().map(register).collect::<Result<_, _>>()?, counted: Mutex::new(begun) })
    }

    /// Count up to `now`.
    pub(super) fn refresh(&self, now: CacheStats) {
        let mut counted = self.counted.lock();
        for (count, counter) in &self.counters {
            counter.inc_by(count(&now).saturating_sub(count(&counted)));
        }
        // A number worked out from two others may go back for a moment; then nothing is counted twice.
        let latest = |count: Count| count(&now).max(count(&counted));
        *counted = CacheStats { misses: latest(|stats| stats.misses), ..now };
    }
}
