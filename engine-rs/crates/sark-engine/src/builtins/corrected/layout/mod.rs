//! Go's layouts of times: an example, 2006-01-02 15:04:05.999 MST, whose parts stand for the parts of any time.
//!
//! regorus reads them through another library's directives, which take more texts than Go does and write some otherwise.

mod element;
mod parsing;
mod writing;

use regorus::Value;

use super::{
    super::{BuiltinError, Circumstances, OwnBuiltin, operands::string},
    dates::first_day,
    moment::{Civil, DAY_SECONDS, Moment, NS},
};
use element::{Element, elements};
use parsing::Failure;

pub(in crate::builtins) const OWN: &[OwnBuiltin] = &[
    OwnBuiltin { name: "time.format", arity: 1, call: format },
    OwnBuiltin { name: "time.parse_ns", arity: 2, call: parse_ns },
    OwnBuiltin { name: "time.parse_rfc3339_ns", arity: 1, call: parse_rfc3339_ns },
];

const RFC3339: &str = "2006-01-02T15:04:05Z07:00";
const RFC3339_NANO: &str = "2006-01-02T15:04:05.999999999Z07:00";

fn layout_of(name: &str) -> &str {
    match name {
        "ANSIC" => "Mon Jan _2 15:04:05 2006",
        "UnixDate" => "Mon Jan _2 15:04:05 MST 2006",
        "RubyDate" => "Mon Jan 02 15:04:05 -0700 2006",
        "RFC822" => "02 Jan 06 15:04 MST",
        "RFC822Z" => "02 Jan 06 15:04 -0700",
        "RFC850" => "Monday, 02-Jan-06 15:04:05 MST",
        "RFC1123" => "Mon, 02 Jan 2006 15:04:05 MST",
        "RFC1123Z" => "Mon, 02 Jan 2006 15:04:05 -0700",
        "RFC3339" => RFC3339,
        "RFC3339Nano" => RFC3339_NANO,
        layout => layout,
    }
}

fn parse_ns(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    parsed(string(operands, 0)?, string(operands, 1)?)
}

fn parse_rfc3339_ns(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    parsed(RFC3339, string(operands, 0)?)
}

fn parsed(layout: &str, text: &str) -> Result<Value, BuiltinError> {
    let ns =
        parsing::parse(layout_of(layout), text).map_err(|_| BuiltinError("the time is not written as its layout".into()))?;
    i64::try_from(ns).map(Value::from).map_err(|_| BuiltinError("time outside of valid range".into()))
}

/// Whether the time in `text` hangs on the zone of the machine: what a zone's letters mean is looked up there.
pub(in crate::builtins) fn parse_needs_machine(layout: &str, text: &str) -> bool {
    parsing::parse(layout_of(layout), text) == Err(Failure::NeedsMachine)
}

fn format(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    let at = Moment::new(operands, 0)?;
    let layout = if at.layout.is_empty() { RFC3339_NANO } else { layout_of(at.layout) };
    Ok(Value::from(writing::write(at.ns, at.offset()?, layout)))
}

/// Whether `layout` writes the letters of a zone, which are known of UTC only.
pub(in crate::builtins) fn names_its_zone(layout: &str) -> bool {
    elements(layout_of(layout)).any(|(_, element)| element == Some(Element::ZoneName))
}

const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

#[cfg(test)]
mod tests;
