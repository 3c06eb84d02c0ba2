//! A question that is asked and answered with Python objects.

use std::sync::Arc;

use pyo3::{prelude::*, types::PyString};
use sark_engine::{DecisionPath, Document, Value};

use crate::{errors, input::from_python, output::to_python, paths::Paths, records};

/// An argument that tells None from nothing at all.
pub(crate) struct Given<'py>(pub Option<Bound<'py, PyAny>>);

impl<'a, 'py> FromPyObject<'a, 'py> for Given<'py> {
    type Error = std::convert::Infallible;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> Result<Self, Self::Error> {
        Ok(Self(Some(object.to_owned())))
    }
}

/// What is asked, read from the arguments.
pub(crate) struct ObjectQuestion<'py> {
    pub path: Arc<DecisionPath>,
    /// The input; None when there is none.
    pub input: Option<Document>,
    /// The answer when the decision is undefined.
    pub otherwise: Bound<'py, PyAny>,
}

impl<'py> ObjectQuestion<'py> {
    pub(crate) fn read(
        py: Python<'py>,
        paths: &Paths,
        path: &Bound<'py, PyString>,
        input: Given<'py>,
        default: Given<'py>,
    ) -> PyResult<Self> {
        let (path, _) = paths.get(path)?;
        let undefined = records::undefined(py)?;
        let input = match input.0 {
            Some(object) if !object.is(undefined) => Some(from_python(&object, &path)?),
            _ => None,
        };
        Ok(Self { path: Arc::clone(&path), input, otherwise: default.0.unwrap_or_else(|| undefined.clone()) })
    }
}

/// The answer that `value` is.
pub(crate) fn object_of<'py>(value: &Value, path: &DecisionPath, otherwise: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    if *value == Value::Undefined {
        return Ok(otherwise);
    }
    let py = otherwise.py();
    to_python(py, value).map_err(|error| errors::unwritable(py, &error, path))
}
