//! A number that OPA spells otherwise than the engine is never put into a text: OPA answers then.

#![allow(clippy::unwrap_used, clippy::panic)] // a test may fail loudly, its helpers too

use std::{sync::Arc, time::Duration};

use sark_engine::{
    CacheLimits, DecisionPath, Engine, EngineOptions, EvaluationError, EvaluationErrorKind, EvaluationLimits, Module, Policies,
    document::read_document,
};

fn engine_of(rules: &str, data: &str) -> Engine {
    let modules = vec![Module { name: "p.rego".into(), source: format!("package p\n{rules}") }];
    let cache = CacheLimits { max_entries: 100, max_bytes: 1 << 24, ttl: Duration::from_secs(60) };
    let options = EngineOptions { cache, evaluation: EvaluationLimits::within(Duration::from_secs(5)) };
    Engine::new(Arc::new(Policies::compile(modules, data.as_bytes()).unwrap()), options).unwrap()
}

/// The answer to `p/v`; None when it is left to OPA.
fn answer(engine: &Engine, input: &str) -> Option<String> {
    told(engine.evaluate(&DecisionPath::parse("p/v").unwrap(), Some(input.as_bytes())))
}

fn decision(engine: &Engine, input: &str) -> Option<String> {
    told(engine.decide(&DecisionPath::parse("p/v").unwrap(), Some(input.as_bytes())))
}

fn told(answer: Result<sark_engine::Decision, EvaluationError>) -> Option<String> {
    match answer {
        Ok(decision) => Some(String::from_utf8(decision.result().unwrap_or(b"undefined").to_vec()).unwrap()),
        Err(EvaluationError::Failed { kind: EvaluationErrorKind::UnsupportedInput, .. }) => None,
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn a_number_of_the_input_goes_into_no_text_unless_it_is_spelled_as_here() {
    for rule in [
        r#"v := sprintf("%v", [input])"#,
        r#"v := sprintf("%d", [input.n])"#,
        "v := json.marshal(input)",
        "v := base64.encode(json.marshal([{\"a\": input.n}]))",
        r#"v := concat(",", [json.marshal(x) | some x in [input.n]])"#,
        "v := {input.n: true}",
        "v[input.n] := true",
        "v := json.marshal(max([0, input.n]))",
        "f(x) := json.marshal(x)\nv := f(input.n)",
        "v := x if x := w with input.n as [input.n]\nw := json.marshal(input.n)",
    ] {
        let engine = engine_of(rule, "{}");
        for spelled in ["1.0", "12.50", "-0", "1e30", "0.0000001", "0.0001"] {
            let input = format!("{{\"n\": {spelled}}}");
            assert_eq!(answer(&engine, &input), None, "{rule} {input}");
        }
        for plain in ["1", "12.5", "0", "-7", "18446744073709551616"] {
            let input = format!("{{\"n\": {plain}}}");
            assert!(answer(&engine, &input).is_some(), "{rule} {input}");
        }
    }
}

#[test]
fn what_knows_numbers_by_their_worth_is_answered_here() {
    for (rule, expected) in [
        ("v if input.n == 1", "true"),
        ("v := input.n", "1"),
        ("v := [input.n + 1, count([input.n]), sum([input.n, 2])]", "[2,1,3]"),
        ("v := input.list[input.n]", "\"b\""),
        ("v := {input.n, 1}", "[1]"),
        (r#"v := sprintf("%s %d", ["a", 2])"#, "\"a 2\""),
        (r#"v := object.get({"a": input.n}, "a", 0)"#, "1"),
        ("v := json.marshal(input.n + 1)", "\"2\""),
        ("v := {x: y | some x, y in {\"a\": input.n}}", "{\"a\":1}"),
    ] {
        assert_eq!(answer(&engine_of(rule, "{}"), r#"{"n": 1.0, "list": ["a", "b"]}"#).as_deref(), Some(expected), "{rule}");
    }
}

#[test]
fn numbers_of_policies_and_data_are_noted_too() {
    for (rule, data) in [
        ("v := json.marshal(1.0)", "{}"),
        ("v := json.marshal([-1.50])", "{}"),
        ("v := json.marshal(-0)", "{}"),
        ("v := json.marshal(data.x)", r#"{"x": {"a": [2.0]}}"#),
        ("v := json.marshal(w)\nw := y if { some y in data.x }", r#"{"x": [2.0]}"#),
        ("v[1.0] := true", "{}"),
        ("v := data.x[input.one]", r#"{"x": {"1": "a"}, "y": 1.0}"#),
        ("v := data.x[1.0]", r#"{"x": {"1": "a"}}"#),
    ] {
        assert_eq!(answer(&engine_of(rule, data), r#"{"one": 1}"#), None, "{rule} {data}");
    }
    let other = engine_of("v := json.marshal(data.x)", r#"{"x": [3], "y": 2.0}"#);
    assert_eq!(answer(&other, "{}").as_deref(), Some("\"[3]\""));
}

#[test]
fn numbers_that_are_read_or_calculated_on_the_way_are_noted_for_one_evaluation() {
    for rule in [
        "v := json.marshal(json.unmarshal(input.text))",
        "v := json.marshal(to_number(input.text))",
        "v := json.marshal(w)\nw := json.unmarshal(\"[1.0]\")",
        "v := json.marshal([x | x := to_number(\"1.0\")])",
        "v := json.marshal(1000000.5 * 2.5)",
        "v := json.marshal(0 / -5)",
        "v := json.marshal(-0.5 * 0)",
        "v := json.marshal(sum([1000000.5, 1]))",
    ] {
        let engine = engine_of(rule, "{}");
        for _ in 0..3 {
            assert_eq!(answer(&engine, r#"{"text": "1.0"}"#), None, "{rule}");
        }
    }
    let engine = engine_of("v := [json.unmarshal(input.text), sprintf(\"%d\", [1])]", "{}");
    assert_eq!(answer(&engine, r#"{"text": "1.0"}"#), None);
    assert_eq!(answer(&engine, r#"{"text": "1"}"#).as_deref(), Some("[1,\"1\"]"));
}

#[test]
fn a_kept_decision_is_given_to_no_input_whose_numbers_are_spelled_otherwise() {
    let shown = engine_of("v := json.marshal(input)", "{}");
    assert!(decision(&shown, r#"{"n":1}"#).is_some());
    for spelling in [r#"{"n":1.0}"#, r#"{"n": 1.0}"#, r#"{"n":1.00}"#] {
        assert_eq!(decision(&shown, spelling), None, "{spelling}");
    }
    assert_eq!(decision(&shown, r#"{ "n":1}"#).as_deref(), Some(r#""{\"n\":1}""#));

    // Those whose same numbers are spelled otherwise share what does not depend on it.
    let compared = engine_of("v if input.n == 1", "{}");
    for spelling in [r#"{"n":1.0}"#, r#"{"n": 1.0}"#, r#"{"n":1.00}"#] {
        assert_eq!(decision(&compared, spelling).as_deref(), Some("true"));
    }
    assert_eq!(compared.cache().stats().canonical_hits, 2);
}

#[test]
fn data_that_is_spelled_otherwise_is_other_data() {
    let policies = |data: &str| {
        let modules = vec![Module { name: "p.rego".into(), source: "package p\nv := json.marshal(data.x)".into() }];
        Arc::new(Policies::compile(modules, data.as_bytes()).unwrap())
    };
    let engine = engine_of("v := json.marshal(data.x)", r#"{"x": 1}"#);
    assert_eq!(decision(&engine, "{}").as_deref(), Some("\"1\""));
    engine.replace_policies(policies(r#"{"x": 1.0}"#)).unwrap();
    assert_eq!(decision(&engine, "{}"), None);
    assert_ne!(policies(r#"{"x": 1.0}"#).revision(), policies(r#"{"x": 1}"#).revision());
}

#[test]
fn a_value_without_a_text_shares_the_decisions_of_texts() {
    let engine = engine_of("v := input.n", "{}");
    let path = DecisionPath::parse("p/v").unwrap();
    let object = |json: &str| told(engine.decide_value(&path, read_document(json.as_bytes()).unwrap()));
    assert_eq!(decision(&engine, r#"{"n":1}"#).as_deref(), Some("1"));
    assert_eq!(object(r#"{"n":1}"#).as_deref(), Some("1"));
    assert_eq!((engine.cache().stats().misses, engine.cache().stats().canonical_hits), (1, 1));
    assert_eq!(object(r#"{"n":1}"#).as_deref(), Some("1"));
    assert_eq!(engine.cache().stats().hits, 1);
    assert_eq!(object(r#"{"n":1.0}"#).as_deref(), Some("1"));
    assert_eq!(engine.cache().stats().misses, 2);
}

#[test]
fn a_whole_operand_that_python_writes_with_an_exponent_is_left_to_opa() {
    // A value without a text, as Python's 1e17 is one: what is noted says that it is spelled otherwise.
    let path = DecisionPath::parse("p/v").unwrap();
    for (rule, taken) in [
        (r#"v := substring("admin", 0, input.n)"#, "\"admin\""),
        (r#"v := substring("admin", input.n, 1)"#, "\"\""),
        ("v := array.slice([1, 2], 0, input.n)", "[1,2]"),
    ] {
        let engine = engine_of(rule, "{}");
        let value = |document| match engine.evaluate_value(&path, document) {
            Ok(value) => Some(value.to_string()),
            Err(EvaluationError::Failed { kind: EvaluationErrorKind::UnsupportedInput, .. }) => None,
            Err(other) => panic!("{other:?}"),
        };
        let mut document = read_document(br#"{"n": 100000000000000000}"#).unwrap();
        assert_eq!(value(document.clone()).as_deref(), Some(taken), "{rule}");
        document.spelled.note(&document.value["n"]);
        assert_eq!(value(document), None, "{rule}");
        assert!(value(read_document(br#"{"n": 1.0}"#).unwrap()).is_some(), "{rule}");
    }
}
