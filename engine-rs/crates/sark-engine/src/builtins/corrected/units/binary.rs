//! A product as OPA calculates it: in 64 bits of mantissa, the nearest, and cut to a whole number. `65.2` times 1000 is 65199.

/// A positive number: 64 bits, the highest of them set unless it is zero, times two to an exponent.
#[derive(Debug, Clone, Copy)]
struct Binary {
    mantissa: u64,
    exponent: i32,
}

/// The whole number below `size` times the number in `digits`, of which the last `places` stand behind the point.
/// None when it takes longer numbers than these to know.
pub(super) fn product(digits: &str, places: usize, size: u64) -> Option<u128> {
    let exact = u128::from(number(digits, places)?.mantissa) * u128::from(size);
    let product = rounded(exact, false, number(digits, places)?.exponent)?;
    let mantissa = u128::from(product.mantissa);
    let shift = product.exponent.unsigned_abs();
    if product.exponent < 0 || mantissa == 0 {
        Some(mantissa.checked_shr(shift).unwrap_or(0))
    } else {
        (shift < mantissa.leading_zeros()).then(|| mantissa << shift)
    }
}

fn number(digits: &str, places: usize) -> Option<Binary> {
    let significant = digits.trim_start_matches('0');
    let dropped = significant.len() - significant.trim_end_matches('0').len();
    let dropped = dropped.min(places);
    let (significant, places) = (significant.get(..significant.len() - dropped)?, places - dropped);
    let whole: u128 = if significant.is_empty() { 0 } else { significant.parse().ok()? };
    if places == 0 || whole == 0 {
        let number = rounded(whole, false, 0)?;
        // OPA multiplies with rounded powers on the way to what 64 bits do not hold.
        return (whole.trailing_zeros() + 64 >= 128 - whole.leading_zeros()).then_some(number);
    }
    let whole = u64::try_from(whole).ok()?;
    let places = u32::try_from(places).ok()?;
    // Of ten to some power, two to it is the exponent's.
    let divisor = u128::from(5_u64.checked_pow(places)?);
    let mut exponent = i32::try_from(places).ok()?.checked_neg()?;
    let (mut quotient, mut rest) = (u128::from(whole) / divisor, u128::from(whole) % divisor);
    // Two bits more than are kept, so that what is cut off is known.
    while quotient >> 65 == 0 {
        rest *= 2;
        quotient = quotient * 2 + u128::from(rest >= divisor);
        rest %= divisor;
        exponent -= 1;
    }
    rounded(quotient, rest != 0, exponent)
}

/// The nearest number, the even one of two; `has_more` says that `number` is a little larger.
fn rounded(number: u128, has_more: bool, exponent: i32) -> Option<Binary> {
    let excess = 64_u32.saturating_sub(number.leading_zeros());
    let (kept, cut, half) = (number >> excess, number & ((1 << excess) - 1), (1_u128 << excess) >> 1);
    let is_up = excess > 0 && (cut > half || (cut == half && (has_more || kept & 1 == 1)));
    let kept = kept + u128::from(is_up);
    let exponent = exponent.checked_add(i32::try_from(excess).ok()?)?;
    match u64::try_from(kept) {
        Ok(mantissa) => Some(Binary { mantissa, exponent }),
        Err(_) => Some(Binary { mantissa: 1 << 63, exponent: exponent.checked_add(1)? }),
    }
}

#[cfg(test)]
mod tests {
    use super::product;

    #[test]
    fn products_are_those_of_64_bits() {
        for (digits, places, size, expected) in [
            ("652", 1, 1_000, Some(65_199)),
            ("0001", 3, 1_000, Some(0)),
            ("0011", 1, 1_000, Some(1_100)),
            ("15", 1, 1_024, Some(1_536)),
            ("1000", 3, 1_000, Some(1_000)),
            ("0", 5, 1_000, Some(0)),
            ("18446744073709551615", 0, 1, Some(18_446_744_073_709_551_615)),
            ("18446744073709551617", 0, 1, None),
            ("100000000000000000000", 0, 1_000, Some(100_000_000_000_000_000_000_000)),
            ("1", 30, 1_000, None),
        ] {
            assert_eq!(product(digits, places, size), expected, "{digits} {places} {size}");
        }
        assert_eq!(product(&format!("1{}", "0".repeat(1_000)), 0, 1), None);
    }
}
