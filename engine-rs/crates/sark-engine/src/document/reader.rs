//! One pass over a JSON text, straight into the engine's values.

use std::{collections::BTreeMap, sync::Arc};

use regorus::{Value, value::Object};

use super::{
    Document, MAX_DEPTH, MAX_INPUT_VALUES, MAX_NUMBER_BYTES, Projection, ReadError, Spelled, is_plain, keys, number,
    projection::{Members, Parts, Shape, Way},
    scan::{Broken, end_of_number, end_of_string, end_of_word, skip_space},
    text::{replaced, unescaped},
};

/// What a document is read for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    /// Read once and dropped: built with the fewest allocations, and bounded.
    Input,
    /// As an input, of a text inside of one: a number beyond all floats is held, and noted as such.
    Text,
    /// Kept: built compactly. Whoever loads it bounds its size.
    Data,
}

impl Purpose {
    const fn most_values(self) -> usize {
        match self {
            Self::Input | Self::Text => MAX_INPUT_VALUES,
            Self::Data => usize::MAX,
        }
    }

    fn object(self, fields: BTreeMap<Value, Value>) -> Value {
        match self {
            Self::Input | Self::Text => Value::Object(Arc::new(Object::from(fields))),
            // Moves the fields into one slice of the exact size.
            Self::Data => Value::from(fields),
        }
    }
}

/// Why reading stopped.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Broken(Broken),
    Deep,
    Many,
    Number { at: usize, end: usize },
}

impl From<Broken> for Fault {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

/// Reading stopped; the reader knows why. It has no size, so that what is read comes back in registers.
#[derive(Debug, Clone, Copy)]
struct Stopped;

struct Reader<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    /// Levels that may still be opened.
    levels: usize,
    /// Values that may still come.
    values: usize,
    purpose: Purpose,
    spelled: Spelled,
    /// Why reading stopped, if it did.
    fault: Option<Fault>,
}

/// What was built of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Built {
    Whole(Value),
    Parts(Parts),
}

/// Read the only value in `json`.
pub(super) fn read(json: &[u8], purpose: Purpose) -> Result<Document, ReadError> {
    #[allow(clippy::redundant_closure_for_method_calls, reason = "the method itself is that of one lifetime")]
    let (value, spelled) = read_all(json, purpose, |reader| reader.value())?;
    Ok(Document { value, spelled })
}

/// As [`read`], for an input of which is built what `projection` says, and with the numbers that are noted. Whether it can be read
/// does not hang on the projection, nor which numbers are noted.
pub(super) fn read_some(json: &[u8], projection: &Projection) -> Result<(Built, Spelled), ReadError> {
    read_all(json, Purpose::Input, |reader| reader.built(projection))
}

/// Read the input at `start` of `text`, and where it ends; None when it cannot be read.
pub(super) fn read_front(text: &str, start: usize, projection: &Projection) -> Option<(Built, Spelled, usize)> {
    let mut reader = Reader::at(text, start, Purpose::Input);
    let built = reader.built(projection).ok()?;
    Some((built, reader.spelled, reader.at))
}

fn read_all<T>(
    json: &[u8],
    purpose: Purpose,
    value: impl FnOnce(&mut Reader<'_>) -> Result<T, Stopped>,
) -> Result<(T, Spelled), ReadError> {
    let text = replaced(json);
    let mut reader = Reader::at(&text, 0, purpose);
    match value(&mut reader).and_then(|value| reader.end().map(|()| value)) {
        Ok(value) => Ok((value, reader.spelled)),
        Err(Stopped) => Err(reader.explain()),
    }
}

impl<'t> Reader<'t> {
    fn at(text: &'t str, at: usize, purpose: Purpose) -> Self {
        let (bytes, values) = (text.as_bytes(), purpose.most_values());
        Self { text, bytes, at, levels: MAX_DEPTH, values, purpose, spelled: Spelled::default(), fault: None }
    }
}

impl Reader<'_> {
    /// Nothing but white space follows.
    fn end(&mut self) -> Result<(), Stopped> {
        self.at = skip_space(self.bytes, self.at);
        if self.at == self.bytes.len() { Ok(()) } else { Err(self.broken("something after the document")) }
    }

    fn built(&mut self, projection: &Projection) -> Result<Built, Stopped> {
        match projection {
            Projection::Whole => self.value().map(Built::Whole),
            Projection::Parts(shape) => self.parts(shape).map(Built::Parts),
        }
    }

    fn parts(&mut self, shape: &Shape) -> Result<Parts, Stopped> {
        let mut parts = shape.blank();
        self.picked(shape.root(), &mut parts)?;
        Ok(parts)
    }

    /// A value of which the parts in `members` are built, if it is an object.
    fn picked(&mut self, members: &Members, parts: &mut Parts) -> Result<(), Stopped> {
        self.at = skip_space(self.bytes, self.at);
        if self.bytes.get(self.at) != Some(&b'{') {
            return self.pass();
        }
        self.count()?;
        self.nested(|reader| {
            reader.each_member(|reader| {
                let found = reader.key(|name| members.find(name))?;
                reader.colon()?;
                match found {
                    None => reader.pass(),
                    // Of equal keys the last one counts, with all that is in it.
                    Some(Way::Part(number)) => {
                        parts.set(*number, reader.value()?);
                        Ok(())
                    }
                    Some(Way::Further(further)) => {
                        parts.forget(further);
                        reader.picked(further, parts)
                    }
                }
            })
        })
    }

    /// Go past a value, as strictly as it would be read.
    fn pass(&mut self) -> Result<(), Stopped> {
        self.count()?;
        self.at = skip_space(self.bytes, self.at);
        match self.bytes.get(self.at) {
            Some(b'"') => {
                let end = end_of_string(self.bytes, self.at + 1);
                self.at = self.found(end)?.after;
                Ok(())
            }
            Some(b'{') => self.nested(|reader| {
                reader.each_member(|reader| {
                    reader.key(|_| ())?;
                    reader.colon()?;
                    reader.pass()
                })
            }),
            Some(b'[') => self.nested(|reader| reader.each_item(Self::pass)),
            _ => self.scalar().map(drop),
        }
    }

    fn value(&mut self) -> Result<Value, Stopped> {
        self.count()?;
        self.at = skip_space(self.bytes, self.at);
        match self.bytes.get(self.at) {
            Some(b'"') => self.string(|raw| raw.into()).map(Value::String),
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            _ => self.scalar(),
        }
    }

    fn count(&mut self) -> Result<(), Stopped> {
        let left = self.values.checked_sub(1);
        self.values = self.or_stop(left, Fault::Many)?;
        Ok(())
    }

    /// A value without parts that is no string.
    fn scalar(&mut self) -> Result<Value, Stopped> {
        match self.bytes.get(self.at) {
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(_) => Err(self.broken("no value begins like this")),
            None => Err(self.broken("the text ends where a value should be")),
        }
    }

    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Stopped>) -> Result<T, Stopped> {
        let left = self.levels.checked_sub(1);
        self.levels = self.or_stop(left, Fault::Deep)?;
        self.at += 1;
        let value = read(self)?;
        self.levels += 1;
        Ok(value)
    }

    fn array(&mut self) -> Result<Value, Stopped> {
        let mut items = Vec::new();
        self.each_item(|reader| {
            items.push(reader.value()?);
            Ok(())
        })?;
        Ok(Value::from(items))
    }

    /// Call `read` where each item of an array begins.
    fn each_item(&mut self, mut read: impl FnMut(&mut Self) -> Result<(), Stopped>) -> Result<(), Stopped> {
        let mut goes_on = !self.closes(b']');
        while goes_on {
            read(self)?;
            goes_on = self.goes_on(b']', "a comma or ] is missing")?;
        }
        Ok(())
    }

    fn object(&mut self) -> Result<Value, Stopped> {
        let mut fields = BTreeMap::new();
        self.each_member(|reader| {
            let key = reader.key(keys::shared)?;
            reader.colon()?;
            // Of equal keys the last one counts.
            fields.insert(Value::String(key), reader.value()?);
            Ok(())
        })?;
        Ok(if fields.is_empty() { Value::from(fields) } else { self.purpose.object(fields) })
    }

    /// Call `read` where each member of an object should begin.
    fn each_member(&mut self, mut read: impl FnMut(&mut Self) -> Result<(), Stopped>) -> Result<(), Stopped> {
        let mut goes_on = !self.closes(b'}');
        while goes_on {
            read(self)?;
            goes_on = self.goes_on(b'}', "a comma or } is missing")?;
        }
        Ok(())
    }

    fn key<T>(&mut self, see: impl FnOnce(&str) -> T) -> Result<T, Stopped> {
        self.at = skip_space(self.bytes, self.at);
        if self.bytes.get(self.at) != Some(&b'"') {
            return Err(self.broken("a key must be a string"));
        }
        self.string(see)
    }

    fn colon(&mut self) -> Result<(), Stopped> {
        self.at = skip_space(self.bytes, self.at);
        if self.bytes.get(self.at) != Some(&b':') {
            return Err(self.broken("a colon is missing"));
        }
        self.at += 1;
        Ok(())
    }

    /// Whether the collection that has just begun ends at once.
    fn closes(&mut self, end: u8) -> bool {
        self.at = skip_space(self.bytes, self.at);
        let closes = self.bytes.get(self.at) == Some(&end);
        self.at += usize::from(closes);
        closes
    }

    /// Whether another item follows; moves past the comma or the end.
    fn goes_on(&mut self, end: u8, otherwise: &'static str) -> Result<bool, Stopped> {
        self.at = skip_space(self.bytes, self.at);
        let next = self.bytes.get(self.at);
        if next != Some(&b',') && next != Some(&end) {
            return Err(self.broken(otherwise));
        }
        self.at += 1;
        Ok(next == Some(&b','))
    }

    fn string<T>(&mut self, make: impl FnOnce(&str) -> T) -> Result<T, Stopped> {
        let start = self.at + 1;
        let end = end_of_string(self.bytes, start);
        let end = self.found(end)?;
        self.at = end.after;
        let raw = self.text.get(start..end.after - 1).unwrap_or_default();
        Ok(if end.escaped { make(&unescaped(raw)) } else { make(raw) })
    }

    fn number(&mut self) -> Result<Value, Stopped> {
        let start = self.at;
        let end = end_of_number(self.bytes, start);
        let (end, is_integer) = self.found(end)?;
        self.at = end;
        let token = self.text.get(start..end).unwrap_or_default();
        let value = if is_integer { number::integer(token) } else { number::decimal(token) };
        let value = value.or_else(|| self.beyond_floats(token));
        let value = self.or_stop(value, Fault::Number { at: start, end })?;
        if (!is_integer || token == "-0") && !is_plain(token) {
            self.spelled.note(&value);
        }
        Ok(value)
    }

    #[cold]
    fn beyond_floats(&mut self, token: &str) -> Option<Value> {
        if !matches!(self.purpose, Purpose::Text) {
            return None;
        }
        let number = number::beyond_floats(token)?;
        self.spelled.note_beyond(&number);
        Some(number)
    }

    fn word(&mut self, word: &'static str, value: Value) -> Result<Value, Stopped> {
        let end = end_of_word(self.bytes, self.at, word);
        self.at = self.found(end)?;
        Ok(value)
    }

    /// What a token was found to be.
    #[inline]
    fn found<T>(&mut self, found: Result<T, Broken>) -> Result<T, Stopped> {
        found.map_err(|broken| self.stop(broken.into()))
    }

    #[inline]
    fn or_stop<T>(&mut self, value: Option<T>, fault: Fault) -> Result<T, Stopped> {
        value.ok_or_else(|| self.stop(fault))
    }

    fn broken(&mut self, what: &'static str) -> Stopped {
        self.stop(Broken { at: self.at, what }.into())
    }

    #[cold]
    fn stop(&mut self, fault: Fault) -> Stopped {
        self.fault = Some(fault);
        Stopped
    }

    /// Why reading stopped.
    fn explain(&self) -> ReadError {
        let Some(fault) = self.fault else {
            return ReadError::Malformed("not what was expected".to_owned());
        };
        match fault {
            Fault::Broken(Broken { at, what }) => ReadError::Malformed(format!("{what} at byte {at}")),
            Fault::Deep => ReadError::Unsupported(format!("it nests deeper than {MAX_DEPTH} levels")),
            Fault::Many => ReadError::Unsupported(format!("it has more than {} values", self.purpose.most_values())),
            Fault::Number { at, end } if end - at > MAX_NUMBER_BYTES => {
                ReadError::Unsupported(format!("the number at byte {at} is longer than {MAX_NUMBER_BYTES} bytes"))
            }
            Fault::Number { at, end } => {
                let token = self.text.get(at..end.min(at + 40)).unwrap_or_default();
                ReadError::Unsupported(format!(
                    "the number {token} at byte {at} is none that the engine holds as OPA does; send it as a string"
                ))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(json: &[u8]) -> Result<Value, ReadError> {
        Ok(read(json, Purpose::Input)?.value)
    }

    /// The reason, without its place.
    fn refusal(json: &[u8]) -> ReadError {
        value(json).unwrap_err()
    }

    #[test]
    fn of_equal_keys_the_last_counts_also_when_they_are_equal_only_once_read() {
        assert_eq!(value(br#"{"a":1,"b":3,"a":2}"#), value(br#"{"a":2,"b":3}"#));
        assert_eq!(value(br#"{"\u0061":1,"a":2}"#), value(br#"{"a":2}"#));
        assert_eq!(value(b"{\"\xff\":1,\"\xfe\":2}"), value("{\"\u{fffd}\":2}".as_bytes()));
    }

    #[test]
    fn the_deepest_nesting_is_read_and_one_more_is_ours_to_refuse() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(value(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert!(matches!(refusal(nested(MAX_DEPTH + 1).as_bytes()), ReadError::Unsupported(_)));
        assert!(matches!(refusal("{\"a\":".repeat(1_000_000).as_bytes()), ReadError::Unsupported(_)));
        assert!(value(format!("[{}0]", "[[]],".repeat(200)).as_bytes()).is_ok());
    }

    #[test]
    fn values_are_counted() {
        let array = |items: usize| format!("[{}{{\"a\":3}}]", "0,".repeat(items));
        assert!(value(array(MAX_INPUT_VALUES - 3).as_bytes()).is_ok());
        let error = refusal(array(MAX_INPUT_VALUES - 2).as_bytes());
        assert_eq!(error, ReadError::Unsupported("it has more than 200000 values".into()));
        assert!(read(array(MAX_INPUT_VALUES).as_bytes(), Purpose::Data).is_ok());
    }

    #[test]
    fn numbers_that_would_change_are_named() {
        let error = refusal(b"{\"a\": 0.1000000000000000055511151231257827}");
        assert!(error.to_string().starts_with("the number 0.1000000000000000055511151231257827 at byte 6"), "{error}");
        let error = refusal(format!("[{}]", "1".repeat(100_000)).as_bytes());
        assert_eq!(error, ReadError::Unsupported("the number at byte 1 is longer than 1024 bytes".into()));
    }

    #[test]
    fn numbers_that_are_spelled_otherwise_are_noted() {
        let noted = |json: &str| {
            let spelled = read(json.as_bytes(), Purpose::Input).unwrap().spelled;
            spelled.worths().unwrap().cloned().collect::<Vec<_>>()
        };
        assert_eq!(noted(r#"{"a": [1, 2.5, -3, 0, "1.0", 18446744073709551616]}"#), []);
        let all = noted(r#"{"a": [1.0, 12.50, {"b": -0}], "c": 1e30, "d": 0.0000001}"#);
        let expected = ["0", "0.0000001", "1", "12.5", "1000000000000000000000000000000"];
        assert_eq!(all, expected.map(|json| value(json.as_bytes()).unwrap()));
    }

    #[test]
    fn what_breaks_the_grammar_is_malformed() {
        for json in [
            "",
            " ",
            "[",
            "{",
            "[1",
            "[1,",
            "[1,]",
            "[,1]",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":1",
            "{\"a\":1,}",
            "{a:1}",
            "{1:1}",
            "{\"a\" 1}",
            "01",
            "+1",
            ".5",
            "1.",
            "1e",
            "1e+",
            "-",
            "--1",
            "tru",
            "nul",
            "True",
            "NaN",
            "Infinity",
            "'a'",
            "\"a",
            "\"\n\"",
            "\"\\",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u12g4\"",
            "1 2",
            "[1 2]",
            "[}",
            "{]",
            "]",
            "/*c*/1",
            "\u{feff}1",
            "\u{a0}1",
            "1\0",
        ] {
            assert!(matches!(refusal(json.as_bytes()), ReadError::Malformed(_)), "{json:?}");
        }
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<u64>().prop_map(Into::into),
            (-1_000_000_000_i32..1_000_000_000).prop_map(|thousandths| (f64::from(thousandths) / 1000.0).into()),
            // Fractions whose shortest spelling serde_json prints without an exponent.
            (0.000_1_f64..1.0).prop_map(Into::into),
            ".*".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
                prop::collection::btree_map(".*", inner, 0..8).prop_map(|fields| fields.into_iter().collect()),
            ]
        })
    }

    /// What is at `path` of a document that was read in parts.
    fn part<'b>(built: &'b Built, projection: &Projection, path: &[&str]) -> &'b Value {
        let keys: Vec<Value> = path.iter().map(|name| Value::from(*name)).collect();
        let (number, depth) = projection.shape().unwrap().find(&keys).unwrap();
        let Built::Parts(parts) = built else { panic!("{built:?}") };
        place(parts.get(number).unwrap(), &path[depth..])
    }

    fn place<'v>(value: &'v Value, path: &[&str]) -> &'v Value {
        path.iter().fold(value, |value, name| &value[*name])
    }

    /// Documents of few names, so that keys are equal and paths lead into them.
    fn nested() -> impl Strategy<Value = String> {
        let leaf = prop::sample::select(vec!["1", "1.0", "\"a\"", "null", "{}", "[]", "\"\\u0061\""]).prop_map(str::to_owned);
        leaf.prop_recursive(4, 48, 5, |inner| {
            let key = prop::sample::select(vec!["a", "b", "c", "\\u0061", "\\u0062", "\\n"]);
            let member = (key, inner.clone()).prop_map(|(key, value)| format!("\"{key}\": {value}"));
            prop_oneof![
                4 => prop::collection::vec(member, 0..5).prop_map(|members| format!("{{{}}}", members.join(","))),
                1 => prop::collection::vec(inner, 0..3).prop_map(|items| format!("[{}]", items.join(" , "))),
            ]
        })
    }

    #[test]
    fn of_an_object_some_parts_are_built() {
        let paths = [vec!["a"], vec!["b", "c"], vec!["d", "e"]];
        let projection = Projection::of(paths.clone());
        let built = |json: &str| read_some(json.as_bytes(), &projection).unwrap();
        let all = |json: &str| {
            let (built, _) = built(json);
            paths.each_ref().map(|path| part(&built, &projection, path).to_string())
        };
        let undefined = "\"<undefined>\"";
        for (json, expected) in [
            (
                r#"{"x":{"y":[1.0,{}]},"b":{"x":1,"\u0063":[2]},"a":{"z":3},"a":{"x":4},"d":[{"e":5}]}"#,
                [r#"{"x":4}"#, "[2]", undefined],
            ),
            (r#"{"b":{"c":1},"d":{"e":2},"b":{"x":3},"d":4}"#, [undefined; 3]),
            (r#"{"b":{"c":1},"b":{"c":2,"c":3}}"#, [undefined, "3", undefined]),
            (r#"{"\u0062":{"c":1},"b":[{"c":2}]}"#, [undefined; 3]),
            (r#"[{"a":1}]"#, [undefined; 3]),
            (r#""a""#, [undefined; 3]),
            ("{}", [undefined; 3]),
        ] {
            assert_eq!(all(json), expected, "{json}");
        }
        // Numbers are noted wherever they are.
        let (_, spelled) = built(r#"{"x":{"y":[1.0,{}]}}"#);
        assert_eq!(spelled.worths().unwrap().collect::<Vec<_>>(), [&Value::from(1_u64)]);
    }

    #[test]
    fn what_is_left_out_counts_against_the_limits() {
        let refusals = |json: &str| {
            let nothing = Projection::of(std::iter::empty::<[&str; 0]>());
            let inside = Projection::of([["a", "b"]]);
            [Projection::Whole, nothing, inside].map(|projection| read_some(json.as_bytes(), &projection).err())
        };
        for (levels, items) in [(MAX_DEPTH - 1, 1), (MAX_DEPTH, 1), (1, MAX_INPUT_VALUES - 3), (1, MAX_INPUT_VALUES - 2)] {
            let json = format!("{{\"a\":{}{}0{}}}", "[".repeat(levels), "0,".repeat(items), "]".repeat(levels));
            let [whole, nothing, inside] = refusals(&json);
            assert_eq!(whole, nothing, "{levels} levels, {items} items");
            assert_eq!(whole, inside, "{levels} levels, {items} items");
            assert_eq!(whole.is_some(), levels == MAX_DEPTH || items == MAX_INPUT_VALUES - 2, "{whole:?}");
        }
        let nested = |levels: usize| format!("{}0{}", "{\"a\":".repeat(levels), "}".repeat(levels));
        let deep = Projection::of([vec!["a"; MAX_DEPTH + 1]]);
        assert!(read_some(nested(MAX_DEPTH).as_bytes(), &deep).is_ok());
        assert!(matches!(read_some(nested(MAX_DEPTH + 1).as_bytes(), &deep), Err(ReadError::Unsupported(_))));
    }

    proptest! {
        #[test]
        fn what_is_left_out_is_read_as_strictly(
            bytes in r#"\{("a"|"b"): ?([\[\]{}:, ]|"a"|"b\\n"|-|[0-9]{1,3}|\.|e|true|false|null){0,12}[}\]]?\}"#,
        ) {
            let projection = Projection::of([["a"]]);
            let whole = read(bytes.as_bytes(), Purpose::Input);
            let some = read_some(bytes.as_bytes(), &projection);
            let shown = some.map(|(built, spelled)| (part(&built, &projection, &["a"]).clone(), spelled));
            prop_assert_eq!(shown, whole.map(|document| (document.value["a"].clone(), document.spelled)));
        }

        #[test]
        fn a_part_is_what_the_whole_document_has_there(
            document in nested(),
            paths in prop::collection::vec(prop::collection::vec("[ab]", 1..4), 0..5),
        ) {
            let projection = Projection::of(paths.iter().map(|path| path.iter().map(String::as_str)));
            let whole = read(document.as_bytes(), Purpose::Input).unwrap();
            let (built, spelled) = read_some(document.as_bytes(), &projection).unwrap();
            prop_assert_eq!(spelled, whole.spelled);
            for path in &paths {
                let path: Vec<&str> = path.iter().map(String::as_str).collect();
                prop_assert_eq!(part(&built, &projection, &path), place(&whole.value, &path), "{:?} of {}", path, document);
            }
        }

        #[test]
        fn ordinary_json_is_read_as_serde_json_reads_it(document in json(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_string_pretty(&document) } else { serde_json::to_string(&document) }.unwrap();
            let theirs: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&value(text.as_bytes()).unwrap(), &theirs);
            prop_assert_eq!(&read(text.as_bytes(), Purpose::Data).unwrap().value, &theirs);
        }

        #[test]
        fn bytes_are_read_exactly_when_serde_json_reads_them(bytes in r#"([\[\]{}:, ]|"a"|"b\\n"|-|[0-9]{1,3}|\.|e|true|false|null){0,12}"#) {
            let theirs = serde_json::from_str::<Value>(&bytes).ok();
            // serde_json makes a float of 1e23, which is none exactly, and nothing of 1e310.
            let has_exponent = bytes.as_bytes().windows(2).any(|pair| pair[0].is_ascii_digit() && pair[1] == b'e');
            match value(bytes.as_bytes()) {
                Ok(_) if has_exponent => prop_assert!(serde_json::from_str::<&serde_json::value::RawValue>(&bytes).is_ok()),
                Ok(ours) => prop_assert_eq!(Some(ours), theirs),
                Err(ReadError::Malformed(_)) => prop_assert_eq!(None, theirs),
                Err(ReadError::Unsupported(_)) => {}
            }
        }
    }
}
