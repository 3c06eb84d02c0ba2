//! What all threads of a server share.

use std::{
    io,
    sync::{Arc, OnceLock, atomic::AtomicUsize},
    time::Duration,
};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use sark_engine::Engine;

use crate::{
    arms::Arm,
    events::EvaluationResult,
    faults::FaultInjector,
    flags::Flags,
    jobs::Jobs,
    logged::DecisionLog,
    metrics::{GaugeValues, Levels, Metrics},
    options::ServerOptions,
    pool::Pool,
    question::Question,
    reply::Problem,
    shadow::Shadow,
    tokens::Tokens,
};

/// The flags in force and the metrics that count under them; they change together.
pub(crate) struct InForce {
    pub flags: Flags,
    pub metrics: Arc<Metrics>,
}

pub(crate) struct Shared {
    pub engine: Arc<Engine>,
    pub options: ServerOptions,
    pub in_force: Arc<ArcSwap<InForce>>,
    pub jobs: Arc<Jobs>,
    pub pool: Arc<Pool>,
    pub faults: FaultInjector,
    pub shadow: Shadow,
    /// Set before the server starts, or not at all.
    pub log: OnceLock<DecisionLog>,
    /// TLS of new connections to the address; set before the server starts, or there is none.
    pub tls: OnceLock<ArcSwap<ServerConfig>>,
    /// Tokens that requests must show; set before the server starts, or none need be shown.
    pub tokens: OnceLock<ArcSwap<Tokens>>,
    pub connections: AtomicUsize,
}

impl Shared {
    pub(crate) fn new(engine: Arc<Engine>, options: ServerOptions) -> io::Result<Self> {
        let flags = Flags::default();
        let metrics = Metrics::new(&flags.rollout, &GaugeValues::new(), engine.cache().stats()).map_err(io::Error::other)?;
        metrics.show_flags(&flags);
        let pool = Arc::new(Pool::new(options.evaluation_queue));
        Ok(Self {
            jobs: Arc::new(Jobs::new(options.baseline_queue)?),
            shadow: Shadow::new(options.shadow),
            log: OnceLock::new(),
            tls: OnceLock::new(),
            tokens: OnceLock::new(),
            engine,
            options,
            in_force: Arc::new(ArcSwap::from_pointee(InForce { flags, metrics: Arc::new(metrics) })),
            pool,
            faults: FaultInjector::default(),
            connections: AtomicUsize::new(0),
        })
    }

    /// Apply `flags` to the next request.
    pub(crate) fn set_flags(&self, flags: Flags) -> io::Result<()> {
        let before = self.in_force.load_full();
        let metrics = if before.flags.rollout == flags.rollout {
            Arc::clone(&before.metrics)
        } else {
            let fresh = Metrics::new(&flags.rollout, &before.metrics.own().gauge_values(), self.engine.cache().stats())
                .map_err(io::Error::other)?;
            fresh.own().begin_counters_of(before.metrics.own());
            Arc::new(fresh)
        };
        metrics.show_flags(&flags);
        self.in_force.store(Arc::new(InForce { flags, metrics }));
        Ok(())
    }

    /// The arm of a question's subject. Err: it turned out to be none.
    pub(crate) fn arm(&self, question: &Question<'_>, in_force: &InForce) -> Result<Arm, Problem> {
        if let Some(arm) = in_force.flags.everybodys_arm() {
            return Ok(arm);
        }
        let path = question.asked.path.joined();
        Ok(in_force.flags.arm(&self.options.subject.find(question.subject, question.input()?, path)))
    }

    pub(crate) fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.in_force.load().metrics)
    }

    pub(crate) fn levels(&self) -> Levels {
        Levels {
            cache: self.engine.cache().stats(),
            queued_jobs: self.jobs.queued(),
            queued_evaluations: self.pool.queued(),
            policies_bytes: self.engine.policies().memory_bytes(),
            connections: self.connections.load(std::sync::atomic::Ordering::Relaxed),
        }
    }

    pub(crate) fn record_evaluation(&self, arm: Arm, result: EvaluationResult, took: Duration, error_type: &str) {
        self.metrics().evaluation(arm, result, took, error_type);
    }
}
