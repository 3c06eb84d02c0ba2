//! What the answers of a path depend on: sources of the rules it reaches and the data it reads.
//!
//! Reached means: mentioned, through however many rules. Whole modules count, since a rule's meaning hangs on its module's
//! package and imports. When in doubt more counts than needed, which only forgets decisions early.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::atomic::{AtomicU64, Ordering},
};

use parking_lot::Mutex;
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

/// Bytes from which on a hash of data is remembered. There are no more such places than the data has of so many bytes, once for each
/// level they are nested.
const LONG: u64 = 4_096;
/// What a look at a rule counts for, in bytes hashed.
const A_LOOK: u64 = 256;

/// Dependencies of every rule.
#[derive(Debug)]
pub(crate) struct Dependencies {
    /// Hash of each module's source.
    modules: Vec<Hash>,
    /// By rule number.
    rules: Vec<RuleDependencies>,
    /// Packages of modules without rules, sorted: their documents are empty, but they are there.
    empty: Vec<(Path, usize)>,
    /// Hashes of base data that were asked for, by where it is.
    known: Mutex<HashMap<Path, Hash>>,
    effort: AtomicU64,
}

/// Where a path leads. Whatever is asked, there are no more of them than rules, packages and documents, some times over.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    /// Among rules.
    pub reached: End,
    /// In what is read: a path is taken to read all that is at the first number in it.
    read: End,
}

/// How far a path leads.
#[derive(Debug, Clone)]
pub(crate) struct End {
    /// As far as there are rules, packages or data.
    path: Path,
    /// A name that is not there, below others that are: one stands for all.
    absent: Option<String>,
}

impl End {
    fn key(&self) -> (&Path, bool) {
        (&self.path, self.absent.is_some())
    }

    /// A path that leads there.
    pub(crate) fn example(&self) -> Path {
        self.path.iter().chain(&self.absent).cloned().collect()
    }

    /// Whether that is all of `path`.
    pub(crate) fn is(&self, path: &[String]) -> bool {
        self.absent.is_none() && self.path == path
    }
}

impl PartialEq for End {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for End {}

impl std::hash::Hash for End {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
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
        let mut empty: Vec<_> = empty.map(|(number, module)| (module.package.to_vec(), number)).collect();
        empty.sort_unstable();
        Self {
            empty,
            known: Mutex::default(),
            effort: AtomicU64::new(0),
            modules: modules.iter().map(|module| Sha256::digest(module.source.as_bytes()).into()).collect(),
            rules,
        }
    }

    /// Where `segments` lead among the rules and in `data`.
    pub(crate) fn place(&self, segments: &[String], table: &RuleTable, data: &Document) -> Place {
        let reached = self.end(segments, table, data);
        let read = number_in(segments).and_then(|at| Some(self.end(segments.get(..at)?, table, data)));
        Place { read: read.unwrap_or_else(|| reached.clone()), reached }
    }

    fn end(&self, segments: &[String], table: &RuleTable, data: &Document) -> End {
        let mut value = Some(&data.value);
        for (depth, segment) in segments.iter().enumerate() {
            let (Some(above), Some(at)) = (segments.get(..depth), segments.get(..=depth)) else { break };
            let below = match value {
                Some(Value::Object(fields)) => fields.get(&Value::from(segment.as_str())),
                _ => None,
            };
            if below.is_none() && !table.leads_to(at) && !self.is_above_empty(at) {
                // What a rule's value has below it is the rule's.
                let is_inner = value.is_some() || table.leads_on(above) || self.is_above_empty(above);
                return End { path: above.to_vec(), absent: is_inner.then(|| segment.clone()) };
            }
            value = below;
        }
        End { path: segments.to_vec(), absent: None }
    }

    /// Whether a package without rules is at or below `path`.
    fn is_above_empty(&self, path: &[String]) -> bool {
        let at = self.empty.partition_point(|(package, _)| package.as_slice() < path);
        self.empty.get(at).is_some_and(|(package, _)| package.starts_with(path))
    }

    /// Revision of all that the value at `place` depends on. Equal revisions give equal answers to equal inputs, for the same path.
    pub(crate) fn revision(&self, place: &Place, table: &RuleTable, data: &Document, version: RegoVersion) -> [u8; 16] {
        let asked = &place.read;
        let mut read = BTreeSet::new();
        let mut pending = if asked.absent.is_some() {
            table.at_or_above(&asked.path).map(|(_, id)| id).collect()
        } else {
            read.insert(asked.path.clone());
            related(&asked.path, table)
        };
        let mut modules = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut looked_at = 0;
        while let Some(id) = pending.pop() {
            looked_at += 1;
            let Some(rule) = self.rules.get(id).filter(|_| seen.insert(id)) else { continue };
            modules.extend(&rule.modules);
            looked_at += rule.paths.len() as u64;
            for path in &rule.paths {
                if !read.contains(path) {
                    pending.extend(related(path, table));
                    read.insert(path.clone());
                }
            }
        }
        self.effort.fetch_add(looked_at * A_LOOK, Ordering::Relaxed);
        let is_read = |package: &Path| read.iter().any(|path| package.starts_with(path));
        modules.extend(self.empty.iter().filter(|(package, _)| is_read(package)).map(|(_, module)| *module));
        self.hash(&modules, &read, data, version)
    }

    /// What was done for revisions until now, in bytes hashed; a rule looked at counts as some.
    pub(crate) fn effort(&self) -> u64 {
        self.effort.load(Ordering::Relaxed)
    }

    fn hash(&self, modules: &BTreeSet<usize>, read: &BTreeSet<Path>, data: &Document, version: RegoVersion) -> [u8; 16] {
        let mut hasher = Hasher::default();
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
            hasher.put(&self.hash_at(path, value));
        }
        hasher.part(data.spelled.text().as_bytes());
        first_half(hasher.hashed)
    }

    /// Hash of `value`, the base data at `path`. What takes long is remembered, and nothing waits meanwhile.
    fn hash_at(&self, path: Path, value: &Value) -> Hash {
        if let Some(known) = self.known.lock().get(&path) {
            return *known;
        }
        let mut hasher = Hasher::default();
        write_canonical(value, &mut hasher);
        self.effort.fetch_add(hasher.bytes, Ordering::Relaxed);
        let hash = hasher.hashed.finalize().into();
        if hasher.bytes >= LONG {
            self.known.lock().insert(path, hash);
        }
        hash
    }
}

/// Revision of the answers of one of the paths that lead to where `revision` is that of.
pub(crate) fn revision_of_path(revision: [u8; 16], path: &str) -> [u8; 16] {
    first_half(Sha256::new().chain_update(revision).chain_update(path))
}

fn first_half(hashed: Sha256) -> [u8; 16] {
    let [revision @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _]: Hash = hashed.finalize().into();
    revision
}

/// Rules whose value may be part of the value at `path`, or the other way round.
fn related(path: &[String], table: &RuleTable) -> Vec<usize> {
    let at_top = table.at_or_above(path).map(|(_, id)| id);
    at_top.chain(table.below(path)).collect()
}

/// A number can be spelled in many ways, a path filed under one only: what follows a number is taken to be all there is.
fn cut_at_number(mut path: Path) -> Path {
    if let Some(at) = number_in(&path) {
        path.truncate(at);
    }
    path
}

fn number_in(path: &[String]) -> Option<usize> {
    path.iter().position(|segment| segment.parse::<f64>().is_ok())
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

#[derive(Default)]
struct Hasher {
    hashed: Sha256,
    bytes: u64,
}

impl Hasher {
    fn part(&mut self, bytes: &[u8]) {
        self.put(&(bytes.len() as u64).to_le_bytes());
        self.put(bytes);
    }
}

impl Sink for Hasher {
    fn put(&mut self, bytes: &[u8]) {
        self.hashed.update(bytes);
        self.bytes += bytes.len() as u64;
    }
}
