//! Finding a part of a value by OPA's rules.

use regorus::Value;

/// The element of `collection` at `key`: an index of an array, a key of an object, a member of a set.
pub(crate) fn element<'v>(collection: &'v Value, key: &Value) -> Option<&'v Value> {
    match collection {
        Value::Object(fields) => fields.get(key),
        Value::Array(items) => {
            let Value::Number(index) = key else {
                return None;
            };
            items.get(usize::try_from(index.as_u64()?).ok()?)
        }
        Value::Set(items) => items.get(key),
        _ => None,
    }
}

/// The part that `path` leads to.
pub(crate) fn descend<'v>(mut value: &'v Value, path: &[Value]) -> Option<&'v Value> {
    for key in path {
        value = element(value, key)?;
    }
    Some(value)
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

/// `value` with `leaf` at `path`; objects are made on the way, and what is no object gives way to one.
pub(crate) fn with_part(value: Value, path: &[Value], leaf: Value) -> Value {
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
    let part = with_part(before, rest, leaf);
    let owned = regorus::Rc::make_mut(&mut fields);
    owned.insert(key.clone(), part);
    Value::Object(fields)
}
