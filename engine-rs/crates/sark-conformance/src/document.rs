//! JSON documents that keep every digit, from the suite's YAML and from the engine's answers.

use std::{collections::BTreeMap, fmt};

use serde_json::value::RawValue;

use crate::number::Number;

/// A JSON document. The order is OPA's: null, booleans, numbers, strings, arrays, objects.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Document {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Document>),
    Record(BTreeMap<String, Document>),
}

impl Document {
    /// Read a JSON text.
    pub(crate) fn from_json(text: &str) -> Result<Self, String> {
        let raw: &RawValue = serde_json::from_str(text).map_err(|error| format!("{error} in {text:?}"))?;
        Self::from_raw(raw)
    }

    fn from_raw(raw: &RawValue) -> Result<Self, String> {
        let text = raw.get();
        let failed = |error: serde_json::Error| format!("{error} in {text:?}");
        Ok(match text.bytes().next() {
            Some(b'{') => {
                let fields: BTreeMap<String, &RawValue> = serde_json::from_str(text).map_err(failed)?;
                let fields = fields.into_iter().map(|(key, value)| Ok((key, Self::from_raw(value)?)));
                Self::Record(fields.collect::<Result<_, String>>()?)
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(text).map_err(failed)?;
                Self::List(items.into_iter().map(Self::from_raw).collect::<Result<_, _>>()?)
            }
            Some(b'"') => Self::Text(serde_json::from_str(text).map_err(failed)?),
            Some(b'n') => Self::Null,
            Some(b't' | b'f') => Self::Bool(text == "true"),
            _ => Self::Number(Number::parse(text).ok_or_else(|| format!("no number: {text:?}"))?),
        })
    }

    /// Take over a YAML value the way OPA's reader does: keys become strings, floats their shortest text.
    pub(crate) fn from_yaml(value: &yaml_serde::Value) -> Result<Self, String> {
        use yaml_serde::Value;
        Ok(match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(value) => {
                let text = value.to_string();
                Self::Number(Number::parse(&text).ok_or_else(|| format!("no JSON number: {text}"))?)
            }
            Value::String(value) => Self::Text(value.clone()),
            Value::Sequence(items) => Self::List(items.iter().map(Self::from_yaml).collect::<Result<_, _>>()?),
            Value::Mapping(fields) => {
                let fields = fields.iter().map(|(key, value)| Ok((key_of(key)?, Self::from_yaml(value)?)));
                Self::Record(fields.collect::<Result<_, String>>()?)
            }
            Value::Tagged(tagged) => Self::from_yaml(&tagged.value)?,
        })
    }

    /// The items of a list, sorted; anything else as it is.
    pub(crate) fn sorted(self) -> Self {
        match self {
            Self::List(mut items) => {
                items.sort();
                Self::List(items)
            }
            other => other,
        }
    }
}

fn key_of(key: &yaml_serde::Value) -> Result<String, String> {
    match Document::from_yaml(key)? {
        Document::Text(text) => Ok(text),
        Document::List(_) | Document::Record(_) => Err("a key is a list or a mapping".to_owned()),
        scalar => Ok(scalar.to_string()),
    }
}

/// Compact JSON.
impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(value) => f.write_str(value.text()),
            Self::Text(value) => write!(f, "{}", serde_json::Value::from(value.as_str())),
            Self::List(items) => {
                f.write_str("[")?;
                for (place, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if place == 0 { "" } else { "," })?;
                }
                f.write_str("]")
            }
            Self::Record(fields) => {
                f.write_str("{")?;
                for (place, (key, value)) in fields.iter().enumerate() {
                    let comma = if place == 0 { "" } else { "," };
                    write!(f, "{comma}{}:{value}", serde_json::Value::from(key.as_str()))?;
                }
                f.write_str("}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_and_written_without_losing_a_digit() {
        let text = r#"{"a":[1,-2.50,123456789012345678901234567890],"b":{"c":null,"d":"x\"y"},"e":true}"#;
        assert_eq!(Document::from_json(text).unwrap().to_string(), text);
        assert!(Document::from_json("[1,]").is_err());
    }

    #[test]
    fn yaml_and_json_of_one_document_are_equal() {
        let yaml: yaml_serde::Value = yaml_serde::from_str("{1: 2.0, true: [1e3, -7, 18446744073709551615], x: ~}").unwrap();
        let json = Document::from_json(r#"{"1": 2, "true": [1000, -7, 18446744073709551615], "x": null}"#).unwrap();
        assert_eq!(Document::from_yaml(&yaml), Ok(json));
    }

    #[test]
    fn only_lists_are_sorted_and_only_their_own_items() {
        let read = |text| Document::from_json(text).unwrap();
        assert_eq!(read(r#"["b",[2,1],3,null]"#).sorted().to_string(), r#"[null,3,"b",[2,1]]"#);
        assert_eq!(read(r#"{"a":[2,1]}"#).sorted().to_string(), r#"{"a":[2,1]}"#);
    }
}
