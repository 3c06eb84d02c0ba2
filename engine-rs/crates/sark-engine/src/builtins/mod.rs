//! Builtins: which the engine has, and those it has of its own.
//!
//! regorus brings most of them. What OPA has and regorus lacks, as far as authorization policies use it, is here: one file
//! per subject, each with a table of its functions. A builtin of our own goes before regorus' of that name.

#![allow(
    clippy::trivially_copy_pass_by_ref,
    clippy::unnecessary_wraps,
    reason = "one signature for all builtins, of which few fail or look at the circumstances"
)]

mod aggregates;
pub(crate) mod arithmetic;
mod availability;
mod base64;
pub(crate) mod bounds;
mod casts;
mod cidr;
mod cidr_merge;
pub(crate) mod copies;
mod corrected;
mod digest;
pub(crate) mod exactness;
mod globs;
mod infix;
mod json;
mod jwt;
mod linear;
#[cfg(test)]
mod long_calls;
mod operands;
mod pem;
mod renamed;
mod rounding;
pub(crate) mod signatures;
pub(crate) mod spelling;
mod split;
mod uri;

use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::HashMap,
    sync::LazyLock,
    time::{Instant, SystemTime},
};

use regorus::{Value, unstable::BUILTINS};

use crate::document::Spelled;
pub(crate) use availability::{Availability, availability, is_nondeterministic};

/// What a builtin may know besides its operands.
#[derive(Debug)]
pub(crate) struct Circumstances {
    /// Looked at by the first who asks: most queries never do.
    now_ns: OnceCell<i64>,
    /// Numbers that are spelled otherwise than the engine writes them: the input's, and those read or calculated on the way.
    pub spelled: RefCell<Spelled>,
    /// Why a builtin that was called leaves the evaluation to OPA.
    left: RefCell<Option<String>>,
    /// When the evaluation has to have ended.
    deadline: Option<Instant>,
    /// Work of builtins since the last look at the clock.
    steps: Cell<usize>,
    late: Cell<bool>,
}

/// Steps of a builtin between two looks at the clock. A step takes some nanoseconds.
const STEPS: usize = 1_024;

impl Circumstances {
    /// Those of a query that begins now, with an input that has these numbers spelled otherwise.
    pub(crate) fn now(spelled: Spelled) -> Self {
        Self {
            now_ns: OnceCell::new(),
            spelled: RefCell::new(spelled),
            left: RefCell::default(),
            deadline: None,
            steps: Cell::new(0),
            late: Cell::new(false),
        }
    }

    /// As [`Self::now`], of a query at this Unix time in nanoseconds.
    #[cfg(test)]
    pub(crate) fn at(now_ns: i64, spelled: Spelled) -> Self {
        Self { now_ns: now_ns.into(), ..Self::now(spelled) }
    }

    /// The same for an evaluation that has to end by `deadline`.
    pub(crate) fn until(self, deadline: Instant) -> Self {
        Self { deadline: Some(deadline), ..self }
    }

    /// Unix time in nanoseconds: the same for the whole query, as OPA's `time.now_ns`.
    pub(crate) fn now_ns(&self) -> i64 {
        *self.now_ns.get_or_init(|| {
            let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            i64::try_from(since_1970.as_nanos()).unwrap_or(i64::MAX)
        })
    }

    /// Say, from inside of a builtin, that its answer is not OPA's for sure: that ends the evaluation, as a call that
    /// [`exactness`] refuses does. The error that is given back is never seen.
    pub(crate) fn leave(&self, why: impl Into<String>) -> BuiltinError {
        let why = why.into();
        *self.left.borrow_mut() = Some(why.clone());
        BuiltinError(why)
    }

    /// Count `steps` of a builtin's work, and look at the clock from time to time. An error is for a builtin to give back: it ends
    /// the evaluation, as one that ran longer than its limit.
    pub(crate) fn work(&self, steps: usize) -> Result<(), BuiltinError> {
        let steps = self.steps.get().saturating_add(steps);
        if steps < STEPS {
            self.steps.set(steps);
            return Ok(());
        }
        self.steps.set(0);
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            self.late.set(true);
            return Err(BuiltinError("the evaluation ran longer than its limit".into()));
        }
        Ok(())
    }

    /// As [`Self::work`], of a part that is long by itself.
    pub(crate) fn long_work(&self) -> Result<(), BuiltinError> {
        self.work(STEPS)
    }

    /// Whether a builtin found that the evaluation runs longer than its limit.
    pub(crate) fn is_late(&self) -> bool {
        self.late.get()
    }

    /// What the builtin that was just called said with [`Self::leave`].
    pub(crate) fn take_left(&self) -> Option<String> {
        self.left.borrow_mut().take()
    }
}

/// Why a builtin has no answer, as one sentence. The call is undefined then, unless builtin errors are strict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BuiltinError(pub String);

/// The operands are defined and as many as the arity says. `Value::Undefined` is an undefined answer without an error.
pub(crate) type Function = fn(&[Value], &Circumstances) -> Result<Value, BuiltinError>;

/// A builtin that regorus lacks, or answers otherwise than OPA.
#[derive(Debug)]
pub(crate) struct OwnBuiltin {
    pub name: &'static str,
    pub arity: u8,
    pub call: Function,
}

const SUBJECTS: &[&[OwnBuiltin]] = &[
    json::OWN,
    aggregates::OWN,
    casts::OWN,
    cidr::OWN,
    cidr_merge::OWN,
    digest::OWN,
    globs::OWN,
    infix::OWN,
    jwt::OWN,
    rounding::OWN,
    split::OWN,
    uri::OWN,
];

static BY_NAME: LazyLock<HashMap<&'static str, &'static OwnBuiltin>> =
    LazyLock::new(|| every_own().map(|builtin| (builtin.name, builtin)).collect());

/// The builtin of our own called `name`; it goes before regorus' of the same name.
pub(crate) fn own(name: &str) -> Option<&'static OwnBuiltin> {
    BY_NAME.get(name).copied()
}

pub(crate) fn every_own() -> impl Iterator<Item = &'static OwnBuiltin> {
    SUBJECTS.iter().chain(corrected::SUBJECTS).chain(linear::SUBJECTS).copied().flatten()
}

/// Number of operands of the builtin `name`, ours or regorus'.
#[allow(dead_code, reason = "asked by the compiler of policies")]
pub(crate) fn arity(name: &str) -> Option<u8> {
    own(name).map(|builtin| builtin.arity).or_else(|| BUILTINS.get(name).map(|(_, arity)| *arity))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Call a builtin of our own at 2026-01-01T00:00:00Z.
    pub(crate) fn called(name: &str, operands: &[Value]) -> Result<Value, BuiltinError> {
        let builtin = own(name).unwrap();
        assert_eq!(usize::from(builtin.arity), operands.len(), "operands of {name}");
        (builtin.call)(operands, &Circumstances::at(1_767_225_600_000_000_000, Spelled::default()))
    }

    /// Whether a builtin of our own leaves such a call to OPA.
    pub(crate) fn is_left_to_opa(name: &str, operands: &[Value]) -> bool {
        let circumstances = Circumstances::at(1_767_225_600_000_000_000, Spelled::default());
        let _ = (own(name).unwrap().call)(operands, &circumstances);
        circumstances.take_left().is_some()
    }

    pub(crate) fn json(text: &str) -> Value {
        Value::from_json_str(text).unwrap()
    }

    /// The array in `text` as a set.
    pub(crate) fn set_of(text: &str) -> Value {
        json(text).as_array().unwrap().iter().cloned().collect::<regorus::value::Set>().into_value()
    }

    #[test]
    fn no_builtin_is_written_twice() {
        assert_eq!(every_own().count(), BY_NAME.len());
    }

    #[test]
    fn the_arity_is_known_of_own_builtins_and_of_regorus() {
        assert_eq!(arity("array.flatten"), Some(1));
        assert_eq!(arity("startswith"), Some(2));
        assert_eq!(arity("no.such.thing"), None);
    }
}
