//! The parts of a layout.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    LongMonth,
    ShortMonth,
    /// A number, with a leading zero or without.
    Month(Width),
    LongWeekday,
    ShortWeekday,
    Day(Width),
    YearDay(Width),
    Hour,
    HourOfTwelve(Width),
    Minute(Width),
    Second(Width),
    Year,
    YearOfCentury,
    UpperHalf,
    LowerHalf,
    ZoneName,
    Offset {
        /// UTC is written `Z`.
        has_letter: bool,
        has_colons: bool,
        parts: OffsetParts,
    },
    Fraction {
        separator: char,
        digits: usize,
        /// Zeros at the end are left out.
        is_trimmed: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    Natural,
    Zeros,
    Blanks,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OffsetParts {
    Hours,
    Minutes,
    Seconds,
}

const fn offset(has_letter: bool, has_colons: bool, parts: OffsetParts) -> Element {
    Element::Offset { has_letter, has_colons, parts }
}

/// The first that fits is meant.
const ELEMENTS: &[(&str, Element)] = &[
    ("January", Element::LongMonth),
    ("Jan", Element::ShortMonth),
    ("Monday", Element::LongWeekday),
    ("Mon", Element::ShortWeekday),
    ("MST", Element::ZoneName),
    ("01", Element::Month(Width::Zeros)),
    ("02", Element::Day(Width::Zeros)),
    ("03", Element::HourOfTwelve(Width::Zeros)),
    ("04", Element::Minute(Width::Zeros)),
    ("05", Element::Second(Width::Zeros)),
    ("06", Element::YearOfCentury),
    ("002", Element::YearDay(Width::Zeros)),
    ("15", Element::Hour),
    ("1", Element::Month(Width::Natural)),
    ("2006", Element::Year),
    ("2", Element::Day(Width::Natural)),
    ("_2", Element::Day(Width::Blanks)),
    ("__2", Element::YearDay(Width::Blanks)),
    ("3", Element::HourOfTwelve(Width::Natural)),
    ("4", Element::Minute(Width::Natural)),
    ("5", Element::Second(Width::Natural)),
    ("PM", Element::UpperHalf),
    ("pm", Element::LowerHalf),
    ("-070000", offset(false, false, OffsetParts::Seconds)),
    ("-07:00:00", offset(false, true, OffsetParts::Seconds)),
    ("-0700", offset(false, false, OffsetParts::Minutes)),
    ("-07:00", offset(false, true, OffsetParts::Minutes)),
    ("-07", offset(false, false, OffsetParts::Hours)),
    ("Z070000", offset(true, false, OffsetParts::Seconds)),
    ("Z07:00:00", offset(true, true, OffsetParts::Seconds)),
    ("Z0700", offset(true, false, OffsetParts::Minutes)),
    ("Z07:00", offset(true, true, OffsetParts::Minutes)),
    ("Z07", offset(true, false, OffsetParts::Hours)),
];

/// The elements of `layout`, each with the text before it; the last text has none behind it.
pub(super) fn elements(layout: &str) -> impl Iterator<Item = (&str, Option<Element>)> {
    let mut rest = Some(layout);
    std::iter::from_fn(move || {
        let (before, found, behind) = next(rest?);
        rest = found.is_some().then_some(behind);
        Some((before, found))
    })
}

fn next(layout: &str) -> (&str, Option<Element>, &str) {
    for (at, _) in layout.char_indices() {
        let (before, rest) = layout.split_at(at);
        if let Some((element, behind)) = first(rest) {
            return (before, Some(element), behind);
        }
    }
    (layout, None, "")
}

/// The element that `text` begins with, and what follows it.
fn first(text: &str) -> Option<(Element, &str)> {
    if text.starts_with("_2006") {
        return None;
    }
    for (word, element) in ELEMENTS {
        if let Some(behind) = text.strip_prefix(word) {
            // `Month` and `Janet` are words.
            let is_word = matches!(*word, "Jan" | "Mon") && behind.starts_with(|letter: char| letter.is_ascii_lowercase());
            if !is_word {
                return Some((*element, behind));
            }
        }
    }
    fraction(text)
}

/// A point or comma with nothing but zeros, or nothing but nines, up to the next character that is no digit.
fn fraction(text: &str) -> Option<(Element, &str)> {
    let separator = text.chars().next().filter(|sign| matches!(sign, '.' | ','))?;
    let behind = text.get(1..)?;
    let digit = behind.chars().next().filter(|digit| matches!(digit, '0' | '9'))?;
    let rest = behind.trim_start_matches(digit);
    if rest.starts_with(|letter: char| letter.is_ascii_digit()) {
        return None;
    }
    // Go keeps twelve bits of the number.
    let digits = (behind.len() - rest.len()) & 0xfff;
    Some((Element::Fraction { separator, digits, is_trimmed: digit == '9' }, rest))
}
