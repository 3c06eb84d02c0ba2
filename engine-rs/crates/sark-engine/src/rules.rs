//! The rules that modules define, by path.

use std::{collections::BTreeMap, ops::Bound};

use regorus::unstable::{Expr, Module as Ast, Ref, Rule, RuleHead};

use crate::footprint::Footprint;

/// Path components without the leading `data`.
pub(crate) type Path = Vec<String>;

/// What is known of the rules that share a path.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct RuleKind {
    /// At least one definition takes arguments: a function has no value of its own.
    pub is_function: bool,
}

/// All rules of a policy. A head with a variable part is filed under its constant beginning.
#[derive(Debug, Default)]
pub(crate) struct RuleTable {
    index: BTreeMap<Path, usize>,
    kinds: Vec<RuleKind>,
}

impl Footprint for RuleTable {
    fn heap(&self) -> usize {
        self.index.heap() + self.kinds.capacity() * size_of::<RuleKind>()
    }
}

impl RuleTable {
    pub(crate) fn add(&mut self, path: Path, is_function: bool) -> usize {
        let next = self.kinds.len();
        let id = *self.index.entry(path).or_insert(next);
        if id == next {
            self.kinds.push(RuleKind::default());
        }
        if let Some(kind) = self.kinds.get_mut(id) {
            kind.is_function |= is_function;
        }
        id
    }

    /// Number of the rule at `path`.
    pub(crate) fn find(&self, path: &[String]) -> Option<usize> {
        self.index.get(path).copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.kinds.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Path, usize)> {
        self.index.iter().map(|(path, id)| (path, *id))
    }

    pub(crate) fn is_function(&self, path: &[String]) -> bool {
        self.index.get(path).is_some_and(|id| self.function_id(*id))
    }

    fn function_id(&self, id: usize) -> bool {
        self.kinds.get(id).is_some_and(|kind| kind.is_function)
    }

    /// The rules at or above `path`, nearest first.
    pub(crate) fn at_or_above<'t>(&'t self, path: &'t [String]) -> impl Iterator<Item = (usize, usize)> + 't {
        (1..=path.len()).rev().filter_map(move |length| Some((length, *self.index.get(path.get(..length)?)?)))
    }

    /// The rules strictly below `path`.
    pub(crate) fn below<'t>(&'t self, path: &'t [String]) -> impl Iterator<Item = usize> + 't {
        self.index
            .range(path.to_vec()..)
            .take_while(move |(candidate, _)| candidate.starts_with(path))
            .filter(move |(candidate, _)| candidate.len() > path.len())
            .map(|(_, id)| *id)
    }

    /// Whether a rule is at or below `path`.
    pub(crate) fn leads_to(&self, path: &[String]) -> bool {
        self.from(path).next().is_some_and(|candidate| candidate.starts_with(path))
    }

    /// Whether a rule is strictly below `path`.
    pub(crate) fn leads_on(&self, path: &[String]) -> bool {
        self.from(path).find(|candidate| candidate.as_slice() != path).is_some_and(|candidate| candidate.starts_with(path))
    }

    /// The paths of rules in order, from `path` on.
    fn from(&self, path: &[String]) -> impl Iterator<Item = &Path> {
        self.index.range::<[String], _>((Bound::Included(path), Bound::Unbounded)).map(|(candidate, _)| candidate)
    }

    /// As `at_or_above` and `below`, without functions.
    pub(crate) fn values_at_or_above<'t>(&'t self, path: &'t [String]) -> impl Iterator<Item = (usize, usize)> + 't {
        self.at_or_above(path).filter(|(_, id)| !self.function_id(*id))
    }

    pub(crate) fn values_below<'t>(&'t self, path: &'t [String]) -> impl Iterator<Item = usize> + 't {
        self.below(path).filter(|id| !self.function_id(*id))
    }
}

/// A reference such as `data.a["b"][i].c`, taken apart.
pub(crate) struct Chain<'e> {
    /// The variable it starts with; empty when it starts with anything else.
    pub root: &'e str,
    /// The expression it starts with.
    pub head: &'e Ref<Expr>,
    /// The constant components that follow the root.
    pub constant: Path,
    /// Whether every component is constant.
    pub is_constant: bool,
    /// Index expressions, constant or not.
    pub indexes: Vec<&'e Ref<Expr>>,
}

/// Take a reference apart without recursion: chains may be thousands long.
pub(crate) fn chain(expr: &Ref<Expr>) -> Chain<'_> {
    enum Part<'e> {
        Field(String),
        Index(&'e Ref<Expr>),
    }
    let mut parts = Vec::new();
    let mut head = expr;
    loop {
        head = match head.as_ref() {
            Expr::RefDot { refr, field, .. } => {
                parts.push(Part::Field(field.0.text().to_owned()));
                refr
            }
            Expr::RefBrack { refr, index, .. } => {
                parts.push(Part::Index(index));
                refr
            }
            _ => break,
        };
    }
    let root = if let Expr::Var { span, .. } = head.as_ref() { span.text() } else { "" };
    let mut taken = Chain { root, head, constant: Vec::new(), is_constant: !root.is_empty(), indexes: Vec::new() };
    for part in parts.into_iter().rev() {
        let name = match part {
            Part::Field(name) => Some(name),
            Part::Index(index) => {
                taken.indexes.push(index);
                constant_index(index)
            }
        };
        match name {
            Some(name) if taken.is_constant => taken.constant.push(name),
            _ => taken.is_constant = false,
        }
    }
    taken
}

fn constant_index(index: &Ref<Expr>) -> Option<String> {
    match index.as_ref() {
        Expr::String { value, .. } | Expr::RawString { value, .. } => value.as_string().ok().map(ToString::to_string),
        Expr::Number { span, .. } => Some(span.text().to_owned()),
        _ => None,
    }
}

/// The components of a constant reference, its root included: `a.b` of `package a.b`.
pub(crate) fn components(expr: &Ref<Expr>) -> Path {
    let taken = chain(expr);
    let mut path = vec![taken.root.to_owned()];
    path.extend(taken.constant);
    path
}

/// Path of a rule, and whether it is a function.
pub(crate) fn head_of(package: &[String], rule: &Rule) -> (Path, bool) {
    let (refr, is_function) = match rule {
        // Without arguments it is a rule with a value, which cannot be called.
        Rule::Spec { head: RuleHead::Func { refr, args, .. }, .. } | Rule::Default { refr, args, .. } => {
            (refr, !args.is_empty())
        }
        Rule::Spec { head: RuleHead::Compr { refr, .. } | RuleHead::Set { refr, .. }, .. } => (refr, false),
    };
    let mut path = package.to_vec();
    path.extend(components(refr));
    (path, is_function)
}

/// The package a module belongs to.
pub(crate) fn package_of(module: &Ast) -> Path {
    components(&module.package.refr)
}
