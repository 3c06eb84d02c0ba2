//! `graph.reachable`: the nodes that edges lead to.

use std::collections::BTreeSet;

use regorus::{Value, value::Set};

use super::super::{
    BuiltinError, Circumstances, OwnBuiltin,
    operands::{none_of, object, operand},
};

pub(super) const OWN: &[OwnBuiltin] = &[OwnBuiltin { name: "graph.reachable", arity: 2, call: reachable }];

fn reachable(operands: &[Value], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    let graph = object(operands, 0)?;
    let initial = operand(operands, 1);
    let mut seen: BTreeSet<&Value> = nodes(initial).ok_or_else(|| none_of(1, "array, set", initial))?.collect();
    let mut waiting: Vec<&Value> = seen.iter().copied().collect();
    let mut reached = Set::new();
    while let Some(node) = waiting.pop() {
        // What is no node of the graph is not reached.
        let Some(edges) = graph.get(node) else {
            continue;
        };
        for neighbour in nodes(edges).into_iter().flatten() {
            circumstances.work(1)?;
            if seen.insert(neighbour) {
                waiting.push(neighbour);
            }
        }
        reached.insert(node.clone());
    }
    Ok(reached.into_value())
}

/// The elements of an array or a set.
fn nodes(value: &Value) -> Option<Box<dyn Iterator<Item = &Value> + '_>> {
    match value {
        Value::Array(items) => Some(Box::new(items.iter())),
        Value::Set(items) => Some(Box::new(items.iter())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{called, json, set_of};

    #[test]
    fn nodes_are_reached_along_edges() {
        let graph = json(r#"{"a": ["b"], "b": ["c", "x"], "c": ["a"], "d": null, "e": "a", "f": []}"#);
        for (initial, reached) in [
            (r#"["a"]"#, r#"["a", "b", "c"]"#),
            (r#"["c", "a", "a"]"#, r#"["a", "b", "c"]"#),
            (r#"["d", "e"]"#, r#"["d", "e"]"#),
            (r#"["x"]"#, "[]"),
            ("[]", "[]"),
        ] {
            assert_eq!(called("graph.reachable", &[graph.clone(), json(initial)]), Ok(set_of(reached)), "{initial}");
            assert_eq!(called("graph.reachable", &[graph.clone(), set_of(initial)]), Ok(set_of(reached)), "{initial}");
        }
        assert!(called("graph.reachable", &[graph, json("\"a\"")]).is_err());
        assert!(called("graph.reachable", &[json("[]"), json("[]")]).is_err());
    }
}
