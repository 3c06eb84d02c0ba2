//! Tokens in compact serialization, and their headers.

use std::collections::BTreeSet;

use regorus::{Value, value::Object};

use super::super::{BuiltinError, Circumstances, base64, json};

/// The three parts of a token, still encoded.
#[derive(Debug)]
pub(super) struct Token<'a> {
    pub header: &'a str,
    pub payload: &'a str,
    pub signature: &'a str,
}

impl<'a> Token<'a> {
    pub(super) fn split(text: &'a str) -> Result<Self, BuiltinError> {
        let mut parts = text.split('.');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(header), Some(payload), Some(signature), None) => Ok(Self { header, payload, signature }),
            (_, None, ..) => Err(BuiltinError("encoded JWT had no period separators".into())),
            _ => Err(BuiltinError(format!("encoded JWT must have 3 sections, found {}", text.split('.').count()))),
        }
    }

    /// What the signature is of.
    pub(super) fn signed(&self) -> Vec<u8> {
        [self.header, ".", self.payload].concat().into_bytes()
    }

    pub(super) fn signature(&self) -> Result<Vec<u8>, BuiltinError> {
        part("signature", self.signature)
    }

    pub(super) fn payload(&self) -> Result<Vec<u8>, BuiltinError> {
        part("payload", self.payload)
    }

    /// Note how the numbers of header and payload are spelled: these become part of an answer.
    pub(super) fn note_numbers(&self, circumstances: &Circumstances) -> Result<(), BuiltinError> {
        for part in [part("header", self.header)?, self.payload()?] {
            json::read_noting(&part, circumstances)?;
        }
        Ok(())
    }

    /// The header as an object.
    pub(super) fn header(&self, circumstances: &Circumstances) -> Result<Value, BuiltinError> {
        let header = object(&part("header", self.header)?, circumstances)?;
        if field(&header, "enc").is_some() {
            return Err(BuiltinError("JWT is a JWE object, which is not supported".into()));
        }
        Ok(header)
    }
}

fn part(name: &str, encoded: &str) -> Result<Vec<u8>, BuiltinError> {
    base64::url(encoded).ok_or_else(|| BuiltinError(format!("JWT {name} had invalid encoding")))
}

/// The JSON object that `text` is.
pub(super) fn object(text: &[u8], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    match json::read(text, circumstances)? {
        object @ Value::Object(_) => Ok(object),
        _ => Err(BuiltinError("decoded JSON type was not an object".into())),
    }
}

pub(super) fn field<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    let Value::Object(fields) = object else {
        return None;
    };
    fields.get(&Value::from(name))
}

/// The fields of a header that decide something. Strings are empty if the field is missing.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub alg: String,
    pub kid: String,
    pub cty: String,
    /// Whether a field that must be understood is not.
    pub has_unknown_critical: bool,
}

const KNOWN: [&str; 5] = ["alg", "crit", "cty", "kid", "typ"];

impl Header {
    pub(super) fn read(header: &Value) -> Result<Self, BuiltinError> {
        let Value::Object(fields) = header else {
            return Ok(Self::default());
        };
        text(fields, "typ")?;
        let critical = critical(fields)?;
        let has_unknown_critical = critical.iter().any(|name| !KNOWN.contains(name) && field(header, name).is_some());
        Ok(Self { alg: text(fields, "alg")?, kid: text(fields, "kid")?, cty: text(fields, "cty")?, has_unknown_critical })
    }
}

fn text(fields: &Object, name: &str) -> Result<String, BuiltinError> {
    match fields.get(&Value::from(name)) {
        None => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.as_ref().to_owned()),
        Some(_) => Err(BuiltinError(format!("{name}: must be a string"))),
    }
}

/// The names in `crit` up to the first that is no string: OPA reads no further.
fn critical(fields: &Object) -> Result<BTreeSet<&str>, BuiltinError> {
    let Some(critical) = fields.get(&Value::from("crit")) else {
        return Ok(BTreeSet::new());
    };
    let Value::Array(names) = critical else {
        return Err(BuiltinError("crit: must be a list".into()));
    };
    let names: BTreeSet<&str> = names
        .iter()
        .map_while(|name| match name {
            Value::String(name) => Some(name.as_ref()),
            _ => None,
        })
        .collect();
    if names.is_empty() { Err(BuiltinError("crit: must be a nonempty list".into())) } else { Ok(names) }
}
