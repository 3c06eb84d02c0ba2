//! What one evaluation may take.

use std::time::Duration;

/// Bounds of one evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EvaluationLimits {
    /// Longest it may run.
    pub time: Duration,
    /// Memory that its values may take, in bytes, with what the process gains at the same time by others. What a single call of a
    /// builtin makes comes on top.
    pub memory: usize,
}

impl EvaluationLimits {
    /// Memory where nobody says otherwise.
    pub const MEMORY: usize = 256 << 20;

    /// Bounds with [`Self::MEMORY`].
    pub const fn within(time: Duration) -> Self {
        Self { time, memory: Self::MEMORY }
    }
}
