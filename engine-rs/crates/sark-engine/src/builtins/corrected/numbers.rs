//! Numbers out of texts, and lists of numbers.

use regorus::{Value, value::Array};

use crate::document::{decimal, is_plain};

use super::super::{
    BuiltinError, Circumstances, OwnBuiltin,
    operands::{none_of, operand, wrong_type},
};

pub(in crate::builtins) const OWN: &[OwnBuiltin] = &[
    OwnBuiltin { name: "format_int", arity: 2, call: format_int },
    OwnBuiltin { name: "numbers.range", arity: 2, call: range },
    OwnBuiltin { name: "numbers.range_step", arity: 3, call: range_step },
    OwnBuiltin { name: "to_number", arity: 1, call: to_number },
];

/// Longest list made here, against lists that fill the memory.
const LONGEST: i128 = 10_000_000;

/// The whole part in one of four bases.
fn format_int(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    let number = |index: usize| match operand(operands, index) {
        Value::Number(number) => Ok(number),
        other => Err(wrong_type(index, "number", other)),
    };
    let (number, base) = (number(0)?, number(1)?);
    let base = base.as_u64().and_then(|base| u32::try_from(base).ok()).filter(|base| matches!(base, 2 | 8 | 10 | 16));
    let base = base.ok_or_else(|| BuiltinError("operand 2 must be one of {2, 8, 10, 16}".into()))?;
    let whole = if number.is_positive() { number.floor() } else { number.ceil() };
    let digits = whole.as_big().map(|whole| whole.to_str_radix(base));
    digits.map(Value::from).ok_or_else(|| BuiltinError("operand 1 is beyond the engine's numbers".into()))
}

fn range(operands: &[Value], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    counted(whole(operands, 0, circumstances)?, whole(operands, 1, circumstances)?, 1)
}

fn range_step(operands: &[Value], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    let step = whole(operands, 2, circumstances)?;
    if step <= 0 {
        return Err(BuiltinError("numbers.range_step: step must be a positive integer".into()));
    }
    counted(whole(operands, 0, circumstances)?, whole(operands, 1, circumstances)?, step)
}

/// A whole number. OPA counts beyond 127 bits too.
fn whole(operands: &[Value], index: usize, circumstances: &Circumstances) -> Result<i128, BuiltinError> {
    match operand(operands, index) {
        Value::Number(number) => number.as_i128().ok_or_else(|| {
            if number.is_integer() {
                return circumstances.leave("a range of numbers of more than 127 bits");
            }
            BuiltinError(format!("operand {} must be integer number but got floating-point number", index + 1))
        }),
        other => Err(wrong_type(index, "number", other)),
    }
}

/// From `first` towards `last`, up or down.
fn counted(first: i128, last: i128, step: i128) -> Result<Value, BuiltinError> {
    let (low, high) = (first.min(last), first.max(last));
    let steps = high.checked_sub(low).map(|width| width / step).filter(|steps| *steps < LONGEST);
    let steps = steps.ok_or_else(|| BuiltinError(format!("the range has more than {LONGEST} numbers")))?;
    let direction = if first <= last { step } else { -step };
    let numbers = (0..=steps).map(|count| Value::from(first + count * direction));
    Ok(numbers.collect::<Array>().into_value())
}

fn to_number(operands: &[Value], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    match operand(operands, 0) {
        Value::Null | Value::Bool(false) => Ok(Value::from(0_u64)),
        Value::Bool(true) => Ok(Value::from(1_u64)),
        number @ Value::Number(_) => Ok(number.clone()),
        Value::String(text) => {
            let number = number_of(text).ok_or_else(|| BuiltinError("invalid syntax".into()))?;
            if !is_plain(text) {
                circumstances.spelled.borrow_mut().note(&number);
            }
            Ok(number)
        }
        other => Err(none_of(0, "null, boolean, number, string", other)),
    }
}

/// A number in decimal notation. As in Go it may start with a plus or with zeros, and need no digit on one side of its point.
fn number_of(text: &str) -> Option<Value> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (integral, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_exponent = |text: &str| {
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        !digits.is_empty() && all_digits(digits)
    };
    let is_number = all_digits(integral) && all_digits(fraction) && !(integral.is_empty() && fraction.is_empty());
    if !is_number || !exponent.is_none_or(is_exponent) || text.parse::<f64>().ok()?.is_infinite() {
        return None;
    }
    let integral = match integral.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    let sign = if text.starts_with('-') { "-" } else { "" };
    let fraction = if fraction.is_empty() { String::new() } else { format!(".{fraction}") };
    let exponent = exponent.map_or_else(String::new, |exponent| format!("e{exponent}"));
    let text = format!("{sign}{integral}{fraction}{exponent}");
    decimal(&text).or_else(|| Value::from_numeric_string(&text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtins::tests::{called, json};

    fn list(name: &str, operands: &str) -> Result<Value, BuiltinError> {
        called(name, &json(operands).as_array().unwrap().iter().cloned().collect::<Vec<_>>())
    }

    #[test]
    fn ranges_go_up_and_down() {
        assert_eq!(list("numbers.range", "[1, 3]"), Ok(json("[1, 2, 3]")));
        assert_eq!(list("numbers.range_step", "[10, 3, 3]"), Ok(json("[10, 7, 4]")));
        assert_eq!(list("numbers.range_step", "[0, 1, 9]"), Ok(json("[0]")));
        for refused in ["[1, 2, 0]", "[1, 2, -1]", "[1, 2, 1.5]", "[0, 100000000000, 1]"] {
            assert!(list("numbers.range_step", refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_text_becomes_a_number_if_it_is_one() {
        for (text, number) in
            [("1", "1"), ("-1.5", "-1.5"), ("1e2", "100"), ("007", "7"), (".5", "0.5"), ("2.", "2"), ("+3", "3")]
        {
            assert_eq!(called("to_number", &[text.into()]), Ok(json(number)), "{text}");
        }
        for text in ["", " 1", "1 ", "x", "inf", "NaN", "1e", "1e400", "--1", ".", "0x10"] {
            assert!(called("to_number", &[text.into()]).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_whole_part_is_written_in_a_base() {
        for (operands, text) in [
            ("[-0.5, 8]", "0"),
            ("[-0.5, 10]", "0"),
            ("[-15.9, 16]", "-f"),
            ("[15.9, 2]", "1111"),
            ("[-9223372036854775808, 8]", "-1000000000000000000000"),
            ("[18446744073709551615, 16]", "ffffffffffffffff"),
            ("[-7, 10]", "-7"),
        ] {
            assert_eq!(list("format_int", operands), Ok(text.into()), "{operands}");
        }
        for refused in ["[1, 3]", "[1, -2]", "[1, 8.5]", "[1, \"8\"]", "[\"1\", 8]"] {
            assert!(list("format_int", refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn null_and_booleans_are_numbers_too() {
        assert_eq!(called("to_number", &[Value::Null]), Ok(json("0")));
        assert_eq!(called("to_number", &[Value::from(true)]), Ok(json("1")));
        assert!(called("to_number", &[json("[]")]).is_err());
    }
}
