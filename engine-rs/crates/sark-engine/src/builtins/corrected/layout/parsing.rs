//! Reads a time by a layout, as strictly and as loosely as Go's `time.Parse`.

use super::{
    DAY_SECONDS, MONTHS, NS, WEEKDAYS,
    element::{Element, OffsetParts, Width, elements},
    first_day,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    NoSuchTime,
    /// What the letters of a zone mean is looked up in the zone of the machine.
    NeedsMachine,
}

use Failure::{NeedsMachine, NoSuchTime};

/// What letters said of the zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Zone {
    Unsaid,
    Named,
    Utc,
}

/// What has been read of a time. Go marks what is missing with -1, an offset too.
#[derive(Debug)]
struct Parts {
    year: i128,
    month: Option<i128>,
    day: Option<i128>,
    year_day: Option<i128>,
    hour: i128,
    minute: i128,
    second: i128,
    nanosecond: i128,
    is_morning: bool,
    is_afternoon: bool,
    zone: Zone,
    offset: i128,
}

/// Nanoseconds since 1970 of the time in `text`. All of the text must be read.
pub(super) fn parse(layout: &str, text: &str) -> Result<i128, Failure> {
    let mut parts = Parts {
        year: 0,
        month: None,
        day: None,
        year_day: None,
        hour: 0,
        minute: 0,
        second: 0,
        nanosecond: 0,
        is_morning: false,
        is_afternoon: false,
        zone: Zone::Unsaid,
        offset: -1,
    };
    let mut rest = Rest(text.as_bytes());
    let mut elements = elements(layout).peekable();
    while let Some((before, element)) = elements.next() {
        rest.skip(before.as_bytes())?;
        let Some(element) = element else {
            break;
        };
        let follows_fraction = matches!(elements.peek(), Some((_, Some(Element::Fraction { .. }))));
        parts.read(element, &mut rest, follows_fraction)?;
    }
    if rest.0.is_empty() { parts.time() } else { Err(NoSuchTime) }
}

impl Parts {
    fn read(&mut self, element: Element, rest: &mut Rest<'_>, follows_fraction: bool) -> Result<(), Failure> {
        match element {
            Element::YearOfCentury => {
                let year = signed(rest.take(2)?)?;
                self.year = if year >= 69 { year + 1900 } else { year + 2000 };
            }
            Element::Year => self.year = unsigned(rest.take(4)?)?,
            Element::ShortMonth => self.month = Some(rest.name(MONTHS.map(|name| name.get(..3).unwrap_or(name)))? + 1),
            Element::LongMonth => self.month = Some(rest.name(MONTHS)? + 1),
            Element::Month(width) => self.month = Some(within(1, rest.number(width, 2)?, 12)?),
            Element::ShortWeekday => drop(rest.name(WEEKDAYS.map(|name| name.get(..3).unwrap_or(name)))?),
            Element::LongWeekday => drop(rest.name(WEEKDAYS)?),
            Element::Day(width) => self.day = Some(rest.number(width, 2)?),
            Element::YearDay(width) => self.year_day = Some(rest.number(width, 3)?),
            Element::Hour => self.hour = within(0, rest.number(Width::Natural, 2)?, 23)?,
            Element::HourOfTwelve(width) => self.hour = within(0, rest.number(width, 2)?, 12)?,
            Element::Minute(width) => self.minute = within(0, rest.number(width, 2)?, 59)?,
            Element::Second(width) => {
                self.second = within(0, rest.number(width, 2)?, 59)?;
                // A fraction is taken also where the layout has none.
                if !follows_fraction && rest.has_fraction() {
                    self.nanosecond = rest.fraction()?;
                }
            }
            Element::UpperHalf => self.half(rest.take(2)?, *b"AM", *b"PM")?,
            Element::LowerHalf => self.half(rest.take(2)?, *b"am", *b"pm")?,
            Element::Offset { has_letter, has_colons, parts } => {
                if has_letter && rest.0.first() == Some(&b'Z') {
                    rest.take(1)?;
                    self.zone = Zone::Utc;
                } else {
                    self.offset = rest.offset(has_colons, parts)?;
                }
            }
            Element::ZoneName if rest.0.starts_with(b"UTC") => {
                rest.take(3)?;
                self.zone = Zone::Utc;
            }
            Element::ZoneName => {
                rest.take(zone_name(rest.0).ok_or(NoSuchTime)?)?;
                if self.zone == Zone::Unsaid {
                    self.zone = Zone::Named;
                }
            }
            Element::Fraction { digits, is_trimmed: false, .. } => self.nanosecond = nanoseconds(rest.take(digits + 1)?)?,
            Element::Fraction { is_trimmed: true, .. } => {
                if rest.has_fraction() {
                    self.nanosecond = rest.fraction()?;
                }
            }
        }
        Ok(())
    }

    fn half(&mut self, text: &[u8], morning: [u8; 2], afternoon: [u8; 2]) -> Result<(), Failure> {
        self.is_afternoon |= text == afternoon;
        self.is_morning |= text == morning;
        if text == afternoon || text == morning { Ok(()) } else { Err(NoSuchTime) }
    }

    fn time(self) -> Result<i128, Failure> {
        let hour = match self.hour {
            hour @ 0..12 if self.is_afternoon => hour + 12,
            12 if self.is_morning && !self.is_afternoon => 0,
            hour => hour,
        };
        let first_of_year = first_day(self.year, 1);
        let days = if let Some(year_day) = self.year_day {
            let days = first_of_year + year_day - 1;
            let month = (1..=12).rev().find(|month| first_day(self.year, *month) <= days).unwrap_or(1);
            let day = days - first_day(self.year, month) + 1;
            let is_same = self.month.is_none_or(|seen| seen == month) && self.day.is_none_or(|seen| seen == day);
            if year_day < 1 || days >= first_day(self.year + 1, 1) || !is_same {
                return Err(NoSuchTime);
            }
            days
        } else {
            let (month, day) = (self.month.unwrap_or(1), self.day.unwrap_or(1));
            let first = first_day(self.year, month);
            within(1, day, first_day(self.year, month + 1) - first)? + first - 1
        };
        // -1 is what Go takes for no offset.
        let offset = match (self.zone, self.offset) {
            (Zone::Named, -1) => return Err(NeedsMachine),
            (Zone::Utc, _) | (Zone::Unsaid, -1) => 0,
            (_, offset) => offset,
        };
        Ok((days * DAY_SECONDS + hour * 3_600 + self.minute * 60 + self.second - offset) * NS + self.nanosecond)
    }
}

/// What is left of the text.
#[derive(Debug, Clone, Copy)]
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Failure> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(NoSuchTime)?;
        self.0 = rest;
        Ok(taken)
    }

    /// Passes over `text`, in which one blank stands for any number of them.
    fn skip(&mut self, mut text: &[u8]) -> Result<(), Failure> {
        while let Some((first, behind)) = text.split_first() {
            if *first == b' ' {
                if self.0.first().is_some_and(|letter| *letter != b' ') {
                    return Err(NoSuchTime);
                }
                text = without_blanks(text);
                self.0 = without_blanks(self.0);
            } else {
                self.0 = self.0.strip_prefix(&[*first]).ok_or(NoSuchTime)?;
                text = behind;
            }
        }
        Ok(())
    }

    /// The place of the name that comes first, in letters of either case.
    fn name<const N: usize>(&mut self, names: [&str; N]) -> Result<i128, Failure> {
        let is_next = |name: &&str| self.0.get(..name.len()).is_some_and(|text| text.eq_ignore_ascii_case(name.as_bytes()));
        let (at, name) = names.iter().enumerate().find(|(_, name)| is_next(name)).ok_or(NoSuchTime)?;
        self.take(name.len())?;
        i128::try_from(at).map_err(|_| NoSuchTime)
    }

    /// A number of at most so many digits, and of exactly so many where zeros fill it.
    fn number(&mut self, width: Width, digits: usize) -> Result<i128, Failure> {
        if width == Width::Blanks {
            let blanks = self.0.iter().take(digits - 1).take_while(|letter| **letter == b' ').count();
            self.take(blanks)?;
        }
        let found = self.0.iter().take(digits).take_while(|letter| letter.is_ascii_digit()).count();
        if found == 0 || (width == Width::Zeros && found != digits) {
            return Err(NoSuchTime);
        }
        unsigned(self.take(found)?)
    }

    fn has_fraction(&self) -> bool {
        matches!(self.0, [b'.' | b',', b'0'..=b'9', ..])
    }

    fn fraction(&mut self) -> Result<i128, Failure> {
        let digits = self.0.iter().skip(1).take_while(|letter| letter.is_ascii_digit()).count();
        nanoseconds(self.take(digits + 1)?)
    }

    fn offset(&mut self, has_colons: bool, parts: OffsetParts) -> Result<i128, Failure> {
        let sign = self.take(1)?;
        let hours = within(0, unsigned(self.take(2)?)?, 24)?;
        let mut part = |is_there: bool| {
            if !is_there {
                return Ok(0);
            }
            if has_colons && self.take(1)? != b":" {
                return Err(NoSuchTime);
            }
            within(0, unsigned(self.take(2)?)?, 60)
        };
        let minutes = part(parts != OffsetParts::Hours)?;
        let seconds = part(parts == OffsetParts::Seconds)?;
        let offset = hours * 3_600 + minutes * 60 + seconds;
        match sign {
            b"+" => Ok(offset),
            b"-" => Ok(-offset),
            _ => Err(NoSuchTime),
        }
    }
}

fn without_blanks(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|letter| **letter == b' ').count();
    text.get(blanks..).unwrap_or_default()
}

fn within(least: i128, number: i128, most: i128) -> Result<i128, Failure> {
    if (least..=most).contains(&number) { Ok(number) } else { Err(NoSuchTime) }
}

fn unsigned(digits: &[u8]) -> Result<i128, Failure> {
    if digits.iter().all(u8::is_ascii_digit) { signed(digits) } else { Err(NoSuchTime) }
}

/// A few digits, with a sign or without; none are 0.
fn signed(text: &[u8]) -> Result<i128, Failure> {
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1, digits),
        [b'+', digits @ ..] | digits => (1, digits),
    };
    let number = digits.iter().try_fold(0_i128, |number, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(i128::from(digit))
    });
    number.map(|number| sign * number).ok_or(NoSuchTime)
}

/// A point or comma and digits, of which nine count; a sign before them is taken, when it says nothing.
fn nanoseconds(text: &[u8]) -> Result<i128, Failure> {
    let Some((b'.' | b',', digits)) = text.split_first() else {
        return Err(NoSuchTime);
    };
    let digits = digits.get(..9).unwrap_or(digits);
    let number = signed(digits)?;
    let missing = u32::try_from(9 - digits.len()).map_err(|_| NoSuchTime)?;
    within(0, number * 10_i128.pow(missing), NS)
}

/// Length of the letters of a zone that `text` begins with.
fn zone_name(text: &[u8]) -> Option<usize> {
    if text.starts_with(b"ChST") || text.starts_with(b"MeST") {
        return Some(4);
    }
    if text.len() < 3 {
        return None;
    }
    if let Some(behind) = text.strip_prefix(b"GMT") {
        return Some(3 + hours_of_name(behind).unwrap_or(0));
    }
    if text.starts_with(b"+") || text.starts_with(b"-") {
        return hours_of_name(text);
    }
    let letters = text.iter().take(6).take_while(|letter| letter.is_ascii_uppercase()).count();
    match letters {
        3 => Some(3),
        4 => (text.get(3) == Some(&b'T') || text.starts_with(b"WITA")).then_some(4),
        5 => (text.get(4) == Some(&b'T')).then_some(5),
        _ => None,
    }
}

/// Length of a sign and a number of hours.
fn hours_of_name(text: &[u8]) -> Option<usize> {
    let (b'+' | b'-', behind) = text.split_first()? else {
        return None;
    };
    let digits = behind.iter().take_while(|letter| letter.is_ascii_digit()).count();
    let hours = unsigned(behind.get(..digits)?).ok()?;
    (digits > 0 && hours <= 23).then_some(1 + digits)
}
