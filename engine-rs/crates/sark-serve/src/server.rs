//! The server as whoever embeds it sees it.

use std::{
    io,
    net::TcpListener,
    os::fd::RawFd,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime},
};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use sark_engine::{Decision, Engine, Outcome};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::{mpsc, watch};

use crate::{
    answered::Answered,
    answering::keep,
    arms::{Arm, Feature, Opa},
    events::{CacheOperation, CacheResult, EvaluationResult, RequestResult, ShadowResult},
    faults::Faults,
    flags::Flags,
    forks::forks,
    inside::Call,
    jobs::{Answer, FallbackReason, Job, Waiting},
    listener::{self, Listener, SocketFile},
    logged::{DecisionLog, LogOptions},
    metrics::{LogDrop, Shed},
    options::{ConfigurationError, ServerOptions},
    reply::status,
    serving::{Order, serve},
    shared::Shared,
    tls::TlsOptions,
    tokens::Tokens,
};

/// Deep policies recurse deeply.
const STACK_BYTES: usize = 8 << 20;
/// What a thread may take to notice that it should end, beyond the time it was given.
const JOIN_GRACE: Duration = Duration::from_secs(2);

/// The data plane. Dropping it ends it at once, without waiting.
pub struct Server {
    shared: Arc<Shared>,
    orders: watch::Sender<Order>,
    threads: Mutex<Vec<JoinHandle<io::Result<bool>>>>,
    socket: Mutex<Option<SocketFile>>,
    /// Where each thread takes questions from inside the process.
    calls: OnceLock<Vec<mpsc::Sender<Call>>>,
    /// Which thread gets the next one.
    turn: AtomicUsize,
    /// Forks up to its start; there are more where its threads are not.
    forks: AtomicU64,
}

impl Server {
    /// A server that does not listen yet.
    pub fn new(engine: Arc<Engine>, options: ServerOptions) -> io::Result<Self> {
        let shared = Arc::new(Shared::new(engine, options)?);
        Ok(Self {
            shared,
            orders: watch::Sender::new(Order::Serve),
            threads: Mutex::default(),
            socket: Mutex::default(),
            calls: OnceLock::new(),
            turn: AtomicUsize::new(0),
            forks: AtomicU64::new(forks()),
        })
    }

    /// Bind, start the threads, and return the TCP port; 0 when there is none.
    pub fn start(&self) -> io::Result<u16> {
        let mut threads = self.threads.lock();
        if !threads.is_empty() || *self.orders.borrow() != Order::Serve {
            return Err(io::Error::other("the server was started before"));
        }
        let options = &self.shared.options;
        let tcp = options.address.map(|address| listener::tcp(address, options.workers)).transpose()?.unwrap_or_default();
        let port = tcp.first().map_or(Ok(0), |listener| listener.local_addr().map(|address| address.port()))?;
        let (file, unix) = options.unix.as_ref().map(SocketFile::listen).transpose()?.unzip();
        self.shared.pool.start(&self.shared.engine, options.evaluation_threads)?;
        let mut tcp: Vec<Option<TcpListener>> = tcp.into_iter().map(Some).collect();
        tcp.resize_with(options.workers, || None);
        let mut calls = Vec::with_capacity(options.workers);
        for (number, tcp) in tcp.into_iter().enumerate() {
            let shares_unix = unix.as_ref().map(std::os::unix::net::UnixListener::try_clone).transpose()?;
            let listeners = tcp.map(Listener::Tcp).into_iter().chain(shares_unix.map(Listener::Unix)).collect();
            let lane = self.shared.engine.lane().map_err(io::Error::other)?;
            let shared = Arc::clone(&self.shared);
            let orders = self.orders.subscribe();
            let (call, called) = mpsc::channel(options.max_connections);
            calls.push(call);
            let thread = std::thread::Builder::new()
                .name(format!("sark-serve-{number}"))
                .stack_size(STACK_BYTES)
                .spawn(move || serve(&shared, lane, listeners, called, orders))?;
            threads.push(thread);
        }
        *self.socket.lock() = file;
        self.forks.store(forks(), Ordering::Relaxed);
        // Nobody has set it: the server starts once.
        let _ = self.calls.set(calls);
        Ok(port)
    }

    pub(crate) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Whether it was told to end.
    pub(crate) fn is_leaving(&self) -> bool {
        *self.orders.borrow() != Order::Serve
    }

    /// Whether this is the child of a fork, and its threads are in the parent.
    pub(crate) fn is_left_behind(&self) -> bool {
        self.forks.load(Ordering::Relaxed) != forks()
    }

    /// Where the next question from inside the process goes; None before the start.
    pub(crate) fn next_thread(&self) -> Option<&mpsc::Sender<Call>> {
        let calls = self.calls.get()?;
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        calls.get(turn % calls.len().max(1))
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
        if answer.status == status::UNAVAILABLE && waiting.is_question {
            metrics.shed(Shed::Breaker);
        }
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
            let longest = answer.keep_for.unwrap_or(Duration::MAX);
            keep(&self.shared, key, &decision, longest, &self.shared.metrics());
        }
    }

    /// Apply flags to the next request.
    pub fn set_flags(&self, flags: Flags) -> Result<(), ConfigurationError> {
        if flags.percentage > 100 {
            return Err(ConfigurationError(format!("percentage must be 0 to 100, not {}", flags.percentage)));
        }
        if flags.shadow > 100 {
            return Err(ConfigurationError(format!("shadow must be 0 to 100, not {}", flags.shadow)));
        }
        self.shared.set_flags(flags).map_err(|error| ConfigurationError(format!("the metrics cannot be begun anew: {error}")))
    }

    /// Inject faults into the requests of the rust arm.
    pub fn set_faults(&self, faults: Faults) -> Result<(), ConfigurationError> {
        if !(0.0..=1.0).contains(&faults.error_ratio) {
            return Err(ConfigurationError(format!("the error ratio must be 0 to 1, not {}", faults.error_ratio)));
        }
        if !(0.0..=1.0).contains(&faults.panic_ratio) {
            return Err(ConfigurationError(format!("the panic ratio must be 0 to 1, not {}", faults.panic_ratio)));
        }
        sark_engine::rehearse_panics(faults.panic_ratio);
        self.shared.faults.set(faults);
        Ok(())
    }

    /// When the first fault struck since faults were last turned on.
    pub fn first_fault_at(&self) -> Option<SystemTime> {
        self.shared.faults.first()
    }

    /// Up to `limit` answered requests that were drawn to be compared with the other arm, the oldest first.
    pub fn take_drawn(&self, limit: usize) -> Vec<Answered> {
        self.shared.shadow.queue.take(limit)
    }

    /// Count what came of a comparison; without a path it counts under `other`.
    pub fn count_comparison(&self, path: Option<&str>, result: ShadowResult) {
        self.shared.metrics().shadow().count(path, result);
    }

    /// Show how many differences wait for another look at OPA before they count. With another rollout it begins at none.
    pub fn show_unconfirmed(&self, differences: u32) {
        self.shared.metrics().shadow().show_unconfirmed(differences);
    }

    /// Speak TLS on the address: from the start when it is said before, with what is said later for connections that come later.
    pub fn set_tls(&self, options: &TlsOptions) -> Result<(), ConfigurationError> {
        self.set_before_start(&self.shared.tls, options.configuration()?, "TLS")
    }

    /// Let in only requests that show one of these bearer tokens; said later, these alone from then on.
    pub fn set_tokens(&self, tokens: Vec<String>) -> Result<(), ConfigurationError> {
        self.set_before_start(&self.shared.tokens, Tokens::new(tokens)?, "tokens")
    }

    /// Replace what was set, or set it first, which is too late once connections are taken in without it.
    fn set_before_start<T>(&self, place: &OnceLock<ArcSwap<T>>, value: T, name: &str) -> Result<(), ConfigurationError> {
        let threads = self.threads.lock();
        if let Some(set) = place.get() {
            set.store(Arc::new(value));
            return Ok(());
        }
        if !threads.is_empty() {
            return Err(ConfigurationError(format!("{name} must be set before the server starts")));
        }
        // Nobody else sets it while the lock is held.
        let _ = place.set(ArcSwap::from_pointee(value));
        Ok(())
    }

    /// Keep a decision log; to be said before the server starts, and once.
    pub fn log_decisions(&self, options: LogOptions) -> Result<(), ConfigurationError> {
        if !self.threads.lock().is_empty() {
            return Err(ConfigurationError("the decision log must be set up before the server starts".into()));
        }
        let log = DecisionLog::new(options)?;
        self.shared.log.set(log).map_err(|_| ConfigurationError("the decision log is set up already".into()))
    }

    /// Name the bundles that policies of this revision come from, an object as JSON, in events that are answered under them.
    pub fn name_bundles(&self, revision: &str, bundles: &str) {
        if let Some(log) = self.shared.log.get() {
            log.name_bundles(revision, bundles);
        }
    }

    /// Up to `limit` decisions as events in OPA's format, the oldest first; None when none waited.
    pub fn take_logged(&self, limit: usize) -> Option<Vec<String>> {
        let log = self.shared.log.get()?;
        let (events, any) = log.take(limit, &self.shared.engine, &self.shared.metrics());
        any.then_some(events)
    }

    /// Count events that a sink of the decision log did not get.
    pub fn count_unlogged(&self, reason: LogDrop, events: u64) {
        self.shared.metrics().log().dropped(reason, events);
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
        self.shared.in_force_at(Instant::now()).metrics.text(self.shared.levels()).map_err(io::Error::other)
    }

    /// Take nobody in any more, answer whatever was sent before within `limit`, and end. True when all was answered.
    pub fn drain(&self, limit: Duration) -> bool {
        // The next process may listen there already; who has come to us is still served.
        drop(self.socket.lock().take());
        self.orders.send_replace(Order::Drain(limit));
        let threads = std::mem::take(&mut *self.threads.lock());
        let deadline = Instant::now() + limit + JOIN_GRACE;
        // Every thread is joined, also after one that did not finish.
        let unfinished = threads.into_iter().map(|thread| join(thread, deadline)).filter(|finished| !finished).count();
        self.shared.pool.close();
        unfinished == 0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Not joined: an evaluation under way must not hold up whoever drops us.
        self.orders.send_replace(Order::Drain(Duration::ZERO));
        self.shared.pool.close();
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
