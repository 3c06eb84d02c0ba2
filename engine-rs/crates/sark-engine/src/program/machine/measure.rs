//! How large what an evaluation puts together may be: each value by itself, and all of them.

use regorus::Value;

use super::{
    super::{
        ir::BuiltinId,
        weights::{Weight, is_collection, width},
    },
    Failure, Machine, Outcome,
};
use crate::builtins::copies::{self, Copies};

/// One in so many parts of the memory that an evaluation may take is counted before the process is asked how much there is, and
/// after which it is asked again. What is counted is more than what there is: values that are gone again stay counted, and what
/// a builtin shares may count as a copy.
const LOOKS: usize = 4;
/// So many times the memory that an evaluation may take is counted where the process does not tell.
const COUNTED: usize = 4;
/// About how many bytes a collection takes, and what stands in it.
pub(super) const COLLECTION: usize = 64;
pub(super) const ITEM: usize = 48;
pub(super) const FIELD: usize = 96;
/// A part of a value that is copied.
const COPIED: usize = 64;
/// Fields that are copied in the time of a unit of work.
const COPIED_AT_ONCE: usize = 8;
/// Comparing two collections counts as so much work: each takes some ten milliseconds at most, and the clock is looked at after
/// eight.
const LONG: u32 = 16;

impl Machine<'_> {
    /// `value`, which was just put together, unless it is too large.
    pub(super) fn made(&mut self, value: Value) -> Outcome<Value> {
        if is_collection(&value) {
            self.bounded(&value)?;
        }
        Ok(value)
    }

    /// The weight of `value`, unless it is too large.
    pub(super) fn bounded(&mut self, value: &Value) -> Outcome<Weight> {
        let weight = self.state.weighed.weigh(value, &self.program.weights)?;
        if weight.parts > self.program.weights.most_parts() { Err(Failure::Size) } else { Ok(weight) }
    }

    /// Count memory that is taken now.
    pub(super) fn spend(&mut self, bytes: usize) -> Outcome<()> {
        self.spent = self.spent.saturating_add(bytes);
        if self.spent < self.next_look { Ok(()) } else { self.look() }
    }

    /// Look at the memory of the process, which may have gained it from other evaluations too: it is what a process may run out of.
    #[cold]
    fn look(&mut self) -> Outcome<()> {
        let first = until_look(self.most_memory);
        self.next_look = self.spent.saturating_add(first);
        let exceeded = match resident_bytes() {
            Some(resident) => {
                let before = *self.resident_before.get_or_insert(resident);
                resident.saturating_sub(before) > self.most_memory - first
            }
            None => self.spent > self.most_memory.saturating_mul(COUNTED),
        };
        if exceeded { Err(Failure::Memory) } else { Ok(()) }
    }

    /// Count an object that was copied to change something in it, of so many fields.
    pub(super) fn changed(&mut self, fields: usize) -> Outcome<()> {
        self.spend(FIELD.saturating_mul(fields))?;
        self.tick_by(fields / COPIED_AT_ONCE)
    }

    /// Count what a builtin copies, before it is called; true where its answer cannot be too large by its operands.
    pub(super) fn copied(&mut self, id: BuiltinId, operands: &[Value]) -> Outcome<bool> {
        let copies = self.program.builtins.copies(id);
        match copies {
            Copies::Nothing | Copies::Read => return Ok(false),
            Copies::Part => return Ok(true),
            Copies::Within | Copies::Operands | Copies::Merged | Copies::Patched => {}
        }
        let mut parts = 0_usize;
        for operand in operands {
            parts = parts.saturating_add(self.bounded(operand)?.parts);
        }
        let is_within = parts <= self.program.weights.most_parts();
        let (made, is_bounded) = match (copies, operands) {
            (Copies::Within, _) => (0, is_within),
            (Copies::Merged, [one, other]) => (copies::merged(one, other), is_within),
            (Copies::Patched, [document, operations]) => {
                let weights = (self.bounded(document)?, self.bounded(operations)?);
                let mut parts_of = |part: &Value| self.bounded(part).map_or(usize::MAX, |weight| weight.parts);
                let made = copies::patched(document, operations, weights, &mut parts_of);
                (made.map_err(|exceeded| Failure::Unsupported(exceeded.0))?, false)
            }
            _ => (parts, is_within),
        };
        self.spend(made.saturating_mul(COPIED))?;
        Ok(is_bounded)
    }

    /// Count what a builtin has made, unless it is too large.
    pub(super) fn answered_with(&mut self, id: BuiltinId, answer: &Value, is_bounded: bool) -> Outcome<()> {
        if let Value::String(text) = answer {
            return self.spend(text.len());
        }
        let copies = self.program.builtins.copies(id);
        if !is_collection(answer) || copies == Copies::Part {
            return Ok(());
        }
        let parts = if is_bounded { 0 } else { self.bounded(answer)?.parts };
        self.spend(if copies == Copies::Read { parts.saturating_mul(COPIED) } else { COLLECTION + ITEM * width(answer) })
    }

    /// Count the comparison of two values.
    pub(super) fn compared(&mut self, may_be_long: bool) -> Outcome<()> {
        if may_be_long {
            self.ticks += LONG;
            return self.tick();
        }
        Ok(())
    }

    /// Count a member that a set or an object was given, which was compared with others on the way.
    pub(super) fn placed(&mut self, member: &Value, bytes: usize) -> Outcome<()> {
        self.spend(bytes)?;
        self.compared(is_collection(member))
    }
}

/// Bytes that are counted before the process is asked, of an evaluation that may take `memory`.
pub(super) const fn until_look(memory: usize) -> usize {
    memory / LOOKS
}

/// Memory of the process that is there and not only asked for; None where it does not tell.
fn resident_bytes() -> Option<usize> {
    let told = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = told.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages.saturating_mul(rustix::param::page_size()))
}
