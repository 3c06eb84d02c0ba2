//! How much memory a program takes.

use regorus::Value;

use super::{
    Keep, Program,
    facts::Facts,
    ir::{
        Base, Body, Comprehension, Definition, Expr, Group, Keyed, Leaf, Pattern, Replacement, Scan, Step, Substitute, Yields,
    },
    tree::Node,
    weights::Weights,
};
use crate::footprint::Footprint;

impl Footprint for Program {
    fn heap(&self) -> usize {
        self.tree.heap()
            + self.groups.heap()
            + self.facts.heap()
            + self.fixed.heap()
            + self.packages.heap()
            + self.recurring
            + self.weights.heap()
    }
}

impl Footprint for Weights {
    fn heap(&self) -> usize {
        // An address, a weight, and the room that a table leaves.
        48 * self.len()
    }
}

impl Footprint for Keep {
    fn heap(&self) -> usize {
        0
    }
}

/// Base data hangs on the data that policies hold, and counts there.
impl Footprint for Node {
    fn heap(&self) -> usize {
        self.children.heap()
    }
}

impl Footprint for Base {
    fn heap(&self) -> usize {
        self.path.heap()
    }
}

impl Footprint for Facts {
    fn heap(&self) -> usize {
        self.missing.heap() + self.unsupported.heap()
    }
}

impl Footprint for Group {
    fn heap(&self) -> usize {
        self.path.heap() + self.definitions.heap() + self.default.heap() + self.index.heap()
    }
}

impl Footprint for Definition {
    fn heap(&self) -> usize {
        self.params.heap() + self.bodies.heap() + self.keyed.heap()
    }
}

impl Footprint for Keyed {
    fn heap(&self) -> usize {
        self.key.heap() + self.body.heap()
    }
}

impl Footprint for Body {
    fn heap(&self) -> usize {
        let (Leaf::Value(yields) | Leaf::Element(yields)) = &self.yields;
        self.steps.heap() + self.keys.heap() + yields.heap()
    }
}

impl Footprint for Step {
    fn heap(&self) -> usize {
        match self {
            Self::Let(_, value) | Self::Front(_, value) | Self::Check(value) | Self::Key(value) => value.heap(),
            Self::Unify(pattern, value) | Self::Walk(value, pattern) => pattern.heap() + value.heap(),
            Self::Scan(scan) => scan.heap(),
            Self::Not(body) | Self::NotBody(body) => body.heap(),
            Self::Every { domain, body, .. } => domain.heap() + body.heap(),
            Self::With(replacements, body) => replacements.heap() + body.heap(),
        }
    }
}

impl Footprint for Scan {
    fn heap(&self) -> usize {
        self.collection.heap() + self.key.heap() + self.value.heap()
    }
}

impl Footprint for Replacement {
    fn heap(&self) -> usize {
        match self {
            Self::Input(path, value) | Self::Data(path, value) => path.heap() + value.heap(),
            Self::Call(_, Substitute::Value(value)) => value.heap(),
            Self::Call(_, Substitute::Callee(_)) => 0,
        }
    }
}

impl Footprint for Pattern {
    fn heap(&self) -> usize {
        match self {
            Self::Any | Self::Bind(_) => 0,
            Self::Equal(value) => value.heap(),
            Self::Array(items) => items.heap(),
            Self::Object(fields) => fields.heap(),
        }
    }
}

impl Footprint for Comprehension {
    fn heap(&self) -> usize {
        let yields = match &self.yields {
            Yields::Array(value) | Yields::Set(value) => value.heap(),
            Yields::Object(key, value) => key.heap() + value.heap(),
        };
        self.body.heap() + yields
    }
}

impl Footprint for Expr {
    fn heap(&self) -> usize {
        match self {
            // Texts and paths are shared, and count once for the whole program.
            Self::Slot(_)
            | Self::BasePart(_)
            | Self::Group(_)
            | Self::Document(_)
            | Self::Input(..)
            | Self::Const(Value::String(_)) => 0,
            Self::Const(value) => value.heap(),
            Self::Base(base) => base.heap(),
            Self::Entry(_, inner) | Self::Fixed(_, inner) => inner.heap(),
            Self::Below(_, items)
            | Self::Array(items)
            | Self::Set(items)
            | Self::Builtin(_, items)
            | Self::Function(_, items) => items.heap(),
            Self::Index(left, right)
            | Self::Compare(_, left, right)
            | Self::Arithmetic(_, left, right)
            | Self::Combine(_, left, right) => left.heap() + right.heap(),
            Self::Object(fields) => fields.heap(),
            Self::Member(key, value, collection) => key.heap() + value.heap() + collection.heap(),
            Self::Comprehension(comprehension) => comprehension.heap(),
        }
    }
}
