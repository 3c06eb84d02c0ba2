//! What the rules of modules mention, found before they are compiled.

use std::collections::BTreeSet;

use regorus::unstable::Module as Ast;

use crate::{
    compilation::Stopped,
    dependencies::{Analysed, Dependencies},
    error::PolicyError,
    policies::Module,
    reach::{Reached, reach},
    references::{Collector, Mentions},
    rules::{Path, RuleTable, head_of, package_of},
};

/// What is known of rules by their paths.
#[derive(Debug, Default)]
pub(crate) struct Analysis {
    table: RuleTable,
    /// By rule number.
    mentions: Vec<Mentions>,
    /// Package of each module, and the numbers of its rules.
    modules: Vec<(Path, BTreeSet<usize>)>,
}

impl Analysis {
    /// Take in the rules of a module, or of a part of it.
    pub(crate) fn outline(&mut self, module: usize, ast: &Ast) {
        if self.modules.len() == module {
            self.modules.push((package_of(ast), BTreeSet::new()));
        }
        let Some((package, numbers)) = self.modules.get_mut(module) else {
            return;
        };
        for rule in &ast.policy {
            let (path, is_function) = head_of(package, rule);
            numbers.insert(self.table.add(path, is_function));
        }
        self.mentions.resize_with(self.table.len(), Mentions::default);
    }

    /// Take in what the rules of a module mention, or those of a part of it.
    pub(crate) fn collect(&mut self, module: usize, ast: &Ast) -> Result<(), Stopped> {
        let Some((package, numbers)) = self.modules.get(module) else {
            return Err(Stopped::Unforeseen);
        };
        let mut collector = Collector::new(package, ast, &self.table);
        for rule in &ast.policy {
            let (path, is_function) = head_of(package, rule);
            let known =
                self.table.find(&path).filter(|id| numbers.contains(id) && (!is_function || self.table.is_function(&path)));
            let Some(into) = known.and_then(|id| self.mentions.get_mut(id)) else {
                return Err(Stopped::Unforeseen);
            };
            collector.rule(rule, into);
        }
        match collector.undefined_call {
            Some(message) => Err(PolicyError(message).into()),
            None => Ok(()),
        }
    }

    /// The rules, what each reaches, and what each depends on.
    pub(crate) fn finish(self, sources: &[Module]) -> (RuleTable, Vec<Reached>, Dependencies) {
        let analysed: Vec<Analysed> = self
            .modules
            .iter()
            .zip(sources)
            .map(|((package, rules), module)| Analysed { source: &module.source, package, rules })
            .collect();
        let dependencies = Dependencies::new(&analysed, &self.mentions);
        let reached = reach(&self.table, &self.mentions);
        (self.table, reached, dependencies)
    }
}
