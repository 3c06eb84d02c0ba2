//! Queries: which names are their variables, and in which order their statements run.

use regorus::unstable::{Expr as Ast, LiteralStmt, Ref};

use super::{Blocked, Lower, Lowering, Steps, scope::Mark, variables};

impl Lowering<'_> {
    /// Make slots for the names that `statements` and `heads` bring into the innermost scope, of a query that may be answered here.
    pub(super) fn open(&mut self, statements: &[LiteralStmt], heads: &[&Ref<Ast>]) -> Lower<()> {
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

    /// Lower `statements` in the first order that binds every variable before it is read.
    pub(super) fn ordered(&mut self, statements: &[LiteralStmt]) -> Lower<Steps> {
        let mut steps = Steps::new();
        let mut waiting: Vec<(usize, &LiteralStmt)> = statements.iter().enumerate().collect();
        while !waiting.is_empty() {
            let mut ready = None;
            let mut blocked = Vec::new();
            for (number, (position, statement)) in waiting.iter().enumerate() {
                self.scopes.stand_at(position + 1);
                match self.attempt(|lowering, steps| lowering.statement(statement, steps)) {
                    Ok(lowered) => {
                        ready = Some((number, lowered));
                        break;
                    }
                    Err(Blocked::Unbound(name)) => blocked.push((name, &statement.span)),
                    Err(other) => return Err(other),
                }
            }
            if let Some((number, lowered)) = ready {
                waiting.remove(number);
                steps.extend(lowered);
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
        Ok(steps)
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
        let nesting = self.nesting;
        let mut steps = Steps::new();
        match work(self, &mut steps) {
            Ok(done) => Ok((done, steps)),
            Err(blocked) => {
                self.scopes.reset(&mark);
                self.nesting = nesting;
                Err(blocked)
            }
        }
    }
}
