//! A compiled, immutable set of policies and data.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;
use regorus::Value;

use crate::{
    dependencies::{Analysed, Dependencies},
    document::{data_text, parse_data},
    error::PolicyError,
    evaluator::{Evaluator, descend_data},
    path::DecisionPath,
    reach::{Reached, reach},
    references::{Collector, Mentions},
    revision::revision_of,
    rules::{RuleTable, head_of, package_of},
};

/// The syntax that modules without `import rego.v1` are written in.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RegoVersion {
    /// As OPA before 1.0: `if` and `contains` are not needed.
    V0,
    /// As OPA since 1.0.
    #[default]
    V1,
}

/// A Rego module: its file name, for messages, and its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Name shown in messages.
    pub name: String,
    /// Rego source.
    pub source: String,
}

/// How a path is answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Nothing is defined there.
    Undefined,
    /// Base data only.
    Data(Value),
    /// One rule, and the way down into its value.
    Rule { reference: String, tail: Vec<String> },
    /// A package, or a mixture of rules and data.
    Query(String),
}

/// Policies that compiled. Evaluators are built from the sources, one per thread, so that nothing is shared hot.
#[derive(Debug)]
pub struct Policies {
    version: RegoVersion,
    modules: Vec<Module>,
    /// Canonical text, from which each evaluator parses its own copy.
    data_text: Vec<u8>,
    data: Value,
    revision: String,
    packages: Vec<String>,
    table: RuleTable,
    reached: Vec<Reached>,
    dependencies: Dependencies,
    first: Mutex<Option<Evaluator>>,
}

impl Policies {
    /// Compile Rego v1 `modules` with the base document `data`, a JSON object.
    pub fn compile(modules: Vec<Module>, data: &[u8]) -> Result<Self, PolicyError> {
        Self::compile_as(RegoVersion::V1, modules, data)
    }

    /// As [`Self::compile`], for modules written in `version`. The revision does not tell versions apart.
    pub fn compile_as(version: RegoVersion, modules: Vec<Module>, data: &[u8]) -> Result<Self, PolicyError> {
        let data = parse_data(data)?;
        let data_text = data_text(&data)?;
        let mut first = Evaluator::build(version, &modules, &data_text)?;
        let (table, mentions, dependencies) = analyse(&mut first)?;
        refuse_conflicts(&table, &data)?;
        let reached = reach(&table, &mentions);
        Ok(Self {
            version,
            revision: revision_of(modules.iter().map(|module| module.source.as_str()), &data)?,
            packages: first.packages()?,
            modules,
            data_text,
            data,
            table,
            reached,
            dependencies,
            first: Mutex::new(Some(first)),
        })
    }

    /// Lower-case hex SHA-256 of the content; see [`crate::policy_revision`].
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// Package paths without the leading `data.`, sorted.
    pub fn packages(&self) -> &[String] {
        &self.packages
    }

    /// Rule path to the builtins it reaches that the engine lacks.
    pub fn unsupported(&self) -> BTreeMap<String, Vec<String>> {
        self.table
            .iter()
            .filter_map(|(path, id)| {
                let missing = &self.reached.get(id)?.missing;
                (!missing.is_empty()).then(|| (path.join("/"), missing.iter().cloned().collect()))
            })
            .collect()
    }

    /// Builtins that an evaluation of `path` may reach and the engine lacks, sorted.
    pub fn missing_builtins(&self, path: &DecisionPath) -> Vec<String> {
        self.reached_by(path).missing.into_iter().collect()
    }

    /// Whether a decision of `path` may be kept: the same input always gives the same answer.
    pub fn is_cacheable(&self, path: &DecisionPath) -> bool {
        !self.related(path.segments()).any(|reached| reached.nondeterministic)
    }

    /// Paths of the rules that have a value of their own.
    pub(crate) fn entrypoints(&self) -> impl Iterator<Item = &Vec<String>> {
        self.table.iter().map(|(path, _)| path).filter(|path| !self.table.is_function(path))
    }

    /// Revision of what decisions of `path` depend on: sources of the rules it reaches, the data it reads, and the engine.
    ///
    /// Policies that agree on it answer the same question alike. Takes as long as reading the data that the path reads.
    pub fn dependency_revision(&self, path: &DecisionPath) -> [u8; 16] {
        self.dependencies.revision(path.segments(), &self.table, &self.data, self.version)
    }

    pub(crate) fn is_supported(&self, path: &DecisionPath) -> bool {
        self.related(path.segments()).all(|reached| reached.missing.is_empty())
    }

    fn reached_by(&self, path: &DecisionPath) -> Reached {
        self.related(path.segments()).fold(Reached::default(), |mut all, reached| {
            all.absorb(reached);
            all
        })
    }

    fn related<'p>(&'p self, segments: &'p [String]) -> impl Iterator<Item = &'p Reached> {
        let above = self.table.values_at_or_above(segments).map(|(_, id)| id);
        above.chain(self.table.values_below(segments)).filter_map(|id| self.reached.get(id))
    }

    pub(crate) fn plan(&self, path: &DecisionPath) -> Plan {
        let segments = path.segments();
        let nearest = self.table.values_at_or_above(segments).next();
        if nearest.is_none() && self.table.values_below(segments).next().is_none() {
            return match descend_data(self.data.clone(), segments) {
                Value::Undefined => Plan::Undefined,
                value => Plan::Data(value),
            };
        }
        if let Some((rule, tail)) = nearest.and_then(|(length, _)| segments.split_at_checked(length))
            && self.table.values_below(rule).next().is_none()
            && self.table.values_at_or_above(rule).count() == 1
        {
            return Plan::Rule { reference: DecisionPath::reference(rule), tail: tail.to_vec() };
        }
        Plan::Query(DecisionPath::reference(segments))
    }

    /// A fresh evaluator; the one made while compiling is handed out first.
    pub(crate) fn evaluator(&self) -> Result<Evaluator, PolicyError> {
        if let Some(first) = self.first.lock().take() {
            return Ok(first);
        }
        Evaluator::build(self.version, &self.modules, &self.data_text)
    }
}

fn analyse(evaluator: &mut Evaluator) -> Result<(RuleTable, Vec<Mentions>, Dependencies), PolicyError> {
    let modules = evaluator.modules();
    let packages: Vec<_> = modules.iter().map(|module| package_of(module)).collect();
    let mut table = RuleTable::default();
    let mut numbers = Vec::with_capacity(modules.len());
    for (module, package) in modules.iter().zip(&packages) {
        let of_module: Vec<usize> = module
            .policy
            .iter()
            .map(|rule| {
                let (path, is_function) = head_of(package, rule);
                table.add(path, is_function)
            })
            .collect();
        numbers.push(of_module);
    }
    let mut mentions: Vec<Mentions> = std::iter::repeat_with(Mentions::default).take(table.len()).collect();
    for ((module, package), of_module) in modules.iter().zip(&packages).zip(&numbers) {
        let mut collector = Collector::new(package, module, &table);
        for (rule, id) in module.policy.iter().zip(of_module) {
            if let Some(into) = mentions.get_mut(*id) {
                collector.rule(rule, into);
            }
        }
        if let Some(message) = collector.undefined_call {
            return Err(PolicyError(message));
        }
    }
    let analysed: Vec<Analysed> = modules
        .iter()
        .zip(&packages)
        .zip(&numbers)
        .map(|((module, package), rules)| Analysed { source: module.package.span.source.get_contents(), package, rules })
        .collect();
    let dependencies = Dependencies::new(&analysed, &mentions);
    Ok((table, mentions, dependencies))
}

/// The engine would let base data win over a rule of the same path, in silence; OPA refuses it, and so do we.
fn refuse_conflicts(table: &RuleTable, data: &Value) -> Result<(), PolicyError> {
    let mut conflicts = BTreeSet::new();
    for (path, _) in table.iter() {
        if descend_data(data.clone(), path) != Value::Undefined {
            conflicts.insert(path.join("/"));
        }
    }
    match conflicts.first() {
        Some(path) => Err(PolicyError(format!("the data has a value at {path}, where a rule is defined: rename one of them"))),
        None => Ok(()),
    }
}
