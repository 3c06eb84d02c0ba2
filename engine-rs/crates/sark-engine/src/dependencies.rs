//! What the answers of a path depend on: sources of the rules it reaches and the data it reads.
//!
//! Reached means: mentioned, through however many rules. Whole modules count, since a rule's meaning hangs on its module's
//! package and imports. When in doubt more counts than needed, which only forgets decisions early.

use std::collections::{BTreeMap, BTreeSet};

use regorus::Value;
use sha2::{Digest, Sha256};

use crate::{
    cache::{Sink, write_canonical},
    document::Document,
    footprint::Footprint,
    policies::RegoVersion,
    references::Mentions,
    rules::{Path, RuleTable},
};

type Hash = [u8; 32];

/// Dependencies of every rule.
#[derive(Debug)]
pub(crate) struct Dependencies {
    /// Hash of each module's source.
    modules: Vec<Hash>,
    /// By rule number.
    rules: Vec<RuleDependencies>,
    /// Packages of modules without rules: their documents are empty, but they are there.
    empty: Vec<(Path, usize)>,
}

/// A module as it was analysed.
pub(crate) struct Analysed<'m> {
    pub source: &'m str,
    pub package: &'m [String],
    /// Numbers of its rules.
    pub rules: &'m BTreeSet<usize>,
}

#[derive(Debug, Default)]
struct RuleDependencies {
    /// Modules with a definition of the rule.
    modules: BTreeSet<usize>,
    /// Constant beginnings of what it reads: data, other rules, or both.
    paths: BTreeSet<Path>,
}

impl Footprint for RuleDependencies {
    fn heap(&self) -> usize {
        self.modules.heap() + self.paths.heap()
    }
}

impl Footprint for Dependencies {
    fn heap(&self) -> usize {
        self.modules.heap() + self.rules.heap() + self.empty.heap()
    }
}

impl Dependencies {
    /// Of the rules of `modules`; `mentions` is by rule number.
    pub(crate) fn new(modules: &[Analysed], mentions: &[Mentions]) -> Self {
        let of_rule = |mentions: &Mentions| RuleDependencies {
            modules: BTreeSet::new(),
            paths: mentions.paths.iter().cloned().map(cut_at_number).collect(),
        };
        let mut rules: Vec<RuleDependencies> = mentions.iter().map(of_rule).collect();
        for (number, module) in modules.iter().enumerate() {
            for id in module.rules {
                if let Some(rule) = rules.get_mut(*id) {
                    rule.modules.insert(number);
                }
            }
        }
        let empty = modules.iter().enumerate().filter(|(_, module)| module.rules.is_empty());
        Self {
            empty: empty.map(|(number, module)| (module.package.to_vec(), number)).collect(),
            modules: modules.iter().map(|module| Sha256::digest(module.source.as_bytes()).into()).collect(),
            rules,
        }
    }

    /// Revision of all that the value at `segments` depends on. Equal revisions give equal answers to equal inputs.
    pub(crate) fn revision(&self, segments: &[String], table: &RuleTable, data: &Document, version: RegoVersion) -> [u8; 16] {
        let asked = cut_at_number(segments.to_vec());
        let mut read = BTreeSet::from([asked.clone()]);
        let mut modules = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut pending = related(&asked, table);
        while let Some(id) = pending.pop() {
            let Some(rule) = self.rules.get(id).filter(|_| seen.insert(id)) else { continue };
            modules.extend(&rule.modules);
            for path in &rule.paths {
                if !read.contains(path) {
                    pending.extend(related(path, table));
                    read.insert(path.clone());
                }
            }
        }
        let is_read = |package: &Path| read.iter().any(|path| package.starts_with(path));
        modules.extend(self.empty.iter().filter(|(package, _)| is_read(package)).map(|(_, module)| *module));
        self.hash(&modules, &read, data, version)
    }

    fn hash(&self, modules: &BTreeSet<usize>, read: &BTreeSet<Path>, data: &Document, version: RegoVersion) -> [u8; 16] {
        let mut hasher = Hasher(Sha256::new());
        hasher.part(concat!("sark-engine ", env!("CARGO_PKG_VERSION"), " regorus ").as_bytes());
        hasher.part(crate::REGORUS_VERSION.as_bytes());
        hasher.put(&[version as u8]);
        // The same sources are the same, in whatever order they are loaded.
        let mut sources: Vec<&Hash> = modules.iter().filter_map(|module| self.modules.get(*module)).collect();
        sources.sort_unstable();
        hasher.put(&(sources.len() as u64).to_le_bytes());
        for source in sources {
            hasher.put(source);
        }
        for (path, value) in values_read(read, &data.value) {
            hasher.put(&(path.len() as u64).to_le_bytes());
            for segment in &path {
                hasher.part(segment.as_bytes());
            }
            write_canonical(value, &mut hasher);
        }
        hasher.part(data.spelled.text().as_bytes());
        let [revision @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _]: Hash = hasher.0.finalize().into();
        revision
    }
}

/// Rules whose value may be part of the value at `path`, or the other way round.
fn related(path: &[String], table: &RuleTable) -> Vec<usize> {
    let at_top = table.at_or_above(path).map(|(_, id)| id);
    at_top.chain(table.below(path)).collect()
}

/// A number can be spelled in many ways, a path filed under one only: what follows a number is taken to be all there is.
fn cut_at_number(mut path: Path) -> Path {
    if let Some(at) = path.iter().position(|segment| segment.parse::<f64>().is_ok()) {
        path.truncate(at);
    }
    path
}

/// The parts of `data` that `read` names, without those that are inside another one.
fn values_read<'d>(read: &BTreeSet<Path>, data: &'d Value) -> BTreeMap<Path, &'d Value> {
    let mut values: BTreeMap<Path, &Value> = BTreeMap::new();
    // Sorted: a path comes right before those that it begins.
    let mut outer: Option<&Path> = None;
    for path in read {
        if outer.is_some_and(|outer| path.starts_with(outer)) {
            continue;
        }
        outer = Some(path);
        let (depth, value) = descend(data, path);
        values.insert(path.get(..depth).unwrap_or_default().to_vec(), value);
    }
    values
}

/// As far into `data` as `path` leads through objects, and how far that is. Nothing there is undefined, at full length.
fn descend<'d>(data: &'d Value, path: &[String]) -> (usize, &'d Value) {
    let mut value = data;
    for (depth, segment) in path.iter().enumerate() {
        let Value::Object(fields) = value else { return (depth, value) };
        match fields.get(&Value::from(segment.as_str())) {
            Some(inner) => value = inner,
            None => return (path.len(), &Value::Undefined),
        }
    }
    (path.len(), value)
}

struct Hasher(Sha256);

impl Hasher {
    fn part(&mut self, bytes: &[u8]) {
        self.put(&(bytes.len() as u64).to_le_bytes());
        self.put(bytes);
    }
}

impl Sink for Hasher {
    fn put(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}
