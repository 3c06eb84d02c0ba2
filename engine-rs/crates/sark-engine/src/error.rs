//! What can go wrong, one type per kind of caller's mistake.

use thiserror::Error;

/// A policy or its data was refused at load.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct PolicyError(pub String);

impl PolicyError {
    pub(crate) fn too_large(most_bytes: usize) -> Self {
        Self(format!(
            "the policies and their data take more than {most_bytes} bytes of memory when compiled; give fewer, or raise max_memory_bytes if it must be so"
        ))
    }
}

/// The input is not JSON.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct InputError(pub String);

/// A decision path that cannot be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct PathError(pub String);

/// Why an evaluation gave no genuine decision. The names are label values of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EvaluationErrorKind {
    /// A builtin failed, two definitions conflict, or the engine found an inconsistency.
    Evaluation,
    /// The evaluation ran longer than its limit.
    Timeout,
    /// The engine panicked; the panic was contained and the evaluator thrown away.
    Panic,
    /// The path reaches a builtin that the engine does not have.
    UnsupportedBuiltin,
    /// The input is JSON, but beyond what the engine can hold exactly or is willing to hold.
    UnsupportedInput,
}

impl EvaluationErrorKind {
    /// Every kind, so that metrics can exist before the first error.
    pub const ALL: [Self; 5] = [Self::Evaluation, Self::Timeout, Self::Panic, Self::UnsupportedBuiltin, Self::UnsupportedInput];

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Evaluation => "evaluation",
            Self::Timeout => "timeout",
            Self::Panic => "panic",
            Self::UnsupportedBuiltin => "unsupported_builtin",
            Self::UnsupportedInput => "unsupported_input",
        }
    }
}

/// An evaluation that gave no decision, or an input that cannot be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EvaluationError {
    /// The caller's input is at fault.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The evaluation is at fault.
    #[error("{message}")]
    Failed {
        /// What class of failure.
        kind: EvaluationErrorKind,
        /// One sentence for people.
        message: String,
    },
}

impl EvaluationError {
    pub(crate) fn failed(kind: EvaluationErrorKind, message: impl Into<String>) -> Self {
        Self::Failed { kind, message: message.into() }
    }
}
