//! This project's engine, through its public interface.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sark_engine::{
    CacheLimits, DecisionPath, Engine, EngineOptions, EvaluationLimits, Module, Policies, Value, document::read_document,
};

use super::{
    cases::Case,
    contender::{Contender, Stages, write},
    folder::Folder,
};

/// Long enough for any evaluation that is measured, also on a machine with other work.
const TIMEOUT: Duration = Duration::from_secs(600);

pub(crate) struct Sark {
    engine: Engine,
    /// The path of the last case, parsed: a server parses it while it reads the request.
    path: (String, DecisionPath),
}

impl Sark {
    pub(crate) fn load(folder: Folder) -> Result<Self, String> {
        let modules = folder.modules.into_iter().map(|(name, source)| Module { name, source }).collect();
        let policies = Policies::compile(modules, &folder.data).map_err(|error| error.to_string())?;
        let options = EngineOptions {
            cache: CacheLimits { max_entries: 1, max_bytes: 1, ttl: TIMEOUT },
            evaluation: EvaluationLimits::within(TIMEOUT),
        };
        let engine = Engine::new(Arc::new(policies), options).map_err(|error| error.to_string())?;
        Ok(Self { engine, path: (String::new(), path("")?) })
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

    /// The stages one by one, of the whole input: an answer from text to text reads no more of it than the policies can see.
    fn stages(&mut self, case: &Case) -> Result<Stages, String> {
        self.follow(case)?;
        let began = Instant::now();
        let input = read_document(&case.input).map_err(|error| error.to_string())?;
        let parsed = Instant::now();
        let result = self.engine.evaluate_value(&self.path.1, input).map_err(|error| error.to_string())?;
        let evaluated = Instant::now();
        let serialise = match result {
            Value::Undefined => Duration::ZERO,
            result => {
                write(&result, &mut Vec::new())?;
                evaluated.elapsed()
            }
        };
        Ok(Stages { parse: parsed - began, evaluate: evaluated - parsed, serialise })
    }

    fn policies_bytes(&self) -> Option<u64> {
        u64::try_from(self.engine.policies().memory_bytes()).ok()
    }
}

fn path(text: &str) -> Result<DecisionPath, String> {
    DecisionPath::parse(text).map_err(|error| error.to_string())
}
