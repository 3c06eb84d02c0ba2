//! Taking characters away from the ends of a text.

use regorus::Value;

use super::super::{BuiltinError, OwnBuiltin, operands::string};

pub(super) const OWN: &[OwnBuiltin] = &[
    OwnBuiltin { name: "trim", arity: 2, call: |operands, _| trimmed(operands, Ends { left: true, right: true }) },
    OwnBuiltin { name: "trim_left", arity: 2, call: |operands, _| trimmed(operands, Ends { left: true, right: false }) },
    OwnBuiltin { name: "trim_right", arity: 2, call: |operands, _| trimmed(operands, Ends { left: false, right: true }) },
];

#[derive(Clone, Copy)]
struct Ends {
    left: bool,
    right: bool,
}

/// The first operand without characters of the second at these ends.
fn trimmed(operands: &[Value], ends: Ends) -> Result<Value, BuiltinError> {
    let (mut text, characters) = (string(operands, 0)?, string(operands, 1)?);
    let mut sorted: Vec<char> = characters.chars().collect();
    sorted.sort_unstable();
    let is_taken = |character: char| sorted.binary_search(&character).is_ok();
    if ends.left {
        text = text.trim_start_matches(is_taken);
    }
    if ends.right {
        text = text.trim_end_matches(is_taken);
    }
    Ok(Value::from(text))
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{called, json};

    #[test]
    fn characters_are_taken_from_the_ends_that_are_named() {
        for (text, characters, both, left, right) in [
            ("¡¡¡Hello¡!", "!¡", "Hello", "Hello¡!", "¡¡¡Hello"),
            ("aba", "ab", "", "", ""),
            ("abc", "", "abc", "abc", "abc"),
            ("", "a", "", "", ""),
            ("xay", "a", "xay", "xay", "xay"),
        ] {
            for (name, expected) in [("trim", both), ("trim_left", left), ("trim_right", right)] {
                assert_eq!(called(name, &[text.into(), characters.into()]), Ok(expected.into()), "{name} {text}");
            }
        }
        assert!(called("trim", &[json("1"), "a".into()]).is_err());
    }
}
