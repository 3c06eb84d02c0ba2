//! Comprehensions that OPA evaluates once for all values of the variables outside of them.
//!
//! Where the body of a comprehension gives values to outer variables by itself, OPA evaluates it without theirs, keeps what it
//! collects by them, and finds it again for each of theirs (its comprehension index). The order of the statements stays the one
//! they have with a value from outside: a call that needs it in front of what gives it fails in OPA, for every query, and a
//! reference into it is undefined. Such a comprehension is left to OPA.

use regorus::unstable::{Expr as Ast, Literal, LiteralStmt, Query, Ref};

use super::{Blocked, Lower, Lowering, Steps, negation::address, variables};

/// In which order the body of a comprehension can be lowered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BodyOrder {
    /// Positions of its statements.
    statements: Vec<usize>,
    /// What came out of its turn inside of them.
    within: Vec<usize>,
}

/// What was lowered out of its turn inside of statements. It is compared and not read.
#[derive(Debug, Default)]
pub(super) struct Order {
    taken: Vec<usize>,
    trial: Option<Trial>,
}

/// A body is being lowered without the values from outside.
#[derive(Debug, Clone, Copy)]
struct Trial {
    /// Nesting of its closure.
    level: usize,
    /// Whether OPA would find no value for one of its variables.
    is_indexed: bool,
}

impl Order {
    /// Note what came out of its turn, by what tells it from the others beside it.
    pub(super) fn note(&mut self, what: usize) {
        self.taken.push(what);
    }

    /// Whether a body is being lowered without the values from outside.
    pub(super) const fn is_on_trial(&self) -> bool {
        self.trial.is_some()
    }

    pub(super) fn length(&self) -> usize {
        self.taken.len()
    }

    /// What was noted behind `length`.
    pub(super) fn since(&self, length: usize) -> &[usize] {
        self.taken.get(length..).unwrap_or_default()
    }

    /// Forget what was noted behind `length`.
    pub(super) fn truncate(&mut self, length: usize) {
        self.taken.truncate(length);
    }
}

impl Lowering<'_> {
    /// Lower the statements of a comprehension, and tell in which order that was possible.
    pub(super) fn order_of_body(&mut self, query: &Query, heads: &[&Ref<Ast>]) -> Lower<(Steps, BodyOrder)> {
        let as_written: Vec<usize> = (0..query.stmts.len()).collect();
        self.order_from(query, heads, &as_written)
    }

    fn order_from(&mut self, query: &Query, heads: &[&Ref<Ast>], from: &[usize]) -> Lower<(Steps, BodyOrder)> {
        let noted = self.order.length();
        let (steps, statements) = self.ordered_from(&query.stmts, heads, from)?;
        Ok((steps, BodyOrder { statements, within: self.order.since(noted).to_vec() }))
    }

    /// Leave to OPA a comprehension whose body would run in another order without the outer variables.
    pub(super) fn is_run_alike_for_all(&mut self, query: &Query, heads: &[&Ref<Ast>], order: &BodyOrder) -> Lower<()> {
        if self.order.is_on_trial() {
            return Ok(());
        }
        let scopes = self.scopes.clone();
        let (nesting, in_front, noted) = (self.nesting, self.in_front.clone(), self.order.length());
        self.scopes.enter();
        self.scopes.release();
        self.order.trial = Some(Trial { level: self.scopes.level(), is_indexed: true });
        let tried = self.open(&query.stmts, heads).and_then(|()| self.order_from(query, heads, &order.statements));
        let is_indexed = self.order.trial.take().is_some_and(|trial| trial.is_indexed);
        (self.scopes, self.nesting, self.in_front) = (scopes, nesting, in_front);
        self.order.truncate(noted);
        let differs = match tried {
            Ok((_, alone)) => is_indexed && alone != *order,
            Err(Blocked::Unsupported(_)) => true,
            // OPA too evaluates it with the values from outside.
            Err(Blocked::Unbound(_) | Blocked::Refused(_)) => false,
        };
        match query.stmts.first() {
            Some(first) if differs => {
                super::unsupported(&first.span, "a comprehension that reads a variable in front of what gives it its value")
            }
            _ => Ok(()),
        }
    }

    /// Whether `statement` would give a variable of this query its value.
    pub(super) fn gives_a_variable(&self, statement: &LiteralStmt) -> bool {
        let Literal::Expr { expr, .. } = &statement.literal else {
            return false;
        };
        let Ast::AssignExpr { lhs, rhs, .. } = expr.as_ref() else {
            return false;
        };
        [lhs, rhs].into_iter().any(|side| match side.as_ref() {
            Ast::Var { span, .. } => self.scopes.has_own_unbound(span.text()),
            _ => false,
        })
    }

    /// Note that a statement that had to wait gave a variable its value. OPA looks for what gives values once, from the first
    /// statement to the last, finds none for this one, and evaluates the comprehension with the values from outside.
    pub(super) fn note_late_variable(&mut self) {
        let level = self.scopes.level();
        if let Some(trial) = &mut self.order.trial
            && trial.level == level
        {
            trial.is_indexed = false;
        }
    }

    /// Note that the right side of an equation comes behind the left one, if OPA computes something in it.
    pub(super) fn note_turned(&mut self, right: &Ref<Ast>) {
        if variables::computes(right) {
            self.order.note(address(right));
        }
    }
}
