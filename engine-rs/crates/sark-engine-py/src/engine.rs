//! `Engine`.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use pyo3::{
    exceptions::PyValueError,
    prelude::*,
    sync::PyOnceLock,
    types::{PyBytes, PyString},
};
use sark_engine::{
    Begun, CacheLimits, Decision, DecisionPath, Document, EngineOptions, EvaluationError, EvaluationLimits, Lifetimes, Outcome,
    document::read_decision,
};
use sark_serve::{Arm, EvaluationResult, Server};

use crate::{
    errors,
    object_question::{Given, ObjectQuestion, object_of},
    paths::Paths,
    policies::{Policies, short},
    records,
};

/// Decisions in process: policies, one warmed evaluator per thread, and a bounded decision cache. Thread-safe.
#[pyclass(frozen, module = "sark_engine")]
pub(crate) struct Engine {
    #[allow(clippy::struct_field_names, reason = "this is the engine; the struct is its face in Python")]
    pub engine: Arc<sark_engine::Engine>,
    /// The server that counts evaluations made through this object.
    pub recorder: ArcSwapOption<Weak<Server>>,
    paths: Paths,
    ttl: Duration,
}

/// Looking a decision up for an input of so many bytes takes less time than to release the GIL and take it again.
const SHORT_INPUT: usize = 4_096;

pub(crate) fn seconds(name: &str, value: f64) -> PyResult<Duration> {
    let refused = || PyValueError::new_err(format!("{name} must be a positive number of seconds, not {value}"));
    let duration = Duration::try_from_secs_f64(value).map_err(|_| refused())?;
    // Longer than a century is a mistake, and instants cannot hold it.
    if duration.is_zero() || duration > Duration::from_secs(100 * 366 * 86_400) { Err(refused()) } else { Ok(duration) }
}

fn zero_or_more(name: &str, value: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(value)
        .map_err(|_| PyValueError::new_err(format!("{name} must be zero or more seconds, not {value}")))
}

fn at_least_one(name: &str, value: u64) -> PyResult<u64> {
    if value == 0 { Err(PyValueError::new_err(format!("{name} must be at least 1"))) } else { Ok(value) }
}

/// Least memory of an evaluation: less would end evaluations for what the rest of the process takes in the meantime.
const LEAST_MEMORY: u64 = 32 << 20;

fn evaluation_memory(value: u64) -> PyResult<usize> {
    let memory = (value >= LEAST_MEMORY).then_some(value).and_then(|value| usize::try_from(value).ok());
    memory.ok_or_else(|| PyValueError::new_err(format!("evaluation_max_bytes must be at least {LEAST_MEMORY} (32 MiB)")))
}

/// The answers that most decisions have are one object each.
fn bytes_of(py: Python<'_>, result: &[u8]) -> Py<PyBytes> {
    static TRUE: PyOnceLock<Py<PyBytes>> = PyOnceLock::new();
    static FALSE: PyOnceLock<Py<PyBytes>> = PyOnceLock::new();
    let common = match result {
        b"true" => &TRUE,
        b"false" => &FALSE,
        _ => return PyBytes::new(py, result).unbind(),
    };
    common.get_or_init(py, || PyBytes::new(py, result).unbind()).clone_ref(py)
}

impl Engine {
    fn bytes(
        &self,
        py: Python<'_>,
        path: &DecisionPath,
        answer: Result<Decision, EvaluationError>,
    ) -> PyResult<Option<Py<PyBytes>>> {
        let decision = answer.map_err(|error| self.raised(py, &error, path))?;
        Ok(decision.result().map(|result| bytes_of(py, result)))
    }

    fn raised(&self, py: Python<'_>, error: &EvaluationError, path: &DecisionPath) -> PyErr {
        errors::evaluation(py, error, &self.engine.policies(), path)
    }

    fn record<T>(&self, took: Duration, answer: &Result<T, EvaluationError>, outcome: impl FnOnce(&T) -> Outcome) {
        let Some(server) = self.recorder.load().as_ref().and_then(|server| server.upgrade()) else {
            return;
        };
        let (result, error_type) = match answer {
            Ok(decision) => (outcome(decision).into(), ""),
            Err(EvaluationError::Failed { kind, .. }) => (EvaluationResult::Error, kind.as_str()),
            Err(EvaluationError::Input(_)) => return,
        };
        server.observe_evaluation(Arm::Rust, result, took, error_type);
    }
}

#[pymethods]
impl Engine {
    #[new]
    #[pyo3(signature = (
        policies, *, cache_max_entries = 10_000, cache_max_bytes = 67_108_864, cache_ttl_seconds = 300.0,
        evaluation_timeout_seconds = 1.0, evaluation_max_bytes = 268_435_456, cache_classes = None, cache_unknown_class_seconds = 0.0,
        cache_class_input = Vec::new(), cache_class_decision = Vec::new(),
    ), text_signature = "(policies, *, cache_max_entries=10000, cache_max_bytes=67108864, cache_ttl_seconds=300.0, \
        evaluation_timeout_seconds=1.0, evaluation_max_bytes=268435456, cache_classes=None, cache_unknown_class_seconds=0.0, cache_class_input=(), \
        cache_class_decision=())")]
    fn new(
        py: Python<'_>,
        policies: &Policies,
        cache_max_entries: u64,
        cache_max_bytes: u64,
        cache_ttl_seconds: f64,
        evaluation_timeout_seconds: f64,
        evaluation_max_bytes: u64,
        cache_classes: Option<HashMap<String, f64>>,
        cache_unknown_class_seconds: f64,
        cache_class_input: Vec<String>,
        cache_class_decision: Vec<String>,
    ) -> PyResult<Self> {
        let max_entries = at_least_one("cache_max_entries", cache_max_entries)?;
        let options = EngineOptions {
            cache: CacheLimits {
                max_entries: usize::try_from(max_entries)
                    .map_err(|_| PyValueError::new_err("cache_max_entries is too large"))?,
                max_bytes: at_least_one("cache_max_bytes", cache_max_bytes)?,
                ttl: seconds("cache_ttl_seconds", cache_ttl_seconds)?,
            },
            evaluation: EvaluationLimits {
                time: seconds("evaluation_timeout_seconds", evaluation_timeout_seconds)?,
                memory: evaluation_memory(evaluation_max_bytes)?,
            },
        };
        let classes: Vec<_> = cache_classes
            .unwrap_or_default()
            .into_iter()
            .map(|(name, longest)| Ok((name, zero_or_more("cache_classes", longest)?)))
            .collect::<PyResult<_>>()?;
        let unknown = zero_or_more("cache_unknown_class_seconds", cache_unknown_class_seconds)?;
        let (input, decision) = (&cache_class_input, &cache_class_decision);
        let lifetimes = Lifetimes::new(classes, unknown, input.iter().map(String::as_str), decision.iter().map(String::as_str))
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        let policies = Arc::clone(&policies.0);
        let engine = py.detach(|| sark_engine::Engine::new(policies, options)).map_err(|error| errors::policy(&error))?;
        let engine = engine.with_lifetimes(lifetimes);
        Ok(Self { engine: Arc::new(engine), recorder: ArcSwapOption::empty(), paths: Paths::default(), ttl: options.cache.ttl })
    }

    /// The policies that serve now.
    #[getter]
    fn policies(&self) -> Policies {
        Policies(self.engine.policies())
    }

    /// Serve `policies` from the next evaluation on; evaluations under way finish with the old ones.
    fn replace_policies(&self, py: Python<'_>, policies: &Policies) -> PyResult<()> {
        let policies = Arc::clone(&policies.0);
        py.detach(|| self.engine.replace_policies(policies)).map_err(|error| errors::policy(&error))
    }

    /// Evaluate rule or package `path` on a JSON `input`; return compact JSON, or None when undefined.
    #[pyo3(signature = (path, input = None))]
    fn evaluate(&self, py: Python<'_>, path: &Bound<'_, PyString>, input: Option<&[u8]>) -> PyResult<Option<Py<PyBytes>>> {
        let path = &self.paths.get(path)?.0;
        let answer = py.detach(|| {
            let began = Instant::now();
            let answer = self.engine.evaluate(path, input);
            self.record(began.elapsed(), &answer, Decision::outcome);
            answer
        });
        self.bytes(py, path, answer)
    }

    /// As evaluate, counted by no metric.
    #[pyo3(signature = (path, input = None))]
    fn evaluate_aside(
        &self,
        py: Python<'_>,
        path: &Bound<'_, PyString>,
        input: Option<&[u8]>,
    ) -> PyResult<Option<Py<PyBytes>>> {
        let path = &self.paths.get(path)?.0;
        let answer = py.detach(|| self.engine.evaluate(path, input));
        self.bytes(py, path, answer)
    }

    /// As evaluate, answered from the decision cache when possible.
    #[pyo3(signature = (path, input = None))]
    fn decide(&self, py: Python<'_>, path: &Bound<'_, PyString>, input: Option<&[u8]>) -> PyResult<Option<Py<PyBytes>>> {
        let (path, known) = self.paths.get(path)?;
        // What the first decision of a path depends on is worked out with it: that takes time.
        let short = known && input.is_none_or(|bytes| bytes.len() <= SHORT_INPUT);
        let asked_for = || Some(self.engine.cache().begin(self.engine.cache_key(&path, input)?));
        let answer = match if short { asked_for() } else { py.detach(asked_for) } {
            Some(Begun::Hit(decision)) => Ok(decision),
            Some(begun) => py.detach(|| self.engine.finish(begun, &path, input)),
            None => py.detach(|| self.engine.evaluate(&path, input)),
        };
        self.bytes(py, &path, answer)
    }

    /// As evaluate, with Python objects instead of JSON.
    #[pyo3(signature = (path, input = Given(None), *, default = Given(None)), text_signature = "($self, path, input=..., *, default=...)")]
    fn evaluate_object<'py>(
        &self,
        py: Python<'py>,
        path: &Bound<'py, PyString>,
        input: Given<'py>,
        default: Given<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let ObjectQuestion { path, input, otherwise } = ObjectQuestion::read(py, &self.paths, path, input, default)?;
        let answer = py.detach(|| {
            let began = Instant::now();
            let answer = self.engine.evaluate_value(&path, input.unwrap_or_else(Document::absent));
            self.record(began.elapsed(), &answer, Outcome::of);
            answer
        });
        object_of(&answer.map_err(|error| self.raised(py, &error, &path))?, &path, otherwise)
    }

    /// Longest that a decision about `input` may be kept, in seconds: of the cache's own limit and its classes the strictest.
    #[pyo3(signature = (input = None, result = None))]
    fn cache_seconds(&self, py: Python<'_>, input: Option<&[u8]>, result: Option<&[u8]>) -> f64 {
        let longest = py.detach(|| self.engine.lifetimes().of_texts(input, result));
        longest.min(self.ttl).as_secs_f64()
    }

    /// As evaluate_object, answered from the decision cache when possible.
    #[pyo3(signature = (path, input = Given(None), *, default = Given(None)), text_signature = "($self, path, input=..., *, default=...)")]
    fn decide_object<'py>(
        &self,
        py: Python<'py>,
        path: &Bound<'py, PyString>,
        input: Given<'py>,
        default: Given<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let ObjectQuestion { path, input, otherwise } = ObjectQuestion::read(py, &self.paths, path, input, default)?;
        let answer = py.detach(|| match input {
            Some(document) => self.engine.decide_value(&path, document),
            None => self.engine.decide(&path, None),
        });
        let decision = answer.map_err(|error| self.raised(py, &error, &path))?;
        let Some(result) = decision.result() else {
            return Ok(otherwise);
        };
        let value =
            read_decision(result).map_err(|error| errors::unwritable(py, &PyValueError::new_err(error.to_string()), &path))?;
        object_of(&value, &path, otherwise)
    }

    /// What the decision cache did, and what it holds.
    fn cache_stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        records::cache_stats(py, &self.engine.cache().stats())
    }

    /// Forget every kept decision.
    fn cache_clear(&self) {
        self.engine.cache().clear();
    }

    fn __reduce__(&self) -> PyResult<()> {
        errors::not_pickled("an Engine", "make one in each process")
    }

    fn __repr__(&self) -> String {
        let (policies, kept) = (self.engine.policies(), self.engine.cache().len());
        format!("<Engine of policies {}, {kept} decisions kept>", short(policies.revision()))
    }
}
