//! Inputs and policies that mean harm: each ends in bounded time with a sentence, and the engine answers the next question.

#![allow(clippy::unwrap_used, clippy::panic)] // a test may fail loudly, its helpers too

use std::{
    fmt::Write,
    sync::Arc,
    time::{Duration, Instant},
};

use sark_engine::{
    CacheLimits, DecisionPath, Engine, EngineOptions, EvaluationError, EvaluationErrorKind, EvaluationLimits, Module, Policies,
};

fn many_keys(count: usize) -> String {
    (0..count).fold(String::new(), |mut keys, number| {
        let _ = write!(keys, "\"k{number}\":0,");
        keys
    })
}

fn engine(source: &str) -> Engine {
    engine_with_limit(source, Duration::from_millis(200))
}

/// One with time for calls that end, on a machine that has much else to do.
fn patient_engine(source: &str) -> Engine {
    engine_with_limit(source, Duration::from_secs(60))
}

fn engine_with_limit(source: &str, limit: Duration) -> Engine {
    let module = Module { name: "p.rego".into(), source: format!("package p\n{source}\nok := true") };
    let cache = CacheLimits { max_entries: 100, max_bytes: 1 << 20, ttl: Duration::from_secs(60) };
    let options = EngineOptions { cache, evaluation: EvaluationLimits::within(limit) };
    Engine::new(Arc::new(Policies::compile(vec![module], b"{}").unwrap()), options).unwrap()
}

fn ask(engine: &Engine, rule: &str, input: &[u8]) -> Result<Option<String>, EvaluationError> {
    let path = DecisionPath::parse(&format!("p/{rule}")).unwrap();
    let decision = engine.decide(&path, Some(input))?;
    Ok(decision.result().map(|json| String::from_utf8(json.to_vec()).unwrap()))
}

fn kind(answer: Result<Option<String>, EvaluationError>) -> Option<EvaluationErrorKind> {
    match answer {
        Err(EvaluationError::Failed { kind, .. }) => Some(kind),
        Err(EvaluationError::Input(_)) => None,
        Ok(answer) => panic!("answered {answer:?}"),
    }
}

#[test]
fn inputs_beyond_the_limits_are_unsupported_and_the_next_question_is_answered() {
    let engine = engine("echo := input");
    let keys = many_keys(1_000_000);
    for (what, input) in [
        ("arrays a million deep", "[".repeat(1_000_000)),
        ("objects a million deep", "{\"a\":".repeat(1_000_000)),
        ("a million keys", format!("{{{keys}\"last\":0}}")),
        ("a million empty arrays", format!("[{}[]]", "[],".repeat(1_000_000))),
        ("a number of 100,000 digits", "9".repeat(100_000)),
        ("a number of 310 digits", "9".repeat(310)),
        ("a huge exponent", "1e1000000".to_owned()),
        ("a tiny exponent", "1e-1000000".to_owned()),
        ("an exponent beyond 64 bits", "1e99999999999999999999".to_owned()),
    ] {
        assert_eq!(kind(ask(&engine, "echo", input.as_bytes())), Some(EvaluationErrorKind::UnsupportedInput), "{what}");
        assert_eq!(ask(&engine, "ok", b"{}").unwrap().as_deref(), Some("true"), "{what}");
    }
}

#[test]
fn inputs_within_the_limits_are_answered_however_odd() {
    let engine = engine("size := count(input)\necho := input");
    let keys = many_keys(100_000);
    assert_eq!(ask(&engine, "size", format!("{{{keys}\"k1\":1}}").as_bytes()).unwrap().as_deref(), Some("100000"));
    let text = "x".repeat(4 << 20);
    assert_eq!(ask(&engine, "size", format!("\"{text}\"").as_bytes()).unwrap().as_deref(), Some("4194304"));
    assert_eq!(ask(&engine, "echo", b"{\"a\":1,\"a\":2}").unwrap().as_deref(), Some("{\"a\":2}"));
    assert_eq!(ask(&engine, "echo", b"\"\xff\xe2\x82\"").unwrap().as_deref(), Some("\"\u{fffd}\u{fffd}\u{fffd}\""));
    let digits = "9".repeat(308);
    assert_eq!(ask(&engine, "echo", digits.as_bytes()).unwrap(), Some(digits));
}

#[test]
fn truncated_inputs_are_the_callers_mistake() {
    let engine = engine("echo := input");
    for input in ["", "{", "[1,", "\"abc", "{\"a\"", "\u{0}", "\"\\ud8\""] {
        assert_eq!(kind(ask(&engine, "echo", input.as_bytes())), None, "{input:?}");
    }
}

#[test]
fn a_policy_that_loops_over_a_product_is_stopped() {
    let engine = engine(
        "pairs := count([1 | some x in input; some y in input; some z in input; x + y == z])\n\
         every_pair if { every x in input { every y in input { x + y > 0 } } }",
    );
    let items = format!("[{}1]", "1,".repeat(5_000));
    for rule in ["pairs", "every_pair"] {
        assert_eq!(kind(ask(&engine, rule, items.as_bytes())), Some(EvaluationErrorKind::Timeout), "{rule}");
        assert_eq!(ask(&engine, "ok", b"{}").unwrap().as_deref(), Some("true"));
    }
}

#[test]
fn patterns_from_the_input_cost_no_more_than_their_length_allows() {
    let engine = engine(
        "default matches := false\nmatches if regex.match(input.pattern, input.text)\n\
         default globs := false\nglobs if glob.match(input.pattern, [], input.text)",
    );
    let text = "a".repeat(50_000);
    for pattern in ["(a*)*b", "(a|aa)+$b", "((a{1,100}){1,100}){1,100}b", "(?:a?){1000}a{1000}b"] {
        let input = format!("{{\"pattern\":\"{pattern}\",\"text\":\"{text}\"}}");
        // No clock looks inside of a search: one that may take long for this text is not begun.
        match ask(&engine, "matches", input.as_bytes()) {
            Ok(answer) => assert_eq!(answer.as_deref(), Some("false"), "{pattern}"),
            error => assert!(
                matches!(kind(error), Some(EvaluationErrorKind::Timeout | EvaluationErrorKind::UnsupportedBuiltin)),
                "{pattern}"
            ),
        }
    }
    let input = format!("{{\"pattern\":\"{}b\",\"text\":\"{}\"}}", "*a".repeat(30), "a".repeat(2_000));
    assert_eq!(ask(&engine, "globs", input.as_bytes()).unwrap().as_deref(), Some("false"));
}

#[test]
fn a_builtin_that_would_blow_up_ends_the_evaluation_and_is_not_undefined() {
    let engine = patient_engine(
        "range := numbers.range(1, input)\nnot_range if not numbers.range(1, input)\nshift := bits.lsh(1, input)\n\
         wide := sprintf(input, [1])\nnumber := to_number(input)\n\
         longer := replace(input, \"a\", input)\nmuch_longer := regex.replace(input, \"a\", input)\n\
         joined := concat(input, split(input, \"a\"))",
    );
    let long = format!("\"{}\"", "a".repeat(100_000));
    for (rule, input) in [
        ("range", "1000000000000"),
        ("not_range", "1000000000000"),
        ("shift", "1000000000"),
        ("wide", "\"%999999999d\""),
        ("number", "\"1e999999999\""),
        ("longer", long.as_str()),
        ("much_longer", long.as_str()),
        ("joined", long.as_str()),
    ] {
        let answer = ask(&engine, rule, input.as_bytes());
        assert!(matches!(kind(answer), Some(EvaluationErrorKind::UnsupportedBuiltin)), "{rule}");
    }
    assert_eq!(ask(&engine, "range", b"3").unwrap().as_deref(), Some("[1,2,3]"));
}

#[test]
fn a_chain_of_long_calls_ends_at_the_limit() {
    let engine = engine(
        "marshalled := count([1 | some x in input; json.marshal([input, x]) != \"\"])\n\
         split_up := count([1 | some x in split(input.text, \"\"); split(input.text, x)])\n\
         all := {x | some x in input}\nunited := count([1 | some x in input; (all | {x}) != x])\n\
         filtered := count([1 | some x in input; json.filter({\"a\": input}, [sprintf(\"a/%d\", [x])])])",
    );
    let numbers = format!("[{}]", (0..50_000).map(|number| number.to_string()).collect::<Vec<_>>().join(","));
    let text = format!("{{\"text\":\"{}\"}}", "abcdefgh".repeat(20_000));
    for (rule, input) in [("marshalled", &numbers), ("split_up", &text), ("united", &numbers), ("filtered", &numbers)] {
        let began = Instant::now();
        let answer = kind(ask(&engine, rule, input.as_bytes()));
        assert_eq!(answer, Some(EvaluationErrorKind::Timeout), "{rule}");
        assert!(began.elapsed() < Duration::from_secs(20), "{rule} took {:?}", began.elapsed());
        assert_eq!(ask(&engine, "ok", b"{}").unwrap().as_deref(), Some("true"), "{rule}");
    }
}

#[test]
fn a_path_of_many_segments_needs_no_stack() {
    let engine = patient_engine(
        "filtered := json.filter(input.object, input.paths)\nremoved := json.remove(input.object, input.paths)\n\
         found := object.get(input.object, input.paths[0], \"none\")",
    );
    let path = format!("[{}\"a\"]", "\"a\",".repeat(100_000));
    let text = "a/".repeat(100_000);
    let object = "{\"a\":{\"a\":{}},\"b\":1}";
    for paths in [path, format!("\"{text}\"")] {
        let input = format!("{{\"object\":{object},\"paths\":[{paths}]}}");
        for (rule, answer) in [("filtered", "{\"a\":{\"a\":{}}}"), ("removed", object), ("found", "\"none\"")] {
            assert_eq!(ask(&engine, rule, input.as_bytes()).unwrap().as_deref(), Some(answer), "{rule}");
        }
    }
}

/// The first module that is compiled is `source`, the second one shows that the engine is still there.
fn refusal(source: &str) -> Option<String> {
    let compile = |source: String| {
        let module = Module { name: "p.rego".into(), source };
        Policies::compile(vec![module], b"{}").err().map(|error| error.to_string())
    };
    let refused = compile(format!("package p\n{source}\nok := true"));
    assert_eq!(compile("package p\nok := true".into()), None);
    refused
}

#[test]
fn modules_that_nest_deeply_are_refused_before_they_are_parsed() {
    for (what, open, close) in [
        ("arrays", "[", "]"),
        ("sets", "{", "}"),
        ("objects", "{\"a\": ", "}"),
        ("keys", "{[", "]: 1}"),
        ("arrays that do not begin with each other", "[1, ", "]"),
        ("comprehensions", "[x | x := ", "]"),
        ("queries", "count([1 | ", "])"),
        ("unions", "[1 | ", ", 1]"),
        ("parentheses", "(", ")"),
        ("calls", "abs(", ")"),
        ("indices", "input[", "]"),
    ] {
        for depth in [101, 5_000, 200_000] {
            // Lines have an end, too.
            let (open, close) = (format!("{open}\n"), format!("\n{close}"));
            let source = format!("v := {}input{}", open.repeat(depth), close.repeat(depth));
            let told = refusal(&source).unwrap();
            assert!(told.starts_with("p.rego:") && told.contains("nest") && told.contains("deep"), "{what}: {told}");
        }
    }
    let bodies = format!("v if {{ {}true{} }}", "every x in input {\n".repeat(5_000), "}\n".repeat(5_000));
    assert!(refusal(&bodies).unwrap().contains("nest"));
}

#[test]
fn modules_with_endless_expressions_end_in_a_sentence() {
    for (what, first, more) in [
        ("sums", "1", "\n+ 1"),
        ("negative numbers", "", "-\n"),
        ("unions", "input", "\n| input"),
        ("fields", "input", ".a"),
        ("indices", "input", "[0]"),
        ("members", "1", "\nin input"),
        ("comparisons", "1", "\n== 1"),
    ] {
        let source = format!("v := {first}{} 1", more.repeat(15_000));
        assert!(refusal(&source).is_some(), "{what}");
    }
}

#[test]
fn expressions_just_within_the_limit_need_no_more_stack_than_a_thread_has() {
    for (first, more) in [("1", "\n+ 1"), ("input", ".a"), ("input", "[0]"), ("{1}", "\n| {1}"), ("1", "\nin [1]")] {
        assert_eq!(refusal(&format!("v := {first}{}", more.repeat(490))), None, "{first}{more}");
    }
    let elses = "else := 2 if false\n".repeat(10_000);
    assert_eq!(refusal(&format!("v := 1 if false\n{elses}")), None);
}

#[test]
fn data_may_nest_as_deep_as_an_input() {
    let data = format!("{{\"a\": {}1{}}}", "[".repeat(99), "]".repeat(99));
    let module = Module { name: "p.rego".into(), source: "package p\nv := data.a".into() };
    assert!(Policies::compile(vec![module], data.as_bytes()).is_ok());
}
