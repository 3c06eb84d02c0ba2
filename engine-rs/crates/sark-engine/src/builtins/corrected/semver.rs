//! Semantic versions; a leading `v` is allowed.

use std::cmp::Ordering;

use regorus::Value;

use super::super::{
    BuiltinError, Circumstances, OwnBuiltin,
    operands::{operand, string},
};

pub(in crate::builtins) const OWN: &[OwnBuiltin] = &[
    OwnBuiltin { name: "semver.compare", arity: 2, call: compare },
    OwnBuiltin { name: "semver.is_valid", arity: 1, call: is_valid },
];

#[derive(Debug, PartialEq, Eq)]
struct Version<'t> {
    numbers: [i64; 3],
    /// Identifiers of a release candidate; none for a release.
    candidate: Vec<&'t str>,
}

fn version(text: &str) -> Option<Version<'_>> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let (text, build) = text.split_once('+').map_or((text, None), |(text, build)| (text, Some(build)));
    let (core, candidate) = text.split_once('-').map_or((text, None), |(core, candidate)| (core, Some(candidate)));
    let numbers: Vec<i64> = core.split('.').map(number).collect::<Option<_>>()?;
    let &[major, minor, patch] = numbers.as_slice() else {
        return None;
    };
    let candidate: Vec<&str> = candidate.map_or_else(Vec::new, |candidate| candidate.split('.').collect());
    let is_sound =
        candidate.iter().all(|part| is_identifier(part) && (!is_digits(part) || part == &"0" || !part.starts_with('0')))
            && build.is_none_or(|build| build.split('.').all(is_identifier));
    is_sound.then_some(Version { numbers: [major, minor, patch], candidate })
}

/// Digits without a leading zero, as many as OPA reads.
fn number(text: &str) -> Option<i64> {
    let is_number = is_digits(text) && (text == "0" || !text.starts_with('0'));
    is_number.then(|| text.parse().ok())?
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// A release comes behind its candidates; builds do not count.
fn order(a: &Version<'_>, b: &Version<'_>) -> Ordering {
    a.numbers.cmp(&b.numbers).then_with(|| match (a.candidate.is_empty(), b.candidate.is_empty()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => {
            let pairs = a.candidate.iter().zip(&b.candidate);
            let first = pairs.map(|(a, b)| order_of_parts(a, b)).find(|order| order.is_ne());
            first.unwrap_or_else(|| a.candidate.len().cmp(&b.candidate.len()))
        }
    })
}

fn order_of_parts(a: &str, b: &str) -> Ordering {
    match (is_digits(a), is_digits(b)) {
        (true, true) => a.len().cmp(&b.len()).then_with(|| a.cmp(b)),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => a.cmp(b),
    }
}

fn compare(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    let read = |index| {
        let text = string(operands, index)?;
        version(text).ok_or_else(|| BuiltinError(format!("operand {}: string {text:?} is not a valid SemVer", index + 1)))
    };
    Ok(Value::from(i64::from(order(&read(0)?, &read(1)?) as i8)))
}

fn is_valid(operands: &[Value], _: &Circumstances) -> Result<Value, BuiltinError> {
    Ok(Value::from(matches!(operand(operands, 0), Value::String(text) if version(text).is_some())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtins::tests::called;

    #[test]
    fn versions_have_their_order() {
        let ordered =
            ["1.2.3-alpha", "1.2.3-alpha.1", "1.2.3-alpha.beta", "1.2.3-rc.9", "1.2.3-rc.10", "v1.2.3", "1.2.4", "1.10.0"];
        for pair in ordered.windows(2) {
            assert_eq!(called("semver.compare", &[pair[0].into(), pair[1].into()]), Ok(Value::from(-1_i64)), "{pair:?}");
            assert_eq!(called("semver.compare", &[pair[1].into(), pair[0].into()]), Ok(Value::from(1_i64)), "{pair:?}");
        }
        assert_eq!(called("semver.compare", &["1.2.3+a".into(), "1.2.3+b".into()]), Ok(Value::from(0_i64)));
    }

    #[test]
    fn what_is_no_version_is_not_valid() {
        for text in
            ["", "1", "1.2", "1.2.3.4", "01.2.3", "1.2.3-", "1.2.3-01", "a.b.c", "1.2.3 ", "1.2.3+", "0.9223372036854775808.0"]
        {
            assert_eq!(called("semver.is_valid", &[text.into()]), Ok(Value::from(false)), "{text}");
            assert!(called("semver.compare", &[text.into(), "1.0.0".into()]).is_err(), "{text}");
        }
        assert_eq!(called("semver.is_valid", &[Value::Null]), Ok(Value::from(false)));
        for text in ["1.2.3-a.1+b.01", "9223372036854775807.0.0", "1.0.0-9223372036854775808"] {
            assert_eq!(called("semver.is_valid", &[text.into()]), Ok(Value::from(true)), "{text}");
        }
    }
}
