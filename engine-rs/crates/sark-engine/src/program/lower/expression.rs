//! Expressions.

use regorus::{
    Value,
    unstable::{BinOp, Expr as Ast, Query, Ref, Span},
};

use crate::document::{decimal, is_plain};

use super::{
    super::ir::{Comprehension, Expr, Yields},
    Blocked, Lower, Lowering, MAX_NESTING, Steps,
    fields::{Written, counted},
    negation::address,
    terms::Keys,
};

/// What a comprehension collects, in the syntax tree.
enum Term<'e> {
    Array(&'e Ref<Ast>),
    Set(&'e Ref<Ast>),
    Object(&'e Ref<Ast>, &'e Ref<Ast>),
}

impl Lowering<'_> {
    /// Lower `expr`; whatever iterates in it goes to `out`, in front of the expression.
    pub(super) fn expr(&mut self, expr: &Ref<Ast>, out: &mut Steps) -> Lower<Expr> {
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            return super::unsupported(expr.span(), &format!("an expression that nests deeper than {MAX_NESTING} levels"));
        }
        let lowered = self.inner(expr, out);
        self.nesting -= 1;
        lowered
    }

    fn inner(&mut self, expr: &Ref<Ast>, out: &mut Steps) -> Lower<Expr> {
        if let Some(value) = self.evaluated_in_front(expr) {
            return Ok(value);
        }
        self.operator(expr)?;
        match expr.as_ref() {
            Ast::Number { span, value, .. } => {
                // OPA keeps a number's spelling, and tells 1e2 from 100 when it formats it.
                let text = span.text();
                let held = match (text.contains(['e', 'E']), text.contains('.')) {
                    (false, false) => Some(value.clone()),
                    // Not as it was parsed: a whole number would be a float there.
                    (false, true) => decimal(text),
                    (true, _) => None,
                };
                let Some(held) = held else {
                    return super::unsupported(span, &format!("the number {text}, which the engine does not hold exactly"));
                };
                if !is_plain(text) {
                    self.note_spelling(&held);
                }
                Ok(Expr::Const(held))
            }
            Ast::String { value, .. } | Ast::RawString { value, .. } | Ast::Bool { value, .. } | Ast::Null { value, .. } => {
                Ok(self.constant(value))
            }
            Ast::Var { .. } | Ast::RefDot { .. } | Ast::RefBrack { .. } => self.reference(expr, out),
            Ast::Array { span, items, .. } => {
                is_no_comprehension(span, items)?;
                let items = self.all(items, out)?;
                Ok(match constants(&items) {
                    Some(values) => Expr::Const(Value::from(values)),
                    None => Expr::Array(items.into()),
                })
            }
            Ast::Set { span, items, .. } => {
                is_no_comprehension(span, items)?;
                let items = self.all(items, out)?;
                Ok(match constants(&items) {
                    Some(values) => Expr::Const(Value::from(values.into_iter().collect::<std::collections::BTreeSet<_>>())),
                    None => Expr::Set(items.into()),
                })
            }
            Ast::Object { span, fields, .. } => {
                if let [(_, _, value)] = fields.as_slice() {
                    is_no_comprehension(span, std::slice::from_ref(value))?;
                }
                self.object(span, fields, out)
            }
            Ast::ArrayCompr { term, query, .. } => self.comprehension(&Term::Array(term), query),
            Ast::SetCompr { term, query, .. } => self.comprehension(&Term::Set(term), query),
            Ast::ObjectCompr { key, value, query, .. } => self.comprehension(&Term::Object(key, value), query),
            Ast::Call { .. } => self.call(expr, out),
            Ast::UnaryExpr { span, expr, .. } => {
                if span.text().get(1..).is_some_and(|operand| operand.trim_start().starts_with(['-', '('])) {
                    return super::refused(span, "a minus in front of another, or of a bracket");
                }
                // OPA takes one term for the operand, and the parser here all that follows.
                if !matches!(
                    expr.as_ref(),
                    Ast::Number { .. } | Ast::Var { .. } | Ast::RefDot { .. } | Ast::RefBrack { .. } | Ast::Call { .. }
                ) {
                    return super::unsupported(span, "a minus in front of more than one term");
                }
                if let Ast::Number { value, .. } = expr.as_ref()
                    && *value == Value::from(0_u64)
                {
                    self.note_spelling(value);
                }
                let value = self.expr(expr, out)?;
                let zero = Box::new(Expr::Const(Value::from(0_u64)));
                Ok(Expr::Arithmetic(regorus::unstable::ArithOp::Sub, zero, Box::new(value)))
            }
            Ast::BinExpr { op, lhs, rhs, .. } => {
                let (left, right) = self.both(lhs, rhs, out)?;
                Ok(Expr::Combine(op.clone(), left, right))
            }
            Ast::BoolExpr { op, lhs, rhs, .. } => {
                let (left, right) = self.both(lhs, rhs, out)?;
                Ok(Expr::Compare(op.clone(), left, right))
            }
            Ast::ArithExpr { op, lhs, rhs, .. } => {
                let (left, right) = self.both(lhs, rhs, out)?;
                Ok(Expr::Arithmetic(op.clone(), left, right))
            }
            Ast::AssignExpr { span, lhs, rhs, .. } => {
                // In the place of a value: whether the two sides are equal.
                self.unify(span, lhs, rhs, out)?;
                Ok(Expr::Const(Value::Bool(true)))
            }
            Ast::Membership { key, value, collection, .. } => {
                let key = key.as_ref().map(|key| self.expr(key, out)).transpose()?.map(Box::new);
                let (value, collection) = self.both(value, collection, out)?;
                Ok(Expr::Member(key, value, collection))
            }
        }
    }

    /// Note a number that is spelled otherwise than it is written. A minus sign is an expression of its own here, and part of
    /// the number in OPA.
    fn note_spelling(&mut self, number: &Value) {
        self.shared.spelled.note(number);
        if let (Value::Number(zero), Value::Number(positive)) = (Value::from(0_u64), number)
            && let Ok(negative) = zero.sub(positive)
        {
            self.shared.spelled.note(&Value::from(negative));
        }
    }

    /// Lower `exprs`; one that another one binds a variable for comes after it.
    pub(super) fn all(&mut self, exprs: &[Ref<Ast>], out: &mut Steps) -> Lower<Vec<Expr>> {
        self.each(&exprs.iter().collect::<Vec<_>>(), out)
    }

    fn each(&mut self, exprs: &[&Ref<Ast>], out: &mut Steps) -> Lower<Vec<Expr>> {
        let mut lowered: Vec<Option<Expr>> = vec![None; exprs.len()];
        let mut waited = false;
        loop {
            let mut blocked = None;
            let mut progress = false;
            for (expr, place) in exprs.iter().zip(&mut lowered) {
                if place.is_some() {
                    continue;
                }
                match self.tried(|lowering, steps| lowering.expr(expr, steps)) {
                    Ok((value, steps)) => {
                        if waited {
                            self.order.note(address(expr));
                        }
                        out.extend(steps);
                        *place = Some(value);
                        progress = true;
                    }
                    Err(Blocked::Unbound(name)) => blocked = Some(name),
                    Err(other) => return Err(other),
                }
            }
            match blocked {
                None => return Ok(lowered.into_iter().flatten().collect()),
                Some(name) if !progress => return Err(Blocked::Unbound(name)),
                Some(_) => waited = true,
            }
        }
    }

    fn both(&mut self, left: &Ref<Ast>, right: &Ref<Ast>, out: &mut Steps) -> Lower<(Box<Expr>, Box<Expr>)> {
        let mut both = self.each(&[left, right], out)?.into_iter();
        match (both.next(), both.next()) {
            (Some(left), Some(right)) => Ok((Box::new(left), Box::new(right))),
            _ => super::unsupported(left.span(), "an operator without two operands"),
        }
    }

    fn object(&mut self, span: &Span, fields: &Written, out: &mut Steps) -> Lower<Expr> {
        let mut lowered = Vec::with_capacity(fields.len());
        let mut keys = Keys::default();
        for (key, value) in counted(fields) {
            let before = out.len();
            let key = self.expr(key, out)?;
            keys.add(span, &key, out.len() > before)?;
            lowered.push((key, self.expr(value, out)?));
        }
        let constant: Option<std::collections::BTreeMap<Value, Value>> = lowered
            .iter()
            .map(|field| match field {
                (Expr::Const(key), Expr::Const(value)) => Some((key.clone(), value.clone())),
                _ => None,
            })
            .collect();
        Ok(match constant {
            Some(fields) => Expr::Const(Value::from(fields)),
            None => Expr::Object(lowered.into()),
        })
    }

    fn comprehension(&mut self, term: &Term<'_>, query: &Query) -> Lower<Expr> {
        let heads = match term {
            Term::Array(term) | Term::Set(term) => vec![*term],
            Term::Object(key, value) => vec![*key, *value],
        };
        self.scopes.enter();
        self.open(&query.stmts, &heads)?;
        let (mut body, order) = self.order_of_body(query, &heads)?;
        let yields = match term {
            Term::Array(term) => Yields::Array(self.expr(term, &mut body)?),
            Term::Set(term) => Yields::Set(self.expr(term, &mut body)?),
            Term::Object(key, value) => {
                let key = self.expr(key, &mut body)?;
                Yields::Object(key, self.expr(value, &mut body)?)
            }
        };
        let closed = self.scopes.leave();
        if !closed {
            self.is_run_alike_for_all(query, &heads, &order)?;
        }
        let comprehension = Expr::Comprehension(Box::new(Comprehension { body: body.into(), yields, closed }));
        Ok(self.fixed(comprehension))
    }
}

fn constants(items: &[Expr]) -> Option<Vec<Value>> {
    items
        .iter()
        .map(|item| match item {
            Expr::Const(value) => Some(value.clone()),
            _ => None,
        })
        .collect()
}

/// Leave to OPA a literal of one element that is a union: OPA takes `|` for the beginning of a comprehension's body.
fn is_no_comprehension(span: &Span, items: &[Ref<Ast>]) -> Lower<()> {
    match items {
        [item] if matches!(item.as_ref(), Ast::BinExpr { op: BinOp::Union, .. }) => {
            super::unsupported(span, "a union as the only element of a literal")
        }
        _ => Ok(()),
    }
}
