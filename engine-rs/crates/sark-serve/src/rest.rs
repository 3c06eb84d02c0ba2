//! OPA's REST API around the decisions: what a request means, what is handed to the embedder whole, and how answers look.

use std::{borrow::Cow, ops::Deref, rc::Rc, time::Instant};

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::{
    answering::{Answering, Outset, deliver},
    arms::{Arm, Cache, Opa},
    asked::Asked,
    bodies::Held,
    compression::{self, Unpacking, unpack},
    dressing::{Look, Version},
    evaluating::no_decision,
    events::RequestResult,
    jobs::{Job, Passed, Waiting},
    metrics::Unanswered,
    parameters::Parameters,
    question::{Question, body_around, trimmed},
    reply::{Problem, Reply, status},
    routes::asks,
    shared::Shared,
    wire::{Head, Request},
};

impl Answering {
    /// Answer a question in version 1 of the Data API.
    pub(crate) async fn data(&self, request: &Request<'_>, asked: Rc<Asked>, outset: Outset) -> Result<Reply, Problem> {
        let head = &request.head;
        let posts = head.method == "POST";
        let parameters = Parameters::read(head.query);
        if parameters.needs_opa || (posts && is_yaml(head)) {
            return Ok(self.pass_on(request).await);
        }
        // A parameter that says null is an input, unlike a member that does.
        if !posts && parameters.input.as_deref().is_some_and(|text| text.trim() == "null") {
            return Ok(self.pass_on(request).await);
        }
        let body: Unpacked<'_> = match (&parameters.input, posts) {
            (_, true) => self.body(request)?,
            (Some(text), false) => body_around(text.as_bytes(), "parameter")?.into(),
            (None, false) => Unpacked::from([].as_slice()),
        };
        let question = Question::new(asked, &body, head.subject).asked_by(request.asker());
        let look = Look {
            version: Version::V1,
            pretty: parameters.pretty,
            warns: posts && question.lacks_input()?,
            packs: compression::is_accepted(head.accept_encoding),
        };
        self.decide(question, outset, look).await
    }

    /// Answer a question in version 0, whose body is the input.
    pub(crate) async fn plain(&self, request: &Request<'_>, asked: Rc<Asked>, outset: Outset) -> Result<Reply, Problem> {
        let head = &request.head;
        let unpacked = self.body(request)?;
        let text = trimmed(&unpacked);
        // Without an input its input is null, which version 1 has no way to say.
        if is_yaml(head) || text.is_empty() || text == b"null" {
            return Ok(self.pass_on(request).await);
        }
        let body = body_around(text, "unexpected parse error for input: body")?;
        let question = Question::new(asked, &body, head.subject).asked_by(request.asker());
        let look = Look {
            version: Version::V0,
            pretty: Parameters::read(head.query).pretty,
            warns: false,
            // OPA packs what is below /v0/data, and not the answer to `POST /`.
            packs: head.path != "/" && compression::is_accepted(head.accept_encoding),
        };
        self.decide(question, outset, look).await
    }

    /// The body, unpacked if need be.
    pub(crate) fn body<'r>(&self, request: &Request<'r>) -> Result<Unpacked<'r>, Problem> {
        let limit = self.shared.options.max_body_bytes;
        match request.head.encoding {
            b"" => Ok(Unpacked::from(request.body)),
            b"gzip" => match unpack(request.body, limit) {
                Ok(plain) => {
                    let mut held = self.shared.bodies.held();
                    held.resize(plain.capacity())?;
                    Ok(Unpacked { bytes: plain.into(), _held: Some(held) })
                }
                Err(Unpacking::Broken) => Err(Problem::invalid("could not decompress the body: it is not gzip")),
                Err(Unpacking::TooMany) => Err(Problem::invalid("could not decompress the body: it has too many gzip members")),
                Err(Unpacking::TooLarge) => {
                    let message = format!("the unpacked body is larger than {limit} bytes");
                    Err(Problem::new(status::TOO_LARGE, "invalid_parameter", message))
                }
            },
            _ => Err(Problem::invalid("the only Content-Encoding understood is gzip")),
        }
    }

    /// Hand a request over as it is. It is in no arm: neither arm's figures tell anything about it.
    pub(crate) async fn pass_on(&self, request: &Request<'_>) -> Reply {
        let (sender, receiver) = oneshot::channel();
        let waiting =
            Waiting { answer: sender, arm: Arm::Python, opa: Opa::Http, fallback: false, is_question: false, key: None };
        let describe = |id| Job {
            id,
            path: String::new(),
            body: Bytes::copy_from_slice(request.body),
            query: String::new(),
            arm: Arm::Python,
            opa: Opa::Http,
            cache: Cache::Redis,
            fallback: None,
            passed: Some(passed(&request.head)),
        };
        let Ok(ticket) = self.shared.jobs.submit(waiting, describe) else {
            self.shared.metrics().unanswered(Unanswered::Queue);
            return Problem::unavailable("too many requests wait for an answer; try again").reply();
        };
        let began = Instant::now();
        let limit = self.shared.options.baseline_timeout;
        // Whoever hangs up ends all of this where it waits.
        let mut lack = Lack { shared: &self.shared, reason: Some(Unanswered::ClientGone) };
        let answered = tokio::time::timeout(limit, receiver).await;
        lack.reason = if matches!(answered, Ok(Ok(_))) { None } else { Some(Unanswered::NoAnswer) };
        drop((lack, ticket));
        let (reply, result) = match answered {
            Ok(Ok(answer)) => deliver(answer, false),
            Ok(Err(_)) => (Problem::internal("the request was given up without an answer").reply(), RequestResult::Error),
            Err(_) => (Problem::internal(no_decision(limit)).reply(), RequestResult::Error),
        };
        if let Some(log) = self.shared.log.get()
            && let Some(logged) = self.passed_decision(request, &reply, result, began.elapsed())
        {
            log.admit(logged, &self.shared.metrics());
        }
        reply
    }
}

/// A body as its sender meant it, and the memory for it.
pub(crate) struct Unpacked<'r> {
    bytes: Cow<'r, [u8]>,
    /// What arrived is counted where it arrives.
    _held: Option<Held>,
}

impl Deref for Unpacked<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl<'r> From<&'r [u8]> for Unpacked<'r> {
    fn from(bytes: &'r [u8]) -> Self {
        Self { bytes: bytes.into(), _held: None }
    }
}

impl From<Vec<u8>> for Unpacked<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes: bytes.into(), _held: None }
    }
}

/// Counts a request that was handed over and not answered.
struct Lack<'s> {
    shared: &'s Shared,
    reason: Option<Unanswered>,
}

impl Drop for Lack<'_> {
    fn drop(&mut self) {
        if let Some(reason) = self.reason {
            self.shared.metrics().unanswered(reason);
        }
    }
}

fn passed(head: &Head<'_>) -> Passed {
    let query = if head.query.is_empty() { String::new() } else { format!("?{}", head.query) };
    // Of a question OPA does not look at it, and neither does anybody else.
    let condition = if asks(head.method) { b"".as_slice() } else { head.if_none_match };
    let headers = [
        ("Content-Type", head.content_type),
        ("Content-Encoding", head.encoding),
        ("Accept-Encoding", head.accept_encoding),
        ("If-None-Match", condition),
    ];
    let text = |(name, value): (&'static str, &[u8])| Some((name, std::str::from_utf8(value).ok()?.to_owned()));
    Passed {
        method: head.method.to_owned(),
        target: format!("{}{query}", head.path),
        headers: headers.into_iter().filter(|(_, value)| !value.is_empty()).filter_map(text).collect(),
    }
}

/// Whether OPA takes the body for YAML. There is one reader of YAML, and it is OPA's: another could read another input.
pub(crate) fn is_yaml(head: &Head<'_>) -> bool {
    head.content_type != b"application/json" && head.content_type.windows(4).any(|part| part == b"yaml")
}
