//! Builtins whose answer does not share its parts with the operands: what is small in memory because it is shared may become
//! large there. What such a call may make is known before it is made.

use std::collections::BTreeSet;

use regorus::Value;

use super::{bounds::Exceeded, corrected::segments};
use crate::program::{MAX_LEVELS, MAX_PARTS, Weight, is_collection};

/// What a call copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Copies {
    /// At most what stands in the operands themselves.
    Nothing,
    /// The same, and its answer has no more parts than its operands together, and nests as they do.
    Within,
    /// Nothing at all: it gives a part of an operand.
    Part,
    /// At most its operands with all their parts.
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
            "object.get" => Self::Part,
            "array.concat" | "array.reverse" | "array.slice" | "intersection" | "object.filter" | "object.keys"
            | "object.remove" | "union" => Self::Within,
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

/// Parts that `json.patch` makes of a document, or that it would be too much. The weights are those of both operands; `parts_of` counts
/// the parts of a value.
///
/// A patch goes through the document once, and copies or compares parts of it. How large such a part is tells the document as it is
/// given, unless an operation before may have changed it: then it may be everything.
pub(crate) fn patched(
    document: &Value,
    operations: &Value,
    weights: (Weight, Weight),
    parts_of: &mut dyn FnMut(&Value) -> usize,
) -> Result<usize, Exceeded> {
    let Value::Array(items) = operations else {
        return Ok(0);
    };
    let (document_weight, operations_weight) = weights;
    let mut parts = document_weight.parts.saturating_add(operations_weight.parts);
    let mut levels = document_weight.levels;
    // A set is put together anew for whatever changes inside of it.
    let has_sets = parts <= MAX_PATCHED && (has_set(document) || has_set(operations));
    let mut changes = Changes { document, paths: BTreeSet::new() };
    let mut steps = 0_usize;
    for operation in items.iter() {
        let Value::Object(operation) = operation else { continue };
        let field = |name: &str| operation.get(&Value::from(name));
        let Some(Value::String(name)) = field("op") else { continue };
        // Where it is none, the patch ends.
        let path_of = |name: &str| field(name).and_then(|path| segments(path).ok()).unwrap_or_default();
        let (path, from) = (path_of("path"), path_of("from"));
        let moved = match &**name {
            "copy" | "move" => levels.saturating_sub(from.len()),
            "add" | "replace" => operations_weight.levels,
            _ => 0,
        };
        // A path that leads to nothing ends the patch.
        levels = levels.max(path.len().min(levels) + moved);
        match &**name {
            "copy" => parts = parts.saturating_add(changes.part(&from).map_or(parts, &mut *parts_of)),
            "test" => steps = steps.saturating_add(changes.part(&path).map_or(parts, &mut *parts_of)),
            _ => {}
        }
        if has_sets && !(changes.is_free_of_sets(&path) && changes.is_free_of_sets(&from)) {
            steps = steps.saturating_add(parts);
        }
        match &**name {
            "test" => {}
            "move" => {
                changes.note(&from);
                changes.note(&path);
            }
            _ => changes.note(&path),
        }
    }
    if parts > MAX_PATCHED || parts.saturating_add(steps) > MAX_PATCHING || levels > MAX_LEVELS {
        return Err(Exceeded("json.patch would make more than the engine allows".to_owned()));
    }
    Ok(parts)
}

/// Longest path that is told from others, in segments: behind a change at a longer one anything may have changed.
const MOST_SEGMENTS: usize = 64;

/// Where a patch has changed its document so far.
struct Changes<'d> {
    document: &'d Value,
    paths: BTreeSet<Vec<Value>>,
}

impl Changes<'_> {
    fn note(&mut self, path: &[Value]) {
        let changed = match path.split_last() {
            Some((_, parent)) if path.len() <= MOST_SEGMENTS => {
                // In an array the others move, and of what was not there before nobody knows what it is.
                let is_field = matches!(self.given(parent), Some(Value::Object(_)));
                if is_field { path } else { parent }
            }
            _ => &[],
        };
        if !self.is_in_changed(changed) {
            self.paths.insert(changed.to_vec());
        }
    }

    /// Whether `path` itself was changed, or something around it.
    fn is_in_changed(&self, path: &[Value]) -> bool {
        path.len() > MOST_SEGMENTS
            || (0..=path.len()).any(|length| path.get(..length).is_some_and(|part| self.paths.contains(part)))
    }

    fn may_have_changed(&self, path: &[Value]) -> bool {
        let inside = || self.paths.range(path.to_vec()..).next().is_some_and(|changed| changed.starts_with(path));
        self.is_in_changed(path) || inside()
    }

    /// What `path` led to in the document as it was given.
    fn given(&self, path: &[Value]) -> Option<&Value> {
        path.iter().try_fold(self.document, |at, key| match at {
            Value::Object(fields) => fields.get(key),
            Value::Array(items) => items.get(index(key)?),
            _ => None,
        })
    }

    /// What `path` leads to, when it was not changed.
    fn part(&self, path: &[Value]) -> Option<&Value> {
        if self.may_have_changed(path) { None } else { self.given(path) }
    }

    /// Whether no set is on the way to the end of `path`.
    fn is_free_of_sets(&self, path: &[Value]) -> bool {
        let Some((_, parent)) = path.split_last() else {
            return true;
        };
        matches!(self.part_or_around(parent), Some(Value::Object(_) | Value::Array(_)))
    }

    /// As [`Self::part`], where changes inside do not count.
    fn part_or_around(&self, path: &[Value]) -> Option<&Value> {
        if self.is_in_changed(path) { None } else { self.given(path) }
    }
}

fn index(key: &Value) -> Option<usize> {
    match key {
        Value::String(digits) => digits.parse().ok(),
        Value::Number(number) => usize::try_from(number.as_u64()?).ok(),
        _ => None,
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
    use crate::program::Weights;

    fn weight(value: &Value) -> Weight {
        Weights::default().note(value, None)
    }

    fn parts_of(document: &Value, operations: &str) -> Option<usize> {
        let operations = json(operations);
        let weights = (weight(document), Weight { parts: 100, levels: 3 });
        patched(document, &operations, weights, &mut |part| weight(part).parts).ok()
    }

    #[test]
    fn a_copy_is_as_large_as_what_it_copies() {
        let document = json(&format!(r#"{{"a": {{"x": 1}}, "t": [{}1], "s": {{"y": 2}}}}"#, "1,".repeat(20_000)));
        let copies: Vec<_> = (0..200).map(|n| format!(r#"{{"op": "copy", "from": "/a/x", "path": "/a/y{n}"}}"#)).collect();
        assert!(parts_of(&document, &format!("[{}]", copies.join(","))).unwrap() < 21_000);
        assert!(parts_of(&document, &times(r#"{"op": "test", "path": "/a/x", "value": 1}"#, 1_000)).is_some());
        // Behind a change of it, or of an array around it, it may be anything.
        for changing in
            [r#""add", "path": "/a", "value": 1"#, r#""remove", "path": "/a/x""#, r#""move", "from": "/t", "path": "/a/x""#]
        {
            let operations = format!(r#"[{{"op": {changing}}}, {{"op": "copy", "from": "/a/x", "path": "/s/z"}}]"#);
            assert!(parts_of(&document, &operations).unwrap() > 40_000, "{changing}");
        }
        let in_array = r#"[{"op": "add", "path": "/t/0", "value": 1}, {"op": "copy", "from": "/t/5", "path": "/s/z"}]"#;
        assert!(parts_of(&document, in_array).unwrap() > 40_000);
    }

    #[test]
    fn a_document_with_a_set_is_patched_elsewhere() {
        let items = format!("[{}1]", "1,".repeat(20_000));
        let document = Value::from(std::collections::BTreeMap::from([
            (Value::from("a"), set_of("[1, 2]")),
            (Value::from("t"), json(&items)),
            (Value::from("o"), json(r#"{"x": 1}"#)),
        ]));
        let adds = |path: &str| parts_of(&document, &times(&format!(r#"{{"op": "add", "path": "{path}", "value": 1}}"#), 60));
        assert!(adds("/o/y").is_some());
        let many =
            |path: &str| parts_of(&document, &times(&format!(r#"{{"op": "add", "path": "{path}", "value": 1}}"#), 1_000));
        assert_eq!(many("/a/1"), None);
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
            times(r#"{"op": "copy", "from": "/a", "path": "/a/b/0"}"#, 16),
            times(r#"{"op": "move", "from": "/a", "path": "/a/b/0/c/d"}"#, 400),
        ] {
            assert_eq!(parts_of(&document, &operations), None, "{}", operations.get(..100).unwrap_or(&operations));
        }
        let long = json(&format!("[{}1]", "1,".repeat(20_000)));
        assert_eq!(parts_of(&long, &times(r#"{"op": "test", "path": "", "value": 1}"#, 1_000)), None);
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
