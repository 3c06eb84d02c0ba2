//! Python objects that become an input document, without text in between.
//!
//! Nothing here runs Python code of the caller, so an object cannot change while it is read.

use std::fmt::Write;

use pyo3::{
    prelude::*,
    types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple},
};
use sark_engine::{DecisionPath, Document, MAX_DEPTH, MAX_INPUT_VALUES, Spelled, Value, integer as by_digits, shared_key};

use crate::errors;

/// Bits of the largest integer that a double holds.
const MAX_INTEGER_BITS: usize = 1_024;
/// Most characters of a place in a message.
const MAX_PLACE: usize = 300;

/// One step down into the input.
enum Step {
    Key(String),
    Index(usize),
}

/// Why an object cannot be an input, and where. The steps are gathered from the inside out.
struct Refusal {
    reason: String,
    /// It is JSON, but more of it than the engine takes.
    beyond_limits: bool,
    steps: Vec<Step>,
}

impl Refusal {
    fn below(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    fn place(&self) -> String {
        let mut place = String::from("input");
        for step in self.steps.iter().rev() {
            let _ = match step {
                Step::Key(key) if is_plain(key) => write!(place, ".{key}"),
                Step::Key(key) => write!(place, "[{key:?}]"),
                Step::Index(index) => write!(place, "[{index}]"),
            };
        }
        match place.char_indices().nth(MAX_PLACE) {
            Some((end, _)) => format!("{}...", place.get(..end).unwrap_or_default()),
            None => place,
        }
    }
}

fn is_plain(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn refused(reason: impl Into<String>) -> Refusal {
    Refusal { reason: reason.into(), beyond_limits: false, steps: Vec::new() }
}

fn beyond(limit: impl Into<String>) -> Refusal {
    Refusal { reason: limit.into(), beyond_limits: true, steps: Vec::new() }
}

/// Smaller fractions have an exponent in Python's JSON.
const SMALLEST_PLAIN: f64 = 1e-3;

/// The document that `object` stands for, as an input of `path`.
pub(crate) fn from_python(object: &Bound<'_, PyAny>, path: &DecisionPath) -> PyResult<Document> {
    let mut reader = Reader { left: MAX_INPUT_VALUES, spelled: Spelled::default() };
    let value = reader.value(object, 0).map_err(|refusal| {
        let place = refusal.place();
        let message = format!("{place}: {}", refusal.reason);
        if refusal.beyond_limits {
            errors::input_limit(object.py(), &message, &place, path)
        } else {
            errors::input(object.py(), &message, &place)
        }
    })?;
    Ok(Document { value, spelled: reader.spelled })
}

struct Reader {
    left: usize,
    spelled: Spelled,
}

impl Reader {
    fn value(&mut self, object: &Bound<'_, PyAny>, depth: usize) -> Result<Value, Refusal> {
        self.left = self
            .left
            .checked_sub(1)
            .ok_or_else(|| beyond(format!("the input holds more than {MAX_INPUT_VALUES} values (does it contain itself?)")))?;
        if let Ok(text) = object.cast::<PyString>() {
            return Ok(Value::String(characters(text)?.into()));
        }
        if object.is_none() {
            return Ok(Value::Null);
        }
        // A bool is an int in Python.
        if let Ok(answer) = object.cast::<PyBool>() {
            return Ok(Value::Bool(answer.is_true()));
        }
        if let Ok(number) = object.cast::<PyInt>() {
            return integer(number);
        }
        if let Ok(number) = object.cast::<PyFloat>() {
            let value = float(number.value())?;
            // A whole one is written as 1.0.
            if number.value().fract() == 0.0 || number.value().abs() < SMALLEST_PLAIN {
                self.spelled.note(&value);
            }
            return Ok(value);
        }
        if let Ok(fields) = object.cast::<PyDict>() {
            return self.object(fields, deeper(depth)?);
        }
        if let Ok(items) = object.cast::<PyList>() {
            return self.array(items.iter(), deeper(depth)?);
        }
        if let Ok(items) = object.cast::<PyTuple>() {
            return self.array(items.iter(), deeper(depth)?);
        }
        Err(refused(format!(
            "{} is not a JSON type (dict, list, tuple, str, int, float, bool and None are)",
            type_name(object)
        )))
    }

    fn object(&mut self, fields: &Bound<'_, PyDict>, depth: usize) -> Result<Value, Refusal> {
        let mut object = Value::new_object();
        let members = object.as_object_mut().map_err(|error| refused(error.to_string()))?;
        for (key, value) in fields.iter() {
            let name = match key.cast::<PyString>() {
                Ok(name) => characters(name)?,
                Err(_) => return Err(refused(format!("a key must be text, and this one is {}", type_name(&key)))),
            };
            let value = self.value(&value, depth).map_err(|refusal| refusal.below(Step::Key(name.to_owned())))?;
            members.insert(Value::String(shared_key(name)), value);
        }
        Ok(object)
    }

    fn array<'py>(&mut self, items: impl Iterator<Item = Bound<'py, PyAny>>, depth: usize) -> Result<Value, Refusal> {
        let values: Result<Vec<Value>, Refusal> = items
            .enumerate()
            .map(|(index, item)| self.value(&item, depth).map_err(|refusal| refusal.below(Step::Index(index))))
            .collect();
        Ok(Value::from(values?))
    }
}

fn deeper(depth: usize) -> Result<usize, Refusal> {
    if depth < MAX_DEPTH {
        Ok(depth + 1)
    } else {
        Err(beyond(format!("the input nests deeper than {MAX_DEPTH} levels (does it contain itself?)")))
    }
}

fn characters<'a>(text: &'a Bound<'_, PyString>) -> Result<&'a str, Refusal> {
    text.to_str().map_err(|_| refused("the text has half of a surrogate pair, which UTF-8 cannot hold"))
}

fn integer(number: &Bound<'_, PyInt>) -> Result<Value, Refusal> {
    if let Ok(small) = number.extract::<i64>() {
        return Ok(Value::from(small));
    }
    large(number).map_err(|error| refused(error.to_string()))?
}

/// An integer of more than 64 bits, by its digits: `int`'s own, whatever a subclass says of itself.
fn large(number: &Bound<'_, PyInt>) -> PyResult<Result<Value, Refusal>> {
    let class = number.py().get_type::<PyInt>();
    let bits: usize = class.call_method1("bit_length", (number,))?.extract()?;
    if bits > MAX_INTEGER_BITS {
        return Ok(Err(too_large()));
    }
    let digits: String = class.call_method1("__repr__", (number,))?.extract()?;
    Ok(by_digits(&digits).ok_or_else(too_large))
}

fn too_large() -> Refusal {
    beyond("an integer beyond the largest double")
}

/// As the number's JSON text is read: a whole one is an integer, that of its shortest digits.
fn float(number: f64) -> Result<Value, Refusal> {
    if !number.is_finite() {
        return Err(refused(format!("{number} is not a JSON number")));
    }
    if number.fract() == 0.0 { by_digits(&(number + 0.0).to_string()).ok_or_else(too_large) } else { Ok(Value::from(number)) }
}

fn type_name(object: &Bound<'_, PyAny>) -> String {
    let class = object.get_type();
    class.fully_qualified_name().map_or_else(|_| "this object".to_owned(), |name| name.to_string())
}
