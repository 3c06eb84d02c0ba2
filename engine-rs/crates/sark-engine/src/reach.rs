//! What a path reaches, through however many rules: builtins the engine lacks, and answers that change by themselves.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    builtins::{Availability, availability, is_nondeterministic},
    footprint::Footprint,
    references::Mentions,
    rules::RuleTable,
};

/// What one rule reaches.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Reached {
    /// Builtins the engine does not have.
    pub missing: BTreeSet<String>,
    /// Whether the same input may give another answer.
    pub nondeterministic: bool,
}

impl Footprint for Reached {
    fn heap(&self) -> usize {
        self.missing.heap()
    }
}

impl Reached {
    fn of(mentions: &Mentions) -> Self {
        Self {
            missing: mentions.builtins.iter().filter(|name| availability(name) == Availability::OnlyInOpa).cloned().collect(),
            nondeterministic: mentions.builtins.iter().any(|name| is_nondeterministic(name)),
        }
    }

    /// Take over what `other` reaches; true when that is news.
    pub(crate) fn absorb(&mut self, other: &Self) -> bool {
        let before = (self.missing.len(), self.nondeterministic);
        self.missing.extend(other.missing.iter().cloned());
        self.nondeterministic |= other.nondeterministic;
        before != (self.missing.len(), self.nondeterministic)
    }

    fn is_nothing(&self) -> bool {
        self.missing.is_empty() && !self.nondeterministic
    }
}

/// What each rule of `table` reaches, by rule number. `mentions` is indexed the same way.
pub(crate) fn reach(table: &RuleTable, mentions: &[Mentions]) -> Vec<Reached> {
    let mut reached: Vec<Reached> = mentions.iter().map(Reached::of).collect();
    let mut pending: Vec<usize> = (0..reached.len()).filter(|id| reached.get(*id).is_some_and(|it| !it.is_nothing())).collect();
    if pending.is_empty() {
        return reached;
    }
    let mentioned_by = reverse(table, mentions);
    while let Some(id) = pending.pop() {
        let Some(news) = reached.get(id).cloned() else {
            continue;
        };
        for caller in mentioned_by.get(&id).into_iter().flatten() {
            if reached.get_mut(*caller).is_some_and(|it| it.absorb(&news)) {
                pending.push(*caller);
            }
        }
    }
    reached
}

fn reverse(table: &RuleTable, mentions: &[Mentions]) -> BTreeMap<usize, BTreeSet<usize>> {
    let mut mentioned_by: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for (caller, mention) in mentions.iter().enumerate() {
        for path in &mention.paths {
            let related = table.at_or_above(path).map(|(_, id)| id).chain(table.below(path));
            for id in related {
                mentioned_by.entry(id).or_default().insert(caller);
            }
        }
    }
    mentioned_by
}
