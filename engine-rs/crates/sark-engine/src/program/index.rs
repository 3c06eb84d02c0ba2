//! Which definitions of a rule can hold at all, found without looking at the others.
//!
//! A guard is a condition that every solution of a definition meets: a path of the input, or an argument, equals one of
//! some scalar constants. Two definitions whose guards on one subject share no constant cannot both hold, so the subject's value selects
//! a bucket. The index only leaves out what cannot hold: a definition that it keeps is evaluated with its guards.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher},
    slice,
    sync::Arc,
};

use regorus::{Value, unstable::BoolOp};

use super::ir::{Body, Definition, Expr, InputId, Pattern, Slot, Step};
use crate::footprint::Footprint;

/// Below this many definitions evaluating is cheaper than selecting.
const SMALL: usize = 3;

/// What a guard looks at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// A constant path of the input, with its number.
    Input(Arc<[Value]>, InputId),
    /// An argument of the function.
    Argument(usize),
}

#[derive(Debug)]
struct Guard {
    subject: Subject,
    keys: Keys,
}

/// The constants that a guard's subject may equal: mostly one.
#[derive(Debug)]
enum Keys {
    One(Scalar),
    Many(Box<[Scalar]>),
}

impl Keys {
    fn iter(&self) -> slice::Iter<'_, Scalar> {
        match self {
            Self::One(key) => slice::from_ref(key).iter(),
            Self::Many(keys) => keys.iter(),
        }
    }
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
#[derive(Debug)]
pub(crate) enum Index {
    /// No choice: all of these.
    All(Box<[u32]>),
    By(Box<Choice>),
}

/// Who is chosen by the value of one subject.
#[derive(Debug)]
pub(crate) struct Choice {
    subject: Subject,
    buckets: Buckets,
    /// Definitions that the subject does not decide about.
    rest: Index,
}

/// Who asks cannot put anything in here: nothing is gained by a secret in each of many maps.
type Buckets = HashMap<Scalar, Index, BuildHasherDefault<DefaultHasher>>;

impl Default for Index {
    fn default() -> Self {
        Self::All(Box::default())
    }
}

impl Footprint for Index {
    fn heap(&self) -> usize {
        match self {
            Self::All(definitions) => definitions.heap(),
            Self::By(choice) => choice.heap(),
        }
    }
}

impl Footprint for Choice {
    fn heap(&self) -> usize {
        self.buckets.heap() + self.rest.heap()
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
        Self::All(definitions.into())
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
                    for key in guard.keys.iter() {
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
        let rest = Self::split(guards, rest, used);
        used.pop();
        Self::By(Box::new(Choice { subject, buckets, rest }))
    }

    /// Add every definition that may hold to `into`. `value_of` gives a subject's value, None when it has none.
    pub(crate) fn select(&self, value_of: &dyn Fn(&Subject) -> Option<Value>, into: &mut Vec<u32>) {
        let choice = match self {
            Self::All(definitions) => return into.extend_from_slice(definitions),
            Self::By(choice) => choice,
        };
        if let Some(key) = value_of(&choice.subject).as_ref().and_then(Scalar::of)
            && let Some(bucket) = choice.buckets.get(&key)
        {
            bucket.select(value_of, into);
        }
        choice.rest.select(value_of, into);
    }

    /// Whether every definition is always evaluated.
    pub(crate) const fn is_trivial(&self) -> bool {
        matches!(self, Self::All(_))
    }

    /// Most definitions that one look-up can select.
    pub(crate) fn widest(&self) -> usize {
        match self {
            Self::All(definitions) => definitions.len(),
            Self::By(choice) => choice.buckets.values().map(Self::widest).max().unwrap_or(0) + choice.rest.widest(),
        }
    }
}

/// The subject that most definitions are guarded by; among equals the one with most constants.
fn best_subject(guards: &[Vec<Guard>], definitions: &[u32], used: &[Subject]) -> Option<Subject> {
    let mut seen: BTreeMap<&Subject, (usize, HashSet<&Scalar>)> = BTreeMap::new();
    for guard in definitions.iter().filter_map(|id| guards.get(*id as usize)).flatten() {
        if !used.contains(&guard.subject) {
            let (count, keys) = seen.entry(&guard.subject).or_default();
            *count += 1;
            keys.extend(guard.keys.iter());
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
                guards.extend(Scalar::of(value).map(|key| Guard { subject: Subject::Argument(number), keys: Keys::One(key) }));
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
            (Some(subject), Expr::Const(value)) => (subject, Keys::One(Scalar::of(value)?)),
            _ => match (left.as_ref(), subject_of(right, arguments)) {
                (Expr::Const(value), Some(subject)) => (subject, Keys::One(Scalar::of(value)?)),
                _ => return None,
            },
        },
        Step::Check(Expr::Member(None, value, collection)) => match (subject_of(value, arguments), collection.as_ref()) {
            (Some(subject), Expr::Const(collection)) => (subject, Keys::Many(members(collection)?)),
            _ => return None,
        },
        _ => return None,
    };
    Some(Guard { subject, keys })
}

/// The members of a constant collection, when all of them are scalars.
fn members(collection: &Value) -> Option<Box<[Scalar]>> {
    match collection {
        Value::Set(items) => items.iter().map(Scalar::of).collect(),
        Value::Array(items) => items.iter().map(Scalar::of).collect(),
        _ => None,
    }
}

fn subject_of(expr: &Expr, arguments: &HashMap<Slot, usize>) -> Option<Subject> {
    match expr {
        Expr::Input(path, number) if !path.is_empty() => Some(Subject::Input(Arc::clone(path), *number)),
        Expr::Slot(slot) => arguments.get(slot).copied().map(Subject::Argument),
        _ => None,
    }
}
