//! What is known of each rule, through all that it reaches.

use std::collections::BTreeSet;

use super::{
    builtin_table::BuiltinTable,
    ir::{Callee, Expr, Group, GroupId, Replacement, Substitute},
    tree::Tree,
    visit,
};

/// What evaluating a rule may reach.
#[derive(Debug, Default, Clone)]
pub(crate) struct Facts {
    /// The value may differ between inputs.
    pub reads_input: bool,
    /// The same input may give another value.
    pub nondeterministic: bool,
    /// Builtins that only OPA has.
    pub missing: BTreeSet<String>,
    /// What this engine leaves to OPA, as sentences.
    pub unsupported: BTreeSet<String>,
}

impl Facts {
    /// Whether the value is one for all questions.
    pub(crate) fn is_fixed(&self) -> bool {
        !self.reads_input && !self.nondeterministic && self.missing.is_empty() && self.unsupported.is_empty()
    }

    pub(crate) fn absorb(&mut self, other: &Self) {
        self.reads_input |= other.reads_input;
        self.nondeterministic |= other.nondeterministic;
        self.missing.extend(other.missing.iter().cloned());
        self.unsupported.extend(other.unsupported.iter().cloned());
    }
}

/// What one expression uses directly.
#[derive(Debug, Default)]
pub(crate) struct Uses {
    pub groups: BTreeSet<GroupId>,
    /// What `with` replaces. It is not evaluated, but to OPA a rule that replaces what needs the rule is recursive.
    replaced: BTreeSet<GroupId>,
    pub facts: Facts,
}

impl Uses {
    pub(crate) fn see(&mut self, expr: &Expr, tree: &Tree, builtins: &BuiltinTable) {
        match expr {
            Expr::Input(..) => self.facts.reads_input = true,
            Expr::Group(group) | Expr::Entry(group, _) | Expr::Function(group, _) => {
                self.groups.insert(*group);
            }
            Expr::Document(node) => self.groups.extend(tree.groups_below(*node)),
            Expr::Below(node, keys) => {
                let keys: Vec<_> = keys.iter().map(|key| if let Expr::Const(key) = key { Some(key) } else { None }).collect();
                self.groups.extend(tree.groups_along(*node, &keys));
            }
            Expr::Builtin(id, _) => self.call(*id, builtins),
            // What stands for a function inside of it is no expression, so that nobody else sees it.
            Expr::Comprehension(comprehension) => {
                visit::substitutes(&comprehension.body, &mut |replacement| self.replaced(replacement, tree, builtins));
            }
            _ => {}
        }
    }

    fn call(&mut self, id: u32, builtins: &BuiltinTable) {
        self.facts.nondeterministic |= !builtins.is_deterministic(id);
        if builtins.is_missing(id) {
            self.facts.missing.insert(builtins.name(id).to_owned());
        }
    }

    fn replaced(&mut self, replacement: &Replacement, tree: &Tree, builtins: &BuiltinTable) {
        match replacement {
            Replacement::Data(path, _) => {
                self.replaced.extend(tree.node_of(path).map(|node| tree.groups_below(node)).unwrap_or_default());
            }
            Replacement::Call(Callee::Function(group), _) => {
                self.replaced.insert(*group);
            }
            _ => {}
        }
        match replacement {
            Replacement::Call(_, Substitute::Callee(Callee::Function(group))) => {
                self.groups.insert(*group);
            }
            Replacement::Call(_, Substitute::Callee(Callee::Builtin(id))) => self.call(*id, builtins),
            _ => {}
        }
    }

    pub(crate) fn of(group: &Group, tree: &Tree, builtins: &BuiltinTable) -> Self {
        let mut uses = Self::default();
        for definition in &group.definitions {
            for param in &definition.params {
                visit::pattern(param, &mut |expr| uses.see(expr, tree, builtins));
            }
            for body in &definition.bodies {
                visit::substitutes(&body.steps, &mut |replacement| uses.replaced(replacement, tree, builtins));
                visit::body(body, &mut |expr| uses.see(expr, tree, builtins));
            }
        }
        group.default.iter().for_each(|value| visit::expr(value, &mut |expr| uses.see(expr, tree, builtins)));
        uses
    }
}

/// A rule that needs its own value.
#[derive(Debug)]
pub(crate) struct Recursion(pub GroupId);

/// What is known of each rule, and an order in which every rule comes after those it reaches.
#[derive(Debug)]
pub(crate) struct Closed {
    pub facts: Vec<Facts>,
    pub order: Vec<GroupId>,
}

/// Add to each rule's facts what it reaches. `uses` is indexed by group.
pub(crate) fn close(uses: &[Uses]) -> Result<Closed, Recursion> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Open,
        Done,
    }
    let mut states = vec![State::New; uses.len()];
    let mut facts: Vec<Facts> = uses.iter().map(|uses| uses.facts.clone()).collect();
    let mut order = Vec::with_capacity(uses.len());
    for start in 0..uses.len() {
        let mut stack = vec![(start, false)];
        while let Some((at, finished)) = stack.pop() {
            let (Some(state), Some(of)) = (states.get_mut(at), uses.get(at)) else {
                continue;
            };
            if finished {
                *state = State::Done;
                order.extend(GroupId::try_from(at));
                let mut all = facts.get(at).cloned().unwrap_or_default();
                of.groups.iter().filter_map(|used| facts.get(*used as usize)).for_each(|used| all.absorb(used));
                if let Some(slot) = facts.get_mut(at) {
                    *slot = all;
                }
                continue;
            }
            match *state {
                State::Done => {}
                State::Open => return Err(Recursion(GroupId::try_from(at).unwrap_or(GroupId::MAX))),
                State::New => {
                    *state = State::Open;
                    stack.push((at, true));
                    for used in of.groups.union(&of.replaced) {
                        match states.get(*used as usize) {
                            Some(State::New) => stack.push((*used as usize, false)),
                            Some(State::Open) => return Err(Recursion(*used)),
                            _ => {}
                        }
                    }
                }
            }
        }
    }
    Ok(Closed { facts, order })
}
