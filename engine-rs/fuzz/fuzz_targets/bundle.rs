//! Modules and data from anywhere: refused with a sentence, or answering in bounded time, and never a panic that gets out.
//! The input is split at NUL bytes: module, data, input.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sark_engine::{
    CacheLimits, DecisionPath, Engine, EngineOptions, EvaluationError, EvaluationErrorKind, EvaluationLimits, Module, Policies,
};
use std::{
    sync::{Arc, Once},
    time::{Duration, Instant},
};

static QUIET: Once = Once::new();

fuzz_target!(|bytes: &[u8]| {
    // The fuzzer's own hook aborts at any panic, also at one that the engine contains.
    QUIET.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    let mut parts = bytes.splitn(3, |byte| *byte == 0);
    let Ok(source) = std::str::from_utf8(parts.next().unwrap_or_default()) else { return };
    let data = parts.next().filter(|data| !data.is_empty()).unwrap_or(b"{}");
    let input = parts.next();
    let module = Module { name: "p.rego".into(), source: source.into() };
    let Ok(policies) = Policies::compile(vec![module], data) else { return };
    let packages = policies.packages().to_vec();
    let options = EngineOptions {
        cache: CacheLimits { max_entries: 10, max_bytes: 10_000, ttl: Duration::from_secs(1) },
        evaluation: EvaluationLimits::within(Duration::from_millis(50)),
    };
    let Ok(engine) = Engine::new(Arc::new(policies), options) else { return };
    for package in packages {
        let Ok(path) = DecisionPath::parse(&package.replace('.', "/")) else { continue };
        let began = Instant::now();
        let first = engine.evaluate(&path, input);
        // Generous: an instrumented build on a busy machine.
        assert!(began.elapsed() < Duration::from_secs(20), "the time limit did not hold");
        assert!(!matches!(&first, Err(EvaluationError::Failed { kind: EvaluationErrorKind::Panic, .. })), "{first:?}");
        if let Ok(decision) = first
            && engine.policies().is_cacheable(&path)
        {
            match engine.evaluate(&path, input) {
                Ok(second) => assert_eq!(decision, second, "the same question has one answer"),
                Err(EvaluationError::Failed { kind: EvaluationErrorKind::Timeout, .. }) => {}
                Err(error) => panic!("the same question failed: {error}"),
            }
        }
    }
});
