//! One thread's evaluator: a program, and what its evaluations keep from one to the next.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use regorus::Value;

use crate::{
    builtins::Circumstances,
    decision::Decision,
    document::{Sight, Spelled},
    error::{EvaluationError, EvaluationErrorKind},
    limits::EvaluationLimits,
    program::{self, Asked, Failure, MAX_PARTS, Program, State},
    rehearsal,
};

/// `&mut` to evaluate: it belongs to one thread at a time.
#[derive(Debug)]
pub(crate) struct Evaluator {
    program: Arc<Program>,
    /// Numbers of the policies and their data that are spelled otherwise.
    spelled: Arc<Spelled>,
    state: State,
    limits: EvaluationLimits,
    panicked: bool,
}

impl Evaluator {
    pub(crate) fn new(program: Arc<Program>, spelled: Arc<Spelled>) -> Self {
        let state = State::new(&program);
        Self { program, spelled, state, limits: EvaluationLimits::within(Duration::from_secs(1)), panicked: false }
    }

    /// Stop evaluations that take more than `limits`.
    pub(crate) fn set_limits(&mut self, limits: EvaluationLimits) {
        self.limits = limits;
    }

    /// Whether it may still be used.
    pub(crate) fn is_sound(&self) -> bool {
        !self.panicked
    }

    /// The decision at `path` for `input`.
    pub(crate) fn evaluate(&mut self, path: &[String], input: Sight<'_>) -> Result<Decision, EvaluationError> {
        decision_of(&self.evaluate_value(path, input, Instant::now())?)
    }

    /// As [`Self::evaluate`], without the writing, for who has looked at the clock already.
    pub(crate) fn evaluate_value(
        &mut self,
        path: &[String],
        input: Sight<'_>,
        began: Instant,
    ) -> Result<Value, EvaluationError> {
        self.value(path, input, began).map_err(told)
    }

    /// Do all that one question needs, from reading the input to keeping the answer. A panic ends this question and no other.
    pub(crate) fn contained<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, EvaluationError>,
    ) -> Result<T, EvaluationError> {
        contained(|| work(self)).unwrap_or_else(|message| {
            // Its state may be torn: the owner takes a new one.
            self.panicked = true;
            Err(EvaluationError::failed(EvaluationErrorKind::Panic, format!("the engine panicked: {message}")))
        })
    }

    fn value(&mut self, path: &[String], input: Sight<'_>, began: Instant) -> Result<Value, Failure> {
        rehearsal::panic_if_rehearsed();
        let (input, spelled) = input.taken_apart();
        let asked = Asked { path, input, spelled: &self.spelled };
        program::evaluate(&self.program, &mut self.state, asked, Circumstances::now(spelled), began, self.limits)
    }
}

fn told(failure: Failure) -> EvaluationError {
    match failure {
        Failure::Conflict(message) => EvaluationError::failed(EvaluationErrorKind::Evaluation, message),
        Failure::Timeout => EvaluationError::failed(EvaluationErrorKind::Timeout, "the evaluation ran longer than its limit"),
        Failure::Depth => EvaluationError::failed(EvaluationErrorKind::Evaluation, "rules or values nest too deeply"),
        Failure::Size => EvaluationError::failed(
            EvaluationErrorKind::Evaluation,
            format!("a value has more than {MAX_PARTS} parts, those that it shares counted wherever they stand"),
        ),
        Failure::Memory => EvaluationError::failed(
            EvaluationErrorKind::Evaluation,
            "the values of the evaluation take more memory than its limit",
        ),
        Failure::Inexact => EvaluationError::failed(
            EvaluationErrorKind::UnsupportedInput,
            "a calculation has a fraction that the engine cannot hold exactly",
        ),
        Failure::Spelling => EvaluationError::failed(
            EvaluationErrorKind::UnsupportedInput,
            "a number becomes part of a text, and OPA keeps its spelling (as in 1.0), which the engine does not",
        ),
        Failure::EqualKeys => EvaluationError::failed(
            EvaluationErrorKind::UnsupportedInput,
            "two keys of an object are written apart and equal for this input, and OPA orders them by names of its own",
        ),
        Failure::Unsupported(message) => EvaluationError::failed(EvaluationErrorKind::UnsupportedBuiltin, message),
    }
}

pub(crate) fn decision_of(value: &Value) -> Result<Decision, EvaluationError> {
    rehearsal::panic_at_answer_if_rehearsed();
    Decision::from_value(value).map_err(|error| {
        EvaluationError::failed(EvaluationErrorKind::Evaluation, format!("the answer cannot be written: {error}"))
    })
}

/// Run `work`; a panic becomes its message.
pub fn contained<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        text.unwrap_or("no message").to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message() {
        assert_eq!(contained(|| 1), Ok(1));
        assert_eq!(contained(|| panic!("no {}", "more")), Err::<(), _>("no more".into()));
        assert_eq!(contained(|| panic!("plain")), Err::<(), _>("plain".into()));
    }
}
