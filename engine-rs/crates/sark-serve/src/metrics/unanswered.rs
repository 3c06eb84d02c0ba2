//! Requests that were passed on whole and that nobody answered. They are in no arm, and whoever answers the others does not see them.

use prometheus::{Error, IntCounter, IntCounterVec, Opts, Registry};

/// Why such a request had no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// Too many wait: 503.
    Queue,
    /// Nobody answered in time, or it was given up: 500.
    NoAnswer,
    /// The client hung up first.
    ClientGone,
}

impl Unanswered {
    const ALL: [Self; 3] = [Self::Queue, Self::NoAnswer, Self::ClientGone];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::NoAnswer => "no_answer",
            Self::ClientGone => "client_gone",
        }
    }
}

/// Counts them.
pub(super) struct UnansweredCounters(Vec<(Unanswered, IntCounter)>);

impl UnansweredCounters {
    pub(super) fn register(registry: &Registry) -> Result<Self, Error> {
        let help = "Requests handed on whole that nobody answered: too many waited (queue, 503), none came in time (no_answer, 500), or the client hung up first (client_gone).";
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
