//! The query string, read as OPA's server reads it.

use std::borrow::Cow;

use percent_encoding::percent_decode;

/// What the query string of a question asks for. Names that OPA does not know say nothing, as to OPA.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Parameters {
    pub pretty: bool,
    /// Something that only an OPA server can add to the answer or do to the evaluation.
    pub needs_opa: bool,
    /// The last input named.
    pub input: Option<String>,
}

/// Values of `explain` that explain.
const EXPLAINS: [&str; 4] = ["notes", "fails", "full", "debug"];
const SWITCHES_OF_OPA: [&str; 4] = ["metrics", "instrument", "provenance", "strict-builtin-errors"];

impl Parameters {
    pub(crate) fn read(query: &str) -> Self {
        if query.is_empty() {
            return Self::default();
        }
        let pairs = pairs(query);
        let mut inputs = pairs.iter().filter(|(name, _)| name == "input");
        Self {
            pretty: is_on(&pairs, "pretty"),
            needs_opa: SWITCHES_OF_OPA.iter().any(|name| is_on(&pairs, name))
                || pairs.iter().any(|(name, value)| name == "explain" && EXPLAINS.contains(&value.as_str())),
            input: inputs.next_back().map(|(_, value)| value.clone()),
        }
    }

    /// Whether a name is in the query string that OPA gives a meaning to, pretty printing left out.
    pub(crate) fn says_more(&self) -> bool {
        self.needs_opa || self.input.is_some()
    }
}

/// A switch is on when it stands alone, or when one of its values is `true` in any letter case.
fn is_on(pairs: &[(String, String)], name: &str) -> bool {
    let mut values = pairs.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str());
    match (values.next(), values.next()) {
        (Some(""), None) => true,
        (first, second) => first.into_iter().chain(second).chain(values).any(|value| value.eq_ignore_ascii_case("true")),
    }
}

/// Names and values; what is not escaped well, or has a semicolon in it, is not there, as for Go's reader.
fn pairs(query: &str) -> Vec<(String, String)> {
    let whole = query.split('&').filter(|pair| !pair.is_empty() && !pair.contains(';'));
    let split = whole.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    split.filter_map(|(name, value)| Some((decoded(name)?, decoded(value)?))).collect()
}

fn decoded(text: &str) -> Option<String> {
    if !is_escaped_well(text) {
        return None;
    }
    let spaced = text.replace('+', " ");
    let bytes: Cow<'_, [u8]> = percent_decode(spaced.as_bytes()).into();
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        // As Go reads JSON: each byte that is no part of a character stands for an unknown one.
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    Some(text)
}

/// Whether each percent sign has its two digits.
pub(crate) fn is_escaped_well(text: &str) -> bool {
    text.split('%').skip(1).all(|after| after.as_bytes().iter().take(2).filter(|byte| byte.is_ascii_hexdigit()).count() == 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_are_read_as_by_opa() {
        for (query, pretty) in [
            ("pretty", true),
            ("pretty=", true),
            ("pretty=true", true),
            ("pretty=TRUE", true),
            ("pretty=false&pretty=true", true),
            ("p%72etty", true),
            ("pretty&pretty", false),
            ("pretty=1", false),
            ("pretty=false", false),
            ("Pretty", false),
            ("pretty;x", false),
            ("pretty=tru%zz", false),
            ("", false),
        ] {
            assert_eq!(Parameters::read(query).pretty, pretty, "{query}");
        }
    }

    #[test]
    fn what_only_opa_can_do_is_told_apart_from_what_it_ignores() {
        for query in [
            "metrics",
            "instrument=true",
            "provenance",
            "strict-builtin-errors=true",
            "explain=full",
            "explain=x&explain=notes",
        ] {
            assert!(Parameters::read(query).needs_opa, "{query}");
        }
        for query in ["metrics=false", "explain", "explain=off", "explain=FULL", "trace=1", "q=x", "partial"] {
            assert!(!Parameters::read(query).says_more(), "{query}");
        }
    }

    #[test]
    fn the_last_input_counts() {
        let read = |query: &str| Parameters::read(query).input;
        assert_eq!(read("pretty&input=%7B%22a%22%3A+1%7D"), Some(r#"{"a": 1}"#.into()));
        assert_eq!(read("input=1&input=2"), Some("2".into()));
        assert_eq!(read("input"), Some(String::new()));
        assert_eq!(read("pretty=true"), None);
        assert_eq!(read("input=%f"), None);
        // Somebody who writes one such byte into a text must not make the whole input vanish.
        assert_eq!(read("input=%22caf%e9%22"), Some("\"caf\u{fffd}\"".into()));
        assert_eq!(read("input=1&input=%22%e2%82%22"), Some("\"\u{fffd}\u{fffd}\"".into()));
        assert_eq!(read("%ff=1&input=2"), Some("2".into()));
    }
}
