//! One operand under one verb.

use super::{
    float::{digits_of, with_point},
    quote::{is_printable, quoted, quoted_char},
};

/// An operand as OPA hands it to Go's formatting.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    Integer(i64),
    /// An integer beyond 64 bits, in decimal.
    Big(String),
    Float(f64),
    /// A string, or any other term as text.
    Text(String),
}

impl Operand {
    /// Go's name of its type.
    pub(super) const fn type_name(&self) -> &'static str {
        match self {
            Self::Integer(_) => "int64",
            Self::Big(_) => "*big.Int",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
        }
    }
}

/// Flags, width and precision of a verb.
#[derive(Debug, Clone, Copy, Default)]
#[allow(clippy::struct_excessive_bools, reason = "Go's flags")]
pub(super) struct Layout {
    pub sharp: bool,
    pub zero: bool,
    pub plus: bool,
    pub minus: bool,
    pub space: bool,
    /// `%+v`, which is for numbers beyond 64 bits what `+` is elsewhere.
    pub plus_of_value: bool,
    /// `%#v`.
    pub go_syntax: bool,
    pub width: Option<usize>,
    pub precision: Option<usize>,
}

/// What has no text here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unsupported;

/// The text of `operand` under `verb`.
pub(super) fn shown(operand: &Operand, verb: char, layout: &Layout) -> Result<String, Unsupported> {
    if verb == 'T' {
        return Ok(layout.padded(&layout.truncated(operand.type_name())));
    }
    match operand {
        Operand::Integer(value) => Ok(integer(*value, verb, layout)),
        Operand::Big(digits) => big(digits, verb, layout),
        Operand::Float(value) => float(*value, verb, layout),
        Operand::Text(value) => Ok(text(value, verb, layout)),
    }
}

/// The verb does not fit: `%!d(string=x)`, with the operand laid out as asked.
fn misfit(type_name: &str, verb: char, value: &str) -> String {
    format!("%!{verb}({type_name}={value})")
}

fn integer(value: i64, verb: char, layout: &Layout) -> String {
    match verb {
        'v' | 'd' => in_base(value, 10, verb, layout),
        'b' => in_base(value, 2, verb, layout),
        'o' | 'O' => in_base(value, 8, verb, layout),
        'x' | 'X' => in_base(value, 16, verb, layout),
        'c' => layout.padded(&char_of(value).to_string()),
        'q' => layout.padded(&quoted_char(char_of(value), layout.plus)),
        'U' => layout.without_zeros().padded(&code_point(value, layout)),
        _ => misfit("int64", verb, &in_base(value, 10, 'v', layout)),
    }
}

fn char_of(value: i64) -> char {
    u32::try_from(value).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn code_point(value: i64, layout: &Layout) -> String {
    let places = layout.precision.unwrap_or(4).max(4);
    let text = format!("U+{:0places$X}", value.cast_unsigned());
    match u32::try_from(value).ok().and_then(char::from_u32).filter(|c| layout.sharp && is_printable(*c)) {
        Some(c) => format!("{text} '{c}'"),
        None => text,
    }
}

fn in_base(value: i64, base: u32, verb: char, layout: &Layout) -> String {
    let magnitude = value.unsigned_abs();
    if layout.precision == Some(0) && value == 0 {
        return layout.without_zeros().padded("");
    }
    let mut digits = match base {
        2 => format!("{magnitude:b}"),
        8 => format!("{magnitude:o}"),
        16 if verb == 'X' => format!("{magnitude:X}"),
        16 => format!("{magnitude:x}"),
        _ => magnitude.to_string(),
    };
    let sign = sign_of(value < 0, layout);
    let least = match (layout.precision, layout.width) {
        (Some(precision), _) => precision,
        (None, Some(width)) if layout.zero && !layout.minus => width.saturating_sub(sign.len()),
        _ => 0,
    };
    digits = format!("{digits:0>least$}");
    let prefix = match (base, verb) {
        (_, 'O') => "0o",
        (2, _) if layout.sharp => "0b",
        (8, _) if layout.sharp && !digits.starts_with('0') => "0",
        (16, 'X') if layout.sharp => "0X",
        (16, _) if layout.sharp => "0x",
        _ => "",
    };
    layout.without_zeros().padded(&format!("{sign}{prefix}{digits}"))
}

const fn sign_of(is_negative: bool, layout: &Layout) -> &'static str {
    if is_negative {
        "-"
    } else if layout.plus {
        "+"
    } else if layout.space {
        " "
    } else {
        ""
    }
}

/// An integer beyond 64 bits has its own rules in Go; bases other than ten are left out.
fn big(digits: &str, verb: char, layout: &Layout) -> Result<String, Unsupported> {
    match verb {
        'd' | 's' | 'v' => {}
        // `%w` writes the words that the number is of.
        'b' | 'o' | 'O' | 'x' | 'X' | 'p' | 'w' => return Err(Unsupported),
        _ => return Ok(format!("%!{verb}(big.Int={digits})")),
    }
    let (is_negative, magnitude) = digits.strip_prefix('-').map_or((false, digits), |rest| (true, rest));
    let sign = sign_of(is_negative, &Layout { plus: layout.plus || layout.plus_of_value, ..*layout });
    let least = match (layout.precision, layout.width) {
        (Some(precision), _) => precision,
        (None, Some(width)) if layout.zero && !layout.minus => width.saturating_sub(sign.len()),
        _ => 0,
    };
    Ok(layout.without_zeros().padded(&format!("{sign}{magnitude:0>least$}")))
}

fn float(value: f64, verb: char, layout: &Layout) -> Result<String, Unsupported> {
    let laid_out = |verb: char, default: Option<usize>| {
        let precision = layout.precision.or(default);
        let mut number = digits_of(value, verb, precision);
        if layout.sharp {
            number = with_point(&number, verb, precision);
        }
        let sign = sign_of(value.is_sign_negative(), layout);
        match layout.width {
            Some(width) if layout.zero && !layout.minus && !sign.is_empty() && width > sign.len() + number.len() => {
                format!("{sign}{number:0>0$}", width - sign.len())
            }
            _ => layout.padded(&format!("{sign}{number}")),
        }
    };
    match verb {
        'v' => Ok(laid_out('g', None)),
        'g' | 'G' => Ok(laid_out(verb, None)),
        'e' | 'E' | 'f' | 'F' => Ok(laid_out(verb, Some(6))),
        'b' | 'x' | 'X' => Err(Unsupported),
        _ => Ok(misfit("float64", verb, &laid_out('g', None))),
    }
}

fn text(value: &str, verb: char, layout: &Layout) -> String {
    match verb {
        'v' if layout.go_syntax => layout.padded(&quoted(&layout.truncated(value), false)),
        'v' | 's' => layout.padded(&layout.truncated(value)),
        'x' | 'X' => hex(value.as_bytes(), verb, layout),
        'q' => {
            let value = layout.truncated(value);
            let can_backquote = !value.chars().any(|c| c == '`' || c == '\u{feff}' || c == '\x7f' || (c < ' ' && c != '\t'));
            if layout.sharp && can_backquote {
                layout.padded(&format!("`{value}`"))
            } else {
                layout.padded(&quoted(&value, layout.plus))
            }
        }
        _ => misfit("string", verb, &text(value, 'v', layout)),
    }
}

fn hex(bytes: &[u8], verb: char, layout: &Layout) -> String {
    let length = layout.precision.map_or(bytes.len(), |precision| precision.min(bytes.len()));
    let prefix = match (layout.sharp && length > 0, verb) {
        (true, 'X') => "0X",
        (true, _) => "0x",
        (false, _) => "",
    };
    let pairs = bytes.iter().take(length).map(|byte| if verb == 'X' { format!("{byte:02X}") } else { format!("{byte:02x}") });
    let encoded = if layout.space {
        pairs.map(|pair| format!("{prefix}{pair}")).collect::<Vec<_>>().join(" ")
    } else {
        format!("{prefix}{}", pairs.collect::<String>())
    };
    layout.padded(&encoded)
}

impl Layout {
    const fn without_zeros(self) -> Self {
        Self { zero: false, ..self }
    }

    fn padded(self, text: &str) -> String {
        let missing = self.width.unwrap_or(0).saturating_sub(text.chars().count());
        if self.minus {
            return format!("{text}{}", " ".repeat(missing));
        }
        format!("{}{text}", if self.zero { "0" } else { " " }.repeat(missing))
    }

    fn truncated(self, text: &str) -> String {
        text.chars().take(self.precision.unwrap_or(usize::MAX)).collect()
    }
}
