//! Builtins that regorus has and answers otherwise than OPA. Each goes before regorus' own.

mod order;
mod sprintf;
mod text;

use super::OwnBuiltin;

pub(super) const SUBJECTS: &[&[OwnBuiltin]] = &[sprintf::OWN, text::OWN];
