//! Which parts of the input an evaluation may look at.

use std::collections::BTreeSet;

use regorus::Value;

use super::{
    Program,
    facts::Uses,
    ir::{Expr, Group},
    visit,
};

/// Definitions beyond which nobody looks at all of them: the whole input counts as seen.
const MOST_DEFINITIONS: usize = 1_000;
/// Paths beyond which leaving the rest out is not worth it.
const MOST_PATHS: usize = 64;
/// Paths below the input in a whole program beyond which they are not told apart: a table of all of them is made for each way to see it.
const MOST_IN_PROGRAM: usize = 4_096;

impl Program {
    /// What evaluating the document at `path` may look at of the input: paths, each with all that is below it; None for the whole input.
    pub(crate) fn seen(&self, path: &[String]) -> Option<BTreeSet<Vec<&str>>> {
        if self.input_paths.len() > MOST_IN_PROGRAM {
            return None;
        }
        let (mut reached, mut seen) = (self.groups_at(path), BTreeSet::new());
        let (mut done, mut definitions) = (BTreeSet::new(), 0);
        while let Some(id) = reached.pop() {
            let group = self.group(id).filter(|_| done.insert(id) && self.facts_of(id).is_some_and(|facts| facts.reads_input));
            let Some(group) = group else {
                continue;
            };
            definitions += group.definitions.len();
            if definitions > MOST_DEFINITIONS {
                return None;
            }
            see(group, &mut seen);
            if seen.len() > MOST_PATHS || seen.contains(&[][..]) {
                return None;
            }
            reached.extend(Uses::of(group, &self.tree, &self.builtins).groups);
        }
        Some(seen)
    }
}

/// Note what the expressions of `group` look at themselves.
fn see<'p>(group: &'p Group, seen: &mut BTreeSet<Vec<&'p str>>) {
    let mut note = |expr: &'p Expr| {
        if let Expr::Input(path, _) = expr {
            // What is no name is an index of an array, which counts as a whole.
            let names = path.iter().map_while(|key| if let Value::String(name) = key { Some(&**name) } else { None });
            seen.insert(names.collect());
        }
    };
    for definition in &group.definitions {
        definition.params.iter().for_each(|param| visit::pattern(param, &mut note));
        definition.bodies.iter().for_each(|body| visit::body(body, &mut note));
        if let Some(keyed) = &definition.keyed {
            visit::pattern(&keyed.key, &mut note);
            visit::body(&keyed.body, &mut note);
        }
    }
    group.default.iter().for_each(|value| visit::expr(value, &mut note));
}
