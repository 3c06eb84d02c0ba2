//! From parsed modules to a program.

use std::{collections::BTreeSet, ops::Range};

use regorus::{
    Value,
    unstable::{Module, Rule},
};

use crate::{
    compilation::Stopped,
    document::Spelled,
    error::PolicyError,
    footprint::{Footprint, whole},
    source::PartId,
};

use super::{
    Keep, Program,
    builtin_table::BuiltinTable,
    facts::{Closed, Uses, close},
    index::Index,
    ir::{Body, Definition, Expr, Group, GroupId, Kind, Leaf, NodeId, Pattern, Slot, Step},
    lower::{self, Blocked, Outline, Shared},
    names::{Head, Names, PackageRules},
    place,
    recurring::Recurring,
    text_of,
    tree::Tree,
    types, unsorted, visit,
    weights::Weights,
};

/// Most definitions of a rule that a question may need: a millisecond or two. More are left to OPA.
const MAX_WIDTH: usize = 20_000;

/// Where a definition comes from.
#[derive(Debug)]
struct Origin {
    part: PartId,
    rule: u32,
    bodies: Range<u32>,
}

/// Makes a program: of an outline of all rules first, then of the rules themselves.
#[derive(Debug)]
pub(crate) struct Builder {
    /// By module.
    names: Vec<Names>,
    shared: Shared,
    groups: Vec<Group>,
    /// By group, then by definition.
    origins: Vec<Vec<Origin>>,
    unsupported: Vec<BTreeSet<String>>,
    /// Partial rules that can be asked for single entries.
    keyed: BTreeSet<GroupId>,
    /// Bytes of the data and of the definitions so far, and how many they may be.
    bytes: usize,
    most_bytes: usize,
}

impl Builder {
    /// Its definitions may take `most_bytes` of memory, `bytes` of which are taken.
    pub(crate) fn new(bytes: usize, most_bytes: usize) -> Self {
        let shared = Shared {
            tree: Tree::new(),
            rules: PackageRules::default(),
            outlines: Vec::new(),
            builtins: BuiltinTable::new(),
            fixed: 0,
            wanted: BTreeSet::new(),
            spelled: Spelled::default(),
            recurring: Recurring::default(),
        };
        Self {
            names: Vec::new(),
            shared,
            groups: Vec::new(),
            origins: Vec::new(),
            unsupported: Vec::new(),
            keyed: BTreeSet::new(),
            bytes,
            most_bytes,
        }
    }

    /// Take in which rules a module has, or a part of it, and of what kind they are.
    pub(crate) fn outline(&mut self, module: usize, ast: &Module) -> Result<(), Stopped> {
        if self.names.len() == module {
            let names = Names::of(ast);
            self.shared.tree.make(&names.package);
            self.names.push(names);
        }
        for rule in &ast.policy {
            self.outline_rule(module, rule)?;
        }
        Ok(())
    }

    fn outline_rule(&mut self, module: usize, rule: &Rule) -> Result<(), PolicyError> {
        let head = Head::of(rule);
        let Some(names) = self.names.get(module) else {
            return Ok(());
        };
        self.shared.rules.add(&names.package, head.name);
        let path = [names.package.as_slice(), &head.prefix].concat();
        let (kind, arity) = shape(&head);
        let node = self.shared.tree.make(&path);
        if let Some(known) = self.shared.tree.node(node).and_then(|node| node.group) {
            let Some(outline) = self.shared.outlines.get_mut(known as usize) else {
                return Ok(());
            };
            if outline.kind != kind || outline.arity != arity {
                let name = dotted(&path);
                let what = if outline.kind == kind { "numbers of arguments" } else { "kinds of rule" };
                return Err(PolicyError(format!("{}: data.{name} is defined with different {what}", place_of(rule))));
            }
            outline.has_several = true;
            return Ok(());
        }
        let has_several = matches!(rule, Rule::Spec { bodies, .. } if bodies.len() > 1);
        let id =
            GroupId::try_from(self.groups.len()).map_err(|_| PolicyError(format!("{}: too many rules", place_of(rule))))?;
        self.shared.tree.set_group(node, id);
        self.shared.outlines.push(Outline { path: path.clone().into(), kind, arity, has_several });
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

    /// Put base data beside the rules.
    pub(crate) fn attach(&mut self, data: &Value) -> Result<(), PolicyError> {
        self.refuse_conflicts(data)?;
        self.shared.tree.attach(data);
        Ok(())
    }

    /// Base data and a rule at one path would hide each other; OPA refuses it, and so do we. It does not refuse a package without
    /// rules below a value that has no members, whose empty document some references of its find and others do not: we do.
    fn refuse_conflicts(&self, data: &Value) -> Result<(), PolicyError> {
        let mut conflicts: Vec<(String, &str)> = Vec::new();
        for outline in &self.shared.outlines {
            if place::descend(data, &outline.path).is_some() {
                conflicts.push((spelled(&outline.path), "at"));
            } else if is_cut_off(data, &outline.path) {
                conflicts.push((spelled(&outline.path), "above"));
            }
        }
        let packages = self.names.iter().map(|names| names.package.as_slice());
        conflicts.extend(packages.filter(|path| is_cut_off(data, path)).map(|path| (spelled(path), "above")));
        conflicts.sort_unstable();
        match conflicts.first() {
            Some((path, place)) => {
                let what = "where a rule or a package is defined: rename one of them";
                Err(PolicyError(format!("the data has a value {place} {path}, {what}")))
            }
            None => Ok(()),
        }
    }

    /// The group of a rule, if the outline has the rule.
    fn group_of(&self, names: &Names, rule: &Rule) -> Option<GroupId> {
        let head = Head::of(rule);
        let path = [names.package.as_slice(), &head.prefix].concat();
        let (node, followed) = self.shared.tree.follow(&path);
        let group = (followed == path.len()).then(|| self.shared.tree.node(node)?.group)??;
        let outline = self.shared.outline(group)?;
        let is_known = (outline.kind, outline.arity) == shape(&head) && self.shared.rules.has(&names.package, head.name);
        is_known.then_some(group)
    }

    /// Compile the rules of a module, or of a part of it.
    pub(crate) fn lower(&mut self, part: PartId, module: usize, ast: &Module) -> Result<(), Stopped> {
        for (position, rule) in (0..).zip(&ast.policy) {
            let known = self.names.get(module).and_then(|names| self.group_of(names, rule));
            let id = known.ok_or(Stopped::Unforeseen)?;
            match self.lower_rule(id, module, (part, position), rule) {
                Ok(()) => {}
                Err(Blocked::Unsupported(reason)) => {
                    if let Some(reasons) = self.unsupported.get_mut(id as usize) {
                        reasons.insert(reason);
                    }
                }
                Err(Blocked::Refused(reason)) => return Err(PolicyError(reason).into()),
                Err(Blocked::Unbound(name)) => {
                    let reason = format!("{}: var {name} is unsafe: nothing gives it a value", place_of(rule));
                    return Err(PolicyError(reason).into());
                }
            }
        }
        // Known while they are made: what is far too large is never there as a whole.
        if self.bytes + self.shared.recurring.heap() > self.most_bytes {
            Err(PolicyError::too_large(self.most_bytes).into())
        } else {
            Ok(())
        }
    }

    fn lower_rule(&mut self, id: GroupId, module: usize, (part, position): (PartId, u32), rule: &Rule) -> Result<(), Blocked> {
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
                return Err(Blocked::Refused(format!("{}: the rule has two default values", place_of(rule))));
            }
            group.default = Some(value);
            group.default_slots = slots;
        }
        for lowered in definitions {
            self.bytes += whole(&lowered.definition);
            group.definitions.push(lowered.definition);
            origins.push(Origin { part, rule: position, bodies: lowered.bodies });
        }
        Ok(())
    }

    /// Partial rules that are asked for single entries and not yet prepared for it, with the parts they come from. Preparing
    /// one may ask for more of them.
    pub(crate) fn asked(&mut self) -> Option<(BTreeSet<GroupId>, BTreeSet<PartId>)> {
        let asked: BTreeSet<GroupId> = self.shared.wanted.difference(&self.keyed).copied().collect();
        self.keyed.extend(&asked);
        let origins = asked.iter().filter_map(|id| self.origins.get(*id as usize)).flatten();
        let parts = origins.map(|origin| origin.part).collect();
        (!asked.is_empty()).then_some((asked, parts))
    }

    /// Prepare the definitions that `asked` have in a part.
    pub(crate) fn key(&mut self, asked: &BTreeSet<GroupId>, part: PartId, module: usize, ast: &Module) {
        let Self { names, shared, groups, origins, .. } = self;
        let Some(names) = names.get(module) else {
            return;
        };
        for id in asked {
            let (Some(group), Some(origins)) = (groups.get_mut(*id as usize), origins.get(*id as usize)) else {
                continue;
            };
            for (definition, origin) in group.definitions.iter_mut().zip(origins).filter(|(_, origin)| origin.part == part) {
                if let Some(rule) = ast.policy.get(origin.rule as usize) {
                    definition.keyed = lower::keyed(shared, names, rule, origin.bodies.clone());
                }
            }
        }
    }

    /// The program, when every rule is compiled.
    pub(crate) fn finish(self) -> Result<Program, PolicyError> {
        let Self { shared, mut groups, unsupported, names, .. } = self;
        for group in &mut groups {
            group.definitions.shrink_to_fit();
            group.index = Index::build(&group.definitions);
            group.only_value = only_value(&group.definitions);
        }
        let mut uses: Vec<Uses> = groups.iter().map(|group| Uses::of(group, &shared.tree, &shared.builtins)).collect();
        let shown = unsorted::shown(&groups, &shared.tree);
        for (((uses, reasons), group), shows) in uses.iter_mut().zip(unsupported).zip(&groups).zip(shown) {
            uses.facts.unsupported = reasons;
            if shows {
                let name = dotted(&group.path);
                uses.facts.unsupported.insert(format!(
                    "data.{name}: an array comprehension that goes through a set or an object with computed members, or through rules beside data that `with` replaces, in an order that is OPA's own"
                ));
            }
            let width = group.index.widest();
            if width > MAX_WIDTH {
                let name = dotted(&group.path);
                uses.facts.unsupported.insert(format!(
                    "data.{name}: a question may need {width} of its definitions, more than {MAX_WIDTH}, because too few of them compare one part of the input with a constant"
                ));
            }
            if shared.tree.node_of(&group.path).is_some_and(|node| has_default_inside(node, &shared.tree, &groups)) {
                let name = dotted(&group.path);
                uses.facts
                    .unsupported
                    .insert(format!("data.{name}: a default of a rule that has others inside of it, or is inside"));
            }
            if is_otherwise_inside(group, &shared.tree, &groups) {
                let name = dotted(&group.path);
                uses.facts
                    .unsupported
                    .insert(format!("data.{name}: `else` or `contains` of a rule inside of another with values of its own"));
            }
        }
        leave_changed_sets(&groups, &shared.tree, &mut uses);
        let Closed { facts, order } = close(&uses).map_err(|recursion| {
            let path = groups.get(recursion.0 as usize).map(|group| dotted(&group.path));
            PolicyError(format!("rule data.{} is recursive", path.unwrap_or_default()))
        })?;
        let is_known = |group: GroupId| uses.get(group as usize).is_some_and(|uses| uses.facts.unsupported.is_empty());
        types::check(&groups, &order, &shared.builtins, is_known).map_err(|(group, mismatch)| {
            let path = groups.get(group as usize).map(|group| dotted(&group.path));
            PolicyError(format!("rule data.{}: {mismatch}", path.unwrap_or_default()))
        })?;
        let mut packages: Vec<String> = names.iter().map(|names| dotted(&names.package)).collect();
        packages.sort_unstable();
        packages.dedup();
        let mut program = Program {
            tree: shared.tree,
            groups,
            facts,
            builtins: shared.builtins,
            fixed: Vec::new(),
            packages,
            spelled: shared.spelled,
            weights: Weights::default(),
            recurring: shared.recurring.heap(),
            input_paths: shared.recurring.into_paths(),
        };
        program.fixed = fixed(&program, shared.fixed);
        program.weights = weights(&program);
        Ok(program)
    }
}

/// What kind of rule a head makes, and how many arguments it takes.
fn shape(head: &Head<'_>) -> (Kind, usize) {
    let kind = match (&head.args, head.suffix.is_empty(), &head.element) {
        (Some(_), ..) => Kind::Function,
        (None, true, Some(_)) => Kind::Set,
        (None, true, None) => Kind::Complete,
        (None, false, _) => Kind::Object,
    };
    (kind, head.args.map_or(0, <[_]>::len))
}

/// A path as a sentence names it, as in `authz.allow`.
fn dotted(path: &[Value]) -> String {
    path.iter().map(text_of).collect::<Vec<_>>().join(".")
}

/// A path as it stands in data.
fn spelled(path: &[Value]) -> String {
    path.iter().map(text_of).collect::<Vec<_>>().join("/")
}

/// Whether a value of `data` above `path` has no members, so that nothing can lie there.
fn is_cut_off(data: &Value, path: &[Value]) -> bool {
    let mut above = data;
    for key in path {
        let Value::Object(fields) = above else { return true };
        let Some(value) = fields.get(key) else { return false };
        above = value;
    }
    false
}

fn place_of(rule: &Rule) -> String {
    let span = rule.span();
    format!("{}:{}:{}", span.source.get_path(), span.line, span.col)
}

/// Whether a rule and those below it have a default: they are one document, in which OPA knows no defaults.
fn has_default_inside(node: NodeId, tree: &Tree, groups: &[Group]) -> bool {
    let is_alone = tree.node(node).is_none_or(|node| node.children.is_empty());
    !is_alone && tree.groups_below(node).iter().any(|id| groups.get(*id as usize).is_some_and(|group| group.default.is_some()))
}

/// Whether a rule that is inside of others, as `p.a` is of `p[k] := v`, has an `else`, which OPA forgets when it goes through all of
/// them, or `contains`, by which OPA writes into the constant sets that the others give.
fn is_otherwise_inside(group: &Group, tree: &Tree, groups: &[Group]) -> bool {
    if group.kind == Kind::Function {
        return false;
    }
    let a_set = |leaf: &Leaf| matches!(leaf, Leaf::Value(Expr::Const(Value::Set(_))));
    let mut around = around(group, tree).filter_map(|id| groups.get(id as usize));
    if group.definitions.iter().any(|definition| definition.bodies.len() > 1) {
        return around.next().is_some();
    }
    has_elements(group) && (gives(group, a_set) || around.any(|group| gives(group, a_set)))
}

/// Leave to OPA the rules into whose sets it writes: where a rule with `contains` is inside of one with values, those of the latter
/// may be sets that stand in other rules as constants, and have the new members from then on wherever they are read.
fn leave_changed_sets(groups: &[Group], tree: &Tree, uses: &mut [Uses]) {
    let mut open: Vec<GroupId> = Vec::new();
    for inner in groups.iter().filter(|group| has_elements(group)) {
        let bodies =
            |outer: &Group| outer.definitions.iter().flat_map(|definition| &definition.bodies).any(may_give_shared_set);
        let may_share = |id: &GroupId| groups.get(*id as usize).is_some_and(bodies);
        open.extend(around(inner, tree).filter(may_share));
    }
    let mut changed = BTreeSet::new();
    while let Some(id) = open.pop() {
        if let (true, Some(uses)) = (changed.insert(id), uses.get(id as usize)) {
            open.extend(&uses.groups);
        }
    }
    for id in changed {
        if let (Some(group), Some(uses)) = (groups.get(id as usize), uses.get_mut(id as usize)) {
            let name = dotted(&group.path);
            uses.facts
                .unsupported
                .insert(format!("data.{name}: sets of it may have members of a `contains` inside of another rule"));
        }
    }
}

/// The rules that a rule is inside of.
fn around<'a>(group: &'a Group, tree: &'a Tree) -> impl Iterator<Item = GroupId> + 'a {
    (1..group.path.len()).filter_map(|length| tree.node(tree.node_of(group.path.get(..length)?)?)?.group)
}

/// Whether one of the values that a rule gives is of a kind.
fn gives(group: &Group, is_so: impl Fn(&Leaf) -> bool) -> bool {
    group.definitions.iter().flat_map(|definition| &definition.bodies).any(|body| is_so(&body.yields))
}

fn has_elements(group: &Group) -> bool {
    gives(group, |leaf| matches!(leaf, Leaf::Element(_)))
}

/// Whether a body may give a set that others have too: not one that was made for it.
fn may_give_shared_set(body: &Body) -> bool {
    matches!(&body.yields, Leaf::Value(expr) if may_be_shared_set(expr, &body.steps))
}

fn may_be_shared_set(expr: &Expr, steps: &[Step]) -> bool {
    match expr {
        Expr::Const(value) => matches!(value, Value::Set(_)),
        Expr::Fixed(_, inner) => may_be_shared_set(inner, steps),
        Expr::Index(collection, _) => may_have_sets(collection),
        Expr::Slot(slot) => steps.iter().find_map(|step| is_set_of(step, *slot, steps)).unwrap_or(true),
        Expr::Group(_) | Expr::Entry(..) | Expr::Document(_) | Expr::Below(..) | Expr::Builtin(..) | Expr::Function(..) => true,
        _ => false,
    }
}

/// Whether the variable that a step binds may be such a set; None where it binds another one.
fn is_set_of(step: &Step, slot: Slot, steps: &[Step]) -> Option<bool> {
    let binds = |pattern: &Pattern| matches!(pattern, Pattern::Bind(bound) if *bound == slot);
    match step {
        Step::Let(bound, expr) | Step::Front(bound, expr) if *bound == slot => Some(may_be_shared_set(expr, steps)),
        Step::Scan(scan) if binds(&scan.key) || binds(&scan.value) => Some(may_have_sets(&scan.collection)),
        _ => None,
    }
}

/// Whether a part of a collection may be a set: what is read as JSON has none.
fn may_have_sets(collection: &Expr) -> bool {
    fn is_scalar(value: &Value) -> bool {
        !matches!(value, Value::Array(_) | Value::Set(_) | Value::Object(_))
    }
    match collection {
        Expr::Input(..) | Expr::Base(_) | Expr::BasePart(_) => false,
        Expr::Const(Value::Array(items)) => !items.iter().all(is_scalar),
        Expr::Const(Value::Set(items)) => !items.iter().all(is_scalar),
        Expr::Index(collection, _) => may_have_sets(collection),
        _ => true,
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
    each_expr(program, &mut see);
    fixed
}

/// The weights of what a program has of its own.
fn weights(program: &Program) -> Weights {
    let mut weights = Weights::default();
    // Base data of other nodes is a part of the root's.
    if let Some(base) = program.tree.node(Tree::ROOT).and_then(|root| root.base.as_ref()) {
        weights.note(base, None);
    }
    each_expr(program, &mut |expr| match expr {
        Expr::Const(value) => {
            weights.note(value, None);
        }
        Expr::Base(base) => {
            weights.note(&base.value, None);
        }
        _ => {}
    });
    weights
}

/// Show `see` every expression of a program.
fn each_expr<'p>(program: &'p Program, see: &mut dyn FnMut(&'p Expr)) {
    for group in &program.groups {
        for definition in &group.definitions {
            definition.params.iter().for_each(|param| visit::pattern(param, see));
            definition.bodies.iter().for_each(|body| visit::body(body, see));
            definition.keyed.iter().for_each(|keyed| visit::body(&keyed.body, see));
        }
        group.default.iter().for_each(|value| visit::expr(value, see));
    }
}
