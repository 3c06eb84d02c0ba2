//! The fields of an object as it is written, some of them perhaps with one key.
//!
//! OPA keeps of two fields whose keys are one term the last, and never evaluates the other. That is done here for plain
//! scalars; an object in which other keys may be one term is left to OPA (see `terms`). Keys that turn out equal only when
//! they are reckoned it puts in the order of their names after rewriting, which depends on the rest of the module: an
//! evaluation that meets such keys is left to OPA too.

use std::collections::{BTreeMap, btree_map::Entry};

use regorus::{
    Value,
    unstable::{Expr as Ast, Ref, Span},
};

pub(super) type Written = [(Span, Ref<Ast>, Ref<Ast>)];

/// Key and value of each field that counts. Of one constant key the first spelling is kept, and the last value.
pub(super) fn counted(fields: &Written) -> Vec<(&Ref<Ast>, &Ref<Ast>)> {
    let mut counted = Vec::with_capacity(fields.len());
    let mut places = BTreeMap::new();
    for (_, key, value) in fields {
        match constant(key).map(|constant| places.entry(constant)) {
            Some(Entry::Occupied(place)) => {
                if let Some((_, last)) = counted.get_mut(*place.get()) {
                    *last = value;
                }
            }
            Some(Entry::Vacant(place)) => {
                place.insert(counted.len());
                counted.push((key, value));
            }
            None => counted.push((key, value)),
        }
    }
    counted
}

/// The values of two objects side by side.
pub(super) enum Fields<'e> {
    Pairs(Vec<(&'e Ref<Ast>, &'e Ref<Ast>)>),
    /// One has a key that the other has not.
    OtherKeys,
    /// A key is no constant.
    Unknown,
}

pub(super) fn side_by_side<'e>(lefts: &'e Written, rights: &'e Written) -> Fields<'e> {
    let by_key = |fields: &'e Written| {
        counted(fields).into_iter().map(|(key, value)| Some((constant(key)?, value))).collect::<Option<Vec<_>>>()
    };
    let (Some(lefts), Some(rights)) = (by_key(lefts), by_key(rights)) else {
        return Fields::Unknown;
    };
    if lefts.len() != rights.len() {
        return Fields::OtherKeys;
    }
    let rights: BTreeMap<_, _> = rights.into_iter().collect();
    let pairs = lefts.into_iter().map(|(key, left)| Some((left, *rights.get(key)?)));
    pairs.collect::<Option<Vec<_>>>().map_or(Fields::OtherKeys, Fields::Pairs)
}

fn constant(expr: &Ref<Ast>) -> Option<&Value> {
    match expr.as_ref() {
        Ast::String { value, .. } | Ast::RawString { value, .. } | Ast::Bool { value, .. } | Ast::Null { value, .. } => {
            Some(value)
        }
        // Any other spelling may be of a number that is not held exactly, and must be looked at as such.
        Ast::Number { span, value, .. } if !span.text().contains(['.', 'e', 'E']) => Some(value),
        _ => None,
    }
}
