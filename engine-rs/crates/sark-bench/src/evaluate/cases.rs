//! Cases: a question each, with the result it must have.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::contender::Contender;

/// A line of the file of cases.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    name: String,
    path: String,
    input: Box<RawValue>,
    /// Absent when undefined.
    #[serde(default, deserialize_with = "present")]
    result: Option<Value>,
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// One question.
pub(crate) struct Case {
    /// Cases of one name are timed together.
    pub name: String,
    /// As in `authz/allow`.
    pub path: String,
    /// JSON text.
    pub input: Vec<u8>,
    result: Option<Value>,
}

/// Read one case a line.
pub(crate) fn read(file: &Path) -> Result<Vec<Case>, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    parse_lines(&text).map_err(|error| format!("{}: {error}", file.display()))
}

pub(crate) fn parse_lines(text: &str) -> Result<Vec<Case>, String> {
    let cases: Vec<Case> = text
        .lines()
        .zip(1..)
        .filter(|(line, _)| !line.trim().is_empty())
        .map(|(line, number)| parse(line).map_err(|error| format!("line {number}: {error}")))
        .collect::<Result<_, _>>()?;
    if cases.is_empty() { Err("there is no case".to_owned()) } else { Ok(cases) }
}

fn parse(line: &str) -> Result<Case, String> {
    let Line { name, path, input, result } = serde_json::from_str(line).map_err(|error| error.to_string())?;
    Ok(Case { name, path, input: input.get().as_bytes().to_vec(), result })
}

impl Case {
    /// The path as a reference, as in `data.authz.allow`.
    pub(crate) fn reference(&self) -> String {
        format!("data.{}", self.path.replace('/', "."))
    }

    /// Evaluate it once. A result other than the known one is an error.
    pub(crate) fn check(&self, engine: &mut dyn Contender) -> Result<(), String> {
        let mut text = Vec::new();
        let defined = engine.answer(self, &mut text)?;
        let given = defined.then(|| serde_json::from_slice::<Value>(&text)).transpose().map_err(|error| error.to_string())?;
        if given == self.result {
            return Ok(());
        }
        let shown = |value: &Option<Value>| value.as_ref().map_or_else(|| "undefined".to_owned(), Value::to_string);
        Err(format!("{} of case {:?} is {}; it must be {}", self.path, self.name, shown(&given), shown(&self.result)))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::contender::Stages, *};

    /// Answers always the same.
    struct Fixed(Option<&'static str>);

    impl Contender for Fixed {
        fn answer(&mut self, _: &Case, result: &mut Vec<u8>) -> Result<bool, String> {
            result.clear();
            result.extend_from_slice(self.0.unwrap_or("not JSON").as_bytes());
            Ok(self.0.is_some())
        }

        fn stages(&mut self, _: &Case) -> Result<Stages, String> {
            Err("nobody asked for stages".to_owned())
        }
    }

    #[test]
    fn only_the_known_result_passes() {
        let defined = parse(r#"{"name":"a","path":"p/q","input":1,"result":{"b":1,"a":2}}"#).unwrap();
        let undefined = parse(r#"{"name":"a","path":"p/q","input":1}"#).unwrap();
        assert_eq!(defined.check(&mut Fixed(Some(r#"{"a":2,"b":1}"#))), Ok(()));
        assert_eq!(undefined.check(&mut Fixed(None)), Ok(()));
        let wrong = defined.check(&mut Fixed(Some("true"))).unwrap_err();
        assert_eq!(wrong, r#"p/q of case "a" is true; it must be {"a":2,"b":1}"#);
        assert!(defined.check(&mut Fixed(None)).unwrap_err().contains("is undefined; it must be"));
        assert!(undefined.check(&mut Fixed(Some("null"))).unwrap_err().contains("is null; it must be undefined"));
    }

    #[test]
    fn a_case_is_read() {
        let case = parse(r#"{"name":"a","path":"p/q","input":{"b": 1},"result":null}"#).unwrap();
        assert_eq!(case.reference(), "data.p.q");
        assert_eq!(case.input, br#"{"b": 1}"#);
        assert_eq!(case.result, Some(Value::Null));
    }

    #[test]
    fn a_case_without_a_result_is_undefined() {
        assert_eq!(parse(r#"{"name":"a","path":"p","input":1}"#).unwrap().result, None);
    }

    #[test]
    fn a_file_tells_the_line_that_is_wrong() {
        let message = |text: &str| parse_lines(text).err().unwrap();
        assert!(message("{\"name\":\"a\",\"path\":\"p\",\"input\":1}\n\n{}").starts_with("line 3: "));
        assert_eq!(message("\n"), "there is no case");
    }

    #[test]
    fn anything_else_is_refused() {
        for line in ["", "{}", r#"{"name":"a","path":"p","input":1,"answer":2}"#] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
