//! Records that are written in Python (`_records.py`), made here.

use pyo3::{
    intern,
    prelude::*,
    sync::PyOnceLock,
    types::{PyString, PyTuple},
};

fn class<'py>(py: Python<'py>, name: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
    py.import(intern!(py, "sark_engine._records"))?.getattr(name)
}

/// Makes `Verdict`s; looks its class up once.
pub(crate) struct Verdicts<'py>(Bound<'py, PyAny>);

impl<'py> Verdicts<'py> {
    pub(crate) fn new(py: Python<'py>) -> PyResult<Self> {
        Ok(Self(class(py, intern!(py, "Verdict"))?))
    }

    pub(crate) fn make(&self, verdict: &sark_engine::Verdict) -> PyResult<Bound<'py, PyAny>> {
        let reasons = PyTuple::new(self.0.py(), &verdict.reasons)?;
        self.0.call1((verdict.served_by.as_str(), verdict.tier.map(sark_engine::Tier::as_str), reasons))
    }
}

/// The one object that stands for "no value", `sark_engine.UNDEFINED`.
pub(crate) fn undefined(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    // Looked up once: every decision on objects needs it.
    static UNDEFINED: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let object = UNDEFINED.get_or_try_init(py, || class(py, intern!(py, "UNDEFINED")).map(Bound::unbind))?;
    Ok(object.bind(py))
}

pub(crate) fn cache_stats<'py>(py: Python<'py>, stats: &sark_engine::CacheStats) -> PyResult<Bound<'py, PyAny>> {
    let sark_engine::CacheStats {
        hits,
        canonical_hits,
        misses,
        flights_joined,
        inserts,
        evictions,
        expired,
        revision_dropped,
        entries,
        bytes,
    } = *stats;
    let held = u64::try_from(entries).unwrap_or(u64::MAX);
    let counts = [hits, canonical_hits, misses, flights_joined, inserts, evictions, expired, revision_dropped, held, bytes];
    class(py, intern!(py, "CacheStats"))?.call1(PyTuple::new(py, counts)?)
}
