//! Whatever way a rule reads data or other rules, what it reads is part of its revision: else a cache would answer for the past.

#![allow(clippy::unwrap_used)] // a test may fail loudly

use std::{sync::Arc, time::Duration};

use proptest::prelude::*;
use sark_engine::{CacheLimits, Decision, DecisionPath, Engine, EngineOptions, EvaluationLimits, Module, Policies};

/// Ways of `w` to read what is below `data`. None names what it reads in a way that a search for its path would find all of.
const WAYS: [&str; 32] = [
    "w := data.shared[input.k]",
    "w := data[\"shared\"].x",
    "w := data.shared[key]\nkey := data.names.first",
    "w := x if { all := data.shared; x := all[input.k] }",
    "w := x if { all := data.tables; inner := all.rows; x := inner }",
    "w := [x | some x in data.tables.rows]",
    "w := {k: v | some k, v in data.shared}",
    "w := {k | data.shared[k] == 1}",
    "w := [q | walk(data.tables, [q, _])]",
    "w := object.get(data.shared, input.k, data.other)",
    "w := object.get(data.tables, [\"rows\", input.n], 7)",
    "w := data.q.from(input.k)",
    "w := g(data.names.first)\ng(k) := data.shared[k]",
    "w := x if x := data.q.v with data.shared.x as data.other",
    "w := x if x := data.q.v with input.n as data.other",
    "w := data.q.rows",
    "w := data.q.deep.er[input.k]",
    "w := x if { some name; x := data.q.deep[name][input.k] }",
    "w := data.q",
    "w if every row in data.tables.rows { row == data.other }",
    "w if { some row in data.tables.rows; row > data.other }",
    "w contains row if some row in data.tables.rows",
    "w[k] := v if some k, v in data.shared",
    "default w := 0\nw := 1 if data.other == 1",
    "default w := 0\nw := 1 if not data.shared.z",
    "w := 1 if { data.other == 1 } else := 2 if { data.shared.x == 1 } else := 3",
    "import data.tables as t\nw := t.rows[0]",
    "import data.q.from\nw := from(\"y\")",
    "w := count(data.tables.rows) - data.other",
    "w := json.marshal(data.shared)",
    "w := sprintf(\"%v\", [data.tables])",
    "w := y if { some at; y := data.tables.rows[at]; at == data.other }",
];

fn path(text: &str) -> DecisionPath {
    DecisionPath::parse(text).unwrap()
}

/// Each way in a package of its own, beside one they lean on, of which there are two.
fn compile(variant: u8, data: &str) -> Arc<Policies> {
    let lent = format!(
        "package q\nv := [data.shared.x, input.n, {variant}]\nrows contains row if some row in data.tables.rows\n\
         from(k) := data.shared[k]\ndeep.er[k] := v if some k, v in data.shared"
    );
    let ways = WAYS.iter().enumerate().map(|(number, way)| format!("package p{number}\n{way}"));
    let module = |(number, source): (usize, String)| Module { name: format!("m{number}.rego"), source };
    let modules = std::iter::once(lent).chain(ways).enumerate().map(module).collect();
    Arc::new(Policies::compile(modules, data.as_bytes()).unwrap())
}

fn engine(policies: &Arc<Policies>) -> Engine {
    let cache = CacheLimits { max_entries: 0, max_bytes: 0, ttl: Duration::from_secs(600) };
    let evaluation = EvaluationLimits::within(Duration::from_secs(5));
    Engine::new(Arc::clone(policies), EngineOptions { cache, evaluation }).unwrap()
}

/// What all ways answer, each to some inputs; an error is an answer too.
fn answers(policies: &Arc<Policies>) -> Vec<Vec<Result<Decision, String>>> {
    let engine = engine(policies);
    let inputs = [r#"{"k":"x","n":1}"#, r#"{"k":"z","n":0}"#];
    let ask = |number: usize, input: &str| {
        engine.evaluate(&path(&format!("p{number}/w")), Some(input.as_bytes())).map_err(|error| error.to_string())
    };
    (0..WAYS.len()).map(|number| inputs.map(|input| ask(number, input)).to_vec()).collect()
}

fn revisions(policies: &Policies) -> Vec<[u8; 16]> {
    (0..WAYS.len()).map(|number| policies.dependency_revision(&path(&format!("p{number}/w")))).collect()
}

fn data() -> impl Strategy<Value = String> {
    let number = || 0_u8..2;
    let member = |name: &'static str| prop::option::of(number()).prop_map(move |it| it.map(|it| format!("\"{name}\":{it}")));
    let shared = (member("x"), member("y"), member("z")).prop_map(|(x, y, z)| {
        let members: Vec<String> = [x, y, z].into_iter().flatten().collect();
        format!("{{{}}}", members.join(","))
    });
    let rows = prop::collection::vec(number(), 0..3);
    (shared, rows, number(), prop::sample::select(vec!["x", "y"]), number()).prop_map(|(shared, rows, other, first, unrelated)| {
        format!(
            r#"{{"shared":{shared},"tables":{{"rows":{rows:?}}},"other":{other},"names":{{"first":"{first}"}},"unrelated":{unrelated}}}"#
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_differs_in_an_answer_differs_in_its_revision(one in (0_u8..2, data()), two in (0_u8..2, data())) {
        let (one, two) = (compile(one.0, &one.1), compile(two.0, &two.1));
        let revisions = (revisions(&one), revisions(&two));
        let answers = (answers(&one), answers(&two));
        for (number, way) in WAYS.iter().enumerate() {
            if revisions.0[number] == revisions.1[number] {
                prop_assert_eq!(&answers.0[number], &answers.1[number], "{}", way);
            }
        }
    }
}

#[test]
fn every_way_reads_what_it_seems_to_and_none_reads_what_is_unrelated() {
    // Given data, and the same with everything that is read changed, or only what nobody reads
    let of = |x: u8, rows: &str, other: u8, first: &str, unrelated: u8| {
        format!(
            r#"{{"shared":{{"x":{x},"y":{x},"z":{x}}},"tables":{{"rows":{rows}}},"other":{other},"names":{{"first":"{first}"}},"unrelated":{unrelated}}}"#
        )
    };
    let before = compile(0, &of(0, "[0,1]", 0, "x", 0));
    let after = compile(0, &of(1, "[1]", 1, "y", 0));
    let beside = compile(0, &of(0, "[0,1]", 0, "x", 1));

    // Then each way but the few that look for what is not there answers otherwise, with another revision
    let changed = (answers(&before), answers(&after));
    let revisions = (revisions(&before), revisions(&after), revisions(&beside));
    for (number, way) in WAYS.iter().enumerate() {
        let sees_no_change = way.contains("not data.shared.z");
        assert_eq!(changed.0[number] == changed.1[number], sees_no_change, "{way}: {:?}", changed.0[number]);
        assert_ne!(revisions.0[number], revisions.1[number], "{way}");
        // And what nobody reads makes none
        assert_eq!(revisions.0[number], revisions.2[number], "{way}");
    }
}
