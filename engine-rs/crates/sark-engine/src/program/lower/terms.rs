//! Which keys of a written object may be one term to OPA.
//!
//! OPA keeps of two fields whose keys are the same term the last one, when it parses and again when it has resolved names: the
//! other's value is never evaluated. Whether two lowered keys are one term is told here on the safe side: what cannot be told
//! apart counts as the same.

use std::{
    collections::BTreeSet,
    fmt::{self, Write as _},
};

use regorus::{Value, unstable::Span};

use super::{super::ir::Expr, Lower, unsupported};

/// The keys of one object so far.
#[derive(Debug, Default)]
pub(super) struct Keys {
    terms: BTreeSet<String>,
    iterates: bool,
}

impl Keys {
    /// Add a key of the object at `span`; `iterates` when its lowering took steps of its own. Left to OPA is an object with a
    /// key that is not told apart from all others.
    pub(super) fn add(&mut self, span: &Span, key: &Expr, iterates: bool) -> Lower<()> {
        if self.tells_apart(key, iterates) {
            return Ok(());
        }
        unsupported(span, "an object with two keys that may be one term")
    }

    fn tells_apart(&mut self, key: &Expr, iterates: bool) -> bool {
        if matches!(key, Expr::Const(Value::String(_) | Value::Bool(_) | Value::Null)) {
            return true; // the same ones are one field already
        }
        self.iterates |= iterates;
        // A key that iterates has become a variable, which says nothing of what it was.
        self.terms.insert(Term(key).to_string()) && (self.terms.len() == 1 || !self.iterates)
    }
}

/// What tells a key from others, as a text: the same for what may be one term.
struct Term<'e>(&'e Expr);

impl fmt::Display for Term<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Expr::Const(value) => Constant(value).fmt(to),
            Expr::Slot(slot) | Expr::BasePart(slot) => write!(to, "slot {slot}"),
            Expr::Input(path, _) => list(to, "input", path.iter().map(Constant)),
            Expr::Base(base) => list(to, "data", base.path.iter().map(Constant)),
            Expr::Group(group) => write!(to, "rule {group}"),
            Expr::Entry(group, key) => write!(to, "rule {group}[{}]", Term(key)),
            Expr::Document(node) => write!(to, "document {node}"),
            Expr::Below(node, keys) => {
                write!(to, "document {node}")?;
                list(to, "", keys.iter().map(Term))
            }
            Expr::Index(collection, key) => write!(to, "{}[{}]", Term(collection), Term(key)),
            Expr::Array(items) => list(to, "array", items.iter().map(Term)),
            // One in another order is the same, and members that are the same count once.
            Expr::Set(items) => list(to, "set", items.iter().map(|item| Term(item).to_string()).collect::<BTreeSet<_>>()),
            Expr::Object(fields) => {
                let fields = fields.iter().map(|(key, value)| format!("{}: {}", Term(key), Term(value)));
                list(to, "object", fields.collect::<BTreeSet<_>>())
            }
            Expr::Comprehension(_) => to.write_str("comprehension"),
            // An operator is a call of a builtin to OPA. The names are left out, which only makes more of them the same.
            Expr::Compare(_, left, right) | Expr::Arithmetic(_, left, right) | Expr::Combine(_, left, right) => {
                list(to, "call", [Term(left), Term(right)])
            }
            Expr::Member(key, value, collection) => {
                list(to, "call", key.iter().map(|key| Term(key)).chain([Term(value), Term(collection)]))
            }
            Expr::Builtin(_, args) | Expr::Function(_, args) => list(to, "call", args.iter().map(Term)),
            Expr::Fixed(_, inner) => Term(inner).fmt(to),
        }
    }
}

struct Constant<'v>(&'v Value);

impl fmt::Display for Constant<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            // By what a double makes of it: numbers that differ less are taken for the same.
            Value::Number(number) => write!(to, "number {:?}", number.as_f64()),
            Value::String(text) => write!(to, "{text:?}"),
            Value::Array(items) => list(to, "array", items.iter().map(Constant)),
            Value::Set(items) => list(to, "set", items.iter().map(|item| Constant(item).to_string()).collect::<BTreeSet<_>>()),
            Value::Object(fields) => {
                let fields = fields.iter_sorted().map(|(key, value)| format!("{}: {}", Constant(key), Constant(value)));
                list(to, "object", fields.collect::<BTreeSet<_>>())
            }
            other => write!(to, "{other}"),
        }
    }
}

fn list<T: fmt::Display>(to: &mut fmt::Formatter<'_>, name: &str, items: impl IntoIterator<Item = T>) -> fmt::Result {
    write!(to, "{name}(")?;
    for item in items {
        write!(to, "{item}, ")?;
    }
    to.write_char(')')
}
