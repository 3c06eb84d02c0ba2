//! Values of rules: all definitions of a rule together.

use std::{cell::Cell, collections::BTreeSet};

use regorus::Value;

use super::{
    super::{
        index::Subject,
        ir::{Body, Definition, Expr, Group, GroupId, Kind, Leaf},
        place, text_of,
        weights::{MAX_LEVELS, is_collection},
    },
    Failure, Flow, Machine, Outcome,
    collect::Part,
    measure::{COLLECTION, FIELD, ITEM},
};

impl<'p> Machine<'p> {
    /// The value of a rule, computed once in a scope.
    pub(super) fn group_value(&mut self, id: GroupId) -> Outcome<Value> {
        let Some(group) = self.program.group(id) else {
            return Ok(Value::Undefined);
        };
        let at = id as usize;
        let is_fixed = self.scope.is_plain() && self.program.facts_of(id).is_some_and(super::super::Facts::is_fixed);
        if is_fixed {
            if let Some(Some(known)) = self.state.fixed_groups.get(at) {
                return Ok(self.state.misfiled.read(known).clone());
            }
        } else if let Some((scope, known)) = self.state.memo.get(at)
            && *scope == self.scope.id
        {
            return Ok(known.clone());
        }
        self.refuse_unsupported(id)?;
        let (noted, begun) = (self.notes, self.state.misfiled.begin());
        let value = if self.scope.covers(&group.path) {
            self.patched(&group.path, &Value::Undefined, Value::Undefined)?
        } else {
            let value = self.deeper(|machine| machine.evaluated(group))?;
            // The one value of a complete rule was weighed where it was made.
            if self.scope.is_plain() && group.kind == Kind::Complete {
                value
            } else {
                self.patched(&group.path, &Value::Undefined, value)?
            }
        };
        if is_fixed {
            if noted == self.notes
                && let Some(slot) = self.state.fixed_groups.get_mut(at)
            {
                self.state.weighed.keep(&value, &self.program.weights);
                *slot = Some(self.state.misfiled.keep(begun, value.clone()));
                return Ok(value);
            }
        } else if let Some(slot) = self.state.memo.get_mut(at) {
            *slot = (self.scope.id, value.clone());
            self.state.touched.push(id);
        }
        self.state.misfiled.end(begun);
        Ok(value)
    }

    fn refuse_unsupported(&self, id: GroupId) -> Outcome<()> {
        match self.program.facts_of(id).and_then(|facts| facts.unsupported.first()) {
            Some(reason) => Err(Failure::Unsupported(reason.clone())),
            None => Ok(()),
        }
    }

    fn evaluated(&mut self, group: &'p Group) -> Outcome<Value> {
        self.tick()?;
        match group.kind {
            Kind::Complete => self.single(group, &[]),
            Kind::Function => Ok(Value::Undefined),
            Kind::Set => self.set_of(group),
            Kind::Object => {
                let part = self.object_of(group)?;
                Ok(self.put_together(part))
            }
        }
    }

    /// Definitions that may hold.
    fn selected(&self, group: &'p Group, args: &[Value]) -> Outcome<Vec<u32>> {
        let (mut selected, unseen) = (Vec::new(), Cell::new(false));
        group.index.select(
            &|subject| match subject {
                Subject::Input(path, number) => {
                    let value = self.input(path, *number).cloned();
                    unseen.set(unseen.get() || value.is_none());
                    value
                }
                Subject::Argument(number) => args.get(*number).cloned(),
            },
            &mut selected,
        );
        if unseen.get() { Err(Failure::unseen()) } else { Ok(selected) }
    }

    pub(super) fn function(&mut self, id: GroupId, group: &'p Group, args: &[Value]) -> Outcome<Value> {
        self.refuse_unsupported(id)?;
        self.single(group, args)
    }

    /// The one value that the definitions of a complete rule or a function agree on.
    fn single(&mut self, group: &'p Group, args: &[Value]) -> Outcome<Value> {
        let mut result = Value::Undefined;
        if group.index.is_trivial() {
            for definition in &group.definitions {
                if !self.agree(group, definition, args, &mut result)? {
                    break;
                }
            }
        } else {
            for number in self.selected(group, args)? {
                if let Some(definition) = group.definitions.get(number as usize)
                    && !self.agree(group, definition, args, &mut result)?
                {
                    break;
                }
            }
        }
        match &group.default {
            Some(default) if result == Value::Undefined => self.framed(group.default_slots, |machine| machine.value(default)),
            _ => Ok(result),
        }
    }

    /// Take over the definition's value; false when no other one needs to be looked at.
    fn agree(&mut self, group: &'p Group, definition: &'p Definition, args: &[Value], result: &mut Value) -> Outcome<bool> {
        let value = self.framed(definition.slots, |machine| {
            for (pattern, arg) in definition.params.iter().zip(args) {
                if !machine.matches(pattern, arg)? {
                    return Ok(Value::Undefined);
                }
            }
            for body in &definition.bodies {
                let value = machine.only(group, body)?;
                if value != Value::Undefined {
                    return Ok(value);
                }
            }
            Ok(Value::Undefined)
        })?;
        if value == Value::Undefined {
            return Ok(true);
        }
        self.compared(is_collection(result))?;
        if *result == Value::Undefined {
            *result = value;
        } else if *result != value {
            return Err(several(group));
        }
        Ok(group.only_value.is_none())
    }

    /// The one value that all solutions of a body agree on.
    fn only(&mut self, group: &'p Group, body: &'p Body) -> Outcome<Value> {
        let Leaf::Value(term) = &body.yields else {
            return Ok(Value::Undefined);
        };
        let mut found = Value::Undefined;
        self.run(&body.steps, &mut |machine| {
            if let Expr::Const(value) = term {
                found = value.clone();
                return Ok(Flow::Stop);
            }
            let value = machine.value(term)?;
            machine.compared(is_collection(&found))?;
            if value == Value::Undefined || value == found {
                return Ok(Flow::Continue);
            }
            if found != Value::Undefined {
                return Err(several(group));
            }
            found = value;
            Ok(Flow::Continue)
        })?;
        Ok(found)
    }

    fn set_of(&mut self, group: &'p Group) -> Outcome<Value> {
        let mut elements = BTreeSet::new();
        self.spend(COLLECTION)?;
        self.each_definition(group, &mut |machine, definition| {
            machine.framed(definition.slots, |machine| {
                for body in &definition.bodies {
                    let Leaf::Element(term) = &body.yields else {
                        continue;
                    };
                    machine.run(&body.steps, &mut |machine| {
                        machine.tick()?;
                        let value = machine.value(term)?;
                        if value != Value::Undefined {
                            machine.has_none_beyond_floats()?;
                            machine.filed(&value)?;
                            machine.placed(&value, ITEM)?;
                            elements.insert(value);
                        }
                        Ok(Flow::Continue)
                    })?;
                }
                Ok(())
            })
        })?;
        Ok(Value::from(elements))
    }

    /// What the definitions of a partial object give, one part for each solution.
    pub(super) fn object_of(&mut self, group: &'p Group) -> Outcome<Part> {
        let mut object = Part::empty();
        self.each_definition(group, &mut |machine, definition| {
            machine.framed(definition.slots, |machine| {
                for body in &definition.bodies {
                    machine.run(&body.steps, &mut |machine| {
                        machine.tick()?;
                        let Some(keys) = machine.values(&body.keys)? else {
                            return Ok(Flow::Continue);
                        };
                        if let Some(leaf) = machine.leaf(&body.yields)? {
                            machine.has_none_beyond_floats()?;
                            let part = machine.along(keys, leaf)?;
                            object.merge(part)?;
                        }
                        Ok(Flow::Continue)
                    })?;
                }
                Ok(())
            })
        })?;
        Ok(object)
    }

    fn leaf(&mut self, leaf: &'p Leaf) -> Outcome<Option<Part>> {
        let (Leaf::Value(term) | Leaf::Element(term)) = leaf;
        let value = self.value(term)?;
        if value == Value::Undefined {
            return Ok(None);
        }
        Ok(Some(if matches!(leaf, Leaf::Value(_)) { Part::Leaf(value) } else { Part::Elements(BTreeSet::from([value])) }))
    }

    /// What a rule gives at `keys` below itself.
    fn along(&mut self, keys: Vec<Value>, leaf: Part) -> Outcome<Part> {
        if keys.len() > MAX_LEVELS {
            return Err(Failure::Depth);
        }
        keys.iter().try_for_each(|key| self.filed(key))?;
        if let Part::Elements(elements) = &leaf {
            elements.iter().try_for_each(|element| self.filed(element))?;
        }
        self.spend((COLLECTION + FIELD) * (keys.len() + 1))?;
        self.compared(keys.iter().any(is_collection) || leaf.is_collection())?;
        Ok(Part::along(keys, leaf))
    }

    fn each_definition(
        &mut self,
        group: &'p Group,
        see: &mut dyn FnMut(&mut Self, &'p Definition) -> Outcome<()>,
    ) -> Outcome<()> {
        if group.index.is_trivial() {
            return group.definitions.iter().try_for_each(|definition| see(self, definition));
        }
        let selected = self.selected(group, &[])?;
        let definitions = selected.into_iter().filter_map(|number| group.definitions.get(number as usize));
        definitions.into_iter().try_for_each(|definition| see(self, definition))
    }

    /// The part of a partial rule under `key`, without computing the others where that is possible.
    pub(super) fn entry(&mut self, id: GroupId, key: &Value) -> Outcome<Value> {
        let Some(group) = self.program.group(id) else {
            return Ok(Value::Undefined);
        };
        self.filed(key)?;
        let known = self.state.memo.get(id as usize).is_some_and(|(scope, _)| *scope == self.scope.id);
        let is_fixed = self.program.facts_of(id).is_some_and(super::super::Facts::is_fixed);
        if known || is_fixed || !self.scope.is_plain() || group.definitions.iter().any(|definition| definition.keyed.is_none())
        {
            let whole = self.group_value(id)?;
            return Ok(place::element(&whole, key).cloned().unwrap_or(Value::Undefined));
        }
        self.refuse_unsupported(id)?;
        let question = (self.scope.id, id, key.clone());
        if let Some(known) = self.entries.get(&question) {
            return Ok(known.clone());
        }
        let found = self.deeper(|machine| machine.keyed(group, key))?;
        self.has_none_beyond_floats()?;
        self.bounded(&found)?;
        self.placed(key, FIELD)?;
        self.entries.insert(question, found.clone());
        Ok(found)
    }

    fn keyed(&mut self, group: &'p Group, key: &Value) -> Outcome<Value> {
        self.tick()?;
        let mut found: Option<Part> = None;
        self.each_definition(group, &mut |machine, definition| {
            let Some(keyed) = &definition.keyed else {
                return Ok(());
            };
            if group.kind == Kind::Set && found.is_some() {
                return Ok(());
            }
            machine.framed(keyed.slots, |machine| {
                if !machine.matches(&keyed.key, key)? {
                    return Ok(());
                }
                machine.run(&keyed.body.steps, &mut |machine| {
                    machine.tick()?;
                    if group.kind == Kind::Set {
                        found = Some(Part::Leaf(key.clone()));
                        return Ok(Flow::Stop);
                    }
                    let Some(keys) = machine.values(keyed.body.keys.get(1..).unwrap_or_default())? else {
                        return Ok(Flow::Continue);
                    };
                    if let Some(leaf) = machine.leaf(&keyed.body.yields)? {
                        let part = machine.along(keys, leaf)?;
                        match &mut found {
                            Some(known) => known.merge(part)?,
                            None => found = Some(part),
                        }
                    }
                    Ok(Flow::Continue)
                })?;
                Ok(())
            })
        })?;
        Ok(found.map_or(Value::Undefined, |part| self.put_together(part)))
    }

    /// The value of what rules give.
    pub(super) fn put_together(&mut self, part: Part) -> Value {
        let is_nested = part.is_nested();
        let value = part.into_value();
        if is_nested {
            self.misfiles(&value);
        }
        value
    }
}

fn several(group: &Group) -> Failure {
    let name = group.path.iter().map(text_of).collect::<Vec<_>>().join(".");
    let what = if group.kind == Kind::Function {
        "functions must not produce multiple outputs for same inputs"
    } else {
        "complete rules must not produce multiple outputs"
    };
    Failure::Conflict(format!("data.{name}: {what}"))
}
