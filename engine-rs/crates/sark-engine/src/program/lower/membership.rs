//! `x in y` in the body of a rule.
//!
//! OPA's index of rules takes `x in input.roles`, with `x` a variable of its own, for `x = input.roles`: whatever a later statement
//! asks of `x`, the index asks of the whole collection, and leaves the rule out. `some x in data.allowed; x in input.roles;
//! x == "admin"` never holds in OPA. A body where that may be so is left to it.

use regorus::unstable::{BoolOp, Expr as Ast, Literal, LiteralStmt, Ref};

use super::{
    super::names::{Meaning, Part, parts_of},
    Lower, Lowering,
    call::dotted,
    children::any_child,
    unsupported,
};

impl Lowering<'_> {
    /// Leave to OPA a body, of `statements` that run in this `order`, where a variable that is looked for in a collection is read later.
    /// `arguments` are those of the function.
    pub(super) fn is_member_indexed_alike(
        &self,
        statements: &[LiteralStmt],
        order: &[usize],
        heads: &[&Ref<Ast>],
        arguments: &[Ref<Ast>],
    ) -> Lower<()> {
        let ordered: Vec<&LiteralStmt> = order.iter().filter_map(|position| statements.get(*position)).collect();
        for (place, statement) in ordered.iter().enumerate() {
            let Some(name) = self.member(statement) else {
                continue;
            };
            if arguments.iter().any(|argument| is_variable(argument, name)) || self.is_known(name, statements) {
                continue;
            }
            let later = ordered.get(place + 1..).unwrap_or_default().iter().any(|later| asks(later, name));
            if later || heads.iter().any(|head| !is_variable(head, name) && reads(head, name)) {
                return unsupported(&statement.span, &format!("{name} is looked for in a collection and read later"));
            }
        }
        Ok(())
    }

    /// The variable that `statement` looks for in a collection which the index knows.
    fn member<'e>(&self, statement: &'e LiteralStmt) -> Option<&'e str> {
        let Literal::Expr { expr, .. } = &statement.literal else {
            return None;
        };
        let Ast::Membership { key: None, value, collection, .. } = expr.as_ref() else {
            return None;
        };
        let Ast::Var { span, .. } = value.as_ref() else {
            return None;
        };
        let name = span.text();
        (statement.with_mods.is_empty() && self.scopes.find(name).is_some() && self.is_in_index(collection)).then_some(name)
    }

    /// Whether `expr` is a reference into the input or base data, or may be one.
    fn is_in_index(&self, expr: &Ref<Ast>) -> bool {
        let (head, parts) = parts_of(expr);
        let Ast::Var { span, .. } = head.as_ref() else {
            return false;
        };
        if self.scopes.find(span.text()).is_some() {
            return true;
        }
        match self.names.meaning(span.text(), &self.shared.rules) {
            Some(Meaning::Input(_)) => true,
            Some(Meaning::Data(mut path)) => {
                path.extend(parts.iter().map_while(|part| match part {
                    Part::Key(key) => Some(key.clone()),
                    Part::Expr(_) => None,
                }));
                let (node, _) = self.first_rule(&path);
                self.shared.tree.node(node).is_none_or(|node| node.group.is_none())
            }
            None => false,
        }
    }

    /// Whether the index knows what `name` stands for: a constant, or a part of the input or of base data.
    fn is_known(&self, name: &str, statements: &[LiteralStmt]) -> bool {
        statements.iter().any(|statement| {
            let Literal::Expr { expr, .. } = &statement.literal else {
                return false;
            };
            let Ast::AssignExpr { lhs, rhs, .. } = expr.as_ref() else {
                return false;
            };
            let is_constant = matches!(
                rhs.as_ref(),
                Ast::String { .. } | Ast::RawString { .. } | Ast::Number { .. } | Ast::Bool { .. } | Ast::Null { .. }
            );
            let (head, parts) = parts_of(rhs);
            let is_ground = parts.iter().all(|part| matches!(part, Part::Key(_)));
            let is_outside = matches!(head.as_ref(), Ast::Var { span, .. } if self.scopes.find(span.text()).is_none());
            is_variable(lhs, name) && (is_constant || (is_ground && is_outside && self.is_in_index(rhs)))
        })
    }
}

fn is_variable(expr: &Ref<Ast>, name: &str) -> bool {
    matches!(expr.as_ref(), Ast::Var { span, .. } if span.text() == name)
}

/// Whether the index may make a condition on the collection of what `statement` asks of the variable.
fn asks(statement: &LiteralStmt, name: &str) -> bool {
    let literal = match &statement.literal {
        Literal::SomeVars { .. } => false,
        Literal::SomeIn { key, value, collection, .. } => {
            key.iter().any(|key| reads(key, name)) || reads(value, name) || reads(collection, name)
        }
        Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => reads(expr, name),
        Literal::Every { domain, .. } => reads(domain, name),
    };
    literal || statement.with_mods.iter().any(|modifier| reads(&modifier.r#as, name))
}

/// Whether `expr` reads the variable otherwise than as an operand of what the index does not look at.
fn reads(expr: &Ref<Ast>, name: &str) -> bool {
    let beside = |part: &Ref<Ast>| !is_variable(part, name) && reads(part, name);
    match expr.as_ref() {
        Ast::Var { span, .. } => span.text() == name,
        Ast::Call { fcn, params, .. } if !is_indexed(&dotted(fcn)) => params.iter().any(beside),
        Ast::BoolExpr { op: BoolOp::Ne | BoolOp::Lt | BoolOp::Le | BoolOp::Gt | BoolOp::Ge, lhs, rhs, .. }
        | Ast::ArithExpr { lhs, rhs, .. }
        | Ast::BinExpr { lhs, rhs, .. } => beside(lhs) || beside(rhs),
        Ast::Membership { key: None, value, collection, .. } => {
            let is_literal =
                !matches!(collection.as_ref(), Ast::Var { .. } | Ast::RefDot { .. } | Ast::RefBrack { .. } | Ast::Call { .. });
            reads(collection, name) || if is_literal { reads(value, name) } else { beside(value) }
        }
        _ => any_child(expr, &mut |child| reads(child, name)),
    }
}

/// Whether the index looks at calls of this builtin.
fn is_indexed(function: &str) -> bool {
    matches!(
        function,
        "eq" | "equal" | "glob.match" | "startswith" | "endswith" | "strings.any_prefix_match" | "strings.any_suffix_match"
    )
}
