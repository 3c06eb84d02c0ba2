//! What one rule mentions: other rules, data and builtins.
//!
//! Names are over-approximated: a local variable called like a rule counts as a mention of the rule. That can only send
//! a path to baseline, or keep a decision out of the cache, without need; it never misses a mention.

use std::collections::{BTreeSet, HashMap};

use regorus::unstable::{Expr, Literal, LiteralStmt, Module as Ast, Query, Ref, Rule, RuleAssign, RuleHead};

use crate::{
    builtins::{Availability, availability},
    rules::{Chain, Path, RuleTable, chain, components},
};

/// Mentions of one rule path.
#[derive(Debug, Default)]
pub(crate) struct Mentions {
    /// Constant beginnings of references into `data`.
    pub paths: BTreeSet<Path>,
    /// Builtins called by name, or named to stand for a function.
    pub builtins: BTreeSet<String>,
}

/// Collects the mentions of the rules of one module.
pub(crate) struct Collector<'a> {
    package: &'a [String],
    imports: HashMap<String, Path>,
    table: &'a RuleTable,
    /// Whether a name is the beginning of a rule's in this package, for the names that came up.
    own: HashMap<String, bool>,
    /// First call to a function nobody defines, as `file:line:column: sentence`.
    pub undefined_call: Option<String>,
}

impl<'a> Collector<'a> {
    pub(crate) fn new(package: &'a [String], module: &Ast, table: &'a RuleTable) -> Self {
        let imports = module
            .imports
            .iter()
            .filter_map(|import| {
                let path = components(&import.refr);
                let (root, target) = path.split_first()?;
                let alias = import.r#as.as_ref().map_or_else(|| target.last().cloned(), |span| Some(span.text().to_owned()))?;
                (root == "data").then(|| (alias, target.to_vec()))
            })
            .collect();
        Self { package, imports, table, own: HashMap::new(), undefined_call: None }
    }

    pub(crate) fn rule(&mut self, rule: &Rule, into: &mut Mentions) {
        match rule {
            Rule::Default { args, value, .. } => {
                self.all(args, into);
                self.expr(value, into);
            }
            Rule::Spec { head, bodies, .. } => {
                self.head(head, into);
                for body in bodies {
                    self.assign(body.assign.as_ref(), into);
                    self.query(&body.query, into);
                }
            }
        }
    }

    fn head(&mut self, head: &RuleHead, into: &mut Mentions) {
        let (refr, assign) = match head {
            RuleHead::Compr { refr, assign, .. } => (refr, assign.as_ref()),
            RuleHead::Set { refr, key, .. } => {
                self.all(key, into);
                (refr, None)
            }
            RuleHead::Func { refr, args, assign, .. } => {
                self.all(args, into);
                (refr, assign.as_ref())
            }
        };
        self.all(chain(refr).indexes, into);
        self.assign(assign, into);
    }

    fn assign(&mut self, assign: Option<&RuleAssign>, into: &mut Mentions) {
        if let Some(assign) = assign {
            self.expr(&assign.value, into);
        }
    }

    fn query(&mut self, query: &Ref<Query>, into: &mut Mentions) {
        for statement in &query.stmts {
            self.statement(statement, into);
        }
    }

    fn statement(&mut self, statement: &LiteralStmt, into: &mut Mentions) {
        match &statement.literal {
            Literal::SomeVars { .. } => {}
            Literal::SomeIn { key, value, collection, .. } => {
                self.all(key, into);
                self.all([value, collection], into);
            }
            Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => self.expr(expr, into),
            Literal::Every { domain, query, .. } => {
                self.expr(domain, into);
                self.query(query, into);
            }
        }
        for modifier in &statement.with_mods {
            self.all([&modifier.refr, &modifier.r#as], into);
            Self::named(&modifier.r#as, into);
        }
    }

    /// What stands for a function is named and not called: a builtin that `expr` may name counts as a call of it.
    fn named(expr: &Ref<Expr>, into: &mut Mentions) {
        let taken = chain(expr);
        let name = dotted(&taken);
        if availability(&name) != Availability::Unknown {
            into.builtins.insert(name);
        }
    }

    fn all<'e>(&mut self, exprs: impl IntoIterator<Item = &'e Ref<Expr>>, into: &mut Mentions) {
        for expr in exprs {
            self.expr(expr, into);
        }
    }

    fn expr(&mut self, expr: &Ref<Expr>, into: &mut Mentions) {
        match expr.as_ref() {
            Expr::String { .. } | Expr::RawString { .. } | Expr::Number { .. } | Expr::Bool { .. } | Expr::Null { .. } => {}
            Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. } => self.reference(expr, into),
            Expr::Array { items, .. } | Expr::Set { items, .. } => self.all(items, into),
            Expr::Object { fields, .. } => {
                for (_, key, value) in fields {
                    self.all([key, value], into);
                }
            }
            Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
                self.expr(term, into);
                self.query(query, into);
            }
            Expr::ObjectCompr { key, value, query, .. } => {
                self.all([key, value], into);
                self.query(query, into);
            }
            Expr::Call { fcn, params, .. } => {
                self.call(fcn, into);
                self.all(params, into);
            }
            Expr::UnaryExpr { expr, .. } => self.expr(expr, into),
            Expr::BinExpr { lhs, rhs, .. }
            | Expr::BoolExpr { lhs, rhs, .. }
            | Expr::ArithExpr { lhs, rhs, .. }
            | Expr::AssignExpr { lhs, rhs, .. } => self.all([lhs, rhs], into),
            Expr::Membership { key, value, collection, .. } => {
                self.all(key, into);
                self.all([value, collection], into);
            }
        }
    }

    fn reference(&mut self, expr: &Ref<Expr>, into: &mut Mentions) {
        let taken = chain(expr);
        if taken.root.is_empty() {
            self.expr(taken.head, into);
        } else if let Some(path) = self.resolve(taken.root, &taken.constant) {
            into.paths.insert(path);
        }
        self.all(taken.indexes, into);
    }

    /// The path in `data` that a reference means; None for `input` and for what can only be a local variable.
    fn resolve(&mut self, root: &str, constant: &[String]) -> Option<Path> {
        if root == "data" {
            return Some(constant.to_vec());
        }
        if let Some(target) = self.imports.get(root) {
            return Some([target, constant].concat());
        }
        let is_own = match self.own.get(root) {
            Some(known) => *known,
            None => self.is_own(root),
        };
        is_own.then(|| [self.package, &[root.to_owned()], constant].concat())
    }

    fn is_own(&mut self, root: &str) -> bool {
        let path = [self.package, &[root.to_owned()]].concat();
        let is_rule = self.table.at_or_above(&path).next().is_some() || self.table.below(&path).next().is_some();
        self.own.insert(root.to_owned(), is_rule);
        is_rule
    }

    fn call(&mut self, function: &Ref<Expr>, into: &mut Mentions) {
        let taken = chain(function);
        if let Some(path) = self.resolve(taken.root, &taken.constant)
            && self.table.is_function(&path)
        {
            into.paths.insert(path);
            return;
        }
        let name = dotted(&taken);
        if availability(&name) == Availability::Unknown && self.undefined_call.is_none() {
            let place = taken.head.span();
            let file = place.source.get_path();
            self.undefined_call = Some(format!("{file}:{}:{}: undefined function {name}", place.line, place.col));
        }
        into.builtins.insert(name);
    }
}

/// A constant reference as it names a builtin.
fn dotted(taken: &Chain<'_>) -> String {
    let mut name = taken.root.to_owned();
    for component in &taken.constant {
        name.push('.');
        name.push_str(component);
    }
    name
}
