//! Calls of builtins and of functions that modules define.

use regorus::{
    Value,
    unstable::{Expr as Ast, Ref, Span},
};

use super::{
    super::{
        builtin_table::JSON_FILTER,
        ir::{BuiltinId, Callee, Expr, Kind, Pattern, Step},
        names::{Meaning, Part, parts_of},
    },
    Blocked, Lower, Lowering, Steps,
    children::any_child,
};

/// Whether the value may be made while running, of parts that may be objects of base data.
fn may_be_made(expr: &Expr) -> bool {
    match expr {
        Expr::Const(_) | Expr::Input(..) | Expr::Base(_) => false,
        Expr::Index(collection, _) => may_be_made(collection),
        Expr::Object(_) => expr.may_have_base_data(),
        _ => true,
    }
}

impl Lowering<'_> {
    /// A call in the place of a value.
    pub(super) fn call(&mut self, call: &Ref<Ast>, out: &mut Steps) -> Lower<Expr> {
        let Ast::Call { span, fcn, params, .. } = call.as_ref() else {
            return self.expr(call, out);
        };
        let callee = self.callee(span, fcn)?;
        self.apply(span, callee, params, out)
    }

    /// A call as a condition: its last argument may stand for the result.
    pub(super) fn call_statement(&mut self, call: &Ref<Ast>, out: &mut Steps) -> Lower<()> {
        let Ast::Call { span, fcn, params, .. } = call.as_ref() else {
            return Ok(());
        };
        let callee = self.callee(span, fcn)?;
        if self.is_print(callee) {
            return Ok(());
        }
        self.is_indexed_alike(span, callee, params)?;
        if let Some(arity) = self.arity(callee)
            && params.len() == arity + 1
            && let Some((result, params)) = params.split_last()
        {
            if self.gives_several(callee) && !self.is_fresh(result) {
                return super::unsupported(span, "a call of a function with a result that is known beforehand");
            }
            let value = self.apply(span, callee, params, out)?;
            return self.matched(result, value, out);
        }
        let value = self.apply(span, callee, params, out)?;
        out.push(Step::Check(value));
        Ok(())
    }

    /// Whether it is a function of the modules that goes on where one definition gives no value.
    fn gives_several(&self, callee: Callee) -> bool {
        matches!(callee, Callee::Function(group) if self.shared.outline(group).is_some_and(|outline| outline.has_several))
    }

    /// Whether `result` is a variable without a value: OPA compares a value that is known with each definition's, and goes on with
    /// the next one where they differ.
    fn is_fresh(&self, result: &Ref<Ast>) -> bool {
        let Ast::Var { span, .. } = result.as_ref() else {
            return false;
        };
        span.text() == "_" || self.scopes.find(span.text()).is_some_and(|slot| self.scopes.is_bindable(slot))
    }

    /// Leave to OPA a `glob.match` whose constants its index of rules reads otherwise than `glob.match` itself.
    fn is_indexed_alike(&self, span: &Span, callee: Callee, params: &[Ref<Ast>]) -> Lower<()> {
        let Callee::Builtin(id) = callee else {
            return Ok(());
        };
        let [pattern, delimiters, ..] = params else {
            return Ok(());
        };
        let (
            Ast::String { value: Value::String(pattern), .. } | Ast::RawString { value: Value::String(pattern), .. },
            Ast::Array { items, .. },
        ) = (pattern.as_ref(), delimiters.as_ref())
        else {
            return Ok(());
        };
        let is_beyond_ascii = |item: &Ref<Ast>| !item.span().text().is_ascii() || item.span().text().contains('\\');
        // The index divides a pattern at its delimiters first, and sees no wildcard or list where one of them was.
        let is_wildcard = |item: &Ref<Ast>| item.span().text().contains(['*', '?', '[', '{']);
        let is_other = |item: &Ref<Ast>| is_beyond_ascii(item) || is_wildcard(item);
        if self.shared.builtins.name(id) == "glob.match" && (pattern.contains('\\') || items.iter().any(is_other)) {
            return super::unsupported(
                span,
                "glob.match of a pattern with a backslash, or of delimiters that are wildcards or beyond ASCII",
            );
        }
        Ok(())
    }

    /// Leave to OPA a `json.filter` of what may have an object of base data as a part: its filter takes such a part for no object
    /// and ends in an error, unless somebody has read the part before.
    fn is_filtered_alike(&self, span: &Span, id: BuiltinId, args: &[Expr]) -> Lower<()> {
        if self.shared.builtins.name(id) == JSON_FILTER
            && args.first().is_some_and(may_be_made)
            && self.shared.tree.has_objects()
        {
            return super::unsupported(span, "json.filter of a value that may have an object of base data as a part");
        }
        Ok(())
    }

    /// Whether `expr` calls a function of the modules that goes on where one definition gives no value.
    pub(super) fn calls_a_function(&mut self, expr: &Ref<Ast>) -> bool {
        if let Ast::Call { fcn, .. } = expr.as_ref()
            && let Some(callee) = self.callee_named(fcn)
            && self.gives_several(callee)
        {
            return true;
        }
        any_child(expr, &mut |child| self.calls_a_function(child))
    }

    fn apply(&mut self, span: &Span, callee: Callee, params: &[Ref<Ast>], out: &mut Steps) -> Lower<Expr> {
        if self.is_print(callee) {
            return Ok(Expr::Const(Value::Bool(true)));
        }
        if let Some(arity) = self.arity(callee)
            && params.len() != arity
        {
            return super::refused(span, &format!("the function takes {arity} arguments, not {}", params.len()));
        }
        let args = match self.tried(|lowering, steps| lowering.all(params, steps)) {
            Ok((args, steps)) => {
                out.extend(steps);
                args
            }
            // A builtin that only OPA has: nobody knows which of its arguments stands for the result.
            Err(Blocked::Unbound(_)) if self.arity(callee).is_none() => {
                let mut after = Steps::new();
                for param in params {
                    self.pattern(param, &mut after)?;
                }
                Vec::new()
            }
            Err(other) => return Err(other),
        };
        match callee {
            Callee::Builtin(id) if self.shared.builtins.is_walk(id) => {
                let Some(value) = args.into_iter().next() else {
                    return super::refused(span, "walk takes an argument");
                };
                let slot = self.scopes.fresh_bound();
                out.push(Step::Walk(value, Pattern::Bind(slot)));
                Ok(Expr::Slot(slot))
            }
            Callee::Builtin(id) => {
                self.is_filtered_alike(span, id, &args)?;
                Ok(self.fixed(Expr::Builtin(id, args.into())))
            }
            Callee::Function(group) if args.is_empty() => Ok(Expr::Group(group)),
            Callee::Function(group) => Ok(self.fixed(Expr::Function(group, args.into()))),
        }
    }

    /// Whether `expr` is a call of `print`.
    pub(super) fn prints(&mut self, expr: &Ref<Ast>) -> bool {
        matches!(expr.as_ref(), Ast::Call { fcn, .. } if self.callee_named(fcn).is_some_and(|callee| self.is_print(callee)))
    }

    fn is_print(&self, callee: Callee) -> bool {
        matches!(callee, Callee::Builtin(id) if self.shared.builtins.is_print(id))
    }

    /// How many arguments it takes; None when that is not known.
    fn arity(&self, callee: Callee) -> Option<usize> {
        match callee {
            Callee::Builtin(id) => self.shared.builtins.arity(id),
            Callee::Function(group) => self.shared.outline(group).map(|outline| outline.arity),
        }
    }

    fn callee(&mut self, span: &Span, function: &Ref<Ast>) -> Lower<Callee> {
        let (head, _) = parts_of(function);
        if let Ast::Var { span, .. } = head.as_ref()
            && self.scopes.has(span.text())
        {
            return super::refused(span, &format!("called function {} shadowed", dotted(function)));
        }
        match self.callee_named(function) {
            Some(Callee::Builtin(id)) if self.names.is_current && is_deprecated(self.shared.builtins.name(id)) => {
                super::refused(span, &format!("deprecated built-in function {}", dotted(function)))
            }
            Some(callee) => Ok(callee),
            None => super::refused(span, &format!("undefined function {}", dotted(function))),
        }
    }

    /// The function that a reference names: one of the modules', or a builtin if nothing else is called so.
    pub(super) fn callee_named(&mut self, function: &Ref<Ast>) -> Option<Callee> {
        let (head, parts) = parts_of(function);
        if let Ast::Var { span, .. } = head.as_ref()
            && let Some(meaning) = self.names.meaning(span.text(), &self.shared.rules)
        {
            let Meaning::Data(mut path) = meaning else {
                return None;
            };
            path.extend(parts.iter().filter_map(|part| match part {
                Part::Key(key) => Some(key.clone()),
                Part::Expr(_) => None,
            }));
            let (node, followed) = self.shared.tree.follow(&path);
            let group = self.shared.tree.node(node).and_then(|node| node.group);
            if let Some(group) = group
                && followed == path.len()
                && self.shared.outline(group).is_some_and(|outline| matches!(outline.kind, Kind::Function | Kind::Complete))
            {
                return Some(Callee::Function(group));
            }
            return None;
        }
        self.shared.builtins.find(&dotted(function)).map(Callee::Builtin)
    }
}

/// Builtins that Rego v1 no longer has.
fn is_deprecated(name: &str) -> bool {
    matches!(name, "all" | "any" | "net.cidr_overlap" | "re_match" | "set_diff") || name.starts_with("cast_")
}

/// A reference as people write it.
pub(super) fn dotted(refr: &Ref<Ast>) -> String {
    let (head, parts) = parts_of(refr);
    let mut name = if let Ast::Var { span, .. } = head.as_ref() { span.text().to_owned() } else { String::new() };
    for part in parts {
        if let Part::Key(Value::String(key)) = part {
            name.push('.');
            name.push_str(&key);
        }
    }
    name
}
