//! Operators are calls to OPA: of `plus`, of `equal`. What a module has under such a name is called instead.

use regorus::unstable::{ArithOp, AssignOp, BinOp, BoolOp, Expr as Ast, Span};

use super::{Lower, Lowering, unsupported};

/// The name under which OPA calls what `expr` is, if it is an operator.
fn name_of(expr: &Ast) -> Option<(&Span, &'static str)> {
    Some(match expr {
        Ast::UnaryExpr { span, .. } => (span, "minus"),
        Ast::ArithExpr { span, op, .. } => (span, arithmetic(op)),
        Ast::BinExpr { span, op, .. } => (span, combination(op)),
        Ast::BoolExpr { span, op, .. } => (
            span,
            match op {
                BoolOp::Eq => "equal",
                BoolOp::Ne => "neq",
                BoolOp::Lt => "lt",
                BoolOp::Le => "lte",
                BoolOp::Gt => "gt",
                BoolOp::Ge => "gte",
            },
        ),
        Ast::AssignExpr { span, op, .. } => (
            span,
            match op {
                AssignOp::Eq => "eq",
                AssignOp::ColEq => "assign",
            },
        ),
        // The beginning of internal.member_2.
        Ast::Membership { span, .. } => (span, "internal"),
        _ => return None,
    })
}

/// The builtin that an operator of numbers is to OPA.
pub(in crate::program) fn arithmetic(op: &ArithOp) -> &'static str {
    match op {
        ArithOp::Add => "plus",
        ArithOp::Sub => "minus",
        ArithOp::Mul => "mul",
        ArithOp::Div => "div",
        ArithOp::Mod => "rem",
    }
}

/// The builtin that an operator of sets is to OPA.
pub(in crate::program) fn combination(op: &BinOp) -> &'static str {
    match op {
        BinOp::Intersection => "and",
        BinOp::Union => "or",
    }
}

/// Whether the builtin `name` is an operator. One that stands for it by `with` would stand for the operator too.
pub(super) fn is_operator(name: &str) -> bool {
    const NAMES: [&str; 17] = [
        "and",
        "assign",
        "div",
        "eq",
        "equal",
        "gt",
        "gte",
        "internal.member_2",
        "internal.member_3",
        "lt",
        "lte",
        "minus",
        "mul",
        "neq",
        "or",
        "plus",
        "rem",
    ];
    NAMES.binary_search(&name).is_ok()
}

impl Lowering<'_> {
    /// Leave `expr` to OPA if it is an operator whose name is that of a rule, an import or a variable here.
    pub(super) fn operator(&self, expr: &Ast) -> Lower<()> {
        match name_of(expr) {
            Some((span, name)) if self.is_named(name) => {
                unsupported(span, &format!("an operator that OPA calls {name}, of which name there is something else"))
            }
            _ => Ok(()),
        }
    }

    /// Whether `name` is a rule, an import or a variable here.
    fn is_named(&self, name: &str) -> bool {
        self.scopes.has(name) || self.names.meaning(name, &self.shared.rules).is_some()
    }
}
