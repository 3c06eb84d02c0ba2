//! Decisions as a caller sees them.

#![allow(clippy::unwrap_used, clippy::panic)] // a test may fail loudly, its helpers too

use std::{sync::Arc, time::Duration};

use sark_engine::{
    CacheLimits, Decision, DecisionPath, Engine, EngineOptions, EvaluationError, EvaluationErrorKind, EvaluationLimits, Input,
    Module, Outcome, Policies,
};

const AUTHZ: &str = r#"package authz
default allow := false
allow if input.user.id == "alice"
reason := "she is alice" if allow
roles contains role if some role in data.base.roles
clock := time.now_ns()
soon if clock > 0
twice(x) := x * 2
four := twice(2)
"#;

fn options() -> EngineOptions {
    EngineOptions {
        cache: CacheLimits { max_entries: 100, max_bytes: 1 << 20, ttl: Duration::from_secs(60) },
        evaluation: EvaluationLimits::within(Duration::from_millis(200)),
    }
}

fn policies(sources: &[&str], data: &str) -> Arc<Policies> {
    let modules = sources
        .iter()
        .enumerate()
        .map(|(number, source)| Module { name: format!("m{number}.rego"), source: (*source).to_owned() })
        .collect();
    Arc::new(Policies::compile(modules, data.as_bytes()).unwrap())
}

fn engine(source: &str) -> Engine {
    Engine::new(policies(&[source], r#"{"base": {"roles": ["r1"], "0": "zero"}}"#), options()).unwrap()
}

fn path(text: &str) -> DecisionPath {
    DecisionPath::parse(text).unwrap()
}

fn result(engine: &Engine, at: &str, input: Option<&str>) -> Option<String> {
    let decision = engine.evaluate(&path(at), input.map(str::as_bytes)).unwrap();
    decision.result().map(|json| String::from_utf8(json.to_vec()).unwrap())
}

fn failure(engine: &Engine, at: &str) -> EvaluationErrorKind {
    match engine.evaluate(&path(at), Some(b"{}")) {
        Err(EvaluationError::Failed { kind, .. }) => kind,
        other => panic!("{other:?}"),
    }
}

#[test]
fn rules_packages_parts_of_values_and_base_data_are_answered() {
    let engine = engine(AUTHZ);
    let alice = Some(r#"{"user":{"id":"alice"}}"#);
    for (at, expected) in [
        ("authz/allow", Some("true")),
        ("authz/reason", Some(r#""she is alice""#)),
        ("authz/roles", Some(r#"["r1"]"#)),
        ("authz/roles/r1", Some(r#""r1""#)),
        ("authz/roles/r2", None),
        ("authz/four", Some("4")),
        ("authz/nothing", None),
        ("base/roles/0", Some(r#""r1""#)),
        ("base/0", Some(r#""zero""#)),
        ("no/such/package", None),
    ] {
        assert_eq!(result(&engine, at, alice).as_deref(), expected, "{at}");
    }
    assert_eq!(result(&engine, "authz/allow", None).as_deref(), Some("false"));
    assert_eq!(result(&engine, "authz/reason", Some("null")), None);
}

#[test]
fn a_package_holds_what_is_defined_and_nothing_else() {
    let engine = engine("package p\na := 1\nb := input.b\nc if false\nf(x) := x\nd := {\"u\": v | some v in [1]}");
    assert_eq!(result(&engine, "p", Some("{}")).as_deref(), Some(r#"{"a":1,"d":{"u":1}}"#));
    assert_eq!(result(&engine, "p", Some(r#"{"b":2}"#)).as_deref(), Some(r#"{"a":1,"b":2,"d":{"u":1}}"#));
}

#[test]
fn a_failed_builtin_is_undefined_and_a_conflict_is_an_error() {
    let engine = engine("package p\nbad := to_number(\"x\")\nworse if not to_number(\"x\")\nv := 1 if input\nv := 2 if input");
    assert_eq!(result(&engine, "p/bad", Some("{}")), None);
    assert_eq!(result(&engine, "p/worse", Some("{}")).as_deref(), Some("true"));
    assert_eq!(failure(&engine, "p/v"), EvaluationErrorKind::Evaluation);
}

#[test]
fn an_evaluation_that_runs_too_long_is_stopped_and_the_next_one_is_served() {
    let engine = engine(
        "package p\nslow := count([1 | some i in numbers.range(1, 3000); some j in numbers.range(1, 3000); i == j])\nok := 1",
    );
    assert_eq!(failure(&engine, "p/slow"), EvaluationErrorKind::Timeout);
    assert_eq!(result(&engine, "p/ok", None).as_deref(), Some("1"));
}

#[test]
fn missing_builtins_are_found_through_every_way_to_reach_them() {
    let source = "package p
import data.p as me
direct if http.send({})
by_rule if not direct
by_import if me.by_rule
by_function if f(1)
f(_) := rego.parse_module(\"x\", \"y\")
by_head[k] := 1 if k := net.lookup_ip_addr(\"x\")
by_every if every x in [1] { not direct with input as x }
by_comprehension := [x | x := data.p.by_import]
free := data.base.roles
default by_default := false
by_default if graphql.is_valid(\"x\", \"y\")";
    let both = policies(&[source, "package q\nby_package := data.p"], r#"{"base": {"roles": ["r1"]}}"#);
    let engine = Engine::new(both, options()).unwrap();
    let unsupported = engine.policies().unsupported();
    let reached = |rule: &str| unsupported.get(rule).cloned().unwrap_or_default().join(" ");
    for rule in ["direct", "by_rule", "by_import", "by_every", "by_comprehension"] {
        assert_eq!(reached(&format!("p/{rule}")), "http.send", "{rule}");
        assert_eq!(failure(&engine, &format!("p/{rule}")), EvaluationErrorKind::UnsupportedBuiltin);
    }
    assert_eq!(reached("p/by_function"), "rego.parse_module");
    assert_eq!(reached("p/by_head"), "net.lookup_ip_addr");
    assert_eq!(reached("p/by_default"), "graphql.is_valid");
    assert_eq!(reached("q/by_package"), "graphql.is_valid http.send net.lookup_ip_addr rego.parse_module");
    assert_eq!(result(&engine, "p/free", None).as_deref(), Some(r#"["r1"]"#));
    assert_eq!(failure(&engine, "p"), EvaluationErrorKind::UnsupportedBuiltin);
}

#[test]
fn in_a_partial_rule_and_those_below_it_nothing_is_that_no_rule_has_given() {
    let source = "package p\nkeyed[input.key].b := input.a\nkeyed.c.d := input.b\nallow if keyed.c\n\
        sets[input.key] := input.a\nsets.t contains input.b\nallow_by_set if sets.t\n\
        maps[input.key] := input.a\nmaps.n[input.q] := input.b\nallow_by_map if maps.n\n\
        plain[input.key] := input.a\nplain.x := {} if input.b";
    let engine = engine(source);

    assert_eq!(result(&engine, "p", Some("{}")).as_deref(), Some(r#"{"keyed":{},"maps":{},"plain":{},"sets":{}}"#));
    for path in ["p/allow", "p/allow_by_set", "p/allow_by_map", "p/keyed/c", "p/sets/t", "p/maps/n"] {
        assert_eq!(result(&engine, path, Some("{}")), None, "{path}");
    }
    let given = r#"{"key": "k", "a": 1, "b": 2, "q": "l"}"#;
    let whole = r#"{"allow":true,"allow_by_map":true,"allow_by_set":true,"keyed":{"c":{"d":2},"k":{"b":1}},"#.to_owned()
        + r#""maps":{"k":1,"n":{"l":2}},"plain":{"k":1,"x":{}},"sets":{"k":1,"t":[2]}}"#;
    assert_eq!(result(&engine, "p", Some(given)), Some(whole));
}

#[test]
fn defaults_of_rules_inside_of_others_are_left_to_opa() {
    for source in [
        "package p\nr[input.key] := input.a\ndefault r.x := 3\nallow if r.x\nfree := 1",
        "package p\ndefault r := {}\nr.x := 3 if input.b\nallow if r.x\nfree := 1",
    ] {
        let engine = engine(source);
        for path in ["p", "p/r", "p/r/x", "p/allow"] {
            assert_eq!(failure(&engine, path), EvaluationErrorKind::UnsupportedBuiltin, "{path}");
        }
        assert_eq!(result(&engine, "p/free", None).as_deref(), Some("1"));
    }
}

#[test]
fn a_policy_is_refused_with_its_place_and_its_reason() {
    for (source, data, message) in [
        ("package p\nallow if {", "{}", "m.rego:2:11: "),
        ("package p\nallow if nobody.knows(1)", "{}", "m.rego:2:10: undefined function nobody.knows"),
        ("package p\na if b\nb if not a", "{}", "is recursive"),
        ("package p\nallow if x", "{}", "m.rego:2:10: var x is unsafe"),
        ("package p\na := 1\na contains 2", "{}", "m.rego:3:1: data.p.a is defined with different kinds of rule"),
        ("package p\nallow if true", r#"{"p": {"allow": false}}"#, "the data has a value at p/allow"),
        ("package p\nallow if true", r#"{"p": 1}"#, "the data has a value above p/allow"),
        ("package d.b.a\nr := 1", r#"{"d": {"b": "x"}}"#, "the data has a value above d/b/a"),
        // What OPA makes of it hangs on how a reference reaches it.
        ("package d.b.a", r#"{"d": {"b": ["x"]}}"#, "the data has a value above d/b/a"),
        ("package p", "[1]", "the data must be a JSON object"),
        ("package p", "{", "the data is not valid JSON"),
    ] {
        let modules = vec![Module { name: "m.rego".into(), source: source.into() }];
        let error = Policies::compile(modules, data.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(message) && !error.contains('\n'), "{error}");
    }
}

#[test]
fn a_package_may_lie_in_base_data_and_at_a_value_where_it_has_no_rules() {
    for (data, whole) in [
        (r#"{"d": {"b": {"x": 1}}}"#, r#"{"a":{},"x":1}"#),
        (r#"{"d": {"b": {"a": {"y": 2}}}}"#, r#"{"a":{"y":2}}"#),
        (r#"{"d": {"b": {"a": "r"}}}"#, r#"{"a":"r"}"#),
    ] {
        let sources = ["package d.b.a", "package q\nall := {k: v | some k; v := data.d.b[k]}"];
        let engine = Engine::new(policies(&sources, data), options()).unwrap();
        assert_eq!(result(&engine, "d/b", None).as_deref(), Some(whole), "{data}");
        assert_eq!(result(&engine, "q/all", None).as_deref(), Some(whole), "{data}");
    }
}

#[test]
fn what_reaches_a_clock_is_not_cached_and_the_rest_is() {
    let engine = engine(AUTHZ);
    for (at, cached) in [("authz/allow", 1), ("authz/clock", 0), ("authz/soon", 0), ("authz", 0), ("authz/nothing", 1)] {
        engine.cache().clear();
        engine.decide(&path(at), Some(b"{}")).unwrap();
        assert_eq!(engine.cache().len(), cached, "{at}");
    }
}

#[test]
fn a_cached_decision_is_not_found_under_other_policies() {
    let engine = engine("package p\nv := 1");
    assert_eq!(engine.decide(&path("p/v"), None).unwrap().result(), Some(b"1".as_slice()));
    engine.replace_policies(policies(&["package p\nv := 2"], "{}")).unwrap();
    assert_eq!(engine.decide(&path("p/v"), None).unwrap().result(), Some(b"2".as_slice()));
}

#[test]
fn a_lane_follows_the_policies() {
    let engine = engine("package p\nv := 1");
    let mut lane = engine.lane().unwrap();
    assert_eq!(
        engine.evaluate_in(&mut lane, &path("p/v"), Input::of(None), Duration::from_secs(1)).unwrap().result(),
        Some(b"1".as_slice())
    );
    engine.replace_policies(policies(&["package p\nv := 2"], "{}")).unwrap();
    assert_eq!(
        engine.evaluate_in(&mut lane, &path("p/v"), Input::of(None), Duration::from_secs(1)).unwrap().result(),
        Some(b"2".as_slice())
    );
}

#[test]
fn threads_evaluate_side_by_side() {
    let engine = engine(AUTHZ);
    std::thread::scope(|scope| {
        for name in ["alice", "bob", "carol", "dave"] {
            let engine = &engine;
            scope.spawn(move || {
                let input = format!(r#"{{"user":{{"id":"{name}"}}}}"#);
                let expected = if name == "alice" { Outcome::Allow } else { Outcome::Deny };
                for _ in 0..200 {
                    let decision: Decision = engine.decide(&path("authz/allow"), Some(input.as_bytes())).unwrap();
                    assert_eq!(decision.outcome(), expected);
                }
            });
        }
    });
}

#[test]
fn a_lane_stops_after_the_shorter_of_the_calls_limit_and_the_engines() {
    // Given a product that takes far longer than the engine's limit, and a cheap rule beside it.
    let source = "package p\nslow := count([x | some i in numbers.range(1, 100000); some j in numbers.range(1, 100000); x := i * j])\n\
        v := 1";
    let engine = engine(source);
    let mut lane = engine.lane().unwrap();
    let timed = |lane: &mut sark_engine::Lane, limit| {
        let began = std::time::Instant::now();
        let answer = engine.evaluate_in(lane, &path("p/slow"), Input::of(None), limit);
        assert!(matches!(answer, Err(EvaluationError::Failed { kind: EvaluationErrorKind::Timeout, .. })), "{answer:?}");
        began.elapsed()
    };
    // When it is asked for with a short limit and with a long one, then each is stopped in its time.
    let short = timed(&mut lane, Duration::from_millis(10));
    let long = timed(&mut lane, Duration::from_secs(3600));
    assert!(long >= engine.time_limit(), "{long:?}");
    assert!(short < long, "{short:?} {long:?}");
    // And the lane goes on.
    assert_eq!(
        engine.evaluate_in(&mut lane, &path("p/v"), Input::of(None), Duration::from_secs(1)).unwrap().result(),
        Some(b"1".as_slice())
    );
}

#[test]
fn integers_of_any_size_are_exact_in_input_data_and_answer() {
    let module = "package p\ninput_id := input.id\ndata_id := data.id\nsame if input.id == data.id";
    let number = "123456789012345678901234567890";
    let engine = Engine::new(policies(&[module], &format!("{{\"id\":{number}}}")), options()).unwrap();
    let answer = |path: &str, id: &str| {
        let input = format!("{{\"id\":{id}}}");
        let decision = engine.evaluate(&DecisionPath::parse(path).unwrap(), Some(input.as_bytes())).unwrap();
        decision.result().map(|result| String::from_utf8(result.to_vec()).unwrap())
    };
    assert_eq!(answer("p/input_id", number).as_deref(), Some(number));
    assert_eq!(answer("p/data_id", "1").as_deref(), Some(number));
    assert_eq!(answer("p/same", number).as_deref(), Some("true"));
    assert_eq!(answer("p/same", "123456789012345678901234567891"), None);
}

#[test]
fn what_stands_for_a_function_reads_the_input_of_each_question_wherever_it_is() {
    let source = "package p\nf(_) := 1\ng(_) := input.a\nin_a_set := {x | x := f(1) with f as g}\n\
        in_a_call := count([x | x := f(1) with f as g; x == 2])\nin_a_test if { [x | x := abs(1) with abs as g] == [2] }\n\
        default otherwise := [x | x := f(1) with f as g]\notherwise := 1 if input.never\n";
    let engine = engine(source);
    let asked = |a: u8| result(&engine, "p", Some(&format!("{{\"a\":{a}}}"))).unwrap();

    assert_eq!(asked(1), r#"{"in_a_call":0,"in_a_set":[1],"otherwise":[1]}"#);
    assert_eq!(asked(2), r#"{"in_a_call":1,"in_a_set":[2],"in_a_test":true,"otherwise":[2]}"#);
}
