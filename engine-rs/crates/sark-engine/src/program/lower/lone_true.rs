//! A body that is nothing but `not true`, or `true` with a replacement.
//!
//! OPA takes it for the empty body, and puts what it has to evaluate of the head in its place: the body is gone, and the rule
//! holds. Where the head leaves nothing to evaluate, the body stays, and does not hold.

use regorus::{
    Value,
    unstable::{Expr, Literal, LiteralStmt, Ref},
};

use super::{Lower, Lowering, unsupported};

impl Lowering<'_> {
    /// Leave to OPA a query whose only statement it would replace by a part of `heads`.
    pub(super) fn replaced_by_head(&mut self, statements: &[LiteralStmt], heads: &[&Ref<Expr>]) -> Lower<()> {
        // OPA takes the declarations out before, and what is printed as well where nobody reads it.
        let mut statements = statements.iter().filter(|each| match &each.literal {
            Literal::SomeVars { .. } => false,
            Literal::Expr { expr, .. } => !self.prints(expr),
            _ => true,
        });
        let (Some(only), None) = (statements.next(), statements.next()) else {
            return Ok(());
        };
        if is_lone_true(only) && heads.iter().any(|head| !self.is_plain(head)) {
            return unsupported(&only.span, "a body that is nothing but true, negated or with a replacement");
        }
        Ok(())
    }

    /// Whether nothing of `expr` has to be evaluated: constants, local variables, and literals of them.
    pub(super) fn is_plain(&self, expr: &Ref<Expr>) -> bool {
        match expr.as_ref() {
            Expr::String { .. } | Expr::RawString { .. } | Expr::Number { .. } | Expr::Bool { .. } | Expr::Null { .. } => true,
            Expr::Var { span, .. } => self.scopes.find(span.text()).is_some(),
            Expr::Array { items, .. } | Expr::Set { items, .. } => items.iter().all(|item| self.is_plain(item)),
            Expr::Object { fields, .. } => fields.iter().all(|(_, key, value)| self.is_plain(key) && self.is_plain(value)),
            _ => false,
        }
    }
}

/// Whether `statement` is `true` and not only that.
fn is_lone_true(statement: &LiteralStmt) -> bool {
    let (negated, expr) = match &statement.literal {
        Literal::NotExpr { expr, .. } => (true, expr),
        Literal::Expr { expr, .. } => (false, expr),
        _ => return false,
    };
    let is_true = matches!(expr.as_ref(), Expr::Bool { value: Value::Bool(true), .. });
    is_true && (negated || !statement.with_mods.is_empty())
}
