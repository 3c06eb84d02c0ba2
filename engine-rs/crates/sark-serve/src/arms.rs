//! Who does what: the two arms, and the two features that move apart from each other.

use crate::flags::Flags;

/// The arm a subject is assigned to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arm {
    /// The new one.
    Rust,
    /// The baseline.
    Python,
}

impl Arm {
    /// Value of the `implementation` label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Python => "python",
        }
    }
}

/// Who evaluates a request that is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opa {
    /// The engine in process.
    Rust,
    /// An OPA server over HTTP.
    Http,
}

impl Opa {
    /// Name in the Python API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Http => "http",
        }
    }
}

/// Who keeps the decision of a request that is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cache {
    /// The cache in process.
    Rust,
    /// Redis.
    Redis,
}

impl Cache {
    /// Name in the Python API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Redis => "redis",
        }
    }
}

/// What moves from baseline to the new arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// Evaluation.
    RustOpa,
    /// Cache.
    RustCache,
}

impl Feature {
    /// Both.
    pub const ALL: [Self; 2] = [Self::RustOpa, Self::RustCache];

    /// The implementation of it that a request in `arm` gets.
    pub(crate) fn assigns(self, arm: Arm, flags: &Flags) -> Arm {
        let on = match self {
            Self::RustOpa => flags.rust_opa,
            Self::RustCache => flags.rust_cache,
        };
        if on { arm } else { Arm::Python }
    }

    /// Value of the `feature` label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RustOpa => "rust_opa",
            Self::RustCache => "rust_cache",
        }
    }
}
