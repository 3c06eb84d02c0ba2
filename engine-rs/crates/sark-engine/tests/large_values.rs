//! Policies whose values grow without end: in parts, in levels or in memory. Each question ends with an error of its own, and the engine
//! answers the next one. Each test runs in a process of its own, with little memory: what it is about ends a process.

#![allow(clippy::unwrap_used, clippy::panic)] // a test may fail loudly, its helpers too

use std::{fmt::Write, process::Command, sync::Arc, time::Duration};

use sark_engine::{
    CacheLimits, DecisionPath, Document, Engine, EngineOptions, EvaluationError, EvaluationErrorKind, EvaluationLimits, Module,
    Policies,
};

const IN_CHILD: &str = "SARK_TEST_IN_CHILD";
/// Address space of a child: twice what an evaluation may take, for the pieces that grow, with what a process has anyway.
const MOST_KILOBYTES: u32 = 1_500_000;
/// Processor time of a child, in seconds; each takes a few.
const MOST_SECONDS: u32 = 60;

/// Run `work` in a process of its own, which runs the test called `name` again.
fn in_child(name: &str, work: impl FnOnce()) {
    if std::env::var_os(IN_CHILD).is_some() {
        return work();
    }
    let again = Command::new("sh")
        .args(["-c", &format!("ulimit -c 0; ulimit -v {MOST_KILOBYTES}; ulimit -t {MOST_SECONDS}; exec \"$0\" \"$@\"")])
        .arg(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(IN_CHILD, "1")
        .output()
        .unwrap();
    let told = [again.stdout, again.stderr].map(|told| String::from_utf8_lossy(&told).into_owned()).concat();
    assert!(again.status.success() && told.contains("1 passed"), "{}: {told}", again.status);
}

/// An engine whose evaluations end for other reasons than their time, also on a machine that is busy.
fn engine(source: &str) -> Engine {
    engine_within(Duration::from_secs(600), source)
}

fn engine_within(limit: Duration, source: &str) -> Engine {
    engine_with(EvaluationLimits::within(limit), source)
}

fn engine_with(evaluation: EvaluationLimits, source: &str) -> Engine {
    let module = Module { name: "p.rego".into(), source: format!("package p\n{source}\nok := input") };
    let cache = CacheLimits { max_entries: 100, max_bytes: 1 << 20, ttl: Duration::from_secs(60) };
    let options = EngineOptions { cache, evaluation };
    Engine::new(Arc::new(Policies::compile(vec![module], b"{}").unwrap()), options).unwrap()
}

fn ask(engine: &Engine, rule: &str, input: &str) -> Result<Option<String>, EvaluationError> {
    let path = DecisionPath::parse(&format!("p/{rule}")).unwrap();
    let decision = engine.decide(&path, Some(input.as_bytes()))?;
    Ok(decision.result().map(|json| String::from_utf8(json.to_vec()).unwrap()))
}

/// The kind and sentence of the error that `rule` ends with; the engine answers the next question.
fn refused(engine: &Engine, rule: &str, input: &str) -> (EvaluationErrorKind, String) {
    let answer = ask(engine, rule, input);
    assert_eq!(ask(engine, "ok", "[1]").unwrap().as_deref(), Some("[1]"), "{rule}");
    match answer {
        Err(EvaluationError::Failed { kind, message }) => (kind, message),
        Err(error) => panic!("{rule}: {error}"),
        Ok(answer) => panic!("{rule}: answered with {} bytes", answer.unwrap_or_default().len()),
    }
}

fn is_too_large(engine: &Engine, rule: &str, input: &str) {
    let (kind, told) = refused(engine, rule, input);
    assert!(kind == EvaluationErrorKind::Evaluation && told.contains("parts"), "{rule}: {told}");
}

/// Rules `NAME0` to `NAME{count}`, each of which is `next` of the one before, written as `@`.
fn chain(name: &str, first: &str, next: &str, count: usize) -> String {
    (0..count).fold(format!("{name}0 := {first}\n"), |mut rules, number| {
        let _ = writeln!(rules, "{name}{} := {}", number + 1, next.replace('@', &format!("{name}{number}")));
        rules
    })
}

#[test]
fn values_that_double_have_an_end() {
    in_child("values_that_double_have_an_end", || {
        for first in ["\"x\"", "input"] {
            for next in [
                "[@, @]",
                "{\"l\": @, \"r\": @}",
                "{[@, 1], [@, 2]}",
                "{[@, 1]: @}",
                "[@ | some _ in [1, 2]]",
                "{\"l\": @, \"r\": [x | some x in [@, @]]}",
                "array.concat([@], [@])",
                "object.union({\"l\": @}, {\"r\": @})",
                "[x | some i, x in [@, @]]",
            ] {
                let engine = engine(&chain("a", first, next, 40));

                is_too_large(&engine, "a40", "\"x\"");
            }
        }
    });
}

#[test]
fn values_that_double_in_other_places_have_an_end() {
    in_child("values_that_double_in_other_places_have_an_end", || {
        let locals: String = (0..40).fold(String::new(), |mut body, number| {
            let _ = writeln!(body, "x{} := [x{number}, x{number}]", number + 1);
            body
        });
        let functions = chain("f", "1", "@", 0)
            + &(0..40).fold("g0(x) := [x, x]\n".to_owned(), |mut rules, number| {
                let _ = writeln!(rules, "g{}(x) := g{number}([x, x])", number + 1);
                rules
            });
        let partial = (0..40).fold("s0 contains input\n".to_owned(), |mut rules, number| {
            let next = number + 1;
            let _ = writeln!(rules, "s{next} contains [s{number}, i] if some i in [1, 2]");
            rules
        });
        let objects = (0..40).fold("o0[k] := input if some k in [\"a\", \"b\"]\n".to_owned(), |mut rules, number| {
            let next = number + 1;
            let _ = writeln!(rules, "o{next}[k] := o{number} if some k in [\"a\", \"b\"]");
            rules
        });
        let source = format!(
            "locals := x40 if {{\nx0 := input\n{locals}}}\nend if {{\nx0 := input\n{locals}x40 == x40 }}\n{functions}\nfunction := g40(input)\n{partial}{objects}"
        );
        let engine = engine(&source);
        for rule in ["locals", "end", "function", "s40", "o40"] {
            is_too_large(&engine, rule, "\"x\"");
        }
        let many = format!("[{}1]", "1,".repeat(9_999));
        let pairs =
            self::engine("all := [input | some _ in input]\nby_name := {sprintf(\"%d\", [i]): input | some i, _ in input}");
        for rule in ["all", "by_name"] {
            is_too_large(&pairs, rule, &many);
        }
    });
}

#[test]
fn values_that_double_are_not_compared_without_end() {
    in_child("values_that_double_are_not_compared_without_end", || {
        // Within the limit: 2^20 parts.
        let doubled = chain("a", "input", "[@, @]", 20) + &chain("b", "input", "[@, @]", 20);
        let source = format!(
            "{doubled}same if a20 == b20\nmember if a20 in [b20]\nset := count({{a20, b20}})\n\
             ordered if a20 <= b20\nkeyed := count({{a20: 1}})\nwalked := count([1 | walk(a20, _)])\n\
             often := [i | some i in numbers.range(1, 100000); a20 == b20]\n\
             sets := count({{[j, a20] | some i in numbers.range(1, 100000); j := i % 2}})"
        );
        let patient = engine(&source);
        for (rule, answer) in
            [("same", "true"), ("member", "true"), ("set", "1"), ("ordered", "true"), ("keyed", "1"), ("walked", "2097151")]
        {
            assert_eq!(ask(&patient, rule, "1").unwrap().as_deref(), Some(answer), "{rule}");
        }
        let hurried = engine_within(Duration::from_secs(1), &source);
        for rule in ["often", "sets"] {
            assert_eq!(refused(&hurried, rule, "1").0, EvaluationErrorKind::Timeout, "{rule}");
        }
    });
}

/// What was there for a moment is no memory taken: a loop may go through more values than there is room for at once.
#[test]
fn what_is_gone_again_is_not_counted() {
    in_child("what_is_gone_again_is_not_counted", || {
        let engine = engine(
            "pairs := count([1 | some a in input.items; some b in input.items; [a, b] == [b, a]])\n\
             granted := {p | some p in input.items}\n\
             missing := count([1 | some i in numbers.range(1, 10000); need := {i % 1000}; count(need - granted) == 0])\n\
             common := count([1 | some i in numbers.range(1, 10000); need := {i % 1000}; need & granted == need])\n\
             got := count([1 | some i in numbers.range(1, 20000); object.get(input.table, [\"all\"], {})[sprintf(\"k%d\", [i % 1000])]])\n\
             kept := count([x | some i in numbers.range(1, 2000); x := json.filter(input.table, [[\"all\", sprintf(\"k%d\", [i % 1000])]])])\n\
             longer := count([1 | some i in numbers.range(1, 10000); count(array.concat(input.items, [i])) > 0])\n\
             replaced := count([1 | some i in numbers.range(1, 2000); named with input.table.all.k5 as i])\n\
             named if input.table.all.k5 > 0",
        );
        let items: Vec<String> = (0..1_000).map(|number| number.to_string()).collect();
        let fields: Vec<String> = (0..1_000).map(|number| format!("\"k{number}\":1")).collect();
        let input = format!("{{\"items\":[{}],\"table\":{{\"all\":{{{}}}}}}}", items.join(","), fields.join(","));
        for (rule, answer) in [
            ("pairs", "1000"),
            ("missing", "10000"),
            ("common", "10000"),
            ("got", "20000"),
            ("kept", "2000"),
            ("longer", "10000"),
            ("replaced", "2000"),
        ] {
            assert_eq!(ask(&engine, rule, &input).unwrap().as_deref(), Some(answer), "{rule}");
        }
    });
}

/// What is kept may take as much as the engine was given for an evaluation.
#[test]
fn what_is_kept_ends_at_the_memory_of_an_evaluation() {
    in_child("what_is_kept_ends_at_the_memory_of_an_evaluation", || {
        let source = "kept := count({i: [i, i, i] | some i in numbers.range(1, 500000)})";
        let time = Duration::from_secs(600);
        let strict = engine_with(EvaluationLimits { time, memory: 32 << 20 }, source);

        let (kind, told) = refused(&strict, "kept", "1");

        assert_eq!(kind, EvaluationErrorKind::Evaluation);
        assert!(told.contains("more memory than its limit"), "{told}");
        let usual = engine_within(time, source);
        assert_eq!(ask(&usual, "kept", "1").unwrap().as_deref(), Some("500000"));
    });
}

#[test]
fn answers_have_a_longest() {
    in_child("answers_have_a_longest", || {
        let engine = engine(&chain("a", "input", "[@, @]", 20));
        let text = format!("\"{}\"", "\\u0001".repeat(31));

        let (kind, told) = refused(&engine, "a19", &text);

        assert_eq!(kind, EvaluationErrorKind::Evaluation);
        assert!(told.contains("too long"), "{told}");
        assert_eq!(ask(&engine, "a16", "\"x\"").unwrap().unwrap().len(), (4 + 2 + 1) * (1 << 16) - 3 - (1 << 16) + 2 - 2);
    });
}

#[test]
fn builtins_write_no_endless_texts() {
    in_child("builtins_write_no_endless_texts", || {
        let engine = engine(&format!(
            "{}marshal := json.marshal(a18)\nindented := json.marshal_with_options(a18, {{\"pretty\": true}})\n\
             printed := sprintf(\"%v\", [a18])\nextra := sprintf(\"\", [a18])\ntwice := sprintf(\"%v%v\", [a15, a15])\n\
             again := sprintf(concat(\"\", [\"%[1]v\" | some _ in numbers.range(1, 100000)]), [a10])\n\
             wide := sprintf(concat(\"\", [\"%9000d\" | some _ in numbers.range(1, 100000)]), numbers.range(1, 100000))\n\
             joined := concat(\"\", [input.text | some _ in numbers.range(1, 1000000)])\n\
             asked := urlquery.encode_object({{\"k\": [input.text | some _ in numbers.range(1, 1000000)]}})",
            chain("a", "[input.text]", "[@, @]", 20)
        ));
        let input = format!("{{\"text\": \"{}\"}}", "x".repeat(1_000));
        for rule in ["marshal", "indented", "printed", "extra", "twice", "again", "wide", "joined", "asked"] {
            let (kind, told) = refused(&engine, rule, &input);
            let is_limit = told.contains("more than the engine allows") || told.contains("parts");
            assert!(is_limit && kind != EvaluationErrorKind::Panic, "{rule}: {told}");
        }
    });
}

#[test]
fn builtins_copy_no_more_than_there_is_room_for() {
    in_child("builtins_copy_no_more_than_there_is_room_for", || {
        let one = chain("a", "{\"x\": input}", "{\"l\": @, \"r\": @}", 21);
        let other = chain("b", "{\"x\": input}", "{\"l\": @, \"r\": @}", 21);
        let copies = [r#"{"op": "copy", "from": "/a", "path": "/a/b"}"#; 60].join(",");
        let engine = engine(&format!(
            "{one}{other}union := count(object.union(a20, b20))\nunions := count(object.union_n([a20, b20]))\n\
             filtered := count(json.filter(a20, [\"l\"]))\nremoved := count(json.remove(a20, [\"l/l/l\"]))\n\
             patched := json.patch({{\"a\": {{\"c\": input}}}}, [{copies}])\n\
             patched_large := count(json.patch(a20, [{{\"op\": \"add\", \"path\": \"/z\", \"value\": 1}}]))\n\
             small := json.patch({{\"a\": {{\"c\": input}}}}, [{{\"op\": \"copy\", \"from\": \"/a\", \"path\": \"/b\"}}])"
        ));
        for rule in ["union", "unions", "patched", "patched_large"] {
            refused(&engine, rule, "1");
        }
        for rule in ["filtered", "removed"] {
            // Within the limit or not, it ends.
            let _ = ask(&engine, rule, "1");
        }
        assert_eq!(ask(&engine, "small", "1").unwrap().as_deref(), Some(r#"{"a":{"c":1},"b":{"c":1}}"#));
    });
}

/// Whether it ends because it nests too deeply.
fn is_too_deep(engine: &Engine, rule: &str, input: &str) {
    let (kind, told) = refused(engine, rule, input);
    // A text of more levels than an input may have is left to OPA.
    let limits = ["nest too deeply", "more than the engine allows", "json.unmarshal of these operands"];
    let is_limit = limits.iter().any(|limit| told.contains(limit));
    assert!(kind != EvaluationErrorKind::Panic && is_limit, "{rule}: {told}");
}

#[test]
fn values_nest_only_so_deep() {
    in_child("values_nest_only_so_deep", || {
        for first in ["\"x\"", "input"] {
            for next in [
                "[@]",
                "{@}",
                "{\"k\": @}",
                "{@: 1}",
                "[x | x := @]",
                "{x | x := @}",
                "{\"k\": x | x := @}",
                "[1, [2, [3, @]]]",
                "y if y := input.k with input.k as [@]",
                "array.concat([@], [])",
                "object.union({}, {\"k\": @})",
                "json.patch({}, [{\"op\": \"add\", \"path\": \"/k\", \"value\": @}])",
                "[json.unmarshal(json.marshal(@))]",
            ] {
                let engine = engine(&chain("a", first, next, 5_000));

                is_too_deep(&engine, "a5000", "\"x\"");
            }
        }
    });
}

#[test]
fn values_of_partial_rules_and_functions_nest_only_so_deep() {
    in_child("values_of_partial_rules_and_functions_nest_only_so_deep", || {
        let mut source = "s0 contains input\no0.k := input\nf0(x) := x\nw0 := input\n".to_owned();
        for number in 0..3_000 {
            let next = number + 1;
            let _ = writeln!(source, "s{next} contains s{number}\no{next}[k] := o{number} if some k in [\"k\"]");
            let _ = writeln!(source, "f{next}(x) := f{number}([x])\nw{next} := y if walk(w{number}, y)");
        }
        let engine = engine(&format!("{source}\nf := f3000(input)"));
        for rule in ["s3000", "o3000", "f", "w3000"] {
            let (kind, _) = refused(&engine, rule, "\"x\"");
            assert_eq!(kind, EvaluationErrorKind::Evaluation, "{rule}");
        }
        let copies = [r#"{"op": "copy", "from": "/a", "path": "/a/a/a/a/a"}"#; 12].join(",");
        let moves = [r#"{"op": "add", "path": "/a/a", "value": {"a": {"a": 1}}}"#; 400].join(",");
        let engine = self::engine(&format!(
            "copied := json.patch({{\"a\": {{\"a\": {{\"a\": {{\"a\": input}}}}}}}}, [{copies}])\n\
             added := json.patch({{\"a\": {{\"a\": 1}}}}, [{moves}])"
        ));
        let _ = ask(&engine, "copied", "1");
        assert!(ask(&engine, "added", "1").is_ok());
    });
}

#[test]
fn values_as_deep_as_policies_have_them_are_answered() {
    let engine = engine(&chain("a", "input", "[@]", 390));
    let input = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    assert_eq!(ask(&engine, "a390", &input).unwrap().unwrap().len(), 2 * 490 + 1);
    let path = DecisionPath::parse("p/a390").unwrap();
    let one = Document { value: 1.into(), spelled: sark_engine::Spelled::default() };
    assert!(engine.evaluate_value(&path, one).is_ok());
}

#[test]
fn documents_of_rules_nest_only_so_deep() {
    in_child("documents_of_rules_nest_only_so_deep", || {
        let package = ["a"; 28].join(".");
        let modules = vec![
            Module { name: "p.rego".into(), source: "package p\nok := input".into() },
            Module { name: "deep.rego".into(), source: format!("package p.{package}\n{}", chain("v", "input", "[@]", 480)) },
        ];
        let cache = CacheLimits { max_entries: 100, max_bytes: 1 << 20, ttl: Duration::from_secs(60) };
        let options = EngineOptions { cache, evaluation: EvaluationLimits::within(Duration::from_secs(600)) };
        let engine = Engine::new(Arc::new(Policies::compile(modules, b"{}").unwrap()), options).unwrap();
        assert!(ask(&engine, &format!("{}/v480", package.replace('.', "/")), "1").is_ok());
        is_too_deep(&engine, "a", "1");
        let keys = "[\"k\"]".repeat(20);
        let engine = self::engine(&format!("{}\nlong{keys} := v490", chain("v", "input", "[@]", 490)));
        assert!(ask(&engine, "v490", "1").is_ok());
        is_too_deep(&engine, "long", "1");
    });
}

/// Whether it ends because of its memory.
fn is_too_much(engine: &Engine, rule: &str, input: &str) {
    let (kind, told) = refused(engine, rule, input);
    let is_memory = kind == EvaluationErrorKind::Evaluation && (told.contains("memory") || told.contains("parts"));
    let is_bound = kind == EvaluationErrorKind::UnsupportedBuiltin && told.contains("more than the engine allows");
    assert!(is_memory || is_bound, "{rule}: {told}");
}

#[test]
fn an_evaluation_takes_only_so_much_memory() {
    in_child("an_evaluation_takes_only_so_much_memory", || {
        let engine = engine(
            "many := numbers.range(1, 1000000)\n\
             array := count([x | some x in many; some _ in many])\n\
             set := count({z | some x in many; some y in many; z := x * y})\n\
             object := count({z: 1 | some x in many; some y in many; z := (x * 1000000) + y})\n\
             ranges := count([numbers.range(1, 1000000) | some _ in many])\n\
             arrays := count([[x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x] | some x in many; some _ in many])\n\
             partial contains (x * 1000000) + y if { some x in many; some y in many }\n\
             fields[x] := y if { some x in many; y := [x, x, x, x, x, x, x, x] }\n\
             f(x) := sprintf(\"%01000d\", [x])\n\
             texts := count([f(x) | some x in many])\n\
             pieces := count(split(input.text, \"\"))\n\
             parsed := count([json.unmarshal(input.list) | some _ in many])\n\
             walked := count([p | some _ in many; walk(many, p)])",
        );
        let input = format!("{{\"text\": \"{}\", \"list\": \"[{}1]\"}}", "x".repeat(8 << 20), "1,".repeat(100_000));
        for rule in ["array", "set", "object", "ranges", "arrays", "partial", "fields", "texts", "pieces", "parsed", "walked"] {
            is_too_much(&engine, rule, &input);
        }
    });
}

#[test]
fn texts_that_double_have_an_end() {
    in_child("texts_that_double_have_an_end", || {
        for next in [
            "concat(\"\", [@, @])",
            "sprintf(\"%s%s\", [@, @])",
            "replace(@, \"x\", \"xx\")",
            "json.marshal([@, @])",
            "base64.encode(@)",
            "hex.encode(@)",
        ] {
            let engine = engine(&chain("a", "input", next, 100));
            let (kind, _) = refused(&engine, "a100", "\"x\\u0001\"");
            assert_ne!(kind, EvaluationErrorKind::Panic, "{next}");
        }
    });
}

#[test]
fn what_policies_compute_has_room() {
    let engine = engine(
        "many := numbers.range(1, 300000)\nsum_of := sum([x | some x in many; x > 5])\n\
         sets := count({y | some x in many; y := x % 1000})\nlong := concat(\",\", [sprintf(\"%d\", [x]) | some x in numbers.range(1, 50000)])\n\
         echo := [input, input, input]",
    );
    assert_eq!(ask(&engine, "sum_of", "1").unwrap().as_deref(), Some("45000149985"));
    assert_eq!(ask(&engine, "sets", "1").unwrap().as_deref(), Some("1000"));
    assert!(ask(&engine, "long", "1").unwrap().unwrap().len() > 200_000);
    let many = format!("[{}1]", "1,".repeat(199_000));
    assert!(ask(&engine, "echo", &many).is_ok());
}
