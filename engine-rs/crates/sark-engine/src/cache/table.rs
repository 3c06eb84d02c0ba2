//! Where decisions are kept: bounded by entries and bytes, none answered when too old.

use std::{
    collections::HashSet,
    hash::BuildHasherDefault,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use quick_cache::{
    Lifecycle, OptionsBuilder, UnitWeighter,
    sync::{Cache, DefaultLifecycle},
};

use super::{
    CacheLimits,
    clock::{Clock, millis},
    entry::{Entry, LEAST_WEIGHT, Weigh},
    flight::Store,
    key::{Digest, Identity, Slot},
    stats::{CacheStats, Count, Counters},
};
use crate::decision::{Decision, Outcome};

/// Longest life of "undefined": it often means that something is not there yet.
const UNDEFINED_TTL: Duration = Duration::from_secs(5);
/// Entries one lock guards: sweeping that many takes well under a millisecond.
const ENTRIES_PER_SHARD: usize = 1 << 14;
const MOST_SHARDS: usize = 64;
/// Part of a shard that entries of proven use may take.
const HOT: f64 = 0.97;
/// Canonical inputs remembered at least, if there may be so many entries; one in sixteen entries is added.
const LEAST_SPELLINGS: usize = 1 << 14;
/// Room that is asked of the system at once; growing later would copy the table while others wait.
const MOST_RESERVED: usize = 1 << 21;

/// The table of decisions.
#[derive(Debug)]
pub(super) struct Table {
    entries: Cache<Slot, Entry, Weigh, BuildHasherDefault<Identity>, Farewell>,
    /// Where the decision of a canonical input is kept: under the latest spelling that was evaluated.
    spellings: Cache<Digest, Digest, UnitWeighter, BuildHasherDefault<Identity>>,
    ttl: u64,
    undefined_ttl: u64,
    /// Heaviest entry that a shard takes.
    heaviest: u64,
    clock: Clock,
    counters: Counters,
}

impl Table {
    pub(super) fn new(limits: CacheLimits, clock: Clock) -> Self {
        let max_bytes = limits.max_bytes.max(1);
        // More entries than fit into the bytes need no room.
        let fitting = usize::try_from(max_bytes.div_ceil(LEAST_WEIGHT)).unwrap_or(usize::MAX);
        let max_entries = limits.max_entries.clamp(1, fitting);
        let weigh = Weigh { least: max_bytes.div_ceil(max_entries as u64) };
        // A cache of a few entries is not split, neither into shards nor into hot and cold: a part would hold nothing.
        let shards = (max_entries / ENTRIES_PER_SHARD).next_power_of_two().clamp(1, MOST_SHARDS);
        let hot = if max_entries < 1024 { 1.0 } else { HOT };
        let (hasher, farewell) = (BuildHasherDefault::default(), Farewell);
        let entries = match OptionsBuilder::new()
            .estimated_items_capacity(max_entries)
            .weight_capacity((max_bytes - max_bytes % shards as u64).max(1))
            .shards(shards)
            .hot_allocation(hot)
            .build()
        {
            Ok(options) => Cache::with_options(options, weigh, hasher, farewell),
            // Only missing capacities are refused, and they are given.
            Err(_) => Cache::with(max_entries, max_bytes, weigh, hasher, farewell),
        };
        entries.reserve(max_entries.min(MOST_RESERVED));
        let ttl = millis(limits.ttl);
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss)]
        let heaviest = (entries.shard_capacity() as f64 * hot) as u64;
        let undefined_ttl = ttl.min(millis(UNDEFINED_TTL));
        Self { entries, spellings: spellings(max_entries), ttl, undefined_ttl, heaviest, clock, counters: Counters::default() }
    }

    /// As [`Store::find`], counted as a look-up of an input's bytes.
    pub(super) fn look_up(&self, slot: &Slot) -> Option<Decision> {
        let found = self.fresh(slot);
        self.counters.add(if found.is_some() { Count::Hit } else { Count::Absent }, 1);
        found
    }

    /// The entry of another spelling of an input, for [`Self::adopt`].
    pub(super) fn look_up_canonical(&self, canonical: &Slot) -> Option<(Decision, Entry)> {
        let spelled = Slot { digest: self.spellings.get(&canonical.digest)?, tag: canonical.tag };
        let entry = self.fresh_entry(&spelled)?;
        let decision = entry.decision()?;
        self.counters.add(Count::CanonicalHit, 1);
        Some((decision, entry))
    }

    fn fresh(&self, slot: &Slot) -> Option<Decision> {
        self.fresh_entry(slot)?.decision()
    }

    fn fresh_entry(&self, slot: &Slot) -> Option<Entry> {
        let entry = self.entries.get(slot)?;
        let now = self.clock.millis();
        if entry.is_fresh(now) {
            return Some(entry);
        }
        if self.entries.remove_if(slot, |entry| !entry.is_fresh(now)).is_some() {
            self.counters.add(Count::Expired, 1);
        }
        None
    }

    /// Keep `decision`, unless it fits nowhere.
    pub(super) fn keep(&self, slot: Slot, decision: &Decision) {
        // What fits nowhere is not even copied; what it was to replace is out of date all the same.
        if Entry::weight_of(decision) > self.heaviest {
            self.entries.remove(&slot);
            return;
        }
        let ttl = if decision.outcome() == Outcome::Undefined { self.undefined_ttl } else { self.ttl };
        let expires = self.clock.millis().saturating_add(ttl);
        self.adopt(slot, Entry::new(decision, expires, slot.tag));
    }

    /// Let other spellings of an input find the decision that is kept for one of them.
    pub(super) fn note_spelling(&self, canonical: Slot, spelled: Slot) {
        self.spellings.insert(canonical.digest, spelled.digest);
    }

    /// Keep an entry under one more key; it grows no younger by that.
    pub(super) fn adopt(&self, slot: Slot, entry: Entry) {
        let mut left = Left::default();
        self.entries.insert_with_lifecycle(slot, entry, &mut left);
        self.counters.add(Count::Insert, 1);
        let evicted = left.others(&slot);
        if evicted > 0 {
            self.counters.add(Count::Eviction, evicted);
        }
    }

    pub(super) fn remove(&self, slot: &Slot) -> bool {
        self.entries.remove(slot).is_some()
    }

    /// Remove the entries whose tag is not among `tags`.
    pub(super) fn retain(&self, tags: &HashSet<u16>) {
        let dropped = AtomicU64::new(0);
        self.entries.retain(|_, entry| {
            let stays = tags.contains(&entry.tag());
            if !stays {
                dropped.fetch_add(1, Ordering::Relaxed);
            }
            stays
        });
        self.counters.add(Count::RevisionDropped, dropped.into_inner());
    }

    pub(super) fn clear(&self) {
        self.entries.clear();
        self.spellings.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn weight(&self) -> u64 {
        self.entries.weight()
    }

    pub(super) const fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(super) fn stats(&self) -> CacheStats {
        self.counters.stats(self.len(), self.weight())
    }
}

impl Store for Table {
    type Key = Slot;
    type Value = Decision;

    fn find(&self, slot: &Slot) -> Option<Decision> {
        self.fresh(slot)
    }

    fn spread(slot: &Slot) -> usize {
        usize::try_from(slot.digest.low() >> 48).unwrap_or_default()
    }
}

/// The index of spellings. A client spells its inputs in one way, so it need not reach as far back as the decisions do.
fn spellings(max_entries: usize) -> Cache<Digest, Digest, UnitWeighter, BuildHasherDefault<Identity>> {
    let capacity = max_entries.min(LEAST_SPELLINGS + max_entries / 16);
    let (hasher, lifecycle) = (BuildHasherDefault::default(), DefaultLifecycle::default());
    let options = OptionsBuilder::new()
        .estimated_items_capacity(capacity)
        .weight_capacity(capacity as u64)
        .hot_allocation(if capacity < 1024 { 1.0 } else { 0.5 })
        .ghost_allocation(0.0)
        .shards((capacity / ENTRIES_PER_SHARD).next_power_of_two())
        .build();
    match options {
        Ok(options) => Cache::with_options(options, UnitWeighter, hasher, lifecycle),
        Err(_) => Cache::with(capacity, capacity as u64, UnitWeighter, hasher, lifecycle),
    }
}

/// Receives what an insertion pushes out.
#[derive(Debug, Clone)]
struct Farewell;

/// Entries that an insertion pushed out; dropped after the lock is given back.
#[derive(Debug, Default)]
struct Left {
    /// Nearly always the only one.
    first: Option<(Slot, Entry)>,
    more: Vec<(Slot, Entry)>,
}

impl Left {
    /// How many there are, without the one that was replaced under the same key.
    fn others(&self, slot: &Slot) -> u64 {
        self.first.iter().chain(&self.more).filter(|(left, _)| left != slot).count() as u64
    }
}

impl Lifecycle<Slot, Entry> for Farewell {
    type RequestState = Left;

    fn on_evict(&self, left: &mut Left, slot: Slot, entry: Entry) {
        if left.first.is_none() {
            left.first = Some((slot, entry));
        } else {
            left.more.push((slot, entry));
        }
    }
}
