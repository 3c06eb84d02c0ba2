//! References: into local values, the input, base data and rules.

use regorus::{
    Value,
    unstable::{Expr as Ast, Ref},
};

use super::{
    super::{
        ir::{Base, Expr, Kind, Pattern, Scan, Step},
        names::{Meaning, Part, parts_of},
        place::{self, ByText},
        tree::Tree,
    },
    Blocked, Lower, Lowering, Steps,
    call::dotted,
};

impl Lowering<'_> {
    /// A reference such as `input.roles[i].name`. An index without a value yet iterates.
    pub(super) fn reference(&mut self, refr: &Ref<Ast>, out: &mut Steps) -> Lower<Expr> {
        let (head, parts) = parts_of(refr);
        if let Ast::Var { span, .. } = head.as_ref() {
            let name = span.text();
            if name == "_" {
                return Err(Blocked::Unbound(name.to_owned()));
            }
            if let Some(slot) = self.scopes.find(name) {
                let value = self.slot(name, slot)?;
                return self.along(value, &parts, out);
            }
            return match self.names.meaning(name, &self.shared.rules) {
                Some(Meaning::Input(path)) => {
                    let (path, number) = self.shared.recurring.path(&path, None);
                    self.along(Expr::Input(path, number), &parts, out)
                }
                Some(Meaning::Data(path)) => self.in_data(path, refr, &parts, out),
                None => super::refused(span, &format!("var {name} is unsafe: nothing gives it a value")),
            };
        }
        let value = self.expr(head, out)?;
        self.along(value, &parts, out)
    }

    pub(super) fn slot(&mut self, name: &str, slot: u32) -> Lower<Expr> {
        if !self.scopes.is_bound(slot) {
            return Err(Blocked::Unbound(name.to_owned()));
        }
        self.scopes.read(slot);
        Ok(Expr::Slot(slot))
    }

    /// Go down `parts` from a value.
    fn along(&mut self, mut at: Expr, parts: &[Part<'_>], out: &mut Steps) -> Lower<Expr> {
        for part in parts {
            at = match part {
                Part::Key(key) => self.below(at, key),
                Part::Expr(index) => self.indexed(at, index, out)?,
            };
        }
        Ok(at)
    }

    /// The part of `at` under a constant key. Below the input, all constant keys make one path.
    fn below(&mut self, at: Expr, key: &Value) -> Expr {
        match at {
            Expr::Input(path, _) => {
                let (path, number) = self.shared.recurring.path(&path, Some(key));
                Expr::Input(path, number)
            }
            at => Expr::Index(Box::new(at), Box::new(self.constant(key))),
        }
    }

    fn indexed(&mut self, at: Expr, index: &Ref<Ast>, out: &mut Steps) -> Lower<Expr> {
        match self.tried(|lowering, steps| lowering.expr(index, steps)) {
            Ok((key, steps)) => {
                out.extend(steps);
                return Ok(match key {
                    Expr::Const(key) => self.below(at, &key),
                    key => Expr::Index(Box::new(at), Box::new(key)),
                });
            }
            Err(Blocked::Unbound(_)) => {}
            Err(other) => return Err(other),
        }
        let mut after = Steps::new();
        let key = self.pattern(index, &mut after)?;
        let slot = self.scopes.fresh_bound();
        // A document has base data in it.
        let is_in_base = at.is_in_base() || matches!(at, Expr::Document(_) | Expr::Below(..));
        out.push(Step::Scan(Box::new(Scan { collection: at, key, value: Pattern::Bind(slot) })));
        out.extend(after);
        Ok(if is_in_base { Expr::BasePart(slot) } else { Expr::Slot(slot) })
    }

    /// Go down `parts` from a path in `data`.
    fn in_data(&mut self, mut path: Vec<Value>, refr: &Ref<Ast>, parts: &[Part<'_>], out: &mut Steps) -> Lower<Expr> {
        let constant = parts.iter().take_while(|part| matches!(part, Part::Key(_))).count();
        let (keys, rest) = parts.split_at_checked(constant).unwrap_or((parts, &[]));
        path.extend(keys.iter().filter_map(|part| match part {
            Part::Key(key) => Some(key.clone()),
            Part::Expr(_) => None,
        }));
        let (node, followed) = self.first_rule(&path);
        let (group, is_leaf) = match self.shared.tree.node(node) {
            Some(found) => (found.group, found.children.is_empty()),
            None => (None, true),
        };
        let beyond: Vec<Part<'_>> =
            path.iter().skip(followed).map(|key| Part::Key(key.clone())).chain(rest.iter().cloned()).collect();
        match group {
            Some(group) if is_leaf => self.in_rule(group, refr, &beyond, out),
            // Rules at the path and below it: the document has both.
            Some(_) => self.along(Expr::Document(node), &beyond, out),
            None if followed < path.len() => {
                let value = self.base(node, path.get(followed..).unwrap_or_default(), refr)?;
                self.along(Expr::Base(Box::new(Base { path: path.into(), value })), rest, out)
            }
            None => self.in_package(node, rest, out),
        }
    }

    /// The first node with a rule on the way, else the last one there is; and how far the way is followed.
    pub(super) fn first_rule(&self, path: &[Value]) -> (u32, usize) {
        let mut at = Tree::ROOT;
        for (length, key) in path.iter().enumerate() {
            if self.shared.tree.node(at).is_some_and(|node| node.group.is_some()) {
                return (at, length);
            }
            match self.shared.tree.child(at, key) {
                Some(child) => at = child,
                None => return (at, length),
            }
        }
        (at, path.len())
    }

    /// The part of base data that `rest` leads to from a node.
    fn base(&self, node: u32, rest: &[Value], refr: &Ref<Ast>) -> Lower<Value> {
        let base = self.shared.tree.node(node).and_then(|node| node.base.as_ref());
        match place::descend_base(base, rest) {
            Ok(found) => Ok(found.cloned().unwrap_or(Value::Undefined)),
            Err(ByText) => super::unsupported(refr.span(), ByText::REASON),
        }
    }

    fn in_rule(&mut self, group: u32, refr: &Ref<Ast>, parts: &[Part<'_>], out: &mut Steps) -> Lower<Expr> {
        let kind = self.shared.outline(group).map_or(Kind::Complete, |outline| outline.kind);
        if kind == Kind::Function {
            return super::refused(refr.span(), &format!("function {} is not called", dotted(refr)));
        }
        if let (Kind::Set | Kind::Object, Some((first, rest))) = (kind, parts.split_first()) {
            let key = match first {
                Part::Key(key) => Some((self.constant(key), Steps::new())),
                Part::Expr(index) => match self.tried(|lowering, steps| lowering.expr(index, steps)) {
                    Ok(ready) => Some(ready),
                    Err(Blocked::Unbound(_)) => None,
                    Err(other) => return Err(other),
                },
            };
            if let Some((key, steps)) = key {
                out.extend(steps);
                self.shared.wanted.insert(group);
                return self.along(Expr::Entry(group, Box::new(key)), rest, out);
            }
        }
        self.along(Expr::Group(group), parts, out)
    }

    /// Go on from a node with rules below it by keys that are known only while running.
    fn in_package(&mut self, node: u32, parts: &[Part<'_>], out: &mut Steps) -> Lower<Expr> {
        let mut keys = Vec::new();
        for part in parts {
            let Part::Expr(index) = part else {
                keys.push(match part {
                    Part::Key(key) => self.constant(key),
                    Part::Expr(_) => continue,
                });
                continue;
            };
            match self.tried(|lowering, steps| lowering.expr(index, steps)) {
                Ok((key, steps)) => {
                    out.extend(steps);
                    keys.push(key);
                }
                Err(Blocked::Unbound(_)) => break,
                Err(other) => return Err(other),
            }
        }
        let rest = parts.get(keys.len()..).unwrap_or_default();
        let at = if keys.is_empty() { Expr::Document(node) } else { Expr::Below(node, keys.into()) };
        self.along(at, rest, out)
    }
}
