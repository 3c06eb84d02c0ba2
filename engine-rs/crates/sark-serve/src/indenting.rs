//! JSON indented by two spaces, byte for byte as Go's encoder does, every number and string as it was written.

/// Longest text that is made of one, in bytes: spaces multiply by the depth. Four times the engine's longest answer.
const MOST_BYTES: usize = 256 << 20;

/// `json` indented; None when that would be too long. It must be JSON: nothing is checked.
pub(crate) fn indented(json: &[u8]) -> Option<Vec<u8>> {
    indented_within(json, MOST_BYTES)
}

fn indented_within(json: &[u8], most: usize) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut bytes = json.trim_ascii().iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if out.len() > most {
            return None;
        }
        match byte {
            b'"' => string(&mut out, &mut bytes),
            b'{' | b'[' => {
                out.push(byte);
                while bytes.next_if(u8::is_ascii_whitespace).is_some() {}
                if let Some(end) = bytes.next_if(|next| matches!(next, b'}' | b']')) {
                    out.push(end);
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(byte);
            }
            b',' => {
                out.push(byte);
                line(&mut out, depth);
            }
            b':' => out.extend_from_slice(b": "),
            space if space.is_ascii_whitespace() => {}
            other => out.push(other),
        }
    }
    out.push(b'\n');
    Some(out)
}

/// The rest of a string whose opening quote was taken.
fn string(out: &mut Vec<u8>, bytes: &mut impl Iterator<Item = u8>) {
    out.push(b'"');
    while let Some(byte) = bytes.next() {
        out.push(byte);
        match byte {
            b'"' => return,
            b'\\' => out.extend(bytes.next()),
            _ => {}
        }
    }
}

fn line(out: &mut Vec<u8>, depth: usize) {
    out.push(b'\n');
    for _ in 0..depth {
        out.extend_from_slice(b"  ");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn it_looks_as_go_writes_it() {
        let text = "{\"a\":[1,{\"b\":\"x{,:]\\\"\"}],\"c\":{},\"d\":[ ]}\n";
        let expected = "{\n  \"a\": [\n    1,\n    {\n      \"b\": \"x{,:]\\\"\"\n    }\n  ],\n  \"c\": {},\n  \"d\": []\n}\n";
        assert_eq!(String::from_utf8(indented(text.as_bytes()).unwrap()).unwrap(), expected);
        assert_eq!(indented(b"12345678901234567890.10\n").as_deref(), Some(b"12345678901234567890.10\n".as_slice()));
    }

    #[test]
    fn what_would_become_too_long_is_not_indented() {
        let deep = ["[".repeat(400), "]".repeat(400)].concat();
        let deep = format!("[{}{deep}]", format!("{deep},").repeat(10));
        assert!(indented(deep.as_bytes()).is_some_and(|text| text.len() > 1_000_000));
        assert_eq!(indented_within(deep.as_bytes(), 1_000_000), None);
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map(any::<String>(), inner, 0..4)
                    .prop_map(|members| members.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_value_stays_and_the_look_is_that_of_a_known_writer(value in json()) {
            let mut expected = serde_json::to_vec_pretty(&value).unwrap();
            expected.push(b'\n');
            prop_assert_eq!(indented(&serde_json::to_vec(&value).unwrap()), Some(expected));
        }
    }
}
