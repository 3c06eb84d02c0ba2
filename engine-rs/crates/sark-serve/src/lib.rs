//! The data plane: OPA's Data API over HTTP for two arms, and every metric about them.
//!
//! A request of the `rust` arm is answered on the thread that read it. Every other one becomes a [`Job`] that whoever embeds
//! the server takes ([`Server::take_jobs`]) and answers ([`Server::complete`]).

mod answering;
mod arms;
mod connection;
mod events;
mod faults;
mod flags;
mod jobs;
mod metrics;
mod options;
mod question;
mod reply;
mod server;
mod shared;
mod subject;

pub use arms::{Arm, Cache, Feature, Opa};
pub use events::{CacheOperation, CacheResult, EvaluationResult, RequestResult};
pub use faults::Faults;
pub use flags::Flags;
pub use jobs::{Answer, FallbackReason, Job};
pub use options::{ConfigurationError, ServerOptions};
pub use server::Server;
pub use subject::SubjectRule;
