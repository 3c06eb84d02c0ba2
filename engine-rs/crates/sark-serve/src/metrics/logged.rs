//! What became of the events of the decision log.

use prometheus::{Error, IntCounter, IntCounterVec, Opts, Registry};

/// Why a decision is not in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogDrop {
    /// A rule says so.
    Rule,
    /// More came in a second than are logged.
    Rate,
    /// No room among those that wait to be written.
    Queue,
    /// No room among those that wait to be sent; the oldest went.
    Buffer,
    /// Larger than all that may be sent at once.
    TooLarge,
    /// Its sink took it no more, or the process ended before.
    Unsent,
}

impl LogDrop {
    /// Every reason.
    pub const ALL: [Self; 6] = [Self::Rule, Self::Rate, Self::Queue, Self::Buffer, Self::TooLarge, Self::Unsent];

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Rate => "rate",
            Self::Queue => "queue",
            Self::Buffer => "buffer",
            Self::TooLarge => "too_large",
            Self::Unsent => "unsent",
        }
    }

    /// The reason spelled `text`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

/// Counters of the decision log.
pub(crate) struct LogMetrics {
    events: IntCounter,
    hidden: IntCounter,
    dropped: Vec<(LogDrop, IntCounter)>,
}

impl LogMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, Error> {
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, Error>(counter)
        };
        let help = "Decisions that are not in the decision log, or that a sink of it did not get, by the reason.";
        let family = IntCounterVec::new(Opts::new("sark_decision_log_dropped_total", help), &["reason"])?;
        registry.register(Box::new(family.clone()))?;
        let dropped = |reason: LogDrop| Ok((reason, family.get_metric_with_label_values(&[reason.as_str()])?));
        Ok(Self {
            events: counter("sark_decision_log_events_total", "Decisions that were handed to the sinks of the decision log.")?,
            hidden: counter(
                "sark_decision_log_hidden_total",
                "Events that could not be masked and were logged without input and result.",
            )?,
            dropped: LogDrop::ALL.into_iter().map(dropped).collect::<Result<_, Error>>()?,
        })
    }

    pub(crate) fn taken(&self, events: usize) {
        self.events.inc_by(events.try_into().unwrap_or(u64::MAX));
    }

    pub(crate) fn hidden(&self) {
        self.hidden.inc();
    }

    pub(crate) fn dropped(&self, reason: LogDrop, events: u64) {
        if let Some((_, counter)) = self.dropped.iter().find(|(known, _)| *known == reason) {
            counter.inc_by(events);
        }
    }
}
