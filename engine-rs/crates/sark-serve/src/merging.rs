//! JSON documents merged member by member, with every value spelt as it came.
//!
//! A document is read once, in one pass, however many are merged with it and however deep; merging costs what is written.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::reply::Problem;

/// Deepest nesting of members that are merged.
const MAX_DEPTH: usize = 100;

/// A document whose text is well-formed JSON.
#[derive(Debug)]
pub(crate) struct Document<'t> {
    text: &'t str,
    members: Members<'t>,
}

#[derive(Debug)]
enum Members<'t> {
    /// It is no object, or lies deeper than anything is merged.
    None,
    /// A name is no text, as half a surrogate pair is none. Nobody is told unless somebody merges here.
    Unreadable,
    Some(BTreeMap<String, Document<'t>>),
}

impl<'t> Document<'t> {
    /// The document in `text`, to be merged.
    pub(crate) fn read(text: &'t str) -> Self {
        Reader { text, at: 0 }.document(0)
    }

    /// The document in `text`, to stay as it is.
    pub(crate) const fn plain(text: &'t str) -> Self {
        Self { text, members: Members::None }
    }

    pub(crate) const fn text(&self) -> &'t str {
        self.text
    }

    /// Refuse what cannot be merged with `own`.
    pub(crate) fn check_below(&self, own: &Self) -> Result<(), Problem> {
        self.check(own, 0)
    }

    fn check(&self, own: &Self, depth: usize) -> Result<(), Problem> {
        if depth > MAX_DEPTH {
            return Err(Problem::invalid(format!("common_input and an input are alike for more than {MAX_DEPTH} levels")));
        }
        let (Some(common), Some(own)) = (self.members()?, own.members()?) else {
            return Ok(());
        };
        let both = own.iter().filter_map(|(name, value)| Some((common.get(name)?, value)));
        both.into_iter().try_for_each(|(below, value)| below.check(value, depth + 1))
    }

    /// Write `own` over this: objects are merged member by member, of everything else `own` counts.
    pub(crate) fn write_below(&self, own: &Self, out: &mut Vec<u8>) {
        let (Members::Some(common), Members::Some(members)) = (&self.members, &own.members) else {
            return out.extend_from_slice(own.text.as_bytes());
        };
        let mut common = common.iter().peekable();
        let mut separator = b'{';
        let mut name_next = |name: &str, out: &mut Vec<u8>| {
            out.push(std::mem::replace(&mut separator, b','));
            // Nothing that is written into memory fails.
            let _ = serde_json::to_writer(&mut *out, name);
            out.push(b':');
        };
        for (name, value) in members {
            while let Some((before, theirs)) = common.next_if(|(before, _)| *before < name) {
                name_next(before, out);
                out.extend_from_slice(theirs.text.as_bytes());
            }
            name_next(name, out);
            match common.next_if(|(same, _)| *same == name) {
                Some((_, below)) => below.write_below(value, out),
                None => out.extend_from_slice(value.text.as_bytes()),
            }
        }
        for (name, theirs) in common {
            name_next(name, out);
            out.extend_from_slice(theirs.text.as_bytes());
        }
        if separator == b'{' {
            out.push(b'{');
        }
        out.push(b'}');
    }

    fn members(&self) -> Result<Option<&BTreeMap<String, Self>>, Problem> {
        match &self.members {
            Members::None => Ok(None),
            Members::Some(members) => Ok(Some(members)),
            Members::Unreadable => {
                let read: Result<BTreeMap<String, &RawValue>, _> = serde_json::from_str(self.text);
                let error = read.err().map(|error| error.to_string()).unwrap_or_default();
                Err(Problem::invalid(format!("body contains malformed input document: {error}")))
            }
        }
    }
}

/// Reads what is known to be well-formed.
struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn document(&mut self, depth: usize) -> Document<'t> {
        let start = self.at;
        let members = if depth <= MAX_DEPTH && self.next() == Some(b'{') {
            self.members(depth)
        } else {
            self.pass();
            Members::None
        };
        Document { text: self.since(start), members }
    }

    fn members(&mut self, depth: usize) -> Members<'t> {
        self.at += 1;
        let mut members = Vec::new();
        let mut is_readable = true;
        loop {
            self.pass_space();
            match self.next() {
                Some(b'"') => {
                    let start = self.at;
                    self.pass_string();
                    let name = name(self.since(start));
                    self.pass_space();
                    // The colon.
                    self.at += 1;
                    self.pass_space();
                    let value = self.document(depth + 1);
                    match name {
                        Some(name) => members.push((name, value)),
                        None => is_readable = false,
                    }
                }
                Some(b',') => self.at += 1,
                _ => break,
            }
        }
        // The brace.
        self.at += 1;
        // Of those of one name the last one counts.
        if is_readable { Members::Some(members.into_iter().collect()) } else { Members::Unreadable }
    }

    /// Go behind a value.
    fn pass(&mut self) {
        match self.next() {
            Some(b'"') => self.pass_string(),
            Some(b'{' | b'[') => self.pass_brackets(),
            _ => self.pass_until(|byte| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r')),
        }
    }

    fn pass_brackets(&mut self) {
        let mut open = 0_usize;
        loop {
            self.pass_until(|byte| matches!(byte, b'"' | b'{' | b'[' | b'}' | b']'));
            match self.next() {
                Some(b'"') => {
                    self.pass_string();
                    continue;
                }
                Some(b'{' | b'[') => open += 1,
                Some(_) => open = open.saturating_sub(1),
                None => return,
            }
            self.at += 1;
            if open == 0 {
                return;
            }
        }
    }

    fn pass_string(&mut self) {
        self.at += 1;
        loop {
            self.pass_until(|byte| matches!(byte, b'"' | b'\\'));
            match self.next() {
                Some(b'\\') => self.at += 2,
                _ => break,
            }
        }
        self.at += 1;
    }

    fn pass_space(&mut self) {
        self.pass_until(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    }

    fn pass_until(&mut self, ends: impl Fn(u8) -> bool) {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        self.at += rest.iter().position(|byte| ends(*byte)).unwrap_or(rest.len());
    }

    fn next(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn since(&self, start: usize) -> &'t str {
        self.text.get(start..self.at).unwrap_or_default()
    }
}

/// The name that a string of JSON says; None when that is no text.
fn name(quoted: &str) -> Option<String> {
    let bare = quoted.strip_prefix('"')?.strip_suffix('"')?;
    if bare.contains('\\') { serde_json::from_str(quoted).ok() } else { Some(bare.to_owned()) }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use proptest::prelude::*;
    use serde_json::value::to_raw_value;

    use super::*;

    fn merged(common: &str, own: &str) -> Result<String, String> {
        let (common, own) = (Document::read(common), Document::read(own));
        common.check_below(&own).map_err(|problem| problem.message)?;
        let mut out = Vec::new();
        common.write_below(&own, &mut out);
        Ok(String::from_utf8(out).unwrap())
    }

    /// The rule as plainly as it can be said: read, merge and write anew at each level.
    fn plainly(common: &RawValue, own: &RawValue, depth: usize) -> Result<Box<RawValue>, String> {
        if depth > MAX_DEPTH {
            return Err(format!("common_input and an input are alike for more than {MAX_DEPTH} levels"));
        }
        let (Some(mut members), Some(own_members)) = (members(common)?, members(own)?) else {
            return Ok(own.to_owned());
        };
        for (key, value) in own_members {
            let value = match members.get(&key) {
                Some(below) => plainly(below, &value, depth + 1)?,
                None => value,
            };
            members.insert(key, value);
        }
        Ok(to_raw_value(&members).unwrap())
    }

    fn members(value: &RawValue) -> Result<Option<BTreeMap<String, Box<RawValue>>>, String> {
        if !value.get().starts_with('{') {
            return Ok(None);
        }
        let read = serde_json::from_str(value.get());
        read.map(Some).map_err(|error| format!("body contains malformed input document: {error}"))
    }

    fn agree(common: &str, own: &str) {
        let raw = |text: &str| serde_json::from_str::<Box<RawValue>>(text).unwrap();
        let expected = plainly(&raw(common), &raw(own), 0).map(|value| value.get().to_owned());
        assert_eq!(merged(common, own), expected, "{common} below {own}");
    }

    #[test]
    fn names_numbers_and_what_is_said_twice_stay_what_they_are() {
        for (common, own) in [
            ("{}", "{}"),
            ("{ }", "[ 1 , 2 ]"),
            ("1", "{\"a\" : 1}"),
            (r#"{"a":{"x":1.0e1 , "y":[1, {"z":"}"}]},"a":{"w":-0}}"#, r#"{"a" : {"x": 1,"v":"\"\\"} , "b":[ ]}"#),
            (r#"{"b":1,"a":1}"#, r#"{"\u0061":{"c":1},"a":{"d":2e400},"é":"\u00e9"}"#),
            (r#"{"a\n\"\\\/":{"k":1}}"#, r#"{"a\n\"\\/":{"\u0001":2}}"#),
            (r#"{"a":{"\ud800":1}}"#, r#"{"b":{"\ud800":1}}"#),
            (r#"{"a":{"\ud800":1}}"#, r#"{"a":{}}"#),
            ("5", r#"{"\ud800":1}"#),
            (r#"{"a":{"b":1}}"#, r#"{"a":{"\udc00x":{}},"a":7}"#),
        ] {
            agree(common, own);
        }
        for levels in [99, 100, 101, 102, 300] {
            let deep = |inner: &str| "{\"a\":".repeat(levels) + inner + &"}".repeat(levels);
            agree(&deep("1"), &deep("2"));
            agree(&deep("{\"x\":1}"), &deep("{\"y\":1}"));
        }
    }

    fn json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            Just("1.50".to_owned()),
            Just(r#""a}\"{""#.to_owned()),
            Just("{}".to_owned()),
            Just(" [ ] ".to_owned()),
        ];
        let name = prop_oneof![Just("a"), Just("b"), Just("\\u0061"), Just("c\\\\"), Just("\\ud83d\\ude00")];
        leaf.prop_recursive(5, 40, 4, move |inner| {
            let member = (name.clone(), inner.clone()).prop_map(|(name, value)| format!("\"{name}\" : {value}"));
            prop_oneof![
                4 => proptest::collection::vec(member, 0..4).prop_map(|members| format!("{{{} }}", members.join(","))),
                1 => proptest::collection::vec(inner, 0..3).prop_map(|values| format!("[{}]", values.join(", "))),
            ]
        })
    }

    proptest! {
        #[test]
        fn all_are_merged_as_the_plain_rule_has_it(common in json(), own in json()) {
            agree(common.trim(), own.trim());
        }

        #[test]
        fn no_text_makes_it_panic(text in "[{}\\[\\]\",:\\\\a1é ]{0,40}") {
            let document = Document::read(&text);
            let _ = document.check_below(&document);
            document.write_below(&document, &mut Vec::new());
        }
    }

    #[test]
    fn depth_costs_no_more_than_the_text_it_takes() {
        // Given: the same padding in a shallow object, and below a hundred levels
        let padding = format!("{{\"p\":\"{}\"}}", "x".repeat(1 << 20));
        let best = |levels: usize| {
            let wrap = |inner: &str| "{\"a\":".repeat(levels) + inner + &"}".repeat(levels);
            let (common, own) = (wrap(&padding), wrap("{}"));
            let took = (0..5).map(|_| {
                let began = Instant::now();
                assert!(merged(&common, &own).unwrap().len() > padding.len());
                began.elapsed()
            });
            took.min().unwrap()
        };
        // When: both are merged with an input of their shape
        let (shallow, deep) = (best(1), best(99));
        // Then: the levels cost next to nothing; a pass for each would cost a hundred times as much
        assert!(deep < shallow * 5, "{deep:?} beside {shallow:?}");
    }
}
