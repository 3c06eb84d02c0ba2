//! One thread's engine: parsed from source, warmed, and thrown away after a panic.

use std::{
    fmt,
    num::{NonZeroU32, NonZeroUsize},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime},
};

use regorus::{
    LimitError, PolicyLengthConfig, Value,
    unstable::{Module as Ast, Ref},
    utils::limits::ExecutionTimerConfig,
};

use crate::{
    builtins::{Circumstances, every_own, in_regorus},
    decision::Decision,
    document::parse_data,
    error::{EvaluationError, EvaluationErrorKind, PolicyError},
    path::index_of,
    policies::{Module, Plan, RegoVersion},
};

/// Generated policies have long lines and big files; the sum is bounded by whoever reads them.
const LENGTHS: PolicyLengthConfig = PolicyLengthConfig {
    max_col: NonZeroU32::new(65_536).unwrap(),
    max_file_bytes: NonZeroUsize::new(64 << 20).unwrap(),
    max_lines: NonZeroUsize::new(2_000_000).unwrap(),
};

/// Work units between two looks at the clock; costs about 2 % of an evaluation.
const CHECK_INTERVAL: NonZeroU32 = NonZeroU32::new(256).unwrap();

/// A regorus engine with its policies. `&mut` to evaluate: it belongs to one thread at a time.
pub(crate) struct Evaluator {
    engine: regorus::Engine,
    /// Start of the present query for builtins of our own.
    now_ns: Arc<AtomicI64>,
    panicked: bool,
}

impl fmt::Debug for Evaluator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Evaluator").field("panicked", &self.panicked).finish_non_exhaustive()
    }
}

impl Evaluator {
    /// Parse and prepare. The first evaluation pays for the preparation, so one is made here.
    pub(crate) fn build(version: RegoVersion, modules: &[Module], data: &[u8]) -> Result<Self, PolicyError> {
        contained(|| {
            let mut engine = regorus::Engine::new();
            engine.set_rego_v0(version == RegoVersion::V0);
            engine.set_strict_builtin_errors(false);
            engine.set_policy_length_config(LENGTHS);
            // Otherwise print() writes to the standard error of the whole process.
            engine.set_gather_prints(true);
            let now_ns = Arc::new(AtomicI64::new(unix_time_ns()));
            add_own_builtins(&mut engine, &now_ns)?;
            for module in modules {
                engine.add_policy(module.name.clone(), module.source.clone()).map_err(|error| refused(&error))?;
            }
            let data = parse_data(data)?;
            engine.add_data(data).map_err(|error| refused(&error))?;
            engine.set_input(Value::Undefined);
            engine.eval_query("true".to_owned(), false).map_err(|error| refused(&error))?;
            Ok(Self { engine, now_ns, panicked: false })
        })
        .unwrap_or_else(|message| Err(PolicyError(format!("the engine failed while compiling: {message}"))))
    }

    /// Stop evaluations that run longer than `limit`.
    pub(crate) fn set_time_limit(&mut self, limit: Duration) {
        self.engine.set_execution_timer_config(ExecutionTimerConfig { limit, check_interval: CHECK_INTERVAL });
    }

    pub(crate) fn modules(&mut self) -> &[Ref<Ast>] {
        self.engine.get_modules()
    }

    pub(crate) fn packages(&self) -> Result<Vec<String>, PolicyError> {
        let mut packages = self.engine.get_packages().map_err(|error| refused(&error))?;
        for package in &mut packages {
            if let Some(path) = package.strip_prefix("data.") {
                *package = path.to_owned();
            }
        }
        packages.sort_unstable();
        packages.dedup();
        Ok(packages)
    }

    /// Whether it may still be used.
    pub(crate) fn is_sound(&self) -> bool {
        !self.panicked
    }

    pub(crate) fn evaluate(&mut self, plan: Plan, input: Value) -> Result<Decision, EvaluationError> {
        decision_of(&self.evaluate_value(plan, input)?)
    }

    /// As `evaluate`, without the writing.
    pub(crate) fn evaluate_value(&mut self, plan: Plan, input: Value) -> Result<Value, EvaluationError> {
        // The engine's state may be torn after a panic: `panicked` makes the owner build a new one.
        match contained(|| self.value(plan, input)) {
            Ok(Ok(value)) if value != Value::Undefined && holds_undefined(&value) => Err(EvaluationError::failed(
                EvaluationErrorKind::Evaluation,
                "the engine returned a value with an undefined part",
            )),
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(failure(&error)),
            Err(message) => {
                self.panicked = true;
                Err(EvaluationError::failed(EvaluationErrorKind::Panic, format!("the engine panicked: {message}")))
            }
        }
    }

    fn value(&mut self, plan: Plan, input: Value) -> Result<Value, Failure> {
        let (reference, tail) = match plan {
            Plan::Undefined => return Ok(Value::Undefined),
            Plan::Data(value) => return Ok(value),
            Plan::Rule { reference, tail } => (reference, Some(tail)),
            Plan::Query(reference) => (reference, None),
        };
        self.engine.set_input(input);
        self.now_ns.store(unix_time_ns(), Ordering::Relaxed);
        let value = match tail {
            Some(tail) => self.engine.eval_rule(reference).map(|value| descend(value, &tail)),
            None => self.engine.eval_query(reference, false).map(query_value),
        };
        self.engine.set_input(Value::Undefined);
        // Printed lines are dropped: they may hold what the input holds.
        self.engine.take_prints().map_err(|error| Failure::from_engine(&error))?;
        value.map_err(|error| Failure::from_engine(&error))
    }
}

/// Give `engine` the builtins it lacks. Their errors are undefined, as in OPA: an extension's error would end the query.
fn add_own_builtins(engine: &mut regorus::Engine, now_ns: &Arc<AtomicI64>) -> Result<(), PolicyError> {
    for builtin in every_own().filter(|builtin| !in_regorus(builtin.name)) {
        let now_ns = Arc::clone(now_ns);
        let extension = move |operands: Vec<Value>| {
            let circumstances = Circumstances { now_ns: now_ns.load(Ordering::Relaxed) };
            Ok((builtin.call)(&operands, &circumstances).unwrap_or(Value::Undefined))
        };
        engine.add_extension(builtin.name.to_owned(), builtin.arity, Box::new(extension)).map_err(|error| refused(&error))?;
    }
    Ok(())
}

fn unix_time_ns() -> i64 {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_nanos()).unwrap_or(i64::MAX)
}

/// An engine's error, reduced to what is told.
struct Failure {
    kind: EvaluationErrorKind,
    message: String,
}

impl Failure {
    /// regorus' error type is not nameable without its error crate, so it is read through what it implements.
    fn from_engine<E: AsRef<dyn std::error::Error + Send + Sync>>(error: &E) -> Self {
        let timed_out = matches!(error.as_ref().downcast_ref::<LimitError>(), Some(LimitError::TimeLimitExceeded { .. }));
        let kind = if timed_out { EvaluationErrorKind::Timeout } else { EvaluationErrorKind::Evaluation };
        Self { kind, message: one_sentence(&error.as_ref().to_string()) }
    }
}

fn failure(failure: &Failure) -> EvaluationError {
    EvaluationError::failed(failure.kind, failure.message.clone())
}

fn refused<E: AsRef<dyn std::error::Error + Send + Sync>>(error: &E) -> PolicyError {
    PolicyError(one_sentence(&error.as_ref().to_string()))
}

fn decision_of(value: &Value) -> Result<Decision, EvaluationError> {
    Decision::from_value(value)
        .map_err(|error| EvaluationError::failed(EvaluationErrorKind::Evaluation, format!("the value is not JSON: {error}")))
}

/// An undefined part would be written as the string "<undefined>".
fn holds_undefined(value: &Value) -> bool {
    match value {
        Value::Undefined => true,
        Value::Array(items) => items.iter().any(holds_undefined),
        Value::Set(items) => items.iter().any(holds_undefined),
        Value::Object(fields) => fields.iter().any(|(key, value)| holds_undefined(key) || holds_undefined(value)),
        _ => false,
    }
}

fn query_value(results: regorus::QueryResults) -> Value {
    let first = results.result.into_iter().next();
    first.and_then(|result| result.expressions.into_iter().next()).map_or(Value::Undefined, |expression| expression.value)
}

/// The part of a rule's `value` that `segments` lead to, by OPA's rules: an integer segment is a number there.
fn descend(mut value: Value, segments: &[String]) -> Value {
    for segment in segments {
        let key = index_of(segment).map_or_else(|| Value::from(segment.as_str()), Value::from);
        value = match &value {
            Value::Object(_) | Value::Array(_) => value[&key].clone(),
            Value::Set(items) if items.contains(&key) => key,
            _ => return Value::Undefined,
        };
    }
    value
}

/// The part of base data that `segments` lead to: keys of objects are strings there, whatever they look like.
pub(crate) fn descend_data(mut value: Value, segments: &[String]) -> Value {
    for segment in segments {
        value = match (&value, index_of(segment)) {
            (Value::Object(_), _) => value[&Value::from(segment.as_str())].clone(),
            (Value::Array(_), Some(index)) => value[&Value::from(index)].clone(),
            _ => return Value::Undefined,
        };
    }
    value
}

/// Run `work`; a panic becomes its message.
fn contained<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        text.unwrap_or("no message").to_owned()
    })
}

/// Turn `--> file:line:column | source | error: reason` over several lines into `file:line:column: reason`.
fn one_sentence(message: &str) -> String {
    let place = message.lines().find_map(|line| line.trim().strip_prefix("--> "));
    let reason = message.lines().rev().find_map(|line| line.trim().strip_prefix("error: "));
    match (place, reason) {
        (Some(place), Some(reason)) => format!("{}: {}", place.trim(), reason.trim()),
        _ => message.split_whitespace().collect::<Vec<_>>().join(" "),
    }
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

    #[test]
    fn an_evaluator_that_panicked_says_so() {
        let modules = [Module { name: "p.rego".into(), source: "package p\nv := 1".into() }];
        let mut evaluator = Evaluator::build(RegoVersion::V1, &modules, b"{}").unwrap();
        assert!(evaluator.is_sound());
        evaluator.engine.add_extension("boom".into(), 0, Box::new(|_| panic!("boom"))).unwrap();
        evaluator.engine.add_policy("q.rego".into(), "package q\nv := boom()".into()).unwrap();
        let panicked = evaluator.evaluate(Plan::Query("data.q.v".into()), Value::Undefined);
        assert!(matches!(panicked, Err(EvaluationError::Failed { kind: EvaluationErrorKind::Panic, .. })), "{panicked:?}");
        assert!(!evaluator.is_sound());
    }

    #[test]
    fn a_message_over_several_lines_becomes_a_sentence() {
        let message = "\n--> a.rego:2:11\n  |\n2 | allow if {\n  |           ^\nerror: expecting expression";
        assert_eq!(one_sentence(message), "a.rego:2:11: expecting expression");
        assert_eq!(one_sentence("plain\n  words"), "plain words");
    }
}
