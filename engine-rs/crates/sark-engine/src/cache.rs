//! Decisions that were given before: bounded by entries and bytes, with an age limit.

use std::{
    hash::{BuildHasherDefault, Hash, Hasher},
    time::{Duration, Instant},
};

use quick_cache::{
    OptionsBuilder, Weighter,
    sync::{Cache, DefaultLifecycle},
};
use siphasher::sip128::{Hasher128, SipHasher24};

use crate::decision::{Decision, Outcome};

/// Bytes an entry takes besides its body: key, stamp, reference counts, table slots.
const ENTRY_OVERHEAD: u64 = 160;
/// Longest life of "undefined": it often means that something is not there yet.
const UNDEFINED_TTL: Duration = Duration::from_secs(5);

/// Bounds of the cache.
#[derive(Debug, Clone, Copy)]
pub struct CacheLimits {
    /// Most decisions kept.
    pub max_entries: usize,
    /// Most bytes kept, each entry's overhead included.
    pub max_bytes: u64,
    /// Longest a decision is answered from the cache.
    pub ttl: Duration,
}

/// Keyed 128-bit hash of policy revision, path and input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheKey(u128);

impl Hash for CacheKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(self.0);
    }
}

/// The key is a keyed hash already: hashing it again would gain nothing.
#[derive(Debug, Default, Clone, Copy)]
struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, key: u128) {
        // Either half is uniform; the low one will do.
        #[allow(clippy::cast_possible_truncation)]
        let low = key as u64;
        self.0 = low;
    }
}

#[derive(Debug, Clone)]
struct Entry {
    decision: Decision,
    expires: Instant,
}

/// Weighs an entry so that one bound on the sum keeps both: no entry weighs less than its share of `max_bytes`.
#[derive(Debug, Clone)]
struct Weigh {
    least: u64,
}

impl Weighter<CacheKey, Entry> for Weigh {
    fn weight(&self, _: &CacheKey, entry: &Entry) -> u64 {
        (entry.decision.body().len() as u64 + ENTRY_OVERHEAD).max(self.least)
    }
}

/// The cache. Thread-safe.
#[derive(Debug)]
pub struct DecisionCache {
    entries: Cache<CacheKey, Entry, Weigh, BuildHasherDefault<Identity>>,
    hash_key: [u8; 16],
    ttl: Duration,
}

impl DecisionCache {
    /// An empty cache with a hash key of its own, so that nobody outside can choose colliding keys.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn new(limits: CacheLimits) -> Result<Self, getrandom::Error> {
        let mut hash_key = [0; 16];
        getrandom::fill(&mut hash_key)?;
        let max_entries = limits.max_entries.max(1);
        let max_bytes = limits.max_bytes.max(1);
        let weigh = Weigh { least: max_bytes.div_ceil(max_entries as u64) };
        // A cache of a few entries is not split, neither into shards nor into hot and cold: a part would hold nothing.
        let (shards, hot) = if max_entries < 1024 { (1, 1.0) } else { (8, 0.97) };
        let hasher = BuildHasherDefault::default();
        let lifecycle = DefaultLifecycle::default();
        let entries = match OptionsBuilder::new()
            .estimated_items_capacity(max_entries)
            .weight_capacity(max_bytes)
            .shards(shards)
            .hot_allocation(hot)
            .build()
        {
            Ok(options) => Cache::with_options(options, weigh, hasher, lifecycle),
            // Only missing capacities are refused, and they are given.
            Err(_) => Cache::with(max_entries, max_bytes, weigh, hasher, lifecycle),
        };
        Ok(Self { entries, hash_key, ttl: limits.ttl })
    }

    /// Key of a question. Each part is preceded by its length, so no two questions share their bytes.
    pub fn key(&self, revision: &str, path: &str, input: Option<&[u8]>) -> CacheKey {
        let mut hasher = SipHasher24::new_with_key(&self.hash_key);
        for part in [revision.as_bytes(), path.as_bytes()] {
            hasher.write_u64(part.len() as u64);
            hasher.write(part);
        }
        match input {
            // No length is the largest number, so an absent input differs from every present one.
            None => hasher.write_u64(u64::MAX),
            Some(bytes) => {
                hasher.write_u64(bytes.len() as u64);
                hasher.write(bytes);
            }
        }
        CacheKey(hasher.finish128().as_u128())
    }

    /// The decision kept under `key`, unless it is too old.
    pub fn get(&self, key: &CacheKey) -> Option<Decision> {
        let entry = self.entries.get(key)?;
        let now = Instant::now();
        if now < entry.expires {
            return Some(entry.decision);
        }
        self.entries.remove_if(key, |entry| entry.expires <= now);
        None
    }

    /// Keep `decision` under `key`.
    pub fn insert(&self, key: CacheKey, decision: Decision) {
        let ttl = if decision.outcome() == Outcome::Undefined { self.ttl.min(UNDEFINED_TTL) } else { self.ttl };
        if let Some(expires) = Instant::now().checked_add(ttl) {
            self.entries.insert(key, Entry { decision, expires });
        }
    }

    /// Forget everything.
    pub fn clear(&self) {
        self.entries.clear();
    }

    /// Decisions kept.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Weight of what is kept, in bytes; a small entry weighs its share of the byte limit.
    pub fn weight(&self) -> u64 {
        self.entries.weight()
    }
}
