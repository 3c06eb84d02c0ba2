//! One case through the engine, and how the answer compares with OPA's.

use std::{
    collections::BTreeSet,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use sark_engine::{
    CacheLimits, Engine, EngineOptions, EvaluationError, EvaluationErrorKind, EvaluationLimits, Policies, ServedBy,
};

use crate::{
    case::{Case, Row, Wanted, rows_from},
    document::Document,
    question::{Binding, Question},
};

/// The suite's slowest cases take milliseconds.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// What became of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// The engine's answer is OPA's.
    Equal,
    /// The engine refused to answer, at load.
    Refused,
    /// The engine accepted the policy, and then gave an error where OPA has an answer.
    Failed,
    /// The engine answers otherwise than OPA.
    Different,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Equal, Self::Refused, Self::Failed, Self::Different];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Different => "different",
        }
    }
}

/// The comparison's outcome.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub kind: Kind,
    /// Why it is not equal, in one line.
    pub reason: String,
}

enum Answer {
    Refused(String),
    /// The policy's own error: a conflict, say. The only one that is an answer.
    Error(String),
    /// No answer: a panic, a timeout, a question that could not be put.
    Failed(String),
    Rows(BTreeSet<Row>),
}

/// Ask the engine what `case` asks, and compare.
pub(crate) fn judge(case: &Case) -> Verdict {
    let answered = catch_unwind(AssertUnwindSafe(|| ask(case)));
    let answer = answered.unwrap_or_else(|_| Answer::Failed("the engine panicked".to_owned()));
    let (kind, reason) = match (answer, &case.wanted) {
        (Answer::Refused(reason), _) => (Kind::Refused, reason),
        (Answer::Error(_), Wanted::Error) if !case.strict => (Kind::Equal, String::new()),
        (Answer::Error(reason) | Answer::Failed(reason), _) => (Kind::Failed, reason),
        (Answer::Rows(rows), Wanted::Rows(wanted)) if rows == *wanted => (Kind::Equal, String::new()),
        (Answer::Rows(rows), Wanted::Rows(wanted)) => {
            (Kind::Different, format!("OPA has {}, the engine {}", Shown(wanted), Shown(&rows)))
        }
        // A builtin's error that is not strict makes the expression undefined.
        (Answer::Rows(rows), Wanted::Error) if case.strict && rows.is_empty() => (Kind::Equal, String::new()),
        (Answer::Rows(rows), Wanted::Error) => (Kind::Different, format!("OPA has an error, the engine {}", Shown(&rows))),
    };
    Verdict { kind, reason: reason.split_whitespace().collect::<Vec<_>>().join(" ") }
}

fn ask(case: &Case) -> Answer {
    match answer(case) {
        Ok(answer) => answer,
        Err(message) => Answer::Failed(message),
    }
}

fn answer(case: &Case) -> Result<Answer, String> {
    let question = Question::of(case)?;
    let data = case.data.as_ref().map_or_else(|| "{}".to_owned(), ToString::to_string);
    let policies = match Policies::compile_as(case.version, question.modules, data.as_bytes()) {
        Ok(policies) => Arc::new(policies),
        Err(error) => return Ok(Answer::Refused(error.to_string())),
    };
    let verdict = policies.verdict(&question.path);
    if verdict.served_by == ServedBy::Baseline {
        return Ok(Answer::Refused(verdict.reasons.join("; ")));
    }
    let engine = match Engine::new(policies, options()) {
        Ok(engine) => engine,
        Err(error) => return Ok(Answer::Refused(error.to_string())),
    };
    match engine.evaluate(&question.path, question.input.as_deref().map(str::as_bytes)) {
        Ok(decision) => rows(decision.result(), question.binding, case.sorted).map(Answer::Rows),
        Err(EvaluationError::Failed { kind: EvaluationErrorKind::UnsupportedBuiltin, message }) => Ok(Answer::Refused(message)),
        Err(EvaluationError::Failed { kind: EvaluationErrorKind::Evaluation, message }) => Ok(Answer::Error(message)),
        Err(error) => Ok(Answer::Failed(error.to_string())),
    }
}

fn options() -> EngineOptions {
    EngineOptions {
        cache: CacheLimits { max_entries: 1, max_bytes: 1 << 10, ttl: Duration::from_secs(1) },
        evaluation: EvaluationLimits::within(TIME_LIMIT),
    }
}

fn rows(result: Option<&[u8]>, binding: Binding, sorted: bool) -> Result<BTreeSet<Row>, String> {
    let Some(result) = result else {
        return Ok(BTreeSet::new());
    };
    let text = std::str::from_utf8(result).map_err(|error| error.to_string())?;
    let value = Document::from_json(text)?;
    match (binding, value) {
        (Binding::Variable(name), value) => rows_from(vec![Document::Record(Row::from([(name, value)]))], sorted),
        (Binding::Rows, Document::List(rows)) => rows_from(rows, sorted),
        (Binding::Rows, other) => Err(format!("{other} is no list of rows")),
    }
}

struct Shown<'r>(&'r BTreeSet<Row>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 400;
        let rows: Vec<String> = self.0.iter().map(|row| Document::Record(row.clone()).to_string()).collect();
        let text = if rows.is_empty() { "undefined".to_owned() } else { rows.join(" ") };
        let short: String = text.chars().take(LONGEST).collect();
        write!(f, "{short}{}", if short.len() < text.len() { " ..." } else { "" })
    }
}
