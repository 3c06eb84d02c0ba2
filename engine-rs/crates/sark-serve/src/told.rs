//! How a question was answered, for whoever asks inside the process and for the counters.

use crate::{
    arms::Arm,
    jobs::FallbackReason,
    reply::{Problem, Reply},
};

/// Where a decision comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It was kept, in process or in Redis.
    Cache,
    /// The engine in process evaluated it.
    Engine,
    /// An OPA server evaluated it.
    Opa,
}

impl Origin {
    /// Name in the Python API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cache => "cache",
            Self::Engine => "engine",
            Self::Opa => "opa",
        }
    }
}

/// An answer, and how it came about.
#[derive(Debug, Clone)]
pub struct Told {
    pub(crate) reply: Reply,
    /// Arm of the subject; None when the request is in none.
    pub arm: Option<Arm>,
    /// Where the decision comes from; None when there is none.
    pub origin: Option<Origin>,
    /// Why the rust arm gave the request up, if it did.
    pub fallback: Option<FallbackReason>,
}

impl Told {
    /// HTTP status.
    pub const fn status(&self) -> u16 {
        self.reply.status
    }

    /// Body, as over HTTP.
    pub fn body(&self) -> &[u8] {
        &self.reply.body
    }

    pub(crate) fn refused(problem: &Problem) -> Self {
        Self { reply: problem.reply(), arm: None, origin: None, fallback: None }
    }
}
