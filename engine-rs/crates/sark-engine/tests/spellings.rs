//! Different spellings of one input share a decision, and only where no policy could tell them apart.

#![allow(clippy::unwrap_used, clippy::panic)] // a test may fail loudly, its helpers too

use std::{sync::Arc, time::Duration};

use sark_engine::{
    Begun, CacheLimits, Decision, DecisionPath, Engine, EngineOptions, EvaluationError, EvaluationErrorKind, EvaluationLimits,
    Input, Module, Policies, Source,
};

const LIMIT: Duration = Duration::from_secs(5);

fn engine(source: &str, max_entries: usize) -> Engine {
    let modules = vec![Module { name: "p.rego".into(), source: source.into() }];
    let cache = CacheLimits { max_entries, max_bytes: 1 << 24, ttl: Duration::from_secs(60) };
    Engine::new(
        Arc::new(Policies::compile(modules, b"{}").unwrap()),
        EngineOptions { cache, evaluation: EvaluationLimits::within(LIMIT) },
    )
    .unwrap()
}

fn path(text: &str) -> DecisionPath {
    DecisionPath::parse(text).unwrap()
}

fn decide(engine: &Engine, input: &str) -> Decision {
    engine.decide(&path("p/v"), Some(input.as_bytes())).unwrap()
}

/// Everything a policy can do to find out how a value was written.
const CURIOUS: &str = r#"package p
v := {
    "itself": input,
    "printed": sprintf("%v %s", [input, input]),
    "marshalled": json.marshal(input),
    "key": {input: 1},
    "type": type_name(input),
}"#;

#[test]
fn another_spelling_is_answered_without_an_evaluation_and_then_by_its_bytes() {
    let engine = engine(CURIOUS, 100);
    let first = decide(&engine, r#"{"user":"alice","roles":["a","b"],"n":1}"#);
    for spelling in [
        r#"{"n":1,"roles":["a","b"],"user":"alice"}"#,
        "{ \"user\" : \"\\u0061lice\", \"roles\" : [ \"a\", \"b\" ], \"n\" : 1 }",
        r#"{"user":"mallory","roles":["a","b"],"n":1,"user":"alice"}"#,
    ] {
        let before = engine.cache().stats();
        assert_eq!(decide(&engine, spelling), first, "{spelling}");
        assert_eq!(decide(&engine, spelling), first, "{spelling}");
        let after = engine.cache().stats();
        assert_eq!(after.canonical_hits, before.canonical_hits + 1, "{spelling}");
        assert_eq!((after.hits, after.misses), (before.hits + 1, before.misses), "{spelling}");
    }
    assert_ne!(decide(&engine, r#"{"user":"bob","roles":["a","b"],"n":1}"#), first);
    assert_ne!(decide(&engine, r#"{"user":"alice","roles":["b","a"],"n":1}"#), first);
}

#[test]
fn of_a_repeated_key_the_last_value_counts_as_in_an_evaluation() {
    let engine = engine("package p\ndefault v := false\nv if input.user == \"root\"", 100);
    let root = decide(&engine, r#"{"user":"root"}"#);
    let guest = decide(&engine, r#"{"user":"guest"}"#);
    assert_eq!(decide(&engine, r#"{"user":"guest","user":"root"}"#), root);
    assert_eq!(decide(&engine, r#"{"user":"root","user":"guest"}"#), guest);
    assert_eq!(engine.cache().stats().canonical_hits, 2);
}

#[test]
fn spellings_that_share_a_decision_are_evaluated_alike() {
    let spellings = [
        "1",
        "1.0",
        "1e0",
        "10e-1",
        "0",
        "0.0",
        "-0",
        "-0.0",
        "0e5",
        "-1",
        "-1.0",
        "1.5",
        "15e-1",
        "1e20",
        "100000000000000000000",
        "100000000000000000000.0",
        "18446744073709551615",
        "18446744073709551616",
        "18446744073709551616.0",
        "9007199254740993",
        "9007199254740993.0",
        "9007199254740992",
        "1e-7",
        "0.0000001",
        "123456789012345678901234567890",
        "123456789012345678901234567891",
        "1e30",
        "1000000000000000000000000000000",
        "[1]",
        "[1.0]",
        "{\"a\":1}",
        "{\"a\":1.0}",
    ];
    let shared = engine(CURIOUS, 1_000);
    for input in spellings {
        // What the engine cannot hold as it was written is refused, with and without a cache.
        let evaluated = shared.evaluate(&path("p/v"), Some(input.as_bytes()));
        for spelling in [input.to_owned(), format!(" {input}"), format!("{input} ")] {
            let decided = shared.decide(&path("p/v"), Some(spelling.as_bytes()));
            assert_eq!(decided.is_ok(), evaluated.is_ok(), "{spelling}");
            if let (Ok(decided), Ok(evaluated)) = (&decided, &evaluated) {
                assert_eq!(decided, evaluated, "{spelling} got the decision of another value");
            }
        }
    }
    assert!(shared.cache().stats().canonical_hits > 10, "many are the same value");
}

#[test]
fn a_decision_grows_no_younger_by_being_found_under_other_spellings() {
    let engine = {
        let modules = vec![Module { name: "p.rego".into(), source: "package p\nv := input.n".into() }];
        let cache = CacheLimits { max_entries: 100, max_bytes: 1 << 20, ttl: Duration::from_millis(300) };
        Engine::new(
            Arc::new(Policies::compile(modules, b"{}").unwrap()),
            EngineOptions { cache, evaluation: EvaluationLimits::within(LIMIT) },
        )
        .unwrap()
    };
    let began = std::time::Instant::now();
    let mut spelling = String::from(r#"{"n":1}"#);
    while began.elapsed() < Duration::from_secs(1) {
        decide(&engine, &spelling);
        spelling.push(' ');
        std::thread::sleep(Duration::from_millis(10));
    }
    let stats = engine.cache().stats();
    assert!(stats.misses >= 3, "evaluated anew each time it became too old: {stats:?}");
    assert!(stats.canonical_hits > stats.misses, "{stats:?}");
}

#[test]
fn a_flood_of_spellings_stays_within_the_bounds() {
    let engine = engine("package p\nv := input.n", 500);
    for blanks in 0..3_000 {
        decide(&engine, &format!(r#"{{"n":{}1}}"#, " ".repeat(blanks % 1_500)));
        assert!(engine.cache().len() <= 500);
    }
    assert_eq!(engine.cache().stats().misses, 1, "one input was evaluated once");
}

#[test]
fn who_evaluates_elsewhere_finds_other_spellings_too() {
    let engine = engine("package p\nv := input.n", 100);
    let first = decide(&engine, r#"{"n":1}"#);
    let lead = |input: &str| {
        let key = engine.cache_key(&path("p/v"), Some(input.as_bytes())).unwrap();
        match engine.cache().begin(key) {
            Begun::Lead(lead) => lead,
            other => panic!("{other:?}"),
        }
    };
    let found = engine.find_other_spelling(lead(r#"{ "n":1}"#), &path("p/v"), Some(br#"{ "n":1}"#));
    assert_eq!(found.unwrap(), first);
    let back = engine.find_other_spelling(lead(r#"{"n":2}"#), &path("p/v"), Some(br#"{"n":2}"#)).unwrap_err();
    back.complete(&Decision::undefined());
    assert_eq!(decide(&engine, r#"{"n": 2}"#), Decision::undefined());
    let unreadable = engine.find_other_spelling(lead("{"), &path("p/v"), Some(b"{"));
    assert!(unreadable.is_err());
}

#[test]
fn a_lane_leads_for_all() {
    let engine = engine("package p\nv := input.n", 100);
    let mut lane = engine.lane().unwrap();
    let mut sources = Vec::new();
    for input in [r#"{"n":1}"#, r#"{"n": 1}"#] {
        let Begun::Lead(lead) = engine.cache().begin(engine.cache_key(&path("p/v"), Some(input.as_bytes())).unwrap()) else {
            panic!("nobody answered it yet");
        };
        let input = Input::of(Some(input.as_bytes()));
        sources.push(engine.lead_in(&mut lane, &mut Some(lead), &path("p/v"), input, LIMIT).unwrap().1);
    }
    assert!(matches!(sources[..], [Source::Evaluation { kept_since: Some(_) }, Source::CanonicalInput]), "{sources:?}");
}

#[test]
fn a_lead_stays_with_who_did_not_come_to_an_answer() {
    let engine = engine("package p\nv := count([1 | some i in numbers.range(1, input.n); some j in numbers.range(1, i)])", 100);
    let input = br#"{"n":2000}"#.as_slice();
    let key = || engine.cache_key(&path("p/v"), Some(input)).unwrap();
    let Begun::Lead(lead) = engine.cache().begin(key()) else { panic!("nobody answered it yet") };
    let Begun::Wait(waiter) = engine.cache().begin(key()) else { panic!("somebody leads") };
    let (mut lane, mut lead) = (engine.lane().unwrap(), Some(lead));

    let stopped = engine.lead_in(&mut lane, &mut lead, &path("p/v"), Input::of(Some(input)), Duration::from_millis(1));

    assert!(matches!(stopped, Err(EvaluationError::Failed { kind: EvaluationErrorKind::Timeout, .. })), "{stopped:?}");
    assert!(matches!(engine.cache().begin(key()), Begun::Wait(_)), "whoever asks now waits too");
    // Whoever goes on with it answers those who waited all the while.
    lead.take().unwrap().complete(&Decision::undefined());
    assert_eq!(waiter.wait(LIMIT), Some(Decision::undefined()));
}
