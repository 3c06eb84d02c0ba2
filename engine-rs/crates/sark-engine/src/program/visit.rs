//! Visiting every expression of a program.

use super::ir::{Body, Comprehension, Expr, Leaf, Pattern, Replacement, Step, Substitute, Yields};

/// Call `see` with `expr` and everything inside it, steps of comprehensions included.
pub(crate) fn expr<'e>(expr_: &'e Expr, see: &mut dyn FnMut(&'e Expr)) {
    see(expr_);
    match expr_ {
        Expr::Const(_)
        | Expr::Slot(_)
        | Expr::BasePart(_)
        | Expr::Input(..)
        | Expr::Base(_)
        | Expr::Group(_)
        | Expr::Document(_) => {}
        Expr::Entry(_, inner) | Expr::Fixed(_, inner) => expr(inner, see),
        Expr::Index(left, right)
        | Expr::Compare(_, left, right)
        | Expr::Arithmetic(_, left, right)
        | Expr::Combine(_, left, right) => {
            expr(left, see);
            expr(right, see);
        }
        Expr::Below(_, items) | Expr::Array(items) | Expr::Set(items) | Expr::Builtin(_, items) | Expr::Function(_, items) => {
            items.iter().for_each(|item| expr(item, see));
        }
        Expr::Object(fields) => {
            for (key, value) in fields {
                expr(key, see);
                expr(value, see);
            }
        }
        Expr::Member(key, value, collection) => {
            key.iter().for_each(|key| expr(key, see));
            expr(value, see);
            expr(collection, see);
        }
        Expr::Comprehension(comprehension) => inside(comprehension, see),
    }
}

fn inside<'e>(comprehension: &'e Comprehension, see: &mut dyn FnMut(&'e Expr)) {
    steps(&comprehension.body, see);
    match &comprehension.yields {
        Yields::Array(term) | Yields::Set(term) => expr(term, see),
        Yields::Object(key, value) => {
            expr(key, see);
            expr(value, see);
        }
    }
}

/// As [`expr`], for every expression of `all`.
pub(crate) fn steps<'e>(all: &'e [Step], see: &mut dyn FnMut(&'e Expr)) {
    for step in all {
        match step {
            Step::Let(_, value) | Step::Front(_, value) | Step::Check(value) | Step::Key(value) => expr(value, see),
            Step::Unify(taken, value) | Step::Walk(value, taken) => {
                pattern(taken, see);
                expr(value, see);
            }
            Step::Scan(scan) => {
                expr(&scan.collection, see);
                pattern(&scan.key, see);
                pattern(&scan.value, see);
            }
            Step::Not(body) | Step::NotBody(body) => steps(body, see),
            Step::Every { domain, body, .. } => {
                expr(domain, see);
                steps(body, see);
            }
            Step::With(replacements, body) => {
                replacements.iter().for_each(|replacement| replaced(replacement, see));
                steps(body, see);
            }
        }
    }
}

fn replaced<'e>(replacement: &'e Replacement, see: &mut dyn FnMut(&'e Expr)) {
    match replacement {
        Replacement::Input(_, value) | Replacement::Data(_, value) | Replacement::Call(_, Substitute::Value(value)) => {
            expr(value, see);
        }
        Replacement::Call(_, Substitute::Callee(_)) => {}
    }
}

/// As [`expr`], for the expressions a pattern compares with.
pub(crate) fn pattern<'e>(taken: &'e Pattern, see: &mut dyn FnMut(&'e Expr)) {
    match taken {
        Pattern::Any | Pattern::Bind(_) => {}
        Pattern::Equal(value) => expr(value, see),
        Pattern::Array(items) => items.iter().for_each(|item| pattern(item, see)),
        Pattern::Object(fields) => {
            for (key, value) in fields {
                expr(key, see);
                pattern(value, see);
            }
        }
    }
}

/// Every function that takes the place of another one by `with`.
pub(crate) fn substitutes<'e>(all: &'e [Step], see: &mut dyn FnMut(&'e Replacement)) {
    for step in all {
        match step {
            Step::Not(body) | Step::NotBody(body) | Step::Every { body, .. } => substitutes(body, see),
            Step::With(replacements, body) => {
                replacements.iter().for_each(&mut *see);
                substitutes(body, see);
            }
            _ => {}
        }
    }
}

/// As [`expr`], for a body with what it yields.
pub(crate) fn body<'e>(all: &'e Body, see: &mut dyn FnMut(&'e Expr)) {
    steps(&all.steps, see);
    all.keys.iter().for_each(|key| expr(key, see));
    match &all.yields {
        Leaf::Value(value) | Leaf::Element(value) => expr(value, see),
    }
}
