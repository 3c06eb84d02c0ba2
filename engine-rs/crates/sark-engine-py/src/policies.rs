//! `Policies`.

use std::{collections::BTreeMap, sync::Arc};

use pyo3::prelude::*;
use sark_engine::Module;

use crate::errors;

/// An immutable, compiled set of policies and data.
#[pyclass(frozen, module = "sark_engine")]
pub(crate) struct Policies(pub Arc<sark_engine::Policies>);

#[pymethods]
impl Policies {
    #[new]
    #[pyo3(signature = (modules, data = b"{}".to_vec()), text_signature = "(modules, data=b'{}')")]
    fn new(py: Python<'_>, modules: Vec<(String, String)>, data: Vec<u8>) -> PyResult<Self> {
        py.detach(|| {
            let modules = modules.into_iter().map(|(name, source)| Module { name, source }).collect();
            sark_engine::Policies::compile(modules, &data)
        })
        .map(|policies| Self(Arc::new(policies)))
        .map_err(|error| errors::policy(&error))
    }

    /// Lower-case hex SHA-256 over the sorted module sources and the canonical data.
    #[getter]
    fn revision(&self) -> &str {
        self.0.revision()
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

    fn __repr__(&self) -> String {
        let revision = self.0.revision();
        format!("<Policies {} of {} packages>", revision.get(..12).unwrap_or(revision), self.0.packages().len())
    }
}
