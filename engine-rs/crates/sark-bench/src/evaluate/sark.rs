//! This project's engine, through its public interface.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sark_engine::{CacheLimits, DecisionPath, Engine, EngineOptions, Module, Policies};

use super::{
    cases::Case,
    contender::{Contender, Stages, parse, write},
    folder::Folder,
};

/// Long enough for any evaluation that is measured, also on a machine with other work.
const TIMEOUT: Duration = Duration::from_secs(600);
/// A path at which nothing is defined: an answer there costs all but the evaluation.
const NOTHING: &str = "sark_bench/nothing/is/defined/here";

pub(crate) struct Sark {
    engine: Engine,
    nothing: DecisionPath,
    /// The path of the last case, parsed: a server parses it while it reads the request.
    path: (String, DecisionPath),
}

impl Sark {
    pub(crate) fn load(folder: Folder) -> Result<Self, String> {
        let modules = folder.modules.into_iter().map(|(name, source)| Module { name, source }).collect();
        let policies = Policies::compile(modules, &folder.data).map_err(|error| error.to_string())?;
        let options =
            EngineOptions { cache: CacheLimits { max_entries: 1, max_bytes: 1, ttl: TIMEOUT }, evaluation_timeout: TIMEOUT };
        let engine = Engine::new(Arc::new(policies), options).map_err(|error| error.to_string())?;
        let nothing = path(NOTHING)?;
        Ok(Self { engine, nothing: nothing.clone(), path: (NOTHING.to_owned(), nothing) })
    }

    fn follow(&mut self, case: &Case) -> Result<(), String> {
        if self.path.0 != case.path {
            self.path = (case.path.clone(), path(&case.path)?);
        }
        Ok(())
    }
}

impl Contender for Sark {
    fn answer(&mut self, case: &Case, result: &mut Vec<u8>) -> Result<bool, String> {
        self.follow(case)?;
        let decision = self.engine.evaluate(&self.path.1, Some(&case.input)).map_err(|error| error.to_string())?;
        result.clear();
        let Some(text) = decision.result() else { return Ok(false) };
        result.extend_from_slice(text);
        Ok(true)
    }

    /// The interface has no seams between the stages: parsing is what the same input costs where nothing is defined, writing
    /// is measured on the same result, and evaluation is the rest.
    fn stages(&mut self, case: &Case) -> Result<Stages, String> {
        self.follow(case)?;
        let began = Instant::now();
        self.engine.evaluate(&self.nothing, Some(&case.input)).map_err(|error| error.to_string())?;
        let parse_took = began.elapsed();
        let began = Instant::now();
        let decision = self.engine.evaluate(&self.path.1, Some(&case.input)).map_err(|error| error.to_string())?;
        let total = began.elapsed();
        let serialise = match decision.result() {
            None => Duration::ZERO,
            Some(text) => {
                let value = parse(text)?;
                let began = Instant::now();
                write(&value, &mut Vec::new())?;
                began.elapsed()
            }
        };
        let evaluate = total.saturating_sub(parse_took).saturating_sub(serialise);
        Ok(Stages { parse: parse_took, evaluate, serialise })
    }

    fn policies_bytes(&self) -> Option<u64> {
        u64::try_from(self.engine.policies().memory_bytes()).ok()
    }
}

fn path(text: &str) -> Result<DecisionPath, String> {
    DecisionPath::parse(text).map_err(|error| error.to_string())
}
