//! `not`: which parts of a negated condition are evaluated outside of the negation.
//!
//! OPA gives every reference or call that is an argument, an element of a literal or an index a variable of its own in front of
//! the condition. When such a part is undefined the whole statement is, negated or not: `not count(input.x) == 1` does not
//! hold without `input.x`. A reference that is compared as a whole stays inside: `not input.x == 1` holds without it.

use regorus::unstable::{AssignOp, BoolOp, Expr as Ast, Ref};

use super::{
    super::{
        ir::{Callee, Expr, Step},
        names::{Part, parts_of},
    },
    Lower, Lowering, Steps,
    fields::counted,
    terms::Keys,
};

impl Lowering<'_> {
    /// Lower what OPA evaluates in front of the negated condition `expr`. The condition's own lowering finds it again.
    pub(super) fn in_front(&mut self, expr: &Ref<Ast>, out: &mut Steps) -> Lower<()> {
        match expr.as_ref() {
            Ast::BoolExpr { op: BoolOp::Eq, lhs, rhs, .. }
            | Ast::AssignExpr { op: AssignOp::Eq | AssignOp::ColEq, lhs, rhs, .. } => {
                self.side(lhs, out)?;
                self.side(rhs, out)
            }
            Ast::Call { fcn, params, .. } if params.len() == 2 && self.compares_for_equality(fcn) => {
                params.iter().try_for_each(|param| self.side(param, out))
            }
            Ast::Call { params, .. } => params.iter().try_for_each(|param| self.apart(param, out)),
            Ast::BoolExpr { lhs, rhs, .. } | Ast::ArithExpr { lhs, rhs, .. } | Ast::BinExpr { lhs, rhs, .. } => {
                self.apart(lhs, out)?;
                self.apart(rhs, out)
            }
            Ast::Membership { key, value, collection, .. } => {
                key.iter().try_for_each(|key| self.apart(key, out))?;
                self.apart(value, out)?;
                self.apart(collection, out)
            }
            Ast::UnaryExpr { expr, .. } => self.apart(expr, out),
            _ => self.parts(expr, out),
        }
    }

    /// Whether a call of `function` is `==` under its name, which OPA takes for the same.
    fn compares_for_equality(&mut self, function: &Ref<Ast>) -> bool {
        matches!(self.callee_named(function), Some(Callee::Builtin(id)) if self.shared.builtins.name(id) == "equal")
    }

    /// One side of an equation.
    fn side(&mut self, expr: &Ref<Ast>, out: &mut Steps) -> Lower<()> {
        match expr.as_ref() {
            Ast::Var { .. } | Ast::RefDot { .. } | Ast::RefBrack { .. } => self.parts(expr, out),
            _ => self.apart(expr, out),
        }
    }

    /// The parts of a reference.
    fn parts(&mut self, expr: &Ref<Ast>, out: &mut Steps) -> Lower<()> {
        let (head, parts) = parts_of(expr);
        if !matches!(head.as_ref(), Ast::Var { .. }) {
            self.apart(head, out)?;
        }
        parts.iter().try_for_each(|part| match part {
            Part::Key(_) => Ok(()),
            Part::Expr(index) => self.apart(index, out),
        })
    }

    /// Give `expr` a variable of its own, unless it is one, or a constant, or a comprehension.
    fn apart(&mut self, expr: &Ref<Ast>, out: &mut Steps) -> Lower<()> {
        match expr.as_ref() {
            Ast::String { .. }
            | Ast::RawString { .. }
            | Ast::Number { .. }
            | Ast::Bool { .. }
            | Ast::Null { .. }
            | Ast::ArrayCompr { .. }
            | Ast::SetCompr { .. }
            | Ast::ObjectCompr { .. } => Ok(()),
            Ast::Var { span, .. } if span.text() == "_" || self.scopes.find(span.text()).is_some() => Ok(()),
            Ast::Array { items, .. } | Ast::Set { items, .. } => items.iter().try_for_each(|item| self.apart(item, out)),
            Ast::Object { span, fields, .. } => {
                let mut keys = Keys::default();
                for (key, value) in counted(fields) {
                    let before = out.len();
                    self.apart(key, out)?;
                    // A key with a variable of its own would be told from another one by that alone.
                    for step in out.iter().skip(before) {
                        if let Step::Front(_, value) = step {
                            keys.add(span, value, false)?;
                        }
                    }
                    self.apart(value, out)?;
                }
                Ok(())
            }
            _ => {
                let value = self.expr(expr, out)?;
                self.put_in_front(expr, value, out);
                Ok(())
            }
        }
    }

    /// Give the value of `expr` a variable, which its own lowering finds.
    pub(super) fn put_in_front(&mut self, expr: &Ref<Ast>, value: Expr, out: &mut Steps) {
        let slot = self.scopes.fresh_bound();
        out.push(Step::Front(slot, value));
        self.in_front.insert(address(expr), slot);
    }

    /// The variable that stands for `expr`, when it is evaluated in front of a negation, or of statements that wait.
    pub(super) fn evaluated_in_front(&mut self, expr: &Ref<Ast>) -> Option<Expr> {
        if self.in_front.is_empty() {
            return None;
        }
        let slot = self.in_front.get(&address(expr)).copied()?;
        self.scopes.read(slot);
        Some(Expr::Slot(slot))
    }
}

/// What tells one expression of a module from all others.
pub(super) fn address(expr: &Ref<Ast>) -> usize {
    std::ptr::from_ref::<Ast>(expr.as_ref()).addr()
}

/// Whether steps of a negated condition iterate: then a variable has no value of its own, and OPA refuses it.
pub(super) fn iterates(steps: &[Step]) -> bool {
    steps.iter().any(|step| match step {
        Step::Scan(_) | Step::Walk(..) => true,
        Step::With(_, inside) => iterates(inside),
        _ => false,
    })
}
