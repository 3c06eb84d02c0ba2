//! Calendar arithmetic as Go does it: a day that a month does not have is one of the next month.

use regorus::Value;

use super::{
    super::{BuiltinError, Circumstances, OwnBuiltin, operands::integer},
    moment::{Civil, Moment},
};

pub(in crate::builtins) const OWN: &[OwnBuiltin] =
    &[OwnBuiltin { name: "time.add_date", arity: 4, call: add_date }, OwnBuiltin { name: "time.diff", arity: 2, call: diff }];

const DAY_NS: i128 = 86_400_000_000_000;

/// Moves a time in UTC. One in another zone keeps its clock in Go, whatever summer time says, and does not come here.
fn add_date(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    let ns = Moment::new(operands, 0)?.ns;
    let [years, months, days] = [integer(operands, 1)?, integer(operands, 2)?, integer(operands, 3)?].map(i128::from);
    let (year, month, day) = civil(ns.div_euclid(DAY_NS));
    let moved = first_day(year + years, month + months) + (day - 1) + days;
    let moved = moved * DAY_NS + ns.rem_euclid(DAY_NS);
    i64::try_from(moved).map(Value::from).map_err(beyond)
}

/// Years, months, days, hours, minutes and seconds between two times, as a calendar in the first one's zone counts them.
fn diff(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    let (one, other) = (Moment::new(operands, 0)?, Moment::new(operands, 1)?);
    other.offset()?;
    let there = Moment { zone: one.zone, ..other };
    let (earlier, later) = if one.ns > other.ns { (there, one) } else { (one, there) };
    let (from, to) = (Civil::new(earlier.ns, earlier.offset()?), Civil::new(later.ns, later.offset()?));
    let mut parts = [
        to.year - from.year,
        to.month - from.month,
        to.day - from.day,
        to.hour - from.hour,
        to.minute - from.minute,
        to.second - from.second,
    ];
    let days_of_month = first_day(from.year, from.month + 1) - first_day(from.year, from.month);
    borrow(&mut parts, [12, days_of_month, 24, 60, 60]);
    parts
        .iter()
        .map(|part| i64::try_from(*part).map(Value::from))
        .collect::<Result<Vec<_>, _>>()
        .map(Value::from)
        .map_err(beyond)
}

/// Makes each part positive, from the last on: `sizes` say how many of the next part are one of a part.
fn borrow(parts: &mut [i128], sizes: [i128; 5]) {
    for (at, size) in sizes.iter().enumerate().rev() {
        if let Some([larger, smaller]) = parts.get_mut(at..at + 2)
            && *smaller < 0
        {
            *smaller += size;
            *larger -= 1;
        }
    }
}

fn beyond<E>(_: E) -> BuiltinError {
    BuiltinError("time outside of valid range".into())
}

/// Days from 1970-01-01 to the first of a month, counted from 1; months beyond a year run into the next or the one before.
pub(super) fn first_day(year: i128, month: i128) -> i128 {
    // Years begin in March here, so that a leap day is the last of its year.
    let months = year * 12 + month - 3;
    let (year, month) = (months.div_euclid(12), months.rem_euclid(12));
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (153 * month + 2) / 5 - 719_468
}

/// Year, month and day, both counted from 1, of a number of days since 1970-01-01.
pub(super) fn civil(days: i128) -> (i128, i128, i128) {
    // No later year can be it, whichever side of 1970 it is on.
    let mut year = 1970 + days.div_euclid(366).min(days.div_euclid(365));
    while first_day(year + 1, 1) <= days {
        year += 1;
    }
    let month = (1..=12).rev().find(|month| first_day(year, *month) <= days).unwrap_or(1);
    (year, month, days - first_day(year, month) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtins::tests::{called, json};

    fn moved(ns: i64, by: [i64; 3]) -> Result<Value, BuiltinError> {
        let [years, months, days] = by.map(Value::from);
        called("time.add_date", &[Value::from(ns), years, months, days])
    }

    #[test]
    fn a_day_that_is_missing_is_one_of_the_next_month() {
        for (ns, by, expected) in [
            // 2024-02-29 a year later is 2025-03-01.
            (1_709_251_199_123_456_789, [1, 0, 0], 1_740_873_599_123_456_789_i64),
            // 2024-01-31 a month later is 2024-03-02.
            (1_706_659_200_000_000_000, [0, 1, 0], 1_709_337_600_000_000_000),
            (0, [0, 0, 0], 0),
            (0, [0, -1, 0], -2_678_400_000_000_000),
            (0, [0, 14, -1], 36_547_200_000_000_000),
            (-1, [0, 0, 1], 86_399_999_999_999),
        ] {
            assert_eq!(moved(ns, by), Ok(Value::from(expected)), "{ns} {by:?}");
        }
    }

    #[test]
    fn a_difference_is_counted_in_the_first_zone() {
        let berlin = json(r#"[1000000000000000000, "Europe/Berlin"]"#);
        for (one, other, expected) in [
            (berlin.clone(), json(r#"[1, "UTC"]"#), "[31, 8, 8, 2, 46, 40]"),
            (json("1"), berlin, "[31, 8, 8, 1, 46, 40]"),
            // From 2024-01-31 to 2024-03-01: a month as long as the first has days.
            (json("1706659200000000000"), json("1709251200000000000"), "[0, 1, 1, 0, 0, 0]"),
            (json("5"), json("5"), "[0, 0, 0, 0, 0, 0]"),
        ] {
            assert_eq!(called("time.diff", &[one.clone(), other.clone()]), Ok(json(expected)), "{one} {other}");
        }
        assert!(called("time.diff", &[json("1"), json(r#"[1, "Nowhere"]"#)]).is_err());
    }

    #[test]
    fn every_day_of_eight_centuries_is_itself() {
        for days in (-146_097..146_097).step_by(13) {
            let (year, month, day) = civil(days);
            assert_eq!(first_day(year, month) + day - 1, days);
            assert!((1..=31).contains(&day) && first_day(year, month + 1) > days, "{days}");
        }
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
    }

    #[test]
    fn a_time_that_64_bits_do_not_hold_is_an_error() {
        assert!(moved(i64::MAX, [0, 0, 1]).is_err());
        assert!(moved(0, [-400, 0, 0]).is_err());
    }
}
