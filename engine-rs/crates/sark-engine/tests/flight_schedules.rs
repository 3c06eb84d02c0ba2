//! Single flight and the replacing of policies under thread schedules that no machine would choose by itself.
//!
//! The code under test is the engine's own; only its locks, atomics and the swapped pointer are modelled.

#![allow(clippy::unwrap_used, clippy::panic, dead_code)] // a test may fail loudly, its helpers too; not all parts are used

/// The primitives that `flight` is built on, modelled.
mod sync {
    pub(super) use std::sync::PoisonError;

    pub(super) use shuttle::sync::{
        Arc, Condvar, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    };
}

#[path = "../src/cache/flight.rs"]
mod flight;

use std::{collections::HashMap, time::Duration};

use flight::{Begun, SingleFlight, Store};
use shuttle::{
    future::block_on,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

const SCHEDULES: usize = 3_000;
const LONG: Duration = Duration::from_secs(3_600);

/// A question under policies with a revision.
type Key = (u8, &'static str);

#[derive(Debug, Default)]
struct Kept(Mutex<HashMap<Key, u32>>);

impl Kept {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, u32>> {
        self.0.lock().unwrap()
    }
}

impl Store for Kept {
    type Key = Key;
    type Value = u32;

    fn find(&self, key: &Key) -> Option<u32> {
        self.lock().get(key).copied()
    }

    fn spread(key: &Key) -> usize {
        usize::from(key.0)
    }
}

/// Asks as the engine does: look, then begin.
fn begin(flights: &Arc<SingleFlight<Kept>>, key: Key, generation: u64) -> Begun<Kept> {
    let landings = flights.landings(&key);
    match flights.store().find(&key) {
        Some(value) => Begun::Hit(value),
        None => flights.begin(key, generation, landings),
    }
}

fn keep(kept: &Kept, key: Key, value: u32) {
    kept.lock().insert(key, value);
}

/// What a caller does with a question; `blocks` chooses how it waits.
fn ask(flights: &Arc<SingleFlight<Kept>>, evaluations: &AtomicUsize, blocks: bool) -> u32 {
    match begin(flights, (1, "q"), 0) {
        Begun::Hit(value) => value,
        Begun::Lead(lead) => {
            evaluations.fetch_add(1, Ordering::SeqCst);
            thread::yield_now();
            lead.complete(&7, |kept, key| keep(kept, key, 7));
            7
        }
        Begun::Wait(waiter) => {
            let answer = if blocks { waiter.wait(LONG) } else { block_on(waiter) };
            answer.unwrap()
        }
    }
}

#[test]
fn however_many_ask_one_evaluates_and_all_are_answered() {
    shuttle::check_random(
        || {
            let flights = Arc::new(SingleFlight::new(Kept::default()));
            let evaluations = Arc::new(AtomicUsize::new(0));
            let threads: Vec<_> = [true, false, true]
                .into_iter()
                .map(|blocks| {
                    let (flights, evaluations) = (Arc::clone(&flights), Arc::clone(&evaluations));
                    thread::spawn(move || ask(&flights, &evaluations, blocks))
                })
                .collect();
            for thread in threads {
                assert_eq!(thread.join().unwrap(), 7);
            }
            assert_eq!(evaluations.load(Ordering::SeqCst), 1);
        },
        SCHEDULES,
    );
}

#[test]
fn nobody_hangs_on_a_leader_that_gives_up() {
    shuttle::check_random(
        || {
            let flights = Arc::new(SingleFlight::new(Kept::default()));
            let leaders = Arc::new(AtomicUsize::new(0));
            let threads: Vec<_> = [true, false, true]
                .into_iter()
                .map(|blocks| {
                    let (flights, leaders) = (Arc::clone(&flights), Arc::clone(&leaders));
                    thread::spawn(move || match begin(&flights, (1, "q"), 0) {
                        Begun::Hit(value) => panic!("{value} was never completed"),
                        Begun::Lead(lead) => {
                            leaders.fetch_add(1, Ordering::SeqCst);
                            thread::yield_now();
                            drop(lead);
                        }
                        Begun::Wait(waiter) => {
                            assert_eq!(if blocks { waiter.wait(LONG) } else { block_on(waiter) }, None);
                        }
                    })
                })
                .collect();
            for thread in threads {
                thread.join().unwrap();
            }
            assert!(leaders.load(Ordering::SeqCst) >= 1);
            assert!(matches!(begin(&flights, (1, "q"), 0), Begun::Lead(_)), "no flight is left behind");
        },
        SCHEDULES,
    );
}

/// Policies that serve: their number, their revision, and the answer that they give. Stands in for the swapped pointer.
#[derive(Clone, Copy)]
struct Serving {
    generation: u64,
    revision: u8,
    answer: u32,
}

struct Engine {
    serving: Mutex<Serving>,
    flights: Arc<SingleFlight<Kept>>,
}

impl Engine {
    /// The order of [`sark_engine::Engine::replace_policies`].
    fn replace(&self, serving: Serving) {
        self.flights.advance(serving.generation);
        *self.serving.lock().unwrap() = serving;
    }

    fn serving(&self) -> Serving {
        *self.serving.lock().unwrap()
    }

    /// As a serving thread does: the key is made under the policies of now, the evaluation runs under those of then.
    fn decide(&self) -> u32 {
        let asked = self.serving();
        match begin(&self.flights, (asked.revision, "q"), asked.generation) {
            Begun::Hit(value) => value,
            Begun::Lead(lead) => {
                let value = self.serving().answer;
                lead.complete(&value, |kept, key| keep(kept, key, value));
                value
            }
            Begun::Wait(waiter) => block_on(waiter).unwrap_or_else(|| self.serving().answer),
        }
    }
}

#[test]
fn policies_that_come_back_never_bring_the_answers_of_others_along() {
    const HISTORY: [Serving; 3] = [
        Serving { generation: 0, revision: 1, answer: 10 },
        Serving { generation: 1, revision: 2, answer: 20 },
        Serving { generation: 2, revision: 1, answer: 10 },
    ];
    shuttle::check_random(
        || {
            let engine =
                Arc::new(Engine { serving: Mutex::new(HISTORY[0]), flights: Arc::new(SingleFlight::new(Kept::default())) });
            let replaces = {
                let engine = Arc::clone(&engine);
                thread::spawn(move || HISTORY[1..].iter().for_each(|serving| engine.replace(*serving)))
            };
            let asks: Vec<_> = (0..2)
                .map(|_| {
                    let engine = Arc::clone(&engine);
                    thread::spawn(move || {
                        // Asked while the last ones serve, only their answer will do.
                        let is_last = engine.serving().generation == 2;
                        let value = engine.decide();
                        assert!(!is_last || value == 10, "{value}");
                    })
                })
                .collect();
            replaces.join().unwrap();
            assert_eq!(engine.decide(), 10);
            for thread in asks {
                thread.join().unwrap();
            }
            for (key, value) in engine.flights.store().lock().iter() {
                assert_eq!(*value, if key.0 == 1 { 10 } else { 20 }, "kept under revision {}", key.0);
            }
        },
        SCHEDULES * 3,
    );
}
