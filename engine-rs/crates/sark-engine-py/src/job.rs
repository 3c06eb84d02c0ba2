//! `BaselineJob`.

use pyo3::{prelude::*, types::PyBytes};
use sark_serve::Job;

/// A request the Rust side hands to Python: it needs HTTP OPA, Redis, or both.
#[pyclass(frozen, module = "sark_engine")]
pub(crate) struct BaselineJob(pub Job);

#[pymethods]
impl BaselineJob {
    #[getter]
    fn id(&self) -> u64 {
        self.0.id
    }

    #[getter]
    fn path(&self) -> &str {
        &self.0.path
    }

    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.body)
    }

    #[getter]
    fn query(&self) -> &str {
        &self.0.query
    }

    #[getter]
    fn arm(&self) -> &'static str {
        self.0.arm.as_str()
    }

    #[getter]
    fn opa(&self) -> &'static str {
        self.0.opa.as_str()
    }

    #[getter]
    fn cache(&self) -> &'static str {
        self.0.cache.as_str()
    }

    #[getter]
    fn fallback(&self) -> &'static str {
        self.0.fallback.map_or("", sark_serve::FallbackReason::as_str)
    }

    #[getter]
    fn method(&self) -> &str {
        self.0.passed.as_ref().map_or("", |passed| &passed.method)
    }

    #[getter]
    fn target(&self) -> &str {
        self.0.passed.as_ref().map_or("", |passed| &passed.target)
    }

    #[getter]
    fn headers(&self) -> Vec<(&'static str, String)> {
        self.0.passed.as_ref().map_or_else(Vec::new, |passed| passed.headers.clone())
    }

    fn __repr__(&self) -> String {
        let job = &self.0;
        format!(
            "<BaselineJob {} {:?} arm={} opa={} cache={} fallback={:?}>",
            job.id,
            job.path,
            job.arm.as_str(),
            job.opa.as_str(),
            job.cache.as_str(),
            self.fallback()
        )
    }
}
