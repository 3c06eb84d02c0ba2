//! Evaluations in process: one engine, one folder of policies, and cases whose results are known.
//!
//! One engine a process, so that its memory is its own. Nothing is measured before every case has given its result.

mod cases;
mod contender;
mod folder;
mod interpreter;
mod rvm;
mod sark;
mod timing;

use std::{
    io::{self, Write},
    time::Instant,
};

use serde::Serialize;

pub(crate) use self::folder::Folder;
use self::{cases::Case, contender::Contender, timing::CaseTimes};
use crate::{
    arguments::{EngineName, EvaluateOptions},
    memory::Memory,
};

/// What is printed.
#[derive(Debug, Serialize)]
struct Summary {
    /// From sources in memory to an engine that is ready.
    load_seconds: f64,
    /// Resident memory more than before the sources were read, after every case has been evaluated once.
    rss_added_bytes: u64,
    /// The most there was meanwhile.
    peak_added_bytes: u64,
    /// What the engine says that its policies take.
    policies_bytes: Option<u64>,
    cases: Vec<CaseTimes>,
}

/// Load, check every case, time them, and print what was measured as one JSON object.
pub(crate) fn run(options: &EvaluateOptions) -> Result<(), String> {
    let before = Memory::of_this_process()?;
    let cases = cases::read(&options.cases)?;
    let folder = Folder::read(&options.policies)?;
    let began = Instant::now();
    let mut engine = load(options.engine, folder, &cases)?;
    let load_seconds = began.elapsed().as_secs_f64();
    for case in &cases {
        case.check(engine.as_mut())?;
    }
    let after = Memory::of_this_process()?;
    let summary = Summary {
        load_seconds,
        rss_added_bytes: after.now.saturating_sub(before.now),
        peak_added_bytes: after.peak.saturating_sub(before.now),
        policies_bytes: engine.policies_bytes(),
        cases: timing::measure(engine.as_mut(), &cases, options.budget)?,
    };
    serde_json::to_writer(io::stdout(), &summary).map_err(|error| error.to_string())?;
    writeln!(io::stdout()).map_err(|error| error.to_string())
}

fn load(engine: EngineName, folder: Folder, cases: &[Case]) -> Result<Box<dyn Contender>, String> {
    Ok(match engine {
        EngineName::Sark => Box::new(sark::Sark::load(folder)?),
        EngineName::Interpreter => Box::new(interpreter::Interpreter::load(folder)?),
        EngineName::Rvm => Box::new(rvm::Rvm::load(folder, cases)?),
    })
}
