//! What all engines under test have in common.

use std::time::{Duration, Instant};

use regorus::Value;

use super::cases::Case;

/// An engine with its policies.
pub(crate) trait Contender {
    /// Answer a case from the text of its input to the text of its result, written to `result`; false when undefined.
    fn answer(&mut self, case: &Case, result: &mut Vec<u8>) -> Result<bool, String>;

    /// The same, with each stage timed.
    fn stages(&mut self, case: &Case) -> Result<Stages, String>;

    /// What the engine itself says its policies take, in bytes; None when it does not say.
    fn policies_bytes(&self) -> Option<u64> {
        None
    }
}

/// How long the stages of one answer took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stages {
    /// From the input's text to a value.
    pub parse: Duration,
    /// From the input to the result, both values.
    pub evaluate: Duration,
    /// From the result to its text.
    pub serialise: Duration,
}

/// Time the three stages of an engine that takes and gives values.
pub(crate) fn staged(case: &Case, evaluate: impl FnOnce(Value) -> Result<Value, String>) -> Result<Stages, String> {
    let began = Instant::now();
    let input = parse(&case.input)?;
    let parsed = Instant::now();
    let value = evaluate(input)?;
    let evaluated = Instant::now();
    let mut text = Vec::new();
    write(&value, &mut text)?;
    Ok(Stages { parse: parsed - began, evaluate: evaluated - parsed, serialise: evaluated.elapsed() })
}

/// Read an input.
pub(crate) fn parse(input: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(input).map_err(|error| format!("the input is not JSON: {error}"))
}

/// Write a result; false when it is undefined.
pub(crate) fn write(value: &Value, text: &mut Vec<u8>) -> Result<bool, String> {
    text.clear();
    if *value == Value::Undefined {
        return Ok(false);
    }
    serde_json::to_writer(text, value).map_err(|error| format!("the result cannot be written: {error}"))?;
    Ok(true)
}
