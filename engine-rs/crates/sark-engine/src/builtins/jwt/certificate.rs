//! Public keys of X.509 certificates and of bare `PUBLIC KEY` blocks.

use rsa::pkcs1;
use x509_cert::{
    Certificate,
    der::{Decode as _, asn1::ObjectIdentifier},
    spki::SubjectPublicKeyInfoOwned,
};

use super::{
    super::{BuiltinError, pem},
    key::Key,
};

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ELLIPTIC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const P224: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.33");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
/// Algorithms that sign nothing OPA verifies: X25519 and DSA.
const OTHERS: [ObjectIdentifier; 2] =
    [ObjectIdentifier::new_unwrap("1.3.101.110"), ObjectIdentifier::new_unwrap("1.2.840.10040.4.1")];

/// The key in `text` if that is a PEM block, or none if it is something else.
pub(super) fn pem_key(text: &str) -> Option<Result<Key, BuiltinError>> {
    let block = pem::first_block(text.as_bytes())?;
    Some(match block.label {
        _ if !block.rest.is_empty() => Err(BuiltinError("extra data after a PEM certificate block".into())),
        b"CERTIFICATE" => of_certificate(&block.content),
        b"PUBLIC KEY" => of_public_key(&block.content),
        _ => Err(BuiltinError("failed to extract a key from the PEM certificate".into())),
    })
}

/// A key of an algorithm nobody knows does not spoil its certificate.
pub(super) fn of_certificate(der: &[u8]) -> Result<Key, BuiltinError> {
    let refused = |reason: &str| BuiltinError(format!("failed to parse a PEM certificate: {reason}"));
    let certificate = Certificate::from_der(der).map_err(|error| refused(&error.to_string()))?;
    let content = certificate.tbs_certificate();
    if content.signature() != certificate.signature_algorithm() {
        return Err(refused("inner and outer signature algorithm identifiers don't match"));
    }
    let mut seen: Vec<_> = content.extensions().into_iter().flatten().map(|extension| extension.extn_id).collect();
    seen.sort_unstable();
    if seen.windows(2).any(|pair| pair.first() == pair.last()) {
        return Err(refused("certificate contains duplicate extensions"));
    }
    key_of(content.subject_public_key_info()).unwrap_or(Ok(Key::Useless)).map_err(refused)
}

fn of_public_key(der: &[u8]) -> Result<Key, BuiltinError> {
    let refused = |reason: &str| BuiltinError(format!("failed to parse a PEM public key: {reason}"));
    let info = SubjectPublicKeyInfoOwned::from_der(der).map_err(|error| refused(&error.to_string()))?;
    key_of(&info).unwrap_or(Err("unknown public key algorithm")).map_err(refused)
}

/// The key, or none if the algorithm is unknown.
fn key_of(info: &SubjectPublicKeyInfoOwned) -> Option<Result<Key, &'static str>> {
    let parameters = info.algorithm.parameters.as_ref();
    let Some(bytes) = info.subject_public_key.as_bytes() else {
        return Some(Err("the key is not a whole number of bytes"));
    };
    Some(match info.algorithm.oid {
        RSA if !parameters.is_some_and(x509_cert::der::Any::is_null) => Err("RSA key missing NULL parameters"),
        RSA => pkcs1::RsaPublicKeyRef::from_der(bytes)
            .map(|key| Key::rsa(key.modulus.as_bytes(), key.public_exponent.as_bytes()))
            .map_err(|_| "invalid RSA public key"),
        ELLIPTIC => match parameters.map(x509_cert::der::Any::decode_as::<ObjectIdentifier>) {
            Some(Ok(curve)) => on_curve(curve, bytes),
            _ => Err("invalid ECDSA parameters"),
        },
        ED25519 if parameters.is_some() => Err("Ed25519 key encoded with illegal parameters"),
        ED25519 => <&[u8; 32]>::try_from(bytes)
            .map(|point| ed25519_dalek::VerifyingKey::from_bytes(point).map_or(Key::Useless, |key| Key::Ed25519(Box::new(key))))
            .map_err(|_| "wrong Ed25519 public key size"),
        other if OTHERS.contains(&other) => Ok(Key::Useless),
        _ => return None,
    })
}

/// The key of an uncompressed point. OPA also verifies with P-224, which nothing here does.
fn on_curve(curve: ObjectIdentifier, point: &[u8]) -> Result<Key, &'static str> {
    const NO_POINT: &str = "invalid point of the elliptic curve";
    if point.first() != Some(&4) {
        return Err(NO_POINT);
    }
    match curve {
        P224 => Ok(Key::Useless),
        P256 => p256::ecdsa::VerifyingKey::from_sec1_bytes(point).map(|key| Key::P256(Box::new(key))).map_err(|_| NO_POINT),
        P384 => p384::ecdsa::VerifyingKey::from_sec1_bytes(point).map(|key| Key::P384(Box::new(key))).map_err(|_| NO_POINT),
        P521 => p521::ecdsa::VerifyingKey::from_sec1_bytes(point).map(|key| Key::P521(Box::new(key))).map_err(|_| NO_POINT),
        _ => Err("unsupported elliptic curve"),
    }
}
