//! Modules whose brackets nest so that the parser would take too long for them, refused before it sees them.
//!
//! regorus reads what a set, an array or an object begins with twice, once for the case that a comprehension follows, and what
//! stands in a body or a comprehension's query up to three times. Nested, these multiply: twenty brackets that begin with each
//! other are a million readings. How often each token is read is known from the brackets around it. How deep they nest is bounded as
//! well, since the parser uses the stack.

use super::tokens::{Kind, Token, Tokens};
use crate::error::PolicyError;

/// Deepest that brackets may nest.
const MOST_DEPTH: usize = 100;
/// Most operators, fields and indices in a row: each is a level of the syntax tree.
const MOST_OPERATORS: usize = 1_000;
/// Readings of tokens that a module may take: so many, and on top so many for each token.
const MOST_READINGS: u64 = 500_000;
const MOST_READINGS_EACH: u64 = 8;
/// Words behind which a brace begins a body.
const BEFORE_BODY: [&str; 2] = ["if", "else"];
/// Words behind which one begins a set or an object.
const BEFORE_ITEMS: [&str; 11] = ["and", "as", "contains", "default", "every", "in", "not", "or", "package", "some", "with"];

/// Refuse the module `name` if reading its `text` would take too long.
pub(super) fn check(name: &str, text: &str) -> Result<(), PolicyError> {
    let mut readings = Readings::default();
    for token in Tokens::of(text) {
        readings.see(token);
        let (what, most) = match () {
            () if readings.open.len() > MOST_DEPTH => ("brackets nest deeper", MOST_DEPTH),
            () if readings.operators > MOST_OPERATORS => {
                ("the expression has more operators, fields or indices in a row", MOST_OPERATORS)
            }
            () => continue,
        };
        let place = place(name, text, token.start);
        return Err(PolicyError(format!("{place}: {what} than {most}: give parts of it names of their own")));
    }
    let most = MOST_READINGS.saturating_add(readings.tokens.saturating_mul(MOST_READINGS_EACH));
    if readings.sum <= most {
        return Ok(());
    }
    let (place, depth) = (place(name, text, readings.worst.start), readings.worst.depth);
    Err(PolicyError(format!(
        "{place}: brackets nest {depth} deep here, and the parser reads what a bracket begins with twice for each of them: that would be more than {most} tokens for this module; give what is inside of them names of their own"
    )))
}

pub(super) fn place(name: &str, text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or_default();
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("{name}:{line}:{column}")
}

/// What a bracket encloses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// Arguments, an index, a parenthesis: read as often as what is around it.
    Group,
    /// A set, an array, an object, or a comprehension before its `|`.
    Items,
    /// Statements.
    Query,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    inside: Inside,
    /// How often the bracket itself is read.
    outside: u64,
    /// Operators in front of it, in its expression.
    operators: usize,
}

/// What stands before a bracket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    /// The end of an operand, and where that is.
    Operand(usize),
    /// A word that a body follows.
    Body,
    Sign,
}

/// The place that is read most often.
#[derive(Debug, Default)]
struct Worst {
    readings: u64,
    depth: usize,
    start: usize,
}

#[derive(Debug)]
struct Readings {
    open: Vec<Open>,
    /// How often the next token is read.
    now: u64,
    sum: u64,
    tokens: u64,
    /// Operators of the expression so far.
    operators: usize,
    before: Before,
    worst: Worst,
}

impl Default for Readings {
    fn default() -> Self {
        Self { open: Vec::new(), now: 1, sum: 0, tokens: 0, operators: 0, before: Before::Sign, worst: Worst::default() }
    }
}

impl Readings {
    fn see(&mut self, token: Token<'_>) {
        self.tokens = self.tokens.saturating_add(1);
        self.sum = self.sum.saturating_add(self.now);
        self.count(token);
        match token.kind {
            Kind::Open(bracket) => self.enter(self.inside(bracket, token.start), token.start),
            Kind::Close(_) => self.leave(),
            Kind::Sign(b',') => self.pass_on(),
            Kind::Sign(b'|') => self.ask(),
            _ => {}
        }
        self.before = match token.kind {
            Kind::Word if BEFORE_BODY.contains(&token.text) => Before::Body,
            Kind::Word if BEFORE_ITEMS.contains(&token.text) => Before::Sign,
            Kind::Word | Kind::Number | Kind::Text | Kind::Close(_) => Before::Operand(token.end()),
            _ => Before::Sign,
        };
    }

    /// Count a token that makes its expression longer, or begin a new one.
    fn count(&mut self, token: Token<'_>) {
        let is_adjacent = self.before == Before::Operand(token.start);
        let is_behind = matches!(self.before, Before::Operand(_));
        match token.kind {
            Kind::Open(b'(' | b'[') if is_adjacent => self.operators += 1,
            Kind::Word if token.text == "in" => self.operators += 1,
            Kind::Sign(b',' | b';' | b':' | b'=') | Kind::Double(b':') => self.operators = 0,
            Kind::Sign(_) | Kind::Double(_) => self.operators += 1,
            // No expression has two operands side by side.
            Kind::Word | Kind::Number | Kind::Text | Kind::Open(_) if is_behind => self.operators = 0,
            _ => {}
        }
    }

    fn inside(&self, bracket: u8, start: usize) -> Inside {
        match (bracket, self.before) {
            (b'(', _) => Inside::Group,
            (b'[', Before::Operand(end)) if end == start => Inside::Group,
            (b'{', Before::Operand(_) | Before::Body) => Inside::Query,
            _ => Inside::Items,
        }
    }

    fn enter(&mut self, inside: Inside, start: usize) {
        self.open.push(Open { inside, outside: self.now, operators: self.operators });
        self.operators = 0;
        if inside != Inside::Group {
            self.now = self.now.saturating_mul(2);
        }
        if self.now > self.worst.readings {
            self.worst = Worst { readings: self.now, depth: self.open.len(), start };
        }
    }

    fn leave(&mut self) {
        let left = self.open.pop();
        self.now = left.map_or(1, |open| open.outside);
        self.operators = left.map_or(0, |open| open.operators);
    }

    /// What is behind the first item is read as often as the bracket.
    fn pass_on(&mut self) {
        if let Some(open) = self.open.last().filter(|open| open.inside == Inside::Items) {
            self.now = open.outside;
        }
    }

    /// A query follows, or the union of two sets: what is behind is tried as the one and then read as the other.
    fn ask(&mut self) {
        if let Some(open) = self.open.last_mut()
            && open.inside == Inside::Items
            && self.now > open.outside
        {
            open.inside = Inside::Query;
            self.now = open.outside.saturating_mul(3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often the token that is `x` is read.
    fn readings(text: &str) -> u64 {
        let mut readings = Readings::default();
        for token in Tokens::of(text) {
            if token.text == "x" {
                return readings.now;
            }
            readings.see(token);
        }
        0
    }

    #[test]
    fn what_a_bracket_begins_with_is_read_twice() {
        for (text, expected) in [
            ("a := x", 1),
            ("a := [x]", 2),
            ("a := [[[x]]]", 8),
            ("a := [1, [2, [3, x]]]", 1),
            ("a := {\"b\": {\"c\": x}}", 4),
            ("a := {\"b\": 1, \"c\": {\"d\": x}}", 2),
            ("a := f(g(x))", 1),
            ("a := b[c[x]]", 1),
            ("a := b [x]", 2),
            ("a if { b == x }", 2),
            ("a if { b in {x} }", 4),
            ("a { b(x) }", 2),
            ("a := {b | c := x}", 3),
            ("a := {b | c := 1, d := x}", 3),
            ("a if every b in c { x }", 2),
            ("a := [\"[[[\", `{{`, x] # [", 1),
            ("a := [[1]]\nb := x", 1),
        ] {
            assert_eq!(readings(text), expected, "{text}");
        }
    }

    #[test]
    fn operators_are_counted_within_one_expression() {
        let count = |text: &str| {
            let mut readings = Readings::default();
            Tokens::of(text).for_each(|token| readings.see(token));
            readings.operators
        };
        for (text, expected) in [
            ("a := 1 + 2 * 3", 2),
            ("a if b.c[0](d).e", 4),
            ("a := f(1 + 2) + 3", 2),
            ("a := [1 + 2, 3 + 4, 5", 0),
            ("a if { b == 1\nc == 2\nd", 0),
            ("a if { b == 1; c == 2", 1),
            ("a := -1\nb := - -1", 2),
            ("a in b in c", 2),
        ] {
            assert_eq!(count(text), expected, "{text}");
        }
    }

    #[test]
    fn what_would_take_too_long_is_refused_with_its_place() {
        let nested =
            |open: &str, close: &str, depth| format!("package p\n\nv := {}1{}", open.repeat(depth), close.repeat(depth));
        for (open, close) in [("[", "]"), ("{", "}"), ("{\"a\": ", "}"), ("[1 | ", "]"), ("count([x | ", "])")] {
            assert_eq!(check("p.rego", &nested(open, close, 10)), Ok(()), "{open}");
            let told = check("p.rego", &nested(open, close, 24)).unwrap_err().0;
            assert!(
                told.starts_with("p.rego:3:") && told.contains("deep here") && told.contains("tokens for this module"),
                "{told}"
            );
        }
        for (open, close) in [("(", ")"), ("f(", ")"), ("a[", "]"), ("[1, ", "]")] {
            assert_eq!(check("p.rego", &nested(open, close, 50)), Ok(()), "{open}");
            let told = check("p.rego", &nested(open, close, 101)).unwrap_err().0;
            assert!(told.starts_with("p.rego:3:") && told.contains("deeper than 100"), "{told}");
        }
    }
}
