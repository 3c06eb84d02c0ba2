//! `Server`.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use pyo3::{
    exceptions::PyValueError,
    prelude::*,
    types::{PyBytes, PyString, PyTuple},
};
use sark_engine::assignment::Rule;
use sark_serve::{
    Answer, Arm, CacheOperation, CacheResult, Difference, DropRule, EvaluationResult, Faults, Flags, LogDrop, LogOptions, Mask,
    QueueLimits, RequestResult, ServerOptions, ShadowLimits, ShadowResult, SkipReason, SubjectRule, TlsOptions, UnixSocket,
};

use crate::{
    answered::Answered,
    asking::{self, Mailbox},
    engine::{Engine, seconds},
    errors,
    job::BaselineJob,
    paths::Paths,
};

/// The data plane: owns the listener, the worker threads and every metric. A rust-arm request never takes the GIL.
#[pyclass(frozen, module = "sark_engine")]
pub(crate) struct Server(Arc<sark_serve::Server>, Paths);

fn label<T>(what: &str, text: &str, parse: impl Fn(&str) -> Option<T>, choices: &[&str]) -> PyResult<T> {
    parse(text).ok_or_else(|| PyValueError::new_err(format!("{what} must be one of {}, not {text:?}", choices.join(", "))))
}

/// A duration measured by the caller: it may be zero.
fn measured(value: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(value).map_err(|_| PyValueError::new_err(format!("seconds must be zero or more, not {value}")))
}

#[pymethods]
impl Server {
    #[new]
    #[pyo3(signature = (
        engine, *, host = None, port = None, unix_path = None, unix_mode = 0o660, workers = 1, max_body_bytes = 1_048_576,
        max_header_bytes = 16_384, idle_timeout_seconds = 60.0, header_timeout_seconds = 5.0, body_timeout_seconds = 5.0,
        write_timeout_seconds = 5.0, max_connections = 1024, baseline_queue = 1024, baseline_timeout_seconds = 10.0,
        inline_evaluation_seconds = 0.002, evaluation_threads = 2, evaluation_queue = 256, subject_pointer = "/user/id",
        subject_fallbacks = vec!["/agent/id".into(), "/source_agent/id".into(), "/subject".into(), "/user".into()],
        subject_header = None, shadow_queue = 1024, shadow_queue_bytes = 16_777_216, shadow_request_bytes = 65_536, in_process = false,
        writes = false,
    ), text_signature = "(engine, *, host=None, port=None, unix_path=None, unix_mode=0o660, workers=1, max_body_bytes=1048576, \
        max_header_bytes=16384, idle_timeout_seconds=60.0, header_timeout_seconds=5.0, body_timeout_seconds=5.0, \
        write_timeout_seconds=5.0, max_connections=1024, baseline_queue=1024, baseline_timeout_seconds=10.0, \
        inline_evaluation_seconds=0.002, evaluation_threads=2, evaluation_queue=256, subject_pointer='/user/id', \
        subject_fallbacks=('/agent/id', '/source_agent/id', '/subject', '/user'), subject_header=None, \
        shadow_queue=1024, shadow_queue_bytes=16777216, shadow_request_bytes=65536, in_process=False, writes=False)")]
    fn new(
        engine: &Engine,
        host: Option<&str>,
        port: Option<u16>,
        unix_path: Option<PathBuf>,
        unix_mode: u32,
        workers: usize,
        max_body_bytes: usize,
        max_header_bytes: usize,
        idle_timeout_seconds: f64,
        header_timeout_seconds: f64,
        body_timeout_seconds: f64,
        write_timeout_seconds: f64,
        max_connections: usize,
        baseline_queue: usize,
        baseline_timeout_seconds: f64,
        inline_evaluation_seconds: f64,
        evaluation_threads: usize,
        evaluation_queue: usize,
        subject_pointer: &str,
        subject_fallbacks: Vec<String>,
        subject_header: Option<&str>,
        shadow_queue: usize,
        shadow_queue_bytes: usize,
        shadow_request_bytes: usize,
        in_process: bool,
        writes: bool,
    ) -> PyResult<Self> {
        let refused = |error| errors::configuration(&error);
        let pointers = std::iter::once(subject_pointer).chain(subject_fallbacks.iter().map(String::as_str));
        // A Unix-domain socket alone is a listener too, and who asks inside the process needs none; then TCP is only what was asked for.
        let wants_tcp = (unix_path.is_none() && !in_process) || host.is_some() || port.is_some();
        let address = || ServerOptions::address(host.unwrap_or("127.0.0.1"), port.unwrap_or(0));
        let options = ServerOptions {
            address: wants_tcp.then(address).transpose().map_err(refused)?,
            unix: unix_path.map(|path| UnixSocket { path, mode: unix_mode }),
            in_process,
            workers,
            max_body_bytes,
            max_header_bytes,
            idle_timeout: seconds("idle_timeout_seconds", idle_timeout_seconds)?,
            header_timeout: seconds("header_timeout_seconds", header_timeout_seconds)?,
            body_timeout: seconds("body_timeout_seconds", body_timeout_seconds)?,
            write_timeout: seconds("write_timeout_seconds", write_timeout_seconds)?,
            max_connections,
            baseline_queue,
            baseline_timeout: seconds("baseline_timeout_seconds", baseline_timeout_seconds)?,
            inline_evaluation: seconds("inline_evaluation_seconds", inline_evaluation_seconds)?,
            evaluation_threads,
            evaluation_queue,
            writes,
            subject: SubjectRule::new(subject_header, pointers).map_err(refused)?,
            shadow: ShadowLimits {
                queue: QueueLimits { requests: shadow_queue, bytes: shadow_queue_bytes },
                request_bytes: shadow_request_bytes,
            },
        };
        let server = Arc::new(sark_serve::Server::new(Arc::clone(&engine.engine), options.check().map_err(refused)?)?);
        engine.recorder.store(Some(Arc::new(Arc::downgrade(&server))));
        Ok(Self(server, Paths::default()))
    }

    /// Bind and serve in the background; return the TCP port, 0 when there is none. Raises OSError.
    fn start(&self, py: Python<'_>) -> PyResult<u16> {
        Ok(py.detach(|| self.0.start())?)
    }

    /// A file descriptor that becomes readable when jobs wait.
    #[getter]
    fn baseline_fd(&self) -> i32 {
        self.0.baseline_fd()
    }

    /// Take up to `limit` waiting jobs without blocking.
    #[pyo3(signature = (limit = 64))]
    fn take_jobs(&self, limit: usize) -> Vec<BaselineJob> {
        self.0.take_jobs(limit).into_iter().map(BaselineJob).collect()
    }

    /// Answer a job; False when its client has gone or it has timed out.
    #[pyo3(signature = (job_id, status, body, *, outcome, cache_control = "", headers = vec![], keep_seconds = None, was_kept = false))]
    fn complete(
        &self,
        job_id: u64,
        status: u16,
        body: &[u8],
        outcome: &str,
        cache_control: &str,
        headers: Vec<(String, String)>,
        keep_seconds: Option<f64>,
        was_kept: bool,
    ) -> PyResult<bool> {
        if !(200..=599).contains(&status) {
            return Err(PyValueError::new_err(format!("status must be 200 to 599, not {status}")));
        }
        let result = label("outcome", outcome, RequestResult::parse, &["allow", "deny", "undefined", "error"])?;
        let keep_for = keep_seconds.map(measured).transpose()?;
        let cache_control = cache_control.to_owned();
        let answer = Answer { status, body: body.to_vec().into(), result, cache_control, headers, keep_for, was_kept };
        Ok(self.0.complete(job_id, answer))
    }

    /// Answer a question asked inside the process: (status, body, arm, origin, fallback).
    #[pyo3(signature = (path, body, subject = None))]
    fn ask<'py>(
        &self,
        py: Python<'py>,
        path: &Bound<'py, PyString>,
        body: &[u8],
        subject: Option<&str>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        asking::ask(py, &self.0, &self.1, path, body, subject)
    }

    /// As ask, without waiting: None when the answer will come to `mailbox` under `token`.
    #[pyo3(signature = (path, body, subject, mailbox, token))]
    fn ask_later<'py>(
        &self,
        py: Python<'py>,
        path: &Bound<'py, PyString>,
        body: &[u8],
        subject: Option<&str>,
        mailbox: &Mailbox,
        token: u64,
    ) -> PyResult<Option<Bound<'py, PyTuple>>> {
        asking::ask_later(py, &self.0, &self.1, (path, body, subject), mailbox, token)
    }

    /// Apply flags to the next request.
    #[pyo3(signature = (
        *, rollout, revision, percentage, salt, rust_opa, rust_cache, shadow = 0, assignment = "murmur3",
        valid_seconds = None,
    ))]
    fn set_flags(
        &self,
        rollout: String,
        revision: u64,
        percentage: u8,
        salt: String,
        rust_opa: bool,
        rust_cache: bool,
        shadow: u8,
        assignment: &str,
        valid_seconds: Option<f64>,
    ) -> PyResult<()> {
        // An end beyond what the clock can say is none.
        let ends = valid_seconds.map(measured).transpose()?.and_then(|valid| Instant::now().checked_add(valid));
        let rule = label("assignment", assignment, Rule::parse, &["murmur3", "sark-md5"])?;
        let flags = Flags { rollout, revision, percentage, salt, rule, rust_opa, rust_cache, shadow, ends };
        self.0.set_flags(flags).map_err(|error| errors::configuration(&error))
    }

    /// Inject faults into rust-arm requests. Zero turns it off.
    #[pyo3(signature = (*, rust_latency_seconds = 0.0, rust_error_ratio = 0.0, rust_panic_ratio = 0.0))]
    fn set_faults(&self, rust_latency_seconds: f64, rust_error_ratio: f64, rust_panic_ratio: f64) -> PyResult<()> {
        let latency = measured(rust_latency_seconds)?;
        let faults = Faults { latency, error_ratio: rust_error_ratio, panic_ratio: rust_panic_ratio };
        self.0.set_faults(faults).map_err(|error| errors::configuration(&error))
    }

    /// Unix time of the first request a fault was injected into since faults were last turned on.
    #[getter]
    fn first_fault_at(&self) -> Option<f64> {
        let at = self.0.first_fault_at()?;
        Some(at.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs_f64())
    }

    /// Take up to `limit` answered requests that were drawn for comparison, the oldest first, without blocking.
    #[pyo3(signature = (limit = 64))]
    fn take_drawn(&self, limit: usize) -> Vec<Answered> {
        self.0.take_drawn(limit).into_iter().map(Answered).collect()
    }

    /// Count what came of a comparison with the other arm.
    #[pyo3(signature = (path, result, detail = ""))]
    fn count_comparison(&self, path: Option<&str>, result: &str, detail: &str) -> PyResult<()> {
        let counted = ShadowResult::parse(result, detail).ok_or_else(|| {
            let details = |values: Vec<&str>| values.join(", ");
            PyValueError::new_err(format!(
                "result must be one of {}, with a detail for mismatch ({}) and skipped ({}), not {result:?} with {detail:?}",
                ShadowResult::LABELS.join(", "),
                details(Difference::ALL.iter().map(|kind| kind.as_str()).collect()),
                details(SkipReason::ALL.iter().map(|reason| reason.as_str()).collect()),
            ))
        })?;
        self.0.count_comparison(path, counted);
        Ok(())
    }

    /// Show how many differences wait for another look at OPA before they count.
    fn show_unconfirmed(&self, differences: u32) {
        self.0.show_unconfirmed(differences);
    }

    /// Speak TLS on host and port: before start, and later for new connections. All in PEM.
    #[pyo3(signature = (certificate, key, *, client_authorities = None, min_version = "1.2"))]
    fn set_tls(
        &self,
        certificate: Vec<u8>,
        key: Vec<u8>,
        client_authorities: Option<Vec<u8>>,
        min_version: &str,
    ) -> PyResult<()> {
        let newest = |text: &str| match text {
            "1.2" => Some(false),
            "1.3" => Some(true),
            _ => None,
        };
        let newest_only = label("min_version", min_version, newest, &["1.2", "1.3"])?;
        let options = TlsOptions { certificate, key, client_authorities, newest_only };
        self.0.set_tls(&options).map_err(|error| errors::configuration(&error))
    }

    /// Let in only requests with one of these bearer tokens: before start, and later these alone.
    fn set_tokens(&self, tokens: Vec<String>) -> PyResult<()> {
        self.0.set_tokens(tokens).map_err(|error| errors::configuration(&error))
    }

    /// Keep a decision log; before start, and once.
    #[pyo3(signature = (
        *, labels, erase = vec![], upsert = vec![], drop = vec![], ask_policies = true, max_per_second = None, queue = 8192,
        queue_bytes = 16_777_216,
    ), text_signature = "($self, *, labels, erase=(), upsert=(), drop=(), ask_policies=True, max_per_second=None, queue=8192, \
        queue_bytes=16777216)")]
    fn log_decisions(
        &self,
        labels: BTreeMap<String, String>,
        erase: Vec<String>,
        upsert: Vec<(String, Vec<u8>)>,
        drop: Vec<(String, String)>,
        ask_policies: bool,
        max_per_second: Option<f64>,
        queue: usize,
        queue_bytes: usize,
    ) -> PyResult<()> {
        let refused = |error| errors::configuration(&error);
        let erasing = erase.iter().map(|pointer| Mask::new(pointer, None, true));
        let replacing = upsert.iter().map(|(pointer, value)| Mask::new(pointer, Some(value), true));
        let options = LogOptions {
            labels,
            masks: erasing.chain(replacing).collect::<Result<_, _>>().map_err(refused)?,
            drops: drop
                .iter()
                .map(|(path, outcome)| DropRule::new(path, outcome))
                .collect::<Result<_, _>>()
                .map_err(refused)?,
            asks_policies: ask_policies,
            max_per_second,
            queue: QueueLimits { requests: queue, bytes: queue_bytes },
        };
        self.0.log_decisions(options).map_err(refused)
    }

    /// Name the bundles (JSON) that policies of this revision come from.
    fn name_bundles(&self, revision: &str, bundles: &str) {
        self.0.name_bundles(revision, bundles);
    }

    /// Take up to `limit` decisions as events in OPA's format, masked, the oldest first; None when none waited.
    #[pyo3(signature = (limit = 256))]
    fn take_logged<'py>(&self, py: Python<'py>, limit: usize) -> Option<Vec<Bound<'py, PyBytes>>> {
        let events = py.detach(|| self.0.take_logged(limit))?;
        Some(events.iter().map(|event| PyBytes::new(py, event.as_bytes())).collect())
    }

    /// Count events that a sink of the decision log did not get.
    #[pyo3(signature = (reason, events = 1))]
    fn count_unlogged(&self, reason: &str, events: u64) -> PyResult<()> {
        let reason = label("reason", reason, LogDrop::parse, &LogDrop::ALL.map(LogDrop::as_str))?;
        self.0.count_unlogged(reason, events);
        Ok(())
    }

    /// Record one evaluation by HTTP OPA.
    #[pyo3(signature = (seconds, outcome, error_type = ""))]
    fn observe_evaluation(&self, seconds: f64, outcome: &str, error_type: &str) -> PyResult<()> {
        let result = label("outcome", outcome, EvaluationResult::parse, &["allow", "deny", "error"])?;
        self.0.observe_evaluation(Arm::Python, result, measured(seconds)?, error_type);
        Ok(())
    }

    /// Record one Redis operation.
    fn observe_cache(&self, operation: &str, result: &str, seconds: f64) -> PyResult<()> {
        let operation = label("operation", operation, CacheOperation::parse, &["get", "set", "delete"])?;
        let result = label("result", result, CacheResult::parse, &["hit", "miss", "ok", "error"])?;
        self.0.observe_cache(operation, result, measured(seconds)?);
        Ok(())
    }

    /// Set a gauge of the sidecar's own.
    fn set_gauge(&self, name: &str, help: &str, value: f64) -> PyResult<()> {
        self.0.set_gauge(name, help, value).map_err(|error| errors::configuration(&error))
    }

    /// Add to a counter of the sidecar's own.
    #[pyo3(signature = (name, help, amount = 1))]
    fn inc_counter(&self, name: &str, help: &str, amount: u64) -> PyResult<()> {
        self.0.inc_counter(name, help, amount).map_err(|error| errors::configuration(&error))
    }

    /// All metrics in Prometheus' text format 0.0.4.
    fn metrics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let text = py.detach(|| self.0.metrics())?;
        Ok(PyBytes::new(py, &text))
    }

    /// Take no new connection, answer what was sent before, close. True when all was answered in time.
    fn drain(&self, py: Python<'_>, timeout_seconds: f64) -> PyResult<bool> {
        let limit = measured(timeout_seconds)?;
        Ok(py.detach(|| self.0.drain(limit)))
    }
}
