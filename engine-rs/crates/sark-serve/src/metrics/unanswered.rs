//! Requests that were passed on whole and that nobody answered. They are in no arm, and whoever answers the others does not see them.

use prometheus::{Error, IntCounter, IntCounterVec, Opts, Registry};

/// Why such a request had no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// Too many wait: 503.
    Queue,
    /// Nobody answered in time, or it was given up: 500.
    NoAnswer,
}

impl Unanswered {
    const ALL: [Self; 2] = [Self::Queue, Self::NoAnswer];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::NoAnswer => "no_answer",
        }
    }
}

/// Counts them.
pub(super) struct UnansweredCounters(Vec<(Unanswered, IntCounter)>);

impl UnansweredCounters {
    pub(super) fn register(registry: &Registry) -> Result<Self, Error> {
        let help =
            "Requests that only OPA can answer and nobody answered: too many waited (503), or no answer came in time (500).";
        let family = IntCounterVec::new(Opts::new("sark_passed_on_unanswered_total", help), &["reason"])?;
        registry.register(Box::new(family.clone()))?;
        let counter = |reason: Unanswered| Ok((reason, family.get_metric_with_label_values(&[reason.as_str()])?));
        Unanswered::ALL.into_iter().map(counter).collect::<Result<_, Error>>().map(Self)
    }

    pub(super) fn add(&self, reason: Unanswered) {
        if let Some((_, counter)) = self.0.iter().find(|(known, _)| *known == reason) {
            counter.inc();
        }
    }
}
