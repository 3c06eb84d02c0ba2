//! JSON from outside and to outside, by OPA's rules: what its server reads as one value is read as an equal one here.
//!
//! OPA keeps every number as it was written; the value type here holds integers of any size and binary floats. A number
//! that neither can hold, or a document beyond our limits, is [`ReadError::Unsupported`]: somebody else must answer, for
//! a changed value could mean a changed decision.

mod envelope;
mod input;
mod keys;
mod number;
mod order;
mod projection;
mod reader;
mod scan;
mod spelled;
mod text;
mod writer;

use regorus::Value;
use thiserror::Error;

pub use envelope::{input_in, value_in};
pub use input::{Input, Projected};
pub(crate) use input::{Seen, Sight, View};
pub use keys::shared;
pub use number::integer;
pub(crate) use number::{LONG_NUMBER_BYTES, decimal};
pub use order::sorted;
pub(crate) use order::{compare, fields};
pub(crate) use projection::{Parts, Projection, Shape};
pub use spelled::Spelled;
pub(crate) use spelled::is_plain;
pub use writer::{Unwritable, write, write_within};

use crate::error::{EvaluationError, EvaluationErrorKind, InputError, PolicyError};
use reader::{Purpose, read};

/// Deepest nesting of arrays and objects accepted in a document, in levels.
pub const MAX_DEPTH: usize = 100;
/// Most values (scalars, arrays and objects; keys are not counted) accepted in an input. Small objects take the most memory,
/// about 300 bytes a value, so that an input takes 60 MB at worst.
pub const MAX_INPUT_VALUES: usize = 200_000;
/// Longest number accepted in a document, in bytes. Beyond the largest float, which has 309 digits, none is.
pub const MAX_NUMBER_BYTES: usize = 1_024;

/// A document that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReadError {
    /// It is not JSON, to OPA neither.
    #[error("not valid JSON: {0}")]
    Malformed(String),
    /// It is JSON, but beyond what the engine can hold or is willing to.
    #[error("{0}")]
    Unsupported(String),
}

impl From<ReadError> for EvaluationError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Malformed(_) => InputError(format!("the input is {error}")).into(),
            ReadError::Unsupported(_) => {
                Self::failed(EvaluationErrorKind::UnsupportedInput, format!("the engine cannot hold the input: {error}"))
            }
        }
    }
}

/// A document that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its value.
    pub value: Value,
    /// Its numbers that are spelled otherwise than the engine writes them.
    pub spelled: Spelled,
}

impl Document {
    /// No document.
    pub fn absent() -> Self {
        Self { value: Value::Undefined, spelled: Spelled::default() }
    }
}

/// Read an input document, without noting how its numbers are spelled.
pub fn read_input(json: &[u8]) -> Result<Value, ReadError> {
    Ok(read_document(json)?.value)
}

/// Read an input document.
pub fn read_document(json: &[u8]) -> Result<Document, ReadError> {
    read(json, Purpose::Input)
}

/// Read a text inside of an input, by the rules of inputs. Numbers beyond all floats are held and noted.
pub(crate) fn read_text(json: &[u8]) -> Result<Document, ReadError> {
    read(json, Purpose::Text)
}

/// Read the value of a decision, which has no limit on its size.
pub fn read_decision(json: &[u8]) -> Result<Value, ReadError> {
    Ok(read(json, Purpose::Data)?.value)
}

/// Read an input document; absent means undefined.
pub(crate) fn parse_input(input: Option<&[u8]>) -> Result<Document, EvaluationError> {
    Ok(input.map_or_else(|| Ok(Document::absent()), read_document)?)
}

/// Read a part of the base document. Whoever loads it bounds its size.
pub(crate) fn read_data(json: &[u8]) -> Result<Document, ReadError> {
    read(json, Purpose::Data)
}

/// Read a base document, which must be an object. Whoever loads it bounds its size.
pub(crate) fn parse_data(data: &[u8]) -> Result<Document, PolicyError> {
    match read_data(data) {
        Ok(document @ Document { value: Value::Object(_), .. }) => Ok(document),
        Ok(_) => Err(PolicyError("the data must be a JSON object, as in {\"roles\": {}}".into())),
        Err(error @ ReadError::Malformed(_)) => Err(PolicyError(format!("the data is {error}"))),
        Err(error @ ReadError::Unsupported(_)) => Err(PolicyError(format!("the engine cannot hold the data: {error}"))),
    }
}

/// The canonical text of a base document, from which its value is read again.
pub(crate) fn data_text(data: &Value) -> Result<Vec<u8>, PolicyError> {
    let mut text = Vec::new();
    write(&mut text, data).map_err(|error| PolicyError(error.to_string()))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_input_is_undefined_and_a_null_one_is_null() {
        assert_eq!(parse_input(None).map(|input| input.value), Ok(Value::Undefined));
        assert_eq!(parse_input(Some(b"null")).map(|input| input.value), Ok(Value::Null));
    }

    #[test]
    fn bad_json_is_the_callers_fault_and_a_limit_is_ours() {
        assert!(matches!(parse_input(Some(b"{")), Err(EvaluationError::Input(_))));
        let unsupported = EvaluationErrorKind::UnsupportedInput;
        assert!(matches!(parse_input(Some(b"1e-999")), Err(EvaluationError::Failed { kind, .. }) if kind == unsupported));
    }

    #[test]
    fn data_is_an_object_without_a_limit_on_its_values() {
        assert!(parse_data(b"[]").is_err());
        assert!(parse_data(b"{").is_err());
        let many = format!("{{\"many\":[{}0]}}", "0,".repeat(MAX_INPUT_VALUES));
        assert!(parse_data(many.as_bytes()).is_ok());
    }
}
