//! Requests for paths that were left to baseline when the policies were loaded. They are in no arm: a new arm that is healthy must
//! not fail for what it was never to answer, and the baseline must not be judged by what only it answers.

use prometheus::{Error, IntCounter, IntCounterVec, Opts, Registry};

use crate::events::RequestResult;

/// Counts them.
pub(super) struct BaselineOnly(Vec<(RequestResult, IntCounter)>);

impl BaselineOnly {
    pub(super) fn register(registry: &Registry) -> Result<Self, Error> {
        let help = "Requests for paths that the embedded engine was found at load not to answer for; they are in no arm.";
        let family = IntCounterVec::new(Opts::new("sark_baseline_only_requests_total", help), &["result"])?;
        registry.register(Box::new(family.clone()))?;
        let counter = |result: RequestResult| Ok((result, family.get_metric_with_label_values(&[result.as_str()])?));
        RequestResult::ALL.iter().copied().map(counter).collect::<Result<_, Error>>().map(Self)
    }

    pub(super) fn add(&self, result: RequestResult) {
        if let Some((_, counter)) = self.0.iter().find(|(known, _)| *known == result) {
            counter.inc();
        }
    }
}
