//! Writes a time by a layout.

use std::fmt::Write as _;

use super::{
    Civil, MONTHS, WEEKDAYS,
    element::{Element, OffsetParts, Width, elements},
};

/// `ns` since 1970 in UTC, as it is written where clocks are `offset` seconds ahead. A zone's letters are UTC's.
pub(super) fn write(ns: i128, offset: i128, layout: &str) -> String {
    let at = Civil::new(ns, offset);
    let mut text = String::with_capacity(layout.len() + 10);
    for (before, element) in elements(layout) {
        text.push_str(before);
        if let Some(element) = element {
            push(&mut text, &at, offset, element);
        }
    }
    text
}

fn push(text: &mut String, at: &Civil, offset: i128, element: Element) {
    match element {
        Element::LongMonth => text.push_str(name(&MONTHS, at.month - 1)),
        Element::ShortMonth => text.extend(name(&MONTHS, at.month - 1).chars().take(3)),
        Element::LongWeekday => text.push_str(name(&WEEKDAYS, at.weekday)),
        Element::ShortWeekday => text.extend(name(&WEEKDAYS, at.weekday).chars().take(3)),
        Element::Month(width) => number(text, at.month, width, 2),
        Element::Day(width) => number(text, at.day, width, 2),
        Element::YearDay(width) => number(text, at.year_day, width, 3),
        Element::Hour => number(text, at.hour, Width::Zeros, 2),
        Element::HourOfTwelve(width) => number(text, (at.hour + 11) % 12 + 1, width, 2),
        Element::Minute(width) => number(text, at.minute, width, 2),
        Element::Second(width) => number(text, at.second, width, 2),
        Element::Year => number(text, at.year, Width::Zeros, 4),
        Element::YearOfCentury => number(text, at.year % 100, Width::Zeros, 2),
        Element::UpperHalf => text.push_str(if at.hour >= 12 { "PM" } else { "AM" }),
        Element::LowerHalf => text.push_str(if at.hour >= 12 { "pm" } else { "am" }),
        Element::ZoneName => text.push_str("UTC"),
        Element::Offset { has_letter: true, .. } if offset == 0 => text.push('Z'),
        Element::Offset { has_colons, parts, .. } => push_offset(text, offset, has_colons, parts),
        Element::Fraction { separator, digits, is_trimmed } => fraction(text, at.nanosecond, separator, digits, is_trimmed),
    }
}

fn name<'a>(names: &[&'a str], at: impl TryInto<usize>) -> &'a str {
    at.try_into().ok().and_then(|at| names.get(at)).copied().unwrap_or_default()
}

fn number(text: &mut String, number: i128, width: Width, digits: usize) {
    let _ = match width {
        Width::Natural => write!(text, "{number}"),
        Width::Zeros => write!(text, "{number:0digits$}"),
        Width::Blanks => write!(text, "{number:digits$}"),
    };
}

fn push_offset(text: &mut String, offset: i128, has_colons: bool, parts: OffsetParts) {
    // The sign is that of the minutes.
    text.push(if offset / 60 < 0 { '-' } else { '+' });
    let (minutes, colon) = (offset.abs() / 60, if has_colons { ":" } else { "" });
    number(text, minutes / 60, Width::Zeros, 2);
    if parts != OffsetParts::Hours {
        text.push_str(colon);
        number(text, minutes % 60, Width::Zeros, 2);
    }
    if parts == OffsetParts::Seconds {
        text.push_str(colon);
        number(text, offset.abs() % 60, Width::Zeros, 2);
    }
}

fn fraction(text: &mut String, nanosecond: i128, separator: char, digits: usize, is_trimmed: bool) {
    let all = format!("{nanosecond:09}");
    let shown = all.get(..digits).unwrap_or(&all);
    let shown = if is_trimmed { shown.trim_end_matches('0') } else { shown };
    if !is_trimmed || !shown.is_empty() {
        text.push(separator);
        text.push_str(shown);
    }
}
