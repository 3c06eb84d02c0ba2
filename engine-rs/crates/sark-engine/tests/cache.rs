//! Bounds, age, keys and waiting of the decision cache.

#![allow(clippy::unwrap_used, clippy::panic)] // a test may fail loudly, its helpers too

use std::{
    collections::HashMap,
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::Duration,
};

use proptest::prelude::*;
use sark_engine::{Begun, CacheKey, CacheLimits, Clock, Decision, DecisionCache, Lead, Outcome, Scope, Spelling, Waiter};

const LONG: Duration = Duration::from_secs(600);
const SCOPE: Scope = Scope { revision: [7; 16], generation: 0 };

fn cache(max_entries: usize, max_bytes: u64) -> DecisionCache {
    DecisionCache::new(CacheLimits { max_entries, max_bytes, ttl: LONG }).unwrap()
}

fn decision(bytes: usize) -> Decision {
    Decision::from_json(format!("\"{}\"", "x".repeat(bytes)).as_bytes(), Outcome::Deny)
}

fn key(cache: &DecisionCache, number: usize) -> CacheKey {
    cache.key(&SCOPE, "p", Spelling::Input(number.to_string().as_bytes()))
}

fn lead(cache: &DecisionCache, key: CacheKey) -> Lead {
    match cache.begin(key) {
        Begun::Lead(lead) => lead,
        other => panic!("{other:?}"),
    }
}

fn wait(cache: &DecisionCache, key: CacheKey) -> Waiter {
    match cache.begin(key) {
        Begun::Wait(waiter) => waiter,
        other => panic!("{other:?}"),
    }
}

#[test]
fn entries_are_bounded() {
    for max in [1, 10, 1_000, 5_000, 100_000] {
        let cache = cache(max, 1 << 30);
        for number in 0..3 * max {
            cache.insert(key(&cache, number), &decision(1));
        }
        assert!(cache.len() <= max, "{} of {max}", cache.len());
        assert!(cache.len() >= max * 9 / 10, "only {} are kept with a bound of {max}", cache.len());
        let stats = cache.stats();
        assert_eq!(stats.entries as u64, stats.inserts - stats.evictions, "{stats:?}");
    }
}

#[test]
fn bytes_are_bounded_whatever_the_sizes() {
    let cache = cache(1_000_000, 100_000);
    for number in 0..2_000 {
        cache.insert(key(&cache, number), &decision(number % 1_500));
        assert!(cache.weight() <= 100_000);
    }
    assert!(cache.weight() > 50_000, "room is used: {}", cache.weight());
}

#[test]
fn a_body_bigger_than_the_cache_is_not_kept_and_pushes_nothing_out() {
    let cache = cache(1_000_000, 100_000);
    for number in 0..50 {
        cache.insert(key(&cache, number), &decision(10));
    }
    cache.insert(cache.key(&SCOPE, "huge", Spelling::Absent), &decision(200_000));
    assert_eq!((cache.len(), cache.get(&cache.key(&SCOPE, "huge", Spelling::Absent))), (50, None));
    assert_eq!(cache.stats().evictions, 0);
}

#[test]
fn an_old_decision_is_not_answered_and_an_undefined_one_ages_sooner() {
    let (clock, hand) = Clock::manual();
    let limits = CacheLimits { max_entries: 10, max_bytes: 1 << 20, ttl: Duration::from_secs(60) };
    let cache = DecisionCache::with_clock(limits, clock).unwrap();
    let (defined, undefined) = (key(&cache, 1), key(&cache, 2));
    cache.insert(defined, &decision(1));
    cache.insert(undefined, &Decision::undefined());
    hand.advance(Duration::from_millis(4_999));
    assert_eq!(cache.get(&undefined), Some(Decision::undefined()));
    hand.advance(Duration::from_millis(1));
    assert_eq!(cache.get(&undefined), None);
    assert_eq!(cache.get(&defined), Some(decision(1)));
    hand.advance(Duration::from_secs(55));
    assert_eq!(cache.get(&defined), None);
    assert!(cache.is_empty());
    assert_eq!(cache.stats().expired, 2);
}

#[test]
fn waiters_get_the_leaders_answer_and_whoever_comes_later_a_hit() {
    let cache = cache(10, 1 << 20);
    let lead = lead(&cache, key(&cache, 1));
    let waiters = [wait(&cache, key(&cache, 1)), wait(&cache, key(&cache, 1))];
    thread::scope(|scope| {
        let threads: Vec<_> = waiters.into_iter().map(|waiter| scope.spawn(|| waiter.wait(LONG))).collect();
        lead.complete(&decision(3));
        for thread in threads {
            assert_eq!(thread.join().unwrap(), Some(decision(3)));
        }
    });
    assert!(matches!(cache.begin(key(&cache, 1)), Begun::Hit(hit) if hit == decision(3)));
    let stats = cache.stats();
    assert_eq!((stats.misses, stats.flights_joined, stats.hits, stats.inserts), (1, 2, 1, 1));
}

#[test]
fn a_leader_that_panics_sends_the_others_away_empty_handed() {
    let cache = cache(10, 1 << 20);
    let lead = lead(&cache, key(&cache, 1));
    let waiter = wait(&cache, key(&cache, 1));
    let panicked = thread::spawn(move || {
        let _lead = lead;
        panic!("an evaluation went wrong");
    });
    assert_eq!(waiter.wait(LONG), None);
    assert!(panicked.join().is_err());
    assert!(matches!(cache.begin(key(&cache, 1)), Begun::Lead(_)), "the next one may try");
}

#[test]
fn a_waiter_stops_at_its_deadline() {
    let cache = cache(10, 1 << 20);
    let _lead = lead(&cache, key(&cache, 1));
    assert_eq!(wait(&cache, key(&cache, 1)).wait(Duration::from_millis(5)), None);
}

#[derive(Default)]
struct Alarm(AtomicUsize);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn an_awaited_waiter_is_woken_once_and_a_dropped_one_never() {
    let cache = cache(10, 1 << 20);
    let (stays, leaves) = (Arc::new(Alarm::default()), Arc::new(Alarm::default()));
    let lead = lead(&cache, key(&cache, 1));
    let mut waiter = pin!(wait(&cache, key(&cache, 1)));
    let waker = Waker::from(Arc::clone(&stays));
    let mut context = Context::from_waker(&waker);
    assert_eq!(waiter.as_mut().poll(&mut context), Poll::Pending);
    assert_eq!(waiter.as_mut().poll(&mut context), Poll::Pending);
    {
        let mut given_up = pin!(wait(&cache, key(&cache, 1)));
        assert_eq!(given_up.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::clone(&leaves)))), Poll::Pending);
    }
    lead.complete(&decision(1));
    assert_eq!((stays.0.load(Ordering::SeqCst), leaves.0.load(Ordering::SeqCst)), (1, 0));
    assert_eq!(waiter.as_mut().poll(&mut context), Poll::Ready(Some(decision(1))));
}

#[test]
fn churn_from_several_threads_stays_within_the_bounds() {
    let cache = cache(20_000, 3 << 20);
    thread::scope(|scope| {
        for thread in 0..4_usize {
            let cache = &cache;
            scope.spawn(move || {
                for step in 0..60_000 {
                    let asked = key(cache, (step * (thread + 1)) % 50_000);
                    if let Begun::Lead(lead) = cache.begin(asked) {
                        lead.complete(&decision(step % 200));
                    }
                    if step % 1_000 == 0 {
                        assert!(cache.weight() <= 3 << 20, "{}", cache.weight());
                        assert!(cache.len() <= 20_000, "{}", cache.len());
                    }
                }
            });
        }
    });
    let stats = cache.stats();
    assert!(stats.evictions > 0);
    assert_eq!(stats.entries as u64, stats.inserts - stats.evictions, "{stats:?}");
}

/// Revision, path, whether the bytes are a whole body, and the bytes.
type Question = ([u8; 16], String, bool, Option<Vec<u8>>);

fn question() -> impl Strategy<Value = Question> {
    // Few letters, so that parts often look alike when joined.
    let bytes = prop::option::of(prop::collection::vec(97_u8..99, 0..3));
    // Without bytes it is neither a body nor an input.
    let spelled = (any::<bool>(), bytes).prop_map(|(is_body, bytes)| (is_body && bytes.is_some(), bytes));
    (prop::sample::select(vec![[97; 16], [98; 16]]), "[ab]{0,3}", spelled)
        .prop_map(|(revision, path, (is_body, bytes))| (revision, path, is_body, bytes))
}

fn key_of(cache: &DecisionCache, (revision, path, is_body, bytes): &Question) -> CacheKey {
    let spelling = match bytes {
        None => Spelling::Absent,
        Some(bytes) if *is_body => Spelling::Body(bytes),
        Some(bytes) => Spelling::Input(bytes),
    };
    cache.key(&Scope { revision: *revision, generation: 0 }, path, spelling)
}

/// What is done to a cache and to a map that never forgets by itself.
#[derive(Debug, Clone)]
enum Step {
    Get(u8),
    Insert(u8, u8),
    Lead(u8, u8),
    Pass(u16),
    Remove(u8),
    Clear,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0_u8..20).prop_map(Step::Get),
        (0_u8..20, any::<u8>()).prop_map(|(key, body)| Step::Insert(key, body)),
        (0_u8..20, any::<u8>()).prop_map(|(key, body)| Step::Lead(key, body)),
        (0_u16..4_000).prop_map(Step::Pass),
        (0_u8..20).prop_map(Step::Remove),
        Just(Step::Clear),
    ]
}

proptest! {
    #[test]
    fn two_questions_share_a_key_exactly_when_they_are_the_same(one in question(), two in question()) {
        let cache = cache(10, 1 << 20);
        prop_assert_eq!(key_of(&cache, &one) == key_of(&cache, &two), one == two);
    }

    #[test]
    fn another_process_has_other_keys(one in question()) {
        let (here, there) = (cache(10, 1 << 20), cache(10, 1 << 20));
        prop_assert_ne!(key_of(&here, &one), key_of(&there, &one));
    }

    #[test]
    fn with_room_for_all_the_cache_is_a_map_that_forgets_at_the_right_time(steps in prop::collection::vec(step(), 1..60)) {
        let (clock, hand) = Clock::manual();
        let limits = CacheLimits { max_entries: 5_000, max_bytes: 1 << 30, ttl: Duration::from_secs(10) };
        let cache = DecisionCache::with_clock(limits, clock).unwrap();
        let mut model: HashMap<u8, (Decision, u64)> = HashMap::new();
        let mut now = 0_u64;
        let made = |body: u8| if body < 64 { Decision::undefined() } else { decision(usize::from(body)) };
        let expires = |body: u8, now: u64| now + if body < 64 { 5_000 } else { 10_000 };
        for step in steps {
            match step {
                Step::Get(number) => {
                    let expected = model.get(&number).filter(|(_, until)| now < *until).map(|(kept, _)| kept.clone());
                    prop_assert_eq!(cache.get(&key(&cache, number.into())), expected);
                }
                Step::Insert(number, body) => {
                    cache.insert(key(&cache, number.into()), &made(body));
                    model.insert(number, (made(body), expires(body, now)));
                }
                Step::Lead(number, body) => match cache.begin(key(&cache, number.into())) {
                    Begun::Hit(hit) => {
                        let (kept, until) = &model[&number];
                        prop_assert!(hit == *kept && now < *until);
                    }
                    Begun::Lead(lead) => {
                        prop_assert!(model.get(&number).is_none_or(|(_, until)| *until <= now));
                        lead.complete(&made(body));
                        model.insert(number, (made(body), expires(body, now)));
                    }
                    Begun::Wait(_) => prop_assert!(false, "nobody else asks"),
                },
                Step::Pass(millis) => {
                    hand.advance(Duration::from_millis(millis.into()));
                    now += u64::from(millis);
                }
                Step::Remove(number) => {
                    let was_kept = cache.remove(&key(&cache, number.into()));
                    // One that is too old may still be there, or not.
                    let (there, fresh) = model.remove(&number).map_or((false, false), |(_, until)| (true, now < until));
                    prop_assert!(was_kept == there || !fresh);
                }
                Step::Clear => {
                    cache.clear();
                    model.clear();
                }
            }
        }
    }

    #[test]
    fn a_small_cache_answers_the_last_decision_or_none(
        numbers in prop::collection::vec((0_usize..40, 0_usize..300), 1..200), max in 1_usize..16, bytes in 100_u64..5_000,
    ) {
        let cache = cache(max, bytes);
        let mut last = HashMap::new();
        for (number, size) in numbers {
            cache.insert(key(&cache, number), &decision(size));
            last.insert(number, decision(size));
            prop_assert!(cache.len() <= max && cache.weight() <= bytes);
            for (number, last) in &last {
                if let Some(kept) = cache.get(&key(&cache, *number)) {
                    prop_assert_eq!(&kept, last);
                }
            }
        }
    }
}
