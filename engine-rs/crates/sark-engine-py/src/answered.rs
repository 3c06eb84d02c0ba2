//! `Answered`.

use pyo3::{prelude::*, types::PyBytes};

/// A request that was answered, with its answer, for whoever looks at it off its path.
#[pyclass(frozen, module = "sark_engine")]
pub(crate) struct Answered(pub sark_serve::Answered);

#[pymethods]
impl Answered {
    #[getter]
    fn path(&self) -> &str {
        &self.0.path
    }

    #[getter]
    fn input<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.0.input.as_ref().map(|input| PyBytes::new(py, input))
    }

    #[getter]
    fn arm(&self) -> &'static str {
        self.0.arm.as_str()
    }

    #[getter]
    fn decider(&self) -> &'static str {
        self.0.decider.as_str()
    }

    #[getter]
    fn fallback(&self) -> &'static str {
        self.0.fallback
    }

    #[getter]
    fn status(&self) -> u16 {
        self.0.status
    }

    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.body)
    }

    #[getter]
    fn result(&self) -> &'static str {
        self.0.result.as_str()
    }

    #[getter]
    fn revision(&self) -> &str {
        &self.0.revision
    }

    fn __repr__(&self) -> String {
        format!("<Answered {:?} arm={} decider={} status={}>", self.0.path, self.arm(), self.decider(), self.0.status)
    }
}
