//! Parts of objects.

use regorus::{
    Value,
    value::{Array, Object, Set},
};

use super::super::{
    BuiltinError, Circumstances, OwnBuiltin,
    operands::{object, operand, wrong_type},
};
use super::runs::runs;

pub(in crate::builtins) const OWN: &[OwnBuiltin] = &[
    OwnBuiltin { name: "json.filter", arity: 2, call: filter },
    OwnBuiltin { name: "json.remove", arity: 2, call: remove },
    OwnBuiltin { name: "object.subset", arity: 2, call: subset },
];

fn subset(operands: &[Value], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    let (whole, part) = (operand(operands, 0), operand(operands, 1));
    let is_subset = match (whole, part) {
        (Value::Array(whole), Value::Set(part)) => {
            // OPA counts the items of the array that are in the set, those twice there too. An empty set is found at the first.
            circumstances.work(whole.len())?;
            !whole.is_empty() && whole.iter().filter(|item| part.contains(item)).count() >= part.len()
        }
        (Value::Object(_), Value::Object(_)) | (Value::Set(_), Value::Set(_)) | (Value::Array(_), Value::Array(_)) => {
            is_part(whole, part, circumstances)?
        }
        _ => return Err(BuiltinError("both arguments object.subset must be of the same type or array and set".into())),
    };
    Ok(Value::from(is_subset))
}

fn is_part(whole: &Value, part: &Value, circumstances: &Circumstances) -> Result<bool, BuiltinError> {
    circumstances.work(1)?;
    Ok(match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            for (key, value) in part.iter() {
                let is_there = match whole.get(key) {
                    Some(other) => is_part(other, value, circumstances)?,
                    None => false,
                };
                if !is_there {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Set(whole), Value::Set(part)) => part.iter().all(|item| whole.contains(item)),
        (Value::Array(whole), Value::Array(part)) => {
            part.is_empty() || !runs(whole.as_slice(), part.as_slice(), circumstances)?.is_empty()
        }
        _ => whole == part,
    })
}

/// Paths in order, so that those that begin alike stand together.
struct Paths(Vec<Vec<Value>>);

/// Those of them that begin with the same so many segments.
#[derive(Clone, Copy)]
struct Below<'p> {
    paths: &'p [Vec<Value>],
    depth: usize,
}

impl Paths {
    fn of(paths: &Value) -> Result<Self, BuiltinError> {
        let paths: Vec<&Value> = match paths {
            Value::Array(paths) => paths.iter().collect(),
            Value::Set(paths) => paths.iter().collect(),
            other => return Err(wrong_type(1, "one of {set, array}", other)),
        };
        let mut paths = paths.into_iter().map(segments).collect::<Result<Vec<_>, _>>()?;
        paths.retain(|path| !path.is_empty());
        paths.sort_unstable();
        Ok(Self(paths))
    }

    fn all(&self) -> Below<'_> {
        Below { paths: &self.0, depth: 0 }
    }
}

impl Below<'_> {
    /// The paths that go on with `key`, if any do.
    fn at(self, key: &Value) -> Option<Self> {
        let is_before = |path: &Vec<Value>| path.get(self.depth).is_none_or(|segment| segment < key);
        let from = self.paths.partition_point(is_before);
        let paths = self.paths.get(from..)?;
        let paths = paths.get(..paths.partition_point(|path| path.get(self.depth) == Some(key)))?;
        (!paths.is_empty()).then_some(Self { paths, depth: self.depth + 1 })
    }

    /// Whether one ends here, and with it whatever goes on below. The shortest stands first.
    fn is_end(self) -> bool {
        self.paths.first().is_some_and(|path| path.len() == self.depth)
    }
}

/// The segments of a path to a part of a document: a JSON pointer, with or without the slash in front, or an array of them.
pub(in crate::builtins) fn segments(path: &Value) -> Result<Vec<Value>, BuiltinError> {
    match path {
        Value::String(text) if text.is_empty() => Ok(Vec::new()),
        Value::String(text) => {
            let parts = text.trim_start_matches('/').split('/');
            Ok(parts.map(|part| Value::from(part.replace("~1", "/").replace("~0", "~"))).collect())
        }
        Value::Array(items) => Ok(items.iter().cloned().collect()),
        _ => {
            Err(BuiltinError("operand 2 must be one of {set, array} containing string paths or array of path segments".into()))
        }
    }
}

fn index(place: usize) -> Value {
    Value::from(place.to_string())
}

fn filter(operands: &[Value], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    object(operands, 0)?;
    filtered(operand(operands, 0), Paths::of(operand(operands, 1))?.all(), circumstances)
}

/// What `paths` lead to.
fn filtered(value: &Value, paths: Below<'_>, circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    parts(value, circumstances, |part, key| match paths.at(key) {
        None => Ok(None),
        Some(below) if below.is_end() => Ok(Some(part.clone())),
        Some(below) => filtered(part, below, circumstances).map(Some),
    })
}

fn remove(operands: &[Value], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    object(operands, 0)?;
    without(operand(operands, 0), Paths::of(operand(operands, 1))?.all(), circumstances)
}

/// All but what `paths` lead to.
fn without(value: &Value, paths: Below<'_>, circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    parts(value, circumstances, |part, key| match paths.at(key) {
        None => Ok(Some(part.clone())),
        Some(below) if below.is_end() => Ok(None),
        Some(below) => without(part, below, circumstances).map(Some),
    })
}

/// `value` with the parts that `left` leaves, each of them known by its key; a scalar has none and stays.
fn parts(
    value: &Value,
    circumstances: &Circumstances,
    left: impl Fn(&Value, &Value) -> Result<Option<Value>, BuiltinError>,
) -> Result<Value, BuiltinError> {
    let left = |part: &Value, key: &Value| {
        circumstances.work(1)?;
        left(part, key)
    };
    Ok(match value {
        Value::Object(fields) => {
            let kept =
                fields.iter().filter_map(|(key, part)| Some(left(part, key).transpose()?.map(|part| (key.clone(), part))));
            kept.collect::<Result<Object, _>>()?.into_value()
        }
        Value::Array(items) => {
            let kept = items.iter().enumerate().filter_map(|(place, item)| left(item, &index(place)).transpose());
            kept.collect::<Result<Array, _>>()?.into_value()
        }
        Value::Set(items) => {
            items.iter().filter_map(|item| left(item, item).transpose()).collect::<Result<Set, _>>()?.into_value()
        }
        scalar => scalar.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtins::tests::{called, json, set_of};

    #[test]
    fn a_subset_is_found_at_every_depth() {
        let is_subset = |whole: &str, part: &str| called("object.subset", &[json(whole), json(part)]);
        assert_eq!(is_subset(r#"{"a": {"b": [1, 2, 3]}}"#, r#"{"a": {"b": [2, 3]}}"#), Ok(Value::from(true)));
        assert_eq!(is_subset(r#"{"a": 1}"#, r#"{"a": 2}"#), Ok(Value::from(false)));
        assert_eq!(is_subset("[1, 2]", "[2, 1]"), Ok(Value::from(false)));
        for (whole, part, expected) in [
            ("[1, 2]", "[2]", true),
            (r#"["a", "a"]"#, r#"["a", "b"]"#, true),
            (r#"["a", "c"]"#, r#"["a", "b"]"#, false),
            ("[1]", "[]", true),
            ("[]", "[]", false),
        ] {
            assert_eq!(called("object.subset", &[json(whole), set_of(part)]), Ok(Value::from(expected)), "{whole} {part}");
        }
    }

    #[test]
    fn operands_of_two_types_have_no_answer() {
        assert!(called("object.subset", &[json("[1]"), json("1")]).is_err());
        assert!(called("object.subset", &[set_of("[1]"), json("[1]")]).is_err());
    }

    #[test]
    fn a_path_through_a_scalar_keeps_the_scalar() {
        let document = json(r#"{"a": 1, "b": {"c": [5, 6]}}"#);
        assert_eq!(
            called("json.filter", &[document.clone(), json(r#"["a/x", "b/c/1"]"#)]),
            Ok(json(r#"{"a": 1, "b": {"c": [6]}}"#))
        );
        assert_eq!(
            called("json.remove", &[document.clone(), json(r#"["a/x", "b/c/0"]"#)]),
            Ok(json(r#"{"a": 1, "b": {"c": [6]}}"#))
        );
        assert_eq!(called("json.remove", &[document, json(r#"[["b", "c"], "a"]"#)]), Ok(json(r#"{"b": {}}"#)));
    }

    #[test]
    fn a_path_that_ends_takes_in_those_that_go_on() {
        let document = json(r#"{"a": {"b": {"c": 1, "d": 2}, "e": 3}, "f": [[1, 2], [3]], "": 4}"#);
        for (paths, filtered, removed) in [
            (r#"["a/b/c", "a/b"]"#, r#"{"a": {"b": {"c": 1, "d": 2}}}"#, r#"{"a": {"e": 3}, "f": [[1, 2], [3]], "": 4}"#),
            (r#"["a/b", "a/b/c"]"#, r#"{"a": {"b": {"c": 1, "d": 2}}}"#, r#"{"a": {"e": 3}, "f": [[1, 2], [3]], "": 4}"#),
            (
                r#"["a/b/c", "a/e", "f/0/1", "f/1"]"#,
                r#"{"a": {"b": {"c": 1}, "e": 3}, "f": [[2], [3]]}"#,
                r#"{"a": {"b": {"d": 2}}, "f": [[1]], "": 4}"#,
            ),
            (r#"["", []]"#, "{}", r#"{"a": {"b": {"c": 1, "d": 2}, "e": 3}, "f": [[1, 2], [3]], "": 4}"#),
            (r#"["/"]"#, r#"{"": 4}"#, r#"{"a": {"b": {"c": 1, "d": 2}, "e": 3}, "f": [[1, 2], [3]]}"#),
            (
                r#"[["f", 0], ["a", "b", "c", "x"]]"#,
                r#"{"a": {"b": {"c": 1}}, "f": []}"#,
                r#"{"a": {"b": {"c": 1, "d": 2}, "e": 3}, "f": [[1, 2], [3]], "": 4}"#,
            ),
        ] {
            assert_eq!(called("json.filter", &[document.clone(), json(paths)]), Ok(json(filtered)), "{paths}");
            assert_eq!(called("json.remove", &[document.clone(), json(paths)]), Ok(json(removed)), "{paths}");
        }
    }
}
