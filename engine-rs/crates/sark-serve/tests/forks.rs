//! A server that was started before a fork has no threads in the child. A program of its own, for all of it counts as forked.

#![allow(clippy::unwrap_used, clippy::panic)] // a test may fail loudly, its helpers too

use std::{
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use sark_engine::{CacheLimits, DecisionPath, Engine, EngineOptions, EvaluationLimits, Module, Policies};
use sark_serve::{AtHand, Flags, Inquiry, Server, ServerOptions, ShadowLimits, SubjectRule, Told, note_fork};

const PATIENCE: Duration = Duration::from_secs(60);

fn server() -> Server {
    let module = Module { name: "p.rego".into(), source: "package p\nv := true".into() };
    let cache = CacheLimits { max_entries: 100, max_bytes: 1 << 20, ttl: PATIENCE };
    let options = EngineOptions { cache, evaluation: EvaluationLimits::within(PATIENCE) };
    let engine = Engine::new(Arc::new(Policies::compile(vec![module], b"{}").unwrap()), options).unwrap();
    let options = ServerOptions {
        address: None,
        unix: None,
        in_process: true,
        workers: 1,
        max_body_bytes: 1024,
        max_header_bytes: 1024,
        idle_timeout: PATIENCE,
        header_timeout: PATIENCE,
        body_timeout: PATIENCE,
        write_timeout: PATIENCE,
        max_connections: 8,
        baseline_queue: 8,
        baseline_timeout: PATIENCE,
        inline_evaluation: PATIENCE,
        evaluation_threads: 1,
        evaluation_queue: 8,
        writes: false,
        subject: SubjectRule::new(None, ["/user"]).unwrap(),
        shadow: ShadowLimits::default(),
    };
    let server = Server::new(Arc::new(engine), options.check().unwrap()).unwrap();
    server.start().unwrap();
    let flags = Flags { rollout: "a/b".into(), percentage: 100, rust_opa: true, rust_cache: true, ..Flags::default() };
    server.set_flags(flags).unwrap();
    server
}

/// The answer of a serving thread.
fn sent(server: &Server, inquiry: &Inquiry<'_>) -> Told {
    let (sender, receiver) = mpsc::sync_channel(1);
    server.send(inquiry, false, move |told| drop(sender.send(told)));
    receiver.recv_timeout(PATIENCE).unwrap()
}

fn at_hand(server: &Server, inquiry: &Inquiry<'_>) -> Option<Told> {
    match server.at_hand(inquiry) {
        AtHand::Told(told) => Some(told),
        AtHand::Nothing { .. } => None,
    }
}

#[test]
fn a_child_is_told_that_the_server_was_opened_before_the_fork_and_can_start_its_own() {
    // Given a server that keeps a decision
    let path = Arc::new(DecisionPath::parse("p/v").unwrap());
    let inquiry = Inquiry { path: &path, body: b"{\"input\":1}", subject: None, began: Instant::now() };
    let before = server();
    assert!(at_hand(&before, &inquiry).is_none());
    assert_eq!(sent(&before, &inquiry).status(), 200);
    assert_eq!(at_hand(&before, &inquiry).unwrap().status(), 200);

    // When there is a fork, and this is the child
    note_fork();

    // Then what is kept is not told any more, and nobody waits for a thread that is not there
    for told in [at_hand(&before, &inquiry).unwrap(), sent(&before, &inquiry)] {
        assert_eq!(told.status(), 503);
        assert!(String::from_utf8_lossy(told.body()).contains("opened before a fork"), "{told:?}");
    }

    // And a server that is started here answers
    let after = server();
    assert_eq!(sent(&after, &inquiry).status(), 200);
    assert_eq!(at_hand(&after, &inquiry).unwrap().status(), 200);
    assert!(after.drain(PATIENCE));
}
