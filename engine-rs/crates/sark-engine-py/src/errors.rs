//! From the engine's errors to Python exceptions, in one place. The classes are written in Python (`_errors.py`), because only
//! there an exception can have typed attributes under every supported Python.

use std::fmt::Display;

use pyo3::{
    exceptions::PyValueError,
    import_exception,
    prelude::*,
    types::{PyDict, PyTuple},
};
use sark_engine::{DecisionPath, EvaluationErrorKind, Policies};

import_exception!(sark_engine._errors, PolicyError);
import_exception!(sark_engine._errors, InputError);
import_exception!(sark_engine._errors, PathError);
import_exception!(sark_engine._errors, EvaluationError);
import_exception!(sark_engine._errors, EvaluationTimeout);
import_exception!(sark_engine._errors, UnsupportedInput);
import_exception!(sark_engine._errors, UnsupportedPath);
import_exception!(sark_engine._errors, MissingBuiltin);

/// An exception of class `E` with attributes; what goes wrong while it is made is raised instead.
fn with_attributes<E: pyo3::type_object::PyTypeInfo>(
    py: Python<'_>,
    message: &str,
    attributes: impl FnOnce(&Bound<'_, PyDict>) -> PyResult<()>,
) -> PyErr {
    let made = || {
        let keywords = PyDict::new(py);
        attributes(&keywords)?;
        py.get_type::<E>().call((message,), Some(&keywords))
    };
    made().map_or_else(|error| error, PyErr::from_value)
}

pub(crate) fn policy(error: &sark_engine::PolicyError) -> PyErr {
    PolicyError::new_err(error.to_string())
}

pub(crate) fn path(error: &impl Display) -> PyErr {
    PathError::new_err(error.to_string())
}

/// An object that is no input; `place` is where in it, as in `input.user.roles[3]`.
pub(crate) fn input(py: Python<'_>, message: &str, place: &str) -> PyErr {
    with_attributes::<InputError>(py, message, |attributes| attributes.set_item("place", place))
}

/// An input that the engine is not willing to hold.
pub(crate) fn input_limit(py: Python<'_>, message: &str, place: &str, path: &DecisionPath) -> PyErr {
    with_attributes::<UnsupportedInput>(py, message, |attributes| {
        attributes.set_item("place", place)?;
        attributes.set_item("path", path.joined())
    })
}

pub(crate) fn evaluation(
    py: Python<'_>,
    error: &sark_engine::EvaluationError,
    policies: &Policies,
    path: &DecisionPath,
) -> PyErr {
    let sark_engine::EvaluationError::Failed { kind, message } = error else {
        return InputError::new_err(error.to_string());
    };
    let asked = path.joined();
    match kind {
        EvaluationErrorKind::Timeout => {
            with_attributes::<EvaluationTimeout>(py, message, |attributes| attributes.set_item("path", asked))
        }
        EvaluationErrorKind::UnsupportedInput => {
            with_attributes::<UnsupportedInput>(py, message, |attributes| attributes.set_item("path", asked))
        }
        EvaluationErrorKind::UnsupportedBuiltin => unsupported(py, message, policies, path),
        _ => with_attributes::<EvaluationError>(py, message, |attributes| {
            attributes.set_item("kind", kind.as_str())?;
            attributes.set_item("path", asked)
        }),
    }
}

fn unsupported(py: Python<'_>, message: &str, policies: &Policies, path: &DecisionPath) -> PyErr {
    let builtins = policies.missing_builtins(path);
    let reasons = policies.verdict(path).reasons;
    let common = |attributes: &Bound<'_, PyDict>| {
        attributes.set_item("path", path.joined())?;
        attributes.set_item("reasons", PyTuple::new(py, reasons)?)
    };
    if builtins.is_empty() {
        return with_attributes::<UnsupportedPath>(py, message, common);
    }
    with_attributes::<MissingBuiltin>(py, message, |attributes| {
        common(attributes)?;
        attributes.set_item("builtins", PyTuple::new(py, builtins)?)
    })
}

/// A decision that has no form in Python, such as an integer of more digits than it reads.
pub(crate) fn unwritable(py: Python<'_>, error: &PyErr, path: &DecisionPath) -> PyErr {
    let message = format!("the decision cannot be told in Python: {}", error.value(py));
    with_attributes::<EvaluationError>(py, &message, |attributes| attributes.set_item("path", path.joined()))
}

/// What a pickle of a native object would have to hold cannot leave the process.
pub(crate) fn not_pickled<T>(what: &str, instead: &str) -> PyResult<T> {
    Err(pyo3::exceptions::PyTypeError::new_err(format!("{what} cannot be pickled or copied; {instead}")))
}

pub(crate) fn configuration(error: &sark_serve::ConfigurationError) -> PyErr {
    PyValueError::new_err(error.to_string())
}
