//! What the benchmarks measure with.
//!
//! `floor` is the least an HTTP server on this machine can do, and `hyper` the least on that library; `load` and `paced` are the clients all servers are measured
//! with, in a closed and in an open loop. The three are one thread over epoll each, so that two cores are enough for a client
//! and a server with a thread of its own. `serve` is the engine's data plane without Python around it. `evaluate` evaluates in process; `cache` compares caches.

mod answers;
mod arguments;
mod cache;
mod connection;
mod evaluate;
mod floor;
mod hyper_floor;
mod latencies;
mod load;
mod memory;
mod message;
mod paced;
mod poller;
mod questions;
mod serve;
mod verdicts;

use std::{
    io::{Write, stderr},
    process::ExitCode,
};

use arguments::Command;
use mimalloc::MiMalloc;

/// The allocator of the Python module, so that evaluations cost what they cost there.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let outcome = arguments::parse(std::env::args().skip(1)).and_then(|command| match command {
        Command::Floor(options) => floor::serve(&options),
        Command::Hyper(options) => hyper_floor::serve(&options),
        Command::Serve(options) => serve::serve(&options),
        Command::Load(options) => load::run(&options),
        Command::Paced(options) => paced::run(&options),
        Command::Evaluate(options) => evaluate::run(&options),
        Command::Cache(options) => cache::run(&options),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            // Nobody is left to tell when standard error is closed.
            let _ = writeln!(stderr(), "error: {message}");
            ExitCode::FAILURE
        }
    }
}
