//! Decisions that were given before: bounded by entries and bytes, with an age limit, evaluated once however many ask.
//!
//! A question is looked up by the bytes of its input, which costs no parsing. Who leads its evaluation looks up the
//! input's canonical form as well, so that other spellings of it share the decision.

mod canonical;
mod clock;
mod entry;
mod flight;
mod key;
mod second_chance;
mod stats;
mod sync;
mod table;

use std::{
    collections::HashSet,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

pub(crate) use self::{
    canonical::{Sink, write_canonical},
    key::{KeyMaker, Stem},
};
pub use self::{
    clock::{Clock, ClockHand},
    key::{CacheKey, Scope, Spelling},
    stats::CacheStats,
};
use self::{
    flight::{Landings, SingleFlight},
    key::Slot,
    stats::Count,
    table::Table,
};
use crate::decision::Decision;

/// Bounds of the cache.
#[derive(Debug, Clone, Copy)]
pub struct CacheLimits {
    /// Most entries kept, one for each spelling of an input.
    pub max_entries: usize,
    /// Most bytes kept, each entry's overhead included. The index of spellings comes on top: 60 bytes for each of
    /// 16,384 inputs and for one in sixteen entries, at most.
    pub max_bytes: u64,
    /// Longest a decision is answered from the cache, in whole milliseconds; 5 s at most for an undefined one.
    pub ttl: Duration,
}

/// The cache. Thread-safe.
#[derive(Debug)]
pub struct DecisionCache {
    flights: Arc<SingleFlight<Table>>,
    keys: KeyMaker,
}

/// What becomes of a question.
#[derive(Debug)]
pub enum Begun {
    /// It was answered before.
    Hit(Decision),
    /// The caller is the one who evaluates, and then calls [`Lead::complete`].
    Lead(Lead),
    /// Another evaluates it already.
    Wait(Waiter),
}

/// A question that was looked for and not found.
#[derive(Debug, Clone, Copy)]
pub struct Missed {
    key: CacheKey,
    landings: Landings,
}

impl Missed {
    /// What it was looked for under.
    pub const fn key(&self) -> CacheKey {
        self.key
    }
}

/// The duty to evaluate a question for all who ask it. Dropping it, also in a panic, sends those who wait to evaluate for
/// themselves: an error is nobody's answer.
#[derive(Debug)]
#[must_use = "others wait for this evaluation until it is completed or dropped"]
pub struct Lead {
    lead: flight::Lead<Table>,
    canonical: Option<Slot>,
}

/// Waits for the answer of who leads: block with [`Self::wait`], or await it.
///
/// None when no answer will come: evaluate without asking the cache again, so that a failing evaluation does not line
/// everybody up behind it. A future has no deadline of its own.
#[derive(Debug)]
#[must_use = "nothing waits unless it is awaited"]
pub struct Waiter(flight::Waiter<Decision>);

impl DecisionCache {
    /// An empty cache with a hash key of its own, so that nobody outside can choose colliding keys.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn new(limits: CacheLimits) -> Result<Self, getrandom::Error> {
        Self::with_clock(limits, Clock::system())
    }

    /// As [`Self::new`], with decisions growing old by `clock`.
    pub fn with_clock(limits: CacheLimits, clock: Clock) -> Result<Self, getrandom::Error> {
        Ok(Self { flights: Arc::new(SingleFlight::new(Table::new(limits, clock))), keys: KeyMaker::new()? })
    }

    /// Key of a question by the bytes that it is written in.
    pub fn key<'s>(&self, scope: &Scope, path: &str, spelling: impl Into<Spelling<'s>>) -> CacheKey {
        self.keys.stem(scope, path).key(spelling.into())
    }

    /// Makes the keys of this cache.
    pub(crate) const fn keys(&self) -> &KeyMaker {
        &self.keys
    }

    /// Answer the question of `key`, or say who does.
    pub fn begin(&self, key: CacheKey) -> Begun {
        self.look(key).map_or_else(|missed| self.begin_missed(missed), Begun::Hit)
    }

    /// As [`Self::get`], for who may go on to [`Self::begin_missed`].
    pub fn look(&self, key: CacheKey) -> Result<Decision, Missed> {
        let landings = self.flights.landings(&key.slot);
        self.get(&key).ok_or(Missed { key, landings })
    }

    /// Say who answers a question whose decision was not there. It is looked for again when it may have come since.
    pub fn begin_missed(&self, Missed { key, landings }: Missed) -> Begun {
        match self.flights.begin(key.slot, key.generation, landings) {
            flight::Begun::Hit(decision) => {
                self.table().counters().add(Count::FlightJoined, 1);
                Begun::Hit(decision)
            }
            flight::Begun::Lead(lead) => Begun::Lead(Lead { lead, canonical: None }),
            flight::Begun::Wait(waiter) => {
                self.table().counters().add(Count::FlightJoined, 1);
                Begun::Wait(Waiter(waiter))
            }
        }
    }

    /// The decision kept under `key`, unless it is too old.
    pub fn get(&self, key: &CacheKey) -> Option<Decision> {
        self.table().look_up(&key.slot)
    }

    /// As [`Self::get`], for who goes on to [`Self::begin`] with it when there is none: that counts the miss.
    pub fn find(&self, key: &CacheKey) -> Option<Decision> {
        self.table().find_counted(&key.slot)
    }

    /// Keep `decision` under `key`, unless other policies serve than when the key was made.
    pub fn insert(&self, key: CacheKey, decision: &Decision) {
        self.insert_for(key, decision, Duration::MAX);
    }

    /// As [`Self::insert`], for `longest` at most. Returns whether it is kept.
    pub fn insert_for(&self, key: CacheKey, decision: &Decision, longest: Duration) -> bool {
        self.flights.generation() == key.generation && self.table().keep(key.slot, decision, longest, Instant::now())
    }

    /// Forget the decision kept under `key`. Returns whether there was one.
    pub fn remove(&self, key: &CacheKey) -> bool {
        self.table().remove(&key.slot)
    }

    /// Policies numbered `generation` are about to serve; must come before they do.
    pub(crate) fn advance(&self, generation: u64) {
        self.flights.advance(generation);
    }

    /// Forget what depends on none of `revisions`.
    pub(crate) fn retain<'a>(&self, revisions: impl IntoIterator<Item = &'a [u8; 16]>) {
        let tags: HashSet<u16> = revisions.into_iter().map(key::tag_of).collect();
        self.table().retain(&tags);
    }

    /// Forget everything.
    pub fn clear(&self) {
        self.table().clear();
    }

    /// What the cache did, and what it holds.
    pub fn stats(&self) -> CacheStats {
        self.table().stats()
    }

    /// Entries kept.
    pub fn len(&self) -> usize {
        self.table().len()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Weight of what is kept, in bytes; a small entry weighs its share of the byte limit.
    pub fn weight(&self) -> u64 {
        self.table().weight()
    }

    fn table(&self) -> &Table {
        self.flights.store()
    }
}

impl Lead {
    /// Number of the policies the question was asked under.
    pub(crate) const fn generation(&self) -> u64 {
        self.lead.generation()
    }

    /// Complete with the decision of another spelling of the same input, if there is one. Otherwise the lead comes back, and
    /// what it is completed with is kept for other spellings as well.
    pub(crate) fn complete_from_canonical(mut self, key: CacheKey) -> Result<Decision, Self> {
        let Some((decision, entry)) = self.lead.store().look_up_canonical(&key.slot) else {
            self.canonical = Some(key.slot);
            return Err(self);
        };
        self.lead.complete(&decision, |table, slot| table.adopt(slot, entry));
        Ok(decision)
    }

    /// Keep `decision` and hand it to those who wait, unless other policies serve than when the question was asked.
    pub fn complete(self, decision: &Decision) {
        self.complete_for(decision, Duration::MAX, Instant::now());
    }

    /// As [`Self::complete`], of a decision that was there at `made`, and kept for `longest` at most from then on; who waits gets it
    /// all the same: it was made while they asked.
    pub(crate) fn complete_for(self, decision: &Decision, longest: Duration, made: Instant) {
        let canonical = self.canonical;
        self.lead.complete(decision, |table, slot| {
            let kept = table.keep(slot, decision, longest, made);
            if let Some(canonical) = canonical.filter(|_| kept) {
                table.note_spelling(canonical, slot);
            }
        });
    }
}

impl Waiter {
    /// Block until there is an answer, `limit` at most.
    pub fn wait(self, limit: Duration) -> Option<Decision> {
        self.0.wait(limit)
    }
}

impl Future for Waiter {
    type Output = Option<Decision>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context)
    }
}
