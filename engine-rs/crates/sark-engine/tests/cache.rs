//! Bounds, age and keys of the decision cache.

#![allow(clippy::unwrap_used, clippy::panic)] // a test may fail loudly, its helpers too

use std::{thread::sleep, time::Duration};

use proptest::prelude::*;
use sark_engine::{CacheLimits, Decision, DecisionCache, Outcome};

fn cache(max_entries: usize, max_bytes: u64, ttl: Duration) -> DecisionCache {
    DecisionCache::new(CacheLimits { max_entries, max_bytes, ttl }).unwrap()
}

fn decision(bytes: usize) -> Decision {
    Decision::from_json(format!("\"{}\"", "x".repeat(bytes)).as_bytes(), Outcome::Deny)
}

const LONG: Duration = Duration::from_secs(600);

#[test]
fn entries_are_bounded() {
    for max in [1, 10, 1_000, 5_000] {
        let cache = cache(max, 1 << 30, LONG);
        for number in 0..3 * max {
            cache.insert(cache.key("r", &number.to_string(), None), decision(1));
        }
        assert!(cache.len() <= max, "{} of {max}", cache.len());
        assert!(!cache.is_empty(), "nothing is kept with a bound of {max}");
    }
}

#[test]
fn bytes_are_bounded() {
    let cache = cache(1_000_000, 100_000, LONG);
    for number in 0..1_000 {
        cache.insert(cache.key("r", &number.to_string(), None), decision(1_000));
    }
    assert!(cache.weight() <= 100_000);
    assert!(cache.len() * 1_000 <= 100_000);
    cache.insert(cache.key("r", "huge", None), decision(200_000));
    assert!(cache.weight() <= 100_000);
}

#[test]
fn an_old_decision_is_not_answered() {
    let cache = cache(10, 1 << 20, Duration::from_millis(20));
    let key = cache.key("r", "p", None);
    cache.insert(key, decision(1));
    assert_eq!(cache.get(&key), Some(decision(1)));
    sleep(Duration::from_millis(30));
    assert_eq!(cache.get(&key), None);
    assert!(cache.is_empty());
}

type Question = (String, String, Option<Vec<u8>>);

fn question() -> impl Strategy<Value = Question> {
    // Few letters, so that parts often look alike when joined.
    ("[ab]{0,3}", "[ab]{0,3}", proptest::option::of(proptest::collection::vec(97_u8..99, 0..3)))
}

proptest! {
    #[test]
    fn two_questions_share_a_key_exactly_when_they_are_the_same(one in question(), two in question()) {
        let cache = cache(10, 1 << 20, LONG);
        let key = |question: &Question| cache.key(&question.0, &question.1, question.2.as_deref());
        prop_assert_eq!(key(&one) == key(&two), one == two);
    }

    #[test]
    fn another_process_has_other_keys(one in question()) {
        let (here, there) = (cache(10, 1 << 20, LONG), cache(10, 1 << 20, LONG));
        prop_assert_ne!(here.key(&one.0, &one.1, one.2.as_deref()), there.key(&one.0, &one.1, one.2.as_deref()));
    }
}
