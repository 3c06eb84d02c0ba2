//! Finding a part of a value by OPA's rules.

use regorus::{
    Value,
    value::{Object, Set},
};

/// Most elements that are looked through one by one. Texts of different lengths differ at a glance, while a search by halves has to
/// know which of two comes first.
const FEW: usize = 8;

/// The element of `collection` at `key`: an index of an array, a key of an object, a member of a set.
pub(crate) fn element<'v>(collection: &'v Value, key: &Value) -> Option<&'v Value> {
    match collection {
        Value::Object(fields) => member(fields, key),
        Value::Array(items) => {
            let Value::Number(index) = key else {
                return None;
            };
            items.get(usize::try_from(index.as_u64()?).ok()?)
        }
        Value::Set(items) => element_of_set(items, key),
        _ => None,
    }
}

/// The value under `key`.
fn member<'v>(fields: &'v Object, key: &Value) -> Option<&'v Value> {
    match key {
        Value::String(name) if fields.len() <= FEW => {
            fields.iter().find(|(known, _)| is_text(known, name)).map(|(_, value)| value)
        }
        _ => fields.get(key),
    }
}

/// The element equal to `key`.
pub(crate) fn element_of_set<'v>(items: &'v Set, key: &Value) -> Option<&'v Value> {
    match key {
        Value::String(text) if items.len() <= FEW => items.iter().find(|known| is_text(known, text)),
        _ => items.get(key),
    }
}

fn is_text(value: &Value, text: &str) -> bool {
    matches!(value, Value::String(known) if **known == *text)
}

/// The part that `path` leads to.
pub(crate) fn descend<'v>(mut value: &'v Value, path: &[Value]) -> Option<&'v Value> {
    for key in path {
        value = element(value, key)?;
    }
    Some(value)
}

/// Whether OPA, which looks for `key` in base data by its text, may find what [`base_element`] does not.
pub(crate) fn is_found_by_text(collection: &Value, key: &Value) -> bool {
    match (collection, key) {
        (Value::Array(_), Value::String(text)) => text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-')),
        (Value::Object(_), Value::Number(number)) => !number.is_integer(),
        _ => false,
    }
}

/// Whether `collection` is an object with a member called by the number `key` or by its text: in base data OPA means the text, in
/// what rules give the number.
pub(crate) fn is_named_by_number(collection: &Value, key: &Value) -> bool {
    match (collection, key) {
        (Value::Object(_), Value::Number(_)) => base_element(collection, key).is_some(),
        _ => false,
    }
}

/// As [`element`], for base data: its keys are texts, so a whole number finds the key that is spelled like it.
pub(crate) fn base_element<'v>(collection: &'v Value, key: &Value) -> Option<&'v Value> {
    if let (Value::Object(fields), Value::Number(number)) = (collection, key)
        && number.is_integer()
    {
        return fields.get(key).or_else(|| fields.get(&Value::from(key.to_string())));
    }
    element(collection, key)
}

/// A key of base data that OPA may find by its text.
#[derive(Debug)]
pub(crate) struct ByText;

impl ByText {
    pub(crate) const REASON: &str = "a key into base data that is not of its kind";
}

/// The part of base data that `path` leads to.
pub(crate) fn descend_base<'v>(base: Option<&'v Value>, path: &[Value]) -> Result<Option<&'v Value>, ByText> {
    path.iter().try_fold(base, |at, key| match at {
        Some(found) if is_found_by_text(found, key) => Err(ByText),
        found => Ok(found.and_then(|found| base_element(found, key))),
    })
}

/// Whether two objects put together have something that `other` alone has not.
pub(crate) fn adds(base: &Value, other: &Value) -> bool {
    let (Value::Object(base), Value::Object(other)) = (base, other) else {
        return false;
    };
    base.iter().any(|(key, value)| other.get(key).is_none_or(|known| adds(value, known)))
}

/// `value` with `leaf` at `path`; objects are made on the way, and what is no object gives way to one. The fields of the objects that
/// were there are added to `copied`.
pub(crate) fn with_part(value: Value, path: &[Value], leaf: Value, copied: &mut usize) -> Value {
    let Some((key, rest)) = path.split_first() else {
        return leaf;
    };
    let mut fields = match value {
        Value::Object(fields) => fields,
        _ => match Value::new_object() {
            Value::Object(fields) => fields,
            other => return other,
        },
    };
    let before = fields.get(key).cloned().unwrap_or(Value::Undefined);
    *copied += fields.len();
    let part = with_part(before, rest, leaf, copied);
    let owned = regorus::Rc::make_mut(&mut fields);
    owned.insert(key.clone(), part);
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    fn key() -> impl Strategy<Value = Value> {
        prop_oneof![
            4 => "[ab1]{0,2}".prop_map(Value::from),
            1 => (0_u64..3).prop_map(Value::from),
            1 => any::<bool>().prop_map(Value::from),
            1 => Just(Value::Null),
        ]
    }

    proptest! {
        #[test]
        fn an_element_is_found_however_many_there_are(
            fields in prop::collection::btree_map(key(), 0_u64..9, 0..2 * FEW),
            sought in key(),
        ) {
            let numbered: BTreeMap<Value, Value> = fields.into_iter().map(|(key, number)| (key, Value::from(number))).collect();
            let keys: BTreeSet<Value> = numbered.keys().cloned().collect();
            // One that is read and one that is kept are made differently.
            let read = Value::Object(regorus::Rc::new(Object::from(numbered.clone())));
            for object in [read, Value::from(numbered.clone())] {
                prop_assert_eq!(element(&object, &sought), numbered.get(&sought));
            }
            let set = Value::from(keys.clone());
            prop_assert_eq!(element(&set, &sought), keys.get(&sought));
        }
    }
}
