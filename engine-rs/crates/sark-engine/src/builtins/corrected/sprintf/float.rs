//! Floats as Go's formatting writes them.

/// `value` without its sign under the verb `e`, `E`, `f`, `F`, `g` or `G`; no precision means the shortest text that reads
/// back as the same value.
pub(super) fn digits_of(value: f64, verb: char, precision: Option<usize>) -> String {
    let value = value.abs();
    match verb {
        'f' | 'F' => match precision {
            Some(places) => format!("{value:.places$}"),
            None => format!("{value}"),
        },
        'e' | 'E' => scientific(value, precision, verb),
        _ => general(value, precision, if verb == 'G' { 'E' } else { 'e' }),
    }
}

fn scientific(value: f64, precision: Option<usize>, letter: char) -> String {
    let text = match precision {
        Some(places) => format!("{value:.places$e}"),
        None => format!("{value:e}"),
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
    format!("{mantissa}{letter}{sign}{exponent:0>2}")
}

/// The shorter of both notations, by Go's rule: an exponent below -4, or not below the precision, is written.
fn general(value: f64, precision: Option<usize>, letter: char) -> String {
    let wanted = precision.map(|precision| precision.max(1));
    let text = match wanted {
        Some(wanted) => format!("{value:.*e}", wanted - 1),
        None => format!("{value:e}"),
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let count = mantissa.replace('.', "").trim_end_matches('0').len();
    let before_point = exponent.saturating_add(1);
    let places = i32::try_from(count).unwrap_or(i32::MAX).saturating_sub(before_point);
    let limit = match wanted {
        None => 6,
        Some(wanted) if wanted > count && places >= 0 => i32::try_from(count).unwrap_or(i32::MAX),
        Some(wanted) => i32::try_from(wanted).unwrap_or(i32::MAX),
    };
    if value != 0.0 && (exponent < -4 || exponent >= limit) {
        scientific(value, Some(count.saturating_sub(1)), letter)
    } else {
        format!("{value:.*}", usize::try_from(places).unwrap_or(0))
    }
}

/// Go's `#` flag: a point always, and under `g` the zeros that the precision asks for.
pub(super) fn with_point(text: &str, verb: char, precision: Option<usize>) -> String {
    let end = text.find(['e', 'E']).unwrap_or(text.len());
    let (number, tail) = text.split_at(end);
    let mut number = number.to_owned();
    let shown = number.bytes().filter(u8::is_ascii_digit).skip_while(|digit| *digit == b'0').count();
    let mut missing = if matches!(verb, 'g' | 'G') { precision.unwrap_or(6).saturating_sub(shown) } else { 0 };
    if !number.contains('.') {
        if number == "0" {
            missing = missing.saturating_sub(1);
        }
        number.push('.');
    }
    number.push_str(&"0".repeat(missing));
    number + tail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_text_has_an_exponent_when_it_is_far_from_zero() {
        for (value, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (1.5, "1.5"),
            (100_000.0, "100000"),
            (1_234_567.0, "1.234567e+06"),
            (0.000_1, "0.0001"),
            (0.000_01, "1e-05"),
            (1e21, "1e+21"),
            (1e-7, "1e-07"),
        ] {
            assert_eq!(digits_of(value, 'g', None), text);
        }
    }

    #[test]
    fn a_precision_is_kept() {
        assert_eq!(digits_of(2.5, 'f', Some(0)), "2");
        assert_eq!(digits_of(123_456_789.123, 'e', Some(6)), "1.234568e+08");
        assert_eq!(digits_of(1e100, 'E', Some(1)), "1.0E+100");
        assert_eq!(digits_of(100.0, 'g', Some(3)), "100");
        assert_eq!(digits_of(1234.0, 'g', Some(3)), "1.23e+03");
        assert_eq!(digits_of(0.000_123_45, 'g', Some(3)), "0.000123");
    }

    #[test]
    fn a_sharp_flag_keeps_the_point() {
        assert_eq!(with_point("100", 'g', None), "100.000");
        assert_eq!(with_point("0", 'g', None), "0.00000");
        assert_eq!(with_point("1e+21", 'g', None), "1.00000e+21");
        assert_eq!(with_point("3", 'f', Some(0)), "3.");
    }
}
