//! Where decisions are kept: bounded by entries and bytes, none answered when too old.

use std::{
    collections::HashSet,
    hash::BuildHasherDefault,
    time::{Duration, Instant},
};

use quick_cache::{
    OptionsBuilder, UnitWeighter,
    sync::{Cache, DefaultLifecycle},
};

use super::{
    CacheLimits,
    clock::{Clock, millis},
    entry::{Entry, LEAST_WEIGHT},
    flight::Store,
    key::{Digest, Identity, Slot},
    second_chance::SecondChance,
    stats::{CacheStats, Count, Counters},
};
use crate::decision::{Decision, Outcome};

/// Longest life of "undefined": it often means that something is not there yet.
const UNDEFINED_TTL: Duration = Duration::from_secs(5);
/// Entries one lock guards: sweeping that many takes well under a millisecond.
const ENTRIES_PER_SHARD: usize = 1 << 14;
const MOST_SHARDS: usize = 64;
/// So that threads seldom wait for each other.
const LEAST_SHARDS: usize = 8;
const FEW_ENTRIES: usize = 1024;
/// Canonical inputs remembered at least, if there may be so many entries; one in sixteen entries is added.
const LEAST_SPELLINGS: usize = 1 << 14;

/// The table of decisions.
#[derive(Debug)]
pub(super) struct Table {
    entries: SecondChance,
    /// Where the decision of a canonical input is kept: under the latest spelling that was evaluated.
    spellings: Cache<Digest, Digest, UnitWeighter, BuildHasherDefault<Identity>>,
    ttl: u64,
    undefined_ttl: u64,
    clock: Clock,
    counters: Counters,
}

impl Table {
    pub(super) fn new(limits: CacheLimits, clock: Clock) -> Self {
        let max_bytes = limits.max_bytes.max(1);
        // More entries than fit into the bytes need no room.
        let fitting = usize::try_from(max_bytes.div_ceil(LEAST_WEIGHT)).unwrap_or(usize::MAX);
        let max_entries = limits.max_entries.clamp(1, fitting);
        // A cache of a few entries is not split: a part would hold nothing.
        let least_shards = if max_entries < FEW_ENTRIES { 1 } else { LEAST_SHARDS };
        let shards = (max_entries / ENTRIES_PER_SHARD).next_power_of_two().clamp(least_shards, MOST_SHARDS);
        // One bound on the sum of weights keeps both: no entry weighs less than its share of the byte limit.
        let entries = SecondChance::new(max_bytes, max_bytes.div_ceil(max_entries as u64), shards);
        let ttl = millis(limits.ttl);
        let undefined_ttl = ttl.min(millis(UNDEFINED_TTL));
        Self { entries, spellings: spellings(max_entries), ttl, undefined_ttl, clock, counters: Counters::default() }
    }

    /// As [`Store::find`], counted as a look-up of an input's bytes.
    pub(super) fn look_up(&self, slot: &Slot) -> Option<Decision> {
        let found = self.fresh(slot);
        self.counters.add(if found.is_some() { Count::Hit } else { Count::Absent }, 1);
        found
    }

    /// As [`Self::look_up`]; only a hit is counted.
    pub(super) fn find_counted(&self, slot: &Slot) -> Option<Decision> {
        let found = self.fresh(slot)?;
        self.counters.add(Count::Hit, 1);
        Some(found)
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
        let entry = self.entries.get(&slot.digest)?;
        if self.clock.is_before(entry.expires()) {
            return Some(entry);
        }
        let now = self.clock.millis();
        if self.entries.remove_if(&slot.digest, |entry| !entry.is_fresh(now)).is_some() {
            self.counters.add(Count::Expired, 1);
        }
        None
    }

    /// Keep `decision`, which was there at `made`, for `longest` at most, unless it fits nowhere. Returns whether it is kept.
    pub(super) fn keep(&self, slot: Slot, decision: &Decision, longest: Duration, made: Instant) -> bool {
        let ttl = if decision.outcome() == Outcome::Undefined { self.undefined_ttl } else { self.ttl };
        let ttl = ttl.min(millis(longest));
        // What fits nowhere is not even copied; what it was to replace is out of date all the same.
        if ttl == 0 || Entry::weight_of(decision) > self.entries.heaviest() {
            self.remove(&slot);
            return false;
        }
        let expires = self.clock.millis_at(made).saturating_add(ttl);
        self.adopt(slot, Entry::new(decision, expires, slot.tag));
        true
    }

    /// Let other spellings of an input find the decision that is kept for one of them.
    pub(super) fn note_spelling(&self, canonical: Slot, spelled: Slot) {
        self.spellings.insert(canonical.digest, spelled.digest);
    }

    /// Keep an entry under one more key; it grows no younger by that.
    pub(super) fn adopt(&self, slot: Slot, entry: Entry) {
        let evicted = self.entries.insert(slot.digest, entry);
        self.counters.add(Count::Insert, 1);
        if evicted > 0 {
            self.counters.add(Count::Eviction, evicted);
        }
    }

    pub(super) fn remove(&self, slot: &Slot) -> bool {
        self.entries.remove_if(&slot.digest, |_| true).is_some()
    }

    /// Remove the entries whose tag is not among `tags`.
    pub(super) fn retain(&self, tags: &HashSet<u16>) {
        let dropped = self.entries.retain(|entry| tags.contains(&entry.tag()));
        self.counters.add(Count::RevisionDropped, dropped);
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
