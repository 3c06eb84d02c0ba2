//! Parts of objects.

use std::collections::BTreeMap;

use regorus::{
    Value,
    value::{Array, Object, Set},
};

use super::super::{
    BuiltinError, Circumstances, OwnBuiltin,
    operands::{object, operand, wrong_type},
};

pub(in crate::builtins) const OWN: &[OwnBuiltin] = &[
    OwnBuiltin { name: "json.filter", arity: 2, call: filter },
    OwnBuiltin { name: "json.remove", arity: 2, call: remove },
    OwnBuiltin { name: "object.subset", arity: 2, call: subset },
];

fn subset(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    let (whole, part) = (operand(operands, 0), operand(operands, 1));
    let is_subset = match (whole, part) {
        (Value::Array(whole), Value::Set(part)) => {
            // OPA counts the items of the array that are in the set, those twice there too. An empty set is found at the first.
            !whole.is_empty() && whole.iter().filter(|item| part.contains(item)).count() >= part.len()
        }
        (Value::Object(_), Value::Object(_)) | (Value::Set(_), Value::Set(_)) | (Value::Array(_), Value::Array(_)) => {
            is_part(whole, part)
        }
        _ => return Err(BuiltinError("both arguments object.subset must be of the same type or array and set".into())),
    };
    Ok(Value::from(is_subset))
}

fn is_part(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(key, value)| whole.get(key).is_some_and(|other| is_part(other, value)))
        }
        (Value::Set(whole), Value::Set(part)) => part.iter().all(|item| whole.contains(item)),
        (Value::Array(whole), Value::Array(part)) => is_run(whole, part),
        _ => whole == part,
    }
}

/// Whether `part` stands in `whole` as a run.
fn is_run(whole: &Array, part: &Array) -> bool {
    let (whole, part): (Vec<_>, Vec<_>) = (whole.iter().collect(), part.iter().collect());
    part.is_empty() || whole.windows(part.len()).any(|window| window == part)
}

/// What paths lead to, as a tree; None ends a path, and whatever goes on below it.
#[derive(Debug, Default)]
struct Tree(BTreeMap<Value, Option<Tree>>);

impl Tree {
    fn of(paths: &Value) -> Result<Self, BuiltinError> {
        let paths: Vec<&Value> = match paths {
            Value::Array(paths) => paths.iter().collect(),
            Value::Set(paths) => paths.iter().collect(),
            other => return Err(wrong_type(1, "one of {set, array}", other)),
        };
        let paths: Result<Vec<_>, _> = paths.into_iter().map(segments).collect();
        let mut tree = Self::default();
        paths?.iter().for_each(|path| tree.insert(path));
        Ok(tree)
    }

    fn insert(&mut self, path: &[Value]) {
        match path {
            [] => {}
            [last] => {
                self.0.insert(last.clone(), None);
            }
            [first, rest @ ..] => {
                if let Some(below) = self.0.entry(first.clone()).or_insert_with(|| Some(Self::default())) {
                    below.insert(rest);
                }
            }
        }
    }

    fn at(&self, key: &Value) -> Option<&Option<Self>> {
        self.0.get(key)
    }
}

fn segments(path: &Value) -> Result<Vec<Value>, BuiltinError> {
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

fn filter(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    object(operands, 0)?;
    Ok(filtered(operand(operands, 0), &Tree::of(operand(operands, 1))?))
}

fn filtered(value: &Value, tree: &Tree) -> Value {
    let kept = |value: &Value, key: &Value| {
        tree.at(key).map(|below| below.as_ref().map_or_else(|| value.clone(), |below| filtered(value, below)))
    };
    match value {
        Value::Object(fields) => {
            fields.iter().filter_map(|(key, value)| Some((key.clone(), kept(value, key)?))).collect::<Object>().into_value()
        }
        Value::Array(items) => {
            items.iter().enumerate().filter_map(|(place, item)| kept(item, &index(place))).collect::<Array>().into_value()
        }
        Value::Set(items) => items.iter().filter_map(|item| kept(item, item)).collect::<Set>().into_value(),
        scalar => scalar.clone(),
    }
}

fn remove(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    object(operands, 0)?;
    Ok(without(operand(operands, 0), &Tree::of(operand(operands, 1))?))
}

fn without(value: &Value, tree: &Tree) -> Value {
    let left = |value: &Value, key: &Value| match tree.at(key) {
        None => Some(value.clone()),
        Some(None) => None,
        Some(Some(below)) => Some(without(value, below)),
    };
    match value {
        Value::Object(fields) => {
            fields.iter().filter_map(|(key, value)| Some((key.clone(), left(value, key)?))).collect::<Object>().into_value()
        }
        Value::Array(items) => {
            items.iter().enumerate().filter_map(|(place, item)| left(item, &index(place))).collect::<Array>().into_value()
        }
        Value::Set(items) => items.iter().filter_map(|item| left(item, item)).collect::<Set>().into_value(),
        scalar => scalar.clone(),
    }
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
}
