//! `sark-bench floor`: the least an HTTP server on this machine can do. `sark-bench load`: the client all servers are measured with.
//!
//! Both are one thread over epoll, so that two cores are enough for a client and a server with a thread of its own.

mod arguments;
mod floor;
mod latencies;
mod load;
mod message;
mod poller;
mod questions;

use std::{
    io::{Write, stderr},
    process::ExitCode,
};

use arguments::Command;

fn main() -> ExitCode {
    let outcome = arguments::parse(std::env::args().skip(1)).and_then(|command| match command {
        Command::Floor(options) => floor::serve(&options),
        Command::Load(options) => load::run(&options),
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
