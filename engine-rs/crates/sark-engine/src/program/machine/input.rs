//! The input, of which an evaluation has the parts that it can see, each by the number of the paths to it.

use regorus::Value;

use super::{
    super::{Program, ir::InputId, place},
    Failure, Machine,
    value::UNDEFINED,
};
use crate::document::{Parts, Shape};

/// Shapes that are remembered, and paths in all of them. Beyond it they are looked for anew.
const MOST_SHAPES: usize = 64;
const MOST_PATHS: usize = 1 << 16;

/// The parts of a question's input.
#[derive(Debug)]
pub(super) struct Sighted<'p> {
    parts: Parts,
    shape: &'p Shape,
    /// Of the shape among those that the state remembers.
    table: usize,
}

/// Where the paths of a program lead in shapes of inputs.
#[derive(Debug, Default)]
pub(super) struct Tables(Vec<(u64, Box<[Option<Found>]>)>);

/// Where a path leads.
#[derive(Debug, Clone, Copy)]
struct Found {
    part: u32,
    /// Of its keys so many lead to the part.
    depth: u32,
}

impl<'p> Sighted<'p> {
    pub(super) fn new(parts: Parts, shape: &'p Shape, tables: &mut Tables, program: &Program) -> Self {
        Self { parts, shape, table: tables.of(shape, program) }
    }
}

impl Tables {
    fn of(&mut self, shape: &Shape, program: &Program) -> usize {
        if shape.is_empty() {
            // No path leads into it, and whoever asks for paths that do not exist must not drive others out.
            return usize::MAX;
        }
        if let Some(known) = self.0.iter().position(|(id, _)| *id == shape.id()) {
            return known;
        }
        let remembered: usize = self.0.iter().map(|(_, table)| table.len()).sum();
        if self.0.len() >= MOST_SHAPES || remembered + program.input_paths.len() > MOST_PATHS {
            self.0.clear();
        }
        let found = |path: &[Value]| {
            let (part, depth) = shape.find(path)?;
            Some(Found { part: u32::try_from(part).ok()?, depth: u32::try_from(depth).ok()? })
        };
        self.0.push((shape.id(), program.input_paths.iter().map(|path| found(path)).collect()));
        self.0.len() - 1
    }

    fn find(&self, table: usize, path: InputId) -> Option<Found> {
        *self.0.get(table)?.1.get(path as usize)?
    }
}

impl Machine<'_> {
    /// What is at `path`, whose number is `number`; None when nobody has foreseen that it is looked at.
    pub(super) fn input(&self, path: &[Value], number: InputId) -> Option<&Value> {
        if let Some(input) = &self.scope.input {
            return self.is_foreseen(path, number).then(|| place::descend(input, path).unwrap_or(&UNDEFINED));
        }
        let Sighted { parts, table, .. } = self.sighted.as_ref()?;
        let Found { part, depth } = self.state.tables.find(*table, number)?;
        let part = parts.get(part as usize)?;
        let rest = path.get(depth as usize..)?;
        Some(if rest.is_empty() { part } else { place::descend(part, rest).unwrap_or(&UNDEFINED) })
    }

    /// Whether what is at `path` of an input that is replaced in places was read, or is what replaces it.
    fn is_foreseen(&self, path: &[Value], number: InputId) -> bool {
        let Some(Sighted { table, .. }) = &self.sighted else {
            return true;
        };
        let is_replaced = self.scope.laid_over.iter().any(|replaced| path.starts_with(replaced));
        is_replaced || self.state.tables.find(*table, number).is_some()
    }

    /// All that is seen of the question's own input, as an object.
    pub(super) fn object_seen(&self) -> Value {
        self.sighted.as_ref().map_or(Value::Undefined, |sighted| sighted.shape.object(&sighted.parts))
    }
}

impl Failure {
    /// What an evaluation looks at was not built: that would be a mistake here, and no answer is made of it.
    pub(super) fn unseen() -> Self {
        Self::Unsupported("a part of the input that was not read".to_owned())
    }
}
