//! What a rule sees: the input, base data and functions, each of which `with` may replace for one condition.

use regorus::Value;

use super::{
    super::{
        ir::{Callee, Expr, NodeId, Replacement, Step, Substitute},
        place,
        tree::Tree,
        weights::{MAX_LEVELS, Weight},
    },
    Failure, Flow, Machine, Outcome,
};

const AROUND: &str = "data read around an object that `with` replaces by one with less in it";

const INSIDE: &str = "a part of an object that another `with` puts there is replaced";

/// What stands for a function.
#[derive(Debug, Clone)]
pub(super) enum Mock {
    Callee(Callee),
    Value(Value),
}

#[derive(Debug, Clone)]
pub(super) struct Scope {
    /// None: what the machine sees of the question's own.
    pub input: Option<Value>,
    /// The paths of it that were replaced. The rest is what the machine sees of the question's own.
    pub laid_over: Vec<Box<[Value]>>,
    /// Never the same twice, so that values computed in one scope are not taken for those of another.
    pub id: u64,
    /// Those of them whose replacement may have base data in it.
    from_base: Vec<Box<[Value]>>,
    overrides: Vec<(Box<[Value]>, Value)>,
    mocks: Vec<(Callee, Mock)>,
}

impl Scope {
    pub(super) fn outermost(input: Option<Value>, id: u64) -> Self {
        Self { input, laid_over: Vec::new(), from_base: Vec::new(), id, overrides: Vec::new(), mocks: Vec::new() }
    }

    /// Whether data and functions are as the policies have them.
    pub(super) fn is_plain(&self) -> bool {
        self.overrides.is_empty() && self.mocks.is_empty()
    }

    /// Whether the input, data and functions have no parts of base data in them where the policies have none.
    pub(super) fn is_without_parts(&self) -> bool {
        self.is_plain() && self.from_base.is_empty()
    }

    pub(super) fn mock_of(&self, callee: Callee) -> Option<Mock> {
        self.mocks.iter().rev().find(|(original, _)| *original == callee).map(|(_, mock)| mock.clone())
    }

    /// Let functions be themselves again.
    pub(super) fn unmock(&mut self, id: u64) {
        self.mocks.clear();
        self.id = id;
    }

    /// Whether a replacement covers `path` wholly: then nothing but the replacement counts.
    pub(super) fn covers(&self, path: &[Value]) -> bool {
        self.overrides.iter().any(|(target, _)| path.starts_with(target))
    }

    /// Whether `path` leads into an object of the input that may be one of base data. See [`Self::goes_into_a_replacement`].
    fn goes_into_base_data(&self, path: &[Value]) -> bool {
        let Some(input) = &self.input else {
            return false;
        };
        let mut around = self.from_base.iter().filter(|target| is_inside(path, target));
        around.any(|target| matches!(place::descend(input, target), Some(Value::Object(_))))
    }

    /// Whether `path` leads into an object that replaces something already. Where that came from base data OPA writes into what
    /// others share, or not at all.
    fn goes_into_a_replacement(&self, path: &[Value]) -> bool {
        let mut around = self.overrides.iter().filter(|(target, _)| is_inside(path, target));
        around.any(|(target, _)| matches!(self.patched(target, Value::Undefined, &mut 0), Value::Object(_)))
    }

    /// `value`, which is at `path`, with the replacements at, above and below it.
    fn patched(&self, path: &[Value], mut value: Value, copied: &mut usize) -> Value {
        for (target, replacement) in &self.overrides {
            if let Some(rest) = path.strip_prefix(target.as_ref()) {
                value = place::descend(replacement, rest).cloned().unwrap_or(Value::Undefined);
            } else if let Some(rest) = target.strip_prefix(path) {
                value = place::with_part(value, rest, replacement.clone(), copied);
            }
        }
        value
    }
}

/// Whether `path` leads below `target`.
fn is_inside(path: &[Value], target: &[Value]) -> bool {
    path.len() > target.len() && path.starts_with(target)
}

impl<'p> Machine<'p> {
    /// `value`, which is at `path` of the data, with what this scope puts there. Base data alone has `base` there.
    pub(super) fn patched(&mut self, path: &[Value], base: &Value, value: Value) -> Outcome<Value> {
        if !self.scope.covers(path) && self.adds_to_a_replacement(path, base) {
            return Err(Failure::Unsupported(AROUND.to_owned()));
        }
        let is_bounded = self.stays_bounded(path, &value)?;
        let mut copied = 0;
        let value = self.scope.patched(path, value, &mut copied);
        self.changed(copied)?;
        if is_bounded { Ok(value) } else { self.made(value) }
    }

    /// Whether OPA puts something into a replacement below `path`, where base data has `base`. Of what lies around replacements it
    /// makes one document: of all of them together, of base data, and of the packages there, while a path at or below a
    /// replacement leads to that alone.
    fn adds_to_a_replacement(&self, path: &[Value], base: &Value) -> bool {
        let mut targets = self.scope.overrides.iter().filter_map(|(target, _)| Some((target, target.strip_prefix(path)?)));
        let together = self.scope.patched(path, Value::Undefined, &mut 0);
        targets.any(|(target, rest)| {
            let Some(replacement) = place::descend(&together, rest) else {
                return false;
            };
            let has_more = place::descend(base, rest).is_some_and(|part| place::adds(part, replacement));
            has_more || self.node_at(target).is_some_and(|node| self.has_more_packages(node, replacement))
        })
    }

    fn node_at(&self, path: &[Value]) -> Option<NodeId> {
        path.iter().try_fold(Tree::ROOT, |node, key| self.program.tree.child(node, key))
    }

    /// Whether there is a package below a node that has no place in what replaces it: nothing of its rules counts there, but
    /// OPA has an empty object for it.
    fn has_more_packages(&self, node: NodeId, replacement: &Value) -> bool {
        let (Some(node), Value::Object(fields)) = (self.program.tree.node(node), replacement) else {
            return false;
        };
        if node.group.is_some() {
            return false;
        }
        node.children.iter().any(|(key, child)| {
            let is_package = self.program.tree.node(*child).is_some_and(|child| child.group.is_none());
            is_package && fields.get(key).is_none_or(|known| self.has_more_packages(*child, known))
        })
    }

    /// Whether `value` cannot become too large by what is put into it: its copy is not looked through then.
    fn stays_bounded(&mut self, path: &[Value], value: &Value) -> Outcome<bool> {
        let Weight { mut parts, mut levels } = self.bounded(value)?;
        for number in 0..self.scope.overrides.len() {
            let Some((target, replacement)) = self.scope.overrides.get(number).cloned() else { break };
            if path.starts_with(&target) || target.starts_with(path) {
                let weight = self.bounded(&replacement)?;
                // An object for each segment, and a name in it.
                parts = parts.saturating_add(weight.parts).saturating_add(2 * target.len());
                levels = levels.max(weight.levels + target.len());
            }
        }
        Ok(parts <= self.program.weights.most_parts() && levels <= MAX_LEVELS)
    }

    /// Run `body` with things replaced, and for each of its solutions `rest` without.
    pub(super) fn with(
        &mut self,
        replacements: &'p [Replacement],
        body: &'p [Step],
        rest: &'p [Step],
        solution: &mut dyn FnMut(&mut Self) -> Outcome<Flow>,
    ) -> Outcome<Flow> {
        let Some(mut other) = self.replaced(replacements)? else {
            return Ok(Flow::Continue);
        };
        std::mem::swap(&mut self.scope, &mut other);
        let flow = self.deeper(|machine| {
            machine.run(body, &mut |machine| {
                std::mem::swap(&mut machine.scope, &mut other);
                let flow = machine.run(rest, solution)?;
                std::mem::swap(&mut machine.scope, &mut other);
                Ok(flow)
            })
        })?;
        std::mem::swap(&mut self.scope, &mut other);
        Ok(flow)
    }

    /// Whether the value of `expr` may have an object of base data in it.
    fn may_have_base_data(&self, expr: &Expr) -> bool {
        let is_of_input = self.scope.is_without_parts() || matches!(expr, Expr::Const(_));
        (expr.may_have_base_data() || !is_of_input) && self.program.tree.has_objects()
    }

    /// The scope with `replacements`; None when one of them is undefined.
    fn replaced(&mut self, replacements: &'p [Replacement]) -> Outcome<Option<Scope>> {
        let mut scope = self.scope.clone();
        scope.id = self.state.next_scope();
        for replacement in replacements {
            match replacement {
                Replacement::Input(path, expr) => {
                    let value = self.value(expr)?;
                    if value == Value::Undefined {
                        return Ok(None);
                    }
                    if scope.goes_into_base_data(path) {
                        return Err(Failure::Unsupported(INSIDE.to_owned()));
                    }
                    if self.may_have_base_data(expr) {
                        scope.from_base.push(path.clone());
                    }
                    let before =
                        if path.is_empty() { Value::Undefined } else { scope.input.unwrap_or_else(|| self.object_seen()) };
                    let mut copied = 0;
                    let input = place::with_part(before, path, value, &mut copied);
                    self.changed(copied)?;
                    let input = self.made(input)?;
                    self.misfiles_around(&input, path);
                    scope.input = Some(input);
                    scope.laid_over.push(path.clone());
                }
                Replacement::Data(path, expr) => {
                    let value = self.value(expr)?;
                    if value == Value::Undefined {
                        return Ok(None);
                    }
                    if scope.goes_into_a_replacement(path) {
                        return Err(Failure::Unsupported(INSIDE.to_owned()));
                    }
                    // OPA makes one document of them all, into which it puts one after the other.
                    if let Some(shared) = path.get(..2)
                        && scope.overrides.iter().any(|(target, _)| target.starts_with(shared))
                    {
                        self.misfiles_some();
                    }
                    scope.overrides.push((path.clone(), value));
                }
                Replacement::Call(callee, Substitute::Callee(other)) => scope.mocks.push((*callee, Mock::Callee(*other))),
                Replacement::Call(callee, Substitute::Value(expr)) => {
                    let value = self.value(expr)?;
                    if value == Value::Undefined {
                        return Ok(None);
                    }
                    scope.mocks.push((*callee, Mock::Value(value)));
                }
            }
        }
        Ok(Some(scope))
    }
}
