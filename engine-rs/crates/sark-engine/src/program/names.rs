//! What a name means in a module, before local variables are looked at.

use std::collections::{BTreeMap, HashMap, HashSet};

use regorus::{
    Value,
    unstable::{Expr as Ast, Module, Ref, Rule, RuleHead},
};

use crate::document::is_plain;

/// A document that a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// A path below `data`.
    Data(Vec<Value>),
    /// A path below `input`.
    Input(Vec<Value>),
}

/// The names of one module.
#[derive(Debug)]
pub(crate) struct Names {
    pub package: Vec<Value>,
    imports: HashMap<String, Meaning>,
    /// Whether a negation covers all of its condition (`import future.keywords.not`, or all of the future's keywords).
    pub negates_bodies: bool,
    /// Whether a version of the language is imported that the engine does not know.
    pub is_beyond_v1: bool,
    /// Whether it is written in Rego v1.
    pub is_current: bool,
}

/// First components of the rules that each package has, in whatever module.
#[derive(Debug, Default)]
pub(crate) struct PackageRules(BTreeMap<Vec<Value>, HashSet<String>>);

impl PackageRules {
    pub(crate) fn add(&mut self, package: &[Value], rule: &str) {
        if let Some(rules) = self.0.get_mut(package) {
            rules.insert(rule.to_owned());
        } else {
            self.0.insert(package.to_vec(), HashSet::from([rule.to_owned()]));
        }
    }

    pub(crate) fn has(&self, package: &[Value], rule: &str) -> bool {
        self.0.get(package).is_some_and(|rules| rules.contains(rule))
    }
}

impl Names {
    pub(crate) fn of(module: &Module) -> Self {
        let (root, path) = path_of(&module.package.refr);
        let package = [vec![Value::from(root)], path].concat();
        let mut imports = HashMap::new();
        let (mut negates_bodies, mut is_beyond_v1) = (false, false);
        for import in &module.imports {
            let (root, path) = path_of(&import.refr);
            let alias = match &import.r#as {
                Some(span) => span.text().to_owned(),
                None => match path.last() {
                    Some(Value::String(last)) => last.to_string(),
                    _ => root.to_owned(),
                },
            };
            match root {
                "data" => imports.insert(alias, Meaning::Data(path)),
                "input" => imports.insert(alias, Meaning::Input(path)),
                "rego" => {
                    is_beyond_v1 |= path.as_slice() != [Value::from("v1")];
                    None
                }
                "future" => {
                    negates_bodies |= matches!(path.as_slice(), [_]) || path.get(1) == Some(&Value::from("not"));
                    None
                }
                _ => None,
            };
        }
        Self { package, imports, negates_bodies, is_beyond_v1, is_current: module.rego_v1 }
    }

    /// The document `name` stands for; None for what can only be a local variable or a builtin.
    pub(crate) fn meaning(&self, name: &str, rules: &PackageRules) -> Option<Meaning> {
        match name {
            "data" => return Some(Meaning::Data(Vec::new())),
            "input" => return Some(Meaning::Input(Vec::new())),
            _ => {}
        }
        if let Some(meaning) = self.imports.get(name) {
            return Some(meaning.clone());
        }
        rules.has(&self.package, name).then(|| {
            let mut path = self.package.clone();
            path.push(Value::from(name));
            Meaning::Data(path)
        })
    }
}

/// The variable a constant reference starts with, and the components behind it.
fn path_of(refr: &Ref<Ast>) -> (&str, Vec<Value>) {
    let (head, parts) = parts_of(refr);
    let root = if let Ast::Var { span, .. } = head.as_ref() { span.text() } else { "" };
    let keys = parts.into_iter().filter_map(|part| match part {
        Part::Key(key) => Some(key),
        Part::Expr(_) => None,
    });
    (root, keys.collect())
}

/// Head of a rule, taken apart.
pub(crate) struct Head<'r> {
    /// First component of the rule's name.
    pub name: &'r str,
    /// The constant components of the head's reference, the name included.
    pub prefix: Vec<Value>,
    /// What follows from the first component on that is not a constant string.
    pub suffix: Vec<Part<'r>>,
    /// The element of a `contains` rule.
    pub element: Option<Part<'r>>,
    /// The arguments of a function. One without arguments is a rule with a value.
    pub args: Option<&'r [Ref<Ast>]>,
}

/// A component of a reference.
#[derive(Clone)]
pub(crate) enum Part<'r> {
    Key(Value),
    Expr(&'r Ref<Ast>),
}

impl<'r> Head<'r> {
    pub(crate) fn of(rule: &'r Rule) -> Self {
        let (refr, args) = match rule {
            Rule::Default { refr, args, .. } | Rule::Spec { head: RuleHead::Func { refr, args, .. }, .. } => {
                (refr, (!args.is_empty()).then_some(args.as_slice()))
            }
            Rule::Spec { head: RuleHead::Compr { refr, .. } | RuleHead::Set { refr, .. }, .. } => (refr, None),
        };
        let (name, mut parts) = parts_of(refr);
        let element = match rule {
            Rule::Spec { head: RuleHead::Set { key: Some(key), .. }, .. } => Some(Part::Expr(key)),
            // `p.q { ... }` of the old language: the field is the element.
            Rule::Spec { head: RuleHead::Set { key: None, .. }, .. } => parts.pop(),
            _ => None,
        };
        let name = if let Ast::Var { span, .. } = name.as_ref() { span.text() } else { "" };
        let mut prefix = vec![Value::from(name)];
        let constant = parts.iter().take_while(|part| matches!(part, Part::Key(Value::String(_)))).count();
        let suffix = parts.split_off(constant);
        prefix.extend(parts.into_iter().filter_map(|part| match part {
            Part::Key(key) => Some(key),
            Part::Expr(_) => None,
        }));
        Self { name, prefix, suffix, element, args }
    }
}

/// A reference from its head on; constants are values already.
pub(crate) fn parts_of(refr: &Ref<Ast>) -> (&Ref<Ast>, Vec<Part<'_>>) {
    let mut parts = Vec::new();
    let mut head = refr;
    loop {
        head = match head.as_ref() {
            Ast::RefDot { refr, field, .. } => {
                parts.push(Part::Key(field.1.clone()));
                refr
            }
            Ast::RefBrack { refr, index, .. } => {
                parts.push(match index.as_ref() {
                    // Its spelling is noted where expressions are, and whether it is held exactly is looked at there.
                    Ast::Number { span, .. } if !is_plain(span.text()) || span.text().contains('.') => Part::Expr(index),
                    Ast::String { value, .. }
                    | Ast::RawString { value, .. }
                    | Ast::Number { value, .. }
                    | Ast::Bool { value, .. }
                    | Ast::Null { value, .. } => Part::Key(value.clone()),
                    _ => Part::Expr(index),
                });
                refr
            }
            _ => break,
        };
    }
    parts.reverse();
    (head, parts)
}
