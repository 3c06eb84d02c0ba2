//! Memory does not grow with the number of operations. `SARK_LEAK_OPERATIONS` makes it a long run.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::cast_precision_loss)] // a test tells and fails loudly
#![cfg(target_os = "linux")]

use std::{sync::Arc, time::Duration};

use sark_engine::{CacheLimits, DecisionPath, Engine, EngineOptions, EvaluationLimits, Module, Policies};

const POLICY: &str = "package p
default allow := false
allow if { some role in input.roles; role in data.roles; startswith(input.path, \"/docs\") }
answer := {\"allow\": allow, \"who\": sprintf(\"%s\", [input.user])}";

/// More growth than this share of the memory after warming up is a leak.
const MOST_GROWTH: f64 = 0.1;
/// Operations for one exchange of all policies, which costs a thousand times as much.
const PER_REPLACEMENT: u64 = 1_000;

fn operations() -> u64 {
    std::env::var("SARK_LEAK_OPERATIONS").map_or(100_000, |count| count.parse().unwrap())
}

fn policies() -> Arc<Policies> {
    let module = Module { name: "p.rego".into(), source: POLICY.into() };
    Arc::new(Policies::compile(vec![module], br#"{"roles":["reader","writer"]}"#).unwrap())
}

/// Resident memory in pages.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse().unwrap()
}

/// One test: memory belongs to the process, so the three must not run side by side.
#[test]
fn memory_stays_where_it_was_after_warming_up() {
    let cache = CacheLimits { max_entries: 1_000, max_bytes: 1 << 20, ttl: Duration::from_millis(20) };
    let engine =
        Engine::new(policies(), EngineOptions { cache, evaluation: EvaluationLimits::within(Duration::from_secs(5)) }).unwrap();
    let path = DecisionPath::parse("p/answer").unwrap();
    let ask = |number: u64, decide: bool| {
        let input =
            format!("{{\"user\":\"u{number}\",\"roles\":[\"reader\"],\"path\":\"/docs/{number}\",\"k{number}\":[1.5,{{}}]}}");
        let answer =
            if decide { engine.decide(&path, Some(input.as_bytes())) } else { engine.evaluate(&path, Some(input.as_bytes())) };
        assert!(answer.unwrap().body().len() > 20);
    };
    let replace = |_| engine.replace_policies(policies()).unwrap();
    let total = operations();
    for (what, count, operation) in [
        ("evaluate", total, &(|number| ask(number, false)) as &dyn Fn(u64)),
        ("decide, most of them new", total, &|number| ask(number % (total / 2), true)),
        ("replace_policies", total / PER_REPLACEMENT, &replace),
    ] {
        let half = count / 2;
        (0..half).for_each(operation);
        let warm = resident();
        (half..count).for_each(operation);
        let grown = (resident() as f64 - warm as f64) / warm as f64;
        println!("{what}: {count} operations, {warm} pages after half of them, {:+.2} % since", grown * 100.0);
        assert!(grown < MOST_GROWTH, "{what}: memory grew by {:.1} % in the second half of {count} operations", grown * 100.0);
    }
}
