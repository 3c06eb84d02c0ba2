//! Modules become a program in two passes: the first finds which rules there are, the second compiles them, part by part.

use regorus::Value;

use crate::{
    analysis::Analysis,
    dependencies::Dependencies,
    error::PolicyError,
    evaluator::contained,
    footprint::Footprint,
    policies::{Module, RegoVersion},
    program::{Builder, Program},
    reach::Reached,
    rules::RuleTable,
    source::{Outline, Parts, Reading},
};

/// Modules, compiled.
#[derive(Debug)]
pub(crate) struct Compilation {
    pub table: RuleTable,
    pub reached: Vec<Reached>,
    pub dependencies: Dependencies,
    pub program: Program,
}

/// Why compiling ended without a program.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// A rule that the first pass did not see.
    Unforeseen,
    /// The modules are refused.
    Refused(PolicyError),
}

impl From<PolicyError> for Stopped {
    fn from(error: PolicyError) -> Self {
        Self::Refused(error)
    }
}

/// Compile `modules` over the base document `data`, an object, that together take at most `most_bytes` of memory.
pub(crate) fn compile(
    version: RegoVersion,
    modules: &[Module],
    data: &Value,
    reading: Reading,
    most_bytes: usize,
) -> Result<Compilation, PolicyError> {
    contained(|| {
        let parts = Parts::of(version, modules, reading)?;
        match passes(&parts, modules, data, Outline::Beginnings, most_bytes) {
            Err(Stopped::Unforeseen) => passes(&parts, modules, data, Outline::Everything, most_bytes).map_err(told),
            other => other.map_err(told),
        }
    })
    .unwrap_or_else(|message| Err(PolicyError(format!("the engine failed while compiling: {message}"))))
}

fn told(stopped: Stopped) -> PolicyError {
    match stopped {
        Stopped::Refused(error) => error,
        Stopped::Unforeseen => PolicyError("the engine failed while compiling: a rule came up that it had not seen".into()),
    }
}

fn passes(
    parts: &Parts<'_>,
    modules: &[Module],
    data: &Value,
    outline: Outline,
    most_bytes: usize,
) -> Result<Compilation, Stopped> {
    let mut analysis = Analysis::default();
    let mut builder = Builder::new(data.heap(), most_bytes);
    parts.outline(outline, |module, ast| {
        analysis.outline(module, ast);
        builder.outline(module, ast)
    })?;
    builder.attach(data)?;
    parts.each(|part, module, ast| {
        analysis.collect(module, ast)?;
        builder.lower(part, module, ast)
    })?;
    while let Some((asked, of)) = builder.asked() {
        for part in of {
            if let Some(module) = parts.module_of(part) {
                builder.key(&asked, part, module, &*parts.parse(part)?);
            }
        }
    }
    let program = builder.finish()?;
    let (table, reached, dependencies) = analysis.finish(modules);
    Ok(Compilation { table, reached, dependencies, program })
}
