//! Local variables: their slots, and where they may be bound.

use std::collections::HashMap;

use super::super::ir::Slot;

#[derive(Debug, Clone, Copy)]
struct Variable {
    bound: bool,
    /// Nesting of the closure it belongs to: only statements of that closure bind it.
    level: usize,
}

#[derive(Debug, Clone)]
struct Closure {
    level: usize,
    /// Whether a variable from outside is used.
    open: bool,
}

/// The names of one query. A declared name is seen by the statements behind its declaration only.
#[derive(Debug, Clone, Default)]
struct Names {
    slots: HashMap<String, (Slot, usize)>,
    position: usize,
}

/// The scopes around the statement that is being lowered.
#[derive(Debug, Clone, Default)]
pub(super) struct Scopes {
    names: Vec<Names>,
    variables: Vec<Variable>,
    closures: Vec<Closure>,
    level: usize,
}

/// What to return to when a statement is not ready.
pub(super) struct Mark {
    bound: Vec<bool>,
    scopes: usize,
    closures: usize,
    level: usize,
}

impl Scopes {
    pub(super) fn push(&mut self) {
        self.names.push(Names { slots: HashMap::new(), position: usize::MAX });
    }

    pub(super) fn pop(&mut self) {
        self.names.pop();
    }

    /// Begin a closure: variables from outside are only read in it.
    pub(super) fn enter(&mut self) {
        self.level += 1;
        self.closures.push(Closure { level: self.level, open: false });
        self.push();
    }

    /// End the innermost closure; true when it used no variable from outside.
    pub(super) fn leave(&mut self) -> bool {
        self.pop();
        self.level -= 1;
        self.closures.pop().is_none_or(|closure| !closure.open)
    }

    /// Let the innermost closure give values to the variables outside of it, as if they had none.
    pub(super) fn release(&mut self) {
        for variable in &mut self.variables {
            *variable = Variable { bound: false, level: self.level };
        }
    }

    /// A slot without a name.
    pub(super) fn fresh(&mut self) -> Slot {
        let slot = Slot::try_from(self.variables.len()).unwrap_or(Slot::MAX);
        self.variables.push(Variable { bound: false, level: self.level });
        slot
    }

    /// A slot that has its value when it is made.
    pub(super) fn fresh_bound(&mut self) -> Slot {
        let slot = self.fresh();
        self.bind(slot);
        slot
    }

    /// A new variable of the innermost scope, seen everywhere in it.
    pub(super) fn declare(&mut self, name: &str) -> Slot {
        self.declare_at(name, 0)
    }

    /// A new variable that statement number `position` declares.
    pub(super) fn declare_at(&mut self, name: &str, position: usize) -> Slot {
        let slot = self.fresh();
        if let Some(names) = self.names.last_mut() {
            names.slots.insert(name.to_owned(), (slot, position));
        }
        slot
    }

    /// Look at names from statement number `position` of the innermost query, which does not see what it declares itself.
    pub(super) fn stand_at(&mut self, position: usize) {
        if let Some(names) = self.names.last_mut() {
            names.position = position;
        }
    }

    /// See what the present statement declares.
    pub(super) fn reveal(&mut self) {
        if let Some(names) = self.names.last_mut() {
            names.position = names.position.saturating_add(1);
        }
    }

    /// Whether the innermost scope itself has the variable.
    pub(super) fn has_own(&self, name: &str) -> bool {
        self.names.last().is_some_and(|names| names.slots.contains_key(name))
    }

    /// Whether the innermost scope has the variable, and a value for it.
    pub(super) fn has_own_bound(&self, name: &str) -> bool {
        self.names.last().and_then(|names| names.slots.get(name)).is_some_and(|(slot, _)| self.is_bound(*slot))
    }

    /// Whether the innermost scope has the variable, and no value for it.
    pub(super) fn has_own_unbound(&self, name: &str) -> bool {
        self.names.last().and_then(|names| names.slots.get(name)).is_some_and(|(slot, _)| !self.is_bound(*slot))
    }

    pub(super) const fn level(&self) -> usize {
        self.level
    }

    pub(super) fn find(&self, name: &str) -> Option<Slot> {
        self.names.iter().rev().find_map(|names| {
            let (slot, declared) = names.slots.get(name)?;
            (*declared < names.position).then_some(*slot)
        })
    }

    /// Whether a scope around has the variable, declared already or later.
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.iter().any(|names| names.slots.contains_key(name))
    }

    pub(super) fn is_bound(&self, slot: Slot) -> bool {
        self.variables.get(slot as usize).is_some_and(|variable| variable.bound)
    }

    /// Whether a statement here may bind it.
    pub(super) fn is_bindable(&self, slot: Slot) -> bool {
        self.variables.get(slot as usize).is_some_and(|variable| !variable.bound && variable.level == self.level)
    }

    pub(super) fn bind(&mut self, slot: Slot) {
        if let Some(variable) = self.variables.get_mut(slot as usize) {
            variable.bound = true;
        }
    }

    /// Note that a bound variable is read here.
    pub(super) fn read(&mut self, slot: Slot) {
        let Some(variable) = self.variables.get(slot as usize).copied() else {
            return;
        };
        for closure in &mut self.closures {
            closure.open |= variable.level < closure.level;
        }
    }

    /// Slots handed out so far.
    pub(super) fn count(&self) -> Slot {
        Slot::try_from(self.variables.len()).unwrap_or(Slot::MAX)
    }

    pub(super) fn mark(&self) -> Mark {
        Mark {
            bound: self.variables.iter().map(|variable| variable.bound).collect(),
            scopes: self.names.len(),
            closures: self.closures.len(),
            level: self.level,
        }
    }

    /// Forget what was bound and opened since `mark`. Slots are not handed out again.
    pub(super) fn reset(&mut self, mark: &Mark) {
        for (number, variable) in self.variables.iter_mut().enumerate() {
            variable.bound = mark.bound.get(number).copied().unwrap_or(false);
        }
        self.names.truncate(mark.scopes);
        self.closures.truncate(mark.closures);
        self.level = mark.level;
    }
}
