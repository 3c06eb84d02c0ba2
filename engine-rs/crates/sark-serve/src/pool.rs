//! Threads for evaluations that would hold up a serving thread.

use std::{
    collections::VecDeque,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};
use sark_engine::{
    Decision, DecisionPath, Engine, EvaluationError, EvaluationErrorKind, Input, Lane, Lead, PolicyError, Source, contained,
};
use tokio::sync::oneshot;

/// Deep policies recurse deeply.
const STACK_BYTES: usize = 8 << 20;

/// What an evaluation gave, and how long it took without the wait for a thread.
pub(crate) struct Evaluated {
    pub answer: Result<(Decision, Source), EvaluationError>,
    pub took: Duration,
    pub ended: Instant,
}

/// The time of an evaluation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub began: Instant,
    /// Longest it may take.
    pub limit: Duration,
}

/// An evaluation that waits for a thread.
struct Task {
    path: Arc<DecisionPath>,
    input: Option<Bytes>,
    /// Others may wait for this evaluation.
    lead: Option<Lead>,
    answer: oneshot::Sender<Evaluated>,
}

#[derive(Default)]
struct Queue {
    tasks: VecDeque<Task>,
    closed: bool,
}

/// Evaluations that wait, at most `capacity` of them.
pub(crate) struct Pool {
    queue: Mutex<Queue>,
    filled: Condvar,
    capacity: usize,
}

/// As many evaluations wait as may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PoolFull;

impl Pool {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { queue: Mutex::default(), filled: Condvar::new(), capacity }
    }

    /// Start threads. They end after [`Self::close`], an evaluation under way included; nobody waits for them.
    pub(crate) fn start(self: &Arc<Self>, engine: &Arc<Engine>, threads: usize) -> io::Result<()> {
        for number in 0..threads {
            let (pool, engine) = (Arc::clone(self), Arc::clone(engine));
            std::thread::Builder::new()
                .name(format!("sark-evaluate-{number}"))
                .stack_size(STACK_BYTES)
                .spawn(move || pool.work(&engine))?;
        }
        Ok(())
    }

    /// Evaluate `path` as soon as a thread is free. Whoever drops the receiver is no longer waited on.
    pub(crate) fn submit(
        &self,
        path: &Arc<DecisionPath>,
        input: Option<Bytes>,
        lead: Option<Lead>,
    ) -> Result<oneshot::Receiver<Evaluated>, PoolFull> {
        let (answer, receiver) = oneshot::channel();
        let mut queue = self.queue.lock();
        if queue.tasks.len() >= self.capacity {
            // Those whose clients are gone make room.
            queue.tasks.retain(Task::is_wanted);
        }
        if queue.closed || queue.tasks.len() >= self.capacity {
            return Err(PoolFull);
        }
        queue.tasks.push_back(Task { path: Arc::clone(path), input, lead, answer });
        drop(queue);
        self.filled.notify_one();
        Ok(receiver)
    }

    pub(crate) fn queued(&self) -> usize {
        self.queue.lock().tasks.len()
    }

    /// Take nothing more and forget what waits.
    pub(crate) fn close(&self) {
        let mut queue = self.queue.lock();
        queue.closed = true;
        queue.tasks.clear();
        drop(queue);
        self.filled.notify_all();
    }

    fn next(&self) -> Option<Task> {
        let mut queue = self.queue.lock();
        loop {
            if queue.closed {
                return None;
            }
            match queue.tasks.pop_front() {
                Some(task) if task.is_wanted() => return Some(task),
                Some(_) => {}
                None => self.filled.wait(&mut queue),
            }
        }
    }

    fn work(&self, engine: &Engine) {
        // Made with the first task: a sidecar without slow paths needs no evaluators for them.
        let mut lane = None;
        while let Some(task) = self.next() {
            let Task { path, input, mut lead, answer } = task;
            let evaluated = unless_it_panics(|| {
                let mut own = lane.take().map_or_else(|| engine.lane(), Ok)?;
                let span = Span { began: Instant::now(), limit: engine.time_limit() };
                let evaluated = evaluate(engine, &mut own, &mut lead, &path, Input::of(input.as_deref()), span);
                lane = Some(own);
                Ok(evaluated)
            });
            // What failed is nobody's answer: those who wait evaluate for themselves.
            drop(lead);
            // Whoever asked may have gone.
            let _ = answer.send(evaluated);
        }
    }
}

impl Task {
    /// Whether somebody still waits. Who leads may leave, and those behind it ask anew.
    fn is_wanted(&self) -> bool {
        !self.answer.is_closed()
    }
}

/// Evaluate in `lane`, and keep the decision for those who ask the same if there is a `lead`. That stays with an error.
pub(crate) fn evaluate(
    engine: &Engine,
    lane: &mut Lane,
    lead: &mut Option<Lead>,
    path: &DecisionPath,
    input: Input<'_>,
    Span { began, limit }: Span,
) -> Evaluated {
    let answer = if lead.is_some() {
        engine.lead_in(lane, lead, path, input, limit)
    } else {
        engine.evaluate_in(lane, path, input, limit).map(|decision| (decision, Source::Evaluation { kept_since: None }))
    };
    let ended = Instant::now();
    Evaluated { answer, took: ended.saturating_duration_since(began), ended }
}

/// What `work` gives. A thread that a panic ended would be missing for all that follow.
fn unless_it_panics(work: impl FnOnce() -> Result<Evaluated, PolicyError>) -> Evaluated {
    let failed = |error| Evaluated { answer: Err(error), took: Duration::ZERO, ended: Instant::now() };
    match contained(work) {
        Ok(Ok(evaluated)) => evaluated,
        Ok(Err(error)) => failed(no_evaluator(&error)),
        Err(message) => {
            let message = format!("the evaluation panicked: {message}");
            failed(EvaluationError::Failed { kind: EvaluationErrorKind::Panic, message })
        }
    }
}

fn no_evaluator(error: &PolicyError) -> EvaluationError {
    let message = format!("no evaluator could be built: {error}");
    EvaluationError::Failed { kind: EvaluationErrorKind::Evaluation, message }
}

#[cfg(test)]
mod tests {
    use sark_engine::{CacheLimits, EngineOptions, EvaluationLimits, Module, Policies};

    use super::*;

    fn engine() -> Arc<Engine> {
        let modules = vec![Module { name: "p.rego".into(), source: "package p\nv := input.n + 1".into() }];
        let policies = Arc::new(Policies::compile(modules, b"{}").unwrap());
        let limits = CacheLimits { max_entries: 1, max_bytes: 1024, ttl: Duration::from_secs(1) };
        Arc::new(
            Engine::new(
                policies,
                EngineOptions { cache: limits, evaluation: EvaluationLimits::within(Duration::from_secs(5)) },
            )
            .unwrap(),
        )
    }

    fn path() -> Arc<DecisionPath> {
        Arc::new(DecisionPath::parse("p/v").unwrap())
    }

    #[test]
    fn evaluations_are_answered_by_the_threads() {
        let pool = Arc::new(Pool::new(100));
        pool.start(&engine(), 2).unwrap();
        let answers: Vec<_> =
            (0..50).map(|n| pool.submit(&path(), Some(format!("{{\"n\":{n}}}").into()), None).unwrap()).collect();
        for (n, answer) in answers.into_iter().enumerate() {
            let decision = answer.blocking_recv().unwrap().answer.unwrap().0;
            assert_eq!(decision.result(), Some((n + 1).to_string().as_bytes()));
        }
        pool.close();
        assert_eq!(pool.submit(&path(), None, None).err(), Some(PoolFull));
    }

    #[test]
    fn a_panic_ends_one_evaluation_and_no_thread() {
        let evaluated = unless_it_panics(|| panic!("torn"));
        let Err(EvaluationError::Failed { kind, message }) = evaluated.answer else { panic!("answered") };
        assert_eq!((kind, message.as_str()), (EvaluationErrorKind::Panic, "the evaluation panicked: torn"));
    }

    #[test]
    fn a_full_queue_refuses_until_somebody_goes() {
        let pool = Pool::new(2);
        let held = [pool.submit(&path(), None, None).unwrap(), pool.submit(&path(), None, None).unwrap()];
        assert_eq!(pool.submit(&path(), None, None).err(), Some(PoolFull));
        drop(held);
        assert!(pool.submit(&path(), None, None).is_ok());
        assert_eq!(pool.queued(), 1);
    }
}
