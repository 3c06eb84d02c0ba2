//! Which variables a statement declares and which it mentions, leaving out what nested closures keep to themselves.

use regorus::unstable::{AssignOp, Expr, Literal, LiteralStmt, Ref, Span};

use super::{
    Lower,
    call::dotted,
    children::{any_child, each_child},
    refused, unsupported,
};
use crate::builtins::{Availability, availability};

/// Names that `statement` declares in its query: `some`, `:=`, `some ... in`.
pub(super) fn declared<'e>(statement: &'e LiteralStmt, into: &mut Vec<&'e str>) {
    match &statement.literal {
        Literal::SomeVars { vars, .. } => into.extend(vars.iter().map(Span::text)),
        Literal::SomeIn { key, value, .. } => {
            key.iter().for_each(|key| targets(key, into));
            targets(value, into);
        }
        Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => {
            if let Expr::AssignExpr { op: AssignOp::ColEq, lhs, .. } = expr.as_ref() {
                targets(lhs, into);
            }
        }
        Literal::Every { .. } => {}
    }
}

/// Leave to OPA a variable that is called as a document is: OPA means the document in some places, and refuses it in others.
pub(super) fn called_as_document(name: &str, span: &Span) -> Lower<()> {
    if matches!(name, "input" | "data") { unsupported(span, &format!("a variable called {name}")) } else { Ok(()) }
}

/// The variables of a pattern.
pub(super) fn targets<'e>(pattern: &'e Ref<Expr>, into: &mut Vec<&'e str>) {
    match pattern.as_ref() {
        Expr::Var { span, .. } if span.text() != "_" => into.push(span.text()),
        Expr::Array { items, .. } => items.iter().for_each(|item| targets(item, into)),
        Expr::Object { fields, .. } => fields.iter().for_each(|(_, _, value)| targets(value, into)),
        _ => {}
    }
}

/// Names that `statement` mentions.
pub(super) fn mentioned<'e>(statement: &'e LiteralStmt, into: &mut Vec<&'e str>) {
    match &statement.literal {
        Literal::SomeVars { .. } => {}
        Literal::SomeIn { key, value, collection, .. } => {
            key.iter().for_each(|key| in_expr(key, into));
            in_expr(value, into);
            in_expr(collection, into);
        }
        Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => in_expr(expr, into),
        Literal::Every { domain, .. } => in_expr(domain, into),
    }
    for modifier in &statement.with_mods {
        if !is_builtin(&modifier.r#as) {
            in_expr(&modifier.r#as, into);
        }
    }
}

/// Whether `expr`, which stands for something by `with`, may be a builtin and no variable.
fn is_builtin(expr: &Ref<Expr>) -> bool {
    matches!(expr.as_ref(), Expr::Var { .. } | Expr::RefDot { .. }) && availability(&dotted(expr)) != Availability::Unknown
}

/// Refuse what nothing is assigned to: all but variables, and arrays and objects of them.
pub(super) fn assignable(pattern: &Ref<Expr>) -> Lower<()> {
    match pattern.as_ref() {
        Expr::Var { .. } => Ok(()),
        Expr::Array { items, .. } => items.iter().try_for_each(assignable),
        Expr::Object { fields, .. } => fields.iter().try_for_each(|(_, _, value)| assignable(value)),
        _ => refused(pattern.span(), "nothing can be assigned to what is no variable"),
    }
}

/// Names that `expr` mentions outside of comprehensions.
pub(super) fn in_expr<'e>(expr: &'e Ref<Expr>, into: &mut Vec<&'e str>) {
    match expr.as_ref() {
        Expr::Var { span, .. } if span.text() != "_" => into.push(span.text()),
        _ => each_child(expr, &mut |child| in_expr(child, into)),
    }
}

/// Whether a comprehension is in `expr`.
pub(super) fn has_comprehension(expr: &Ref<Expr>) -> bool {
    let mut found = Vec::new();
    comprehensions(expr, &mut found);
    !found.is_empty()
}

/// Where comprehensions are in `expr`, those within others left out.
pub(super) fn comprehensions<'e>(expr: &'e Ref<Expr>, into: &mut Vec<&'e Span>) {
    match expr.as_ref() {
        Expr::ArrayCompr { span, .. } | Expr::SetCompr { span, .. } | Expr::ObjectCompr { span, .. } => into.push(span),
        _ => each_child(expr, &mut |child| comprehensions(child, into)),
    }
}

/// Whether something is computed in `expr`, besides references, and literals of such.
pub(super) fn computes(expr: &Ref<Expr>) -> bool {
    match expr.as_ref() {
        Expr::ArrayCompr { .. }
        | Expr::SetCompr { .. }
        | Expr::ObjectCompr { .. }
        | Expr::Call { .. }
        | Expr::UnaryExpr { .. }
        | Expr::BinExpr { .. }
        | Expr::BoolExpr { .. }
        | Expr::ArithExpr { .. }
        | Expr::AssignExpr { .. }
        | Expr::Membership { .. } => true,
        _ => any_child(expr, &mut computes),
    }
}
