//! Replacing policies: what did not change is still answered from the cache, and nothing else ever is.

#![allow(clippy::unwrap_used, clippy::panic)] // a test may fail loudly, its helpers too

use std::{collections::BTreeSet, sync::Arc, thread, time::Duration};

use proptest::prelude::*;
use sark_engine::{
    Begun, CacheLimits, Decision, DecisionPath, Engine, EngineOptions, EvaluationLimits, Input, Module, Policies,
};

const LIMIT: Duration = Duration::from_secs(5);

fn compile(sources: &[String], data: &str) -> Arc<Policies> {
    let module = |(number, source): (usize, &String)| Module { name: format!("m{number}.rego"), source: source.clone() };
    Arc::new(Policies::compile(sources.iter().enumerate().map(module).collect(), data.as_bytes()).unwrap())
}

fn engine(policies: Arc<Policies>) -> Engine {
    let cache = CacheLimits { max_entries: 1_000, max_bytes: 1 << 24, ttl: Duration::from_secs(600) };
    Engine::new(policies, EngineOptions { cache, evaluation: EvaluationLimits::within(LIMIT) }).unwrap()
}

fn path(text: &str) -> DecisionPath {
    DecisionPath::parse(text).unwrap()
}

/// Three packages that lean on each other and on data in different ways; each has variants.
fn sources(variant: [u8; 4]) -> Vec<String> {
    let [a, b, c, extra] = variant;
    let mut all = vec![
        format!("package a\nimport data.lib\nv := [{a}, lib.twice(input.n), data.shared.x]\nown := {a}"),
        format!("package lib\ntwice(n) := n * {b}\nunused := data.other"),
        format!(
            "package c\nimport data.tables as t\nv := [{c}, t.rows[input.n], data.a.own]\nkey := \"x\"\nany := data.shared[key]"
        ),
    ];
    match extra {
        1 => all.push("package a\nmore := true".into()),
        2 => all.push("package tables.views\ncount := 3".into()),
        3 => all.push("package unrelated\nv := data.shared.y".into()),
        _ => {}
    }
    all
}

fn data([x, y, rows, other]: [u8; 4]) -> String {
    format!(r#"{{"shared":{{"x":{x},"y":{y}}},"tables":{{"rows":[{rows},{rows},7]}},"other":{other}}}"#)
}

const PATHS: [&str; 11] =
    ["a/v", "a/own", "a", "c/v", "c/any", "c", "shared/x", "tables", "tables/rows/0", "unrelated/v", "nowhere"];

/// Paths that lead nowhere of their own under some of the policies, and somewhere under others.
const STRAYS: [&str; 12] = [
    "a/v/x",
    "a/own/0",
    "a/more",
    "a/nothing",
    "c/key/1/x",
    "lib/twice/x",
    "shared/z",
    "shared/x/y",
    "tables/views/count",
    "tables/views/none",
    "tables/rows/9/x",
    "unrelated/v/x",
];

fn all_paths() -> Vec<&'static str> {
    PATHS.into_iter().chain(STRAYS).collect()
}

#[derive(Debug, Clone)]
enum Step {
    Replace { sources: [u8; 4], data: [u8; 4] },
    Decide { path: &'static str, n: u8 },
}

fn step() -> impl Strategy<Value = Step> {
    let small = || [0_u8..2, 0_u8..2, 0_u8..2, 0_u8..4];
    prop_oneof![
        1 => (small(), small()).prop_map(|(sources, data)| Step::Replace { sources, data }),
        5 => (prop::sample::select(all_paths()), 0_u8..3).prop_map(|(path, n)| Step::Decide { path, n }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_decision_is_always_that_of_the_policies_in_force(steps in prop::collection::vec(step(), 1..60)) {
        let engine = engine(compile(&sources([0; 4]), &data([0; 4])));
        for step in steps {
            match step {
                Step::Replace { sources: variant, data: numbers } => {
                    engine.replace_policies(compile(&sources(variant), &data(numbers))).unwrap();
                }
                Step::Decide { path: at, n } => {
                    let input = format!(r#"{{"n":{n}}}"#);
                    let decided = engine.decide(&path(at), Some(input.as_bytes()));
                    prop_assert_eq!(decided, engine.evaluate(&path(at), Some(input.as_bytes())), "{} {}", at, n);
                }
            }
        }
    }

    #[test]
    fn policies_that_agree_on_a_revision_agree_on_every_answer(
        one in [0_u8..2, 0_u8..2, 0_u8..2, 0_u8..4], two in [0_u8..2, 0_u8..2, 0_u8..2, 0_u8..4],
        first in [0_u8..2, 0_u8..2, 0_u8..2, 0_u8..2], second in [0_u8..2, 0_u8..2, 0_u8..2, 0_u8..2],
    ) {
        let (one, two) = (compile(&sources(one), &data(first)), compile(&sources(two), &data(second)));
        let answer = |policies: &Arc<Policies>, at: &str, n: u8| {
            engine(Arc::clone(policies)).evaluate(&path(at), Some(format!(r#"{{"n":{n}}}"#).as_bytes()))
        };
        for at in all_paths() {
            if one.dependency_revision(&path(at)) == two.dependency_revision(&path(at)) {
                prop_assert_eq!(answer(&one, at, 1), answer(&two, at, 1), "{}", at);
            }
        }
    }
}

/// The paths that forget their decisions when `before` is replaced by `after`.
fn forgotten(before: ([u8; 4], [u8; 4]), after: ([u8; 4], [u8; 4])) -> BTreeSet<&'static str> {
    let engine = engine(compile(&sources(before.0), &data(before.1)));
    for at in PATHS {
        engine.decide(&path(at), Some(b"{\"n\":1}")).unwrap();
    }
    engine.replace_policies(compile(&sources(after.0), &data(after.1))).unwrap();
    let kept: Vec<_> = PATHS.iter().filter(|at| is_kept(&engine, at)).collect();
    assert_eq!(engine.cache().len(), kept.len(), "what is not kept takes no room");
    assert_eq!(engine.cache().stats().revision_dropped, (PATHS.len() - kept.len()) as u64);
    PATHS.into_iter().filter(|at| !kept.contains(&at)).collect()
}

fn is_kept(engine: &Engine, at: &str) -> bool {
    let key = engine.cache_key(&path(at), Some(b"{\"n\":1}".as_slice())).unwrap();
    engine.cache().get(&key).is_some()
}

#[test]
fn only_what_depends_on_a_change_is_forgotten() {
    const NONE: [u8; 4] = [0; 4];
    for (sources, data, expected) in [
        (NONE, NONE, [].as_slice()),
        ([1, 0, 0, 0], NONE, &["a/v", "a/own", "a", "c/v", "c"]),
        ([0, 1, 0, 0], NONE, &["a/v", "a"]),
        ([0, 0, 1, 0], NONE, &["c/v", "c/any", "c"]),
        ([0, 0, 0, 2], NONE, &["tables"]),
        ([0, 0, 0, 3], NONE, &["unrelated/v"]),
        (NONE, [1, 0, 0, 0], &["a/v", "a", "c/any", "c", "shared/x"]),
        (NONE, [0, 1, 0, 0], &["c/any", "c"]),
        (NONE, [0, 0, 1, 0], &["c/v", "c", "tables", "tables/rows/0"]),
        (NONE, [0, 0, 0, 1], &[]),
    ] {
        let must: BTreeSet<&str> = expected.iter().copied().collect();
        let forgotten = forgotten((NONE, NONE), (sources, data));
        assert_eq!(forgotten, must, "sources {sources:?}, data {data:?}");
    }
}

#[test]
fn an_evaluation_that_began_before_a_replacement_is_not_kept_after_it() {
    let rule = |value: u8| vec![format!("package p\nv := {value}")];
    let engine = engine(compile(&rule(1), "{}"));
    let key = || engine.cache_key(&path("p/v"), None).unwrap();
    let Begun::Lead(lead) = engine.cache().begin(key()) else { panic!("nobody answered it yet") };
    let Begun::Wait(waiter) = engine.cache().begin(key()) else { panic!("somebody leads") };
    let asked_early = key();
    engine.replace_policies(compile(&rule(2), "{}")).unwrap();
    // The lane follows the new policies, so this is the new policies' answer to the old policies' question.
    let mut lane = engine.lane().unwrap();
    let (decision, _) = engine.lead_in(&mut lane, &mut Some(lead), &path("p/v"), Input::of(None), LIMIT).unwrap();
    assert_eq!(decision.result(), Some(b"2".as_slice()));
    assert_eq!(waiter.wait(LIMIT), None);
    engine.cache().insert(asked_early, &Decision::undefined());
    engine.replace_policies(compile(&rule(1), "{}")).unwrap();
    assert_eq!(engine.decide(&path("p/v"), None).unwrap().result(), Some(b"1".as_slice()));
}

#[test]
fn threads_that_decide_while_policies_change_never_get_an_answer_of_the_past() {
    let rule = |value: usize| vec![format!("package p\nv := {value}"), "package q\nv := input.n".into()];
    let engine = engine(compile(&rule(0), "{}"));
    let latest = std::sync::atomic::AtomicUsize::new(0);
    let ordering = std::sync::atomic::Ordering::SeqCst;
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while latest.load(ordering) < 60 {
                    let least = latest.load(ordering);
                    let decision = engine.decide(&path("p/v"), Some(b"{\"n\":1}")).unwrap();
                    let value: usize = std::str::from_utf8(decision.result().unwrap()).unwrap().parse().unwrap();
                    assert!(value >= least, "{value} was asked for after {least} served");
                }
            });
        }
        for value in 1..=60 {
            engine.replace_policies(compile(&rule(value), "{}")).unwrap();
            latest.store(value, ordering);
        }
    });
}

#[test]
fn a_path_that_is_kept_follows_every_replacement_of_every_engine() {
    let rule = |value: usize| compile(&[format!("package p\nv := {value}")], "{}");
    let engines = [engine(rule(0)), engine(rule(1))];
    let kept = path("p/v");
    for round in 1..6 {
        for (number, engine) in engines.iter().enumerate() {
            let value = 10 * round + number;
            engine.replace_policies(rule(value)).unwrap();
            for _ in 0..2 {
                assert_eq!(engine.decide(&kept, None).unwrap().result(), Some(value.to_string().as_bytes()));
            }
        }
    }
    // What cannot be kept or answered any more shows too.
    engines[0].replace_policies(compile(&["package p\nv := time.now_ns()".to_owned()], "{}")).unwrap();
    assert!(engines[0].cache_key(&kept, None).is_none());
    assert!(engines[0].standing(&kept).cache_key(None).is_none());
    assert!(engines[1].cache_key(&kept, None).is_some());
}

#[test]
fn an_input_that_was_read_for_the_policies_before_is_read_anew() {
    let rule = |member: &str| vec![format!("package p\nv := input.{member}")];
    let engine = engine(compile(&rule("a"), "{}"));
    let path = path("p/v");
    let input = |number: usize| format!(r#"{{"a":"old","b":"new","more":"{number}{}"}}"#, "x".repeat(100_000));
    // Once evaluations are known to be cheap, no more is read than they see.
    for number in 0..100 {
        engine.decide(&path, Some(input(number).as_bytes())).unwrap();
    }
    let body = format!("{{\"input\":{}}}", input(100));
    let (place, projected) = engine.read_plain_body(&path, body.as_bytes()).unwrap();

    engine.replace_policies(compile(&rule("b"), "{}")).unwrap();

    let mut lane = engine.lane().unwrap();
    let input = Input::read_before(body.as_bytes().get(place), Some(projected));
    let decision = engine.evaluate_in(&mut lane, &path, input, LIMIT).unwrap();
    assert_eq!(decision.result(), Some(b"\"new\"".as_slice()));
}
