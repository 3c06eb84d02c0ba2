//! A compiled, immutable set of policies and data.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    compilation::{Compilation, compile},
    dependencies::{Dependencies, Place, revision_of_path},
    document::{Document, Projection, Spelled, data_text, parse_data},
    error::PolicyError,
    evaluator::Evaluator,
    footprint::{Footprint, whole},
    loading,
    path::{DecisionPath, is_odd_index},
    program::Program,
    reach::Reached,
    revision::revision_of,
    rules::RuleTable,
    source::{Reading, without_mark},
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

/// Most bytes of sources and data for which each thread has a program of its own.
const REPLICATED: usize = 1 << 20;

/// Most memory that policies may take where nobody says otherwise: 1 GiB.
pub const MAX_MEMORY_BYTES: usize = 1 << 30;

/// Modules, and the canonical text of the base document.
#[derive(Debug)]
struct Sources {
    modules: Vec<Module>,
    data: Vec<u8>,
}

/// Policies that compiled.
#[derive(Debug)]
pub struct Policies {
    version: RegoVersion,
    /// What a thread's own program is compiled from; None when all threads share one.
    copied: Option<Sources>,
    data: Document,
    /// Numbers of the data and the modules that are spelled otherwise.
    spelled: Arc<Spelled>,
    revision: String,
    table: RuleTable,
    reached: Vec<Reached>,
    dependencies: Dependencies,
    program: Arc<Program>,
    memory_bytes: usize,
}

impl Policies {
    /// Compile Rego v1 `modules` with the base document `data`, a JSON object.
    pub fn compile(modules: Vec<Module>, data: &[u8]) -> Result<Self, PolicyError> {
        Self::compile_as(RegoVersion::V1, modules, data)
    }

    /// As [`Self::compile`], for modules written in `version`. The revision does not tell versions apart.
    pub fn compile_as(version: RegoVersion, modules: Vec<Module>, data: &[u8]) -> Result<Self, PolicyError> {
        Self::of(version, modules, parse_data(data)?, MAX_MEMORY_BYTES)
    }

    /// As [`Self::compile`], refused when the result would take more than `most_bytes` of memory.
    pub fn compile_within(modules: Vec<Module>, data: &[u8], most_bytes: usize) -> Result<Self, PolicyError> {
        Self::of(RegoVersion::V1, modules, parse_data(data)?, most_bytes)
    }

    /// Compile the Rego v1 modules and the data of files, into at most `most_bytes` of memory.
    pub fn of_sources(sources: loading::Sources, most_bytes: usize) -> Result<Self, PolicyError> {
        let loading::Sources { modules, data, spelled } = sources;
        let mut data = parse_data(&data)?;
        data.spelled.absorb(&spelled);
        Self::of(RegoVersion::V1, modules, data, most_bytes)
    }

    fn of(version: RegoVersion, modules: Vec<Module>, data: Document, most_bytes: usize) -> Result<Self, PolicyError> {
        let data_bytes = data.value.heap();
        if data_bytes > most_bytes {
            return Err(PolicyError::too_large(most_bytes));
        }
        let data_text = data_text(&data.value)?;
        let unmarked = |module: Module| Module { source: without_mark(module.source), ..module };
        let modules: Vec<Module> = modules.into_iter().map(unmarked).collect();
        let compiled = compile(version, &modules, &data.value, Reading::default(), most_bytes)?;
        let Compilation { table, reached, dependencies, program } = compiled;
        let mut spelled = program.spelled().clone();
        spelled.absorb(&data.spelled);
        let revision = revision_of(modules.iter().map(|module| module.source.as_str()), &data)?;
        let size = modules.iter().map(|module| module.source.len()).sum::<usize>() + data_text.len();
        let copied = (size <= REPLICATED).then_some(Sources { modules, data: data_text });
        let sources_bytes = if copied.is_some() { size } else { 0 };
        let tables_bytes = table.heap() + reached.heap() + dependencies.heap();
        let memory_bytes = data_bytes + sources_bytes + tables_bytes + whole(&program);
        if memory_bytes > most_bytes {
            return Err(PolicyError::too_large(most_bytes));
        }
        Ok(Self {
            version,
            copied,
            data,
            spelled: Arc::new(spelled),
            revision,
            table,
            reached,
            dependencies,
            program: Arc::new(program),
            memory_bytes,
        })
    }

    /// Lower-case hex SHA-256 of the content; see [`crate::policy_revision`].
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// Bytes of memory that the compiled policies and their data take, as an estimate. A serving thread's own copy of small
    /// policies comes on top.
    pub const fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// Package paths without the leading `data.`, sorted.
    pub fn packages(&self) -> &[String] {
        self.program.packages()
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
        self.is_cacheable_at(path.segments())
    }

    pub(crate) fn is_cacheable_at(&self, path: &[String]) -> bool {
        !self.related(path).any(|reached| reached.nondeterministic)
    }

    /// Paths of the rules that have a value of their own.
    pub(crate) fn entrypoints(&self) -> impl Iterator<Item = &Vec<String>> {
        self.table.iter().map(|(path, _)| path).filter(|path| !self.table.is_function(path))
    }

    /// Revision of what decisions of `path` depend on: sources of the rules it reaches, the data it reads, and the engine.
    ///
    /// Policies that agree on it answer the same question alike. Takes as long as reading the data that the path reads.
    pub fn dependency_revision(&self, path: &DecisionPath) -> [u8; 16] {
        revision_of_path(self.revision_at(&self.place(path)), path.joined())
    }

    /// Where `path` leads.
    pub(crate) fn place(&self, path: &DecisionPath) -> Place {
        self.dependencies.place(path.segments(), &self.table, &self.data)
    }

    /// Revision of what all paths that lead to `place` depend on.
    pub(crate) fn revision_at(&self, place: &Place) -> [u8; 16] {
        self.dependencies.revision(place, &self.table, &self.data, self.version)
    }

    /// What was done for revisions until now, in bytes hashed.
    pub(crate) fn effort(&self) -> u64 {
        self.dependencies.effort()
    }

    /// Whether the engine answers for `path`, unless numbers in it say otherwise: see [`Self::is_odd`].
    pub(crate) fn is_supported_at(&self, path: &[String]) -> bool {
        self.related(path).all(|reached| reached.missing.is_empty())
            && self.program.reach(path).unsupported.is_empty()
            && !self.is_of_function(path)
    }

    /// To OPA a segment of `path` is a number, and no name of a package or rule.
    pub(crate) fn is_odd(&self, path: &[String]) -> bool {
        path.iter().any(|segment| is_odd_index(segment)) || self.program.is_entered_by_number(path)
    }

    fn is_of_function(&self, path: &[String]) -> bool {
        (1..=path.len()).any(|length| path.get(..length).is_some_and(|at| self.table.is_function(at)))
    }

    /// What `path` may reach and this engine leaves to OPA, as sentences.
    pub(crate) fn left_to_opa(&self, path: &DecisionPath) -> Vec<String> {
        let mut reasons: Vec<String> = self.program.reach(path.segments()).unsupported.into_iter().collect();
        // To ask for its value, or for what is below, is an error in OPA.
        if self.is_of_function(path.segments()) {
            reasons.push("a function, which has no value".to_owned());
        }
        if self.is_odd(path.segments()) {
            reasons.push("a path with a segment that OPA takes for a number".to_owned());
        }
        reasons
    }

    /// What an evaluation of `path` can see of its input, with what `others` are paths to.
    pub(crate) fn projection(&self, path: &[String], others: &[Vec<String>]) -> Projection {
        let Some(seen) = self.program.seen(path) else {
            return Projection::Whole;
        };
        // What may be an index of an array is looked for in all of that.
        let others = others.iter().map(|path| {
            let names = path.iter().map(String::as_str);
            names.take_while(|name| name.parse::<usize>().is_err()).collect()
        });
        Projection::of(seen.into_iter().chain(others))
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

    /// A fresh evaluator. Threads that share values contend for their reference counts, so each has its own where that is cheap.
    pub(crate) fn evaluator(&self) -> Result<Evaluator, PolicyError> {
        let Some(Sources { modules, data }) = &self.copied else {
            return Ok(Evaluator::new(Arc::clone(&self.program), Arc::clone(&self.spelled)));
        };
        let program = compile(self.version, modules, &parse_data(data)?.value, Reading::default(), usize::MAX)?.program;
        Ok(Evaluator::new(Arc::new(program), Arc::clone(&self.spelled)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modules(rules: usize) -> Vec<Module> {
        let rule = |number| format!("allow if input.role == \"role{number}\"\n");
        let source = format!("package p\n{}", (0..rules).map(rule).collect::<String>());
        vec![Module { name: "p.rego".into(), source }]
    }

    fn taken(rules: usize, data: &str) -> usize {
        Policies::compile(modules(rules), data.as_bytes()).unwrap().memory_bytes()
    }

    #[test]
    fn memory_is_that_of_rules_and_data() {
        let (few, many) = (taken(10, "{}"), taken(1_010, "{}"));
        // A rule with its entry in the index: neither nothing nor kilobytes.
        assert!((200_000..2_000_000).contains(&(many - few)), "{few} {many}");
        let data = format!("{{\"names\": [{}]}}", vec!["\"abcdefghij\""; 1_000].join(","));
        assert!((26_000..100_000).contains(&(taken(10, &data) - few)));
    }

    #[test]
    fn what_takes_more_than_it_may_is_refused() {
        let within = |most| Policies::compile_within(modules(100), b"{\"a\": [1, 2, 3]}", most);
        let taken = within(usize::MAX).unwrap().memory_bytes();
        assert_eq!(within(taken).unwrap().memory_bytes(), taken);
        for most in [taken - 1, taken / 2, 1_000, 0] {
            let told = within(most).unwrap_err().to_string();
            assert!(told.contains(&format!("more than {most} bytes of memory")) && told.contains("max_memory_bytes"), "{told}");
        }
    }
}
