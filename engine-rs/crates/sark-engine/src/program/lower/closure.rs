//! Queries: which names are their variables, and in which order their statements run.

use regorus::unstable::{AssignOp, Expr as Ast, Literal, LiteralStmt, Ref};

use super::{Blocked, Lower, Lowering, Steps, scope::Mark, variables};

impl Lowering<'_> {
    /// Make slots for the names that `statements` and `heads` bring into the innermost scope, of a query that may be answered here.
    pub(super) fn open(&mut self, statements: &[LiteralStmt], heads: &[&Ref<Ast>]) -> Lower<()> {
        if let (true, Some(first)) = (self.names.is_beyond_v1, statements.first()) {
            return super::unsupported(&first.span, "an import of rego other than rego.v1");
        }
        for (number, statement) in statements.iter().enumerate() {
            let mut declared = Vec::new();
            variables::declared(statement, &mut declared);
            for name in declared {
                variables::called_as_document(name, &statement.span)?;
                if self.scopes.has_own(name) {
                    return super::refused(&statement.span, &format!("var {name} is declared twice"));
                }
                self.scopes.declare_at(name, number + 1);
            }
        }
        let mut mentioned = Vec::new();
        statements.iter().for_each(|statement| variables::mentioned(statement, &mut mentioned));
        heads.iter().for_each(|head| variables::in_expr(head, &mut mentioned));
        for name in mentioned {
            if self.scopes.find(name).is_none() && self.names.meaning(name, &self.shared.rules).is_none() {
                self.scopes.declare(name);
            }
        }
        self.replaced_by_head(statements, heads)
    }

    /// Lower `statements` in the order in which OPA runs them: again and again from the first to the last, each as soon as its
    /// variables are bound.
    pub(super) fn ordered(&mut self, statements: &[LiteralStmt]) -> Lower<Steps> {
        self.ordered_with(statements, &[]).map(|(steps, _)| steps)
    }

    /// As [`Self::ordered`], and the order that it came to. The `heads` are statements behind all others to OPA, so that they come
    /// in front of those that wait.
    pub(super) fn ordered_with(&mut self, statements: &[LiteralStmt], heads: &[&Ref<Ast>]) -> Lower<(Steps, Vec<usize>)> {
        let as_written: Vec<usize> = (0..statements.len()).collect();
        self.ordered_from(statements, heads, &as_written)
    }

    /// As [`Self::ordered_with`], beginning with the order `from`.
    pub(super) fn ordered_from(
        &mut self,
        statements: &[LiteralStmt],
        heads: &[&Ref<Ast>],
        from: &[usize],
    ) -> Lower<(Steps, Vec<usize>)> {
        let mut steps = Steps::new();
        let mut order = Vec::with_capacity(from.len());
        let mut waiting: Vec<(usize, &LiteralStmt)> =
            from.iter().filter_map(|position| Some((*position, statements.get(*position)?))).collect();
        let mut heads: Vec<&Ref<Ast>> = heads.iter().copied().filter(|head| !self.is_plain(head)).collect();
        let mut waited = false;
        while !waiting.is_empty() {
            let before = waiting.len();
            let mut blocked = Vec::new();
            for (position, statement) in std::mem::take(&mut waiting) {
                self.scopes.stand_at(position + 1);
                let gives = waited && self.gives_a_variable(statement);
                if waited {
                    self.is_called_for_its_value(statement)?;
                }
                match self.attempt(|lowering, steps| lowering.statement(statement, steps)) {
                    Ok(lowered) => {
                        order.push(position);
                        steps.extend(lowered);
                        if gives {
                            self.note_late_variable();
                        }
                    }
                    Err(Blocked::Unbound(_))
                        if !self.order.is_on_trial()
                            && (is_misplaced_by_opa(statement) || self.closes_over_bound(statement)) =>
                    {
                        return super::unsupported(&statement.span, "a closure in front of what it reads");
                    }
                    Err(Blocked::Unbound(name)) => {
                        blocked.push((name, &statement.span));
                        waiting.push((position, statement));
                    }
                    Err(other) => return Err(other),
                }
            }
            let found = heads.len();
            if !waiting.is_empty() {
                self.scopes.stand_at(usize::MAX);
                heads = self.not_in_front(heads, &mut steps)?;
            }
            if waiting.len() < before || heads.len() < found {
                waited = true;
                continue;
            }
            self.scopes.stand_at(usize::MAX);
            // A variable of an outer query: the statement around this one waits for it.
            if let Some((name, _)) = blocked.iter().find(|(name, _)| self.is_of_outer_query(name)) {
                return Err(Blocked::Unbound(name.clone()));
            }
            if let Some((name, span)) = blocked.first() {
                return super::refused(span, &format!("var {name} is unsafe: nothing gives it a value"));
            }
        }
        self.scopes.stand_at(usize::MAX);
        Ok((steps, order))
    }

    /// Leave to OPA an equation that waited for the arguments of a function in it: the other side has its value by then, and OPA
    /// looks for a definition that gives this one.
    fn is_called_for_its_value(&mut self, statement: &LiteralStmt) -> Lower<()> {
        if let Literal::Expr { expr, .. } = &statement.literal
            && let Ast::AssignExpr { op: AssignOp::Eq, .. } = expr.as_ref()
            && self.calls_a_function(expr)
        {
            return super::unsupported(&statement.span, "a function compared with `=` in front of what its arguments read");
        }
        Ok(())
    }

    /// Lower those of `heads` that can be by now; they are found again when the head is lowered. The others come back.
    fn not_in_front<'e>(&mut self, heads: Vec<&'e Ref<Ast>>, steps: &mut Steps) -> Lower<Vec<&'e Ref<Ast>>> {
        let mut others = Vec::new();
        for head in heads {
            match self.tried(|lowering, steps| lowering.expr(head, steps)) {
                Ok((value, before)) => {
                    steps.extend(before);
                    self.put_in_front(head, value, steps);
                }
                Err(Blocked::Unbound(_)) => others.push(head),
                Err(other) => return Err(other),
            }
        }
        Ok(others)
    }

    /// Whether a comprehension in `statement` may read a variable of this query that has a value by now. As soon as all have one
    /// OPA runs the statement, whatever else in it has none.
    fn closes_over_bound(&self, statement: &LiteralStmt) -> bool {
        let mut spans = Vec::new();
        match &statement.literal {
            Literal::Expr { expr, .. } => variables::comprehensions(expr, &mut spans),
            Literal::SomeIn { collection, .. } => variables::comprehensions(collection, &mut spans),
            _ => {}
        }
        for modifier in &statement.with_mods {
            variables::comprehensions(&modifier.r#as, &mut spans);
        }
        let words = spans.iter().flat_map(|span| span.text().split(|c: char| !c.is_alphanumeric() && c != '_'));
        words.into_iter().any(|word| self.scopes.has_own_bound(word))
    }

    fn is_of_outer_query(&self, name: &str) -> bool {
        self.scopes.find(name).is_some_and(|slot| !self.scopes.is_bound(slot) && !self.scopes.is_bindable(slot))
    }

    /// Run `work`; when it is blocked nothing of it remains.
    pub(super) fn attempt<T>(&mut self, work: impl FnOnce(&mut Self, &mut Steps) -> Lower<T>) -> Lower<Steps> {
        self.tried(work).map(|(_, steps)| steps)
    }

    pub(super) fn tried<T>(&mut self, work: impl FnOnce(&mut Self, &mut Steps) -> Lower<T>) -> Lower<(T, Steps)> {
        let mark: Mark = self.scopes.mark();
        let (nesting, in_front, noted) = (self.nesting, self.in_front.clone(), self.order.length());
        let mut steps = Steps::new();
        match work(self, &mut steps) {
            Ok(done) => Ok((done, steps)),
            Err(blocked) => {
                self.scopes.reset(&mark);
                (self.nesting, self.in_front) = (nesting, in_front);
                self.order.truncate(noted);
                Err(blocked)
            }
        }
    }
}

/// Whether OPA may run `statement` before the variables have values that are read inside of its closures.
fn is_misplaced_by_opa(statement: &LiteralStmt) -> bool {
    match &statement.literal {
        Literal::Every { .. } => true,
        Literal::NotExpr { expr, .. } => variables::has_comprehension(expr),
        _ => false,
    }
}
