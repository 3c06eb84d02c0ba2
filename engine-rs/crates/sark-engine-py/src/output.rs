//! Values of the engine as Python objects: exactly what `json.loads` would make of the same decision's bytes.

use pyo3::{
    exceptions::PyValueError,
    prelude::*,
    types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString},
};
use sark_engine::{Value, elements_in_order, write_json};

/// `value` as an object. Sets become lists; an undefined value has no object and must not come here.
pub(crate) fn to_python<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    match value {
        Value::Null => Ok(py.None().into_bound(py)),
        Value::Bool(answer) => Ok(PyBool::new(py, *answer).to_owned().into_any()),
        Value::String(text) => Ok(PyString::new(py, text).into_any()),
        Value::Number(_) => number(py, value),
        Value::Array(items) => list(py, items.iter()),
        Value::Set(items) => list(py, elements_in_order(items.iter()).into_iter()),
        Value::Object(fields) => {
            let members = PyDict::new(py);
            for (key, value) in fields.iter_sorted() {
                members.set_item(name(py, key)?, to_python(py, value)?)?;
            }
            Ok(members.into_any())
        }
        Value::Undefined => Err(PyValueError::new_err("an undefined part of a value has no JSON form")),
    }
}

fn list<'py, 'v>(py: Python<'py>, items: impl Iterator<Item = &'v Value>) -> PyResult<Bound<'py, PyAny>> {
    let items: PyResult<Vec<_>> = items.map(|item| to_python(py, item)).collect();
    Ok(PyList::new(py, items?)?.into_any())
}

/// A key that is no text is named by its JSON, as OPA does.
fn name<'py>(py: Python<'py>, key: &Value) -> PyResult<Bound<'py, PyString>> {
    if let Value::String(text) = key {
        return Ok(PyString::new(py, text));
    }
    let mut text = Vec::new();
    write_json(&mut text, key).map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok(PyString::new(py, &String::from_utf8_lossy(&text)))
}

fn number<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    let Value::Number(number) = value else {
        return Err(PyValueError::new_err("not a number"));
    };
    if let Some(small) = number.as_i64() {
        return Ok(PyInt::new(py, small).into_any());
    }
    if number.is_integer() {
        return py.get_type::<PyInt>().call1((number.format_decimal(),));
    }
    let float = number.as_f64().ok_or_else(|| PyValueError::new_err("a number that is not finite has no JSON form"))?;
    Ok(PyFloat::new(py, float).into_any())
}
