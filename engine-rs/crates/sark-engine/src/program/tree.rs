//! Where rules are: the tree of paths below `data`.

use std::collections::BTreeMap;

use regorus::Value;

use super::ir::{GroupId, NodeId};
use crate::footprint::Footprint;

/// One path.
#[derive(Debug, Default)]
pub(crate) struct Node {
    pub children: BTreeMap<Value, NodeId>,
    pub group: Option<GroupId>,
    /// Base data at this path.
    pub base: Option<Value>,
}

/// All paths that rules have, and the way to them.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
}

impl Footprint for Tree {
    fn heap(&self) -> usize {
        self.nodes.heap()
    }
}

impl Tree {
    pub(crate) const ROOT: NodeId = 0;

    pub(crate) fn new() -> Self {
        Self { nodes: vec![Node::default()] }
    }

    pub(crate) fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id as usize)
    }

    pub(crate) fn child(&self, id: NodeId, key: &Value) -> Option<NodeId> {
        self.node(id)?.children.get(key).copied()
    }

    /// Whether base data has an object below `data` itself.
    pub(crate) fn has_objects(&self) -> bool {
        let base = self.node(Self::ROOT).and_then(|root| root.base.as_ref());
        matches!(base, Some(Value::Object(fields)) if fields.iter().any(|(_, value)| matches!(value, Value::Object(_))))
    }

    /// The node at `path`, made where it is missing.
    pub(crate) fn make(&mut self, path: &[Value]) -> NodeId {
        let mut at = Self::ROOT;
        for key in path {
            at = if let Some(child) = self.child(at, key) {
                child
            } else {
                let next = NodeId::try_from(self.nodes.len()).unwrap_or(NodeId::MAX);
                self.nodes.push(Node::default());
                if let Some(node) = self.nodes.get_mut(at as usize) {
                    node.children.insert(key.clone(), next);
                }
                next
            };
        }
        at
    }

    pub(crate) fn set_group(&mut self, id: NodeId, group: GroupId) {
        if let Some(node) = self.nodes.get_mut(id as usize) {
            node.group = Some(group);
        }
    }

    /// Follow `path` while there are nodes: the last one, and how many components led there.
    pub(crate) fn follow(&self, path: &[Value]) -> (NodeId, usize) {
        let mut at = Self::ROOT;
        for (length, key) in path.iter().enumerate() {
            match self.child(at, key) {
                Some(child) => at = child,
                None => return (at, length),
            }
        }
        (at, path.len())
    }

    /// The node at the end of `path`, if there is one.
    pub(crate) fn node_of(&self, path: &[Value]) -> Option<NodeId> {
        let (node, followed) = self.follow(path);
        (followed == path.len()).then_some(node)
    }

    /// Put base data beside the rules.
    pub(crate) fn attach(&mut self, data: &Value) {
        let mut pending = vec![(Self::ROOT, data.clone())];
        while let Some((id, value)) = pending.pop() {
            let Some(node) = self.nodes.get_mut(id as usize) else {
                continue;
            };
            if let Value::Object(fields) = &value {
                let below = node.children.iter().filter_map(|(key, child)| Some((*child, fields.get(key)?.clone())));
                pending.extend(below.collect::<Vec<_>>());
            }
            node.base = Some(value);
        }
    }

    /// Every group that may have part in what `keys` lead to from a node; None stands for any key.
    pub(crate) fn groups_along(&self, id: NodeId, keys: &[Option<&Value>]) -> Vec<GroupId> {
        let mut found = Vec::new();
        let mut pending = vec![(id, keys)];
        while let Some((id, keys)) = pending.pop() {
            let Some(node) = self.node(id) else {
                continue;
            };
            match keys.split_first() {
                _ if node.group.is_some() => found.extend(self.groups_below(id)),
                None => found.extend(self.groups_below(id)),
                Some((Some(key), rest)) => pending.extend(node.children.get(key).map(|child| (*child, rest))),
                Some((None, rest)) => pending.extend(node.children.values().map(|child| (*child, rest))),
            }
        }
        found
    }

    /// Every group at or below a node.
    pub(crate) fn groups_below(&self, id: NodeId) -> Vec<GroupId> {
        let mut found = Vec::new();
        let mut pending = vec![id];
        while let Some(node) = pending.pop().and_then(|id| self.node(id)) {
            found.extend(node.group);
            pending.extend(node.children.values().copied());
        }
        found
    }
}
