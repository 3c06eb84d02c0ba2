//! JSON Web Keys and sets of them, read as OPA reads them: what is wrong in one key refuses the whole set.

use regorus::{Value, value::Object};

use super::{
    super::{BuiltinError, Circumstances, base64, json},
    certificate,
    key::{Key, trimmed},
    keys::VerificationKey,
};

/// More keys in a set are refused.
const MAX_KEYS: usize = 1_000;

/// Algorithms that a key may name and that tokens are verified with.
const VERIFYING: [&str; 13] =
    ["ES256", "ES384", "ES512", "EdDSA", "HS256", "HS384", "HS512", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512"];
/// Algorithms that a key may name without being of use here. Any other name refuses the key.
const OTHERS: [&str; 27] = [
    "A128CBC-HS256",
    "A128GCM",
    "A128GCMKW",
    "A128KW",
    "A192CBC-HS384",
    "A192GCM",
    "A192GCMKW",
    "A192KW",
    "A256CBC-HS512",
    "A256GCM",
    "A256GCMKW",
    "A256KW",
    "ECDH-ES",
    "ECDH-ES+A128KW",
    "ECDH-ES+A192KW",
    "ECDH-ES+A256KW",
    "ES256K",
    "Ed25519",
    "PBES2-HS256+A128KW",
    "PBES2-HS384+A192KW",
    "PBES2-HS512+A256KW",
    "RSA-OAEP",
    "RSA-OAEP-256",
    "RSA-OAEP-384",
    "RSA-OAEP-512",
    "RSA1_5",
    "dir",
];

/// Read one key, or the keys of an object with a member `keys`.
pub(super) fn read(text: &str, circumstances: &Circumstances) -> Result<Vec<VerificationKey>, BuiltinError> {
    let value = json::read(text.as_bytes(), circumstances).map_err(|error| refused(&error.0))?;
    let Value::Object(object) = &value else {
        return Err(refused("it is no JSON object"));
    };
    match object.get(&Value::from("keys")) {
        None => Ok(key(object, circumstances)?.into_iter().collect()),
        Some(Value::Array(keys)) if keys.len() > MAX_KEYS => Err(refused("too many keys")),
        Some(Value::Array(keys)) => {
            let read = keys.iter().map(|entry| match entry {
                Value::Object(object) => key(object, circumstances),
                _ => Err(refused("a key is no JSON object")),
            });
            Ok(read.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
        }
        Some(_) => Err(refused("`keys` is no array")),
    }
}

fn refused(reason: &str) -> BuiltinError {
    BuiltinError(format!("failed to parse a JWK key (set): {reason}"))
}

/// The key of `object`; none if its algorithm verifies no tokens.
fn key(object: &Object, circumstances: &Circumstances) -> Result<Option<VerificationKey>, BuiltinError> {
    circumstances.long_work()?;
    let fields = Fields(object);
    let kty = fields.text("kty")?.unwrap_or_default();
    let alg = fields.text("alg")?;
    if let Some(alg) = alg
        && !VERIFYING.contains(&alg)
        && !OTHERS.contains(&alg)
        && alg != "none"
    {
        return Err(refused("unknown algorithm"));
    }
    fields.check_descriptions(circumstances)?;
    let is_private = matches!(kty, "RSA" | "EC" | "OKP") && object.contains_key(&Value::from("d"));
    let key = match kty {
        "RSA" => fields.rsa(is_private)?,
        "EC" => fields.elliptic(is_private)?,
        "OKP" => fields.octet_pair(is_private)?,
        "oct" => Key::Octets(fields.bytes("k")?),
        _ => return Err(refused("unknown key type")),
    };
    if alg.is_some_and(|alg| !VERIFYING.contains(&alg)) {
        return Ok(None);
    }
    let kid = fields.text("kid")?.unwrap_or_default();
    Ok(Some(VerificationKey { alg: alg.unwrap_or_default().to_owned(), kid: kid.to_owned(), key, is_private }))
}

/// Members of a key.
struct Fields<'a>(&'a Object);

impl Fields<'_> {
    /// A string; null counts as an empty one.
    fn text(&self, name: &str) -> Result<Option<&str>, BuiltinError> {
        match self.0.get(&Value::from(name)) {
            None => Ok(None),
            Some(Value::Null) => Ok(Some("")),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(refused(&format!("`{name}` is no string"))),
        }
    }

    /// Bytes that must be there.
    fn bytes(&self, name: &str) -> Result<Vec<u8>, BuiltinError> {
        self.optional_bytes(name)?.filter(|bytes| !bytes.is_empty()).ok_or_else(|| missing(name))
    }

    fn optional_bytes(&self, name: &str) -> Result<Option<Vec<u8>>, BuiltinError> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        base64::any(text).map(Some).ok_or_else(|| refused(&format!("`{name}` is not base64")))
    }

    /// Members that change nothing here must still be what they should.
    fn check_descriptions(&self, circumstances: &Circumstances) -> Result<(), BuiltinError> {
        for name in ["use", "kid", "x5t", "x5t#S256", "x5u"] {
            self.text(name)?;
        }
        match self.0.get(&Value::from("key_ops")) {
            None | Some(Value::Null) => {}
            Some(Value::Array(names)) if names.iter().all(|name| matches!(name, Value::String(_) | Value::Null)) => {}
            Some(_) => return Err(refused("`key_ops` is no list of strings")),
        }
        match self.0.get(&Value::from("x5c")) {
            None => Ok(()),
            Some(Value::Array(chain)) => chain.iter().try_for_each(|entry| check_certificate(entry, circumstances)),
            Some(_) => Err(refused("`x5c` is no array")),
        }
    }

    fn rsa(&self, is_private: bool) -> Result<Key, BuiltinError> {
        let (modulus, exponent) = (self.bytes("n")?, self.bytes("e")?);
        let (modulus, exponent) = (trimmed(&modulus), trimmed(&exponent));
        let too_long = exponent.len() > 8 || (exponent.len() == 8 && exponent.first().is_some_and(|byte| *byte >= 0x80));
        if modulus.is_empty() || exponent.last().is_none_or(|byte| byte % 2 == 0) || too_long {
            return Err(refused("an RSA number is not acceptable"));
        }
        if is_private {
            for name in ["dp", "dq", "qi"] {
                self.optional_bytes(name)?;
            }
            for name in ["p", "q"] {
                self.optional_bytes(name)?.ok_or_else(|| missing(name))?;
            }
            self.bytes("d")?;
        }
        Ok(Key::rsa(modulus, exponent))
    }

    fn elliptic(&self, is_private: bool) -> Result<Key, BuiltinError> {
        let point = |size: usize| {
            let whole = |name: &str| {
                Some(self.bytes(name)?)
                    .filter(|bytes| bytes.len() == size)
                    .ok_or_else(|| refused("a number has the wrong length"))
            };
            if is_private {
                whole("d")?;
            }
            Ok([&[4][..], &whole("x")?, &whole("y")?].concat())
        };
        match self.text("crv")? {
            Some("P-256") => p256::ecdsa::VerifyingKey::from_sec1_bytes(&point(32)?).map(|key| Key::P256(Box::new(key))),
            Some("P-384") => p384::ecdsa::VerifyingKey::from_sec1_bytes(&point(48)?).map(|key| Key::P384(Box::new(key))),
            Some("P-521") => p521::ecdsa::VerifyingKey::from_sec1_bytes(&point(66)?).map(|key| Key::P521(Box::new(key))),
            _ => return Err(refused("unknown elliptic curve")),
        }
        .map_err(|_| refused("the point is not on the curve"))
    }

    fn octet_pair(&self, is_private: bool) -> Result<Key, BuiltinError> {
        let wrong_size = || refused("the key has the wrong size");
        let public = <[u8; 32]>::try_from(self.bytes("x")?).map_err(|_| wrong_size())?;
        let seed = if is_private { Some(<[u8; 32]>::try_from(self.bytes("d")?).map_err(|_| wrong_size())?) } else { None };
        match self.text("crv")? {
            Some("X25519") => Ok(Key::Useless),
            Some("Ed25519") => {
                let pair = seed.map(|seed| ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key().to_bytes());
                if pair.is_some_and(|derived| derived != public) {
                    return Err(refused("the public part is not that of the private one"));
                }
                Ok(ed25519_dalek::VerifyingKey::from_bytes(&public).map_or(Key::Useless, |key| Key::Ed25519(Box::new(key))))
            }
            _ => Err(refused("unknown elliptic curve")),
        }
    }
}

fn missing(name: &str) -> BuiltinError {
    refused(&format!("`{name}` is missing"))
}

fn check_certificate(encoded: &Value, circumstances: &Circumstances) -> Result<(), BuiltinError> {
    circumstances.long_work()?;
    let Value::String(text) = encoded else {
        return Err(refused("a certificate is no string"));
    };
    let joined: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let der = base64::standard(&joined).ok_or_else(|| refused("a certificate is not base64"))?;
    certificate::of_certificate(&der).map(drop)
}
