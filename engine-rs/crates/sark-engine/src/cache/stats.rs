//! What the cache did, counted without slowing it down.

use std::{
    cell::Cell,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};

/// What the cache did since it was made, and what it holds now.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct CacheStats {
    /// Questions answered by the bytes of their input.
    pub hits: u64,
    /// Questions whose input was spelled anew, answered by its canonical form.
    pub canonical_hits: u64,
    /// Questions that found no decision and nobody who was about to make it.
    pub misses: u64,
    /// Questions that found another evaluating the same and waited for it.
    pub flights_joined: u64,
    /// Entries written, one for each spelling of an input.
    pub inserts: u64,
    /// Entries that made room for others.
    pub evictions: u64,
    /// Entries found too old and removed.
    pub expired: u64,
    /// Entries removed because policies or data they depend on were replaced.
    pub revision_dropped: u64,
    /// Entries held now.
    pub entries: usize,
    /// Weight of the entries held now against the byte limit, in bytes; a small entry weighs its share of the limit.
    pub bytes: u64,
}

/// What is counted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Count {
    Hit,
    CanonicalHit,
    /// Looked up by the input's bytes, and not there.
    Absent,
    FlightJoined,
    Insert,
    Eviction,
    Expired,
    RevisionDropped,
}

const COUNTS: usize = 8;
/// Threads that count in the same stripe disturb each other; a few stripes are enough for the cores of a sidecar.
const STRIPES: usize = 16;

/// Two lines of cache, so that no neighbour is fetched along.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe([AtomicU64; COUNTS]);

/// The counters: each thread counts in a stripe of its own.
#[derive(Debug, Default)]
pub(super) struct Counters([Stripe; STRIPES]);

impl Counters {
    pub(super) fn add(&self, count: Count, number: u64) {
        if let Some(counter) = self.0.get(stripe()).and_then(|stripe| stripe.0.get(count as usize)) {
            counter.fetch_add(number, Ordering::Relaxed);
        }
    }

    pub(super) fn stats(&self, entries: usize, bytes: u64) -> CacheStats {
        let sum = |count: Count| -> u64 {
            self.0.iter().filter_map(|stripe| stripe.0.get(count as usize)).map(|it| it.load(Ordering::Relaxed)).sum()
        };
        let (canonical_hits, flights_joined) = (sum(Count::CanonicalHit), sum(Count::FlightJoined));
        CacheStats {
            hits: sum(Count::Hit),
            canonical_hits,
            misses: sum(Count::Absent).saturating_sub(canonical_hits).saturating_sub(flights_joined),
            flights_joined,
            inserts: sum(Count::Insert),
            evictions: sum(Count::Eviction),
            expired: sum(Count::Expired),
            revision_dropped: sum(Count::RevisionDropped),
            entries,
            bytes,
        }
    }
}

/// The stripe of this thread.
fn stripe() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static MINE: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    MINE.try_with(|mine| {
        if mine.get() == usize::MAX {
            mine.set(NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES);
        }
        mine.get()
    })
    .unwrap_or(0)
}
