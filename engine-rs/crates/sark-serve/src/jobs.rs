//! Requests that are answered elsewhere: a bounded queue, a descriptor that says when it has something, and who waits.

use std::{
    collections::{HashMap, VecDeque},
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd, RawFd},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use parking_lot::Mutex;
use rustix::event::{EventfdFlags, eventfd};
use sark_engine::{CacheKey, EvaluationErrorKind};
use tokio::sync::oneshot;

use crate::{
    arms::{Arm, Cache, Opa},
    events::RequestResult,
};

/// Why the rust arm did not answer by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FallbackReason {
    /// The evaluation failed.
    Evaluation(EvaluationErrorKind),
}

impl FallbackReason {
    /// Every reason.
    pub const ALL: [Self; 5] = [
        Self::Evaluation(EvaluationErrorKind::Evaluation),
        Self::Evaluation(EvaluationErrorKind::Timeout),
        Self::Evaluation(EvaluationErrorKind::Panic),
        Self::Evaluation(EvaluationErrorKind::UnsupportedBuiltin),
        Self::Evaluation(EvaluationErrorKind::UnsupportedInput),
    ];

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Evaluation(kind) => kind.as_str(),
        }
    }
}

/// A request of which the data plane understands no more than where it goes.
#[derive(Debug, Clone)]
pub struct Passed {
    /// GET, HEAD or POST; of writes PUT, PATCH or DELETE.
    pub method: String,
    /// Path and query string as received.
    pub target: String,
    /// Content-Type, Content-Encoding, Accept-Encoding and, of writes, If-None-Match, as far as there are any.
    pub headers: Vec<(&'static str, String)>,
}

/// A request that is handed over.
#[derive(Debug, Clone)]
pub struct Job {
    /// Number of the job, never used twice.
    pub id: u64,
    /// Decision path.
    pub path: String,
    /// Of a question `{"input":...}` around its input as it was found, and nothing where it has none; else the body as received.
    pub body: Bytes,
    /// Query string without its question mark.
    pub query: String,
    /// Arm of the subject.
    pub arm: Arm,
    /// Who evaluates.
    pub opa: Opa,
    /// Who keeps the decision.
    pub cache: Cache,
    /// Why the rust arm gave it up, if it did.
    pub fallback: Option<FallbackReason>,
    /// What it is when it is no question for an arm; then nothing but the body is of use besides.
    pub passed: Option<Passed>,
}

/// The answer to a job.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// JSON body.
    pub body: Bytes,
    /// What it means.
    pub result: RequestResult,
    /// Value of the Cache-Control header; `no-store` also keeps the decision out of the cache in process.
    pub cache_control: String,
    /// Headers instead of the Content-Type of JSON; none for none.
    pub headers: Vec<(String, String)>,
    /// Longest that the cache in process may keep it; None: as long as it keeps anything.
    pub keep_for: Option<Duration>,
    /// The decision was kept in the baseline's cache.
    pub was_kept: bool,
}

/// What `complete` needs to know about a job whose request still waits.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub answer: oneshot::Sender<Answer>,
    pub arm: Arm,
    pub opa: Opa,
    pub fallback: bool,
    /// It is a question, and not a request that is passed on whole.
    pub is_question: bool,
    /// Where to keep the decision, for jobs of the cache in process.
    pub key: Option<CacheKey>,
}

/// The queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct QueueFull;

/// All jobs: those that wait to be taken, and those whose requests wait for an answer.
#[derive(Debug)]
pub(crate) struct Jobs {
    queue: Mutex<VecDeque<Job>>,
    waiting: Mutex<HashMap<u64, Waiting>>,
    capacity: usize,
    next_id: AtomicU64,
    wake: OwnedFd,
}

/// Forgets its job when the request goes away, whether answered or not.
pub(crate) struct Ticket {
    jobs: Arc<Jobs>,
    id: u64,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.jobs.waiting.lock().remove(&self.id);
    }
}

impl Jobs {
    pub(crate) fn new(capacity: usize) -> io::Result<Self> {
        Ok(Self {
            queue: Mutex::default(),
            waiting: Mutex::default(),
            capacity,
            next_id: AtomicU64::new(1),
            wake: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
        })
    }

    /// Readable while jobs wait.
    pub(crate) fn descriptor(&self) -> RawFd {
        self.wake.as_fd().as_raw_fd()
    }

    pub(crate) fn queued(&self) -> usize {
        self.queue.lock().len()
    }

    /// Hand a job over; `describe` gets its number.
    pub(crate) fn submit(self: &Arc<Self>, waiting: Waiting, describe: impl FnOnce(u64) -> Job) -> Result<Ticket, QueueFull> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let mut queue = self.queue.lock();
        if queue.len() >= self.capacity {
            return Err(QueueFull);
        }
        self.waiting.lock().insert(id, waiting);
        queue.push_back(describe(id));
        if queue.len() == 1 {
            self.signal();
        }
        drop(queue);
        Ok(Ticket { jobs: Arc::clone(self), id })
    }

    /// Take up to `limit` jobs whose requests still wait.
    pub(crate) fn take(&self, limit: usize) -> Vec<Job> {
        let mut queue = self.queue.lock();
        let mut taken = Vec::new();
        while taken.len() < limit
            && let Some(job) = queue.pop_front()
        {
            if self.waiting.lock().contains_key(&job.id) {
                taken.push(job);
            }
        }
        if queue.is_empty() {
            self.clear_signal();
        }
        taken
    }

    /// What is known of a job whose request still waits; afterwards it no longer does.
    pub(crate) fn claim(&self, id: u64) -> Option<Waiting> {
        self.waiting.lock().remove(&id)
    }

    /// Writing fails only when the counter is full, and then the descriptor is readable already.
    fn signal(&self) {
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }

    /// Reading fails only when there is nothing to clear.
    fn clear_signal(&self) {
        let _ = rustix::io::read(&self.wake, &mut [0; 8]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, poll};

    fn waiting() -> (Waiting, oneshot::Receiver<Answer>) {
        let (answer, receiver) = oneshot::channel();
        (Waiting { answer, arm: Arm::Python, opa: Opa::Http, fallback: false, is_question: true, key: None }, receiver)
    }

    fn job(id: u64) -> Job {
        Job {
            id,
            path: "a/b".into(),
            body: Bytes::new(),
            query: String::new(),
            arm: Arm::Python,
            opa: Opa::Http,
            cache: Cache::Redis,
            fallback: None,
            passed: None,
        }
    }

    fn readable(jobs: &Jobs) -> bool {
        let mut fds = [PollFd::new(&jobs.wake, PollFlags::IN)];
        poll(&mut fds, Some(&rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() == 1
    }

    #[test]
    fn the_descriptor_is_readable_exactly_while_jobs_wait() {
        let jobs = Arc::new(Jobs::new(8).unwrap());
        assert!(!readable(&jobs));
        let tickets: Vec<_> = (0..3).map(|_| jobs.submit(waiting().0, job).ok().unwrap()).collect();
        assert!(readable(&jobs));
        assert_eq!(jobs.take(2).len(), 2);
        assert!(readable(&jobs));
        assert_eq!(jobs.take(2).len(), 1);
        assert!(!readable(&jobs));
        drop(tickets);
    }

    #[test]
    fn a_full_queue_refuses_and_forgets() {
        let jobs = Arc::new(Jobs::new(1).unwrap());
        let ticket = jobs.submit(waiting().0, job).ok().unwrap();
        assert_eq!(jobs.submit(waiting().0, job).err(), Some(QueueFull));
        assert_eq!(jobs.waiting.lock().len(), 1);
        drop(ticket);
        assert_eq!(jobs.waiting.lock().len(), 0);
    }

    #[test]
    fn a_job_whose_request_is_gone_is_neither_taken_nor_answered() {
        let jobs = Arc::new(Jobs::new(4).unwrap());
        let ticket = jobs.submit(waiting().0, job).ok().unwrap();
        let id = ticket.id;
        drop(ticket);
        assert!(jobs.take(4).is_empty());
        assert!(jobs.claim(id).is_none());
        assert!(!readable(&jobs));
    }
}
