//! Requests that were answered, for whoever looks at them off their path: a bounded queue that is emptied in batches.

use std::collections::VecDeque;

use bytes::Bytes;
use parking_lot::Mutex;
use sark_engine::Body;

use crate::{arms::Arm, events::RequestResult};

/// Who made the decision in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decider {
    /// The engine in process.
    Engine,
    /// An OPA server.
    Opa,
    /// One of them: the decision may come from the cache that both arms share.
    Either,
}

impl Decider {
    /// Name in the Python API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Engine => "engine",
            Self::Opa => "opa",
            Self::Either => "either",
        }
    }
}

/// A request that was answered, and its answer.
#[derive(Debug, Clone)]
pub struct Answered {
    /// Decision path.
    pub path: String,
    /// The input's JSON text; None when there was none.
    pub input: Option<Bytes>,
    /// Arm of the subject.
    pub arm: Arm,
    /// Who made the decision.
    pub decider: Decider,
    /// Why the rust arm gave the request up; empty when it did not.
    pub fallback: &'static str,
    /// HTTP status.
    pub status: u16,
    /// Body of the answer.
    pub body: Body,
    /// What it means.
    pub result: RequestResult,
    /// Revision of the engine's policies while it was answered; empty when they were replaced meanwhile.
    pub revision: String,
}

/// What takes room in a queue.
pub(crate) trait Weighed {
    /// The bytes it counts for.
    fn weight(&self) -> usize;
}

/// What a request holds besides its texts.
const OVERHEAD: usize = 512;

impl Weighed for Answered {
    fn weight(&self) -> usize {
        weight(self.path.len(), self.input.as_ref().map_or(0, Bytes::len), self.body.len())
    }
}

/// Bytes that a request with texts of these lengths counts for.
pub(crate) const fn weight(path: usize, input: usize, body: usize) -> usize {
    path.saturating_add(input).saturating_add(body).saturating_add(OVERHEAD)
}

/// Bounds of a queue.
#[derive(Debug, Clone, Copy)]
pub struct QueueLimits {
    /// Most requests.
    pub requests: usize,
    /// Most bytes of all of them.
    pub bytes: usize,
}

/// The queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

#[derive(Debug)]
struct Held<T> {
    requests: VecDeque<T>,
    bytes: usize,
}

/// Requests that wait to be looked at. Nobody is woken: who takes them comes by itself, so that a request pays no system call.
#[derive(Debug)]
pub(crate) struct WeighedQueue<T> {
    held: Mutex<Held<T>>,
    limits: QueueLimits,
}

/// Requests that were drawn.
pub(crate) type AnsweredQueue = WeighedQueue<Answered>;

impl<T: Weighed> WeighedQueue<T> {
    pub(crate) const fn new(limits: QueueLimits) -> Self {
        Self { held: Mutex::new(Held { requests: VecDeque::new(), bytes: 0 }), limits }
    }

    pub(crate) fn push(&self, answered: T) -> Result<(), Full> {
        let weight = answered.weight();
        let mut held = self.held.lock();
        if held.requests.len() >= self.limits.requests || held.bytes.saturating_add(weight) > self.limits.bytes {
            return Err(Full);
        }
        held.bytes += weight;
        held.requests.push_back(answered);
        Ok(())
    }

    /// The oldest ones, at most `limit`.
    pub(crate) fn take(&self, limit: usize) -> Vec<T> {
        let mut held = self.held.lock();
        let count = limit.min(held.requests.len());
        let taken: Vec<T> = held.requests.drain(..count).collect();
        held.bytes = held.bytes.saturating_sub(taken.iter().map(Weighed::weight).sum());
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(path: &str, body: usize) -> Answered {
        Answered {
            path: path.into(),
            input: None,
            arm: Arm::Rust,
            decider: Decider::Engine,
            fallback: "",
            status: 200,
            body: vec![b' '; body].into(),
            result: RequestResult::Allow,
            revision: String::new(),
        }
    }

    fn paths(queue: &AnsweredQueue, limit: usize) -> Vec<String> {
        queue.take(limit).into_iter().map(|answered| answered.path).collect()
    }

    #[test]
    fn the_oldest_come_first_and_what_is_too_many_is_refused() {
        let queue = AnsweredQueue::new(QueueLimits { requests: 2, bytes: 1 << 20 });
        assert_eq!(queue.push(answered("a", 1)), Ok(()));
        assert_eq!(queue.push(answered("b", 1)), Ok(()));
        assert_eq!(queue.push(answered("c", 1)), Err(Full));
        assert_eq!(paths(&queue, 1), ["a"]);
        assert_eq!(queue.push(answered("d", 1)), Ok(()));
        assert_eq!(paths(&queue, 9), ["b", "d"]);
        assert!(paths(&queue, 9).is_empty());
    }

    #[test]
    fn bytes_are_given_back_when_requests_are_taken() {
        let queue = AnsweredQueue::new(QueueLimits { requests: 100, bytes: 4 * OVERHEAD });
        for _ in 0..50 {
            assert_eq!(queue.push(answered("", OVERHEAD)), Ok(()));
            assert_eq!(queue.push(answered("", OVERHEAD)), Ok(()));
            assert_eq!(queue.push(answered("", 0)), Err(Full));
            assert_eq!(queue.take(9).len(), 2);
        }
    }
}
