//! Which definitions of a rule can hold at all, found without looking at the others.
//!
//! A guard is a condition that every solution of a definition meets: a path of the input, or an argument, equals one of
//! some scalar constants. Two definitions whose guards on one subject share no constant cannot both hold, so the subject's value selects
//! a bucket. The index only leaves out what cannot hold: a definition that it keeps is evaluated with its guards.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{Hash, Hasher},
};

use regorus::{Value, unstable::BoolOp};

use super::ir::{Body, Definition, Expr, Pattern, Slot, Step};
use crate::footprint::Footprint;

/// Below this many definitions evaluating is cheaper than selecting.
const SMALL: usize = 3;

/// What a guard looks at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// A constant path of the input.
    Input(Box<[Value]>),
    /// An argument of the function.
    Argument(usize),
}

#[derive(Debug)]
struct Guard {
    subject: Subject,
    keys: Vec<Scalar>,
}

/// A scalar as a key of a hash map: equal values hash equally, `1` and `1.0` among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scalar(Value);

impl Scalar {
    pub(crate) fn of(value: &Value) -> Option<Self> {
        let scalar = matches!(value, Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_));
        scalar.then(|| Self(value.clone()))
    }
}

impl Hash for Scalar {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match &self.0 {
            Value::Bool(answer) => answer.hash(state),
            Value::Number(_) => {
                // Numbers that are equal are equal as floats too; adding zero makes -0 and 0 one.
                let float = self.0.as_f64().unwrap_or(f64::NAN) + 0.0;
                float.to_bits().hash(state);
            }
            Value::String(text) => text.hash(state),
            _ => {}
        }
    }
}

/// A choice between definitions by what they are guarded by.
#[derive(Debug, Default)]
pub(crate) struct Index {
    subject: Option<Subject>,
    buckets: HashMap<Scalar, Index>,
    /// Definitions that the subject does not decide about.
    rest: Option<Box<Index>>,
    /// Definitions to evaluate when the way ends here.
    definitions: Box<[u32]>,
}

impl Footprint for Index {
    fn heap(&self) -> usize {
        self.subject.heap() + self.buckets.heap() + self.rest.heap() + self.definitions.heap()
    }
}

impl Footprint for Subject {
    fn heap(&self) -> usize {
        if let Self::Input(path) = self { path.heap() } else { 0 }
    }
}

/// The text is the definition's.
impl Footprint for Scalar {
    fn heap(&self) -> usize {
        0
    }
}

impl Index {
    pub(crate) fn build(definitions: &[Definition]) -> Self {
        let guards: Vec<Vec<Guard>> = definitions.iter().map(guards_of).collect();
        let all = (0..definitions.len()).filter_map(|id| u32::try_from(id).ok()).collect();
        Self::split(&guards, all, &mut Vec::new())
    }

    /// An index that leaves nothing out.
    #[cfg(test)]
    pub(crate) fn of_all(count: usize) -> Self {
        Self::leaf((0..count).filter_map(|id| u32::try_from(id).ok()).collect())
    }

    fn leaf(definitions: Vec<u32>) -> Self {
        Self { definitions: definitions.into(), ..Self::default() }
    }

    fn split(guards: &[Vec<Guard>], definitions: Vec<u32>, used: &mut Vec<Subject>) -> Self {
        if definitions.len() <= SMALL {
            return Self::leaf(definitions);
        }
        let Some(subject) = best_subject(guards, &definitions, used) else {
            return Self::leaf(definitions);
        };
        let mut by_key: HashMap<Scalar, Vec<u32>> = HashMap::new();
        let mut rest = Vec::new();
        for id in definitions {
            let guard = guards.get(id as usize).and_then(|guards| guards.iter().find(|guard| guard.subject == subject));
            match guard {
                Some(guard) => {
                    for key in &guard.keys {
                        let bucket = by_key.entry(key.clone()).or_default();
                        if bucket.last() != Some(&id) {
                            bucket.push(id);
                        }
                    }
                }
                None => rest.push(id),
            }
        }
        used.push(subject.clone());
        let buckets = by_key.into_iter().map(|(key, ids)| (key, Self::split(guards, ids, used))).collect();
        let rest = (!rest.is_empty()).then(|| Box::new(Self::split(guards, rest, used)));
        used.pop();
        Self { subject: Some(subject), buckets, rest, definitions: Box::default() }
    }

    /// Add every definition that may hold to `into`. `value_of` gives a subject's value, None when it has none.
    pub(crate) fn select(&self, value_of: &dyn Fn(&Subject) -> Option<Value>, into: &mut Vec<u32>) {
        into.extend_from_slice(&self.definitions);
        if let Some(subject) = &self.subject
            && let Some(key) = value_of(subject).as_ref().and_then(Scalar::of)
            && let Some(bucket) = self.buckets.get(&key)
        {
            bucket.select(value_of, into);
        }
        if let Some(rest) = &self.rest {
            rest.select(value_of, into);
        }
    }

    /// Whether every definition is always evaluated.
    pub(crate) fn is_trivial(&self) -> bool {
        self.subject.is_none()
    }

    /// Most definitions that one look-up can select.
    pub(crate) fn widest(&self) -> usize {
        let bucket = self.buckets.values().map(Self::widest).max().unwrap_or(0);
        self.definitions.len() + bucket + self.rest.as_ref().map_or(0, |rest| rest.widest())
    }
}

/// The subject that most definitions are guarded by; among equals the one with most constants.
fn best_subject(guards: &[Vec<Guard>], definitions: &[u32], used: &[Subject]) -> Option<Subject> {
    let mut seen: BTreeMap<&Subject, (usize, std::collections::HashSet<&Scalar>)> = BTreeMap::new();
    for guard in definitions.iter().filter_map(|id| guards.get(*id as usize)).flatten() {
        if !used.contains(&guard.subject) {
            let (count, keys) = seen.entry(&guard.subject).or_default();
            *count += 1;
            keys.extend(&guard.keys);
        }
    }
    let useful = seen.into_iter().filter(|(_, (_, keys))| keys.len() > 1);
    // Few definitions per constant first: a subject that everybody is guarded by with one of two constants halves the work only.
    let (subject, _) = useful.max_by_key(|(_, (count, keys))| (*count).min(keys.len() * SMALL))?;
    Some(subject.clone())
}

fn guards_of(definition: &Definition) -> Vec<Guard> {
    let mut guards: Vec<Guard> = Vec::new();
    let mut arguments: HashMap<Slot, usize> = HashMap::new();
    for (number, param) in definition.params.iter().enumerate() {
        match param {
            Pattern::Bind(slot) => {
                arguments.insert(*slot, number);
            }
            Pattern::Equal(Expr::Const(value)) => {
                guards.extend(Scalar::of(value).map(|key| Guard { subject: Subject::Argument(number), keys: vec![key] }));
            }
            _ => {}
        }
    }
    // What one alternative asks for, another may not: with `else` only the arguments decide.
    if let [Body { steps, .. }] = definition.bodies.as_ref() {
        for step in steps {
            if let Some(guard) = guard_of(step, &arguments)
                && !guards.iter().any(|known| known.subject == guard.subject)
            {
                guards.push(guard);
            }
        }
    }
    guards
}

fn guard_of(step: &Step, arguments: &HashMap<Slot, usize>) -> Option<Guard> {
    let (subject, keys) = match step {
        Step::Check(Expr::Compare(BoolOp::Eq, left, right)) => match (subject_of(left, arguments), right.as_ref()) {
            (Some(subject), Expr::Const(value)) => (subject, vec![Scalar::of(value)?]),
            _ => match (left.as_ref(), subject_of(right, arguments)) {
                (Expr::Const(value), Some(subject)) => (subject, vec![Scalar::of(value)?]),
                _ => return None,
            },
        },
        Step::Check(Expr::Member(None, value, collection)) => match (subject_of(value, arguments), collection.as_ref()) {
            (Some(subject), Expr::Const(collection)) => (subject, members(collection)?),
            _ => return None,
        },
        _ => return None,
    };
    Some(Guard { subject, keys })
}

/// The members of a constant collection, when all of them are scalars.
fn members(collection: &Value) -> Option<Vec<Scalar>> {
    match collection {
        Value::Set(items) => items.iter().map(Scalar::of).collect(),
        Value::Array(items) => items.iter().map(Scalar::of).collect(),
        _ => None,
    }
}

fn subject_of(expr: &Expr, arguments: &HashMap<Slot, usize>) -> Option<Subject> {
    match expr {
        Expr::Input(path) if !path.is_empty() => Some(Subject::Input(path.clone())),
        Expr::Slot(slot) => arguments.get(slot).copied().map(Subject::Argument),
        _ => None,
    }
}
