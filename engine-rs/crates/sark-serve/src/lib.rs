//! The data plane: OPA's Data API over HTTP for two arms, and every metric about them.
//!
//! A request of the `rust` arm is answered on the thread that read it, unless its evaluation takes long: then a thread of a pool
//! evaluates it. Every other one becomes a [`Job`] that whoever embeds
//! the server takes ([`Server::take_jobs`]) and answers ([`Server::complete`]).

mod answered;
mod answering;
mod arms;
mod asked;
mod batch;
mod bodies;
mod compression;
mod connection;
mod containing;
mod deadlines;
mod dressing;
mod evaluating;
mod events;
mod faults;
mod flags;
mod forks;
mod indenting;
mod inside;
mod jobs;
mod listener;
mod logged;
mod mailbox;
mod merging;
mod metrics;
mod opening;
mod options;
mod parameters;
mod pool;
mod question;
mod reply;
mod rest;
mod routes;
mod server;
mod serving;
mod shadow;
mod shared;
mod stream;
mod subject;
mod tls;
mod tokens;
mod told;
mod wire;

pub use answered::{Answered, Decider, QueueLimits};
pub use arms::{Arm, Cache, Feature, Opa};
pub use events::{CacheOperation, CacheResult, Difference, EvaluationResult, RequestResult, ShadowResult, SkipReason};
pub use faults::Faults;
pub use flags::Flags;
pub use forks::note_fork;
pub use inside::{AtHand, Inquiry};
pub use jobs::{Answer, FallbackReason, Job, Passed};
pub use logged::{DropRule, LogOptions, Mask};
pub use mailbox::Mailbox;
pub use metrics::LogDrop;
pub use options::{ConfigurationError, ServerOptions, UnixSocket};
pub use server::Server;
pub use shadow::ShadowLimits;
pub use subject::SubjectRule;
pub use tls::TlsOptions;
pub use told::{Origin, Told};
