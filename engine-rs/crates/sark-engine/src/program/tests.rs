//! The index leaves out only what cannot hold: with it and without it a program gives the same answers.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use proptest::prelude::*;
use regorus::Value;

use super::{Asked, Failure, Program, State, evaluate, index::Index};
use crate::{
    builtins::Circumstances,
    compilation::compile,
    document::{Input, Projection, Sight, Spelled, View, read_document},
    limits::EvaluationLimits,
    policies::{Module, RegoVersion},
    source::Reading,
};

/// Every statement a part of its own, and nothing kept.
const DIVIDED: Reading = Reading { held: 0, part: 0 };

fn program(source: &str) -> Program {
    read(source, Reading::default())
}

fn read(source: &str, reading: Reading) -> Program {
    let modules = [Module { name: "p.rego".into(), source: format!("package p\n{source}") }];
    compile(RegoVersion::V1, &modules, &Value::new_object(), reading, usize::MAX).unwrap().program
}

impl Program {
    fn without_index(mut self) -> Self {
        for group in &mut self.groups {
            group.index = Index::of_all(group.definitions.len());
        }
        self
    }

    fn ask(&self, rule: &str, input: &str) -> Result<Value, Failure> {
        self.ask_about(rule, read_document(input.as_bytes()).unwrap().into())
    }

    /// As [`Self::ask`], with nothing of the input but what the rule can see.
    fn ask_projected(&self, rule: &str, input: &str) -> Result<Value, Failure> {
        let path = ["p".to_owned(), rule.to_owned()];
        let projection = self.seen(&path).map_or(Projection::Whole, Projection::of);
        let view = View { projection: &projection, whole: false };
        self.ask_about(rule, Input::of(Some(input.as_bytes())).read(view).unwrap())
    }

    fn ask_about(&self, rule: &str, input: Sight<'_>) -> Result<Value, Failure> {
        self.ask_in(&mut State::new(self), rule, input)
    }

    fn ask_in(&self, state: &mut State, rule: &str, input: Sight<'_>) -> Result<Value, Failure> {
        let path = ["p".to_owned(), rule.to_owned()];
        let mut spelled = Spelled::default();
        spelled.absorb(self.spelled());
        let (input, of_input) = input.taken_apart();
        let asked = Asked { path: &path, input, spelled: &spelled };
        let limits = EvaluationLimits::within(Duration::from_secs(10));
        evaluate(self, state, asked, Circumstances::at(0, of_input), Instant::now(), limits)
    }
}

fn scalar() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["0", "1", "1.0", "-1", "2", "1.5", "\"1\"", "\"a\"", "\"b\"", "\"\"", "true", "false", "null"])
}

fn subject() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["input.a", "input.b", "input.b.c", "input.d[0]", "input[\"a\"]", "input.d[1].e"])
}

/// The part of the input that is replaced for `subject`: an index of an array is none.
fn replaceable(subject: &str) -> &str {
    subject.split_once('[').map_or(subject, |(before, _)| if before == "input" { "input.a" } else { before })
}

/// A condition: most can be indexed, some only look like it.
fn condition() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (subject(), scalar()).prop_map(|(subject, scalar)| format!("{subject} == {scalar}")),
        2 => (subject(), scalar()).prop_map(|(subject, scalar)| format!("{scalar} == {subject}")),
        1 => (subject(), scalar()).prop_map(|(subject, scalar)| format!("{subject} = {scalar}")),
        2 => (subject(), prop::collection::vec(scalar(), 1..4))
            .prop_map(|(subject, scalars)| format!("{subject} in {{{}}}", scalars.join(", "))),
        1 => (subject(), scalar()).prop_map(|(subject, scalar)| format!("not {subject} == {scalar}")),
        1 => (subject(), scalar()).prop_map(|(subject, scalar)| format!("{subject} != {scalar}")),
        1 => (subject(), scalar(), scalar()).prop_map(|(subject, one, two)| format!("{subject} == {one} with input.a as {two}")),
        1 => (subject(), subject(), scalar()).prop_map(|(one, other, two)| format!("{one} == {other} with {} as {two}", replaceable(one))),
        1 => (subject(), scalar()).prop_map(|(subject, scalar)| format!("{subject} == {scalar} with input as {{\"b\": {{\"c\": {scalar}}}}}")),
        1 => (subject(), scalar()).prop_map(|(subject, scalar)| format!("x := {subject}; x == {scalar}")),
        1 => subject().prop_map(|subject| format!("{subject} == [1]")),
        1 => subject().prop_map(str::to_owned),
    ]
}

fn body() -> impl Strategy<Value = String> {
    prop::collection::vec(condition(), 1..4).prop_map(|conditions| {
        // One name each, so that no variable is declared twice.
        let parts = conditions
            .iter()
            .enumerate()
            .map(|(number, part)| part.replace("x :=", &format!("x{number} :=")).replace("; x ==", &format!("; x{number} ==")));
        parts.collect::<Vec<_>>().join("; ")
    })
}

fn definition() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => body().prop_map(|body| format!("same if {{ {body} }}")),
        2 => (body(), scalar()).prop_map(|(body, scalar)| format!("many := {scalar} if {{ {body} }}")),
        2 => (body(), scalar()).prop_map(|(body, scalar)| format!("set contains {scalar} if {{ {body} }}")),
        2 => (body(), scalar(), scalar()).prop_map(|(body, key, value)| format!("object[{key}] := {value} if {{ {body} }}")),
        2 => (body(), body()).prop_map(|(one, two)| format!("chain := 1 if {{ {one} }} else := 1 if {{ {two} }}")),
        2 => (scalar(), body()).prop_map(|(scalar, body)| format!("f({scalar}) := 1 if {{ {body} }}")),
        2 => (scalar(), condition()).prop_map(|(scalar, other)| format!("f(y) := 1 if {{ y == {scalar}; {} }}", other.replace("x :=", "z :=").replace("; x ==", "; z =="))),
    ]
}

fn document() -> impl Strategy<Value = String> {
    let leaf = || prop_oneof![5 => scalar().prop_map(str::to_owned), 1 => Just("[1]".to_owned()), 1 => Just("{\"c\": \"a\"}".to_owned())];
    let field = |name: &'static str| prop_oneof![4 => leaf().prop_map(move |leaf| Some(format!("\"{name}\": {leaf}"))), 1 => Just(None)];
    let list = prop_oneof![
        3 => (leaf(), leaf()).prop_map(|(first, second)| Some(format!("\"d\": [{first}, {{\"e\": {second}}}]"))),
        1 => Just(None),
    ];
    let nested = prop_oneof![3 => leaf().prop_map(|leaf| Some(format!("\"b\": {{\"c\": {leaf}}}"))), 1 => field("b")];
    // Of two that are written alike, and of two that only mean the same, the last one counts.
    let again = prop_oneof![
        4 => Just(None),
        1 => leaf().prop_map(|leaf| Some(format!("\"b\": {{\"e\": {leaf}}}"))),
        1 => leaf().prop_map(|leaf| Some(format!("\"\\u0062\": {leaf}"))),
        1 => leaf().prop_map(|leaf| Some(format!("\"a\": {leaf}"))),
    ];
    let object = (field("a"), nested, list, again).prop_map(|(a, b, d, again)| {
        let fields: Vec<String> = [a, b, d, again].into_iter().flatten().collect();
        format!("{{{}}}", fields.join(", "))
    });
    prop_oneof![12 => object, 1 => leaf()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_program_answers_the_same_without_its_index_compiled_in_parts_and_from_what_it_sees_of_the_input(
        definitions in prop::collection::vec(definition(), 1..24),
        inputs in prop::collection::vec(document(), 1..8),
    ) {
        let source = format!("{}\nf(_) := 1 if false\nsame if false\nset contains 0 if false\nentry := [1 | set[input.a]]\ncalled contains y if {{ some y in [0, 1, 1.5, \"a\", \"1\", true, null, input.a]; f(y) }}", definitions.join("\n"));
        let (indexed, plain, divided) = (program(&source), program(&source).without_index(), read(&source, DIVIDED));
        for input in &inputs {
            for rule in ["same", "many", "set", "object", "chain", "called", "entry"] {
                let answer = indexed.ask(rule, input);
                prop_assert_eq!(&answer, &plain.ask(rule, input), "{} for {}\n{}", rule, input, source);
                prop_assert_eq!(&answer, &indexed.ask_projected(rule, input), "projected: {} for {}\n{}", rule, input, source);
                prop_assert_eq!(&answer, &divided.ask(rule, input), "in parts: {} for {}\n{}", rule, input, source);
            }
        }
    }
}

#[test]
fn of_the_input_is_seen_what_any_rule_on_the_way_looks_at() {
    let all = "reads := input.a.b\nargument := f(input.c)\nf(x) := x.y\ndefault other := 1\nother := input.d[0].e if { not input.f.g }\n\
        replaced if { reads == 1 with input.a as {\"b\": input.h} }\nmocked if { f(1) == 2 with f as g }\ng(_) := input.i\n\
        some_of contains x if { some x, y in input.j; y == input.k[reads] }\nasked if { some_of[input.l] }\nnothing := 1\n\
        any_of if { input[input.m] }\nwalks if { walk(input, [_, 1]) }\nnumbered := input[0]\n\
        inside := {x: y | some x in input.o; y := [z | z := input.n; z == x]}\nchooses if { input.q == \"a\" }\nchooses if { input.q == \"b\" }\n\
        chooses if { input.q == \"c\"; input.r }\nchooses if { input.q == \"d\" }\npackaged := data.p.sub\nsub.x := input.s\n\
        default mocks := [x | x := f(1) with f as g]\nmixed[x] := 1 if { some x in input.t }\nmixed.one.two := input.u\n";
    let program = program(all);
    for (rule, expected) in [
        ("reads", Some("a.b")),
        ("argument", Some("c")),
        ("other", Some("d f.g")),
        ("replaced", Some("a.b h")),
        ("mocked", Some("i")),
        ("some_of", Some("a.b j k")),
        ("asked", Some("a.b j k l")),
        ("nothing", Some("")),
        ("any_of", None),
        ("walks", None),
        ("numbered", None),
        ("inside", Some("n o")),
        ("chooses", Some("q r")),
        ("packaged", Some("s")),
        ("missing", Some("")),
        ("mocks", Some("i")),
        ("mixed/three", Some("t u")),
    ] {
        let path: Vec<String> = ["p"].into_iter().chain(rule.split('/')).map(str::to_owned).collect();
        let seen = program.seen(&path);
        let told = seen.map(|paths| paths.iter().map(|path| path.join(".")).collect::<Vec<_>>().join(" "));
        assert_eq!(told.as_deref(), expected, "{rule}");
    }
    assert!(program.seen(&[]).is_none(), "the whole document has all of these");
}

#[test]
fn parts_of_inputs_are_told_apart_for_however_many_paths_one_thread_is_asked() {
    let rules: String = (0..70)
        .map(|number| format!("r{number} := [input.m{number}, input.x.m{number}.y, input.z]\n"))
        .collect::<Vec<_>>()
        .concat();
    let (program, numbers) = (program(&rules), || 0..70);
    let members = |open: &str, close: &str| {
        numbers().map(|number| format!("\"m{number}\":{open}{number}{close}")).collect::<Vec<_>>().join(",")
    };
    let input = format!("{{{},\"x\":{{{}}},\"z\":7}}", members("", ""), members("{\"y\":", "}"));
    let rules: Vec<String> = numbers().map(|number| format!("r{number}")).collect();
    let projections: Vec<_> =
        rules.iter().map(|rule| Projection::of(program.seen(&["p".to_owned(), rule.clone()]).unwrap())).collect();
    let mut state = State::new(&program);
    for round in 0..3 {
        for ((rule, projection), number) in rules.iter().zip(&projections).zip(numbers()) {
            let view = View { projection, whole: false };
            let answer = program.ask_in(&mut state, rule, Input::of(Some(input.as_bytes())).read(view).unwrap());
            let expected = Value::from_json_str(&format!("[{number},{number},7]")).unwrap();
            assert_eq!(answer, Ok(expected), "{rule} in round {round}");
        }
    }
}

#[test]
fn what_was_not_read_is_no_answer() {
    let source = "read := input.b\nchosen if input.a == 1; chosen if input.a == 2; chosen if input.a == 3; chosen if input.a == 4\n\
        negated if not input.b.c\ncompared if input.a.x == input.b\nknown := x if { x := input.a.x with input.a as {\"x\": 1} }\n\
        below := x if { x := input.a.y with input.a as {\"y\": 1} }\nbeside if { not input.b with input.a as {} }\n\
        above := x if { x := input.b with input.b.c as 1 }";
    let (program, only) = (program(&source.replace("; chosen", "\nchosen")), Projection::of([["a", "x"]]));
    let view = View { projection: &only, whole: false };
    let ask = |rule| program.ask_about(rule, Input::of(Some(br#"{"a":{"x":2},"b":1}"#)).read(view).unwrap());
    for rule in ["read", "chosen", "negated", "compared", "beside", "above"] {
        assert!(matches!(ask(rule), Err(Failure::Unsupported(_))), "{rule}: {:?}", ask(rule));
    }
    for rule in ["known", "below"] {
        assert_eq!(ask(rule), Ok(Value::from(1_u64)), "{rule}");
    }
}

#[test]
fn what_was_asked_before_changes_no_answer() {
    let source = "nothing := {} if 1 == 2\nsome_grants := {\"a\": [1, 2], \"b\": [3]}\n\
        torn if { {k: x | some x in [1, 2]; k := input.k} == nothing }\ngranted := [grant | some grant in some_grants[input.k]]\n\
        other := x if { x := some_grants with data.p.some_grants as {\"a\": [4]} }";
    let (program, input) = (program(source), br#"{"k": "a"}"#);
    let sight = || read_document(input).unwrap().into();
    let rules = ["torn", "granted", "other", "nothing", "some_grants"];
    let alone = rules.map(|rule| program.ask_in(&mut State::new(&program), rule, sight()));
    assert!(matches!(alone[0], Err(Failure::Conflict(_))), "{alone:?}");
    assert_eq!(alone[1], Ok(read_document(b"[1, 2]").unwrap().value));
    let mut state = State::new(&program);
    for round in 0..3 {
        assert_eq!(rules.map(|rule| program.ask_in(&mut state, rule, sight())), alone, "round {round}");
    }
}

#[test]
fn of_many_definitions_or_paths_nobody_looks_for_what_they_see() {
    let rules = |count| (0..count).map(|number| format!("allow if input.user == \"u{number}\"\n")).collect::<Vec<_>>().concat();
    let path = ["p".to_owned(), "allow".to_owned()];
    assert!(program(&rules(1_000)).seen(&path).is_some());
    assert!(program(&rules(1_001)).seen(&path).is_none());
    let paths = |count| (1..count).map(|number| format!("r{number} := input.u{number}\n")).collect::<Vec<_>>().concat();
    // The input itself is one.
    assert!(program(&format!("allow if input.user\n{}", paths(4_095))).seen(&path).is_some());
    assert!(program(&format!("allow if input.user\n{}", paths(4_096))).seen(&path).is_none());
}

#[test]
fn the_work_for_a_question_does_not_grow_with_the_definitions_that_cannot_hold() {
    let rules = |count: usize| -> String {
        (0..count)
            .map(|number| format!("allow if {{ input.user == \"u{number}\"; input.action == \"a{}\" }}\n", number % 7))
            .collect::<Vec<_>>()
            .concat()
    };
    for count in [100, 5_000] {
        let program = program(&rules(count));
        let group = program.groups.first().unwrap();
        assert!(group.index.widest() <= 3, "{count}: {}", group.index.widest());
        assert_eq!(program.ask("allow", "{\"user\": \"u8\", \"action\": \"a1\"}"), Ok(Value::from(true)));
        assert_eq!(program.ask("allow", "{\"user\": \"u8\", \"action\": \"a2\"}"), Ok(Value::Undefined));
    }
}

#[test]
fn a_rule_that_no_index_helps_is_left_to_opa_when_it_is_too_large() {
    let rules: String =
        (0..20_001).map(|number| format!("allow if input.user != \"u{number}\"\n")).collect::<Vec<_>>().concat();
    let program = program(&rules);
    let reasons = program.reach(&["p".into(), "allow".into()]).unsupported;
    assert!(reasons.iter().any(|reason| reason.contains("data.p.allow") && reason.contains("20001")), "{reasons:?}");
}

#[test]
fn a_default_of_a_rule_inside_of_another_is_left_to_opa_by_name() {
    let program = program("r[input.key] := input.a\ndefault r.x := 3\nallow if r.x\nfree := 1");
    for rule in ["r", "allow"] {
        let reasons = program.reach(&["p".into(), rule.into()]).unsupported;
        assert!(reasons.iter().any(|reason| reason.contains("data.p.r: a default of a rule")), "{rule}: {reasons:?}");
    }
    assert!(program.reach(&["p".into(), "free".into()]).unsupported.is_empty());
}

#[test]
fn rules_that_are_only_found_by_parsing_all_are_compiled_too() {
    // The second `allow` begins like the first one, so it is left out of the outline, and the indented rule with it.
    let source = "allow if input.a\nallow if input.b\n  hidden := 2\nasks := [hidden | granted.x]\n\
                  granted contains input.a\ngranted contains \"x\" if input.b\n  granted contains \"y\"\n";
    for reading in [Reading::default(), DIVIDED] {
        let program = read(source, reading);
        for (rule, input, expected) in [("hidden", "{}", "2"), ("asks", "{\"b\": 1}", "[2]"), ("allow", "{\"b\": 1}", "true")] {
            assert_eq!(program.ask(rule, input), Ok(Value::from_json_str(expected).unwrap()), "{rule}");
        }
    }
}

#[test]
fn a_variable_called_as_a_document_is_left_to_opa() {
    for rule in [
        "allow if { some input in [1]; input == 1 }",
        "allow if { some 0, data in [1]; data == 1 }",
        "allow if { some [input, x] in [[1, 2]]; x == 2 }",
        "allow if { some input; input = 1 }",
        "allow if { [data, x] := [1, 2]; x == 2 }",
        "allow if { {\"k\": input} := {\"k\": 1}; input == 1 }",
        "allow if { every input in [1] { input == 1 } }",
        "allow if { every data, x in [1] { x == 1 } }",
        "allow if [input | some input in [1]]",
        "f(input) := 1\nallow if f(1)",
        "f([data, x]) := x\nallow if f([1, 2])",
    ] {
        let program = program(&format!("{rule}\nfree if {{ some x in [1]; input.a == x }}"));
        let reasons = program.reach(&["p".into(), "allow".into()]).unsupported;
        assert!(reasons.iter().any(|reason| reason.contains("a variable called")), "{rule}: {reasons:?}");
        assert!(program.reach(&["p".into(), "free".into()]).unsupported.is_empty(), "{rule}");
    }
}

#[test]
fn a_body_that_is_only_a_negated_or_replaced_true_is_left_to_opa_where_the_head_is_evaluated() {
    for (rule, left) in [
        ("allow := input.x if { not true }", true),
        ("allow := input.x if { not (true) }", true),
        ("allow := count(\"a\") if { not true }", true),
        ("allow := [1, input.x] if { not true }", true),
        ("allow := {\"k\": {input.x}} if { not true }", true),
        ("allow := free if { not true }", true),
        ("allow := [y | y := 1] if { not true }", true),
        ("allow := input.x if { some y; not true }", true),
        ("allow := input.x if { true with input.y as 1 }", true),
        ("allow contains input.x if { not true }", true),
        ("allow[input.x] := 1 if { not true }", true),
        ("allow.a[input.x] if { not true }", true),
        ("allow := 1 if { input.y } else := input.x if { not true }", true),
        ("allow := [input.x | not true]", true),
        ("allow := {input.x | not true}", true),
        ("allow := {1: input.x | not true}", true),
        ("allow if { y := 1; [[y, input.x] | not true] }", true),
        ("allow := 1 if { not true }", false),
        ("allow if { not true }", false),
        ("allow := [1, {\"k\": {2}}] if { not true }", false),
        ("allow if { y := 1; [y | not true] }", false),
        ("allow if { every y in [1] { not true } }", false),
        ("allow := input.x if { true }", false),
        ("allow := input.x if { not false }", false),
        ("allow := input.x if { not true; input.y }", false),
    ] {
        let program = program(&format!("{rule}\nfree if {{ input.a }}"));
        assert_eq!(!program.reach(&["p".into(), "allow".into()]).unsupported.is_empty(), left, "{rule}");
    }
}

#[test]
fn a_call_in_an_argument_of_a_definition_is_left_to_opa_and_a_comprehension_is_not() {
    for (head, left) in [
        ("f([1, count([1])])", true),
        ("f({count([1])})", true),
        ("f({count([1]): 1})", true),
        ("f({\"k\": count([1])})", true),
        ("f({input.a[count([1])]})", true),
        ("f([x | x := count([1])])", false),
        ("f({input.a})", false),
        ("f({input.a: x})", false),
    ] {
        let program = program(&format!("{head} := 7\nallow if f(input.b)"));
        assert_eq!(!program.reach(&["p".into(), "allow".into()]).unsupported.is_empty(), left, "{head}");
    }
}

#[test]
fn what_is_refused_is_refused_in_parts_too_and_names_the_same_place() {
    for (source, told) in [
        ("a := 1\na contains 2 if input.x\n", "p.rego:3:1: data.p.a is defined with different kinds of rule"),
        ("a if input.x\na if input.y\n  a contains 1\n", "p.rego:4:3: data.p.a is defined with different kinds of rule"),
        ("a if input.x\n\n# {\na if missing(1)\n", "p.rego:5:6: undefined function missing"),
        ("a if input.x\n\n\na if { x > 1 }\n", "p.rego:5:8: var x is unsafe: nothing gives it a value"),
        ("a if f(1)\nf(input.x) := 1\n", "p.rego:3:8: an argument is compared with what is read elsewhere"),
        ("a if f([1])\nb := {\"c\": 1}\nf([b.c]) := 1\n", "p.rego:4:5: an argument is compared with what is read elsewhere"),
        ("a if f([1])\nf({\"k\": data.x}) := 1\n", "p.rego:3:13: an argument is compared with what is read elsewhere"),
        ("a if input.x\na if input.y\na if ]\n", "p.rego:4:6: expecting expression"),
        ("a if input.x\nb := a\na if b\n", "rule data.p.a is recursive"),
        ("default a := 1\nb if { input.x }\ndefault a := 2\n", "p.rego:4:1: the rule has two default values"),
    ] {
        let modules = [Module { name: "p.rego".into(), source: format!("package p\n{source}") }];
        for reading in [Reading::default(), DIVIDED] {
            let refused = compile(RegoVersion::V1, &modules, &Value::new_object(), reading, usize::MAX).unwrap_err();
            assert!(refused.0.contains(told), "{source}: {refused}");
        }
    }
}

#[test]
fn programs_can_be_shared_between_threads() {
    let program = Arc::new(program("allow if input.a == 1"));
    let other = Arc::clone(&program);
    let answer = std::thread::spawn(move || other.ask("allow", "{\"a\": 1}")).join().unwrap();
    assert_eq!((answer, program.ask("allow", "{}")), (Ok(Value::from(true)), Ok(Value::Undefined)));
}
