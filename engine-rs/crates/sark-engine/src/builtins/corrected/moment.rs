//! A time as policies give it: nanoseconds, or an array of them with a zone and a layout.

use regorus::Value;

use super::{
    super::{
        BuiltinError,
        operands::{integer, operand, string},
        renamed::renamed,
    },
    dates::{civil, first_day},
};

pub(super) const NS: i128 = 1_000_000_000;
pub(super) const DAY_SECONDS: i128 = 86_400;

#[derive(Debug, Clone, Copy)]
pub(super) struct Moment<'a> {
    /// Nanoseconds since 1970 in UTC.
    pub ns: i128,
    /// Empty for UTC.
    pub zone: &'a str,
    /// Empty when there is none.
    pub layout: &'a str,
}

impl<'a> Moment<'a> {
    /// The operand at `index`.
    pub fn new(operands: &'a [Value], index: usize) -> Result<Self, BuiltinError> {
        let Value::Array(parts) = operand(operands, index) else {
            return Ok(Self { ns: integer(operands, index)?.into(), zone: "", layout: "" });
        };
        let parts = parts.as_slice();
        let text = |at| if parts.get(at).is_some() { string(parts, at) } else { Ok("") };
        let zone = text(1)?;
        Ok(Self { ns: integer(parts, 0)?.into(), zone: if zone == "UTC" { "" } else { zone }, layout: text(2)? })
    }

    /// Seconds that clocks of its zone are ahead of UTC.
    pub fn offset(&self) -> Result<i128, BuiltinError> {
        if self.zone.is_empty() { Ok(0) } else { offset(self.ns, self.zone) }
    }
}

/// Whether regorus knows the zone. OPA may know more: it asks the machine.
pub(in crate::builtins) fn is_known_zone(zone: &str) -> bool {
    matches!(zone, "" | "UTC") || (zone != "Local" && offset(0, zone).is_ok())
}

/// By what regorus says of date and clock.
fn offset(ns: i128, zone: &str) -> Result<i128, BuiltinError> {
    let number = i64::try_from(ns).map_err(|_| BuiltinError("time outside of valid range".into()))?;
    let at = [Value::from(vec![Value::from(number), Value::from(zone)])];
    let three = |name| {
        let answer = renamed(name, &at)?;
        let parts = answer.as_array().map_err(|_| BuiltinError(format!("{name} has no answer")))?.as_slice();
        Ok([integer(parts, 0)?, integer(parts, 1)?, integer(parts, 2)?].map(i128::from))
    };
    let ([year, month, day], [hour, minute, second]) = (three("time.date")?, three("time.clock")?);
    let there = (first_day(year, month) + day - 1) * DAY_SECONDS + hour * 3_600 + minute * 60 + second;
    Ok(there - ns.div_euclid(NS))
}

/// A time as a calendar and a clock show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Civil {
    pub year: i128,
    pub month: i128,
    pub day: i128,
    /// Counted from 1.
    pub year_day: i128,
    /// 0 is Sunday.
    pub weekday: usize,
    pub hour: i128,
    pub minute: i128,
    pub second: i128,
    pub nanosecond: i128,
}

impl Civil {
    /// Of a time in UTC where clocks are `offset` seconds ahead of it.
    pub fn new(ns: i128, offset: i128) -> Self {
        let (seconds, nanosecond) = (ns.div_euclid(NS) + offset, ns.rem_euclid(NS));
        let (days, second) = (seconds.div_euclid(DAY_SECONDS), seconds.rem_euclid(DAY_SECONDS));
        let (year, month, day) = civil(days);
        Self {
            year,
            month,
            day,
            year_day: days - first_day(year, 1) + 1,
            weekday: usize::try_from((days + 4).rem_euclid(7)).unwrap_or(0),
            hour: second / 3_600,
            minute: second / 60 % 60,
            second: second % 60,
            nanosecond,
        }
    }
}
