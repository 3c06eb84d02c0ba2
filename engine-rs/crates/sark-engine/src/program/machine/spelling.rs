//! Numbers whose spelling OPA shows and the engine does not know.
//!
//! What is noted are worths, not places: a policy that puts a `1` of its own into a text is left to OPA as well while the input
//! has a `1.0`. That costs a question to OPA, never an answer.

use regorus::{Value, unstable::ArithOp};

use super::{Failure, Machine, Outcome};

/// Fractions from here on are spelled with an exponent when OPA has calculated them.
const LARGE: f64 = 1e6;
/// Fractions below are, too.
const SMALL: f64 = 1e-3;
/// Most bits of a whole number that is surely no larger than the largest float.
const MAX_BITS: u64 = 1_023;

impl Machine<'_> {
    /// Whether no number is spelled otherwise, as it nearly always is.
    pub(super) fn all_plain(&self) -> bool {
        self.spelled.is_empty() && self.circumstances.spelled.borrow().is_empty()
    }

    /// `value` is about to become part of a text, or to be taken for one.
    pub(super) fn spell(&self, value: &Value) -> Outcome<()> {
        let touched = self.spelled.touches(value) || self.circumstances.spelled.borrow().touches(value);
        if touched { Err(Failure::Spelling) } else { Ok(()) }
    }

    /// Leave the evaluation to OPA when it has read a number beyond all floats from a text, before a builtin is called or members
    /// of a set and keys are put together: there OPA knows such a number by its spelling, and regorus cannot write it into its
    /// messages. What remains are comparisons.
    pub(super) fn has_none_beyond_floats(&self) -> Outcome<()> {
        if self.circumstances.spelled.borrow().has_beyond() { Err(beyond_floats()) } else { Ok(()) }
    }

    /// An answer whose keys have a name. The name of a key that is no text is its JSON.
    pub(super) fn nameable(&self, answer: Value) -> Outcome<Value> {
        if !self.all_plain() {
            if self.has_none_beyond_floats().is_err() {
                self.spell(&answer)?;
            }
            self.names(&answer)?;
        }
        Ok(answer)
    }

    fn names(&self, value: &Value) -> Outcome<()> {
        match value {
            Value::Array(items) => items.iter().try_for_each(|item| self.names(item)),
            Value::Set(items) => items.iter().try_for_each(|item| self.names(item)),
            Value::Object(fields) => fields.iter().try_for_each(|(key, value)| {
                self.spell(key)?;
                self.names(value)
            }),
            _ => Ok(()),
        }
    }

    /// Note a number that was calculated, if OPA spells it with an exponent or as `-0`. One beyond all floats is left to OPA, as
    /// those that are read are: regorus cannot write it into its messages.
    pub(super) fn calculated(&mut self, number: &Value, may_be_negative_zero: bool) -> Outcome<()> {
        if is_beyond_floats(number) {
            return Err(beyond_floats());
        }
        let Value::Number(_) = number else { return Ok(()) };
        let size = number.as_f64().map_or(0.0, f64::abs);
        let is_odd = if size == 0.0 { may_be_negative_zero } else { is_fraction(number) && !(SMALL..LARGE).contains(&size) };
        if is_odd {
            self.circumstances.spelled.borrow_mut().note(number);
            self.notes += 1;
        }
        Ok(())
    }

    /// As [`Self::calculated`], for an operator's answer.
    pub(super) fn reckoned(&mut self, op: &ArithOp, left: &Value, right: &Value, answer: &Value) -> Outcome<()> {
        let is_quotient = matches!(op, ArithOp::Div);
        let is_product = matches!(op, ArithOp::Mul) && (is_fraction(left) || is_fraction(right));
        self.calculated(answer, is_quotient || is_product)
    }
}

fn is_fraction(value: &Value) -> bool {
    matches!(value, Value::Number(number) if !number.is_integer())
}

/// Whether `value` is a number of more bits than surely fit a float.
fn is_beyond_floats(value: &Value) -> bool {
    let Value::Number(number) = value else { return false };
    // Nearly all have few bits, which is known at once.
    number.as_i64().is_none() && number.is_integer() && number.as_big().is_some_and(|big| big.bits() > MAX_BITS)
}

fn beyond_floats() -> Failure {
    Failure::Unsupported("a number beyond the largest double".to_owned())
}
