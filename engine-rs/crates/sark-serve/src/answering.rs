//! How one request is answered: assignment, the rust arm's own answer, or the hand-over to baseline.

use std::{
    cell::RefCell,
    sync::Arc,
    time::{Duration, Instant},
};

use hyper::StatusCode;
use sark_engine::{CacheKey, Decision, EvaluationError, EvaluationErrorKind, Lane};
use tokio::sync::oneshot;

use crate::{
    arms::{Arm, Cache, Feature, Opa},
    events::{CacheOperation, CacheResult, EvaluationResult, RequestResult},
    jobs::{Answer, FallbackReason, Job, Waiting},
    metrics::Metrics,
    question::Question,
    reply::{Problem, Reply, json, with_cache_control},
    shared::{InForce, Shared},
};

/// Answers the requests of one thread.
pub(crate) struct Answering {
    pub shared: Arc<Shared>,
    /// Never borrowed across an await: one request at a time evaluates on a thread.
    pub lane: RefCell<Lane>,
}

/// Counts a request exactly once, also when its client goes away before the answer.
struct Meter {
    metrics: Arc<Metrics>,
    arm: Arm,
    began: Instant,
    result: RequestResult,
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.metrics.request(self.arm, self.result, self.began.elapsed());
    }
}

/// What the rust arm did with a request.
enum Step {
    Decided(Decision),
    HandOver { opa: Opa, cache: Cache, key: Option<CacheKey>, fallback: Option<FallbackReason> },
    Refused(Problem),
}

impl Answering {
    /// Answer a question.
    pub(crate) async fn answer(&self, question: Question) -> Reply {
        let began = Instant::now();
        let in_force = self.shared.in_force.load_full();
        let arm = self.assign(&question, &in_force);
        in_force.metrics.assigned(arm, &in_force.flags);
        let metrics = Arc::clone(&in_force.metrics);
        let mut meter = Meter { metrics, arm, began, result: RequestResult::Error };
        let step = match arm {
            Arm::Python => Step::HandOver { opa: Opa::Http, cache: Cache::Redis, key: None, fallback: None },
            Arm::Rust => self.rust_arm(&question, &in_force).await,
        };
        let (reply, result) = match step {
            Step::Decided(decision) => (json(StatusCode::OK, decision.body().clone()), decision.outcome().into()),
            Step::Refused(problem) => (problem.reply(), RequestResult::Error),
            Step::HandOver { opa, cache, key, fallback } => {
                if let Some(reason) = fallback {
                    in_force.metrics.fallback(given_up(&in_force), reason);
                }
                self.hand_over(question, arm, (opa, cache), key, fallback).await
            }
        };
        meter.result = result;
        reply
    }

    fn assign(&self, question: &Question, in_force: &InForce) -> Arm {
        let subject = self.shared.options.subject.find(&question.headers, question.input(), &question.joined);
        in_force.flags.arm(&subject)
    }

    async fn rust_arm(&self, question: &Question, in_force: &InForce) -> Step {
        if let Some(strike) = self.shared.faults.strike() {
            if !strike.delay.is_zero() {
                tokio::time::sleep(strike.delay).await;
            }
            if strike.fails {
                return fall_back(FallbackReason::Evaluation(EvaluationErrorKind::Evaluation));
            }
        }
        if question.foreign_parameter().is_some() {
            return fall_back(FallbackReason::UnsupportedParameter);
        }
        let flags = &in_force.flags;
        let key = if flags.rust_cache {
            self.shared.engine.cache_key(&question.path, &question.joined, question.input())
        } else {
            None
        };
        if let Some(decision) = key.and_then(|key| self.look_up(&key, &in_force.metrics)) {
            return Step::Decided(decision);
        }
        match (flags.rust_opa, flags.rust_cache) {
            (true, true) => self.evaluate(question, key, &in_force.metrics),
            (true, false) if !self.supported(question) => {
                fall_back(FallbackReason::Evaluation(EvaluationErrorKind::UnsupportedBuiltin))
            }
            (true, false) => Step::HandOver { opa: Opa::Rust, cache: Cache::Redis, key: None, fallback: None },
            (false, _) => Step::HandOver { opa: Opa::Http, cache: Cache::Rust, key, fallback: None },
        }
    }

    fn supported(&self, question: &Question) -> bool {
        self.shared.engine.policies().missing_builtins(&question.path).is_empty()
    }

    fn look_up(&self, key: &CacheKey, metrics: &Metrics) -> Option<Decision> {
        let began = Instant::now();
        let found = self.shared.engine.cache().get(key);
        let result = if found.is_some() { CacheResult::Hit } else { CacheResult::Miss };
        metrics.cache(Arm::Rust, CacheOperation::Get, result, began.elapsed());
        found
    }

    fn evaluate(&self, question: &Question, key: Option<CacheKey>, metrics: &Metrics) -> Step {
        let began = Instant::now();
        let engine = &self.shared.engine;
        let evaluated = engine.evaluate_in(&mut self.lane.borrow_mut(), &question.path, question.input(), engine.time_limit());
        let took = began.elapsed();
        match evaluated {
            Ok(decision) => {
                metrics.evaluation(Arm::Rust, decision.outcome().into(), took, "");
                if let Some(key) = key {
                    keep(&self.shared, key, &decision, metrics);
                }
                Step::Decided(decision)
            }
            Err(EvaluationError::Input(error)) => {
                Step::Refused(Problem::invalid(format!("body contains malformed input document: {error}")))
            }
            Err(EvaluationError::Failed { kind, .. }) => {
                metrics.evaluation(Arm::Rust, EvaluationResult::Error, took, kind.as_str());
                fall_back(FallbackReason::Evaluation(kind))
            }
        }
    }

    async fn hand_over(
        &self,
        question: Question,
        arm: Arm,
        (opa, cache): (Opa, Cache),
        key: Option<CacheKey>,
        fallback: Option<FallbackReason>,
    ) -> (Reply, RequestResult) {
        let (sender, receiver) = oneshot::channel();
        let waiting = Waiting { answer: sender, arm, opa, fallback: fallback.is_some(), key };
        let describe =
            |id| Job { id, path: question.joined, body: question.body, query: question.query, arm, opa, cache, fallback };
        let Ok(ticket) = self.shared.jobs.submit(waiting, describe) else {
            let message = "too many requests wait for a decision; try again";
            return (Problem::new(StatusCode::SERVICE_UNAVAILABLE, "internal_error", message).reply(), RequestResult::Error);
        };
        let limit = self.shared.options.baseline_timeout;
        let answered = tokio::time::timeout(limit, receiver).await;
        drop(ticket);
        match answered {
            Ok(Ok(answer)) => deliver(answer, fallback.is_some()),
            Ok(Err(_)) => (Problem::internal("the request was given up without an answer").reply(), RequestResult::Error),
            Err(_) => (Problem::internal(no_decision(limit)).reply(), RequestResult::Error),
        }
    }
}

fn no_decision(limit: Duration) -> String {
    format!("no decision within {} s", limit.as_secs_f64())
}

fn deliver(answer: Answer, is_fallback: bool) -> (Reply, RequestResult) {
    let Ok(status) = StatusCode::from_u16(answer.status) else {
        return (Problem::internal("the decision came with an impossible status").reply(), RequestResult::Error);
    };
    // However well baseline answered: the arm that was asked did not.
    let result = if is_fallback { RequestResult::Error } else { answer.result };
    (with_cache_control(json(status, answer.body), &answer.cache_control), result)
}

const fn fall_back(reason: FallbackReason) -> Step {
    Step::HandOver { opa: Opa::Http, cache: Cache::Redis, key: None, fallback: Some(reason) }
}

/// The feature that a fallback gives up: evaluation, unless only the cache has moved.
const fn given_up(in_force: &InForce) -> Feature {
    if in_force.flags.rust_opa { Feature::RustOpa } else { Feature::RustCache }
}

/// Keep a decision in process.
pub(crate) fn keep(shared: &Shared, key: CacheKey, decision: &Decision, metrics: &Metrics) {
    let began = Instant::now();
    shared.engine.cache().insert(key, decision);
    metrics.cache(Arm::Rust, CacheOperation::Set, CacheResult::Ok, began.elapsed());
}
