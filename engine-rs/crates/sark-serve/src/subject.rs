//! Who a request is about: a header, else a place in the input, else the input itself.

use std::{borrow::Cow, fmt};

use serde::{
    Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::options::{ConfigurationError, header_name};

/// Where the subject is looked for, in order.
#[derive(Debug, Clone)]
pub struct SubjectRule {
    /// In lower case.
    header: Option<String>,
    pointers: Vec<Pointer>,
}

/// A JSON pointer (RFC 6901), taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pointer(Vec<String>);

impl SubjectRule {
    /// A header that overrides, and JSON pointers into the input, the first one first.
    pub fn new<'a>(header: Option<&str>, pointers: impl IntoIterator<Item = &'a str>) -> Result<Self, ConfigurationError> {
        Ok(Self {
            header: header.map(header_name).transpose()?,
            pointers: pointers.into_iter().map(Pointer::parse).collect::<Result<_, _>>()?,
        })
    }

    /// The header that overrides, in lower case.
    pub(crate) fn header(&self) -> Option<&str> {
        self.header.as_deref()
    }

    /// The subject of a request, which a header may name. Without any, the question itself: equal questions stay in one arm, and
    /// different ones spread.
    pub(crate) fn find<'r>(&self, named: Option<&'r [u8]>, input: Option<&'r [u8]>, path: &'r str) -> Cow<'r, [u8]> {
        if let Some(named) = named {
            return Cow::Borrowed(named);
        }
        let Some(input) = input else {
            return Cow::Borrowed(path.as_bytes());
        };
        let found = self.pointers.iter().find_map(|pointer| pointer.identity(input));
        found.map_or(Cow::Borrowed(input), |subject| Cow::Owned(subject.into_bytes()))
    }
}

impl Pointer {
    fn parse(text: &str) -> Result<Self, ConfigurationError> {
        let Some(rest) = text.strip_prefix('/') else {
            return Err(ConfigurationError(format!("a subject pointer must start with a slash, as in /user/id, not {text:?}")));
        };
        Ok(Self(rest.split('/').map(|token| token.replace("~1", "/").replace("~0", "~")).collect()))
    }

    /// The string or number it points at, if there is one; a number as it is written.
    fn identity(&self, input: &[u8]) -> Option<String> {
        let mut deserializer = serde_json::Deserializer::from_slice(input);
        let found = Walk(&self.0).deserialize(&mut deserializer).ok()??;
        let text = found.get();
        match text.as_bytes().first()? {
            b'"' => serde_json::from_str(text).ok().filter(|subject: &String| !subject.is_empty()),
            b'-' | b'0'..=b'9' => Some(text.to_owned()),
            _ => None,
        }
    }
}

/// Walks down to a place and skips the rest without building it. The last of equal keys counts, as for the engines.
#[derive(Clone, Copy)]
struct Walk<'p>(&'p [String]);

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        if self.0.is_empty() {
            return serde::Deserialize::deserialize(deserializer).map(Some);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Some((wanted, rest)) = self.0.split_first() else {
            return Ok(None);
        };
        let mut found = None;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if key == wanted.as_str() {
                found = map.next_value_seed(Walk(rest))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let Some((wanted, rest)) = self.0.split_first() else {
            return Ok(None);
        };
        let wanted: Option<usize> = wanted.parse().ok();
        let mut found = None;
        for index in 0_usize.. {
            let present = if Some(index) == wanted {
                sequence.next_element_seed(Walk(rest))?.map(|value| found = value)
            } else {
                sequence.next_element::<IgnoredAny>()?.map(|_| ())
            };
            if present.is_none() {
                break;
            }
        }
        Ok(found)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(input: &str) -> String {
        let rule = SubjectRule::new(Some("X-Subject"), ["/user/id", "/agents/1/id", "/user", "/a~1b/~0"]).unwrap();
        String::from_utf8(rule.find(None, Some(input.as_bytes()), "p").into_owned()).unwrap()
    }

    #[test]
    fn the_first_place_with_a_string_or_a_number_counts() {
        for (input, expected) in [
            (r#"{"user":{"id":"alice"}}"#, "alice"),
            (r#"{"user":{"id":"al\u0069ce"},"z":[1,{}]}"#, "alice"),
            (r#"{"user":{"id":42}}"#, "42"),
            (r#"{"user":{"id":-1.50}}"#, "-1.50"),
            (r#"{"user":"bob"}"#, "bob"),
            (r#"{"user":{"id":null},"agents":[{},{"id":"a1"}]}"#, "a1"),
            (r#"{"a/b":{"~":"odd"}}"#, "odd"),
            (r#"{"user":{"id":"x"},"user":{"id":"y"}}"#, "y"),
        ] {
            assert_eq!(subject(input), expected, "{input}");
        }
    }

    #[test]
    fn without_an_identity_the_input_itself_is_the_subject() {
        for input in [r#"{"user":{"id":""}}"#, r#"{"user":{"id":true}}"#, "[1]", r#""text""#, "null", "{}"] {
            assert_eq!(subject(input), input);
        }
    }

    #[test]
    fn a_header_overrides_and_no_input_leaves_the_path() {
        let rule = SubjectRule::new(Some("X-Subject"), ["/user"]).unwrap();
        assert_eq!(rule.header(), Some("x-subject"));
        assert_eq!(rule.find(None, None, "a/b").as_ref(), b"a/b");
        assert_eq!(rule.find(Some(b"carol"), Some(br#"{"user":"bob"}"#), "a/b").as_ref(), b"carol");
    }

    #[test]
    fn a_pointer_without_its_slash_is_refused() {
        assert!(SubjectRule::new(None, ["user/id"]).is_err());
        assert!(SubjectRule::new(Some("no such header"), []).is_err());
    }
}
