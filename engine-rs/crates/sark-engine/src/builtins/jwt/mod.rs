//! JSON Web Tokens: decoding, and verifying signatures and claims. Signing is left to OPA.

mod certificate;
mod constraints;
mod jwk;
mod key;
mod keys;
mod token;

use regorus::{Value, value::Array};

use super::{
    BuiltinError, Circumstances, OwnBuiltin,
    digest::hexadecimal,
    operands::{object, string},
};
use constraints::Constraints;
use key::{Halves, Hash, Key, Salt, Scheme};
use keys::one_verifies;
use token::{Header, Token, field};

pub(super) const OWN: &[OwnBuiltin] = &[
    OwnBuiltin { name: "io.jwt.decode", arity: 1, call: decode },
    OwnBuiltin { name: "io.jwt.decode_verify", arity: 2, call: decode_verify },
    OwnBuiltin { name: "io.jwt.verify_eddsa", arity: 2, call: |operands, seen| verify(operands, seen, Scheme::EdDsa) },
    OwnBuiltin { name: "io.jwt.verify_es256", arity: 2, call: |operands, seen| verify(operands, seen, elliptic(Hash::Sha256)) },
    OwnBuiltin { name: "io.jwt.verify_es384", arity: 2, call: |operands, seen| verify(operands, seen, elliptic(Hash::Sha384)) },
    OwnBuiltin { name: "io.jwt.verify_es512", arity: 2, call: |operands, seen| verify(operands, seen, elliptic(Hash::Sha512)) },
    OwnBuiltin { name: "io.jwt.verify_hs256", arity: 2, call: |operands, _| verify_code(operands, Hash::Sha256) },
    OwnBuiltin { name: "io.jwt.verify_hs384", arity: 2, call: |operands, _| verify_code(operands, Hash::Sha384) },
    OwnBuiltin { name: "io.jwt.verify_hs512", arity: 2, call: |operands, _| verify_code(operands, Hash::Sha512) },
    OwnBuiltin { name: "io.jwt.verify_ps256", arity: 2, call: |operands, seen| verify(operands, seen, salted(Hash::Sha256)) },
    OwnBuiltin { name: "io.jwt.verify_ps384", arity: 2, call: |operands, seen| verify(operands, seen, salted(Hash::Sha384)) },
    OwnBuiltin { name: "io.jwt.verify_ps512", arity: 2, call: |operands, seen| verify(operands, seen, salted(Hash::Sha512)) },
    OwnBuiltin {
        name: "io.jwt.verify_rs256",
        arity: 2,
        call: |operands, seen| verify(operands, seen, Scheme::RsaPkcs1(Hash::Sha256)),
    },
    OwnBuiltin {
        name: "io.jwt.verify_rs384",
        arity: 2,
        call: |operands, seen| verify(operands, seen, Scheme::RsaPkcs1(Hash::Sha384)),
    },
    OwnBuiltin {
        name: "io.jwt.verify_rs512",
        arity: 2,
        call: |operands, seen| verify(operands, seen, Scheme::RsaPkcs1(Hash::Sha512)),
    },
];

/// Content type of a token whose payload is a token.
const NESTED: &str = "JWT";

const fn elliptic(hash: Hash) -> Scheme {
    Scheme::Ecdsa(hash, Halves::AnyLength)
}

const fn salted(hash: Hash) -> Scheme {
    Scheme::RsaPss(hash, Salt::Any)
}

/// `[header, payload, signature]` of the innermost token. Verifies nothing.
fn decode(operands: &[Value], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    let mut text = string(operands, 0)?.to_owned();
    loop {
        let token = Token::split(&text)?;
        let header = token.header(circumstances)?;
        let payload = token.payload()?;
        match field(&header, "cty") {
            Some(Value::String(cty)) if cty.as_ref() == NESTED => {
                // The payload may be quoted. It is shorter than the token around it, so that this ends.
                let inner = String::from_utf8_lossy(&payload).trim_matches(['"', '\'']).to_owned();
                text = inner;
                continue;
            }
            None | Some(Value::String(_)) => {}
            Some(_) => return Err(BuiltinError("cty: must be a string".into())),
        }
        let payload = token::object(&payload, circumstances)?;
        token.note_numbers(circumstances)?;
        let signature = Value::from(hexadecimal(&token.signature()?));
        return Ok(Array::from(vec![header, payload, signature]).into_value());
    }
}

/// Whether the shared secret made the signature. The header is not looked at.
fn verify_code(operands: &[Value], hash: Hash) -> Result<Value, BuiltinError> {
    let (text, secret) = (string(operands, 0)?, string(operands, 1)?);
    let token = Token::split(text)?;
    let key = Key::Octets(secret.as_bytes().to_vec());
    Ok(Value::from(key.verifies(Scheme::Hmac(hash), &token.signed(), &token.signature()?)))
}

/// Whether a key made the signature. A key with a private part never does, in OPA neither.
fn verify(operands: &[Value], circumstances: &Circumstances, scheme: Scheme) -> Result<Value, BuiltinError> {
    let (text, keys) = (string(operands, 0)?, string(operands, 1)?);
    let token = Token::split(text)?;
    let keys = keys::read(keys, circumstances)?;
    let (signed, signature) = (token.signed(), token.signature()?);
    let header = Header::read(&token.header(circumstances)?)?;
    let verifies = |key: &keys::VerificationKey| !key.is_private && key.verifies(scheme, &signed, &signature);
    one_verifies(&keys, &header.kid, &header.alg, circumstances, verifies).map(Value::from)
}

/// `[true, header, payload]` of the innermost token if every signature and all claims are accepted, else `[false, {}, {}]`.
fn decode_verify(operands: &[Value], circumstances: &Circumstances) -> Result<Value, BuiltinError> {
    let constraints = Constraints::read(object(operands, 1)?, circumstances)?;
    let mut text = string(operands, 0)?.to_owned();
    loop {
        let token = Token::split(&text)?;
        let header = token.header(circumstances)?;
        let fields = Header::read(&header)?;
        if fields.alg.is_empty()
            || fields.has_unknown_critical
            || !constraints.accept_signature(&fields, &token, circumstances)?
        {
            return Ok(answer(false, Value::new_object(), Value::new_object()));
        }
        let payload = token.payload()?;
        if fields.cty.eq_ignore_ascii_case(NESTED) {
            // What is no UTF-8 is no token either, and stands in no part of one.
            text = String::from_utf8_lossy(&payload).into_owned();
            continue;
        }
        let payload = token::object(&payload, circumstances)?;
        token.note_numbers(circumstances)?;
        return Ok(if constraints.accept_claims(&payload)? {
            answer(true, header, payload)
        } else {
            answer(false, Value::new_object(), Value::new_object())
        });
    }
}

fn answer(valid: bool, header: Value, payload: Value) -> Value {
    Array::from(vec![Value::from(valid), header, payload]).into_value()
}

#[cfg(test)]
mod tests;
