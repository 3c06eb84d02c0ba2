//! Whose answer depends on how a number is spelled.
//!
//! OPA's numbers are texts, and a builtin may show them (`json.marshal`, `sprintf("%d", [1.0])`).
//! All are thought to do so but those that were looked at in OPA's sources and compare or carry along what they are given.

/// On the spelling of which numbers an answer may depend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// None: it counts, compares, or hands values on.
    Ignored,
    /// Those in all operands but the first, which is only looked into.
    OfPath,
    /// Those of the operands but the first that are so large that, spelled otherwise than the engine does, they have an exponent:
    /// then OPA does not take them for whole.
    OfWhole,
    /// All.
    Shown,
}

/// Builtins that know numbers by their worth only.
const BY_WORTH: &[&str] = &[
    "abs",
    "all",
    "and",
    "any",
    "array.concat",
    "array.flatten",
    "array.reverse",
    "bits.and",
    "bits.lsh",
    "bits.negate",
    "bits.or",
    "bits.rsh",
    "bits.xor",
    "cast_array",
    "cast_object",
    "cast_set",
    "ceil",
    "count",
    "div",
    "equal",
    "floor",
    "gt",
    "gte",
    "internal.member_2",
    "intersection",
    "is_array",
    "is_boolean",
    "is_null",
    "is_number",
    "is_object",
    "is_set",
    "is_string",
    "lt",
    "lte",
    "max",
    "min",
    "minus",
    "mul",
    "neq",
    "numbers.range",
    "numbers.range_step",
    "object.keys",
    "object.subset",
    "object.union",
    "object.union_n",
    "or",
    "plus",
    "print",
    "product",
    "rem",
    "round",
    "set_diff",
    "sort",
    "sum",
    "type_name",
    "union",
];

pub(crate) fn of(name: &str) -> Spelling {
    if BY_WORTH.binary_search(&name).is_ok() {
        Spelling::Ignored
    } else if matches!(name, "object.get" | "object.remove" | "object.filter" | "json.filter" | "json.remove") {
        Spelling::OfPath
    } else if matches!(name, "array.slice" | "substring") {
        Spelling::OfWhole
    } else {
        Spelling::Shown
    }
}

/// Whether the answer of `name` has numbers as a text spells them.
pub(crate) fn reads_numbers(name: &str) -> bool {
    matches!(name, "json.unmarshal" | "to_number" | "io.jwt.decode" | "io.jwt.decode_verify")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtins::{Availability, availability};

    #[test]
    fn the_list_is_sorted_and_has_only_builtins() {
        assert!(BY_WORTH.is_sorted());
        let strangers: Vec<_> = BY_WORTH.iter().filter(|name| availability(name) != Availability::Native).collect();
        assert!(strangers.is_empty(), "{strangers:?}");
    }

    #[test]
    fn what_nobody_has_looked_at_shows_numbers() {
        assert_eq!(of("sprintf"), Spelling::Shown);
        assert_eq!(of("no.such.thing"), Spelling::Shown);
        assert_eq!(of("count"), Spelling::Ignored);
        assert_eq!(of("object.get"), Spelling::OfPath);
        assert_eq!(of("substring"), Spelling::OfWhole);
    }
}
