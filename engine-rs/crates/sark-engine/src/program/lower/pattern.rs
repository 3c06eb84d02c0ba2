//! Unification: what one side binds when the other has a value.

use regorus::{
    Value,
    unstable::{BoolOp, Expr as Ast, Ref, Span},
};

use super::{
    super::ir::{Expr, Pattern, Step},
    Blocked, Lower, Lowering, Steps,
    fields::{Fields, counted, side_by_side},
    terms::Keys,
};

impl Lowering<'_> {
    /// `left = right`, in whichever direction works.
    pub(super) fn unify(&mut self, span: &Span, left: &Ref<Ast>, right: &Ref<Ast>, out: &mut Steps) -> Lower<()> {
        let forward = self.attempt(|lowering, steps| lowering.assign(left, right, steps));
        let unbound = match forward {
            Ok(steps) => {
                out.extend(steps);
                return Ok(());
            }
            Err(Blocked::Unbound(name)) => name,
            Err(other) => return Err(other),
        };
        match self.attempt(|lowering, steps| lowering.assign(right, left, steps)) {
            Ok(steps) => {
                self.note_turned(right);
                out.extend(steps);
                return Ok(());
            }
            Err(Blocked::Unbound(_)) => {}
            Err(other) => return Err(other),
        }
        match (left.as_ref(), right.as_ref()) {
            (Ast::Array { items: lefts, .. }, Ast::Array { items: rights, .. }) => {
                if lefts.len() != rights.len() {
                    out.push(never());
                    return Ok(());
                }
                let pairs: Vec<_> = lefts.iter().zip(rights).collect();
                self.pairwise(span, pairs, out)
            }
            (Ast::Object { fields: lefts, .. }, Ast::Object { fields: rights, .. }) => match side_by_side(lefts, rights) {
                Fields::Pairs(pairs) => self.pairwise(span, pairs, out),
                Fields::OtherKeys => {
                    out.push(never());
                    Ok(())
                }
                Fields::Unknown => Err(Blocked::Unbound(unbound)),
            },
            _ => Err(Blocked::Unbound(unbound)),
        }
    }

    /// Unify the parts of two composite terms, each pair when it is ready.
    fn pairwise(&mut self, span: &Span, mut pairs: Vec<(&Ref<Ast>, &Ref<Ast>)>, out: &mut Steps) -> Lower<()> {
        while !pairs.is_empty() {
            let mut blocked = None;
            let mut ready = None;
            for (number, (left, right)) in pairs.iter().enumerate() {
                match self.attempt(|lowering, steps| lowering.unify(span, left, right, steps)) {
                    Ok(steps) => {
                        ready = Some((number, steps));
                        break;
                    }
                    Err(Blocked::Unbound(name)) => blocked = Some(name),
                    Err(other) => return Err(other),
                }
            }
            match (ready, blocked) {
                (Some((number, steps)), _) => {
                    if number > 0 {
                        self.order.note(number);
                    }
                    out.extend(steps);
                    pairs.remove(number);
                }
                (None, Some(name)) => return Err(Blocked::Unbound(name)),
                (None, None) => break,
            }
        }
        Ok(())
    }

    /// Match the value of `source` against `target`.
    pub(super) fn assign(&mut self, target: &Ref<Ast>, source: &Ref<Ast>, out: &mut Steps) -> Lower<()> {
        let value = self.expr(source, out)?;
        self.matched(target, value, out)
    }

    /// Match a value against `target`.
    pub(super) fn matched(&mut self, target: &Ref<Ast>, value: Expr, out: &mut Steps) -> Lower<()> {
        let mut after = Steps::new();
        let pattern = self.pattern(target, &mut after)?;
        out.push(match pattern {
            Pattern::Bind(slot) => Step::Let(slot, value),
            Pattern::Any => {
                // The value must still be defined.
                let slot = self.scopes.fresh_bound();
                Step::Let(slot, value)
            }
            Pattern::Equal(other) => Step::Check(Expr::Compare(BoolOp::Eq, Box::new(other), Box::new(value))),
            pattern => Step::Unify(pattern, value),
        });
        out.extend(after);
        Ok(())
    }

    /// The pattern that `target` is. What can only be looked at when the pattern has bound its variables goes to `after`.
    pub(super) fn pattern(&mut self, target: &Ref<Ast>, after: &mut Steps) -> Lower<Pattern> {
        match target.as_ref() {
            Ast::Var { span, .. } if span.text() == "_" => Ok(Pattern::Any),
            Ast::Var { span, .. } => {
                if let Some(slot) = self.scopes.find(span.text())
                    && self.scopes.is_bindable(slot)
                {
                    self.scopes.bind(slot);
                    return Ok(Pattern::Bind(slot));
                }
                self.compared(target, after)
            }
            Ast::Array { items, .. } => {
                let items: Lower<Vec<_>> = items.iter().map(|item| self.pattern(item, after)).collect();
                let items = items?;
                match constants(&items) {
                    Some(values) => Ok(Pattern::Equal(Expr::Const(Value::from(values)))),
                    None => Ok(Pattern::Array(items.into())),
                }
            }
            Ast::Object { fields, .. } => {
                let mut lowered = Vec::with_capacity(fields.len());
                let mut keys = Keys::default();
                for (key, value) in counted(fields) {
                    let mut before = Steps::new();
                    let key = self.expr(key, &mut before)?;
                    if !before.is_empty() {
                        return super::unsupported(target.span(), "a key of an object pattern that iterates");
                    }
                    keys.add(target.span(), &key, false)?;
                    lowered.push((key, self.pattern(value, after)?));
                }
                Ok(Pattern::Object(lowered.into()))
            }
            _ => self.compared(target, after),
        }
    }

    fn compared(&mut self, target: &Ref<Ast>, after: &mut Steps) -> Lower<Pattern> {
        let mut steps = Steps::new();
        let value = self.expr(target, &mut steps)?;
        if steps.is_empty() {
            return Ok(Pattern::Equal(value));
        }
        let slot = self.scopes.fresh_bound();
        after.extend(steps);
        after.push(Step::Check(Expr::Compare(BoolOp::Eq, Box::new(Expr::Slot(slot)), Box::new(value))));
        Ok(Pattern::Bind(slot))
    }
}

/// A condition that never holds.
fn never() -> Step {
    Step::Check(Expr::Const(Value::Bool(false)))
}

fn constants(items: &[Pattern]) -> Option<Vec<Value>> {
    items
        .iter()
        .map(|item| match item {
            Pattern::Equal(Expr::Const(value)) => Some(value.clone()),
            _ => None,
        })
        .collect()
}
