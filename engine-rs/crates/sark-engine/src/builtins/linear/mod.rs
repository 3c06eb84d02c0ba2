//! Builtins that regorus has with work that grows with the square of their operands. Here it grows with their size, or the clock
//! is looked at. Each goes before regorus' own and answers as it does.

mod affixes;
mod graph;
mod sets;
mod trims;
mod unions;

use super::OwnBuiltin;

pub(super) const SUBJECTS: &[&[OwnBuiltin]] = &[affixes::OWN, graph::OWN, sets::OWN, trims::OWN, unions::OWN];
