//! The server as whoever embeds it sees it.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    os::fd::RawFd,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime},
};

use parking_lot::Mutex;
use sark_engine::{Decision, Engine, Outcome};
use serde::Deserialize;
use serde_json::value::RawValue;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::watch;

use crate::{
    answering::keep,
    arms::{Arm, Feature, Opa},
    connection::{Order, serve},
    events::{CacheOperation, CacheResult, EvaluationResult, RequestResult},
    faults::Faults,
    flags::Flags,
    jobs::{Answer, FallbackReason, Job, Waiting},
    options::{ConfigurationError, ServerOptions},
    shared::Shared,
};

const BACKLOG: i32 = 1024;
/// Deep policies recurse deeply.
const STACK_BYTES: usize = 8 << 20;
/// What a thread may take to notice that it should end, beyond the time it was given.
const JOIN_GRACE: Duration = Duration::from_secs(2);

/// The data plane. Dropping it ends it at once, without waiting.
pub struct Server {
    shared: Arc<Shared>,
    orders: watch::Sender<Order>,
    threads: Mutex<Vec<JoinHandle<io::Result<bool>>>>,
}

impl Server {
    /// A server that does not listen yet.
    pub fn new(engine: Arc<Engine>, options: ServerOptions) -> io::Result<Self> {
        let shared = Arc::new(Shared::new(engine, options)?);
        Ok(Self { shared, orders: watch::Sender::new(Order::Serve), threads: Mutex::default() })
    }

    /// Bind, start the threads, and return the port.
    pub fn start(&self) -> io::Result<u16> {
        let mut threads = self.threads.lock();
        if !threads.is_empty() || *self.orders.borrow() != Order::Serve {
            return Err(io::Error::other("the server was started before"));
        }
        let workers = self.shared.options.workers;
        let listeners = listen(self.shared.options.address, workers)?;
        let port = listeners.first().map_or(Ok(0), |listener| listener.local_addr().map(|address| address.port()))?;
        for (number, listener) in listeners.into_iter().enumerate() {
            let lane = self.shared.engine.lane().map_err(io::Error::other)?;
            let shared = Arc::clone(&self.shared);
            let orders = self.orders.subscribe();
            let thread = std::thread::Builder::new()
                .name(format!("sark-serve-{number}"))
                .stack_size(STACK_BYTES)
                .spawn(move || serve(&shared, lane, listener, orders))?;
            threads.push(thread);
        }
        Ok(port)
    }

    /// A descriptor that is readable while jobs wait. It lives as long as the server.
    pub fn baseline_fd(&self) -> RawFd {
        self.shared.jobs.descriptor()
    }

    /// Up to `limit` jobs that wait.
    pub fn take_jobs(&self, limit: usize) -> Vec<Job> {
        self.shared.jobs.take(limit)
    }

    /// Answer a job; false when nobody waits for it any more.
    pub fn complete(&self, id: u64, answer: Answer) -> bool {
        let Some(waiting) = self.shared.jobs.claim(id) else {
            return false;
        };
        self.keep_answer(&waiting, &answer);
        let metrics = self.shared.metrics();
        let half_moved = waiting.arm == Arm::Rust && waiting.opa == Opa::Rust && !waiting.fallback;
        if half_moved && answer.result == RequestResult::Error && answer.status == 200 {
            // The engine failed in the embedder's hands, and the embedder asked OPA instead.
            metrics.fallback(Feature::RustOpa, FallbackReason::Evaluation(sark_engine::EvaluationErrorKind::Evaluation));
        }
        waiting.answer.send(answer).is_ok()
    }

    fn keep_answer(&self, waiting: &Waiting, answer: &Answer) {
        let storable = answer.status == 200 && !answer.cache_control.contains("no-store");
        if let (Some(key), Some(outcome), true) = (waiting.key, answer.result.outcome(), storable)
            && let Some(decision) = decision_in(&answer.body, outcome)
        {
            keep(&self.shared, key, &decision, &self.shared.metrics());
        }
    }

    /// Apply flags to the next request.
    pub fn set_flags(&self, flags: Flags) -> Result<(), ConfigurationError> {
        if flags.percentage > 100 {
            return Err(ConfigurationError(format!("percentage must be 0 to 100, not {}", flags.percentage)));
        }
        self.shared.set_flags(flags).map_err(|error| ConfigurationError(format!("the metrics cannot be begun anew: {error}")))
    }

    /// Inject faults into the requests of the rust arm.
    pub fn set_faults(&self, faults: Faults) -> Result<(), ConfigurationError> {
        if !(0.0..=1.0).contains(&faults.error_ratio) {
            return Err(ConfigurationError(format!("the error ratio must be 0 to 1, not {}", faults.error_ratio)));
        }
        self.shared.faults.set(faults);
        Ok(())
    }

    /// When the first fault struck since faults were last turned on.
    pub fn first_fault_at(&self) -> Option<SystemTime> {
        self.shared.faults.first()
    }

    /// Record an evaluation that happened outside the serving threads.
    pub fn observe_evaluation(&self, arm: Arm, result: EvaluationResult, took: Duration, error_type: &str) {
        self.shared.record_evaluation(arm, result, took, error_type);
    }

    /// Record an operation on the baseline's cache.
    pub fn observe_cache(&self, operation: CacheOperation, result: CacheResult, took: Duration) {
        self.shared.metrics().cache(Arm::Python, operation, result, took);
    }

    /// Set a gauge of the embedder's own.
    pub fn set_gauge(&self, name: &str, help: &str, value: f64) -> Result<(), ConfigurationError> {
        self.shared.metrics().own().set_gauge(name, help, value).map_err(|error| ConfigurationError(error.to_string()))
    }

    /// Add to a counter of the embedder's own.
    pub fn inc_counter(&self, name: &str, help: &str, amount: u64) -> Result<(), ConfigurationError> {
        self.shared.metrics().own().inc_counter(name, help, amount).map_err(|error| ConfigurationError(error.to_string()))
    }

    /// All metrics in Prometheus' text format.
    pub fn metrics(&self) -> io::Result<Vec<u8>> {
        self.shared.metrics().text(self.shared.levels()).map_err(io::Error::other)
    }

    /// Stop accepting, let requests under way finish within `limit`, and end. True when all did.
    pub fn drain(&self, limit: Duration) -> bool {
        self.orders.send_replace(Order::Drain(limit));
        let threads = std::mem::take(&mut *self.threads.lock());
        let deadline = Instant::now() + limit + JOIN_GRACE;
        // Every thread is joined, also after one that did not finish.
        let unfinished = threads.into_iter().map(|thread| join(thread, deadline)).filter(|finished| !finished).count();
        unfinished == 0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Not joined: an evaluation under way must not hold up whoever drops us.
        self.orders.send_replace(Order::Drain(Duration::ZERO));
    }
}

/// Join a thread, but not for ever: one that is stuck is left behind.
fn join(thread: JoinHandle<io::Result<bool>>, deadline: Instant) -> bool {
    while !thread.is_finished() {
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    matches!(thread.join(), Ok(Ok(true)))
}

/// One listener per worker on one address.
fn listen(address: SocketAddr, workers: usize) -> io::Result<Vec<TcpListener>> {
    if workers == 1 {
        return Ok(vec![bind(address, false)?]);
    }
    if address.port() != 0 {
        // Sockets that share a port also share it with another process; this finds out whether one is there.
        drop(bind(address, false)?);
    }
    let first = bind(address, true)?;
    let shared = first.local_addr()?;
    let mut listeners = vec![first];
    for _ in 1..workers {
        listeners.push(bind(shared, true)?);
    }
    Ok(listeners)
}

fn bind(address: SocketAddr, share_port: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(share_port)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[derive(Deserialize)]
struct ResultEnvelope<'a> {
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
}

/// The decision in the body of an answer; None when the body is not one.
fn decision_in(body: &[u8], outcome: Outcome) -> Option<Decision> {
    let envelope: ResultEnvelope<'_> = serde_json::from_slice(body).ok()?;
    match (envelope.result, outcome) {
        (None, Outcome::Undefined) => Some(Decision::undefined()),
        (Some(result), Outcome::Allow | Outcome::Deny) => Some(Decision::from_json(result.get().as_bytes(), outcome)),
        _ => None,
    }
}
