//! regorus' virtual machine by itself: one program for each path, loaded once.

use std::collections::BTreeMap;

use regorus::{Value, languages::rego::compiler::Compiler, rvm::RegoVM};

use super::{
    cases::Case,
    contender::{Contender, Stages, parse, staged, write},
    folder::Folder,
    interpreter,
};

pub(crate) struct Rvm(BTreeMap<String, RegoVM>);

impl Rvm {
    pub(crate) fn load(folder: Folder, cases: &[Case]) -> Result<Self, String> {
        let mut engine = interpreter::engine(folder)?;
        let mut machines = BTreeMap::new();
        for case in cases {
            if machines.contains_key(&case.path) {
                continue;
            }
            let reference = case.reference();
            let policy = engine.compile_with_entrypoint(&reference.as_str().into()).map_err(|error| error.to_string())?;
            let program =
                Compiler::compile_from_policy(&policy, &[&reference]).map_err(|error| format!("not compiled: {error}"))?;
            let mut machine = RegoVM::new();
            // By default it stops after 25,000.
            machine.set_max_instructions(usize::MAX);
            machine.load_program(program);
            machine.set_data(engine.get_data()).map_err(|error| error.to_string())?;
            machines.insert(case.path.clone(), machine);
        }
        Ok(Self(machines))
    }

    fn value(&mut self, case: &Case, input: Value) -> Result<Value, String> {
        let machine = self.0.get_mut(&case.path).ok_or("a path that was not compiled")?;
        machine.set_input(input);
        machine.execute().map_err(|error| error.to_string())
    }
}

impl Contender for Rvm {
    fn answer(&mut self, case: &Case, result: &mut Vec<u8>) -> Result<bool, String> {
        let value = self.value(case, parse(&case.input)?)?;
        write(&value, result)
    }

    fn stages(&mut self, case: &Case) -> Result<Stages, String> {
        staged(case, |input| self.value(case, input))
    }
}
