//! JSON texts inside of operands.

use regorus::Value;

use super::BuiltinError;
use crate::document::read_input;

/// Read a JSON text by the rules and limits of an input document.
pub(super) fn read(text: &[u8]) -> Result<Value, BuiltinError> {
    read_input(text).map_err(|error| BuiltinError(format!("invalid JSON: {error}")))
}
