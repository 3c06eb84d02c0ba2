//! Keys that verify, and how each verifies.

use hmac::{Hmac, KeyInit as _, Mac as _};
use p256::ecdsa::signature::{Verifier as _, hazmat::PrehashVerifier as _};
use rsa::{BoxedUint, Pkcs1v15Sign, pss::Pss};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// Smaller RSA keys never verify, in OPA neither.
const MIN_RSA_BITS: usize = 1_024;
/// OPA has no such bound. A key is a part of a policy or of its input, and verifying takes the square of its size.
const MAX_RSA_BITS: usize = 16_384;

#[derive(Debug)]
pub(super) enum Key {
    Rsa(Box<rsa::PublicKey>),
    P256(Box<p256::ecdsa::VerifyingKey>),
    P384(Box<p384::ecdsa::VerifyingKey>),
    P521(Box<p521::ecdsa::VerifyingKey>),
    Ed25519(Box<ed25519_dalek::VerifyingKey>),
    Octets(Vec<u8>),
    /// Well formed, but nothing verifies with it: another use, or too weak.
    Useless,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Hmac(Hash),
    RsaPkcs1(Hash),
    RsaPss(Hash, Salt),
    /// On the curve of the key, whichever that is.
    Ecdsa(Hash, Halves),
    EdDsa,
}

/// Length of the salt of an RSA-PSS signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Salt {
    AsLongAsDigest,
    Any,
}

/// How the two numbers of an ECDSA signature are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Halves {
    /// Each as long as the curve's field.
    Exact,
    /// The first number is the first half of the bytes, however many there are.
    AnyLength,
}

impl Key {
    /// An RSA key of these big-endian numbers. Numbers that no signature could be verified with make a useless one.
    pub(super) fn rsa(modulus: &[u8], exponent: &[u8]) -> Self {
        let exponent = trimmed(exponent);
        let fits = exponent.len() < 4 || (exponent.len() == 4 && exponent.first().is_some_and(|byte| *byte < 0x80));
        let modulus = BoxedUint::from_be_slice_vartime(trimmed(modulus));
        let exponent = BoxedUint::from_be_slice_vartime(exponent);
        match rsa::PublicKey::new_with_size_limits(modulus, exponent, MIN_RSA_BITS..=MAX_RSA_BITS) {
            Ok(key) if fits => Self::Rsa(Box::new(key)),
            _ => Self::Useless,
        }
    }

    /// Whether `signature` is one of `message` by this key and `scheme`. A scheme for other keys never verifies.
    pub(super) fn verifies(&self, scheme: Scheme, message: &[u8], signature: &[u8]) -> bool {
        match (self, scheme) {
            (Self::Octets(secret), Scheme::Hmac(hash)) => verifies_code(secret, hash, message, signature),
            (Self::Rsa(key), Scheme::RsaPkcs1(hash)) => verifies_pkcs1(key, hash, message, signature),
            (Self::Rsa(key), Scheme::RsaPss(hash, salt)) => verifies_pss(key, hash, salt, message, signature),
            (Self::P256(key), Scheme::Ecdsa(hash, halves)) => fixed_halves(signature, 32, halves)
                .and_then(|bytes| p256::ecdsa::Signature::from_slice(&bytes).ok())
                .is_some_and(|it| key.verify_prehash(&hash.digest(message), &it).is_ok()),
            (Self::P384(key), Scheme::Ecdsa(hash, halves)) => fixed_halves(signature, 48, halves)
                .and_then(|bytes| p384::ecdsa::Signature::from_slice(&bytes).ok())
                .is_some_and(|it| key.verify_prehash(&hash.digest(message), &it).is_ok()),
            (Self::P521(key), Scheme::Ecdsa(hash, halves)) => fixed_halves(signature, 66, halves)
                .and_then(|bytes| p521::ecdsa::Signature::from_slice(&bytes).ok())
                .is_some_and(|it| key.verify_prehash(&hash.digest(message), &it).is_ok()),
            (Self::Ed25519(key), Scheme::EdDsa) => {
                ed25519_dalek::Signature::from_slice(signature).is_ok_and(|it| key.verify(message, &it).is_ok())
            }
            _ => false,
        }
    }
}

impl Hash {
    fn digest(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(message).to_vec(),
            Self::Sha384 => Sha384::digest(message).to_vec(),
            Self::Sha512 => Sha512::digest(message).to_vec(),
        }
    }
}

/// The comparison takes the same time wherever the codes differ.
fn verifies_code(secret: &[u8], hash: Hash, message: &[u8], code: &[u8]) -> bool {
    match hash {
        Hash::Sha256 => {
            Hmac::<Sha256>::new_from_slice(secret).is_ok_and(|mac| mac.chain_update(message).verify_slice(code).is_ok())
        }
        Hash::Sha384 => {
            Hmac::<Sha384>::new_from_slice(secret).is_ok_and(|mac| mac.chain_update(message).verify_slice(code).is_ok())
        }
        Hash::Sha512 => {
            Hmac::<Sha512>::new_from_slice(secret).is_ok_and(|mac| mac.chain_update(message).verify_slice(code).is_ok())
        }
    }
}

fn verifies_pkcs1(key: &rsa::PublicKey, hash: Hash, message: &[u8], signature: &[u8]) -> bool {
    let scheme = match hash {
        Hash::Sha256 => Pkcs1v15Sign::new::<Sha256>(),
        Hash::Sha384 => Pkcs1v15Sign::new::<Sha384>(),
        Hash::Sha512 => Pkcs1v15Sign::new::<Sha512>(),
    };
    key.verify(scheme, &hash.digest(message), signature).is_ok()
}

fn verifies_pss(key: &rsa::PublicKey, hash: Hash, salt: Salt, message: &[u8], signature: &[u8]) -> bool {
    let digest = hash.digest(message);
    let salt_len = (salt == Salt::AsLongAsDigest).then_some(digest.len());
    match hash {
        Hash::Sha256 => key.verify(Pss { blinded: false, digest: Sha256::new(), salt_len }, &digest, signature),
        Hash::Sha384 => key.verify(Pss { blinded: false, digest: Sha384::new(), salt_len }, &digest, signature),
        Hash::Sha512 => key.verify(Pss { blinded: false, digest: Sha512::new(), salt_len }, &digest, signature),
    }
    .is_ok()
}

/// Both numbers of an ECDSA signature in `size` bytes each, or none if one does not fit.
fn fixed_halves(signature: &[u8], size: usize, halves: Halves) -> Option<Vec<u8>> {
    if halves == Halves::Exact && signature.len() != 2 * size {
        return None;
    }
    let (first, second) = signature.split_at(signature.len() / 2);
    Some([padded(first, size)?, padded(second, size)?].concat())
}

/// The big-endian number in exactly `size` bytes.
fn padded(number: &[u8], size: usize) -> Option<Vec<u8>> {
    let number = trimmed(number);
    let mut bytes = vec![0; size.checked_sub(number.len())?];
    bytes.extend_from_slice(number);
    Some(bytes)
}

/// The big-endian number without zeros in front.
pub(super) fn trimmed(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}
