//! Authorization decisions in process.
//!
//! [`Policies`] is a compiled, immutable set of Rego modules and data. [`Engine`] answers questions about it: one warmed
//! evaluator per thread, and a bounded cache of decisions. Nothing here knows HTTP or Python.

mod analysis;
pub mod assignment;
mod body;
mod builtins;
mod cache;
mod compilation;
mod decision;
mod dependencies;
pub mod document;
mod engine;
mod error;
mod evaluator;
mod footprint;
mod kinds;
mod lifetimes;
mod limits;
mod loading;
mod path;
mod policies;
mod program;
mod prospects;
mod reach;
mod references;
mod rehearsal;
mod revision;
mod rules;
mod source;
mod verdict;

pub use body::Body;
pub use cache::{
    Begun, CacheKey, CacheLimits, CacheStats, Clock, ClockHand, DecisionCache, Lead, Missed, Scope, Spelling, Waiter,
};
pub use decision::{Decision, Outcome};
pub use document::{
    Document, Input, MAX_DEPTH, MAX_INPUT_VALUES, MAX_NUMBER_BYTES, Spelled, integer, shared as shared_key,
    sorted as elements_in_order, write as write_json,
};
pub use engine::{Engine, EngineOptions, Lane, Source, Standing};
pub use error::{EvaluationError, EvaluationErrorKind, InputError, PathError, PolicyError};
pub use evaluator::contained;
pub use lifetimes::{LifetimeError, Lifetimes};
pub use limits::EvaluationLimits;
pub use loading::{LoadLimits, Sources};
pub use path::DecisionPath;
pub use policies::{MAX_MEMORY_BYTES, Module, Policies, RegoVersion};
pub use regorus::Value;
pub use rehearsal::{rehearse_panics, rehearse_panics_at_answers};
pub use revision::policy_revision;
pub use verdict::{ServedBy, Tier, Verdict};

/// Version of the Rego engine inside.
pub const REGORUS_VERSION: &str = "0.14.1";
