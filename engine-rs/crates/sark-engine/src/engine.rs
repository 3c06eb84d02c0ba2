//! Policies that serve, and the cache beside them.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use regorus::Value;

use crate::{
    cache::{Begun, CacheKey, CacheLimits, DecisionCache, Lead, Spelling, Stem},
    decision::Decision,
    document::{Document, Input, Projected, Sight, parse_input},
    error::{EvaluationError, EvaluationErrorKind, PolicyError},
    evaluator::{Evaluator, decision_of},
    lifetimes::Lifetimes,
    limits::EvaluationLimits,
    path::DecisionPath,
    policies::Policies,
    prospects::{Prospect, Prospects},
};

/// Bounds of an engine.
#[derive(Debug, Clone, Copy)]
pub struct EngineOptions {
    /// Bounds of the decision cache.
    pub cache: CacheLimits,
    /// Bounds of one evaluation.
    pub evaluation: EvaluationLimits,
}

/// Decisions about one set of policies at a time. Thread-safe.
#[derive(Debug)]
pub struct Engine {
    serving: ArcSwap<Serving>,
    /// Number of the prospects of what serves; written right after it.
    number: AtomicU64,
    cache: DecisionCache,
    lifetimes: Lifetimes,
    limits: EvaluationLimits,
    lanes: Arc<AtomicUsize>,
    /// Held while policies are replaced: their numbers grow in the order in which they serve.
    replacing: Mutex<()>,
}

/// Where a decision comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// It was evaluated.
    Evaluation {
        /// When keeping the decision began; it has ended. None when it was not to be kept.
        kept_since: Option<Instant>,
    },
    /// Another spelling of the same input was answered before.
    CanonicalInput,
}

/// One set of policies with evaluators that wait for a thread.
#[derive(Debug)]
struct Serving {
    policies: Arc<Policies>,
    prospects: Prospects,
    idle: Mutex<Vec<Evaluator>>,
}

/// What is known of a path under the policies that serve.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    /// Number of the prospects that say so.
    number: u64,
    is_supported: bool,
    stem: Option<Stem>,
}

impl Standing {
    /// Whether the engine answers; what it was found not to at load, OPA does.
    pub const fn is_supported(&self) -> bool {
        self.is_supported
    }

    /// Key of a question about the path; None when its answer must not be kept.
    pub fn cache_key<'s>(&self, spelling: impl Into<Spelling<'s>>) -> Option<CacheKey> {
        Some(self.stem.as_ref()?.key(spelling.into()))
    }
}

/// A serving thread's own evaluator. It follows the engine's policies by itself.
#[derive(Debug)]
pub struct Lane {
    current: Option<(Arc<Serving>, Evaluator)>,
    lanes: Arc<AtomicUsize>,
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.lanes.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Engine {
    /// An engine that serves `policies`.
    pub fn new(policies: Arc<Policies>, options: EngineOptions) -> Result<Self, PolicyError> {
        let cache = DecisionCache::new(options.cache)
            .map_err(|error| PolicyError(format!("no randomness for the cache's hash key: {error}")))?;
        let serving = Serving::warmed(policies, Prospects::new(0, *cache.keys(), Vec::new()), 1, options.evaluation)?;
        Ok(Self {
            number: AtomicU64::new(serving.prospects.number()),
            serving: ArcSwap::from_pointee(serving),
            cache,
            lifetimes: Lifetimes::default(),
            limits: options.evaluation,
            lanes: Arc::default(),
            replacing: Mutex::default(),
        })
    }

    /// Keep decisions no longer than `lifetimes` says for their class.
    #[must_use]
    pub fn with_lifetimes(self, lifetimes: Lifetimes) -> Self {
        let before = self.serving.load_full();
        // What inputs are read for changes: nothing that is known of a path stays.
        let prospects = Prospects::new(before.prospects.generation(), *self.cache.keys(), lifetimes.input_paths());
        self.number.store(prospects.number(), Ordering::Release);
        let idle = Mutex::new(std::mem::take(&mut *before.idle.lock()));
        self.serving.store(Arc::new(Serving { policies: Arc::clone(&before.policies), prospects, idle }));
        Self { lifetimes, ..self }
    }

    /// How long decisions are kept, by their class.
    pub const fn lifetimes(&self) -> &Lifetimes {
        &self.lifetimes
    }

    /// The policies that serve now.
    pub fn policies(&self) -> Arc<Policies> {
        Arc::clone(&self.serving.load().policies)
    }

    /// What is known of `path`. Remembered for paths asked again.
    pub fn standing(&self, path: &DecisionPath) -> Standing {
        self.prospect(path, |prospect| Standing {
            number: prospect.number(),
            is_supported: prospect.is_supported(),
            stem: prospect.stem().copied(),
        })
    }

    /// Whether the policies that serve now are those that `standing` was found out under.
    pub fn is_current(&self, standing: &Standing) -> bool {
        standing.number == self.number.load(Ordering::Acquire)
    }

    /// What is known of `path` under the policies that serve now, shown to `see`. What the path remembers is asked first, for that
    /// costs less than to hold what serves.
    fn prospect<T>(&self, path: &DecisionPath, see: impl FnOnce(&Prospect) -> T) -> T {
        if let Some(prospect) = path.remembered().load().as_deref()
            && prospect.is_of(self.number.load(Ordering::Acquire))
        {
            return see(prospect);
        }
        let serving = self.serving.load();
        serving.prospects.of(path, &serving.policies, see)
    }

    /// Where the input stands in `body`, and what is to be read of it for who leads a question about `path`, found in one pass over
    /// a body that is nothing but `{"input": ...}`. None of any other body, and when something is wrong: then
    /// [`crate::document::input_in`] has the say.
    pub fn read_plain_body(&self, path: &DecisionPath, body: &[u8]) -> Option<(Range<usize>, Projected)> {
        self.prospect(path, |prospect| Input::in_plain_body(body, prospect.view_to_keep(body.len())))
    }

    /// The decision cache.
    pub const fn cache(&self) -> &DecisionCache {
        &self.cache
    }

    /// A place for one serving thread; its evaluator is warmed here.
    pub fn lane(&self) -> Result<Lane, PolicyError> {
        self.lanes.fetch_add(1, Ordering::Relaxed);
        let mut lane = Lane { current: None, lanes: Arc::clone(&self.lanes) };
        self.follow(&mut lane)?;
        Ok(lane)
    }

    /// Serve `policies` from the next evaluation on. Every serving thread's evaluator is warmed before the first one switches.
    ///
    /// Kept decisions of paths for which nothing changed stay; no other one is answered any more.
    pub fn replace_policies(&self, policies: Arc<Policies>) -> Result<(), PolicyError> {
        let _in_order = self.replacing.lock();
        let before = self.serving.load_full();
        let wanted = self.lanes.load(Ordering::Relaxed) + 1;
        let prospects = Prospects::new(before.prospects.generation() + 1, *self.cache.keys(), self.lifetimes.input_paths());
        let serving = Serving::warmed(policies, prospects, wanted, self.limits)?;
        let unchanged = serving.prospects.take_over(&before.prospects, &serving.policies);
        self.cache.advance(serving.prospects.generation());
        let number = serving.prospects.number();
        self.serving.store(Arc::new(serving));
        self.number.store(number, Ordering::Release);
        self.cache.retain(&unchanged);
        Ok(())
    }

    /// Key of a question under the policies that serve now; None when its answer must not be kept.
    pub fn cache_key<'s>(&self, path: &DecisionPath, spelling: impl Into<Spelling<'s>>) -> Option<CacheKey> {
        self.prospect(path, |prospect| Some(prospect.stem()?.key(spelling.into())))
    }

    /// Evaluate `path` on a waiting evaluator.
    pub fn evaluate(&self, path: &DecisionPath, input: Option<&[u8]>) -> Result<Decision, EvaluationError> {
        let serving = self.serving.load_full();
        self.evaluate_with(&serving, path, input)
    }

    /// As [`Self::evaluate`], answered from the cache when possible, and evaluated once when many threads ask the same.
    pub fn decide(&self, path: &DecisionPath, input: Option<&[u8]>) -> Result<Decision, EvaluationError> {
        match self.cache_key(path, input) {
            Some(key) => self.finish(self.cache.begin(key), path, input),
            None => self.evaluate(path, input),
        }
    }

    /// As [`Self::decide`], for an input that has no text. It shares decisions with all texts of the same value.
    pub fn decide_value(&self, path: &DecisionPath, input: Document) -> Result<Decision, EvaluationError> {
        let serving = self.serving.load_full();
        let key = serving.prospects.of(path, &serving.policies, |prospect| prospect.stem()?.object_key(&input));
        let evaluate = |input: Document| {
            self.with_evaluator(&serving, |evaluator| {
                serving.prospects.of(path, &serving.policies, |prospect| serving.refuse_unsupported(prospect, path))?;
                evaluator.evaluate(path.segments(), input.into())
            })
        };
        match key.map(|key| self.cache.begin(key)) {
            Some(Begun::Hit(decision)) => Ok(decision),
            Some(Begun::Wait(waiter)) => waiter.wait(self.limits.time).map_or_else(|| evaluate(input), Ok),
            Some(Begun::Lead(lead)) => {
                let (input, lead) = (Input::of_value(input), &mut Some(lead));
                let answer = self.with_evaluator(&serving, |evaluator| self.lead(&serving, evaluator, lead, path, input));
                answer.map(|(decision, _)| decision)
            }
            None => evaluate(input),
        }
    }

    /// What [`Self::decide`] does once the cache has said who answers: waits, or evaluates.
    pub fn finish(&self, begun: Begun, path: &DecisionPath, input: Option<&[u8]>) -> Result<Decision, EvaluationError> {
        match begun {
            Begun::Hit(decision) => Ok(decision),
            Begun::Wait(waiter) => waiter.wait(self.limits.time).map_or_else(|| self.evaluate(path, input), Ok),
            Begun::Lead(lead) => {
                let serving = self.serving.load_full();
                let mut evaluator = serving.take(self.limits).map_err(|error| rebuild_failed(&error))?;
                let (input, lead) = (Input::of(input), &mut Some(lead));
                let answer = evaluator.contained(|evaluator| self.lead(&serving, evaluator, lead, path, input));
                serving.give_back(evaluator);
                answer.map(|(decision, _)| decision)
            }
        }
    }

    /// As [`Self::evaluate_in`] for who leads a question of the cache: looks up the input's canonical form before it
    /// evaluates, and keeps the decision. The lead is taken once there is one: with an error it stays, for who goes on with it
    /// elsewhere while the others wait.
    pub fn lead_in(
        &self,
        lane: &mut Lane,
        lead: &mut Option<Lead>,
        path: &DecisionPath,
        input: Input<'_>,
        limit: Duration,
    ) -> Result<(Decision, Source), EvaluationError> {
        self.in_lane(lane, limit, |serving, evaluator| self.lead(serving, evaluator, lead, path, input))
    }

    /// For who leads a question that is evaluated elsewhere: the decision of another spelling of the same input, or the lead
    /// back. An input that cannot be read is nobody's other spelling.
    pub fn find_other_spelling(&self, lead: Lead, path: &DecisionPath, input: Option<&[u8]>) -> Result<Decision, Lead> {
        let serving = self.serving.load();
        match parse_input(input) {
            Ok(input) => {
                serving.prospects.of(path, &serving.policies, |prospect| serving.find_canonical(prospect, lead, &input))
            }
            Err(_) => Err(lead),
        }
    }

    fn lead(
        &self,
        serving: &Serving,
        evaluator: &mut Evaluator,
        lead: &mut Option<Lead>,
        path: &DecisionPath,
        input: Input<'_>,
    ) -> Result<(Decision, Source), EvaluationError> {
        serving.prospects.of(path, &serving.policies, |prospect| {
            serving.refuse_unsupported(prospect, path)?;
            let length = input.length();
            let input = input.read(prospect.view_to_keep(length))?;
            if let Sight::Whole(document) = &input
                && prospect.is_worth_a_look(length)
                && let Some(taken) = lead.take()
            {
                match serving.find_canonical(prospect, taken, document) {
                    Ok(decision) => return Ok((decision, Source::CanonicalInput)),
                    Err(back) => *lead = Some(back),
                }
            }
            self.lead_with(prospect, evaluator, lead, path, input)
        })
    }

    /// Evaluate for all who ask, and keep the decision.
    fn lead_with(
        &self,
        prospect: &Prospect,
        evaluator: &mut Evaluator,
        lead: &mut Option<Lead>,
        path: &DecisionPath,
        input: Sight<'_>,
    ) -> Result<(Decision, Source), EvaluationError> {
        let by_input = self.lifetimes.of_input(&input);
        let began = Instant::now();
        let result = evaluator.evaluate_value(path.segments(), input, began)?;
        let decision = decision_of(&result)?;
        let longest = by_input.min(self.lifetimes.of_result(&result));
        let keeping = Instant::now();
        prospect.took(keeping.saturating_duration_since(began));
        let kept = lead.take().map(|lead| lead.complete_for(&decision, longest, keeping));
        Ok((decision, Source::Evaluation { kept_since: kept.filter(|()| !longest.is_zero()).map(|()| keeping) }))
    }

    /// Longest an evaluation may run.
    pub const fn time_limit(&self) -> Duration {
        self.limits.time
    }

    /// Evaluate `path` on the lane's own evaluator, which follows the policies that serve now. It is stopped after `limit`, or
    /// after the engine's own limit where that is shorter.
    pub fn evaluate_in(
        &self,
        lane: &mut Lane,
        path: &DecisionPath,
        input: Input<'_>,
        limit: Duration,
    ) -> Result<Decision, EvaluationError> {
        self.in_lane(lane, limit, |serving, evaluator| serving.answer(evaluator, path, input))
    }

    fn in_lane<T>(
        &self,
        lane: &mut Lane,
        limit: Duration,
        work: impl FnOnce(&Serving, &mut Evaluator) -> Result<T, EvaluationError>,
    ) -> Result<T, EvaluationError> {
        self.follow(lane).map_err(|error| rebuild_failed(&error))?;
        let Some((serving, evaluator)) = lane.current.as_mut() else {
            return Err(EvaluationError::failed(EvaluationErrorKind::Evaluation, "this thread has no evaluator"));
        };
        evaluator.set_limits(EvaluationLimits { time: limit.min(self.limits.time), ..self.limits });
        let done = evaluator.contained(|evaluator| work(serving, evaluator));
        if !evaluator.is_sound() {
            lane.current = None;
        }
        done
    }

    /// As [`Self::evaluate`], on a document instead of its text; no decision is [`Value::Undefined`].
    pub fn evaluate_value(&self, path: &DecisionPath, input: Document) -> Result<Value, EvaluationError> {
        let serving = self.serving.load_full();
        self.with_evaluator(&serving, |evaluator| {
            serving.prospects.of(path, &serving.policies, |prospect| serving.refuse_unsupported(prospect, path))?;
            evaluator.evaluate_value(path.segments(), input.into(), Instant::now())
        })
    }

    fn evaluate_with(&self, serving: &Serving, path: &DecisionPath, input: Option<&[u8]>) -> Result<Decision, EvaluationError> {
        self.with_evaluator(serving, |evaluator| serving.answer(evaluator, path, Input::of(input)))
    }

    fn with_evaluator<T>(
        &self,
        serving: &Serving,
        work: impl FnOnce(&mut Evaluator) -> Result<T, EvaluationError>,
    ) -> Result<T, EvaluationError> {
        let mut evaluator = serving.take(self.limits).map_err(|error| rebuild_failed(&error))?;
        let answer = evaluator.contained(work);
        serving.give_back(evaluator);
        answer
    }

    fn follow(&self, lane: &mut Lane) -> Result<(), PolicyError> {
        let serving = self.serving.load();
        if lane.current.as_ref().is_some_and(|(current, _)| Arc::ptr_eq(current, &serving)) {
            return Ok(());
        }
        let evaluator = serving.take(self.limits)?;
        lane.current = Some((Arc::clone(&serving), evaluator));
        Ok(())
    }
}

impl Serving {
    fn warmed(
        policies: Arc<Policies>,
        prospects: Prospects,
        count: usize,
        limits: EvaluationLimits,
    ) -> Result<Self, PolicyError> {
        let serving = Self { policies, prospects, idle: Mutex::default() };
        let evaluators: Result<Vec<_>, _> = (0..count).map(|_| serving.take(limits)).collect();
        *serving.idle.lock() = evaluators?;
        Ok(serving)
    }

    fn take(&self, limits: EvaluationLimits) -> Result<Evaluator, PolicyError> {
        if let Some(evaluator) = self.idle.lock().pop() {
            return Ok(evaluator);
        }
        let mut evaluator = self.policies.evaluator()?;
        evaluator.set_limits(limits);
        Ok(evaluator)
    }

    fn answer(&self, evaluator: &mut Evaluator, path: &DecisionPath, input: Input<'_>) -> Result<Decision, EvaluationError> {
        self.prospects.of(path, &self.policies, |prospect| {
            self.refuse_unsupported(prospect, path)?;
            evaluator.evaluate(path.segments(), input.read(prospect.view())?)
        })
    }

    fn refuse_unsupported(&self, prospect: &Prospect, path: &DecisionPath) -> Result<(), EvaluationError> {
        if prospect.is_supported() { Ok(()) } else { Err(unsupported(&self.policies, path)) }
    }

    /// The decision of another spelling of `input`, or the lead back.
    fn find_canonical(&self, prospect: &Prospect, lead: Lead, input: &Document) -> Result<Decision, Lead> {
        // Under other policies than it was asked under, the question may mean something else.
        if self.prospects.generation() != lead.generation() {
            return Err(lead);
        }
        match prospect.stem().and_then(|stem| stem.canonical_key(input)) {
            Some(key) => lead.complete_from_canonical(key),
            None => Err(lead),
        }
    }

    fn give_back(&self, evaluator: Evaluator) {
        if evaluator.is_sound() {
            self.idle.lock().push(evaluator);
        }
    }
}

fn unsupported(policies: &Policies, path: &DecisionPath) -> EvaluationError {
    let mut reasons = policies.left_to_opa(path);
    let missing = policies.missing_builtins(path).join(", ");
    if !missing.is_empty() {
        reasons.push(format!("builtins that the engine does not have: {missing}"));
    }
    let message = format!("data/{} reaches {}", path.joined(), reasons.join("; "));
    EvaluationError::failed(EvaluationErrorKind::UnsupportedBuiltin, message)
}

fn rebuild_failed(error: &PolicyError) -> EvaluationError {
    EvaluationError::failed(EvaluationErrorKind::Evaluation, format!("no evaluator could be built: {error}"))
}
