//! The two versions of Rego's syntax.

#![allow(clippy::unwrap_used)] // a test may fail loudly

use std::{sync::Arc, time::Duration};

use sark_engine::{
    CacheLimits, DecisionPath, Engine, EngineOptions, EvaluationLimits, Input, Module, Policies, PolicyError, RegoVersion,
};

const OLD: &str = "package p\nallow { input.x == 1 }";
const NEW: &str = "package p\nallow if input.x == 1";

fn compile(version: RegoVersion, source: &str) -> Result<Policies, PolicyError> {
    Policies::compile_as(version, vec![Module { name: "p.rego".into(), source: source.into() }], b"{}")
}

#[test]
fn a_module_is_read_in_the_version_asked_for() {
    assert!(compile(RegoVersion::V0, OLD).is_ok());
    assert!(compile(RegoVersion::V1, OLD).is_err());
    assert!(compile(RegoVersion::V1, NEW).is_ok());
    assert!(compile(RegoVersion::V0, NEW).is_err());
    assert!(compile(RegoVersion::V0, &NEW.replace("package p", "package p\nimport rego.v1")).is_ok());
}

#[test]
fn every_evaluator_of_old_policies_reads_the_old_version() {
    let cache = CacheLimits { max_entries: 1, max_bytes: 1 << 10, ttl: Duration::from_secs(1) };
    let limit = Duration::from_secs(5);
    let options = EngineOptions { cache, evaluation: EvaluationLimits::within(limit) };
    let engine = Engine::new(Arc::new(compile(RegoVersion::V0, OLD).unwrap()), options).unwrap();
    let path = DecisionPath::parse("p/allow").unwrap();
    // The first is warmed by the engine, the others are built from the sources.
    let mut lanes = [engine.lane().unwrap(), engine.lane().unwrap(), engine.lane().unwrap()];
    for lane in &mut lanes {
        let decision = engine.evaluate_in(lane, &path, Input::of(Some(br#"{"x": 1}"#)), limit).unwrap();
        assert_eq!(decision.result(), Some(b"true".as_slice()));
    }
}
