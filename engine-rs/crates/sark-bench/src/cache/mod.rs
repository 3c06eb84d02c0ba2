//! `sark-bench cache`: the decision cache beside others. Each measurement runs in a process of its own, so that memory is
//! what one cache takes.

mod cell;
mod options;
mod report;
mod subjects;
mod timing;

use std::{
    env, fs,
    io::{Write, stdout},
    process::{Command, Stdio},
};

use cell::{Cell, Load};
pub(crate) use options::CacheOptions;
use subjects::Kind;

/// Measure everything and print a table, or one cell when a parent asks for it.
pub(crate) fn run(options: &CacheOptions) -> Result<(), String> {
    if let Some(plan) = &options.cell {
        let cell = cell::measure(*plan)?;
        return writeln!(stdout(), "{}", json(&cell)?).map_err(|error| format!("the result cannot be written: {error}"));
    }
    let mut cells = Vec::new();
    for entries in &options.entries {
        for threads in &options.threads {
            for load in Load::ALL {
                for cache in Kind::ALL.into_iter().filter(|cache| cache.is_bounded() || load == Load::Steady) {
                    cells.push(median(cell::Plan { cache, load, entries: *entries, threads: *threads }, options.rounds)?);
                }
            }
        }
    }
    report::print(&cells).map_err(|error| format!("the table cannot be written: {error}"))?;
    match &options.json {
        Some(file) => fs::write(file, json(&cells)? + "\n").map_err(|error| format!("{}: {error}", file.display())),
        None => Ok(()),
    }
}

/// The medians of several processes.
fn median(plan: cell::Plan, rounds: usize) -> Result<Cell, String> {
    let cells = (0..rounds).map(|_| in_a_process(plan)).collect::<Result<Vec<_>, _>>()?;
    Cell::median(&cells).ok_or_else(|| "no round was run".to_owned())
}

fn in_a_process(plan: cell::Plan) -> Result<Cell, String> {
    let program = env::current_exe().map_err(|error| format!("this program cannot be found: {error}"))?;
    let output = Command::new(program)
        .args(["cache", "--cell", &json(&plan)?])
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("a measurement cannot be started: {error}"))?;
    if !output.status.success() {
        return Err(format!("a measurement failed: {}", output.status));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("a measurement wrote what cannot be read: {error}"))
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, String> {
    serde_json::to_string(value).map_err(|error| format!("the result cannot be written as JSON: {error}"))
}
