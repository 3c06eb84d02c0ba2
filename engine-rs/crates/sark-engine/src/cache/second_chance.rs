//! A bounded map that drops what was not asked for lately.
//!
//! A hand goes round over the table when room is needed: what was asked for since it last came by loses one of up to three lives
//! and stays, anything else goes. The hand reads memory in order and gives up being choosy after a few hundred entries, so that
//! making room takes about as long in the worst case as on average.
//!
//! An entry lies where its hash leads, in half a line of memory. In a table that is larger than the processor's caches, a search
//! waits for memory once, and once more for the body.

use std::mem;

use hashbrown::HashTable;
use parking_lot::RwLock;

use super::{entry::Entry, key::Digest};

/// Entries the hand looks at before it takes the one with the fewest lives.
const CHOICE: usize = 256;

/// Room that is asked of the system at once, in entries; growing later would copy the table while others wait.
const MOST_RESERVED: usize = 1 << 21;

/// The map, split so that threads seldom meet.
#[derive(Debug)]
pub(super) struct SecondChance {
    shards: Box<[Padded]>,
    /// Most weight per shard.
    capacity: u64,
}

/// Neighbouring locks would slow each other down.
#[derive(Debug)]
#[repr(align(128))]
struct Padded(RwLock<Shard>);

#[derive(Debug)]
struct Shard {
    places: HashTable<Place>,
    hand: usize,
    weight: u64,
    least: u64,
}

/// Aligned to its size, so that none lies in two lines of memory.
#[derive(Debug)]
#[repr(align(32))]
struct Place {
    digest: Digest,
    entry: Entry,
}

/// Entries that made room; dropped when the lock is given back.
#[derive(Debug, Default)]
struct Evicted {
    /// Nearly always the only one.
    first: Option<Entry>,
    more: Vec<Entry>,
}

impl SecondChance {
    /// Room for a sum of weights of `capacity`, in `shards` parts (a power of two); no entry weighs less than `least`.
    pub(super) fn new(capacity: u64, least: u64, shards: usize) -> Self {
        let capacity = capacity / shards as u64;
        let entries = usize::try_from(capacity / least).unwrap_or(usize::MAX).min(MOST_RESERVED / shards);
        let shard = || Padded(RwLock::new(Shard::new(entries, least)));
        Self { shards: (0..shards).map(|_| shard()).collect(), capacity }
    }

    /// Heaviest entry that can be kept.
    pub(super) const fn heaviest(&self) -> u64 {
        self.capacity
    }

    pub(super) fn get(&self, digest: &Digest) -> Option<Entry> {
        let shard = self.shard(digest)?.read();
        let place = shard.places.find(digest.low(), |place| place.digest == *digest)?;
        place.entry.gain_life();
        Some(place.entry.clone())
    }

    /// Keep an entry that is no heavier than [`Self::heaviest`]. Returns how many others had to go.
    pub(super) fn insert(&self, digest: Digest, entry: Entry) -> u64 {
        let Some(shard) = self.shard(&digest) else { return 0 };
        let mut evicted = Evicted::default();
        let replaced = shard.write().insert(digest, entry, self.capacity, &mut evicted);
        drop(replaced);
        evicted.count()
    }

    /// Remove an entry if `condition` holds for it.
    pub(super) fn remove_if(&self, digest: &Digest, condition: impl FnOnce(&Entry) -> bool) -> Option<Entry> {
        self.shard(digest)?.write().remove_if(digest, condition)
    }

    /// Remove the entries for which `condition` does not hold, and return how many there were.
    pub(super) fn retain(&self, condition: impl Fn(&Entry) -> bool) -> u64 {
        self.shards.iter().map(|shard| shard.0.write().retain(&condition)).sum()
    }

    pub(super) fn clear(&self) {
        for shard in &self.shards {
            let mut shard = shard.0.write();
            let empty = Shard::new(shard.places.capacity(), shard.least);
            let full = mem::replace(&mut *shard, empty);
            // What is dropped is dropped without the lock.
            drop(shard);
            drop(full);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.0.read().places.len()).sum()
    }

    pub(super) fn weight(&self) -> u64 {
        self.shards.iter().map(|shard| shard.0.read().weight).sum()
    }

    fn shard(&self, digest: &Digest) -> Option<&RwLock<Shard>> {
        let at = usize::try_from(digest.high() >> 32).unwrap_or_default() & (self.shards.len() - 1);
        self.shards.get(at).map(|shard| &shard.0)
    }
}

impl Shard {
    fn new(entries: usize, least: u64) -> Self {
        Self { places: HashTable::with_capacity(entries), hand: 0, weight: 0, least }
    }

    /// Returns what was kept under the same key.
    fn insert(&mut self, digest: Digest, entry: Entry, capacity: u64, evicted: &mut Evicted) -> Option<Entry> {
        let replaced = self.remove_if(&digest, |_| true);
        let weight = self.weight_of(&entry);
        while self.weight + weight > capacity {
            let Some(victim) = self.victim().and_then(|at| self.vacate(at)) else { break };
            evicted.add(victim);
        }
        self.weight += weight;
        self.places.insert_unique(digest.low(), Place { digest, entry }, |place| place.digest.low());
        replaced
    }

    /// Where the entry lies that is to go next.
    fn victim(&mut self) -> Option<usize> {
        let mut fewest: Option<(u8, usize)> = None;
        let mut seen = 0;
        for _ in 0..self.places.num_buckets() {
            let at = if self.hand < self.places.num_buckets() { self.hand } else { 0 };
            self.hand = at + 1;
            let Some(place) = self.places.get_bucket_mut(at) else { continue };
            let Some(lives) = place.entry.lose_life() else { return Some(at) };
            if fewest.is_none_or(|(fewest, _)| lives < fewest) {
                fewest = Some((lives, at));
            }
            seen += 1;
            if seen == CHOICE {
                break;
            }
        }
        fewest.map(|(_, at)| at)
    }

    /// Take out the entry at a place.
    fn vacate(&mut self, at: usize) -> Option<Entry> {
        let (place, _) = self.places.get_bucket_entry(at).ok()?.remove();
        self.weight -= self.weight_of(&place.entry);
        Some(place.entry)
    }

    fn remove_if(&mut self, digest: &Digest, condition: impl FnOnce(&Entry) -> bool) -> Option<Entry> {
        let found = self.places.find_entry(digest.low(), |place| place.digest == *digest).ok()?;
        if !condition(&found.get().entry) {
            return None;
        }
        let (place, _) = found.remove();
        self.weight -= self.weight_of(&place.entry);
        Some(place.entry)
    }

    fn retain(&mut self, condition: impl Fn(&Entry) -> bool) -> u64 {
        let before = self.places.len();
        let (mut weight, least) = (self.weight, self.least);
        self.places.retain(|place| {
            let stays = condition(&place.entry);
            if !stays {
                weight -= place.entry.weight().max(least);
            }
            stays
        });
        self.weight = weight;
        (before - self.places.len()) as u64
    }

    fn weight_of(&self, entry: &Entry) -> u64 {
        entry.weight().max(self.least)
    }
}

impl Evicted {
    fn add(&mut self, entry: Entry) {
        match self.first {
            None => self.first = Some(entry),
            Some(_) => self.more.push(entry),
        }
    }

    fn count(&self) -> u64 {
        u64::from(self.first.is_some()) + self.more.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cache::entry::MOST_LIVES, decision::Decision};

    fn digest(number: u64) -> Digest {
        // Even bits, as a hash has them.
        let spread = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Digest::from_halves(spread, spread.rotate_left(29))
    }

    fn entry() -> Entry {
        Entry::new(&Decision::undefined(), 1, 0)
    }

    #[test]
    fn a_place_is_half_a_line_of_memory() {
        assert_eq!((size_of::<Place>(), align_of::<Place>()), (32, 32));
    }

    #[test]
    fn what_is_asked_for_survives_a_flood_of_what_is_asked_once() {
        let map = SecondChance::new(100_000, 100, 1);
        for wanted in 0..500 {
            map.insert(digest(wanted), entry());
            map.insert(digest(50_000 + wanted), entry());
            (0..2).for_each(|_| assert!(map.get(&digest(wanted)).is_some()));
        }
        for flood in 0..20_000 {
            map.insert(digest(1_000 + flood), entry());
            assert!(map.get(&digest(flood % 500)).is_some(), "{} is asked for all the time", flood % 500);
        }
        assert_eq!((map.len(), map.weight()), (1_000, 100_000));
    }

    #[test]
    fn room_is_made_even_when_everything_is_wanted() {
        let map = SecondChance::new(100_000, 100, 1);
        for round in 0..10 {
            for number in 0..1_000 {
                map.insert(digest(number), entry());
                (0..MOST_LIVES).for_each(|_| assert!(map.get(&digest(number)).is_some()));
            }
            assert_eq!(map.insert(digest(5_000 + round), entry()), 1, "one makes room for one");
        }
        assert_eq!(map.len(), 1_000);
    }

    #[test]
    fn places_are_used_again() {
        let map = SecondChance::new(100_000, 100, 2);
        for round in 0..50 {
            for number in 0..200 {
                map.insert(digest(round * 200 + number), entry());
            }
            assert_eq!(map.retain(|_| false), 200);
            assert_eq!((map.len(), map.weight()), (0, 0));
        }
        let places: usize = map.shards.iter().map(|shard| shard.0.read().places.num_buckets()).sum();
        assert!(places <= 2 * 1_024, "{places} places for 1,000 entries");
    }
}
