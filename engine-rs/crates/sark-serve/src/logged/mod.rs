//! The decision log: what was asked and answered waits here, bounded, until whoever embeds the server takes it as JSON. No request
//! waits for it, and what finds no room is counted.

mod event;
mod mask;
mod masking;
mod pace;
mod passed;
mod rules;

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use parking_lot::Mutex;
use sark_engine::{Body, Engine};

use crate::{
    answered::{Answered, QueueLimits, Weighed, WeighedQueue},
    arms::Arm,
    metrics::{LogDrop, Metrics},
    options::ConfigurationError,
    shadow::Ending,
    shared::InForce,
};

pub use mask::Mask;
pub use rules::{DropRule, LogOptions};

use event::written;
use masking::{Masking, Verdict};
use pace::Pace;

/// Policy revisions whose bundles are remembered: what was answered under an older one waits no longer.
const REMEMBERED: usize = 8;

/// The number of a decision, as random as a UUID of version 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DecisionId(u128);

impl DecisionId {
    pub(crate) fn new() -> Self {
        let random = fastrand::u128(..);
        // The bits that say "version 4" and "variant 1".
        Self((random & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62))
    }

    /// Its text, as in `4ca636c1-55e4-417a-b1d8-4aceb67960d1`.
    pub(crate) fn text(self) -> String {
        let hex = format!("{:032x}", self.0);
        let mut text = String::with_capacity(36);
        for (number, digit) in hex.chars().enumerate() {
            if matches!(number, 8 | 12 | 16 | 20) {
                text.push('-');
            }
            text.push(digit);
        }
        text
    }

    /// The body of an answer with this number as its first member, as OPA has it; what is no object stays as it is.
    pub(crate) fn stamped(self, body: &Body) -> Body {
        let Some(members) = body.strip_prefix(b"{") else {
            return body.clone();
        };
        let comma: &[u8] = if members.trim_ascii_start().starts_with(b"}") { b"" } else { b"," };
        [b"{\"decision_id\":\"", self.text().as_bytes(), b"\"", comma, members].concat().into()
    }
}

/// What an answer is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// An object with the member `result`.
    Enveloped,
    /// The result alone.
    Bare,
}

/// A decision that waits to be written down.
#[derive(Debug)]
pub(crate) struct Logged {
    pub id: DecisionId,
    pub at: SystemTime,
    pub took: Duration,
    /// Address of the client; empty when there is none to tell.
    pub asker: Arc<str>,
    pub answered: Answered,
    pub shape: Shape,
    /// The answer is packed with gzip.
    pub is_packed: bool,
    /// The request was handed to OPA whole, so it is in no arm.
    pub is_passed: bool,
    /// The input cannot be told: it is not JSON.
    pub is_input_unknown: bool,
    pub rollout: String,
    pub flag_revision: u64,
}

impl Weighed for Logged {
    fn weight(&self) -> usize {
        self.answered.weight() + self.rollout.len()
    }
}

/// What of a request is known besides its answer.
pub(crate) struct Circumstances<'a> {
    pub asker: Option<&'a Arc<str>>,
    pub path: String,
    pub input: Option<Bytes>,
    pub took: Duration,
    /// Revision of the engine's policies; empty when they were replaced meanwhile.
    pub revision: String,
}

/// The decision log of a server.
pub(crate) struct DecisionLog {
    options: LogOptions,
    masking: Masking,
    queue: WeighedQueue<Logged>,
    pace: Option<Mutex<Pace>>,
    /// Policy revisions, the newest last, with the bundles they come from as JSON.
    bundles: Mutex<VecDeque<(String, Arc<str>)>>,
}

impl DecisionLog {
    pub(crate) fn new(options: LogOptions) -> Result<Self, ConfigurationError> {
        let pace = options.max_per_second.map(|limit| Pace::new(limit).map(Mutex::new)).transpose()?;
        let limits: QueueLimits = options.queue;
        if limits.requests == 0 || limits.bytes == 0 {
            return Err(ConfigurationError("the decision log's queue must have room for something".into()));
        }
        let masking = Masking::new(options.masks.clone(), options.asks_policies);
        Ok(Self { masking, queue: WeighedQueue::new(limits), pace, bundles: Mutex::default(), options })
    }

    /// Let events that were answered under policies of this revision name these bundles, an object as JSON.
    pub(crate) fn name_bundles(&self, revision: &str, bundles: &str) {
        let mut known = self.bundles.lock();
        known.retain(|(name, _)| name != revision);
        known.push_back((revision.to_owned(), bundles.into()));
        while known.len() > REMEMBERED {
            known.pop_front();
        }
    }

    /// Keep a decision of an arm until it is taken; its number.
    pub(crate) fn keep(&self, circumstances: Circumstances<'_>, ending: &Ending<'_>, in_force: &InForce) -> DecisionId {
        let id = DecisionId::new();
        let answered = Answered {
            path: circumstances.path,
            input: circumstances.input,
            arm: ending.arm,
            decider: ending.decider,
            fallback: ending.fallback.map_or("", crate::jobs::FallbackReason::as_str),
            status: ending.reply.status,
            body: ending.reply.body.clone(),
            result: ending.result,
            revision: circumstances.revision,
        };
        self.admit(
            Logged {
                id,
                at: SystemTime::now(),
                took: circumstances.took,
                asker: circumstances.asker.map_or_else(|| Arc::from(""), Arc::clone),
                answered,
                shape: Shape::Enveloped,
                is_packed: false,
                is_passed: false,
                is_input_unknown: false,
                rollout: in_force.flags.rollout.clone(),
                flag_revision: in_force.flags.revision,
            },
            &in_force.metrics,
        );
        id
    }

    /// Let a decision in, unless a rule, the pace or the room is against it.
    pub(crate) fn admit(&self, logged: Logged, metrics: &Metrics) {
        let reason = if self.options.drops.iter().any(|rule| rule.covers(&logged.answered.path, logged.answered.result)) {
            LogDrop::Rule
        } else if self.pace.as_ref().is_some_and(|pace| !pace.lock().admits()) {
            LogDrop::Rate
        } else if self.queue.push(logged).is_err() {
            LogDrop::Queue
        } else {
            return;
        };
        metrics.log().dropped(reason, 1);
    }

    /// The oldest decisions as events in OPA's format, at most `limit`; false when none waited.
    pub(crate) fn take(&self, limit: usize, engine: &Engine, metrics: &Metrics) -> (Vec<String>, bool) {
        let taken = self.queue.take(limit);
        let any = !taken.is_empty();
        let policies = self.masking.policies(engine);
        let mut events = Vec::with_capacity(taken.len());
        for logged in taken {
            let bundles = self.bundles_of(&logged);
            let draft = event::Draft::of(&logged);
            let (draft, verdict) =
                self.masking.apply(draft, policies, |draft| written(&logged, draft, &self.options.labels, bundles.as_deref()));
            match verdict {
                Verdict::Write => events.push(written(&logged, &draft, &self.options.labels, bundles.as_deref())),
                Verdict::WriteHidden => {
                    metrics.log().hidden();
                    events.push(written(&logged, &draft, &self.options.labels, bundles.as_deref()));
                }
                Verdict::Drop => metrics.log().dropped(LogDrop::Rule, 1),
            }
        }
        metrics.log().taken(events.len());
        (events, any)
    }

    /// Bundles are of the engine: what OPA decided may have come from others.
    fn bundles_of(&self, logged: &Logged) -> Option<Arc<str>> {
        if logged.answered.decider != crate::answered::Decider::Engine {
            return None;
        }
        let known = self.bundles.lock();
        known.iter().find(|(revision, _)| *revision == logged.answered.revision).map(|(_, bundles)| Arc::clone(bundles))
    }
}

/// The arm as an event names it.
const fn arm_name(logged: &Logged) -> &'static str {
    match (logged.is_passed, logged.answered.arm) {
        (true, _) => "none",
        (false, Arm::Rust) => "rust",
        (false, Arm::Python) => "python",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_a_uuid_of_version_4() {
        let text = DecisionId::new().text();
        let parts: Vec<usize> = text.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12], "{text}");
        assert_eq!(text.as_bytes().get(14), Some(&b'4'), "{text}");
        assert!(text.as_bytes().get(19).is_some_and(|digit| b"89ab".contains(digit)), "{text}");
        assert_ne!(DecisionId::new(), DecisionId::new());
    }

    #[test]
    fn an_answer_gets_its_number_as_opa_writes_it() {
        let id = DecisionId(0);
        let stamped = |body: &'static str| String::from_utf8(id.stamped(&Body::fixed(body.as_bytes())).to_vec()).unwrap();
        let number = "\"decision_id\":\"00000000-0000-0000-0000-000000000000\"";
        assert_eq!(stamped("{\"result\":true}\n"), format!("{{{number},\"result\":true}}\n"));
        assert_eq!(stamped("{}\n"), format!("{{{number}}}\n"));
        assert_eq!(stamped("true\n"), "true\n");
    }
}
