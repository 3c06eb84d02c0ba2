//! `object.union_n`: objects one over the other.

use regorus::Value;

use super::super::{
    BuiltinError, Circumstances, OwnBuiltin,
    operands::{array, wrong_type},
};

pub(super) const OWN: &[OwnBuiltin] = &[OwnBuiltin { name: "object.union_n", arity: 1, call: union_n }];

fn union_n(operands: &[Value], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    let objects = array(operands, 0)?;
    if let Some(other) = objects.iter().find(|item| !matches!(item, Value::Object(_))) {
        return Err(wrong_type(0, "array of objects", other));
    }
    let mut whole = Value::new_object();
    objects.iter().try_for_each(|object| lay_over(&mut whole, object, circumstances))?;
    Ok(whole)
}

/// Fields that are objects in both are laid over each other, all others are taken from `upper`. An object that came from an operand
/// is copied when the first one is laid over it.
fn lay_over(lower: &mut Value, upper: &Value, circumstances: &Circumstances) -> Result<(), BuiltinError> {
    circumstances.work(1)?;
    if !matches!((&*lower, upper), (Value::Object(_), Value::Object(_))) {
        *lower = upper.clone();
        return Ok(());
    }
    let (Ok(fields), Value::Object(over)) = (lower.as_object_mut(), upper) else {
        return Ok(());
    };
    over.iter().try_for_each(|(key, value)| {
        if let Some(known) = fields.get_mut(key) {
            return lay_over(known, value, circumstances);
        }
        circumstances.work(1)?;
        fields.insert(key.clone(), value.clone());
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{called, json};

    #[test]
    fn later_objects_are_laid_over_earlier_ones() {
        for (objects, union) in [
            ("[]", "{}"),
            (r#"[{"a": 1}]"#, r#"{"a": 1}"#),
            (r#"[{"a": 1}, {"b": 2}, {"a": 3}]"#, r#"{"a": 3, "b": 2}"#),
            (r#"[{"a": {"b": {"c": 1}}}, {"a": {"b": {"d": 2}, "e": 3}}]"#, r#"{"a": {"b": {"c": 1, "d": 2}, "e": 3}}"#),
            (r#"[{"a": {"b": 2}}, {"a": 4}, {"a": {"c": 3}}]"#, r#"{"a": {"c": 3}}"#),
            (r#"[{"a": {"b": 2}}, {"a": [1]}]"#, r#"{"a": [1]}"#),
        ] {
            assert_eq!(called("object.union_n", &[json(objects)]), Ok(json(union)), "{objects}");
        }
        assert!(called("object.union_n", &[json("[{}, 1]")]).is_err());
        assert!(called("object.union_n", &[json("{}")]).is_err());
    }

    #[test]
    fn what_is_laid_over_stays_as_it_is() {
        let objects = json(r#"[{"a": {"b": 1}}, {"a": {"c": 2}}]"#);
        let kept = objects.clone();
        assert!(called("object.union_n", std::slice::from_ref(&objects)).is_ok());
        assert_eq!(objects, kept);
    }
}
