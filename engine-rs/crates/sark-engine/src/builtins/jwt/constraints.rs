//! What `io.jwt.decode_verify` demands of a token besides its form.

use std::{cmp::Ordering, sync::Arc};

use regorus::{Value, value::Object};

use super::{
    super::{BuiltinError, Circumstances},
    key::{Halves, Hash, Key, Salt, Scheme},
    keys::{self, VerificationKey, one_verifies},
    token::{Header, Token, field},
};

#[derive(Debug)]
pub(super) struct Constraints {
    trusted: Trusted,
    /// Empty strings demand nothing.
    alg: String,
    iss: String,
    aud: String,
    /// Nanoseconds since 1970, as a float: so are they compared in OPA.
    time_ns: f64,
}

#[derive(Debug)]
enum Trusted {
    Keys(Arc<[VerificationKey]>),
    Secret(Key),
}

impl Constraints {
    pub(super) fn read(object: &Object, circumstances: &Circumstances) -> Result<Self, BuiltinError> {
        let (mut keys, mut secret, mut time_ns) = (None, String::new(), None);
        let (mut alg, mut iss, mut aud) = (String::new(), String::new(), String::new());
        for (name, value) in object.iter_sorted() {
            let Value::String(name) = name else {
                return Err(BuiltinError("a token validation constraint must have a string for its name".into()));
            };
            match name.as_ref() {
                "cert" => keys = Some(keys::read(&text(name, value)?, circumstances)?),
                "secret" => secret = text(name, value)?,
                "alg" => alg = text(name, value)?,
                "iss" => iss = text(name, value)?,
                "aud" => aud = text(name, value)?,
                "time" => time_ns = Some(nanoseconds(value)?),
                _ => return Err(BuiltinError(format!("unknown token validation constraint: {name}"))),
            }
        }
        let trusted = match (keys, secret.is_empty()) {
            (Some(_), false) => return Err(BuiltinError("duplicate key constraints".into())),
            (Some(keys), true) => Trusted::Keys(keys),
            (None, false) => Trusted::Secret(Key::Octets(secret.into_bytes())),
            (None, true) => return Err(BuiltinError("no key constraint".into())),
        };
        let time_ns = match time_ns {
            Some(time_ns) => time_ns,
            None => nanoseconds(&Value::from(circumstances.now_ns()))?,
        };
        Ok(Self { trusted, alg, iss, aud, time_ns })
    }

    /// Whether the algorithm is allowed and a trusted key made the signature.
    pub(super) fn accept_signature(
        &self,
        header: &Header,
        token: &Token<'_>,
        circumstances: &Circumstances,
    ) -> Result<bool, BuiltinError> {
        if !self.alg.is_empty() && self.alg != header.alg {
            return Ok(false);
        }
        let (signed, signature) = (token.signed(), token.signature()?);
        let Some(scheme) = scheme(&header.alg) else {
            return Ok(false);
        };
        match &self.trusted {
            Trusted::Secret(key) => Ok(key.verifies(scheme, &signed, &signature)),
            Trusted::Keys(keys) => {
                one_verifies(keys, &header.kid, &header.alg, circumstances, |key| key.verifies(scheme, &signed, &signature))
            }
        }
    }

    /// Whether issuer, audience and times are as demanded.
    pub(super) fn accept_claims(&self, payload: &Value) -> Result<bool, BuiltinError> {
        Ok(self.accept_issuer(payload)?
            && self.accept_audience(payload)
            && self.compared(payload, "exp")?.is_none_or(Ordering::is_lt)
            && self.compared(payload, "nbf")?.is_none_or(Ordering::is_ge))
    }

    fn accept_issuer(&self, payload: &Value) -> Result<bool, BuiltinError> {
        match field(payload, "iss") {
            _ if self.iss.is_empty() => Ok(true),
            None => Ok(false),
            Some(Value::String(iss)) => Ok(iss.as_ref() == self.iss),
            Some(_) => Err(BuiltinError("iss value must be a string".into())),
        }
    }

    /// A token for an audience is refused unless one is demanded.
    fn accept_audience(&self, payload: &Value) -> bool {
        let is_demanded = |aud: &Value| matches!(aud, Value::String(aud) if aud.as_ref() == self.aud);
        match field(payload, "aud") {
            None => self.aud.is_empty(),
            Some(Value::Array(all)) => all.iter().any(is_demanded),
            Some(aud) => is_demanded(aud),
        }
    }

    /// How the present time compares with the claim `name`, in seconds; none without that claim.
    fn compared(&self, payload: &Value, name: &str) -> Result<Option<Ordering>, BuiltinError> {
        match field(payload, name) {
            None => Ok(None),
            Some(claim @ Value::Number(_)) => Ok(Some(Value::from(self.time_ns / 1e9).cmp(claim))),
            Some(_) => Err(BuiltinError(format!("{name} value must be a number"))),
        }
    }
}

fn text(name: &str, value: &Value) -> Result<String, BuiltinError> {
    match value {
        Value::String(text) => Ok(text.as_ref().to_owned()),
        _ => Err(BuiltinError(format!("{name} constraint: must be a string"))),
    }
}

/// The nearest float, through its decimal digits: a float of this kind holds no odd nanosecond after 1970-04-15.
fn nanoseconds(value: &Value) -> Result<f64, BuiltinError> {
    let Value::Number(number) = value else {
        return Err(BuiltinError("token time constraint: must be a number".into()));
    };
    match number.format_scientific().parse::<f64>() {
        Ok(time) if time.is_finite() && time >= 0.0 => Ok(time),
        Ok(time) if time < 0.0 => Err(BuiltinError("token time constraint: must not be negative".into())),
        _ => Err(BuiltinError("token time constraint: invalid float64".into())),
    }
}

/// The scheme of a header's `alg`; none for what is no signature, such as `none`.
fn scheme(alg: &str) -> Option<Scheme> {
    let hash = match alg.get(2..) {
        Some("256") => Some(Hash::Sha256),
        Some("384") => Some(Hash::Sha384),
        Some("512") => Some(Hash::Sha512),
        _ => None,
    };
    match (alg, alg.get(..2), hash) {
        ("EdDSA" | "Ed25519", ..) => Some(Scheme::EdDsa),
        (_, Some("HS"), Some(hash)) => Some(Scheme::Hmac(hash)),
        (_, Some("RS"), Some(hash)) => Some(Scheme::RsaPkcs1(hash)),
        (_, Some("PS"), Some(hash)) => Some(Scheme::RsaPss(hash, Salt::AsLongAsDigest)),
        (_, Some("ES"), Some(hash)) => Some(Scheme::Ecdsa(hash, Halves::Exact)),
        _ => None,
    }
}
