//! `regex.globs_match`: whether some string matches both of two globs.
//!
//! A glob here is a small regular expression: characters, `.`, classes, each perhaps with `+` or `*`. OPA's search is greedy
//! and does not find every common string; what it finds is found here, and no more. It also takes exponential time, which
//! this one does not: it remembers what it tried and leaves a pair that is too big to OPA.

mod search;
mod token;

use regorus::Value;

use super::{BuiltinError, Circumstances, OwnBuiltin, operands::string};

pub(super) const OWN: &[OwnBuiltin] = &[OwnBuiltin { name: "regex.globs_match", arity: 2, call: globs_match }];

fn globs_match(operands: &[Value], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    let (left, right) = (token::read(string(operands, 0)?)?, token::read(string(operands, 1)?)?);
    let found = search::have_common_string(&left, &right);
    found.map(Value::from).map_err(|_| circumstances.leave("globs that are too big to be compared"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{called, is_left_to_opa, json};
    use super::*;

    fn meet(left: &str, right: &str) -> Result<Value, BuiltinError> {
        called("regex.globs_match", &[Value::from(left), Value::from(right)])
    }

    #[test]
    fn globs_with_a_common_string_match() {
        for (left, right) in [
            ("a.a.[0-9]+z", ".b.b2359825792*594823z"),
            ("abcd", "[a-d]*"),
            ("foo.*bar", "foobar"),
            ("", ""),
            ("[ab]+c", "[bc]*"),
            (".*\\\\", "x\\\\"),
            ("ab\\*", "ab."),
        ] {
            assert_eq!(meet(left, right), Ok(Value::from(true)), "{left} {right}");
            assert_eq!(meet(right, left), Ok(Value::from(true)), "{right} {left}");
        }
    }

    #[test]
    fn the_first_glob_is_greedier_than_the_second() {
        assert_eq!(meet("[0-9]*.", "[a-z]+"), Ok(Value::from(true)));
        assert_eq!(meet("[a-z]+", "[0-9]*."), Ok(Value::from(false)));
    }

    #[test]
    fn globs_without_one_do_not() {
        for (left, right) in [("[a-d]+", "[e-f]+"), ("ab+", "a"), (".*", ""), (".*mamama", ".*dadada"), ("[0-9]*", "[a-z]")] {
            assert_eq!(meet(left, right), Ok(Value::from(false)), "{left} {right}");
        }
    }

    #[test]
    fn what_is_no_glob_is_refused() {
        for wrong in ["*a", "a**", "]", "[a", "[-a]", "[a-]", "[c-a]", "[a-c-e]", "a\\"] {
            assert!(meet(wrong, "a").is_err(), "{wrong}");
            assert!(meet("a", wrong).is_err(), "{wrong}");
        }
        assert!(called("regex.globs_match", &[json("\"a\""), json("1")]).is_err());
    }

    #[test]
    fn a_hard_pair_is_answered_or_given_up_in_bounded_time() {
        let left = "a*b*".repeat(100) + "c";
        let right = "b*a*".repeat(100) + "d";
        assert_eq!(meet(&left, &right), Ok(Value::from(false)));
        let long = "[a-z]*x".repeat(20_000);
        assert!(is_left_to_opa("regex.globs_match", &[long.as_str().into(), long.as_str().into()]));
        let even: String = (0..20_000).filter_map(|number| char::from_u32(0x1_0000 + 2 * number)).collect();
        let odd: String = (0..20_000).filter_map(|number| char::from_u32(0x1_0001 + 2 * number)).collect();
        assert_eq!(meet(&format!("[{even}]+"), &format!("[{odd}]+")), Ok(Value::from(false)));
        assert_eq!(meet(&format!("[{even}]+"), &format!("[{odd}{}]+", '\u{1_9c3e}')), Ok(Value::from(true)));
    }
}
