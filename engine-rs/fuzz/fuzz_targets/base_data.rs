//! A base document: what is accepted is answered back as it was, and its revision does not depend on how it is laid out. How numbers
//! are spelled is a part of it, since OPA shows that.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sark_engine::{
    CacheLimits, DecisionPath, Engine, EngineOptions, EvaluationLimits, Module, Policies,
    document::{read_document, read_input, write},
};
use std::{sync::Arc, time::Duration};

fuzz_target!(|data: &[u8]| {
    let module = Module { name: "p.rego".into(), source: "package sark_fuzz\nall := data.a".into() };
    let Ok(policies) = Policies::compile(vec![module.clone()], data) else { return };
    let options = EngineOptions {
        cache: CacheLimits { max_entries: 10, max_bytes: 10_000, ttl: Duration::from_secs(1) },
        evaluation: EvaluationLimits::within(Duration::from_secs(1)),
    };
    let Ok(document) = read_document(data) else { return };
    let value = document.value;
    let mut respelled = Vec::new();
    write(&mut respelled, &value).expect("what was read has no undefined part");
    let again = Policies::compile(vec![module], &respelled).expect("another spelling of what was accepted");
    assert_eq!(policies.revision() == again.revision(), document.spelled.is_empty());
    let engine = Engine::new(Arc::new(policies), options).expect("an engine");
    let path = DecisionPath::parse("sark_fuzz/all").expect("a path");
    let answer = engine.evaluate(&path, None).expect("a document is no error");
    let expected = &value["a"];
    match answer.result() {
        None => assert_eq!(expected, &sark_engine::Value::Undefined),
        Some(text) => assert_eq!(read_input(text).as_ref(), Ok(expected)),
    }
});
