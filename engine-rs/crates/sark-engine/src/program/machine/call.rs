//! Calls.

use regorus::Value;

use super::{
    super::{
        builtin_table::JSON_FILTER,
        ir::{BuiltinId, Callee, Expr, GroupId},
    },
    Machine, Outcome,
    measure::{FIELD, ITEM},
    with::Mock,
};

impl<'p> Machine<'p> {
    pub(super) fn builtin(&mut self, id: BuiltinId, args: &'p [Expr]) -> Outcome<Value> {
        let Some(args) = self.values(args)? else {
            return Ok(Value::Undefined);
        };
        self.call_builtin(id, args)
    }

    fn call_builtin(&mut self, id: BuiltinId, args: Vec<Value>) -> Outcome<Value> {
        if let Some(mock) = self.scope.mock_of(Callee::Builtin(id)) {
            return self.mocked(mock, args);
        }
        self.tick()?;
        if !self.scope.is_without_parts() && self.program.builtins.name(id) == JSON_FILTER {
            return Err(super::Failure::Unsupported("json.filter of what `with` may have put together".to_owned()));
        }
        if self.program.builtins.is_missing(id) {
            return Err(super::Failure::Unsupported(format!(
                "{} is a builtin that only OPA has",
                self.program.builtins.name(id)
            )));
        }
        self.program.builtins.check(id, &args).map_err(|exceeded| super::Failure::Unsupported(exceeded.0))?;
        if !self.all_plain() {
            self.has_none_beyond_floats()?;
            self.program.builtins.spelled_operands(id, &args).iter().try_for_each(|operand| self.spell(operand))?;
        }
        self.filed_by(id, &args)?;
        let is_bounded = self.copied(id, &args)?;
        // Chance and time are the same for a whole query.
        if !self.program.builtins.is_deterministic(id) {
            let question = (id, args);
            if let Some(known) = self.once.get(&question) {
                return Ok(known.clone());
            }
            let answer = self.answered(id, &question.1, is_bounded)?;
            self.spend(FIELD + ITEM * question.1.len())?;
            self.once.insert(question, answer.clone());
            return Ok(answer);
        }
        // A builtin's error is an undefined answer, as in OPA unless its errors are strict.
        self.answered(id, &args, is_bounded)
    }

    fn answered(&mut self, id: BuiltinId, args: &[Value], is_bounded: bool) -> Outcome<Value> {
        let (builtins, circumstances) = (&self.program.builtins, &self.circumstances);
        let call = || builtins.call(id, args, circumstances);
        let answer = stacker::maybe_grow(super::BUILTIN_STACK, super::STACK_SEGMENT, call).unwrap_or(Value::Undefined);
        if self.circumstances.is_late() {
            return Err(super::Failure::Timeout);
        }
        if let Some(why) = self.circumstances.take_left() {
            return Err(super::Failure::Unsupported(why));
        }
        // No clock looks inside of regorus' builtins.
        if args.iter().any(is_large) && !self.program.builtins.is_brief(id) {
            self.tick_by(super::TICKS as usize)?;
        }
        if self.program.builtins.reads_numbers(id) && !self.circumstances.spelled.borrow().is_empty() {
            self.notes += 1;
        }
        self.answered_with(id, &answer, is_bounded)?;
        self.misfiled_by(id, args, &answer);
        if matches!(answer, Value::Number(_)) {
            self.calculated(&answer, self.program.builtins.may_be_negative_zero(id))?;
        }
        Ok(answer)
    }

    pub(super) fn call_function(&mut self, group: GroupId, args: Vec<Value>) -> Outcome<Value> {
        if let Some(mock) = self.scope.mock_of(Callee::Function(group)) {
            return self.mocked(mock, args);
        }
        let Some(function) = self.program.group(group) else {
            return Ok(Value::Undefined);
        };
        self.tick()?;
        self.deeper(|machine| machine.function(group, function, &args))
    }

    fn mocked(&mut self, mock: Mock, args: Vec<Value>) -> Outcome<Value> {
        match mock {
            Mock::Value(value) => Ok(value),
            // Inside of a substitute every function is itself.
            Mock::Callee(other) => {
                let outer = self.scope.clone();
                let id = self.state.next_scope();
                self.scope.unmock(id);
                let answer = match other {
                    Callee::Builtin(id) => self.call_builtin(id, args),
                    Callee::Function(group) => self.call_function(group, args),
                }?;
                self.scope = outer;
                Ok(answer)
            }
        }
    }
}

/// Longest text, and most elements, of an operand that takes no time worth a look at the clock.
const SMALL_TEXT: usize = 1_024;
const FEW: usize = 8;

fn is_large(operand: &Value) -> bool {
    match operand {
        Value::String(text) => text.len() > SMALL_TEXT,
        Value::Array(items) => items.len() > FEW || items.iter().any(is_nested),
        Value::Set(items) => items.len() > FEW || items.iter().any(is_nested),
        Value::Object(fields) => fields.len() > FEW || fields.iter().any(|(key, value)| is_nested(key) || is_nested(value)),
        _ => false,
    }
}

fn is_nested(element: &Value) -> bool {
    match element {
        Value::String(text) => text.len() > SMALL_TEXT,
        Value::Array(_) | Value::Set(_) | Value::Object(_) => true,
        _ => false,
    }
}
