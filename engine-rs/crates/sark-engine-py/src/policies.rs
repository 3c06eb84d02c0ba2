//! `Policies`.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use pyo3::{
    prelude::*,
    types::{PyDict, PyString},
};
use sark_engine::{DecisionPath, LoadLimits, Module, PolicyError, Sources};

use crate::{errors, paths::text_of, records::Verdicts};

/// An immutable, compiled set of policies and data.
#[pyclass(frozen, module = "sark_engine")]
pub(crate) struct Policies(pub Arc<sark_engine::Policies>);

impl Policies {
    fn compiled(result: Result<sark_engine::Policies, PolicyError>) -> PyResult<Self> {
        result.map(|policies| Self(Arc::new(policies))).map_err(|error| errors::policy(&error))
    }
}

#[pymethods]
impl Policies {
    #[new]
    #[pyo3(
        signature = (modules, data = b"{}".to_vec(), *, max_memory_bytes = 1_073_741_824),
        text_signature = "(modules, data=b'{}', *, max_memory_bytes=1073741824)"
    )]
    fn new(py: Python<'_>, modules: Vec<(String, String)>, data: Vec<u8>, max_memory_bytes: usize) -> PyResult<Self> {
        Self::compiled(py.detach(|| {
            let modules = modules.into_iter().map(|(name, source)| Module { name, source }).collect();
            sark_engine::Policies::compile_within(modules, &data, max_memory_bytes)
        }))
    }

    /// Compile the modules and data in files and folders.
    #[staticmethod]
    #[pyo3(signature = (paths, *, max_files = 10_000, max_bytes = 67_108_864, max_memory_bytes = 1_073_741_824))]
    fn from_paths(
        py: Python<'_>,
        paths: Vec<PathBuf>,
        max_files: usize,
        max_bytes: u64,
        max_memory_bytes: usize,
    ) -> PyResult<Self> {
        Self::compiled(py.detach(|| {
            let sources = Sources::read(&paths, LoadLimits { max_files, max_bytes })?;
            sark_engine::Policies::of_sources(sources, max_memory_bytes)
        }))
    }

    /// Lower-case hex SHA-256 over the sorted module sources and the canonical data.
    #[getter]
    fn revision(&self) -> &str {
        self.0.revision()
    }

    /// Memory that the compiled policies and their data take, in bytes, as an estimate.
    #[getter]
    fn memory_bytes(&self) -> usize {
        self.0.memory_bytes()
    }

    /// Package paths without the leading `data.`, sorted.
    #[getter]
    fn packages(&self) -> Vec<String> {
        self.0.packages().to_vec()
    }

    /// Rule path to the builtins it reaches that the engine does not have.
    #[getter]
    fn unsupported(&self) -> BTreeMap<String, Vec<String>> {
        self.0.unsupported()
    }

    /// Who answers for `path`, and why.
    fn verdict<'py>(&self, py: Python<'py>, path: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
        let path = DecisionPath::parse(text_of(path)?).map_err(|error| errors::path(&error))?;
        Verdicts::new(py)?.make(&self.0.verdict(&path))
    }

    /// The verdict of every rule that has a value of its own.
    fn verdicts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let found = py.detach(|| self.0.verdicts());
        let (make, by_path) = (Verdicts::new(py)?, PyDict::new(py));
        for (path, verdict) in &found {
            by_path.set_item(path, make.make(verdict)?)?;
        }
        Ok(by_path)
    }

    fn __reduce__(&self) -> PyResult<()> {
        errors::not_pickled("Policies", "compile the same modules again where they are needed")
    }

    fn __repr__(&self) -> String {
        let packages = self.0.packages().len();
        format!("<Policies {} of {packages} package{}>", short(self.0.revision()), if packages == 1 { "" } else { "s" })
    }
}

/// Enough of a revision to recognize it by.
pub(crate) fn short(revision: &str) -> &str {
    revision.get(..12).unwrap_or(revision)
}
