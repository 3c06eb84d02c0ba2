//! Where a sequence stands in a longer one, in time that grows with both lengths and not with their product.

use super::super::{BuiltinError, Circumstances};

/// The places at which `part` stands in `whole`, those that overlap too.
pub(super) fn runs<T: PartialEq>(whole: &[T], part: &[T], circumstances: &Circumstances) -> Result<Vec<usize>, BuiltinError> {
    let mut places = Vec::new();
    if part.len() > whole.len() {
        return Ok(places);
    }
    let borders = borders(part, circumstances)?;
    let mut fitting = 0;
    for (at, item) in whole.iter().enumerate() {
        fitting = extended(part, &borders, fitting, item, circumstances)?;
        if fitting == part.len() {
            places.push((at + 1).saturating_sub(fitting));
        }
    }
    Ok(places)
}

/// For each beginning of `part`, by its length, how much of it both begins and ends it: what may still fit when no more does.
fn borders<T: PartialEq>(part: &[T], circumstances: &Circumstances) -> Result<Vec<usize>, BuiltinError> {
    let mut borders = vec![0; part.len().min(1)];
    let mut border = 0;
    for item in part.iter().skip(1) {
        border = extended(part, &borders, border, item, circumstances)?;
        borders.push(border);
    }
    Ok(borders)
}

/// How many items of `part` fit once `item` follows `fitting` of them.
fn extended<T: PartialEq>(
    part: &[T],
    borders: &[usize],
    mut fitting: usize,
    item: &T,
    circumstances: &Circumstances,
) -> Result<usize, BuiltinError> {
    loop {
        circumstances.work(1)?;
        match part.get(fitting) {
            Some(next) if next == item => return Ok(fitting + 1),
            _ if fitting == 0 => return Ok(0),
            _ => fitting = borders.get(fitting - 1).copied().unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Spelled;

    fn places(whole: &str, part: &str) -> Vec<usize> {
        runs(whole.as_bytes(), part.as_bytes(), &Circumstances::at(0, Spelled::default())).unwrap()
    }

    #[test]
    fn a_part_is_found_wherever_it_stands() {
        assert_eq!(places("aabaabaaab", "aabaaab"), [3]);
        assert_eq!(places("abababa", "aba"), [0, 2, 4]);
        assert_eq!(places("aaaa", "a"), [0, 1, 2, 3]);
        assert!(places("abc", "abcd").is_empty() && places("abc", "ca").is_empty() && places("", "a").is_empty());
    }

    #[test]
    fn places_are_those_of_a_search_at_every_place() {
        let texts: Vec<String> = (0..256).map(|bits: u32| format!("{bits:08b}")).collect();
        for (whole, part) in texts.iter().flat_map(|whole| (1..=4).flat_map(move |length| [(whole, &whole[8 - length..])])) {
            let all: Vec<usize> = (0..whole.len()).filter(|at| whole[*at..].starts_with(part)).collect();
            assert_eq!(places(whole, part), all, "{whole} {part}");
        }
    }
}
