//! Types, as far as a kind and the kinds of elements: what can never be right is refused at load, as OPA refuses it.
//!
//! OPA's compiler knows more, such as the fields of an object. Whatever is found wrong here is wrong there too: nothing is said of
//! what comes from the input or from base data, and nothing of what `with` may have replaced. Nothing is said of local variables
//! either: OPA takes their types from statements in an order of its own, in which one may be anything that is a number here. And what an
//! empty set, or a parameter, is a part of has no type to OPA ("nil" in its checker): such a part may be anything here, and so may a rule with
//! such a value. Whether a part is one is known of constants; of other values it is those with parts that may be.

use std::{collections::BTreeMap, fmt};

use regorus::unstable::BoolOp;

use crate::{
    builtins::signatures,
    kinds::{Kinds, Type, as_element, has_empty_set},
};

use super::{
    builtin_table::BuiltinTable,
    ir::{Body, BuiltinId, Expr, Group, GroupId, Kind, Leaf, Pattern, Replacement, Scan, Slot, Step, Substitute, Yields},
    lower,
};

/// Why OPA does not load a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mismatch {
    /// A builtin's operand, counted from 1.
    Operand { builtin: String, number: usize, has: Type, takes: Type },
    /// The two sides of a comparison.
    Sides(Type, Type),
    /// What a reference goes into.
    Reference(Type),
    /// What is looked for in a collection, and the collection's elements.
    Member(Kinds, Kinds),
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operand { builtin, number, has, takes } => {
                write!(f, "operand {number} of {builtin} is {has}, and must be {takes}")
            }
            Self::Sides(left, right) => write!(f, "{left} is compared with {right}, which are never equal"),
            Self::Reference(into) => write!(f, "a reference goes into {into}, which has no elements"),
            Self::Member(value, elements) => write!(f, "{value} is looked for among elements that are all {elements}"),
        }
    }
}

/// Look at every group, in an `order` in which it comes after those it reaches.
///
/// Of a group that is not known as a whole (`is_known`) OPA has the say, and its value may be anything.
pub(crate) fn check(
    groups: &[Group],
    order: &[GroupId],
    builtins: &BuiltinTable,
    is_known: impl Fn(GroupId) -> bool,
) -> Result<(), (GroupId, Mismatch)> {
    let mut types = vec![Type::ANY; groups.len()];
    for id in order.iter().copied().filter(|id| is_known(*id)) {
        let Some(group) = groups.get(id as usize) else {
            continue;
        };
        let found = of_group(group, &types, builtins).map_err(|mismatch| (id, mismatch))?;
        if let Some(known) = types.get_mut(id as usize) {
            *known = found;
        }
    }
    Ok(())
}

/// What a group's value may be; of a function, what a call may give.
fn of_group(group: &Group, types: &[Type], builtins: &BuiltinTable) -> Result<Type, Mismatch> {
    let mut checker = Checker { groups: types, builtins, front: BTreeMap::new(), replacements: 0 };
    let mut leaves = Type::NONE;
    for definition in &group.definitions {
        checker.front.clear();
        for param in &definition.params {
            checker.pattern(param, Type::ANY)?;
        }
        for body in &definition.bodies {
            leaves = leaves.or(checker.body(body)?);
        }
    }
    if let Some(default) = &group.default {
        checker.front.clear();
        leaves = leaves.or(as_value(default, checker.expr(default)?));
    }
    Ok(match group.kind {
        Kind::Complete | Kind::Function if leaves == Type::NONE => Type::ANY,
        Kind::Complete | Kind::Function => leaves,
        Kind::Set if leaves.own == Kinds::ANY => Type::ANY,
        Kind::Set => Type { own: Kinds::SET, elements: leaves.own },
        Kind::Object => Type::ANY,
    })
}

/// The type of a rule's value, or of an element of one.
fn as_value(expr: &Expr, found: Type) -> Type {
    let is_known = match expr {
        Expr::Fixed(_, inner) => return as_value(inner, found),
        Expr::Const(value) => !has_empty_set(value),
        // A builtin's answer has a type, whatever it is given.
        Expr::Builtin(..) | Expr::Arithmetic(..) | Expr::Combine(..) => true,
        _ => {
            let has_scalars = found.elements != Kinds::NONE && found.elements.is_within(Kinds::SCALARS);
            found.own.is_within(Kinds::SCALARS) || (has_scalars && found.own.is_within(Kinds::SCALARS.or(Kinds::COLLECTIONS)))
        }
    };
    if is_known { found } else { Type::ANY }
}

/// Kinds of a value that stands in another one.
fn as_part(expr: &Expr, found: Type) -> Kinds {
    match expr {
        Expr::Const(value) => as_element(value),
        _ if found.own.is_within(Kinds::SCALARS) => found.own,
        _ => Kinds::ANY,
    }
}

/// What looks at the definitions of one group.
struct Checker<'p> {
    /// Types of the groups that were looked at.
    groups: &'p [Type],
    builtins: &'p BuiltinTable,
    /// Types of what is evaluated in front of statements: variables that no policy names, each with one value.
    front: BTreeMap<Slot, Type>,
    /// How many `with` are around: rules and functions may be others below one.
    replacements: usize,
}

impl Checker<'_> {
    fn body(&mut self, body: &Body) -> Result<Type, Mismatch> {
        self.steps(&body.steps)?;
        for key in &body.keys {
            self.expr(key)?;
        }
        match &body.yields {
            Leaf::Value(value) | Leaf::Element(value) => Ok(as_value(value, self.expr(value)?)),
        }
    }

    fn steps(&mut self, steps: &[Step]) -> Result<(), Mismatch> {
        steps.iter().try_for_each(|step| self.step(step))
    }

    fn step(&mut self, step: &Step) -> Result<(), Mismatch> {
        match step {
            Step::Let(_, value) => self.expr(value).map(drop),
            Step::Front(slot, value) => {
                let found = self.expr(value)?;
                self.front.insert(*slot, found);
                Ok(())
            }
            Step::Check(condition) | Step::Key(condition) => self.condition(condition),
            Step::Unify(pattern, value) => {
                let found = self.expr(value)?;
                self.pattern(pattern, found)
            }
            Step::Scan(scan) => self.scan(scan),
            Step::Walk(value, pattern) => {
                self.expr(value)?;
                self.pattern(pattern, Type::ANY)
            }
            Step::Not(body) => self.steps(body),
            // OPA does not look into the body.
            Step::NotBody(_) => Ok(()),
            Step::Every { domain, .. } => self.expr(domain).map(drop),
            Step::With(replacements, body) => {
                replacements.iter().try_for_each(|replacement| self.replacement(replacement))?;
                self.replacements += 1;
                let checked = self.steps(body);
                self.replacements -= 1;
                checked
            }
        }
    }

    /// An equality that is a condition by itself is unified by OPA, whose sides must have a type in common.
    fn condition(&mut self, condition: &Expr) -> Result<(), Mismatch> {
        if let Expr::Compare(BoolOp::Eq, left, right) = condition {
            let (left, right) = (self.expr(left)?, self.expr(right)?);
            return alike(left, right);
        }
        self.expr(condition).map(drop)
    }

    fn replacement(&mut self, replacement: &Replacement) -> Result<(), Mismatch> {
        match replacement {
            Replacement::Input(_, value) | Replacement::Data(_, value) | Replacement::Call(_, Substitute::Value(value)) => {
                self.expr(value).map(drop)
            }
            Replacement::Call(_, Substitute::Callee(_)) => Ok(()),
        }
    }

    fn scan(&mut self, scan: &Scan) -> Result<(), Mismatch> {
        let collection = self.collection(&scan.collection)?;
        self.pattern(&scan.key, Type::ANY)?;
        self.pattern(&scan.value, elements(collection))
    }

    fn pattern(&mut self, pattern: &Pattern, value: Type) -> Result<(), Mismatch> {
        match pattern {
            Pattern::Any | Pattern::Bind(_) => Ok(()),
            Pattern::Equal(other) => {
                let other = self.expr(other)?;
                alike(other, value)
            }
            Pattern::Array(items) => {
                alike(Type::of_kinds(Kinds::ARRAY), value)?;
                items.iter().try_for_each(|item| self.pattern(item, elements(value)))
            }
            Pattern::Object(fields) => {
                alike(Type::of_kinds(Kinds::OBJECT), value)?;
                fields.iter().try_for_each(|(key, field)| {
                    self.expr(key)?;
                    self.pattern(field, Type::ANY)
                })
            }
        }
    }

    fn group(&self, id: GroupId) -> Type {
        let is_replaced = self.replacements > 0;
        self.groups.get(id as usize).copied().filter(|_| !is_replaced).unwrap_or(Type::ANY)
    }

    fn expr(&mut self, expr: &Expr) -> Result<Type, Mismatch> {
        Ok(match expr {
            Expr::Const(value) => Type::of(value),
            Expr::Slot(slot) => self.front.get(slot).copied().unwrap_or(Type::ANY),
            Expr::BasePart(_) | Expr::Input(..) | Expr::Base(_) | Expr::Document(_) => Type::ANY,
            Expr::Group(id) => self.group(*id),
            Expr::Entry(_, key) => {
                self.expr(key)?;
                Type::ANY
            }
            Expr::Below(_, keys) => {
                self.all(keys)?;
                Type::ANY
            }
            Expr::Index(collection, key) => {
                self.collection(collection)?;
                self.expr(key)?;
                Type::ANY
            }
            Expr::Array(items) => Type { own: Kinds::ARRAY, elements: self.all(items)? },
            Expr::Set(items) => Type { own: Kinds::SET, elements: self.all(items)? },
            Expr::Object(fields) => {
                for (key, value) in fields {
                    self.expr(key)?;
                    self.expr(value)?;
                }
                Type::of_kinds(Kinds::OBJECT)
            }
            Expr::Compare(_, left, right) => {
                self.expr(left)?;
                self.expr(right)?;
                Type::of_kinds(Kinds::BOOLEAN)
            }
            Expr::Arithmetic(op, left, right) => self.call(lower::arithmetic(op), &[&**left, &**right])?,
            Expr::Combine(op, left, right) => self.call(lower::combination(op), &[&**left, &**right])?,
            Expr::Member(key, value, collection) => {
                if let Some(key) = key {
                    self.expr(key)?;
                }
                let (value, collection) = (self.expr(value)?, self.expr(collection)?);
                let among = elements(collection).own;
                if !value.own.meets(among) {
                    return Err(Mismatch::Member(value.own, among));
                }
                Type::of_kinds(Kinds::BOOLEAN)
            }
            Expr::Builtin(id, operands) => self.builtin(*id, operands)?,
            Expr::Function(id, operands) => {
                self.all(operands)?;
                self.group(*id)
            }
            Expr::Comprehension(comprehension) => {
                self.steps(&comprehension.body)?;
                match &comprehension.yields {
                    Yields::Array(term) => Type { own: Kinds::ARRAY, elements: as_part(term, self.expr(term)?) },
                    Yields::Set(term) => Type { own: Kinds::SET, elements: as_part(term, self.expr(term)?) },
                    Yields::Object(key, value) => {
                        self.expr(key)?;
                        self.expr(value)?;
                        Type::of_kinds(Kinds::OBJECT)
                    }
                }
            }
            Expr::Fixed(_, inner) => self.expr(inner)?,
        })
    }

    /// The type of what a reference goes into. Into a literal and into a rule OPA lets it go, whatever these are.
    fn collection(&mut self, collection: &Expr) -> Result<Type, Mismatch> {
        let found = self.expr(collection)?;
        let is_free = matches!(collection, Expr::Const(_) | Expr::Group(_));
        if is_free || found.own.meets(Kinds::COLLECTIONS.or(Kinds::OBJECT)) {
            Ok(found)
        } else {
            Err(Mismatch::Reference(found))
        }
    }

    /// Kinds of all of `exprs` together, as parts of another value.
    fn all(&mut self, exprs: &[Expr]) -> Result<Kinds, Mismatch> {
        exprs.iter().try_fold(Kinds::NONE, |kinds, expr| Ok(kinds.or(as_part(expr, self.expr(expr)?))))
    }

    fn builtin(&mut self, id: BuiltinId, operands: &[Expr]) -> Result<Type, Mismatch> {
        let builtins = self.builtins;
        let result = self.call(builtins.name(id), &operands.iter().collect::<Vec<_>>())?;
        Ok(if self.replacements > 0 { Type::ANY } else { result })
    }

    fn call(&mut self, name: &str, operands: &[&Expr]) -> Result<Type, Mismatch> {
        let signature = signatures::of(name);
        for (position, operand) in operands.iter().enumerate() {
            let has = self.expr(operand)?;
            if let Some(takes) = signature.and_then(|signature| signature.operands.get(position))
                && !has.meets(*takes)
            {
                return Err(Mismatch::Operand { builtin: name.to_owned(), number: position + 1, has, takes: *takes });
            }
        }
        Ok(signature.map_or(Type::ANY, |signature| signature.result))
    }
}

/// Whether two values may be equal.
fn alike(left: Type, right: Type) -> Result<(), Mismatch> {
    if left.meets(right) { Ok(()) } else { Err(Mismatch::Sides(left, right)) }
}

/// What going through a collection gives.
fn elements(collection: Type) -> Type {
    let is_known = collection.own.is_within(Kinds::COLLECTIONS) && collection.elements != Kinds::NONE;
    if is_known { Type::of_kinds(collection.elements) } else { Type::ANY }
}
