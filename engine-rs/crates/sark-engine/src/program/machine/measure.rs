//! How large what an evaluation puts together may be: each value by itself, and all of them.

use regorus::Value;

use super::{
    super::{
        ir::BuiltinId,
        weights::{MAX_PARTS, Weight, is_collection, width},
    },
    Failure, Machine, Outcome,
};
use crate::builtins::copies::{self, Copies};

/// Most memory that the values of one evaluation may take, in bytes, those counted that are gone again: some 5 million items. An evaluation that
/// ends within its second makes far fewer, and as many threads as evaluate at the same time may each take so much.
pub(super) const MAX_BYTES: usize = 256 << 20;
/// About how many bytes a collection takes, and what stands in it.
pub(super) const COLLECTION: usize = 64;
pub(super) const ITEM: usize = 48;
pub(super) const FIELD: usize = 96;
/// A part of a value that is copied.
const COPIED: usize = 64;
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
        if let Some(light) = Weight::if_light(value) {
            return Ok(light);
        }
        let weight = self.state.weighed.weigh(value, &self.program.weights)?;
        if weight.parts > MAX_PARTS { Err(Failure::Size) } else { Ok(weight) }
    }

    /// Count memory that is taken now.
    pub(super) fn spend(&mut self, bytes: usize) -> Outcome<()> {
        self.spent = self.spent.saturating_add(bytes);
        if self.spent > MAX_BYTES { Err(Failure::Memory) } else { Ok(()) }
    }

    /// Count what a builtin copies, before it is called.
    pub(super) fn copied(&mut self, id: BuiltinId, operands: &[Value]) -> Outcome<()> {
        let copies = self.program.builtins.copies(id);
        if matches!(copies, Copies::Nothing | Copies::Read) {
            return Ok(());
        }
        let mut parts = 0_usize;
        for operand in operands {
            parts = parts.saturating_add(self.bounded(operand)?.parts);
        }
        let parts = match (copies, operands) {
            (Copies::Merged, [one, other]) => copies::merged(one, other),
            (Copies::Patched, [document, operations]) => {
                let weights = (self.bounded(document)?, self.bounded(operations)?);
                copies::patched(document, operations, weights).map_err(|exceeded| Failure::Unsupported(exceeded.0))?
            }
            _ => parts,
        };
        self.spend(parts.saturating_mul(COPIED))
    }

    /// Count what a builtin has made, unless it is too large.
    pub(super) fn answered_with(&mut self, id: BuiltinId, answer: &Value) -> Outcome<()> {
        match answer {
            Value::String(text) => self.spend(text.len()),
            answer if is_collection(answer) => {
                let weight = self.bounded(answer)?;
                let is_read = self.program.builtins.copies(id) == Copies::Read;
                self.spend(if is_read { weight.parts.saturating_mul(COPIED) } else { COLLECTION + ITEM * width(answer) })
            }
            _ => Ok(()),
        }
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
