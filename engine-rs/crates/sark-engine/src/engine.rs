//! Policies that serve, and the cache beside them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::{
    cache::{CacheKey, CacheLimits, DecisionCache},
    decision::Decision,
    document::parse_input,
    error::{EvaluationError, EvaluationErrorKind, PolicyError},
    evaluator::Evaluator,
    path::DecisionPath,
    policies::Policies,
};

/// Bounds of an engine.
#[derive(Debug, Clone, Copy)]
pub struct EngineOptions {
    /// Bounds of the decision cache.
    pub cache: CacheLimits,
    /// Longest an evaluation may run.
    pub evaluation_timeout: Duration,
}

/// Decisions about one set of policies at a time. Thread-safe.
#[derive(Debug)]
pub struct Engine {
    serving: ArcSwap<Serving>,
    cache: DecisionCache,
    time_limit: Duration,
    lanes: Arc<AtomicUsize>,
}

/// One set of policies with evaluators that wait for a thread.
#[derive(Debug)]
struct Serving {
    policies: Arc<Policies>,
    idle: Mutex<Vec<Evaluator>>,
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
        let serving = Serving::warmed(policies, 1, options.evaluation_timeout)?;
        Ok(Self {
            serving: ArcSwap::from_pointee(serving),
            cache,
            time_limit: options.evaluation_timeout,
            lanes: Arc::default(),
        })
    }

    /// The policies that serve now.
    pub fn policies(&self) -> Arc<Policies> {
        Arc::clone(&self.serving.load().policies)
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
    pub fn replace_policies(&self, policies: Arc<Policies>) -> Result<(), PolicyError> {
        let wanted = self.lanes.load(Ordering::Relaxed) + 1;
        let serving = Serving::warmed(policies, wanted, self.time_limit)?;
        self.serving.store(Arc::new(serving));
        // Entries of other revisions can never be asked for again.
        self.cache.clear();
        Ok(())
    }

    /// Key of a question under the policies that serve now; None when its answer must not be kept.
    pub fn cache_key(&self, path: &DecisionPath, joined: &str, input: Option<&[u8]>) -> Option<CacheKey> {
        let serving = self.serving.load();
        serving.policies.is_cacheable(path).then(|| self.cache.key(serving.policies.revision(), joined, input))
    }

    /// Evaluate `path` on a waiting evaluator.
    pub fn evaluate(&self, path: &DecisionPath, input: Option<&[u8]>) -> Result<Decision, EvaluationError> {
        let serving = self.serving.load_full();
        self.evaluate_with(&serving, path, input)
    }

    /// As [`Self::evaluate`], answered from the cache when possible.
    pub fn decide(&self, path: &DecisionPath, input: Option<&[u8]>) -> Result<Decision, EvaluationError> {
        let serving = self.serving.load_full();
        if !serving.policies.is_cacheable(path) {
            return self.evaluate_with(&serving, path, input);
        }
        let key = self.cache.key(serving.policies.revision(), &path.joined(), input);
        if let Some(decision) = self.cache.get(&key) {
            return Ok(decision);
        }
        let decision = self.evaluate_with(&serving, path, input)?;
        self.cache.insert(key, decision.clone());
        Ok(decision)
    }

    /// Longest an evaluation may run.
    pub const fn time_limit(&self) -> Duration {
        self.time_limit
    }

    /// Evaluate `path` on the lane's own evaluator, which follows the policies that serve now. It is stopped after `limit`, or
    /// after the engine's own limit where that is shorter.
    pub fn evaluate_in(
        &self,
        lane: &mut Lane,
        path: &DecisionPath,
        input: Option<&[u8]>,
        limit: Duration,
    ) -> Result<Decision, EvaluationError> {
        self.follow(lane).map_err(|error| rebuild_failed(&error))?;
        let Some((serving, evaluator)) = lane.current.as_mut() else {
            return Err(EvaluationError::failed(EvaluationErrorKind::Evaluation, "this thread has no evaluator"));
        };
        evaluator.set_time_limit(limit.min(self.time_limit));
        let answer = answer(&serving.policies, evaluator, path, input);
        if !evaluator.is_sound() {
            lane.current = None;
        }
        answer
    }

    fn evaluate_with(&self, serving: &Serving, path: &DecisionPath, input: Option<&[u8]>) -> Result<Decision, EvaluationError> {
        let mut evaluator = serving.take(self.time_limit).map_err(|error| rebuild_failed(&error))?;
        let answer = answer(&serving.policies, &mut evaluator, path, input);
        if evaluator.is_sound() {
            serving.idle.lock().push(evaluator);
        }
        answer
    }

    fn follow(&self, lane: &mut Lane) -> Result<(), PolicyError> {
        let serving = self.serving.load();
        if lane.current.as_ref().is_some_and(|(current, _)| Arc::ptr_eq(current, &serving)) {
            return Ok(());
        }
        let evaluator = serving.take(self.time_limit)?;
        lane.current = Some((Arc::clone(&serving), evaluator));
        Ok(())
    }
}

impl Serving {
    fn warmed(policies: Arc<Policies>, count: usize, time_limit: Duration) -> Result<Self, PolicyError> {
        let serving = Self { policies, idle: Mutex::default() };
        let evaluators: Result<Vec<_>, _> = (0..count).map(|_| serving.take(time_limit)).collect();
        *serving.idle.lock() = evaluators?;
        Ok(serving)
    }

    fn take(&self, time_limit: Duration) -> Result<Evaluator, PolicyError> {
        if let Some(evaluator) = self.idle.lock().pop() {
            return Ok(evaluator);
        }
        let mut evaluator = self.policies.evaluator()?;
        evaluator.set_time_limit(time_limit);
        Ok(evaluator)
    }
}

fn answer(
    policies: &Policies,
    evaluator: &mut Evaluator,
    path: &DecisionPath,
    input: Option<&[u8]>,
) -> Result<Decision, EvaluationError> {
    if !policies.is_supported(path) {
        let missing = policies.missing_builtins(path).join(", ");
        let message = format!("data/{} reaches builtins that the engine does not have: {missing}", path.joined());
        return Err(EvaluationError::failed(EvaluationErrorKind::UnsupportedBuiltin, message));
    }
    let input = parse_input(input)?;
    evaluator.evaluate(policies.plan(path), input)
}

fn rebuild_failed(error: &PolicyError) -> EvaluationError {
    EvaluationError::failed(EvaluationErrorKind::Evaluation, format!("no evaluator could be built: {error}"))
}
