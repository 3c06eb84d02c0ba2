//! How one request is answered: assignment, the rust arm's own answer, or the hand-over to baseline.

use std::{
    cell::RefCell,
    ops::Deref,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::{ArcSwap, Cache as Follower};
use bytes::Bytes;
use sark_engine::{
    Begun, CacheKey, Decision, DecisionPath, EvaluationError, EvaluationErrorKind, Lane, Lead, Missed, Policies, Source,
    Spelling, Standing,
};
use tokio::sync::oneshot;

use crate::{
    answered::Decider,
    arms::{Arm, Cache, Feature, Opa},
    asked::{Paths, Route},
    compression,
    dressing::Look,
    evaluating::{Evaluating, no_decision},
    events::{CacheOperation, CacheResult, EvaluationResult, RequestResult},
    inside::Call,
    jobs::{Answer, FallbackReason, Job, Waiting},
    logged::Circumstances,
    metrics::{Metrics, Shed, Tally},
    pool::Evaluated,
    question::Question,
    reply::{Problem, Reply, status},
    shadow::{Ending, Shadow},
    shared::{InForce, Shared},
    told::{Origin, Told},
    wire::Request,
};

/// Answers the requests of one thread.
pub(crate) struct Answering {
    pub(crate) shared: Arc<Shared>,
    paths: Paths,
    evaluating: Evaluating,
    in_force: RefCell<Follower<Arc<ArcSwap<InForce>>, Arc<InForce>>>,
    /// What was in force at the last request.
    held: RefCell<Rc<Held>>,
}

/// What is in force, with one holder for all requests of a thread: threads contend for a common count of holders.
struct Held {
    in_force: Arc<InForce>,
    /// The thread's own counts under these metrics.
    tally: Rc<Tally>,
}

impl Held {
    /// `in_force`, counted by itself.
    fn new(in_force: Arc<InForce>) -> Self {
        let tally = Rc::new(in_force.metrics.tally());
        Self { in_force, tally }
    }

    /// `newest` instead, counted on under the same metrics.
    fn follow(&self, newest: &Arc<InForce>) -> Self {
        if Arc::ptr_eq(&self.in_force.metrics, &newest.metrics) {
            return Self { in_force: Arc::clone(newest), tally: Rc::clone(&self.tally) };
        }
        Self::new(Arc::clone(newest))
    }
}

impl Deref for Held {
    type Target = InForce;

    fn deref(&self) -> &InForce {
        &self.in_force
    }
}

/// Counts a request exactly once, also when its client goes away before the answer.
struct Meter {
    in_force: Rc<Held>,
    arm: Arm,
    /// Whether it is in its arm's counts.
    in_arms: bool,
    /// It turned out to be none.
    is_void: bool,
    began: Instant,
    /// When the answer was there, if somebody has looked at the clock then.
    ended: Option<Instant>,
    result: RequestResult,
}

impl Meter {
    /// Of a request that began then; an error until somebody says otherwise.
    const fn new(in_force: Rc<Held>, arm: Arm, in_arms: bool, began: Instant) -> Self {
        Self { in_force, arm, in_arms, is_void: false, began, ended: None, result: RequestResult::Error }
    }

    /// Make the answer look so, which is part of the request's time.
    fn dress(&mut self, reply: &mut Reply, look: Look, path: &DecisionPath) {
        if !look.is_worn_by(reply) {
            self.ended = None;
            *reply = look.dress(reply.clone(), path);
        }
    }

    /// Count nothing that happened since.
    fn leave_out(&mut self, since: Instant) {
        let took = since.elapsed();
        self.ended = Some(self.ended.unwrap_or(since) + took);
        self.began += took;
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if self.is_void {
            return;
        }
        if !self.in_arms {
            self.in_force.metrics.baseline_only(self.result);
            return;
        }
        let ended = self.ended.unwrap_or_else(Instant::now);
        self.in_force.tally.assigned(self.arm, &self.in_force.flags);
        self.in_force.tally.request(self.arm, self.result, ended.saturating_duration_since(self.began));
    }
}

/// When the clock was read for a question, and what is known of it already.
#[derive(Clone, Copy)]
pub(crate) struct Outset {
    /// When it was asked.
    began: Instant,
    /// The last time that the clock was read.
    looked: Instant,
    /// Its decision was looked for, and is not kept.
    missed: Option<Missed>,
}

impl Outset {
    /// That of a question that is asked now.
    pub(crate) fn now() -> Self {
        let now = Instant::now();
        Self { began: now, looked: now, missed: None }
    }

    /// That of a question that has come.
    pub(crate) fn of(request: &Request<'_>) -> Self {
        let began = request.came();
        Self { began, looked: if request.is_first() { began } else { Instant::now() }, missed: None }
    }
}

/// What the shadow is told of a path that has no arms to compare.
const LEFT_TO_BASELINE: FallbackReason = FallbackReason::Evaluation(EvaluationErrorKind::UnsupportedBuiltin);

/// What the rust arm did with a request.
enum Step {
    /// With when the decision was there, if somebody has looked at the clock then.
    Decided(Decision, Origin, Option<Instant>),
    HandOver {
        opa: Opa,
        cache: Cache,
        key: Option<CacheKey>,
        fallback: Option<FallbackReason>,
    },
    Refused(Problem),
}

impl Step {
    /// Who decides what comes of it, unless nobody does.
    fn decider(&self, in_force: &InForce) -> Decider {
        match self {
            Self::HandOver { opa: Opa::Http, .. } => Decider::Opa,
            Self::HandOver { opa: Opa::Rust, .. } => Decider::Either,
            // While only the cache has moved, what it holds was decided by OPA.
            _ if in_force.flags.rust_opa => Decider::Engine,
            _ => Decider::Opa,
        }
    }

    const fn fallback(&self) -> Option<FallbackReason> {
        match self {
            Self::HandOver { fallback, .. } => *fallback,
            _ => None,
        }
    }
}

impl Answering {
    pub(crate) fn new(shared: &Arc<Shared>, lane: Lane) -> Self {
        Self {
            paths: Paths::new(shared.options.writes),
            evaluating: Evaluating::new(shared, lane),
            in_force: RefCell::new(Follower::new(Arc::clone(&shared.in_force))),
            held: RefCell::new(Rc::new(Held::new(shared.in_force.load_full()))),
            shared: Arc::clone(shared),
        }
    }

    /// Answer a question whose decision is kept, where nothing else is to be done for it. Err: it has to be [answered] like all
    /// others.
    ///
    /// [answered]: Self::answer
    pub(crate) fn at_once(&self, request: &Request<'_>) -> Result<Reply, Outset> {
        let mut outset = Outset::of(request);
        let Some(asked) = self.paths.plainly(request) else {
            return Err(outset);
        };
        let in_force = self.in_force(outset.looked);
        let flags = &in_force.flags;
        if flags.everybodys_arm() != Some(Arm::Rust) || flags.shadow > 0 || !self.shared.may_answer_alone(flags) {
            return Err(outset);
        }
        // What was left to baseline at load is not looked for.
        let to_key = |standing: &Standing| standing.cache_key(Spelling::Body(request.body)).filter(|_| standing.is_supported());
        let Some(key) = asked.standing(&self.shared.engine, to_key) else {
            return Err(outset);
        };
        let mut meter = Meter::new(in_force, Arm::Rust, true, outset.began);
        match self.shared.engine.cache().look(key) {
            Ok(decision) => {
                let told_at = Instant::now();
                let took = told_at.saturating_duration_since(outset.looked);
                meter.in_force.tally.cache(Arm::Rust, CacheOperation::Get, CacheResult::Hit, took);
                let (mut reply, result) = decided(&decision);
                (meter.ended, meter.result) = (Some(told_at), result);
                let packs =
                    compression::is_worth_packing(&reply.body) && compression::is_accepted(request.head.accept_encoding);
                meter.dress(&mut reply, Look { packs, ..Look::PLAIN }, &asked.path);
                Ok(reply)
            }
            Err(missed) => {
                meter.is_void = true;
                outset.missed = Some(missed);
                Err(outset)
            }
        }
    }

    /// Answer a request, or say why it is none.
    pub(crate) async fn answer(&self, request: &Request<'_>, outset: Outset) -> Result<Reply, Problem> {
        match self.paths.route(request.head.method, request.head.path)? {
            Route::Health if request.head.query.is_empty() => Ok(Reply::healthy()),
            Route::Health | Route::Elsewhere => Ok(self.pass_on(request).await),
            Route::Data(asked) => self.data(request, asked, outset).await,
            Route::Plain(asked) => self.plain(request, asked, outset).await,
            Route::Batch(asked) => self.batch(request, &asked).await,
        }
    }

    /// Answer a question from inside the process.
    pub(crate) async fn tell(&self, call: &Call) -> Result<Told, Problem> {
        let question = Question::new(self.paths.inside(&call.path), &call.body, call.subject.as_deref().map(str::as_bytes));
        let outset = Outset { began: call.began, looked: Instant::now(), missed: None };
        self.told(&question, outset, Some(call.drawn), Look::PLAIN).await
    }

    /// The answer to a question, looking so.
    pub(crate) async fn decide(&self, question: Question<'_>, outset: Outset, look: Look) -> Result<Reply, Problem> {
        Ok(self.told(&question, outset, None, look).await?.reply)
    }

    /// Answer a question. Whether its decision is compared is left to chance, unless that was `drawn` before.
    async fn told(&self, question: &Question<'_>, outset: Outset, drawn: Option<bool>, look: Look) -> Result<Told, Problem> {
        let began = outset.began;
        let in_force = self.in_force(outset.looked);
        let arm = self.shared.arm(question, &in_force)?;
        let drawn = drawn.unwrap_or_else(|| Shadow::is_drawn(&in_force.flags));
        let drawn = drawn.then(|| Shadow::drawn(&self.shared.engine));
        let log = self.shared.log.get().map(|log| (log, self.shared.engine.policies()));
        // What was left to baseline at load is nobody's failure, and no arm has a request that the other could not have.
        let in_arms = question.asked.standing(&self.shared.engine, Standing::is_supported);
        let mut meter = Meter::new(in_force, arm, in_arms, began);
        let step = if in_arms && arm == Arm::Rust {
            self.rust_arm(question, outset, &meter.in_force).await
        } else {
            question.input().map(|_| Step::HandOver { opa: Opa::Http, cache: Cache::Redis, key: None, fallback: None })
        };
        let step = match step {
            Ok(step) => step,
            Err(problem) => {
                meter.is_void = true;
                return Err(problem);
            }
        };
        let (decider, fallback) = (step.decider(&meter.in_force), step.fallback());
        let (mut reply, result, origin) = match step {
            Step::Decided(decision, origin, at) => {
                meter.ended = at;
                from(decided(&decision), origin)
            }
            Step::Refused(problem) => (problem.reply(), RequestResult::Error, None),
            Step::HandOver { opa, cache, key, fallback } => {
                if let Some(reason) = fallback {
                    meter.in_force.metrics.fallback(given_up(&meter.in_force), reason);
                }
                self.hand_over(question, arm, (opa, cache), key, fallback).await
            }
        };
        meter.result = result;
        if drawn.is_none() && log.is_none() {
            meter.dress(&mut reply, look, &question.asked.path);
            return Ok(Told { reply, arm: in_arms.then_some(arm), origin, fallback });
        }
        let in_force = Rc::clone(&meter.in_force);
        // What follows is not the request's time.
        let paused = Instant::now();
        let reason = if in_arms { fallback } else { Some(LEFT_TO_BASELINE) };
        let ending = Ending { arm, decider, fallback: reason, reply: &reply, result };
        if let Some(drawn) = drawn {
            self.shared.shadow.keep(&drawn, &self.shared.engine, question, &ending, &in_force.metrics);
        }
        let Some((log, policies)) = log else {
            meter.leave_out(paused);
            meter.dress(&mut reply, look, &question.asked.path);
            return Ok(Told { reply, arm: in_arms.then_some(arm), origin, fallback });
        };
        let circumstances = self.circumstances(question, &policies, began);
        let id = log.keep(circumstances, &ending, &in_force);
        let body = if reply.status == status::OK { id.stamped(&reply.body) } else { reply.body.clone() };
        meter.leave_out(paused);
        reply.body = body;
        meter.dress(&mut reply, look, &question.asked.path);
        Ok(Told { reply, arm: in_arms.then_some(arm), origin, fallback })
    }

    fn circumstances<'q>(&self, question: &'q Question<'_>, policies: &Arc<Policies>, began: Instant) -> Circumstances<'q> {
        let unchanged = Arc::ptr_eq(policies, &self.shared.engine.policies());
        Circumstances {
            asker: question.asker,
            path: question.asked.path.joined().to_owned(),
            // A question whose input cannot be read has no answer.
            input: question.input().ok().flatten().map(Bytes::copy_from_slice),
            took: began.elapsed(),
            revision: if unchanged { policies.revision().to_owned() } else { String::new() },
        }
    }

    /// What is in force at `now`.
    fn in_force(&self, now: Instant) -> Rc<Held> {
        let mut follower = self.in_force.borrow_mut();
        let mut newest = follower.load();
        if newest.flags.are_over(now) {
            self.shared.end_validity(now);
            newest = follower.load();
        }
        let mut held = self.held.borrow_mut();
        if !Arc::ptr_eq(&held.in_force, newest) {
            let following = held.follow(newest);
            *held = Rc::new(following);
        }
        Rc::clone(&held)
    }

    /// What the rust arm does. Err: the question turned out to be none.
    async fn rust_arm(&self, question: &Question<'_>, mut outset: Outset, in_force: &Held) -> Result<Step, Problem> {
        if let Some(strike) = self.shared.faults.strike() {
            question.input()?;
            if !strike.delay.is_zero() {
                tokio::time::sleep(strike.delay).await;
                // Much may have changed.
                outset = Outset { looked: Instant::now(), missed: None, ..outset };
            }
            if strike.fails {
                return Ok(fall_back(FallbackReason::Evaluation(EvaluationErrorKind::Evaluation)));
            }
        }
        let flags = &in_force.flags;
        let to_key = |standing: &Standing| standing.cache_key(question.spelling());
        let key = match outset.missed {
            _ if !flags.rust_cache => None,
            Some(missed) => Some(missed.key()),
            None => question.asked.standing(&self.shared.engine, to_key),
        };
        match (flags.rust_opa, flags.rust_cache, key) {
            (true, true, Some(key)) => self.evaluate_once(question, key, outset, in_force).await,
            (true, true, None) => Ok(self.evaluate(question, question.input()?, None, in_force).await),
            (true, false, _) => {
                question.input()?;
                Ok(Step::HandOver { opa: Opa::Rust, cache: Cache::Redis, key: None, fallback: None })
            }
            (false, _, key) => {
                // What the engine has decided before it was given up is not found, nor is this found by it.
                let key = key.map(CacheKey::by_another);
                if let Some(decision) = key.and_then(|key| self.look_up(&key, &in_force.tally)) {
                    return Ok(Step::Decided(decision, Origin::Cache, None));
                }
                question.input()?;
                Ok(Step::HandOver { opa: Opa::Http, cache: Cache::Rust, key, fallback: None })
            }
        }
    }

    fn look_up(&self, key: &CacheKey, tally: &Tally) -> Option<Decision> {
        let began = Instant::now();
        let found = self.shared.engine.cache().get(key);
        let result = if found.is_some() { CacheResult::Hit } else { CacheResult::Miss };
        tally.cache(Arm::Rust, CacheOperation::Get, result, began.elapsed());
        found
    }

    /// The decision of a question that may be kept. Of all who ask it at the same time, one evaluates. The look into the cache
    /// counts from the last time somebody read the clock.
    async fn evaluate_once(
        &self,
        question: &Question<'_>,
        key: CacheKey,
        outset: Outset,
        in_force: &Held,
    ) -> Result<Step, Problem> {
        let cache = self.shared.engine.cache();
        let begun = outset.missed.map_or_else(|| cache.begin(key), |missed| cache.begin_missed(missed));
        let told_at = Instant::now();
        let took = told_at.saturating_duration_since(outset.looked);
        if let Begun::Hit(decision) = begun {
            in_force.tally.cache(Arm::Rust, CacheOperation::Get, CacheResult::Hit, took);
            return Ok(Step::Decided(decision, Origin::Cache, Some(told_at)));
        }
        let is_at_hand = matches!(begun, Begun::Lead(_)) && !self.evaluating.is_slow(question);
        let input = if is_at_hand { question.input_to_evaluate(&self.shared.engine)? } else { question.input()? };
        in_force.tally.cache(Arm::Rust, CacheOperation::Get, CacheResult::Miss, took);
        let lead = match self.follow(begun).await {
            Ok(decision) => return Ok(Step::Decided(decision, Origin::Engine, None)),
            Err(lead) => lead,
        };
        let lead = if self.evaluating.is_slow(question) {
            lead
        } else {
            // Whoever waited for another has to look at the clock anew.
            let start = if is_at_hand { told_at } else { Instant::now() };
            match self.evaluating.here(question, input, lead, start) {
                Ok(evaluated) => return Ok(settled(evaluated, in_force)),
                Err(lead) => lead,
            }
        };
        if lead.is_some() {
            return Ok(self.evaluate(question, input, lead, in_force).await);
        }
        // Whoever led has failed or is gone, and it takes long. One leads again, on the pool, and the others wait for that one.
        Ok(match self.follow(self.shared.engine.cache().begin(key)).await {
            Ok(decision) => Step::Decided(decision, Origin::Engine, None),
            Err(lead) => self.evaluate(question, input, lead, in_force).await,
        })
    }

    /// The decision that is there or that another makes; else the duty to make it, unless another failed to.
    async fn follow(&self, begun: Begun) -> Result<Decision, Option<Lead>> {
        match begun {
            Begun::Hit(decision) => Ok(decision),
            Begun::Lead(lead) => Err(Some(lead)),
            Begun::Wait(waiter) => {
                let landed = tokio::time::timeout(self.shared.options.baseline_timeout, waiter).await;
                landed.ok().flatten().ok_or(None)
            }
        }
    }

    async fn evaluate(&self, question: &Question<'_>, input: Option<&[u8]>, lead: Option<Lead>, in_force: &Held) -> Step {
        let lead = if self.evaluating.is_slow(question) {
            lead
        } else {
            match self.evaluating.here(question, input, lead, Instant::now()) {
                Ok(evaluated) => return settled(evaluated, in_force),
                Err(lead) => lead,
            }
        };
        if let Ok(evaluated) = self.evaluating.elsewhere(question, input, lead, &in_force.metrics).await {
            return match settled(evaluated, in_force) {
                // It ended on another thread, and the request has waited since for this one.
                Step::Decided(decision, origin, _) => Step::Decided(decision, origin, None),
                step => step,
            };
        }
        in_force.metrics.shed(Shed::EvaluationQueue);
        Step::Refused(Problem::unavailable("too many requests wait for their evaluation; try again"))
    }

    async fn hand_over(
        &self,
        question: &Question<'_>,
        arm: Arm,
        (opa, cache): (Opa, Cache),
        key: Option<CacheKey>,
        fallback: Option<FallbackReason>,
    ) -> (Reply, RequestResult, Option<Origin>) {
        let (sender, receiver) = oneshot::channel();
        let waiting = Waiting { answer: sender, arm, opa, fallback: fallback.is_some(), is_question: true, key };
        let describe = |id| Job {
            id,
            path: question.asked.path.joined().to_owned(),
            body: question.handed_over(),
            query: String::new(),
            arm,
            opa,
            cache,
            fallback,
            passed: None,
        };
        let Ok(ticket) = self.shared.jobs.submit(waiting, describe) else {
            self.shared.metrics().shed(Shed::BaselineQueue);
            let problem = Problem::unavailable("too many requests wait for a decision; try again");
            return (problem.reply(), RequestResult::Error, None);
        };
        let limit = self.shared.options.baseline_timeout;
        let answered = tokio::time::timeout(limit, receiver).await;
        drop(ticket);
        match answered {
            Ok(Ok(answer)) => {
                let origin = origin_of(&answer, opa);
                from(deliver(answer, fallback.is_some()), origin)
            }
            Ok(Err(_)) => (Problem::internal("the request was given up without an answer").reply(), RequestResult::Error, None),
            Err(_) => (Problem::internal(no_decision(limit)).reply(), RequestResult::Error, None),
        }
    }
}

/// Count an evaluation, and say what comes of it.
fn settled(evaluated: Evaluated, in_force: &Held) -> Step {
    let took = evaluated.took;
    match evaluated.answer {
        Ok((decision, source)) => {
            if let Source::Evaluation { kept_since } = source {
                in_force.tally.evaluation(Arm::Rust, decision.outcome().into(), took);
                if let Some(kept_since) = kept_since {
                    let kept_in = evaluated.ended.saturating_duration_since(kept_since);
                    in_force.tally.cache(Arm::Rust, CacheOperation::Set, CacheResult::Ok, kept_in);
                }
            }
            let origin = if matches!(source, Source::Evaluation { .. }) { Origin::Engine } else { Origin::Cache };
            Step::Decided(decision, origin, Some(evaluated.ended))
        }
        Err(EvaluationError::Input(error)) => {
            Step::Refused(Problem::invalid(format!("body contains malformed input document: {error}")))
        }
        Err(EvaluationError::Failed { kind, .. }) => {
            in_force.metrics.evaluation(Arm::Rust, EvaluationResult::Error, took, kind.as_str());
            fall_back(FallbackReason::Evaluation(kind))
        }
    }
}

/// An answer with where it comes from; what is no decision comes from nowhere.
fn from((reply, result): (Reply, RequestResult), origin: Origin) -> (Reply, RequestResult, Option<Origin>) {
    let origin = if reply.status == status::OK { Some(origin) } else { None };
    (reply, result, origin)
}

/// Who decided a job that `opa` was to evaluate. One that the engine failed at in the embedder's hands was decided by OPA.
fn origin_of(answer: &Answer, opa: Opa) -> Origin {
    match opa {
        _ if answer.was_kept => Origin::Cache,
        Opa::Rust if answer.result != RequestResult::Error => Origin::Engine,
        _ => Origin::Opa,
    }
}

pub(crate) fn decided(decision: &Decision) -> (Reply, RequestResult) {
    (Reply::json(status::OK, decision.body().clone()), decision.outcome().into())
}

pub(crate) fn deliver(answer: Answer, is_fallback: bool) -> (Reply, RequestResult) {
    if !(200..=599).contains(&answer.status) {
        return (Problem::internal("the decision came with an impossible status").reply(), RequestResult::Error);
    }
    // However well baseline answered: the arm that was asked did not.
    let result = if is_fallback { RequestResult::Error } else { answer.result };
    let reply = Reply::json(answer.status, answer.body.into()).with_headers(&answer.headers);
    (reply.with_cache_control(answer.cache_control), result)
}

const fn fall_back(reason: FallbackReason) -> Step {
    Step::HandOver { opa: Opa::Http, cache: Cache::Redis, key: None, fallback: Some(reason) }
}

/// The feature that a fallback gives up: evaluation, unless only the cache has moved.
const fn given_up(in_force: &InForce) -> Feature {
    if in_force.flags.rust_opa { Feature::RustOpa } else { Feature::RustCache }
}

/// Keep a decision in process, for `longest` at most.
pub(crate) fn keep(shared: &Shared, key: CacheKey, decision: &Decision, longest: Duration, metrics: &Metrics) {
    let began = Instant::now();
    if shared.engine.cache().insert_for(key, decision, longest) {
        metrics.cache(Arm::Rust, CacheOperation::Set, CacheResult::Ok, began.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        task::{Context, Poll, Waker},
    };

    use super::*;
    use crate::{
        faults::Faults,
        flags::Flags,
        shared::tests::shared,
        wire::{Arrival, HeadRule, Incoming},
    };

    const BODY: &str = r#"{"input":{"user":"alice"}}"#;

    fn everybody() -> Flags {
        Flags { percentage: 100, rust_opa: true, rust_cache: true, ..Flags::default() }
    }

    fn answering(flags: Flags) -> Answering {
        let shared = Arc::new(shared());
        shared.set_flags(flags).unwrap();
        let lane = shared.engine.lane().unwrap();
        Answering::new(&shared, lane)
    }

    fn text(line: &str, headers: &str, body: &str) -> String {
        format!("{line} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
    }

    /// What `see` makes of a request as it arrived.
    fn with_request<T>(text: &str, see: impl FnOnce(&Request<'_>) -> T) -> T {
        let mut incoming = Incoming::default();
        incoming.buffer().extend_from_slice(text.as_bytes());
        incoming.arrived();
        let rule = HeadRule { max_bytes: 4096, max_body_bytes: 4096, subject: None };
        match incoming.look(&rule) {
            Ok(Arrival::Request(request)) => see(&request),
            other => panic!("{other:?}"),
        }
    }

    /// The answer on the way of all requests; None when it has to be waited for.
    fn usual(answering: &Answering, request: &Request<'_>, outset: Outset) -> Option<Reply> {
        match pin!(answering.answer(request, outset)).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answered) => Some(answered.unwrap_or_else(|problem| problem.reply())),
            Poll::Pending => None,
        }
    }

    fn is_at_once(answering: &Answering, text: &str) -> bool {
        with_request(text, |request| answering.at_once(request).is_ok())
    }

    /// The counters of requests and of the cache that are not zero.
    fn counts(answering: &Answering) -> Vec<String> {
        let text = String::from_utf8(answering.shared.metrics().text(answering.shared.levels()).unwrap()).unwrap();
        let names = [
            "sark_requests_total",
            "sark_request_duration_seconds_count",
            "cache_operation",
            "sark_cache_",
            "feature_flag_assign",
        ];
        let told = text.lines().filter(|line| names.iter().any(|name| line.starts_with(name)));
        told.filter(|line| !line.contains("_bucket") && !line.contains("_sum") && !line.ends_with(" 0"))
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn a_kept_decision_is_answered_at_once_and_counted_as_on_the_way_of_all_others() {
        let question = text("POST /v1/data/a/b", "Content-Type: application/json\r\n", BODY);
        let [quick, slow] = [answering(everybody()), answering(everybody())];
        for time in 0..3 {
            // When: it is asked of the one at once where that is possible, of the other never
            let (reply, expected) = with_request(&question, |request| {
                let reply = quick.at_once(request).map_or_else(|outset| usual(&quick, request, outset), Some);
                (reply, usual(&slow, request, Outset::of(request)))
            });
            // Then
            assert_eq!(expected.as_ref().map(|reply| &*reply.body), Some(b"{\"result\":1}\n".as_slice()));
            assert_eq!(reply, expected, "{time}");
            assert_eq!(counts(&quick), counts(&slow), "{time}");
            assert!(is_at_once(&quick, &question));
            with_request(&question, |request| usual(&slow, request, Outset::of(request)));
        }
        assert!(
            counts(&quick).iter().any(|line| line.starts_with("sark_cache_hits_total") && line.ends_with(" 5")),
            "{:?}",
            counts(&quick)
        );
    }

    #[test]
    fn what_asks_for_more_than_a_kept_decision_is_not_answered_at_once() {
        // Given: a question whose decision is kept
        let answering = answering(everybody());
        let plain = text("POST /v1/data/a/b", "", BODY);
        with_request(&plain, |request| usual(&answering, request, Outset::of(request)));
        assert!(is_at_once(&answering, &plain));
        // Then: whoever asks otherwise takes the other way
        for (line, headers, body) in [
            ("GET /v1/data/a/b", "", BODY),
            ("PUT /v1/data/a/b", "", BODY),
            ("POST /v0/data/a/b", "", BODY),
            ("POST /v1/batch/data/a/b", "", BODY),
            ("POST /v1/database", "", BODY),
            ("POST /v1/data", "", BODY),
            ("POST /v1/data/a/b?pretty", "", BODY),
            ("POST /v1/data/a/b?metrics=true", "", BODY),
            ("POST /v1/data/a/b", "Content-Encoding: gzip\r\n", BODY),
            ("POST /v1/data/a/b", "Content-Type: application/yaml\r\n", BODY),
            ("POST /v1/data/a/b", "", ""),
            ("POST /v1/data/a/b", "", "{}"),
            ("POST /v1/data/a/b", "", r#" {"input":{"user":"alice"}}"#),
            ("POST /v1/data/a/b", "", r#"{"input":{"user":"bob"}}"#),
        ] {
            assert!(!is_at_once(&answering, &text(line, headers, body)), "{line} {headers} {body}");
        }
    }

    #[test]
    fn nothing_is_answered_at_once_while_somebody_else_has_a_part_in_it() {
        let question = text("POST /v1/data/a/b", "", BODY);
        let answering = answering(everybody());
        with_request(&question, |request| usual(&answering, request, Outset::of(request)));
        for flags in [
            Flags { percentage: 0, ..everybody() },
            Flags { percentage: 99, ..everybody() },
            Flags { rust_cache: false, ..everybody() },
            Flags { rust_opa: false, ..everybody() },
            Flags { shadow: 1, ..everybody() },
            Flags { ends: Some(Instant::now()), ..everybody() },
        ] {
            answering.shared.set_flags(flags.clone()).unwrap();
            assert!(!is_at_once(&answering, &question), "{flags:?}");
        }
        answering.shared.set_flags(everybody()).unwrap();
        assert!(is_at_once(&answering, &question));
        answering.shared.faults.set(Faults { latency: Duration::from_millis(1), ..Faults::default() });
        assert!(!is_at_once(&answering, &question));
        answering.shared.faults.set(Faults::default());
        assert!(is_at_once(&answering, &question));
    }
}
