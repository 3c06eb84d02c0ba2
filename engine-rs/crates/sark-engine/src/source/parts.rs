//! Modules in parts that are parsed one after the other, because the syntax tree takes some fifty times the text's memory.
//!
//! A part of a module is the module without some of its statements: `package` and imports, empty lines in the place of what is
//! left out, so that every place keeps its line, and statements. Up to [`Reading::held`] bytes of modules nothing is divided, and
//! each is parsed once.

use std::{collections::HashSet, fmt::Display, thread};

use regorus::unstable::{Module as Ast, Ref};

use super::{
    characters,
    line::{Closing, Line},
    nesting, parse_one,
    statements::statements,
};
use crate::{
    error::PolicyError,
    evaluator::contained,
    policies::{Module, RegoVersion},
};

/// How much of the modules is parsed at a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    /// Up to so many bytes, of all modules together, the syntax trees of all are kept.
    pub held: usize,
    /// Bytes of statements that make a part, at least.
    pub part: usize,
}

impl Default for Reading {
    fn default() -> Self {
        Self { held: 1 << 20, part: 256 << 10 }
    }
}

/// How many parts may be parsed before they are wanted: each takes some 13 MB.
const AHEAD: usize = 3;

/// Number of a part.
pub(crate) type PartId = u32;

/// The modules of a policy, to be parsed as often as needed.
#[derive(Debug)]
pub(crate) struct Parts<'m> {
    version: RegoVersion,
    modules: &'m [Module],
    /// The syntax trees, of all modules or of none.
    held: Vec<Ref<Ast>>,
    divided: Vec<Part>,
}

#[derive(Debug, Clone, Copy)]
struct Part {
    module: usize,
    /// Where `package` and imports end.
    prelude: usize,
    start: usize,
    end: usize,
    /// Lines that end between `prelude` and `start`.
    skipped: usize,
}

/// Which of the modules' rules are looked at to know which rules there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outline {
    /// One statement of each beginning in a module. Others with the same beginning are of the same rule, as far as can be seen
    /// without parsing them.
    Beginnings,
    /// Every rule.
    Everything,
}

impl<'m> Parts<'m> {
    /// Parse `modules` if they are small, else find their parts.
    pub(crate) fn of(version: RegoVersion, modules: &'m [Module], reading: Reading) -> Result<Self, PolicyError> {
        for Module { name, source } in modules {
            characters::check(name, source)?;
            nesting::check(name, source)?;
        }
        let mut new = Self { version, modules, held: Vec::new(), divided: Vec::new() };
        let size: usize = modules.iter().map(|module| module.source.len()).sum();
        if size <= reading.held {
            let parsed: Result<_, _> = modules.iter().map(|module| parse_one(version, &module.name, &module.source)).collect();
            new.held = parsed?;
        }
        for (number, module) in modules.iter().enumerate() {
            let wanted = if new.held.is_empty() { reading.part } else { usize::MAX };
            divide(version, number, &module.source, wanted, &mut new.divided);
        }
        Ok(new)
    }

    /// Show `see` syntax trees that have every rule's name and kind, in order, with their modules' numbers.
    pub(crate) fn outline<E: From<PolicyError>>(
        &self,
        outline: Outline,
        mut see: impl FnMut(usize, &Ast) -> Result<(), E>,
    ) -> Result<(), E> {
        if !self.held.is_empty() || outline == Outline::Everything {
            return self.each(|_, module, ast| see(module, ast));
        }
        self.modules.iter().enumerate().try_for_each(|(number, module)| {
            let ast = parse_one(self.version, &module.name, &beginnings(&module.source))?;
            see(number, &ast)
        })
    }

    /// Show `see` every part, in order, with its number and its module's. Those behind it are parsed meanwhile, by a thread of
    /// their own and by this one when it would have to wait.
    pub(crate) fn each<E: From<PolicyError>>(
        &self,
        mut see: impl FnMut(PartId, usize, &Ast) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut numbered = (0..).zip(&self.divided);
        if !self.held.is_empty() || self.divided.len() < 2 {
            return numbered.try_for_each(|(id, part)| see(id, part.module, &*self.parse(id)?));
        }
        let line = Line::new(self.divided.len(), AHEAD);
        let parse = |position: usize| PartId::try_from(position).map_or_else(|_| Err(missing(position)), |id| self.parse(id));
        thread::scope(|scope| {
            let _closing = Closing(&line);
            // Without it this thread parses them all.
            let _helper = thread::Builder::new().name("sark-parse".into()).spawn_scoped(scope, || line.help(parse));
            numbered.try_for_each(|(id, part)| {
                let parsed = line.next(parse).unwrap_or_else(|| Err(missing(id)));
                see(id, part.module, &*parsed?)
            })
        })
    }

    /// The syntax tree of a part.
    pub(crate) fn parse(&self, id: PartId) -> Result<Ref<Ast>, PolicyError> {
        if let Some(held) = self.held.get(id as usize) {
            return Ok(held.clone());
        }
        let found = self.divided.get(id as usize).and_then(|part| Some((part, self.modules.get(part.module)?)));
        let Some((part, module)) = found else {
            return Err(missing(id));
        };
        match contained(|| parse_one(self.version, &module.name, &part.text(&module.source))) {
            Ok(parsed) => parsed,
            Err(message) => Err(PolicyError(format!("{}: the parser failed: {message}", module.name))),
        }
    }

    /// The module of a part.
    pub(crate) fn module_of(&self, id: PartId) -> Option<usize> {
        self.divided.get(id as usize).map(|part| part.module)
    }
}

fn missing(part: impl Display) -> PolicyError {
    PolicyError(format!("there is no part {part}"))
}

/// Divide module `number` into parts that have at least `wanted` bytes, the last one excepted.
fn divide(version: RegoVersion, number: usize, text: &str, wanted: usize, into: &mut Vec<Part>) {
    let found = if text.len() > wanted { statements(text) } else { Vec::new() };
    let prelude = found.first().map(|first| first.start).filter(|end| has_no_rules(version, text, *end));
    let Some(prelude) = prelude else {
        into.push(Part { module: number, prelude: 0, start: 0, end: text.len(), skipped: 0 });
        return;
    };
    let (mut start, mut skipped) = (prelude, 0);
    for statement in &found {
        if statement.start - start >= wanted {
            into.push(Part { module: number, prelude, start, end: statement.start, skipped });
            skipped += lines(text.get(start..statement.start).unwrap_or_default());
            start = statement.start;
        }
    }
    into.push(Part { module: number, prelude, start, end: text.len(), skipped });
}

/// Whether nothing but `package` and imports is in front of `end`: a rule there would be in every part.
fn has_no_rules(version: RegoVersion, text: &str, end: usize) -> bool {
    let parsed = text.get(..end).map(|prelude| contained(|| parse_one(version, "", prelude)));
    matches!(parsed, Some(Ok(Ok(module))) if module.policy.is_empty() && module.target.is_none())
}

impl Part {
    fn text(&self, module: &str) -> String {
        let of = |range: std::ops::Range<usize>| module.get(range).unwrap_or_default();
        let (prelude, statements) = (of(0..self.prelude), of(self.start..self.end));
        let mut text = String::with_capacity(prelude.len() + self.skipped + statements.len());
        text.push_str(prelude);
        text.extend(std::iter::repeat_n('\n', self.skipped));
        text.push_str(statements);
        text
    }
}

/// The module with the first statement of each beginning.
fn beginnings(text: &str) -> String {
    let found = statements(text);
    let ends = found.iter().skip(1).map(|statement| statement.start).chain([text.len()]);
    let mut seen = HashSet::new();
    let mut outline = text.get(..found.first().map_or(text.len(), |first| first.start)).unwrap_or_default().to_owned();
    for (statement, end) in found.iter().zip(ends) {
        let statement_text = text.get(statement.start..end).unwrap_or_default();
        if seen.insert(statement.head) {
            outline.push_str(statement_text);
        } else {
            leave_out(statement_text, &mut outline);
        }
    }
    outline
}

/// Write the ends of its lines in the place of `text`.
fn leave_out(text: &str, into: &mut String) {
    into.extend(std::iter::repeat_n('\n', lines(text)));
}

/// How many lines end in `text`.
fn lines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{fs, path::Path};

    use super::*;

    const DIVIDED: Reading = Reading { held: 0, part: 0 };

    /// Place and text of every rule.
    fn rules(source: &str, reading: Reading) -> Vec<(u32, u32, String)> {
        let modules = [Module { name: "p.rego".into(), source: source.into() }];
        let mut rules = Vec::new();
        let parts = Parts::of(RegoVersion::V1, &modules, reading).unwrap();
        parts
            .each(|_, _, ast| {
                let of =
                    ast.policy.iter().map(|rule| (rule.span().line, rule.span().col, rule.span().text().trim().to_owned()));
                rules.extend(of);
                Ok::<_, PolicyError>(())
            })
            .unwrap();
        rules
    }

    fn policies(folder: &Path, into: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                policies(&path, into);
            } else if path.extension().is_some_and(|extension| extension == "rego") {
                into.push(fs::read_to_string(path).unwrap());
            }
        }
    }

    #[test]
    fn all_parts_together_have_the_rules_of_the_module_in_their_places() {
        let mut sources = Vec::new();
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
        for folder in ["examples", "tests/differential/corpus"] {
            policies(&repository.join(folder), &mut sources);
        }
        assert!(sources.len() > 10, "{}", sources.len());
        for source in sources {
            assert_eq!(rules(&source, DIVIDED), rules(&source, Reading::default()), "{source}");
        }
    }

    #[test]
    fn rules_that_are_not_found_in_front_of_others_are_in_one_part_only() {
        let source = "package p\n  a contains 1\nb := 1\nc := 2\n";
        assert_eq!(rules(source, DIVIDED), rules(source, Reading::default()));
    }

    #[test]
    fn an_outline_has_one_statement_of_each_beginning_in_its_place() {
        let source = "package p\nimport data.x\nallow if {\n\tinput.a\n}\nallow if {\n\tinput.b\n}\ndeny if x\n";
        assert_eq!(beginnings(source), "package p\nimport data.x\nallow if {\n\tinput.a\n}\n\n\n\ndeny if x\n");
    }

    #[test]
    fn whoever_looks_at_parts_may_stop() {
        let modules = [Module { name: "p.rego".into(), source: "package p\na := 1\nb := 2\nc := 3\nd := 4\n".into() }];
        let parts = Parts::of(RegoVersion::V1, &modules, DIVIDED).unwrap();
        let mut seen = 0;
        let stopped = parts.each(|part, _, _| {
            seen += 1;
            if part == 1 { Err(PolicyError("enough".into())) } else { Ok(()) }
        });
        assert_eq!((stopped, seen), (Err(PolicyError("enough".into())), 2));
    }
}
