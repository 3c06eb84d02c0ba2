//! How long a decision may be kept, by the class of what it is about: a right to something critical, once taken away, must not
//! live on in a cache.
//!
//! The class is a word at some place of the input or of the decision. Looked up when a decision is kept, never when a kept one
//! is found.

use std::{collections::HashMap, time::Duration};

use regorus::Value;
use thiserror::Error;

use crate::document::{Sight, read_input};

/// A table that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct LifetimeError(String);

/// The table. Without places to look at, nothing has a class.
#[derive(Debug, Clone, Default)]
pub struct Lifetimes {
    /// By name, in lower case.
    classes: HashMap<String, Duration>,
    unknown: Duration,
    input: Vec<Pointer>,
    decision: Vec<Pointer>,
}

/// A JSON pointer (RFC 6901), taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pointer(Vec<String>);

/// For what has no class: as long as the cache keeps anything.
const UNLIMITED: Duration = Duration::MAX;

impl Lifetimes {
    /// A table of classes, with what a class that is not in it gets, and JSON pointers to where the class stands.
    pub fn new<'a>(
        classes: impl IntoIterator<Item = (String, Duration)>,
        unknown: Duration,
        input: impl IntoIterator<Item = &'a str>,
        decision: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, LifetimeError> {
        Ok(Self {
            classes: classes.into_iter().map(|(name, longest)| (spelled(&name), longest)).collect(),
            unknown,
            input: input.into_iter().map(Pointer::parse).collect::<Result<_, _>>()?,
            decision: decision.into_iter().map(Pointer::parse).collect::<Result<_, _>>()?,
        })
    }

    /// Paths of the input at which a class may stand.
    pub(crate) fn input_paths(&self) -> Vec<Vec<String>> {
        self.input.iter().map(|pointer| pointer.0.clone()).collect()
    }

    /// Longest that a decision about `input` may be kept; of several classes the strictest counts.
    pub(crate) fn of_input(&self, input: &Sight<'_>) -> Duration {
        if self.input.is_empty() {
            return UNLIMITED;
        }
        // What was not read may be of a class.
        if !self.input.iter().all(|pointer| input.holds(&pointer.0)) {
            return Duration::ZERO;
        }
        self.strictest(&self.input, &input.value())
    }

    /// Longest that the decision `result` may be kept.
    pub(crate) fn of_result(&self, result: &Value) -> Duration {
        self.strictest(&self.decision, result)
    }

    /// The same for both as JSON; what cannot be read is not kept.
    pub fn of_texts(&self, input: Option<&[u8]>, result: Option<&[u8]>) -> Duration {
        let of = |pointers: &[Pointer], text: Option<&[u8]>| match text {
            Some(json) if !pointers.is_empty() => {
                read_input(json).map_or(Duration::ZERO, |value| self.strictest(pointers, &value))
            }
            _ => UNLIMITED,
        };
        of(&self.input, input).min(of(&self.decision, result))
    }

    fn strictest(&self, pointers: &[Pointer], document: &Value) -> Duration {
        pointers.iter().filter_map(|pointer| self.class(pointer.find(document)?)).min().unwrap_or(UNLIMITED)
    }

    /// Nothing and null are no class. A number is one by its digits; what is no word at all is an unknown one.
    fn class(&self, value: &Value) -> Option<Duration> {
        let name = match value {
            Value::Undefined | Value::Null => return None,
            Value::String(text) => spelled(text),
            Value::Number(_) => value.to_string(),
            _ => return Some(self.unknown),
        };
        Some(self.classes.get(&name).copied().unwrap_or(self.unknown))
    }
}

fn spelled(name: &str) -> String {
    name.trim().to_ascii_lowercase()
}

impl Pointer {
    fn parse(text: &str) -> Result<Self, LifetimeError> {
        let Some(rest) = text.strip_prefix('/') else {
            let message = format!("the place of a class must start with a slash, as in /resource/sensitivity, not {text:?}");
            return Err(LifetimeError(message));
        };
        Ok(Self(rest.split('/').map(|token| token.replace("~1", "/").replace("~0", "~")).collect()))
    }

    fn find<'v>(&self, document: &'v Value) -> Option<&'v Value> {
        self.0.iter().try_fold(document, |value, token| match value {
            Value::Object(members) => members.get(&Value::from(token.as_str())),
            Value::Array(elements) => elements.get(token.parse::<usize>().ok()?),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Lifetimes {
        let classes = [("low", 300), ("medium", 180), ("high", 60), ("critical", 0), ("Confidential", 60), ("4", 5)];
        let classes = classes.map(|(name, seconds)| (name.to_owned(), Duration::from_secs(seconds)));
        let input = ["/resource/sensitivity", "/tools/1/level", "/a~1b/~0"];
        Lifetimes::new(classes, Duration::from_secs(1), input, ["/sensitivity"]).unwrap()
    }

    fn seconds(input: &str, result: &str) -> Option<u64> {
        let longest = table().of_texts(Some(input.as_bytes()), Some(result.as_bytes()));
        (longest != UNLIMITED).then_some(longest.as_secs())
    }

    #[test]
    fn a_class_is_found_in_the_input_and_in_the_decision_and_the_strictest_counts() {
        for (input, result, expected) in [
            (r#"{"resource":{"sensitivity":"low"}}"#, "true", Some(300)),
            (r#"{"resource":{"sensitivity":"critical"}}"#, "true", Some(0)),
            (r#"{"resource":{"sensitivity":" HIGH "}}"#, "true", Some(60)),
            (r#"{"resource":{"sensitivity":"confidential"}}"#, "true", Some(60)),
            (r#"{"resource":{"sensitivity":4}}"#, "true", Some(5)),
            (r#"{"resource":{"sensitivity":"low"},"tools":[{},{"level":"medium"}]}"#, "true", Some(180)),
            (r#"{"a/b":{"~":"high"}}"#, "true", Some(60)),
            (r#"{"resource":{"sensitivity":"low"}}"#, r#"{"allow":true,"sensitivity":"critical"}"#, Some(0)),
            (r#"{"resource":{"sensitivity":"low"},"resource":{"sensitivity":"critical"}}"#, "true", Some(0)),
        ] {
            assert_eq!(seconds(input, result), expected, "{input} {result}");
        }
    }

    #[test]
    fn what_is_no_known_word_gets_the_life_of_the_unknown() {
        for input in [r#""top""#, "true", "[]", "{}", "5", r#""""#] {
            assert_eq!(seconds(&format!(r#"{{"resource":{{"sensitivity":{input}}}}}"#), "true"), Some(1), "{input}");
        }
    }

    #[test]
    fn without_a_class_there_is_no_limit_here() {
        for input in ["{}", "null", "[]", "3", r#"{"resource":"low"}"#, r#"{"resource":{"sensitivity":null}}"#] {
            assert_eq!(seconds(input, "{}"), None, "{input}");
        }
        assert_eq!(Lifetimes::default().of_texts(Some(b"not even JSON"), None), UNLIMITED);
    }

    #[test]
    fn what_cannot_be_read_is_not_kept() {
        assert_eq!(seconds("{", "true"), Some(0));
        assert_eq!(seconds(&format!("{}1{}", "[".repeat(200), "]".repeat(200)), "true"), Some(0));
    }

    #[test]
    fn a_place_without_its_slash_is_refused() {
        assert!(Lifetimes::new([], Duration::ZERO, ["resource"], []).is_err());
    }
}
