//! The builtins that a program calls.

use std::{collections::HashMap, fmt};

use regorus::{
    Source, Value,
    unstable::{BUILTINS, BuiltinFcn, Expr as Ast, Ref, Span},
};

use crate::builtins::{
    Availability, BuiltinError, Circumstances, OwnBuiltin, availability,
    bounds::{self, Exceeded},
    copies::Copies,
    exactness, is_nondeterministic, own,
    spelling::{self, Spelling},
};

use super::ir::BuiltinId;

/// In OPA it does not look into objects of base data that are parts of others.
pub(super) const JSON_FILTER: &str = "json.filter";
/// Most arguments a builtin takes.
const MAX_ARGUMENTS: usize = 16;

enum Code {
    Own(&'static OwnBuiltin),
    Native(BuiltinFcn),
    /// The time of the query, which is one for the whole query.
    Now,
    /// Only OPA has it.
    Missing,
    Print,
}

struct Entry {
    name: String,
    code: Code,
    deterministic: bool,
    /// Whether a call may make too much, or round, so that its operands are looked at first.
    bounded: bool,
    /// Which operands' spelling the answer may depend on.
    spelling: Spelling,
    /// Whether the answer has numbers that it reads from a text, as they are spelled there.
    reads_numbers: bool,
    /// What a call copies.
    copies: Copies,
}

/// Builtins by number. A number is given when the name is first seen.
pub(crate) struct BuiltinTable {
    entries: Vec<Entry>,
    numbers: HashMap<String, BuiltinId>,
    /// What regorus' builtins point at in their messages; nobody reads them.
    nowhere: Option<Span>,
    operands: Vec<Ref<Ast>>,
}

impl fmt::Debug for BuiltinTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.entries.iter().map(|entry| &entry.name)).finish()
    }
}

impl BuiltinTable {
    pub(crate) fn new() -> Self {
        let source = Source::from_contents("<builtin>".to_owned(), " ".to_owned()).ok();
        let nowhere = source.map(|source| Span { source, line: 1, col: 1, start: 0, end: 1 });
        let operand = |span: &Span| Ref::new(Ast::Null { span: span.clone(), value: Value::Null, eidx: 0 });
        let operands = nowhere.iter().flat_map(|span| (0..MAX_ARGUMENTS).map(|_| operand(span)).collect::<Vec<_>>()).collect();
        Self { entries: Vec::new(), numbers: HashMap::new(), nowhere, operands }
    }

    /// The builtin called `name`; None when nobody has one.
    pub(crate) fn find(&mut self, name: &str) -> Option<BuiltinId> {
        if let Some(known) = self.numbers.get(name) {
            return Some(*known);
        }
        let code = match availability(name) {
            Availability::Unknown => return None,
            Availability::OnlyInOpa => Code::Missing,
            Availability::Native => match (name, own(name), BUILTINS.get(name)) {
                ("time.now_ns", ..) => Code::Now,
                ("print", ..) => Code::Print,
                (_, Some(own), _) => Code::Own(own),
                (_, None, Some(native)) => Code::Native(*native),
                (_, None, None) => Code::Missing,
            },
        };
        let number = BuiltinId::try_from(self.entries.len()).ok()?;
        self.entries.push(Entry {
            name: name.to_owned(),
            code,
            deterministic: !is_nondeterministic(name),
            bounded: bounds::applies(name) || exactness::applies(name),
            spelling: spelling::of(name),
            reads_numbers: spelling::reads_numbers(name),
            copies: Copies::of(name),
        });
        self.numbers.insert(name.to_owned(), number);
        Some(number)
    }

    fn entry(&self, id: BuiltinId) -> Option<&Entry> {
        self.entries.get(id as usize)
    }

    pub(crate) fn name(&self, id: BuiltinId) -> &str {
        self.entry(id).map_or("", |entry| &entry.name)
    }

    /// Whether the same arguments always give the same answer.
    pub(crate) fn is_deterministic(&self, id: BuiltinId) -> bool {
        self.entry(id).is_some_and(|entry| entry.deterministic)
    }

    pub(crate) fn is_missing(&self, id: BuiltinId) -> bool {
        self.entry(id).is_none_or(|entry| matches!(entry.code, Code::Missing))
    }

    /// Whether a call with these operands makes no more than is allowed, and no other answer than OPA's.
    pub(crate) fn check(&self, id: BuiltinId, args: &[Value]) -> Result<(), Exceeded> {
        match self.entry(id) {
            Some(entry) if entry.bounded => bounds::check(&entry.name, args).and_then(|()| exactness::check(&entry.name, args)),
            _ => Ok(()),
        }
    }

    /// Those of `args` on whose numbers' spelling the answer may depend.
    pub(crate) fn spelled_operands<'a>(&self, id: BuiltinId, args: &'a [Value]) -> &'a [Value] {
        let first = match self.entry(id).map(|entry| entry.spelling) {
            Some(Spelling::Ignored) => return &[],
            Some(Spelling::OfWhole) if !args.iter().any(has_exponent) => return &[],
            Some(Spelling::OfPath | Spelling::OfWhole) => 1,
            Some(Spelling::Shown) | None => 0,
        };
        args.get(first..).unwrap_or_default()
    }

    /// Whether the answer has numbers that it reads from a text, as they are spelled there.
    pub(crate) fn reads_numbers(&self, id: BuiltinId) -> bool {
        self.entry(id).is_some_and(|entry| entry.reads_numbers)
    }

    /// What a call copies.
    pub(crate) fn copies(&self, id: BuiltinId) -> Copies {
        self.entry(id).map_or(Copies::Nothing, |entry| entry.copies)
    }

    /// Whether OPA may answer with `-0`.
    pub(crate) fn may_be_negative_zero(&self, id: BuiltinId) -> bool {
        matches!(self.name(id), "div" | "mul" | "product" | "ceil" | "round")
    }

    /// Whether a call takes no longer for large operands than for small ones.
    pub(crate) fn is_brief(&self, id: BuiltinId) -> bool {
        is_brief(self.name(id))
    }

    pub(crate) fn is_print(&self, id: BuiltinId) -> bool {
        self.entry(id).is_some_and(|entry| matches!(entry.code, Code::Print))
    }

    pub(crate) fn is_walk(&self, id: BuiltinId) -> bool {
        self.name(id) == "walk"
    }

    /// How many arguments it takes; None when nobody here knows.
    pub(crate) fn arity(&self, id: BuiltinId) -> Option<usize> {
        match &self.entry(id)?.code {
            Code::Own(own) => Some(own.arity.into()),
            Code::Native((_, arity)) => Some((*arity).into()),
            Code::Now => Some(0),
            Code::Missing | Code::Print => None,
        }
    }

    /// Call it with defined arguments.
    pub(crate) fn call(&self, id: BuiltinId, args: &[Value], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
        let Some(entry) = self.entry(id) else {
            return Ok(Value::Undefined);
        };
        match &entry.code {
            Code::Own(own) => (own.call)(args, circumstances),
            Code::Native((function, _)) => match (&self.nowhere, self.operands.get(..args.len())) {
                (Some(span), Some(operands)) => {
                    function(span, operands, args, false).map_err(|error| BuiltinError(error.to_string()))
                }
                _ => Err(BuiltinError(format!("{} takes at most {MAX_ARGUMENTS} arguments", entry.name))),
            },
            Code::Now => Ok(Value::from(circumstances.now_ns())),
            Code::Missing => Err(BuiltinError(format!("{} is a builtin that only OPA has", entry.name))),
            Code::Print => Ok(Value::Bool(true)),
        }
    }
}

fn is_brief(name: &str) -> bool {
    matches!(
        name,
        "count"
            | "is_array"
            | "is_boolean"
            | "is_null"
            | "is_number"
            | "is_object"
            | "is_set"
            | "is_string"
            | "object.get"
            | "type_name"
    )
}

/// Whether a whole number is so large that Python, whose numbers are given as such, writes a float of this worth with an exponent.
/// A JSON text with one that could be an index is refused.
fn has_exponent(value: &Value) -> bool {
    const SMALLEST: u64 = 10_000_000_000_000_000;
    matches!(value, Value::Number(number) if number.as_i64().is_some_and(|whole| whole.unsigned_abs() >= SMALLEST))
}
