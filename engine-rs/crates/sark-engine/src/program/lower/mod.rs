//! From the syntax tree to the program: names become slots and groups, statements are put into an order in which every
//! variable is bound before it is used, and iteration becomes steps of its own.

mod argument;
mod call;
mod children;
mod closure;
mod expression;
mod fields;
mod indexed;
mod lone_true;
mod membership;
mod negation;
mod operator;
mod pattern;
mod reference;
mod rule;
mod scope;
mod statement;
mod terms;
mod variables;

pub(in crate::program) use operator::{arithmetic, combination};
pub(crate) use rule::{definition, keyed, of_default};

use std::collections::{BTreeSet, HashMap};

use regorus::{Value, unstable::Span};

use super::{
    builtin_table::BuiltinTable,
    ir::{Expr, GroupId, Kind, Slot, Step},
    names::{Names, PackageRules},
    recurring::Recurring,
    tree::Tree,
    visit,
};
use crate::document::Spelled;
use indexed::Order;
use scope::Scopes;

/// Deepest nesting of one expression, so that walks over it need a bounded stack.
const MAX_NESTING: usize = 200;

/// What is known of a rule before its definitions are lowered.
#[derive(Debug)]
pub(crate) struct Outline {
    pub path: Box<[Value]>,
    pub kind: Kind,
    pub arity: usize,
    /// Whether more than one body, definition or default may give its value.
    pub has_several: bool,
}

/// What all definitions share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub tree: Tree,
    pub rules: PackageRules,
    pub outlines: Vec<Outline>,
    pub builtins: BuiltinTable,
    /// How many expressions are [`Expr::Fixed`].
    pub fixed: u32,
    /// Partial rules that are asked for one entry.
    pub wanted: BTreeSet<GroupId>,
    /// Numbers that are spelled otherwise than the engine writes them.
    pub spelled: Spelled,
    pub recurring: Recurring,
}

impl Shared {
    pub(crate) fn outline(&self, group: GroupId) -> Option<&Outline> {
        self.outlines.get(group as usize)
    }
}

/// Why something is not lowered.
#[derive(Debug, Clone)]
pub(crate) enum Blocked {
    /// A variable has no value yet; another statement may give it one.
    Unbound(String),
    /// OPA refuses it too.
    Refused(String),
    /// OPA would evaluate it, this engine does not.
    Unsupported(String),
}

pub(crate) type Lower<T> = Result<T, Blocked>;

/// The lowering of one definition.
pub(crate) struct Lowering<'a> {
    shared: &'a mut Shared,
    names: &'a Names,
    scopes: Scopes,
    nesting: usize,
    /// Expressions that are evaluated in front of a negation, or of statements that wait, by their address, and the slots of their values.
    in_front: HashMap<usize, Slot>,
    order: Order,
}

impl<'a> Lowering<'a> {
    fn new(shared: &'a mut Shared, names: &'a Names) -> Self {
        Self { shared, names, scopes: Scopes::default(), nesting: 0, in_front: HashMap::new(), order: Order::default() }
    }

    fn constant(&mut self, value: &Value) -> Expr {
        Expr::Const(self.shared.recurring.value(value))
    }

    /// Mark an expression that can be computed once for one input, or for all.
    fn fixed(&mut self, value: Expr) -> Expr {
        if !self.is_closed(&value) {
            return value;
        }
        let number = self.shared.fixed;
        self.shared.fixed += 1;
        Expr::Fixed(number, Box::new(value))
    }

    fn is_closed(&self, value: &Expr) -> bool {
        let mut closed = true;
        // The slots inside a comprehension are its own when it is closed; those outside of one never are.
        outside(value, &mut |inner| match inner {
            Expr::Slot(_) | Expr::BasePart(_) => closed = false,
            Expr::Comprehension(comprehension) => closed &= comprehension.closed,
            _ => {}
        });
        let mut refused = false;
        visit::expr(value, &mut |inner| {
            if let Expr::Builtin(id, _) = inner {
                refused |= !self.shared.builtins.is_deterministic(*id);
            }
        });
        closed && !refused
    }
}

/// Visit `value` without going into comprehensions.
fn outside<'e>(value: &'e Expr, see: &mut dyn FnMut(&'e Expr)) {
    see(value);
    match value {
        Expr::Comprehension(_)
        | Expr::Const(_)
        | Expr::Slot(_)
        | Expr::BasePart(_)
        | Expr::Input(..)
        | Expr::Base(_)
        | Expr::Group(_)
        | Expr::Document(_) => {}
        Expr::Entry(_, inner) | Expr::Fixed(_, inner) => outside(inner, see),
        Expr::Index(left, right)
        | Expr::Compare(_, left, right)
        | Expr::Arithmetic(_, left, right)
        | Expr::Combine(_, left, right) => {
            outside(left, see);
            outside(right, see);
        }
        Expr::Below(_, items) | Expr::Array(items) | Expr::Set(items) | Expr::Builtin(_, items) | Expr::Function(_, items) => {
            items.iter().for_each(|item| outside(item, see));
        }
        Expr::Object(fields) => fields.iter().for_each(|(key, value)| {
            outside(key, see);
            outside(value, see);
        }),
        Expr::Member(key, value, collection) => {
            key.iter().for_each(|key| outside(key, see));
            outside(value, see);
            outside(collection, see);
        }
    }
}

/// A refusal that names the place.
fn refused<T>(span: &Span, reason: &str) -> Lower<T> {
    Err(Blocked::Refused(format!("{}:{}:{}: {reason}", span.source.get_path(), span.line, span.col)))
}

/// Something OPA evaluates and this engine leaves to it.
fn unsupported<T>(span: &Span, reason: &str) -> Lower<T> {
    Err(Blocked::Unsupported(format!("{}:{}:{}: {reason}", span.source.get_path(), span.line, span.col)))
}

type Steps = Vec<Step>;
