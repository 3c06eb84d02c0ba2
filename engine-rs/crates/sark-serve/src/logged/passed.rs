//! Decisions that OPA made of requests that were handed to it whole: they are logged too, or a parameter would hide a decision.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use percent_encoding::percent_decode_str;

use super::{DecisionId, Logged, Shape};
use crate::{
    answered::{Answered, Decider},
    answering::Answering,
    arms::Arm,
    asked::Asked,
    events::RequestResult,
    parameters::Parameters,
    question::{Question, trimmed},
    reply::Reply,
    rest::is_yaml,
    routes::{asks, below},
    wire::{Head, Request},
};

impl Answering {
    /// The decision in the answer to a request that was handed over; None when it asked for none.
    pub(crate) fn passed_decision(
        &self,
        request: &Request<'_>,
        reply: &Reply,
        result: RequestResult,
        took: Duration,
    ) -> Option<Logged> {
        let (path, shape) = decision_asked(&request.head)?;
        let (input, is_input_unknown) = self.passed_input(request, shape);
        let in_force = self.shared.in_force.load();
        Some(Logged {
            id: DecisionId::new(),
            at: SystemTime::now(),
            took,
            asker: request.asker().map_or_else(|| Arc::from(""), Arc::clone),
            answered: Answered {
                path,
                input,
                arm: Arm::Python,
                decider: Decider::Opa,
                fallback: "",
                status: reply.status,
                body: reply.body.clone(),
                result,
                revision: String::new(),
            },
            shape,
            is_packed: reply.lines.to_ascii_lowercase().contains("content-encoding: gzip"),
            is_passed: true,
            is_input_unknown,
            rollout: in_force.flags.rollout.clone(),
            flag_revision: in_force.flags.revision,
        })
    }

    /// The input as JSON text, and whether there is one that is none.
    fn passed_input(&self, request: &Request<'_>, shape: Shape) -> (Option<Bytes>, bool) {
        let head = &request.head;
        if head.method == "GET" {
            return (Parameters::read(head.query).input.map(|text| Bytes::copy_from_slice(text.as_bytes())), false);
        }
        let Some(body) = self.body(request).ok().filter(|_| !is_yaml(head)) else {
            return (None, true);
        };
        if shape == Shape::Bare {
            let text = trimmed(&body);
            return ((!text.is_empty()).then(|| Bytes::copy_from_slice(text)), false);
        }
        let Some(asked) = Asked::read("/passed") else {
            return (None, true);
        };
        match Question::new(asked.into(), &body, None).input() {
            Ok(input) => (input.map(Bytes::copy_from_slice), false),
            Err(_) => (None, true),
        }
    }
}

/// The decision path and the shape of its answer.
fn decision_asked(head: &Head<'_>) -> Option<(String, Shape)> {
    if !asks(head.method) {
        // What writes asks for no decision.
        return None;
    }
    let (path, shape) = match (below(head.path, "/v1/data"), below(head.path, "/v0/data")) {
        (Some(path), _) => (path, Shape::Enveloped),
        (None, Some(path)) => (path, Shape::Bare),
        (None, None) if head.path == "/" && head.method == "POST" => ("system/main", Shape::Bare),
        _ => return None,
    };
    let decoded = percent_decode_str(path.trim_matches('/')).decode_utf8_lossy();
    Some((decoded.into_owned(), shape))
}
