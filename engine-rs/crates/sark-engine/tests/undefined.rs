//! Whatever a policy says, the answer is JSON, and undefined never becomes a value.

#![allow(clippy::unwrap_used, clippy::panic)] // a test may fail loudly, its helpers too

use std::{sync::Arc, time::Duration};

use proptest::prelude::*;
use sark_engine::{CacheLimits, DecisionPath, Engine, EngineOptions, EvaluationLimits, Module, Outcome, Policies};

fn scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        any::<i32>().prop_map(|number| number.to_string()),
        "[a-z<>&\u{e9}\u{2028} ]{0,8}".prop_map(|text| serde_json::Value::from(text).to_string()),
        Just("input.absent".to_owned()),
        Just("input.x.y".to_owned()),
        Just("data.nowhere".to_owned()),
    ]
}

fn term() -> impl Strategy<Value = String> {
    scalar().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(|items| format!("[{}]", items.join(", "))),
            proptest::collection::vec(inner.clone(), 1..3).prop_map(|items| format!("{{{}}}", items.join(", "))),
            inner.clone().prop_map(|value| format!("{{\"k\": {value}}}")),
            inner.prop_map(|value| format!("[v | v := {value}]")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn an_answer_is_json_or_undefined(value in term(), input in proptest::option::of(Just(r#"{"x":{"y":1}}"#))) {
        let source = format!("package p\nv := {value}\n");
        let compiled = Policies::compile(vec![Module { name: "p.rego".into(), source: source.clone() }], b"{}").unwrap();
        let limits = CacheLimits { max_entries: 10, max_bytes: 1 << 20, ttl: Duration::from_secs(9) };
        let options = EngineOptions { cache: limits, evaluation: EvaluationLimits::within(Duration::from_secs(5)) };
        let engine = Engine::new(Arc::new(compiled), options).unwrap();
        for path in ["p/v", "p"] {
            let decision = engine.decide(&DecisionPath::parse(path).unwrap(), input.map(str::as_bytes)).unwrap();
            let again = engine.decide(&DecisionPath::parse(path).unwrap(), input.map(str::as_bytes)).unwrap();
            prop_assert_eq!(&decision, &again);
            prop_assert_eq!(decision.result().is_none(), decision.outcome() == Outcome::Undefined);
            let body: serde_json::Value = serde_json::from_slice(decision.body()).unwrap();
            prop_assert_eq!(body.get("result").is_none(), decision.outcome() == Outcome::Undefined, "{}", source);
            prop_assert!(!body.to_string().contains("<undefined>"), "{}", source);
        }
    }
}
