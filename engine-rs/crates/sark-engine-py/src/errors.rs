//! From the engine's errors to Python exceptions, in one place.

use pyo3::{create_exception, exceptions::PyException, exceptions::PyValueError, prelude::*};

create_exception!(sark_engine, EngineError, PyException, "Base of every error of the engine.");
create_exception!(
    sark_engine,
    PolicyError,
    EngineError,
    "A policy or its data was refused at load; the message names the file, the line and the reason."
);
create_exception!(
    sark_engine,
    EvaluationError,
    EngineError,
    "An evaluation gave no genuine decision: a builtin failed, a conflict, a limit was hit, or the engine panicked (contained)."
);
create_exception!(sark_engine, InputError, EngineError, "The input is not JSON, or the path cannot be asked for.");

pub(crate) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("EngineError", py.get_type::<EngineError>())?;
    module.add("PolicyError", py.get_type::<PolicyError>())?;
    module.add("EvaluationError", py.get_type::<EvaluationError>())?;
    module.add("InputError", py.get_type::<InputError>())
}

pub(crate) fn policy(error: &sark_engine::PolicyError) -> PyErr {
    PolicyError::new_err(error.to_string())
}

pub(crate) fn path(error: &sark_engine::PathError) -> PyErr {
    InputError::new_err(error.to_string())
}

pub(crate) fn evaluation(error: &sark_engine::EvaluationError) -> PyErr {
    match error {
        sark_engine::EvaluationError::Input(error) => InputError::new_err(error.to_string()),
        sark_engine::EvaluationError::Failed { .. } => EvaluationError::new_err(error.to_string()),
    }
}

pub(crate) fn configuration(error: &sark_serve::ConfigurationError) -> PyErr {
    PyValueError::new_err(error.to_string())
}
