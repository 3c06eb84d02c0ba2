//! Values of expressions.

use std::collections::{BTreeMap, BTreeSet};

use regorus::{Value, unstable::BinOp};

use super::{
    super::{
        Keep,
        ir::{Comprehension, Expr, Yields},
        place,
        weights::{is_collection, width},
    },
    Failure, Flow, Machine, Outcome,
    measure::{COLLECTION, FIELD, ITEM},
    operation, repeated,
};

pub(super) static UNDEFINED: Value = Value::Undefined;

impl<'p> Machine<'p> {
    /// The value of what is only looked up, without copying it; None for what has to be computed.
    pub(super) fn place<'m>(&'m self, expr: &'m Expr) -> Option<&'m Value> {
        match expr {
            Expr::Const(value) => Some(value),
            Expr::Slot(slot) | Expr::BasePart(slot) => Some(self.slot(*slot)),
            Expr::Input(path, number) => self.input(path, *number),
            Expr::Base(base) if self.scope.is_plain() => Some(&base.value),
            // What is one for all questions, once it was computed.
            Expr::Group(group) if self.scope.is_plain() => {
                Some(self.state.misfiled.read(self.state.fixed_groups.get(*group as usize)?.as_ref()?))
            }
            Expr::Fixed(number, _) if self.scope.is_plain() => {
                Some(self.state.misfiled.read(self.state.fixed_exprs.get(*number as usize)?.as_ref()?))
            }
            Expr::Index(collection, key) => {
                let found = self.place(collection)?;
                let key = self.place(key)?;
                if !self.is_surely_found(key) {
                    return None;
                }
                if collection.is_in_base()
                    && (place::is_found_by_text(found, key)
                        || (matches!(key, Value::Number(_)) && !self.is_sure_of_base(collection)))
                {
                    return None;
                }
                Some(part(collection, found, key).unwrap_or(&UNDEFINED))
            }
            _ => None,
        }
    }

    /// The value, or undefined.
    pub(super) fn value(&mut self, expr: &'p Expr) -> Outcome<Value> {
        if let Some(found) = self.place(expr) {
            return Ok(found.clone());
        }
        self.computed(expr)
    }

    /// As [`Self::value`], of what is not only looked up.
    pub(super) fn computed(&mut self, expr: &'p Expr) -> Outcome<Value> {
        match expr {
            Expr::Const(value) => Ok(value.clone()),
            Expr::Slot(slot) | Expr::BasePart(slot) => Ok(self.slot(*slot).clone()),
            Expr::Input(..) => Err(Failure::unseen()),
            Expr::Base(base) => {
                if self.scope.is_plain() {
                    Ok(base.value.clone())
                } else {
                    self.patched(&base.path, &base.value, base.value.clone())
                }
            }
            Expr::Group(group) => self.group_value(*group),
            Expr::Entry(group, key) => {
                let key = self.value(key)?;
                if matches!(key, Value::Number(_)) {
                    self.spell(&key)?;
                }
                self.has_none_beyond_floats()?;
                if key == Value::Undefined { Ok(key) } else { self.entry(*group, &key) }
            }
            Expr::Document(node) => self.document(*node),
            Expr::Below(node, keys) => {
                let Some(keys) = self.values(keys)? else {
                    return Ok(Value::Undefined);
                };
                self.below(*node, &keys)
            }
            Expr::Index(collection, key) => {
                // As a part of a reference, what is computed comes first.
                let key = self.value(key)?;
                if key == Value::Undefined {
                    return Ok(key);
                }
                let found = self.value(collection)?;
                if found == Value::Undefined {
                    return Ok(found);
                }
                if collection.is_in_base() {
                    self.is_found_in_base(collection, &found, &key)?;
                }
                self.filed(&key)?;
                Ok(part(collection, &found, &key).cloned().unwrap_or(Value::Undefined))
            }
            Expr::Array(items) => {
                self.spend(COLLECTION + ITEM * items.len())?;
                let Some(items) = self.values(items)? else {
                    return Ok(Value::Undefined);
                };
                // What stands in a policy is as long as that: only parts with parts make more of it.
                let has_parts = items.iter().any(is_collection);
                let array = Value::from(items);
                if has_parts { self.made(array) } else { Ok(array) }
            }
            Expr::Set(items) => {
                // OPA takes them in an order of its own, in which the first that is undefined may come after one that fails.
                let items = items.iter().map(|item| self.value(item)).collect::<Outcome<Vec<_>>>()?;
                if items.contains(&Value::Undefined) {
                    return Ok(Value::Undefined);
                }
                self.has_none_beyond_floats()?;
                items.iter().try_for_each(|item| self.filed(item))?;
                self.spend(COLLECTION + ITEM * items.len())?;
                self.made(Value::from(items.into_iter().collect::<BTreeSet<_>>()))
            }
            Expr::Object(fields) => self.object(fields),
            Expr::Compare(op, left, right) => {
                if let (Some(left), Some(right)) = (self.place(left), self.place(right)) {
                    let (answer, is_long) = (operation::compare(op, left, right), is_long(left, right));
                    self.compared(is_long)?;
                    return Ok(answer);
                }
                // A comprehension comes last: beside what is undefined it is not computed, nor found in conflict.
                // What is only known because it was computed before does not count: the answer would hang on what was asked then.
                if left.is_comprehension() && !right.is_kept() && self.place(right) == Some(&UNDEFINED) {
                    return Ok(Value::Undefined);
                }
                let left = self.value(left)?;
                if left == Value::Undefined {
                    return Ok(left);
                }
                let right = self.value(right)?;
                self.compared(is_long(&left, &right))?;
                Ok(operation::compare(op, &left, &right))
            }
            Expr::Arithmetic(op, left, right) => {
                let left = self.value(left)?;
                let right = self.value(right)?;
                // Of two sets only a difference is one: it has none that are not in the first.
                self.combined(&left, &right, width(&left))?;
                let answer = operation::arithmetic(op, &left, &right)?;
                self.reckoned(op, &left, &right, &answer)?;
                self.made(answer)
            }
            Expr::Combine(op, left, right) => self.union_or_intersection(op, left, right),
            Expr::Member(key, value, collection) => self.member(key.as_deref(), value, collection),
            Expr::Builtin(id, args) => self.builtin(*id, args),
            Expr::Function(group, args) => {
                let Some(args) = self.values(args)? else {
                    return Ok(Value::Undefined);
                };
                self.call_function(*group, args)
            }
            Expr::Comprehension(comprehension) => self.deeper(|machine| machine.comprehension(comprehension)),
            Expr::Fixed(number, inner) => self.fixed(*number, inner),
        }
    }

    /// Whether a number leads to the same part of `collection`, which is in base data, as its text does.
    fn is_sure_of_base(&self, collection: &Expr) -> bool {
        self.all_plain() && self.scope.is_plain() && !begins_with_part(collection)
    }

    /// Leave to OPA a key of base data that it may find by its text, where the text is not known here or not looked for.
    pub(super) fn is_found_in_base(&self, collection: &Expr, found: &Value, key: &Value) -> Outcome<()> {
        if matches!(key, Value::Number(_)) {
            self.spell(key)?;
        }
        let by_number = matches!(key, Value::Number(_)) && !self.is_sure_of_base(collection);
        if (by_number && place::is_named_by_number(found, key)) || place::is_found_by_text(found, key) {
            return Err(place::ByText.into());
        }
        Ok(())
    }

    /// All values, or None when one is undefined.
    pub(super) fn values(&mut self, exprs: &'p [Expr]) -> Outcome<Option<Vec<Value>>> {
        let mut values = Vec::with_capacity(exprs.len());
        for expr in exprs {
            let value = self.value(expr)?;
            if value == Value::Undefined {
                return Ok(None);
            }
            values.push(value);
        }
        Ok(Some(values))
    }

    fn object(&mut self, fields: &'p [(Expr, Expr)]) -> Outcome<Value> {
        let mut object = BTreeMap::new();
        let mut has_parts = false;
        self.spend(COLLECTION + FIELD * fields.len())?;
        let mut has_undefined = false;
        for (key, value) in fields {
            let key = self.value(key)?;
            let value = self.value(value)?;
            // The others are evaluated too: OPA takes them in an order of its own, and one of them may fail.
            has_undefined |= key == Value::Undefined || value == Value::Undefined;
            if has_undefined {
                continue;
            }
            self.has_none_beyond_floats()?;
            self.filed(&key)?;
            has_parts |= is_collection(&key) || is_collection(&value);
            // OPA has two fields then, also where their values are equal.
            if object.insert(key, value).is_some() {
                return Err(Failure::EqualKeys);
            }
        }
        if has_undefined {
            return Ok(Value::Undefined);
        }
        let object = Value::from(object);
        if has_parts { self.made(object) } else { Ok(object) }
    }

    fn union_or_intersection(&mut self, op: &BinOp, left: &'p Expr, right: &'p Expr) -> Outcome<Value> {
        let left = self.value(left)?;
        let right = self.value(right)?;
        let most = match op {
            BinOp::Intersection => width(&left).min(width(&right)),
            BinOp::Union => width(&left).saturating_add(width(&right)),
        };
        self.combined(&left, &right, most)?;
        self.made(operation::combine(op, &left, &right))
    }

    /// Count what it takes to make a set of two, which has at most so many elements.
    fn combined(&mut self, left: &Value, right: &Value, most: usize) -> Outcome<()> {
        if is_long(left, right) {
            self.spend(COLLECTION + ITEM * most)?;
        }
        self.compared(is_long(left, right))?;
        self.tick_by(width(left).saturating_add(width(right)))
    }

    fn member(&mut self, key: Option<&'p Expr>, value: &'p Expr, collection: &'p Expr) -> Outcome<Value> {
        if let (None, Some(value), Some(collection)) = (key, self.place(value), self.place(collection))
            && self.is_surely_found(value)
        {
            let (answer, is_long) = (operation::member(value, collection), is_collection(value));
            self.compared(is_long)?;
            return Ok(answer);
        }
        let key = match key {
            Some(key) => Some(self.value(key)?),
            None => None,
        };
        let value = self.value(value)?;
        let collection = self.value(collection)?;
        self.compared(is_collection(&value))?;
        if matches!(collection, Value::Set(_)) {
            self.filed(&value)?;
        }
        if let Some(key) = &key {
            self.filed(key)?;
        }
        Ok(match key {
            Some(key) => operation::member_at(&key, &value, &collection),
            None => operation::member(&value, &collection),
        })
    }

    fn comprehension(&mut self, comprehension: &'p Comprehension) -> Outcome<Value> {
        match &comprehension.yields {
            Yields::Array(term) => {
                let mut items = Vec::new();
                self.spend(COLLECTION)?;
                self.run(&comprehension.body, &mut |machine| {
                    machine.tick()?;
                    let value = machine.value(term)?;
                    if value != Value::Undefined {
                        machine.spend(ITEM)?;
                        items.push(value);
                    }
                    Ok(Flow::Continue)
                })?;
                self.made(Value::from(items))
            }
            Yields::Set(term) => {
                let mut items = BTreeSet::new();
                self.spend(COLLECTION)?;
                self.run(&comprehension.body, &mut |machine| {
                    machine.tick()?;
                    let value = machine.value(term)?;
                    if value != Value::Undefined {
                        machine.has_none_beyond_floats()?;
                        machine.filed(&value)?;
                        machine.placed(&value, ITEM)?;
                        items.insert(value);
                    }
                    Ok(Flow::Continue)
                })?;
                self.made(Value::from(items))
            }
            Yields::Object(key, value) => {
                self.spend(COLLECTION)?;
                let mut fields: BTreeMap<Value, Value> = BTreeMap::new();
                let mut has_repeated = false;
                self.run(&comprehension.body, &mut |machine| {
                    machine.tick()?;
                    let key = machine.value(key)?;
                    let value = machine.value(value)?;
                    if key == Value::Undefined || value == Value::Undefined {
                        return Ok(Flow::Continue);
                    }
                    machine.has_none_beyond_floats()?;
                    machine.filed(&key)?;
                    machine.placed(&key, FIELD)?;
                    machine.compared(is_collection(&value))?;
                    match fields.get(&key) {
                        Some(known) if *known != value => {
                            Err(Failure::Conflict("object comprehension: object keys must be unique".to_owned()))
                        }
                        Some(_) => {
                            has_repeated = true;
                            Ok(Flow::Continue)
                        }
                        None => {
                            fields.insert(key, value);
                            Ok(Flow::Continue)
                        }
                    }
                })?;
                if has_repeated {
                    repeated::are_found(&fields)?;
                }
                self.made(Value::from(fields))
            }
        }
    }

    /// An expression that has one value for an input, or for all unless something it reads is replaced by `with`.
    fn fixed(&mut self, number: u32, inner: &'p Expr) -> Outcome<Value> {
        let at = number as usize;
        if self.scope.is_plain() && self.program.fixed.get(at) == Some(&Keep::Always) {
            if let Some(Some(known)) = self.state.fixed_exprs.get(at) {
                return Ok(self.state.misfiled.read(known).clone());
            }
            let (noted, begun) = (self.notes, self.state.misfiled.begin());
            let value = self.value(inner)?;
            if noted == self.notes
                && let Some(slot) = self.state.fixed_exprs.get_mut(at)
            {
                self.state.weighed.keep(&value, &self.program.weights);
                *slot = Some(self.state.misfiled.keep(begun, value.clone()));
            } else {
                self.state.misfiled.end(begun);
            }
            return Ok(value);
        }
        if let Some((scope, known)) = self.state.scoped_exprs.get(at)
            && *scope == self.scope.id
        {
            return Ok(known.clone());
        }
        let value = self.value(inner)?;
        if let Some(slot) = self.state.scoped_exprs.get_mut(at) {
            *slot = (self.scope.id, value.clone());
            self.state.touched_exprs.push(number);
        }
        Ok(value)
    }
}

/// Whether to compare them may take long: scalars, and values of two types, are told apart at a glance.
const fn is_long(left: &Value, right: &Value) -> bool {
    is_collection(left) && is_collection(right)
}

/// The part of `found`, the value of `collection`, under `key`.
fn part<'v>(collection: &Expr, found: &'v Value, key: &Value) -> Option<&'v Value> {
    if matches!(key, Value::Number(_)) && collection.is_in_base() {
        return place::base_element(found, key);
    }
    place::element(found, key)
}

impl From<place::ByText> for Failure {
    fn from(_: place::ByText) -> Self {
        Self::Unsupported(place::ByText::REASON.to_owned())
    }
}

/// Whether a reference goes on from what it found by going through base data, or through a document that has rules in it too.
fn begins_with_part(collection: &Expr) -> bool {
    match collection {
        Expr::BasePart(_) => true,
        Expr::Index(collection, _) => begins_with_part(collection),
        _ => false,
    }
}
