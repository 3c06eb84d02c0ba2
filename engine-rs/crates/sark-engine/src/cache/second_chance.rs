//! A bounded map that drops what was not asked for lately.
//!
//! Entries lie in rows, and a hand goes round over them when room is needed: what was asked for since it last came by loses
//! one of up to three lives and stays, anything else goes. The hand reads memory in order and gives up being choosy after
//! a few hundred entries, so that making room takes about as long in the worst case as on average.

use std::{
    mem,
    sync::atomic::{AtomicU8, Ordering},
};

use hashbrown::HashTable;
use parking_lot::RwLock;

use super::{entry::Entry, key::Digest};

/// Lives of an entry that is asked for often.
const MOST_LIVES: u8 = 3;
/// Marks a place without an entry.
const VACANT: u8 = u8::MAX;
/// Entries the hand looks at before it takes the one with the fewest lives.
const CHOICE: usize = 256;

/// Room that is asked of the system at once, in entries; growing later would copy the map while others wait.
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
    map: HashTable<u32>,
    places: Vec<Place>,
    vacant: Vec<u32>,
    hand: usize,
    weight: u64,
    least: u64,
}

#[derive(Debug)]
struct Place {
    digest: Digest,
    entry: Entry,
    lives: AtomicU8,
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
        let place = shard.places.get(shard.find(digest)?)?;
        let lives = place.lives.load(Ordering::Relaxed);
        if lives < MOST_LIVES {
            // Two readers at once may count as one: an entry is no less wanted for that.
            place.lives.store(lives + 1, Ordering::Relaxed);
        }
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
        let mut shard = self.shard(digest)?.write();
        let at = shard.find(digest)?;
        condition(&shard.places.get(at)?.entry).then(|| shard.vacate(at)).flatten()
    }

    /// Remove the entries for which `condition` does not hold, and return how many there were.
    pub(super) fn retain(&self, condition: impl Fn(&Entry) -> bool) -> u64 {
        self.shards.iter().map(|shard| shard.0.write().retain(&condition)).sum()
    }

    pub(super) fn clear(&self) {
        for shard in &self.shards {
            let mut shard = shard.0.write();
            shard.map.clear();
            shard.vacant.clear();
            shard.hand = 0;
            shard.weight = 0;
            // What is dropped is dropped without the lock.
            let places = mem::take(&mut shard.places);
            drop(shard);
            drop(places);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.0.read().map.len()).sum()
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
        Self {
            map: HashTable::with_capacity(entries),
            places: Vec::with_capacity(entries),
            vacant: Vec::new(),
            hand: 0,
            weight: 0,
            least,
        }
    }

    fn find(&self, digest: &Digest) -> Option<usize> {
        let is_it = |at: &u32| self.places.get(*at as usize).is_some_and(|place| place.digest == *digest);
        self.map.find(digest.low(), is_it).map(|at| *at as usize)
    }

    /// Returns what was kept under the same key.
    fn insert(&mut self, digest: Digest, entry: Entry, capacity: u64, evicted: &mut Evicted) -> Option<Entry> {
        let replaced = self.find(&digest).and_then(|at| self.vacate(at));
        let weight = self.weight_of(&entry);
        while self.weight + weight > capacity {
            let Some(victim) = self.victim().and_then(|at| self.vacate(at)) else { break };
            evicted.add(victim);
        }
        let place = Place { digest, entry, lives: AtomicU8::new(0) };
        let at = match self.vacant.pop() {
            Some(at) => at,
            None => u32::try_from(self.places.len()).ok()?,
        };
        match self.places.get_mut(at as usize) {
            Some(vacant) => *vacant = place,
            None => self.places.push(place),
        }
        self.weight += weight;
        let places = &self.places;
        let hash = |at: &u32| places.get(*at as usize).map_or(0, |place| place.digest.low());
        self.map.insert_unique(digest.low(), at, hash);
        replaced
    }

    /// The entry to go next.
    fn victim(&mut self) -> Option<usize> {
        let mut fewest: Option<(u8, usize)> = None;
        let mut seen = 0;
        for _ in 0..self.places.len() {
            let at = if self.hand < self.places.len() { self.hand } else { 0 };
            self.hand = at + 1;
            let lives = self.places.get_mut(at)?.lives.get_mut();
            match *lives {
                VACANT => continue,
                0 => return Some(at),
                _ => {}
            }
            *lives -= 1;
            if fewest.is_none_or(|(fewest, _)| *lives < fewest) {
                fewest = Some((*lives, at));
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
        let place = self.places.get_mut(at).filter(|place| place.lives.load(Ordering::Relaxed) != VACANT)?;
        place.lives = AtomicU8::new(VACANT);
        let digest = place.digest;
        let entry = mem::take(&mut place.entry);
        self.weight -= self.weight_of(&entry);
        if let Ok(found) = self.map.find_entry(digest.low(), |found| *found as usize == at) {
            self.vacant.push(*found.get());
            found.remove();
        }
        Some(entry)
    }

    fn retain(&mut self, condition: impl Fn(&Entry) -> bool) -> u64 {
        let before = self.map.len();
        for at in 0..self.places.len() {
            if self.places.get(at).is_some_and(|place| !condition(&place.entry)) {
                self.vacate(at);
            }
        }
        (before - self.map.len()) as u64
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
    use crate::decision::Decision;

    fn digest(number: u64) -> Digest {
        // Even bits, as a hash has them.
        let spread = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Digest::from_halves(spread, spread.rotate_left(29))
    }

    fn entry() -> Entry {
        Entry::new(&Decision::undefined(), 1, 0)
    }

    #[test]
    fn a_place_takes_forty_bytes() {
        assert_eq!(size_of::<Place>(), 40);
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
        let places: usize = map.shards.iter().map(|shard| shard.0.read().places.len()).sum();
        assert!(places <= 300, "{places} places for 200 entries");
    }
}
