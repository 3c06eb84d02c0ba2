//! Collections that OPA does not keep sorted: sets and objects that are written with members which are computed.
//!
//! OPA sorts the members of a literal by how they are written, keeps those apart that turn out equal, and goes through them so
//! for as long as the literal is handed on: by variables, functions, rules, arrays and objects. What a builtin or another set
//! has taken in is sorted. Order and number of the solutions can be seen in one place, an array comprehension that goes
//! through such a collection by itself; it is left to OPA. So is one that goes through data with rules beside
//! it, where `with` may have put some of it there.

use std::collections::BTreeSet;

use super::{
    ir::{
        Body, Comprehension, Definition, Expr, Group, Kind, Leaf, Pattern, Replacement, Scan, Slot, Step, Substitute, Yields,
    },
    tree::Tree,
    visit,
};

/// For each group, whether an array comprehension in it shows an order that is OPA's own.
pub(super) fn shown(groups: &[Group], tree: &Tree) -> Vec<bool> {
    let mut known = Unsorted::new(groups, tree);
    known.close();
    (0..).zip(groups).map(|(id, group)| group.definitions.iter().any(|definition| known.is_shown_by(id, definition))).collect()
}

/// What is known to hand on an unsorted collection, itself or deeper inside.
struct Unsorted<'p> {
    groups: &'p [Group],
    tree: &'p Tree,
    /// Whether the program has such a literal at all. Few have.
    any: bool,
    /// By group: its value.
    values: Vec<bool>,
    /// By group: an argument of a call.
    arguments: Vec<bool>,
    /// What `with` puts in the place of the input, of data or of a call.
    replaced: bool,
    /// Whether `with` puts anything in the place of data.
    data_replaced: bool,
}

/// The variables of a definition that hold one.
type Slots = BTreeSet<Slot>;

impl<'p> Unsorted<'p> {
    fn new(groups: &'p [Group], tree: &'p Tree) -> Self {
        let none = vec![false; groups.len()];
        let any = groups.iter().any(writes_one);
        let data_replaced = groups.iter().any(replaces_data);
        Self { groups, tree, any, values: none.clone(), arguments: none, replaced: false, data_replaced }
    }

    /// Follow unsorted collections through the program until nothing new is found.
    fn close(&mut self) {
        while self.any {
            let before = (self.values.clone(), self.arguments.clone(), self.replaced);
            for (id, group) in self.groups.iter().enumerate() {
                let is_value = group.definitions.iter().any(|definition| self.follow(id, group, definition))
                    || group.default.as_ref().is_some_and(|value| self.is_unsorted(value, &Slots::new()));
                if let Some(value) = self.values.get_mut(id) {
                    *value |= is_value;
                }
            }
            if before == (self.values.clone(), self.arguments.clone(), self.replaced) {
                return;
            }
        }
    }

    /// Note what a definition hands to functions and by `with`; return whether it gives an unsorted collection itself.
    fn follow(&mut self, id: usize, group: &Group, definition: &Definition) -> bool {
        let slots = self.slots(id, definition);
        let mut called = Vec::new();
        let mut replaced = false;
        for body in &definition.bodies {
            visit::body(body, &mut |part| {
                if let Expr::Function(callee, args) = part
                    && args.iter().any(|arg| self.is_unsorted(arg, &slots))
                {
                    called.push(*callee as usize);
                }
            });
            let mut see = |replacement: &Replacement| match replacement {
                Replacement::Input(_, value) | Replacement::Data(_, value) | Replacement::Call(_, Substitute::Value(value)) => {
                    replaced |= self.is_unsorted(value, &slots);
                }
                Replacement::Call(_, Substitute::Callee(_)) => {}
            };
            visit::substitutes(&body.steps, &mut see);
            comprehensions(body).iter().for_each(|each| visit::substitutes(&each.body, &mut see));
        }
        for callee in called {
            if let Some(argument) = self.arguments.get_mut(callee) {
                *argument = true;
            }
        }
        self.replaced |= replaced;
        // The elements of a set that a rule makes are taken in one by one.
        group.kind != Kind::Set
            && definition.bodies.iter().any(|body| match &body.yields {
                Leaf::Value(value) => self.is_unsorted(value, &slots),
                Leaf::Element(_) => false,
            })
    }

    /// The variables of a definition that hold an unsorted collection.
    fn slots(&self, id: usize, definition: &Definition) -> Slots {
        let mut slots = Slots::new();
        if !self.any {
            return slots;
        }
        if self.arguments.get(id).copied().unwrap_or_default() {
            definition.params.iter().for_each(|param| bound_by(param, &mut slots));
        }
        loop {
            let before = slots.len();
            for body in &definition.bodies {
                self.bind(&body.steps, &mut slots);
                comprehensions(body).iter().for_each(|each| self.bind(&each.body, &mut slots));
            }
            if slots.len() == before {
                return slots;
            }
        }
    }

    /// Add the variables that `steps` give an unsorted collection.
    fn bind(&self, steps: &[Step], slots: &mut Slots) {
        for step in steps {
            match step {
                Step::Let(slot, value) | Step::Front(slot, value) if self.is_unsorted(value, slots) => {
                    slots.insert(*slot);
                }
                Step::Unify(pattern, value) | Step::Walk(value, pattern) if self.is_unsorted(value, slots) => {
                    bound_by(pattern, slots);
                }
                Step::Scan(scan) if self.holds_unsorted(&scan.collection, slots) => {
                    bound_by(&scan.key, slots);
                    bound_by(&scan.value, slots);
                }
                Step::Every { domain, key, value, body } => {
                    if self.holds_unsorted(domain, slots) {
                        slots.extend(key.iter().chain([value]));
                    }
                    self.bind(body, slots);
                }
                Step::Not(body) | Step::NotBody(body) | Step::With(_, body) => self.bind(body, slots),
                _ => {}
            }
        }
    }

    /// Whether `value` may be an unsorted collection, or have one inside.
    fn is_unsorted(&self, value: &Expr, slots: &Slots) -> bool {
        is_unsorted_literal(value) || self.holds_unsorted(value, slots)
    }

    /// Whether members of `value` may be unsorted collections, or `value` may be one that was not written here.
    fn holds_unsorted(&self, value: &Expr, slots: &Slots) -> bool {
        let any = |items: &[Expr]| items.iter().any(|item| self.is_unsorted(item, slots));
        let of_group = |id: usize| self.values.get(id).copied().unwrap_or_default();
        match value {
            Expr::Const(_) | Expr::Compare(..) | Expr::Arithmetic(..) | Expr::Combine(..) | Expr::Member(..) => false,
            Expr::Slot(slot) | Expr::BasePart(slot) => slots.contains(slot),
            Expr::Input(..) | Expr::Base(_) | Expr::Builtin(..) => self.replaced,
            Expr::Group(id) | Expr::Entry(id, _) | Expr::Function(id, _) => self.replaced || of_group(*id as usize),
            Expr::Document(_) | Expr::Below(..) => self.replaced || self.values.contains(&true),
            Expr::Index(collection, _) => self.is_unsorted(collection, slots),
            Expr::Fixed(_, inner) => self.holds_unsorted(inner, slots),
            Expr::Array(items) | Expr::Set(items) => any(items),
            Expr::Object(fields) => {
                fields.iter().any(|(key, value)| self.is_unsorted(key, slots) || self.is_unsorted(value, slots))
            }
            Expr::Comprehension(comprehension) => match &comprehension.yields {
                Yields::Array(term) => self.is_unsorted(term, slots),
                Yields::Object(_, value) => self.is_unsorted(value, slots),
                Yields::Set(_) => false,
            },
        }
    }

    fn is_shown_by(&self, id: usize, definition: &Definition) -> bool {
        let slots = self.slots(id, definition);
        let is_array = |comprehension: &Comprehension| matches!(comprehension.yields, Yields::Array(_));
        let mut all = definition.bodies.iter().flat_map(comprehensions);
        all.any(|each| is_array(each) && self.goes_through_one(&each.body, &slots))
    }

    /// Whether `steps` themselves iterate over an unsorted collection.
    fn goes_through_one(&self, steps: &[Step], slots: &Slots) -> bool {
        steps.iter().any(|step| match step {
            Step::Scan(scan) => self.has_an_order_of_its_own(scan, slots),
            Step::Walk(value, _) => self.is_unsorted(value, slots),
            Step::With(_, body) => self.goes_through_one(body, slots),
            _ => false,
        })
    }

    fn has_an_order_of_its_own(&self, scan: &Scan, slots: &Slots) -> bool {
        match &scan.collection {
            Expr::Document(node) => {
                let has_rules = self.tree.node(*node).is_some_and(|node| !node.children.is_empty());
                self.replaced || (self.data_replaced && has_rules)
            }
            // Itself a literal, or what one was handed on to.
            collection => self.is_unsorted(collection, slots),
        }
    }
}

/// Whether an expression is a literal that OPA keeps in the order of what is written.
fn is_unsorted_literal(value: &Expr) -> bool {
    let is_computed = |part: &Expr| !matches!(part, Expr::Const(_));
    match value {
        Expr::Set(items) => items.len() > 1 && items.iter().any(is_computed),
        Expr::Object(fields) => fields.len() > 1 && fields.iter().any(|(key, _)| is_computed(key)),
        Expr::Fixed(_, inner) => is_unsorted_literal(inner),
        _ => false,
    }
}

/// Whether a rule has such a literal.
fn writes_one(group: &Group) -> bool {
    let mut found = false;
    let mut see = |part: &Expr| found |= is_unsorted_literal(part);
    group.definitions.iter().flat_map(|definition| &definition.bodies).for_each(|body| visit::body(body, &mut see));
    group.default.iter().for_each(|value| visit::expr(value, &mut see));
    found
}

/// Whether a rule puts something in the place of data.
fn replaces_data(group: &Group) -> bool {
    let mut found = false;
    let mut see = |replacement: &Replacement| found |= matches!(replacement, Replacement::Data(..));
    for body in group.definitions.iter().flat_map(|definition| &definition.bodies) {
        visit::substitutes(&body.steps, &mut see);
        comprehensions(body).iter().for_each(|each| visit::substitutes(&each.body, &mut see));
    }
    found
}

/// All comprehensions of a body, at any depth.
fn comprehensions(body: &Body) -> Vec<&Comprehension> {
    let mut found = Vec::new();
    visit::body(body, &mut |part| {
        if let Expr::Comprehension(comprehension) = part {
            found.push(comprehension.as_ref());
        }
    });
    found
}

/// Add every variable that a pattern binds.
fn bound_by(pattern: &Pattern, slots: &mut Slots) {
    match pattern {
        Pattern::Any | Pattern::Equal(_) => {}
        Pattern::Bind(slot) => {
            slots.insert(*slot);
        }
        Pattern::Array(items) => items.iter().for_each(|item| bound_by(item, slots)),
        Pattern::Object(fields) => fields.iter().for_each(|(_, value)| bound_by(value, slots)),
    }
}
