//! Requests turned away so that the others are answered: 503, and neither a decision nor a failure of one.

use prometheus::{Error, IntCounter, IntCounterVec, Opts, Registry};

/// Why a request was turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shed {
    /// Too many wait for baseline.
    BaselineQueue,
    /// Too many wait for an evaluation thread.
    EvaluationQueue,
    /// Baseline was not asked, because it has failed again and again.
    Breaker,
}

impl Shed {
    const ALL: [Self; 3] = [Self::BaselineQueue, Self::EvaluationQueue, Self::Breaker];

    const fn as_str(self) -> &'static str {
        match self {
            Self::BaselineQueue => "baseline_queue",
            Self::EvaluationQueue => "evaluation_queue",
            Self::Breaker => "breaker",
        }
    }
}

/// Counts them.
pub(super) struct ShedCounters(Vec<(Shed, IntCounter)>);

impl ShedCounters {
    pub(super) fn register(registry: &Registry) -> Result<Self, Error> {
        let help = "Requests answered 503 because too many wait, or because OPA has failed; an error of their arm as well.";
        let family = IntCounterVec::new(Opts::new("sark_requests_shed_total", help), &["reason"])?;
        registry.register(Box::new(family.clone()))?;
        let counter = |reason: Shed| Ok((reason, family.get_metric_with_label_values(&[reason.as_str()])?));
        Shed::ALL.into_iter().map(counter).collect::<Result<_, Error>>().map(Self)
    }

    pub(super) fn add(&self, reason: Shed) {
        if let Some((_, counter)) = self.0.iter().find(|(known, _)| *known == reason) {
            counter.inc();
        }
    }
}
