//! Questions from inside the process: no connection and no HTTP.
//!
//! A decision that is kept is answered on the caller's thread. Everything else goes to a serving thread and takes the way of every
//! request, so that both are assigned, counted, compared and failed alike.

use std::{sync::Arc, time::Instant};

use sark_engine::{Decision, DecisionPath};
use tokio::sync::mpsc;

use crate::{
    answering::decided,
    arms::Arm,
    asked::Asked,
    events::{CacheOperation, CacheResult},
    question::Question,
    reply::{Problem, status},
    server::Server,
    shadow::Shadow,
    shared::Shared,
    told::{Origin, Told},
};

/// A question from inside the process.
#[derive(Debug, Clone, Copy)]
pub struct Inquiry<'a> {
    /// What is asked.
    pub path: &'a Arc<DecisionPath>,
    /// Body in the shape of version 1 of the Data API, `{"input": ...}`; empty when there is none.
    pub body: &'a [u8],
    /// Whose question it is; None: it is looked for in the input. It is read as the value of a header is: space around it is no
    /// part of it, an empty one names nobody, and one with control characters is refused.
    pub subject: Option<&'a str>,
    /// When it was asked.
    pub began: Instant,
}

impl<'a> Inquiry<'a> {
    /// The subject that is named. Taken for one, an empty name would put everybody's questions into one bucket.
    fn named(&self) -> Option<&'a str> {
        self.subject.map(|subject| subject.trim_matches([' ', '\t'])).filter(|subject| !subject.is_empty())
    }

    /// Why it cannot be asked, whatever is in force.
    fn refusal(&self, longest: usize) -> Option<Problem> {
        if self.body.len() > longest {
            let message = format!("the input is larger than {longest} bytes");
            return Some(Problem::new(status::TOO_LARGE, "invalid_parameter", message));
        }
        // No header could name it.
        let unnameable = |subject: &str| subject.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t');
        self.subject.is_some_and(unnameable).then(|| Problem::invalid("the subject has a control character"))
    }
}

/// What is at hand for a question.
pub enum AtHand {
    /// The answer.
    Told(Told),
    /// Nothing: it has to be sent to a serving thread.
    Nothing {
        /// Whether its decision is compared.
        drawn: bool,
    },
}

/// A question on its way to a serving thread.
pub(crate) struct Call {
    pub path: Arc<DecisionPath>,
    pub body: Vec<u8>,
    pub subject: Option<String>,
    pub began: Instant,
    pub drawn: bool,
    asker: Asker,
}

/// Who is told the answer: in every case exactly once, also when a thread ends with the question in its hands.
struct Asker(Option<Box<dyn FnOnce(Told) + Send>>);

impl Drop for Asker {
    fn drop(&mut self) {
        if let Some(tell) = self.0.take() {
            tell(Told::refused(&Problem::unavailable("the question was given up: the decision point was closed")));
        }
    }
}

impl Call {
    pub(crate) fn tell(mut self, told: Told) {
        if let Some(tell) = self.asker.0.take() {
            tell(told);
        }
    }
}

impl Server {
    /// What can be answered without waiting for anybody.
    pub fn at_hand(&self, inquiry: &Inquiry<'_>) -> AtHand {
        // What is kept here is as old as the fork: nobody follows flags and policies any more.
        if self.is_left_behind() {
            return AtHand::Told(left_behind());
        }
        let shared = self.shared();
        if let Some(problem) = inquiry.refusal(shared.options.max_body_bytes) {
            return AtHand::Told(Told::refused(&problem));
        }
        let in_force = shared.in_force_at(inquiry.began);
        let drawn = Shadow::is_drawn(&in_force.flags);
        if drawn || self.is_leaving() || !shared.may_answer_alone(&in_force.flags) {
            return AtHand::Nothing { drawn };
        }
        let question = Question::new(Asked::of(inquiry.path), inquiry.body, inquiry.named().map(str::as_bytes));
        if in_force.flags.everybodys_arm() != Some(Arm::Rust) && shared.arm(&question, &in_force) != Ok(Arm::Rust) {
            return AtHand::Nothing { drawn };
        }
        kept(shared, &question).map_or(AtHand::Nothing { drawn }, |(decision, asked_at)| {
            let told_at = Instant::now();
            let (reply, result) = decided(&decision);
            let (flags, metrics) = (&in_force.flags, &in_force.metrics);
            metrics.cache(Arm::Rust, CacheOperation::Get, CacheResult::Hit, told_at.saturating_duration_since(asked_at));
            metrics.assigned(Arm::Rust, flags);
            metrics.request(Arm::Rust, result, told_at.saturating_duration_since(inquiry.began));
            AtHand::Told(Told { reply, arm: Some(Arm::Rust), origin: Some(Origin::Cache), fallback: None })
        })
    }

    /// Have a serving thread answer, and `tell` called with the answer on whatever thread has it.
    pub fn send(&self, inquiry: &Inquiry<'_>, drawn: bool, tell: impl FnOnce(Told) + Send + 'static) {
        if self.is_left_behind() {
            return tell(left_behind());
        }
        let call = Call {
            path: Arc::clone(inquiry.path),
            body: inquiry.body.to_vec(),
            subject: inquiry.named().map(str::to_owned),
            began: inquiry.began,
            drawn,
            asker: Asker(Some(Box::new(tell))),
        };
        let Some(thread) = self.next_thread() else {
            return call.tell(Told::refused(&Problem::unavailable("the decision point is not open")));
        };
        match thread.try_send(call) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(call)) => call.tell(too_many()),
            // Its asker is told when it is dropped.
            Err(mpsc::error::TrySendError::Closed(call)) => drop(call),
        }
    }
}

fn left_behind() -> Told {
    Told::refused(&Problem::unavailable("the decision point was opened before a fork, and its threads are not in this process"))
}

pub(crate) fn too_many() -> Told {
    Told::refused(&Problem::unavailable("too many questions are under way; try again"))
}

/// The decision kept for a question, and when it was looked for.
fn kept(shared: &Shared, question: &Question<'_>) -> Option<(Decision, Instant)> {
    let key = shared.engine.cache_key(&question.asked.path, question.spelling())?;
    let asked_at = Instant::now();
    shared.engine.cache().find(&key).map(|decision| (decision, asked_at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_read_as_the_value_of_a_header() {
        let path = Arc::new(DecisionPath::parse("p").unwrap());
        for (subject, named) in [
            (None, None),
            (Some(""), None),
            (Some(" \t"), None),
            (Some("alice"), Some("alice")),
            (Some("\talice b "), Some("alice b")),
            // No space in a header.
            (Some("\u{a0}"), Some("\u{a0}")),
        ] {
            let inquiry = Inquiry { path: &path, body: b"", subject, began: Instant::now() };
            assert_eq!(inquiry.named(), named, "{subject:?}");
        }
    }

    #[test]
    fn what_no_header_could_name_is_refused() {
        let path = Arc::new(DecisionPath::parse("p").unwrap());
        for (subject, is_refused) in [
            (None, false),
            (Some(""), false),
            (Some("a\tb"), false),
            (Some("Jos\u{e9}"), false),
            // A control character of Unicode is none of ASCII, and its UTF-8 is in order in a header.
            (Some("a\u{85}b"), false),
            (Some("a\nb"), true),
            (Some("a\0"), true),
            (Some("\u{1f}a"), true),
            (Some("a\u{7f}b"), true),
        ] {
            let inquiry = Inquiry { path: &path, body: b"", subject, began: Instant::now() };
            assert_eq!(inquiry.refusal(8).map(|problem| problem.status), is_refused.then_some(400), "{subject:?}");
        }
        let inquiry = Inquiry { path: &path, body: b"123456789", subject: None, began: Instant::now() };
        assert_eq!(inquiry.refusal(8).map(|problem| problem.status), Some(413));
    }
}
