//! Arithmetic is OPA's, or left to OPA, with numbers of every size and spelling.
//!
//! `arithmetic.txt` has what OPA 1.22.2 answers: a `=` stands where the engine says the same, a `~` where it leaves the question to OPA.

#![allow(clippy::unwrap_used, clippy::panic)] // a test may fail loudly, its helpers too

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use sark_engine::{
    CacheLimits, Decision, DecisionPath, Engine, EngineOptions, EvaluationError, EvaluationErrorKind, EvaluationLimits, Module,
    Policies,
};

const ANSWERS: &str = include_str!("arithmetic.txt");

struct Row {
    /// With `input[0]` and `input[1]` in the place of the operands.
    expression: String,
    operands: [String; 2],
    left_to_opa: bool,
    answer: String,
}

fn rows() -> impl Iterator<Item = Row> {
    ANSWERS.lines().map(|line| {
        let (question, left_to_opa, answer) = match line.split_once(" = ") {
            Some((question, answer)) => (question, false, answer),
            None => line.split_once(" ~ ").map(|(question, answer)| (question, true, answer)).unwrap(),
        };
        let words: Vec<&str> = question.split([' ', '(', ')', ',']).filter(|word| !word.is_empty()).collect();
        let (expression, left, right) = match words.as_slice() {
            ["format_int", number, base] => ("format_int(input[0], input[1])".to_owned(), *number, *base),
            [left, sign, right] => (format!("input[0] {sign} input[1]"), *left, *right),
            [name, number] => (format!("{name}(input[0])"), *number, "0"),
            _ => panic!("{line}"),
        };
        Row { expression, operands: [left.to_owned(), right.to_owned()], left_to_opa, answer: answer.to_owned() }
    })
}

/// The operator of an expression under its name.
fn named(expression: &str) -> Option<String> {
    let sign = expression.strip_prefix("input[0] ")?.split(' ').next()?;
    let names = [("+", "plus"), ("-", "minus"), ("*", "mul"), ("/", "div"), ("%", "rem")];
    let (_, name) = names.into_iter().find(|(known, _)| *known == sign)?;
    Some(format!("{name}(input[0], input[1])"))
}

fn engine_of(expression: &str) -> Engine {
    let modules = vec![Module { name: "p.rego".into(), source: format!("package p\nv := {expression}") }];
    let cache = CacheLimits { max_entries: 100, max_bytes: 1 << 24, ttl: Duration::from_secs(60) };
    let options = EngineOptions { cache, evaluation: EvaluationLimits::within(Duration::from_secs(5)) };
    Engine::new(Arc::new(Policies::compile(modules, b"{}").unwrap()), options).unwrap()
}

/// None when it is left to OPA.
fn answer(engine: &Engine, input: &str) -> Option<String> {
    let told = |decision: Decision| String::from_utf8(decision.result().unwrap_or(b"undefined").to_vec()).unwrap();
    match engine.evaluate(&DecisionPath::parse("p/v").unwrap(), Some(input.as_bytes())) {
        Ok(decision) => Some(told(decision)),
        Err(EvaluationError::Failed {
            kind: EvaluationErrorKind::UnsupportedInput | EvaluationErrorKind::UnsupportedBuiltin,
            ..
        }) => None,
        Err(other) => panic!("{other:?}"),
    }
}

/// An answer as the engine spells it: OPA has `-0`, and `2.5e+09` for a fraction.
fn worth(answer: &str) -> String {
    match answer {
        "-0" => "0".to_owned(),
        _ if answer.contains("e+") => answer.parse::<f64>().unwrap().to_string(),
        _ => answer.to_owned(),
    }
}

#[test]
fn numbers_of_the_input_are_reckoned_with_as_by_opa() {
    let mut engines = BTreeMap::new();
    for Row { expression, operands: [left, right], left_to_opa, answer: expected } in rows() {
        let expected = (!left_to_opa).then(|| worth(&expected));
        let input = format!("[{left}, {right}]");
        for expression in [Some(expression.clone()), named(&expression)].into_iter().flatten() {
            let engine = engines.entry(expression.clone()).or_insert_with_key(|expression| engine_of(expression));
            assert_eq!(answer(engine, &input), expected, "{expression} of {input}");
        }
    }
}

#[test]
fn a_number_of_the_policy_is_reckoned_with_as_one_of_the_input() {
    for Row { expression, operands: [left, right], left_to_opa, answer: expected } in rows() {
        let input = format!("[{left}, {right}]");
        for written in [expression.replace("input[0]", &left), expression.replace("input[1]", &right)] {
            match answer(&engine_of(&written), &input) {
                Some(told) => {
                    assert!(!left_to_opa, "{written} of {input} is {told}");
                    assert_eq!(told, worth(&expected), "{written} of {input}");
                }
                // A number with an exponent.
                None => assert!(left_to_opa || written.contains('e'), "{written} of {input}"),
            }
        }
    }
}

#[test]
fn a_whole_number_with_a_point_is_the_integer_and_a_fraction_below_zero_is_exact() {
    for (expression, input, expected) in [
        ("input.id / 1.0", r#"{"id": 12345678901234567890}"#, "12345678901234567890"),
        ("input.id == 12345678901234567890.0", r#"{"id": 12345678901234567890}"#, "true"),
        ("sum([12345678901234567890.0, input.id])", r#"{"id": 1}"#, "12345678901234567891"),
        ("input.id > -0.1", r#"{"id": -0.05}"#, "true"),
        ("-input.id", r#"{"id": 0.3}"#, "-0.3"),
        ("0.5 + 0.5 + input.id", r#"{"id": 12345678901234567890}"#, "12345678901234567891"),
        ("to_number(\"9007199254740993.0\") + input.id", r#"{"id": 0}"#, "9007199254740993"),
    ] {
        assert_eq!(answer(&engine_of(expression), input).as_deref(), Some(expected), "{expression}");
    }
}

#[test]
fn the_whole_part_is_written_as_by_opa_or_not_at_all() {
    let engine = engine_of("format_int(input[0], input[1])");
    for (input, expected) in [("[-0.5, 8]", Some("\"0\"")), ("[15, 8.0]", None), ("[123456789012345678901.0, 10]", None)] {
        assert_eq!(answer(&engine, input).as_deref(), expected, "{input}");
    }
}
