//! Evaluation: a walk over the program with one frame of local variables for each rule under way.

mod call;
mod collect;
mod document;
mod group;
mod input;
mod measure;
mod misfiled;
mod operation;
mod repeated;
mod run;
mod spelling;
mod value;
mod with;

use std::{collections::BTreeMap, time::Instant};

use regorus::Value;

use super::{
    Program,
    ir::{BuiltinId, GroupId, NodeId, Slot},
    weights::Weighed,
};
use crate::{
    builtins::Circumstances,
    document::{Seen, Spelled},
    limits::EvaluationLimits,
};
use input::{Sighted, Tables};
use misfiled::{Kept, Misfiled};
use with::Scope;

/// Work between two looks at the clock.
const TICKS: u32 = 128;
/// Rules under way inside each other, at most; beyond it the policy is at fault.
const MAX_DEPTH: usize = 20_000;
/// Most stack that a builtin may need.
const BUILTIN_STACK: usize = 1 << 20;
/// Levels between two looks at the stack, and what they may need of it.
const STACK_CHECK: usize = 4;
const STACK_RESERVE: usize = 768 << 10;
const STACK_SEGMENT: usize = 4 << 20;

/// Why there is no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Two definitions give different values; the rule, or the key.
    Conflict(String),
    /// It ran longer than its limit.
    Timeout,
    /// Rules nest too deeply, or a value does.
    Depth,
    /// A value has too many parts.
    Size,
    /// Its values take more memory than they may.
    Memory,
    /// A fraction that OPA would calculate with more digits than are held here.
    Inexact,
    /// A number that is spelled otherwise than the engine writes it would become part of a text.
    Spelling,
    /// Two keys of an object, written apart, are equal. Which of their values counts depends in OPA on the names that its
    /// compiler gives to the keys.
    EqualKeys,
    /// Something this engine leaves to OPA was reached.
    Unsupported(String),
}

type Outcome<T> = Result<T, Failure>;

/// Whether to look for more solutions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Continue,
    Stop,
}

/// What evaluations on one thread keep from one to the next.
#[derive(Debug, Default)]
pub(crate) struct State {
    stack: Vec<Value>,
    /// Value of each rule, with the scope it was computed in.
    memo: Vec<(u64, Value)>,
    touched: Vec<GroupId>,
    /// Values that are one for all questions.
    fixed_groups: Vec<Option<Kept>>,
    fixed_exprs: Vec<Option<Kept>>,
    /// Values that are one for an input, with the scope they were computed in.
    scoped_exprs: Vec<(u64, Value)>,
    touched_exprs: Vec<u32>,
    scopes: u64,
    /// Decision paths with the nodes that they lead to, and how many of their segments remain there.
    entered: Vec<(Box<[String]>, NodeId, usize)>,
    tables: Tables,
    weighed: Weighed,
    misfiled: Misfiled,
}

impl State {
    pub(crate) fn new(program: &Program) -> Self {
        Self {
            stack: Vec::with_capacity(256),
            memo: vec![(0, Value::Undefined); program.groups.len()],
            touched: Vec::new(),
            fixed_groups: vec![None; program.groups.len()],
            fixed_exprs: vec![None; program.fixed.len()],
            scoped_exprs: vec![(0, Value::Undefined); program.fixed.len()],
            touched_exprs: Vec::new(),
            scopes: 0,
            entered: Vec::new(),
            tables: Tables::default(),
            weighed: Weighed::default(),
            misfiled: Misfiled::default(),
        }
    }

    fn forget(&mut self) {
        self.stack.clear();
        self.weighed.forget();
        self.misfiled.forget();
        for group in self.touched.drain(..) {
            if let Some(slot) = self.memo.get_mut(group as usize) {
                *slot = (0, Value::Undefined);
            }
        }
        for number in self.touched_exprs.drain(..) {
            if let Some(slot) = self.scoped_exprs.get_mut(number as usize) {
                *slot = (0, Value::Undefined);
            }
        }
    }

    fn next_scope(&mut self) -> u64 {
        self.scopes += 1;
        self.scopes
    }
}

/// One evaluation.
struct Machine<'p> {
    program: &'p Program,
    state: &'p mut State,
    scope: Scope,
    /// The question's own input, where only parts of it are seen.
    sighted: Option<Sighted<'p>>,
    /// Where the current frame begins.
    frame: usize,
    depth: usize,
    entries: BTreeMap<(u64, GroupId, Value), Value>,
    /// Answers of builtins that must be one for the whole query.
    once: BTreeMap<(BuiltinId, Vec<Value>), Value>,
    circumstances: Circumstances,
    /// Numbers of the policies and their data that are spelled otherwise; those of the input are among the circumstances.
    spelled: &'p Spelled,
    /// How often a number was noted while evaluating: a value that needed one is not kept for other questions.
    notes: u32,
    ticks: u32,
    /// Bytes that its values have taken, about, those counted that are gone again.
    spent: usize,
    /// What may be spent before the memory of the process is looked at.
    next_look: usize,
    /// What that was when it was first looked at.
    resident_before: Option<usize>,
    /// Memory that the evaluation may take, in bytes.
    most_memory: usize,
    deadline: Instant,
}

/// A question.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub path: &'a [String],
    pub input: Seen<'a>,
    /// Numbers of the policies and their data that are spelled otherwise than the engine writes them.
    pub spelled: &'a Spelled,
}

/// Evaluate the document that is asked for; its time counts from when it `began`.
pub(crate) fn evaluate(
    program: &Program,
    state: &mut State,
    asked: Asked<'_>,
    circumstances: Circumstances,
    began: Instant,
    limits: EvaluationLimits,
) -> Result<Value, Failure> {
    let (input, sighted) = match asked.input {
        Seen::Whole(value) => (Some(value), None),
        Seen::Parts(parts, shape) => (None, Some(Sighted::new(parts, shape, &mut state.tables, program))),
    };
    let scope = Scope::outermost(input, state.next_scope());
    let deadline = began.checked_add(limits.time).unwrap_or(began);
    let mut machine = Machine {
        program,
        state: &mut *state,
        scope,
        sighted,
        frame: 0,
        depth: 0,
        entries: BTreeMap::new(),
        once: BTreeMap::new(),
        circumstances: circumstances.until(deadline),
        spelled: asked.spelled,
        notes: 0,
        ticks: 0,
        spent: 0,
        next_look: measure::until_look(limits.memory),
        resident_before: None,
        most_memory: limits.memory,
        deadline,
    };
    let answer = machine.at(asked.path).and_then(|value| machine.made(value)).and_then(|value| machine.nameable(value));
    drop(machine);
    state.forget();
    answer
}

impl Machine<'_> {
    fn slot(&self, slot: Slot) -> &Value {
        self.state.stack.get(self.frame + slot as usize).unwrap_or(&Value::Undefined)
    }

    fn set(&mut self, slot: Slot, value: Value) {
        if let Some(place) = self.state.stack.get_mut(self.frame + slot as usize) {
            *place = value;
        }
    }

    /// Run `work` with a frame of its own. After a failure the frame is left as it is: the whole evaluation ends.
    fn framed<T>(&mut self, slots: Slot, work: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        let begin = self.state.stack.len();
        self.state.stack.resize(begin + slots as usize, Value::Undefined);
        let before = std::mem::replace(&mut self.frame, begin);
        let answer = work(self)?;
        self.frame = before;
        self.state.stack.truncate(begin);
        Ok(answer)
    }

    /// Run `work` one level deeper, on more stack when this one is nearly used up.
    fn deeper<T>(&mut self, work: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        if self.depth >= MAX_DEPTH {
            return Err(Failure::Depth);
        }
        self.depth += 1;
        let answer = if self.depth.is_multiple_of(STACK_CHECK) {
            stacker::maybe_grow(STACK_RESERVE, STACK_SEGMENT, || work(self))
        } else {
            work(self)
        };
        self.depth -= 1;
        answer
    }

    /// Count a unit of work, and look at the clock from time to time.
    fn tick(&mut self) -> Outcome<()> {
        self.tick_by(1)
    }

    /// As [`Self::tick`], for work of `units`.
    fn tick_by(&mut self, units: usize) -> Outcome<()> {
        self.ticks = self.ticks.saturating_add(u32::try_from(units).unwrap_or(TICKS));
        if self.ticks < TICKS {
            return Ok(());
        }
        self.ticks = 0;
        if Instant::now() >= self.deadline { Err(Failure::Timeout) } else { Ok(()) }
    }
}
