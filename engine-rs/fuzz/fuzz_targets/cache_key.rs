//! Whatever was asked before and however it is spelled, a cached answer is the answer that an evaluation gives.
//! The input is split at NUL bytes into the documents that are asked one after the other.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sark_engine::{
    CacheLimits, DecisionPath, Engine, EngineOptions, EvaluationLimits, Module, Policies,
    document::{read_input, write},
};
use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let source = "package p\necho := input\npart := input.a\nkinds := {k: type_name(v) | some k, v in input}";
    let module = Module { name: "p.rego".into(), source: source.into() };
    let policies = Policies::compile(vec![module], b"{}").expect("a policy");
    // Small enough that decisions are evicted all the time.
    let cache = CacheLimits { max_entries: 64, max_bytes: 64 << 10, ttl: Duration::from_secs(3_600) };
    Engine::new(Arc::new(policies), EngineOptions { cache, evaluation: EvaluationLimits::within(Duration::from_secs(5)) })
        .expect("an engine")
});

fuzz_target!(|bytes: &[u8]| {
    for document in bytes.split(|byte| *byte == 0).take(8) {
        ask(document);
        if let Ok(value) = read_input(document) {
            let mut respelled = b" ".to_vec();
            write(&mut respelled, &value).expect("what was read has no undefined part");
            ask(&respelled);
        }
    }
});

fn ask(document: &[u8]) {
    for name in ["p/echo", "p/part", "p/kinds"] {
        let path = DecisionPath::parse(name).expect("a path");
        let fresh = ENGINE.evaluate(&path, Some(document));
        assert_eq!(ENGINE.decide(&path, Some(document)), fresh, "first");
        assert_eq!(ENGINE.decide(&path, Some(document)), fresh, "again");
    }
}
