//! `sprintf`, which in OPA is Go's: messages of policies are compared, stored and shown, so every character counts.

mod float;
mod quote;
mod verbs;

use regorus::Value;

use self::verbs::{Layout, Operand, Unsupported, shown};
use super::super::{
    BuiltinError, Circumstances, OwnBuiltin,
    bounds::MAX_TEXT_BYTES,
    operands::{array, string},
};

pub(in crate::builtins) const OWN: &[OwnBuiltin] = &[OwnBuiltin { name: "sprintf", arity: 2, call: sprintf }];

/// Go's own limit of widths, precisions and indexes.
const LARGEST: usize = 1_000_000;

fn sprintf(operands: &[Value], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    let too_long = || circumstances.leave("sprintf would make more than the engine allows");
    let mut left = MAX_TEXT_BYTES;
    let operands_of_verbs: Option<Vec<Operand>> =
        array(operands, 1)?.iter().map(|value| operand_of(value, &mut left)).collect();
    let operands_of_verbs = operands_of_verbs.ok_or_else(too_long)?;
    let mut printer = Printer::new(string(operands, 0)?, &operands_of_verbs);
    match printer.print() {
        Ok(()) => Ok(Value::from(printer.text)),
        Err(Stopped::TooLong) => Err(too_long()),
        Err(Stopped::Unsupported) => Err(circumstances.leave("sprintf: the verb is not offered for this number")),
    }
}

/// Why nothing is printed.
enum Stopped {
    Unsupported,
    TooLong,
}

impl From<Unsupported> for Stopped {
    fn from(_: Unsupported) -> Self {
        Self::Unsupported
    }
}

/// What a verb prints, or None when it is longer than what is `left` for all of them.
fn operand_of(value: &Value, left: &mut usize) -> Option<Operand> {
    let operand = match value {
        Value::String(text) if text.len() > *left => return None,
        Value::String(text) => Operand::Text(text.to_string()),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Operand::Integer(integer),
            (None, Some(float)) if !number.is_integer() => Operand::Float(float),
            _ => Operand::Big(number.format_decimal()),
        },
        other => Operand::Text(quote::term(other, *left)?),
    };
    if let Operand::Text(text) = &operand {
        *left = left.checked_sub(text.len())?;
    }
    Some(operand)
}

/// Walks the format; the steps and their order are Go's.
struct Printer<'p> {
    format: &'p [u8],
    whole: &'p str,
    at: usize,
    operands: &'p [Operand],
    /// The operand that comes next.
    next: usize,
    /// An explicit index was used: left-over operands are not told.
    reordered: bool,
    index_is_good: bool,
    text: String,
}

impl<'p> Printer<'p> {
    fn new(format: &'p str, operands: &'p [Operand]) -> Self {
        let text = String::with_capacity(format.len());
        let format_bytes = format.as_bytes();
        Self { format: format_bytes, whole: format, at: 0, operands, next: 0, reordered: false, index_is_good: true, text }
    }

    fn print(&mut self) -> Result<(), Stopped> {
        while self.at < self.format.len() {
            self.literal();
            if self.text.len() > MAX_TEXT_BYTES {
                return Err(Stopped::TooLong);
            }
            if self.at < self.format.len() && !self.directive()? {
                break;
            }
        }
        if self.reordered || self.next >= self.operands.len() {
            return Ok(());
        }
        let left = self.operands.get(self.next..).unwrap_or_default();
        let told: Result<Vec<_>, Unsupported> = left
            .iter()
            .map(|operand| Ok(format!("{}={}", operand.type_name(), shown(operand, 'v', &Layout::default())?)))
            .collect();
        for part in ["%!(EXTRA ", &told?.join(", "), ")"] {
            self.text.push_str(part);
        }
        Ok(())
    }

    fn literal(&mut self) {
        let rest = self.whole.get(self.at..).unwrap_or_default();
        let literal = rest.split('%').next().unwrap_or_default();
        self.text.push_str(literal);
        self.at += literal.len();
    }

    fn peek(&self) -> Option<u8> {
        self.format.get(self.at).copied()
    }

    /// One directive, from its percent sign on; false when the format ended in it.
    fn directive(&mut self) -> Result<bool, Unsupported> {
        self.at += 1;
        self.index_is_good = true;
        let mut layout = self.flags();
        let mut after_index = self.index();
        after_index = self.width(&mut layout, after_index);
        after_index = self.precision(&mut layout, after_index);
        if !after_index {
            self.index();
        }
        let Some(verb) = self.whole.get(self.at..).and_then(|rest| rest.chars().next()) else {
            self.text.push_str("%!(NOVERB)");
            return Ok(false);
        };
        self.at += verb.len_utf8();
        self.verb(verb, layout)?;
        Ok(true)
    }

    fn verb(&mut self, verb: char, mut layout: Layout) -> Result<(), Unsupported> {
        if verb == '%' {
            self.text.push('%');
            return Ok(());
        }
        if !self.index_is_good {
            self.fault(verb, "(BADINDEX)");
            return Ok(());
        }
        let Some(operand) = self.operands.get(self.next) else {
            self.fault(verb, "(MISSING)");
            return Ok(());
        };
        if matches!(verb, 'v' | 'w') {
            layout.go_syntax = layout.sharp;
            layout.sharp = false;
            layout.plus_of_value = layout.plus;
            layout.plus = false;
        }
        self.text.push_str(&shown(operand, verb, &layout)?);
        self.next += 1;
        Ok(())
    }

    fn fault(&mut self, verb: char, what: &str) {
        self.text.push_str("%!");
        self.text.push(verb);
        self.text.push_str(what);
    }

    fn flags(&mut self) -> Layout {
        let mut layout = Layout::default();
        while let Some(flag) = self.peek() {
            match flag {
                b'#' => layout.sharp = true,
                b'0' => layout.zero = true,
                b'+' => layout.plus = true,
                b'-' => layout.minus = true,
                b' ' => layout.space = true,
                _ => break,
            }
            self.at += 1;
        }
        layout
    }

    /// An explicit operand index such as `[2]`; whether there was one.
    fn index(&mut self) -> bool {
        if self.peek() != Some(b'[') {
            return false;
        }
        self.reordered = true;
        let rest = self.format.get(self.at..).unwrap_or_default();
        let Some(close) = rest.iter().position(|byte| *byte == b']').filter(|_| rest.len() >= 3) else {
            self.index_is_good = false;
            self.at += 1;
            return false;
        };
        let digits = rest.get(1..close).unwrap_or_default();
        self.at += close + 1;
        let number = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        match number.and_then(|text| text.parse::<usize>().ok()) {
            Some(number @ 1..=LARGEST) if number <= self.operands.len() => {
                self.next = number - 1;
                true
            }
            number => {
                self.index_is_good = false;
                number.is_some()
            }
        }
    }

    fn width(&mut self, layout: &mut Layout, after_index: bool) -> bool {
        if self.peek() == Some(b'*') {
            self.at += 1;
            match self.integer_operand() {
                Some(width) => {
                    if width < 0 {
                        layout.minus = true;
                        layout.zero = false;
                    }
                    layout.width = usize::try_from(width.unsigned_abs()).ok();
                }
                None => self.text.push_str("%!(BADWIDTH)"),
            }
            return false;
        }
        layout.width = self.number();
        self.index_is_good &= !(after_index && layout.width.is_some());
        after_index
    }

    fn precision(&mut self, layout: &mut Layout, after_index: bool) -> bool {
        if self.peek() != Some(b'.') || self.at + 1 >= self.format.len() {
            return after_index;
        }
        self.at += 1;
        self.index_is_good &= !after_index;
        let after_index = self.index();
        if self.peek() == Some(b'*') {
            self.at += 1;
            layout.precision = self.integer_operand().and_then(|precision| usize::try_from(precision).ok());
            if layout.precision.is_none() {
                self.text.push_str("%!(BADPREC)");
            }
            return false;
        }
        layout.precision = Some(self.number().unwrap_or(0));
        after_index
    }

    /// The operand of a `*`.
    fn integer_operand(&mut self) -> Option<i64> {
        let operand = self.operands.get(self.next)?;
        self.next += 1;
        match operand {
            Operand::Integer(value) if value.unsigned_abs() <= LARGEST as u64 => Some(*value),
            _ => None,
        }
    }

    /// Digits; a number that is too large ends the format, as in Go.
    fn number(&mut self) -> Option<usize> {
        let mut number = None;
        while let Some(digit) = self.peek().filter(u8::is_ascii_digit) {
            let so_far = number.unwrap_or(0);
            if so_far > LARGEST {
                self.at = self.format.len();
                return None;
            }
            number = Some(so_far * 10 + usize::from(digit - b'0'));
            self.at += 1;
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtins::tests::{called, is_left_to_opa, json};

    fn printed(format: &str, operands: &str) -> String {
        called("sprintf", &[Value::from(format), json(operands)]).unwrap().as_string().unwrap().to_string()
    }

    #[test]
    fn operands_are_laid_out() {
        for (format, operands, text) in [
            ("%s has %d of %v", r#"["bob", 3, [1, "a"]]"#, r#"bob has 3 of [1, "a"]"#),
            ("%5d|%-5d|%05d|%+d|% d", "[42, 42, -42, 42, 42]", "   42|42   |-0042|+42| 42"),
            (
                "%.2f|%8.3f|%e|%g|%v",
                "[2.5, 3.14159, 0.1, 1234567.5, 0.00001]",
                "2.50|   3.142|1.000000e-01|1.2345675e+06|1e-05",
            ),
            ("%x %X %#x %o %b %c %U", "[255, 255, 255, 8, 5, 8364, 97]", "ff FF 0xff 10 101 € U+0061"),
            ("%q %x %.1s|%5s|%-5s|", r#"["a\"b", "hi", "日本", "é", "é"]"#, "\"a\\\"b\" 6869 日|    é|é    |"),
            ("%t %d", r#"[true, "x"]"#, "%!t(string=true) %!d(string=x)"),
            ("%[2]d %[1]d", "[1, 2]", "2 1"),
            ("%*d|%-*d|%.*f", "[4, 1, 4, 2, 1, 0.25]", "   1|2   |0.2"),
            ("100%% %d", "[18446744073709551615]", "100% 18446744073709551615"),
            (
                "%+v|%v|% v|%+d",
                "[9223372036854775808, 9223372036854775808, 9223372036854775808, 9223372036854775808]",
                "+9223372036854775808|9223372036854775808| 9223372036854775808|+9223372036854775808",
            ),
            ("%+v", "[5]", "5"),
        ] {
            assert_eq!(printed(format, operands), text, "{format}");
        }
    }

    #[test]
    fn what_does_not_fit_is_told_in_the_text() {
        for (format, operands, text) in [
            ("%d", "[]", "%!d(MISSING)"),
            ("none", r#"[1, "a"]"#, "none%!(EXTRA int64=1, string=a)"),
            ("%", "[1]", "%!(NOVERB)%!(EXTRA int64=1)"),
            ("%[3]d", "[1]", "%!d(BADINDEX)"),
            ("%*d", r#"["a", 1]"#, "%!(BADWIDTH)1"),
            ("%z %f", "[1, 2]", "%!z(int64=1) %!f(int64=2)"),
            ("%99999999d", "[1]", "%!(NOVERB)%!(EXTRA int64=1)"),
        ] {
            assert_eq!(printed(format, operands), text, "{format}");
        }
    }

    #[test]
    fn a_float_in_another_base_is_an_error_and_not_another_text() {
        assert!(called("sprintf", &[Value::from("%x"), json("[1.5]")]).is_err());
        for (format, operands) in [("%x", "[1.5]"), ("%w", "[9223372036854775808]")] {
            assert!(is_left_to_opa("sprintf", &[Value::from(format), json(operands)]), "{format}");
        }
        assert!(called("sprintf", &[Value::from("%d"), json("{}")]).is_err());
    }
}
