//! Objects that OPA does not find again among the members of a set or the keys of an object.
//!
//! It files a value under a sum over its parts, which it takes when the value is made. Into some objects it puts more afterwards,
//! below their fields: where `object.union_n` merges objects of several operands, where partial rules give documents of more than
//! one level, and where `with` replaces a part inside of an object of the input. Such an object compares as it should, and is filed
//! as what it was before. Each has a field that is an object or a set, so that few other values have to be looked at.

use std::{
    cell::Cell,
    collections::{HashMap, HashSet},
};

use regorus::{
    Value,
    value::{Array, Object},
};

use super::{
    super::{
        ir::{BuiltinId, Pattern},
        place,
        weights::is_collection,
    },
    Failure, Machine, Outcome, repeated,
};

const LOST: &str = "an object that OPA has put together of several is a member of a set or a key";

/// Objects remembered; beyond, every value with an object or a set in a field counts as one of them.
const MOST: usize = 1_024;

const UNION_N: &str = "object.union_n";

/// Values that are kept for all questions and have such objects in them are told apart up to here; further ones count as the last.
const MOST_KEPT: usize = 64;

/// Objects that OPA has changed after they were made.
#[derive(Debug, Default)]
pub(super) struct Misfiled {
    /// Those of the evaluation under way.
    own: Objects,
    /// Those in values that are kept for all questions.
    kept: Vec<Objects>,
    /// Which of them the evaluation has read: a bit for each.
    read: Cell<u64>,
}

#[derive(Debug, Clone)]
struct Changed {
    object: Value,
    /// Whether objects inside of it may be changed too.
    inside: bool,
}

#[derive(Debug, Default)]
struct Objects {
    values: Vec<Changed>,
    /// Of the first of them, so many, all that may be changed are listed, by their sums.
    listed: usize,
    by_sum: HashMap<u64, Vec<Value>>,
    /// Whether there were more of them than are remembered, or they are not known.
    too_many: bool,
}

/// A value that is kept for all questions.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub value: Value,
    /// Which of the [`Misfiled`] it may have in it.
    misfiled: u64,
}

/// What was remembered when a value was begun that may be kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Begun {
    values: usize,
    too_many: bool,
    read: u64,
}

impl Objects {
    fn is_empty(&self) -> bool {
        self.values.is_empty() && !self.too_many
    }

    fn add(&mut self, value: Changed) {
        if self.values.len() < MOST {
            self.values.push(value);
        } else {
            self.too_many = true;
        }
    }

    /// The first that is not listed; it is by the next call.
    fn next(&mut self) -> Option<Changed> {
        let value = self.values.get(self.listed)?.clone();
        self.listed += 1;
        Some(value)
    }

    fn has(&self, sum: u64, part: &Value) -> bool {
        self.too_many || self.by_sum.get(&sum).is_some_and(|objects| objects.contains(part))
    }
}

impl Misfiled {
    fn is_empty(&self) -> bool {
        self.own.is_empty() && self.read.get() == 0
    }

    /// Begin a value that may be kept.
    pub(super) fn begin(&self) -> Begun {
        Begun { values: self.own.values.len(), too_many: self.own.too_many, read: self.read.replace(0) }
    }

    /// The value that was begun is there, and not kept.
    pub(super) fn end(&self, begun: Begun) {
        self.read.set(self.read.get() | begun.read);
    }

    /// The same, of one that is kept.
    pub(super) fn keep(&mut self, begun: Begun, value: Value) -> Kept {
        let mut misfiled = self.read.get();
        let made = self.own.values.get(begun.values..).unwrap_or_default();
        let too_many = self.own.too_many && !begun.too_many;
        if too_many || !made.is_empty() {
            if self.kept.len() < MOST_KEPT {
                self.kept.push(Objects::default());
            }
            misfiled |= 1 << (self.kept.len() - 1);
            if let Some(objects) = self.kept.last_mut() {
                made.iter().for_each(|object| objects.add(object.clone()));
                objects.too_many |= too_many;
            }
        }
        self.read.set(misfiled | begun.read);
        Kept { value, misfiled }
    }

    /// Read a value that was kept.
    pub(super) fn read<'k>(&self, kept: &'k Kept) -> &'k Value {
        self.read.set(self.read.get() | kept.misfiled);
        &kept.value
    }

    /// Forget what is of one evaluation.
    pub(super) fn forget(&mut self) {
        self.read.set(0);
        if !self.own.is_empty() {
            self.own = Objects::default();
        }
    }

    /// One that was read and is not listed yet.
    fn next(&mut self) -> Option<(Option<usize>, Changed)> {
        if let Some(object) = self.own.next() {
            return Some((None, object));
        }
        let read = self.read.get();
        let mut kept = self.kept.iter_mut().enumerate().filter(|(number, _)| (read >> number) & 1 == 1);
        kept.find_map(|(number, objects)| Some((Some(number), objects.next()?)))
    }

    fn list_of(&mut self, number: Option<usize>) -> Option<&mut HashMap<u64, Vec<Value>>> {
        let objects = match number {
            Some(number) => self.kept.get_mut(number)?,
            None => &mut self.own,
        };
        Some(&mut objects.by_sum)
    }

    fn has(&self, sum: u64, part: &Value) -> bool {
        let read = self.read.get();
        let mut kept = self.kept.iter().enumerate().filter(|(number, _)| (read >> number) & 1 == 1);
        self.own.has(sum, part) || kept.any(|(_, objects)| objects.has(sum, part))
    }
}

impl<'p> Machine<'p> {
    /// Remember an object that OPA has changed after it was made, and may have changed inside.
    pub(super) fn misfiles(&mut self, object: &Value) {
        self.state.misfiled.own.add(Changed { object: object.clone(), inside: true });
    }

    /// Remember the objects around what was put into `input` at `path`.
    pub(super) fn misfiles_around(&mut self, input: &Value, path: &[Value]) {
        let around = (0..path.len().saturating_sub(1)).filter_map(|length| path.get(..length));
        // What nobody reads as a whole need not be there as a whole.
        let read = around.filter(|path| self.program.input_paths.iter().any(|known| path.starts_with(known)));
        let objects: Vec<Value> = read.filter_map(|path| place::descend(input, path).cloned()).collect();
        for object in objects {
            self.state.misfiled.own.add(Changed { object, inside: false });
        }
    }

    /// Remember that there are such objects, of which it is not known what they are.
    pub(super) fn misfiles_some(&mut self) {
        self.state.misfiled.own.too_many = true;
    }

    /// Whether nothing is wrong with looking for `value`, as it nearly always is.
    pub(super) fn is_surely_found(&self, value: &Value) -> bool {
        !is_collection(value) || self.state.misfiled.is_empty()
    }

    /// `value` is about to become a member of a set or a key, or is looked for as one.
    pub(super) fn filed(&mut self, value: &Value) -> Outcome<()> {
        if self.is_surely_found(value) { Ok(()) } else { self.is_filed_rightly(value) }
    }

    fn is_filed_rightly(&mut self, value: &Value) -> Outcome<()> {
        let parts = self.bounded(value)?.parts;
        self.tick_by(parts)?;
        if !has_suspect(value) {
            return Ok(());
        }
        while let Some((number, Changed { object, inside })) = self.state.misfiled.next() {
            let parts = self.bounded(&object)?.parts;
            self.tick_by(parts)?;
            if let Some(list) = self.state.misfiled.list_of(number) {
                let whole = repeated::sum(&object, &mut |part, sum| {
                    if inside && is_suspect(part) {
                        list.entry(sum).or_default().push(part.clone());
                    }
                });
                list.entry(whole).or_default().push(object);
            }
        }
        let misfiled = &self.state.misfiled;
        let mut is_lost = false;
        repeated::sum(value, &mut |part, sum| is_lost |= is_suspect(part) && misfiled.has(sum, part));
        if is_lost { Err(Failure::Unsupported(LOST.to_owned())) } else { Ok(()) }
    }

    /// Look at the values of a pattern by which members or keys may be looked for.
    pub(super) fn filed_in(&mut self, pattern: &'p Pattern) -> Outcome<()> {
        if self.state.misfiled.is_empty() {
            return Ok(());
        }
        match pattern {
            Pattern::Any | Pattern::Bind(_) => Ok(()),
            Pattern::Equal(expr) => {
                let value = self.value(expr)?;
                self.filed(&value)
            }
            Pattern::Array(patterns) => patterns.iter().try_for_each(|pattern| self.filed_in(pattern)),
            Pattern::Object(patterns) => patterns.iter().try_for_each(|(_, pattern)| self.filed_in(pattern)),
        }
    }

    /// Look at what a builtin looks for among members or keys, or makes such of.
    pub(super) fn filed_by(&mut self, id: BuiltinId, operands: &[Value]) -> Outcome<()> {
        if self.state.misfiled.is_empty() {
            return Ok(());
        }
        match (self.program.builtins.name(id), operands) {
            ("object.get" | "object.remove" | "object.filter" | "json.remove" | "json.filter" | "json.patch", [_, by, ..]) => {
                self.filed(by)
            }
            ("internal.member_2", [by, _]) | ("internal.member_3", [by, _, _]) | ("cast_set", [by]) => self.filed(by),
            ("object.subset", [whole @ Value::Array(_), _]) => self.filed(whole),
            ("graph.reachable" | "graph.reachable_paths", [graph, from]) => {
                if let Value::Object(edges) = graph {
                    edges.values().try_for_each(|to| self.filed(to))?;
                }
                self.filed(from)
            }
            _ => Ok(()),
        }
    }

    /// Remember the answer of a builtin that has put operands into each other.
    pub(super) fn misfiled_by(&mut self, id: BuiltinId, operands: &[Value], answer: &Value) {
        if is_collection(answer)
            && self.program.builtins.name(id) == UNION_N
            && let [Value::Array(objects)] = operands
            && merges(objects)
        {
            self.misfiles(answer);
        }
    }
}

/// Whether two of `objects` have an object under one key.
fn merges(objects: &Array) -> bool {
    let mut seen = HashSet::new();
    let parts = objects.iter().filter_map(|object| object.as_object().ok()).flat_map(Object::iter);
    parts
        .filter(|(_, value)| matches!(value, Value::Object(_)))
        .any(|(key, _)| !seen.insert(repeated::sum(key, &mut |_, _| {})))
}

/// Whether `value` is an object like those that OPA changes.
fn is_suspect(value: &Value) -> bool {
    matches!(value, Value::Object(fields) if fields.values().any(|value| matches!(value, Value::Object(_) | Value::Set(_))))
}

/// Whether `value` is one, or has one as a part.
fn has_suspect(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_suspect),
        Value::Set(items) => items.iter().any(has_suspect),
        Value::Object(fields) => is_suspect(value) || fields.iter().any(|(key, value)| has_suspect(key) || has_suspect(value)),
        _ => false,
    }
}
