//! From parsed modules to a program.

use std::{collections::BTreeSet, ops::Range};

use regorus::{
    Value,
    unstable::{Module, Ref, Rule},
};

use crate::error::PolicyError;

use super::{
    Keep, Program,
    builtin_table::BuiltinTable,
    facts::{Uses, close},
    index::Index,
    ir::{Definition, Expr, Group, GroupId, Kind, Leaf},
    lower::{self, Blocked, Outline, Shared},
    names::{Head, Names, PackageRules},
    place, text_of,
    tree::Tree,
    visit,
};

/// Most definitions of a rule that a question may need: a millisecond or two. More are left to OPA.
const MAX_WIDTH: usize = 20_000;

/// Where a definition comes from.
struct Origin {
    module: usize,
    rule: usize,
    bodies: Range<usize>,
}

struct Builder<'m> {
    modules: &'m [Ref<Module>],
    names: Vec<Names>,
    shared: Shared,
    groups: Vec<Group>,
    origins: Vec<Vec<Origin>>,
    unsupported: Vec<BTreeSet<String>>,
}

/// Compile `modules` over the base document `data`, an object.
pub(crate) fn build(modules: &[Ref<Module>], data: &Value) -> Result<Program, PolicyError> {
    let mut builder = Builder::outline(modules)?;
    builder.refuse_conflicts(data)?;
    builder.shared.tree.attach(data);
    builder.lower()?;
    builder.add_keyed();
    builder.finish()
}

impl<'m> Builder<'m> {
    /// Find every rule and what kind it is.
    fn outline(modules: &'m [Ref<Module>]) -> Result<Self, PolicyError> {
        let names: Vec<Names> = modules.iter().map(|module| Names::of(module)).collect();
        let shared = Shared {
            tree: Tree::new(),
            rules: PackageRules::default(),
            outlines: Vec::new(),
            builtins: BuiltinTable::new(),
            fixed: 0,
            wanted: BTreeSet::new(),
        };
        let mut builder = Self { modules, names, shared, groups: Vec::new(), origins: Vec::new(), unsupported: Vec::new() };
        for (module, names) in modules.iter().zip(&builder.names) {
            builder.shared.tree.make(&names.package);
            for rule in &module.policy {
                builder.shared.rules.add(&names.package, Head::of(rule).name);
            }
        }
        for (number, module) in modules.iter().enumerate() {
            for rule in &module.policy {
                builder.outline_rule(number, rule)?;
            }
        }
        Ok(builder)
    }

    fn outline_rule(&mut self, module: usize, rule: &Rule) -> Result<(), PolicyError> {
        let head = Head::of(rule);
        let Some(names) = self.names.get(module) else {
            return Ok(());
        };
        let path = [names.package.as_slice(), &head.prefix].concat();
        let kind = match (&head.args, head.suffix.is_empty(), &head.element) {
            (Some(_), ..) => Kind::Function,
            (None, true, Some(_)) => Kind::Set,
            (None, true, None) => Kind::Complete,
            (None, false, _) => Kind::Object,
        };
        let arity = head.args.map_or(0, <[_]>::len);
        let node = self.shared.tree.make(&path);
        let place = || {
            let span = rule.span();
            format!("{}:{}:{}", span.source.get_path(), span.line, span.col)
        };
        if let Some(known) = self.shared.tree.node(node).and_then(|node| node.group) {
            let Some(outline) = self.shared.outlines.get_mut(known as usize) else {
                return Ok(());
            };
            if outline.kind != kind || outline.arity != arity {
                let name = path.iter().map(text_of).collect::<Vec<_>>().join(".");
                let what = if outline.kind == kind { "numbers of arguments" } else { "kinds of rule" };
                return Err(PolicyError(format!("{}: data.{name} is defined with different {what}", place())));
            }
            return Ok(());
        }
        let id = GroupId::try_from(self.groups.len()).map_err(|_| PolicyError(format!("{}: too many rules", place())))?;
        self.shared.tree.set_group(node, id);
        self.shared.outlines.push(Outline { path: path.clone().into(), kind, arity });
        self.groups.push(Group {
            path: path.into(),
            kind,
            definitions: Vec::new(),
            default: None,
            default_slots: 0,
            only_value: None,
            index: Index::default(),
        });
        self.origins.push(Vec::new());
        self.unsupported.push(BTreeSet::new());
        Ok(())
    }

    /// Base data and a rule at one path would hide each other; OPA refuses it, and so do we.
    fn refuse_conflicts(&self, data: &Value) -> Result<(), PolicyError> {
        let mut conflicts: Vec<String> = Vec::new();
        for outline in &self.shared.outlines {
            if place::descend(data, &outline.path).is_some() {
                conflicts.push(outline.path.iter().map(text_of).collect::<Vec<_>>().join("/"));
            }
        }
        conflicts.sort_unstable();
        match conflicts.first() {
            Some(path) => {
                Err(PolicyError(format!("the data has a value at {path}, where a rule is defined: rename one of them")))
            }
            None => Ok(()),
        }
    }

    fn group_of(&self, module: usize, rule: &Rule) -> Option<GroupId> {
        let path = [self.names.get(module)?.package.as_slice(), &Head::of(rule).prefix].concat();
        let (node, followed) = self.shared.tree.follow(&path);
        (followed == path.len()).then(|| self.shared.tree.node(node)?.group)?
    }

    fn lower(&mut self) -> Result<(), PolicyError> {
        for (number, module) in self.modules.iter().enumerate() {
            for (position, rule) in module.policy.iter().enumerate() {
                let Some(id) = self.group_of(number, rule) else {
                    continue;
                };
                match self.lower_rule(id, number, position, rule) {
                    Ok(()) => {}
                    Err(Blocked::Unsupported(reason)) => {
                        if let Some(reasons) = self.unsupported.get_mut(id as usize) {
                            reasons.insert(reason);
                        }
                    }
                    Err(Blocked::Refused(reason)) => return Err(PolicyError(reason)),
                    Err(Blocked::Unbound(name)) => {
                        let span = rule.span();
                        let place = format!("{}:{}:{}", span.source.get_path(), span.line, span.col);
                        return Err(PolicyError(format!("{place}: var {name} is unsafe: nothing gives it a value")));
                    }
                }
            }
        }
        Ok(())
    }

    fn lower_rule(&mut self, id: GroupId, module: usize, position: usize, rule: &Rule) -> Result<(), Blocked> {
        let Some(names) = self.names.get(module) else {
            return Ok(());
        };
        let default = lower::of_default(&mut self.shared, names, rule)?;
        let definitions = lower::definition(&mut self.shared, names, rule)?;
        let (Some(group), Some(origins)) = (self.groups.get_mut(id as usize), self.origins.get_mut(id as usize)) else {
            return Ok(());
        };
        if let Some((value, slots)) = default {
            if group.default.is_some() {
                let span = rule.span();
                let place = format!("{}:{}:{}", span.source.get_path(), span.line, span.col);
                return Err(Blocked::Refused(format!("{place}: the rule has two default values")));
            }
            group.default = Some(value);
            group.default_slots = slots;
        }
        for lowered in definitions {
            group.definitions.push(lowered.definition);
            origins.push(Origin { module, rule: position, bodies: lowered.bodies });
        }
        Ok(())
    }

    /// Prepare the partial rules that are asked for single entries. Doing so may ask for more of them.
    fn add_keyed(&mut self) {
        let mut done = BTreeSet::new();
        while let Some(id) = self.shared.wanted.iter().find(|id| !done.contains(*id)).copied() {
            done.insert(id);
            let Some(origins) = self.origins.get(id as usize) else {
                continue;
            };
            for (number, origin) in origins.iter().enumerate() {
                let rule = self.modules.get(origin.module).and_then(|module| module.policy.get(origin.rule));
                let (Some(rule), Some(names)) = (rule, self.names.get(origin.module)) else {
                    continue;
                };
                let keyed = lower::keyed(&mut self.shared, names, rule, origin.bodies.clone());
                if let Some(definition) = self.groups.get_mut(id as usize).and_then(|group| group.definitions.get_mut(number)) {
                    definition.keyed = keyed;
                }
            }
        }
    }

    fn finish(self) -> Result<Program, PolicyError> {
        let Self { shared, mut groups, unsupported, names, .. } = self;
        for group in &mut groups {
            group.definitions.shrink_to_fit();
            group.index = Index::build(&group.definitions);
            group.only_value = only_value(&group.definitions);
        }
        let mut uses: Vec<Uses> = groups.iter().map(|group| Uses::of(group, &shared.tree, &shared.builtins)).collect();
        for ((uses, reasons), group) in uses.iter_mut().zip(unsupported).zip(&groups) {
            uses.facts.unsupported = reasons;
            let width = group.index.widest();
            if width > MAX_WIDTH {
                let name = group.path.iter().map(text_of).collect::<Vec<_>>().join(".");
                uses.facts.unsupported.insert(format!(
                    "data.{name}: a question may need {width} of its definitions, more than {MAX_WIDTH}, because too few of them compare one part of the input with a constant"
                ));
            }
        }
        let facts = close(&uses).map_err(|recursion| {
            let path =
                groups.get(recursion.0 as usize).map(|group| group.path.iter().map(text_of).collect::<Vec<_>>().join("."));
            PolicyError(format!("rule data.{} is recursive", path.unwrap_or_default()))
        })?;
        let mut packages: Vec<String> =
            names.iter().map(|names| names.package.iter().map(text_of).collect::<Vec<_>>().join(".")).collect();
        packages.sort_unstable();
        packages.dedup();
        let mut program = Program { tree: shared.tree, groups, facts, builtins: shared.builtins, fixed: Vec::new(), packages };
        program.fixed = fixed(&program, shared.fixed);
        Ok(program)
    }
}

/// The one constant that every definition gives, if so.
fn only_value(definitions: &[Definition]) -> Option<Value> {
    let mut bodies = definitions.iter().flat_map(|definition| &definition.bodies);
    let constant = |leaf: &Leaf| match leaf {
        Leaf::Value(Expr::Const(value)) => Some(value.clone()),
        _ => None,
    };
    let first = constant(&bodies.next()?.yields)?;
    bodies.all(|body| constant(&body.yields).as_ref() == Some(&first)).then_some(first)
}

/// How long each expression without local variables holds: for good when nothing it reaches reads the input.
fn fixed(program: &Program, count: u32) -> Vec<Keep> {
    let mut fixed = vec![Keep::Scope; count as usize];
    let mut see = |expr: &Expr| {
        if let Expr::Fixed(number, inner) = expr {
            let mut uses = Uses::default();
            visit::expr(inner, &mut |part| uses.see(part, &program.tree, &program.builtins));
            let reached = uses.groups.iter().all(|group| program.facts_of(*group).is_some_and(super::Facts::is_fixed));
            if let Some(slot) = fixed.get_mut(*number as usize)
                && reached
                && uses.facts.is_fixed()
            {
                *slot = Keep::Always;
            }
        }
    };
    for group in &program.groups {
        for definition in &group.definitions {
            definition.params.iter().for_each(|param| visit::pattern(param, &mut see));
            definition.bodies.iter().for_each(|body| visit::body(body, &mut see));
            definition.keyed.iter().for_each(|keyed| visit::body(&keyed.body, &mut see));
        }
        group.default.iter().for_each(|value| visit::expr(value, &mut see));
    }
    fixed
}
