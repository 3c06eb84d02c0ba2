//! Statements of a query.

use regorus::{
    Value,
    unstable::{AssignOp, BoolOp, Expr as Ast, Literal, LiteralStmt, Query, Ref, Span, WithModifier},
};

use super::{
    super::{
        ir::{Callee, Expr, Kind, Pattern, Replacement, Scan, Step, Substitute},
        names::{Meaning, Part, parts_of},
    },
    Lower, Lowering, Steps,
    negation::iterates,
    operator::is_operator,
    variables::assignable,
};

impl Lowering<'_> {
    pub(super) fn statement(&mut self, statement: &LiteralStmt, out: &mut Steps) -> Lower<()> {
        if statement.with_mods.is_empty() {
            self.literal(&statement.literal, out)?;
            if matches!(statement.literal, Literal::Expr { .. }) {
                name_key(out);
            }
            return Ok(());
        }
        let mut replacements = Vec::with_capacity(statement.with_mods.len());
        for modifier in &statement.with_mods {
            replacements.push(self.replacement(modifier, out)?);
        }
        let mut inside = Steps::new();
        self.literal(&statement.literal, &mut inside)?;
        out.push(Step::With(replacements.into(), inside.into()));
        Ok(())
    }

    fn literal(&mut self, literal: &Literal, out: &mut Steps) -> Lower<()> {
        match literal {
            Literal::SomeVars { .. } => Ok(()),
            Literal::SomeIn { key, value, collection, .. } => self.some_in(key.as_ref(), value, collection, out),
            Literal::Expr { expr, .. } => self.condition(expr, out),
            Literal::NotExpr { expr, .. } => {
                if self.prints(expr) {
                    return super::unsupported(expr.span(), "a negated print");
                }
                if !self.names.negates_bodies {
                    self.in_front(expr, out)?;
                } else if expr.span().text().starts_with('{') {
                    return super::unsupported(expr.span(), "a negated body in braces");
                }
                self.scopes.enter();
                let mut inside = Steps::new();
                self.condition(expr, &mut inside)?;
                self.scopes.leave();
                if iterates(&inside) {
                    return super::refused(
                        expr.span(),
                        "a variable of a negated condition is unsafe: nothing outside gives it a value",
                    );
                }
                out.push(if self.names.negates_bodies { Step::NotBody(inside.into()) } else { Step::Not(inside.into()) });
                Ok(())
            }
            Literal::Every { key, value, domain, query, .. } => self.every(key.as_ref(), value, domain, query, out),
        }
    }

    fn condition(&mut self, expr: &Ref<Ast>, out: &mut Steps) -> Lower<()> {
        self.operator(expr)?;
        match expr.as_ref() {
            Ast::AssignExpr { op: AssignOp::ColEq, lhs, rhs, .. } => {
                assignable(lhs)?;
                let value = self.expr(rhs, out)?;
                self.scopes.reveal();
                self.matched(lhs, value, out)
            }
            Ast::AssignExpr { span, op: AssignOp::Eq, lhs, rhs, .. } => self.unify(span, lhs, rhs, out),
            Ast::Call { .. } => self.call_statement(expr, out),
            // OPA has it as `=` once the order is found.
            Ast::BoolExpr { span, op: BoolOp::Eq, lhs, rhs, .. } if self.order.is_on_trial() => self.unify(span, lhs, rhs, out),
            _ => {
                let value = self.expr(expr, out)?;
                if !matches!(value, Expr::Const(Value::Bool(true))) {
                    out.push(Step::Check(value));
                }
                Ok(())
            }
        }
    }

    fn some_in(&mut self, key: Option<&Ref<Ast>>, value: &Ref<Ast>, collection: &Ref<Ast>, out: &mut Steps) -> Lower<()> {
        let collection = self.expr(collection, out)?;
        self.scopes.reveal();
        let mut after = Steps::new();
        let key = match key {
            Some(key) => self.pattern(key, &mut after)?,
            None => Pattern::Any,
        };
        let value = self.pattern(value, &mut after)?;
        out.push(Step::Scan(Box::new(Scan { collection, key, value })));
        out.extend(after);
        Ok(())
    }

    fn every(&mut self, key: Option<&Span>, value: &Span, domain: &Ref<Ast>, query: &Query, out: &mut Steps) -> Lower<()> {
        let domain = self.expr(domain, out)?;
        for name in key.iter().copied().chain([value]) {
            super::variables::called_as_document(name.text(), name)?;
        }
        self.scopes.enter();
        let mut bound = |name: &Span| {
            let slot = self.scopes.declare(name.text());
            self.scopes.bind(slot);
            slot
        };
        let key = key.map(&mut bound);
        let value = bound(value);
        self.scopes.push();
        self.open(&query.stmts, &[])?;
        let body = self.ordered(&query.stmts)?;
        self.scopes.pop();
        self.scopes.leave();
        out.push(Step::Every { domain, key, value, body: body.into() });
        Ok(())
    }

    fn replacement(&mut self, modifier: &WithModifier, out: &mut Steps) -> Lower<Replacement> {
        let (head, parts) = parts_of(&modifier.refr);
        let name = if let Ast::Var { span, .. } = head.as_ref() { span.text() } else { "" };
        let keys: Option<Vec<Value>> = parts
            .iter()
            .map(|part| match part {
                Part::Key(key) => Some(key.clone()),
                Part::Expr(_) => None,
            })
            .collect();
        let Some(keys) = keys else {
            return super::unsupported(&modifier.span, "a replacement at a key that is no constant");
        };
        if name == "input" {
            return Ok(Replacement::Input(keys.into(), self.expr(&modifier.r#as, out)?));
        }
        // A rule with a value is part of data.
        let named = self.callee_named(&modifier.refr);
        let callee = named.filter(|callee| matches!(callee, Callee::Builtin(_)) || self.is_own_function(*callee));
        if let Some(callee) = callee {
            if let Callee::Builtin(id) = callee
                && is_operator(self.shared.builtins.name(id))
            {
                return super::unsupported(&modifier.span, "something stands for an operator");
            }
            let substitute = match self.function_behind(&modifier.r#as) {
                Some(other) => Substitute::Callee(other),
                None => Substitute::Value(self.expr(&modifier.r#as, out)?),
            };
            return Ok(Replacement::Call(callee, substitute));
        }
        match self.names.meaning(name, &self.shared.rules) {
            // OPA goes on without a value, whatever the function gives.
            Some(Meaning::Data(_))
                if self.function_behind(&modifier.r#as).is_some_and(|callee| self.is_own_function(callee)) =>
            {
                super::unsupported(&modifier.span, "a function stands for data")
            }
            Some(Meaning::Data(mut path)) => {
                path.extend(keys);
                self.is_no_part_of_a_rule(modifier, &path)?;
                Ok(Replacement::Data(path.into(), self.expr(&modifier.r#as, out)?))
            }
            Some(Meaning::Input(mut path)) => {
                path.extend(keys);
                Ok(Replacement::Input(path.into(), self.expr(&modifier.r#as, out)?))
            }
            None => super::refused(
                &modifier.span,
                &format!("with {}: only input, data and functions can be replaced", super::call::dotted(&modifier.refr)),
            ),
        }
    }

    /// OPA refuses to replace what is below a rule. That may be base data where the rule's head has a constant that is no string.
    fn is_no_part_of_a_rule(&self, modifier: &WithModifier, path: &[Value]) -> Lower<()> {
        let (node, followed) = self.first_rule(path);
        let group = self.shared.tree.node(node).and_then(|node| node.group).filter(|_| followed < path.len());
        match group.and_then(|group| self.shared.outline(group)).map(|outline| outline.kind) {
            None => Ok(()),
            Some(Kind::Object) => super::unsupported(&modifier.span, "a part of a rule is replaced"),
            Some(_) => super::refused(&modifier.span, "a part of a rule cannot be replaced"),
        }
    }

    /// Whether it is a function of the modules, and no rule with a value.
    fn is_own_function(&self, callee: Callee) -> bool {
        matches!(callee, Callee::Function(group) if self.shared.outline(group).is_some_and(|outline| outline.kind == Kind::Function))
    }

    /// The function that a bare reference names, unless a local variable hides it.
    fn function_behind(&mut self, expr: &Ref<Ast>) -> Option<Callee> {
        let (head, _) = parts_of(expr);
        match head.as_ref() {
            Ast::Var { span, .. } if self.scopes.find(span.text()).is_none() => self.callee_named(expr),
            _ => None,
        }
    }
}

/// Tell a last statement that is a reference with a computed key of base data from other conditions.
fn name_key(out: &mut Steps) {
    match out.pop() {
        Some(Step::Check(value)) if value.key_in_base().is_some() => out.push(Step::Key(value)),
        other => out.extend(other),
    }
}
