//! Single flight: of all who ask the same at the same time, one evaluates and the others wait for the answer.
//!
//! A leader that fails, panics or is dropped hands nothing over: whoever waits is told so and evaluates for itself. No
//! error is inherited and nobody hangs.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use super::sync::{Arc, AtomicU64, Condvar, Mutex, MutexGuard, Ordering, PoisonError};

/// Tables of flights; a power of two, so that two threads seldom meet at one lock.
const TABLES: usize = 16;

/// Where answers are kept.
pub(crate) trait Store {
    /// What is asked.
    type Key: Copy + Debug + Eq;
    /// What is answered.
    type Value: Clone + Debug;

    /// The answer kept under `key`.
    fn find(&self, key: &Self::Key) -> Option<Self::Value>;

    /// A number that spreads keys evenly.
    fn spread(key: &Self::Key) -> usize;
}

/// Evaluations under way in one table: so few that a search costs less than a hash. Most land before anybody waits for them, and
/// have no place where others could.
type Flights<S> = Vec<(<S as Store>::Key, Option<Arc<Flight<<S as Store>::Value>>>)>;

/// Some of the evaluations under way.
#[derive(Debug)]
struct Table<S: Store> {
    flights: Mutex<Flights<S>>,
    /// How many have landed. Written by who holds the lock.
    landings: AtomicU64,
}

impl<S: Store> Default for Table<S> {
    fn default() -> Self {
        Self { flights: Mutex::default(), landings: AtomicU64::new(0) }
    }
}

impl<S: Store> Table<S> {
    fn lock(&self) -> MutexGuard<'_, Flights<S>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many evaluations had landed when somebody was about to look into the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Landings(u64);

/// A store in front of which nobody evaluates what another evaluates already.
#[derive(Debug)]
pub(crate) struct SingleFlight<S: Store> {
    store: S,
    tables: [Table<S>; TABLES],
    /// Number of the policies that serve; see [`Self::advance`].
    generation: AtomicU64,
}

/// What becomes of a question.
#[derive(Debug)]
pub(crate) enum Begun<S: Store> {
    /// It was answered before.
    Hit(S::Value),
    /// The caller is the one who evaluates.
    Lead(Lead<S>),
    /// Somebody evaluates it already.
    Wait(Waiter<S::Value>),
}

impl<S: Store> SingleFlight<S> {
    pub(crate) fn new(store: S) -> Self {
        Self { store, tables: std::array::from_fn(|_| Table::default()), generation: AtomicU64::new(0) }
    }

    pub(crate) const fn store(&self) -> &S {
        &self.store
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Policies numbered `generation` are about to serve. Must come before they do: an evaluation that began under earlier
    /// policies and may have seen these is then not kept under the earlier ones' key.
    pub(crate) fn advance(&self, generation: u64) {
        self.generation.fetch_max(generation, Ordering::AcqRel);
    }

    /// To be asked before the store is, for [`Self::begin`].
    pub(crate) fn landings(&self, key: &S::Key) -> Landings {
        Landings(self.table(key).landings.load(Ordering::Acquire))
    }

    /// Answer `key`, which was not in the store after `landings`, or say who does. It is asked under the policies numbered
    /// `generation`.
    pub(crate) fn begin(self: &Arc<Self>, key: S::Key, generation: u64, landings: Landings) -> Begun<S> {
        let table = self.table(&key);
        let mut flights = table.lock();
        if let Some((_, flight)) = flights.iter_mut().find(|(flying, _)| *flying == key) {
            return Begun::Wait(Waiter { flight: Arc::clone(flight.get_or_insert_default()), seat: None });
        }
        // A flight that has landed since may have been this one.
        if table.landings.load(Ordering::Relaxed) != landings.0
            && let Some(value) = self.store.find(&key)
        {
            return Begun::Hit(value);
        }
        flights.push((key, None));
        drop(flights);
        Begun::Lead(Lead { owner: Arc::clone(self), key, generation, landed: false })
    }

    /// End the flight of `key`; `value` is asked for when somebody waits for it.
    fn land(&self, key: &S::Key, value: impl FnOnce() -> Option<S::Value>) {
        let table = self.table(key);
        let mut flights = table.lock();
        let at = flights.iter().position(|(flying, _)| flying == key);
        let flight = at.and_then(|at| flights.swap_remove(at).1);
        // Nobody else writes, and who reads what is released here finds what was kept before.
        table.landings.store(table.landings.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
        drop(flights);
        if let Some(flight) = flight {
            flight.settle(value());
        }
    }

    fn table(&self, key: &S::Key) -> &Table<S> {
        let [first, ..] = &self.tables;
        self.tables.get(S::spread(key) % TABLES).unwrap_or(first)
    }
}

/// The duty to evaluate. Dropping it, also in a panic, sends those who wait to evaluate for themselves.
#[derive(Debug)]
#[must_use = "others wait for this evaluation until it is completed or dropped"]
pub(crate) struct Lead<S: Store> {
    owner: Arc<SingleFlight<S>>,
    key: S::Key,
    generation: u64,
    landed: bool,
}

impl<S: Store> Lead<S> {
    pub(crate) fn store(&self) -> &S {
        self.owner.store()
    }

    /// Number of the policies the question was asked under.
    pub(crate) const fn generation(&self) -> u64 {
        self.generation
    }

    /// Hand `value` to those who wait, after `keep` has put it into the store for those who come later.
    ///
    /// When other policies serve by now, nobody can say which of them answered: it is neither kept nor handed on.
    pub(crate) fn complete(mut self, value: &S::Value, keep: impl FnOnce(&S, S::Key)) {
        let is_current = self.owner.generation() == self.generation;
        if is_current {
            keep(&self.owner.store, self.key);
        }
        self.landed = true;
        self.owner.land(&self.key, || is_current.then(|| value.clone()));
    }
}

impl<S: Store> Drop for Lead<S> {
    fn drop(&mut self) {
        if !self.landed {
            self.owner.land(&self.key, || None);
        }
    }
}

/// One evaluation under way.
#[derive(Debug)]
struct Flight<V> {
    state: Mutex<State<V>>,
    changed: Condvar,
}

#[derive(Debug)]
enum State<V> {
    Flying {
        /// Those who wait without blocking, by seat.
        wakers: BTreeMap<u64, Waker>,
        next_seat: u64,
        /// Whether somebody has blocked: waking nobody is a system call all the same.
        blocks: bool,
    },
    /// None: it was given up.
    Landed(Option<V>),
}

impl<V> Default for Flight<V> {
    fn default() -> Self {
        let state = State::Flying { wakers: BTreeMap::new(), next_seat: 0, blocks: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }
}

impl<V> Flight<V> {
    fn state(&self) -> MutexGuard<'_, State<V>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle(&self, value: Option<V>) {
        let before = mem::replace(&mut *self.state(), State::Landed(value));
        if let State::Flying { wakers, blocks, .. } = before {
            if blocks {
                self.changed.notify_all();
            }
            wakers.into_values().for_each(Waker::wake);
        }
    }
}

/// Waits for another's evaluation: block with [`Self::wait`], or await it. None means: evaluate for yourself.
#[derive(Debug)]
#[must_use = "nothing waits unless it is awaited"]
pub(crate) struct Waiter<V> {
    flight: Arc<Flight<V>>,
    /// Where this waiter's waker is, once it was polled.
    seat: Option<u64>,
}

impl<V: Clone> Waiter<V> {
    /// Block until the evaluation has landed, `limit` at most.
    pub(crate) fn wait(self, limit: Duration) -> Option<V> {
        let deadline = Instant::now().checked_add(limit);
        let mut state = self.flight.state();
        loop {
            match &mut *state {
                State::Landed(value) => return value.clone(),
                State::Flying { blocks, .. } => *blocks = true,
            }
            let left = deadline.map_or(limit, |deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return None;
            }
            state = self.flight.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl<V: Clone> Future for Waiter<V> {
    type Output = Option<V>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let flight = Arc::clone(&self.flight);
        match &mut *flight.state() {
            State::Landed(value) => Poll::Ready(value.clone()),
            State::Flying { wakers, next_seat, .. } => {
                let seat = *self.seat.get_or_insert_with(|| {
                    *next_seat += 1;
                    *next_seat
                });
                wakers.insert(seat, context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl<V> Drop for Waiter<V> {
    fn drop(&mut self) {
        if let Some(seat) = self.seat
            && let State::Flying { wakers, .. } = &mut *self.flight.state()
        {
            // Whoever gives up waiting leaves nothing behind.
            wakers.remove(&seat);
        }
    }
}
