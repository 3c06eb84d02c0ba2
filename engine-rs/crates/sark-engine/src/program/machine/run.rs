//! Steps: conditions that hold or not, and those that iterate.

use std::collections::BTreeSet;

use regorus::Value;

use crate::document::{fields, sorted};

use super::{
    super::{
        ir::{Expr, Pattern, Scan, Slot, Step},
        place,
        weights::{MAX_LEVELS, is_collection},
    },
    Failure, Flow, Machine, Outcome,
    measure::{COLLECTION, ITEM},
};

/// What happens with each solution.
type Solution<'s, 'p> = &'s mut dyn FnMut(&mut Machine<'p>) -> Outcome<Flow>;

impl<'p> Machine<'p> {
    /// Call `solution` for every way in which `steps` hold, until it says stop.
    pub(super) fn run(&mut self, steps: &'p [Step], solution: Solution<'_, 'p>) -> Outcome<Flow> {
        let mut waiting = steps;
        while let Some((step, rest)) = waiting.split_first() {
            let holds = match step {
                Step::Let(slot, expr) | Step::Front(slot, expr) => {
                    let value = self.value(expr)?;
                    let holds = value != Value::Undefined;
                    self.set(*slot, value);
                    holds
                }
                Step::Check(expr) => self.holds(expr)?,
                Step::Key(expr) => self.has_key(expr)?,
                Step::Unify(pattern, expr) => {
                    let value = self.value(expr)?;
                    value != Value::Undefined && self.matches(pattern, &value)?
                }
                Step::Not(body) | Step::NotBody(body) => !self.exists(body)?,
                Step::Every { domain, key, value, body } => self.every(domain, *key, *value, body)?,
                Step::Scan(scan) => {
                    let collection = self.value(&scan.collection)?;
                    self.is_scanned_as_in_opa(scan, &collection)?;
                    self.filed_in(&scan.key)?;
                    return self.deeper(|machine| machine.scan(scan, &collection, rest, solution));
                }
                Step::Walk(expr, pattern) => {
                    let value = self.value(expr)?;
                    if value == Value::Undefined {
                        return Ok(Flow::Continue);
                    }
                    return self.deeper(|machine| machine.walk(&mut Vec::new(), &value, pattern, rest, solution));
                }
                Step::With(replacements, body) => return self.with(replacements, body, rest, solution),
            };
            if !holds {
                return Ok(Flow::Continue);
            }
            waiting = rest;
        }
        solution(self)
    }

    /// Leave to OPA a known key of base data that it finds by its text.
    fn is_scanned_as_in_opa(&mut self, scan: &'p Scan, collection: &Value) -> Outcome<()> {
        match &scan.key {
            Pattern::Equal(key) if scan.collection.is_in_base() => {
                let key = self.value(key)?;
                if place::is_named_by_number(collection, &key) || place::is_found_by_text(collection, &key) {
                    return Err(place::ByText.into());
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Whether `steps` hold in any way.
    pub(super) fn exists(&mut self, steps: &'p [Step]) -> Outcome<bool> {
        let mut found = false;
        self.run(steps, &mut |_| {
            found = true;
            Ok(Flow::Stop)
        })?;
        Ok(found)
    }

    fn holds(&mut self, expr: &'p Expr) -> Outcome<bool> {
        let is_false = |answer: &Value| matches!(answer, Value::Undefined | Value::Bool(false));
        Ok(match self.place(expr) {
            Some(value) => !is_false(value),
            None => !is_false(&self.computed(expr)?),
        })
    }

    /// Whether `expr` holds, unless it does because a number is the text of a key in base data: OPA's rule index, where there is
    /// one, takes the number for no key, and the rule for one that does not hold.
    fn has_key(&mut self, expr: &'p Expr) -> Outcome<bool> {
        if !self.holds(expr)? {
            return Ok(false);
        }
        if let Some((collection, key)) = expr.key_in_base() {
            let key = self.value(key)?;
            if matches!(key, Value::Number(_)) && place::is_named_by_number(&self.value(collection)?, &key) {
                return Err(place::ByText.into());
            }
        }
        Ok(true)
    }

    fn scan(
        &mut self,
        Scan { collection: source, key, value }: &'p Scan,
        collection: &Value,
        rest: &'p [Step],
        solution: Solution<'_, 'p>,
    ) -> Outcome<Flow> {
        let base = self.base_beside_rules(source);
        self.tick_by(put_in_order(collection))?;
        let mut element = |machine: &mut Self, found_key: &dyn Fn() -> Value, found: &Value| -> Outcome<Flow> {
            machine.tick()?;
            if !matches!(key, Pattern::Any) && !machine.matches(key, &found_key())? {
                return Ok(Flow::Continue);
            }
            if !machine.matches(value, found)? {
                return Ok(Flow::Continue);
            }
            machine.run(rest, solution)
        };
        match collection {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    if element(self, &|| Value::from(index), item)? == Flow::Stop {
                        return Ok(Flow::Stop);
                    }
                }
            }
            Value::Object(members) => {
                let mut members = fields(members);
                // OPA goes through base data first, and then through the rules beside it.
                if let Some(base) = base {
                    members.sort_by_key(|(name, _)| place::element(base, name).is_none());
                }
                for (name, item) in members {
                    if element(self, &|| name.clone(), item)? == Flow::Stop {
                        return Ok(Flow::Stop);
                    }
                }
            }
            Value::Set(items) => {
                for item in sorted(items.iter()) {
                    if element(self, &|| item.clone(), item)? == Flow::Stop {
                        return Ok(Flow::Stop);
                    }
                }
            }
            _ => {}
        }
        Ok(Flow::Continue)
    }

    /// The base data that a document of base data and rules is made of, where it has both.
    fn base_beside_rules(&self, document: &Expr) -> Option<&'p Value> {
        let Expr::Document(node) = document else {
            return None;
        };
        let node = self.program.tree.node(*node)?;
        node.base.as_ref().filter(|_| !node.children.is_empty())
    }

    fn walk(
        &mut self,
        path: &mut Vec<Value>,
        value: &Value,
        pattern: &'p Pattern,
        rest: &'p [Step],
        solution: Solution<'_, 'p>,
    ) -> Outcome<Flow> {
        self.tick()?;
        if self.bounded(value)?.levels + 2 > MAX_LEVELS {
            return Err(Failure::Depth);
        }
        self.spend(2 * COLLECTION + ITEM * path.len())?;
        let pair = Value::from(vec![Value::from(path.clone()), value.clone()]);
        if self.matches(pattern, &pair)? && self.run(rest, solution)? == Flow::Stop {
            return Ok(Flow::Stop);
        }
        let parts: Vec<(Value, Value)> = match value {
            Value::Array(items) => items.iter().enumerate().map(|(index, item)| (Value::from(index), item.clone())).collect(),
            Value::Object(members) => fields(members).into_iter().map(|(name, item)| (name.clone(), item.clone())).collect(),
            Value::Set(items) => sorted(items.iter()).into_iter().map(|item| (item.clone(), item.clone())).collect(),
            _ => return Ok(Flow::Continue),
        };
        for (key, part) in parts {
            path.push(key);
            let flow = self.deeper(|machine| machine.walk(path, &part, pattern, rest, solution))?;
            path.pop();
            if flow == Flow::Stop {
                return Ok(Flow::Stop);
            }
        }
        Ok(Flow::Continue)
    }

    fn every(&mut self, domain: &'p Expr, key: Option<Slot>, value: Slot, body: &'p [Step]) -> Outcome<bool> {
        let domain = self.value(domain)?;
        self.tick_by(put_in_order(&domain))?;
        let holds = |machine: &mut Self, found_key: Value, found: Value| -> Outcome<bool> {
            machine.tick()?;
            if let Some(slot) = key {
                machine.set(slot, found_key);
            }
            machine.set(value, found);
            machine.exists(body)
        };
        match &domain {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    if !holds(self, Value::from(index), item.clone())? {
                        return Ok(false);
                    }
                }
            }
            Value::Object(members) => {
                for (name, item) in fields(members) {
                    if !holds(self, name.clone(), item.clone())? {
                        return Ok(false);
                    }
                }
            }
            Value::Set(items) => {
                for item in sorted(items.iter()) {
                    if !holds(self, item.clone(), item.clone())? {
                        return Ok(false);
                    }
                }
            }
            // What has no elements to look at meets nothing.
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Whether `value` has the shape of `pattern`; binds its variables.
    pub(super) fn matches(&mut self, pattern: &'p Pattern, value: &Value) -> Outcome<bool> {
        match pattern {
            Pattern::Any => Ok(true),
            Pattern::Bind(slot) => {
                self.set(*slot, value.clone());
                Ok(true)
            }
            Pattern::Equal(expr) => {
                self.compared(is_collection(value))?;
                if let Some(expected) = self.place(expr) {
                    return Ok(expected == value);
                }
                Ok(self.value(expr)? == *value)
            }
            Pattern::Array(patterns) => {
                let Value::Array(items) = value else {
                    return Ok(false);
                };
                if items.len() != patterns.len() {
                    return Ok(false);
                }
                for (pattern, item) in patterns.iter().zip(items.iter()) {
                    if !self.matches(pattern, item)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Pattern::Object(patterns) => {
                let Value::Object(fields) = value else {
                    return Ok(false);
                };
                self.refuse_equal_keys(patterns)?;
                self.has_none_beyond_floats()?;
                if fields.len() != patterns.len() {
                    return Ok(false);
                }
                for (key, pattern) in patterns {
                    let key = self.value(key)?;
                    self.filed(&key)?;
                    let Some(part) = place::element(value, &key) else {
                        return Ok(false);
                    };
                    if !self.matches(pattern, part)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
        }
    }

    /// Fail when two keys of a pattern are equal: scalars that are, were made one when it was read.
    fn refuse_equal_keys(&mut self, patterns: &'p [(Expr, Pattern)]) -> Outcome<()> {
        let is_scalar =
            |key: &Expr| matches!(key, Expr::Const(Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null));
        if patterns.iter().all(|(key, _)| is_scalar(key)) {
            return Ok(());
        }
        let mut keys = BTreeSet::new();
        for (key, _) in patterns {
            let key = self.value(key)?;
            if key != Value::Undefined && !keys.insert(key) {
                return Err(Failure::EqualKeys);
            }
        }
        Ok(())
    }
}

/// Work of putting the elements of `collection` in OPA's order, before the first is looked at.
fn put_in_order(collection: &Value) -> usize {
    const AT_ONCE: usize = 8;
    match collection {
        Value::Object(members) => members.len() / AT_ONCE,
        Value::Set(items) => items.len() / AT_ONCE,
        _ => 0,
    }
}
