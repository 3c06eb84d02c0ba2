//! Which requests are looked at once more after their answer, to compare both arms.

use std::sync::Arc;

use bytes::Bytes;
use sark_engine::{Engine, Policies};

use crate::{
    answered::{Answered, AnsweredQueue, Decider, QueueLimits, weight},
    arms::Arm,
    events::{RequestResult, ShadowResult, SkipReason},
    flags::Flags,
    jobs::FallbackReason,
    metrics::Metrics,
    question::Question,
    reply::Reply,
};

/// Bounds of what waits to be compared.
#[derive(Debug, Clone, Copy)]
pub struct ShadowLimits {
    /// Of all that waits.
    pub queue: QueueLimits,
    /// Most bytes of one request with its answer; a larger one is not compared.
    pub request_bytes: usize,
}

impl Default for ShadowLimits {
    fn default() -> Self {
        Self { queue: QueueLimits { requests: 1024, bytes: 16 << 20 }, request_bytes: 64 << 10 }
    }
}

/// Requests that wait to be compared.
pub(crate) struct Shadow {
    pub queue: AnsweredQueue,
    limits: ShadowLimits,
}

/// A request that was drawn for comparison when it came.
pub(crate) struct Drawn {
    /// What served when it came.
    policies: Arc<Policies>,
}

/// How a request was answered.
pub(crate) struct Ending<'a> {
    pub arm: Arm,
    pub decider: Decider,
    pub fallback: Option<FallbackReason>,
    pub reply: &'a Reply,
    pub result: RequestResult,
}

impl Shadow {
    pub(crate) fn new(limits: ShadowLimits) -> Self {
        Self { queue: AnsweredQueue::new(limits.queue), limits }
    }

    /// Draw a request, or not: this percentage of them are. One comparison is all that it costs while there is no shadow.
    pub(crate) fn is_drawn(flags: &Flags) -> bool {
        flags.shadow > 0 && fastrand::u8(0..100) < flags.shadow
    }

    /// A request that was drawn and is about to be answered.
    pub(crate) fn drawn(engine: &Engine) -> Drawn {
        Drawn { policies: engine.policies() }
    }

    /// Put a drawn request with its answer where it waits, unless there is no room.
    pub(crate) fn keep(&self, drawn: &Drawn, engine: &Engine, question: &Question<'_>, ending: &Ending<'_>, metrics: &Metrics) {
        let (path, body) = (question.asked.path.joined(), &ending.reply.body);
        let Ok(input) = question.input() else {
            return;
        };
        if weight(path.len(), input.map_or(0, <[u8]>::len), body.len()) > self.limits.request_bytes {
            metrics.shadow().count(Some(path), ShadowResult::Skipped(SkipReason::TooLarge));
            return;
        }
        let unchanged = Arc::ptr_eq(&drawn.policies, &engine.policies());
        let answered = Answered {
            path: path.to_owned(),
            input: input.map(Bytes::copy_from_slice),
            arm: ending.arm,
            decider: ending.decider,
            fallback: ending.fallback.map_or("", FallbackReason::as_str),
            status: ending.reply.status,
            body: body.clone(),
            result: ending.result,
            revision: if unchanged { drawn.policies.revision().to_owned() } else { String::new() },
        };
        if self.queue.push(answered).is_err() {
            metrics.shadow().count(Some(path), ShadowResult::Dropped);
        }
    }
}
