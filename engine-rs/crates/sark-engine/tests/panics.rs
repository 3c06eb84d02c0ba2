//! A panic anywhere on a question's way is an error of that question: none leaves the engine. In a process of its own, for which
//! panics are rehearsed.

#![allow(clippy::unwrap_used, clippy::panic)] // a test may fail loudly, its helpers too

use std::{sync::Arc, time::Duration};

use sark_engine::{
    Begun, CacheLimits, Decision, DecisionPath, Document, Engine, EngineOptions, EvaluationError, EvaluationErrorKind,
    EvaluationLimits, Input, Module, Policies, Spelled, contained, rehearse_panics_at_answers,
};

fn engine() -> Engine {
    let module = Module { name: "p.rego".into(), source: "package p\nv := input".into() };
    let cache = CacheLimits { max_entries: 100, max_bytes: 1 << 20, ttl: Duration::from_secs(60) };
    let options = EngineOptions { cache, evaluation: EvaluationLimits::within(Duration::from_secs(2)) };
    Engine::new(Arc::new(Policies::compile(vec![module], b"{}").unwrap()), options).unwrap()
}

/// Every way to ask for the decision about `input`, each of which writes it.
fn answers(engine: &Engine, input: &str) -> Vec<Result<Decision, EvaluationError>> {
    let path = DecisionPath::parse("p/v").unwrap();
    let bytes = Some(input.as_bytes());
    let mut lane = engine.lane().unwrap();
    let limit = Duration::from_secs(1);
    let lead = |text: &str| match engine.cache().begin(engine.cache_key(&path, Some(text.as_bytes())).unwrap()) {
        Begun::Lead(lead) => lead,
        _ => panic!("nobody else asks"),
    };
    let document = || Document { value: input.trim().trim_matches('"').into(), spelled: Spelled::default() };
    [
        contained(|| engine.evaluate(&path, bytes)),
        contained(|| engine.evaluate_in(&mut lane, &path, Input::of(bytes), limit)),
        contained(|| engine.decide(&path, bytes)),
        contained(|| engine.decide_value(&path, document())),
        contained(|| {
            let other = format!(" {input}");
            let lead = &mut Some(lead(&other));
            let mut lane = engine.lane().unwrap();
            let answer = engine.lead_in(&mut lane, lead, &path, Input::of(Some(other.as_bytes())), limit);
            answer.map(|(decision, _)| decision)
        }),
    ]
    .into_iter()
    .map(|answer| answer.unwrap_or_else(|message| panic!("left the engine: {message}")))
    .collect()
}

#[test]
fn a_panic_while_an_answer_is_written_is_an_error_of_that_question() {
    let engine = engine();
    rehearse_panics_at_answers(1.0);

    let answers_with_panics = answers(&engine, "\"a\"");

    rehearse_panics_at_answers(0.0);
    for answer in answers_with_panics {
        assert!(matches!(&answer, Err(EvaluationError::Failed { kind: EvaluationErrorKind::Panic, .. })), "{answer:?}");
    }
    for answer in answers(&engine, "\"b\"") {
        assert_eq!(answer.unwrap().result(), Some(b"\"b\"".as_slice()));
    }
}
