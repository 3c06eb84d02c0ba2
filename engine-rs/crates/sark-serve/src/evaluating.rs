//! Evaluations for one serving thread: on it while they are short, on the pool's threads when they are not.

use std::{
    cell::RefCell,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use sark_engine::{EvaluationError, EvaluationErrorKind, Lane, Lead};

use crate::{
    metrics::Metrics,
    pool::{Evaluated, PoolFull, Span, evaluate},
    question::Question,
    shared::Shared,
};

/// Evaluates what one thread is asked.
pub(crate) struct Evaluating {
    shared: Arc<Shared>,
    /// Never borrowed across an await: one request at a time evaluates on a thread.
    lane: RefCell<Lane>,
}

impl Evaluating {
    pub(crate) fn new(shared: &Arc<Shared>, lane: Lane) -> Self {
        Self { shared: Arc::clone(shared), lane: RefCell::new(lane) }
    }

    /// Whether evaluations of this path take longer than others may have to wait for them.
    pub(crate) fn is_slow(&self, question: &Question<'_>) -> bool {
        question.asked.pace.is_slower_than(self.shared.options.inline_evaluation)
    }

    /// Evaluate on this thread. Err when that would have taken so long that it was stopped, with the lead for who evaluates
    /// elsewhere.
    pub(crate) fn here(
        &self,
        question: &Question<'_>,
        input: Option<&[u8]>,
        mut lead: Option<Lead>,
        began: Instant,
    ) -> Result<Evaluated, Option<Lead>> {
        let (engine, asked) = (&self.shared.engine, &question.asked);
        let limit = self.shared.options.inline_evaluation;
        let (lane, input) = (&mut self.lane.borrow_mut(), question.to_evaluate(input));
        let evaluated = evaluate(engine, lane, &mut lead, &asked.path, input, Span { began, limit });
        let stopped = matches!(evaluated.answer, Err(EvaluationError::Failed { kind: EvaluationErrorKind::Timeout, .. }));
        if stopped && limit < engine.time_limit() {
            asked.pace.exceeded(limit);
            return Err(lead);
        }
        asked.pace.took(evaluated.took);
        Ok(evaluated)
    }

    /// Evaluate on a thread of the pool, within the engine's own limit.
    pub(crate) async fn elsewhere(
        &self,
        question: &Question<'_>,
        input: Option<&[u8]>,
        lead: Option<Lead>,
        metrics: &Metrics,
    ) -> Result<Evaluated, PoolFull> {
        let asked = &question.asked;
        let waiting = self.shared.pool.submit(&asked.path, input.map(Bytes::copy_from_slice), lead)?;
        metrics.moved();
        let began = Instant::now();
        // As long as for baseline's answer in the queue, and then its own time.
        let limit = self.shared.options.baseline_timeout.saturating_add(self.shared.engine.time_limit());
        match tokio::time::timeout(limit, waiting).await {
            Ok(Ok(evaluated)) => {
                asked.pace.took(evaluated.took);
                Ok(evaluated)
            }
            // Dropped unanswered: the pool was closed.
            Ok(Err(_)) => Err(PoolFull),
            Err(_) => {
                let kind = EvaluationErrorKind::Timeout;
                let answer = Err(EvaluationError::Failed { kind, message: no_decision(limit) });
                let ended = Instant::now();
                Ok(Evaluated { answer, took: ended.saturating_duration_since(began), ended })
            }
        }
    }
}

pub(crate) fn no_decision(limit: Duration) -> String {
    format!("no decision within {} s", limit.as_secs_f64())
}
