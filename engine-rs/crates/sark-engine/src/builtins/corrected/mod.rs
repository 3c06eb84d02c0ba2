//! Builtins that regorus has and answers otherwise than OPA. Each goes before regorus' own.

#![allow(clippy::unnecessary_wraps, reason = "every builtin has one signature")]

mod cidr;
mod dates;
mod duration;
mod glob;
pub(super) mod layout;
mod matching;
pub(super) mod moment;
mod numbers;
mod objects;
mod order;
mod query;
mod regex;
mod runs;
mod semver;
mod sorted;
mod sprintf;
mod text;
mod unicode;
pub(super) mod units;
mod validity;

pub(super) use objects::segments;

use super::OwnBuiltin;

pub(super) const SUBJECTS: &[&[OwnBuiltin]] = &[
    cidr::OWN,
    dates::OWN,
    duration::OWN,
    glob::OWN,
    layout::OWN,
    numbers::OWN,
    objects::OWN,
    query::OWN,
    regex::OWN,
    semver::OWN,
    sorted::OWN,
    sprintf::OWN,
    text::OWN,
    units::OWN,
    validity::OWN,
];
