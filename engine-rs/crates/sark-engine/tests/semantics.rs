//! What rules mean, in the places where an evaluator is easily wrong. Every answer here was also given by OPA.

#![allow(clippy::unwrap_used)] // a test may fail loudly, its helpers too

use std::{sync::Arc, time::Duration};

use sark_engine::{
    CacheLimits, DecisionPath, Engine, EngineOptions, EvaluationError, EvaluationErrorKind, EvaluationLimits, Module, Policies,
};

fn engine(sources: &[&str], data: &str) -> Engine {
    let modules = sources
        .iter()
        .enumerate()
        .map(|(number, source)| Module { name: format!("m{number}.rego"), source: (*source).to_owned() })
        .collect();
    let cache = CacheLimits { max_entries: 10, max_bytes: 1 << 20, ttl: Duration::from_secs(1) };
    let options = EngineOptions { cache, evaluation: EvaluationLimits::within(Duration::from_secs(10)) };
    Engine::new(Arc::new(Policies::compile(modules, data.as_bytes()).unwrap()), options).unwrap()
}

fn answer(engine: &Engine, path: &str, input: &str) -> Result<Option<String>, EvaluationError> {
    let decision = engine.evaluate(&DecisionPath::parse(path).unwrap(), Some(input.as_bytes()))?;
    Ok(decision.result().map(|json| String::from_utf8(json.to_vec()).unwrap()))
}

/// `body` is a module without its package; the rule `p` of it must have the value `expected`, None for undefined.
fn check(cases: &[(&str, &str, Option<&str>)]) {
    for (body, input, expected) in cases {
        let engine = engine(&[&format!("package t\n{body}")], "{}");
        assert_eq!(answer(&engine, "t/p", input).unwrap().as_deref(), *expected, "{body} for {input}");
    }
}

#[test]
fn statements_run_when_their_variables_are_bound_whatever_their_order() {
    check(&[
        ("p := x if { y = x; x = 1; y == 1 }", "{}", Some("1")),
        ("p := x if { some i; x := input.a[i]; input.b[i] == 2 }", r#"{"a": [7, 8], "b": [1, 2]}"#, Some("8")),
        ("p := [x, y] if { [x, 2] = [1, y] }", "{}", Some("[1,2]")),
        ("p := x if { {\"a\": x, \"b\": 2} = {\"a\": 1, \"b\": 2} }", "{}", Some("1")),
        ("p := [k | some k, v in input; v == 1]", r#"{"a": 1, "b": 2, "c": 1}"#, Some(r#"["a","c"]"#)),
        ("p := x if { [_, {\"k\": x}] = input }", r#"[1, {"k": 5}]"#, Some("5")),
    ]);
}

#[test]
fn the_arguments_of_a_negated_call_are_evaluated_outside_of_the_negation() {
    check(&[
        ("p if not input.a == 1", "{}", Some("true")),
        ("p if not input.a", "{}", Some("true")),
        ("p if not count(input.a) == 1", "{}", None),
        ("p if not input.a != 1", "{}", None),
        ("p if not input.a in [1]", "{}", None),
        ("p if not f(input.a)\nf(x) if x == 1", "{}", None),
        ("p if not f(input.a)\nf(x) if x == 1", r#"{"a": 2}"#, Some("true")),
        ("p if not input.m[input.k] == 1", r#"{"m": {}}"#, None),
        ("import future.keywords.not\np if not count(input.a) == 1", "{}", Some("true")),
    ]);
}

#[test]
fn complete_rules_else_and_defaults() {
    check(&[
        ("default p := 0\np := 1 if input.a", "{}", Some("0")),
        ("p := 1 if input.a else := 2 if input.b else := 3", r#"{"b": true}"#, Some("2")),
        ("p := 1 if false else := input.x if true else := 3 if true", "{}", Some("3")),
        ("p := x if some x in [2, 2, 2]", "{}", Some("2")),
        ("p := false if input.a", r#"{"a": 1}"#, Some("false")),
        ("default f(_) := 0\nf(x) := 1 if x == 1\np := [f(1), f(2)]", "{}", Some("[1,0]")),
    ]);
    let conflict = engine(&["package t\np := x if some x in [1, 2]\nq := 1 if true\nq := 2 if true"], "{}");
    for rule in ["t/p", "t/q"] {
        let error = answer(&conflict, rule, "{}").unwrap_err();
        assert!(matches!(&error, EvaluationError::Failed { kind: EvaluationErrorKind::Evaluation, .. }), "{error:?}");
    }
}

#[test]
fn partial_rules_as_a_whole_and_by_their_entries() {
    check(&[
        ("s contains x if some x in input\np := s", "[3, 1, 3]", Some("[1,3]")),
        ("s contains x if some x in input\np if s[3]", "[3, 1]", Some("true")),
        ("s contains x if some x in input\np if s[2]", "[3, 1]", None),
        ("o[k] := v if some k, v in input\np := o[\"a\"]", r#"{"a": 1, "b": 2}"#, Some("1")),
        ("o[k][v] := true if some k, v in input\np := o", r#"{"a": "x"}"#, Some(r#"{"a":{"x":true}}"#)),
        ("o.a := 1\no[k] := 2 if some k in input\np := o", r#"["b"]"#, Some(r#"{"a":1,"b":2}"#)),
        ("s contains [x, y] if { some x in input; some y in input }\np := [y | s[[1, y]]]", "[1, 2]", Some("[1,2]")),
        ("p := count(s)\ns contains 1 if false", "{}", Some("0")),
    ]);
    let conflict = engine(&["package t\no[1] := v if some v in input"], "{}");
    assert!(answer(&conflict, "t/o", "[1, 2]").is_err());
}

#[test]
fn with_replaces_what_a_rule_sees_for_one_condition_only() {
    check(&[
        ("q := input.a\np := [x, y] if { x := q with input.a as 5; y := q }", r#"{"a": 1}"#, Some("[5,1]")),
        ("q := count(input.a)\np := [x, y] if { x := q with count as 9; y := q }", r#"{"a": [1]}"#, Some("[9,1]")),
        ("g(x) := x + 1\nf(x) := x\nq := f(1)\np := [x, y] if { x := q with f as g; y := q }", "{}", Some("[2,1]")),
        (
            "r := data.base.x\np := [x, y] if { x := r with data.base as {\"x\": 1}; y := r with data.base.x as 2 }",
            "{}",
            Some("[1,2]"),
        ),
        ("q if data.t.r == 2\nr := 1\np if q with data.t.r as 2", "{}", Some("true")),
        ("q := graph.reachable({\"a\": [\"b\"]}, {\"a\"})\np := x if x := q with graph.reachable as 1", "{}", Some("1")),
        ("q if input.a\np if q with input as input.b", "{}", None),
    ]);
}

#[test]
fn every_and_membership() {
    check(&[
        ("p if every x in input { x > 0 }", "[1, 2]", Some("true")),
        ("p if every x in input { x > 0 }", "[]", Some("true")),
        ("p if every x in input { x > 0 }", "[1, 0]", None),
        ("p if every x in input.a { x > 0 }", "{}", None),
        ("p if every x in input { x > 0 }", "5", None),
        ("p if every k, v in input { v == k }", "[0, 1]", Some("true")),
        ("p := 1 in input", "5", Some("false")),
        ("p := \"a\", 1 in input", r#"{"a": 1}"#, Some("true")),
    ]);
}

#[test]
fn numbers_are_exact_or_left_to_the_baseline() {
    check(&[
        ("p := input.a * input.a", r#"{"a": 9007199254740993}"#, Some("81129638414606699710187514626049")),
        ("p := input.a / 2", r#"{"a": 3}"#, Some("1.5")),
        ("p := input.a / 0", r#"{"a": 3}"#, None),
        ("p := input.a % 2", r#"{"a": 3}"#, Some("1")),
        ("p if 1 == 1.0", "{}", Some("true")),
        ("p := {1} - {1}", "{}", Some("[]")),
        ("p if [{}] < [set()]", "{}", Some("true")),
    ]);
    let engine = engine(&["package t\np := input.a + input.b"], "{}");
    let error = answer(&engine, "t/p", r#"{"a": 0.1, "b": 0.2}"#).unwrap_err();
    assert!(matches!(&error, EvaluationError::Failed { kind: EvaluationErrorKind::UnsupportedInput, .. }), "{error:?}");
}

#[test]
fn what_does_not_depend_on_the_input_is_the_same_for_every_question() {
    let engine = engine(
        &[
            "package t\nroles := {r | some r, _ in data.roles}\nwide := count(roles)\np := [wide, input.x]\nq := x if x := wide with data.roles as {}",
        ],
        r#"{"roles": {"a": 1, "b": 2}}"#,
    );
    for x in ["1", "2"] {
        let input = format!("{{\"x\": {x}}}");
        assert_eq!(answer(&engine, "t/p", &input).unwrap().unwrap(), format!("[2,{x}]"));
        assert_eq!(answer(&engine, "t/q", &input).unwrap().as_deref(), Some("0"));
    }
}

#[test]
fn packages_and_base_data_are_one_document() {
    let sources = ["package a.b\nx := 1\nf(y) := y", "package a.c\ny := data.a.b.x + 1", "package a.empty"];
    let engine = engine(&sources, r#"{"a": {"base": {"2": "two"}}, "list": [10, {"k": 20}]}"#);
    for (path, expected) in [
        ("a", Some(r#"{"b":{"x":1},"base":{"2":"two"},"c":{"y":2},"empty":{}}"#)),
        ("a/base/2", Some(r#""two""#)),
        ("list/1/k", Some("20")),
        ("a/nothing", None),
        ("a/empty", Some("{}")),
    ] {
        assert_eq!(answer(&engine, path, "{}").unwrap().as_deref(), expected, "{path}");
    }
}

#[test]
fn rules_may_call_each_other_thousands_deep() {
    let chain: String = (0..3_000).map(|number| format!("r{number} := r{}\n", number + 1)).collect::<Vec<_>>().concat();
    let engine = engine(&[&format!("package t\n{chain}r3000 := input.x\np := r0")], "{}");
    let small = std::thread::Builder::new().stack_size(512 << 10);
    let deep = small.spawn(move || answer(&engine, "t/p", r#"{"x": 7}"#)).unwrap().join().unwrap();
    assert_eq!(deep.unwrap().as_deref(), Some("7"));
}

#[test]
fn of_two_fields_with_one_constant_key_the_last_counts() {
    check(&[
        (r#"p := {"x": 1, "x": 2}"#, "{}", Some(r#"{"x":2}"#)),
        (r#"p := {"x": input.a, "x": 2}"#, "{}", Some(r#"{"x":2}"#)),
        (r#"p := {"x": 2, "x": input.a}"#, "{}", None),
        (r#"p := b if { {"x": a, "x": b} = {"x": 3}; a := 1 }"#, "{}", Some("3")),
        (r#"p if { {"x": 1, "x": 2} = input.o }"#, r#"{"o": {"x": 2}}"#, Some("true")),
        (r#"p if { {"x": 1, "x": 2} = input.o }"#, r#"{"o": {"x": 1}}"#, None),
    ]);
}

#[test]
fn keys_that_turn_out_equal_are_left_to_opa() {
    let opposed = [
        r#"p := {input.a: 1, "x": 2}"#,
        r#"p := {"x": 2, input.a: 1}"#,
        r#"p := {input.a: 1, "x": 1}"#,
        "p := {input.a: 1, input.b: 2}",
        r#"p if { {input.a: 1, "x": 2} = input.o }"#,
        r#"p if f({"x": 1})
f({input.a: 1, "x": 1}) := true"#,
    ];
    for body in opposed {
        let engine = engine(&[&format!("package t\n{body}")], "{}");

        let error = answer(&engine, "t/p", r#"{"a": "x", "b": "x", "o": {"x": 1}}"#).unwrap_err();

        assert!(
            matches!(&error, EvaluationError::Failed { kind: EvaluationErrorKind::UnsupportedInput, .. }),
            "{body}: {error:?}"
        );
    }
    check(&[
        (r#"p := {input.a: 1, "x": 2}"#, r#"{"a": "y"}"#, Some(r#"{"x":2,"y":1}"#)),
        (r#"p := {input.a: 1, "x": input.b}"#, r#"{"a": "x"}"#, None),
        (r#"p if { {input.a: 1, "x": 2} = input.o }"#, r#"{"a": "y", "o": {"x": 2, "y": 1}}"#, Some("true")),
        (r#"p if { {input.a: 1, "x": 2} = input.o }"#, r#"{"a": "x", "o": 7}"#, None),
    ]);
}

#[test]
fn an_object_whose_keys_may_be_one_term_is_left_to_opa() {
    // OPA never evaluates the value of the first of two such fields, which may be undefined or have several solutions.
    let bodies = [
        r#"p := {input.a: input.absent, input["a"]: 2}"#,
        "p := {[1]: input.absent, [1]: 2}",
        r#"p := {{"a": 1}: input.absent, {"a": 1}: 2}"#,
        r#"p := {lower("A"): input.absent, lower("A"): 2}"#,
        r#"p := r if { some k in ["x"]; r := {k: input.absent, k: 2} }"#,
        "p := [o | o := {input.a: input.l[_], input.a: 2}]",
        "p := [o | some i; o := {input.l[i]: input.absent, input.l[i]: 2}]",
        "p := {1: input.absent, 1.0: 2}",
        "p := {0.3: 1, 0.30000000000000001: 2}",
        "p := {plus(input.n, 1): input.absent, input.n + 1: 2}",
        r#"p := {rule: input.absent, data.t.rule: 2}
rule := "k""#,
        "p if not h({input.a: input.absent, input.a: 2})\nh(o) if o.z",
        "p if { {input.a: 1, input.a: 2} = input.o }",
        "p := r if r := q with input as {input.a: input.absent, input.a: 2}\nq := input",
    ];
    for body in bodies {
        let engine = engine(&[&format!("package t\n{body}")], "{}");

        let error = answer(&engine, "t/p", r#"{"a": "x", "n": 1, "l": ["x", "x"], "o": {"x": 2}}"#).unwrap_err();

        assert!(
            matches!(&error, EvaluationError::Failed { kind: EvaluationErrorKind::UnsupportedBuiltin, .. }),
            "{body}: {error:?}"
        );
    }
    check(&[
        ("p := {0.5: 1, 0.7: 2}", "{}", Some(r#"{"0.5":1,"0.7":2}"#)),
        (
            r#"p := {input.a: 1, input.b: 2, -1: 3, -2: 4, lower("C"): 5}"#,
            r#"{"a": "a", "b": "b"}"#,
            Some(r#"{"-1":3,"-2":4,"a":1,"b":2,"c":5}"#),
        ),
        ("p if { not h({\"x\": input.absent, \"x\": 2}) }\nh(o) if o.x == 1", "{}", Some("true")),
    ]);
}

/// How a module is taken whose rule `p` is asked: refused when it is loaded, or left to OPA.
fn turned_away(body: &str) -> &'static str {
    let modules = vec![Module { name: "m.rego".into(), source: format!("package t\n{body}") }];
    let Ok(policies) = Policies::compile(modules, b"{}") else {
        return "refused";
    };
    if policies.verdict(&DecisionPath::parse("t/p").unwrap()).tier.is_some() { "answered" } else { "left to OPA" }
}

#[test]
fn an_operator_whose_name_something_else_has_is_left_to_opa() {
    for body in [
        "plus(a, b) := 42\np := 1 + 2",
        "minus(a, b) := 42\np := -input.x",
        "equal(a, b) := false\np if 1 == 1",
        "lt(a, b) := false\np if 1 < 2",
        "and(a, b) := 7\np := {1} & {2}",
        "or(a, b) := 7\np := {1} | {2}",
        "internal.member_2(a, b) := 7\np := 1 in [1]",
        "eq(a, b) := false\np if 1 = 1",
        "p := x if { gt := 7; x := gt + 2; x > 3 }",
        "f(a, b) := 42\np := x if { x := 1 + 2 with plus as f }",
        "f(a, b) := true\np if { 1 > 2 with gt as f }",
    ] {
        assert_eq!(turned_away(body), "left to OPA", "{body}");
    }
    // A name without its operator.
    check(&[
        ("internal if input.x\np if internal", r#"{"x": true}"#, Some("true")),
        ("div := 7\np := div * 2", "{}", Some("14")),
    ]);
}

#[test]
fn a_called_function_that_a_variable_or_an_import_hides_is_refused() {
    for body in [
        "p := x if { count := 3; x := count([1]) }",
        "p := x if { x := count([1]); count := 3 }",
        "p := x if { count := 3; x := [y | y := count([1])] }",
        "p if { every count in [1] { count([1]) == 1 } }",
        "f(count) := count([1])\np := f(1)",
        "p := x if { json := 3; x := json.marshal(0) }",
        "f(x) := 2\np := x if { f := 3; x := f(1) }",
        "import data.q.count\np := count([1])",
        "import input.time\np := time.clock(0)",
        "time := 3\np := time.clock(0)",
    ] {
        assert_eq!(turned_away(body), "refused", "{body}");
    }
    check(&[
        ("p := [count | some count in [1, 2]]", "{}", Some("[1,2]")),
        ("p := x if { y := [time | some time in [1]]; x := time.clock(0) }", "{}", Some("[0,0,0]")),
        // What stands for a function is no variable.
        ("p := [x, y] if { x := upper(\"A\") with upper as lower; y := lower(\"B\") }", "{}", Some(r#"["a","b"]"#)),
    ]);
}

#[test]
fn a_function_and_what_is_below_it_is_not_asked_for_here() {
    let engine = engine(&["package t\nf(x) := {\"a\": 1}\na.g(x) := 1\np := f(1)"], "{}");
    for path in ["t/f", "t/f/a", "t/a/g"] {
        assert!(answer(&engine, path, "{}").is_err(), "{path}");
    }
    assert_eq!(answer(&engine, "t", "{}").unwrap().as_deref(), Some(r#"{"a":{},"p":{"a":1}}"#));
    assert_eq!(answer(&engine, "t/p/a", "{}").unwrap().as_deref(), Some("1"));
}

#[test]
fn what_rego_v1_has_not_is_refused() {
    for body in ["p := any([true])", "p := cast_array({1})", "p := re_match(`a`, `a`)", "p if { [x, 1] := [2, 1] }"] {
        assert_eq!(turned_away(body), "refused", "{body}");
    }
    assert_eq!(turned_away("f([y | y := g(1) with g as 2]) := 7\ng(x) := 1\np := f([2])"), "left to OPA");
    check(&[("any(x) := 7\np := any([true])", "{}", Some("7"))]);
}
