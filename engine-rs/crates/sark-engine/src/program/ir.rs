//! The program: rules after names are resolved, statements ordered and iteration made explicit.
//!
//! An [`Expr`] is pure: it has one value, or is undefined. Whatever can have several solutions is a [`Step`], so that
//! running a body is a walk over its steps with backtracking in the few that iterate.

use std::sync::Arc;

use regorus::{
    Value,
    unstable::{ArithOp, BinOp, BoolOp},
};

/// Place of a local variable in its definition's frame.
pub(crate) type Slot = u32;
/// Number of a [`Group`].
pub(crate) type GroupId = u32;
/// Number of a node of the rule tree.
pub(crate) type NodeId = u32;
/// Number of a path below the input.
pub(crate) type InputId = u32;
/// Number of a builtin in the program's table.
pub(crate) type BuiltinId = u32;

/// What has at most one value, given its slots.
#[derive(Debug, Clone)]
pub(crate) enum Expr {
    Const(Value),
    Slot(Slot),
    /// A slot with a part of base data, found by going through it in the same reference.
    BasePart(Slot),
    /// `input` and constant keys below it. The number is that of the path.
    Input(Arc<[Value]>, InputId),
    /// A constant path into base data, where no rule is, with its value.
    Base(Box<Base>),
    /// The value of all definitions of a rule.
    Group(GroupId),
    /// One entry of a partial rule, found without computing the others.
    Entry(GroupId, Box<Self>),
    /// Base data and rules below a node of the rule tree, as one object.
    Document(NodeId),
    /// What is found below a node on the way of keys that are only known while running.
    Below(NodeId, Box<[Self]>),
    Index(Box<Self>, Box<Self>),
    Array(Box<[Self]>),
    Set(Box<[Self]>),
    Object(Box<[(Self, Self)]>),
    Compare(BoolOp, Box<Self>, Box<Self>),
    Arithmetic(ArithOp, Box<Self>, Box<Self>),
    /// Union or intersection of sets.
    Combine(BinOp, Box<Self>, Box<Self>),
    Member(Option<Box<Self>>, Box<Self>, Box<Self>),
    Builtin(BuiltinId, Box<[Self]>),
    Function(GroupId, Box<[Self]>),
    Comprehension(Box<Comprehension>),
    /// An expression without local variables: computed once for an input, and once for a set of policies where it does not read it.
    Fixed(u32, Box<Self>),
}

impl Expr {
    /// Whether it is a reference into base data, in which OPA looks for keys by their texts.
    pub(crate) fn is_in_base(&self) -> bool {
        match self {
            Self::Base(_) | Self::BasePart(_) => true,
            Self::Index(collection, _) => collection.is_in_base(),
            _ => false,
        }
    }

    /// Whether its value may be of base data or have such parts, where the input has none.
    pub(crate) fn may_have_base_data(&self) -> bool {
        match self {
            Self::Const(_) | Self::Input(..) => false,
            Self::Fixed(_, inner) => inner.may_have_base_data(),
            Self::Index(collection, _) => collection.may_have_base_data(),
            Self::Array(items) | Self::Set(items) | Self::Builtin(_, items) => items.iter().any(Self::may_have_base_data),
            Self::Object(fields) => fields.iter().any(|(key, value)| key.may_have_base_data() || value.may_have_base_data()),
            _ => true,
        }
    }

    /// Base data and the key computed for it, where it is such a reference.
    pub(crate) fn key_in_base(&self) -> Option<(&Self, &Self)> {
        match self {
            Self::Fixed(_, inner) => inner.key_in_base(),
            Self::Index(collection, key) if collection.is_in_base() && !matches!(**key, Self::Const(_)) => {
                Some((collection, key))
            }
            _ => None,
        }
    }

    /// Whether its value, or that of what it is a part of, may be kept for other questions.
    pub(crate) fn is_kept(&self) -> bool {
        match self {
            Self::Group(_) | Self::Fixed(..) => true,
            Self::Index(collection, key) => collection.is_kept() || key.is_kept(),
            _ => false,
        }
    }

    /// Whether it is a comprehension.
    pub(crate) fn is_comprehension(&self) -> bool {
        match self {
            Self::Comprehension(_) => true,
            Self::Fixed(_, inner) => inner.is_comprehension(),
            _ => false,
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Base {
    pub path: Box<[Value]>,
    pub value: Value,
}

#[derive(Debug, Clone)]
pub(crate) struct Comprehension {
    pub body: Box<[Step]>,
    pub yields: Yields,
    /// Whether it uses no variable from outside.
    pub closed: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum Yields {
    Array(Expr),
    Set(Expr),
    Object(Expr, Expr),
}

/// What a value is compared with and taken apart by.
#[derive(Debug, Clone)]
pub(crate) enum Pattern {
    Any,
    Bind(Slot),
    Equal(Expr),
    Array(Box<[Self]>),
    /// An object with exactly these keys.
    Object(Box<[(Expr, Self)]>),
}

/// One condition of a body, in the order in which they run.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Bind a variable; no solution when the expression is undefined.
    Let(Slot, Expr),
    /// The same, of a variable that the policy does not have: what a statement needs is evaluated in front of it.
    Front(Slot, Expr),
    /// Holds when defined and not false.
    Check(Expr),
    /// The same, of a reference that ends with a computed key of base data and is a statement of its own.
    Key(Expr),
    Unify(Pattern, Expr),
    /// One solution for each element whose key and value match.
    Scan(Box<Scan>),
    /// One solution for each `[path, value]` inside the value, itself included.
    Walk(Expr, Pattern),
    Not(Box<[Step]>),
    /// The same, where the module has imported negated bodies: OPA does not look for types in one.
    NotBody(Box<[Step]>),
    Every {
        domain: Expr,
        key: Option<Slot>,
        value: Slot,
        body: Box<[Step]>,
    },
    With(Box<[Replacement]>, Box<[Step]>),
}

/// Iteration over a collection.
#[derive(Debug, Clone)]
pub(crate) struct Scan {
    pub collection: Expr,
    pub key: Pattern,
    pub value: Pattern,
}

/// `with TARGET as VALUE`.
#[derive(Debug, Clone)]
pub(crate) enum Replacement {
    Input(Box<[Value]>, Expr),
    Data(Box<[Value]>, Expr),
    Call(Callee, Substitute),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Callee {
    Builtin(BuiltinId),
    Function(GroupId),
}

#[derive(Debug, Clone)]
pub(crate) enum Substitute {
    Callee(Callee),
    Value(Expr),
}

/// What the definitions of a rule make together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Complete,
    Function,
    Set,
    Object,
}

/// All definitions of one rule.
#[derive(Debug)]
pub(crate) struct Group {
    /// Components below `data`.
    pub path: Box<[Value]>,
    pub kind: Kind,
    pub definitions: Vec<Definition>,
    pub default: Option<Expr>,
    pub default_slots: Slot,
    /// Every definition gives this same value, so the first that holds decides.
    pub only_value: Option<Value>,
    pub index: super::index::Index,
}

/// One definition: alternatives of which the first that holds counts (`else`).
#[derive(Debug)]
pub(crate) struct Definition {
    /// Frame size, in slots.
    pub slots: Slot,
    pub params: Box<[Pattern]>,
    pub bodies: Box<[Body]>,
    /// For a partial rule whose first key can be matched before the body runs: the steps in that order.
    pub keyed: Option<Box<Keyed>>,
}

#[derive(Debug)]
pub(crate) struct Keyed {
    pub key: Pattern,
    pub body: Body,
    pub slots: Slot,
}

#[derive(Debug)]
pub(crate) struct Body {
    pub steps: Box<[Step]>,
    /// Keys below the rule's path, for a partial object.
    pub keys: Box<[Expr]>,
    pub yields: Leaf,
}

#[derive(Debug)]
pub(crate) enum Leaf {
    Value(Expr),
    /// An element of the set found there.
    Element(Expr),
}
