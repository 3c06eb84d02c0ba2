//! What all threads of a server share.

use std::{
    io,
    sync::{Arc, OnceLock, atomic::AtomicUsize},
    time::{Duration, Instant},
};

use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;
use rustls::ServerConfig;
use sark_engine::Engine;

use crate::{
    arms::Arm,
    bodies::Bodies,
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
    /// Held by whoever changes what is in force.
    changing: Mutex<()>,
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
    pub bodies: Arc<Bodies>,
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
            bodies: Bodies::of(options.max_body_bytes),
            engine,
            options,
            in_force: Arc::new(ArcSwap::from_pointee(InForce { flags, metrics: Arc::new(metrics) })),
            changing: Mutex::new(()),
            pool,
            faults: FaultInjector::default(),
            connections: AtomicUsize::new(0),
        })
    }

    /// Apply `flags` to the next request.
    pub(crate) fn set_flags(&self, flags: Flags) -> io::Result<()> {
        let _changing = self.changing.lock();
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

    /// What is in force at `now`.
    pub(crate) fn in_force_at(&self, now: Instant) -> Guard<Arc<InForce>> {
        let in_force = self.in_force.load();
        if !in_force.flags.are_over(now) {
            return in_force;
        }
        self.end_validity(now);
        self.in_force.load()
    }

    /// Go to baseline when what is in force is over at `now`, which needs nobody's word: whoever gives it may hang.
    pub(crate) fn end_validity(&self, now: Instant) {
        let _changing = self.changing.lock();
        let before = self.in_force.load();
        // Another may have ended it, or other flags may have come.
        if before.flags.are_over(now) {
            let flags = before.flags.past_validity();
            before.metrics.show_flags(&flags);
            self.in_force.store(Arc::new(InForce { flags, metrics: Arc::clone(&before.metrics) }));
        }
    }

    /// Whether under these flags a kept decision is all that a question of the new arm needs: nobody else looks at it.
    pub(crate) fn may_answer_alone(&self, flags: &Flags) -> bool {
        flags.rust_opa && flags.rust_cache && self.log.get().is_none() && !self.faults.are_on()
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

#[cfg(test)]
pub(crate) mod tests {
    use sark_engine::{CacheLimits, EngineOptions, EvaluationLimits, Module, Policies};

    use super::*;
    use crate::{shadow::ShadowLimits, subject::SubjectRule};

    const PATIENCE: Duration = Duration::from_secs(60);

    /// What threads share that serve one policy: `data.a.b` is 1.
    pub(crate) fn shared() -> Shared {
        let modules = vec![Module { name: "a.rego".into(), source: "package a\nb := 1".into() }];
        let policies = Arc::new(Policies::compile(modules, b"{}").unwrap());
        let cache = CacheLimits { max_entries: 10, max_bytes: 1 << 20, ttl: PATIENCE };
        let engine = Engine::new(policies, EngineOptions { cache, evaluation: EvaluationLimits::within(PATIENCE) }).unwrap();
        let options = ServerOptions {
            address: None,
            unix: None,
            in_process: true,
            workers: 1,
            max_body_bytes: 1024,
            max_header_bytes: 1024,
            idle_timeout: PATIENCE,
            header_timeout: PATIENCE,
            body_timeout: PATIENCE,
            write_timeout: PATIENCE,
            max_connections: 1,
            baseline_queue: 1,
            baseline_timeout: PATIENCE,
            inline_evaluation: PATIENCE,
            evaluation_threads: 1,
            evaluation_queue: 1,
            writes: false,
            subject: SubjectRule::new(None, ["/user"]).unwrap(),
            shadow: ShadowLimits::default(),
        };
        Shared::new(Arc::new(engine), options).unwrap()
    }

    fn half(revision: u64, ends: Option<Instant>) -> Flags {
        Flags { rollout: "shop/gateway".into(), revision, percentage: 50, rust_opa: true, ends, ..Flags::default() }
    }

    #[test]
    fn past_the_end_nobody_is_in_the_new_arm_and_other_flags_are_not_ended_with_those_before() {
        // Given flags that are over at `later`
        let shared = shared();
        let now = Instant::now();
        let later = now + Duration::from_secs(1);
        shared.set_flags(half(1, Some(now))).unwrap();
        assert_eq!(shared.in_force_at(now).flags.percentage, 50);

        // When others come before anybody notices, then those stay
        shared.set_flags(half(2, None)).unwrap();
        shared.end_validity(later);
        assert_eq!(shared.in_force_at(later).flags, half(2, None));

        // And else everybody is on baseline, with the metrics of before
        shared.set_flags(half(3, Some(now))).unwrap();
        let metrics = shared.metrics();
        let after = shared.in_force_at(later);
        assert_eq!((after.flags.revision, after.flags.everybodys_arm()), (3, Some(Arm::Python)));
        assert!(Arc::ptr_eq(&after.metrics, &metrics));
    }
}
