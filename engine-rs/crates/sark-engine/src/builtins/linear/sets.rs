//! Union and intersection of a set of sets.

use regorus::{Value, value::Set};

use super::super::{
    BuiltinError, Circumstances, OwnBuiltin,
    operands::{set, wrong_type},
};

pub(super) const OWN: &[OwnBuiltin] =
    &[OwnBuiltin { name: "intersection", arity: 1, call: intersection }, OwnBuiltin { name: "union", arity: 1, call: union }];

fn union(operands: &[Value], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    let mut all = Set::new();
    for set in sets(operands)? {
        for item in set {
            circumstances.work(1)?;
            if !all.contains(item) {
                all.insert(item.clone());
            }
        }
    }
    Ok(all.into_value())
}

/// The smallest set, of which each other one takes away what it has not. Of no sets there is nothing.
fn intersection(operands: &[Value], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    let mut sets = sets(operands)?;
    sets.sort_by_key(|set| set.len());
    let mut sets = sets.into_iter();
    let mut common: Vec<&Value> = sets.next().map(|set| set.iter().collect()).unwrap_or_default();
    for set in sets {
        circumstances.work(common.len())?;
        common.retain(|item| set.contains(item));
    }
    Ok(common.into_iter().cloned().collect::<Set>().into_value())
}

fn sets(operands: &[Value]) -> Result<Vec<&Set>, BuiltinError> {
    set(operands, 0)?.iter().map(inner).collect()
}

fn inner(item: &Value) -> Result<&Set, BuiltinError> {
    match item {
        Value::Set(items) => Ok(items),
        other => Err(wrong_type(0, "set of sets", other)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{called, json, set_of};
    use super::*;

    fn sets_of(texts: &[&str]) -> Value {
        texts.iter().map(|text| set_of(text)).collect::<Set>().into_value()
    }

    #[test]
    fn a_union_has_what_one_has_and_an_intersection_what_all_have() {
        for (sets, union, intersection) in [
            (&["[1, 2]", "[2, 3]", "[2, \"a\"]"][..], "[1, 2, 3, \"a\"]", "[2]"),
            (&["[1]", "[]"], "[1]", "[]"),
            (&["[[1], {\"a\": 2}]"], "[[1], {\"a\": 2}]", "[[1], {\"a\": 2}]"),
            (&[], "[]", "[]"),
        ] {
            assert_eq!(called("union", &[sets_of(sets)]), Ok(set_of(union)), "{sets:?}");
            assert_eq!(called("intersection", &[sets_of(sets)]), Ok(set_of(intersection)), "{sets:?}");
        }
    }

    #[test]
    fn what_is_no_set_of_sets_has_no_answer() {
        for name in ["union", "intersection"] {
            assert!(called(name, &[json("[]")]).is_err());
            assert!(called(name, &[set_of("[[1]]")]).is_err());
        }
    }
}
