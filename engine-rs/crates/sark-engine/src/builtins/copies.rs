//! Builtins whose answer does not share its parts with the operands: what is small in memory because it is shared may become
//! large there. What such a call may make is known before it is made.

use regorus::Value;

use super::bounds::Exceeded;
use crate::program::{MAX_LEVELS, MAX_PARTS, Weight, is_collection};

/// What a call copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Copies {
    /// At most what stands in the operands themselves.
    Nothing,
    /// Its operands with all their parts.
    Operands,
    /// Where both operands have an object, that object.
    Merged,
    /// The first operand, as often as the second says.
    Patched,
    /// It makes its answer of a text.
    Read,
}

impl Copies {
    /// What calls of `name` copy.
    pub(crate) fn of(name: &str) -> Self {
        match name {
            "json.filter" | "json.remove" | "object.union_n" => Self::Operands,
            "object.union" => Self::Merged,
            "json.patch" => Self::Patched,
            "io.jwt.decode" | "io.jwt.decode_verify" | "json.unmarshal" | "urlquery.decode_object" => Self::Read,
            _ => Self::Nothing,
        }
    }
}

/// Most parts of a document that is patched.
const MAX_PATCHED: usize = MAX_PARTS / 4;
/// Most parts that a patch may go through, with every operation that goes through the whole document.
const MAX_PATCHING: usize = 2 * MAX_PARTS;

/// Parts that `object.union` makes of two values.
pub(crate) fn merged(one: &Value, other: &Value) -> usize {
    let (Value::Object(one), Value::Object(other)) = (one, other) else {
        return 0;
    };
    let inside = other.iter().filter_map(|(key, value)| Some(merged(one.get(key)?, value)));
    inside.fold(one.len() + other.len(), usize::saturating_add)
}

/// Parts that `json.patch` makes of a document, or that it would be too much. The weights are those of both operands.
pub(crate) fn patched(document: &Value, operations: &Value, weights: (Weight, Weight)) -> Result<usize, Exceeded> {
    let Value::Array(operations) = operations else {
        return Ok(0);
    };
    let (document_weight, operations_weight) = weights;
    let mut parts = document_weight.parts.saturating_add(operations_weight.parts);
    let mut levels = document_weight.levels;
    // A set is put together anew for whatever changes inside of it.
    let with_sets = document_weight.parts <= MAX_PATCHED && has_set(document);
    let mut whole = 1_usize;
    for operation in operations.iter() {
        let Value::Object(operation) = operation else { continue };
        let field = |name: &str| operation.get(&Value::from(name));
        let Some(Value::String(name)) = field("op") else { continue };
        let (path, from) = (field("path").map_or(0, segments), field("from").map_or(0, segments));
        let moved = match &**name {
            "copy" | "move" => levels.saturating_sub(from),
            "add" | "replace" => operations_weight.levels,
            _ => 0,
        };
        // A path that leads to nothing ends the patch.
        levels = levels.max(path.min(levels) + moved);
        if &**name == "copy" {
            parts = parts.saturating_mul(2);
        }
        whole += usize::from(with_sets || matches!(&**name, "copy" | "test"));
    }
    if parts > MAX_PATCHED || parts.saturating_mul(whole) > MAX_PATCHING || levels > MAX_LEVELS {
        return Err(Exceeded("json.patch would make more than the engine allows".to_owned()));
    }
    Ok(parts.saturating_mul(whole))
}

fn segments(path: &Value) -> usize {
    match path {
        Value::String(text) => text.matches('/').count() + 1,
        Value::Array(items) => items.len(),
        _ => 0,
    }
}

fn has_set(value: &Value) -> bool {
    match value {
        Value::Set(_) => true,
        Value::Array(items) => items.iter().filter(|item| is_collection(item)).any(has_set),
        Value::Object(fields) => fields.values().filter(|item| is_collection(item)).any(has_set),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{json, set_of};
    use super::*;

    fn parts_of(document: &Value, operations: &str) -> Option<usize> {
        let operations = json(operations);
        let weights = (Weight::if_light(document).unwrap(), Weight { parts: 100, levels: 3 });
        patched(document, &operations, weights).ok()
    }

    fn times(operation: &str, count: usize) -> String {
        format!("[{}]", vec![operation; count].join(","))
    }

    #[test]
    fn patches_of_policies_are_applied() {
        let document = json(r#"{"a": {"b": [1, 2]}}"#);
        for operations in [
            r#"[{"op": "add", "path": "/a/c", "value": {"d": 1}}, {"op": "test", "path": "/a/c", "value": 1}]"#.to_owned(),
            r#"[{"op": "copy", "from": "/a", "path": "/b"}, {"op": "move", "from": "/b/b", "path": "/c"}]"#.to_owned(),
            times(r#"{"op": "add", "path": "/a/b/-", "value": 1}"#, 10_000),
            times(r#"{"op": "remove", "path": "/a"}"#, 3),
        ] {
            assert!(parts_of(&document, &operations).is_some(), "{operations}");
        }
    }

    #[test]
    fn a_patch_that_doubles_or_deepens_without_end_is_not() {
        let document = json(r#"{"a": {"b": [1, 2]}}"#);
        for operations in [
            times(r#"{"op": "copy", "from": "/a", "path": "/a/b/0"}"#, 14),
            times(r#"{"op": "move", "from": "/a", "path": "/a/b/0/c/d"}"#, 400),
            times(r#"{"op": "test", "path": "", "value": 1}"#, 100_000),
        ] {
            assert_eq!(parts_of(&document, &operations), None, "{operations}");
        }
        let sets = Value::from(vec![set_of("[1, 2]")]);
        assert_eq!(parts_of(&sets, &times(r#"{"op": "add", "path": "/0/1", "value": 1}"#, 100_000)), None);
    }

    #[test]
    fn a_union_makes_the_objects_that_both_have() {
        for (one, other, made) in [
            (r#"{"a": 1}"#, r#"{"b": {"c": 2}}"#, 2),
            (r#"{"a": {"b": 1, "c": 2}}"#, r#"{"a": {"d": 3}}"#, 5),
            ("[]", r#"{"a": 1}"#, 0),
        ] {
            assert_eq!(merged(&json(one), &json(other)), made, "{one} {other}");
        }
    }
}
