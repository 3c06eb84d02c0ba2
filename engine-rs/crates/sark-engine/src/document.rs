//! Reading JSON documents from outside: input and data.

use regorus::Value;

use crate::error::{InputError, PolicyError};

/// Deepest nesting of arrays and objects accepted in an input, in levels. Well under the parser's own limit of 127.
pub const MAX_DEPTH: usize = 100;

/// Whether the JSON text nests no deeper than `limit`. Counts brackets outside strings; it does not validate.
pub fn nesting_within(json: &[u8], limit: usize) -> bool {
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    for byte in json {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                if depth > limit {
                    return false;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    true
}

/// Parse an input document; absent means undefined.
pub(crate) fn parse_input(input: Option<&[u8]>) -> Result<Value, InputError> {
    let Some(bytes) = input else {
        return Ok(Value::Undefined);
    };
    if !nesting_within(bytes, MAX_DEPTH) {
        return Err(InputError(format!("the input nests deeper than {MAX_DEPTH} levels")));
    }
    serde_json::from_slice(bytes).map_err(|error| InputError(format!("the input is not valid JSON: {error}")))
}

/// Parse a base document, which must be an object.
pub(crate) fn parse_data(data: &[u8]) -> Result<Value, PolicyError> {
    let value: Value =
        serde_json::from_slice(data).map_err(|error| PolicyError(format!("the data is not valid JSON: {error}")))?;
    match value {
        Value::Object(_) => Ok(value),
        _ => Err(PolicyError("the data must be a JSON object, as in {\"roles\": {}}".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_inside_strings_do_not_count_as_nesting() {
        assert!(nesting_within(br#"{"a":"[[[[\"[[["}"#, 1));
        assert!(!nesting_within(b"[[]]", 1));
        assert!(nesting_within(b"[[],[],[]]", 2));
    }

    #[test]
    fn an_input_of_the_deepest_accepted_nesting_parses() {
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse_input(Some(deep(MAX_DEPTH).as_bytes())).is_ok());
        assert!(parse_input(Some(deep(MAX_DEPTH + 1).as_bytes())).is_err());
    }

    #[test]
    fn an_absent_input_is_undefined_and_a_null_one_is_null() {
        assert_eq!(parse_input(None), Ok(Value::Undefined));
        assert_eq!(parse_input(Some(b"null")), Ok(Value::Null));
    }
}
