//! Definitions of rules.

use std::ops::Range;

use regorus::{
    Value,
    unstable::{BinOp, Expr as Ast, Literal, LiteralStmt, Ref, Rule, RuleAssign, RuleBody, RuleHead, Span},
};

use super::{
    super::{
        ir::{Body, Definition, Expr, Keyed, Leaf, Pattern, Slot},
        names::{Head, Names, Part},
    },
    Blocked, Lower, Lowering, Shared, Steps,
    children::any_child,
};

/// A definition, and which of the rule's bodies it is made of: bodies without `else` are definitions of their own.
pub(crate) struct Lowered {
    pub definition: Definition,
    pub bodies: Range<u32>,
}

/// The definitions that `rule` makes.
pub(crate) fn definition(shared: &mut Shared, names: &Names, rule: &Rule) -> Lower<Vec<Lowered>> {
    let Rule::Spec { bodies, .. } = rule else {
        return Ok(Vec::new());
    };
    let head = Head::of(rule);
    if names.is_current {
        is_said_to_contain(rule)?;
    }
    is_one_document(rule, &head)?;
    has_no_other_way(rule, &head, bodies)?;
    chains(bodies)
        .into_iter()
        .map(|range| {
            let mut lowering = Lowering::new(shared, names);
            lowering.scopes.push();
            let params = lowering.params(head.args.unwrap_or_default())?;
            let alternatives = among(bodies, &range);
            let bodies = if alternatives.is_empty() {
                vec![lowering.body(rule, &head, None)?]
            } else {
                alternatives.iter().map(|body| lowering.body(rule, &head, Some(body))).collect::<Lower<Vec<_>>>()?
            };
            let definition = Definition { slots: lowering.scopes.count(), params, bodies: bodies.into(), keyed: None };
            Ok(Lowered { definition, bodies: range })
        })
        .collect()
}

/// Refuse `p["x"]` alone, as OPA does: the old language had it for `p contains "x"`.
fn is_said_to_contain(rule: &Rule) -> Lower<()> {
    match rule {
        Rule::Spec { head: RuleHead::Set { span, refr, .. }, .. } if is_followed_by_bracket(span, refr) => {
            super::refused(span, "`contains` keyword is required for partial set rules")
        }
        _ => Ok(()),
    }
}

/// Whether a head that begins with `refr` goes on with a bracket.
fn is_followed_by_bracket(head: &Span, refr: &Ref<Ast>) -> bool {
    head.text().strip_prefix(refr.span().text()).is_some_and(|rest| rest.trim_start().starts_with('['))
}

/// Leave to OPA a constant in a head that is no string, as in `p[1] contains x`, with more behind it: up to there OPA sees
/// documents that are there although nothing is in them.
fn is_one_document(rule: &Rule, head: &Head<'_>) -> Lower<()> {
    let has_more = head.suffix.len() > 1 || head.element.is_some();
    match head.suffix.first() {
        Some(Part::Key(_)) if has_more => {}
        Some(Part::Expr(expr)) if has_more && is_ground(expr) => {}
        _ => return Ok(()),
    }
    super::unsupported(rule.span(), "a constant in a head that is no string, with more behind it")
}

/// Leave `else` under a head with a key that is no name to OPA, which evaluates it in some places and not in others.
fn has_no_other_way(rule: &Rule, head: &Head<'_>, bodies: &[RuleBody]) -> Lower<()> {
    if head.suffix.is_empty() || !bodies.iter().any(|body| body.is_else) {
        return Ok(());
    }
    super::unsupported(rule.span(), "`else` under a head with a key that is no name")
}

/// Whether `expr` has no reference, variable or call but inside of comprehensions.
fn is_written_out(expr: &Ref<Ast>) -> bool {
    let is_other = matches!(expr.as_ref(), Ast::Var { .. } | Ast::RefDot { .. } | Ast::RefBrack { .. } | Ast::Call { .. });
    !is_other && !any_child(expr, &mut |child| !is_written_out(child))
}

/// Whether `expr` is written without variables, calls and comprehensions.
fn is_ground(expr: &Ref<Ast>) -> bool {
    match expr.as_ref() {
        Ast::Number { .. } | Ast::String { .. } | Ast::RawString { .. } | Ast::Bool { .. } | Ast::Null { .. } => true,
        Ast::Array { items, .. } | Ast::Set { items, .. } => items.iter().all(is_ground),
        Ast::Object { fields, .. } => fields.iter().all(|(_, key, value)| is_ground(key) && is_ground(value)),
        _ => false,
    }
}

/// The default value of a rule, with the frame size of its expression.
pub(crate) fn of_default(shared: &mut Shared, names: &Names, rule: &Rule) -> Lower<Option<(Expr, Slot)>> {
    let Rule::Default { value, .. } = rule else {
        return Ok(None);
    };
    if !is_written_out(value) {
        return super::refused(value.span(), "a default value with references, variables or calls outside of comprehensions");
    }
    if !Head::of(rule).suffix.is_empty() {
        return super::unsupported(rule.span(), "a default under a key that is no name");
    }
    let mut lowering = Lowering::new(shared, names);
    lowering.scopes.push();
    let mut steps = Steps::new();
    let lowered = lowering.expr(value, &mut steps)?;
    if !steps.is_empty() {
        return super::refused(value.span(), "a default value cannot iterate");
    }
    Ok(Some((lowered, lowering.scopes.count())))
}

/// The same definition with its first key matched before the body runs; None when the key is only known afterwards.
pub(crate) fn keyed(shared: &mut Shared, names: &Names, rule: &Rule, bodies: Range<u32>) -> Option<Box<Keyed>> {
    let Rule::Spec { bodies: all, .. } = rule else {
        return None;
    };
    let head = Head::of(rule);
    let body = match among(all, &bodies) {
        [] => None,
        [body] => Some(body),
        _ => return None,
    };
    let first = head.suffix.first().or(head.element.as_ref())?;
    let mut lowering = Lowering::new(shared, names);
    lowering.scopes.push();
    lowering.open(statements(body), &lowering_heads(rule, &head, body)).ok()?;
    let mut after = Steps::new();
    let key = match first {
        Part::Key(key) => Pattern::Equal(lowering.constant(key)),
        Part::Expr(expr) => lowering.pattern(expr, &mut after).ok()?,
    };
    // A key that reads what the body binds, or iterates, is compared when the body has run.
    if !after.is_empty() || !is_free(&key) {
        return None;
    }
    let body = lowering.finished(rule, &head, body).ok()?;
    Some(Box::new(Keyed { key, body, slots: lowering.scopes.count() }))
}

/// Whether matching needs nothing but the key itself.
fn is_free(pattern: &Pattern) -> bool {
    match pattern {
        Pattern::Any | Pattern::Bind(_) | Pattern::Equal(Expr::Const(_) | Expr::Slot(_)) => true,
        Pattern::Equal(_) => false,
        Pattern::Array(items) => items.iter().all(is_free),
        Pattern::Object(fields) => fields.iter().all(|(key, value)| matches!(key, Expr::Const(_)) && is_free(value)),
    }
}

/// Ranges of bodies that belong together: one, and the `else` bodies behind it.
fn chains(bodies: &[RuleBody]) -> Vec<Range<u32>> {
    let mut ranges: Vec<Range<u32>> = Vec::new();
    for (number, body) in (0..).zip(bodies) {
        match ranges.last_mut() {
            Some(last) if body.is_else => last.end = number + 1,
            _ => ranges.push(number..number + 1),
        }
    }
    if ranges.is_empty() {
        ranges.push(0..0);
    }
    ranges
}

fn among<'r>(bodies: &'r [RuleBody], range: &Range<u32>) -> &'r [RuleBody] {
    bodies.get(range.start as usize..range.end as usize).unwrap_or_default()
}

fn statements(body: Option<&RuleBody>) -> &[LiteralStmt] {
    body.map_or(&[], |body| body.query.stmts.as_slice())
}

/// The value the rule has when this body holds; None means true.
fn value_of<'r>(rule: &'r Rule, body: Option<&'r RuleBody>) -> Option<&'r Ref<Ast>> {
    let of_head = match rule {
        Rule::Spec { head: RuleHead::Compr { assign, .. } | RuleHead::Func { assign, .. }, .. } => assign.as_ref(),
        _ => None,
    };
    let assign: Option<&RuleAssign> = match body {
        Some(body) if body.is_else => body.assign.as_ref(),
        _ => of_head,
    };
    assign.map(|assign| &assign.value)
}

/// The arguments of a function; none of a rule.
fn arguments_of(rule: &Rule) -> &[Ref<Ast>] {
    match rule {
        Rule::Spec { head: RuleHead::Func { args, .. }, .. } | Rule::Default { args, .. } => args,
        Rule::Spec { .. } => &[],
    }
}

fn lowering_heads<'r>(rule: &'r Rule, head: &Head<'r>, body: Option<&'r RuleBody>) -> Vec<&'r Ref<Ast>> {
    let parts = head.suffix.iter().chain(&head.element);
    let mut heads: Vec<&'r Ref<Ast>> = parts
        .filter_map(|part| match part {
            Part::Expr(expr) => Some(*expr),
            Part::Key(_) => None,
        })
        .collect();
    heads.extend(value_of(rule, body));
    heads
}

impl Lowering<'_> {
    fn params(&mut self, args: &[Ref<Ast>]) -> Lower<Box<[Pattern]>> {
        args.iter().try_for_each(super::argument::check)?;
        let mut named = Vec::new();
        args.iter().for_each(|arg| super::variables::targets(arg, &mut named));
        for name in named {
            if !self.scopes.has_own(name) {
                self.scopes.declare(name);
            }
        }
        let mut after = Steps::new();
        let patterns: Lower<Vec<_>> = args.iter().map(|arg| self.pattern(arg, &mut after)).collect();
        let patterns = patterns?;
        match args.first() {
            Some(arg) if !after.is_empty() => {
                super::unsupported(arg.span(), "an argument of a function definition that iterates")
            }
            _ => Ok(patterns.into()),
        }
    }

    fn body(&mut self, rule: &Rule, head: &Head<'_>, body: Option<&RuleBody>) -> Lower<Body> {
        if let Some(body) = body {
            Self::is_known_body(body)?;
        }
        self.scopes.push();
        self.open(statements(body), &lowering_heads(rule, head, body))?;
        let lowered = self.finished(rule, head, body)?;
        self.scopes.pop();
        Ok(lowered)
    }

    /// Leave to OPA braces that it reads otherwise than the parser here, as a comprehension or as a body.
    fn is_known_body(body: &RuleBody) -> Lower<()> {
        let statements = body.query.stmts.as_slice();
        let Some(first) = statements.first() else {
            return Ok(());
        };
        let Literal::Expr { expr, .. } = &first.literal else {
            return Ok(());
        };
        let is_comprehension = matches!(expr.as_ref(), Ast::SetCompr { .. } | Ast::ObjectCompr { .. });
        if (body.is_else && statements.len() == 1 && is_comprehension) || (!body.is_else && begins_with_union(expr)) {
            return super::unsupported(&first.span, "a body that may be a comprehension");
        }
        Ok(())
    }

    fn finished(&mut self, rule: &Rule, head: &Head<'_>, body: Option<&RuleBody>) -> Lower<Body> {
        let (statements, heads) = (statements(body), lowering_heads(rule, head, body));
        let (mut steps, order) = self.ordered_with(statements, &heads)?;
        self.is_member_indexed_alike(statements, &order, &heads, arguments_of(rule))?;
        let mut keys = Vec::with_capacity(head.suffix.len());
        for part in &head.suffix {
            keys.push(self.head_part(part, &mut steps)?);
        }
        let yields = match &head.element {
            Some(element) => Leaf::Element(self.head_part(element, &mut steps)?),
            None => Leaf::Value(match value_of(rule, body) {
                Some(value) => self.head_term(value, &mut steps)?,
                None => Expr::Const(Value::Bool(true)),
            }),
        };
        Ok(Body { steps: steps.into(), keys: keys.into(), yields })
    }

    fn head_part(&mut self, part: &Part<'_>, steps: &mut Steps) -> Lower<Expr> {
        match part {
            Part::Key(key) => Ok(self.constant(key)),
            Part::Expr(expr) => self.head_term(expr, steps),
        }
    }

    fn head_term(&mut self, expr: &Ref<Ast>, steps: &mut Steps) -> Lower<Expr> {
        match self.expr(expr, steps) {
            Err(Blocked::Unbound(name)) => {
                super::refused(expr.span(), &format!("var {name} is unsafe: nothing gives it a value"))
            }
            other => other,
        }
    }
}

/// Whether the first operator of `expr` is a union.
fn begins_with_union(expr: &Ref<Ast>) -> bool {
    match expr.as_ref() {
        Ast::BinExpr { op: BinOp::Union, .. } => true,
        Ast::BinExpr { lhs, .. } | Ast::BoolExpr { lhs, .. } | Ast::ArithExpr { lhs, .. } | Ast::AssignExpr { lhs, .. } => {
            begins_with_union(lhs)
        }
        Ast::Membership { key, value, .. } => begins_with_union(key.as_ref().unwrap_or(value)),
        _ => false,
    }
}
