//! Documents made of base data and rules.

use regorus::{Rc, Value};

use crate::path::index_of;

use super::{
    super::{
        Program,
        ir::{Kind, NodeId},
        place,
        tree::Tree,
        weights::width,
    },
    Machine, Outcome,
    collect::Part,
};

/// Decision paths remembered; most clients ask for fewer.
const ENTERED: usize = 8;

impl Machine<'_> {
    /// The document at a decision path. A segment that is an integer is an index, except as a key of base data.
    pub(super) fn at(&mut self, path: &[String]) -> Outcome<Value> {
        let (node, rest) = self.enter(path);
        if rest.is_empty() {
            return self.below(node, &[]);
        }
        let in_rule = self.program.tree.node(node).is_some_and(|found| found.group.is_some());
        if in_rule {
            let keys: Vec<Value> = rest.iter().map(|segment| key_of(segment)).collect();
            return self.below(node, &keys);
        }
        let base = self.program.tree.node(node).and_then(|found| found.base.clone()).unwrap_or(Value::Undefined);
        Ok(descend_data(base, rest))
    }

    /// The node that a decision path leads to, and what remains of the path. The paths asked for first are remembered.
    fn enter<'s>(&mut self, path: &'s [String]) -> (NodeId, &'s [String]) {
        let entered = &mut self.state.entered;
        if let Some((_, node, rest)) = entered.iter().find(|(known, ..)| **known == *path) {
            return (*node, path.get(path.len() - rest..).unwrap_or_default());
        }
        let mut node = Tree::ROOT;
        let mut rest = path;
        while let Some((segment, further)) = rest.split_first()
            && self.program.tree.node(node).is_some_and(|found| found.group.is_none())
            && let Some(child) = self.program.tree.child(node, &Value::from(segment.as_str()))
        {
            node = child;
            rest = further;
        }
        if entered.len() < ENTERED {
            entered.push((path.into(), node, rest.len()));
        }
        (node, rest)
    }

    /// The document that `keys` lead to from a node.
    pub(super) fn below(&mut self, mut node: NodeId, keys: &[Value]) -> Outcome<Value> {
        let mut keys = keys;
        if !self.all_plain() {
            keys.iter().filter(|key| matches!(key, Value::Number(_))).try_for_each(|key| self.spell(key))?;
        }
        loop {
            let Some(found) = self.program.tree.node(node) else {
                return Ok(Value::Undefined);
            };
            if let Some(group) = found.group {
                let is_function = self.program.group(group).is_some_and(|group| group.kind == Kind::Function);
                if found.children.is_empty() && !is_function {
                    if let (Some((key, rest)), Some(Kind::Set | Kind::Object)) =
                        (keys.split_first(), self.program.group(group).map(|group| group.kind))
                    {
                        let part = self.entry(group, key)?;
                        return Ok(place::descend(&part, rest).cloned().unwrap_or(Value::Undefined));
                    }
                    let whole = self.group_value(group)?;
                    return Ok(place::descend(&whole, keys).cloned().unwrap_or(Value::Undefined));
                }
                let whole = self.document(node)?;
                return Ok(place::descend(&whole, keys).cloned().unwrap_or(Value::Undefined));
            }
            let Some((key, rest)) = keys.split_first() else {
                return self.document(node);
            };
            let Some(child) = found.children.get(key) else {
                return self.base_below(node, keys);
            };
            node = *child;
            keys = rest;
        }
    }

    fn base_below(&mut self, node: NodeId, keys: &[Value]) -> Outcome<Value> {
        let base = self.program.tree.node(node).and_then(|node| node.base.as_ref());
        let value = place::descend_base(base, keys)?.cloned().unwrap_or(Value::Undefined);
        if self.scope.is_plain() {
            return Ok(value);
        }
        let mut path = self.path_to(node);
        path.extend_from_slice(keys);
        self.patched(&path, &value.clone(), value)
    }

    /// The path of a node; only needed when something is replaced, so it is searched for.
    fn path_to(&self, wanted: NodeId) -> Vec<Value> {
        let mut pending = vec![(Tree::ROOT, Vec::new())];
        while let Some((id, path)) = pending.pop() {
            if id == wanted {
                return path;
            }
            if let Some(node) = self.program.tree.node(id) {
                for (key, child) in &node.children {
                    let mut below = path.clone();
                    below.push(key.clone());
                    pending.push((*child, below));
                }
            }
        }
        Vec::new()
    }

    /// Base data and rules at and below a node as one value.
    pub(super) fn document(&mut self, id: NodeId) -> Outcome<Value> {
        if !self.scope.is_plain() {
            let path = self.path_to(id);
            if self.scope.covers(&path) {
                return self.patched(&path, &Value::Undefined, Value::Undefined);
            }
            let base = self.program.tree.node(id).and_then(|node| node.base.clone()).unwrap_or(Value::Undefined);
            let whole = self.assembled(id)?;
            return self.patched(&path, &base, whole);
        }
        self.assembled(id)
    }

    fn assembled(&mut self, id: NodeId) -> Outcome<Value> {
        let Some(node) = self.program.tree.node(id) else {
            return Ok(Value::Undefined);
        };
        self.tick()?;
        if let Some(group) = node.group {
            if node.children.is_empty() {
                return self.group_value(group);
            }
            let whole = self.part(id)?.map_or(Value::Undefined, |part| self.put_together(part));
            return self.made(whole);
        }
        let mut whole = node.base.clone().unwrap_or_else(Value::new_object);
        if !node.children.is_empty() {
            self.changed(width(&whole))?;
        }
        for (key, child) in &node.children {
            let part = self.deeper(|machine| machine.document(*child))?;
            if part != Value::Undefined
                && let Value::Object(fields) = &mut whole
            {
                Rc::make_mut(fields).insert(key.clone(), part);
            }
        }
        self.made(whole)
    }

    /// A partial rule together with the rules whose paths lie inside of it. It is one document, in which nothing is that no rule
    /// has given: neither a path to rules that give nothing, nor an empty set or object of them.
    fn part(&mut self, id: NodeId) -> Outcome<Option<Part>> {
        let Some(node) = self.program.tree.node(id) else {
            return Ok(None);
        };
        let mut whole = match node.group.and_then(|group| Some((group, self.program.group(group)?))) {
            Some((_, group)) if group.kind == Kind::Object => Some(self.object_of(group)?),
            Some((id, group)) => match self.group_value(id)? {
                Value::Undefined => None,
                Value::Set(elements) if group.kind == Kind::Set => Some(Part::Elements(elements.iter().cloned().collect())),
                value => Some(Part::Leaf(value)),
            },
            None => Some(Part::empty()),
        };
        for (key, child) in &node.children {
            if let Some(part) = self.deeper(|machine| machine.part(*child))?.filter(Part::is_given) {
                whole.get_or_insert_with(Part::empty).merge(Part::along(vec![key.clone()], part))?;
            }
        }
        Ok(whole)
    }
}

impl Program {
    /// Whether a segment of `path` that is a number leads to a package or a rule of that name.
    pub(crate) fn is_entered_by_number(&self, path: &[String]) -> bool {
        let mut node = Tree::ROOT;
        for segment in path {
            let Some(child) = self.tree.child(node, &Value::from(segment.as_str())) else {
                return false;
            };
            if index_of(segment).is_some() {
                return true;
            }
            node = child;
        }
        false
    }
}

fn key_of(segment: &str) -> Value {
    index_of(segment).map_or_else(|| Value::from(segment), Value::from)
}

/// The part of base data that `segments` lead to: keys of objects are strings there, whatever they look like.
fn descend_data(mut value: Value, segments: &[String]) -> Value {
    for segment in segments {
        let key = if matches!(value, Value::Array(_)) { key_of(segment) } else { Value::from(segment.as_str()) };
        value = match &value {
            Value::Object(_) | Value::Array(_) => place::element(&value, &key).cloned().unwrap_or(Value::Undefined),
            _ => return Value::Undefined,
        };
    }
    value
}
