//! Masks of the configuration, and those that the policies ask for as OPA does: `data.system.log.mask` and `.drop`.

use std::sync::LazyLock;

use sark_engine::{DecisionPath, Engine, Outcome};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    event::Draft,
    mask::{Mask, Unreadable},
};

/// The package whose rules are asked.
const PACKAGE: &str = "system.log";
static MASK: LazyLock<Option<DecisionPath>> = LazyLock::new(|| DecisionPath::parse("system/log/mask").ok());
static DROP: LazyLock<Option<DecisionPath>> = LazyLock::new(|| DecisionPath::parse("system/log/drop").ok());

/// What comes of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Write,
    /// It could not be masked, so that neither input nor result are told.
    WriteHidden,
    Drop,
}

pub(super) struct Masking {
    masks: Vec<Mask>,
    asks_policies: bool,
}

/// A mask as a policy writes it, unless it is a pointer alone.
#[derive(Deserialize)]
struct Operation<'a> {
    op: String,
    path: String,
    #[serde(borrow, default)]
    value: Option<&'a RawValue>,
}

impl Masking {
    pub(super) const fn new(masks: Vec<Mask>, asks_policies: bool) -> Self {
        Self { masks, asks_policies }
    }

    /// The engine, when its policies have something to say about events.
    pub(super) fn policies<'e>(&self, engine: &'e Engine) -> Option<&'e Engine> {
        let asks = self.asks_policies && engine.policies().packages().iter().any(|package| package == PACKAGE);
        asks.then_some(engine)
    }

    /// Mask an event; `write` makes its text for the policies to look at.
    pub(super) fn apply<'d>(
        &self,
        mut draft: Draft<'d>,
        policies: Option<&Engine>,
        write: impl Fn(&Draft<'d>) -> String,
    ) -> (Draft<'d>, Verdict) {
        let mut masked = true;
        if let Some(engine) = policies {
            let event = write(&draft);
            match asked(engine, &event) {
                Ok(None) => return (draft, Verdict::Drop),
                Ok(Some(masks)) => masked = masks.iter().all(|mask| draft.mask(mask).is_ok()),
                Err(Unreadable) => masked = false,
            }
        }
        masked = masked && self.masks.iter().all(|mask| draft.mask(mask).is_ok());
        if masked {
            return (draft, Verdict::Write);
        }
        draft.hide_all();
        (draft, Verdict::WriteHidden)
    }
}

/// What the policies say about an event; None: that it is dropped.
fn asked(engine: &Engine, event: &str) -> Result<Option<Vec<Mask>>, Unreadable> {
    if decided(engine, DROP.as_ref(), event)?.is_some_and(|result| result.get() == "true") {
        return Ok(None);
    }
    let Some(result) = decided(engine, MASK.as_ref(), event)? else {
        return Ok(Some(vec![]));
    };
    let asked: Vec<&RawValue> = serde_json::from_str(result.get()).map_err(|_| Unreadable)?;
    asked.into_iter().map(mask).collect::<Result<_, _>>().map(Some)
}

/// The mask that an element of `data.system.log.mask` asks for.
fn mask(asked: &RawValue) -> Result<Mask, Unreadable> {
    if let Ok(pointer) = serde_json::from_str::<String>(asked.get()) {
        return Mask::new(&pointer, None, false).map_err(|_| Unreadable);
    }
    let operation: Operation<'_> = serde_json::from_str(asked.get()).map_err(|_| Unreadable)?;
    let value = match operation.op.as_str() {
        "remove" => None,
        // An optional member takes a null for none.
        "upsert" => Some(operation.value.unwrap_or(RawValue::NULL).get().as_bytes()),
        _ => return Err(Unreadable),
    };
    Mask::new(&operation.path, value, false).map_err(|_| Unreadable)
}

fn decided(engine: &Engine, path: Option<&DecisionPath>, event: &str) -> Result<Option<Box<RawValue>>, Unreadable> {
    let decision = engine.evaluate(path.ok_or(Unreadable)?, Some(event.as_bytes())).map_err(|_| Unreadable)?;
    if decision.outcome() == Outcome::Undefined {
        return Ok(None);
    }
    let members: std::collections::BTreeMap<String, Box<RawValue>> =
        serde_json::from_slice(decision.body()).map_err(|_| Unreadable)?;
    Ok(members.into_iter().find(|(name, _)| name == "result").map(|(_, result)| result))
}
