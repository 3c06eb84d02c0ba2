//! How long the engine keeps a decision of which class, and that nothing else about the cache changes.

#![allow(clippy::unwrap_used, clippy::panic)] // a test may fail loudly, its helpers too

use std::{sync::Arc, time::Duration};

use sark_engine::{
    Begun, CacheLimits, Clock, Decision, DecisionCache, DecisionPath, Engine, EngineOptions, EvaluationLimits, Lifetimes,
    Module, Outcome, Policies, Scope,
};

const POLICY: &str = r#"package p
answer := {"allow": true, "sensitivity": input.says} if input.says
else := true"#;
const LIMITS: CacheLimits = CacheLimits { max_entries: 100, max_bytes: 1 << 20, ttl: Duration::from_secs(300) };

fn engine() -> Engine {
    let modules = vec![Module { name: "p.rego".into(), source: POLICY.into() }];
    let options = EngineOptions { cache: LIMITS, evaluation: EvaluationLimits::within(Duration::from_secs(5)) };
    let classes = [("low", 300), ("critical", 0)].map(|(name, longest)| (name.to_owned(), Duration::from_secs(longest)));
    let lifetimes =
        Lifetimes::new(classes, Duration::ZERO, ["/resource/sensitivity", "/parts/0/sensitivity"], ["/sensitivity"]).unwrap();
    Engine::new(Arc::new(Policies::compile(modules, b"{}").unwrap()), options).unwrap().with_lifetimes(lifetimes)
}

/// How many decisions are kept after `input` was asked about twice, in two spellings each.
fn kept(input: &str) -> usize {
    let engine = engine();
    let path = DecisionPath::parse("p/answer").unwrap();
    for spelling in [input.to_owned(), input.to_owned(), format!(" {input}"), input.replace(':', ": ")] {
        assert!(engine.decide(&path, Some(spelling.as_bytes())).unwrap().result().is_some());
    }
    engine.cache().len()
}

#[test]
fn a_critical_decision_is_never_kept_whether_the_input_says_so_or_the_decision() {
    assert!(kept(r#"{"user":"a"}"#) > 0);
    assert!(kept(r#"{"resource":{"sensitivity":"low"}}"#) > 0);
    assert!(kept(r#"{"says":"low"}"#) > 0);
    assert_eq!(kept(r#"{"resource":{"sensitivity":"critical"}}"#), 0);
    assert_eq!(kept(r#"{"resource":{"sensitivity":"CRITICAL"}}"#), 0);
    assert_eq!(kept(r#"{"resource":{"sensitivity":"nobody knows"}}"#), 0);
    assert_eq!(kept(r#"{"says":"critical"}"#), 0);
    assert_eq!(kept(r#"{"resource":{"sensitivity":"low"},"says":"critical"}"#), 0);
}

#[test]
fn a_class_counts_where_no_policy_looks_also_when_evaluations_are_known_to_be_cheap() {
    for place in [
        r#""resource":{"sensitivity":"CLASS"}"#,
        r#""parts":[{"sensitivity":"CLASS"}]"#,
        r#""parts":{"0":{"sensitivity":"CLASS"}}"#,
    ] {
        let (engine, path) = (engine(), DecisionPath::parse("p/answer").unwrap());
        let ask = |says: usize, class: &str| {
            // The longer an input is, the longer its evaluation may take and still be cheap.
            let place = place.replace("CLASS", class);
            let input = format!(r#"{{{place},"says":"low","more":"{says}{}"}}"#, "x".repeat(100_000));
            engine.decide(&path, Some(input.as_bytes())).unwrap();
        };
        (0..100).for_each(|number| ask(number, "critical"));
        assert_eq!(engine.cache().len(), 0, "{place}");
        ask(100, "low");
        assert!(!engine.cache().is_empty(), "{place}");
    }
}

#[test]
fn a_decision_is_found_exactly_as_long_as_it_may_be_and_never_longer_than_the_cache_keeps_any() {
    for (longest, until) in [(60, 60), (300, 300), (900, 300)] {
        let (clock, hand) = Clock::manual();
        let cache = DecisionCache::with_clock(LIMITS, clock).unwrap();
        let key = cache.key(&Scope { revision: [1; 16], generation: 0 }, "p", Some(b"1".as_slice()));
        assert!(cache.insert_for(key, &Decision::from_json(b"true", Outcome::Allow), Duration::from_secs(longest)));
        hand.advance(Duration::from_millis(until * 1_000 - 1));
        assert!(cache.get(&key).is_some(), "{longest}");
        hand.advance(Duration::from_millis(1));
        assert!(cache.get(&key).is_none(), "{longest}");
    }
}

#[test]
fn what_must_not_be_kept_takes_the_place_of_what_was() {
    let cache = DecisionCache::new(LIMITS).unwrap();
    let key = cache.key(&Scope { revision: [1; 16], generation: 0 }, "p", Some(b"1".as_slice()));
    cache.insert(key, &Decision::from_json(b"true", Outcome::Allow));
    assert!(!cache.insert_for(key, &Decision::from_json(b"false", Outcome::Deny), Duration::ZERO));
    assert!(matches!(cache.begin(key), Begun::Lead(_)));
}
