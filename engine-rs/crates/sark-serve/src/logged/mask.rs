//! What is hidden in an event: values are erased or replaced in the JSON text, so that everything else keeps its spelling.

use std::{collections::BTreeMap, fmt::Write};

use serde_json::value::{RawValue, to_raw_value};

use crate::options::ConfigurationError;

/// Most places of one mask that an event names one by one.
const MAX_NAMED: usize = 64;
/// Longest pointer.
const MAX_TOKENS: usize = 32;

/// The document that cannot be read as it would have to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable;

/// One thing to hide.
#[derive(Debug, Clone)]
pub struct Mask {
    /// In the input, else in the result.
    pub(super) in_input: bool,
    tokens: Vec<Token>,
    pointer: String,
    /// None: erase.
    value: Option<Box<RawValue>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Named(String),
    Any,
}

/// What masks did.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Hidden {
    pub erased: Vec<String>,
    pub masked: Vec<String>,
}

impl Mask {
    /// Hide what `pointer` names, which begins with `/input` or `/result`; the token `*` stands for any one when `is_wild`.
    pub fn new(pointer: &str, value: Option<&[u8]>, is_wild: bool) -> Result<Self, ConfigurationError> {
        let wrong = |what: String| ConfigurationError(what);
        let mut tokens = pointer.strip_prefix('/').unwrap_or_default().split('/');
        let in_input = match tokens.next() {
            Some("input") => true,
            Some("result") => false,
            _ => {
                return Err(wrong(format!(
                    "a mask must be a JSON pointer such as /input/password or /result/token, not {pointer:?}"
                )));
            }
        };
        let token = |text: &str| match text {
            "*" if is_wild => Token::Any,
            text => Token::Named(text.replace("~1", "/").replace("~0", "~")),
        };
        let tokens: Vec<Token> = tokens.map(token).collect();
        if tokens.len() > MAX_TOKENS {
            return Err(wrong(format!("a mask must have at most {MAX_TOKENS} tokens; {pointer:?} has {}", tokens.len())));
        }
        let value = value.map(|bytes| {
            let text =
                std::str::from_utf8(bytes).map_err(|_| wrong(format!("the value of the mask {pointer:?} is not UTF-8")))?;
            RawValue::from_string(text.to_owned()).map_err(|error| wrong(format!("the value of the mask {pointer:?}: {error}")))
        });
        Ok(Self { in_input, tokens, pointer: pointer.to_owned(), value: value.transpose()? })
    }

    /// Hide it in `document`; None when nothing is left.
    pub(super) fn apply(&self, document: &RawValue, hidden: &mut Hidden) -> Result<Option<Box<RawValue>>, Unreadable> {
        let mut found = Found { places: vec![], more: false };
        let root = if self.in_input { "/input" } else { "/result" };
        let edited = self.edit(document, &self.tokens, &mut root.to_owned(), &mut found)?;
        let list = if self.value.is_some() { &mut hidden.masked } else { &mut hidden.erased };
        list.append(&mut found.places);
        if found.more {
            list.push(self.pointer.clone());
        }
        Ok(edited)
    }

    fn edit(
        &self,
        document: &RawValue,
        tokens: &[Token],
        at: &mut String,
        found: &mut Found,
    ) -> Result<Option<Box<RawValue>>, Unreadable> {
        let Some((token, rest)) = tokens.split_first() else {
            found.add(at);
            return Ok(self.value.clone());
        };
        match document.get().as_bytes().first() {
            Some(b'{') => self.edit_object(document, token, rest, at, found).map(Some),
            Some(b'[') => self.edit_array(document, token, rest, at, found).map(Some),
            _ => Ok(Some(document.to_owned())),
        }
    }

    /// Of equal names the last one counts, and only that one is written again: what is hidden cannot stand beside itself.
    fn edit_object(
        &self,
        document: &RawValue,
        token: &Token,
        rest: &[Token],
        at: &mut String,
        found: &mut Found,
    ) -> Result<Box<RawValue>, Unreadable> {
        let mut members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(document.get()).map_err(|_| Unreadable)?;
        let names: Vec<String> = match token {
            Token::Any => members.keys().cloned().collect(),
            Token::Named(name) => vec![name.clone()],
        };
        for name in names {
            let length = at.len();
            at.push('/');
            at.push_str(&name.replace('~', "~0").replace('/', "~1"));
            match (members.remove(&name), &self.value) {
                (Some(value), _) => {
                    if let Some(edited) = self.edit(&value, rest, at, found)? {
                        members.insert(name, edited);
                    }
                }
                (None, Some(value)) if !self.is_wild() => {
                    members.insert(name, nested(rest, value)?);
                    found.places.push(self.pointer.clone());
                }
                (None, _) => {}
            }
            at.truncate(length);
        }
        to_raw_value(&members).map_err(|_| Unreadable)
    }

    /// What is erased in a list leaves a null, so that the others keep their places.
    fn edit_array(
        &self,
        document: &RawValue,
        token: &Token,
        rest: &[Token],
        at: &mut String,
        found: &mut Found,
    ) -> Result<Box<RawValue>, Unreadable> {
        let mut items: Vec<Box<RawValue>> = serde_json::from_str(document.get()).map_err(|_| Unreadable)?;
        for (index, item) in items.iter_mut().enumerate() {
            if !matches!(token, Token::Any) && !matches!(token, Token::Named(name) if *name == index.to_string()) {
                continue;
            }
            let length = at.len();
            // Writing to a string cannot fail.
            let _ = write!(at, "/{index}");
            *item = self.edit(item, rest, at, found)?.unwrap_or_else(|| RawValue::NULL.to_owned());
            at.truncate(length);
        }
        to_raw_value(&items).map_err(|_| Unreadable)
    }

    fn is_wild(&self) -> bool {
        self.tokens.contains(&Token::Any)
    }
}

struct Found {
    places: Vec<String>,
    /// There are more than are named.
    more: bool,
}

impl Found {
    fn add(&mut self, at: &str) {
        if self.places.len() < MAX_NAMED {
            self.places.push(at.to_owned());
        } else {
            self.more = true;
        }
    }
}

/// The value below objects that are not there yet.
fn nested(rest: &[Token], value: &RawValue) -> Result<Box<RawValue>, Unreadable> {
    let mut nested = value.to_owned();
    for token in rest.iter().rev() {
        let Token::Named(name) = token else {
            return Err(Unreadable);
        };
        nested = to_raw_value(&BTreeMap::from([(name, nested)])).map_err(|_| Unreadable)?;
    }
    Ok(nested)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(pointer: &str, value: Option<&str>, document: &str) -> (Option<String>, Hidden) {
        let mask = Mask::new(pointer, value.map(str::as_bytes), true).unwrap();
        let mut hidden = Hidden::default();
        let document: &RawValue = serde_json::from_str(document).unwrap();
        let left = mask.apply(document, &mut hidden).unwrap();
        (left.map(|raw| raw.get().to_owned()), hidden)
    }

    fn left(pointer: &str, value: Option<&str>, document: &str) -> String {
        hidden(pointer, value, document).0.unwrap()
    }

    #[test]
    fn a_value_is_erased_and_named_and_the_rest_keeps_its_spelling() {
        let (left, told) = hidden("/input/user/password", None, r#"{"n":1.50e3,"user":{"password":"x","id":"a"}}"#);
        assert_eq!(left.as_deref(), Some(r#"{"n":1.50e3,"user":{"id":"a"}}"#));
        assert_eq!(told.erased, ["/input/user/password"]);
        assert_eq!(hidden("/input", None, "[1]"), (None, Hidden { erased: vec!["/input".into()], masked: vec![] }));
    }

    #[test]
    fn a_value_is_replaced_or_made() {
        assert_eq!(left("/input/a", Some("\"***\""), r#"{"a":{"b":1}}"#), r#"{"a":"***"}"#);
        assert_eq!(left("/input/a/b", Some("0"), r#"{"c":1}"#), r#"{"a":{"b":0},"c":1}"#);
        assert_eq!(left("/input/*/b", Some("0"), r#"{"a":{"b":1},"c":{}}"#), r#"{"a":{"b":0},"c":{}}"#);
    }

    #[test]
    fn what_is_erased_in_a_list_leaves_a_null() {
        assert_eq!(left("/result/1", None, "[1,2,3]"), "[1,null,3]");
        assert_eq!(left("/result/*/t", None, r#"[{"t":1},{"t":2,"u":3}]"#), r#"[{},{"u":3}]"#);
    }

    #[test]
    fn names_are_compared_as_they_are_meant() {
        assert_eq!(left("/input/password", None, r#"{"pass\u0077ord":"x"}"#), "{}");
        assert_eq!(left("/input/a~1b", None, r#"{"a/b":1}"#), "{}");
    }

    #[test]
    fn a_second_member_of_the_same_name_cannot_carry_a_secret_through() {
        assert_eq!(left("/input/a/p", None, r#"{"a":{"p":"secret"},"a":1}"#), r#"{"a":1}"#);
        assert_eq!(left("/input/a/p", None, r#"{"a":{"p":"secret","p":"secret"}}"#), r#"{"a":{}}"#);
        assert_eq!(left("/input/p", None, r#"{"p":"secret","p":"secret"}"#), "{}");
    }

    #[test]
    fn a_name_that_cannot_be_read_is_not_passed_over() {
        let mask = Mask::new("/input/p", None, true).unwrap();
        let document: &RawValue = serde_json::from_str(r#"{"\ud800":1,"p":"secret"}"#).unwrap();
        assert!(matches!(mask.apply(document, &mut Hidden::default()), Err(Unreadable)));
    }

    #[test]
    fn only_so_many_places_are_named() {
        let many = format!("[{}]", vec!["{\"t\":1}"; 200].join(","));
        let told = hidden("/input/*/t", None, &many).1;
        assert_eq!((told.erased.len(), told.erased.last().map(String::as_str)), (MAX_NAMED + 1, Some("/input/*/t")));
    }

    #[test]
    fn what_is_no_mask_is_refused() {
        for pointer in ["", "input/a", "/output", "/inputs/a"] {
            assert!(Mask::new(pointer, None, true).is_err(), "{pointer}");
        }
        assert!(Mask::new("/input/a", Some(b"{"), true).is_err());
    }
}
