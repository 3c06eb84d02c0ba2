//! regorus' interpreter by itself: one engine, prepared once and used again.

use std::num::{NonZeroU32, NonZeroUsize};

use regorus::{PolicyLengthConfig, Value};

use super::{
    cases::Case,
    contender::{Contender, Stages, parse, staged, write},
    folder::Folder,
};

/// Its own limits refuse a policy of 10 MB.
const LENGTHS: PolicyLengthConfig = PolicyLengthConfig {
    max_col: NonZeroU32::new(65_536).unwrap(),
    max_file_bytes: NonZeroUsize::new(64 << 20).unwrap(),
    max_lines: NonZeroUsize::new(2_000_000).unwrap(),
};

pub(crate) struct Interpreter(regorus::Engine);

impl Interpreter {
    pub(crate) fn load(folder: Folder) -> Result<Self, String> {
        let mut engine = engine(folder)?;
        // The first evaluation prepares.
        engine.set_input(Value::Undefined);
        engine.eval_query("true".to_owned(), false).map_err(|error| error.to_string())?;
        Ok(Self(engine))
    }
}

/// A regorus engine with the folder's policies and data.
pub(crate) fn engine(folder: Folder) -> Result<regorus::Engine, String> {
    let mut engine = regorus::Engine::new();
    engine.set_strict_builtin_errors(false);
    engine.set_policy_length_config(LENGTHS);
    for (name, source) in folder.modules {
        engine.add_policy(name, source).map_err(|error| error.to_string())?;
    }
    let data = parse(&folder.data)?;
    engine.add_data(data).map_err(|error| error.to_string())?;
    Ok(engine)
}

impl Interpreter {
    fn value(&mut self, case: &Case, input: Value) -> Result<Value, String> {
        self.0.set_input(input);
        self.0.eval_rule(case.reference()).map_err(|error| error.to_string())
    }
}

impl Contender for Interpreter {
    fn answer(&mut self, case: &Case, result: &mut Vec<u8>) -> Result<bool, String> {
        let value = self.value(case, parse(&case.input)?)?;
        write(&value, result)
    }

    fn stages(&mut self, case: &Case) -> Result<Stages, String> {
        staged(case, |input| self.value(case, input))
    }
}
