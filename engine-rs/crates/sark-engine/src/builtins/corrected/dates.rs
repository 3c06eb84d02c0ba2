//! Calendar arithmetic as Go does it: a day that a month does not have is one of the next month.

use regorus::Value;

use super::super::{
    BuiltinError, Circumstances, OwnBuiltin,
    operands::{integer, operand},
    renamed::renamed,
};

pub(in crate::builtins) const OWN: &[OwnBuiltin] = &[OwnBuiltin { name: "time.add_date", arity: 4, call: add_date }];

const DAY_NS: i128 = 86_400_000_000_000;

/// A time in UTC is moved here; one in another zone by regorus, where months may be mistaken in their last days only.
fn add_date(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    if matches!(operand(operands, 0), Value::Array(_)) {
        return renamed("time.add_date", operands);
    }
    let [ns, years, months, days] =
        [integer(operands, 0)?, integer(operands, 1)?, integer(operands, 2)?, integer(operands, 3)?].map(i128::from);
    let (year, month, day) = civil(ns.div_euclid(DAY_NS));
    let moved = first_day(year + years, month + months) + (day - 1) + days;
    let moved = moved * DAY_NS + ns.rem_euclid(DAY_NS);
    i64::try_from(moved).map(Value::from).map_err(|_| BuiltinError("time outside of valid range".into()))
}

/// Whether [`add_date`] is sure of this time: one in UTC, or one that is on no last or first day of a month in any zone.
pub(in crate::builtins) fn is_common(at: &Value) -> bool {
    let Value::Array(parts) = at else {
        return true;
    };
    let ns = parts.first().and_then(|ns| ns.as_i64().ok());
    ns.is_none_or(|ns| (2..28).contains(&civil(i128::from(ns).div_euclid(DAY_NS)).2))
}

/// Days from 1970-01-01 to the first of a month, counted from 1; months beyond a year run into the next or the one before.
fn first_day(year: i128, month: i128) -> i128 {
    // Years begin in March here, so that a leap day is the last of its year.
    let months = year * 12 + month - 3;
    let (year, month) = (months.div_euclid(12), months.rem_euclid(12));
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (153 * month + 2) / 5 - 719_468
}

/// Year, month and day, both counted from 1, of a number of days since 1970-01-01.
fn civil(days: i128) -> (i128, i128, i128) {
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
    use crate::builtins::tests::called;

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
