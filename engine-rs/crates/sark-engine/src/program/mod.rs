//! Rego compiled for evaluation: what makes an answer cheap is done when policies are loaded.
//!
//! regorus parses and brings values and builtins; names, order of statements, references and rules are resolved here once. See [`ir`] for the
//! program, [`lower`] for the way to it, [`index`] for how a rule's definitions are selected, [`machine`] for evaluation.

mod build;
mod builtin_table;
mod facts;
mod footprint;
mod index;
mod ir;
mod lower;
mod machine;
mod names;
mod place;
mod recurring;
mod seen;
#[cfg(test)]
mod tests;
mod tree;
mod types;
mod unsorted;
mod visit;
mod weights;

use std::sync::Arc;

pub(crate) use builtin_table::BuiltinTable;
pub(crate) use facts::Facts;
use ir::{Group, GroupId, Kind};
pub(crate) use machine::{Asked, Failure, State, evaluate};
use regorus::Value;
use tree::Tree;
pub(crate) use weights::Weights;
pub(crate) use weights::{MAX_LEVELS, MAX_PARTS, Weight, is_collection};

pub(crate) use build::Builder;

use crate::document::Spelled;

/// Compiled rules and the base data they read.
#[derive(Debug)]
pub(crate) struct Program {
    tree: Tree,
    groups: Vec<Group>,
    facts: Vec<Facts>,
    builtins: BuiltinTable,
    /// How long the value of each [`ir::Expr::Fixed`] holds.
    fixed: Vec<Keep>,
    packages: Vec<String>,
    /// Paths below the input, by number.
    input_paths: Vec<Arc<[Value]>>,
    spelled: Spelled,
    /// Weights of the base data and of constants.
    weights: Weights,
    /// Bytes of the texts and paths that several places share.
    recurring: usize,
}

/// How long the value of an expression without local variables holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// For as long as the policies do.
    Always,
    /// While one input is looked at.
    Scope,
}

impl Program {
    fn group(&self, id: GroupId) -> Option<&Group> {
        self.groups.get(id as usize)
    }

    fn facts_of(&self, id: GroupId) -> Option<&Facts> {
        self.facts.get(id as usize)
    }

    /// Numbers that the modules spell otherwise than the engine writes them.
    pub(crate) fn spelled(&self) -> &Spelled {
        &self.spelled
    }

    /// Packages without `data`, components joined by dots, sorted.
    pub(crate) fn packages(&self) -> &[String] {
        &self.packages
    }

    /// What asking for `path` may reach.
    pub(crate) fn reach(&self, path: &[String]) -> Facts {
        let mut facts = Facts::default();
        self.groups_at(path).into_iter().for_each(|group| self.add(group, &mut facts));
        facts
    }

    /// Every group on the way to a path, at it and below it. A rule on the way makes one document with the rules below it.
    fn groups_at(&self, path: &[String]) -> Vec<GroupId> {
        let keys: Vec<Value> = path.iter().map(|segment| Value::from(segment.as_str())).collect();
        self.tree.groups_along(Tree::ROOT, &keys.iter().map(Some).collect::<Vec<_>>())
    }

    fn add(&self, group: GroupId, facts: &mut Facts) {
        if self.group(group).is_some_and(|group| group.kind != Kind::Function)
            && let Some(other) = self.facts_of(group)
        {
            facts.absorb(other);
        }
    }
}

/// A path component as text.
fn text_of(component: &Value) -> String {
    match component {
        Value::String(text) => text.to_string(),
        other => other.to_string(),
    }
}
