//! Runs every case of OPA's conformance suite through the engine: the answer is OPA's, or the policy is refused at load.
//!
//! Exits with an error when a case is otherwise than the list of known refusals says, for better or for worse.

mod arguments;
mod case;
mod document;
mod expected;
mod number;
mod prune;
mod question;
mod report;
mod suite;
mod verdict;

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write, stderr, stdout},
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use arguments::Arguments;
use case::Case;
use expected::Expected;
use report::Report;
use verdict::{Kind, Verdict, judge};

/// Evaluation recurses; some cases nest deeply on purpose.
const STACK_BYTES: usize = 64 << 20;

fn main() -> ExitCode {
    match arguments::parse(std::env::args().skip(1)).and_then(|arguments| run(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            // Nobody is left to tell when standard error is closed.
            let _ = writeln!(stderr(), "error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    // A panic inside the engine is an outcome of its case; nobody needs its backtrace.
    std::panic::set_hook(Box::new(|_| {}));
    let mut cases = suite::read(&arguments.testdata)?;
    if let Some(text) = &arguments.only {
        cases.retain(|case| case.id.contains(text));
    }
    let verdicts = judge_all(&cases)?;
    let report = Report::of(&verdicts);
    report.write_table(&mut stdout().lock()).map_err(|error| unwritten(&error))?;
    if let Some(path) = &arguments.json {
        let json = serde_json::to_string_pretty(&report).map_err(|error| error.to_string())?;
        fs::write(path, json + "\n").map_err(|error| format!("{}: {error}", path.display()))?;
    }
    if arguments.only.is_some() {
        return explain(&verdicts).map_err(|error| unwritten(&error));
    }
    let path = &arguments.expected;
    let list = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let list = if arguments.prune { prune::pruned(&list, &verdicts) } else { list };
    if arguments.prune {
        fs::write(path, &list).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let list = Expected::parse(&list).map_err(|error| format!("{}: {error}", path.display()))?;
    let surprises = list.surprises(&verdicts);
    if surprises.is_empty() {
        return Ok(());
    }
    Err(format!("{} cases are otherwise than {} says:\n{}", surprises.len(), path.display(), surprises.join("\n")))
}

fn explain(verdicts: &BTreeMap<&str, Verdict>) -> io::Result<()> {
    let mut out = stdout().lock();
    for (id, verdict) in verdicts.iter().filter(|(_, verdict)| verdict.kind != Kind::Equal) {
        writeln!(out, "{id} is {}: {}", verdict.kind.as_str(), verdict.reason)?;
    }
    Ok(())
}

fn unwritten(error: &io::Error) -> String {
    format!("the result cannot be written: {error}")
}

/// The cases are independent: one thread a core takes the next one that is left.
fn judge_all(cases: &[Case]) -> Result<BTreeMap<&str, Verdict>, String> {
    let next = AtomicUsize::new(0);
    let verdicts = Mutex::new(BTreeMap::new());
    let work = || {
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let verdict = judge(case);
            verdicts.lock().unwrap_or_else(PoisonError::into_inner).insert(case.id.as_str(), verdict);
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            let spawned = thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work);
            spawned.map_err(|error| format!("no thread for the cases: {error}"))?;
        }
        Ok::<_, String>(())
    })?;
    Ok(verdicts.into_inner().unwrap_or_else(PoisonError::into_inner))
}
